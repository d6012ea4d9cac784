"""Blocks that the models share. B batch, T = 16 steps, P = 88 pitches, Z latent size, H hidden size."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass
class Posterior:
    """q(z|X) and one sample of it; each [B, Z]."""

    mean: Tensor
    log_variance: Tensor
    z: Tensor


class GRUEncoder(nn.Module):
    """A bidirectional GRU whose last states give the mean and log variance of q(z|X)."""

    def __init__(self, inputs: int, hidden: int, z: int) -> None:
        super().__init__()
        self.gru = nn.GRU(inputs, hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * hidden, 2 * z)
        nn.init.constant_(self.head.bias[z:], -2.0)  # start at the prior's log variance

    def forward(self, x: Tensor) -> Posterior:
        """x [B, T, inputs]; the sample is the mean in evaluation mode."""
        _, last = self.gru(x)  # [2, B, H]
        mean, log_variance = self.head(torch.cat([last[0], last[1]], -1)).float().chunk(2, -1)
        log_variance = log_variance.clamp(-12, 6)
        z = mean
        if self.training:
            z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        return Posterior(mean, log_variance, z)


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
