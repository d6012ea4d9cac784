"""The last notes of a turned melody: split, joined or moved until a clip measures what was asked.

A decode comes near to the asked number of onsets and mean pitch; here single notes change where the decoder's own
scores lose the least. Clips [32] are changed in place; scores [32, 130] are nats of each state at each step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Floats32, States
from fadernets.codecs import melody_states
from fadernets.codecs.melody_states import HOLD, ONSETS, REST

NEVER = -1e4  # nats of a state that is ruled out
FURTHEST = 3  # semitones that a note moves to land
# Nats for a mean pitch that is off by the tolerance, and those on top for each further time:
MISSED, FAR = 3.0, 15.0


def land_onsets(states: States, scores: Floats32, asked: int) -> None:
    """Split or join the notes of a clip until as many begin as asked, each time where that costs the least score.

    Where no note is left to split, rests become notes; where no note follows another directly, notes become rests.
    """
    while (count := int(melody_states.onsets(states))) != asked:
        sounding, onset = melody_states.sounding(states), states < ONSETS
        if count < asked:
            steps = np.flatnonzero((states == HOLD) & (sounding >= 0))
            becomes = sounding[steps].astype(np.int64)
            if not len(steps):
                steps = np.flatnonzero(~onset & (scores[:, :ONSETS].max(1) > NEVER / 2))
                becomes = scores[steps, :ONSETS].argmax(1)
        else:
            steps = np.flatnonzero(onset & np.append(False, states[:-1] != REST))
            becomes = np.full(len(steps), HOLD)
            if not len(steps):
                steps = np.flatnonzero(onset)
                becomes = np.full(len(steps), REST)
        if not len(steps):
            return
        i = int(np.argmax(scores[steps, becomes] - scores[steps, states[steps]]))
        states[steps[i]] = becomes[i]
        states[:] = melody_states.tidy(states, held=True)


def land_pitch(
    states: States,
    scores: Floats32,
    asked: float,
    tolerance: float,
    contour: NDArray[np.integer],
    contour_cost: float,
) -> None:
    """Move the notes of a clip by up to FURTHEST semitones so that their mean comes to the asked pitch.

    All notes are decided together, by dynamic programming over the sum of their moves. It loses as little score as
    possible, pays `contour_cost` nats wherever two neighbours no longer rise, fall or repeat as `contour` [32] does
    between them, and leaves the mean within about `tolerance` semitones. A clip without notes stays as it is.
    """
    steps = np.flatnonzero(states < ONSETS)
    if not len(steps):
        return
    source, trend = states[steps].astype(np.int64), np.sign(np.diff(contour[steps].astype(np.int64)))
    moves = np.arange(-FURTHEST, FURTHEST + 1)
    pitches = source[:, None] + moves  # [N, K]
    inside = (pitches >= 0) & (pitches < ONSETS)
    pitches = np.clip(pitches, 0, ONSETS - 1)
    score = scores[steps[:, None], pitches]
    gain = np.where(inside & ((score > NEVER / 2) | (moves == 0)), score - scores[steps, source][:, None], -np.inf)
    # [K, sum of moves]: the best score of the notes so far, by the last one's move and the sum of all moves
    total = np.full((len(moves), (len(moves) - 1) * len(steps) + 1), -np.inf)
    total[np.arange(len(moves)), np.arange(len(moves))] = gain[0]
    back = np.zeros((len(steps), *total.shape), np.int8)
    for n in range(1, len(steps)):
        broken = np.sign(pitches[n][None] - pitches[n - 1][:, None]) != trend[n - 1]  # [K before, K]
        each = total[:, None] - contour_cost * broken[..., None]
        back[n], best = each.argmax(0), each.max(0)
        total = np.full_like(total, -np.inf)
        for k in range(len(moves)):
            total[k, k:] = best[k, : total.shape[1] - k] + gain[n, k]
    means = source.mean() + np.arange(total.shape[1]) / len(steps) - FURTHEST
    away = np.abs(means - asked) / tolerance
    cost = MISSED * away + FAR * np.maximum(away - 1, 0)
    k, moved = divmod(int(np.argmax(total - cost)), len(means))
    for n in range(len(steps) - 1, -1, -1):
        states[steps[n]] = pitches[n, k]
        k, moved = int(back[n, k, moved - k]), moved - k
