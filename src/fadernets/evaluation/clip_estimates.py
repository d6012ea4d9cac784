"""Means over clips of melodies with 95 % intervals that draw whole pieces anew.

Clips of one piece overlap by a bar and repeat each other (`data.segmenters.melody_segments`), so that an interval over
single clips would be too narrow. N clips.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fadernets.arrays import Floats, Integers
from fadernets.metrics import statistics

DRAWS = 1000  # of a bootstrap


@dataclass(frozen=True)
class Estimate:
    """A mean over clips and its 95 % interval."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Floats, pieces: Integers | None = None) -> Estimate:
        """The mean of values [N] without those that are NaN; NaN where none is left.

        pieces: [N] which piece each clip is of; the interval draws these anew. Where they are not given, or all clips
        are of one piece, it draws clips.
        """
        kept = ~np.isnan(values)
        values = values[kept]
        if not len(values):
            return cls(float("nan"), float("nan"), float("nan"))
        units = np.arange(len(values)) if pieces is None else np.unique(pieces[kept], return_inverse=True)[1]
        if units.max() == 0:
            units = np.arange(len(values))
        sums, counts = (np.bincount(units, of).astype(np.float64) for of in (values, np.ones(len(values))))
        low, high = statistics.ratio_interval(sums, counts, draws=DRAWS)
        return cls(float(values.mean()), low, high)

    def __str__(self) -> str:
        return f"{self.mean:.3f} ({self.low:.3f}..{self.high:.3f})"


@dataclass(frozen=True)
class Spread:
    """A figure over several draws: its mean, its deviation (divisor n), the least and the most."""

    mean: float
    deviation: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Floats) -> Spread:
        """The spread of values [draws]."""
        return cls(float(values.mean()), float(values.std()), float(values.min()), float(values.max()))

    def __str__(self) -> str:
        return f"{self.mean:.3f} ({self.low:.3f}..{self.high:.3f})"
