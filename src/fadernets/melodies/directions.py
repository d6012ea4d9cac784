"""Directions in the code of a melody: where each knob leads, and where the rest of the code does.

Section 4 of the NIME paper moves the few dimensions that belong to a knob (`paper`); `knob` moves along the direction
that the augmentations take (`inspection.regress`). Z latent size; amounts in semitones of mean pitch, doublings of the
number of onsets, and standard deviations of the codes.
"""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Floats, Indices, Latents
from fadernets.engines.melody import MelodyEngine
from fadernets.errors import FadernetsError

REST_STREAM, CONTROL_STREAM = 7, 11  # keep the two random directions of one seed apart
IN_USE = 0.5  # of the spread of a knob's narrowest dimension, from which on the codes use another one


def knob_direction(engine: MelodyEngine, knob: str, control: str) -> Floats:
    """[Z] the change of the code for one semitone (`pitch`) or one doubling (`rhythm`)."""
    row = engine.info["knobs"][knob]
    if control == "knob":
        return np.asarray(row["direction"], np.float64)
    direction = np.zeros(engine.z)
    direction[row["dimensions"]] = row["change"]
    return direction


def random_direction(engine: MelodyEngine, control: str, seed: int) -> Floats:
    """[Z] one standard deviation of the codes along a random direction that turns neither knob (Section 4.3)."""
    spread = np.asarray(engine.info["spread"], np.float64)
    direction = np.random.default_rng([seed, REST_STREAM]).standard_normal(engine.z) * spread
    if control == "paper":
        for row in engine.info["knobs"].values():
            direction[row["dimensions"]] = 0.0
        return direction
    knobs = np.stack([knob_direction(engine, name, control) for name in engine.info["knobs"]])
    basis = np.linalg.qr(knobs.T)[0]
    return np.asarray(direction - basis @ (basis.T @ direction))


def rest_up(engine: MelodyEngine) -> Floats:
    """[Z] one standard deviation of the codes up in every dimension that belongs to no knob (Section 4.3, Figure 8)."""
    direction = np.array(engine.info["spread"], np.float64)
    for row in engine.info["knobs"].values():
        direction[row["dimensions"]] = 0.0
    return direction


def free_dimensions(engine: MelodyEngine, knob: str, *, in_use: bool = False) -> Indices:
    """The dimensions that belong to no knob, in order.

    in_use: only those in which the codes of clips spread at least half as far as in the narrowest of the knob's own. A
    model leaves many of its dimensions to the prior, and to move these says nothing.
    """
    taken = {d for other in engine.info["knobs"].values() for d in other["dimensions"]}
    free = np.array([d for d in range(engine.z) if d not in taken], np.int64)
    if not in_use:
        return free
    spread = np.asarray(engine.info["spread"], np.float64)
    return free[spread[free] >= IN_USE * spread[engine.info["knobs"][knob]["dimensions"]].min()]


def random_dimensions(engine: MelodyEngine, knob: str, seed: int, *, in_use: bool = False) -> Latents:
    """[Z] what the paper compares a knob with (Figures 6b and 7b): the same change in dimensions of no knob.

    As many dimensions as the knob has, drawn by seed from `free_dimensions`. Raises FadernetsError where these are too
    few.
    """
    row = engine.info["knobs"][knob]
    free = free_dimensions(engine, knob, in_use=in_use)
    if len(free) < len(row["dimensions"]):
        raise FadernetsError(
            f"{engine.name}: {len(free)} dimensions {'in use ' if in_use else ''}belong to no knob, {knob} has "
            f"{len(row['dimensions'])}: random ones cannot be compared with them"
        )
    direction = np.zeros(engine.z, np.float32)
    chosen = np.random.default_rng([seed, CONTROL_STREAM]).choice(free, len(row["dimensions"]), replace=False)
    direction[chosen] = row["change"]
    return direction
