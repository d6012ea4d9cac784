"""The SQLite file of a study's answers: its tables, its connection and its transactions.

Threads may share one AnswerDatabase; several processes may open the same file.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fadernets.errors import FadernetsError

VERSION = 1
LOCK_TIMEOUT = 30.0  # seconds to wait for another writer
SYNCHRONOUS = "FULL"  # an answer survives a power cut
TABLES = """
CREATE TABLE IF NOT EXISTS subjects (subject INTEGER PRIMARY KEY, consented TEXT NOT NULL, finished TEXT);
CREATE TABLE IF NOT EXISTS answers (
    subject INTEGER NOT NULL REFERENCES subjects, trial TEXT NOT NULL,
    changed TEXT, rhythm INTEGER, melody INTEGER, harmony INTEGER, naturalness INTEGER,
    original INTEGER NOT NULL, transformed INTEGER NOT NULL, seconds REAL NOT NULL,
    first TEXT NOT NULL, last TEXT NOT NULL, PRIMARY KEY (subject, trial)
);
"""


class AnswerDatabase:
    """The file at `path`, which is made by the first transaction that writes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close the file; the next transaction opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection to read from; None without a file, so that reading never makes one. Raises FadernetsError."""
        with self._lock:
            if self._connection is None and not self._path.exists():
                yield None
                return
            with self._transaction("DEFERRED") as db:
                yield db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection to write to, in a transaction: everything is stored, or nothing. Raises FadernetsError."""
        with self._lock, self._transaction("IMMEDIATE") as db:
            yield db

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[sqlite3.Connection]:
        try:
            db = self._connected()
            db.execute(f"BEGIN {kind}")
            try:
                yield db
            except BaseException:
                db.rollback()
                raise
            db.commit()
        except sqlite3.Error as error:
            raise FadernetsError(f"{self._path}: {error}") from None

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            db = sqlite3.connect(self._path, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False)
            try:
                db.row_factory = sqlite3.Row
                version = db.execute("PRAGMA user_version").fetchone()[0]
                if version not in (0, VERSION):
                    raise FadernetsError(f"{self._path}: is of format {version}; this version reads {VERSION}")
                if version == 0:
                    _create(db)
                db.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
                db.execute("PRAGMA secure_delete = ON")  # withdrawn answers are overwritten on disk
            except BaseException:
                db.close()
                raise
            self._connection = db
        return self._connection


def _create(db: sqlite3.Connection) -> None:
    """Make the tables, with a write-ahead log; another process may be doing the same."""
    until = time.monotonic() + LOCK_TIMEOUT
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")  # ignores the timeout for other writers
            break
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
    db.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
