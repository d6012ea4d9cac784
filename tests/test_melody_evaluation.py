"""Held-out figures of a melody model, on one written by hand whose knobs are known."""

import json

import numpy as np
import pytest
from conftest import make_clip, write_melodies
from scipy.stats import spearmanr
from singers import Singer, clip

from fadernets import knobs, melody, melody_evaluation
from fadernets.errors import FadernetsError
from fadernets.melody import ONSETS, REST
from fadernets.melody_evaluation import Figure, contour, onset_f1, spearman, step_accuracy


@pytest.fixture
def singer():
    return Singer()


@pytest.fixture
def clips():
    rng = np.random.default_rng(8)
    return np.stack([make_clip(rng) for _ in range(12)])


# What counts against a knob


def test_a_knob_that_moves_nothing_scores_nothing(clips, monkeypatch):
    """A clip of which nothing changes has no rank correlation, and is not left out for that."""
    half = len(clips) // 2

    def turn(engine, given, asked, classes):
        moved = (
            melody.transpose(given, int(asked.pitch)) if asked.pitch else melody.split(given, round(2**asked.rhythm))
        )
        return np.concatenate([given[:half], moved[half:]])

    monkeypatch.setattr(knobs, "turn", turn)
    found = melody_evaluation.pitch_knob(None, clips, "knob")
    assert found["spearman"].mean == 0.5
    assert melody_evaluation.rhythm_knob(None, clips, "knob")["spearman"].mean < 0.5


def test_too_few_clips_are_refused(tmp_path):
    data = write_melodies(tmp_path / "melodies", clips=1)
    with pytest.raises(FadernetsError, match=r"melodies: 1 clips of two notes or more in its test split; at least 2"):
        melody_evaluation.clips_of(data, 10, 0)
