"""Encode and decode segments of the grid with ONNX Runtime alone: what the command line and the studio run on.

Of a model folder's model.json it reads the mixture means and what its classes are of, calibration curves, onset odds,
onset patterns, critic and statistics. S segments, B rows to decode, Z latent size, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Bools, Cells, Floats, Floats32, Indices, Planes
from fadernets.attributes.table import PAPER_FADERS, coded
from fadernets.codecs import grid
from fadernets.codecs.base import is_melodic
from fadernets.codecs.grid import PITCHES
from fadernets.engines import code_arithmetic
from fadernets.engines.critic import Critic
from fadernets.engines.model_folder import DEFAULT_WINDOW_MODEL, LARGEST, ModelError, ModelFolder, finite
from fadernets.engines.onset_patterns import OnsetPatterns
from fadernets.errors import FadernetsError
from fadernets.music.segments import STEPS


class Codes(dict[str, Floats32]):
    """Posterior means of S segments: the name of a code, such as "rhythm" or "note", -> [S, Z]."""

    def take(self, rows: Indices) -> Codes:
        """The codes of these segments, in this order."""
        return Codes({name: code[rows] for name, code in self.items()})

    def side_by_side(self) -> Floats32:
        """[S, Z of all codes] as one array."""
        return np.concatenate(list(self.values()), axis=-1)

    def split(self, joined: Floats32) -> Codes:
        """The inverse of `side_by_side`, for an array [N, Z of all codes] of codes of these sizes."""
        ends = np.cumsum([code.shape[-1] for code in self.values()])[:-1]
        return Codes(zip(self, np.split(joined, ends, axis=-1), strict=True))


@dataclass(frozen=True)
class Decoded:
    """What the decoder chose and how sure it was."""

    cells: Cells  # [B, 16, 88]
    probabilities: Planes  # [B, 16, 176] of onset and hold, given the steps that it fed back


@dataclass(frozen=True)
class ClassLabel:
    """What the clusters of a model stand for: the classes of a label, in the order of its values."""

    name: str  # such as arousal
    classes: tuple[str, ...]  # their names, such as low and high

    @classmethod
    def of(cls, value: Any, count: int) -> ClassLabel:
        """What model.json says; in folders without a word of it, two clusters are of arousal. Raises ValueError."""
        if value is None and count == len(AROUSAL.classes):
            return AROUSAL
        label = cls(str(value["name"]), tuple(map(str, value["classes"])))
        if len(label.classes) != count or len(set(label.classes)) != count or not label.name:
            raise ValueError(f"classes {', '.join(label.classes)} of {count} clusters")
        return label


AROUSAL = ClassLabel("arousal", ("low", "high"))


class Engine(ModelFolder):
    """A model of the grid, ready to encode and decode on one core.

    >>> engine = Engine.open()
    >>> codes = engine.encode(cells)  # cells [S, 16, 88]
    """

    default = DEFAULT_WINDOW_MODEL

    def __init__(self, folder: Path, info: dict[str, Any]) -> None:
        super().__init__(folder, info)
        self.coded = coded(info["calibration"])  # the attributes that it moves, in the order of its decoder's input
        self.code_names = tuple(dict.fromkeys(row.code for row in self.coded.values()))
        self.onset_odds = finite(info["habits"])  # [17, 2, 16], as `onset_odds.learn` gives them
        if self.onset_odds.shape != (STEPS + 1, 2, STEPS):
            raise ValueError(f"habits of shape {self.onset_odds.shape}")
        means = info["means"] and {n: info["means"][n] for n in self.code_names}
        self.means = {n: finite(mean).astype(np.float32) for n, mean in (means or {}).items()}  # [K, Z]
        counts = {len(mean) if mean.ndim == 2 else 0 for mean in self.means.values()}
        if counts and (len(counts) > 1 or min(counts) < 2):
            raise ValueError("means that are not those of two or more clusters")
        self.label = ClassLabel.of(info.get("label"), counts.pop()) if counts else None  # None: it has no clusters
        self.vertices = self._checked_vertices(info.get("vertices") or {})
        self.onset_patterns = OnsetPatterns.of(info["patterns"]) if info.get("patterns") else None
        self.critic = Critic.of(info["critic"]) if info.get("critic") else None
        self.calibration = {
            name: code_arithmetic.Calibration.checked(finite(c["values"]), finite(c["zd"]))
            for name, c in info["calibration"].items()
        }
        finite([info["statistics"][name]["std"] for name in self.coded])  # raises here, not in the middle of an edit

    @classmethod
    def _check(cls, model: str | Path, folder: Path, info: dict[str, Any]) -> None:
        if is_melodic(info.get("codec")):
            raise ModelError(f"model {model}: a model of melodies; it serves `fadernets melody` and `blend`")
        if info.get("kind", "windows") != "windows":
            raise ModelError(f"model {model}: rewrites passages; this needs a model of the paper's windows")
        lacking = {"codec", "recipe", "data", "statistics", "habits", "sha256"} - set(info)
        if lacking:
            raise ModelError(f"{folder}/model.json: lacks {', '.join(sorted(lacking))}; export it again")
        missing = set(PAPER_FADERS) - set(info["calibration"])
        if missing:
            raise ModelError(f"{folder}: has no curve for {', '.join(sorted(missing))}; export it again")
        unknown = set(info["calibration"]) - set(coded())
        if unknown:
            raise ModelError(f"{folder}: moves {', '.join(sorted(unknown))}; no attribute of that name lives in a code")

    def _checked_vertices(self, vertices: dict[str, Any]) -> dict[str, Floats32]:
        """Of each code the vertices [V, D] of the simplex that its last dimensions lie on; empty where on none.

        Raises ValueError, KeyError or TypeError.
        """
        found = {n: finite(vertices[n]).astype(np.float32) for n in self.code_names} if vertices else {}
        for name, corners in found.items():
            longest = self.means[name].shape[1] if self.means else LARGEST
            if corners.ndim != 2 or len(corners) < 2 or corners.shape[1] >= longest:
                raise ValueError(f"vertices of shape {corners.shape}")
        return found

    def encode(self, cells: Cells) -> Codes:
        """Cells [S, 16, 88] -> posterior means. Raises FadernetsError for an array of another shape."""
        if np.shape(cells)[1:] != (STEPS, PITCHES):
            raise FadernetsError(f"cells of the shape {list(np.shape(cells))}; a model takes segments [S, 16, 88]")
        if not len(cells):  # the runtime aborts the process on an empty batch
            return Codes(
                {name: np.zeros((0, self._encoder.width(f"z_{name}")), np.float32) for name in self.code_names}
            )
        shapes = [(len(cells), len(self.means[name][0]) if self.means else None) for name in self.code_names]
        means = self._encoder.run([f"z_{name}" for name in self.code_names], {"cells": planes_of(cells)}, shapes)
        if any(means[self.code_names.index(row.code)].shape[1] <= row.dimension for row in self.coded.values()):
            raise ModelError(f"{self.folder}: its codes are too short for its faders; export it again")
        return Codes(zip(self.code_names, means, strict=True))

    def arousal(self, codes: Codes) -> Floats:
        """[S] `highest_class` of a model whose clusters are of arousal; nan for any other."""
        if self.label is None or self.label.name != AROUSAL.name:
            return np.full(len(next(iter(codes.values()))), np.nan)
        return self.highest_class(codes)

    def highest_class(self, codes: Codes) -> Floats:
        """[S] probability of the highest class of the label, mean of the codes; nan for a model without clusters."""
        if not self.means:
            return np.full(len(next(iter(codes.values()))), np.nan)
        each = [code_arithmetic.cluster_probability(codes[n], self.means[n]) for n in self.code_names]
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

        Codes, key [S] 0..23, values [S, A] of the attributes `coded`, and held [S, 88], the pitches that sound
        before the first step, belong to S segments. Each segment is decoded `each` times: B = S x each rows, segment by
        segment. offset [B, 16, 176] and bias [B] are added to the probabilities before the threshold of one half;
        onset_step [B, 16] forbids (-1), leaves free (0) or requires (1) an onset. No row depends on which others are
        decoded with it, and segments that are alike in all of this are decoded once.
        """
        segments, rows = len(key), len(key) * each
        if not rows:
            return Decoded(np.zeros((0, STEPS, PITCHES), np.uint8), np.zeros((0, STEPS, 2 * PITCHES), np.float32))
        sounding = np.zeros((segments, 2, PITCHES), np.float32)
        sounding[:, 1] = held
        of_segments = {f"z_{name}": codes[name] for name in self.code_names} | {
            "key": np.eye(24, dtype=np.float32)[key],
            "asked": np.asarray(values),
            "held": sounding.reshape(segments, -1),
        }
        of_rows = {
            "offset": np.zeros((rows, STEPS, 2 * PITCHES), np.float32) if offset is None else offset,
            "bias": np.zeros((rows, 1)) if bias is None else np.asarray(bias)[:, None],
            "onset_step": np.zeros((rows, STEPS)) if onset_step is None else onset_step,
        }
        firsts, like = alike(of_segments)
        if len(firsts) < segments:
            firsts, like = alike(of_segments | {n: v.reshape(segments, each, *v.shape[1:]) for n, v in of_rows.items()})
        decoded = (firsts[:, None] * each + np.arange(each)).ravel()  # rows
        segment = np.repeat(np.arange(len(firsts)), each)  # [rows decoded] of each
        feeds = {name: value[firsts] for name, value in of_segments.items()}
        feeds |= {name: value if len(firsts) == segments else value[decoded] for name, value in of_rows.items()}
        feeds["held"] = feeds["held"][segment]
        feeds = {name: np.ascontiguousarray(value, np.float32) for name, value in feeds.items()}
        shape = len(decoded), STEPS, 2 * PITCHES
        chosen, probabilities = self._decoder.run(["cells", "probabilities"], {**feeds, "of": segment}, [shape, shape])
        cells = cells_of(chosen)
        if len(firsts) < segments:
            back = (like[:, None] * each + np.arange(each)).ravel()
            cells, probabilities = cells[back], probabilities[back]
        return Decoded(cells, probabilities)


