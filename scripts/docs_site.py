"""What MkDocs runs while it builds the documentation site (mkdocs.yml, `hooks`).

Each subpackage of fadernets gets a page of the API, so that a new module needs no line here; a page that would load a
script, style sheet, font or picture from another machine fails the build.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

PACKAGE = Path(__file__).parents[1] / "src" / "fadernets"
REMOTE = re.compile(
    r"""<(?:script|img|iframe|source|audio|video|embed)\b[^>]*\ssrc=["']?(?:https?:)?//"""
    r"""|<link\b[^>]*\shref=["']?(?:https?:)?//"""
    r"""|@import\s|url\(["']?(?:https?:)?//""",
    re.IGNORECASE,
)


def on_files(files: Files, config: Any) -> Files:
    """Add api/ROOM.md for each subpackage."""
    for room in sorted(path.parent for path in PACKAGE.glob("*/__init__.py")):
        files.append(File.generated(config, f"api/{room.name}.md", content=page(room)))
    return files


def page(room: Path) -> str:
    """The Markdown of a subpackage's page: a directive of mkdocstrings for each public module."""
    package = f"fadernets.{room.name}"
    lines = [f"::: {package}", "    options:", "      heading_level: 1", "      show_root_full_path: true"]
    for module in sorted(path.stem for path in room.glob("*.py") if not path.stem.startswith("_")):
        lines += ["", f"::: {package}.{module}"]
    return "\n".join([*lines, ""])


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Refuse HTML that loads something over the network. Raises PluginError."""
    match = REMOTE.search(output)
    if match:
        raise PluginError(f"{page.file.src_uri}: loads from elsewhere: {match.group()[:120]}")
    return output
