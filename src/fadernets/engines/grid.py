"""Encode and decode with ONNX Runtime alone: what the command line and the studio run on.

A model folder: model.json (mixture means, calibration curves, onset habits and patterns, critic, statistics, hashes),
encoder.onnx, decoder.onnx, README.md (the card). One thread; sessions open when first needed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes.table import CODED
from fadernets.codecs import grid
from fadernets.codecs.grid import PITCHES
from fadernets.engines import code_arithmetic
from fadernets.engines.critic import Critic
from fadernets.engines.onset_patterns import Patterns
from fadernets.errors import FadernetsError
from fadernets.music.segments import STEPS

FORMAT = 2
DEFAULT_MODEL = "pop-lieder"
CODES = ("rhythm", "note")
Cells = NDArray[np.uint8]
Planes = NDArray[np.float32]  # [B, 16, 176]: onset then hold of each step


class ModelError(FadernetsError):
    """A model folder that cannot be used."""


@dataclass(frozen=True)
class Codes:
    """Posterior means of S segments; each [S, Z]."""

    rhythm: NDArray[np.float32]
    note: NDArray[np.float32]

    def take(self, rows: NDArray[np.int64]) -> Codes:
        return Codes(self.rhythm[rows], self.note[rows])


@dataclass(frozen=True)
class Decoded:
    """What the decoder chose and how sure it was."""

    cells: Cells  # [B, 16, 88]
    probabilities: Planes  # [B, 16, 176] of onset and hold, given the steps that it fed back


class Sessions:
    """A model folder's two graphs, each opened when first needed."""

    folder: Path
    info: dict[str, Any]  # model.json

    @cached_property
    def _encoder(self) -> Any:
        return open_session(self.folder, "encoder", self.info["sha256"])

    @cached_property
    def _decoder(self) -> Any:
        return open_session(self.folder, "decoder", self.info["sha256"])

    def load(self) -> Self:
        """Open both sessions now."""
        _ = self._encoder, self._decoder
        return self


class Engine(Sessions):
    """A model, ready to encode and decode on one core."""

    def __init__(self, folder: Path, info: dict[str, Any]) -> None:
        self.folder, self.info = folder, info
        self.name = str(info["name"])
        self.habits = np.asarray(info["habits"], np.float64)
        if self.habits.shape != (STEPS + 1, 2, STEPS):
            raise ValueError(f"habits of shape {self.habits.shape}")
        self.means = {n: np.asarray(info["means"][n], np.float32) for n in CODES} if info["means"] else {}
        self.patterns = Patterns.of(info["patterns"]) if info.get("patterns") else None
        self.critic = Critic.of(info["critic"]) if info.get("critic") else None
        self.calibration = {
            name: code_arithmetic.Calibration(np.asarray(c["values"], np.float64), np.asarray(c["zd"], np.float64))
            for name, c in info["calibration"].items()
        }
        _ = [float(info["statistics"][name]["std"]) for name in CODED], info["sha256"].keys()  # or raise here

    @classmethod
    def open(cls, model: str | Path = DEFAULT_MODEL) -> Engine:
        """A bundled model by name, or a folder that `fadernets export` wrote. Raises ModelError."""
        with described(model) as (folder, info):
            if info.get("codec") == "melody":
                raise ModelError(f"--model {model}: a model of melodies; it serves `fadernets melody` and `blend`")
            lacking = {"codec", "recipe", "data", "statistics", "habits", "sha256"} - set(info)
            if lacking:
                raise ModelError(f"{folder}/model.json: lacks {', '.join(sorted(lacking))}; export it again")
            missing = set(CODED) - set(info["calibration"])
            if missing:
                raise ModelError(f"{folder}: has no curve for {', '.join(sorted(missing))}; export it again")
            return cls(folder, info)

    def encode(self, cells: Cells) -> Codes:
        """Cells [S, 16, 88] -> posterior means."""
        if not len(cells):  # the runtime aborts the process on an empty batch
            z = self._encoder.get_outputs()[0].shape[1]
            return Codes(np.zeros((0, z), np.float32), np.zeros((0, z), np.float32))
        return Codes(*self._encoder.run(["z_rhythm", "z_note"], {"cells": planes_of(cells)}))

    def arousal(self, codes: Codes) -> NDArray[np.float64]:
        """[S] probability of the high cluster, mean of the two codes; nan for a model without clusters."""
        if not self.means:
            return np.full(len(codes.rhythm), np.nan)
        each = [code_arithmetic.cluster_probability(getattr(codes, n), self.means[n]) for n in CODES]
        return np.asarray(np.mean(each, axis=0))

    def decode(
        self,
        codes: Codes,
        key: NDArray[np.uint8],
        asked: NDArray[np.floating],
        held: NDArray[np.bool_],
        *,
        offset: Planes | None = None,
        bias: NDArray[np.floating] | None = None,
        onset_step: NDArray[np.integer] | None = None,
        each: int = 1,
    ) -> Decoded:
        """One pass over the 16 steps for B rows, each step fed with the decoder's own choice.

        Codes, key [S] 0..23, asked [S, 2] attribute values and held [S, 88], what sounds before the first step, are
        those of S segments; the rows are `each` for every segment, one segment after the other. offset [B, 16, 176] and
        bias [B] are added to the probabilities before the threshold of one half; onset_step [B, 16] forbids (-1),
        leaves free (0) or requires (1) an onset. No row depends on which others are decoded with it.
        """
        of = np.repeat(np.arange(len(key)), each)
        rows = len(of)
        if not rows:
            return Decoded(np.zeros((0, STEPS, PITCHES), np.uint8), np.zeros((0, STEPS, 2 * PITCHES), np.float32))
        before = np.zeros((rows, 2, PITCHES), np.float32)
        before[:, 1] = held[of]
        feeds = {
            "z_rhythm": codes.rhythm,
            "z_note": codes.note,
            "key": np.eye(24, dtype=np.float32)[key],
            "asked": np.asarray(asked, np.float32),
            "offset": np.zeros((rows, STEPS, 2 * PITCHES), np.float32) if offset is None else offset,
            "bias": np.zeros((rows, 1), np.float32) if bias is None else np.asarray(bias, np.float32)[:, None],
            "onset_step": np.zeros((rows, STEPS)) if onset_step is None else onset_step,
            "held": before.reshape(rows, -1),
        }
        feeds = {name: np.ascontiguousarray(value, np.float32) for name, value in feeds.items()}
        chosen, probabilities = self._decoder.run(["cells", "probabilities"], {**feeds, "of": of})
        return Decoded(cells_of(chosen), probabilities)


