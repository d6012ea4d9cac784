"""Scores against cases worked by hand and against scikit-learn and SciPy; a dead fader is not rewarded.

Hand-made outputs [M, T]: so many onsets, one a step, of so many notes together.
"""

from __future__ import annotations

import numpy as np
import pytest
from made_cells import EMPTY, made, random_cells

from fadernets.attributes.table import CODED
from fadernets.codecs import grid
from fadernets.metrics import fader_scores

SPREAD = np.array([0.25, 2.0])  # of rhythm density and note density in the training data
VALUES = np.array([2, 4, 8, 16]) / 16
SILENCE = np.zeros((16, 88), np.uint8)


def chord(steps: list[int], pitches: list[int], length: int = 1) -> np.ndarray:
    return grid.from_notes(np.array([(t, t + length, p) for t in steps for p in pitches]))


def struck(onsets: int, notes: int = 1, first: int = 60) -> np.ndarray:
    """Cells with so many onset steps of so many notes, each a step long; rhythm and note density follow."""
    return chord(list(range(onsets)), list(range(first, first + 2 * notes, 2))) if onsets else SILENCE


def outputs(onsets: list[list[int]], notes: list[list[int]] | None = None) -> np.ndarray:
    """[M, T, 16, 88] of onset steps [M][T] and notes in each [M][T]."""
    notes = notes or [[1] * len(row) for row in onsets]
    return np.stack(
        [np.stack([struck(n, k) for n, k in zip(*rows, strict=True)]) for rows in zip(onsets, notes, strict=True)]
    )


# An output beside its source


def test_note_hits_by_hand():
    a, b = chord([0, 4], [60, 64]), chord([0, 5, 9], [60])
    assert fader_scores.note_hits(a, b).tolist() == [4, 3, 1]
    assert fader_scores.note_hits(b, a).tolist() == [3, 4, 1]
    held = chord([0], [60], 8)
    assert fader_scores.note_hits(held, held).tolist() == [1, 1, 1]  # holds are no notes
    assert fader_scores.note_hits(a, SILENCE).tolist() == [4, 0, 0]


def test_note_hits_broadcast_a_source_over_its_outputs():
    found = outputs([[1, 2], [3, 0], [4, 5]])
    source = np.stack([struck(n) for n in (2, 3, 4)])
    hits = fader_scores.note_hits(found, source[:, None])
    assert hits.shape == (3, 2, 3)
    assert hits[..., 0].tolist() == [[1, 2], [3, 0], [4, 5]]
    assert hits[..., 1].tolist() == [[2, 2], [3, 3], [4, 4]]
    assert hits[..., 2].tolist() == [[1, 2], [3, 0], [4, 4]]
    np.testing.assert_array_equal(fader_scores.note_hits(source[:, None], found)[..., [1, 0, 2]], hits)


def test_notes_kept_by_hand():
    """A note that ends elsewhere is kept by its onset alone; what is held in from before is no note."""
    rows = np.array([(0, 4, 60), (0, 16, 64), (4, 8, 60), (8, 9, 60), (15, 16, 70), (-1, 3, 40)])
    source = grid.from_notes(rows)
    assert fader_scores.notes_kept(source, source).tolist() == [5, 5, 5]
    assert fader_scores.notes_kept(SILENCE, source).tolist() == [5, 0, 0]
    assert fader_scores.notes_kept(source, SILENCE).tolist() == [0, 0, 0]
    other = grid.from_notes(np.array([(0, 3, 60), (0, 15, 64), (4, 8, 61), (8, 9, 60), (15, 16, 70)]))
    assert fader_scores.notes_kept(other, source).tolist() == [5, 4, 2]
    longer = grid.from_notes(np.array([(8, 10, 60), (-1, 4, 60)]))  # a hold in place of the first onset
    assert fader_scores.notes_kept(longer, source).tolist() == [5, 1, 0]
    found = np.stack([source, other, longer])
    assert fader_scores.notes_kept(found[:, None], np.stack([source] * 3)[:, None])[:, 0, 2].tolist() == [5, 2, 0]


