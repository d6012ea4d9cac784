"""The encoder and the global decoder over the grid: one step per sixteenth, cells of off, onset or hold.

B batch, T = 16 steps, P = 88 pitches, A attributes, C condition. Planes are [B, 2, T, P] of onsets and holds, 0 or 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fadernets.arrays import Cells, Floats
from fadernets.codecs.grid import PITCHES
from fadernets.data.batches import Coded, step_counts
from fadernets.models import shares
from fadernets.models.blocks import GRUEncoder, Posterior
from fadernets.models.options import Options
from fadernets.music.segments import STEPS

CELLS = 2 * PITCHES  # onset and hold planes of a step


def scale(values: Tensor, coded: Coded) -> Tensor:
    """Attributes [..., A] as the rows scale them: numbers of order one."""
    gain, shift = ([getattr(row, name) for row in coded.values()] for name in ("gain", "shift"))
    return values * values.new_tensor(gain) - values.new_tensor(shift)


class GridEncoder(GRUEncoder):
    """q(z|X) of planes [B, 2, 16, 88]."""

    def __init__(self, options: Options, z: int, extra: int) -> None:
        super().__init__(CELLS + extra, options.encoder, z)

    def forward(self, inputs: Tensor, lengths: Tensor | None = None, extra: Tensor | None = None) -> Posterior:
        """extra [B, E] is given beside the cells of every step."""
        x = inputs.transpose(1, 2).flatten(2)  # [B, T, 2P]
        if extra is not None:
            x = torch.cat([x, extra[:, None].expand(-1, STEPS, -1)], -1)
        return super().forward(x)


class GridDecoder(nn.Module):
    """p(X|condition) over the 16 steps: a plan of every step, then a two-layer GRU.

    Given the steps before, the cells of a step are independent.
    """

    def __init__(self, options: Options, condition: int, coded: Coded) -> None:
        super().__init__()
        self.options, self.coded = options, coded
        self.counts = bool(getattr(options, "attributes", False))  # asked values and counts still to place
        extra = len(coded) if self.counts else 0
        hidden, plan = options.decoder, options.plan
        self.plan = nn.Sequential(nn.Linear(condition, hidden), nn.ReLU(), nn.Linear(hidden, STEPS * plan))
        self.gru1 = nn.GRU(CELLS + plan + 2 * extra, hidden, batch_first=True)
        self.gru2 = nn.GRU(hidden + plan, hidden, batch_first=True)
        self.head = nn.Linear(hidden + plan, CELLS)
        nn.init.constant_(self.head.bias, -4.0)  # nearly all cells are off

    def make_plan(self, condition: Tensor) -> Tensor:
        """[B, C] -> [B, 16, plan]."""
        return self.plan(condition).unflatten(-1, (STEPS, self.options.plan))

    def inputs(self, before: Tensor, plan: Tensor, asked: Tensor, left: Tensor) -> Tensor:
        """One step's or all steps' input of the first layer.

        before [..., 2P] cells of the step before, left [..., 2] what is still to place a step.
        """
        parts = [before, plan]
        if self.counts:
            parts += [scale(asked, self.coded), scale(left, self.coded)]
        return torch.cat(parts, -1)

    def logits(self, hidden: Tensor, plan: Tensor) -> Tensor:
        """[..., 2, P] logits of onset and hold against off."""
        return self.head(torch.cat([hidden, plan], -1)).unflatten(-1, (2, PITCHES))

    def forced(self, condition: Tensor, asked: Tensor, planes: Tensor) -> Tensor:
        """[B, T, 3, P] log probabilities of off, onset and hold under teacher forcing."""
        plan = self.make_plan(condition)
        cells = planes.transpose(1, 2)  # [B, T, 2, P]
        before = torch.cat([held_in(planes)[:, None], cells[:, :-1]], 1)  # [B, T, 2, P]
        left = still_to_place(cells, asked, self.coded)
        before = before.flatten(2)
        if self.training and self.options.input_dropout:
            keep = shares.uniform(before.shape[:2], before.device) >= self.options.input_dropout
            before = before * keep[..., None]
        steps = asked[:, None].expand(-1, STEPS, -1)
        h1, _ = self.gru1(self.inputs(before, plan, steps, left))
        h2, _ = self.gru2(torch.cat([h1, plan], -1))
        logits = self.logits(h2, plan).float()  # [B, T, 2, P]
        return F.pad(logits, (0, 0, 1, 0)).log_softmax(2)

    def loss(self, condition: Tensor, asked: Tensor, planes: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Teacher-forced cross entropy of the cells in nats, summed over a segment, mean over the batch.

        condition [B, C], asked [B, A], planes [B, 2, 16, 88].
        """
        found = self.forced(condition, asked, planes)
        return -(found * with_off(planes.transpose(1, 2))).sum((1, 2, 3)).mean()

    @torch.no_grad()
    def accuracy(self, condition: Tensor, asked: Tensor, planes: Tensor, lengths: Tensor | None = None) -> Tensor:
        """[B, 2] symbols guessed right under teacher forcing and symbols in all: the cells that are not off, or
        are guessed not to be."""
        guess = self.forced(condition, asked, planes).argmax(2)  # [B, T, P]
        truth = with_off(planes.transpose(1, 2)).argmax(2)
        some = (guess > 0) | (truth > 0)
        return torch.stack([((guess == truth) & some).sum((1, 2)), some.sum((1, 2))], 1).float()

    @torch.no_grad()
    def generate(self, condition: Tensor, asked: Tensor, held: Tensor | None = None) -> Tensor:
        """Free-running decode: the likelier of each cell's classes is fed back. Planes [B, 2, 16, 88].

        held [B, 2, 88] is the step before the first: what is held into the segment.
        """
        plan = self.make_plan(condition)
        held = condition.new_zeros(len(condition), 2, PITCHES) if held is None else held
        before, h1, h2 = held, None, None
        placed = asked.new_zeros(asked.shape)
        steps = []
        for t in range(STEPS):
            left = within_reach((asked * STEPS - placed) / (STEPS - t), asked, self.coded)
            x = self.inputs(before.flatten(1), plan[:, t], asked, left)
            y1, h1 = self.gru1(x[:, None], h1)
            y2, h2 = self.gru2(torch.cat([y1, plan[:, t : t + 1]], -1), h2)
            p = probabilities(self.logits(y2[:, 0], plan[:, t]))
            allowed = torch.stack([torch.ones_like(held[:, 0]), before.amax(1)], 1)  # hold what sounds
            before = choose(p * allowed)
            placed = placed + step_counts(before, self.coded)
            steps.append(before)
        return torch.stack(steps, 2)


