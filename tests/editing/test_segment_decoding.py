"""The decode path with the shipped model: rest is exact, asked steps are kept, nearest candidates win."""

from __future__ import annotations

import numpy as np
import pytest

from fadernets.attributes import of_cells
from fadernets.codecs import grid
from fadernets.editing import candidates, segment_decoding
from fadernets.editing.segment_decoding import Candidates, Request
from fadernets.engines.grid import Engine
from fadernets.metrics import cell_counts
from fadernets.metrics.fader_scores import chroma_similarity, note_f1


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
    found = segment_decoding.decode_candidates(engine, segment_decoding.encode_segments(engine, cells), Request())
    assert (found.cells[:, 0] == cells).all()


def test_own_values_return_the_source_at_full_faithfulness(engine, cells):
    source = segment_decoding.encode_segments(engine, cells)
    out = segment_decoding.edit_segments(engine, cells, Request(dict(source.before)))
    assert (out == cells).all()


def test_free_decode_has_no_pull_to_the_source(engine, cells):
    source = segment_decoding.encode_segments(engine, cells)
    assert not any(offset.any() for offset in segment_decoding.rest_offset(source, 0.0))
    assert all(np.abs(offset).max() > 0 for offset in segment_decoding.rest_offset(source, 1.0))


def test_looks_are_kept_by_model_and_cells(engine, cells, exported):
    other, looks = Engine.open(exported[True][0]), segment_decoding.EncodingCache()
    source = looks(engine, cells)
    assert looks(engine, cells.copy()) is source
    assert source.rest is source.rest
    fresh = segment_decoding.encode_segments(engine, cells)
    assert fresh.codes.rhythm.tobytes() == source.codes.rhythm.tobytes()
    assert fresh.rest.tobytes() == source.rest.tobytes()
    strange = looks(other, cells)
    assert strange.engine is other
    assert strange.codes.rhythm.shape != source.codes.rhythm.shape
    few = looks(engine, cells[:3])
    assert (few.cells == cells[:3]).all()
    for pitch in range(segment_decoding.CACHED_BATCHES - 1):
        looks(engine, grid.from_notes(np.array([(0, 4, pitch)]))[None])
    assert looks(engine, cells[:3]) is few
    assert looks(engine, cells) is not source  # the oldest went
    kept = looks(engine, cells)
    looks.clear()
    assert looks(engine, cells) is not kept


@pytest.mark.parametrize("asked", [0.25, 0.5, 0.8125, 1.0])
def test_rhythm_density_lands_on_the_asked_sixteenth(engine, cells, asked):
    out = segment_decoding.edit_segments(engine, cells, Request({"rhythm_density": np.full(8, asked)}))
    assert of_cells.rhythm_density(out) == pytest.approx(asked)


def test_an_answer_does_not_depend_on_its_neighbours_in_the_batch(engine, cells):
    request = Request({"note_density": np.full(8, 4.0)})
    together = segment_decoding.edit_segments(engine, cells, request)
    alone = segment_decoding.edit_segments(engine, cells[3:4], Request({"note_density": np.full(1, 4.0)}))
    assert (together[3] == alone[0]).all()


def test_pinned_cells_stay(engine, cells):
    source = segment_decoding.encode_segments(engine, cells)
    pinned = np.zeros(cells.shape, bool)
    pinned[:, :4] = cells[:, :4] != grid.OFF
    request = Request({"rhythm_density": np.full(8, 1 / 16)})
    found = segment_decoding.decode_candidates(engine, source, request, pinned)
    for candidate in range(found.cells.shape[1]):
        assert (found.cells[:, candidate][pinned] == cells[pinned]).all()


def test_targets_hold_the_other_fader_but_not_under_a_preset(engine, cells):
    source = segment_decoding.encode_segments(engine, cells)
    asked = {"rhythm_density": np.full(8, 0.5)}
    held = segment_decoding.target_values(source, Request(asked))
    assert (held[:, 0] == 0.5).all()
    assert (held[:, 1] == source.before["note_density"]).all()
    free = segment_decoding.target_values(source, Request(asked, arousal=1.0))
    assert (free[:, 0] == 0.5).all()
    assert np.isnan(free[:, 1]).all()


def test_the_candidate_nearest_to_all_targets_wins():
    one, two = np.zeros((16, 88), np.uint8), np.zeros((16, 88), np.uint8)
    one[0, 10], two[[0, 8], 10] = grid.ONSET, grid.ONSET
    spread, even = np.array([0.2, 1.0]), np.zeros((1, 2))
    found = found_of([one, two], [2 / 16, 1 / 16])
    assert segment_decoding.choose_candidates(found, one[None], spread, even).tolist() == [1]
    assert segment_decoding.choose_candidates(found, one[None], spread, np.array([[1.0, 0.0]])).tolist() == [
        1
    ]  # a miss weighs more
    tied = found_of([two, one], [np.nan, np.nan])
    assert segment_decoding.choose_candidates(tied, one[None], spread, even).tolist() == [1]


