"""A fader's count at each step: symbols and means by hand, and alike on arrays and tensors."""

import numpy as np
import pytest
import torch

from fadernets.attributes import of_cells
from fadernets.attributes.step_counts import StepCount
from fadernets.attributes.table import CODED
from fadernets.codecs import grid
from fadernets.data.batches import step_counts, symbols_of, values_of

CELLS = grid.from_notes(np.array([(0, 4, 60), (0, 2, 64), (6, 7, 40)]))


@pytest.mark.parametrize(
    ("count", "symbols"),
    [
        (StepCount(15), [2, 2, 1, 1, 0, 0, 1]),
        (StepCount(1), [1, 1, 1, 1, 0, 0, 1]),
        (StepCount(15, holds=False), [2, 0, 0, 0, 0, 0, 1]),
        (StepCount(15, low=60 - grid.LOW, high=64 - grid.LOW), [1, 1, 1, 1, 0, 0, 0]),
        (StepCount(1, holds=False, states=True), [1, 2, 2, 2, 0, 0, 1]),
    ],
)
def test_symbols_and_means_by_hand(count, symbols):
    assert count.symbols(CELLS).tolist() == symbols + [0] * 9
    counted = [symbol == 1 for symbol in symbols] if count.states else symbols
    assert count.mean(CELLS) == sum(counted) / 16
    assert max(symbols) < count.classes


def test_the_rows_count_as_their_attributes_measure(segments):
    assert (CODED["rhythm_density"].count.symbols(segments) == of_cells.rhythm_symbols(segments)).all()
    assert (CODED["note_density"].count.symbols(segments) == of_cells.note_symbols(segments)).all()
    for row in CODED.values():
        np.testing.assert_array_equal(row.count.mean(segments), row.measure(segments))


def test_tensors_count_alike(segments):
    planes = torch.from_numpy(np.stack([segments == grid.ONSET, segments == grid.HOLD], 1)).float()
    symbols = symbols_of(planes, CODED)
    for name, row in CODED.items():
        np.testing.assert_array_equal(symbols[name], row.count.symbols(segments))
    means = np.column_stack([row.measure(segments) for row in CODED.values()])
    np.testing.assert_allclose(values_of(symbols, CODED), means, atol=1e-6)
    np.testing.assert_allclose(step_counts(planes.transpose(1, 2), CODED).mean(1), means, atol=1e-6)
