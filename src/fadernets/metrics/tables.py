"""Markdown tables of figures: how every evaluation prints what it measured."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, without a line break at its end: the headings, then a line for each row of as many cells."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, *rows)]
    lines.insert(1, "|" + "---|" * len(head))
    return "\n".join(lines)


def spelled(key: str) -> str:
    """A key as a heading: `rhythm_density/open` is "rhythm density, open"."""
    return key.replace("_", " ").replace("/", ", ")
