"""What MkDocs runs while it builds the documentation site (mkdocs.yml, `hooks`).

Each subpackage of fadernets gets a page of the API, so that a new module needs no line here. Examples in docstrings
(`>>>`) become code. In "The papers, sentence by sentence" each name of code gets its line. A page that would load a
script, style sheet, font or picture from another machine fails the build.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from paper_lines import with_lines  # beside this file, which MkDocs puts on the path

PACKAGE = Path(__file__).parents[1] / "src" / "fadernets"
PROMPT = ">>> "
BEFORE_FENCES = 40  # priority of a preprocessor: Markdown's own fences have 25
REMOTE = re.compile(
    r"""<(?:script|img|iframe|source|audio|video|embed)\b[^>]*\ssrc=["']?(?:https?:)?//"""
    r"""|<link\b[^>]*\shref=["']?(?:https?:)?//"""
    r"""|@import\s|url\(["']?(?:https?:)?//""",
    re.IGNORECASE,
)


def on_config(config: Any) -> Any:
    """Let Markdown read examples as code."""
    config["markdown_extensions"].append(Examples())
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add api/NAME.md for each subpackage."""
    for subpackage in sorted(path.parent for path in PACKAGE.glob("*/__init__.py")):
        files.append(File.generated(config, f"api/{subpackage.name}.md", content=page_of(subpackage)))
    return files


def page_of(subpackage: Path) -> str:
    """The Markdown of a subpackage's page: a directive of mkdocstrings for it and for each public module."""
    package = f"fadernets.{subpackage.name}"
    lines = [f"::: {package}", "    options:", "      heading_level: 1", "      show_root_full_path: true"]
    for module in sorted(path.stem for path in subpackage.glob("*.py") if not path.stem.startswith("_")):
        lines += ["", f"::: {package}.{module}"]
    return "\n".join([*lines, ""])


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The lines of the code that papers.md names. Raises PluginError."""
    if page.file.src_uri != "papers.md":
        return markdown
    try:
        return with_lines(markdown)
    except ValueError as error:
        raise PluginError(f"papers.md: {error}") from None


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Refuse HTML that loads something over the network. Raises PluginError."""
    match = REMOTE.search(output)
    if match:
        raise PluginError(f"{page.file.src_uri}: loads from elsewhere: {match.group()[:120]}")
    return output


class Examples(Extension):
    """Markdown in which lines from `>>>` to the next empty one are Python."""

    def extendMarkdown(self, md: Any) -> None:
        """Called by Markdown when it is set up."""
        md.preprocessors.register(_Fences(md), "examples", BEFORE_FENCES)


class _Fences(Preprocessor):
    def run(self, lines: list[str]) -> list[str]:
        """The lines with a fence around each example."""
        out: list[str] = []
        inside = False
        for line in lines:
            if line.startswith(PROMPT) and not inside:
                out += ["", "```pycon"]
                inside = True
            elif not line.strip() and inside:
                out.append("```")
                inside = False
            out.append(line)
        return [*out, "```"] if inside else out
