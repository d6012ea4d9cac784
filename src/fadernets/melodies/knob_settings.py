"""How far each knob of a melody is turned, and where that takes its code (Section 4 of the NIME paper)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fadernets.arrays import Floats, Latents
from fadernets.editing import request_values, requests
from fadernets.engines.melody import MelodyEngine
from fadernets.errors import FadernetsError
from fadernets.melodies.directions import knob_direction, random_direction, rest_up

CONTROLS = ("knob", "paper")
MEASURED = {"pitch": (-12.0, 12.0), "rhythm": (-1.0, 2.0)}  # semitones, doublings: how far `evaluate melody` turns them
LARGEST_REST = 4.0  # standard deviations


@dataclass(frozen=True)
class Knobs:
    """How far each knob goes, in units of its mean effect. Raises FadernetsError for what cannot be asked."""

    pitch: float = 0.0  # semitones of mean pitch
    rhythm: float = 0.0  # doublings of the number of onsets
    rest: float = 0.0  # standard deviations of the codes, in a direction drawn by seed; `paper`: all others up
    control: str = "knob"  # or "paper"
    faithfulness: float = 1.0
    chromatic: bool = False  # knob: leave the pitch classes of the melody's key
    seed: int = 0

    def __post_init__(self) -> None:
        if self.control not in CONTROLS:
            raise FadernetsError(f"control {self.control!r}; allowed: {', '.join(CONTROLS)}")
        for name in ("pitch", "rhythm", "rest"):
            object.__setattr__(self, name, request_values.finite(getattr(self, name), name))
        requests.check_faithfulness(self.faithfulness)
        object.__setattr__(self, "seed", requests.read_seed(self.seed))

    @property
    def at_rest(self) -> bool:
        """Whether nothing is asked: a melody then stays as it is, also with the paper's control."""
        return not (self.pitch or self.rhythm or self.rest)


def code_offset(
    engine: MelodyEngine, knobs: Knobs, pitch: Floats | float | None = None, rhythm: Floats | float | None = None
) -> Latents:
    """[..., Z] what the knobs add to a code; pitch and rhythm: amounts [...] in place of those of `knobs`."""
    amounts = {
        "pitch": np.asarray(knobs.pitch if pitch is None else pitch, np.float64),
        "rhythm": np.asarray(knobs.rhythm if rhythm is None else rhythm, np.float64),
    }
    total = np.zeros((*np.broadcast(*amounts.values()).shape, engine.z))
    for name, amount in amounts.items():
        total = total + amount[..., None] * knob_direction(engine, name, knobs.control)
    if knobs.rest:
        paper = knobs.control == "paper"
        total = total + knobs.rest * (rest_up(engine) if paper else random_direction(engine, "knob", knobs.seed))
    return total.astype(np.float32)
