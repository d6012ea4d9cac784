"""Onset patterns drawn with a given number of onsets, against all patterns that there are."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from fadernets.data.passages import Steps
from fadernets.engines.rhythm import FEATURES, MEMORY, STATES, Rhythm, draw_pattern, step_features
from fadernets.errors import FadernetsError


def bar(beats: int = 4, division: int = 3) -> Steps:
    """A bar of quarter notes cut in four; `division` is an index in DIVISIONS."""
    n = 4 * beats
    beat = np.repeat(np.arange(beats), 4)
    place = np.tile(np.arange(0, 24, 6), beats)
    same = np.zeros(n, np.int64)
    return Steps(same, place, same + division, same, beat, same + beats - 1, np.ones(n, np.float32))


def likelihood(log_odds, pattern, preferred):
    state, total = 0, 0.0
    for t, bit in enumerate(pattern):
        odds = log_odds[t, state]
        total += -np.logaddexp(0, -odds) + preferred[t] if bit else -np.logaddexp(0, odds)
        state = (state << 1 | int(bit)) & (STATES - 1)
    return total


def test_patterns_are_drawn_in_proportion_to_their_likelihood():
    rng = np.random.default_rng(0)
    log_odds, preferred = rng.normal(0, 1.5, (6, STATES)), rng.normal(0, 1, 6)
    every = [np.array(p, bool) for p in itertools.product((0, 1), repeat=6) if sum(p) == 3]
    expected = np.exp([likelihood(log_odds, p, preferred) for p in every])
    expected /= expected.sum()
    found = np.zeros(len(every))
    for _ in range(6000):
        pattern = draw_pattern(log_odds, 3, preferred, rng.random(6))
        found[[(pattern == p).all() for p in every].index(True)] += 1 / 6000
    assert np.abs(found - expected).max() < 0.02


@pytest.mark.parametrize("count", range(2, 15))
def test_locked_steps_are_as_they_are_locked(count):
    rng = np.random.default_rng(count)
    preferred = np.zeros(16)
    preferred[[1, 9]], preferred[[0, 8]] = np.inf, -np.inf
    pattern = draw_pattern(rng.normal(0, 3, (16, STATES)), count, preferred, rng.random(16))
    assert pattern.sum() == count
    assert pattern[[1, 9]].all()
    assert not pattern[[0, 8]].any()


@pytest.mark.parametrize("count", [1, 15])
def test_more_or_fewer_than_locks_allow_is_refused(count):
    preferred = np.zeros(16)
    preferred[[1, 9]], preferred[[0, 8]] = np.inf, -np.inf
    with pytest.raises(ValueError, match="possible: 2"):
        draw_pattern(np.zeros((16, STATES)), count, preferred, np.full(16, 0.5))


def test_the_packages_model_knows_quarters_eighths_and_what_came_before():
    rhythm, steps, nothing = Rhythm.bundled(), bar(), np.zeros(16)

    def usual(count, before=(None, None)):
        odds = rhythm.log_odds(step_features(steps, count, before))
        drawn = [
            draw_pattern(odds, count, nothing, np.random.default_rng(seed).random(16)).tobytes() for seed in range(60)
        ]
        return np.frombuffer(max(set(drawn), key=drawn.count), bool)

    assert np.flatnonzero(usual(4)).tolist() == [0, 4, 8, 12]
    assert np.flatnonzero(usual(8)).tolist() == list(range(0, 16, 2))
    odd = np.zeros(16, bool)
    odd[[0, 3, 6, 8, 11, 14]] = True
    assert (usual(6, (odd, odd)) == odd).all()


def test_features_have_one_place_for_each_answer():
    steps, pattern = bar(3), np.arange(12) % 3 == 0
    features = step_features(steps, 4, [pattern, None])
    assert features.shape == (12, FEATURES)
    assert (features[:, :24].argmax(1) == steps.place).all()
    near = features[:, -8:-4]
    assert (near[:, 1] == pattern).all()
    assert (near[1:, 0] == pattern[:-1]).all()
    assert (near[:, 3] == 1).all()
    assert not features[:, -4:].any()


def test_other_files_are_refused_in_one_line(tmp_path: Path):
    with pytest.raises(FadernetsError, match="cannot be read"):
        Rhythm.open(tmp_path / "none.npz")
    file = tmp_path / "other.npz"
    file.write_bytes(b"no archive")
    with pytest.raises(FadernetsError, match="no model of rhythm"):
        Rhythm.open(file)
    np.savez(file, inner=np.zeros((FEATURES + MEMORY, 2)))
    with pytest.raises(FadernetsError, match="no model of rhythm"):
        Rhythm.open(file)
