"""MIDI files in and out.

`read` (symusic, fast) gives the notes of a corpus file. `Document` (mido) is what an edit works on:
it keeps every event of the file, so that all but the edited notes is written back as it came.
"""

from __future__ import annotations

import io
from collections import defaultdict, deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.errors import FadernetsError
from fadernets.files import write_atomic
from fadernets.notes import NOTE, MetreMap, Piece, TempoMap, Track, note_order

MAX_BYTES = 64 * 2**20  # a three-hour performance with pedal takes about 3 MB


class MidiError(FadernetsError):
    """A file that cannot be read as MIDI."""


def _bytes(path: Path) -> bytes:
    """The file's bytes, checked to be a standard MIDI file that counts in quarter-beats."""
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise MidiError(f"{path}: is a folder, not a MIDI file")
        if size > MAX_BYTES:
            raise MidiError(f"{path}: {size} bytes; at most {MAX_BYTES} are read")
        data = path.read_bytes()
    except OSError as error:
        raise MidiError(f"{path}: cannot be read ({error.strerror or error})") from None
    if not data:
        raise MidiError(f"{path}: is empty")
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        data = data[20:]
    if data[:4] != b"MThd" or len(data) < 14:
        raise MidiError(f"{path}: is not a MIDI file (it does not start with a MIDI header)")
    division = int.from_bytes(data[12:14], "big")
    if division & 0x8000:
        raise MidiError(f"{path}: counts time in SMPTE frames; faders need beats. Save it with ticks per quarter note")
    if division == 0:
        raise MidiError(f"{path}: has 0 ticks per quarter note")
    return data


def read(path: Path) -> Piece:
    """A corpus file's notes (symusic; notes of one pitch that overlap pair first in, first out).

    Raises MidiError. Tempo changes that share a tick are read again with mido, since symusic does
    not keep their order.
    """
    import symusic

    data = _bytes(path)
    try:
        score = symusic.Score.from_midi(data)
    except Exception as error:
        raise MidiError(f"{path}: is damaged ({_first_line(error)})") from None
    tempos = [(t.time, t.mspq) for t in score.tempos]
    if len({t for t, _ in tempos}) < len(tempos):
        tempos = _tempo_events(_parse(path, data))
    tracks, parts = [], []
    for i, track in enumerate(score.tracks):
        tracks.append(Track(track.name, i, 9 if track.is_drum else 0, track.program))
        columns = track.notes.numpy()
        part = np.empty(len(columns["time"]), NOTE)
        part["onset"], part["end"] = columns["time"], columns["time"] + columns["duration"]
        part["pitch"], part["velocity"], part["track"] = columns["pitch"], columns["velocity"], i
        parts.append(part)
    notes = np.concatenate(parts) if parts else np.empty(0, NOTE)
    notes = notes[note_order(notes)]
    metres = [(s.time, s.numerator, s.denominator) for s in score.time_signatures]
    tpq = score.ticks_per_quarter
    return Piece(notes, tpq, TempoMap.of(tempos, tpq), MetreMap.of(metres, tpq), tracks)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _parse(path: Path, data: bytes) -> Any:
    import mido

    try:
        return mido.MidiFile(file=io.BytesIO(data), clip=True)
    except Exception as error:  # mido raises a dozen kinds on damaged files
        reason = "it ends too early" if isinstance(error, EOFError) else _first_line(error)
        raise MidiError(f"{path}: is damaged ({reason})") from None


def _tempo_events(file: Any) -> list[tuple[int, int]]:
    """(tick, microseconds a quarter) of every track, ordered by tick, file order within a tick."""
    events = []
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "set_tempo":
                events.append((tick, message.tempo))
    return sorted(events, key=lambda event: event[0])


@dataclass(frozen=True)
class Edit:
    """What to change in a document's notes. Indices point into `Document.piece.notes`."""

    removed: NDArray[np.int64]
    moved: NDArray[np.int64]  # notes that get another end
    ends: NDArray[np.int64]  # their new ends, in ticks
    added: NDArray  # of NOTE

    def among(self, rows: NDArray[np.int64]) -> Edit:
        """The same edit of a document of which the notes so far numbered are `rows`."""
        return Edit(rows[self.removed], rows[self.moved], self.ends, self.added)


