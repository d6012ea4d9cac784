"""Disentanglement by augmentation (Sections 3.2 to 3.5 of the NIME paper), of any codes and any change of the music.

An augmentation F changes clips by an amount; delta z = encode(F(x)) - encode(x). N clips, A amounts, Z latent size.
How far a clip went is measured on a line along which z is expected to go straight: semitones, doublings of onsets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.codecs import grid, melody_states
from fadernets.codecs.grid import LOW, PITCHES
from fadernets.errors import FadernetsError

Floats = NDArray[np.float64]
Encode = Callable[[NDArray[np.uint8]], NDArray[np.floating]]  # clips [N, ...] -> codes [N, Z]
BATCH = 64  # clips at once: the encoder is fastest with few
LONGEST_NAME = 200  # bytes of an augmentation's name


@dataclass(frozen=True)
class Augmentation:
    """A change of clips by an amount, and how far it took each clip on a straight line."""

    name: str
    change: Callable[[NDArray[np.uint8], float], NDArray[np.uint8]]  # clips and amount -> as many clips
    amounts: tuple[float, ...]
    unit: str
    far: Callable[[NDArray[np.uint8], NDArray[np.uint8]], Floats] | None = None  # [N] of clips and changed ones; or the
    # amount itself
    highest: int = 255  # what a clip may hold


@dataclass(frozen=True)
class DimensionGroup:
    """What an augmentation does to the codes, and the dimensions in which it shows."""

    name: str
    unit: str
    amounts: tuple[float, ...]
    scale: Floats  # [A] the amounts on their line, means over the clips
    mean: Floats  # [A, Z] mean delta z of each amount, in the basis (Eq. 5)
    threshold: float
    dimensions: NDArray[np.int64]  # of the basis, |mean delta z| >= threshold for the amount where it is largest
    by_amount: list[NDArray[np.int64]]  # the same for each amount alone
    linearity: float  # R^2 of the mean delta z against the amount, over the group's dimensions
    direction: Floats  # [Z] the regression of delta z on the amount, in the standard basis: change of z a unit
    energy: float  # share of the mean delta z's squared length that lies in the dimensions
    explained: dict[str, float]  # share of held-out delta z that each explains: dimensions, direction
    clips: int

    def as_dict(self) -> dict[str, Any]:
        """What a report says of it; `largest` [A, K] is the mean delta z of each amount in the group's dimensions."""
        named = ("name", "unit", "threshold", "linearity", "energy", "explained", "clips")
        found = {name: getattr(self, name) for name in named}
        found["amounts"] = list(self.amounts)
        found["dimensions"] = self.dimensions.tolist()
        found["by_amount"] = [dimensions.tolist() for dimensions in self.by_amount]
        found["largest"] = self.mean[:, self.dimensions].round(4).tolist()
        return found


def deltas(encode: Encode, clips: NDArray[np.uint8], augmentation: Augmentation) -> tuple[Floats, Floats]:
    """[A, N, Z] delta z of each clip under each amount, and [A, N] how far each went.

    Raises FadernetsError for a function that does not fit.
    """
    codes = encode_in_batches(encode, clips)
    moved, scale = [], []
    for amount in augmentation.amounts:
        after = apply_augmentation(clips, augmentation, amount)
        moved.append(encode_in_batches(encode, after) - codes)
        far = np.full(len(clips), amount) if augmentation.far is None else augmentation.far(clips, after)
        scale.append(np.nan_to_num(far))
    return np.stack(moved), np.stack(scale)


def apply_augmentation(clips: NDArray[np.uint8], augmentation: Augmentation, amount: float) -> NDArray[np.uint8]:
    """The clips under one amount. Raises FadernetsError where a user's function fails."""
    try:
        found = np.asarray(augmentation.change(clips.copy(), amount))  # a copy: it may change what it is given
    except (Exception, SystemExit) as error:
        raise FadernetsError(f"augmentation {augmentation.name}: {type(error).__name__}: {error}") from error
    if found.shape != clips.shape or found.dtype.kind not in "buif":
        raise FadernetsError(
            f"augmentation {augmentation.name}: gave {found.shape} of {found.dtype}; numbers {clips.shape} are needed"
        )
    if not ((found >= 0) & (found <= augmentation.highest)).all():
        raise FadernetsError(
            f"augmentation {augmentation.name}: gave {found.min():g}..{found.max():g}; 0..{augmentation.highest} are "
            "what a clip can hold"
        )
    if (found % 1).any():
        raise FadernetsError(
            f"augmentation {augmentation.name}: gave numbers that are not whole; a clip holds whole ones"
        )
    return found.astype(clips.dtype)


