"""Four-beat segments of a piece (Section 4.1 of the ISMIR paper), cut along its own bar lines.

A window is 4 quarter-beats of 16 steps. Windows start at the first bar line and anew at every change
of metre; what is left over before a change or at the end is a short window, which no edit touches. Ticks are absolute;
a global step is counted from the first step of the first window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fadernets.arrays import Bools, Floats, Integers
from fadernets.music.notes import Piece

BEATS = 4  # quarter-beats a segment
STEPS_PER_BEAT = 4
STEPS = BEATS * STEPS_PER_BEAT
NEVER = 2**62  # a tick that no piece reaches


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

    def start_beat(self) -> Floats:
        """[W] quarter-beats from the start of the file."""
        return self.start / self.tpq

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
