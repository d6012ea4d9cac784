"""How new notes are played: velocity, timing and release from the notes around them, without a training library.

A net of two hidden layers over `data.played_notes` says how far a note's manner lies from what copying its neighbours
gives, in deviations of the neighbours' manners, and how sure that is. So where all notes are played alike, new ones are
too. `fitting.fit_played_notes` learns it from performances. N notes, F features, H hidden units.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Bools, Floats, Floats32, Indices
from fadernets.data.played_notes import FEATURES, MANNER, GridNotes, Surroundings, surroundings
from fadernets.engines.array_file import Arrays, bundled, read_arrays

BUNDLED = "played-notes.npz"  # in the package's folder of models
FAR = 5.0  # standard deviations at which a feature is clipped
MOST_MOVED = 4.0  # neighbours' deviations: the farthest that a prediction lies from the copy
SPREAD = 0.5  # share of the predicted deviation that is drawn
MOST_DRAWN = 2.0  # deviations: draws are cut off there
LOWEST, HIGHEST = 1, 127  # velocities


@dataclass(frozen=True)
class Manners:
    """How notes are predicted to be played; each [N, 3] in the order of MANNER."""

    middle: Floats32  # velocity, offset and release
    deviation: Floats32  # how far players stray from it


@dataclass(frozen=True)
class PlayedNotes:
    """The net. The arrays' names are those of the file."""

    mean: Floats32  # [F] of the features
    scale: Floats32  # [F]
    inner: Floats32  # [F, H]
    inner_bias: Floats32  # [H]
    middle: Floats32  # [H, H]
    middle_bias: Floats32  # [H]
    outer: Floats32  # [H, 6] how far from the copy, then the logarithm of the deviation
    outer_bias: Floats32  # [6]
    together: Floats32  # [3] share of what is drawn that notes of one onset have in common

    @classmethod
    @cache
    def bundled(cls) -> PlayedNotes:
        """The model of the package, read once. Raises FadernetsError."""
        return cls.open(bundled(BUNDLED))

    @classmethod
    def open(cls, path: Path) -> PlayedNotes:
        """A file that `fitting.fit_played_notes` wrote. Raises FadernetsError."""
        return cls(**read_arrays(path, cls, "played notes", list(FEATURES), _fits))

    def predict(self, around: Surroundings) -> Manners:
        """How notes with these surroundings [N] are played."""
        x = np.clip((around.features - self.mean) / self.scale, -FAR, FAR)
        hidden = np.maximum(x @ self.inner + self.inner_bias, 0)
        hidden = np.maximum(hidden @ self.middle + self.middle_bias, 0)
        moved, log_deviation = np.split(hidden @ self.outer + self.outer_bias, 2, axis=1)
        middle = around.copied + np.clip(moved, -MOST_MOVED, MOST_MOVED) * around.deviation
        return Manners(middle, np.exp(np.clip(log_deviation, -5, 1)) * around.deviation)

    def play(
        self,
        known: GridNotes,
        played: Floats32,
        asked: GridNotes,
        kept: Bools | None = None,
        rows: Indices | None = None,
        *,
        spread: float = SPREAD,
        seed: int = 0,
    ) -> Floats32:
        """[N, 3] velocity (a whole number), offset and release (sixteenths) of the asked notes.

        known, played, kept, rows: as `data.played_notes.surroundings` takes them. spread: 0 gives every note the middle
        of its prediction, 1 as much variety as the model sees in performances. The same seed draws the same for a note,
        whatever other notes are asked with it.
        """
        manners = self.predict(surroundings(known, played, asked, kept, rows))
        chosen = asked if rows is None else asked.take(rows)
        drawn = spread * manners.deviation * self.draws(chosen, seed)
        values = manners.middle + drawn.astype(np.float32)
        values[:, 0] = np.clip(np.rint(values[:, 0]), LOWEST, HIGHEST)
        return values

    def draws(self, notes: GridNotes, seed: int) -> Floats:
        """[N, 3] standard normal draws, alike for notes of one onset as far as players have them alike."""
        onset = np.round(notes.time * 24).astype(np.uint32)
        pitch = notes.pitch.astype(np.uint32)
        out = np.empty((len(onset), len(MANNER)))
        for k, share in enumerate(self.together.astype(np.float64).tolist()):
            common = _normal(onset, np.zeros_like(pitch), seed * len(MANNER) + k)
            own = _normal(onset, pitch + np.uint32(1), seed * len(MANNER) + k)
            out[:, k] = np.sqrt(share) * common + np.sqrt(1 - share) * own
        return np.clip(out, -MOST_DRAWN, MOST_DRAWN)


def _fits(arrays: Arrays) -> bool:
    return bool(arrays["inner"].shape[0] == len(FEATURES) and arrays["outer"].shape[1] == 2 * len(MANNER))


def _normal(a: NDArray[np.uint32], b: NDArray[np.uint32], seed: int) -> Floats:
    """[N] a standard normal number for each pair of whole numbers: Box and Muller's transform of two hashes."""
    key = _mixed(_mixed(_mixed(np.full(1, seed % 2**32, np.uint32)) ^ a) ^ b)
    u, v = ((_mixed(key ^ np.uint32(salt)).astype(np.float64) + 0.5) / 2**32 for salt in (0x9E3779B9, 0x85EBCA6B))
    return np.asarray(np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v))


def _mixed(x: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """[N] a hash of 32 bits, by multiplications that wrap around."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return np.asarray(x ^ (x >> np.uint32(16)))
