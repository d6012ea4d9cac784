"""What the search of a knob (`knob`) reaches by itself: a model of random weights, which knows no music."""

import numpy as np
import pytest
from conftest import random_clips
from toy_melody_engine import ToyMelodyEngine, Z

from fadernets.codecs.melody_states import STATES, STEPS
from fadernets.evaluation import melody_knobs


class Untrained(ToyMelodyEngine):
    """Its codes and the log-probabilities of its steps are random projections."""

    def __init__(self):
        super().__init__()
        rng = np.random.default_rng(0)
        self.reads = rng.normal(0, 0.1, (STEPS * STATES, Z))
        self.writes = rng.normal(0, 0.1, (Z, STEPS * STATES))

    def encode(self, clips):
        return (np.eye(STATES)[clips].reshape(len(clips), -1) @ self.reads).astype(np.float32)

    def logits(self, z):
        return (np.asarray(z, np.float64) @ self.writes).reshape(len(z), STEPS, STATES)


def test_the_search_lands_with_a_model_that_learned_nothing():
    """So that a knob's Spearman, its error and the onsets that it keeps say nothing of a model."""
    clips = random_clips(12, seed=8)
    rhythm, pitch = (
        measure(Untrained(), clips, "knob") for measure in (melody_knobs.rhythm_knob, melody_knobs.pitch_knob)
    )
    assert rhythm["spearman"].mean == pytest.approx(1)
    assert rhythm["error"].mean == 0
    assert pitch["spearman"].mean > 0.99
    assert pitch["error"].mean < 0.1
    assert pitch["onset_f1"].mean == 1
    plain = melody_knobs.rhythm_knob(Untrained(), clips, "paper")
    assert plain["spearman"].mean < 0.5
    assert plain["error"].mean > 0.5
