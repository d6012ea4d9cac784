"""Where the onsets of an edit fall: a pattern for each segment, chosen before any note is.

A pattern is drawn in proportion to how real music would have it after the segments before (`engines.rhythm`), times how
much of the source it keeps: where onset steps are taken away, those with many notes tend to stay, and where some are
added, nearly all stay. So bars of a passage go the same way, and no decision of one step has to foresee the next.
Segments that keep their number of onsets keep their pattern, and repeats get the pattern of what they repeat. T steps
of the piece, W segments, S of them edited, n steps of a segment, K tracks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fadernets.arrays import Bools, Cells, Floats, Integers
from fadernets.codecs.grid import ONSET
from fadernets.data.passages import Steps, segment_ends
from fadernets.decoding.passage_plan import alike
from fadernets.decoding.rewrite_task import Locks, RewriteTask
from fadernets.engines.rhythm import BEFORE, NEVER, Rhythm, draw_pattern, step_features

# Nats, chosen on validation pieces (docs/lab.md).
KEPT_BY_NOTES = 2.0  # of a step of the source where some must go, for each doubling of the notes it strikes and one
NEW_WHERE_SOME_GO = 4.5  # against a step that the source does not strike
KEPT_WHERE_SOME_COME = 4.5  # of a step of the source
END = 6.0  # of the last onset of the piece, and against any step behind it: its last chord stays the last


@dataclass(frozen=True)
class Plan:
    """Onset steps of a piece."""

    struck: Bools  # [T]
    decided: Bools  # [T] steps of segments that were planned
    drawn: Integers  # [W] the segment whose chances each has: itself, or the first of those that are like it


def planned(rhythm: Rhythm, task: RewriteTask) -> Plan:
    """The patterns of the edited segments, with as many onsets as are asked, or as near to that as locks allow."""
    struck, decided = (task.roll == ONSET).any(-1), np.zeros(len(task.roll), bool)
    notes = (task.roll == ONSET).sum(-1)
    ends = segment_ends(task.steps)
    groups = alike(task).group
    known: dict[int, int] = {}  # group -> the first of its segments
    last = _last_onset(task)
    drawn = np.arange(len(ends) - 1)
    for s, count in zip(task.edited.tolist(), task.onsets.tolist(), strict=True):
        at = slice(int(ends[s]), int(ends[s + 1]))
        decided[at] = True
        first = known.setdefault(int(groups[s]), s) if groups[s] >= 0 else s
        drawn[s] = first
        if first != s:
            struck[at] = struck[ends[first] : ends[first + 1]]
            continue
        given = _preferred(task, at, struck[at], notes[at], count, last)
        must, never = np.isposinf(given), np.isneginf(given)
        count = int(np.clip(count, must.sum(), len(given) - never.sum()))
        if count == struck[at].sum() and not (must & ~struck[at]).any() and not (never & struck[at]).any():
            continue
        steps = task.steps.take(at)
        before = [_pattern_before(task.steps, steps, struck, ends, s - k) for k in range(1, BEFORE + 1)]
        chances = np.random.default_rng([task.seed, s]).random(len(given))
        struck[at] = draw_pattern(rhythm.log_odds(step_features(steps, count, before)), count, given, chances)
    return Plan(struck, decided, drawn)


def locked(locks: Locks, plan: Plan) -> Locks:
    """The locks of a roll, with onsets where, and only where, the plan has them."""
    return replace(
        locks,
        must_onset=locks.must_onset | (plan.decided & plan.struck),
        never_onset=locks.never_onset | (plan.decided & ~plan.struck),
    )


def shared_out(plan: Plan, task: RewriteTask, rolls: Sequence[Cells], locks: Sequence[Locks]) -> list[Plan]:
    """The plans of K tracks [T, 88]: each keeps what it strikes of the common plan.

    New steps of a segment all go to one track that its locks leave open, drawn by how much each strikes there.
    """
    own = np.stack([(roll == ONSET).any(-1) for roll in rolls])  # K T
    new = plan.struck & ~own.any(0)
    struck = own & plan.struck
    opened = np.stack([(each.allowed & ~each.pinned).any(-1) & ~each.never_onset for each in locks])  # K T
    ends = segment_ends(task.steps)
    for s in task.edited.tolist():
        at = slice(int(ends[s]), int(ends[s + 1]))
        if new[at].any():
            weight = (own[:, at].sum(1) + 1e-6 * (own.sum(1) + 1)) * (opened[:, at] | ~new[at]).all(1)
            chance = np.random.default_rng([task.seed, int(plan.drawn[s]), 1]).random() * weight.sum()
            track = int(np.searchsorted(np.cumsum(weight), chance, side="right").clip(0, len(rolls) - 1))
            struck[track, at] |= new[at]
    return [replace(plan, struck=each) for each in struck]


def _preferred(task: RewriteTask, at: slice, struck: Bools, notes: Integers, count: int, last: int) -> Floats:
    """[n] nats that an onset gains at each step of a segment; infinite where locks decide.

    last: the step of the piece in which its last note begins."""
    locks = task.locks
    if count < struck.sum():
        kept = np.where(struck, KEPT_BY_NOTES * np.log2(notes + 1), -NEW_WHERE_SOME_GO)
    else:
        kept = np.where(struck, KEPT_WHERE_SOME_COME, 0.0)
    kept = task.faithfulness * kept
    here = np.arange(at.start, at.stop)
    kept = kept + END * (here == last) - END * (here > last)
    stays = (locks.pinned[at] & (task.roll[at] == ONSET)).any(-1)
    closed = locks.never_onset[at] | ~(locks.allowed[at] & ~locks.pinned[at]).any(-1)
    kept = np.where(closed, NEVER, kept)
    return np.where(stays | locks.must_onset[at], np.inf, kept)


def _last_onset(task: RewriteTask) -> int:
    """The last step of the piece in which a note begins, on whatever track; -1 where none does."""
    struck = (task.roll == ONSET).any(-1) | (task.context == ONSET).any(-1)
    return int(np.flatnonzero(struck)[-1]) if struck.any() else -1


def _pattern_before(whole: Steps, here: Steps, struck: Bools, ends: Integers, s: int) -> Bools | None:
    """The pattern of segment s, where there is one on the same steps as `here`."""
    if s < 0:
        return None
    at = slice(int(ends[s]), int(ends[s + 1]))
    return struck[at] if whole.take(at).are_cut_as(here) else None
