"""Encode and decode segments of the grid with ONNX Runtime alone: what the command line and the studio run on.

Of a model folder's model.json it reads the mixture means, calibration curves, onset odds, onset patterns, critic and
statistics. S segments, B rows to decode, Z latent size.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Bools, Cells, Floats, Floats32, Indices, Planes
from fadernets.attributes.table import CODED
from fadernets.codecs import grid
from fadernets.codecs.base import is_melodic
from fadernets.codecs.grid import PITCHES
from fadernets.engines import code_arithmetic
from fadernets.engines.critic import Critic
from fadernets.engines.model_folder import DEFAULT_MODEL, ModelError, ModelFolder
from fadernets.engines.onset_patterns import OnsetPatterns
from fadernets.music.segments import STEPS

CODES = ("rhythm", "note")  # in the order of the attribute table


@dataclass(frozen=True)
class Codes:
    """Posterior means of S segments; each [S, Z]."""

    rhythm: Floats32
    note: Floats32

    def take(self, rows: Indices) -> Codes:
        """The codes of these segments, in this order."""
        return Codes(self.rhythm[rows], self.note[rows])


@dataclass(frozen=True)
class Decoded:
    """What the decoder chose and how sure it was."""

    cells: Cells  # [B, 16, 88]
    probabilities: Planes  # [B, 16, 176] of onset and hold, given the steps that it fed back


class Engine(ModelFolder):
    """A model of the grid, ready to encode and decode on one core.

    >>> engine = Engine.open()
    >>> codes = engine.encode(cells)  # cells [S, 16, 88]
    """

    default = DEFAULT_MODEL

    def __init__(self, folder: Path, info: dict[str, Any]) -> None:
        super().__init__(folder, info)
        self.onset_odds = np.asarray(info["habits"], np.float64)  # [17, 2, 16], as `onset_odds.learn` gives them
        if self.onset_odds.shape != (STEPS + 1, 2, STEPS):
            raise ValueError(f"habits of shape {self.onset_odds.shape}")
        self.means = {n: np.asarray(info["means"][n], np.float32) for n in CODES} if info["means"] else {}  # [2, Z]
        self.onset_patterns = OnsetPatterns.of(info["patterns"]) if info.get("patterns") else None
        self.critic = Critic.of(info["critic"]) if info.get("critic") else None
        self.calibration = {
            name: code_arithmetic.Calibration(np.asarray(c["values"], np.float64), np.asarray(c["zd"], np.float64))
            for name, c in info["calibration"].items()
        }
        _ = [float(info["statistics"][name]["std"]) for name in CODED]  # raises here and not in the middle of an edit

    @classmethod
    def _check(cls, model: str | Path, folder: Path, info: dict[str, Any]) -> None:
        if is_melodic(info.get("codec")):
            raise ModelError(f"--model {model}: a model of melodies; it serves `fadernets melody` and `blend`")
        lacking = {"codec", "recipe", "data", "statistics", "habits", "sha256"} - set(info)
        if lacking:
            raise ModelError(f"{folder}/model.json: lacks {', '.join(sorted(lacking))}; export it again")
        missing = set(CODED) - set(info["calibration"])
        if missing:
            raise ModelError(f"{folder}: has no curve for {', '.join(sorted(missing))}; export it again")

    def encode(self, cells: Cells) -> Codes:
        """Cells [S, 16, 88] -> posterior means."""
        if not len(cells):  # the runtime aborts the process on an empty batch
            z = self._encoder.get_outputs()[0].shape[1]
            return Codes(np.zeros((0, z), np.float32), np.zeros((0, z), np.float32))
        return Codes(*self._encoder.run(["z_rhythm", "z_note"], {"cells": planes_of(cells)}))

    def arousal(self, codes: Codes) -> Floats:
        """[S] probability of the high cluster, mean of the two codes; nan for a model without clusters."""
        if not self.means:
            return np.full(len(codes.rhythm), np.nan)
        each = [code_arithmetic.cluster_probability(getattr(codes, n), self.means[n]) for n in CODES]
        return np.asarray(np.mean(each, axis=0))

    def decode(
        self,
        codes: Codes,
        key: NDArray[np.uint8],
        values: NDArray[np.floating],
        held: Bools,
        *,
        offset: Planes | None = None,
        bias: NDArray[np.floating] | None = None,
        onset_step: NDArray[np.integer] | None = None,
        each: int = 1,
    ) -> Decoded:
        """One pass over the 16 steps for B rows, each step fed with the decoder's own choice.

        Codes, key [S] 0..23, values [S, 2] of the attributes, and held [S, 88], the pitches that sound before the first
        step, belong to S segments. Each segment is decoded `each` times: B = S x each rows, segment by segment.
        offset [B, 16, 176] and bias [B] are added to the probabilities before the threshold of one half; onset_step
        [B, 16] forbids (-1), leaves free (0) or requires (1) an onset. No row depends on which others are decoded with
        it.
        """
        segment = np.repeat(np.arange(len(key)), each)  # [B] of each row
        rows = len(segment)
        if not rows:
            return Decoded(np.zeros((0, STEPS, PITCHES), np.uint8), np.zeros((0, STEPS, 2 * PITCHES), np.float32))
        before = np.zeros((rows, 2, PITCHES), np.float32)
        before[:, 1] = held[segment]
        feeds = {
            "z_rhythm": codes.rhythm,
            "z_note": codes.note,
            "key": np.eye(24, dtype=np.float32)[key],
            "asked": np.asarray(values, np.float32),
            "offset": np.zeros((rows, STEPS, 2 * PITCHES), np.float32) if offset is None else offset,
            "bias": np.zeros((rows, 1), np.float32) if bias is None else np.asarray(bias, np.float32)[:, None],
            "onset_step": np.zeros((rows, STEPS)) if onset_step is None else onset_step,
            "held": before.reshape(rows, -1),
        }
        feeds = {name: np.ascontiguousarray(value, np.float32) for name, value in feeds.items()}
        chosen, probabilities = self._decoder.run(["cells", "probabilities"], {**feeds, "of": segment})
        return Decoded(cells_of(chosen), probabilities)


def planes_of(cells: Cells) -> Planes:
    """Cells [S, 16, 88] -> [S, 16, 176] of 0 and 1."""
    return np.concatenate([cells == grid.ONSET, cells == grid.HOLD], axis=-1).astype(np.float32)


def cells_of(planes: Planes) -> Cells:
    """Planes [S, 16, 176] -> cells [S, 16, 88]: the inverse of `planes_of`."""
    onset, hold = planes[..., :PITCHES] > 0.5, planes[..., PITCHES:] > 0.5
    return np.where(onset, grid.ONSET, np.where(hold, grid.HOLD, grid.OFF)).astype(np.uint8)
