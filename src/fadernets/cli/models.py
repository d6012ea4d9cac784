"""The command `models`: what is inside the package."""

from __future__ import annotations

import argparse
import json
from typing import Any

from fadernets.cli.console import Add


def register(add: Add) -> None:
    """Add the command to the parser."""
    add("models", _models, "List the models inside the package.")


def _models(options: argparse.Namespace) -> None:
    from fadernets.engines.model_folder import DEFAULT_MODEL, bundled

    rows: list[dict[str, Any]] = []
    for name, folder in bundled().items():
        size = sum(file.stat().st_size for file in folder.iterdir())
        rows.append({"name": name, "folder": str(folder), "bytes": size, "default": name == DEFAULT_MODEL})
    if options.json:
        print(json.dumps({"models": rows}))
        return
    for row in rows:
        print(f"{row['name']}{' (default)' if row['default'] else ''}: {row['bytes'] / 1e6:.1f} MB, {row['folder']}")