def alike(arrays: Mapping[str, NDArray[Any]]) -> tuple[Indices, Indices]:
    """Which of N rows are the same, byte for byte, in all of these arrays [N, ...].

    Returns [D] the first row of each kind, and [N] which kind each row is of.
    """
    kinds: dict[bytes, int] = {}
    like = []
    for row in zip(*arrays.values(), strict=True):
        digest = blake2b(digest_size=16)  # rows of many candidates would take much memory as they are
        for array in row:
            digest.update(array.tobytes())
        like.append(kinds.setdefault(digest.digest(), len(kinds)))
    return np.unique(like, return_index=True)[1], np.array(like, np.int64)


def planes_of(cells: Cells) -> Planes:
    """Cells [S, 16, 88] -> [S, 16, 176] of 0 and 1."""
    return np.concatenate([cells == grid.ONSET, cells == grid.HOLD], axis=-1).astype(np.float32)


def cells_of(planes: Planes) -> Cells:
    """Planes [S, 16, 176] -> cells [S, 16, 88]: the inverse of `planes_of`."""
    onset, hold = planes[..., :PITCHES] > 0.5, planes[..., PITCHES:] > 0.5
    return np.where(onset, grid.ONSET, np.where(hold, grid.HOLD, grid.OFF)).astype(np.uint8)
