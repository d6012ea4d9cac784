"""Arithmetic on codes: the calibration curve, faders, cluster probability and the arousal shift."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from sklearn.isotonic import IsotonicRegression

from fadernets.attributes.table import CODED
from fadernets.engines import code_arithmetic
from fadernets.engines.code_arithmetic import (
    Calibration,
    cluster_probability,
    likeliest_class,
    move,
    onto_simplex,
    shift,
)

FLOATS = st.floats(-5, 5, allow_nan=False, width=32)
RNG = np.random.default_rng(0)
CURVE = Calibration(np.array([0.125, 0.25, 0.5, 1.0]), np.array([-2.0, -1.0, 0.5, 1.5]))


@given(st.lists(st.tuples(st.integers(0, 6), FLOATS), min_size=1, max_size=40))
def test_fit_is_isotonic_regression(points):
    values, zd = np.array(points).T
    curve = Calibration.fit(values / 16, zd)
    np.testing.assert_array_equal(curve.values, np.unique(values / 16))
    expected = IsotonicRegression().fit(values / 16, zd).predict(curve.values)
    np.testing.assert_allclose(curve.zd, expected, atol=1e-9)


def test_fit_by_hand():
    """Two knots out of order are pooled by the number of segments at each."""
    values = np.array([1.0, 0.5, 0.5, 0.5, 0.25])
    curve = Calibration.fit(values, np.array([2.0, 6.0, 4.0, 2.0, 0.0]))
    assert curve.values.tolist() == [0.25, 0.5, 1.0]
    assert curve.zd.tolist() == [0, 3.5, 3.5]  # (3 * 4 + 1 * 2) / 4


def test_fit_does_not_depend_on_the_order_of_the_segments():
    values, zd = RNG.integers(0, 16, 500) / 16, RNG.normal(size=500)
    order = RNG.permutation(500)
    a, b = Calibration.fit(values, zd), Calibration.fit(values[order], zd[order])
    np.testing.assert_allclose(a.zd, b.zd, atol=1e-9)


def test_the_curve_passes_its_knots_and_is_straight_between():
    np.testing.assert_allclose(CURVE.to_zd(CURVE.values), CURVE.zd)
    np.testing.assert_allclose(CURVE.to_value(CURVE.zd), CURVE.values, atol=1e-7)
    assert CURVE.to_zd(0.75) == pytest.approx(1.0)
    assert CURVE.to_value(-1.5) == pytest.approx(0.1875)


def test_beyond_the_knots_the_mean_slope_goes_on():
    slope = 3.5 / 0.875
    assert CURVE.to_zd(1.5) == pytest.approx(1.5 + 0.5 * slope)
    assert CURVE.to_zd(0.0) == pytest.approx(-2 - 0.125 * slope)
    assert CURVE.to_value(5.5) == pytest.approx(1 + 4 / slope)


@given(st.floats(-10, 10))
def test_to_value_inverts_to_zd(value):
    assert CURVE.to_value(CURVE.to_zd(value)) == pytest.approx(value, abs=1e-6)


@given(
    st.lists(st.tuples(st.integers(0, 6), FLOATS), min_size=2, max_size=20),
    st.lists(st.floats(-20, 20), min_size=2, max_size=20),
)
def test_both_ways_are_monotone_everywhere(points, asked):
    values, zd = np.array(points).T
    curve = Calibration.fit(values, zd)
    asked = np.sort(asked)
    for found in (curve.to_zd(asked), curve.to_value(asked)):
        assert np.isfinite(found).all()
        assert (np.diff(found) >= -1e-6 * max(1, np.abs(found).max())).all()


def test_a_curve_of_one_knot_is_flat():
    curve = Calibration.fit(np.array([0.5, 0.5]), np.array([1.0, 3.0]))
    assert curve.to_zd(np.array([0.0, 0.5, 1.0])).tolist() == [2, 2, 2]
    assert curve.to_value(np.array([-9.0, 2.0])).tolist() == [0.5, 0.5]


def test_to_value_of_a_level_stretch_stays_on_it():
    curve = Calibration(np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, 1.0, 2.0]))
    assert 1 - 1e-6 <= curve.to_value(1.0) <= 2 + 1e-6


# Faders


def test_move_slides_dimension_0_by_the_curve():
    code = RNG.normal(size=(3, 6)).astype(np.float32)
    kept = code.copy()
    before, asked = np.array([0.25, 0.5, 1.0]), np.array([0.5, 0.5, 0.125])
    found = move(code, CURVE, before, asked)
    np.testing.assert_array_equal(code, kept)
    np.testing.assert_array_equal(found[:, 1:], code[:, 1:])
    np.testing.assert_allclose(found[:, 0] - code[:, 0], [1.5, 0, -3.5], atol=1e-6)
    np.testing.assert_array_equal(found[1], code[1])  # a fader that stays changes nothing
    assert found.dtype == np.float32


def test_move_takes_one_asked_value_for_all():
    code = np.zeros((2, 3))
    np.testing.assert_allclose(move(code, CURVE, np.array([0.25, 1.0]), np.array(0.5))[:, 0], [1.5, -1])


# The mixture


def test_cluster_probability_is_that_of_the_mixture():
    means = RNG.normal(size=(2, 4)) * 0.3
    code = RNG.normal(size=(50, 4)) * 0.3
    low, high = (multivariate_normal(m, math.exp(-2) * np.eye(4)).pdf(code) for m in means)
    np.testing.assert_allclose(cluster_probability(code, means), high / (low + high), rtol=1e-9)


def test_cluster_probability_at_the_means_and_between():
    means = np.array([[-1.0, 0.0], [1.0, 0.0]])
    code = np.array([[-1.0, 0.0], [0.0, 5.0], [1.0, 0.0]])
    found = cluster_probability(code, means)
    assert found[0] < 1e-6
    assert found[1] == pytest.approx(0.5)
    assert found[2] > 1 - 1e-6


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_cluster_probability_far_away_is_certain(kind):
    """Far codes overflow no exponential: warnings are errors here."""
    means = np.array([[-1.0] * 128, [1.0] * 128], kind)
    code = np.array([[-9.0] * 128, [9.0] * 128], kind)
    assert cluster_probability(code, means).tolist() == pytest.approx([0, 1])


MEANS = np.array([[-0.5, 0.2, 0.0], [0.7, 0.2, 0.4]], np.float32)  # low, high
CODE = np.array([[-0.6, 0.2, 0.1], [0.9, 0.1, 0.4], [0.0, 5.0, 0.0]], np.float32)  # low, high, low


@pytest.mark.parametrize(
    ("amount", "moved"),
    [(1, [True, False, True]), (0.5, [True, False, True]), (-1, [False, True, False]), (-2, [False, True, False])],
)
def test_shift_moves_what_lies_outside_the_target_cluster(amount, moved):
    assert (cluster_probability(CODE, MEANS) >= 0.5).tolist() == [False, True, False]
    found = shift(CODE, MEANS, amount)
    expected = CODE + np.array(moved)[:, None] * amount * (MEANS[1] - MEANS[0])
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == CODE.dtype


def test_a_whole_shift_carries_one_mean_to_the_other():
    np.testing.assert_allclose(shift(MEANS[:1], MEANS, 1.0), MEANS[1:], rtol=1e-6)
    np.testing.assert_allclose(shift(MEANS[1:], MEANS, -1.0), MEANS[:1], rtol=1e-6)
    half = shift(MEANS[:1], MEANS, 0.5)
    np.testing.assert_allclose(half, MEANS.mean(0, keepdims=True), rtol=1e-6)


def test_a_shift_of_nothing_moves_nothing():
    np.testing.assert_array_equal(shift(CODE, MEANS, 0.0), CODE)


THREE = np.array([[-2.0, 0.0], [0.0, 1.0], [2.0, 0.0]], np.float32)  # low, middle, high


@pytest.mark.parametrize(
    ("amount", "target", "expected"),
    [
        (1, None, [[2.0, 0.0], [2.0, 0.0], [2.0, 0.0]]),  # toward the highest
        (-1, None, [[-2.0, 0.0], [-2.0, 0.0], [-2.0, 0.0]]),  # toward the lowest
        (1, 1, [[0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]),  # toward the middle, from both sides
        (0.5, 1, [[-1.0, 0.5], [0.0, 1.0], [1.0, 0.5]]),
        (-1, 1, [[-4.0, -1.0], [0.0, 1.0], [4.0, -1.0]]),  # away from it
    ],
)
def test_a_shift_among_three_clusters(amount, target, expected):
    np.testing.assert_allclose(shift(THREE, THREE, amount, target), expected, atol=1e-6)


def test_a_shift_starts_from_the_likeliest_class():
    """A code beside its mean keeps its distance from it."""
    found = shift(np.array([[-1.7, 0.4]]), THREE, 1.0, 1)
    np.testing.assert_allclose(found, [[0.3, 1.4]], atol=1e-6)
    assert likeliest_class(np.array([[-1.7, 0.4], [0.1, 0.9], [1.0, -9.0]]), THREE).tolist() == [0, 1, 2]


def test_a_code_between_two_classes_is_of_the_higher_one():
    assert likeliest_class(np.array([[0.0, 0.0]]), np.array([[-1.0, 0.0], [1.0, 0.0]])).tolist() == [1]


# The simplex of a constrained posterior

VERTICES = 2 * np.eye(3, 4)  # three orthogonal vertices of length 2 in four dimensions


def test_what_lies_on_the_simplex_stays():
    shares = RNG.dirichlet(np.ones(3), 20)
    code = np.concatenate([RNG.normal(size=(20, 2)), shares @ VERTICES], 1)
    np.testing.assert_allclose(onto_simplex(code, VERTICES), code, atol=1e-9)


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        ([5.0, 0.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0]),  # beyond a vertex
        ([0.0, 0.0, 0.0, 0.0], [2 / 3, 2 / 3, 2 / 3, 0.0]),  # the middle is nearest to the origin
        ([2.0, 2.0, 0.0, 7.0], [1.0, 1.0, 0.0, 0.0]),  # beyond an edge, and off the span
        ([2.0, -9.0, 1.0, 0.0], [1.5, 0.0, 0.5, 0.0]),
    ],
)
def test_the_nearest_point_of_the_simplex_by_hand(beside, expected):
    found = onto_simplex(np.array([[9.0, *beside]]), VERTICES)
    np.testing.assert_allclose(found, [[9.0, *expected]], atol=1e-9)


def test_no_other_point_of_the_simplex_is_nearer():
    code = RNG.normal(size=(30, 4)) * 2
    found = onto_simplex(code, VERTICES)
    others = RNG.dirichlet(np.ones(3), 500) @ VERTICES
    nearest = np.linalg.norm(code[:, None] - others[None], axis=-1).min(1)
    assert (np.linalg.norm(code - found, axis=-1) <= nearest + 1e-9).all()


def test_a_shift_ends_on_the_simplex():
    """However strong it is; the dimensions beside the simplex go by the means alone."""
    means = np.concatenate([np.zeros((3, 2)), VERTICES], 1)
    code = means[:1] + np.array([0.5, -0.5, 0, 0, 0, 0])
    for amount, expected in ((0.5, [1, 0, 1, 0]), (1, [0, 0, 2, 0]), (2, [0, 0, 2, 0])):
        np.testing.assert_allclose(shift(code, means, amount, 2, VERTICES), [[0.5, -0.5, *expected]], atol=1e-9)


def test_the_regularised_dimensions_are_the_models():
    assert [(row.code, row.dimension) for row in CODED.values()] == [("rhythm", 0), ("note", 0)]
    assert pytest.approx(math.exp(-2)) == code_arithmetic.PRIOR_VARIANCE
