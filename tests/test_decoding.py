"""The decode path with the shipped model: rest is exact, asked steps are kept, nearest candidates win."""

from __future__ import annotations

import numpy as np
import pytest

from fadernets import attributes, decoding, grid
from fadernets.decoding import Candidates, Request
from fadernets.engine import Engine


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.open()


@pytest.fixture(scope="module")
def cells() -> np.ndarray:
    """Eight segments: a left hand in eighths, a melody, one held-in note in half of them."""
    random = np.random.default_rng(1)
    rows = []
    for i in range(8):
        notes = [(t, t + 2, int(40 + random.integers(0, 12))) for t in range(0, 16, 4)]
        notes += [(t, t + 3, int(64 + random.integers(0, 12))) for t in range(0, 15, 3)]
        if i % 2:
            notes.append((-1, 3, 55))
        rows.append(grid.from_notes(np.array(notes)))
    return np.stack(rows)


def test_a_request_for_nothing_returns_the_source(engine, cells):
    found = decoding.candidates(engine, decoding.look(engine, cells), Request())
    assert (found.cells[:, 0] == cells).all()


def test_own_values_return_the_source_at_full_faithfulness(engine, cells):
    source = decoding.look(engine, cells)
    out = decoding.edit(engine, cells, Request(dict(source.before)))
    assert (out == cells).all()


def test_free_decode_has_no_pull_to_the_source(engine, cells):
    source = decoding.look(engine, cells)
    offset = decoding.rest_offset(engine, source, 0.0)
    assert not offset.any()
    assert np.abs(decoding.rest_offset(engine, source, 1.0)).max() > 0


@pytest.mark.parametrize("asked", [0.25, 0.5, 0.8125, 1.0])
def test_rhythm_density_lands_on_the_asked_sixteenth(engine, cells, asked):
    out = decoding.edit(engine, cells, Request({"rhythm_density": np.full(8, asked)}))
    assert attributes.rhythm_density(out) == pytest.approx(asked)


def test_an_answer_does_not_depend_on_its_neighbours_in_the_batch(engine, cells):
    request = Request({"note_density": np.full(8, 4.0)})
    together = decoding.edit(engine, cells, request)
    alone = decoding.edit(engine, cells[3:4], Request({"note_density": np.full(1, 4.0)}))
    assert (together[3] == alone[0]).all()


def test_pinned_cells_stay(engine, cells):
    source = decoding.look(engine, cells)
    pinned = np.zeros(cells.shape, bool)
    pinned[:, :4] = cells[:, :4] != grid.OFF
    request = Request({"rhythm_density": np.full(8, 1 / 16)})
    found = decoding.candidates(engine, source, request, pinned)
    for candidate in range(found.cells.shape[1]):
        assert (found.cells[:, candidate][pinned] == cells[pinned]).all()


def test_targets_hold_the_other_fader_but_not_under_a_preset(engine, cells):
    source = decoding.look(engine, cells)
    asked = {"rhythm_density": np.full(8, 0.5)}
    held = decoding.targets_of(source, Request(asked))
    assert (held[:, 0] == 0.5).all()
    assert (held[:, 1] == source.before["note_density"]).all()
    free = decoding.targets_of(source, Request(asked, arousal=1.0))
    assert (free[:, 0] == 0.5).all()
    assert np.isnan(free[:, 1]).all()


def test_onset_steps_are_the_best_scored_ones():
    scores = np.full((1, 16, 176), -0.5, np.float32)
    scores[0, [3, 7, 9], [10, 20, 30]] = [0.4, 0.1, 0.3]
    scores[0, 5, 88 + 10] = 0.9  # a hold is no onset
    even, onsets = np.zeros((17, 2, 16)), np.zeros((1, 16), bool)
    steps = decoding.onset_steps(scores, np.array([2 / 16]), np.zeros((1, 16), bool), even, onsets)
    assert np.flatnonzero(steps[0] == 1).tolist() == [3, 9]
    assert (steps[0][[0, 5, 7]] == -1).all()
    pinned = np.zeros((1, 16), bool)
    pinned[0, 12] = True
    assert np.flatnonzero(decoding.onset_steps(scores, np.array([0.0]), pinned, even, onsets)[0] == 1).tolist() == [12]
    assert not decoding.onset_steps(scores, np.array([np.nan]), pinned, even, onsets).any()


def test_habits_settle_what_scores_leave_open_and_never_what_is_at_rest():
    odds = np.zeros((17, 2, 16))
    odds[:, :, 1::2], odds[:, :, ::2] = -3, 3  # habits as strong as they get
    scores = np.full((1, 16, 176), -0.5, np.float32)
    source = np.zeros((1, 16), bool)
    source[0, [1, 3]] = True
    scores[0, [1, 3], 40] = 0.5  # at rest: a source onset scores 1/2, any other step -1/2
    rest = decoding.onset_steps(scores, np.array([2 / 16]), np.zeros((1, 16), bool), odds, source)
    assert np.flatnonzero(rest[0] == 1).tolist() == [1, 3]
    scores[0, [5, 6], 40] = [0.1, 0.0]
    more = decoding.onset_steps(scores, np.array([3 / 16]), np.zeros((1, 16), bool), odds, source)
    assert np.flatnonzero(more[0] == 1).tolist() == [1, 3, 6]


def test_outer_voices_are_whole_notes_of_bass_and_melody():
    notes = [(0, 16, 40), (0, 16, 52), (0, 4, 72), (4, 6, 60), (8, 12, 55), (-1, 2, 75)]
    cells = grid.from_notes(np.array(notes))
    found = decoding.outer_voices(cells[None])[0]
    pitches = {40: True, 52: False, 72: True, 60: True, 55: True, 75: True}
    for pitch, outer in pitches.items():
        column = found[:, pitch - grid.LOW][cells[:, pitch - grid.LOW] != grid.OFF]
        assert (column == outer).all(), pitch


