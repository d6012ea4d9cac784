"""The Frechet distance by its closed form and by SciPy's matrix root."""

from __future__ import annotations

import numpy as np
import pytest
from made_cells import random_cells
from scipy.linalg import sqrtm

from fadernets.metrics import frechet, note_features


def by_scipy(a: np.ndarray, b: np.ndarray) -> float:
    """The textbook formula with SciPy's matrix root, standardised by b."""
    mean, deviation = b.mean(0), b.std(0, ddof=1)
    a, b = (a - mean) / deviation, (b - mean) / deviation
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(first + second - 2 * sqrtm(first @ second).real))


def normal(n: int, f: int, seed: int) -> np.ndarray:
    """[n, f] correlated, of different scales and places."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, f)) @ rng.normal(size=(f, f)) * 10.0 ** rng.integers(-2, 3, f) + rng.normal(size=f)


def test_frechet_is_what_scipy_finds():
    a, b = normal(80, 7, 0), normal(90, 7, 0) + 0.1 * normal(90, 7, 1)
    assert frechet.distance(a, b) == pytest.approx(by_scipy(a, b), rel=1e-7)


def test_frechet_of_uncorrelated_features_is_the_closed_form():
    corners = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], np.float64) * np.sqrt(3 / 4)  # covariance 1
    a, b = corners * [2.0, 0.5] + [3.0, -1.0], corners * [1.0, 4.0] + [1.0, 1.0]
    # in units of b: means 2 / 1 and -2 / 4 apart, deviations 2 and 0.125 beside 1
    assert frechet.distance(a, b) == pytest.approx(2**2 + 0.5**2 + (2 - 1) ** 2 + (1 - 0.125) ** 2)
    given = (np.array([7.0, 7.0]), np.array([1.0, 2.0]))  # where the mean is does not matter
    assert frechet.distance(a, b, given) == pytest.approx(2**2 + 1**2 + (2 - 1) ** 2 + (0.25 - 2) ** 2)
    assert frechet.distance(a[:, :1], b[:, :1]) == pytest.approx(2**2 + (2 - 1) ** 2)


def test_a_set_is_nowhere_from_itself_and_one_deviation_off_is_one():
    rows = note_features.features(random_cells(200))[0]  # shares that add up: a singular covariance
    assert frechet.distance(rows, rows) == pytest.approx(0, abs=1e-9)
    moved = rows.copy()
    moved[:, 5] += rows[:, 5].std(ddof=1)
    assert frechet.distance(moved, rows) == pytest.approx(1, abs=1e-9)


def test_frechet_is_real_and_never_below_zero_with_fewer_rows_than_features():
    rows = note_features.features(random_cells(30))[0]
    distance = frechet.distance(rows[::2], rows[1::2])
    assert isinstance(distance, float)
    assert 0 < distance < np.inf
    assert frechet.distance(rows[:2], rows[:2]) == pytest.approx(0, abs=1e-9)


def test_a_feature_that_is_constant_in_the_reference_keeps_its_unit():
    b = np.column_stack([np.arange(4.0), np.full(4, 0.3)])
    a = b + np.array([0.0, 0.5])
    assert frechet.distance(a, b) == pytest.approx(0.25)
    assert frechet.distance(a, b, (b.mean(0), b.std(0))) == pytest.approx(0.25)
    assert frechet.scale_of(b)[1].tolist() == [np.std(b[:, 0], ddof=1), 1.0]


def test_frechet_says_what_does_not_fit():
    rows = np.zeros((3, 2))
    with pytest.raises(ValueError, match=r"a has shape \(1, 2\); expected \[2 or more"):
        frechet.distance(rows[:1], rows)
    with pytest.raises(ValueError, match=r"b has shape \(3,\); expected \[2 or more"):
        frechet.distance(rows, rows[:, 0])
    with pytest.raises(ValueError, match="a has 1 features, b has 2"):
        frechet.distance(rows[:, :1], rows)
    with pytest.raises(ValueError, match="scale has shapes"):
        frechet.distance(rows, rows, (np.zeros(2), np.ones(3)))


def test_the_floor_is_the_distance_of_two_parts_without_a_row_in_common():
    rows = np.array([[0.0], [1.0], [3.0], [7.0]])
    scale = frechet.scale_of(rows)
    splits = [([0, 1], [2, 3]), ([0, 2], [1, 3]), ([0, 3], [1, 2])]
    allowed = [frechet.distance(rows[i], rows[j], scale) for i, j in splits]
    found = {frechet.split_floor(rows, 2, seed) for seed in range(20)}
    assert all(min(abs(f - a) for a in allowed) < 1e-9 for f in found)
    assert max(found) - min(found) > 0.1  # the seed chooses
    assert frechet.split_floor(rows, 2, 3) == frechet.split_floor(rows, 2, 3)
    doubled = (scale[0], 2 * scale[1])
    assert frechet.split_floor(rows, 2, 3, doubled) == pytest.approx(frechet.split_floor(rows, 2, 3) / 4)


def test_the_floor_falls_with_the_number_of_rows():
    rows = np.random.default_rng(0).normal(size=(2000, 5))
    assert frechet.split_floor(rows, 20, 0) > 5 * frechet.split_floor(rows, 1000, 0) > 0


@pytest.mark.parametrize("size", [0, 1, 4])
def test_a_floor_of_a_size_that_is_not_there_is_refused(size):
    with pytest.raises(ValueError, match=f"size is {size}; with 7 rows, allowed is 2..3"):
        frechet.split_floor(np.zeros((7, 2)), size, 0)
