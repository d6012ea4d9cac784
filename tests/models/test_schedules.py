"""The schedules as pure functions: values worked out by hand, and what holds at every step."""

import numpy as np
import pytest

from fadernets.models.schedules import learning_rate, ramp


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 0), (99, 0), (100, 0), (150, 0.05), (200, 0.1), (300, 0.2), (301, 0.2), (1000, 0.2), (5000, 0.2)],
)
def test_a_ramp_waits_rises_and_stays(step, expected):
    assert ramp(step, 1000, value=0.2, start=0.1, ramp=0.2) == pytest.approx(expected)


@pytest.mark.parametrize("total", [100, 7_500, 15_000, 100_000])
def test_the_ramp_of_beta_in_the_paper(total):
    """Section 4.1: 0 for 1,000 steps, then up to 0.2 in 10,000 more, however long the run is."""
    paper = {"value": 0.2, "start": 1000, "ramp": 10_000}
    assert [ramp(s, total, **paper) for s in (0, 999, 1000)] == [0, 0, 0]
    assert ramp(6000, total, **paper) == pytest.approx(0.1)
    assert [ramp(s, total, **paper) for s in (11_000, 99_999)] == [0.2, 0.2]


def test_a_ramp_of_no_length_is_a_step():
    assert [ramp(s, 10, value=0.3, start=0.5, ramp=0) for s in (0, 4, 5, 9)] == [0, 0, 0.3, 0.3]


@pytest.mark.parametrize("start", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("total", [1, 7, 1000])
def test_a_ramp_is_never_negative_and_never_falls(start, share, total):
    values = [ramp(s, total, value=0.2, start=start, ramp=share) for s in range(total + 1)]
    assert min(values) >= 0
    assert max(values) <= 0.2
    assert (np.diff(values) >= 0).all()


def test_learning_rate_by_hand():
    rate = {"peak": 1.0, "warmup": 0.1, "floor": 0.2}
    assert learning_rate(0, 90, **rate) == pytest.approx(0.1)  # 1 / (9 + 1)
    assert learning_rate(4, 90, **rate) == pytest.approx(0.5)
    assert learning_rate(9, 90, **rate) == pytest.approx(1)  # the warm-up's end: the peak
    assert learning_rate(36, 90, **rate) == pytest.approx(0.2 + 0.8 * 0.75)  # a third of the half cycle: cos 60°
    assert learning_rate(90, 90, **rate) == pytest.approx(0.2)
    assert learning_rate(1000, 90, **rate) == pytest.approx(0.2)


def test_learning_rate_without_warmup_starts_at_the_peak():
    assert learning_rate(0, 10, peak=0.002, warmup=0) == pytest.approx(0.002)


@pytest.mark.parametrize("warmup", [0.0, 0.02, 0.5, 0.99])
@pytest.mark.parametrize("total", [1, 7, 1000])
def test_learning_rate_rises_then_falls_and_is_never_zero(warmup, total):
    values = np.array([learning_rate(s, total, peak=0.002, warmup=warmup) for s in range(total)])
    assert (values > 0).all()
    assert values.max() <= 0.002
    top = int(values.argmax())
    assert (np.diff(values[: top + 1]) > 0).all()
    assert (np.diff(values[top:]) < 0).all()
    assert top <= np.ceil(warmup * total)
