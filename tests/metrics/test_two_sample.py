"""The two-sample test on passages that can be told, and on some that cannot."""

from __future__ import annotations

import numpy as np
import pytest
from made_passages import alike, unlike

from fadernets.metrics import two_sample
from fadernets.metrics.passage_features import Passages
from fadernets.metrics.two_sample import FARTHEST

PIECES = np.arange(120) // 4


def levels(values, piece, kind=None):
    """Passages whose rhythm densities are `values` in 64ths, each of one note a step."""
    cells = np.zeros((len(values), 64, 88), np.uint8)
    for i, value in enumerate(values):
        cells[i, :, 40] = 2
        cells[i, :value, 40] = 1
    return Passages.of(cells.reshape(-1, 4, 16, 88), np.array(piece), None if kind is None else np.array(kind))


def test_pairs_are_near_each_of_another_piece_and_use_a_real_passage_once():
    rng = np.random.default_rng(0)
    edited = levels(rng.integers(10, 40, 40), rng.integers(5, size=40), rng.integers(2, size=40))
    real = levels(rng.integers(10, 40, 300), rng.integers(5, size=300), rng.integers(2, size=300))
    rows, columns, distance = two_sample.match(edited, real)
    assert len(set(columns.tolist())) == len(columns) > 30
    assert (edited.piece[rows] != real.piece[columns]).all()
    assert (edited.kind[rows] == real.kind[columns]).all()
    apart = np.abs(edited.densities()[rows, 0] - real.densities()[columns, 0]) / real.densities()[:, 0].std()
    np.testing.assert_allclose(distance, apart)
    assert (distance <= FARTHEST).all()


def test_a_passage_without_a_near_one_has_no_pair():
    rows, columns, _ = two_sample.match(levels([8, 60], [0, 0]), levels([8, 4, 12], [1, 1, 1]))
    assert rows.tolist() == [0]
    assert columns.tolist() == [0]
    assert not len(two_sample.match(levels([8], [0]), levels([8, 9], [0, 0]))[0])  # of its own piece
    assert not len(two_sample.match(levels([8], [0], [0]), levels([8, 9], [1, 1], [1, 1]))[0])  # of another kind
    assert not len(two_sample.match(levels([], []), levels([8], [0]))[0])
    shorter = Passages.of(levels([8, 9], [1, 1]).cells[:, :, :12], np.ones(2))
    assert not len(two_sample.match(levels([8], [0]), shorter)[0])


def test_as_many_passages_as_can_be_find_a_match():
    real = levels([21, 17, 0, 40], [1] * 4)  # the nearest to 20 is the only one within reach of 25
    rows, columns, _ = two_sample.match(levels([20, 25], [0, 0]), real)
    assert dict(zip(rows.tolist(), columns.tolist(), strict=True)) == {0: 1, 1: 0}


def test_as_many_pairs_as_are_wanted_though_some_passages_find_none():
    edited = levels([20] * 30 + [60] * 30, [0] * 60)
    real = levels([10, 20, 30] * 40, [1] * 120)
    ours, theirs, gap = two_sample.pairs_of(edited, real, most=25, seed=3)
    assert len(ours) == len(theirs) > 18
    assert gap < FARTHEST
    assert set(ours.tolist()) <= set(range(30))
    assert len(two_sample.pairs_of(edited, real, most=5)[0]) <= 5


def test_segments_are_matched_one_by_one_where_that_is_asked():
    half_full = levels([32], [1])  # the first two segments are full, the others are not struck
    even = np.where(half_full.cells, 2, 0).astype(np.uint8)
    even[:, :, ::2, 40] = 1
    edited, far = Passages.of(even, np.zeros(1)), levels([4, 60], [1, 1])
    real = half_full.and_(far)
    assert two_sample.match(edited, real)[1].tolist() == [0]
    assert not len(two_sample.match(edited, real, each=True)[1])
    assert two_sample.match(edited, real.and_(Passages.of(even, np.ones(1))), each=True)[1].tolist() == [3]


