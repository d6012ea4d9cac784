"""What onset patterns real music has: the odds of an onset at each step of a segment, without a training library.

A net of two hidden layers reads the step's place in the metre, the onsets of the last four steps, the patterns of the
two segments before, and how many onsets the segment has. It answers for every state that four steps can be in, so that
patterns with a given number of onsets are drawn exactly, by dynamic programming (forward filtering, backward sampling,
with the roles of the ends changed). `fitting.fit_rhythm` learns it from pieces. n steps, F features, H hidden units,
S = 16 states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from fadernets.arrays import Bools, Floats, Floats32
from fadernets.data.passages import BEAT_LENGTHS, MOST_BEATS, Steps
from fadernets.engines.array_file import Arrays, bundled, read_arrays
from fadernets.music.metric_grid import DIVISIONS

BUNDLED = "rhythm.npz"  # in the package's folder of models
PLACES = 24  # of a beat
MEMORY = 4  # steps whose onsets make up a state
STATES = 1 << MEMORY
BEFORE = 2  # segments before that are read
NEAR = 3  # steps of each of those, around the step's own place, and whether there is such a segment
FEATURES = PLACES + 2 * MOST_BEATS + len(DIVISIONS) + len(BEAT_LENGTHS) + 2 + BEFORE * (NEAR + 1)
_BITS = ((np.arange(STATES)[:, None] >> np.arange(MEMORY)) & 1).astype(np.float32)  # [S, 4] the last step first
_SILENT = (np.arange(STATES) << 1) & (STATES - 1)  # [S] the state after a step without an onset
_STRUCK = _SILENT | 1
NEVER = -np.inf


@dataclass(frozen=True)
class Rhythm:
    """The net. The arrays' names are those of the file."""

    inner: Floats32  # [F + 4, H]
    inner_bias: Floats32  # [H]
    middle: Floats32  # [H, H]
    middle_bias: Floats32  # [H]
    outer: Floats32  # [H, 1]
    outer_bias: Floats32  # [1]

    @classmethod
    @cache
    def bundled(cls) -> Rhythm:
        """The model of the package, read once. Raises FadernetsError."""
        return cls.open(bundled(BUNDLED))

    @classmethod
    def open(cls, path: Path) -> Rhythm:
        """A file that `fitting.fit_rhythm` wrote. Raises FadernetsError."""
        return cls(**read_arrays(path, cls, "rhythm", FEATURES, _fits))

    @cached_property
    def _of_states(self) -> Floats32:
        return np.asarray(_BITS @ self.inner[FEATURES:], np.float32)

    def log_odds(self, features: Floats32) -> Floats:
        """[n, S] of an onset at steps with `features` [n, F], for each state of the four steps before."""
        hidden = np.maximum((features @ self.inner[:FEATURES] + self.inner_bias)[:, None] + self._of_states, 0)
        hidden = np.maximum(hidden @ self.middle + self.middle_bias, 0)
        return np.asarray((hidden @ self.outer + self.outer_bias)[..., 0], np.float64)


def _fits(arrays: Arrays) -> bool:
    return bool(arrays["inner"].shape[0] == FEATURES + MEMORY)


def step_features(steps: Steps, count: int, before: Sequence[Bools | None]) -> Floats32:
    """[n, F] of the n steps of a segment with `count` onsets.

    before: the patterns [n] of the segments before, the nearest first; None where there is none on the same steps.
    """
    n = len(steps.place)
    out, at, row = np.zeros((n, FEATURES), np.float32), 0, np.arange(n)
    for values, size in (
        (steps.place, PLACES),
        (steps.beat, MOST_BEATS),
        (steps.beats, MOST_BEATS),
        (steps.division, len(DIVISIONS)),
        (steps.beat_length, len(BEAT_LENGTHS)),
    ):
        out[row, at + np.minimum(values, size - 1)] = 1
        at += size
    out[:, at], out[:, at + 1] = 2 * count / n - 1, np.log1p(count) / 2
    at += 2
    for pattern in before[:BEFORE]:
        if pattern is not None:
            wide = np.pad(pattern, 1)
            out[:, at : at + NEAR + 1] = np.stack([wide[:-2], wide[1:-1], wide[2:], np.ones(n, bool)], axis=1)
        at += NEAR + 1
    return out


def draw_pattern(log_odds: Floats, count: int, preferred: Floats, chances: Floats) -> Bools:
    """[n] a pattern with `count` onsets, drawn from all of those in proportion to what the odds give them.

    log_odds [n, S]; preferred [n]: nats that an onset at a step gains, infinite where there must, or must not, be one;
    chances [n]: uniform numbers. Raises ValueError where no pattern can have so many.
    """
    n = len(log_odds)
    must, never = np.isposinf(preferred), np.isneginf(preferred)
    if not must.sum() <= count <= n - never.sum():
        raise ValueError(f"{count} onsets; possible: {must.sum()}..{n - never.sum()}")
    struck = -np.logaddexp(0, -log_odds) + np.where(must, 0, preferred)[:, None]
    silent = np.where(must[:, None], NEVER, -np.logaddexp(0, log_odds))
    ahead = np.full((n + 1, count + 1, STATES), NEVER)  # log likelihood of the steps from t on with so many onsets
    ahead[n, 0] = 0
    for t in range(n - 1, -1, -1):
        ahead[t] = silent[t] + ahead[t + 1][:, _SILENT]
        ahead[t, 1:] = np.logaddexp(ahead[t, 1:], struck[t] + ahead[t + 1][:-1][:, _STRUCK])
    pattern, state, left = np.zeros(n, bool), 0, count
    for t in range(n):
        if not left:
            break
        yes = struck[t, state] + ahead[t + 1, left - 1, _STRUCK[state]]
        no = silent[t, state] + ahead[t + 1, left, _SILENT[state]]
        pattern[t] = np.log(max(chances[t], 1e-12)) < yes - np.logaddexp(yes, no)
        state = _STRUCK[state] if pattern[t] else _SILENT[state]
        left -= int(pattern[t])
    return pattern
