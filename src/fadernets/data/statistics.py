"""Statistics of attributes from how often each value occurs: exact, and in memory of the distinct values alone.

Attributes are means of small counts over the steps of a segment, so that few values are distinct. A attributes.
"""

from __future__ import annotations

import math

import numpy as np

from fadernets.arrays import Floats, Floats32, Integers

PERCENTILES = {"p5": 5, "p95": 95}


class Counts:
    """How often each attribute has each of its values, counted block by block."""

    def __init__(self, names: list[str]) -> None:
        """`names` are those of the columns."""
        self.found: dict[str, tuple[Floats32, Integers]] = {
            name: (np.empty(0, np.float32), np.empty(0, np.int64)) for name in names
        }

    def add(self, values: Floats32) -> None:
        """Count the rows of values [n, A]."""
        for column, (name, (known, counts)) in zip(np.asarray(values).T, self.found.items(), strict=True):
            new, new_counts = np.unique(column, return_counts=True)
            both, place = np.unique(np.concatenate([known, new]), return_inverse=True)
            total = np.zeros(len(both), np.int64)
            np.add.at(total, place, np.concatenate([counts, new_counts]))
            self.found[name] = both, total

    def statistics(self) -> dict[str, dict[str, float]]:
        """Name -> mean, std, p5, p95, min and max; empty where nothing was counted."""
        return {name: _statistics(known.astype(np.float64), counts) for name, (known, counts) in self.found.items()}


def _statistics(values: Floats, counts: Integers) -> dict[str, float]:
    """Those of values that rise and how often each occurs; percentiles are NumPy's, linear between two ranks."""
    total = int(counts.sum())
    if not total:
        return {}
    mean = math.fsum((values * counts).tolist()) / total
    found = {"mean": mean, "std": math.sqrt(math.fsum((counts * (values - mean) ** 2).tolist()) / total)}
    last = np.cumsum(counts) - 1  # the rank of the last one of each value
    for name, percent in PERCENTILES.items():
        rank = (total - 1) * percent / 100
        low, high = (float(values[np.searchsorted(last, at)]) for at in (math.floor(rank), math.ceil(rank)))
        found[name] = low + (high - low) * (rank - math.floor(rank))
    return found | {"min": float(values[0]), "max": float(values[-1])}
