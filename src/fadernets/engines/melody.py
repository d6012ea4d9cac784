"""Encode and decode melodies with ONNX Runtime alone. A model folder as in `engine`; B clips of 32 states."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.codecs import melody_states
from fadernets.codecs.melody_states import States
from fadernets.engines.grid import ModelError, Sessions, described

DEFAULT_MELODY_MODEL = "melody"
Latents = NDArray[np.float32]  # [B, Z]


def _check(info: dict[str, Any]) -> None:
    """Raises ValueError, KeyError or TypeError for what does not fit the codes, or is not there."""
    z = int(info["z"])
    for name in ("pitch", "rhythm"):
        row = info["knobs"][name]
        fits = _numbers(row["direction"]).shape == (z,) and _numbers(row["change"]).shape == (len(row["dimensions"]),)
        if not fits or not all(isinstance(d, int) and 0 <= d < z for d in row["dimensions"]):
            raise ValueError(f"the {name} knob is not one of {z} dimensions")
        first, last = info["groups"][name] if info.get("groups") else (0, z)
        if not 0 <= first < last <= z:
            raise ValueError(f"the {name} group is not one of {z} dimensions")
    if _numbers(info["spread"]).shape != (z,):
        raise ValueError(f"the spread of {len(info['spread'])} dimensions, not {z}")
    _ = [float(info["statistics"]["pitch"][end]) for end in ("min", "max")], str(info["recipe"]["data"])


def _numbers(values: Any) -> NDArray[np.float64]:
    found = np.asarray(values, np.float64)
    if not np.isfinite(found).all():
        raise ValueError("a number is missing")
    return found


def whole_semitones(pitch: Mapping[str, float]) -> tuple[int, int]:
    """The whole MIDI numbers within the `min` and `max` of a data set's mean pitches: the lowest and the highest."""
    return math.ceil(pitch["min"]), math.floor(pitch["max"])


@dataclass(frozen=True)
class Sung:
    """What the decoder wrote."""

    states: States  # [B, 32]
    log_probabilities: NDArray[np.float32]  # [B, 32, 130] of each step, given the steps that it fed back


class MelodyEngine(Sessions):
    """A MusicVAE, ready to encode and decode on one core."""

    def __init__(self, folder: Path, info: dict[str, Any]) -> None:
        self.folder, self.info = folder, info
        self.name, self.z = str(info["name"]), int(info["z"])
        _ = info["sha256"].keys(), info["knobs"].keys()  # or raise here

    @property
    def pitches(self) -> tuple[int, int]:
        """The lowest and the highest mean pitch of a clip that the model learned from, in whole semitones."""
        return whole_semitones(self.info["statistics"]["pitch"])

    @classmethod
    def open(cls, model: str | Path = DEFAULT_MELODY_MODEL) -> MelodyEngine:
        """A bundled model by name, or a folder that `fadernets export` wrote. Raises ModelError."""
        with described(model) as (folder, info):
            if info["codec"] != "melody":
                raise ModelError(f"--model {model}: a model of {info['codec']}; melodies need one such as 'melody'")
            _check(info)
            return cls(folder, info)

    def encode(self, clips: States) -> Latents:
        """[B, 32] -> posterior means."""
        if not len(clips):  # the runtime aborts the process on an empty batch
            return np.zeros((0, self.z), np.float32)
        return np.asarray(self._encoder.run(["z"], {"states": np.asarray(clips, np.int64)})[0])

    def decode(
        self, z: Latents, *, offset: NDArray[np.floating] | None = None, forced: NDArray[np.integer] | None = None
    ) -> Sung:
        """Each step takes the likeliest state and is fed with it. offset [B, 32, 130] is added to the log-probabilities
        first; forced [B, 32] is the state itself, -1 where the decoder is free."""
        shape = (len(z), melody_states.STEPS)
        if not len(z):
            return Sung(np.zeros(shape, np.uint8), np.zeros((*shape, melody_states.STATES), np.float32))
        feeds = {
            "z": np.ascontiguousarray(z, np.float32),
            "offset": np.zeros((*shape, melody_states.STATES), np.float32)
            if offset is None
            else np.ascontiguousarray(offset, np.float32),
            "forced": np.full(shape, -1, np.int64) if forced is None else np.ascontiguousarray(forced, np.int64),
        }
        states, logp = self._decoder.run(["states", "log_probabilities"], feeds)
        return Sung(states.astype(np.uint8), logp)
