"""Tension in the spiral array, against distances worked out by hand."""

import numpy as np
import pytest

from fadernets.attributes import of_cells, tension
from fadernets.codecs import grid


def held(*pitches, steps=range(16)):
    """A segment in which these MIDI pitches sound, struck on each beat."""
    cells = np.zeros((1, 16, 88), np.uint8)
    for step in steps:
        for pitch in pitches:
            cells[0, step, pitch - grid.LOW] = grid.ONSET if step % 4 == 0 else grid.HOLD
    return cells


def test_places_on_the_helix():
    """A fifth is a quarter turn and sqrt(2/15) up; a major third, four fifths, lies straight above."""
    fifth = np.linalg.norm(tension.helix_position(np.array(1)) - tension.helix_position(np.array(0)))
    assert fifth == pytest.approx(np.sqrt(2 + 2 / 15))
    third = tension.helix_position(np.array(4)) - tension.helix_position(np.array(0))
    assert third == pytest.approx([0, 0, 4 * np.sqrt(2 / 15)])


def test_diameter_of_a_triad_and_of_a_tritone():
    """C-E-G: the fifth and the major third are near, the minor third C..E-G the farthest; F-B is farther."""
    triad = tension.tension_measures(held(60, 64, 67))[0]
    minor_third = np.linalg.norm(tension.helix_position(np.array(4)) - tension.helix_position(np.array(1)))
    assert triad[0] == pytest.approx(max(minor_third, np.sqrt(2 + 2 / 15), 4 * np.sqrt(2 / 15)))
    assert tension.tension_measures(held(59, 62, 65, 67))[0, 0] > triad[0]


def test_one_note_has_no_diameter_and_what_stays_no_momentum():
    alone = tension.tension_measures(held(60))[0]
    assert alone[:2].tolist() == [0, 0]
    assert tension.tension_measures(held(60, 64, 67))[0, 1] == 0


def test_momentum_of_a_chord_that_moves():
    cells = held(60, 64, 67, steps=range(8)) + held(62, 65, 69, steps=range(8, 16))
    assert tension.tension_measures(cells)[0, 1] > 0.1


def test_a_tonic_chord_strains_less_than_a_foreign_one():
    home = held(60, 64, 67)
    foreign = home.copy()
    foreign[0, 14:] = held(61, 65, 68)[0, 14:]  # D-flat major in the last half beat
    assert of_cells.key(foreign)[0] == of_cells.key(home)[0] == 0
    assert tension.tension_measures(foreign)[0, 2] > tension.tension_measures(home)[0, 2] + 0.05


@pytest.mark.parametrize("semitones", range(-6, 6))
def test_tension_knows_no_key_by_name(semitones):
    chord = [60, 63, 67, 68, 62]
    assert tension.tension(held(*[p + semitones for p in chord])) == pytest.approx(tension.tension(held(*chord)))


def test_silence_has_no_tension():
    assert np.isfinite(tension.tension_measures(np.zeros((2, 16, 88), np.uint8))).all()
    assert tension.tension_measures(np.zeros((0, 16, 88), np.uint8)).shape == (0, 3)