def found_of(cells, targets):
    return Candidates(np.stack(cells)[None], np.array([targets]), np.zeros((1, 16, 176), np.float32))


def test_of_those_that_come_near_the_best_rated_wins():
    far, near, nearest = (np.zeros((16, 88), np.uint8) for _ in range(3))
    far[:8, 10], near[:5, 10], nearest[:4, 10] = grid.HOLD, grid.HOLD, grid.HOLD
    found = found_of([far, near, nearest], [np.nan, 4 / 16])  # voices: off by 4, 1 and 0 sixteenths
    spread, source = np.array([0.2, 1.0]), np.zeros((1, 16, 88), np.uint8)
    assert segment_decoding.choose_candidates(found, source, spread, np.array([[5.5, 5.0, 4.0]])).tolist() == [
        1
    ]  # .25 off: too far
    assert segment_decoding.choose_candidates(found, source, spread, np.array([[1.0, 5.0, 4.0]])).tolist() == [1]
    assert segment_decoding.choose_candidates(found, source, spread, np.array([[1.0, 4.0, 5.0]])).tolist() == [2]


def test_a_preset_alone_has_sampled_answers_too(engine, cells):
    source = segment_decoding.encode_segments(engine, cells)
    found = segment_decoding.decode_candidates(engine, source, Request(arousal=-1.0))
    assert found.cells.shape[1] == 1 + segment_decoding.SAMPLED_FOR_EDIT
    plain = segment_decoding.decode_candidates(engine, source, Request(arousal=-1.0, sampled=0))
    assert plain.cells.shape[1] == 1
    np.testing.assert_array_equal(found.cells[:, 0], plain.cells[:, 0])
    assert np.isnan(found.targets).all()


def test_a_preset_may_leave_the_source_even_where_a_candidate_is_it():
    source, other = np.zeros((16, 88), np.uint8), np.zeros((16, 88), np.uint8)
    source[0, 10], other[0, 12] = grid.ONSET, grid.ONSET
    spread, rated = np.array([0.2, 1.0]), np.array([[5.0, 0.0]])
    for targets in ([np.nan, np.nan], [1 / 16, np.nan]):
        assert segment_decoding.choose_candidates(
            found_of([other, source], targets), source[None], spread, rated
        ).tolist() == [0]


def test_a_source_that_measures_what_is_asked_is_the_answer():
    source, other = np.zeros((16, 88), np.uint8), np.zeros((16, 88), np.uint8)
    source[0, 10], other[0, 12] = grid.ONSET, grid.ONSET
    found = found_of([other, source], [1 / 16, 1 / 16])
    assert segment_decoding.choose_candidates(
        found, source[None], np.array([0.2, 1.0]), np.array([[50.0, 0.0]])
    ).tolist() == [1]


def faults(found, source):
    """What new lone notes and clashes cost, and what lost first onsets do; each [S, C]."""
    rows = [[found[i, c] for c in range(found.shape[1])] for i in range(len(found))]
    own = [(cell_counts.isolated(cells[None])[0], cell_counts.clashing(cells[None]).sum()) for cells in source]
    cost, lost = np.zeros((2, *found.shape[:2]))
    for i, row in enumerate(rows):
        for c, one in enumerate(row):
            lone, clash = cell_counts.isolated(one[None])[0], cell_counts.clashing(one[None]).sum()
            cost[i, c] = segment_decoding.LONE * max(lone - own[i][0], 0) + segment_decoding.CLASH * max(
                clash - own[i][1], 0
            )
            lost[i, c] = segment_decoding.FIRST * (
                (source[i][0] == grid.ONSET).any() and not (one[0] == grid.ONSET).any()
            )
    return cost, lost


def test_rating_weighs_critic_harmony_notes_and_faults(engine, cells):
    source = segment_decoding.encode_segments(engine, cells)
    found = segment_decoding.decode_candidates(engine, source, Request({"rhythm_density": np.full(8, 0.75)}))
    assert found.cells.shape[1] == 1 + len(candidates.AIMS) + segment_decoding.SAMPLED_FOR_EDIT
    rated = segment_decoding.rate_candidates(engine, found, cells)
    assert rated.shape == found.cells.shape[:2]
    one, (cost, lost) = found.cells[:, 3], faults(found.cells, cells)
    assert cost.any()
    expected = segment_decoding.CHROMA * np.minimum(chroma_similarity(one, cells), segment_decoding.CLOSE)
    expected += segment_decoding.NOTES * note_f1(one, cells) - lost[:, 3] + engine.critic.rate(one) - cost[:, 3]
    np.testing.assert_allclose(rated[:, 3], expected)
    free = segment_decoding.rate_candidates(engine, found, cells, faithfulness=0.0)
    np.testing.assert_allclose(free[:, 3], engine.critic.rate(one) - cost[:, 3])
    np.testing.assert_array_equal(
        segment_decoding.rate_candidates(engine, segment_decoding.decode_candidates(engine, source, Request()), cells),
        0,
    )


