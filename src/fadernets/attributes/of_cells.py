"""Musical attributes of a segment, one function each, and the table that everything reads.

A function takes cells [..., 16, 88] and gives one number a segment, in the attribute's own unit; those of what the grid
does not hold take a Performance and give one a window. To add an attribute: write the function, add a row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes.keys import estimate
from fadernets.codecs.grid import HOLD, LOW, OFF, ONSET, PITCHES, STEPS

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


# How strong each sixteenth of four quarter-beats is, after Longuet-Higgins and Lee, "The Rhythmic Interpretation of
# Monophonic Music", Music Perception 1 (4), 1984: 0 for the bar, one less for each division.
METRE = np.array([0, -4, -3, -4, -2, -4, -3, -4, -1, -4, -3, -4, -2, -4, -3, -4])


def syncopation(cells: Cells) -> NDArray[np.float64]:
    """How far onsets fall before stronger steps that have none (Longuet-Higgins and Lee, 1984).

    Each onset adds how much stronger than its own step the strongest one is up to the next onset (or the end).
    """
    struck = (cells == ONSET).any(axis=-1)
    strongest = np.full(struck.shape[:-1], -9)  # of the steps without an onset behind step t
    total = np.zeros(struck.shape[:-1])
    for t in range(STEPS - 1, -1, -1):
        total += np.where(struck[..., t], np.maximum(strongest - METRE[t], 0), 0)
        strongest = np.where(struck[..., t], -9, np.maximum(strongest, METRE[t]))
    return total


def mean_pitch(cells: Cells) -> NDArray[np.float64]:
    """Mean MIDI number of the onsets; nan where there is none. What the pitch fader moves, as the grid has it."""
    struck = cells == ONSET
    count, total = struck.sum((-2, -1)), (struck.sum(-2) * np.arange(LOW, LOW + PITCHES)).sum(-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
