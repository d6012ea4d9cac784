"""Faders and presets as arithmetic on codes (Sections 3.2 and 5.2 of the ISMIR paper). No framework, no MIDI.

S segments, Z latent size; two clusters, 0 low and 1 high arousal. Which code and dimension hold an attribute is said by
its row of the attribute table (`CodedAttribute`).
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
    """p(c = high|z) under the mixture prior: code [S, Z], means [2, Z] -> [S]."""
    distance = ((code[:, None, :] - means[None]) ** 2).sum(-1, dtype=np.float64) / PRIOR_VARIANCE  # [S, 2]
    return np.asarray(1 / (1 + np.exp(np.clip(0.5 * (distance[:, 1] - distance[:, 0]), -500, 500))))


def shift(code: Floats, means: Floats, amount: float) -> Floats:
    """Section 5.2: z + amount * (mu_target - mu_other), for codes outside the target cluster; the others stay.

    code [S, Z], means [2, Z]. An amount above 0 goes toward high arousal, below 0 toward low; 1 is one shift vector.
    """
    vector = (means[1] - means[0]) * amount
    high = cluster_probability(code, means)
    outside = high < 0.5 if amount > 0 else high >= 0.5
    return np.asarray(np.where(outside[:, None], code + vector, code), code.dtype)
