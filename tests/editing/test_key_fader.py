"""The key fader: every key is reached, and only the chosen notes move."""

import numpy as np
import pytest
from made_drafts import draft_from, draft_of_rows

from fadernets.attributes import performed, table
from fadernets.attributes.keys import estimate
from fadernets.editing import key_fader


def key_of(notes):
    length = np.bincount(notes["pitch"] % 12, performed.note_lengths(notes), 12)
    return int(estimate(length[None])[0])


@pytest.mark.parametrize(("home", "target", "semitones"), [(0, 6, 6), (0, 7, -5), (11, 0, 1), (5, 5, 0), (0, 1, 1)])
def test_the_nearest_way_to_a_tonic(home, target, semitones):
    assert key_fader.tonic_interval(home, target) == semitones


@pytest.mark.parametrize("target", range(24))
@pytest.mark.parametrize("name", ["two_hands", "waltz"])
def test_a_piece_is_put_into_every_key(tmp_path, name, target):
    source = draft_from(tmp_path, name)
    home = key_of(source.notes)
    found = key_fader.change_key(source, np.ones(len(source.notes), bool), home, target)
    assert key_of(found.notes) == target
    moved = found.notes["pitch"].astype(int) - source.notes["pitch"]
    if target // 12 == home // 12:
        assert set(moved) == {key_fader.tonic_interval(home % 12, target % 12)}
    else:
        assert np.abs(moved - key_fader.tonic_interval(home % 12, target % 12)).max() <= 2
    for column in ("onset", "end", "velocity", "track"):
        assert (found.notes[column] == source.notes[column]).all()


def test_minor_keeps_its_leading_note_where_it_can(tmp_path):
    scale = [(i / 2, 0.5, 60 + d, 80) for i, d in enumerate((0, 2, 4, 5, 7, 9, 11, 12))]
    source = draft_of_rows(tmp_path, *scale, (0, 4, 48, 80), (0, 4, 52, 80), (0, 4, 55, 80))
    found = key_fader.change_key(source, np.ones(11, bool), 0, 12).notes
    assert sorted(found["pitch"] % 12) == sorted([0, 2, 3, 5, 7, 8, 11, 0, 0, 3, 7])


def test_only_chosen_notes_change_key_and_none_leaves_the_keyboard(tmp_path):
    source = draft_of_rows(tmp_path, (0, 1, 107, 80), (1, 1, 22, 80), (2, 1, 60, 80), (3, 1, 5, 80), (3, 1, 120, 80))
    chosen = source.notes["onset"] != 960
    found = key_fader.change_key(source, chosen, 0, 4).notes["pitch"].tolist()
    assert found == [107 + 4 - 12, 26, 60, 5, 120]
    assert key_fader.change_key(source, chosen, 0, 8).notes["pitch"].tolist() == [103, 22 - 4 + 12, 60, 5, 120]
    assert key_fader.change_key(source, chosen, 4, 4) is source
    assert key_fader.change_key(source, np.zeros(5, bool), 0, 4) is source


def test_a_note_in_a_new_key_goes_an_octave_from_what_rings_on(tmp_path):
    source = draft_of_rows(tmp_path, (0, 8, 62, 80), (4, 1, 60, 80), (5, 1, 64, 80))
    found = key_fader.change_key(source, source.notes["onset"] > 0, 0, 2)
    assert found.notes["pitch"].tolist() == [62, 74, 66]


def test_keys_have_names():
    assert table.ATTRIBUTES["key"].names[21] == "A minor"
