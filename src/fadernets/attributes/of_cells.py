"""Attributes that a segment's cells on the sixteenth grid hold (Section 4.1), one function each.

A function takes cells [..., 16, 88] of 0 off, 1 onset, 2 hold, and gives one number for each segment in the attribute's
own unit. `attributes.table` lists them.
"""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Bytes, Cells, Floats, Integers
from fadernets.attributes.keys import estimate
from fadernets.codecs.grid import HOLD, LOW, OFF, ONSET, PITCHES, STEPS

MAX_VOICES = 15  # Section 4.1: polyphony classes 0..15


def rhythm_symbols(cells: Cells) -> Bytes:
    """[..., 16] 0 rest, 1 onset of any pitch, 2 hold (Section 4.1)."""
    onset = (cells == ONSET).any(axis=-1)
    hold = (cells == HOLD).any(axis=-1)
    return np.asarray(np.where(onset, 1, np.where(hold, 2, 0)), np.uint8)


def note_symbols(cells: Cells) -> Bytes:
    """[..., 16] how many notes sound, 0..15 (Section 4.1)."""
    return np.asarray(np.minimum((cells != OFF).sum(axis=-1), MAX_VOICES), np.uint8)


def rhythm_density(cells: Cells) -> Floats:
    """The share of the 16 steps in which a note begins, 0..1."""
    return np.asarray((cells == ONSET).any(axis=-1).sum(axis=-1) / STEPS)


def note_density(cells: Cells) -> Floats:
    """The mean number of notes that sound in a step, each step counted up to 15."""
    return np.asarray(note_symbols(cells).mean(axis=-1))


def pitch_classes(cells: Cells) -> Integers:
    """[..., 12] how many steps each pitch class sounds, from C on."""
    steps = (cells != OFF).sum(axis=-2)  # [..., 88]
    padded = np.concatenate([np.zeros((*steps.shape[:-1], LOW % 12), np.int64), steps], axis=-1)
    behind = np.zeros((*steps.shape[:-1], -padded.shape[-1] % 12), np.int64)
    padded = np.concatenate([padded, behind], axis=-1)
    return np.asarray(padded.reshape(*steps.shape[:-1], padded.shape[-1] // 12, 12).sum(axis=-2), np.int64)


def key(cells: Cells) -> Bytes:
    """[S] the estimated key of cells [S, 16, 88]: 0..11 C to B major, 12..23 C to B minor; 0 where nothing sounds."""
    return estimate(pitch_classes(cells))


# The metrical strength of each sixteenth of four quarter notes, after Longuet-Higgins and Lee, "The Rhythmic
# Interpretation of Monophonic Music", Music Perception 1 (4), 1984: 0 for the bar, one less for each division.
METRE = np.array([0, -4, -3, -4, -2, -4, -3, -4, -1, -4, -3, -4, -2, -4, -3, -4])
WEAKEST = -9  # less than the strength of every step: there is no step without an onset


def syncopation(cells: Cells) -> Floats:
    """How much stronger the steps without an onset are than the onsets before them (Longuet-Higgins and Lee, 1984).

    Each onset adds the difference between its own strength and that of the strongest step up to the next onset, or to
    the end of the segment, where that step is the stronger one.
    """
    onsets = (cells == ONSET).any(axis=-1)
    strongest = np.full(onsets.shape[:-1], WEAKEST)  # strength of the steps without an onset that follow step t
    total = np.zeros(onsets.shape[:-1])
    for t in range(STEPS - 1, -1, -1):
        total += np.where(onsets[..., t], np.maximum(strongest - METRE[t], 0), 0)
        strongest = np.where(onsets[..., t], WEAKEST, np.maximum(strongest, METRE[t]))
    return total


def mean_pitch(cells: Cells) -> Floats:
    """The mean MIDI number of the onsets, nan where there is none: `performed.pitch` as far as the grid holds it."""
    onsets = cells == ONSET
    count, total = onsets.sum((-2, -1)), (onsets.sum(-2) * np.arange(LOW, LOW + PITCHES)).sum(-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
