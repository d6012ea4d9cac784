"""The pieces that the studio holds: the bundled ones, and uploads within limits of size and age."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from fadernets.decoding.segment_requests import EncodingCache
from fadernets.errors import FadernetsError
from fadernets.music.document import Document
from fadernets.music.smf import checked
from fadernets.studio.types import MOST_BARS, MOST_BYTES

MOST_STORED = 64 * 2**20  # bytes of all uploads
MOST_ENCODED = 4  # uploads whose encoded segments stay in memory: the most recently used ones
LONGEST_STORED = 6 * 3600.0  # seconds since an upload was last used
BUNDLED = {"k545": "Mozart, Sonata in C, K. 545, first movement: opening", "k265": "Ah vous dirai-je, Maman: theme"}


class UnknownPiece(FadernetsError):
    """A piece that the studio does not hold, or no longer holds."""


def plain_name(name: str, otherwise: str = "untitled") -> str:
    """A file's name without its folders, in one line of printable characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    shown = " ".join("".join(c if c.isprintable() else " " for c in last).split())[:120].strip()
    return shown if shown.strip(".") else otherwise


@dataclass
class StoredPiece:
    """A piece with the time when it was last used."""

    id: str
    title: str
    data: bytes
    document: Document
    used: float
    owner: str = ""
    encodings: EncodingCache = field(default_factory=EncodingCache)

    @property
    def stem(self) -> str:
        """The first part of the names of files that are made of this piece."""
        return self.id if self.id in BUNDLED else Path(self.title).stem or "piece"


class Uploads:
    """Bundled pieces by name and uploaded ones by a hash of their bytes and their owner. Safe from several threads.

    An owner is the secret of a browser: who does not know it can neither guess the piece's id nor list or rename it.

    most: bytes of all uploads; longest: seconds that an unused upload is kept.
    """

    def __init__(
        self, most: int = MOST_STORED, longest: float = LONGEST_STORED, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._longest, self._clock = most, longest, clock
        self._uploaded: OrderedDict[str, StoredPiece] = OrderedDict()
        self._bundled: dict[str, StoredPiece] = {}
        self._lock = threading.Lock()

    def add(self, name: str, data: bytes, owner: str = "") -> StoredPiece:
        """Store a file's bytes. Raises FadernetsError for what is no MIDI file, too large or too long."""
        title = plain_name(name)
        if len(data) > MOST_BYTES:
            raise FadernetsError(f"{title}: {len(data)} bytes; at most {MOST_BYTES} are taken")
        piece = self._read(hashlib.sha256(owner.encode() + data).hexdigest()[:24], title, data)
        piece.owner = owner
        with self._lock:
            self._uploaded.pop(piece.id, None)
            self._uploaded[piece.id] = piece
            self._remove_old()
        return piece

    def get(self, piece_id: str) -> StoredPiece:
        """A bundled or uploaded piece. Raises UnknownPiece."""
        if piece_id in BUNDLED:
            with self._lock:
                if piece_id not in self._bundled:
                    path = Path(str(resources.files("fadernets"))) / "assets" / f"{piece_id}.mid"
                    self._bundled[piece_id] = self._read(piece_id, BUNDLED[piece_id], path.read_bytes())
                return self._bundled[piece_id]
        with self._lock:
            self._remove_old()
            piece = self._uploaded.get(piece_id)
            if piece is None:
                raise UnknownPiece(f"piece {piece_id}: is not here any more; open its file again")
            piece.used = self._clock()
            self._uploaded.move_to_end(piece_id)
            return piece

    def ids(self, owner: str = "") -> list[str]:
        """The bundled pieces, then the owner's uploads."""
        with self._lock:
            self._remove_old()
            return [*BUNDLED, *(piece.id for piece in self._uploaded.values() if piece.owner == owner)]

    def _read(self, piece_id: str, title: str, data: bytes) -> StoredPiece:
        path = Path(title)
        document = Document(path, checked(path, data))
        tracks = {int(number) for number in document.piece.notes["track"]}
        if not tracks:
            raise FadernetsError(f"{title}: the file has no notes")
        if all(document.piece.tracks[number].is_drum for number in tracks):
            raise FadernetsError(f"{title}: the file has only drums")
        bars = len(document.piece.metre.bar_starts(document.piece.end))
        if bars > MOST_BARS:
            raise FadernetsError(
                f"{title}: {bars} bars; the studio takes {MOST_BARS}. `fadernets apply` edits longer pieces"
            )
        return StoredPiece(piece_id, title, data, document, self._clock())

    def _remove_old(self) -> None:
        """Drop uploads that are too old, then the least recently used ones while all together are too large."""
        now = self._clock()
        for piece_id in [piece.id for piece in self._uploaded.values() if now - piece.used > self._longest]:
            del self._uploaded[piece_id]
        while len(self._uploaded) > 1 and sum(len(piece.data) for piece in self._uploaded.values()) > self._most:
            self._uploaded.popitem(last=False)
        for piece in [*self._uploaded.values()][:-MOST_ENCODED]:
            piece.encodings.clear()
