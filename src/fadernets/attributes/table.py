"""Musical attributes of a segment, one function each, and the table that everything reads.

A function takes cells [..., 16, 88] and gives one number a segment, in the attribute's own unit; those of what the grid
does not hold take a Performance and give one a window. To add an attribute: write the function, add a row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes import performed
from fadernets.attributes.keys import KEY_NAMES
from fadernets.attributes.of_cells import (
    MAX_VOICES,
    Cells,
    key,
    note_density,
    rhythm_density,
    syncopation,
)
from fadernets.codecs.grid import PITCHES, STEPS
from fadernets.errors import FadernetsError


@dataclass(frozen=True)
class Attribute:
    """A row of the table: what a fader can ask for."""

    name: str
    measure: Callable[[Any], NDArray[Any]]
    low: float
    high: float
    unit: str
    near: float = 0.0  # how far from the asked value is still a hit; 0, where added: a fortieth of the range
    grain: float = 0.0  # values that exist are multiples of this; 0: any
    of: Literal["cells", "performance"] = "cells"  # what `measure` takes
    names: tuple[str, ...] = ()  # of its values 0, 1, ..., where they are kinds

    @property
    def option(self) -> str:
        """The name as the command line spells it."""
        return self.name.replace("_", "-")


# What models, data sets and protocols know, in the order of their codes and columns.
CODED = {
    row.name: row
    for row in (
        Attribute("rhythm_density", rhythm_density, 0.0, 1.0, "onset steps / 16", near=1 / STEPS, grain=1 / STEPS),
        Attribute("note_density", note_density, 0.0, float(MAX_VOICES), "notes sounding a step", near=0.5),
    )
}
# What faders can ask for: those of the model first.
ATTRIBUTES = CODED | {
    row.name: row
    for row in (
        Attribute("syncopation", syncopation, 0.0, 16.0, "Longuet-Higgins and Lee", near=1.0, grain=1.0),
        Attribute("pitch", performed.pitch, 21.0, 108.0, "MIDI number, mean", near=0.5, of="performance"),
        Attribute("key", key, 0.0, 23.0, "key", near=0.5, grain=1.0, names=KEY_NAMES),
        Attribute("dynamics", performed.dynamics, 1.0, 127.0, "velocity, mean", near=1.0, of="performance"),
        Attribute(
            "articulation",
            performed.articulation,
            0.05,
            1.0,
            "share of the time to the next onset within an octave",
            near=0.05,
            of="performance",
        ),
        Attribute("tempo", performed.tempo, 20.0, 300.0, "quarter-beats a minute", near=1.0, of="performance"),
    )
}


USER_DEFINED: set[str] = set()  # names of attributes that a user added
RESERVED = ("index", "bar", "start_beat", "arousal")  # what else a report or a file of values has by name


def register(row: Attribute) -> None:
    """Make a new attribute of cells a fader: closed-loop search drives it (`search`). Raises ValueError.

    `row.measure` takes cells [K, 16, 88] of 0 off, 1 onset, 2 hold and gives K numbers.
    """
    if row.name in ATTRIBUTES and row.name not in USER_DEFINED:
        raise ValueError(f"attribute {row.name}: is there already, as one of {', '.join(ATTRIBUTES)}")
    if row.name in RESERVED:
        raise ValueError(f"attribute {row.name}: reports have another thing of that name, as of {', '.join(RESERVED)}")
    if not row.name.isidentifier() or row.name != row.name.lower() or row.of != "cells" or row.names:
        raise ValueError(f"attribute {row.name!r}: needs a name in small letters and a function of cells")
    if not (row.low < row.high and np.isfinite([row.low, row.high]).all()):
        raise ValueError(f"attribute {row.name}: its range {row.low:g}..{row.high:g} is empty or without end")
    with np.errstate(divide="ignore", invalid="ignore"):
        shape = np.shape(row.measure(np.zeros((2, STEPS, PITCHES), np.uint8)))
    if shape != (2,):
        raise ValueError(f"attribute {row.name}: gives numbers of shape {shape} for two segments, not (2,)")
    ATTRIBUTES[row.name] = replace(row, measure=_guarded(row), near=row.near or (row.high - row.low) / 40)
    USER_DEFINED.add(row.name)


def _guarded(row: Attribute) -> Callable[[Cells], NDArray[np.float64]]:
    """A user's function as one that gives a number a segment, nan where it has none, or raises FadernetsError."""

    def measure(cells: Cells) -> NDArray[np.float64]:
        try:
            with np.errstate(divide="ignore", invalid="ignore"):
                values = np.asarray(row.measure(cells), np.float64)
        except Exception as error:
            raise FadernetsError(f"attribute {row.name}: {type(error).__name__}: {error}") from error
        if values.shape != cells.shape[:-2]:
            raise FadernetsError(f"attribute {row.name}: gave {values.shape} numbers for {cells.shape[:-2]} segments")
        return np.where(np.isfinite(values), values, np.nan)

    return measure


def measure(cells: Cells) -> dict[str, NDArray[np.float64]]:
    """The coded attributes of cells [S, 16, 88]: name -> [S]."""
    return {name: row.measure(cells) for name, row in CODED.items()}
