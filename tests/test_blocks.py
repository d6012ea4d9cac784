"""Rows of unequal length: as each row by itself, cut to its length, values and gradients."""

import pytest
import torch
from torch import nn

from fadernets.blocks import PIECES, RaggedEncoder, ragged, reverse_gradient

LENGTHS = {
    "one row": [7],
    "all equal": [9, 9, 9, 9, 9],
    "all of length 1": [1, 1, 1],
    "down to 1": [12, 7, 4, 2, 1, 1],
    "one long row": [12, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    "one short row": [12, 12, 12, 12, 12, 12, 1],
    "each its own": list(range(23, 0, -1)),
    "fewer rows than pieces": [8, 3],
    "many rows": [12] * 5 + [11] * 7 + [6] * 9 + [5] * 4 + [2] * 6,
}


@pytest.fixture(params=LENGTHS.values(), ids=LENGTHS)
def lengths(request):
    """Longest first."""
    return torch.tensor(request.param)


def gradients_of(module, output, x):
    """What a scalar of the output says of the weights and of x."""
    return torch.autograd.grad(output, [x, *module.parameters()])


# A GRU over ragged rows


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("given", [False, True], ids=["zeros first", "a state first"])
def test_ragged_is_a_gru_over_each_row_cut_to_its_length(lengths, layers, given, padding):
    torch.manual_seed(0)
    n, total = len(lengths), int(lengths.max()) + padding
    gru = nn.GRU(3, 5, num_layers=layers, batch_first=True).double()
    x = torch.randn(n, total, 3, dtype=torch.double, requires_grad=True)
    state = torch.randn(layers, n, 5, dtype=torch.double) if given else None
    weight = torch.randn(n, total, 5, dtype=torch.double)  # every output counts, each otherwise
    found = ragged(gru, x, lengths, state)
    assert found.shape == (n, total, 5)
    at_hand, by_row = 0.0, 0.0
    for i, length in enumerate(lengths.tolist()):
        own, _ = gru(x[i : i + 1, :length], None if state is None else state[:, i : i + 1].contiguous())
        torch.testing.assert_close(found[i, :length], own[0])
        at_hand = at_hand + (found[i, :length] * weight[i, :length]).sum()
        by_row = by_row + (own[0] * weight[i, :length]).sum()
    for a, b in zip(gradients_of(gru, at_hand, x), gradients_of(gru, by_row, x), strict=True):
        torch.testing.assert_close(a, b)


def test_what_stands_behind_a_row_s_end_means_nothing(lengths):
    torch.manual_seed(0)
    gru = nn.GRU(3, 5, batch_first=True)
    x = torch.randn(len(lengths), int(lengths.max()) + 2, 3)
    real = torch.arange(x.shape[1]) < lengths[:, None]
    a, b = (ragged(gru, torch.where(real[..., None], x, other), lengths) for other in (0.0, 1e4))
    torch.testing.assert_close(a[real], b[real])


def test_short_rows_are_left_behind():
    """Of 40 rows, thirty of one step, the longer stretches see the ten alone."""
    seen = []
    gru = nn.GRU(3, 5, batch_first=True)
    gru.register_forward_pre_hook(lambda module, inputs: seen.append(tuple(inputs[0].shape)))
    ragged(gru, torch.randn(40, 20, 3), torch.tensor([20] * 10 + [1] * 30))
    assert seen == [(40, 1, 3), (10, 19, 3)]
    seen.clear()
    ragged(gru, torch.randn(64, 64, 3), torch.arange(64, 0, -1))
    assert len(seen) == PIECES
    assert sum(rows * steps for rows, steps, _ in seen) < 0.7 * 64 * 64
    assert [rows for rows, *_ in seen] == sorted((rows for rows, *_ in seen), reverse=True)


# The encoder


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return RaggedEncoder(3, 6, 4).eval()


def rows_of(lengths, padding=0):
    torch.manual_seed(1)
    return torch.randn(len(lengths), int(lengths.max()) + padding, 3)


def test_the_encoder_is_a_bidirectional_gru_over_each_row(encoder, lengths):
    """PyTorch's own, with the two directions' weights, fed one row at a time; mixed order."""
    lengths = lengths[torch.randperm(len(lengths), generator=torch.Generator().manual_seed(2))]
    encoder = encoder.double()
    both = nn.GRU(3, 6, batch_first=True, bidirectional=True).double()
    names = [name for name, _ in encoder.ahead.named_parameters()]
    weights = {name: getattr(encoder.ahead, name) for name in names}
    weights |= {f"{name}_reverse": getattr(encoder.back, name) for name in names}
    both.load_state_dict(weights)
    x = rows_of(lengths, padding=3).double().requires_grad_()
    q = encoder(x, lengths)
    last = torch.cat([both(x[i : i + 1, :n])[1].transpose(0, 1).flatten(1) for i, n in enumerate(lengths.tolist())])
    mean, log_variance = encoder.head(last).float().chunk(2, -1)
    torch.testing.assert_close(q.mean, mean)
    torch.testing.assert_close(q.log_variance, log_variance)
    assert torch.equal(q.z, q.mean)
    weight = torch.randn(mean.shape)
    a, b = (torch.autograd.grad((out * weight).sum(), x)[0] for out in (q.mean, mean))
    torch.testing.assert_close(a, b)
    real = torch.arange(x.shape[1]) < lengths[:, None]
    assert (a.abs().sum(-1) > 0).equal(real)  # every step is read, no padding is


def test_a_code_does_not_depend_on_padding(encoder, lengths):
    x = rows_of(lengths)
    plain = encoder(x, lengths).mean
    padded = torch.cat([x, torch.full((len(x), 9, 3), 1e4)], 1)
    real = torch.arange(padded.shape[1]) < lengths[:, None]
    padded[~real] = 1e4
    torch.testing.assert_close(encoder(padded, lengths).mean, plain)


def test_a_code_does_not_depend_on_the_rows_beside_it(encoder, lengths):
    x = rows_of(lengths)
    plain = encoder(x, lengths).mean
    for seed in range(3):
        order = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(seed))
        torch.testing.assert_close(encoder(x[order], lengths[order]).mean, plain[order])
    for i, length in enumerate(lengths.tolist()):
        alone = encoder(x[i : i + 1, :length], lengths[i : i + 1]).mean
        torch.testing.assert_close(alone[0], plain[i])


def test_the_sample_follows_the_posterior():
    torch.manual_seed(0)
    encoder = RaggedEncoder(3, 6, 4)
    q = encoder(torch.rand(1, 5, 3).expand(20_000, -1, -1), torch.full((20_000,), 4))
    noise = (q.z - q.mean) / (0.5 * q.log_variance).exp()
    torch.testing.assert_close(noise.mean(0), torch.zeros(4), atol=0.03, rtol=0)
    torch.testing.assert_close(noise.var(0), torch.ones(4), atol=0.05, rtol=0)
    assert q.log_variance.mean().item() == pytest.approx(-2, abs=0.5)  # it starts near the prior


# The reversal


def test_a_reversed_gradient_teaches_what_follows_and_unteaches_what_made_it():
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    scale = torch.tensor([3.0, 5.0], requires_grad=True)
    y = reverse_gradient(x, 0.5)
    assert torch.equal(y, x)
    (y * scale).sum().backward()
    assert x.grad.tolist() == [-1.5, -2.5]
    assert scale.grad.tolist() == [1.0, -2.0]
