"""The Frechet distance between two sets of features, and what real segments score against each other.

It compares Gaussians fitted to the two sets (Dowson and Landau, 1982; Heusel et al., 2017, for generated images); here
the features have names (`note_features`). N and M segments, F features. The distance falls as N and M grow: compare
distances of equal numbers of segments only, and beside `split_floor`.
"""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Floats

Scale = tuple[Floats, Floats]  # [F] mean, [F] standard deviation
CONSTANT = 1e-9  # a standard deviation up to this is rounding


def scale_of(features: Floats) -> Scale:
    """[F] mean and standard deviation of features [N, F]; a constant feature keeps its unit (deviation 1)."""
    deviation = features.std(axis=0, ddof=1)
    return features.mean(axis=0), np.where(deviation > CONSTANT, deviation, 1.0)


def distance(a: Floats, b: Floats, scale: Scale | None = None) -> float:
    """Squared Frechet distance between Gaussians fitted to features a [N, F] and to the reference b [M, F].

    Both are standardised first, by the mean and standard deviation in `scale`, or by those of b. A feature
    that does not vary there keeps its own unit, so that a still pays for leaving its value. Covariances are
    the unbiased ones. The value falls with N and M: compare at equal numbers, and with `split_floor`.
    Raises ValueError for fewer than two rows or for different columns.
    """
    for name, rows in (("a", a), ("b", b)):
        if rows.ndim != 2 or len(rows) < 2:
            raise ValueError(f"{name} has shape {rows.shape}; expected [2 or more segments, features]")
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"a has {a.shape[1]} features, b has {b.shape[1]}; they must have the same")
    mean, deviation = scale_of(b) if scale is None else scale
    if np.shape(mean) != (b.shape[1],) or np.shape(deviation) != (b.shape[1],):
        raise ValueError(f"scale has shapes {np.shape(mean)}, {np.shape(deviation)}; expected twice {(b.shape[1],)}")
    deviation = np.where(deviation > CONSTANT, deviation, 1.0)
    a, b = (a - mean) / deviation, (b - mean) / deviation
    covariance_a, covariance_b = _covariance(a), _covariance(b)
    # |m_a - m_b|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2), whose last trace is the sum of the singular values of
    # A^1/2 B^1/2: never complex, and no root of a rounding error where some features add up to one.
    both = np.linalg.svd(_root(covariance_a) @ _root(covariance_b), compute_uv=False).sum()
    apart = np.square(a.mean(axis=0) - b.mean(axis=0)).sum()
    return max(float(apart + np.trace(covariance_a) + np.trace(covariance_b) - 2 * both), 0.0)


def split_floor(features: Floats, size: int, seed: int, scale: Scale | None = None) -> float:
    """Frechet distance between two random disjoint parts, `size` rows each, of real features [N, F].

    This is what a perfect model would score with `size` outputs against `size` real segments. Standardised
    by `scale`, or by all N rows. Raises ValueError for a size below 2 or above half the rows.
    """
    if not 2 <= size <= len(features) // 2:
        raise ValueError(f"size is {size}; with {len(features)} rows, allowed is 2..{len(features) // 2}")
    order = np.random.default_rng(seed).permutation(len(features))
    one, other = features[order[:size]], features[order[size : 2 * size]]
    return distance(one, other, scale_of(features) if scale is None else scale)


def _covariance(rows: Floats) -> Floats:
    centred = rows - rows.mean(axis=0)
    return centred.T @ centred / (len(rows) - 1)


def _root(matrix: Floats) -> Floats:
    """The symmetric square root of a positive semidefinite matrix; rounding below 0 counts as 0."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
