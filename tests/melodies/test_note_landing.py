"""Single notes split, joined and moved, against cases worked by hand."""

import numpy as np
import pytest
from toy_melody_engine import ToyMelodyEngine, clip

from fadernets.codecs import melody_states
from fadernets.codecs.melody_states import HOLD, ONSETS, REST
from fadernets.melodies import note_landing
from fadernets.melodies.knob_settings import Knobs
from fadernets.melodies.knobs import turn


@pytest.fixture
def engine():
    return ToyMelodyEngine()


def onsets_of(states):
    return np.flatnonzero(states < ONSETS).tolist()


def test_rests_become_notes_when_no_note_is_left_to_split():
    engine = ToyMelodyEngine(rest=30)  # which would not strike where there is a rest
    short = clip("60 . . . 62 . . . 64 . . . 65")[None]
    for asked, count in ((1, 8), (2, 16), (3, 32)):
        assert melody_states.onsets(turn(engine, short, Knobs(rhythm=asked))).tolist() == [count]
    in_key = np.isin(np.arange(12), [0, 2, 4, 5, 7, 9, 11])
    found = turn(engine, short, Knobs(rhythm=3), in_key)[0]
    assert in_key[found % 12].all()


def test_single_notes_move_where_that_costs_least():
    scores = np.full((32, 130), -50.0, np.float32)
    states = clip("60 - 64 - 67 -")
    scores[0, 60:63] = 0, -1, -5
    scores[2, 64:67] = 0, -2, -0.5
    scores[4, 67:70] = 0, -3, -4
    for asked, expected in ((0, (60, 64, 67)), (1, (61, 64, 67)), (2, (60, 66, 67)), (3, (61, 66, 67))):
        assert landed(states, scores, 191 / 3 + asked / 3) == expected
    far = tuple(p + note_landing.FURTHEST for p in (60, 64, 67))
    assert landed(states, scores, 191 / 3 + 100) == far
    scores[:, :128] = note_landing.NEVER  # nothing is allowed: nothing moves
    assert landed(states, scores, 70.0) == (60, 64, 67)


def landed(states, scores, asked, rough=0.001, order=0.0):
    found = states.copy()
    note_landing.land_pitch(found, scores, asked, rough, melody_states.line(states), order)
    assert np.array_equal(found >= ONSETS, states >= ONSETS)
    return tuple(found[found < ONSETS].tolist())


def test_a_line_keeps_its_shape_where_that_lands_nearly():
    scores = np.zeros((32, 130), np.float32)
    white = np.isin(np.arange(128) % 12, [0, 2, 4, 5, 7, 9, 11])
    scores[:, :128][:, ~white] = note_landing.NEVER
    theme = clip("60 60 67 67 69 69 67 67")  # C C G G A A G G
    for asked in (-3, -2, 1, 2):
        found = landed(theme, scores, 65.75 + asked, 0.25, 10.0)
        assert np.array_equal(np.sign(np.diff(found)), [0, 1, 0, 1, 0, -1, 0])
        assert abs(np.mean(found) - 65.75 - asked) <= 0.25
    scores[:, 69] = 5.0  # all would be A, were it not for the line
    assert landed(theme, scores, 67.25, 0.25, 0.0).count(69) > 4
    assert np.array_equal(np.sign(np.diff(landed(theme, scores, 67.25, 0.25, 60.0))), [0, 1, 0, 1, 0, -1, 0])
    scores[:] = -50.0
    scores[:, [60, 67, 69, 72]] = 0.0  # the shape costs more than it is worth
    assert abs(np.mean(landed(theme, scores, 67.25, 0.25, 3.0)) - 67.25) <= 0.25


def test_notes_are_split_and_joined_where_that_costs_least():
    scores = np.zeros((32, 130), np.float32)
    states = clip("60 - - - 62 - - - 64 - - -")
    scores[:, :128] = -9
    scores[2, 60], scores[7, 62], scores[9, 64] = -1, -2, -3
    for asked, expected in ((4, [0, 2, 4, 8]), (5, [0, 2, 4, 7, 8]), (6, [0, 2, 4, 7, 8, 9])):
        found = states.copy()
        note_landing.land_onsets(found, scores, asked)
        assert onsets_of(found) == expected
        assert melody_states.sounding(found).tolist() == melody_states.sounding(states).tolist()
    scores[4, 62], scores[8, 64], scores[4, HOLD], scores[8, HOLD] = 0, -1, -3, -2
    for asked, expected in ((2, [0, 4]), (1, [0])):
        found = states.copy()
        note_landing.land_onsets(found, scores, asked)
        assert onsets_of(found) == expected
        assert (found[:12] != REST).all()
