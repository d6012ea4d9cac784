"""MIDI files in and out.

`read` (symusic, fast) gives the notes of a corpus file. `Document` is what an edit works on: it keeps
every event of the file as the bytes it came in, so that all but the edited notes is written back as it was.
"""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fadernets.files import write_atomic
from fadernets.music.notes import NOTE, SHORTEST_BEAT, MetreMap, Piece, TempoMap, Track, note_order
from fadernets.music.smf import (
    KEY,
    MAX_BEATS,
    MAX_TICKS,
    METRE,
    NAME,
    TEMPO,
    Event,
    MidiError,
    MidiFile,
    channel_and_pitch,
    file_bytes,
    in_order,
    meta_events,
    release_of,
    tempo_events,
    text_of,
    track_chunk,
)

COARSE = 24  # ticks a quarter: with fewer, a sixteenth is too few ticks to place a note in
REPEATED = (0x01, 0x05, 0x06, 0x07, TEMPO, METRE, KEY)  # of them, those of a place: text, lyric, marker, cue, ...
SWITCHES = (1, *range(64, 70))  # controllers that rest at 0: modulation, pedals


def _freed(events: list[Event], at: int, key: tuple[int, int]) -> bool:
    """Whether a key is released behind event `at` on its tick."""
    for tick, message in itertools.islice(events, at + 1, None):
        if tick > events[at][0]:
            break
        if message[0] >> 4 in (0x8, 0x9) and channel_and_pitch(message) == key:
            return True
    return False


def _repeats(message: bytes) -> bool:
    """Whether a message that is no note's belongs to the music, so that a repeat has it again."""
    return message[1] in REPEATED if message[0] == 0xFF else 0xA0 <= message[0] < 0xF0


def _state(message: bytes) -> bytes:
    """What a message sets, where it sets something until further notice: the bytes that name it; or nothing."""
    kind = message[0] >> 4
    if kind == 0xB or message[:2] == bytes((0xFF, KEY)):
        return message[:2]
    return message[:1] if kind in (0xC, 0xD, 0xE) else b""


def _restored(events: list[Event], start: int, stop: int) -> list[bytes]:
    """Messages that undo what start..stop set: as before; bends, pressure and pedals not set before, at rest."""
    before: dict[bytes, bytes] = {}
    after: dict[bytes, bytes] = {}
    for tick, message in events:
        if tick < stop and (what := _state(message)):
            (before if tick < start else after)[what] = message
    found = []
    for what, message in after.items():
        kind = what[0] >> 4
        if kind == 0xE:
            before.setdefault(what, what + bytes((0, 64)))
        elif kind == 0xD or (kind == 0xB and what[1] in SWITCHES):
            before.setdefault(what, what + b"\0")
        if what in before and before[what] != message:
            found.append(before[what])
    return found


# --- documents


@dataclass(frozen=True)
class Edit:
    """What to change in a document's notes. Indices point into `Document.piece.notes`."""

    removed: NDArray[np.int64]
    changed: NDArray[np.int64]
    becomes: NDArray  # of NOTE: what they change to; a note stays in its track
    added: NDArray  # of NOTE
    tempo: TempoMap | None = None  # in place of the document's own

    @classmethod
    def nothing(cls) -> Edit:
        return cls(*(np.empty(0, np.int64),) * 2, *(np.empty(0, NOTE),) * 2)

    def among(self, rows: NDArray[np.int64]) -> Edit:
        """The same edit of a document of which the notes so far numbered are `rows`."""
        return replace(self, removed=rows[self.removed], changed=rows[self.changed])


