"""What code a kept figure was measured with, so that it can be told whether it is out of date."""

from __future__ import annotations

import ast
import hashlib
import re
from pathlib import Path

import fadernets


def code_hash(*modules: str) -> str:
    """A hash of the source of these modules of the package and of all that they need: a kept figure is out of date
    where it has changed."""
    files = code_files(*modules)
    sources = [f"{name}\n".encode() + files[name].read_bytes() for name in sorted(files)]
    return hashlib.sha256(b"\0".join(sources)).hexdigest()[:16]


def code_files(*modules: str) -> dict[str, Path]:
    """The files of these modules of the package, and of all of its modules that they import or name as
    "fadernets.module:object", directly or through others."""
    found: dict[str, Path] = {}
    waiting = [f"fadernets.{name}" for name in modules]
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if name in found or path is None:
            continue
        found[name] = path
        waiting += _named_in(path)
        waiting += [name.rpartition(".")[0]] if name.count(".") > 1 else []  # importing a module runs its package
    return found


def _file(name: str) -> Path | None:
    """The file of a module; None for a name that is no module of the package."""
    head, *parts = name.split(".")
    path = Path(fadernets.__file__).parent.joinpath(*parts)
    files = (path / "__init__.py", path.with_suffix(".py")) if head == "fadernets" and parts else ()
    return next((file for file in files if file.is_file()), None)


def _named_in(path: Path) -> list[str]:
    """The names in a source file that may be modules of the package."""
    names = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names += [node.value.partition(":")[0]] if re.fullmatch(r"fadernets(\.\w+)+:\w+", node.value) else []
    return names