def test_note_f1_counts_onset_step_and_pitch():
    a, b = chord([0, 4], [60, 64]), chord([0, 5], [60, 64])
    assert fader_scores.note_f1(a[None], a[None]).tolist() == [1.0]
    assert fader_scores.note_f1(a[None], b[None]).tolist() == [0.5]
    assert fader_scores.note_f1(SILENCE[None], SILENCE[None]).tolist() == [1.0]
    assert fader_scores.note_f1(a[None], SILENCE[None]).tolist() == [0.0]


def test_pooled_f1_weighs_notes_and_not_segments():
    hits = np.array([[[1, 1, 1], [9, 3, 0]], [[0, 4, 0], [2, 0, 0]]])
    found = fader_scores.pooled_f1(hits)  # 12 found, 8 expected, 1 right
    assert found == pytest.approx({"note_f1": 2 / 20, "precision": 1 / 12, "recall": 1 / 8})
    assert fader_scores.pooled_f1(np.zeros((5, 3), np.int64)) == {"note_f1": 0, "precision": 0, "recall": 0}


def test_chroma_similarity_ignores_octaves_and_weighs_durations():
    a = chord([0], [60], 8)
    assert fader_scores.chroma_similarity(a[None], chord([4], [72], 8)[None])[0] == pytest.approx(1.0)
    assert fader_scores.chroma_similarity(a[None], chord([0], [61], 8)[None])[0] == pytest.approx(0.0)
    mixed = np.maximum(chord([0], [60], 8), chord([0], [61], 4))
    assert fader_scores.chroma_similarity(a[None], mixed[None])[0] == pytest.approx(8 / np.hypot(8, 4))


def test_chroma_similarity_of_silence():
    assert fader_scores.chroma_similarity(SILENCE[None], SILENCE[None]).tolist() == [1.0]
    assert fader_scores.chroma_similarity(SILENCE[None], chord([0], [60])[None]).tolist() == [0.0]


# What faders are made of


def test_groove_by_hand():
    a, b = made((0, 1, 60), (4, 8, 60), (8, 9, 60)), made((0, 8, 30), (0, 8, 90), (6, 7, 60), (8, 9, 61))
    assert fader_scores.groove_similarity(a, b).tolist() == [14 / 16]  # steps 4 and 6 differ
    assert fader_scores.groove_similarity(a, a).tolist() == [1.0]
    assert fader_scores.groove_similarity(EMPTY[None], EMPTY[None]).tolist() == [1.0]
    assert fader_scores.groove_similarity(made((-1, 16, 60)), EMPTY[None]).tolist() == [1.0]  # a hold is no onset
    assert fader_scores.groove_similarity(made(*[(t, t + 1, 60) for t in range(16)]), EMPTY[None]).tolist() == [0.0]


def test_groove_of_many_answers_to_one_source():
    source = random_cells(4)
    answers = random_cells(12, seed=5).reshape(4, 3, 16, 88)
    found = fader_scores.groove_similarity(answers, source[:, None])
    assert found.shape == (4, 3)
    assert found[2, 1] == fader_scores.groove_similarity(answers[2, 1], source[2])


def test_linearity_of_a_constant_is_zero_and_of_a_line_one():
    from sklearn.linear_model import LinearRegression

    x = np.linspace(0, 1, 8)
    assert fader_scores.linearity(x, np.full(8, 0.3)) == 0.0
    assert fader_scores.linearity(np.full(8, 0.3), x) == 0.0
    assert fader_scores.linearity(x, 1 - 3 * x) == pytest.approx(1.0)
    y = np.random.default_rng(0).normal(size=8)
    expected = LinearRegression().fit(x[:, None], y).score(x[:, None], y)
    assert fader_scores.linearity(x, y) == pytest.approx(expected)


