"""Files written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from fadernets.errors import FadernetsError


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Raises FadernetsError where the folder cannot be written."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise FadernetsError(f"{path}: cannot be written ({error.strerror or error})") from None
