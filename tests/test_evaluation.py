"""What a model folder is asked for; the figures themselves are in test_scores.py."""

from __future__ import annotations

import numpy as np
import pytest

from fadernets.evaluation import T, values_to_ask


def test_values_to_ask_lie_evenly_between_the_5th_and_the_95th_percentile():
    statistics = {"p5": 1.3, "p95": 4.1}
    assert values_to_ask("note_density", statistics) == pytest.approx(np.linspace(1.3, 4.1, T))


def test_rhythm_is_asked_for_in_sixteenths():
    values = values_to_ask("rhythm_density", {"p5": 0.1875, "p95": 0.8125})
    assert (values * 16).tolist() == [3, 4, 6, 7, 9, 10, 12, 13]
