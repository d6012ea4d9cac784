"""Reach a value of any attribute of cells by small changes of a segment's notes, measured one by one.

What drives the faders that the model does not know, a user's own among them. From the source on, of all small changes
(a struck chord moved to another step; then single notes moved, revoiced, held on, cut, dropped, doubled) the one is
taken that brings the asked attributes nearest at the least cost, while the held ones stay where they are. No note of a
segment is heard before its change: a segment that measures what is asked comes back as it was.

A segment's notes are rows (onset step, end step, pitch 0..87, origin, still). Steps count from the segment's first: a
note that is held in has onset -1, one that sounds on has an end beyond 16; neither end is touched, nor the pitch there.
The origin is the number of the note in the source; of a doubled note, -1 - that number. A note that is `still` (1) is
not touched at all. K changes at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fadernets.codecs.grid import HOLD, ONSET, PITCHES
from fadernets.music.segments import STEPS

Cells = NDArray[np.uint8]
NoteRows = NDArray[np.int64]
ASKED, HELD = 10.0, 20.0  # weights of a miss, in units of an attribute's scale
MOST = 48  # changes of one segment
EVENT, SHIFT, PITCH, LENGTH, DROP, DOUBLE, FIRST = 0.05, 0.10, 0.10, 0.04, 0.25, 0.20, 0.5  # what changes cost
SHIFTS = (-1, 1, -2, 2)
STILL = 4  # the column
SHORT = 2  # steps that a doubled note lasts


@dataclass(frozen=True)
class SearchTarget:
    """An attribute of cells and the value it is to have."""

    measure: Callable[[Cells], NDArray]
    value: float
    scale: float  # a difference of this counts 1
    weight: float = ASKED
    slack: float = 0.0  # a miss up to this does not count


def search(rows: NoteRows, aims: list[SearchTarget], near: float = 1e-6) -> NoteRows:
    """The rows after the changes that bring the aims nearest. Rows of the source keep their origin."""
    best = rows
    cells, _ = cells_of([rows])
    short = float(_misses(cells, aims)[0])
    for tier in (_events, _notes):
        for _ in range(MOST):
            if short <= near:
                return best
            tried = list(tier(best))
            cells, sound = cells_of([state for state, _ in tried])
            if not sound.any():
                break
            costs = np.array([cost for _, cost in tried])
            found = np.where(sound, _misses(cells, aims) + costs, np.inf)
            i = int(found.argmin())
            if found[i] >= short - 1e-9:
                break
            best, short = tried[i][0], float(found[i] - costs[i])
    return best


def _misses(cells: Cells, aims: list[SearchTarget]) -> NDArray[np.float64]:
    """[K] the weighted sum of what is missing."""
    total = np.zeros(len(cells))
    for aim in aims:
        off = np.abs(np.asarray(aim.measure(cells), np.float64) - aim.value)
        total += aim.weight * np.maximum(np.nan_to_num(off, nan=1e3) - aim.slack, 0) / aim.scale
    return total


def cells_of(states: list[NoteRows]) -> tuple[Cells, NDArray[np.bool_]]:
    """Cells [K, 16, 88] of rows, and [K] whether no two of them sound on one key at once."""
    count = len(states)
    cells = np.zeros((count, STEPS, PITCHES), np.uint8)
    if not count:
        return cells, np.zeros(0, bool)
    state = np.repeat(np.arange(count), [len(rows) for rows in states])
    flat = np.concatenate(states)
    first, last = np.maximum(flat[:, 0], 0), np.minimum(flat[:, 1], STEPS)
    length = np.maximum(last - first, 0)
    row = np.repeat(np.arange(len(flat)), length)
    step = first[row] + np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length)
    at = (state[row] * STEPS + step) * PITCHES + flat[row, 2]
    sounding = np.bincount(at, minlength=cells.size).reshape(count, -1)
    cells[sounding.reshape(cells.shape) > 0] = HOLD
    struck = np.flatnonzero((flat[:, 0] >= 0) & (flat[:, 0] < STEPS))
    cells[state[struck], flat[struck, 0], flat[struck, 2]] = ONSET
    return cells, sounding.max(1) <= 1


def _put(rows: NoteRows, which: NDArray[np.int64], columns: Mapping[int, NDArray[np.int64] | int]) -> NoteRows:
    out = rows.copy()
    for column, values in columns.items():
        out[which, column] = values
    return out


def _shifted(rows: NoteRows, which: NDArray[np.int64], by: int) -> NoteRows:
    """Notes struck together at another step; their ends stay, and what led up to them still does."""
    step = rows[which[0], 0] + by
    out = _put(rows, which, {0: step, 1: np.maximum(rows[which, 1], step + 1)})
    before = np.setdiff1d(np.flatnonzero(rows[:, 1] == rows[which[0], 0]), which)
    before = before[(rows[before, 0] >= 0) & (rows[before, STILL] == 0)]
    out[before, 1] = np.maximum(step, rows[before, 0] + 1)
    return out


def _events(rows: NoteRows, merge: bool = False) -> Iterator[tuple[NoteRows, float]]:
    """Each struck chord a step or two earlier or later, where no other is struck; or, to `merge`, into the next one."""
    steps = np.unique(rows[(rows[:, 0] >= 0) & (rows[:, 0] < STEPS), 0])
    for step in steps.tolist():
        which = np.flatnonzero(rows[:, 0] == step)
        if rows[which, STILL].any():
            continue
        for by in SHIFTS:
            passed = np.isin(np.arange(min(by, 0), max(by, 0) + 1) + step, steps).sum() - 1
            if 0 <= step + by < STEPS and (passed == 0 or (merge and passed == 1 and step + by in steps)):
                yield _shifted(rows, which, by), EVENT * (abs(by) + 2 * passed) + FIRST * (step == 0)


def _notes(rows: NoteRows) -> Iterator[tuple[NoteRows, float]]:
    """Every small change of one note, and those of chords."""
    yield from _events(rows, merge=True)
    classes = np.zeros(12, bool)
    classes[(rows[:, 2] + 9) % 12] = True  # pitch 0 is an A
    ladder = np.flatnonzero(classes[(np.arange(PITCHES) + 9) % 12])
    for i, (onset, end, pitch, origin, still) in enumerate(rows.tolist()):
        if not 0 <= onset < STEPS:
            continue
        one = np.array([i])
        edge = FIRST * (onset == 0)
        rung = int(np.searchsorted(ladder, pitch))
        near = [int(ladder[k]) for k in (rung - 1, rung + 1) if 0 <= k < len(ladder)]
        for by in SHIFTS:
            if not still and 0 <= onset + by < STEPS:
                yield _shifted(rows, one, by), SHIFT + edge
        if not still and end <= STEPS:
            for other in (*near, pitch - 12, pitch + 12):
                if 0 <= other < PITCHES:
                    yield _put(rows, one, {2: other}), PITCH
            for by in (-4, -2, -1, 1, 2, 4):
                if onset < end + by <= STEPS:
                    yield _put(rows, one, {1: end + by}), LENGTH
            yield np.delete(rows, i, 0), DROP + edge
        for by in (*SHIFTS, 4, -4):
            if 0 <= onset + by < STEPS:
                for other in (pitch, *near):
                    end_of = min(onset + by + SHORT, STEPS)
                    yield np.vstack([rows, [onset + by, end_of, other, min(origin, -1 - origin), 0]]), DOUBLE
