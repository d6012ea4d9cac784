"""Whole onset patterns: 16 bits drawn one after the other from a small autoregressive net.

Larochelle and Murray, "The Neural Autoregressive Distribution Estimator", AISTATS 2011: the hidden sum gains a row of
weights for every bit that is set, so that 16 steps cost little more than one. It also reads the source's onsets and
struck notes, the asked densities, and how many onsets are still to place; `fit_patterns` learns it from pairs of like
bars. N rows, D conditions, H hidden units; densities in the units of `attributes`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.music.segments import STEPS

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CONDITIONS = 2 * STEPS + 4
SCALE, SHIFT = (2.0, 0.25), (1.0, 0.5)  # of rhythm and note density, to about -1..1
DIGITS = 3  # of a weight in JSON


def conditions(struck: NDArray[np.integer], own: Floats, asked: Floats) -> Floats:
    """[N, D] what the net knows beforehand: notes that the source strikes in each step [N, 16], its own and the asked
    rhythm and note density [N, 2]."""
    return np.concatenate([struck > 0, np.log1p(struck) / 2, asked * SCALE - SHIFT, (asked - own) * SCALE], axis=1)


@dataclass(frozen=True)
class Patterns:
    """The net, in numbers that JSON holds. Log odds of a step: outer x relu(sum of all others) + outer_bias."""

    given: Floats  # [D, H]
    place: Floats  # [16, H] which step it is
    left: Floats  # [17, H] onsets still to place
    behind: Floats  # [16, H] the bits that are set already
    outer: Floats  # [16, H]
    outer_bias: Floats  # [16]

    @classmethod
    def of(cls, info: dict[str, Any]) -> Patterns:
        """From what `as_dict` gave. Raises ValueError for arrays of other shapes."""
        arrays = {field.name: np.asarray(info[field.name], np.float64) for field in fields(cls)}
        hidden = arrays["given"].shape[1:]
        rows = {"given": CONDITIONS, "left": STEPS + 1}
        for name, array in arrays.items():
            shape = (rows.get(name, STEPS), *(() if name == "outer_bias" else hidden))
            if array.shape != shape:
                raise ValueError(f"its patterns' {name} has shape {array.shape}, not {shape}")
        return cls(**arrays)

    def as_dict(self) -> dict[str, Any]:
        return {field.name: np.round(getattr(self, field.name), DIGITS).tolist() for field in fields(self)}

    def draw(self, given: Floats, count: NDArray[np.int64], noise: Floats, forced: Bools | None = None) -> Bools:
        """[N, 16] patterns with count [N] onsets each, and at least the forced [N, 16] ones.

        A bit that count and forced leave open is set where its log odds + noise [N, 16] exceed 0: with noise from the
        standard logistic distribution, that is a draw from the net; a smaller scale is a lower temperature.
        """
        forced = np.zeros(noise.shape, bool) if forced is None else forced
        ahead = np.cumsum(forced[:, ::-1], axis=1)[:, ::-1]  # [N, 16] forced here and behind
        left = np.clip(count, ahead[:, 0], STEPS)
        hidden = given @ self.given  # [N, H]
        bits = []
        for t in range(STEPS):
            odds = np.maximum(hidden + self.place[t] + self.left[left], 0) @ self.outer[t] + self.outer_bias[t]
            must = forced[:, t] | (left >= STEPS - t)
            bit = must | ((left > ahead[:, t]) & (odds + noise[:, t] > 0))
            hidden += bit[:, None] * self.behind[t]
            left = left - bit
            bits.append(bit)
        return np.stack(bits, axis=1)
