"""Blocks that the models share. B batch, T steps, Z latent size, H hidden size, L layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fadernets.models import shares

STRETCHES = 4  # of time, in which a GRU runs over rows of unequal length
FIRST_LOG_VARIANCE = -2.0  # of a posterior before training: that of a mixture's components, below that of N(0, I)
LOG_VARIANCES = (-12.0, 6.0)  # a posterior's are held between these


@dataclass
class Posterior:
    """q(z|X) and one sample of it; each [B, Z]."""

    mean: Tensor
    log_variance: Tensor
    z: Tensor


class PosteriorHead(nn.Linear):
    """The last layer of an encoder: [B, inputs] -> q(z|X). In evaluation mode the sample is the mean."""

    def __init__(self, inputs: int, z: int) -> None:
        super().__init__(inputs, 2 * z)
        nn.init.constant_(self.bias[z:], FIRST_LOG_VARIANCE)

    def posterior(self, last: Tensor) -> Posterior:
        """The posterior of the encoder's last states [B, inputs]."""
        mean, log_variance = self(last).float().chunk(2, -1)
        log_variance = log_variance.clamp(*LOG_VARIANCES)
        z = mean
        if self.training:
            z = mean + (0.5 * log_variance).exp() * shares.normal(mean)
        return Posterior(mean, log_variance, z)


class GRUEncoder(nn.Module):
    """A bidirectional GRU whose last states give the mean and log variance of q(z|X)."""

    def __init__(self, inputs: int, hidden: int, z: int) -> None:
        super().__init__()
        self.gru = nn.GRU(inputs, hidden, batch_first=True, bidirectional=True)
        self.head = PosteriorHead(2 * hidden, z)

    def forward(self, x: Tensor) -> Posterior:
        """x [B, T, inputs], all rows of one length."""
        _, last = self.gru(x)  # [2, B, H]
        return self.head.posterior(torch.cat([last[0], last[1]], -1))


class RaggedEncoder(nn.Module):
    """A bidirectional GRU over rows of unequal length: no row's code depends on its padding."""

    def __init__(self, inputs: int, hidden: int, z: int) -> None:
        super().__init__()
        self.ahead = nn.GRU(inputs, hidden, batch_first=True)
        self.back = nn.GRU(inputs, hidden, batch_first=True)
        self.head = PosteriorHead(2 * hidden, z)

    def forward(self, x: Tensor, lengths: Tensor) -> Posterior:
        """x [B, T, inputs], lengths [B] of 1..T."""
        order = lengths.argsort(descending=True, stable=True)
        x, lengths = x[order], lengths[order]
        place = torch.arange(x.shape[1], device=x.device)
        reversed_rows = (lengths[:, None] - 1 - place).clamp(min=0)[..., None].expand_as(x)
        end = (lengths - 1)[:, None, None]
        last = []
        for gru, rows in ((self.ahead, x), (self.back, x.gather(1, reversed_rows))):
            y = ragged(gru, rows, lengths)
            last.append(y.gather(1, end.expand(-1, 1, y.shape[-1]))[:, 0])
        return self.head.posterior(torch.cat(last, -1)[order.argsort()])


def ragged(gru: nn.GRU, x: Tensor, lengths: Tensor, state: Tensor | None = None) -> Tensor:
    """A GRU over rows of unequal length, longest first: x [B, T, inputs], lengths [B] -> [B, T, H].

    The GRU runs over STRETCHES of time, each with only the rows that reach into it: that saves less work than packing,
    but keeps the speed of large products. Outputs beyond a row's end have no meaning. state [L, B, H].
    """
    n, total = x.shape[:2]
    row_lengths = lengths.tolist()
    ends = sorted({row_lengths[i * (n - 1) // STRETCHES] for i in range(STRETCHES)} - {0})
    outputs: list[Tensor] = []
    start = 0
    for end in [*ends[:-1], total]:
        rows = sum(length > start for length in row_lengths)
        if not rows or end <= start:
            continue
        y, state = gru(x[:rows, start:end], None if state is None else state[:, :rows].contiguous())
        outputs.append(F.pad(y, (0, 0, 0, 0, 0, n - rows)))
        start = end
    return torch.cat(outputs, 1)


class SequenceDecoder(nn.Module):
    """d(z): predicts a sequence of symbols from its code (Figure 1, discriminator).

    The input at step t is the symbol before it and z, never the step's own target, and the softmax
    runs over classes, so that information on the symbols has to come through z.
    """

    def __init__(self, classes: int, hidden: int, z: int) -> None:
        super().__init__()
        self.classes = classes
        self.start = nn.Linear(z, hidden)
        self.gru = nn.GRU(classes + z, hidden, batch_first=True)
        self.head = nn.Linear(hidden, classes)

    def forward(self, z: Tensor, symbols: Tensor) -> Tensor:
        """z [B, Z], symbols [B, T] -> logits [B, T, classes] under teacher forcing."""
        before = F.one_hot(symbols[:, :-1].long(), self.classes).to(z.dtype)
        before = F.pad(before, (0, 0, 1, 0))  # [B, T, classes], zeros at the first step
        steps = z[:, None].expand(-1, symbols.shape[1], -1)
        output, _ = self.gru(torch.cat([before, steps], -1), torch.tanh(self.start(z))[None])
        return self.head(output)

    def loss(self, z: Tensor, symbols: Tensor) -> Tensor:
        """Cross entropy in nats, summed over the steps, mean over the batch."""
        logits = self(z, symbols).float()
        return F.cross_entropy(logits.flatten(0, 1), symbols.long().flatten(), reduction="sum") / len(symbols)

    def expect(self, z: Tensor, steps: int) -> Tensor:
        """[B, steps, classes] probabilities with each step fed the ones before: differentiable in z."""
        state = torch.tanh(self.start(z))[None]
        before, distributions = z.new_zeros(len(z), self.classes), []
        for _ in range(steps):
            output, state = self.gru(torch.cat([before, z], -1)[:, None], state)
            before = self.head(output[:, 0]).float().softmax(-1)
            distributions.append(before)
        return torch.stack(distributions, 1)


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return -ctx.weight * gradient, None


def reverse_gradient(x: Tensor, weight: float) -> Tensor:
    """x unchanged, its gradient times -weight: the layers before x unlearn what those after it learn."""
    return _Reversal.apply(x, weight)
