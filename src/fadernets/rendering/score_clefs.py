"""The clef of each bar of a staff: treble or bass, whichever needs fewer ledger lines, with few changes."""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Array, Integers

CLEFS = ("G", "F")
EASY = {"G": (57, 84), "F": (38, 64)}  # MIDI pitches from and to which a clef needs two ledger lines at most
CHANGE = 30.0  # what a change costs, in semitones of notes beyond the easy pitches
UNUSUAL = 0.1  # semitones a note that another clef than the usual one of the staff costs


def clefs_by_bar(pitch: Array, bar: Integers, count: int, usual: str) -> list[str]:
    """The clef of each of `count` bars of a staff, from its notes' MIDI pitches [N] and their bars [N], from 0.

    usual: the clef of a staff that does not mind.
    """
    costs = np.zeros((count, 2))
    for k, clef in enumerate(CLEFS):
        low, high = EASY[clef]
        p = pitch.astype(np.int64)
        far = np.maximum(low - p, 0) + np.maximum(p - high, 0) + UNUSUAL * (clef != usual)
        costs[:, k] = np.bincount(bar, far, count)
    came = np.zeros((count, 2), np.int64)
    total = costs[0] + UNUSUAL * np.array([clef != usual for clef in CLEFS])
    for i in range(1, count):
        ways = total[:, None] + CHANGE * (1 - np.eye(2))
        came[i] = ways.argmin(0)
        total = ways.min(0) + costs[i]
    path = [int(total.argmin())]
    for i in range(count - 1, 0, -1):
        path.append(int(came[i, path[-1]]))
    return [CLEFS[k] for k in reversed(path)]
