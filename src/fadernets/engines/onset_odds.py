"""Where onsets fall: the odds of an onset at each of 16 steps, learned from pairs of like bars.

Given how many onsets a segment is to have and whether its source has one at the step: real bars of eight
onsets are straight eighths, and a bar gives up its first onset last. What the decoder's own scores leave
open is settled by this; it is too weak to move anything that is at rest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fadernets.music.segments import STEPS

CERTAIN = 3.0  # log odds beyond which more evidence says no more
PRIOR = 20  # pairs' worth of belief that a step does not care about its source
Floats = NDArray[np.float64]


def learn(source: NDArray[np.bool_], target: NDArray[np.bool_]) -> Floats:
    """Log odds [17, 2, 16] from onset steps of pairs [N, 16]: by onsets of the target, by the source's onset."""
    counts = target.sum(1)
    seen, onsets = np.zeros((2, STEPS + 1, 2, STEPS))
    for flag in (0, 1):
        here = source == flag
        np.add.at(seen[:, flag], counts, here)
        np.add.at(onsets[:, flag], counts, here & target)
    either = onsets.sum(1, keepdims=True) / np.maximum(seen.sum(1, keepdims=True), 1)
    share = (onsets + PRIOR * either) / (seen + PRIOR)
    edge = 1 / (1 + np.exp(CERTAIN))
    share = np.clip(share, edge, 1 - edge)
    return np.asarray(np.log(share / (1 - share)))


def look_up(habits: Floats, source: NDArray[np.bool_], count: NDArray[np.int64]) -> Floats:
    """[S, 16] log odds for segments with onsets source [S, 16] that are to have count [S] of them."""
    return np.asarray(habits[count[:, None], source.astype(np.int64), np.arange(STEPS)])
