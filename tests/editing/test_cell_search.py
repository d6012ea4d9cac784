"""Small changes of a segment's notes that bring an attribute where it is asked to be."""

import numpy as np
import pytest

from fadernets.attributes import table
from fadernets.codecs.grid import HOLD, ONSET
from fadernets.editing import cell_search
from fadernets.editing.cell_search import FIXED, KEPT_WEIGHT, SearchTarget, cells_of, search


def rows(*notes, still=()):
    """Rows of (onset, end, pitch); those of `still` are not to be touched."""
    return np.array([(*note, i, i in still) for i, note in enumerate(notes)], np.int64).reshape(-1, 5)


QUARTERS = [(0, 4, 40), (4, 8, 42), (8, 12, 44), (12, 16, 45)]


def aim(name, value, weight=cell_search.ASKED_WEIGHT, slack=0.0):
    return SearchTarget(table.ATTRIBUTES[name].measure, value, 1.0, weight, slack)


def measured(found, name):
    cells, sound = cells_of([found])
    assert sound.all()
    return float(table.ATTRIBUTES[name].measure(cells)[0])


def test_cells_by_hand():
    cells, sound = cells_of([rows((0, 2, 5), (-1, 3, 7), (14, 20, 9)), rows((0, 2, 5), (1, 3, 5)), rows()])
    assert sound.tolist() == [True, False, True]
    assert cells[0, :, 5].tolist() == [ONSET, HOLD] + [0] * 14
    assert cells[0, :, 7].tolist() == [HOLD] * 3 + [0] * 13
    assert cells[0, :, 9].tolist() == [0] * 14 + [ONSET, HOLD]
    assert not cells[2].any()
    assert cells_of([])[0].shape == (0, 16, 88)


@pytest.mark.parametrize("value", range(6))
def test_syncopation_is_reached_and_the_densities_held(value):
    source = rows(*QUARTERS)
    held = [aim("rhythm_density", 0.25, KEPT_WEIGHT), aim("note_density", 1.0, KEPT_WEIGHT, 0.05)]
    found = search(source, [aim("syncopation", float(value)), *held])
    assert measured(found, "syncopation") == value
    assert measured(found, "rhythm_density") == 0.25
    assert measured(found, "note_density") == pytest.approx(1.0, abs=0.05)


def test_what_measures_what_is_asked_comes_back():
    source = rows(*QUARTERS, (2, 4, 50))
    assert search(source, [aim("syncopation", measured(source, "syncopation"))]) is source
    assert search(source, []) is source


def test_what_cannot_be_reached_is_left(monkeypatch):
    source = rows((-1, 20, 40))
    assert search(source, [aim("syncopation", 5.0)]) is source
    assert search(rows(), [aim("syncopation", 5.0)]).shape == (0, 5)


def test_still_notes_are_not_touched_and_held_ones_keep_ends_and_pitch():
    source = rows(*QUARTERS, (-1, 3, 30), (6, 22, 60), still={0, 1, 4})
    found = search(source, [aim("syncopation", 9.0), aim("note_density", 3.0)])
    by_origin = {row[3]: row for row in found.tolist()}
    for i in (0, 1, 4):
        assert by_origin[i] == source[i].tolist()
    assert by_origin[5][1:3] == [22, 60]
    assert by_origin[5][0] < 16
    assert not np.array_equal(found, source)


def test_every_change_of_a_note_is_one_note_and_sound_rows():
    source = rows(*QUARTERS, (12, 20, 57), still={1})
    for state, cost in cell_search._note_changes(source):
        assert cost > 0
        assert state[state[:, 3] == 1].tolist() == [source[1].tolist()]
        assert ((state[:, 0] >= -1) & (state[:, 0] < 16) & (state[:, 1] > state[:, 0])).all()
        assert ((state[:, 2] >= 0) & (state[:, 2] < 88)).all()
        doubled = state[state[:, 3] < 0]
        assert len(doubled) <= 1
        assert (doubled[:, FIXED] == 0).all()
        assert (doubled[:, 1] <= 16).all()
        last = state[state[:, 3] == 4]
        assert last[:, 1:3].tolist() == [[20, 57]]


def test_chords_move_as_one_and_lead_ups_follow():
    moved = cell_search._shifted(rows(*QUARTERS), np.array([1]), -2)
    assert moved[:, :2].tolist() == [[0, 2], [2, 8], [8, 12], [12, 16]]
    moved = cell_search._shifted(rows(*QUARTERS, still={0}), np.array([1]), 1)
    assert moved[:2, :2].tolist() == [[0, 4], [5, 8]]
    steps = [
        sorted(set(state[:, 0].tolist()))
        for state, _ in cell_search._chord_changes(rows(*QUARTERS, (4, 8, 50), still={2}))
    ]
    assert [0, 5, 8, 12] in steps
    assert all(8 in found for found in steps)


def test_a_measure_without_a_value_counts_as_far():
    def mean(cells):
        count = (cells == ONSET).sum((1, 2))
        return np.where(count > 0, count / np.maximum(count, 1), np.nan)

    misses = cell_search._misses(cells_of([rows(*QUARTERS), rows()])[0], [SearchTarget(mean, 1.0, 1.0)])
    assert misses[0] == 0
    assert misses[1] > 1000
