"""Single dimensions of a melody's code moved by hand, as the interface of the NIME paper does (Section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fadernets.arrays import States
from fadernets.codecs import melody_states
from fadernets.engines.melody import MelodyEngine
from fadernets.errors import FadernetsError


@dataclass(frozen=True)
class SliderGroup:
    """The dimensions that belong to one knob, those that its augmentation moves most first."""

    name: str
    dimensions: list[int]
    significant: int  # how many of them the knob itself moves


def groups(engine: MelodyEngine) -> list[SliderGroup]:
    """The groups of a model: pitch and rhythm. A model that has none gives each the dimensions of the whole code."""
    found = []
    for name in ("pitch", "rhythm"):
        knob = engine.info["knobs"][name]
        first, last = (engine.info.get("groups") or {}).get(name, (0, engine.z))
        strength = np.abs(np.asarray(knob["direction"], np.float64))
        own = [d for d in knob["dimensions"] if first <= d < last]
        others = sorted(set(range(first, last)) - set(own), key=lambda d: -strength[d])
        found.append(SliderGroup(name, [*own, *others], len(own)))
    return found


def move(engine: MelodyEngine, clips: States, moved: Mapping[int, float], raw: bool = False) -> States:
    """[C, 32] the clips with dimensions of their codes moved by so many standard deviations, decoded.

    What the decoder makes alike of the code before and of the code after stays the clip's own; raw: all is the
    decoder's, as in the paper. With nothing moved, clips come back as they are. Raises FadernetsError for a dimension
    that there is not.
    """
    for dimension in moved:
        if not 0 <= dimension < engine.z:
            raise FadernetsError(f"dimension {dimension}: the model has 0 to {engine.z - 1}")
    offset = np.zeros(engine.z, np.float32)
    for dimension, amount in moved.items():
        offset[dimension] = amount * engine.info["spread"][dimension]
    rows = np.flatnonzero(melody_states.onsets(clips) > 0)
    out = clips.copy()
    if not offset.any() or not len(rows):
        return out
    codes = engine.encode(clips[rows])
    after = engine.decode(codes + offset).states
    if not raw:
        before = engine.decode(codes).states
        after = np.where(before == after, clips[rows], after)
    out[rows] = melody_states.tidy(after, held=True)
    return out
