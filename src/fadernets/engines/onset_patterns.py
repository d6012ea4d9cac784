"""Whole onset patterns: 16 bits drawn one after the other from a small autoregressive net.

Larochelle and Murray, "The Neural Autoregressive Distribution Estimator", AISTATS 2011: the hidden sum gains a row of
weights for every bit that is set, so that 16 steps cost little more than one. The net also reads the source's onsets
and the number of notes at each, the target densities, and how many onsets are still to place; `fitting.fit_patterns`
learns it from pairs of like bars. N rows, D conditions, H hidden units; densities in the units of `attributes.table`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Bools, Floats, Integers
from fadernets.attributes.table import CODED, PAPER_FADERS
from fadernets.engines.model_folder import finite
from fadernets.music.segments import STEPS

CONDITIONS = 2 * STEPS + 4
DENSITIES = tuple(CODED[name] for name in PAPER_FADERS)  # rhythm and note density; what else a model moves is not told
SCALE, SHIFT = ([getattr(row, name) for row in DENSITIES] for name in ("gain", "shift"))  # to about -1..1
DIGITS = 3  # decimals of a weight in model.json


def conditions(onsets: NDArray[np.integer], source: Floats, target: Floats) -> Floats:
    """[N, D] what the net is told before the first bit.

    onsets [N, 16] counts the notes that begin in each step of the source; source and target [N, A] are the
    attributes before and after the edit, rhythm and note density first.
    """
    source, target = (values[:, : len(DENSITIES)] for values in (source, target))
    densities = [target * SCALE - SHIFT, (target - source) * SCALE]
    return np.concatenate([onsets > 0, np.log1p(onsets) / 2, *densities], axis=1)


@dataclass(frozen=True)
class OnsetPatterns:
    """The weights of the net. The log odds of a step are outer x relu(sum of the other rows) + outer_bias.

    The fields' names are the keys of model.json.
    """

    given: Floats  # [D, H] weights of the conditions
    place: Floats  # [16, H] the row of the step
    left: Floats  # [17, H] the row of the number of onsets still to place
    behind: Floats  # [16, H] the row of each earlier step that has an onset
    outer: Floats  # [16, H] output weights of each step
    outer_bias: Floats  # [16]

    @classmethod
    def of(cls, info: dict[str, Any]) -> OnsetPatterns:
        """The inverse of `as_dict`. Raises ValueError for arrays of other shapes, or with what is no number."""
        arrays = {
            field.name: finite(info[field.name], f"a number of its patterns' {field.name}") for field in fields(cls)
        }
        hidden = arrays["given"].shape[1:]
        rows = {"given": CONDITIONS, "left": STEPS + 1}
        for name, array in arrays.items():
            shape = (rows.get(name, STEPS), *(() if name == "outer_bias" else hidden))
            if array.shape != shape:
                raise ValueError(f"its patterns' {name} has shape {array.shape}, not {shape}")
        return cls(**arrays)

    def as_dict(self) -> dict[str, Any]:
        """The weights as model.json keeps them, rounded."""
        return {field.name: np.round(getattr(self, field.name), DIGITS).tolist() for field in fields(self)}

    def draw(self, given: Floats, count: Integers, noise: Floats, forced: Bools | None = None) -> Bools:
        """[N, 16] patterns with count [N] onsets each, among them all forced [N, 16] ones.

        given [N, D] comes from `conditions`. A bit that count and forced leave open is set where its log odds plus
        noise [N, 16] exceed 0: noise from the standard logistic distribution makes that a draw from the net, noise of a
        smaller scale a draw at a lower temperature.
        """
        forced = np.zeros(noise.shape, bool) if forced is None else forced
        ahead = np.cumsum(forced[:, ::-1], axis=1)[:, ::-1]  # [N, 16] forced onsets from this step on
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
