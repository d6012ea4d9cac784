"""Features of passages by hand-counted cases."""

from __future__ import annotations

import numpy as np
import pytest
from made_cells import random_cells
from made_passages import alike, unlike

from fadernets.codecs.grid import HOLD, ONSET
from fadernets.metrics import note_features, passage_features
from fadernets.metrics.passage_features import Passages


def named(cells):
    table, names = passage_features.features(cells)
    assert table.shape == (len(cells), len(names)) == (len(cells), len(set(names)))
    return dict(zip(names, table.T, strict=True))


def test_means_and_deviations_are_those_of_the_segments():
    cells = random_cells(24)
    values = named(cells.reshape(6, 4, 16, 88))
    each, names = note_features.features(cells)
    for i, name in enumerate(names):
        np.testing.assert_allclose(values[f"{name}_mean"], each[:, i].reshape(6, 4).mean(1))
        np.testing.assert_allclose(values[f"{name}_deviation"], each[:, i].reshape(6, 4).std(1))


def test_unlikeness_is_one_less_the_shared_part():
    cells = np.zeros((1, 4, 16, 88), np.uint8)
    cells[0, 0, [0, 4, 8], 40] = ONSET
    cells[0, 1, [0, 4], 52] = ONSET  # two of three steps, the same class, other pitches
    cells[0, 2, [0, 4], [52, 53]] = ONSET  # one onset of three is shared
    values = {name: value[0] for name, value in named(cells).items()}
    assert values["onset_pattern_unlike_01"] == pytest.approx(1 / 3)
    assert values["pitch_classes_unlike_01"] == 0
    assert values["onsets_unlike_01"] == 1
    assert values["onset_pattern_unlike_12"] == 0
    assert values["pitch_classes_unlike_12"] == 1 / 2
    assert values["onsets_unlike_12"] == pytest.approx(2 / 3)
    assert values["onset_pattern_unlike_23"] == 1  # one of them is empty
    assert values["onset_pattern_unlike_13"] == 1
    assert values["onset_pattern_unlike_02"] == pytest.approx(1 / 3)
    assert values["onset_pattern_unlike_mean"] == pytest.approx((1 / 3 + 0 + 1) / 3)
    np.testing.assert_allclose(passage_features.pattern_difference(cells), [[1 / 3, 0, 1]])


def test_empty_segments_are_alike():
    assert not passage_features.pattern_difference(np.zeros((2, 4, 12, 88), np.uint8)).any()


def test_holds_over_borders_and_positions():
    cells = np.zeros((1, 4, 12, 88), np.uint8)
    cells[0, 1, 0, 40] = HOLD
    cells[0, 1, 0, 50] = ONSET
    cells[0, 3, 0, [40, 41]] = ONSET
    cells[0, 0, [0, 11], 30] = ONSET
    values = {name: value[0] for name, value in named(cells).items()}
    assert values["held_over"] == 1 / 4
    assert values["onset_share_at_0"] == 3 / 4
    assert values["onset_share_at_11"] == 1 / 4
    assert values["onset_share_at_12"] == 0


def test_every_length_of_segment_has_the_same_features():
    assert list(named(alike(2, 16))) == list(named(unlike(3, 12))) == list(named(alike(0, 8)))


@pytest.mark.parametrize("shape", [(2, 3, 16, 88), (2, 4, 17, 88), (4, 16, 88), (2, 4, 16, 87)])
def test_cells_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"expected \[passages, 4, 1 to 16 steps, 88\]"):
        passage_features.features(np.zeros(shape, np.uint8))


def test_passages_of_several_lengths_stand_together():
    long, short = Passages.of(alike(3), np.arange(3)), Passages.of(unlike(2, steps=12), np.arange(2), np.ones(2))
    both = long.and_(short)
    np.testing.assert_allclose(both.features()[:3], passage_features.features(alike(3))[0])
    np.testing.assert_allclose(both.features()[3:], passage_features.features(unlike(2, steps=12))[0])
    assert not both.cells[3:, :, 12:].any()
    assert both.take(np.array([4, 0])).steps.tolist() == [12, 16]
    assert both.kind.tolist() == [0, 0, 0, 1, 1]
    assert both.take(np.zeros(0, np.int64)).features().shape == (0, both.features().shape[1])


def test_densities_are_the_passages_means():
    cells = unlike(3, steps=12)
    expected = [[(c == ONSET).any(-1).mean(), (c > 0).sum(-1).mean()] for c in cells]
    np.testing.assert_allclose(Passages.of(cells, np.arange(3)).densities(), expected)
