"""The notes of a piece while faders beyond the model change them, and the edit of the file that comes out.

Each note keeps its position in the source as its origin, so that notes that no fader touched stay as they are, to the
tick. N notes, W windows; ticks are absolute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from fadernets.arrays import Array, Floats, Indices, Integers
from fadernets.attributes.performed import Performance
from fadernets.music.document import Edit
from fadernets.music.notes import Piece, TempoMap, Track, note_order
from fadernets.music.segments import STEPS_PER_BEAT, Grid

PLACE = ("onset", "end", "pitch")  # of a note
NEW = -1  # the origin of a note that the source does not have
Poll = Callable[[], None]  # called now and then while notes move; what it raises ends the edit


def nothing() -> None:
    """The Poll of an edit that nobody waits for."""


@dataclass(frozen=True)
class NoteDraft:
    """The notes of some tracks as they are so far."""

    notes: Array  # [N] of NOTE, in any order
    origin: Indices  # [N] the position of each note in the source, or NEW
    windows: Grid
    tempo: TempoMap
    poll: Poll = nothing

    @classmethod
    def of(cls, notes: Array, windows: Grid, tempo: TempoMap, poll: Poll = nothing) -> NoteDraft:
        """A draft that has changed nothing yet."""
        return cls(notes.copy(), np.arange(len(notes)), windows, tempo, poll)

    @property
    def performance(self) -> Performance:
        """The notes as attributes of a performance measure them."""
        return Performance.of(self.notes, self.windows, self.tempo)

    def with_columns(self, **columns: Array) -> NoteDraft:
        """The same notes with new values [N] in some of their columns."""
        notes = self.notes.copy()
        for name, values in columns.items():
            notes[name] = values
        return replace(self, notes=notes)

    def changed_by(self, change: Callable[[Performance, Floats], Performance], asked: Floats) -> NoteDraft:
        """The draft after the `change` of a user-defined attribute to the `asked` values [W], nan where it stays."""
        performance = change(self.performance, asked)
        return replace(self, notes=performance.notes, tempo=performance.tempo)

    def changed(self, source: Array) -> Indices:
        """The notes that are new, or not where the `source` notes have them."""
        known = np.flatnonzero(self.origin != NEW)
        own = source[self.origin[known]]
        same = np.all([self.notes[name][known] == own[name] for name in PLACE], axis=0)
        return np.setdiff1d(np.arange(len(self.notes)), known[same])

    def put_back(self, these: Indices, source: Array) -> NoteDraft:
        """The draft with some of its notes where the `source` notes have them; those that are new go."""
        notes, back = self.notes.copy(), these[self.origin[these] != NEW]
        for name in PLACE:
            notes[name][back] = source[name][self.origin[back]]
        stays = np.ones(len(notes), bool)
        stays[these[self.origin[these] == NEW]] = False
        return replace(self, notes=notes[stays], origin=self.origin[stays])

    def without_new_overlaps(self, source: Piece) -> NoteDraft:
        """The draft as a file can hold it: one pitch of a channel overlaps itself only where it does in the source."""
        channels = _channels(source.tracks)
        notes = _without_new_overlaps(self.notes, self.origin, source.notes, channels, self.windows.tpq)
        return replace(self, notes=notes)

    def piece(self, source: Piece) -> Piece:
        """The draft as a piece, with the tracks of its source."""
        notes = self.without_new_overlaps(source).notes
        return replace(source, notes=notes[note_order(notes)], tempo=self.tempo)

    def edit(self, source: Array, tempo: TempoMap, tracks: list[Track]) -> Edit:
        """The edit that turns the `source` notes with their tempo and tracks into this draft."""
        notes = _without_new_overlaps(self.notes, self.origin, source, _channels(tracks), self.windows.tpq)
        known = np.flatnonzero(self.origin != NEW)
        known = known[np.argsort(self.origin[known])]
        altered = known[notes[known] != source[self.origin[known]]]
        removed = np.setdiff1d(np.arange(len(source)), self.origin[known])
        same_tempo = np.array_equal(self.tempo.ticks, tempo.ticks) and np.array_equal(self.tempo.micros, tempo.micros)
        return Edit(
            removed,
            self.origin[altered],
            notes[altered],
            notes[self.origin == NEW],
            None if same_tempo else self.tempo,
        )


def _channels(tracks: list[Track]) -> Integers:
    return np.array([track.channel for track in tracks], np.int64)


def _without_new_overlaps(notes: Array, origin: Indices, source: Array, channels: Integers, tpq: int) -> Array:
    """Notes [N] without overlaps of one pitch on one channel that the source does not have.

    A file says which end belongs to which onset by their order alone. So the earlier of two notes ends where the later
    begins; if the earlier one is as the source has it, the later one waits for its end up to a step. Overlaps that the
    source has stay, and with them the order of their ends.
    """
    out = notes.copy()
    known = np.flatnonzero(origin != NEW)
    sources = source[origin[known]]
    unchanged, same_onset = np.zeros((2, len(notes)), bool)
    same_onset[known] = notes["onset"][known] == sources["onset"]
    unchanged[known] = same_onset[known] & (notes["pitch"][known] == sources["pitch"])
    unchanged[known] &= notes["end"][known] == sources["end"]
    source_end, source_pitch = np.zeros((2, len(notes)), np.int64)
    source_end[known], source_pitch[known] = sources["end"], sources["pitch"]
    key = channels[notes["track"]] * 128 + notes["pitch"].astype(np.int64)
    order = np.lexsort((notes["end"], notes["onset"], key))
    sounding: list[int] = []
    for i, b in enumerate(order.tolist()):  # b begins after every note a of its pitch that still sounds
        if i and key[b] != key[order[i - 1]]:
            sounding = []
        sounding = [a for a in sounding if out["end"][a] > out["onset"][b]]
        for a in sounding:
            overlap = out["onset"][a] < out["onset"][b] < out["end"][a]
            if not overlap or (unchanged[a] and unchanged[b]):
                continue
            wait = out["end"][a] - out["onset"][b]
            in_source = same_onset[a] and same_onset[b] and source_pitch[a] == source_pitch[b]
            if in_source and source_end[a] > out["onset"][b]:
                if notes["track"][a] == notes["track"][b]:
                    movable = a if unchanged[b] else b
                    out["end"][movable] = (min if movable == a else max)(out["end"][a], out["end"][b])
            elif unchanged[a] and wait <= tpq // STEPS_PER_BEAT and out["end"][a] < out["end"][b]:
                out["onset"][b] = out["end"][a]
            else:
                out["end"][a] = out["onset"][b]
        sounding.append(b)
    return out
