"""The decode path with the shipped model: rest is exact, asked steps are kept, nearest candidates win."""

from __future__ import annotations

import numpy as np
import pytest

from fadernets.attributes import of_cells
from fadernets.codecs import grid
from fadernets.decoding import candidate_choice, candidates, segment_decoding, segment_requests
from fadernets.decoding.segment_requests import SegmentRequest


def test_a_request_for_nothing_returns_the_source(engine, cells):
    found = segment_decoding.decode_candidates(
        engine, segment_requests.encode_segments(engine, cells), SegmentRequest()
    )
    assert (found.cells[:, 0] == cells).all()


def test_own_values_return_the_source_at_full_faithfulness(engine, cells):
    source = segment_requests.encode_segments(engine, cells)
    out = candidate_choice.edit_segments(engine, cells, SegmentRequest(dict(source.before)))
    assert (out == cells).all()


def test_free_decode_has_no_pull_to_the_source(engine, cells):
    source = segment_requests.encode_segments(engine, cells)
    assert not any(offset.any() for offset in segment_decoding.rest_offset(source, 0.0))
    assert all(np.abs(offset).max() > 0 for offset in segment_decoding.rest_offset(source, 1.0))


@pytest.mark.parametrize("asked", [0.25, 0.5, 0.8125, 1.0])
def test_rhythm_density_lands_on_the_asked_sixteenth(engine, cells, asked):
    out = candidate_choice.edit_segments(engine, cells, SegmentRequest({"rhythm_density": np.full(8, asked)}))
    assert of_cells.rhythm_density(out) == pytest.approx(asked)


def test_an_answer_does_not_depend_on_its_neighbours_in_the_batch(engine, cells):
    request = SegmentRequest({"note_density": np.full(8, 4.0)})
    together = candidate_choice.edit_segments(engine, cells, request)
    alone = candidate_choice.edit_segments(engine, cells[3:4], SegmentRequest({"note_density": np.full(1, 4.0)}))
    assert (together[3] == alone[0]).all()


def test_pinned_cells_stay(engine, cells):
    source = segment_requests.encode_segments(engine, cells)
    pinned = np.zeros(cells.shape, bool)
    pinned[:, :4] = cells[:, :4] != grid.OFF
    request = SegmentRequest({"rhythm_density": np.full(8, 1 / 16)})
    found = segment_decoding.decode_candidates(engine, source, request, pinned)
    for candidate in range(found.cells.shape[1]):
        assert (found.cells[:, candidate][pinned] == cells[pinned]).all()


def test_targets_hold_the_other_fader_but_not_under_a_preset(engine, cells):
    source = segment_requests.encode_segments(engine, cells)
    asked = {"rhythm_density": np.full(8, 0.5)}
    held = segment_decoding.target_values(source, SegmentRequest(asked))
    assert (held[:, 0] == 0.5).all()
    assert (held[:, 1] == source.before["note_density"]).all()
    free = segment_decoding.target_values(source, SegmentRequest(asked, arousal=1.0))
    assert (free[:, 0] == 0.5).all()
    assert np.isnan(free[:, 1]).all()


def test_a_preset_alone_has_sampled_answers_too(engine, cells):
    source = segment_requests.encode_segments(engine, cells)
    found = segment_decoding.decode_candidates(engine, source, SegmentRequest(arousal=-1.0))
    assert found.cells.shape[1] == 1 + segment_requests.SAMPLED_FOR_EDIT
    plain = segment_decoding.decode_candidates(engine, source, SegmentRequest(arousal=-1.0, sampled=0))
    assert plain.cells.shape[1] == 1
    np.testing.assert_array_equal(found.cells[:, 0], plain.cells[:, 0])
    assert np.isnan(found.targets).all()


@pytest.mark.parametrize("asked", [1.0, 2.5, 4.0, 5.03])
def test_note_density_lands_on_the_nearest_sixteenth_of_a_note(engine, cells, asked):
    out = candidate_choice.edit_segments(engine, cells, SegmentRequest({"note_density": np.full(8, asked)}))
    assert (np.abs(of_cells.note_density(out) - asked) <= 1 / 32 + 1e-6).mean() >= 0.75
    assert of_cells.rhythm_density(out) == pytest.approx(of_cells.rhythm_density(cells))


def test_a_bar_that_comes_again_is_answered_again(engine, cells):
    again = np.concatenate([cells, cells[::-1]])
    out = candidate_choice.edit_segments(engine, again, SegmentRequest({"rhythm_density": np.full(16, 0.875)}))
    np.testing.assert_array_equal(out[:8], out[8:][::-1])