class Document:
    """A MIDI file with all its events; `write` puts back everything that an edit does not name."""

    def __init__(self, path: Path, data: bytes | None = None) -> None:
        """Read `path`, or `data` in its place. Raises MidiError; oddities that can be lived with are in
        `piece.warnings`."""
        self.path = path
        self._file = MidiFile.of(path, file_bytes(path) if data is None else data)
        self._scale = -(-COARSE // self._file.tpq)  # ticks of `piece` per tick of the file
        self._events = [[(t * self._scale, m) for t, m in track] for track in self._file.tracks]
        last = max((track[-1][0] for track in self._events if track), default=0)
        if last > min(MAX_TICKS, MAX_BEATS * self._file.tpq * self._scale):
            beats = last // (self._file.tpq * self._scale)
            raise MidiError(f"{path}: is {beats} quarter notes long; at most {MAX_BEATS} are read")
        self._pairs: list[tuple[int, int, int]] = []  # per note: chunk, index of its on, of its off (or -1)
        # Note-offs that release nothing, by (chunk, channel, pitch): a new note must not be cut by one.
        self._idle: dict[tuple[int, int, int], list[int]] = defaultdict(list)
        self.piece = self._read()

    def _read(self) -> Piece:
        tpq = self._file.tpq * self._scale
        warnings: list[str] = []
        tracks: list[Track] = []
        rows: list[tuple[int, int, int, int, int]] = []
        programs: list[dict[int, int]] = []  # per chunk: channel -> its first program
        for chunk, events in enumerate(self._events):
            name = next((text_of(content) for _, content in meta_events(events, NAME)), "")
            number: dict[int, int] = {}  # channel -> index in tracks
            sounding: dict[tuple[int, int], deque[int]] = defaultdict(deque)  # indices of rows
            released: dict[tuple[int, int], int] = {}  # the tick of the latest release
            programs.append({})
            for i, (tick, message) in enumerate(events):
                kind, channel = message[0] >> 4, message[0] & 0xF
                if kind in (0x8, 0x9):
                    key = channel_and_pitch(message)
                if kind == 0x9 and message[2] > 0:
                    if channel not in number:
                        number[channel] = len(tracks)
                        tracks.append(Track(name, chunk, channel))
                    sounding[key].append(len(rows))
                    rows.append((tick, -1, key[1], min(message[2], 127), number[channel]))
                    self._pairs.append((chunk, i, -1))
                elif kind in (0x8, 0x9):
                    if waiting := sounding[key]:
                        row = waiting.popleft()
                        rows[row] = (rows[row][0], tick, *rows[row][2:])
                        self._pairs[row] = (chunk, self._pairs[row][1], i)
                        released[key] = tick
                    else:
                        self._idle[chunk, *key].append(i)
                elif kind == 0xC:
                    programs[-1].setdefault(channel, message[1])
            for key, waiting in sounding.items():
                for row in waiting:  # first in, first out: not before what was released last
                    rows[row] = (rows[row][0], max(rows[row][0] + tpq, released.get(key, 0)), *rows[row][2:])
        for i, track in enumerate(tracks):
            # A channel's program may be set in another chunk than its notes.
            own = [programs[track.chunk], *programs]
            program = next((found[track.channel] for found in own if track.channel in found), 0)
            tracks[i] = Track(track.name, track.chunk, track.channel, min(program, 127))
        notes = np.array(rows, NOTE) if rows else np.empty(0, NOTE)
        order = note_order(notes)
        notes, self._pairs = notes[order], [self._pairs[i] for i in order]
        self._stuck = [i for i, (_, _, off) in enumerate(self._pairs) if off < 0]
        if self._stuck:
            warnings.append(f"notes that are never released: {len(self._stuck)}, read as one beat long")
        if empty := int((notes["end"] <= notes["onset"]).sum()):
            warnings.append(f"notes of no length: {empty}, read as one step long")
        if self._scale > 1:
            warnings.append(f"the file has {self._file.tpq} ticks a quarter note; an edit writes {tpq}")
        tempos = tempo_events(self._events)
        if any(micros == 0 for _, micros in tempos):
            warnings.append("a tempo of 0 microseconds a quarter note was read as the tempo before it")
        metres = _metres(self._events, warnings)
        return Piece(notes, tpq, TempoMap.of(tempos, tpq), MetreMap.of(metres, tpq), tracks, warnings)

    def pedal(self) -> list[tuple[int, int, int]]:
        """The sustain pedal: (tick, channel, value 0..127) by tick, file order within a tick."""
        found = [
            (tick, message[0] & 0x0F, message[2])
            for track in self._events
            for tick, message in track
            if message[0] & 0xF0 == 0xB0 and message[1] == 64
        ]
        return sorted(found, key=lambda event: event[0])

    def write(self, path: Path, edit: Edit | None = None) -> None:
        """Write the file with the edit's notes changed: whole or not at all."""
        write_atomic(path, self.edited(edit or Edit.nothing()))

    def edited(self, edit: Edit) -> bytes:
        """The file with the edit's notes changed. A track that the edit does not touch keeps its very bytes."""
        dropped, new = self._changes(edit)
        chunks = list(self._file.chunks)
        if touched := {*dropped, *new}:
            for chunk in range(len(self._events)) if self._scale > 1 else sorted(touched):
                kept = [
                    (tick, i, message)
                    for i, (tick, message) in enumerate(self._events[chunk])
                    if i not in dropped.get(chunk, ())
                ]
                chunks[self._file.where[chunk]] = track_chunk(in_order(kept + new.get(chunk, [])))
            chunks[0] = self._header()
        return b"".join(chunks)

    def repeated(self, start: int, stop: int, end: int) -> bytes:
        """The file played on from tick `stop` to a later `end` by repeating what lies in start..stop.

        In ticks of `piece`, all of whose notes end by `stop`. Each pass begins with the tempo, metre, programs and
        controllers that the first one began with; what sounds at `end` ends there; what the file has behind its music
        follows the last pass.
        """
        passes = [(shift, min(stop, end - shift)) for shift in range(stop - start, end - start, stop - start)]
        chunks = list(self._file.chunks)
        found: dict[int, list[tuple[int, int, int, int]]] = defaultdict(list)
        times = (self.piece.notes[name].tolist() for name in ("onset", "end"))
        for (chunk, on, off), onset, last in zip(self._pairs, *times, strict=True):
            found[chunk].append((on, off, onset, last))
        for chunk, events in enumerate(self._events):
            notes = found[chunk]
            played = {i for note in notes for i in note[:2]}
            size = len(events) + 1  # ranks a pass: what is set anew, then its events
            out = [
                (tick + (end - stop if tick >= stop and i not in played else 0), 1 + i, message)
                for i, (tick, message) in enumerate(events)
            ]
            out += [(last, 0, release_of(events[on][1])) for on, off, _, last in notes if off < 0]
            for k, (shift, limit) in enumerate(passes, 1):
                anew = self._clock(start, stop) if chunk == 0 else []
                out += [(start + shift, k * size, message) for message in anew + _restored(events, start, stop)]
                out += [
                    (tick + shift, k * size + 1 + i, message)
                    for i, (tick, message) in enumerate(events)
                    if start <= tick < limit and i not in played and _repeats(message)
                ]
                for on, off, onset, last in notes:
                    if start <= onset < limit:
                        off_rank, release = (1 + off, events[off][1]) if off >= 0 else (0, release_of(events[on][1]))
                        out.append((onset + shift, k * size + 1 + on, events[on][1]))
                        out.append((min(last, limit) + shift, k * size + off_rank, release))
            out += [(end, (1 + len(passes)) * size, m) for m in _restored(events, start, passes[-1][1])]
            chunks[self._file.where[chunk]] = track_chunk(in_order(out))
        chunks[0] = self._header()
        return b"".join(chunks)

    def _header(self) -> bytes:
        """The header chunk with the ticks a quarter note of `piece`."""
        header = self._file.chunks[0]
        return header[:12] + self.piece.tpq.to_bytes(2, "big") + header[14:]

    def _clock(self, start: int, stop: int) -> list[bytes]:
        """Tempo and metre of tick `start` as messages, where those before `stop` are others."""
        tempo, metre, found = self.piece.tempo, self.piece.metre, []
        first, last = np.searchsorted(tempo.ticks, [start, stop - 1], side="right") - 1
        if tempo.micros[first] != tempo.micros[last]:
            found.append(bytes((0xFF, TEMPO, 3)) + int(tempo.micros[first]).to_bytes(3, "big"))
        first, last = np.searchsorted(metre.ticks, [start, stop - 1], side="right") - 1
        signature = int(metre.numerators[first]), int(metre.denominators[first])
        if signature != (metre.numerators[last], metre.denominators[last]):
            found.append(bytes((0xFF, METRE, 4, signature[0], signature[1].bit_length() - 1, 24, 8)))
        return found

    def _changes(self, edit: Edit) -> tuple[dict[int, set[int]], dict[int, list[tuple[int, int, bytes]]]]:
        """Per chunk: the events to drop, and the new ones as (tick, rank within the tick, message).

        New ends go before what is there at their tick, new onsets behind it.
        """
        dropped: dict[int, set[int]] = defaultdict(set)
        new: dict[int, list[tuple[int, int, bytes]]] = defaultdict(list)
        written: dict[tuple[int, int, int], list[tuple[int, int]]] = defaultdict(list)  # key -> (onset, end)
        for i in edit.removed.tolist():
            chunk, on, off = self._pairs[i]
            dropped[chunk] |= {on, off}
            _ = written[chunk, *channel_and_pitch(self._events[chunk][on][1])]
        for i, row in zip(edit.changed.tolist(), edit.becomes, strict=True):
            self._change(self._pairs[i], row, dropped, new)
            chunk, on, _ = self._pairs[i]
            channel, pitch = channel_and_pitch(self._events[chunk][on][1])
            written[chunk, channel, int(row["pitch"])].append((int(row["onset"]), int(row["end"])))
            _ = written[chunk, channel, pitch]
        for row in edit.added:
            track = self.piece.tracks[int(row["track"])]
            onset, end, pitch, velocity = (int(row[n]) for n in ("onset", "end", "pitch", "velocity"))
            behind = len(self._events[track.chunk])
            new[track.chunk].append((onset, behind, bytes((0x90 | track.channel, pitch, velocity))))
            new[track.chunk].append((end, -1, bytes((0x80 | track.channel, pitch, 0))))
            written[track.chunk, track.channel, pitch].append((onset, end))
        for (chunk, channel, pitch), spans in written.items():
            events = self._events[chunk]
            for i in self._idle.get((chunk, channel, pitch), ()):
                if any(onset < events[i][0] < end for onset, end in spans):
                    dropped[chunk].add(i)
        gone = {*edit.removed.tolist(), *edit.changed.tolist()}
        for i in self._stuck:
            # It would take the end of a new note, and how long it was read hangs on those before it.
            chunk, on, _ = self._pairs[i]
            channel, pitch = channel_and_pitch(self._events[chunk][on][1])
            if i not in gone and (chunk, channel, pitch) in written:
                new[chunk].append((int(self.piece.notes["end"][i]), -1, bytes((0x80 | channel, pitch, 0))))
        if edit.tempo is not None:
            self._retime(edit.tempo, dropped, new)
        return dropped, new

    def _change(
        self,
        pair: tuple[int, int, int],
        row: np.void,
        dropped: dict[int, set[int]],
        new: dict[int, list[tuple[int, int, bytes]]],
    ) -> None:
        """Write a note anew. An event that keeps its tick keeps its place among the others there, unless its new key
        sounds until then: a key is released before it is struck again."""
        chunk, on, off = pair
        events = self._events[chunk]
        onset, end, pitch, velocity = (int(row[n]) for n in ("onset", "end", "pitch", "velocity"))
        tick, message = events[on]
        struck = bytes((message[0], pitch, velocity))
        if (tick, message) != (onset, struck):
            dropped[chunk].add(on)
            stays = onset == tick and not (struck[1] != message[1] and _freed(events, on, channel_and_pitch(struck)))
            new[chunk].append((onset, on if stays else len(events), struck))
        last, release = events[off] if off >= 0 else (-1, release_of(message))
        released = bytes((release[0], pitch, release[2]))
        if (last, release) != (end, released):
            dropped[chunk].add(off)
            stays = end == last and (released[1] == release[1] or end == onset)
            new[chunk].append((end, off if stays else -1, released))

    def _retime(
        self, tempo: TempoMap, dropped: dict[int, set[int]], new: dict[int, list[tuple[int, int, bytes]]]
    ) -> None:
        """Another tempo map. Events that say what it says stay as they are; the others go, new ones come first."""
        wanted = dict(zip(tempo.ticks.tolist(), tempo.micros.tolist(), strict=True))
        own = dict(zip(self.piece.tempo.ticks.tolist(), self.piece.tempo.micros.tolist(), strict=True))
        same = {tick for tick in own if wanted.get(tick) == own[tick]}
        for chunk, events in enumerate(self._events):
            for i, event in enumerate(events):
                if event[0] not in same and any(micros for _, micros in tempo_events([[event]])):
                    dropped[chunk].add(i)
        for tick in sorted(set(wanted) - same):
            message = bytes((0xFF, TEMPO, 3)) + wanted[tick].to_bytes(3, "big")
            new[0].append((tick, -2, message))


def _metres(tracks: list[list[Event]], warnings: list[str]) -> list[tuple[int, int, int]]:
    """(tick, numerator, denominator) of every track, ordered by tick; impossible ones are left out."""
    found, odd = [], 0
    for track in tracks:
        for tick, content in meta_events(track, METRE):
            possible = len(content) > 1 and content[0] > 0 and 2 ** content[1] <= SHORTEST_BEAT
            odd += not possible
            if possible:
                found.append((tick, content[0], 2 ** content[1]))
    if odd:
        warnings.append(f"time signatures that no bar can have: {odd}, not heeded")
    return sorted(found, key=lambda event: event[0])
