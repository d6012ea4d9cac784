"""Which events of a MIDI file are its notes: note-ons paired with note-offs, first in, first out.

Notes of one channel and pitch that overlap pair first in, first out within their track chunk. A note that is never
released is read as one beat long. Ticks are absolute; a key is (channel, pitch).
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from fadernets.arrays import Array
from fadernets.music.notes import NOTE, Track, note_order
from fadernets.music.smf import NAME, Event, channel_and_pitch, meta_events, text_of

LAST_PROGRAM = 127  # a program beyond it is read as it


class NoteEvents(NamedTuple):
    """Where the events of one note lie."""

    chunk: int  # which track chunk
    on: int  # index of its note-on among the events of the chunk
    off: int  # index of its note-off; -1 for a note that is never released


@dataclass(frozen=True)
class PairedEvents:
    """The events of a file's track chunks, and which of them are notes."""

    events: list[list[Event]]  # per track chunk
    notes: Array  # [N] of NOTE, in `note_order`
    note_events: list[NoteEvents]  # [N]
    tracks: list[Track]  # what `notes["track"]` counts
    unmatched: dict[tuple[int, int, int], list[int]]  # (chunk, channel, pitch) -> note-offs that release nothing

    @property
    def unreleased(self) -> list[int]:
        """The notes that have no note-off."""
        return [i for i, note in enumerate(self.note_events) if note.off < 0]

    @classmethod
    def of(cls, events: list[list[Event]], tpq: int) -> PairedEvents:
        """Pair the events of all track chunks; `tpq` ticks are the length of a note without a note-off."""
        rows: list[tuple[int, int, int, int, int]] = []
        note_events: list[NoteEvents] = []
        tracks: list[Track] = []
        unmatched: dict[tuple[int, int, int], list[int]] = defaultdict(list)
        for chunk, messages in enumerate(events):
            name = next((text_of(content) for _, content in meta_events(messages, NAME)), "")
            track_of: dict[int, int] = {}  # channel -> index in `tracks`
            sounding: dict[tuple[int, int], deque[int]] = defaultdict(deque)  # key -> indices of rows
            released: dict[tuple[int, int], int] = {}  # key -> the tick of its latest release
            for i, (tick, message) in enumerate(messages):
                kind = message[0] >> 4
                if kind not in (0x8, 0x9):
                    continue
                key = channel_and_pitch(message)
                if kind == 0x9 and message[2] > 0:
                    if key[0] not in track_of:
                        track_of[key[0]] = len(tracks)
                        tracks.append(Track(name, chunk, key[0]))
                    sounding[key].append(len(rows))
                    rows.append((tick, -1, key[1], min(message[2], 127), track_of[key[0]]))
                    note_events.append(NoteEvents(chunk, i, -1))
                elif waiting := sounding[key]:
                    row = waiting.popleft()
                    rows[row] = (rows[row][0], tick, *rows[row][2:])
                    note_events[row] = note_events[row]._replace(off=i)
                    released[key] = tick
                else:
                    unmatched[chunk, *key].append(i)
            for key, waiting in sounding.items():
                for row in waiting:  # first in, first out: it ends no earlier than what was released last
                    rows[row] = (rows[row][0], max(rows[row][0] + tpq, released.get(key, 0)), *rows[row][2:])
        notes = np.array(rows, NOTE) if rows else np.empty(0, NOTE)
        order = note_order(notes)
        programs = [_first_programs(messages) for messages in events]
        tracks = [replace(track, program=_program(track, programs)) for track in tracks]
        return cls(events, notes[order], [note_events[i] for i in order], tracks, unmatched)


def _first_programs(events: list[Event]) -> dict[int, int]:
    """The first program of each channel in a track chunk."""
    programs: dict[int, int] = {}
    for _, message in events:
        if message[0] >> 4 == 0xC:
            programs.setdefault(message[0] & 0xF, message[1])
    return programs


def _program(track: Track, programs: list[dict[int, int]]) -> int:
    """A track's program: its channel's in its own chunk, or in the first other chunk that has one, or 0."""
    chunks = [programs[track.chunk], *programs]
    return min(next((chunk[track.channel] for chunk in chunks if track.channel in chunk), 0), LAST_PROGRAM)
