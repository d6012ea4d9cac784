"""A piece on its way from notes to notes: what an edit beside the model works on, and the change that it makes.

Notes keep the number that they have in the source, so that what nobody touched stays as it is, to the tick.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes.performed import Performance
from fadernets.music.document import Edit
from fadernets.music.notes import Piece, TempoMap, Track, note_order
from fadernets.music.segments import STEPS_PER_BEAT, Windows

NEW = -1  # the origin of a note that the source does not have


@dataclass(frozen=True)
class NoteDraft:
    """The notes of some tracks as they are now. N notes, W windows."""

    notes: NDArray  # [N] of NOTE, in any order
    origin: NDArray[np.int64]  # [N] which note of the source each is, or NEW
    windows: Windows
    tempo: TempoMap

    @classmethod
    def of(cls, notes: NDArray, windows: Windows, tempo: TempoMap) -> NoteDraft:
        return cls(notes.copy(), np.arange(len(notes)), windows, tempo)

    @property
    def performance(self) -> Performance:
        return Performance.of(self.notes, self.windows, self.tempo)

    def changed(self, **columns: NDArray) -> NoteDraft:
        """The same notes with some of their columns anew."""
        notes = self.notes.copy()
        for name, values in columns.items():
            notes[name] = values
        return replace(self, notes=notes)

    def piece(self, source: Piece) -> Piece:
        """The take as a piece, as a file would have it."""
        notes = _apart(self.notes, self.origin, source.notes, _channels(source.tracks), self.windows.tpq)
        return replace(source, notes=notes[note_order(notes)], tempo=self.tempo)

    def edit(self, source: NDArray, tempo: TempoMap, tracks: list[Track]) -> Edit:
        """What turns the `source` notes, their `tempo` and tracks into this take."""
        notes = _apart(self.notes, self.origin, source, _channels(tracks), self.windows.tpq)
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


def _channels(tracks: list[Track]) -> NDArray[np.int64]:
    return np.array([track.channel for track in tracks], np.int64)


def _apart(
    notes: NDArray, origin: NDArray[np.int64], source: NDArray, channels: NDArray[np.int64], tpq: int
) -> NDArray:
    """Notes without new overlaps on one key: the one that begins first ends where the next begins, or, where it is as
    the source has it, the next waits for it up to a step.

    A file tells which end belongs to which onset by their order alone. Overlaps that the source has stay, and with them
    the order of their ends.
    """
    out = notes.copy()
    known = np.flatnonzero(origin != NEW)
    own = source[origin[known]]
    still, struck = np.zeros((2, len(notes)), bool)  # as in the source; at least its onset is
    struck[known] = notes["onset"][known] == own["onset"]
    still[known] = struck[known] & (notes["pitch"][known] == own["pitch"]) & (notes["end"][known] == own["end"])
    until, was = np.zeros((2, len(notes)), np.int64)  # end and pitch in the source
    until[known], was[known] = own["end"], own["pitch"]
    key = channels[notes["track"]] * 128 + notes["pitch"].astype(np.int64)
    order = np.lexsort((notes["end"], notes["onset"], key))
    sounding: list[int] = []
    for i, b in enumerate(order.tolist()):
        if i and key[b] != key[order[i - 1]]:
            sounding = []
        sounding = [a for a in sounding if out["end"][a] > out["onset"][b]]
        for a in sounding:
            before = out["onset"][a] < out["onset"][b] < out["end"][a]
            if not before or (still[a] and still[b]):
                continue
            wait = out["end"][a] - out["onset"][b]
            if struck[a] and struck[b] and was[a] == was[b] and until[a] > out["onset"][b]:  # so does the source
                if notes["track"][a] == notes["track"][b]:
                    late = a if still[b] else b
                    out["end"][late] = (min if late == a else max)(out["end"][a], out["end"][b])
            elif still[a] and wait <= tpq // STEPS_PER_BEAT and out["end"][a] < out["end"][b]:
                out["onset"][b] = out["end"][a]
            else:
                out["end"][a] = out["onset"][b]
        sounding.append(b)
    return out
