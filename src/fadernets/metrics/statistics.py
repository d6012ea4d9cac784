"""Statistics that several measurements share: rank correlation, F1, bootstrap intervals, and agreement between raters.

Intervals are of 95 %. Wilson's interval takes every answer as independent. The bootstrap draws whole units anew (clips,
pieces, subjects), each with all its answers, so that it is as wide as units differ. Rank correlation is Spearman's;
agreement is Krippendorff's alpha.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Bools, Floats, Integers

Interval = tuple[float, float]
DRAWS = 2000  # of a bootstrap
TAILS = (2.5, 97.5)  # percentiles at the ends of an interval of 95 %
Z = NormalDist().inv_cdf(TAILS[1] / 100)


# --- rank correlation


def ranks(values: Floats) -> Floats:
    """[..., K] ranks from 0 along the last axis; equal values share their mean rank."""
    rows = values.reshape(-1, values.shape[-1])  # [N, K]
    order = rows.argsort(1)
    ordered = np.take_along_axis(rows, order, 1)
    first = np.ones(rows.shape, bool)  # of a run of equal values
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    start = np.flatnonzero(first)
    length = np.diff(start, append=first.size)
    mean = start % rows.shape[1] + (length - 1) / 2
    result = np.empty(rows.shape)
    np.put_along_axis(result, order, np.repeat(mean, length).reshape(rows.shape), 1)
    return result.reshape(values.shape)


def spearman(x: Floats, y: Floats) -> Floats:
    """[...] rank correlation -1..1 along the last axis of x and y [..., K]; the other axes broadcast.

    NaN where either side is constant, since its ranks say nothing.
    """
    a, b = (ranks(values) - (values.shape[-1] - 1) / 2 for values in (x, y))  # centred: their mean is 0
    size = np.sqrt((a**2).sum(-1) * (b**2).sum(-1))
    products = np.einsum("...k,...k->...", a, b)
    return np.where(size > 0, np.clip(products / np.where(size > 0, size, 1), -1, 1), np.nan)


# --- intervals


def wilson(hits: int, n: int) -> Interval | None:
    """The 95 % interval of the share `hits` / `n` (Wilson 1927); None without an answer."""
    if not n:
        return None
    share, z = hits / n, Z**2 / n
    middle = (share + z / 2) / (1 + z)
    half = Z / (1 + z) * np.sqrt(share * (1 - share) / n + z / (4 * n))
    return max(float(middle - half), 0.0), min(float(middle + half), 1.0)


def bootstrap(statistic: Callable[[Integers], Floats], units: int, *, draws: int = DRAWS, seed: int = 0) -> Interval:
    """The 95 % interval of a statistic: the percentiles over draws of as many units, with replacement.

    statistic: the indices of the drawn units [draws, units] -> one value a draw [draws].
    """
    drawn = np.random.default_rng(seed).integers(0, units, (draws, units))
    low, high = np.percentile(statistic(drawn), TAILS)
    return float(low), float(high)


def ratio_interval(sums: Floats, counts: Floats, *, draws: int = DRAWS, seed: int = 0) -> Interval:
    """The 95 % interval of sum of `sums` [U] / sum of `counts` [U], by drawing the U units anew."""
    return bootstrap(lambda drawn: sums[drawn].sum(1) / counts[drawn].sum(1), len(counts), draws=draws, seed=seed)


def over_subjects(sums: Floats, counts: Floats, seed: int = 0) -> Interval | None:
    """`ratio_interval` over the subjects of a study [S] that gave an answer; None with fewer than two of them."""
    answered = counts > 0
    if answered.sum() < 2:
        return None
    return ratio_interval(sums[answered], counts[answered], seed=seed)


# --- agreement between raters


def nominal(totals: Floats) -> Floats:
    """[C, C] squared distances between categories that have no order, whose values number `totals` [C]."""
    return 1.0 - np.eye(len(totals))


def interval(totals: Floats) -> Floats:
    """[C, C] squared distances between categories that are equally spaced."""
    at = np.arange(len(totals), dtype=np.float64)
    return np.asarray((at[:, None] - at) ** 2)


def ordinal(totals: Floats) -> Floats:
    """[C, C] squared distances between ordered categories, as far apart as there are values [C] between them."""
    upto = np.cumsum(totals)
    middle_rank = upto - totals / 2
    return np.asarray((middle_rank[:, None] - middle_rank) ** 2)


def krippendorff_alpha(counts: NDArray[np.integer], distance: Callable[[Floats], Floats] = nominal) -> float | None:
    """Krippendorff's alpha: 1 is full agreement, 0 is what chance gives.

    counts: [U, C] how many raters put each unit into each category. Units with fewer than two values are ignored.
    distance: `nominal`, `interval` or `ordinal`. None where no unit has two values, or where all values are equal.
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


def f1(found: Bools, expected: Bools) -> Floats:
    """[...] F1 of what is found [..., N] at what is expected; 1 where neither has any."""
    total = found.sum(-1) + expected.sum(-1)
    return np.asarray(np.where(total > 0, 2 * (found & expected).sum(-1) / np.maximum(total, 1), 1.0))
