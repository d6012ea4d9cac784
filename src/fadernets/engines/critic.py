"""How like real music a segment is: the log odds of a small net over the note features of `quality`.

It was shown real segments and sampled edits of the same pieces and levels (`fit_critic`), and tells candidates of one
edit apart. N segments, F features, H hidden units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.metrics import note_features

Floats = NDArray[np.float64]
FAR = 4.0  # standard deviations at which a feature is cut


@dataclass(frozen=True)
class Critic:
    """A net of one hidden layer, in numbers that JSON holds."""

    mean: Floats  # [F]
    deviation: Floats  # [F]
    inner: Floats  # [F, H]
    inner_bias: Floats  # [H]
    outer: Floats  # [H]
    outer_bias: float

    @classmethod
    def of(cls, info: dict[str, Any]) -> Critic:
        """From what `as_dict` gave. Raises ValueError where it knows other features than this version."""
        if info["features"] != list(note_features.FEATURES):
            raise ValueError("its critic knows other features")
        arrays = {n: np.asarray(info[n], np.float64) for n in ("mean", "deviation", "inner", "inner_bias", "outer")}
        return cls(**arrays, outer_bias=float(info["outer_bias"]))

    def as_dict(self) -> dict[str, Any]:
        rounded = {
            name: np.round(value, 4).tolist() for name, value in vars(self).items() if isinstance(value, np.ndarray)
        }
        return {"features": list(note_features.FEATURES), **rounded, "outer_bias": round(self.outer_bias, 4)}

    def standardised(self, features: Floats) -> Floats:
        return np.clip((features - self.mean) / self.deviation, -FAR, FAR)

    def rate(self, cells: NDArray[np.uint8]) -> Floats:
        """[N] log odds that cells [N, 16, 88] are real."""
        x = self.standardised(note_features.features(cells)[0])
        return np.asarray(np.maximum(x @ self.inner + self.inner_bias, 0) @ self.outer + self.outer_bias)
