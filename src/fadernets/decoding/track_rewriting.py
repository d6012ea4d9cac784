"""Several tracks rewritten each as itself, with the others as its context, so that a melody stays a melody.

What is asked of all tracks together is shared out by what each has: a track that strikes a third of the steps takes a
third of the move. In every segment the busiest track comes last and makes up what is missing, so that the tracks
together land. T steps of the piece, W segments, S of them edited, K tracks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from fadernets.arrays import Bools, Cells, Floats, Integers
from fadernets.codecs.grid import OFF, ONSET
from fadernets.decoding.rewrite_task import Locks, RewriteTask

Rewrite = Callable[[RewriteTask], Cells]


def rewrite_tracks(rewrite: Rewrite, task: RewriteTask, rolls: Sequence[Cells], locks: Sequence[Locks]) -> list[Cells]:
    """The rolls [T, 88] of K tracks, which together have what a task asks of their common roll.

    rewrite: what rewrites one roll. locks: those of each track. A track that is silent in a segment stays silent there.
    """
    now = [roll.copy() for roll in rolls]
    parts = [replace(task, roll=roll) for roll in rolls]
    own = [part.measured() for part in parts]  # onset steps and voices of every segment, a pair a track
    onsets = np.stack([onset[task.edited] for onset, _ in own])  # K S
    voices = np.stack([voice[task.edited] for _, voice in own])
    together, sounding = (x[task.edited] for x in task.measured())
    asked_onsets = np.round(onsets * (task.onsets / np.maximum(together, 1)))
    asked_voices = voices * (task.voices / np.maximum(sounding, 1e-9))
    last = onsets.argmax(0)  # S
    sounds = onsets > 0
    steps = _steps(task)
    for closing in (False, True):
        for k in range(len(now)):
            chosen = np.flatnonzero(sounds[k] & ((last == k) == closing))
            if not len(chosen):
                continue
            others = [now[j] for j in range(len(now)) if j != k]
            wanted, loud = asked_onsets[k, chosen], asked_voices[k, chosen]
            counted = None
            if closing:
                counted = np.any([(x == ONSET).any(-1) for x in others], axis=0) if others else None
                wanted, loud = task.onsets[chosen].astype(np.float64), _rest(task, others, chosen)
            fewest = np.maximum(np.minimum(wanted, steps[chosen]), 1).astype(np.int64)
            part = replace(
                task,
                roll=now[k],
                context=_over([task.context, *others]),
                edited=task.edited[chosen],
                onsets=fewest,
                voices=np.maximum(loud, fewest / steps[chosen] if counted is None else 1e-3),
                locks=locks[k],
                others=(),
                counted=counted,
                progress=None,
            )
            now[k] = rewrite(part)
    return now


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


def _rest(task: RewriteTask, others: list[Cells], chosen: Integers) -> Floats:
    """The voices that are left to a track when the others sound as they do."""
    if not others:
        return task.voices[chosen]
    heard = replace(task, roll=_over(others)).measured()[1][task.edited[chosen]]
    return np.maximum(task.voices[chosen] - heard, 0.0)
