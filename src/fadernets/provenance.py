"""Which command and which commit made a file, so that it can be made again."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

from fadernets import __version__


def provenance() -> dict[str, str]:
    """`command`, the command line that runs, and `commit`, the commit of this code or its version."""
    return {"command": " ".join(["fadernets", *sys.argv[1:]]), "commit": commit()}


@cache
def commit() -> str:
    """The commit of this code, with `-dirty` where files were changed since; outside its repository, the version.

    It is read once, since later changes are not what runs.
    """
    here = Path(__file__).resolve()
    try:
        # In a repository of another project, such as one with a virtual environment, this file is not tracked.
        if _git(here.parent, "ls-files", "--error-unmatch", here.name) is not None:
            return _git(here.parent, "describe", "--always", "--dirty", "--abbrev=10") or __version__
    except OSError:
        pass
    return __version__


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints, or None where it fails. Raises OSError where there is no git."""
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


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
    path = Path(__file__).parent.joinpath(*parts)
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
