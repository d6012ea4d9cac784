"""Many draws of random dimensions beside a knob's own, on a model whose dimensions are known."""

import json

import numpy as np
import pytest
from conftest import random_clips
from toy_melody_engine import ToyMelodyEngine

from fadernets.codecs import melody_states
from fadernets.evaluation import melody_dimension_draws, melody_knobs
from fadernets.evaluation.clip_estimates import Estimate, Spread
from fadernets.melodies import directions


class SixthDimension(ToyMelodyEngine):
    """Of the dimensions that belong to no knob the sixth lowers the pitch, by a semitone for each deviation."""

    def logits(self, z):
        moved = np.array(z, np.float64)
        moved[:, 0] -= z[:, 6] / (6 * self.info["spread"][6])
        return super().logits(moved)


@pytest.fixture
def clips():
    return random_clips(12, seed=8)


def test_each_draw_is_a_mean_over_the_clips(clips):
    engine = SixthDimension()
    found = melody_dimension_draws.compare(engine, clips, draws=6)
    codes = engine.encode(clips)
    unmoved = melody_states.tidy(engine.decode(codes).states, held=True)
    means = []
    for seed in range(6):
        step = (6 * directions.random_dimensions(engine, "pitch", seed).astype(np.float64)).astype(np.float32)
        moved = melody_states.tidy(engine.decode(codes + step).states, held=True)
        means.append((melody_states.mean_pitch(moved) - melody_states.mean_pitch(unmoved)).mean())
    signed = found["pitch"]["random"]["pitch_signed"]
    assert (signed.mean, signed.low, signed.high) == pytest.approx((np.mean(means), min(means), max(means)))
    assert signed.deviation == pytest.approx(np.std(means))
    assert signed.low < -0.5 < signed.high == pytest.approx(0, abs=1e-6)  # some draws hold the sixth, and go down
    assert found["pitch"]["random"]["pitch"].high == pytest.approx(-signed.low, abs=0.1)  # their size has no sign


def test_a_knob_s_own_dimensions_rise_and_no_draw_follows(clips):
    found = melody_dimension_draws.compare(SixthDimension(), clips, draws=6)
    assert found["pitch"]["own"]["pitch_signed"].mean == pytest.approx(6, abs=0.5)
    assert found["pitch"]["random_as_far"] == found["pitch"]["in_use_as_far"] == [0, 0]
    assert found["rhythm"]["own"]["doublings_signed"].mean > 0.5
    engine = SixthDimension()
    engine.info["knobs"]["pitch"] |= {"dimensions": [7], "change": [0.25]}  # whose knob does nothing
    found = melody_dimension_draws.compare(engine, clips, draws=6)
    assert found["pitch"]["own"]["pitch"].mean == 0
    size, up = found["pitch"]["random_as_far"]
    assert size == 6  # all change pitch by nothing or more
    drawn = [np.flatnonzero(directions.random_dimensions(engine, "pitch", seed)).tolist() for seed in range(6)]
    assert up == sum(not set(one) & {0, 6} for one in drawn) + drawn.count([0])  # the sixth lowers it


def test_random_dimensions_in_use_are_those_that_the_codes_spread_in(clips):
    engine = ToyMelodyEngine(spread=[1.0, 1.0, 0.1, 0.5, 1.0, 0.49, 0.6, 0.1])
    assert directions.free_dimensions(engine, "pitch").tolist() == [2, 3, 5, 6, 7]
    assert directions.free_dimensions(engine, "pitch", in_use=True).tolist() == [3, 6]
    drawn = np.stack([directions.random_dimensions(engine, "pitch", seed, in_use=True) for seed in range(8)])
    assert np.flatnonzero((drawn != 0).any(0)).tolist() == [3, 6]
    found = melody_dimension_draws.compare(engine, clips, draws=2)
    assert set(found["pitch"]) == {"own", "random", "random_as_far", "in_use", "in_use_as_far"}
    engine.info["spread"][3] = 0.1
    found = melody_dimension_draws.compare(engine, clips, draws=2)
    assert set(found["pitch"]) == {"own", "random", "random_as_far"}
    with pytest.raises(Exception, match="1 dimensions in use belong to no knob, pitch has 2"):
        directions.random_dimensions(engine, "pitch", 0, in_use=True)


def test_the_table_of_draws(clips):
    found = melody_dimension_draws.compare(SixthDimension(), clips, draws=3)
    table = melody_dimension_draws.table(found, 3)
    own, drawn = found["pitch"]["own"], found["pitch"]["random"]
    assert f"| pitch: its own dimensions | {own['pitch']} | {own['pitch_signed']} | {own['doublings']} | " in table
    assert f"| {drawn['steps']} | 0, 0 of 3 |" in table
    assert f"| rest: random directions, 1 sd | {found['rest']['random']['pitch']} | " in table
    assert len(table.splitlines()) == 2 + 3 + 3 + 2
    plain = json.loads(json.dumps(melody_knobs.as_dict({"random": found})))
    assert plain["random"]["pitch"]["random"]["steps"].keys() == {"mean", "deviation", "low", "high"}


def test_an_interval_draws_whole_pieces():
    """Clips of a piece that are all alike count as one: the interval is wider by the root of how many there are."""
    rng = np.random.default_rng(0)
    each = rng.normal(size=60)
    values, pieces = np.repeat(each, 9), np.repeat(np.arange(60), 9)
    clips, whole = Estimate.of(values), Estimate.of(values, pieces)
    assert whole.mean == clips.mean == pytest.approx(each.mean())
    assert (whole.high - whole.low) / (clips.high - clips.low) == pytest.approx(3, rel=0.15)
    assert Estimate.of(np.append(values, np.nan), np.append(pieces, 99)) == whole
    assert Estimate.of(values, np.zeros(540, np.int64)) == clips  # of one piece
    assert str(Spread.of(np.array([1.0, 2, 6]))) == "3.000 (1.000..6.000)"
