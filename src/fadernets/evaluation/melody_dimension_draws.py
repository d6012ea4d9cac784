"""A knob's own dimensions beside many draws of as many random ones (NIME 2019, Figures 6 and 7).

The paper shows one draw on one theme. Here each draw moves N clips, and what is reported is how the mean over the clips
differs from draw to draw: one draw can fall on dimensions that a model does not use. `pitch` in semitones of mean pitch
and `doublings` of the number of onsets are sizes of a change; with `_signed` they are the change itself, since Figure
6a is a rise. It does not show how the results sound.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fadernets.arrays import Floats, Indices, Integers, Latents, States
from fadernets.codecs import melody_states
from fadernets.engines.melody import MelodyEngine
from fadernets.evaluation.clip_estimates import Estimate, Spread
from fadernets.melodies import blend, directions
from fadernets.metrics.tables import markdown_table

DRAWS = 20  # of random dimensions
COMPARED = (("pitch", 6.0), ("rhythm", 1.0))  # semitones, doublings: where random dimensions are compared
CHANGES = ("pitch", "pitch_signed", "doublings", "doublings_signed", "steps")
GOALS = {"pitch": ("pitch", "pitch_signed"), "rhythm": ("doublings", "doublings_signed")}  # what a knob is for
HEAD = (
    "moved",
    "mean pitch, semitones",
    "up or down",
    "onsets, doublings",
    "more or fewer",
    "steps that differ",
    "draws as far, as far up",
)


def decoded(engine: MelodyEngine, codes: Latents) -> States:
    """[N, 32] plain decodes of codes, as in the paper."""
    return melody_states.tidy(engine.decode(codes).states, held=True)


def changes(engine: MelodyEngine, codes: Latents, unmoved: States, direction: Floats) -> dict[str, Floats]:
    """What a step [Z] of every code does beside its unmoved decode: CHANGES -> [N].

    A change of pitch is NaN where nothing sounds before or after.
    """
    moved = decoded(engine, codes + direction.astype(np.float32))
    pitch = melody_states.mean_pitch(moved) - melody_states.mean_pitch(unmoved)
    ratio = np.maximum(melody_states.onsets(moved), 0.5) / np.maximum(melody_states.onsets(unmoved), 0.5)
    doublings = np.log2(ratio)
    return {
        "pitch": np.abs(pitch),
        "pitch_signed": pitch,
        "doublings": np.abs(doublings),
        "doublings_signed": doublings,
        "steps": blend.different_steps(moved, unmoved),
    }


def compare(
    engine: MelodyEngine, clips: States, pieces: Integers | None = None, draws: int = DRAWS
) -> dict[str, dict[str, Any]]:
    """Each knob's own dimensions, and random ones of seeds 0 to `draws` - 1, by as much, over clips [N, 32].

    Knob -> `own`: change -> `Estimate`; `random` and `in_use`: change -> `Spread` over the draws; `random_as_far` and
    `in_use_as_far`: how many draws change what the knob is for by as much, and how many raise it by as much. `in_use`
    draws from the dimensions that the codes use (`directions.free_dimensions`); it is left out where they are too few.
    `rest`: as `own` all other dimensions up by one standard deviation, as `random` directions in them.
    """
    codes = engine.encode(clips)
    unmoved = decoded(engine, codes)

    def over_draws(steps: list[Floats]) -> dict[str, Floats]:  # change -> [draws]
        each = [changes(engine, codes, unmoved, step) for step in steps]
        return {name: np.array([np.nanmean(one[name]) for one in each]) for name in CHANGES}

    figures: dict[str, dict[str, Any]] = {}
    for knob, amount in COMPARED:
        own = changes(engine, codes, unmoved, amount * directions.knob_direction(engine, knob, "paper"))
        figures[knob] = {"own": {name: Estimate.of(own[name], pieces) for name in CHANGES}}
        for name, in_use in (("random", False), ("in_use", True)):
            if in_use and len(directions.free_dimensions(engine, knob, in_use=True)) < _size(engine, knob):
                continue
            found = over_draws(
                [
                    amount * directions.random_dimensions(engine, knob, seed, in_use=in_use).astype(np.float64)
                    for seed in range(draws)
                ]
            )
            figures[knob][name] = {change: Spread.of(values) for change, values in found.items()}
            figures[knob][f"{name}_as_far"] = [
                int((found[goal] >= np.nanmean(own[goal])).sum()) for goal in GOALS[knob]
            ]
    own = changes(engine, codes, unmoved, directions.rest_up(engine))
    found = over_draws([directions.random_direction(engine, "paper", seed) for seed in range(draws)])
    figures["rest"] = {
        "own": {name: Estimate.of(own[name], pieces) for name in CHANGES},
        "random": {change: Spread.of(values) for change, values in found.items()},
    }
    return figures


def _size(engine: MelodyEngine, knob: str) -> int:
    dimensions: list[int] | Indices = engine.info["knobs"][knob]["dimensions"]
    return len(dimensions)


def table(figures: dict[str, dict[str, Any]], draws: int = DRAWS) -> str:
    """Markdown: own rows have 95 % intervals over pieces, random ones their least and most of the draws."""
    titles = {"own": "its own dimensions", "random": "random dimensions", "in_use": "random dimensions in use"}
    rest = {"own": "all up by 1 sd", "random": "random directions, 1 sd"}
    rows = []
    for knob, found in figures.items():
        for name, title in (rest if knob == "rest" else titles).items():
            if name in found:
                as_far = found.get(f"{name}_as_far")
                last = "-" if as_far is None else f"{as_far[0]}, {as_far[1]} of {draws}"
                rows.append([f"{knob}: {title}", *(str(found[name][change]) for change in CHANGES), last])
    return markdown_table(HEAD, rows)
