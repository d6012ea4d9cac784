"""Disentanglement by augmentation (Sections 3.1 to 3.5 of the NIME paper), of any codes and any change of the music.

An augmentation F changes clips by an amount; delta z = encode(F(x)) - encode(x). N clips, A amounts, Z latent size,
K dimensions of a group.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Bytes, Floats, Indices
from fadernets.errors import FadernetsError
from fadernets.melodies.augmentations import Augmentation, apply_augmentation

Encode = Callable[[Bytes], NDArray[np.floating]]  # clips [N, ...] -> codes [N, Z]
BATCH = 64  # clips at once: the encoder is fastest with few


@dataclass(frozen=True)
class DimensionGroup:
    """The group of dimensions in which an augmentation shows, and what it does to the codes."""

    name: str
    unit: str
    amounts: tuple[float, ...]
    scale: Floats  # [A] how far each amount takes a clip, mean over the clips
    mean: Floats  # [A, Z] mean delta z of each amount, in the basis (Eq. 5)
    threshold: float
    dimensions: Indices  # [K] of the basis: |mean delta z| >= threshold for the amount where it is largest
    by_amount: list[Indices]  # [A] the same for each amount alone
    linearity: float  # R^2 of the mean delta z against the amount, over the group's dimensions
    direction: Floats  # [Z] change of z for one unit, in the standard basis: the regression of delta z on the amount
    energy: float  # share of the mean delta z's squared length that lies in the dimensions
    explained: dict[str, float]  # dimensions, direction: the share of held-out delta z that each explains
    clips: int

    @property
    def among_strongest(self) -> list[int]:
        """[A] how many of the K dimensions are among the K that change most at each amount (Section 3.3: the same)."""
        strongest = np.argsort(-np.abs(self.mean), axis=1, kind="stable")[:, : len(self.dimensions)]
        return np.isin(strongest, self.dimensions).sum(1).tolist()

    def as_dict(self) -> dict[str, Any]:
        """As a report has it; `largest` [A, K] is the mean delta z of each amount in the group's dimensions."""
        plain = ("name", "unit", "threshold", "linearity", "energy", "explained", "clips")
        report = {name: getattr(self, name) for name in plain}
        report["amounts"] = list(self.amounts)
        report["dimensions"] = self.dimensions.tolist()
        report["by_amount"] = [dimensions.tolist() for dimensions in self.by_amount]
        report["among_strongest"] = self.among_strongest
        report["largest"] = self.mean[:, self.dimensions].round(4).tolist()
        return report


def deltas(encode: Encode, clips: Bytes, augmentation: Augmentation) -> tuple[Floats, Floats]:
    """[A, N, Z] delta z of each clip under each amount, and [A, N] how far each went.

    Raises FadernetsError for a function that does not fit.
    """
    codes = encode_in_batches(encode, clips)
    moved, scale = [], []
    for amount in augmentation.amounts:
        after = apply_augmentation(clips, augmentation, amount)
        moved.append(encode_in_batches(encode, after) - codes)
        distance = augmentation.distance
        scale.append(np.nan_to_num(np.full(len(clips), amount) if distance is None else distance(clips, after)))
    return np.stack(moved), np.stack(scale)


def encode_in_batches(encode: Encode, clips: Bytes) -> Floats:
    """[N, Z] the codes of any number of clips; with all of them in one batch an encoder takes gigabytes."""
    parts = [encode(clips[a : a + BATCH]) for a in range(0, len(clips), BATCH)]
    return np.concatenate(parts).astype(np.float64)


