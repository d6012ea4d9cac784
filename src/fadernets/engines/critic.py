"""How much a segment resembles real music: the log odds of a small net over `metrics.note_features`.

`fitting.fit_critic` trains it on real segments and sampled edits of the same pieces and levels; an edit ranks its
candidates by it. N segments, F features, H hidden units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fadernets.arrays import Cells, Floats
from fadernets.engines.model_folder import finite
from fadernets.metrics import note_features

FAR = 4.0  # standard deviations at which a feature is clipped


@dataclass(frozen=True)
class Critic:
    """A net of one hidden layer; the fields' names are the keys of model.json."""

    mean: Floats  # [F] of the features of real segments
    deviation: Floats  # [F]
    inner: Floats  # [F, H]
    inner_bias: Floats  # [H]
    outer: Floats  # [H]
    outer_bias: float

    @classmethod
    def of(cls, info: dict[str, Any]) -> Critic:
        """The inverse of `as_dict`. Raises ValueError for other features than this version's, or impossible weights."""
        if info["features"] != list(note_features.FEATURES):
            raise ValueError("its critic knows other features")
        arrays = {n: finite(info[n]) for n in ("mean", "deviation", "inner", "inner_bias", "outer")}
        features, hidden = len(note_features.FEATURES), arrays["outer"].size
        shapes = (features,), (features,), (features, hidden), (hidden,), (hidden,)
        if tuple(array.shape for array in arrays.values()) != shapes or (arrays["deviation"] <= 0).any():
            raise ValueError("its critic's weights do not fit each other")
        return cls(**arrays, outer_bias=float(finite(info["outer_bias"])))

    def as_dict(self) -> dict[str, Any]:
        """The weights as model.json keeps them, rounded, with the names of the features."""
        rounded = {
            name: np.round(value, 4).tolist() for name, value in vars(self).items() if isinstance(value, np.ndarray)
        }
        return {"features": list(note_features.FEATURES), **rounded, "outer_bias": round(self.outer_bias, 4)}

    def standardised(self, features: Floats) -> Floats:
        """Features [N, F] in standard deviations from the mean, clipped."""
        return np.clip((features - self.mean) / self.deviation, -FAR, FAR)

    def rate(self, cells: Cells) -> Floats:
        """Cells [N, 16, 88] -> [N] log odds that they are real."""
        x = self.standardised(note_features.features(cells)[0])
        return np.asarray(np.maximum(x @ self.inner + self.inner_bias, 0) @ self.outer + self.outer_bias)
