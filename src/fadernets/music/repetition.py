"""A section of a MIDI file played again and again, with the state that it began with: how `mix` fills out a piece.

What belongs to a place in the music comes again (notes, pedals, lyrics, markers, tempo, metre, key); what belongs to
the file (names, rights, system-exclusive messages) does not.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import numpy as np

from fadernets.music.document import Document
from fadernets.music.smf import KEY, METRE, TEMPO, Event, RankedEvent, in_order, release_of

REPEATED_META = (0x01, 0x05, 0x06, 0x07, TEMPO, METRE, KEY)  # of a place: text, lyric, marker, cue point, ...
SWITCHES = (1, *range(64, 70))  # controllers that rest at 0: modulation, pedals


class _Note(NamedTuple):
    on: int  # index of its note-on among the events of its chunk
    off: int  # of its note-off, or -1
    onset: int
    end: int


def repeat_section(document: Document, start: int, stop: int, end: int) -> bytes:
    """The file played on from tick `stop` to a later `end` by repeating what lies in start..stop.

    In ticks of `document.piece`, all of whose notes end by `stop`. Each pass begins with the tempo, metre, programs and
    controllers that the first one began with; what sounds at `end` ends there; what follows the music in the file
    comes after the last pass.
    """
    notes: dict[int, list[_Note]] = defaultdict(list)  # by track chunk
    times = (document.piece.notes[name].tolist() for name in ("onset", "end"))
    for (chunk, on, off), onset, last in zip(document.paired.note_events, *times, strict=True):
        notes[chunk].append(_Note(on, off, onset, last))
    tracks = {}
    for chunk, events in enumerate(document.paired.events):
        clock = _clock(document, start, stop) if chunk == 0 else []
        tracks[chunk] = in_order(_repeated_track(events, notes[chunk], clock, start, stop, end))
    return document.with_tracks(tracks)


def _repeated_track(
    events: list[Event], notes: list[_Note], clock: list[bytes], start: int, stop: int, end: int
) -> list[RankedEvent]:
    """The events of a track chunk, then those of each pass; `clock` is what sets tempo and metre back.

    Ranks go up from pass to pass. In each pass, what sets the state comes first and keeps rank 0, event i has 1 + i.
    """
    of_notes = {i for note in notes for i in (note.on, note.off)}
    ranks = len(events) + 1  # of a pass
    out = [
        (tick + (end - stop if tick >= stop and i not in of_notes else 0), 1 + i, message)
        for i, (tick, message) in enumerate(events)
    ]
    out += [(note.end, 0, release_of(events[note.on][1])) for note in notes if note.off < 0]
    restoring = clock + _restoring(events, start, stop)
    passes = [(shift, min(stop, end - shift)) for shift in range(stop - start, end - start, stop - start)]
    for number, (shift, limit) in enumerate(passes, 1):
        first = number * ranks
        out += [(start + shift, first, message) for message in restoring]
        out += [
            (tick + shift, first + 1 + i, message)
            for i, (tick, message) in enumerate(events)
            if start <= tick < limit and i not in of_notes and _is_repeated(message)
        ]
        for on, off, onset, last in notes:
            if start <= onset < limit:
                off_rank, release = (1 + off, events[off][1]) if off >= 0 else (0, release_of(events[on][1]))
                out.append((onset + shift, first + 1 + on, events[on][1]))
                out.append((min(last, limit) + shift, first + off_rank, release))
    last_limit = passes[-1][1]
    out += [(end, (1 + len(passes)) * ranks, message) for message in _restoring(events, start, last_limit)]
    return out


def _clock(document: Document, start: int, stop: int) -> list[bytes]:
    """The messages that set tempo and metre back to those of tick `start`, where they differ just before `stop`."""
    tempo, metre, messages = document.piece.tempo, document.piece.metre, []
    first, last = np.searchsorted(tempo.ticks, [start, stop - 1], side="right") - 1
    if tempo.micros[first] != tempo.micros[last]:
        messages.append(bytes((0xFF, TEMPO, 3)) + int(tempo.micros[first]).to_bytes(3, "big"))
    first, last = np.searchsorted(metre.ticks, [start, stop - 1], side="right") - 1
    numerator, denominator = int(metre.numerators[first]), int(metre.denominators[first])
    if (numerator, denominator) != (metre.numerators[last], metre.denominators[last]):
        messages.append(bytes((0xFF, METRE, 4, numerator, denominator.bit_length() - 1, 24, 8)))
    return messages


def _is_repeated(message: bytes) -> bool:
    """Whether a message that is no note's belongs to a place in the music, so that a repeat has it again."""
    return message[1] in REPEATED_META if message[0] == 0xFF else 0xA0 <= message[0] < 0xF0


def _state(message: bytes) -> bytes:
    """The bytes that name what a message sets until further notice, such as a controller; or none."""
    kind = message[0] >> 4
    if kind == 0xB or message[:2] == bytes((0xFF, KEY)):
        return message[:2]
    return message[:1] if kind in (0xC, 0xD, 0xE) else b""


def _restoring(events: list[Event], start: int, stop: int) -> list[bytes]:
    """The messages that undo what start..stop set; bends, pressure and pedals not set before come to rest."""
    before: dict[bytes, bytes] = {}
    after: dict[bytes, bytes] = {}
    for tick, message in events:
        if tick < stop and (state := _state(message)):
            (before if tick < start else after)[state] = message
    messages = []
    for state, message in after.items():
        kind = state[0] >> 4
        if kind == 0xE:
            before.setdefault(state, state + bytes((0, 64)))  # the middle of 14 bits
        elif kind == 0xD or (kind == 0xB and state[1] in SWITCHES):
            before.setdefault(state, state + b"\0")
        if state in before and before[state] != message:
            messages.append(before[state])
    return messages
