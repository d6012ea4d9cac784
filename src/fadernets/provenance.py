"""Which command and which commit made a file."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

from fadernets import __version__


def provenance() -> dict[str, str]:
    """The command that runs, and the commit of this code (`-dirty` where it was changed since), or its version."""
    return {"command": " ".join(["fadernets", *sys.argv[1:]]), "commit": commit()}


@cache
def commit() -> str:
    """Read once: what runs is what was imported."""
    here = Path(__file__).resolve()
    try:
        if _git(here.parent, "ls-files", "--error-unmatch", here.name) is not None:  # not another project's repository
            return _git(here.parent, "describe", "--always", "--dirty", "--abbrev=10") or __version__
    except OSError:
        pass
    return __version__


def _git(folder: Path, *arguments: str) -> str | None:
    asked = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True)
    return asked.stdout.strip() if asked.returncode == 0 else None


def code_hash(*modules: str) -> str:
    """Of the source of these modules of the package: a figure is out of date when they are not what they were."""
    sources = [Path(str(import_module(f"fadernets.{name}").__file__)).read_bytes() for name in modules]
    return hashlib.sha256(b"\0".join(sources)).hexdigest()[:16]