def test_a_constant_side_has_no_rank_correlation():
    x, y = np.random.default_rng(0).normal(size=(2, 60))
    assert fader_scores.rank_correlation(x, -(x**3)) == pytest.approx(-1)
    assert fader_scores.rank_correlation(x, np.ones(60)) == 0.0
    assert fader_scores.rank_correlation(np.ones(60), y) == 0.0


def test_consistency_is_over_samples_and_restrictiveness_over_values():
    measured = np.array([[0.0, 1.0, 4.0], [2.0, 1.0, 0.0]])  # [M, T]
    assert fader_scores.consistency(measured) == pytest.approx(1 - np.mean([1, 0, 2]))
    assert fader_scores.restrictiveness(measured) == pytest.approx(1 - np.mean([np.std([0, 1, 4]), np.std([2, 1, 0])]))


def test_over_runs():
    found = fader_scores.over_runs([{"a": 1.0, "b": 5.0}, {"a": 3.0, "b": 5.0}])
    assert found == {"a": {"mean": 2.0, "std": 1.0}, "b": {"mean": 5.0, "std": 0.0}}


# The two protocols


def strict(out: np.ndarray, values: np.ndarray = VALUES, name: str = "rhythm_density", **changes: np.ndarray) -> dict:
    return fader_scores.strict(out, changes.get("source", out[:, 0]), name, values, SPREAD)


def paper(out: np.ndarray, positions: np.ndarray = VALUES, name: str = "rhythm_density") -> dict:
    return fader_scores.paper(out, name, positions, SPREAD)


def test_a_perfect_fader():
    out = outputs([[2, 4, 8, 16]] * 3)
    found = strict(out)
    for figure in ("consistency", "linearity", "pooled_r2", "spearman", "response_range", "chroma_similarity"):
        assert found[figure] == pytest.approx(1), figure
    assert (found["error"], found["failures"]) == (0, 0)
    # One note an onset step: note density rises along, VALUES notes a step.
    assert found["leakage"] == pytest.approx(1)
    assert found["restrictiveness"] == pytest.approx(1 - VALUES.std() / SPREAD[1])
    assert found["note_f1"] == pytest.approx(np.mean([1, 4 / 6, 4 / 10, 4 / 18]))
    assert found["groove_similarity"] == pytest.approx(np.mean([16, 14, 10, 2]) / 16)
    same = paper(out)
    for figure in ("consistency", "linearity", "pooled_r2", "restrictiveness"):
        assert same[figure] == pytest.approx(found[figure]), figure
    assert same["constant_share"] == 0


def test_a_dead_fader_is_rewarded_by_the_paper_protocol_alone():
    out = outputs([[8] * 4, [4] * 4], [[1] * 4, [3] * 4])
    found, as_published = strict(out), paper(out)
    assert (found["linearity"], found["pooled_r2"], found["spearman"], found["leakage"]) == (0, 0, 0, 0)
    assert found["response_range"] == pytest.approx(0, abs=1e-12)
    assert (found["note_f1"], found["restrictiveness"]) == (1, 1)
    assert found["consistency"] == pytest.approx(1 - (2 / 16) / SPREAD[0])
    assert found["error"] == pytest.approx(np.mean([6, 4, 0, 8, 2, 0, 4, 12]) / 16)
    assert (as_published["linearity"], as_published["constant_share"]) == (1, 1)
    assert as_published["pooled_r2"] == pytest.approx(0, abs=1e-12)
    assert as_published["consistency"] == found["consistency"]


def test_a_share_of_dead_samples():
    out = outputs([[2, 4, 8, 16], [5] * 4])
    assert strict(out)["linearity"] == pytest.approx(0.5)
    found = paper(out)
    assert (found["linearity"], found["constant_share"]) == (pytest.approx(1), 0.5)


