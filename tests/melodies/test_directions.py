"""Directions in the code: each knob's, and those that belong to none."""

import numpy as np
import pytest
from toy_melody_engine import ToyMelodyEngine

from fadernets.errors import FadernetsError
from fadernets.melodies import directions


@pytest.fixture
def engine():
    return ToyMelodyEngine()


def test_random_dimensions_need_as_many_that_are_free():
    taken = {"dimensions": [0, 2, 3, 4, 5], "change": [0.1] * 5, "direction": [0.0] * 8}
    engine = ToyMelodyEngine()
    engine.info["knobs"]["pitch"] = taken
    with pytest.raises(FadernetsError, match="2 dimensions belong to no knob, pitch has 5"):
        directions.random_dimensions(engine, "pitch", 0)


def test_the_rest_turns_neither_knob():
    engine = ToyMelodyEngine()
    rng = np.random.default_rng(0)
    for name in ("pitch", "rhythm"):
        engine.info["knobs"][name]["direction"] = rng.normal(size=8).tolist()
    for seed in range(5):
        way = directions.random_direction(engine, "knob", seed)
        for name in ("pitch", "rhythm"):
            assert way @ np.array(engine.info["knobs"][name]["direction"]) == pytest.approx(0, abs=1e-9)
        assert (directions.random_direction(engine, "paper", seed)[[0, 1, 4]] == 0).all()
        assert (directions.random_direction(engine, "paper", seed)[[2, 3, 5, 6, 7]] != 0).all()


def test_the_rest_is_as_wide_as_the_codes_are():
    engine = ToyMelodyEngine(spread=[1.0, 1.0, 0.1, 0.5, 1.0, 2.0, 3.0, 4.0])
    drawn = np.stack([directions.random_direction(engine, "paper", seed) for seed in range(600)])
    np.testing.assert_allclose(drawn.std(0), [0, 0, 0.1, 0.5, 0, 2, 3, 4], rtol=0.1)


def test_random_dimensions_are_as_many_and_move_as_much(engine):
    drawn = np.stack([directions.random_dimensions(engine, "pitch", seed) for seed in range(40)])
    assert (drawn[:, [0, 1, 4]] == 0).all()
    assert np.allclose(np.sort(drawn)[:, -2:], [1 / 6, 0.25])
    assert ((drawn != 0).sum(1) == 2).all()
    assert ((drawn != 0).any(0) == [False, False, True, True, False, True, True, True]).all()
    assert np.array_equal(drawn[3], directions.random_dimensions(engine, "pitch", 3))
