"""Which staff of a keyboard part each note of one track lies on: above or below a line that moves little.

`editing.hands` follows the hands from chord to chord. A score is read with the eye: one figure stays on one staff. So
the line between the staves runs through the gap in the pitches that sound around it, near middle C, and moves as
seldom as each hand's reach allows: the best line by dynamic programming. T chords, S places of the line.
"""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Array, Bools, Floats
from fadernets.editing.hands import CHORD, SPAN

LINES = np.arange(45, 80)  # MIDI pitches: the lowest of the upper staff
MIDDLE_C = 60
FROM_MIDDLE = 0.03  # cost of each semitone that the line lies off middle C
CROWDED = 4.0  # cost of a line in the midst of what sounds around it
NEAR = 2.5  # semitones: how far a note makes a place crowded
AROUND = 2.0  # quarters: how far what sounds around reaches
STRETCH = 0.4  # cost of each semitone of a chord beyond the reach of a hand
FINGERS = 5  # notes that a hand can strike
LOWEST_UPPER, HIGHEST_LOWER = 55, 65  # MIDI pitches from which on a staff needs many ledger lines
LEDGER = 0.12  # cost of each semitone of a note beyond them
MOVE = 0.15  # cost of each semitone that the line moves from chord to chord


def upper_staff(notes: Array, tpq: int) -> Bools:
    """[N] whether each of a track's notes lies on the upper staff."""
    if not len(notes):
        return np.zeros(0, bool)
    order = np.lexsort((notes["pitch"], notes["onset"]))
    onset, pitch = notes["onset"][order], notes["pitch"][order].astype(np.int64)
    first = np.flatnonzero(np.diff(onset, prepend=-tpq) > CHORD * tpq)
    chords = np.split(pitch, first[1:])
    costs = FROM_MIDDLE * np.abs(LINES - MIDDLE_C) + CROWDED * _crowd(onset / tpq, pitch, onset[first] / tpq)  # T S
    costs = costs + np.array([_stretch(np.sort(chord)) for chord in chords])
    line = LINES[_cheapest(costs)]
    upper = np.zeros(len(notes), bool)
    upper[order] = pitch >= np.repeat(line, np.diff(np.append(first, len(pitch))))
    return upper


def _crowd(at: Floats, pitch: Array, chords: Floats) -> Floats:
    """[T, S] how crowded each place of the line is around each chord, 0..1."""
    kernel = np.exp(-np.abs(pitch[:, None] - (LINES - 0.5)) / NEAR)  # N S
    sums = np.concatenate([np.zeros((1, len(LINES))), np.cumsum(kernel, 0)])
    low, high = np.searchsorted(at, chords - AROUND), np.searchsorted(at, chords + AROUND, side="right")
    return np.asarray((sums[high] - sums[low]) / (high - low)[:, None])


def _stretch(pitch: Array) -> Floats:
    """[S] what it costs to strike a chord, in ascending order, with the line at each place."""
    split = np.searchsorted(pitch, LINES)
    lower = np.where(split > 0, pitch[np.maximum(split - 1, 0)] - pitch[0], 0)
    upper = np.where(split < len(pitch), pitch[-1] - pitch[np.minimum(split, len(pitch) - 1)], 0)
    cost = STRETCH * (np.maximum(lower - SPAN, 0) + np.maximum(upper - SPAN, 0))
    is_upper = pitch[:, None] >= LINES  # notes of the chord, S
    ledger = np.where(is_upper, LOWEST_UPPER - pitch[:, None], pitch[:, None] - HIGHEST_LOWER)
    cost = cost + LEDGER * np.maximum(ledger, 0).sum(0)
    return np.asarray(cost + np.maximum(split - FINGERS, 0) + np.maximum(len(pitch) - split - FINGERS, 0))


def _cheapest(costs: Floats) -> Array:
    """[T] the place of the line at each chord, for the least sum of costs and moves."""
    move = MOVE * np.abs(LINES[:, None] - LINES[None])
    came = np.zeros(costs.shape, np.int64)
    total = costs[0]
    for t in range(1, len(costs)):
        ways = total[:, None] + move
        came[t] = ways.argmin(0)
        total = ways[came[t], np.arange(len(LINES))] + costs[t]
    path = [int(total.argmin())]
    for t in range(len(costs) - 1, 0, -1):
        path.append(int(came[t, path[-1]]))
    return np.array(path[::-1])