def probabilities(logits: Tensor) -> Tensor:
    """[..., 2, P] logits against off -> probabilities of onset and hold."""
    return F.pad(logits.float(), (0, 0, 1, 0)).softmax(-2)[..., 1:, :]


def choose(p: Tensor) -> Tensor:
    """[..., 2, P] probabilities -> cells: onset or hold where it is above one half."""
    return (p > 0.5).to(p.dtype)


def with_off(cells: Tensor) -> Tensor:
    """[B, T, 2, P] -> [B, T, 3, P] with the off plane first."""
    return torch.cat([1 - cells.sum(2, keepdim=True), cells], 2)


def held_in(planes: Tensor) -> Tensor:
    """[B, 2, 88] what sounds before the first step: the holds of step 0, as holds."""
    held = planes[:, :, 0].clone()
    held[:, 0] = 0
    return held


def still_to_place(cells: Tensor, asked: Tensor, coded: Coded) -> Tensor:
    """[B, T, A] what the steps from t on must average: asked [B, A] less what cells [B, T, 2, P] placed before t."""
    placed = step_counts(cells, coded).cumsum(1)
    placed = F.pad(placed[:, :-1], (0, 0, 1, 0))
    remaining = STEPS - torch.arange(STEPS, device=cells.device, dtype=cells.dtype)
    return within_reach((asked[:, None] * STEPS - placed) / remaining[:, None], asked[:, None], coded)


def within_reach(left: Tensor, asked: Tensor, coded: Coded) -> Tensor:
    """`left` within what a step may be asked for: a decoder that fell behind must not pile notes on the last steps."""
    factor, more = ([row.reach[i] for row in coded.values()] for i in (0, 1))
    most = asked * asked.new_tensor(factor) + asked.new_tensor(more)
    return torch.minimum(left.clamp(min=0), most)


def grid_cells(planes: Tensor, seconds: Floats | float) -> Cells:
    """Planes as cells [B, 16, 88] of 0 off, 1 onset, 2 hold; their seconds do not matter on the grid."""
    return (planes[:, 0] + 2 * planes[:, 1]).to(torch.uint8).cpu().numpy()