def open_session(folder: Path, name: str, hashes: dict[str, str]) -> Any:
    """A graph of a model folder, on one thread. Raises ModelError where it is not the one that model.json names."""
    import onnxruntime

    path = folder / f"{name}.onnx"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
    if hashlib.sha256(data).hexdigest() != hashes.get(path.name):
        raise ModelError(f"{path}: is damaged (its hash is not the one in model.json); export it again")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def planes_of(cells: Cells) -> Planes:
    """Cells [S, 16, 88] -> [S, 16, 176] of 0 and 1."""
    return np.concatenate([cells == grid.ONSET, cells == grid.HOLD], axis=-1).astype(np.float32)


def cells_of(planes: Planes) -> Cells:
    """The inverse of `planes_of`."""
    onset, hold = planes[..., :PITCHES] > 0.5, planes[..., PITCHES:] > 0.5
    return np.where(onset, grid.ONSET, np.where(hold, grid.HOLD, grid.OFF)).astype(np.uint8)


def bundled() -> dict[str, Path]:
    """The models inside the package: name -> folder."""
    root = Path(str(resources.files("fadernets"))) / "bundled"
    return {f.name: f for f in sorted(root.glob("*")) if (f / "model.json").exists()}


@contextmanager
def described(model: str | Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A model's folder and what its model.json says; what goes wrong while it is read is a ModelError of one line."""
    folder = find(model)
    try:
        info = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        if info["format"] != FORMAT:
            raise ModelError(f"{folder}: format {info['format']}; this version reads {FORMAT}: export it again")
        yield folder, info
    except OSError as error:
        raise ModelError(f"{folder}/model.json: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{folder}/model.json: is damaged ({error}); export the model again") from None


def codec_of(model: str | Path) -> str:
    """What the codes of a model folder are of. Raises ModelError."""
    with described(model) as (_, info):
        return str(info["codec"])


def find(model: str | Path) -> Path:
    """The folder of a bundled model's name or of a path. Raises ModelError."""
    known = bundled()
    if str(model) in known:
        return known[str(model)]
    folder = Path(model)
    if (folder / "model.json").exists():
        return folder
    reason = "has no model.json" if folder.is_dir() else "is neither a bundled model nor a folder"
    raise ModelError(f"--model {model}: {reason}; bundled: {', '.join(known) or 'none'}")
