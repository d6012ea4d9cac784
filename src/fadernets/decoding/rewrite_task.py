"""What an edit asks of a rewriter: the roll of a piece, the levels of its segments, and what must stay.

T steps of the piece, W segments, S of them edited, P = 88 pitches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from fadernets.arrays import Bools, Cells, Floats, Indices, Integers
from fadernets.codecs.grid import OFF, ONSET, PITCHES
from fadernets.data.passages import MAX_VOICES, Steps

PASSAGE = 4  # segments that are drawn together in an edit
NEIGHBOURS = 2  # segments on each side of a passage that it sees
NEAR = 0.05  # voices: no nearer is a note density brought that is to move; each end that moves makes it less like music
Progress = Callable[[int, int], None]  # how many segments are done, of how many
Rolls = Callable[[], Sequence[Cells]]  # gives the roll [T, 88] so far of each track that is rewritten
# How many of the first segments are decided: no cell of theirs changes any more, but for holds without an onset, which
# go. It is not called once all are decided, since the answer follows.
Decided = Callable[[int, Rolls], None]


@dataclass(frozen=True)
class Locks:
    """Hard constraints on the steps of a piece, besides the cells that stay."""

    pinned: Bools  # [T, 88] cells that stay as they are
    allowed: Bools  # [T, 88] where a new note may begin
    must_onset: Bools  # [T] a note begins here
    never_onset: Bools  # [T] none begins here, but for pinned ones

    @classmethod
    def none(cls, steps: int, pinned: Bools | None = None) -> Locks:
        """No constraint but these pinned cells."""
        shape = steps, PITCHES
        pinned = np.zeros(shape, bool) if pinned is None else pinned
        return cls(pinned, np.ones(shape, bool), np.zeros(steps, bool), np.zeros(steps, bool))


@dataclass(frozen=True)
class RewriteTask:
    """One edit of one piece."""

    roll: Cells  # [T, 88] of the tracks that are edited
    context: Cells  # [T, 88] of the other pitched tracks
    steps: Steps  # [T]
    edited: Indices  # [S] segments, ascending
    onsets: Integers  # [S] onset steps that are asked
    voices: Floats  # [S] sounding notes that are asked, mean over time
    locks: Locks
    faithfulness: float = 1.0  # 1 keeps as much of the source as the levels allow
    candidates: int = 1  # of each passage
    seed: int = 0
    others: Sequence[Cells] = ()  # rolls [T, 88] of variations to keep away from
    near: Floats | None = None  # [S] voices within which note density lands; NEAR where None
    together: int = PASSAGE  # segments that are drawn together; fewer take less time and hear less of each other
    neighbours: int = NEIGHBOURS  # segments on each side that they see
    progress: Progress | None = field(default=None, compare=False)
    decided: Decided | None = field(default=None, compare=False)  # hears what is decided before all is

    def measured(self) -> tuple[Integers, Floats]:
        """[W] onset steps and voices that the segments have."""
        starts = self.steps.starts
        length = self.steps.sixteenths.astype(np.float64)
        struck = (self.roll == ONSET).any(-1)
        onsets = np.add.reduceat(struck.astype(np.int64), starts)
        voices = np.minimum((self.roll != OFF).sum(-1), MAX_VOICES) * length
        return onsets, np.add.reduceat(voices, starts) / np.maximum(np.add.reduceat(length, starts), 1e-9)
