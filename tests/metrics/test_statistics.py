"""Rank correlations by SciPy, intervals that cover as often as they say, and alpha by hand and as printed."""

import numpy as np
import pytest

from fadernets.metrics import statistics
from fadernets.metrics.statistics import krippendorff_alpha


def test_spearman_shares_ranks_between_ties():
    from scipy.stats import rankdata, spearmanr

    random = np.random.default_rng(0)
    x, y = random.integers(0, 5, (2, 7, 60)).astype(float)
    np.testing.assert_array_equal(statistics.ranks(x), rankdata(x, axis=1) - 1)
    expected = [spearmanr(*rows).statistic for rows in zip(x, y, strict=True)]
    assert statistics.spearman(x, y) == pytest.approx(expected)
    assert statistics.spearman(x[0], y) == pytest.approx([spearmanr(x[0], row).statistic for row in y])
    assert statistics.spearman(x, -(x**3)).tolist() == [-1] * 7
    assert np.isnan(statistics.spearman(x[0], np.ones(60)))
    assert np.isnan(statistics.spearman(np.ones(60), y[0]))


def test_intervals_of_a_ratio_draw_whole_units():
    sums, counts = np.random.default_rng(0).integers(1, 9, (2, 12)).astype(float)
    drawn = np.random.default_rng(4).integers(0, 12, (300, 12))
    expected = np.percentile([sums[d].sum() / counts[d].sum() for d in drawn], [2.5, 97.5])
    assert statistics.ratio_interval(sums, counts, draws=300, seed=4) == pytest.approx(expected)
    assert statistics.ratio_interval(np.array([3.0]), np.array([4.0])) == (0.75, 0.75)


def test_wilson_as_newcombe_printed_it():
    # Newcombe (1998), Table I, method 3
    for hits, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert statistics.wilson(hits, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_stays_inside_and_knows_nothing_of_nobody():
    assert statistics.wilson(0, 0) is None
    assert statistics.wilson(7, 7)[1] == 1.0
    assert statistics.wilson(0, 7)[0] == 0.0


def test_the_bootstrap_needs_two_subjects():
    assert statistics.over_subjects(np.array([3.0]), np.array([4.0])) is None
    assert statistics.over_subjects(np.array([3.0, 0]), np.array([4.0, 0])) is None
    low, high = statistics.over_subjects(np.array([3.0, 1]), np.array([4.0, 4]))
    assert (low, high) == (0.25, 0.75)


def test_subjects_who_are_alike_leave_no_doubt():
    assert statistics.over_subjects(np.full(5, 8.0), np.full(5, 10.0)) == (0.8, 0.8)


def test_wilson_covers_answers_that_are_independent():
    rng = np.random.default_rng(0)
    spans = [statistics.wilson(hits, 200) for hits in rng.binomial(200, 0.7, 400).tolist()]
    assert 0.92 <= np.mean([low <= 0.7 <= high for low, high in spans]) <= 0.98


def test_the_bootstrap_covers_where_subjects_differ_and_wilson_does_not():
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(200):
        own = rng.beta(3.5, 1.5, 40)  # subjects with rates of their own, 0.7 in the mean
        hits = rng.binomial(20, own).astype(float)
        low, high = statistics.over_subjects(hits, np.full(40, 20.0))
        first, last = statistics.wilson(int(hits.sum()), 800)
        inside.append((low <= 0.7 <= high, first <= 0.7 <= last))
    bootstrap, wilson = np.mean(inside, axis=0)
    assert 0.90 <= bootstrap <= 0.98
    assert wilson < 0.75


# alpha


def krippendorff():
    """The example of Krippendorff (2011), "Computing Krippendorff's alpha-reliability", C: four raters, twelve units,
    five values, some missing."""
    rows = ["1 2 3 3 2 1 4 1 2 - - -", "1 2 3 3 2 2 4 1 2 5 - 3", "- 3 3 3 2 3 4 2 2 5 1 -", "1 2 3 3 2 4 4 1 2 5 1 -"]
    table = [row.split() for row in rows]
    return np.array([[sum(row[u] == str(v) for row in table) for v in range(1, 6)] for u in range(12)])


@pytest.mark.parametrize(("distance", "printed"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_as_printed(distance, printed):
    assert krippendorff_alpha(krippendorff(), getattr(statistics, distance)) == pytest.approx(printed, abs=5e-4)


def test_alpha_by_hand():
    # Two raters, three units: up up, up down, down down. Coincidences: uu 2, ud 1, du 1, dd 2; n_u = n_d = 3, n = 6.
    # alpha = 1 - (6 - 1) * (1 + 1) / (3 * 3 + 3 * 3) = 1 - 10 / 18
    assert krippendorff_alpha(np.array([[2, 0], [1, 1], [0, 2]])) == pytest.approx(8 / 18)
    # Ratings 1 1, 1 3, 3 3: all distances are 4 times as large, above and below, so the same.
    assert krippendorff_alpha(np.array([[2, 0, 0], [1, 0, 1], [0, 0, 2]]), statistics.interval) == pytest.approx(8 / 18)


def test_alpha_is_1_in_agreement_and_near_0_by_chance():
    assert krippendorff_alpha(np.array([[9, 0], [0, 9], [9, 0]])) == 1.0
    rng = np.random.default_rng(0)
    table = rng.multinomial(30, [0.2, 0.3, 0.5], 400)
    for distance in (statistics.nominal, statistics.ordinal, statistics.interval):
        assert abs(krippendorff_alpha(table, distance)) < 0.01


def test_alpha_says_nothing_of_nothing():
    assert krippendorff_alpha(np.zeros((4, 3), int)) is None
    assert krippendorff_alpha(np.array([[1, 0], [0, 1]])) is None  # nobody judged what another did
    assert krippendorff_alpha(np.array([[3, 0], [2, 0]])) is None  # one value alone


def test_a_unit_of_one_rater_changes_nothing():
    table = krippendorff()
    assert krippendorff_alpha(np.vstack([table, [[0, 0, 1, 0, 0]]])) == krippendorff_alpha(table)


def test_f1_of_what_is_found():
    found = np.array([[1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]], bool)
    expected = np.array([[1, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 1], [1, 1, 0, 0]], bool)
    assert statistics.f1(found, expected).tolist() == [2 / 5, 1, 0, 0]
