"""How the notes around a note are played: what its velocity, timing and release are predicted from.

Shared by training and edits. Known notes have been played, asked ones are new. Time is counted in
sixteenths. The manner of a note is its velocity, its offset (how far its onset lies behind its step, in
sixteenths) and its release (the same of its end). M known notes, N asked ones, K neighbours, Q kernels, F features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fadernets.arrays import Array, Bools, Floats, Floats32, Indices, Integers
from fadernets.music.metric_grid import PLACES, MetricGrid
from fadernets.music.segments import STEPS_PER_BEAT, Grid

MANNER = ("velocity", "offset", "release")
AROUND = 48  # neighbours of an asked note: those that begin around it, as many before as after
NEAREST = 3  # of them give velocity and release to the copy, as new notes without a model take theirs
LEVELS = 4  # metrical strength: a segment's start, a beat, half a beat, anything between
ROLES = ("alone", "top", "bottom", "inner")  # of a note among those of its onset
SAME = 1e-4  # sixteenths: onsets that are no farther apart are one

# A kernel weighs the neighbours; the weighted means of their manners are features.
KERNELS = (
    *("near", "time", "all", "same onset", "same line", "same level", "same place of the bar", "same role"),
    *("before", "after", "same pitch", "nearest", "same length"),
)
CONTOUR = ("near", "before", "after", "same onset")  # kernels whose mean pitch and length are features too
FEATURES = (
    *(f"{kernel}: {name}" for kernel in KERNELS for name in MANNER),
    *(f"{kernel}: mass" for kernel in KERNELS),
    *(f"{kernel}: {name}" for kernel in CONTOUR for name in ("pitch", "length")),
    *(f"copied {name}" for name in MANNER),
    *(f"deviation of {name}" for name in MANNER),
    *("pitch", "length", "time in the segment", "notes an onset", "above", "below", "notes a sixteenth"),
    *(f"level {level}" for level in range(LEVELS)),
    *ROLES,
)
FARTHEST = 24.0  # semitones: gaps to the notes above and below are not told apart beyond it
MOST_DEVIATIONS = 4.0  # a neighbour's manner is cut off so far from the copy


@dataclass(frozen=True)
class GridNotes:
    """Notes on the grid, without how they are played."""

    time: Floats  # [N] sixteenths from the start of the file to the step
    pitch: Floats  # [N]
    length: Floats  # [N] sixteenths from step to step
    level: Integers  # [N] 0..3, strong to weak
    place: Floats  # [N] sixteenths from the start of the segment to the step

    @classmethod
    def of(cls, windows: Grid, onset: Indices, end: Indices, pitch: Integers) -> GridNotes:
        """Notes of a grid by their first step, the step behind their last one and their pitch, each [N]."""
        sixteenth = windows.tpq / STEPS_PER_BEAT
        ticks = windows.step_ticks(onset)
        time = ticks / sixteenth
        length = np.maximum(windows.step_ticks(end) / sixteenth - time, 1 / 8)
        if isinstance(windows, MetricGrid):
            ticks = ticks - windows.late
        which = np.clip(np.searchsorted(windows.start, ticks, side="right") - 1, 0, len(windows.start) - 1)
        place = (ticks - windows.start[which]) / sixteenth
        if isinstance(windows, MetricGrid):
            step = np.clip(onset, 0, windows.n_steps - 1)
            within, beat = windows.place[step], windows.beats.number[windows.beat[step]]
            on_beat, on_half, first = within == 0, within == PLACES // 2, beat == 0
        else:
            within = (onset - windows.base[which]) % STEPS_PER_BEAT
            on_beat, on_half, first = within == 0, within == STEPS_PER_BEAT // 2, place < SAME
        level = np.select([on_beat & first, on_beat, on_half], [0, 1, 2], LEVELS - 1)
        return cls(time, np.asarray(pitch, np.float64), length, level, place)

    def take(self, rows: Indices | Bools | slice) -> GridNotes:
        """Some of the notes."""
        return GridNotes(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Surroundings:
    """What a model of played notes reads, and what turns its answer into a manner."""

    features: Floats32  # [N, F]
    copied: Floats32  # [N, 3] the manner that copying gives
    deviation: Floats32  # [N, 3] of the neighbours' manners: 0 where they are all the same
    mean: Floats32  # [N, 3] of the neighbours' manners


def manner(notes: Array, windows: Grid, onset: Indices, end: Indices) -> Floats32:
    """[N, 3] how notes (of NOTE) on these steps are played."""
    sixteenth = windows.tpq / STEPS_PER_BEAT
    late = (notes["onset"] - windows.step_ticks(onset)) / sixteenth
    release = (notes["end"] - windows.step_ticks(end)) / sixteenth
    return np.column_stack([notes["velocity"], late, release]).astype(np.float32)


def surroundings(
    known: GridNotes, played: Floats32, asked: GridNotes, kept: Bools | None = None, rows: Indices | None = None
) -> Surroundings:
    """The surroundings of asked notes [N], of known ones [M], at least one, ordered by time, with their manner [M, 3].

    Which role an asked note has depends on all asked notes and on the known ones that are `kept` [M], by default all.
    rows: which of the asked notes to describe, by default all of them.
    """
    written = known if kept is None else known.take(kept)
    count, role, above, below = _chords(
        np.concatenate([written.time, asked.time]), np.concatenate([written.pitch, asked.pitch]), len(written.time)
    )
    known_role = _chords(known.time, known.pitch, 0)[1]
    if rows is not None:
        asked, count, role, above, below = asked.take(rows), count[rows], role[rows], above[rows], below[rows]
    around = _around(known.time, asked.time)  # [N, K]
    apart = (known.time[around] - asked.time[:, None]).astype(np.float32)
    interval = (known.pitch[around] - asked.pitch[:, None]).astype(np.float32)
    lengths = (np.log2(known.length)[around] - np.log2(asked.length)[:, None]).astype(np.float32)
    values = np.stack([column[around] for column in played.T], axis=1)  # [N, 3, K]
    mean, deviation = _moments(values)
    copied = _copied(apart, interval, values, known.length.astype(np.float32)[around])
    weights = _kernels(
        apart,
        interval,
        lengths,
        level=known.level[around] == asked.level[:, None],
        place=np.abs(known.place[around] - asked.place[:, None]) < SAME,
        role=known_role[around] == role[:, None],
    )  # [N, Q, K]
    weighed = np.empty((len(around), len(MANNER) + 3, around.shape[1]), np.float32)
    np.divide(values - copied[..., None], np.where(deviation > 0, deviation, np.inf)[..., None], out=weighed[:, :3])
    np.clip(weighed[:, :3], -MOST_DEVIATIONS, MOST_DEVIATIONS, out=weighed[:, :3])
    weighed[:, 3], weighed[:, 4], weighed[:, 5] = interval / 12, lengths / 2, 1
    sums = weights @ weighed.transpose(0, 2, 1)  # [N, Q, 6]
    mass = sums[..., 5]
    means = sums[..., :5] / np.maximum(mass, 1e-9)[..., None]
    contour = means[:, [KERNELS.index(name) for name in CONTOUR], 3:]
    span = apart[:, -1] - apart[:, 0] + 1
    features = [
        means[..., :3].reshape(len(around), -1),
        np.log1p(mass),
        contour.reshape(len(around), -1),
        (copied - [64, 0, 0]) / [20, 0.2, 0.3],
        deviation / [10, 0.1, 0.3],
        np.column_stack([(asked.pitch - 64) / 20, np.log2(asked.length) / 2, asked.place / 16, count / 4]),
        np.column_stack([above / 12, below / 12, np.log2(around.shape[1] / span)]),
        asked.level[:, None] == np.arange(LEVELS),
        role[:, None] == np.arange(len(ROLES)),
    ]
    return Surroundings(np.concatenate(features, axis=1).astype(np.float32), copied, deviation, mean)


def _around(known: Floats, asked: Floats) -> Indices:
    """[N, K] the positions of the known notes that begin around each asked one; K is AROUND, or M if there are less."""
    count = min(AROUND, len(known))
    middle = (np.searchsorted(known, asked - SAME) + np.searchsorted(known, asked + SAME)) // 2
    first = np.clip(middle - count // 2, 0, len(known) - count)
    return np.asarray(first[:, None] + np.arange(count))


def _chords(time: Floats, pitch: Floats, skipped: int) -> tuple[Integers, Integers, Floats, Floats]:
    """Of each note but the first `skipped` ones: how many notes its onset has, its role there, and how far the notes
    next above and below it in its chord are, FARTHEST at the most."""
    order = np.lexsort((pitch, np.round(time / SAME)))
    onset = np.cumsum(np.diff(time[order], prepend=-np.inf) > SAME) - 1
    count = np.bincount(onset)[onset]
    gap = np.where(np.diff(onset) == 0, np.minimum(np.diff(pitch[order]), FARTHEST), FARTHEST)
    above, below = np.append(gap, FARTHEST), np.append(FARTHEST, gap)
    last, first = np.diff(onset, append=onset[-1:] + 1) > 0, np.diff(onset, prepend=-1) > 0
    role = np.select([count == 1, last, first], [0, 1, 2], 3)
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    back = back[skipped:]
    return count[back], role[back], above[back], below[back]


def _kernels(
    apart: Floats32, interval: Floats32, lengths: Floats32, *, level: Bools, place: Bools, role: Bools
) -> Floats32:
    """[N, Q, K] the weights of the neighbours in the order of KERNELS."""
    away, leap = np.abs(apart), np.abs(interval)
    same = away < SAME
    near = np.exp(-(away + leap) / 3)
    slow, wide = np.exp(-away / 32), np.exp(-leap / 12)
    fast = np.exp(-away / 1.5)
    close = np.exp(-away / 2) * wide
    kernels = np.empty((len(apart), len(KERNELS), apart.shape[1]), np.float32)
    for q, kernel in enumerate(
        (
            near,
            fast,
            1,
            same * wide,
            np.exp(-leap / 2 - away / 16),
            level * slow,
            place * wide,
            role * np.exp(-away / 4),
            close * (apart < -SAME),
            close * (apart > SAME),
            slow * (leap == 0),
            np.exp(-(away + leap)),
            np.exp(-4 * np.abs(lengths)) * slow,
        )
    ):
        kernels[:, q] = kernel
    return kernels


def _moments(values: Floats32) -> tuple[Floats32, Floats32]:
    """[N, 3] mean and standard deviation of values [N, 3, K], which is 0 where all are the same, without rounding."""
    from_first = values - values[..., :1]
    mean = from_first.mean(-1)
    squares = np.einsum("nvk,nvk->nv", from_first, from_first) / values.shape[-1]
    return values[..., 0] + mean, np.sqrt(np.maximum(squares - mean**2, 0))


def _copied(apart: Floats32, interval: Floats32, values: Floats32, length: Floats32) -> Floats32:
    """[N, 3] the manner that a new note copies: the mean velocity of the NEAREST notes in time and pitch, the median
    release of those that are at least a sixteenth long, and the mean offset at the nearest step."""
    away = np.abs(apart)
    count = min(NEAREST, away.shape[1])
    order = away + np.abs(interval) + 1e-4 * np.arange(away.shape[1], dtype=np.float32)  # of equals the first
    nearest = np.argpartition(order, count - 1, axis=1)[:, :count]
    rows = np.arange(len(order))[:, None]
    velocity, late, release = (values[rows, k, nearest] for k in range(len(MANNER)))
    at_nearest = away <= away.min(1, keepdims=True) + SAME  # far away the sum is the distance itself
    offset = np.einsum("nk,nk->n", values[:, 1], at_nearest.astype(np.float32)) / at_nearest.sum(1)
    whole = length[rows, nearest] + release - late >= 1
    release = np.sort(np.where(whole, release, np.inf), axis=1)
    found = whole.sum(1)
    low, high = (
        release[rows[:, 0], np.maximum(found - 1, 0) // 2],
        release[rows[:, 0], np.minimum(found // 2, count - 1)],
    )
    middle = np.where(found > 0, (low + high) / 2, 0)
    return np.column_stack([velocity.mean(1), offset, middle]).astype(np.float32)