def test_the_mean_of_each_samples_r2_is_not_that_of_all_points():
    """Two lines, each perfect by itself: one rising, one falling; then both rising far from each other."""
    values = np.array([4, 8, 12]) / 16
    out = outputs([[4, 8, 12], [12, 8, 4]])
    for found in (strict(out, values), paper(out, values)):
        assert found["linearity"] == pytest.approx(1)
        assert found["pooled_r2"] == pytest.approx(0, abs=1e-12)
    apart = outputs([[2, 3, 4], [12, 13, 14]])
    asked, own = np.tile(values, 2), np.array([2, 3, 4, 12, 13, 14]) / 16
    expected = np.corrcoef(asked, own)[0, 1] ** 2
    assert expected < 0.05
    assert strict(apart, values)["pooled_r2"] == pytest.approx(expected)
    assert paper(apart, values)["pooled_r2"] == pytest.approx(expected)


def test_linearity_of_the_paper_is_the_mean_r2_of_scikit_learn():
    from sklearn.linear_model import LinearRegression

    random = np.random.default_rng(1)
    onsets = [*random.integers(1, 16, (5, 4)).tolist(), [7] * 4]
    positions = np.array([-1.5, 0.0, 0.3, 2.0])[:, None]
    rows = np.array(onsets) / 16
    each = [LinearRegression().fit(positions, row).score(positions, row) for row in rows]
    assert paper(outputs(onsets), positions[:, 0])["linearity"] == pytest.approx(np.mean(each))
    rewarded = strict(outputs(onsets), positions[:, 0])["linearity"]
    assert rewarded == pytest.approx(np.sum(each[:-1]) / 6)


@pytest.mark.parametrize("figures", [strict, paper])
def test_spreads_are_in_units_of_the_training_data(figures):
    onsets, notes = [[4, 8], [6, 8]], [[2, 1], [1, 3]]
    out = outputs(onsets, notes)
    found = figures(out, VALUES[:2])
    assert found["consistency"] == pytest.approx(1 - np.mean([np.std([4, 6]), 0]) / 16 / SPREAD[0])
    density = np.array(onsets) * notes / 16  # [[0.5, 0.5], [0.375, 1.5]]
    assert found["restrictiveness"] == pytest.approx(1 - np.mean([0, np.std(density[1])]) / SPREAD[1])
    found = figures(out, VALUES[:2], "note_density")
    assert found["consistency"] == pytest.approx(1 - density.std(0).mean() / SPREAD[1])
    assert found["restrictiveness"] == pytest.approx(1 - np.mean([np.std([4, 8]), np.std([6, 8])]) / 16 / SPREAD[0])


def test_error_response_and_leakage_by_hand():
    """Outputs follow at half the asked pace; the note density falls in one sample and rises in the other."""
    values = np.array([2, 6, 10, 14]) / 16
    onsets = [[4, 6, 8, 10], [6, 8, 10, 12]]
    notes = [[6, 4, 3, 2], [2, 3, 4, 5]]
    found = strict(outputs(onsets, notes), values)
    assert found["response_range"] == pytest.approx(0.5)
    assert found["error"] == pytest.approx(np.mean([2, 0, 2, 4, 4, 2, 0, 2]) / 16)
    from scipy.stats import spearmanr

    asked, density = np.tile(values, 2), (np.array(onsets) * notes).ravel() / 16
    assert found["spearman"] == pytest.approx(spearmanr(asked, np.ravel(onsets)).statistic)
    assert found["leakage"] == pytest.approx(abs(spearmanr(asked, density).statistic))
    assert 0 < found["leakage"] < 1
    rank = spearmanr(asked, np.ravel(onsets) * np.tile([8, 4, 2, 1], 2)).statistic
    assert rank < -0.9
    falling = strict(outputs(onsets, [[8, 4, 2, 1], [8, 4, 2, 1]]), values)
    assert falling["leakage"] == pytest.approx(-rank)


def test_likeness_is_to_each_outputs_own_source():
    source = np.stack([chord([0, 4], [60]), chord([8], [66])])
    out = np.stack([source, source[::-1]], 1)  # at the second value each sample is the other's source
    found = strict(out, VALUES[:2], source=source)
    assert found["note_f1"] == found["chroma_similarity"] == 0.5
    assert found["groove_similarity"] == pytest.approx((1 + 13 / 16) / 2)


