"""Reach values of attributes of cells by small changes of a segment's notes: a greedy search that measures each one.

It drives the faders that the model does not know, user-defined ones among them. From the source on, of all small
changes the one is made that brings the asked attributes nearest at the least cost while the attributes to keep stay:
first chords are moved to other steps, then single notes are moved, revoiced, lengthened, shortened, removed or doubled.
A segment that measures what is asked comes back as it was.

The notes of a segment are rows (onset step, end step, pitch 0..87, origin, fixed). Steps count from the segment's
first, n of them: a note that sounds on from before has onset -1, one that sounds on beyond the segment ends behind n;
neither of these ends is touched, nor the pitch of such a note. The origin is the position of the note in the source
and, for a doubled note, -1 - that position. A note that is fixed (1) is not touched at all. K states at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np

from fadernets.arrays import Array, Bools, Cells, Floats, Indices, Integers
from fadernets.codecs.grid import HOLD, LOW, ONSET, PITCHES
from fadernets.editing.note_draft import Poll, nothing
from fadernets.music.segments import STEPS

NoteRows = Integers  # [N, 5]
ONSET_STEP, END_STEP, PITCH, ORIGIN, FIXED = range(5)  # the columns of NoteRows

# Weights of a miss, in units of an attribute's scale, beside the costs of changes below.
ASKED_WEIGHT = 10.0  # of an attribute that is asked for
KEPT_WEIGHT = 20.0  # of an attribute that is to stay
UNMEASURED_MISS = 1e3  # in the attribute's unit: the miss of a state that cannot be measured, larger than any real one
MIN_GAIN = 1e-9  # a change that gains no more than this is rounding
MAX_CHANGES = 48  # of one segment, for chords and for single notes each
MOST_NOTES = 200  # of a segment that is searched: the densest of MAESTRO has half as many
STATES_AT_ONCE = 1024  # that are measured: bounds memory

# What a change costs.
CHORD_STEP = 0.05  # moving a chord, for each step; joining it to the next chord counts as two steps more
NOTE_STEP = 0.10  # moving a note, by any number of steps
REVOICE = 0.10
LENGTH = 0.04
REMOVE = 0.25
DOUBLE = 0.20
FIRST_STEP = 0.5  # in addition, moving what begins at the segment's first step

SHIFTS = (-1, 1, -2, 2)  # steps
LENGTH_CHANGES = (-4, -2, -1, 1, 2, 4)  # steps
DOUBLE_SHIFTS = (*SHIFTS, 4, -4)  # steps from a note to its double
DOUBLE_LENGTH = 2  # steps


@dataclass(frozen=True)
class SearchTarget:
    """An attribute of cells and the value that it is to have."""

    measure: Callable[[Cells], Array]  # cells [K, n, 88] -> [K]
    value: float
    scale: float  # a difference of this counts 1
    weight: float = ASKED_WEIGHT
    slack: float = 0.0  # a miss up to this does not count


def search(
    rows: NoteRows,
    targets: list[SearchTarget],
    near: float = 1e-6,
    steps: int = STEPS,
    quick: bool = False,
    poll: Poll = nothing,
) -> NoteRows:
    """The rows after the changes that bring the targets nearest; the search ends at a weighted miss of `near`.

    steps: how many the segment has. quick: chords move and no note alone, for an answer while a fader is dragged. Rows
    of the source keep their origin.
    """
    best = rows
    cells, _ = cells_of([rows], steps)
    miss = float(_misses(cells, targets)[0])
    for changes in (_chord_changes,) if quick else (_chord_changes, _note_changes):
        for _ in range(MAX_CHANGES):
            if miss <= near:
                return best
            nearest, total, cost = best, np.inf, 0.0
            states = changes(best, steps)
            while tried := list(islice(states, STATES_AT_ONCE)):
                poll()
                cells, is_playable = cells_of([state for state, _ in tried], steps)
                costs = np.array([cost for _, cost in tried])
                totals = np.where(is_playable, _misses(cells, targets) + costs, np.inf)
                i = int(totals.argmin())
                if totals[i] < total:
                    nearest, total, cost = tried[i][0], float(totals[i]), float(costs[i])
            if total >= miss - MIN_GAIN:
                break
            best, miss = nearest, total - cost
    return best


def _misses(cells: Cells, targets: list[SearchTarget]) -> Floats:
    """[K] the weighted sum of the misses of cells [K, n, 88]."""
    total = np.zeros(len(cells))
    for target in targets:
        off = np.abs(np.asarray(target.measure(cells), np.float64) - target.value)
        counted = np.maximum(np.nan_to_num(off, nan=UNMEASURED_MISS) - target.slack, 0)
        total += target.weight * counted / target.scale
    return total


def cells_of(states: list[NoteRows], steps: int = STEPS) -> tuple[Cells, Bools]:
    """The cells [K, n, 88] of states of n `steps`, and [K] whether each can be played: one note a pitch at a time."""
    count = len(states)
    cells = np.zeros((count, steps, PITCHES), np.uint8)
    if not count:
        return cells, np.zeros(0, bool)
    state = np.repeat(np.arange(count), [len(rows) for rows in states])
    rows = np.concatenate(states)
    first, end = np.maximum(rows[:, ONSET_STEP], 0), np.minimum(rows[:, END_STEP], steps)
    length = np.maximum(end - first, 0)
    row = np.repeat(np.arange(len(rows)), length)  # of each sounding step of each note
    step = first[row] + np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length)
    at = (state[row] * steps + step) * PITCHES + rows[row, PITCH]
    sounding = np.bincount(at, minlength=cells.size).reshape(count, -1)
    cells[sounding.reshape(cells.shape) > 0] = HOLD
    begins = np.flatnonzero((rows[:, ONSET_STEP] >= 0) & (rows[:, ONSET_STEP] < steps))
    cells[state[begins], rows[begins, ONSET_STEP], rows[begins, PITCH]] = ONSET
    return cells, sounding.max(1) <= 1


def _with_columns(rows: NoteRows, which: Indices, columns: Mapping[int, Integers | int]) -> NoteRows:
    """The rows with other values in some columns of some of them."""
    out = rows.copy()
    for column, values in columns.items():
        out[which, column] = values
    return out


def _shifted(rows: NoteRows, which: Indices, by: int) -> NoteRows:
    """Notes that begin together, moved by steps. Their ends stay, and notes that ended where they began still do."""
    step = rows[which[0], ONSET_STEP] + by
    out = _with_columns(rows, which, {ONSET_STEP: step, END_STEP: np.maximum(rows[which, END_STEP], step + 1)})
    before = (rows[:, END_STEP] == rows[which[0], ONSET_STEP]) & (rows[:, ONSET_STEP] >= 0) & (rows[:, FIXED] == 0)
    before[which] = False
    out[before, END_STEP] = np.maximum(step, rows[before, ONSET_STEP] + 1)
    return out


def _chord_changes(rows: NoteRows, steps: int = STEPS, merge: bool = False) -> Iterator[tuple[NoteRows, float]]:
    """Each chord moved by a step or two, and the cost. It passes no other onset, and joins one only with `merge`."""
    struck = {step for step in rows[:, ONSET_STEP].tolist() if 0 <= step < steps}
    for step in sorted(struck):
        which = np.flatnonzero(rows[:, ONSET_STEP] == step)
        if rows[which, FIXED].any():
            continue
        for by in SHIFTS:
            met = len(struck.intersection(range(step + min(by, 0), step + max(by, 0) + 1))) - 1
            if 0 <= step + by < steps and (met == 0 or (merge and met == 1 and step + by in struck)):
                yield _shifted(rows, which, by), CHORD_STEP * (abs(by) + 2 * met) + FIRST_STEP * (step == 0)


def _note_changes(rows: NoteRows, steps: int = STEPS) -> Iterator[tuple[NoteRows, float]]:
    """Every small change of one note with its cost, and those of chords."""
    yield from _chord_changes(rows, steps, merge=True)
    keyboard = np.arange(PITCHES)
    ladder = keyboard[np.isin((keyboard + LOW) % 12, (rows[:, PITCH] + LOW) % 12)]  # pitches of the classes that sound
    for i, (onset, end, pitch, origin, fixed) in enumerate(rows.tolist()):
        if not 0 <= onset < steps:
            continue
        one = np.array([i])
        rung = int(np.searchsorted(ladder, pitch))
        neighbours = [int(ladder[k]) for k in (rung - 1, rung + 1) if 0 <= k < len(ladder)]
        for by in SHIFTS:
            if not fixed and 0 <= onset + by < steps:
                yield _shifted(rows, one, by), NOTE_STEP + FIRST_STEP * (onset == 0)
        if not fixed and end <= steps:
            for other in (*neighbours, pitch - 12, pitch + 12):
                if 0 <= other < PITCHES:
                    yield _with_columns(rows, one, {PITCH: other}), REVOICE
            for by in LENGTH_CHANGES:
                if onset < end + by <= steps:
                    yield _with_columns(rows, one, {END_STEP: end + by}), LENGTH
            yield np.delete(rows, i, 0), REMOVE + FIRST_STEP * (onset == 0)
        for by in DOUBLE_SHIFTS:
            if 0 <= onset + by < steps:
                for other in (pitch, *neighbours):
                    double = [onset + by, min(onset + by + DOUBLE_LENGTH, steps), other, min(origin, -1 - origin), 0]
                    yield np.vstack([rows, double]), DOUBLE