def test_the_seed_draws_other_candidates(engine, cells):
    source = segment_requests.encode_segments(engine, cells)
    asked = {"rhythm_density": np.full(8, 0.75)}
    one, again, other = (
        segment_decoding.decode_candidates(engine, source, SegmentRequest(asked, seed=s)).cells for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, again)
    plain = 1 + len(candidates.PLAIN_SOUNDING_FACTORS)
    np.testing.assert_array_equal(one[:, :plain], other[:, :plain])
    assert (one[:, plain:] != other[:, plain:]).any()
    assert segment_decoding.decode_candidates(engine, source, SegmentRequest(asked, sampled=0)).cells.shape[1] == plain
    assert (
        segment_decoding.decode_candidates(engine, source, SegmentRequest(asked, sampled=3)).cells.shape[1] == plain + 3
    )


# Another rhythm


def other_rhythm(engine, cells, by=1):
    """The rhythm of each segment's neighbour."""
    z = engine.encode(cells)["rhythm"]
    return segment_requests.BorrowedRhythm(
        np.roll(z, by, axis=0) - z, np.roll((cells == grid.ONSET).any(-1), by, axis=0)
    )


def test_another_rhythm_takes_the_place_of_the_code_and_of_its_level(engine, cells):
    source, rhythm = segment_requests.encode_segments(engine, cells), other_rhythm(engine, cells)
    request = SegmentRequest(rhythm=rhythm)
    assert not request.at_rest
    codes, values = segment_decoding.moved_codes(engine, source, request)
    np.testing.assert_allclose(codes["rhythm"], np.roll(source.codes["rhythm"], 1, axis=0), atol=1e-5)
    assert (codes["note"] == source.codes["note"]).all()
    assert values[:, 0].tolist() == np.roll(source.before["rhythm_density"], 1).tolist()
    assert values[:, 1].tolist() == source.before["note_density"].tolist()
    assert (segment_decoding.target_values(source, request) == values).all()
    assert (source.before["rhythm_density"] == of_cells.rhythm_density(cells)).all()  # left as it was


def test_faders_move_from_the_other_rhythm_s_level(engine, cells):
    source, rhythm = segment_requests.encode_segments(engine, cells), other_rhythm(engine, cells)
    own = rhythm.onsets.mean(1)
    still, _ = segment_decoding.moved_codes(engine, source, SegmentRequest({"rhythm_density": own}, rhythm=rhythm))
    again = segment_decoding.moved_codes(engine, source, SegmentRequest(rhythm=rhythm))[0]
    assert (still["rhythm"] == again["rhythm"]).all()
    moved, values = segment_decoding.moved_codes(
        engine, source, SegmentRequest({"rhythm_density": own + 0.25}, rhythm=rhythm)
    )
    assert (moved["rhythm"][:, 0] > still["rhythm"][:, 0]).all()
    assert (moved["rhythm"][:, 1:] == still["rhythm"][:, 1:]).all()
    assert (values[:, 0] == own + 0.25).all()


def test_a_request_is_cut_as_the_segments_are(engine, cells):
    rhythm = other_rhythm(engine, cells)
    request = SegmentRequest({"note_density": np.arange(8.0)}, 0.5, 0.25, rhythm)
    part = request.take(slice(2, 5))
    assert part.asked["note_density"].tolist() == [2, 3, 4]
    assert (part.arousal, part.faithfulness) == (0.5, 0.25)
    assert (part.rhythm.shift == rhythm.shift[2:5]).all()
    assert (part.rhythm.onsets == rhythm.onsets[2:5]).all()
    assert SegmentRequest().take(slice(2, 5)) == SegmentRequest()


def test_its_onset_steps_are_taken_as_they_are_at_full_faithfulness(engine, cells):
    cells = np.stack(
        [grid.from_notes(np.array([(t, t + 2, 60 + t) for t in range(i % 3, 16, 2 + i)])) for i in range(8)]
    )
    rhythm = other_rhythm(engine, cells, by=3)
    out = candidate_choice.edit_segments(engine, cells, SegmentRequest(rhythm=rhythm))
    assert ((out == grid.ONSET).any(-1) == rhythm.onsets).all()


def test_the_pull_of_known_onsets_grows_with_its_weight():
    scores = np.full((1, 16, 176), -0.5, np.float32)
    scores[0, [1, 9], 40] = [0.4, 0.1]
    even, none = np.zeros((17, 2, 16)), np.zeros((1, 16), bool)
    known = none.copy()
    known[0, [3, 9]] = True
    for pull, expected in ((0.0, [1, 9]), (0.25, [1, 9]), (0.6, [3, 9]), (1.0, [3, 9])):
        steps = candidates.onset_steps(scores, np.array([2 / 16]), none, even, known, pull)
        assert np.flatnonzero(steps[0] == 1).tolist() == expected
    one = candidates.onset_steps(scores, np.array([1 / 16]), none, even, known, 1.0)
    assert np.flatnonzero(one[0] == 1).tolist() == [9]  # of the known ones, the best scored
