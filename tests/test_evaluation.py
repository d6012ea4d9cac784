"""Scores against cases worked by hand and against scikit-learn; a dead fader is not rewarded."""

from __future__ import annotations

import numpy as np
import pytest

from fadernets import grid, scores
from fadernets.attributes import ATTRIBUTES


def chord(steps: list[int], pitches: list[int], length: int = 1) -> np.ndarray:
    return grid.from_notes(np.array([(t, t + length, p) for t in steps for p in pitches]))


def test_note_f1_counts_onset_step_and_pitch():
    a, b = chord([0, 4], [60, 64]), chord([0, 5], [60, 64])
    assert scores.note_f1(a[None], a[None]).tolist() == [1.0]
    assert scores.note_f1(a[None], b[None]).tolist() == [0.5]
    silent = np.zeros((1, 16, 88), np.uint8)
    assert scores.note_f1(silent, silent).tolist() == [1.0]
    assert scores.note_f1(a[None], silent).tolist() == [0.0]


def test_chroma_similarity_ignores_octaves_and_weighs_durations():
    a = chord([0], [60], 8)
    assert scores.chroma_similarity(a[None], chord([4], [72], 8)[None])[0] == pytest.approx(1.0)
    assert scores.chroma_similarity(a[None], chord([0], [61], 8)[None])[0] == pytest.approx(0.0)
    mixed = np.maximum(chord([0], [60], 8), chord([0], [61], 4))
    assert scores.chroma_similarity(a[None], mixed[None])[0] == pytest.approx(8 / np.hypot(8, 4))


def test_linearity_of_a_constant_is_zero_and_of_a_line_one():
    x = np.linspace(0, 1, 8)
    assert scores.linearity(x, np.full(8, 0.3)) == 0.0
    assert scores.linearity(x, 3 * x + 1) == pytest.approx(1.0)
    from sklearn.linear_model import LinearRegression

    y = np.random.default_rng(0).normal(size=8)
    expected = LinearRegression().fit(x[:, None], y).score(x[:, None], y)
    assert scores.linearity(x, y) == pytest.approx(expected)


def test_spearman_shares_ranks_between_ties():
    from scipy.stats import spearmanr

    random = np.random.default_rng(0)
    x, y = random.integers(0, 5, 60).astype(float), random.integers(0, 5, 60).astype(float)
    assert scores.spearman(x, y) == pytest.approx(spearmanr(x, y).statistic)
    assert scores.spearman(x, np.ones(60)) == 0.0


def test_scores_of_a_perfect_fader_and_of_a_dead_one():
    values = np.array([2, 4, 8, 16]) / 16
    source = np.stack([chord([0, 8], [60 + i]) for i in range(3)])
    perfect = np.stack([[chord(list(range(int(16 * v))), [60 + i]) for v in values] for i in range(3)])
    spread = np.array([0.25, 1.0])
    found = scores.strict(perfect, source, "rhythm_density", values, spread)
    assert found["consistency"] == pytest.approx(1.0)
    assert found["linearity"] == pytest.approx(1.0)
    assert found["spearman"] == pytest.approx(1.0)
    assert found["error"] == pytest.approx(0.0)
    assert found["response_range"] == pytest.approx(1.0)
    assert found["leakage"] == pytest.approx(1.0)  # one note a step: note density follows
    notes = values  # mean notes sounding, in standard deviations of 1
    assert found["restrictiveness"] == pytest.approx(1 - notes.std())
    dead = np.repeat(source[:, None], 4, axis=1)
    found = scores.strict(dead, source, "rhythm_density", values, spread)
    assert (found["linearity"], found["spearman"], found["response_range"]) == pytest.approx((0, 0, 0))
    assert found["note_f1"] == 1.0


def test_consistency_is_the_mean_spread_over_segments_in_training_units():
    values = np.array([0.25, 0.5])
    rows = [[4, 8], [6, 8]]  # onsets of two segments at two asked values
    out = np.stack([[chord(list(range(n)), [60]) for n in row] for row in rows])
    found = scores.strict(out, out[:, 0], "rhythm_density", values, np.array([0.25, 1.0]))
    assert found["consistency"] == pytest.approx(1 - np.mean([np.std([4, 6]) / 16 / 0.25, 0.0]))


def test_an_empty_output_counts_as_the_worst_value():
    values = np.array([0.25, 0.5])
    out = np.zeros((1, 2, 16, 88), np.uint8)
    found = scores.strict(out, out[:, 0], "note_density", values, np.array([0.25, 1.0]))
    assert found["failures"] == 1.0
    assert found["error"] == pytest.approx(ATTRIBUTES["note_density"].high - values.mean())


def test_balanced_accuracy_weighs_both_classes_alike():
    counts = np.array([[9, 10, 1, 2]], float)
    assert scores._balanced(counts)[0] == pytest.approx((0.9 + 0.5) / 2)