def inspect(
    encode: Encode,
    clips: Bytes,
    augmentation: Augmentation,
    *,
    basis: Floats | None = None,
    threshold: float | None = None,
    top: int | None = None,
) -> DimensionGroup:
    """The group of dimensions that an augmentation moves.

    basis [Z, Z]: orthonormal rows, the standard basis unless given. threshold: the one of Eq. 4; unless it is given, it
    comes from `split_threshold`, or from `top`, the number of dimensions. `explained` compares the dimensions and the
    direction on one half of the clips, with the direction fitted on the other. Raises FadernetsError for a threshold
    that no dimension reaches, an augmentation that changes no code, and fewer than two clips.
    """
    if len(clips) < 2:
        raise FadernetsError(f"{len(clips)} clips to inspect; at least 2")
    moved, scale = deltas(encode, clips, augmentation)
    basis = np.eye(moved.shape[-1]) if basis is None else basis
    mean = moved.mean(1) @ basis.T
    strength = np.abs(mean).max(0)
    if not moved.any():
        raise FadernetsError(f"augmentation {augmentation.name}: changes no clip's code; there is nothing to inspect")
    if top is not None:
        threshold = float(np.sort(strength)[::-1][min(top, len(strength)) - 1])
    elif threshold is None:
        threshold = split_threshold(strength)
    chosen = np.argsort(-strength, kind="stable")
    chosen = chosen[strength[chosen] >= threshold]
    if not len(chosen):
        raise FadernetsError(
            f"threshold {threshold:g}: keeps no dimension for {augmentation.name}; the largest mean change is "
            f"{strength.max():.3g}"
        )
    shuffled = np.random.default_rng(0).permutation(len(clips))
    first, second = shuffled[: len(clips) // 2], shuffled[len(clips) // 2 :]
    direction = regress(moved[:, first], scale[:, first])
    restricted = (direction @ basis.T)[chosen] @ basis[chosen]
    explained = {
        name: _explained(moved[:, second], scale[:, second], of_one)
        for name, of_one in (("dimensions", restricted), ("direction", direction))
    }
    energy = float((mean**2).sum())
    return DimensionGroup(
        augmentation.name,
        augmentation.unit,
        augmentation.amounts,
        scale.mean(1),
        mean,
        float(threshold),
        chosen,
        [chosen[np.abs(row[chosen]) >= threshold] for row in mean],
        _linearity(mean[:, chosen], scale.mean(1)),
        regress(moved, scale),
        float((mean[:, chosen] ** 2).sum() / energy) if energy else 0.0,
        explained,
        len(clips),
    )


def split_threshold(strength: Floats) -> float:
    """Otsu's threshold: the smallest strength [Z] above the cut that leaves the least variance on its two sides."""
    ordered = np.sort(strength)[::-1]
    if len(ordered) < 2:
        return float(ordered[0])
    sides = [ordered[:k].var() * k + ordered[k:].var() * (len(ordered) - k) for k in range(1, len(ordered))]
    return float(ordered[int(np.argmin(sides))])


def regress(moved: Floats, scale: Floats) -> Floats:
    """[Z] the change of z for one unit: the least-squares d in delta z = scale x d.

    moved [A, N, Z] holds the deltas, scale [A, N] how far each clip went. It is the direction that the paper leaves to
    future work.
    """
    return np.asarray(np.einsum("an,anz->z", scale, moved) / max(np.square(scale).sum(), 1e-12))


def _explained(moved: Floats, scale: Floats, direction: Floats) -> float:
    """The share of the deltas' squared length that scale x direction accounts for."""
    left = np.square(moved - scale[..., None] * direction).sum()
    total = np.square(moved).sum()
    return float(1 - left / total) if total else 0.0


def _linearity(mean: Floats, scale: Floats) -> float:
    """R^2 of a line through the origin for each column of mean [A, K], weighted by its length."""
    slope = scale @ mean / np.square(scale).sum()
    total = np.square(mean - mean.mean(0)).sum()
    return float(1 - np.square(mean - scale[:, None] * slope).sum() / total) if total else 0.0


def overlap(a: DimensionGroup, b: DimensionGroup) -> list[int]:
    """The dimensions that two groups share, ascending (Section 3.5)."""
    return sorted(set(a.dimensions.tolist()) & set(b.dimensions.tolist()))


def principal(codes: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """The principal components of codes [N, Z] (Section 3.1): orthonormal rows [Z, Z], variances [Z], largest first."""
    centred = np.asarray(codes, np.float64) - np.mean(codes, axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(centred.T @ centred / max(len(codes) - 1, 1))
    return vectors[:, ::-1].T, np.maximum(values[::-1], 0.0)


def components_for(variances: Floats, share: float = 0.99) -> int:
    """How many components hold this share of the variance (Section 3.1); variances [Z], largest first."""
    return int(np.searchsorted(np.cumsum(variances) / variances.sum(), share - 1e-12) + 1)
