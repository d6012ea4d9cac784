"""Blocks that several models share, against the same a row or a step at a time."""

import pytest
import torch

from fadernets.models.blocks import SequenceDecoder, ragged, reverse_gradient


@pytest.mark.parametrize(
    "lengths", [[9, 9, 9, 9, 9], [9, 7, 5, 3, 1], [9, 2, 2, 2, 2, 2, 2], [6, 1], [4], [8, 8, 8, 1]]
)
@pytest.mark.parametrize("layers", [1, 2])
def test_rows_of_unequal_length_run_as_each_alone(lengths, layers):
    torch.manual_seed(0)
    gru = torch.nn.GRU(3, 5, num_layers=layers, batch_first=True)
    x, state = torch.randn(len(lengths), 10, 3), torch.randn(layers, len(lengths), 5)
    for first in (None, state):
        found = ragged(gru, x, torch.tensor(lengths), first)
        assert found.shape == (len(lengths), 10, 5)
        for i, length in enumerate(lengths):
            expected, _ = gru(x[i : i + 1, :length], None if first is None else first[:, i : i + 1].contiguous())
            torch.testing.assert_close(found[i, :length], expected[0])


def test_expectations_step_by_step():
    """Each step is fed the probabilities of the one before."""
    torch.manual_seed(0)
    sub_decoder, cell = SequenceDecoder(4, 6, 3), torch.nn.GRUCell(4 + 3, 6)
    with torch.no_grad():
        for weight in sub_decoder.parameters():
            weight.mul_(3)
        for name, weight in cell.named_parameters():
            weight.copy_(getattr(sub_decoder.gru, f"{name}_l0"))
    z = torch.randn(5, 3)
    found = sub_decoder.expect(z, 7)
    assert found.shape == (5, 7, 4)
    torch.testing.assert_close(found.sum(2), torch.ones(5, 7))
    for row, code in zip(found, z, strict=True):
        state, before = torch.tanh(sub_decoder.start(code)), torch.zeros(4)
        for probabilities in row:
            state = cell(torch.cat([before, code]), state)
            before = sub_decoder.head(state).softmax(0)
            torch.testing.assert_close(probabilities, before)
    assert found.std(1).max() > 0.05  # the steps differ


def test_reversed_gradient():
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    y = reverse_gradient(x, 0.25)
    assert torch.equal(y, x)
    (y * torch.tensor([3.0, 5.0])).sum().backward()
    assert x.grad.tolist() == [-0.75, -1.25]