def test_a_model_without_a_critic_is_rated_by_the_source_alone(engine, cells, monkeypatch):
    monkeypatch.setattr(engine, "critic", None)
    source = segment_decoding.encode_segments(engine, cells)
    found = segment_decoding.decode_candidates(engine, source, Request({"note_density": np.full(8, 3.0)}))
    rated = segment_decoding.rate_candidates(engine, found, cells)
    expected = segment_decoding.CHROMA * np.minimum(
        chroma_similarity(found.cells, cells[:, None]), segment_decoding.CLOSE
    )
    expected += segment_decoding.NOTES * note_f1(found.cells, cells[:, None])
    np.testing.assert_allclose(rated, expected - sum(faults(found.cells, cells)))


def test_a_lost_first_onset_counts(engine, cells):
    source = segment_decoding.encode_segments(engine, cells)
    found = segment_decoding.decode_candidates(engine, source, Request({"note_density": np.full(8, 3.0)}))
    kept = segment_decoding.rate_candidates(engine, found, cells)
    found.cells[0, 2, 0] = np.where(found.cells[0, 2, 0] == grid.ONSET, grid.OFF, found.cells[0, 2, 0])
    found.cells[0, 2, 1] = np.where(found.cells[0, 2, 1] == grid.HOLD, grid.ONSET, found.cells[0, 2, 1])
    assert (cells[0, 0] == grid.ONSET).any()
    assert segment_decoding.rate_candidates(engine, found, cells)[0, 2] < kept[0, 2] - segment_decoding.FIRST / 2


@pytest.mark.parametrize("asked", [1.0, 2.5, 4.0, 5.03])
def test_note_density_lands_on_the_nearest_sixteenth_of_a_note(engine, cells, asked):
    out = segment_decoding.edit_segments(engine, cells, Request({"note_density": np.full(8, asked)}))
    assert (np.abs(of_cells.note_density(out) - asked) <= 1 / 32 + 1e-6).mean() >= 0.75
    assert of_cells.rhythm_density(out) == pytest.approx(of_cells.rhythm_density(cells))


def test_a_bar_that_comes_again_is_answered_again(engine, cells):
    again = np.concatenate([cells, cells[::-1]])
    out = segment_decoding.edit_segments(engine, again, Request({"rhythm_density": np.full(16, 0.875)}))
    np.testing.assert_array_equal(out[:8], out[8:][::-1])


def test_the_seed_draws_other_candidates(engine, cells):
    source = segment_decoding.encode_segments(engine, cells)
    asked = {"rhythm_density": np.full(8, 0.75)}
    one, again, other = (
        segment_decoding.decode_candidates(engine, source, Request(asked, seed=s)).cells for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, again)
    plain = 1 + len(candidates.AIMS)
    np.testing.assert_array_equal(one[:, :plain], other[:, :plain])
    assert (one[:, plain:] != other[:, plain:]).any()
    assert segment_decoding.decode_candidates(engine, source, Request(asked, sampled=0)).cells.shape[1] == plain
    assert segment_decoding.decode_candidates(engine, source, Request(asked, sampled=3)).cells.shape[1] == plain + 3


# Another rhythm


def other_rhythm(engine, cells, by=1):
    """The rhythm of each segment's neighbour."""
    z = engine.encode(cells).rhythm
    return segment_decoding.Rhythm(np.roll(z, by, axis=0) - z, np.roll((cells == grid.ONSET).any(-1), by, axis=0))


def test_another_rhythm_takes_the_place_of_the_code_and_of_its_level(engine, cells):
    source, rhythm = segment_decoding.encode_segments(engine, cells), other_rhythm(engine, cells)
    request = Request(rhythm=rhythm)
    assert not request.at_rest
    codes, values = segment_decoding.moved_codes(engine, source, request)
    np.testing.assert_allclose(codes.rhythm, np.roll(source.codes.rhythm, 1, axis=0), atol=1e-5)
    assert (codes.note == source.codes.note).all()
    assert values[:, 0].tolist() == np.roll(source.before["rhythm_density"], 1).tolist()
    assert values[:, 1].tolist() == source.before["note_density"].tolist()
    assert (segment_decoding.target_values(source, request) == values).all()
    assert (source.before["rhythm_density"] == of_cells.rhythm_density(cells)).all()  # left as it was


def test_faders_move_from_the_other_rhythm_s_level(engine, cells):
    source, rhythm = segment_decoding.encode_segments(engine, cells), other_rhythm(engine, cells)
    own = rhythm.onsets.mean(1)
    still, _ = segment_decoding.moved_codes(engine, source, Request({"rhythm_density": own}, rhythm=rhythm))
    assert (still.rhythm == segment_decoding.moved_codes(engine, source, Request(rhythm=rhythm))[0].rhythm).all()
    moved, values = segment_decoding.moved_codes(engine, source, Request({"rhythm_density": own + 0.25}, rhythm=rhythm))
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
    out = segment_decoding.edit_segments(engine, cells, Request(rhythm=rhythm))
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
