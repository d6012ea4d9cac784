"""Faders and presets as arithmetic on codes (Sections 3.2 and 5.2 of the ISMIR paper). No framework, no MIDI.

S segments, Z latent size, K clusters in the order of their label's values, such as 0 low and 1 high arousal. Which code
and dimension hold an attribute is said by its row of the attribute table (`CodedAttribute`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]  # of either precision: codes are float32, curves float64
PRIOR_VARIANCE = float(np.exp(-2))  # of each cluster, Section 4.1

LEAST_RISE = 1e-9  # between two knots, so that a level stretch of a curve has an inverse


@dataclass(frozen=True)
class Calibration:
    """A monotone curve between an attribute and its regularised dimension, fitted on held-out segments."""

    values: Floats  # [Q] attribute values, ascending
    zd: Floats  # [Q] the dimension at those values, ascending

    @classmethod
    def fit(cls, values: Floats, zd: Floats) -> Calibration:
        """The isotonic fit of zd [S] on values [S], with a knot for each distinct value."""
        order = np.argsort(values, kind="stable")
        knots, start, counts = np.unique(np.asarray(values, np.float64)[order], return_index=True, return_counts=True)
        means = np.add.reduceat(np.asarray(zd, np.float64)[order], start) / counts
        return cls(knots, _isotonic(means, counts.astype(np.float64)))

    @classmethod
    def checked(cls, values: Floats, zd: Floats) -> Calibration:
        """A curve that was read from a file. Raises ValueError where it is none."""
        if values.ndim != 1 or values.shape != zd.shape or not len(values):
            raise ValueError(f"a calibration of {values.size} values and {zd.size} places")
        if (np.diff(values) < 0).any() or (np.diff(zd) < 0).any():
            raise ValueError("a calibration that does not rise")
        return cls(values, zd)

    def to_zd(self, value: Floats) -> Floats:
        """Attribute values to the dimension; beyond the outermost knots the curve goes on with its mean slope."""
        return _interpolate(np.asarray(value, np.float64), self.values, self.zd)

    def to_value(self, zd: Floats) -> Floats:
        """The dimension to attribute values: the inverse of `to_zd`."""
        rising = np.maximum.accumulate(self.zd + np.arange(len(self.zd)) * LEAST_RISE)
        return _interpolate(np.asarray(zd, np.float64), rising, self.values)


def _interpolate(x: Floats, knots: Floats, values: Floats) -> Floats:
    """Linear interpolation, continued on both sides with the mean slope."""
    inside = np.interp(x, knots, values)
    slope = (values[-1] - values[0]) / max(float(knots[-1] - knots[0]), LEAST_RISE)
    return np.asarray(inside + slope * (x - np.clip(x, knots[0], knots[-1])))


def _isotonic(means: Floats, weights: Floats) -> Floats:
    """Pool adjacent violators: the ascending sequence nearest to `means` in weighted least squares."""
    blocks: list[list[float]] = []  # mean, weight, length
    for mean, weight in zip(means.tolist(), weights.tolist(), strict=True):
        blocks.append([mean, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            mean2, weight2, length2 = blocks.pop()
            mean1, weight1, length1 = blocks[-1]
            total = weight1 + weight2
            blocks[-1] = [(mean1 * weight1 + mean2 * weight2) / total, total, length1 + length2]
    return np.concatenate([np.full(int(length), mean) for mean, _, length in blocks])


def move(code: Floats, calibration: Calibration, before: Floats, target: Floats, dimension: int = 0) -> Floats:
    """Section 3.2: slide z^d along the curve from each segment's level to the target [S]: code [S, Z] -> [S, Z].

    `dimension` is d, the regularised one.
    """
    moved = np.array(code, copy=True)
    moved[:, dimension] += calibration.to_zd(target) - calibration.to_zd(before)
    return moved


def cluster_probability(code: Floats, means: Floats) -> Floats:
    """p(c|z) of the highest class under the mixture prior: code [S, Z], means [K, Z] -> [S]."""
    return np.asarray(class_probabilities(code, means)[:, -1])


def class_probabilities(code: Floats, means: Floats) -> Floats:
    """p(c|z) under the mixture prior of any number of components: code [S, Z], means [K, Z] -> [S, K]."""
    distance = ((code[:, None, :] - means[None]) ** 2).sum(-1, dtype=np.float64) / PRIOR_VARIANCE
    odds = np.exp(-0.5 * (distance - distance.min(-1, keepdims=True)))
    return np.asarray(odds / odds.sum(-1, keepdims=True))


def likeliest_class(code: Floats, means: Floats) -> NDArray[np.int64]:
    """[S] the likeliest class of each code [S, Z] under means [K, Z]; of classes that are as likely, the higher one."""
    return np.asarray(len(means) - 1 - class_probabilities(code, means)[:, ::-1].argmax(-1), np.int64)


def shift(
    code: Floats, means: Floats, amount: float, target: int | None = None, vertices: Floats | None = None
) -> Floats:
    """Section 5.2: z + amount * (mu_target - mu_own), for codes outside the target cluster; the others stay.

    code [S, Z], means [K, Z]; mu_own is the mean of a code's likeliest class, which with two of them is the other one.
    Without a `target` an amount above 0 goes toward the highest class, below 0 toward the lowest; 1 is one shift
    vector. Toward a target class, an amount below 0 goes away from it.

    vertices: of a posterior that is constrained to a simplex, which the moved codes are put back onto (`onto_simplex`).
    """
    if target is None:
        target, amount = (len(means) - 1, amount) if amount > 0 else (0, -amount)
    own = likeliest_class(code, means)
    moved = code + (means[target] - means[own]) * amount
    if vertices is not None:
        moved = onto_simplex(moved, vertices)
    return np.asarray(np.where((own != target)[:, None], moved, code), code.dtype)


def onto_simplex(code: Floats, vertices: Floats) -> Floats:
    """Codes [S, Z] whose last dimensions are put onto the simplex of `vertices` [V, D]; the others stay.

    The weights of the vertices that come nearest to those dimensions are moved to the nearest ones that are not
    negative and sum to 1 (Duchi et al., 2008). Where the vertices are orthogonal and of one length, as the loss asks
    for, that is the nearest point of the simplex.
    """
    size = vertices.shape[1]
    corners = np.asarray(vertices, np.float64)
    weights = np.asarray(code[:, -size:], np.float64) @ np.linalg.pinv(corners)  # [S, V]
    falling = -np.sort(-weights, -1)
    excess = (falling.cumsum(-1) - 1) / np.arange(1, len(corners) + 1)  # of the first 1, 2, ... V of them
    kept = (falling > excess).sum(-1)  # how many stay above 0
    weights = np.maximum(weights - np.take_along_axis(excess, kept[:, None] - 1, -1), 0)
    return np.concatenate([code[:, :-size], weights @ corners], -1).astype(code.dtype)
