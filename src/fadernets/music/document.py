"""A MIDI file as an edit works on it: every event is kept as the bytes it came in.

`Document` gives the notes of a file as a `Piece` and writes the file with an `Edit` of some notes; all else stays byte
for byte. No MIDI library does that: symusic and mido write events anew (running status, meta events that they do not
know, chunks that are no tracks), so that a track without an edit would change too.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fadernets.arrays import Array
from fadernets.files import write_atomic
from fadernets.music.event_changes import Edit, EventChanges
from fadernets.music.note_events import PairedEvents
from fadernets.music.note_files import file_of_notes, file_of_score
from fadernets.music.notes import SHORTEST_BEAT, MetreMap, Piece, TempoMap, Track
from fadernets.music.smf import (
    MAX_BEATS,
    MAX_TICKS,
    METRE,
    SUSTAIN,
    Event,
    MidiError,
    MidiFile,
    checked,
    file_bytes,
    meta_events,
    tempo_events,
    track_chunk,
)

COARSE = 24  # ticks a quarter: with fewer, a sixteenth is too few ticks to place a note in

__all__ = ["Document", "Edit"]


class Document:
    """A MIDI file with all its events; `write` puts back everything that an edit does not name.

    Ticks are those of `piece`; they are finer than the file's where a quarter note has fewer than 24.

    >>> document = Document(Path("in.mid"))
    >>> document.write(Path("out.mid"), Edit.nothing())  # the same bytes
    """

    origin: Document | None = None  # what it was edited from, whose score a file of it is to be; None: itself

    def __init__(self, path: str | os.PathLike[str], data: bytes | None = None) -> None:
        """Read the MIDI file `path`, or `data` in its place; `fadernets.document_of` reads MusicXML too. Raises
        MidiError.

        Oddities that do not keep the file from being used are sentences in `piece.warnings`.
        """
        if not isinstance(path, (str, os.PathLike)):
            raise MidiError(f"a Document is read from a path, not from a {type(path).__name__}")
        self.path = path = Path(path)
        self._file = MidiFile.of(path, file_bytes(path) if data is None else data)
        self._scale = -(-COARSE // self._file.tpq)  # ticks of `piece` in a tick of the file
        tpq = self._file.tpq * self._scale
        events = [[(tick * self._scale, message) for tick, message in track] for track in self._file.tracks]
        last = max((track[-1][0] for track in events if track), default=0)
        if last > min(MAX_TICKS, MAX_BEATS * tpq):
            raise MidiError(f"{path}: is {last // tpq} quarter notes long; at most {MAX_BEATS} are read")
        self.paired = PairedEvents.of(events, tpq)
        tempos = tempo_events(events)
        metres, impossible = _metres(events)
        warnings = self._warnings(tpq, tempos, impossible)
        tempo, metre = TempoMap.of(tempos, tpq), MetreMap.of(metres, tpq)
        self.piece = Piece(self.paired.notes, tpq, tempo, metre, self.paired.tracks, warnings)

    @classmethod
    def of_bytes(cls, data: bytes, name: str = "piece.mid") -> Document:
        """The document of a MIDI file's bytes; `name` stands for the file in errors. Raises MidiError."""
        return cls(Path(name), checked(Path(name), data))

    @classmethod
    def of_score(cls, score: Any, name: str = "piece.mid") -> Document:
        """The document of a `symusic.Score`, of any unit of time. Raises FadernetsError."""
        return cls(Path(name), file_of_score(score))

    @classmethod
    def of_notes(
        cls,
        notes: Array | Sequence[Sequence[float]],
        tempo: float = 120.0,
        metre: tuple[int, int] = (4, 4),
        name: str = "piece.mid",
        tpq: int | None = None,
    ) -> Document:
        """The document of an array of notes [N, 4]: onset and end in quarter notes, pitch, velocity.

        A fifth column numbers tracks; a structured array has fields of these names, and track. With `tpq`, onset and
        end are ticks, so many a quarter note; whole numbers in a structured array are ticks and need it. tempo: quarter
        notes a minute. Raises FadernetsError.

        >>> Document.of_notes([[0, 1, 60, 80], [1, 2, 64, 80]]).piece.end
        960
        >>> piece = Document("in.mid").piece
        >>> again = Document.of_notes(piece.notes, tpq=piece.tpq)
        """
        return cls(Path(name), file_of_notes(notes, tempo, metre, tpq))

    def __repr__(self) -> str:
        return f"<Document {self.path}: {len(self.piece.notes)} notes, {self.piece.tpq} ticks a quarter note>"

    def _warnings(self, tpq: int, tempos: list[tuple[int, int]], impossible: int) -> list[str]:
        warnings = []
        if unreleased := len(self.paired.unreleased):
            warnings.append(f"notes that are never released: {unreleased}, read as one beat long")
        if empty := int((self.paired.notes["end"] <= self.paired.notes["onset"]).sum()):
            warnings.append(f"notes of no length: {empty}, read as one step long")
        if self._scale > 1:
            warnings.append(f"the file has {self._file.tpq} ticks a quarter note; an edit writes {tpq}")
        if any(micros == 0 for _, micros in tempos):
            warnings.append("a tempo of 0 microseconds a quarter note was read as the tempo before it")
        if impossible:
            warnings.append(f"time signatures that no bar can have: {impossible}, not heeded")
        return warnings

    def pedal(self) -> list[tuple[int, int, int]]:
        """The sustain pedal: (tick, channel, value 0..127) by tick, file order within a tick."""
        changes = [
            (tick, message[0] & 0x0F, message[2])
            for track in self.paired.events
            for tick, message in track
            if message[0] & 0xF0 == 0xB0 and message[1] == SUSTAIN
        ]
        return sorted(changes, key=lambda change: change[0])

    def write(self, path: Path, edit: Edit | None = None) -> None:
        """Write the file with the edit's notes changed: whole or not at all. Raises FadernetsError."""
        write_atomic(path, self.edited(edit or Edit.nothing()))

    def edited(self, edit: Edit, tracks: Sequence[Track] | None = None) -> bytes:
        """The file with the edit's notes changed. A track that the edit does not touch keeps its very bytes.

        tracks: what the edit's notes number, where it adds notes to tracks without any: those of the piece, then these.
        Raises MidiError where a note would be left without an end.
        """
        paired = self.paired if tracks is None else replace(self.paired, tracks=[*tracks])
        changes = EventChanges(paired, self.piece.tempo, edit)
        if changes.chunks and self._scale > 1:  # finer ticks hold for every track
            return self.with_tracks({chunk: changes.track(chunk) for chunk in range(len(self.paired.events))})
        return self.with_tracks({chunk: changes.track(chunk) for chunk in sorted(changes.chunks)})

    def with_tracks(self, tracks: dict[int, list[Event]]) -> bytes:
        """The file with other events, in order, in some of its track chunks; the others keep their bytes."""
        chunks = list(self._file.chunks)
        for chunk, events in tracks.items():
            chunks[self._file.where[chunk]] = track_chunk(events)
        if tracks:
            header = chunks[0]
            chunks[0] = header[:12] + self.piece.tpq.to_bytes(2, "big") + header[14:]
        return b"".join(chunks)


def _metres(tracks: list[list[Event]]) -> tuple[list[tuple[int, int, int]], int]:
    """(tick, numerator, denominator) of every track, by tick; and how many were left out since no bar can have them."""
    metres, impossible = [], 0
    for track in tracks:
        for tick, content in meta_events(track, METRE):
            if len(content) > 1 and content[0] > 0 and 2 ** content[1] <= SHORTEST_BEAT:
                metres.append((tick, content[0], 2 ** content[1]))
            else:
                impossible += 1
    return sorted(metres, key=lambda event: event[0]), impossible
