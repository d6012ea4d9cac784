"""Training of `engines.onset_patterns`: the onset pattern of a bar given a like bar of the same piece.

S segments, N pairs, D conditions, H hidden units.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fadernets.arrays import Floats, Indices
from fadernets.attributes import table
from fadernets.codecs import grid
from fadernets.data.dataset import Dataset
from fadernets.data.pairs import find_pairs
from fadernets.engines import onset_patterns
from fadernets.engines.onset_patterns import OnsetPatterns
from fadernets.metrics.one_thread import one_thread
from fadernets.music.segments import STEPS

HIDDEN = 64
ROWS, STEPS_OF_FIT = 512, 3000  # pairs a step, steps of the optimiser
RATE, DECAY = 4e-3, 1e-3  # largest learning rate, weight decay
BLOCK = 4096  # segments read at a time


class Net(nn.Module):
    """`OnsetPatterns` with gradients; all 16 steps at once, since here the bits are known."""

    def __init__(self, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.given = nn.Parameter(torch.randn(onset_patterns.CONDITIONS, hidden) / onset_patterns.CONDITIONS**0.5)
        self.place = nn.Parameter(0.1 * torch.randn(STEPS, hidden))
        self.left = nn.Parameter(0.1 * torch.randn(STEPS + 1, hidden))
        self.behind = nn.Parameter(0.1 * torch.randn(STEPS, hidden))
        self.outer = nn.Parameter(0.1 * torch.randn(STEPS, hidden))
        self.outer_bias = nn.Parameter(torch.zeros(STEPS))

    def loss(self, given: Tensor, bits: Tensor) -> Tensor:
        """Nats a pattern: given [B, D], bits [B, 16]. Bits that the number of onsets settles cost nothing."""
        before = bits.cumsum(1) - bits
        left = bits.sum(1, keepdim=True) - before  # [B, 16]
        behind = (bits[..., None] * self.behind).cumsum(1) - bits[..., None] * self.behind  # [B, 16, H]
        hidden = torch.relu((given @ self.given)[:, None] + behind + self.place + self.left[left.long()])
        odds = (hidden * self.outer).sum(-1) + self.outer_bias  # [B, 16]
        still = STEPS - torch.arange(STEPS)
        open_ = (left > 0) & (left < still)
        each = nn.functional.binary_cross_entropy_with_logits(odds, bits, reduction="none")
        return (each * open_).sum(1).mean()


def fit(data: Dataset, rows: Indices, *, seed: int = 0) -> OnsetPatterns | None:
    """The net learned from all pairs of like bars among the sorted `rows`; None where there are none."""
    partners, first = find_pairs(data, rows)
    if not len(partners):
        return None
    blocks = [data.cells(rows[a : a + BLOCK]) for a in range(0, len(rows), BLOCK)]
    struck = np.concatenate([(cells == grid.ONSET).sum(-1, dtype=np.uint8) for cells in blocks])
    values = np.concatenate([np.stack(list(table.measure(cells).values()), 1) for cells in blocks])
    sources = np.repeat(np.arange(len(rows)), np.diff(first))
    return learn(struck, values, sources, partners, seed)


def learn(
    struck: NDArray[np.integer],
    values: Floats,
    sources: Indices,
    targets: Indices,
    seed: int,
) -> OnsetPatterns:
    """The net learned from pairs of segments: sources [N] and targets [N] among S segments.

    struck [S, 16] counts the notes that begin in each step; values [S, A] are the attributes, rhythm and note density
    first.
    """
    known = onset_patterns.conditions(struck[sources], values[sources], values[targets])
    given = torch.from_numpy(known.astype(np.float32))
    bits = torch.from_numpy((struck > 0).astype(np.float32))
    picked = torch.from_numpy(targets)
    with one_thread(seed):
        net = Net()
        optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS_OF_FIT)
        for _ in range(STEPS_OF_FIT):
            at = torch.randint(len(picked), (ROWS,))
            loss = net.loss(given[at], bits[picked[at]])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return OnsetPatterns(**{name: p.detach().numpy().astype(np.float64) for name, p in net.named_parameters()})
