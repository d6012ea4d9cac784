"""Pieces that the studio was given: kept while they are used, within a size and an age."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from fadernets.editing.segment_requests import EncodingCache
from fadernets.errors import FadernetsError
from fadernets.music.document import Document
from fadernets.music.smf import checked
from fadernets.studio.types import MOST_BARS, MOST_BYTES

MOST_KEPT = 64 * 2**20  # bytes of all uploads
MOST_LOOKED = 4  # uploads whose encoded segments are kept: those that were used last
LONGEST_KEPT = 6 * 3600.0  # seconds since one was last used
BUNDLED = {"k545": "Mozart, Sonata in C, K. 545, first movement: opening", "k265": "Ah vous dirai-je, Maman: theme"}


class Unknown(FadernetsError):
    """A piece that is not here (any more)."""


def plain(name: str, otherwise: str = "untitled") -> str:
    """A file's name without its folders, in one line of characters that show."""
    last = name.replace("\\", "/").rpartition("/")[2]
    shown = " ".join("".join(c if c.isprintable() else " " for c in last).split())[:120].strip()
    return shown if shown.strip(".") else otherwise


@dataclass
class Kept:
    """A piece with the time it was last used."""

    id: str
    title: str
    data: bytes
    document: Document
    used: float
    look: EncodingCache = field(default_factory=EncodingCache)


class Uploads:
    """Bundled pieces by name and uploaded ones by the hash of their bytes. Safe to use from several threads."""

    def __init__(
        self, most: int = MOST_KEPT, longest: float = LONGEST_KEPT, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._longest, self._clock = most, longest, clock
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._bundled: dict[str, Kept] = {}
        self._lock = threading.Lock()

    def add(self, name: str, data: bytes) -> Kept:
        """Keep a file's bytes. Raises FadernetsError for what is no MIDI file, too large or too long."""
        title = plain(name)
        if len(data) > MOST_BYTES:
            raise FadernetsError(f"{title}: {len(data)} bytes; at most {MOST_BYTES} are taken")
        kept = self._read(hashlib.sha256(data).hexdigest()[:24], title, data)
        with self._lock:
            self._kept.pop(kept.id, None)
            self._kept[kept.id] = kept
            self._tidy()
        return kept

    def get(self, piece: str) -> Kept:
        """A bundled or kept piece. Raises Unknown."""
        if piece in BUNDLED:
            with self._lock:
                if piece not in self._bundled:
                    path = Path(str(resources.files("fadernets"))) / "assets" / f"{piece}.mid"
                    self._bundled[piece] = self._read(piece, BUNDLED[piece], path.read_bytes())
                return self._bundled[piece]
        with self._lock:
            self._tidy()
            kept = self._kept.get(piece)
            if kept is None:
                raise Unknown(f"piece {piece}: is not here any more; open its file again")
            kept.used = self._clock()
            self._kept.move_to_end(piece)
            return kept

    def ids(self) -> list[str]:
        """The bundled pieces, then those that are kept."""
        with self._lock:
            self._tidy()
            return [*BUNDLED, *self._kept]

    def _read(self, piece: str, title: str, data: bytes) -> Kept:
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
        return Kept(piece, title, data, document, self._clock())

    def _tidy(self) -> None:
        """Let go of what is too old, and of the longest unused while all are too large."""
        now = self._clock()
        for piece in [k.id for k in self._kept.values() if now - k.used > self._longest]:
            del self._kept[piece]
        while len(self._kept) > 1 and sum(len(k.data) for k in self._kept.values()) > self._most:
            self._kept.popitem(last=False)
        for kept in [*self._kept.values()][:-MOST_LOOKED]:
            kept.look.clear()
