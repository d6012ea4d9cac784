"""Tension of a segment in the spiral array (Chew; measured as Herremans and Chew, 2016, which the paper cites as [44]).

Pitch classes lie on a helix by fifths, a quarter turn each; r = 1, h = sqrt(2 / 15). A beat's notes are a cloud: how
far apart its notes are (diameter), how far its centre lies from the one before (momentum) and from the centre of the
key (strain). Notes are spelled by the key, five fifths down to six up from its tonic.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes import of_cells
from fadernets.attributes.of_cells import Cells
from fadernets.music.segments import BEATS, STEPS_PER_BEAT

Floats = NDArray[np.float64]
RISE = float(np.sqrt(2 / 15))
WEIGHTS = np.array([0.6025, 0.2930, 0.1145])  # of root, fifth and third; of tonic, dominant and subdominant
MINOR = 0.75  # share of the major dominant, and of the minor subdominant, in a minor key


def helix_position(fifths: NDArray) -> Floats:
    """[..., 3] where pitches lie, counted in fifths."""
    turn = np.asarray(fifths, np.float64)
    return np.stack([np.sin(turn * np.pi / 2), np.cos(turn * np.pi / 2), turn * RISE], axis=-1)


def _triad(root: int, third: int) -> Floats:
    """The centre of a triad: its third lies 4 fifths up (major) or 3 down (minor)."""
    return np.asarray(WEIGHTS @ helix_position(np.array([root, root + 1, root + third])))


def _centre(minor: bool) -> Floats:
    """The centre of a key on the helix whose tonic is at 0."""
    if not minor:
        return np.asarray(WEIGHTS @ np.stack([_triad(0, 4), _triad(1, 4), _triad(-1, 4)]))
    dominant = MINOR * _triad(1, 4) + (1 - MINOR) * _triad(1, -3)
    subdominant = MINOR * _triad(-1, -3) + (1 - MINOR) * _triad(-1, 4)
    return np.asarray(WEIGHTS @ np.stack([_triad(0, -3), dominant, subdominant]))


def tension_measures(cells: Cells) -> Floats:
    """[S, 3] cloud diameter, cloud momentum and tensile strain of cells [S, 16, 88], means over their beats."""
    beats = cells.reshape(len(cells), BEATS, STEPS_PER_BEAT, cells.shape[-1])
    weight = of_cells.pitch_classes(beats).astype(np.float64)  # [S, 4, 12] steps that each class sounds
    key = of_cells.key(cells).astype(np.int64)
    minor = key >= 12
    semitones = (np.arange(12) - key[:, None] % 12) % 12  # [S, 12] above the tonic
    fifths = (7 * semitones + 5) % 12 - 5
    where = helix_position(fifths)  # [S, 12, 3]
    sounds = weight > 0
    apart = np.linalg.norm(where[:, :, None] - where[:, None], axis=-1)  # [S, 12, 12]
    both = sounds[:, :, :, None] & sounds[:, :, None]
    diameter = np.where(both, apart[:, None], 0).max((2, 3))  # [S, 4]
    total = weight.sum(-1)
    centre = np.einsum("sbc,scd->sbd", weight, where) / np.maximum(total, 1)[..., None]
    heard = total > 0
    home = np.where(minor[:, None], _centre(True), _centre(False))  # [S, 3]
    strain = np.linalg.norm(centre - home[:, None], axis=-1)
    moved = np.linalg.norm(np.diff(centre, axis=1), axis=-1)
    pairs = heard[:, 1:] & heard[:, :-1]

    def mean(values: Floats, known: NDArray[np.bool_]) -> Floats:
        return np.asarray((values * known).sum(1) / np.maximum(known.sum(1), 1))

    return np.stack([mean(diameter, heard), mean(moved, pairs), mean(strain, heard)], axis=1)


def tension(cells: Cells) -> Floats:
    """[S] the sum of the three measures: one number of how tense a segment is."""
    return np.asarray(tension_measures(cells).sum(1))