def test_a_failure_counts_as_the_worst_value():
    """Of four outputs one is silent: each attribute is then as high as it can be."""
    out = np.stack([np.stack([struck(4), SILENCE]), np.stack([struck(4), struck(8)])])
    values = np.array([0.25, 0.5])
    found = strict(out, values)
    assert found["failures"] == 0.25
    assert found["error"] == pytest.approx((1 - 0.5) / 4)
    assert found["consistency"] == pytest.approx(1 - np.mean([0, np.std([1, 0.5])]) / SPREAD[0])
    other = np.array([[0.25, 15], [0.25, 0.5]]) / SPREAD[1]
    assert found["restrictiveness"] == pytest.approx(1 - other.std(1).mean())
    found = strict(out, values, "note_density")
    assert found["error"] == pytest.approx((15 - 0.5) / 4)
    assert paper(out, values)["consistency"] == pytest.approx(1 - np.mean([0, np.std([0, 0.5])]) / SPREAD[0])


@pytest.mark.parametrize("name", CODED)
def test_nothing_but_failures(name):
    values = np.array([0.25, 0.5])
    found = strict(np.stack([[SILENCE, SILENCE]]), values, name)
    assert found["failures"] == 1
    assert found["error"] == pytest.approx(CODED[name].high - values.mean())
    assert (found["linearity"], found["spearman"]) == (0, 0)


def test_figures_are_plain_numbers():
    out = outputs([[2, 4, 8, 16], [3, 3, 9, 12]])
    for found in (strict(out), paper(out)):
        assert {type(value) for value in found.values()} == {float}
        assert np.isfinite(list(found.values())).all()


# Arousal


def test_balanced_accuracy_weighs_both_classes_alike():
    assert fader_scores._balanced(np.array([[9, 10, 1, 2]], float))[0] == pytest.approx((0.9 + 0.5) / 2)


def test_balanced_accuracy_of_one_class():
    """As scikit-learn has it; a resampling can miss the other class."""
    assert fader_scores._balanced(np.array([[9, 10, 0, 0], [0, 0, 1, 4], [0, 0, 0, 0]], float)).tolist() == [
        0.9,
        0.25,
        0,
    ]
    label, pieces = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])
    assert fader_scores.balanced_accuracy(label == 1, label, pieces) == {"balanced_accuracy": 1, "low": 1, "high": 1}


def test_balanced_accuracy_and_its_interval():
    label = np.array([0] * 60 + [1] * 20)
    guess = label.astype(bool).copy()
    guess[:15] = True  # 45 of 60
    guess[60:70] = False  # 10 of 20
    pieces = np.arange(80) % 20
    found = fader_scores.balanced_accuracy(guess, label, pieces)
    assert found["balanced_accuracy"] == pytest.approx((45 / 60 + 10 / 20) / 2)
    assert 0 < found["low"] < found["balanced_accuracy"] < found["high"] < 1
    assert fader_scores.balanced_accuracy(guess, label, pieces) == found  # drawn by a seed of its own
    assert fader_scores.balanced_accuracy(label == 1, label, pieces) == {"balanced_accuracy": 1, "low": 1, "high": 1}
    assert fader_scores.balanced_accuracy(label == 0, label, pieces)["balanced_accuracy"] == 0


def test_the_interval_draws_whole_pieces():
    """All right in half of the pieces and all wrong in the other: the fewer pieces, the wider."""
    label = np.tile([0, 1], 200)

    def width(count: int) -> float:
        pieces = np.arange(400) // (400 // count)
        found = fader_scores.balanced_accuracy((label == 1) ^ (pieces % 2 == 1), label, pieces)
        assert found["balanced_accuracy"] == 0.5
        return found["high"] - found["low"]

    assert width(4) == 1
    assert width(20) == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(20), rel=0.2)
    assert width(200) == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(200), rel=0.2)
