"""Where onsets fall: the odds of an onset at each of 16 steps, learned from pairs of like bars.

The odds depend on the number of onsets that a segment is to have and on whether its source has an onset at the step:
bars of eight onsets are mostly straight eighths, and the first onset of a bar is the last to go. They settle what the
decoder's own scores leave open and are too weak to move anything that need not change. model.json keeps the table
under `habits`.
"""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Bools, Floats, Indices
from fadernets.music.segments import STEPS

CERTAIN = 3.0  # log odds at which the table is clipped
PRIOR = 20  # pseudo-counts: pairs in which the source's onset makes no difference


def learn(source: Bools, target: Bools) -> Floats:
    """Log odds [17, 2, 16] from the onset steps of N pairs, each [N, 16].

    The first axis is the number of onsets in the target, the second whether the source has an onset at the step.
    """
    counts = target.sum(1)
    pairs, onsets = np.zeros((2, STEPS + 1, 2, STEPS))
    for flag in (0, 1):
        here = source == flag
        np.add.at(pairs[:, flag], counts, here)
        np.add.at(onsets[:, flag], counts, here & target)
    either = onsets.sum(1, keepdims=True) / np.maximum(pairs.sum(1, keepdims=True), 1)
    share = (onsets + PRIOR * either) / (pairs + PRIOR)
    edge = 1 / (1 + np.exp(CERTAIN))
    share = np.clip(share, edge, 1 - edge)
    return np.asarray(np.log(share / (1 - share)))


def look_up(table: Floats, source: Bools, count: Indices) -> Floats:
    """[S, 16] log odds for segments whose sources have onsets at source [S, 16] and that are to have count [S]."""
    return np.asarray(table[count[:, None], source.astype(np.int64), np.arange(STEPS)])
