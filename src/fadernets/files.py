"""Files written whole or not at all, whoever else writes beside them, and whatever stops the process."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from fadernets.errors import FadernetsError


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, as `open_atomic` does. Raises FadernetsError."""
    with open_atomic(path) as file:
        file.write(data)


@contextmanager
def open_atomic(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends, and leaves no trace where the block fails.

    Until then readers find the old file. A link is followed, and the file keeps the permissions that it had. What was
    written lies on the disk before the name points to it. Any number of threads and processes may write the same path:
    the last one to finish wins, whole. Raises FadernetsError for a file that cannot be written.
    """
    target = Path(os.path.realpath(path))
    # Short, since `path` may be as long as a name can be.
    temporary = target.with_name(f".fadernets-{secrets.token_hex(8)}.part")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        try:
            with os.fdopen(descriptor, "wb") as file:
                with suppress(FileNotFoundError):
                    os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
            _sync_folder(target.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise FadernetsError(f"{path}: cannot be written ({error.strerror or error})") from None


def _sync_folder(folder: Path) -> None:
    """Put a folder's names on the disk, where the system lets one."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
