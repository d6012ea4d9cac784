"""Write the server's OpenAPI document: python scripts/write_openapi.py studio/openapi.json.

The page's types are generated from it (`npm run types` in studio/).
"""

import json
import sys
from pathlib import Path

from fadernets.server import create

Path(sys.argv[1]).write_text(json.dumps(create().openapi(), indent=1) + "\n", encoding="utf-8")
