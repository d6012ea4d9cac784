"""What became of each note between two versions of a piece: kept, of another length, new or removed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fadernets.arrays import Array, Bools

TOLERANCE = 1 / 32  # beats: onsets and ends nearer than this are the same


class Marks(NamedTuple):
    """Masks over the notes after, each of which is true in one of the first three, and over the notes before."""

    kept: Bools  # [N after]
    changed: Bools  # [N after] same pitch and onset, another length
    new: Bools  # [N after]
    removed: Bools  # [N before]


def compare(before: Array, after: Array) -> Marks:
    """Pair the notes of equal pitch and onset; of several, those with the nearest ends. Notes [N] of ROLL_NOTE."""
    kept, changed = np.zeros(len(after), bool), np.zeros(len(after), bool)
    removed = np.ones(len(before), bool)
    waiting: dict[int, list[int]] = {}
    for index in np.argsort(before["onset"], kind="stable"):
        waiting.setdefault(int(before["pitch"][index]), []).append(int(index))
    for index in np.argsort(after["onset"], kind="stable"):
        note = after[index]
        near = [
            i
            for i in waiting.get(int(note["pitch"]), ())
            if removed[i] and abs(before["onset"][i] - note["onset"]) < TOLERANCE
        ]
        if not near:
            continue
        old = min(near, key=lambda i: abs(before["end"][i] - note["end"]))
        removed[old] = False
        same = abs(before["end"][old] - note["end"]) < TOLERANCE
        (kept if same else changed)[index] = True
    return Marks(kept, changed, ~(kept | changed), removed)
