"""Encode and decode melodies with ONNX Runtime alone.

Of a model folder's model.json it reads the knobs (their dimensions and directions), the spread of each dimension, the
size of the code and the statistics of the clips. B clips of 32 states, Z latent size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Floats32, Latents, States
from fadernets.codecs import melody_states
from fadernets.codecs.base import is_melodic
from fadernets.engines.model_folder import DEFAULT_MELODY_MODEL, ModelError, ModelFolder, finite


@dataclass(frozen=True)
class Decoded:
    """What the decoder chose and how sure it was."""

    states: States  # [B, 32]
    log_probabilities: Floats32  # [B, 32, 130] of each step, given the steps that it fed back


class MelodyEngine(ModelFolder):
    """A model of melodies, ready to encode and decode on one core.

    >>> engine = MelodyEngine.open()
    >>> z = engine.encode(clips)  # clips [B, 32]
    """

    default = DEFAULT_MELODY_MODEL

    def __init__(self, folder: Path, info: dict[str, Any]) -> None:
        super().__init__(folder, info)
        self.z = int(info["z"])
        _ = info["knobs"].keys()  # raises here and not in the middle of an edit

    @classmethod
    def _check(cls, model: str | Path, folder: Path, info: dict[str, Any]) -> None:
        if not is_melodic(info["codec"]):
            raise ModelError(f"model {model}: a model of {info['codec']}; melodies need one such as 'melody'")
        z = int(info["z"])
        for name in ("pitch", "rhythm"):
            knob = info["knobs"][name]
            dimensions = knob["dimensions"]
            fits = finite(knob["direction"]).shape == (z,) and finite(knob["change"]).shape == (len(dimensions),)
            if not fits or not all(isinstance(d, int) and 0 <= d < z for d in dimensions):
                raise ValueError(f"the {name} knob is not one of {z} dimensions")
            first, last = info["groups"][name] if info.get("groups") else (0, z)
            if not 0 <= first < last <= z:
                raise ValueError(f"the {name} group is not one of {z} dimensions")
        if finite(info["spread"]).shape != (z,):
            raise ValueError(f"the spread of {len(info['spread'])} dimensions, not {z}")
        finite([info["statistics"]["pitch"][end] for end in ("min", "max")])
        _ = str(info["recipe"]["data"])

    @property
    def pitches(self) -> tuple[int, int]:
        """The lowest and the highest mean pitch of a clip that the model learned from, in whole semitones."""
        return whole_semitones(self.info["statistics"]["pitch"])

    def encode(self, clips: States) -> Latents:
        """Clips [B, 32] -> posterior means [B, Z]."""
        if not len(clips):  # the runtime aborts the process on an empty batch
            return np.zeros((0, self.z), np.float32)
        return np.asarray(self._encoder.run(["z"], {"states": np.asarray(clips, np.int64)}, [(len(clips), self.z)])[0])

    def decode(
        self, z: Latents, *, offset: NDArray[np.floating] | None = None, forced: NDArray[np.integer] | None = None
    ) -> Decoded:
        """One pass over the 32 steps for codes [B, Z]; each step takes the likeliest state and feeds it to the next.

        offset [B, 32, 130] is added to the log-probabilities before the choice; forced [B, 32] is the state to take,
        or -1 where the decoder is free.
        """
        shape = (len(z), melody_states.STEPS)
        if not len(z):
            return Decoded(np.zeros(shape, np.uint8), np.zeros((*shape, melody_states.STATES), np.float32))
        feeds = {
            "z": np.ascontiguousarray(z, np.float32),
            "offset": np.zeros((*shape, melody_states.STATES), np.float32)
            if offset is None
            else np.ascontiguousarray(offset, np.float32),
            "forced": np.full(shape, -1, np.int64) if forced is None else np.ascontiguousarray(forced, np.int64),
        }
        shapes = [shape, (*shape, melody_states.STATES)]
        states, log_probabilities = self._decoder.run(["states", "log_probabilities"], feeds, shapes)
        return Decoded(states.astype(np.uint8), log_probabilities)


def whole_semitones(pitch: Mapping[str, float]) -> tuple[int, int]:
    """The whole MIDI numbers within the `min` and `max` of a data set's mean pitches: the lowest and the highest."""
    return math.ceil(pitch["min"]), math.floor(pitch["max"])
