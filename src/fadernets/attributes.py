"""Musical attributes of a segment, one function each, and the table that everything reads.

A function takes cells [..., 16, 88] and gives one number a segment, in the attribute's own unit.
To add an attribute: write the function, add a row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fadernets.grid import HOLD, LOW, OFF, ONSET, STEPS
from fadernets.keys import estimate

Cells = NDArray[np.uint8]
MAX_VOICES = 15  # Section 4.1: polyphony classes 0..15


def rhythm_symbols(cells: Cells) -> NDArray[np.uint8]:
    """[..., 16] 0 rest, 1 onset of any pitch, 2 hold (Section 4.1)."""
    onset = (cells == ONSET).any(axis=-1)
    hold = (cells == HOLD).any(axis=-1)
    return np.where(onset, 1, np.where(hold, 2, 0)).astype(np.uint8)


def note_symbols(cells: Cells) -> NDArray[np.uint8]:
    """[..., 16] how many notes sound, 0..15 (Section 4.1)."""
    return np.minimum((cells != OFF).sum(axis=-1), MAX_VOICES).astype(np.uint8)


def rhythm_density(cells: Cells) -> NDArray[np.float64]:
    """Onset steps / 16."""
    return (cells == ONSET).any(axis=-1).sum(axis=-1) / STEPS


def note_density(cells: Cells) -> NDArray[np.float64]:
    """Mean number of notes sounding a step, each step counted up to 15."""
    return note_symbols(cells).mean(axis=-1)


def pitch_classes(cells: Cells) -> NDArray[np.int64]:
    """[..., 12] steps that each pitch class sounds."""
    steps = (cells != OFF).sum(axis=-2)  # [..., 88]
    padded = np.concatenate([np.zeros((*steps.shape[:-1], LOW % 12), np.int64), steps], axis=-1)
    behind = np.zeros((*steps.shape[:-1], -padded.shape[-1] % 12), np.int64)
    padded = np.concatenate([padded, behind], axis=-1)
    return padded.reshape(*steps.shape[:-1], padded.shape[-1] // 12, 12).sum(axis=-2)


def key(cells: Cells) -> NDArray[np.uint8]:
    """[S] 0..11 major from C, 12..23 minor from C, of cells [S, 16, 88]."""
    return estimate(pitch_classes(cells))


@dataclass(frozen=True)
class Attribute:
    """A row of the table: what a fader can ask for."""

    name: str
    measure: Callable[[Cells], NDArray[np.float64]]
    low: float
    high: float
    unit: str
    near: float  # how far from the asked value is still a hit
    grain: float = 0.0  # values that exist are multiples of this; 0: any

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
ATTRIBUTES = dict(CODED)


def measure(cells: Cells) -> dict[str, NDArray[np.float64]]:
    """The coded attributes of cells [S, 16, 88]: name -> [S]."""
    return {name: row.measure(cells) for name, row in CODED.items()}
