"""Statistics of people who judge: shares and means with 95 % intervals, and Krippendorff's alpha.

Wilson's interval takes every answer as independent. The bootstrap draws whole subjects anew, with all their answers, so
that it is as wide as subjects differ; it needs two of them.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]
DRAWS = 2000
Z = NormalDist().inv_cdf(0.975)


def wilson(hits: int, n: int) -> Interval | None:
    """The 95 % interval of a share (Wilson 1927); None without an answer."""
    if not n:
        return None
    share, z = hits / n, Z**2 / n
    middle = (share + z / 2) / (1 + z)
    half = Z / (1 + z) * np.sqrt(share * (1 - share) / n + z / (4 * n))
    return max(float(middle - half), 0.0), min(float(middle + half), 1.0)


def over_subjects(sums: Floats, counts: Floats, seed: int = 0) -> Interval | None:
    """The 95 % interval (percentiles of 2,000 draws of subjects) of sum of `sums` [S] / sum of `counts` [S].

    Subjects without an answer do not count; None with fewer than two others.
    """
    heard = counts > 0
    sums, counts = sums[heard], counts[heard]
    if len(counts) < 2:
        return None
    drawn = np.random.default_rng(seed).integers(0, len(counts), (DRAWS, len(counts)))
    low, high = np.percentile(sums[drawn].sum(1) / counts[drawn].sum(1), [2.5, 97.5])
    return float(low), float(high)


# --- agreement between raters


def nominal(totals: Floats) -> Floats:
    """[C, C] squared differences between categories that have no order."""
    return 1.0 - np.eye(len(totals))


def interval(totals: Floats) -> Floats:
    """[C, C] of categories at equal distances."""
    at = np.arange(len(totals), dtype=np.float64)
    return np.asarray((at[:, None] - at) ** 2)


def ordinal(totals: Floats) -> Floats:
    """[C, C] of categories in order, as far apart as there are values [C] between them."""
    upto = np.cumsum(totals)
    between = upto - totals / 2  # the middle rank of each
    return np.asarray((between[:, None] - between) ** 2)


def alpha(counts: NDArray[np.integer], distance: Callable[[Floats], Floats] = nominal) -> float | None:
    """Krippendorff's alpha: 1 is agreement, 0 what chance would give.

    counts: [U, C] how many raters put each unit into each category. Units with fewer than two values say nothing. None
    where no unit has two, or all values are the same one.
    """
    table = np.asarray(counts, np.float64)
    table = table[table.sum(1) >= 2]
    raters = table.sum(1)  # [U]
    # Coincidences: pairs of values within a unit, each unit weighing as much as it has values.
    pairs = table[:, :, None] * table[:, None, :] - table[:, :, None] * np.eye(table.shape[1])  # [U, C, C]
    observed = (pairs / np.maximum(raters - 1, 1)[:, None, None]).sum(0)  # [C, C]
    totals = observed.sum(0)
    squared = distance(totals)
    expected = float((np.outer(totals, totals) * squared).sum())
    if expected <= 0:
        return None
    return 1 - (float(totals.sum()) - 1) * float((observed * squared).sum()) / expected
