"""Blocks that the models share. B batch, T steps, Z latent size, H hidden size, L layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PIECES = 4  # stretches of time that rows of unequal length are run in


@dataclass
class Posterior:
    """q(z|X) and one sample of it; each [B, Z]."""

    mean: Tensor
    log_variance: Tensor
    z: Tensor


class PosteriorHead(nn.Linear):
    """What an encoder found [B, inputs] -> q(z|X); the sample is the mean in evaluation mode."""

    def __init__(self, inputs: int, z: int) -> None:
        super().__init__(inputs, 2 * z)
        nn.init.constant_(self.bias[z:], -2.0)  # start at the prior's log variance

    def posterior(self, last: Tensor) -> Posterior:
        """The posterior of the encoder's last states [B, inputs]."""
        mean, log_variance = self(last).float().chunk(2, -1)
        log_variance = log_variance.clamp(-12, 6)
        z = mean
        if self.training:
            z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
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
    """The same for rows of unequal length: no row's code depends on the padding behind it."""

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
        turned = (lengths[:, None] - 1 - place).clamp(min=0)[..., None].expand_as(x)  # each row back to front
        end = (lengths - 1)[:, None, None]
        last = []
        for gru, rows in ((self.ahead, x), (self.back, x.gather(1, turned))):
            y = ragged(gru, rows, lengths)
            last.append(y.gather(1, end.expand(-1, 1, y.shape[-1]))[:, 0])
        return self.head.posterior(torch.cat(last, -1)[order.argsort()])


def ragged(gru: nn.GRU, x: Tensor, lengths: Tensor, state: Tensor | None = None) -> Tensor:
    """A GRU over rows of unequal length, longest first: x [B, T, inputs], lengths [B] -> [B, T, H].

    Time is run in PIECES stretches, each with the rows that reach into it alone: less than packing saves, at
    the speed of whole products. What stands behind a row's end means nothing. state [L, B, H].
    """
    n, total = x.shape[:2]
    many = lengths.tolist()
    ends = sorted({many[i * (n - 1) // PIECES] for i in range(PIECES)} - {0})
    pieces: list[Tensor] = []
    start = 0
    for end in [*ends[:-1], total]:
        rows = sum(length > start for length in many)
        if not rows or end <= start:
            continue
        y, state = gru(x[:rows, start:end], None if state is None else state[:, :rows].contiguous())
        pieces.append(F.pad(y, (0, 0, 0, 0, 0, n - rows)))
        start = end
    return torch.cat(pieces, 1)


class SequenceDecoder(nn.Module):
    """d(z): predicts a sequence of symbols from its code (Figure 1, discriminator).

    The input at step t is the symbol before it and z, never the step's own target, and the softmax
    runs over classes: what the symbols hold must come through z.
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
        before, found = z.new_zeros(len(z), self.classes), []
        for _ in range(steps):
            output, state = self.gru(torch.cat([before, z], -1)[:, None], state)
            before = self.head(output[:, 0]).float().softmax(-1)
            found.append(before)
        return torch.stack(found, 1)


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return -ctx.weight * gradient, None


def reverse_gradient(x: Tensor, weight: float) -> Tensor:
    """x itself, whose gradient comes back times -weight: what follows learns, what made x unlearns it."""
    return _Reversal.apply(x, weight)