def encode_in_batches(encode: Encode, clips: NDArray[np.uint8]) -> Floats:
    """[N, Z] the codes of any number of clips, in batches: of all at once an encoder takes gigabytes."""
    parts = [encode(clips[a : a + BATCH]) for a in range(0, len(clips), BATCH)]
    return np.concatenate(parts).astype(np.float64)


def inspect(
    encode: Encode,
    clips: NDArray[np.uint8],
    augmentation: Augmentation,
    *,
    basis: Floats | None = None,
    threshold: float | None = None,
    top: int | None = None,
) -> DimensionGroup:
    """The group of dimensions that an augmentation moves.

    basis [Z, Z]: orthonormal rows, the standard basis unless given. threshold: the one of Eq. 4; unless given, the one
    of `split_threshold`; or as many dimensions as `top`. The direction is fitted on one half of the clips and
    both are tried on the other. Raises FadernetsError for a threshold that nothing reaches.
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
    mixed = np.random.default_rng(0).permutation(len(clips))
    first, second = mixed[: len(clips) // 2], mixed[len(clips) // 2 :]
    direction = regress(moved[:, first], scale[:, first])
    restricted = (direction @ basis.T)[chosen] @ basis[chosen]
    explained = {
        name: _explained(moved[:, second], scale[:, second], way)
        for name, way in (("dimensions", restricted), ("direction", direction))
    }
    of_all = float((mean**2).sum())
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
        float((mean[:, chosen] ** 2).sum() / of_all) if of_all else 0.0,
        explained,
        len(clips),
    )


def split_threshold(strength: Floats) -> float:
    """Otsu's threshold: the smallest strength [Z] above the cut that leaves least variance within its two sides."""
    ordered = np.sort(strength)[::-1]
    if len(ordered) < 2:
        return float(ordered[0])
    sides = [ordered[:k].var() * k + ordered[k:].var() * (len(ordered) - k) for k in range(1, len(ordered))]
    return float(ordered[int(np.argmin(sides))])


def regress(moved: Floats, scale: Floats) -> Floats:
    """[Z] the d of delta z = how far x d that leaves the least squares, of deltas [A, N, Z] that went [A, N] far: the
    direction that the paper leaves to future work, in change of z by a unit."""
    return np.asarray(np.einsum("an,anz->z", scale, moved) / max(np.square(scale).sum(), 1e-12))


def _explained(moved: Floats, scale: Floats, way: Floats) -> float:
    """Share of the deltas' squared length that amount x way accounts for."""
    left = np.square(moved - scale[..., None] * way).sum()
    total = np.square(moved).sum()
    return float(1 - left / total) if total else 0.0


def _linearity(mean: Floats, scale: Floats) -> float:
    """R^2 of a line through the origin for each column of mean [A, K], weighted by its length."""
    slope = scale @ mean / np.square(scale).sum()
    total = np.square(mean - mean.mean(0)).sum()
    return float(1 - np.square(mean - scale[:, None] * slope).sum() / total) if total else 0.0


def overlap(a: DimensionGroup, b: DimensionGroup) -> list[int]:
    """The dimensions that two groups share, in order (Section 3.5)."""
    return sorted(set(a.dimensions.tolist()) & set(b.dimensions.tolist()))


