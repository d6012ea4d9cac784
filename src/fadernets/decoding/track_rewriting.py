"""Several tracks rewritten each as itself, with the others as its context, so that a melody stays a melody.

What is asked of all tracks together is shared out by what each has. Tracks come in turn, the busiest last: those that
have had theirs strike, together with the one whose turn it is, as large a share of the asked steps as they struck of
the source's steps; in each segment the last track that plays thus makes up what is missing. T steps of the piece,
W segments, S of them edited, K tracks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from fadernets.arrays import Bools, Cells, Floats, Integers
from fadernets.codecs.grid import OFF, ONSET
from fadernets.decoding import passage_landing
from fadernets.decoding.rewrite_task import Locks, Progress, RewriteTask

NEAR = 0.1  # voices: a miss that is left as it is
Rewrite = Callable[[RewriteTask], Cells]


def rewrite_tracks(rewrite: Rewrite, task: RewriteTask, rolls: Sequence[Cells], locks: Sequence[Locks]) -> list[Cells]:
    """The rolls [T, 88] of K tracks, which together have what a task asks of their common roll.

    rewrite: what rewrites one roll. locks: those of each track. A track that is silent in a segment stays silent there.
    """
    now = [roll.copy() for roll in rolls]
    order = np.argsort([int((roll == ONSET).any(-1).sum()) for roll in rolls], kind="stable").tolist()
    own = {k: replace(task, roll=rolls[k]).measured() for k in order}  # onset steps and voices of every segment
    together, sounding = (x[task.edited] for x in task.measured())
    onset_share = task.onsets / np.maximum(together, 1)
    voice_share = task.voices / np.maximum(sounding, 1e-9)
    steps = _steps(task)
    for i, k in enumerate(order):
        plays = own[k][0][task.edited] > 0
        chosen = np.flatnonzero(plays)
        if not len(chosen):
            continue
        done, later = order[:i], order[i + 1 :]
        so_far = replace(task, roll=_over([rolls[j] for j in (*done, k)])).measured()[0][task.edited]
        wanted = np.minimum(np.round(so_far * onset_share), steps)
        closes = ~np.any([own[j][0][task.edited] > 0 for j in later], axis=0) if later else np.ones(len(plays), bool)
        wanted = np.where(closes, task.onsets, wanted)[chosen]
        others = [now[j] for j in order if j != k]
        counted = np.any([(now[j] == ONSET).any(-1) for j in done], axis=0) if done else None
        loud = np.where(closes, _rest(task, others), own[k][1][task.edited] * voice_share)[chosen]
        already = np.zeros(len(chosen)) if counted is None else _count(task, counted)[chosen]
        now[k] = rewrite(
            replace(
                task,
                roll=now[k],
                context=_over([task.context, *others]),
                edited=task.edited[chosen],
                onsets=np.maximum(np.maximum(wanted, already), 1).astype(np.int64),
                voices=np.maximum(loud, 1 / steps[chosen]),
                locks=locks[k],
                counted=counted,
                progress=_share_of_progress(task, i, len(order)),
            )
        )
    for k in reversed(order):
        now[k] = _landed(task, now, k, rolls[k], locks[k])
    return now


def _share_of_progress(task: RewriteTask, i: int, tracks: int) -> Progress | None:
    """Progress of the i-th of several tracks, counted in the edited segments of all."""
    progress, count = task.progress, len(task.edited)
    if progress is None:
        return None
    return lambda done, total: progress(i * count + count * done // max(total, 1), tracks * count)


def _landed(task: RewriteTask, now: Sequence[Cells], k: int, source: Cells, locks: Locks) -> Cells:
    """The roll of track k with ends of notes moved where all tracks together miss the voices that are asked."""
    voices = replace(task, roll=_over(list(now))).measured()[1]
    missing = np.zeros(len(voices))
    missing[task.edited] = task.voices - voices[task.edited]
    own = replace(task, roll=now[k]).measured()[1]
    off = np.abs(missing) > NEAR
    if not off.any():
        return now[k]
    wanted = np.where(off, np.maximum(own + missing, 0), own)[task.steps.segment]
    pinned = locks.pinned | ~off[task.steps.segment][:, None]
    return passage_landing.land(now[k], source, pinned, task.steps, wanted)


def _count(task: RewriteTask, steps: Bools) -> Floats:
    """[S] how many of some steps [T] lie in each edited segment."""
    return np.asarray(np.bincount(task.steps.segment, steps)[task.edited], np.float64)


def common_roll(rolls: Sequence[Cells]) -> Cells:
    """[T, 88] what several tracks strike and hold together."""
    return _over(list(rolls))


def _over(rolls: list[Cells]) -> Cells:
    struck: Bools = np.any([roll == ONSET for roll in rolls], axis=0)
    sounding: Bools = np.any([roll != OFF for roll in rolls], axis=0)
    return np.where(struck, ONSET, np.where(sounding, 2, OFF)).astype(np.uint8)


def _steps(task: RewriteTask) -> Integers:
    """[S] how many steps the edited segments have."""
    return np.asarray(np.bincount(task.steps.segment)[task.edited], np.int64)


def _rest(task: RewriteTask, others: list[Cells]) -> Floats:
    """[S] the voices that are left to a track when the others sound as they do."""
    if not others:
        return task.voices
    heard = replace(task, roll=_over(others)).measured()[1][task.edited]
    return np.maximum(task.voices - heard, 0.0)
