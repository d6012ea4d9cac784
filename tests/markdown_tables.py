"""Markdown tables as Python values."""

from __future__ import annotations


def parse(text):
    """Markdown tables as {first head: (other heads, [(first cell, other cells)])}."""
    found = {}
    for block in text.split("\n\n"):
        head, line, *rows = ([cell.strip() for cell in row.strip("|").split("|")] for row in block.splitlines())
        assert set(line) == {"---"}
        assert all(len(row) == len(head) == len(line) for row in rows)
        found[head[0]] = (head[1:], [(row[0], row[1:]) for row in rows])
    return found
