"""Attributes by hand-counted cases, and the table that lists them."""

from __future__ import annotations

import numpy as np
import pytest

from fadernets import grid
from fadernets.attributes import (
    CODED,
    key,
    measure,
    note_density,
    note_symbols,
    pitch_classes,
    rhythm_density,
    rhythm_symbols,
)

# Two notes on step 0 for 4 steps, one on step 8 for 2, and one held in over steps 0 and 1.
CELLS = grid.from_notes(np.array([(0, 4, 60), (0, 4, 64), (8, 10, 67), (-1, 2, 48)]))


def test_rhythm_by_hand():
    assert rhythm_symbols(CELLS).tolist() == [1, 2, 2, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0]
    assert rhythm_density(CELLS) == 2 / 16


def test_a_note_held_in_is_no_onset():
    held = grid.from_notes(np.array([(-1, 16, 60)]))
    assert rhythm_symbols(held).tolist() == [2] * 16
    assert rhythm_density(held) == 0


def test_notes_by_hand():
    assert note_symbols(CELLS).tolist() == [3, 3, 2, 2, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0]
    assert note_density(CELLS) == 12 / 16


def test_a_step_counts_at_most_fifteen_notes():
    cluster = grid.from_notes(np.array([(0, 16, pitch) for pitch in range(40, 60)]))
    assert note_density(cluster) == 15


def test_pitch_classes_count_the_steps_that_each_sounds():
    expected = np.zeros(12, np.int64)
    expected[[0, 4, 7]] = 4 + 2, 4, 2  # C at 60 and 48, E, G
    assert pitch_classes(CELLS).tolist() == expected.tolist()
    assert pitch_classes(grid.from_notes(np.array([(0, 1, 21), (0, 1, 108)]))).nonzero()[0].tolist() == [0, 9]


@pytest.mark.parametrize(("tonic", "third", "number"), [(60, 4, 0), (62, 4, 2), (57, 3, 21), (60, 3, 12)])
def test_the_key_of_a_scale(tonic, third, number):
    minor = third == 3
    scale = [0, 2, 3, 5, 7, 8, 11] if minor else [0, 2, 4, 5, 7, 9, 11]
    notes = [(2 * i, 2 * i + 2, tonic + degree) for i, degree in enumerate(scale)]
    notes += [(0, 16, tonic - 12), (0, 16, tonic + third + 12), (0, 16, tonic + 19)]
    assert key(grid.from_notes(np.array(notes))[None]).tolist() == [number]


@pytest.mark.parametrize("segments", [0, 1, 3])
def test_every_attribute_measures_any_number_of_segments_within_its_range(segments):
    cells = np.repeat(CELLS[None], segments, axis=0)
    for name, values in measure(cells).items():
        assert values.shape == (segments,)
        assert ((values >= CODED[name].low) & (values <= CODED[name].high)).all()
    assert key(cells).shape == (segments,)
    assert grid.unpack(grid.pack(cells)).shape == cells.shape


def test_the_option_of_an_attribute_is_its_name_with_dashes():
    assert [row.option for row in CODED.values()] == ["rhythm-density", "note-density"]


def test_an_onset_in_a_held_chord_is_an_onset():
    both = grid.from_notes(np.array([(0, 16, 48), (4, 8, 60)]))
    assert rhythm_symbols(both)[4] == 1
    assert rhythm_density(both) == 2 / 16


def test_leading_shapes_pass_through():
    many = np.stack([CELLS[None], grid.from_notes(np.array([(0, 8, 62)]))[None]])  # [2, 1, 16, 88]
    for row in CODED.values():
        assert row.measure(many).shape == (2, 1)
    assert note_density(many)[:, 0].tolist() == [12 / 16, 8 / 16]
