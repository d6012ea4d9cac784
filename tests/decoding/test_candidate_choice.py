"""The choice among candidates with the shipped model: the source first, then near and musical ones."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from fadernets.codecs import grid
from fadernets.decoding import candidate_choice, candidates, segment_decoding, segment_requests
from fadernets.decoding.candidate_choice import WEIGHTS
from fadernets.decoding.segment_decoding import Candidates
from fadernets.decoding.segment_requests import SegmentRequest
from fadernets.metrics import cell_counts
from fadernets.metrics.fader_scores import chroma_similarity, note_f1


def test_the_candidate_nearest_to_all_targets_wins():
    one, two = np.zeros((16, 88), np.uint8), np.zeros((16, 88), np.uint8)
    one[0, 10], two[[0, 8], 10] = grid.ONSET, grid.ONSET
    spread, even = np.array([0.2, 1.0]), np.zeros((1, 2))
    found = found_of([one, two], [2 / 16, 1 / 16])
    assert candidate_choice.choose_candidates(found, one[None], spread, even).tolist() == [1]
    assert candidate_choice.choose_candidates(found, one[None], spread, np.array([[1.0, 0.0]])).tolist() == [
        1
    ]  # a miss weighs more
    tied = found_of([two, one], [np.nan, np.nan])
    assert candidate_choice.choose_candidates(tied, one[None], spread, even).tolist() == [1]


def found_of(cells, targets):
    return Candidates(np.stack(cells)[None], np.array([targets]), np.zeros((1, 16, 176), np.float32))


def test_of_those_that_come_near_the_best_rated_wins():
    far, near, nearest = (np.zeros((16, 88), np.uint8) for _ in range(3))
    far[:8, 10], near[:5, 10], nearest[:4, 10] = grid.HOLD, grid.HOLD, grid.HOLD
    found = found_of([far, near, nearest], [np.nan, 4 / 16])  # voices: off by 4, 1 and 0 sixteenths
    spread, source = np.array([0.2, 1.0]), np.zeros((1, 16, 88), np.uint8)
    assert candidate_choice.choose_candidates(found, source, spread, np.array([[5.5, 5.0, 4.0]])).tolist() == [
        1
    ]  # .25 off: too far
    assert candidate_choice.choose_candidates(found, source, spread, np.array([[1.0, 5.0, 4.0]])).tolist() == [1]
    assert candidate_choice.choose_candidates(found, source, spread, np.array([[1.0, 4.0, 5.0]])).tolist() == [2]


def test_a_preset_may_leave_the_source_even_where_a_candidate_is_it():
    source, other = np.zeros((16, 88), np.uint8), np.zeros((16, 88), np.uint8)
    source[0, 10], other[0, 12] = grid.ONSET, grid.ONSET
    spread, rated = np.array([0.2, 1.0]), np.array([[5.0, 0.0]])
    for targets in ([np.nan, np.nan], [1 / 16, np.nan]):
        assert candidate_choice.choose_candidates(
            found_of([other, source], targets), source[None], spread, rated
        ).tolist() == [0]


def test_a_source_that_measures_what_is_asked_is_the_answer():
    source, other = np.zeros((16, 88), np.uint8), np.zeros((16, 88), np.uint8)
    source[0, 10], other[0, 12] = grid.ONSET, grid.ONSET
    found = found_of([other, source], [1 / 16, 1 / 16])
    assert candidate_choice.choose_candidates(
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
            cost[i, c] = WEIGHTS.new_isolated_note * max(lone - own[i][0], 0) + WEIGHTS.new_clash * max(
                clash - own[i][1], 0
            )
            lost[i, c] = WEIGHTS.lost_first_onset * (
                (source[i][0] == grid.ONSET).any() and not (one[0] == grid.ONSET).any()
            )
    return cost, lost


def test_rating_weighs_critic_harmony_notes_and_faults(engine, cells):
    source = segment_requests.encode_segments(engine, cells)
    found = segment_decoding.decode_candidates(engine, source, SegmentRequest({"rhythm_density": np.full(8, 0.75)}))
    assert found.cells.shape[1] == 1 + len(candidates.PLAIN_SOUNDING_FACTORS) + segment_requests.SAMPLED_FOR_EDIT
    rated = candidate_choice.rate_candidates(engine, found, cells)
    assert rated.shape == found.cells.shape[:2]
    one, (cost, lost) = found.cells[:, 3], faults(found.cells, cells)
    assert cost.any()
    expected = WEIGHTS.chroma * np.minimum(chroma_similarity(one, cells), WEIGHTS.enough_chroma)
    expected += WEIGHTS.notes * note_f1(one, cells) - lost[:, 3] + engine.critic.rate(one) - cost[:, 3]
    np.testing.assert_allclose(rated[:, 3], expected)
    free = candidate_choice.rate_candidates(engine, found, cells, faithfulness=0.0)
    np.testing.assert_allclose(free[:, 3], engine.critic.rate(one) - cost[:, 3])
    np.testing.assert_array_equal(
        candidate_choice.rate_candidates(
            engine, segment_decoding.decode_candidates(engine, source, SegmentRequest()), cells
        ),
        0,
    )


def test_a_model_without_a_critic_is_rated_by_the_source_alone(engine, cells, monkeypatch):
    monkeypatch.setattr(engine, "critic", None)
    source = segment_requests.encode_segments(engine, cells)
    found = segment_decoding.decode_candidates(engine, source, SegmentRequest({"note_density": np.full(8, 3.0)}))
    rated = candidate_choice.rate_candidates(engine, found, cells)
    expected = WEIGHTS.chroma * np.minimum(chroma_similarity(found.cells, cells[:, None]), WEIGHTS.enough_chroma)
    expected += WEIGHTS.notes * note_f1(found.cells, cells[:, None])
    np.testing.assert_allclose(rated, expected - sum(faults(found.cells, cells)))


def test_a_lost_first_onset_counts(engine, cells):
    source = segment_requests.encode_segments(engine, cells)
    found = segment_decoding.decode_candidates(engine, source, SegmentRequest({"note_density": np.full(8, 3.0)}))
    kept = candidate_choice.rate_candidates(engine, found, cells)
    found.cells[0, 2, 0] = np.where(found.cells[0, 2, 0] == grid.ONSET, grid.OFF, found.cells[0, 2, 0])
    found.cells[0, 2, 1] = np.where(found.cells[0, 2, 1] == grid.HOLD, grid.ONSET, found.cells[0, 2, 1])
    assert (cells[0, 0] == grid.ONSET).any()
    assert candidate_choice.rate_candidates(engine, found, cells)[0, 2] < kept[0, 2] - WEIGHTS.lost_first_onset / 2


def test_the_order_of_candidates_is_the_weighted_sum_with_the_source_first():
    """The weighted sum that the order replaces gives the same choices."""
    random = np.random.default_rng(0)
    for _ in range(200):
        rating, miss = random.normal(0, 20, (8, 20)), random.choice([0, 0.05, 0.12, 0.3, 2], (8, 20))
        changed, at_rest = random.random((8, 20)) * (random.random((8, 20)) < 0.8), random.random((8, 20)) < 0.02
        rating[:, 3], miss[:, 3], changed[:, 3] = rating[:, 7], miss[:, 7], changed[:, 7]
        total = rating - 10 * np.maximum(miss - 0.12, 0) - 1e-3 * (miss + changed) + 1e6 * at_rest
        found = candidate_choice.best_candidates(rating, miss, changed, at_rest)
        assert found.tolist() == total.argmax(1).tolist()


def test_a_model_whose_training_segments_are_all_alike_warns_of_nothing():
    engine = SimpleNamespace(info={"statistics": {"a": {"std": 0.0}, "b": {"std": 0.5}}}, coded=("a", "b"))
    spread = segment_requests.attribute_deviations(engine)
    assert spread.tolist() == [segment_requests.LEAST_DEVIATION, 0.5]
    one, two = np.zeros((16, 88), np.uint8), np.zeros((16, 88), np.uint8)
    one[0, 10], two[[0, 8], 10] = grid.ONSET, grid.ONSET
    found = found_of([one, two], [2 / 16, 1 / 16])
    assert candidate_choice.choose_candidates(found, one[None], spread, np.zeros((1, 2))).tolist() == [1]
