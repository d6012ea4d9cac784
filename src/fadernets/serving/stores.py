"""Pieces that were sent before: kept by the hash of their bytes, for a while, in a folder, a database or elsewhere.

Several servers may share a store. An id is the SHA-256 of a piece's bytes: whoever has the id may edit and remove the
piece, and who has neither the id nor the bytes cannot guess it. Times are seconds since 1970.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from fadernets.errors import FadernetsError
from fadernets.files import write_atomic
from fadernets.serving.refusals import Refusal, UnknownPiece

KEEP_HOURS = 24.0  # since a piece was last sent
MOST_STORED = 2**30  # bytes of all pieces
SQLITE = "sqlite:"
ID = re.compile(r"[0-9a-f]{64}")
RETRY_AFTER = 5  # seconds, where the store cannot be reached
BUSY_SECONDS = 10.0  # for which a writer waits for another one

Found = TypeVar("Found")


class Entry(NamedTuple):
    """A stored piece, without its bytes."""

    id: str
    size: int
    sent: float


class Backend(Protocol):
    """Where bytes are kept by id. Safe from several threads; raises OSError for what it cannot do."""

    def write(self, piece_id: str, data: bytes) -> None:
        """Keep bytes, whole or not at all, as sent now."""

    def read(self, piece_id: str) -> tuple[bytes, float] | None:
        """The bytes and when they were sent; None where there are none."""

    def remove(self, piece_id: str) -> bool:
        """Forget bytes; whether there were any."""

    def entries(self) -> list[Entry]:
        """All that is kept; none where the backend itself lets go of what is too old or too much."""


class PieceStore:
    """Pieces by id, within limits of age and of what they take together.

    keep: seconds since a piece was last sent; most: bytes of all.
    """

    def __init__(
        self,
        backend: Backend,
        keep: float = KEEP_HOURS * 3600,
        most: int = MOST_STORED,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.keep = keep
        self._backend, self._most, self._clock = backend, most, clock

    def put(self, data: bytes) -> str:
        """Keep a piece; returns its id. Raises Refusal where the store cannot be reached."""
        piece_id = hashlib.sha256(data).hexdigest()
        self._tried(lambda: self._backend.write(piece_id, data))
        return piece_id

    def get(self, piece_id: str) -> bytes:
        """A piece's bytes. Raises UnknownPiece, and Refusal where the store cannot be reached."""
        found = self._tried(lambda: self._backend.read(piece_id)) if ID.fullmatch(piece_id) else None
        if found is None or self._clock() - found[1] > self.keep:
            raise UnknownPiece
        return found[0]

    def remove(self, piece_id: str) -> None:
        """Forget a piece. Raises UnknownPiece, and Refusal where the store cannot be reached."""
        if not ID.fullmatch(piece_id) or not self._tried(lambda: self._backend.remove(piece_id)):
            raise UnknownPiece

    def sweep(self) -> int:
        """Forget what is too old, then the oldest while all is too much; returns how many went.

        Pieces alone go: what else a backend may list is somebody else's.
        """
        pieces = [entry for entry in self._tried(self._backend.entries) if ID.fullmatch(entry.id)]
        entries = sorted(pieces, key=lambda entry: entry.sent)
        total, gone = sum(entry.size for entry in entries), 0
        for entry in entries:
            if self._clock() - entry.sent <= self.keep and total <= self._most:
                break
            self._tried(partial(self._backend.remove, entry.id))
            total, gone = total - entry.size, gone + 1
        return gone

    def _tried(self, call: Callable[[], Found]) -> Found:
        try:
            return call()
        except (OSError, sqlite3.Error, FadernetsError) as error:
            reason = f"the store of pieces cannot be reached ({type(error).__name__}); ask again"
            raise Refusal(503, reason, RETRY_AFTER) from error


class Folder:
    """A file each in a folder; their times are when they were sent."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def write(self, piece_id: str, data: bytes) -> None:
        """Write the file in one step."""
        write_atomic(self._folder / piece_id, data)

    def read(self, piece_id: str) -> tuple[bytes, float] | None:
        """The file and its time."""
        with suppress(FileNotFoundError), (self._folder / piece_id).open("rb") as file:
            return file.read(), os.fstat(file.fileno()).st_mtime
        return None

    def remove(self, piece_id: str) -> bool:
        """Remove the file."""
        try:
            (self._folder / piece_id).unlink()
        except FileNotFoundError:
            return False
        return True

    def entries(self) -> list[Entry]:
        """The files that are pieces."""
        found = []
        for path in self._folder.iterdir():
            if ID.fullmatch(path.name):
                with suppress(FileNotFoundError):  # removed at the same moment
                    status = path.stat()
                    found.append(Entry(path.name, status.st_size, status.st_mtime))
        return found


class Database:
    """A SQLite file, which several servers of one machine may share."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._clock, self._lock = clock, threading.Lock()
        try:
            self._connection = sqlite3.connect(path, BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA secure_delete=ON")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS pieces (id TEXT PRIMARY KEY, data BLOB NOT NULL, sent REAL NOT NULL)"
            )
        except sqlite3.Error as error:
            raise FadernetsError(f"--store {SQLITE}{path}: {error}; name a file that can be written") from None

    def write(self, piece_id: str, data: bytes) -> None:
        """Put in a row, or replace it."""
        with self._lock:
            self._connection.execute("REPLACE INTO pieces VALUES (?, ?, ?)", (piece_id, data, self._clock()))

    def read(self, piece_id: str) -> tuple[bytes, float] | None:
        """The row's bytes and time."""
        with self._lock:
            row = self._connection.execute("SELECT data, sent FROM pieces WHERE id = ?", (piece_id,)).fetchone()
        return None if row is None else (row[0], row[1])

    def remove(self, piece_id: str) -> bool:
        """Remove the row."""
        with self._lock:
            return self._connection.execute("DELETE FROM pieces WHERE id = ?", (piece_id,)).rowcount > 0

    def entries(self) -> list[Entry]:
        """All rows."""
        with self._lock:
            rows = self._connection.execute("SELECT id, length(data), sent FROM pieces").fetchall()
        return [Entry(*row) for row in rows]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()


def backend_of(where: str, keep: float) -> Backend:
    """The backend that `--store` names: a folder, `sqlite:FILE`, or a URL. keep: seconds. Raises FadernetsError."""
    if "://" in where:
        from fadernets.serving.remote_stores import remote

        return remote(where, keep)
    if where.startswith(SQLITE):
        return Database(Path(where.removeprefix(SQLITE)))
    try:
        return Folder(Path(where))
    except OSError as error:
        raise FadernetsError(f"--store {where}: {error.strerror or error}; name a folder that can be written") from None