def test_biases_sound_about_the_asked_number_of_cells():
    random = np.random.default_rng(0)
    scores = random.uniform(-0.5, 0.5, (3, 16, 176)).astype(np.float32)
    steps = np.zeros((3, 16), np.int64)
    bias = decoding.biases(scores, steps, np.ones((3, 88), bool), np.array([2.0, 4.0, np.nan]))
    assert bias.shape == (3, 1 + len(decoding.AIMS))
    assert (bias[2] == 0).all()
    assert (bias[:, 0] == 0).all()
    best = np.maximum(scores[..., :88], scores[..., 88:])
    for row, density in ((0, 2.0), (1, 4.0)):
        exact = bias[row, 1 + decoding.AIMS.index(1.0)]
        assert (best[row] + exact > 0).sum() == 16 * density


def test_the_candidate_nearest_to_all_targets_wins():
    one, two = np.zeros((16, 88), np.uint8), np.zeros((16, 88), np.uint8)
    one[0, 10], two[[0, 8], 10] = grid.ONSET, grid.ONSET
    found = Candidates(np.stack([one, two])[None], np.array([[2 / 16, 1 / 16]]))
    assert decoding.choose(found, one[None], np.array([0.2, 1.0])).tolist() == [1]
    tied = Candidates(np.stack([two, one])[None], np.array([[np.nan, np.nan]]))
    assert decoding.choose(tied, one[None], np.array([0.2, 1.0])).tolist() == [1]


# Another rhythm


def other_rhythm(engine, cells, by=1):
    """The rhythm of each segment's neighbour."""
    z = engine.encode(cells).rhythm
    return decoding.Rhythm(np.roll(z, by, axis=0) - z, np.roll((cells == grid.ONSET).any(-1), by, axis=0))


def test_another_rhythm_takes_the_place_of_the_code_and_of_its_level(engine, cells):
    source, rhythm = decoding.look(engine, cells), other_rhythm(engine, cells)
    request = Request(rhythm=rhythm)
    assert not request.at_rest
    codes, values = decoding.moved_codes(engine, source, request)
    np.testing.assert_allclose(codes.rhythm, np.roll(source.codes.rhythm, 1, axis=0), atol=1e-5)
    assert (codes.note == source.codes.note).all()
    assert values[:, 0].tolist() == np.roll(source.before["rhythm_density"], 1).tolist()
    assert values[:, 1].tolist() == source.before["note_density"].tolist()
    assert (decoding.targets_of(source, request) == values).all()
    assert (source.before["rhythm_density"] == attributes.rhythm_density(cells)).all()  # left as it was


def test_faders_move_from_the_other_rhythm_s_level(engine, cells):
    source, rhythm = decoding.look(engine, cells), other_rhythm(engine, cells)
    own = rhythm.onsets.mean(1)
    still, _ = decoding.moved_codes(engine, source, Request({"rhythm_density": own}, rhythm=rhythm))
    assert (still.rhythm == decoding.moved_codes(engine, source, Request(rhythm=rhythm))[0].rhythm).all()
    moved, values = decoding.moved_codes(engine, source, Request({"rhythm_density": own + 0.25}, rhythm=rhythm))
    assert (moved.rhythm[:, 0] > still.rhythm[:, 0]).all()
    assert (moved.rhythm[:, 1:] == still.rhythm[:, 1:]).all()
    assert (values[:, 0] == own + 0.25).all()


def test_a_request_is_cut_as_the_segments_are(engine, cells):
    rhythm = other_rhythm(engine, cells)
    request = Request({"note_density": np.arange(8.0)}, 0.5, 0.25, rhythm)
    part = request.take(slice(2, 5))
    assert part.asked["note_density"].tolist() == [2, 3, 4]
    assert (part.arousal, part.faithfulness) == (0.5, 0.25)
    assert (part.rhythm.shift == rhythm.shift[2:5]).all()
    assert (part.rhythm.onsets == rhythm.onsets[2:5]).all()
    assert Request().take(slice(2, 5)) == Request()


def test_its_onset_steps_are_taken_as_they_are_at_full_faithfulness(engine, cells):
    cells = np.stack(
        [grid.from_notes(np.array([(t, t + 2, 60 + t) for t in range(i % 3, 16, 2 + i)])) for i in range(8)]
    )
    rhythm = other_rhythm(engine, cells, by=3)
    out = decoding.edit(engine, cells, Request(rhythm=rhythm))
    assert ((out == grid.ONSET).any(-1) == rhythm.onsets).all()


def test_the_pull_of_known_onsets_grows_with_its_weight():
    scores = np.full((1, 16, 176), -0.5, np.float32)
    scores[0, [1, 9], 40] = [0.4, 0.1]
    even, none = np.zeros((17, 2, 16)), np.zeros((1, 16), bool)
    known = none.copy()
    known[0, [3, 9]] = True
    for pull, expected in ((0.0, [1, 9]), (0.25, [1, 9]), (0.6, [3, 9]), (1.0, [3, 9])):
        steps = decoding.onset_steps(scores, np.array([2 / 16]), none, even, known, pull)
        assert np.flatnonzero(steps[0] == 1).tolist() == expected
    one = decoding.onset_steps(scores, np.array([1 / 16]), none, even, known, 1.0)
    assert np.flatnonzero(one[0] == 1).tolist() == [9]  # of the known ones, the best scored
