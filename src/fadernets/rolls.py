"""Before and after as one picture: two piano rolls, and under them what was asked of each bar and what came of it.

A note of the after roll is told by its shape as well as by its colour: kept notes are plain, notes of another length
hatched, new notes tall with a dark outline, and removed notes are empty dashed boxes. Louder notes are darker.

Notes are NumPy structured arrays with the fields onset, end (beats), pitch (MIDI), velocity. A bar is a dict with
index, bar (its printed number), start_beat, and before, asked and measured, each {attribute: value}; what was not
asked is None or missing. Colours are Okabe and Ito's, which colour-blind readers can tell apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TOLERANCE = 1 / 32  # beats: onsets and ends nearer than this are the same
DPI = 100
INK, MUTED, LINE, BLACK_KEYS, ASKED_BARS = "#1f2328", "#5f6670", "#d5d9de", "#f3f4f6", "#fff4d6"
KEPT, CHANGED, NEW, ASKED = "#0072B2", "#E69F00", "#D55E00", "#CC79A7"
UNITS = {"rhythm_density": "steps with an onset, 0 to 1", "note_density": "notes sounding at once"}


class Marks(NamedTuple):
    """What became of every note: three masks over the after notes, which add up to all, and one over the before."""

    kept: np.ndarray
    changed: np.ndarray  # same pitch and onset, another length
    new: np.ndarray
    removed: np.ndarray


def compare(before: np.ndarray, after: np.ndarray) -> Marks:
    """Pair the notes of equal pitch and onset; of several, the ones with the nearest ends."""
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