def principal(codes: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """[Z, Z] the principal components of codes [N, Z] as orthonormal rows, and [Z] their variances, largest first
    (Section 3.1)."""
    centred = np.asarray(codes, np.float64) - np.mean(codes, axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(centred.T @ centred / max(len(codes) - 1, 1))
    return vectors[:, ::-1].T, np.maximum(values[::-1], 0.0)


def components_for(variances: Floats, share: float = 0.99) -> int:
    """How many components hold this share of the variance, of variances [Z] largest first (Section 3.1)."""
    return int(np.searchsorted(np.cumsum(variances) / variances.sum(), share - 1e-12) + 1)


# --- clips and augmentations


def whole_notes(low: int, high: int) -> melody_states.States:
    """[N, 32] two whole notes in every pair of pitches of low..high (Section 3.4)."""
    pairs = np.stack(np.meshgrid(np.arange(low, high + 1), np.arange(low, high + 1), indexing="ij"), -1).reshape(-1, 2)
    clips = np.full((len(pairs), melody_states.STEPS), melody_states.HOLD, np.uint8)
    clips[:, 0], clips[:, melody_states.STEPS // 2] = pairs[:, 0], pairs[:, 1]
    return clips


def whole_notes_for(augmentation: str, pitches: tuple[int, int]) -> melody_states.States:
    """[N, 32] all pairs of two whole notes of these pitches; those that are transposed stay among them. Pitches that
    leave no two to transpose are taken as an octave and a semitone."""
    low, high = pitches
    up = int(max(SEMITONES))
    low = min(low, melody_states.ONSETS - 2 - up)
    high = max(high, low + up + 1)
    return whole_notes(low, high - (up if augmentation == "pitch" else 0))


def transpose_cells(cells: NDArray[np.uint8], semitones: float) -> NDArray[np.uint8]:
    """[N, 16, 88] every note up by so many semitones; one that would leave the keyboard goes an octave back."""
    out = np.zeros_like(cells)
    for pitch in range(PITCHES):
        there = pitch + int(semitones)
        there -= 12 * max(-(-(there - PITCHES + 1) // 12), 0)
        there += 12 * max(-(there // 12), 0) if there < 0 else 0
        out[..., there] = np.maximum(out[..., there], cells[..., pitch])
    return out


def split_cells(cells: NDArray[np.uint8], parts: float) -> NDArray[np.uint8]:
    """[N, 16, 88] every note as so many of its pitch, each key as a line of its own."""
    lines = np.moveaxis(cells, -1, -2)  # [N, 88, 16]
    pitches = np.arange(PITCHES, dtype=np.uint8)[:, None] + LOW
    states = np.where(
        lines == grid.ONSET, pitches, np.where(lines == grid.HOLD, melody_states.HOLD, melody_states.REST)
    )
    found = melody_states.split(states.astype(np.uint8), int(parts))
    back = np.where(
        found < melody_states.ONSETS, grid.ONSET, np.where(found == melody_states.HOLD, grid.HOLD, grid.OFF)
    )
    return np.moveaxis(back, -1, -2).astype(np.uint8)


def _semitones(before: melody_states.States, after: melody_states.States) -> Floats:
    return melody_states.mean_pitch(after) - melody_states.mean_pitch(before)


def _doublings(before: melody_states.States, after: melody_states.States) -> Floats:
    return np.asarray(np.log2(np.maximum(melody_states.onsets(after), 1) / np.maximum(melody_states.onsets(before), 1)))


def _cell_semitones(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> Floats:
    means = []
    for cells in (before, after):
        onset = (cells == grid.ONSET).sum(-2)  # [N, 88]
        means.append(onset @ np.arange(PITCHES) / np.maximum(onset.sum(-1), 1))
    return np.asarray(means[1] - means[0])


def _cell_doublings(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> Floats:
    counts = [np.maximum((cells == grid.ONSET).sum((-1, -2)), 1) for cells in (before, after)]
    return np.asarray(np.log2(counts[1] / counts[0]))


def _share_of_notes(clips: melody_states.States, parts: float) -> melody_states.States:
    """Split, or with fewer than one part merged."""
    return melody_states.split(clips, int(parts)) if parts >= 1 else melody_states.merge(clips, parts)


SEMITONES = tuple(float(p) for p in range(1, 13))
PARTS = (2.0, 4.0, 8.0, 16.0)
HIGHEST = {"melody": melody_states.REST, "grid": grid.HOLD}  # codec -> what a clip holds at most
AUGMENTATIONS: dict[str, dict[str, Augmentation]] = {  # codec -> name -> row
    "melody": {
        "pitch": Augmentation(
            "pitch", lambda x, p: melody_states.transpose(x, int(p)), SEMITONES, "semitones", _semitones
        ),
        "rhythm": Augmentation("rhythm", _share_of_notes, PARTS, "notes for one", _doublings),
    },
    "grid": {
        "pitch": Augmentation("pitch", transpose_cells, SEMITONES, "semitones", _cell_semitones),
        "rhythm": Augmentation("rhythm", split_cells, PARTS[:3], "notes for one", _cell_doublings),
    },
}


def load_augmentation(path: Path) -> Augmentation:
    """The `augment(clips, amount)` of a Python file, with its AMOUNTS (1 unless given) and NAME.

    Raises FadernetsError.
    """
    import runpy

    try:
        found = runpy.run_path(str(path))
    except OSError as error:
        raise FadernetsError(f"{path}: cannot be read ({error.strerror})") from None
    except (Exception, SystemExit) as error:
        raise FadernetsError(f"{path}: {type(error).__name__}: {error}") from error
    if not callable(found.get("augment")):
        raise FadernetsError(f"{path}: has no function augment(clips, amount)")
    try:
        amounts: Sequence[float] = tuple(float(a) for a in found.get("AMOUNTS", (1.0,)))
    except (TypeError, ValueError):
        amounts = ()
    if not amounts or not all(np.isfinite(a) and a for a in amounts):
        raise FadernetsError(f"{path}: AMOUNTS are numbers other than 0, such as (1, 2, 4)")
    name = str(found.get("NAME", path.stem))
    if not name.strip() or not name.isprintable() or Path(name).name != name or len(name.encode()) > LONGEST_NAME:
        raise FadernetsError(f"{path}: NAME {name!r} must serve in a file's name: 1..{LONGEST_NAME} bytes and no '/'")
    return Augmentation(name, found["augment"], tuple(amounts), "amount")
