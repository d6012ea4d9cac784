"""A piece on its way from notes to notes: what an edit beside the model works on, and the change that it makes.

Notes keep the number that they have in the source, so that what nobody touched stays as it is, to the tick.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fadernets.midi import Edit
from fadernets.notes import Piece, TempoMap, Track, note_order
from fadernets.performance import Performance
from fadernets.segments import Windows

NEW = -1  # the origin of a note that the source does not have


@dataclass(frozen=True)
class Take:
    """The notes of some tracks as they are now. N notes, W windows."""

    notes: NDArray  # [N] of NOTE, in any order
    origin: NDArray[np.int64]  # [N] which note of the source each is, or NEW
    windows: Windows
    tempo: TempoMap

    @classmethod
    def of(cls, notes: NDArray, windows: Windows, tempo: TempoMap) -> Take:
        return cls(notes.copy(), np.arange(len(notes)), windows, tempo)

    @property
    def performance(self) -> Performance:
        return Performance.of(self.notes, self.windows, self.tempo)

    def changed(self, **columns: NDArray) -> Take:
        """The same notes with some of their columns anew."""
        notes = self.notes.copy()
        for name, values in columns.items():
            notes[name] = values
        return replace(self, notes=notes)

    def piece(self, source: Piece) -> Piece:
        """The take as a piece, as a file would have it."""
        notes = _apart(self.notes, self.origin, source.notes, np.array([track.channel for track in source.tracks]))
        return replace(source, notes=notes[note_order(notes)], tempo=self.tempo)

    def edit(self, source: NDArray, tempo: TempoMap, tracks: list[Track]) -> Edit:
        """What turns the `source` notes, their `tempo` and tracks into this take."""
        notes = _apart(self.notes, self.origin, source, np.array([track.channel for track in tracks]))
        known = np.flatnonzero(self.origin != NEW)
        known = known[np.argsort(self.origin[known])]
        altered = known[notes[known] != source[self.origin[known]]]
        removed = np.setdiff1d(np.arange(len(source)), self.origin[known])
        same = np.array_equal(self.tempo.ticks, tempo.ticks) and np.array_equal(self.tempo.micros, tempo.micros)
        return Edit(
            removed,
            self.origin[altered],
            notes[altered],
            notes[self.origin == NEW],
            None if same else self.tempo,
        )


def _apart(notes: NDArray, origin: NDArray[np.int64], source: NDArray, channels: NDArray[np.int64]) -> NDArray:
    """Notes without new overlaps on one key: the one that begins first ends where the next begins.

    A file tells which end belongs to which onset by their order alone. Overlaps that the source has stay.
    """
    out = notes.copy()
    moved, known = np.ones(len(notes), bool), origin != NEW
    own = source[origin[known]]
    moved[known] = np.any([notes[name][known] != own[name] for name in ("onset", "end", "pitch")], axis=0)
    key = channels[notes["track"]] * 128 + notes["pitch"].astype(np.int64)
    order = np.lexsort((notes["end"], notes["onset"], key))
    for a, b in zip(order[:-1].tolist(), order[1:].tolist(), strict=True):
        if key[a] == key[b] and (moved[a] or moved[b]) and notes["onset"][a] < notes["onset"][b] < out["end"][a]:
            out["end"][a] = notes["onset"][b]
    return out
