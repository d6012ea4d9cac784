"""The command `demo`: the bundled piece and edits of it, as `rendering.demonstration` writes them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from fadernets.cli.console import Add, progress


def register(add: Add) -> None:
    """Add the command to the parser."""
    command = add("demo", _demo, "Edit the bundled piece in four ways, and write MIDI, WAV and pictures.")
    command.add_argument("out", type=Path, nargs="?", default=Path("demo"), metavar="FOLDER")


def _demo(options: argparse.Namespace) -> None:
    from fadernets.rendering import demonstration

    made = demonstration.make(options.out, progress("files"))
    print(json.dumps(made.as_dict()) if options.json else made.table())
