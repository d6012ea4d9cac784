"""The files that the studio stores: the bundled ones, and what was uploaded, within limits of size and age.

They are bytes; `uploads` holds those of them that were read.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Protocol

from fadernets.errors import FadernetsError

MOST_STORED = 32 * 2**20  # bytes of all uploads
LONGEST_STORED = 6 * 3600.0  # seconds since an upload was last used
BUNDLED = {"k545": "Mozart, Sonata in C, K. 545, first movement: opening", "k265": "Ah vous dirai-je, Maman: theme"}


class UnknownPiece(FadernetsError):
    """A piece that the studio does not hold, or no longer holds."""


@dataclass
class StoredFile:
    """A file with the time when it was last used."""

    id: str
    title: str
    data: bytes
    owner: str = ""
    used: float = 0.0


class Files(Protocol):
    """Where uploads come from and go to; `StoredFiles`, or those of another process."""

    def put(self, title: str, data: bytes, owner: str) -> str:
        """Store a file; returns its id."""

    def title(self, piece_id: str) -> str:
        """The title of a file, which is used now. Raises UnknownPiece."""

    def get(self, piece_id: str) -> StoredFile:
        """A file, which is used now. Raises UnknownPiece."""

    def ids(self, owner: str) -> list[str]:
        """The bundled files, then the owner's."""


class StoredFiles:
    """Bundled files by name and uploaded ones by a hash of their bytes and their owner. Safe from several threads.

    An owner is the secret of a browser: who does not know it can neither guess the piece's id nor list or rename it.

    most: bytes of all uploads; longest: seconds that an unused upload is kept.
    """

    def __init__(
        self, most: int = MOST_STORED, longest: float = LONGEST_STORED, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._longest, self._clock = most, longest, clock
        self._uploaded: OrderedDict[str, StoredFile] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, title: str, data: bytes, owner: str = "") -> str:
        """Store a file; returns its id. The least recently used ones go while all together are too large."""
        piece_id = id_of(data, owner)
        with self._lock:
            self._uploaded.pop(piece_id, None)
            self._uploaded[piece_id] = StoredFile(piece_id, title, data, owner, self._clock())
            self._remove_old()
        return piece_id

    def title(self, piece_id: str) -> str:
        """The title of a file, which is used now. Raises UnknownPiece."""
        return BUNDLED[piece_id] if piece_id in BUNDLED else self.get(piece_id).title

    def get(self, piece_id: str) -> StoredFile:
        """A file, which is used now. Raises UnknownPiece."""
        if piece_id in BUNDLED:
            return bundled_file(piece_id)
        with self._lock:
            self._remove_old()
            file = self._uploaded.get(piece_id)
            if file is None:
                raise UnknownPiece(f"piece {piece_id}: is not here any more; open its file again")
            file.used = self._clock()
            self._uploaded.move_to_end(piece_id)
            return file

    def ids(self, owner: str = "") -> list[str]:
        """The bundled files, then the owner's."""
        with self._lock:
            self._remove_old()
            return [*BUNDLED, *(file.id for file in self._uploaded.values() if file.owner == owner)]

    def _remove_old(self) -> None:
        """Drop uploads that are too old, then the least recently used ones while all together are too large."""
        now = self._clock()
        for piece_id in [file.id for file in self._uploaded.values() if now - file.used > self._longest]:
            del self._uploaded[piece_id]
        while len(self._uploaded) > 1 and sum(len(file.data) for file in self._uploaded.values()) > self._most:
            self._uploaded.popitem(last=False)


def bundled_file(piece_id: str) -> StoredFile:
    """One of BUNDLED."""
    path = Path(str(resources.files("fadernets"))) / "assets" / f"{piece_id}.mid"
    return StoredFile(piece_id, BUNDLED[piece_id], path.read_bytes())


def id_of(data: bytes, owner: str) -> str:
    """What a file is called: who does not have its bytes and the owner's secret cannot guess it."""
    return hashlib.sha256(owner.encode() + data).hexdigest()[:24]
