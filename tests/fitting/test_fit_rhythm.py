"""Fitting the model of rhythm."""

import numpy as np
from learning_alone import learning_alone

from fadernets.engines.rhythm import FEATURES, MEMORY
from fadernets.fitting import fit_rhythm


def test_it_learns_what_is_struck_and_leaves_pytorch_as_it_was(monkeypatch):
    monkeypatch.setattr(fit_rhythm, "STEPS_OF_FIT", 200)
    random = np.random.default_rng(0)
    features = random.random((2000, FEATURES + MEMORY)).astype(np.float16)
    struck = features[:, 0] > 0.5
    with learning_alone():
        model, nats = fit_rhythm.fit((features, struck), (features, struck), seed=3)
    assert nats < 0.3  # of 0.69
    again, same = fit_rhythm.fit((features, struck), (features, struck), seed=3)
    np.testing.assert_array_equal(model.inner, again.inner)
    assert nats == same