def test_real_passages_as_even_as_edits_are_told_from_uneven_ones():
    even = levels([32] * 120, PIECES).cells.copy()
    uneven = even.copy()
    even[:, :, ::2, 40], even[:, :, 1::2, 40] = 1, 2
    real = Passages.of(np.concatenate([even, uneven]), np.concatenate([PIECES, PIECES + 100]))
    scores = two_sample.as_level(Passages.of(even, np.full(120, 999)), real, seeds=(0,))
    assert scores.passages == 120
    assert scores.mean > 0.9


def test_folds_keep_pieces_whole_and_are_as_large():
    pieces = np.repeat(np.arange(30), np.random.default_rng(0).integers(1, 9, 30))
    fold = two_sample.folds(pieces, 0)
    assert all(len(set(fold[pieces == p].tolist())) == 1 for p in range(30))
    sizes = np.bincount(fold)
    assert len(sizes) == 5
    assert sizes.max() - sizes.min() <= 2
    assert (fold != two_sample.folds(pieces, 1)).any()
    names = np.array([f"p{p}" for p in pieces])
    assert (np.bincount(two_sample.folds(names, 0)) > 0).all()


@pytest.mark.parametrize(
    ("scores", "expected"), [([0, 1, 2, 3], 1.0), ([3, 2, 1, 0], 0.0), ([1, 1, 1, 1], 0.5), ([0, 2, 1, 3], 0.75)]
)
def test_the_area_is_the_share_of_pairs_in_order(scores, expected):
    assert two_sample.area_under_curve(np.array(scores, float), np.array([0, 0, 1, 1])) == expected


def test_the_area_agrees_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    label, scores = rng.integers(2, size=200), rng.integers(20, size=200).astype(float)
    assert two_sample.area_under_curve(scores, label) == pytest.approx(metrics.roc_auc_score(label, scores))
    assert two_sample.area_under_curve(scores, np.ones(200, int)) == 0.5


@pytest.mark.parametrize("judge", ["trees", "network"])
def test_what_differs_is_told_and_what_does_not_is_not(judge):
    pytest.importorskip("sklearn" if judge == "trees" else "torch")
    real, pieces = alike(80, seed=2), np.arange(80) // 4 + 100
    edited, own = unlike(60) if judge == "trees" else np.roll(alike(60), 1, axis=2), PIECES[:60]
    told = two_sample.auc(edited, own, real, pieces, judge=judge)
    assert told > 0.9
    assert two_sample.auc(alike(60, seed=3), own, real, pieces, judge=judge) < 0.7


@pytest.mark.parametrize("judge", ["trees", "network"])
def test_the_same_seed_gives_the_same_figure(judge):
    pytest.importorskip("sklearn" if judge == "trees" else "torch")
    real = alike(20, steps=12, seed=2), np.arange(20)
    first, again = (
        two_sample.auc(unlike(16, steps=12), np.arange(16) + 50, *real, judge=judge, seed=1) for _ in range(2)
    )
    assert first == again


def test_the_floor_and_the_scores_of_seeds():
    pytest.importorskip("sklearn")
    scores = two_sample.floor(Passages.of(alike(150, steps=12), np.arange(150) // 3), seeds=(0, 1))
    assert 0.3 < scores.mean < 0.7
    assert scores.deviation > 0
    assert 40 < scores.passages <= 50
    assert scores.gap < FARTHEST
    edited, real = Passages.of(unlike(120), PIECES), Passages.of(alike(160), np.arange(160) + 100)
    scores = two_sample.compare(edited, real, most=30, seeds=(0, 1))
    assert scores.passages <= 30
    assert scores.mean > 0.7


def test_too_few_passages_have_no_figure():
    pytest.importorskip("sklearn")
    assert np.isnan(two_sample.auc(unlike(0), np.zeros(0), alike(9), np.zeros(9)))
