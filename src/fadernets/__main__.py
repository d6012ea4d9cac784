"""`python -m fadernets` is the command `fadernets`."""

import sys

from fadernets.cli.main import main

sys.exit(main())
