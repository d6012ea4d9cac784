"""The pieces that the studio has read, within limits of what each may be and of what they take together.

What is read takes a hundred times the bytes of its file. So what is held is counted: events, arrays of notes, and what
models made of them. What goes is read again when it is needed, as long as its file is stored.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fadernets.decoding.segment_requests import EncodingCache
from fadernets.editing.region_edit import StageCache
from fadernets.errors import FadernetsError, in_megabytes
from fadernets.music.document import Document
from fadernets.studio.stored_files import (
    BUNDLED,
    LONGEST_STORED,
    MOST_STORED,
    Files,
    StoredFile,
    StoredFiles,
    UnknownPiece,
)
from fadernets.web.piece_limits import MOST_BYTES, read_piece

__all__ = ["BUNDLED", "StoredPiece", "UnknownPiece", "Uploads", "plain_name"]

THE_STUDIO = "the studio"  # who reads, in errors
MOST_HELD = 96 * 2**20  # bytes of all pieces that are read, with what models made of them
MOST_ENCODED = 4  # uploads whose encoded segments stay in memory: the most recently used ones
EVENT_BYTES = 300  # of an event as `Document` holds it, with its tick, in two lists: 232 and what lists have to spare
NOTE_BYTES = 150  # of a note: its row, and the places of its events


def plain_name(name: str, otherwise: str = "untitled") -> str:
    """A file's name without its folders, in one line of printable characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    shown = " ".join("".join(c if c.isprintable() else " " for c in last).split())[:120].strip()
    return shown if shown.strip(".") else otherwise


@dataclass
class StoredPiece:
    """A piece that was read."""

    id: str
    title: str
    data: bytes
    document: Document
    encodings: EncodingCache = field(default_factory=EncodingCache)
    stages: StageCache = field(default_factory=StageCache)  # what its regions left

    @property
    def stem(self) -> str:
        """The first part of the names of files that are made of this piece."""
        return self.id if self.id in BUNDLED else Path(self.title).stem or "piece"

    @property
    def held(self) -> int:
        """About how many bytes it takes."""
        events = sum(len(track) for track in self.document.paired.events)
        notes = len(self.document.piece.notes)
        return 2 * len(self.data) + EVENT_BYTES * events + NOTE_BYTES * notes + self.made

    @property
    def made(self) -> int:
        """About how many of these bytes models made of it."""
        return self.encodings.bytes_taken + self.stages.bytes_taken

    def forget(self) -> None:
        """Let go of what models made of it."""
        self.encodings.clear()
        self.stages.clear()


class Uploads:
    """Pieces by the ids of their files (see `StoredFiles`), read when they are needed. Safe from several threads.

    files: where the files are; without them, they are stored here: `most` bytes, unused no longer than `longest`
    seconds. held: bytes of all pieces that stay read.
    """

    def __init__(
        self,
        most: int = MOST_STORED,
        longest: float = LONGEST_STORED,
        clock: Callable[[], float] = time.monotonic,
        files: Files | None = None,
        held: int = MOST_HELD,
    ) -> None:
        self.files: Files = files or StoredFiles(most, longest, clock)
        self._most_held = held
        self._read: OrderedDict[str, StoredPiece] = OrderedDict()  # the least recently used first
        self._lock = threading.Lock()

    def add(self, name: str, data: bytes, owner: str = "") -> StoredPiece:
        """Store a file's bytes. Raises FadernetsError for what is no MIDI or MusicXML file, too large or too dense."""
        title = plain_name(name)
        if len(data) > MOST_BYTES:
            raise FadernetsError(f"{title}: {in_megabytes(len(data))}; at most {in_megabytes(MOST_BYTES)} are taken")
        document = read_piece(title, data, THE_STUDIO)
        piece = StoredPiece(self.files.put(title, data, owner), title, data, document)
        with self._lock:
            self._keep(piece)
        return piece

    def get(self, piece_id: str) -> StoredPiece:
        """A bundled or uploaded piece. Raises UnknownPiece."""
        try:
            title = self.files.title(piece_id)
        except UnknownPiece:
            with self._lock:
                self._read.pop(piece_id, None)
            raise
        with self._lock:
            piece = self._read.get(piece_id)
            if piece is not None and piece.title == title:
                self._keep(piece)
                return piece
        file = self.files.get(piece_id)
        piece = self._piece(file)
        with self._lock:
            piece = self._read.get(piece_id, piece) if piece_id in BUNDLED else piece
            self._keep(piece)
        return piece

    def ids(self, owner: str = "") -> list[str]:
        """The bundled pieces, then the owner's uploads."""
        return self.files.ids(owner)

    @property
    def held(self) -> int:
        """About how many bytes all pieces take that are read."""
        with self._lock:
            return sum(piece.held for piece in self._read.values())

    def _piece(self, file: StoredFile) -> StoredPiece:
        return StoredPiece(file.id, file.title, file.data, read_piece(file.title, file.data, THE_STUDIO))

    def _keep(self, piece: StoredPiece) -> None:
        """Make a piece the last used one, and let go of what is too much: encodings first, then whole pieces."""
        self._read.pop(piece.id, None)
        self._read[piece.id] = piece
        uploaded = [each for each in self._read.values() if each.id not in BUNDLED]
        for each in uploaded[:-MOST_ENCODED]:
            each.forget()
        total = sum(each.held for each in self._read.values())
        for each in [*self._read.values()][:-1]:
            if total <= self._most_held:
                break
            total -= each.made
            each.forget()
        for each in uploaded[:-1]:
            if total <= self._most_held:
                break
            total -= each.held
            del self._read[each.id]
