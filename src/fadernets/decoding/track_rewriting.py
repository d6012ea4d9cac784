"""Several tracks rewritten each as itself, with the others as its context, so that a melody stays a melody.

Onset steps are planned for all tracks together, and each track keeps its part of the plan; voices are shared out by
what each has. Tracks come in turn, the busiest last, so that in each segment the last track that plays makes up what is
missing. T steps of the piece, W segments, S of them edited, K tracks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from fadernets.arrays import Bools, Cells, Floats
from fadernets.codecs import grid
from fadernets.codecs.grid import HOLD, OFF, ONSET
from fadernets.decoding import passage_landing, rhythm_plan
from fadernets.decoding.rewrite_task import NEAR, Decided, Locks, Progress, RewriteTask, Rolls
from fadernets.decoding.rhythm_plan import Plan

ROUNDING = 0.02  # voices
Rewrite = Callable[[RewriteTask], Cells]


def rewrite_tracks(
    rewrite: Rewrite, task: RewriteTask, rolls: Sequence[Cells], locks: Sequence[Locks], plan: Plan
) -> list[Cells]:
    """The rolls [T, 88] of K tracks, which together have what a task asks of their common roll.

    rewrite: what rewrites one roll. locks: those of each track. plan: the onset steps of the common roll. A track that
    is silent in a segment stays silent there, unless no track plays there.
    """
    now = [roll.copy() for roll in rolls]
    order = np.argsort([int((roll == ONSET).any(-1).sum()) for roll in rolls], kind="stable").tolist()
    own = {k: replace(task, roll=rolls[k]).measured() for k in order}  # onset steps and voices of every segment
    voice_share = task.voices / np.maximum(task.measured()[1][task.edited], 1e-9)
    steps = np.bincount(task.steps.segment)[task.edited]
    plans = rhythm_plan.shared_out(plan, task, rolls, locks)
    onsets = {k: np.bincount(task.steps.segment, plans[k].struck)[task.edited].astype(np.int64) for k in order}
    plays = {k: (own[k][0][task.edited] > 0) | (onsets[k] > 0) for k in order}
    last = max((i for i, k in enumerate(order) if plays[k].any()), default=0)
    for i, k in enumerate(order):
        chosen = np.flatnonzero(plays[k])
        if not len(chosen):
            continue
        later = order[i + 1 :]
        closes = ~np.any([plays[j] for j in later], axis=0) if later else np.ones(len(task.edited), bool)
        others = [now[j] for j in order if j != k]
        loud = np.where(closes, _rest(task, others), own[k][1][task.edited] * voice_share)[chosen]
        now[k] = rewrite(
            replace(
                task,
                roll=now[k],
                context=common_roll([task.context, *others]),
                edited=task.edited[chosen],
                onsets=onsets[k][chosen],
                voices=np.maximum(loud, 1 / steps[chosen]),
                near=None if task.near is None else task.near[chosen],
                locks=rhythm_plan.locked(locks[k], plans[k]),
                progress=_share_of_progress(task, i, len(order)),
                decided=_of_all_tracks(task, now, k, order, rolls, locks) if i == last else None,
            )
        )
    return _all_landed(task, now, order, rolls, locks)


def _of_all_tracks(
    task: RewriteTask, now: list[Cells], k: int, order: list[int], rolls: Sequence[Cells], locks: Sequence[Locks]
) -> Decided | None:
    """What hears what is decided of track k, the last one to be rewritten, and tells of all tracks.

    Where a segment lands depends on how the next one begins, so that one segment less is decided of all tracks.
    """
    decided = task.decided
    if decided is None:
        return None

    def heard(count: int, of_track: Rolls) -> None:
        def landed() -> list[Cells]:
            those = task.edited < count
            part = replace(
                task,
                edited=task.edited[those],
                onsets=task.onsets[those],
                voices=task.voices[those],
                near=None if task.near is None else task.near[those],
            )
            so_far = [*now]
            so_far[k] = grid.without_orphans(of_track()[0])
            return _all_landed(part, so_far, order, rolls, locks)

        if count > 1:
            decided(count - 1, landed)

    return heard


def _all_landed(
    task: RewriteTask, now: Sequence[Cells], order: list[int], rolls: Sequence[Cells], locks: Sequence[Locks]
) -> list[Cells]:
    """The rolls of the tracks, landed one by one."""
    landed = [*now]
    for k in reversed(order):
        landed[k] = _landed(task, landed, k, rolls[k], locks[k])
    return landed


def _share_of_progress(task: RewriteTask, i: int, tracks: int) -> Progress | None:
    """Progress of the i-th of several tracks, counted in the edited segments of all."""
    progress, count = task.progress, len(task.edited)
    if progress is None:
        return None
    return lambda done, total: progress(i * count + count * done // max(total, 1), tracks * count)


def _landed(task: RewriteTask, now: Sequence[Cells], k: int, source: Cells, locks: Locks) -> Cells:
    """The roll of track k with ends of notes moved where all tracks together miss the voices that are asked."""
    voices = replace(task, roll=common_roll(now)).measured()[1]
    missing = np.zeros(len(voices))
    missing[task.edited] = task.voices - voices[task.edited]
    own = replace(task, roll=now[k]).measured()[1]
    near = np.full(len(voices), NEAR)
    near[task.edited] = NEAR if task.near is None else task.near
    off = np.abs(missing) > near + ROUNDING
    if not off.any():
        return now[k]
    wanted = np.where(off, np.maximum(own + missing, 0), own)[task.steps.segment]
    others: Bools = np.any([roll != OFF for j, roll in enumerate(now) if j != k], axis=0)
    # What another track sounds too is heard as before, however long this one holds it.
    pinned = locks.pinned | others | ~off[task.steps.segment][:, None]
    return passage_landing.land(now[k], source, pinned, task.steps, wanted, others=np.any(others, axis=1))


def common_roll(rolls: Sequence[Cells]) -> Cells:
    """[T, 88] what several tracks strike and hold together."""
    struck: Bools = np.any([roll == ONSET for roll in rolls], axis=0)
    sounding: Bools = np.any([roll != OFF for roll in rolls], axis=0)
    return np.where(struck, ONSET, np.where(sounding, HOLD, OFF)).astype(np.uint8)


def _rest(task: RewriteTask, others: list[Cells]) -> Floats:
    """[S] the voices that are left to a track when the others sound as they do."""
    if not others:
        return task.voices
    heard = replace(task, roll=common_roll(others)).measured()[1][task.edited]
    return np.maximum(task.voices - heard, 0.0)