class Document:
    """A MIDI file with all its events; `write` puts back everything that an edit does not name."""

    def __init__(self, path: Path) -> None:
        """Read `path`. Raises MidiError; oddities that can be lived with are in `piece.warnings`."""
        self.path = path
        self._file = _parse(path, _bytes(path))
        self._events: list[list[tuple[int, Any]]] = []  # per chunk: (absolute tick, message)
        self._pairs: list[tuple[int, int, int]] = []  # per note: chunk, index of its on, of its off (or -1)
        self.piece = self._read()

    def _read(self) -> Piece:
        tpq = self._file.ticks_per_beat
        warnings: list[str] = []
        tracks: list[Track] = []
        rows: list[tuple[int, int, int, int, int]] = []
        metres: list[tuple[int, int, int]] = []
        stuck = 0
        for chunk, messages in enumerate(self._file.tracks):
            tick, name = 0, ""
            events: list[tuple[int, Any]] = []
            programs: dict[int, int] = {}
            number: dict[int, int] = {}  # channel -> index in tracks
            sounding: dict[tuple[int, int], deque[int]] = defaultdict(deque)  # indices of rows
            for message in messages:
                tick += message.time
                events.append((tick, message))
                kind = message.type
                if kind == "note_on" and message.velocity > 0:
                    channel = message.channel
                    if channel not in number:
                        number[channel] = len(tracks)
                        tracks.append(Track("", chunk, channel, programs.get(channel, 0)))
                    sounding[channel, message.note].append(len(rows))
                    rows.append((tick, -1, message.note, message.velocity, number[channel]))
                    self._pairs.append((chunk, len(events) - 1, -1))
                elif kind in ("note_off", "note_on"):
                    waiting = sounding[message.channel, message.note]
                    if waiting:
                        i = waiting.popleft()
                        rows[i] = (rows[i][0], tick, *rows[i][2:])
                        self._pairs[i] = (chunk, self._pairs[i][1], len(events) - 1)
                elif kind == "program_change":
                    programs.setdefault(message.channel, message.program)
                elif kind == "time_signature":
                    metres.append((tick, message.numerator, message.denominator))
                elif kind == "track_name" and not name:
                    name = message.name
            for waiting in sounding.values():
                for i in waiting:
                    stuck += 1
                    rows[i] = (rows[i][0], rows[i][0] + tpq, *rows[i][2:])
            for channel, i in number.items():
                tracks[i] = Track(" ".join(name.split()), chunk, channel, programs.get(channel, 0))
            self._events.append(events)
        if stuck:
            warnings.append(f"{stuck} notes are never released: read as one beat long")
        notes = np.array(rows, NOTE) if rows else np.empty(0, NOTE)
        order = note_order(notes)
        notes, self._pairs = notes[order], [self._pairs[i] for i in order]
        empty = int((notes["end"] <= notes["onset"]).sum())
        if empty:
            warnings.append(f"{empty} notes have no length: kept as they are")
        tempos = _tempo_events(self._file)
        if any(micros == 0 for _, micros in tempos):
            warnings.append("a tempo of 0 microseconds a beat was read as the tempo before it")
            tempos = [t for t in tempos if t[1] > 0]
        return Piece(notes, tpq, TempoMap.of(tempos, tpq), MetreMap.of(sorted(metres), tpq), tracks, warnings)

    def write(self, path: Path, edit: Edit | None = None) -> None:
        """Write the file with the edit's notes changed: whole or not at all (a temporary file is renamed)."""
        import mido

        edit = edit or Edit(*(np.empty(0, np.int64),) * 3, np.empty(0, NOTE))
        # (tick, rank within the tick, message): new ends go before, new onsets behind what was there.
        new: list[list[tuple[int, int, Any]]] = [[] for _ in self._events]
        dropped: list[set[int]] = [set() for _ in self._events]
        for i in edit.removed.tolist():
            chunk, on, off = self._pairs[i]
            dropped[chunk] |= {on, off}
        for i, end in zip(edit.moved.tolist(), edit.ends.tolist(), strict=True):
            chunk, on, off = self._pairs[i]
            dropped[chunk].add(off)
            template = self._events[chunk][off if off >= 0 else on][1]
            new[chunk].append((end, -1, _note_off(template)))
        for row in edit.added:
            track = self.piece.tracks[int(row["track"])]
            pitch, velocity = int(row["pitch"]), int(row["velocity"])
            on = mido.Message("note_on", channel=track.channel, note=pitch, velocity=velocity)
            off = mido.Message("note_off", channel=track.channel, note=pitch, velocity=0)
            behind = len(self._events[track.chunk])
            new[track.chunk].append((int(row["onset"]), behind, on))
            new[track.chunk].append((int(row["end"]), -1, off))
        out = mido.MidiFile(type=self._file.type, ticks_per_beat=self._file.ticks_per_beat)
        for events, drop, more in zip(self._events, dropped, new, strict=True):
            kept = [(tick, i, message) for i, (tick, message) in enumerate(events) if i not in drop]
            out.tracks.append(_track(kept + more))
        buffer = io.BytesIO()
        out.save(file=buffer)
        write_atomic(path, buffer.getvalue())


def _note_off(template: Any) -> Any:
    import mido

    velocity = template.velocity if template.type == "note_off" else 0
    return mido.Message("note_off", channel=template.channel, note=template.note, velocity=velocity)


def _track(events: list[tuple[int, int, Any]]) -> Any:
    import mido

    ends = [e for e in events if e[2].type == "end_of_track"]
    body = sorted((e for e in events if e[2].type != "end_of_track"), key=lambda e: (e[0], e[1]))
    track, now = mido.MidiTrack(), 0
    for tick, _, message in body:
        track.append(message.copy(time=tick - now))
        now = tick
    if ends:
        track.append(ends[-1][2].copy(time=max(ends[-1][0] - now, 0)))
    return track
