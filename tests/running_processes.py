"""Which processes are alive, as Linux tells it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def session(leader: int) -> list[str]:
    """The processes of a session that are alive."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, of = stat.read_text().rpartition(") ")[2].split()[:4]
            found += [stat.parent.name] if int(of) == leader and state != "Z" else []
    return found
