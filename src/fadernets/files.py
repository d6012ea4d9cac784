"""Files written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from fadernets.errors import FadernetsError


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: a temporary file beside it is renamed. Raises FadernetsError."""
    temporary = path.with_name(f".fadernets-{os.getpid()}.part")  # short, since `path` may be as long as a name can be
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        raise FadernetsError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        temporary.unlink(missing_ok=True)
