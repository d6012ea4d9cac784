"""Segments of a piece: what every grid of them offers, and the four-beat windows of the ISMIR paper (Section 4.1).

A window is 4 quarter notes of 16 steps, cut along the piece's own bar lines: windows start at the first one and anew at
every change of metre. What is left over before a change or at the end is a short window, which no edit touches.
Segments that are bars themselves are those of `metric_grid`. Ticks are absolute; a global step is counted from the
first step of the first segment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fadernets.arrays import Bools, Floats, Indices, Integers
from fadernets.music.notes import Piece

BEATS = 4  # quarter notes a segment
STEPS_PER_BEAT = 4
STEPS = BEATS * STEPS_PER_BEAT
NEVER = 2**62  # a tick that no piece reaches


class Grid(Protocol):
    """The W segments of a piece and their T steps: what measures and edits ask of `Windows` and of a `MetricGrid`.

    Segments lie in order and without gaps.
    """

    @property
    def start(self) -> Integers:
        """[W] tick of the first step."""

    @property
    def end(self) -> Integers:
        """[W] tick behind the last step."""

    @property
    def steps(self) -> Integers:
        """[W] how many steps each segment has."""

    @property
    def base(self) -> Integers:
        """[W] index of the first step among all steps of the piece."""

    @property
    def bar(self) -> Integers:
        """[W] number of the bar in which it starts, from 1."""

    @property
    def last_bar(self) -> Integers:
        """[W] number of the bar in which it ends."""

    @property
    def tpq(self) -> int:
        """Ticks a quarter note."""

    @property
    def full(self) -> Bools:
        """[W] whether an edit may change the segment."""

    @property
    def n_steps(self) -> int:
        """The number of steps in the piece."""

    @property
    def segment(self) -> Indices:
        """[T] the segment of each step."""

    @property
    def step_size(self) -> Floats:
        """[T + 1] ticks: how long the steps around the start of each step are, the shorter of the two."""

    @property
    def time(self) -> Floats:
        """[T + 1] where each step begins, in sixteenths."""

    def start_beat(self) -> Floats:
        """[W] quarter notes from the start of the file."""

    def step_ticks(self, steps: Integers) -> Integers:
        """The tick of each step; the step after the last one is at the piece's end."""

    def nearest_step(self, ticks: Integers) -> Integers:
        """The step nearest to each tick; half a step rounds up; clipped to the piece."""

    def earliest(self, steps: Integers) -> Integers:
        """The first tick whose nearest step is each step; NEVER for steps after the piece's end."""

    def ticks_moved(self, step: int, by: int) -> int:
        """By how many ticks something moves that goes from a step to the one `by` steps later."""

    def beat_at(self, ticks: Integers) -> Integers:
        """The number of the beat of each tick, from 0."""


