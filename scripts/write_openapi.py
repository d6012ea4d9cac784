"""Write the servers' OpenAPI documents: python scripts/write_openapi.py studio.

The pages' types are generated from them (`npm run types` in studio/).
"""

import json
import sys
from pathlib import Path

from fadernets.listening import server as listening_server
from fadernets.studio import server

folder = Path(sys.argv[1])
for name, app in (("openapi", server.create()), ("openapi-listening", listening_server.create(None))):  # of any study
    (folder / f"{name}.json").write_text(json.dumps(app.openapi(), indent=1) + "\n", encoding="utf-8")
