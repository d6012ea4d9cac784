"""Where onsets fall, how much sounds, how sampled answers differ, and landing; all by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fadernets.codecs import grid
from fadernets.decoding import candidates


def test_onset_steps_are_the_best_scored_ones():
    scores = np.full((1, 16, 176), -0.5, np.float32)
    scores[0, [3, 7, 9], [10, 20, 30]] = [0.4, 0.1, 0.3]
    scores[0, 5, 88 + 10] = 0.9  # a hold is no onset
    even, onsets = np.zeros((17, 2, 16)), np.zeros((1, 16), bool)
    steps = candidates.onset_steps(scores, np.array([2 / 16]), np.zeros((1, 16), bool), even, onsets)
    assert np.flatnonzero(steps[0] == 1).tolist() == [3, 9]
    assert (steps[0][[0, 5, 7]] == -1).all()
    pinned = np.zeros((1, 16), bool)
    pinned[0, 12] = True
    assert np.flatnonzero(candidates.onset_steps(scores, np.array([0.0]), pinned, even, onsets)[0] == 1).tolist() == [
        12
    ]
    assert not candidates.onset_steps(scores, np.array([np.nan]), pinned, even, onsets).any()


def test_habits_settle_what_scores_leave_open_and_never_what_is_at_rest():
    odds = np.zeros((17, 2, 16))
    odds[:, :, 1::2], odds[:, :, ::2] = -3, 3  # habits as strong as they get
    scores = np.full((1, 16, 176), -0.5, np.float32)
    source = np.zeros((1, 16), bool)
    source[0, [1, 3]] = True
    scores[0, [1, 3], 40] = 0.5  # at rest: a source onset scores 1/2, any other step -1/2
    rest = candidates.onset_steps(scores, np.array([2 / 16]), np.zeros((1, 16), bool), odds, source)
    assert np.flatnonzero(rest[0] == 1).tolist() == [1, 3]
    scores[0, [5, 6], 40] = [0.1, 0.0]
    more = candidates.onset_steps(scores, np.array([3 / 16]), np.zeros((1, 16), bool), odds, source)
    assert np.flatnonzero(more[0] == 1).tolist() == [1, 3, 6]


def test_outer_voices_are_whole_notes_of_bass_and_melody():
    notes = [(0, 16, 40), (0, 16, 52), (0, 4, 72), (4, 6, 60), (8, 12, 55), (-1, 2, 75)]
    cells = grid.from_notes(np.array(notes))
    found = candidates.outer_voices(cells[None])[0]
    pitches = {40: True, 52: False, 72: True, 60: True, 55: True, 75: True}
    for pitch, outer in pitches.items():
        column = found[:, pitch - grid.LOW][cells[:, pitch - grid.LOW] != grid.OFF]
        assert (column == outer).all(), pitch


def test_biases_sound_about_the_asked_number_of_cells():
    random = np.random.default_rng(0)
    scores = random.uniform(-0.5, 0.5, (3, 16, 176)).astype(np.float32)
    steps = np.zeros((3, 16), np.int64)
    bias = candidates.sounding_biases(scores, steps, np.ones((3, 88), bool), np.array([2.0, 4.0, np.nan]))
    assert bias.shape == (3, 1 + len(candidates.PLAIN_SOUNDING_FACTORS))
    assert (bias[2] == 0).all()
    assert (bias[:, 0] == 0).all()
    best = np.maximum(scores[..., :88], scores[..., 88:])
    for row, density in ((0, 2.0), (1, 4.0)):
        exact = bias[row, 1 + candidates.PLAIN_SOUNDING_FACTORS.index(1.0)]
        assert (best[row] + exact > 0).sum() == 16 * density


# Sampled answers


def test_draws_are_the_same_for_a_seed_and_alike_for_a_pitch_s_holds():
    one, again, other = (
        candidates.draw_variations(8, 3),
        candidates.draw_variations(8, 3),
        candidates.draw_variations(8, 4),
    )
    assert one.count == 8
    np.testing.assert_array_equal(one.cells, again.cells)
    assert (one.cells != other.cells).any()
    assert one.cells.shape == (8, 16, 176)
    assert (one.cells[:, :, 88:] == one.cells[:, :1, 88:]).all()
    assert (one.cells[:, 1:, :88] != one.cells[:, :-1, :88]).all()
    assert set(one.onset_factors.tolist()) == set(candidates.ONSET_FACTORS)
    assert set(one.outer.tolist()) == set(np.array(candidates.OUTER_VOICE_BONUSES, np.float32).tolist())
    assert (one.onset_factors[0], one.sounding_factors[0]) == (1, 1)
    assert one.steps.shape == (8, 16)
    np.testing.assert_array_equal(candidates.draw_variations(4, 3).onset_factors, one.onset_factors[:4])


def test_the_struck_notes_that_are_expected():
    """Sum of scores over the steps that may have an onset: at rest what the source strikes."""
    scores = np.full((2, 16, 176), -0.5, np.float32)
    scores[0, [0, 4], [10, 20]] = 0.5  # a source's onsets
    scores[0, 8, 30] = 0.2
    scores[0, 8, 88 + 30] = 0.5  # a hold
    steps = np.zeros((2, 16), np.int64)
    assert candidates.expected_onsets(scores, steps).tolist() == pytest.approx([2.7, 0])
    steps[0, 4] = -1
    assert candidates.expected_onsets(scores, steps)[0] == pytest.approx(1.7)


def test_two_biases_place_both_counts():
    random = np.random.default_rng(0)
    scores = random.uniform(-0.5, 0.5, (3, 16, 176)).astype(np.float32)
    steps = np.zeros((3, 16), np.int64)
    steps[:, 5] = -1
    held = np.ones((3, 88), bool)
    density, strikes = np.array([2.0, 4.0, np.nan]), np.array([7.0, 12.0, 5.0])
    bias = candidates.onset_and_hold_biases(scores, steps, held, density, strikes, np.ones(3))
    assert (bias[2] == 0).all()
    for row, count in ((0, 32), (1, 64)):
        struck = (scores[row, :, :88] + bias[row, 0] > 0) & (steps[row] >= 0)[:, None]
        assert struck.sum() == strikes[row]
        held_on = (scores[row, :, 88:] + bias[row, 1] > 0) & ~struck
        assert held_on.sum() + struck.sum() == count


def test_a_hold_needs_something_to_hold():
    """In the first step nothing that was not held in counts."""
    scores = np.full((1, 16, 176), -0.4, np.float32)
    scores[0, 0, 88:] = 0.9
    scores[0, 3, 20] = 0.3
    args = np.zeros((1, 16), np.int64), np.array([2 / 16]), np.array([1.0]), np.ones(1)
    steps, density, strikes, aim = args
    within = candidates.onset_and_hold_biases(scores, steps, np.zeros((1, 88), bool), density, strikes, aim)
    assert (scores[0, 1:, 88:] + within[0, 1] <= 0).any()
    assert within[0, 1] > -0.4  # not set by what cannot sound


# Landing


def roll(*notes):
    cells = np.zeros((1, 16, 88), np.uint8)
    for start, end, pitch in notes:
        cells[0, start:end, pitch] = grid.HOLD
        cells[0, start, pitch] = grid.ONSET
    return cells


def test_too_much_sound_ends_the_weakest_hold_first():
    cells = roll((0, 6, 40), (0, 6, 50))
    scores = np.zeros((1, 16, 176), np.float32)
    scores[0, :, 88 + 40] = 0.3
    out = candidates.land_on_density(cells, scores, np.array([9 / 16]))
    np.testing.assert_array_equal(out, roll((0, 6, 40), (0, 3, 50)))
    assert (cells == roll((0, 6, 40), (0, 6, 50))).all()  # a copy


def test_then_a_short_note_of_a_chord_goes_and_notes_of_two_steps_are_cut_last():
    cells = roll((0, 2, 40), (0, 6, 50))
    scores = np.zeros((1, 16, 176), np.float32)
    scores[0, :, 88 + 50] = 0.4
    for count, expected in (
        (4, [(0, 2, 40), (0, 2, 50)]),
        (3, [(0, 1, 40), (0, 2, 50)]),  # the second step that scores least
        (2, [(0, 2, 50)]),
        (1, [(0, 1, 50)]),
        (0, [(0, 1, 50)]),  # the onset step stays
    ):
        np.testing.assert_array_equal(
            candidates.land_on_density(cells, scores, np.array([count / 16])), roll(*expected)
        )
    scores[0, 0, 40] = 0.5  # an outer voice's onset scores more
    np.testing.assert_array_equal(
        candidates.land_on_density(roll((0, 1, 40), (0, 1, 50)), scores, np.array([1 / 16])), roll((0, 1, 40))
    )


def test_too_little_sound_holds_on_where_nothing_rubs():
    cells = roll((0, 2, 40), (2, 8, 41), (0, 2, 60))
    scores = np.zeros((1, 16, 176), np.float32)
    scores[0, :, 88 + 40] = 0.9  # would like to go on, beside its neighbour
    out = candidates.land_on_density(cells, scores, np.array([12 / 16]))
    np.testing.assert_array_equal(out, roll((0, 2, 40), (2, 8, 41), (0, 4, 60)))


def test_a_hold_stops_at_the_next_onset():
    cells = roll((0, 2, 40), (3, 4, 40))
    scores = np.zeros((1, 16, 176), np.float32)
    scores[0, 2, 88 + 40] = 0.5
    np.testing.assert_array_equal(
        candidates.land_on_density(cells, scores, np.array([4 / 16])), roll((0, 3, 40), (3, 4, 40))
    )


def test_pinned_cells_and_free_densities_stay():
    cells = np.concatenate([roll((0, 6, 40)), roll((0, 6, 40))])
    scores = np.zeros((2, 16, 176), np.float32)
    np.testing.assert_array_equal(candidates.land_on_density(cells, scores, np.full(2, np.nan)), cells)
    pinned = np.zeros(cells.shape, bool)
    pinned[0, 5, 40] = pinned[0, 6, 40] = True
    out = candidates.land_on_density(cells, scores, np.array([3 / 16, 3 / 16]), pinned)
    np.testing.assert_array_equal(out[0], cells[0])
    np.testing.assert_array_equal(out[1:], roll((0, 3, 40)))
    out = candidates.land_on_density(cells, scores, np.array([8 / 16, 8 / 16]), pinned)
    np.testing.assert_array_equal(out[0], cells[0])
    np.testing.assert_array_equal(out[1:], roll((0, 8, 40)))
