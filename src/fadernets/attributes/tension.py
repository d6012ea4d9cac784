"""Tonal tension of a segment in Chew's spiral array, measured as by Herremans and Chew (2016), the paper's [44].

Pitch classes lie on a helix in order of fifths, a quarter turn each, with radius 1 and a rise of sqrt(2 / 15). The
notes of a beat are a cloud of points. Three measures: how far apart its notes are (diameter), how far its centre lies
from that of the beat before (momentum), and how far it lies from the centre of the key (strain). Notes are spelled by
the key, from five fifths below its tonic to six above.
"""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Array, Bools, Cells, Floats
from fadernets.attributes import of_cells
from fadernets.music.segments import BEATS, STEPS_PER_BEAT

RISE = float(np.sqrt(2 / 15))  # of the helix, each fifth
WEIGHTS = np.array([0.6025, 0.2930, 0.1145])  # of root, fifth and third; of tonic, dominant and subdominant
MINOR = 0.75  # share of the major dominant, and of the minor subdominant, in a minor key


def helix_position(fifths: Array) -> Floats:
    """[..., 3] the points of pitch classes, given in fifths above the tonic."""
    turn = np.asarray(fifths, np.float64)
    return np.stack([np.sin(turn * np.pi / 2), np.cos(turn * np.pi / 2), turn * RISE], axis=-1)


def _triad(root: int, third: int) -> Floats:
    """[3] the centre of a triad by its root and third in fifths: the third lies 4 above the root (major) or 3 below."""
    return np.asarray(WEIGHTS @ helix_position(np.array([root, root + 1, root + third])))


def _centre(minor: bool) -> Floats:
    """[3] the centre of the key whose tonic is at 0 fifths."""
    if not minor:
        return np.asarray(WEIGHTS @ np.stack([_triad(0, 4), _triad(1, 4), _triad(-1, 4)]))
    dominant = MINOR * _triad(1, 4) + (1 - MINOR) * _triad(1, -3)
    subdominant = MINOR * _triad(-1, -3) + (1 - MINOR) * _triad(-1, 4)
    return np.asarray(WEIGHTS @ np.stack([_triad(0, -3), dominant, subdominant]))


def tension_measures(cells: Cells) -> Floats:
    """[S, 3] cloud diameter, cloud momentum and tensile strain of cells [S, 16, 88], means over beats that sound."""
    beats = cells.reshape(len(cells), BEATS, STEPS_PER_BEAT, cells.shape[-1])
    weight = of_cells.pitch_classes(beats).astype(np.float64)  # [S, 4, 12] how many steps each class sounds
    key = of_cells.key(cells).astype(np.int64)
    minor = key >= 12
    semitones = (np.arange(12) - key[:, None] % 12) % 12  # [S, 12] above the tonic
    fifths = (7 * semitones + 5) % 12 - 5
    points = helix_position(fifths)  # [S, 12, 3]
    class_sounds = weight > 0  # [S, 4, 12]
    distance = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)  # [S, 12, 12]
    both_sound = class_sounds[:, :, :, None] & class_sounds[:, :, None]
    diameter = np.where(both_sound, distance[:, None], 0).max((2, 3))  # [S, 4]
    total = weight.sum(-1)
    centre = np.einsum("sbc,scd->sbd", weight, points) / np.maximum(total, 1)[..., None]  # [S, 4, 3]
    beat_sounds = total > 0  # [S, 4]
    key_centre = np.where(minor[:, None], _centre(True), _centre(False))  # [S, 3]
    strain = np.linalg.norm(centre - key_centre[:, None], axis=-1)  # [S, 4]
    momentum = np.linalg.norm(np.diff(centre, axis=1), axis=-1)  # [S, 3]
    pair_sounds = beat_sounds[:, 1:] & beat_sounds[:, :-1]  # [S, 3]

    def mean(values: Floats, known: Bools) -> Floats:
        return np.asarray((values * known).sum(1) / np.maximum(known.sum(1), 1))

    return np.stack([mean(diameter, beat_sounds), mean(momentum, pair_sounds), mean(strain, beat_sounds)], axis=1)


def tension(cells: Cells) -> Floats:
    """[S] how tense each segment is: the sum of the three measures of cells [S, 16, 88]."""
    return np.asarray(tension_measures(cells).sum(1))