@dataclass(frozen=True)
class Windows:
    """The W windows of a piece, in order and without gaps."""

    start: Integers  # [W] tick of the first step
    end: Integers  # [W]
    steps: Integers  # [W] 16, or fewer in a short window
    base: Integers  # [W] index of the first step among all steps of the piece
    bar: Integers  # [W] number of the bar in which it starts, from 1
    last_bar: Integers  # [W] number of the bar in which it ends
    tpq: int

    @property
    def full(self) -> Bools:
        """[W] true where the window has all its 16 steps."""
        return np.asarray((self.end - self.start) == BEATS * self.tpq)

    @property
    def n_steps(self) -> int:
        """The number of steps in the piece."""
        return int(self.base[-1] + self.steps[-1]) if len(self.base) else 0

    @property
    def segment(self) -> Indices:
        """[T] the window of each step."""
        return np.repeat(np.arange(len(self.start)), self.steps)

    @property
    def step_size(self) -> Floats:
        """[T + 1] ticks in a step: the same everywhere."""
        return np.full(self.n_steps + 1, self.tpq / STEPS_PER_BEAT)

    @property
    def time(self) -> Floats:
        """[T + 1] where each step begins, in sixteenths; one that a short window cuts off counts whole."""
        return np.arange(self.n_steps + 1, dtype=np.float64)

    def start_beat(self) -> Floats:
        """[W] quarter notes from the start of the file."""
        return self.start / self.tpq

    def ticks_moved(self, step: int, by: int) -> int:
        """By how many ticks something moves that goes from a step to the one `by` steps later: all are of one size."""
        return round(by * self.tpq / STEPS_PER_BEAT)

    def beat_at(self, ticks: Integers) -> Integers:
        """The number of the quarter note of each tick, from the start of the file."""
        return np.asarray(ticks) // self.tpq

    def step_ticks(self, steps: Integers) -> Integers:
        """The tick of each global step; the step after the last one is at the piece's end."""
        w = np.clip(np.searchsorted(self.base, steps, side="right") - 1, 0, len(self.base) - 1)
        ticks = self.start[w] + np.round((steps - self.base[w]) * self.tpq / STEPS_PER_BEAT).astype(np.int64)
        return np.minimum(ticks, self.end[w])

    def nearest_step(self, ticks: Integers) -> Integers:
        """The global step nearest to each tick; half a step rounds up; clipped to the piece."""
        w = np.clip(np.searchsorted(self.start, ticks, side="right") - 1, 0, len(self.start) - 1)
        step = np.floor((ticks - self.start[w]) * STEPS_PER_BEAT / self.tpq + 0.5).astype(np.int64)
        return np.clip(self.base[w] + np.minimum(step, self.steps[w]), 0, self.n_steps)

    def earliest(self, steps: Integers) -> Integers:
        """The first tick whose nearest step is each global step; NEVER for steps after the piece's end."""
        w = np.clip(np.searchsorted(self.base, steps, side="right") - 1, 0, len(self.base) - 1)
        inside = self.start[w] - (-(2 * (steps - self.base[w]) - 1) * self.tpq // (2 * STEPS_PER_BEAT))
        v = np.maximum(w - 1, 0)  # ticks that round to a window's first step lie at the end of the window before
        ahead = self.start[v] - (-(2 * self.steps[v] - 1) * self.tpq // (2 * STEPS_PER_BEAT))
        first = np.where(w > 0, np.minimum(ahead, self.start[w]), self.start[0])
        ticks = np.where(steps > self.base[w], inside, first)
        return np.where(steps > self.n_steps, NEVER, ticks)


def cut(piece: Piece) -> Windows:
    """The windows of a piece, up to the end of the bar in which its last note ends."""
    end = max(piece.end, 1)
    tpq, size = piece.tpq, BEATS * piece.tpq
    bars = piece.metre.bar_starts(end)
    signature = np.searchsorted(piece.metre.ticks, bars[-1:], side="right") - 1
    stop = int(bars[-1] + piece.metre.bar_lengths()[signature[0]]) if len(bars) else end
    first = int(piece.metre.ticks[0])
    changes = [int(t) for t in piece.metre.ticks if t < end]
    edges: list[Integers] = []
    if first > 0:  # music before the first bar line: a pick-up, counted back from it
        edges.append(np.arange(first % size, first, size) if first % size else np.arange(0, first, size))
        edges[0] = np.union1d([0], edges[0])
    for a, b in zip(changes, [*changes[1:], stop], strict=True):
        edges.append(np.arange(a, b, size, dtype=np.int64))
    start = np.concatenate([*edges]) if edges else np.zeros(1, np.int64)
    ends = np.append(start[1:], max(stop, int(start[-1]) + 1))
    steps = np.ceil((ends - start) * STEPS_PER_BEAT / tpq - 1e-9).astype(np.int64)
    base = np.concatenate([[0], np.cumsum(steps)[:-1]])
    bar = np.searchsorted(bars, start, side="right")
    last_bar = np.searchsorted(bars, ends - 1, side="right")
    return Windows(start, ends, steps, base, bar, last_bar, tpq)
