"""Which command and which commit made a file, so that it can be made again."""

from __future__ import annotations

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
