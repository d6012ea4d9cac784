"""A piece rewritten: passages drawn together, the best candidate of each chosen, note density landed on.

T steps of the piece, W segments, K candidates, P = 88 pitches.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fadernets.arrays import Bools, Cells, Floats32
from fadernets.codecs.grid import HOLD, ONSET, PITCHES, without_orphans
from fadernets.data.passage_batches import CONTEXT, Densities, PassageBatch, Row, joined
from fadernets.data.passage_sampler import retrieve, segment_profiles
from fadernets.data.passages import Steps, segment_ends
from fadernets.decoding import passage_choice, passage_landing
from fadernets.decoding.passage_drawing import Constraints, draw
from fadernets.decoding.passage_plan import CLASSES, Passage, alike, classes_nearby, passages, register, shifted
from fadernets.decoding.rewrite_task import NEAR, RewriteTask
from fadernets.engines.rewriter import RewriterEngine

AT_ONCE = 16  # passages drawn at once: what they take of memory
UNTOUCHED = 1e-6  # a segment that is asked for no more than this change of voices, and no onsets, stays


def rewrite(engine: RewriterEngine, task: RewriteTask) -> Cells:
    """[T, 88] the roll of the piece with its edited segments at the levels asked; all else stays."""
    return _Rewriting(engine, task).run()


class _Rewriting:
    """What is known of a piece while it is rewritten, passage by passage."""

    def __init__(self, engine: RewriterEngine, task: RewriteTask) -> None:
        self.engine, self.task = engine, task
        self.ends = segment_ends(task.steps)
        self.roll = task.roll.copy()
        self.onsets, self.voices = task.measured()
        moved = (self.onsets[task.edited] != task.onsets) | (np.abs(self.voices[task.edited] - task.voices) > UNTOUCHED)
        moved |= _against_locks(task)[task.edited]
        self.onsets[task.edited], self.voices[task.edited] = task.onsets, task.voices
        self.near = np.full(len(self.voices), NEAR)
        if task.near is not None:
            self.near[task.edited] = task.near
        self.open = np.zeros(len(self.ends) - 1, bool)  # segments that are not decided yet
        self.open[task.edited[moved]] = True
        self.alike = alike(task)
        self.template: dict[int, int] = {}  # group -> the first of its segments that was decided
        # Where new notes may begin: in the register, and of the classes, of what sounds nearby.
        familiar = classes_nearby(task.roll, task.context)
        self.nearby = register(task.roll) & familiar[:, np.arange(PITCHES) % CLASSES]
        self.profiles = segment_profiles(task.roll, task.steps, self.ends)

    def run(self) -> Cells:
        """The rewritten roll."""
        waiting = passages(self.task)
        total = int(self.open.sum())
        while waiting:
            now: list[Passage] = []
            later: list[Passage] = []
            claimed: set[int] = set()
            for passage in waiting:
                groups = self._undecided_groups(passage)
                if groups & claimed or len(now) >= AT_ONCE:
                    later.append(passage)
                else:
                    claimed |= groups
                    now.append(passage)
            self._draw(now)
            waiting = later
            if self.task.progress:
                self.task.progress(total - int(self.open.sum()), total)
            if self.task.decided and self.open.any():
                self.task.decided(int(self.open.argmax()), lambda: [self.roll])
        return without_orphans(self.roll)

    def _undecided_groups(self, passage: Passage) -> set[int]:
        groups = self.alike.group[passage.first : passage.last][self.open[passage.first : passage.last]]
        return {g for g in groups.tolist() if g >= 0 and g not in self.template}

    def _copy_decided(self, passage: Passage) -> None:
        """Segments that are like a decided one become what that one became."""
        for s in range(passage.first, passage.last):
            group = int(self.alike.group[s])
            if self.open[s] and group in self.template:
                other = self.template[group]
                shift = int(self.alike.low[s] - self.alike.low[other])
                cells = self.roll[self.ends[other] : self.ends[other + 1]]
                self.roll[self.ends[s] : self.ends[s + 1]] = shifted(cells, shift)
                self.open[s] = False

    def _draw(self, now: list[Passage]) -> None:
        """Draw and decide some passages, none of which waits for another."""
        for passage in now:
            self._copy_decided(passage)
        now = [self._sees(p) for p in now if self.open[p.first : p.last].any()]
        if not now:
            return
        rows = [self._row(passage) for passage in now]
        batch = joined(rows, CONTEXT + max(int((~row.retrieved).sum()) for row in rows))
        task = self.task
        levels, constraints = self._levels(batch, now), self._constraints(batch, now)
        drawn = draw(self.engine, batch, *levels, constraints, passage_choice.drawing(task))
        for i, passage in enumerate(now):
            a, b = int(self.ends[passage.sees_first]), int(self.ends[passage.sees_last])
            free = self.open[task.steps.segment[a:b]] & self._inside(passage, a, b)
            options = drawn.cells[i, :, CONTEXT : CONTEXT + b - a]
            pinned = task.locks.pinned[a:b] | ~free[:, None]
            voices = self.voices[task.steps.segment[a:b]]
            best = options[passage_choice.best(self.engine, task, options, voices, free, slice(a, b))]
            near, steps = self.near[task.steps.segment[a:b]], task.steps.take(slice(a, b))
            landed = passage_landing.land(best, task.roll[a:b], pinned, steps, voices, near)
            self.roll[a:b][free] = landed[free]
            for s in range(passage.first, passage.last):
                if self.open[s]:
                    self.open[s] = False
                    if self.alike.group[s] >= 0:
                        self.template.setdefault(int(self.alike.group[s]), s)

    def _sees(self, passage: Passage) -> Passage:
        """The passage without neighbours that are not decided yet, nor those behind them."""
        first, last = passage.sees_first, passage.sees_last
        left = np.flatnonzero(self.open[first : passage.first])
        right = np.flatnonzero(self.open[passage.last : last])
        first = first + int(left[-1]) + 1 if len(left) else first
        last = passage.last + int(right[0]) if len(right) else last
        return replace(passage, sees_first=first, sees_last=last)

    def _inside(self, passage: Passage, a: int, b: int) -> Bools:
        segment = self.task.steps.segment[a:b]
        return np.asarray((segment >= passage.first) & (segment < passage.last))

    def _row(self, passage: Passage) -> Row:
        """A passage as the model reads it, with segments like it from elsewhere in the source."""
        task, ends = self.task, self.ends
        a, b = int(ends[passage.sees_first]), int(ends[passage.sees_last])
        asked = self.onsets[passage.first : passage.last], self.voices[passage.first : passage.last]
        length = np.add.reduceat(task.steps.sixteenths, task.steps.starts)[passage.first : passage.last]
        levels = float((asked[0] / length).mean()), float(asked[1].mean())
        rng = np.random.default_rng([task.seed, passage.first])
        parts = [
            slice(int(ends[s]), int(ends[s + 1]))
            for s in retrieve(self.profiles, ends, passage.sees_first, passage.sees_last, rng, levels)
        ]
        ahead = sum(part.stop - part.start for part in parts)
        parts.append(slice(a, b))
        rows = np.concatenate([np.arange(part.start, part.stop) for part in parts])
        steps = task.steps.take(rows)
        numbers = np.concatenate([np.full(p.stop - p.start, 10**6 * i) for i, p in enumerate(parts)]) + steps.segment
        steps = Steps(numbers, *(getattr(steps, k) for k in list(Steps.__dataclass_fields__)[1:]))
        free = self.open[task.steps.segment[rows]]
        free[:ahead] = False
        free[ahead:] &= self._inside(passage, a, b)
        source = np.where(free[:, None], task.roll[rows], self.roll[rows])
        target = self.roll[rows].copy()
        source[ahead:] = without_orphans(source[ahead:], source[ahead] == HOLD)
        return Row(
            source,
            target,
            task.context[rows],
            steps,
            ~free,
            np.arange(len(rows)) < ahead,
            passage_choice.kept_share(task),
        )

    def _levels(self, batch: PassageBatch, now: list[Passage]) -> tuple[Floats32, Floats32]:
        """[B, T] onset steps and voices that are asked of each step's segment; what stays has its own."""
        own = Densities(batch, batch.target)
        onsets, voices = own.onsets.copy(), own.voices.copy()
        for i, passage in enumerate(now):
            a = int(self.ends[passage.sees_first])
            at = np.flatnonzero(~batch.fixed[i] & ~batch.padding[i])
            segment = self.task.steps.segment[a + at - CONTEXT]
            onsets[i, at], voices[i, at] = self.onsets[segment], self.voices[segment]
        return onsets, voices

    def _constraints(self, batch: PassageBatch, now: list[Passage]) -> Constraints:
        """The locks of the piece on the steps of passages, and segments that repeat others of their passage."""
        free = Constraints.none(batch)
        locks = self.task.locks
        for i, passage in enumerate(now):
            a, b = int(self.ends[passage.sees_first]), int(self.ends[passage.sees_last])
            at = slice(CONTEXT, CONTEXT + b - a)
            free.pinned[i, at] = locks.pinned[a:b]
            near = locks.allowed[a:b] & self.nearby[a:b]
            free.allowed[i, at] = np.where(near.any(-1, keepdims=True), near, locks.allowed[a:b])
            free.must_onset[i, at], free.never_onset[i, at] = locks.must_onset[a:b], locks.never_onset[a:b]
            first: dict[int, int] = {}
            for s in range(passage.first, passage.last):
                group = int(self.alike.group[s])
                if not self.open[s] or group < 0:
                    continue
                if group not in first:
                    first[group] = s
                    continue
                c, d = int(self.ends[s]), int(self.ends[s + 1])
                here = slice(CONTEXT + c - a, CONTEXT + d - a)
                free.copy_from[i, here] = np.arange(self.ends[first[group]], self.ends[first[group] + 1]) - a + CONTEXT
                free.copy_shift[i, here] = self.alike.low[s] - self.alike.low[first[group]]
        return free


def _against_locks(task: RewriteTask) -> Bools:
    """[W] segments that strike where they must not, or do not where they must."""
    struck = (task.roll == ONSET).any(-1)
    stays = (task.locks.pinned & (task.roll == ONSET)).any(-1)
    against = (task.locks.must_onset & ~struck) | (task.locks.never_onset & struck & ~stays)
    return np.asarray(np.bincount(task.steps.segment, against) > 0)
