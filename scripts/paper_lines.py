"""Where docs/papers.md says that a sentence of a paper is done: file, line and name, `python scripts/paper_lines.py`.

The last column of its tables names code as "`NAME`, `NAME` in `FILE`", or a whole file as "`FILE`"; files are those of
src/fadernets, or of the repository. A name is a function, a class, a constant, or one of a class: `Class.method`. Lines
are found in the source, so that no page has to be changed when one moves.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "fadernets"
PAGE = ROOT / "docs" / "papers.md"
SPAN = re.compile(r"`([^`]+)`")
FILE = re.compile(r"[\w./-]+\.(?:py|yaml)|recipes/[\w/-]+")


@dataclass(frozen=True)
class Reference:
    """A name in a file, or a whole file where the name is empty."""

    file: str  # as the page has it
    name: str

    @property
    def path(self) -> Path:
        """The file. Raises ValueError where there is none."""
        for folder in (PACKAGE, ROOT):
            if (folder / self.file).exists():
                return folder / self.file
        raise ValueError(f"{self.file}: no such file in src/fadernets or in the repository")

    @property
    def line(self) -> int:
        """The line of the name, 1 of a whole file. Raises ValueError for a name that the file does not have."""
        path = self.path
        if not self.name:
            return 1
        lines = _lines(path)
        if self.name not in lines:
            raise ValueError(f"{self.file}: has no {self.name}")
        return lines[self.name]


def cells(text: str) -> Iterator[str]:
    """The last cell of each row of the page's tables whose last column is `where`."""
    inside = False
    for line in text.splitlines():
        row = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("|"):
            inside = False
        elif row[-1].strip("| ") == "where":
            inside = True
        elif inside and not line.startswith("|---"):
            yield row[-1].removesuffix("|").strip()


def references(cell: str) -> list[Reference]:
    """What a cell names. Raises ValueError for a name without a file."""
    found, waiting, before = [], [], 0
    for span in SPAN.finditer(cell):
        between, text = cell[before : span.start()], span.group(1)
        before = span.end()
        if not FILE.fullmatch(text):
            waiting.append(text)
        elif between == " in " and waiting:
            found += [Reference(text, name) for name in waiting]
            waiting = []
        else:
            found.append(Reference(text, ""))
    if waiting or not found:
        raise ValueError(f"{cell!r}: name code as `NAME` in `FILE`, or a file")
    return found


def with_lines(text: str) -> str:
    """The page with each name's line behind it. Raises ValueError."""
    for cell in set(cells(text)):
        lines = {f"`{one.name}`": f"`{one.name}` (line {one.line})" for one in references(cell) if one.name}
        shown = SPAN.sub(lambda span, lines=lines: lines.get(span.group(), span.group()), cell)
        text = text.replace(f"| {cell} |\n", f"| {shown} |\n")
    return text


@cache
def _lines(path: Path) -> dict[str, int]:
    """Name -> its line: what a module defines, and as `Class.name` what its classes do."""
    found: dict[str, int] = {}

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                found[prefix + node.name] = node.lineno
            if isinstance(node, ast.ClassDef):
                visit(node.body, f"{prefix}{node.name}.")
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
                found.update({prefix + name: node.lineno for name in names})

    visit(ast.parse(path.read_text(encoding="utf-8")).body, "")
    return found


if __name__ == "__main__":
    for cell in cells(PAGE.read_text(encoding="utf-8")):
        for one in references(cell):
            print(f"{one.path.relative_to(ROOT)}:{one.line} {one.name}".strip())
