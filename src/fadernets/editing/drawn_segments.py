"""What a rewriter drew of single segments while faders are dragged, so that a draft draws only a few that are new.

A fader on its way asks most segments for the same onset steps and voices as a moment ago. Where many ask for something
new, the others stay as they were drawn for the nearest levels, and the next draft goes on. T steps, S edited segments,
K tracks.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

import numpy as np

from fadernets.arrays import Cells, Indices
from fadernets.codecs import grid
from fadernets.data.passages import segment_ends
from fadernets.decoding.rewrite_task import RewriteTask

MOST_CELLS = 12 * 2**20  # bytes that are kept
MOST_AT_ONCE = 4  # segments that one draft draws
TOGETHER, NEIGHBOURS = 1, 0  # of a passage in a draft: passages are drawn at once, so that short ones take less time
VOICE_STEPS = 4.0  # onset steps that weigh as much as a voice, where the nearest levels are looked for
Draw = Callable[[RewriteTask], list[Cells]]
Levels = tuple[int, float]  # onset steps, voices


class DrawnSegments:
    """Cells of segments by all that was known and asked of them. For one thread."""

    def __init__(self) -> None:
        self._cells: dict[Hashable, dict[Levels, list[Cells]]] = {}
        self.bytes_taken = 0
        self.is_behind = False  # whether the last answer had segments that wait for their levels

    def clear(self) -> None:
        """Forget all of them."""
        self._cells.clear()
        self.bytes_taken = 0

    def answer(self, task: RewriteTask, sources: Sequence[Cells], draw: Draw) -> list[Cells]:
        """K rolls [T, 88] with the edited segments of a task, of which `draw` gives those that are not known yet.

        sources: the K rolls before the edit.
        """
        if self.bytes_taken > MOST_CELLS:
            self.clear()
        ends = segment_ends(task.steps)
        spans = [slice(int(ends[s]), int(ends[s + 1])) for s in task.edited.tolist()]
        known = [self._cells.setdefault(self._key(task, at, sources), {}) for at in spans]
        levels = [(int(n), round(float(v), 3)) for n, v in zip(task.onsets, task.voices, strict=True)]
        missing = np.array([i for i, those in enumerate(known) if levels[i] not in those], np.int64)
        now = self._first(missing, [_nearest(known[i], levels[i]) for i in missing.tolist()])
        self.is_behind = len(now) < len(missing)
        if len(now):
            rolls = draw(_only(task, now))
            for i in now.tolist():
                known[i][levels[i]] = [roll[spans[i]].copy() for roll in rolls]
                self.bytes_taken += 3 * sum(each.nbytes for each in known[i][levels[i]])  # with its key
        out = [source.copy() for source in sources]
        for those, wanted, at in zip(known, levels, spans, strict=True):
            found = wanted if wanted in those else _nearest(those, wanted)[1]
            if found is not None:
                for roll, cells in zip(out, those[found], strict=True):
                    roll[at] = cells
        return [grid.without_orphans(roll) for roll in out]

    def _first(self, missing: Indices, nearest: Sequence[tuple[float, Levels | None]]) -> Indices:
        """The segments to draw now: those furthest from what they have, of these the ones in the middle."""
        from_middle = np.abs(np.arange(len(missing)) - (len(missing) - 1) / 2)
        order = np.lexsort((from_middle, [-distance for distance, _ in nearest]))
        return np.sort(missing[order[:MOST_AT_ONCE]])

    def _key(self, task: RewriteTask, at: slice, sources: Sequence[Cells]) -> Hashable:
        locks = task.locks
        return (
            task.faithfulness,
            task.seed,
            at.start,
            task.steps.place[at].tobytes(),
            task.steps.division[at].tobytes(),
            *(source[at].tobytes() for source in sources),
            task.context[at].tobytes(),
            np.packbits(locks.pinned[at]).tobytes(),
            np.packbits(locks.allowed[at]).tobytes(),
            locks.must_onset[at].tobytes(),
            locks.never_onset[at].tobytes(),
        )


def _only(task: RewriteTask, those: Indices) -> RewriteTask:
    """A task of some of its edited segments [S] alone."""
    near = None if task.near is None else task.near[those]
    return replace(
        task,
        edited=task.edited[those],
        onsets=task.onsets[those],
        voices=task.voices[those],
        near=near,
        together=TOGETHER,
        neighbours=NEIGHBOURS,
    )


def _nearest(known: dict[Levels, list[Cells]], wanted: Levels) -> tuple[float, Levels | None]:
    """How far the nearest levels that were drawn are, and which they are; infinitely far where none were."""
    far = {levels: abs(levels[0] - wanted[0]) + VOICE_STEPS * abs(levels[1] - wanted[1]) for levels in known}
    best = min(far, key=lambda levels: far[levels], default=None)
    return (np.inf, None) if best is None else (far[best], best)
