"""Music FaderNets on the sixteenth grid (ISMIR 2020, Sections 3 and 4): vanilla VAE and GM-VAE.

Two encoders q(z_rhythm|X) and q(z_note|X), each with one regularised dimension; sub-decoders that
rebuild rhythm and note symbols from their code alone; a global decoder over the 16 steps, given both
codes and the key. Beyond the paper, each an option: the asked attribute values and the counts still
to place as inputs of every step, and training targets that are another bar of the same song.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fadernets import losses, schedules
from fadernets.batches import Batch
from fadernets.blocks import GRUEncoder, Posterior, SequenceDecoder
from fadernets.grid import PITCHES
from fadernets.segments import STEPS

CELLS = 2 * PITCHES  # onset and hold planes of a step
KEYS = 24
RHYTHM_CLASSES, NOTE_CLASSES = 3, 16
NAMES = ("rhythm", "note")  # the codes, in the order of the attribute table


@dataclass(frozen=True)
class Options:
    """A recipe's `model` section."""

    z: int = 128  # size of each code
    encoder: int = 192  # hidden size of each direction
    decoder: int = 384
    plan: int = 96  # size of the per-step plan computed from the codes
    sub_decoder: int = 128
    clusters: int = 2  # K; 0 is the vanilla VAE
    attributes: bool = True  # asked values and counts still to place are inputs of every decoder step
    input_dropout: float = 0.3  # probability that a fed-back step is blanked in training
    beta: float = 0.02  # weight of the KL term, in nats summed over dimensions
    beta_start: float = 0.0
    beta_ramp: float = 0.2
    regulariser: float = 10.0  # weight of L_reg
    discriminator: float = 1.0  # weight of the sub-decoders
    label_weight: float = 1.0  # weight of the supervised branch


class GridFaderNets(nn.Module):
    """The model. `loss` trains it, `encode` and `decode` use it; the regularised dimension is 0."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.options = options
        self.encoders = nn.ModuleDict({n: GRUEncoder(CELLS, options.encoder, options.z) for n in NAMES})
        classes = {"rhythm": RHYTHM_CLASSES, "note": NOTE_CLASSES}
        self.sub_decoders = nn.ModuleDict(
            {n: SequenceDecoder(classes[n], options.sub_decoder, options.z) for n in NAMES}
        )
        if options.clusters:
            means = [torch.empty(options.clusters, options.z) for _ in NAMES]
            self.means = nn.ParameterDict(
                {n: nn.Parameter(nn.init.xavier_normal_(m)) for n, m in zip(NAMES, means, strict=True)}
            )
        self.decoder = GridDecoder(options)

    def encode(self, planes: Tensor) -> dict[str, Posterior]:
        """planes [B, 2, 16, 88] -> the posterior of each code."""
        x = planes.transpose(1, 2).flatten(2)  # [B, T, 2P]
        return {name: encoder(x) for name, encoder in self.encoders.items()}

    def cluster_losses(self, q: Posterior, name: str, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Eq. 1 for one code: (KL to the prior, KL of the class, supervised KL), batch means.

        label [B] is -1 where there is none.
        """
        zero = q.mean.new_zeros(())
        if not self.options.clusters:
            return losses.standard_kl(q.mean, q.log_variance).mean(), zero, zero
        means = self.means[name]
        given = label >= 0
        prior_kl, class_kl = losses.mixture_kl(q.mean, q.log_variance, q.z, means)
        free = (~given).float()
        share = free.sum().clamp(min=1)
        supervised = losses.labelled_kl(q.mean, q.log_variance, means, label.clamp(min=0))
        supervised = (supervised * given.float()).sum() / given.float().sum().clamp(min=1)
        return (prior_kl * free).sum() / share, (class_kl * free).sum() / share, supervised

    def loss(self, batch: Batch, step: int, total: int) -> dict[str, Tensor]:
        """Every term of Eq. 2 by its name and their weighted sum as `loss`. Scalars, all minimised."""
        o = self.options
        q = self.encode(batch.planes)
        n = batch.reconstructed  # the rows behind these are labelled ones: no reconstruction
        terms: dict[str, Tensor] = {}
        codes = {name: q[name].z[:n] for name in NAMES}
        asked = torch.stack([batch.target_rhythm_density, batch.target_note_density], -1)
        if batch.paired is not None:  # the code of the source with its faders where the target's are
            own = torch.stack([batch.rhythm_density, batch.note_density], -1)  # [N, 2]
            for i, name in enumerate(NAMES):
                near = (asked[batch.paired, i, None] - own[None, :, i]).abs().argmin(1)
                codes[name] = codes[name].clone()
                codes[name][batch.paired, 0] = q[name].z[near, 0]
        terms["reconstruction"] = self.decoder.loss(codes, batch.key, asked, batch.targets)
        symbols = {"rhythm": batch.rhythm_symbols, "note": batch.note_symbols}
        values = {"rhythm": batch.rhythm_density, "note": batch.note_density}
        for name in NAMES:
            sub_decoder: SequenceDecoder = self.sub_decoders[name]  # type: ignore[assignment]
            terms[f"{name}_symbols"] = sub_decoder.loss(q[name].z[:n], symbols[name][:n])
            terms[f"{name}_regulariser"] = losses.regulariser(q[name].z[:, 0], values[name])
            kl, class_kl, supervised = self.cluster_losses(q[name], name, batch.label)
            terms[f"{name}_kl"], terms[f"{name}_class_kl"], terms[f"{name}_labelled"] = (
                kl,
                class_kl,
                supervised,
            )
        weight = schedules.beta(step, total, value=o.beta, start=o.beta_start, ramp=o.beta_ramp)
        loss = terms["reconstruction"]
        for name in NAMES:
            loss = loss + o.discriminator * terms[f"{name}_symbols"] + o.regulariser * terms[f"{name}_regulariser"]
            cluster = terms[f"{name}_kl"] + terms[f"{name}_class_kl"] + o.label_weight * terms[f"{name}_labelled"]
            loss = loss + weight * cluster
        terms["beta"] = loss.new_tensor(weight)
        return {"loss": loss, **terms}


class GridDecoder(nn.Module):
    """p(X|z_rhythm, z_note, key) over the 16 steps: a plan of every step, then a two-layer GRU.

    A cell is off, onset or hold; given the steps before, the cells of a step are independent.
    """

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.options = options
        extra = 2 if options.attributes else 0
        hidden, plan = options.decoder, options.plan
        self.plan = nn.Sequential(
            nn.Linear(2 * options.z + KEYS + extra, hidden), nn.ReLU(), nn.Linear(hidden, STEPS * plan)
        )
        self.gru1 = nn.GRU(CELLS + plan + 2 * extra, hidden, batch_first=True)
        self.gru2 = nn.GRU(hidden + plan, hidden, batch_first=True)
        self.head = nn.Linear(hidden + plan, CELLS)
        nn.init.constant_(self.head.bias, -4.0)  # nearly all cells are off

    def make_plan(self, z_rhythm: Tensor, z_note: Tensor, key: Tensor, asked: Tensor) -> Tensor:
        """[B, 16, plan]; key [B, 24] one-hot, asked [B, 2] rhythm density and note density."""
        parts = [z_rhythm, z_note, key] + ([scale(asked)] if self.options.attributes else [])
        return self.plan(torch.cat(parts, -1)).unflatten(-1, (STEPS, self.options.plan))

    def inputs(self, before: Tensor, plan: Tensor, asked: Tensor, left: Tensor) -> Tensor:
        """One step's or all steps' input of the first layer.

        before [..., 2P] cells of the step before, left [..., 2] what is still to place a step.
        """
        parts = [before, plan]
        if self.options.attributes:
            parts += [scale(asked), scale(left)]
        return torch.cat(parts, -1)

    def logits(self, hidden: Tensor, plan: Tensor) -> Tensor:
        """[..., 2, P] logits of onset and hold against off."""
        return self.head(torch.cat([hidden, plan], -1)).unflatten(-1, (2, PITCHES))

    def loss(self, codes: dict[str, Tensor], key: Tensor, asked: Tensor, planes: Tensor) -> Tensor:
        """Teacher-forced cross entropy of the cells in nats, summed over a segment, mean over the batch.

        codes [B, Z] each, key [B, 24], asked [B, 2], planes [B, 2, 16, 88].
        """
        plan = self.make_plan(codes["rhythm"], codes["note"], key, asked)
        cells = planes.transpose(1, 2)  # [B, T, 2, P]
        before = torch.cat([held_in(planes)[:, None], cells[:, :-1]], 1)  # [B, T, 2, P]
        left = still_to_place(cells, asked)
        before = before.flatten(2)
        if self.training and self.options.input_dropout:
            keep = torch.rand(before.shape[:2], device=before.device) >= self.options.input_dropout
            before = before * keep[..., None]
        steps = asked[:, None].expand(-1, STEPS, -1)
        h1, _ = self.gru1(self.inputs(before, plan, steps, left))
        h2, _ = self.gru2(torch.cat([h1, plan], -1))
        logits = self.logits(h2, plan).float()  # [B, T, 2, P]
        full = F.pad(logits, (0, 0, 1, 0))  # [B, T, 3, P] off, onset, hold
        return -(full.log_softmax(2) * with_off(cells)).sum((1, 2, 3)).mean()

    @torch.no_grad()
    def generate(self, codes: dict[str, Tensor], key: Tensor, asked: Tensor, held: Tensor) -> Tensor:
        """Free-running decode: the likelier of each cell's classes is fed back. Planes [B, 2, 16, 88].

        held [B, 2, 88] is the step before the first: what is held into the segment.
        """
        plan = self.make_plan(codes["rhythm"], codes["note"], key, asked)
        before, h1, h2 = held, None, None
        placed = asked.new_zeros(asked.shape)
        steps = []
        for t in range(STEPS):
            left = within_reach((asked * STEPS - placed) / (STEPS - t), asked)
            x = self.inputs(before.flatten(1), plan[:, t], asked, left)
            y1, h1 = self.gru1(x[:, None], h1)
            y2, h2 = self.gru2(torch.cat([y1, plan[:, t : t + 1]], -1), h2)
            p = probabilities(self.logits(y2[:, 0], plan[:, t]))
            allowed = torch.stack([torch.ones_like(held[:, 0]), before.amax(1)], 1)  # hold what sounds
            before = choose(p * allowed)
            placed = placed + step_counts(before)
            steps.append(before)
        return torch.stack(steps, 2)


def scale(values: Tensor) -> Tensor:
    """Rhythm density and note density to numbers of order one."""
    return values * values.new_tensor([2.0, 0.25]) - values.new_tensor([1.0, 0.5])


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


def step_counts(cells: Tensor) -> Tensor:
    """[..., 2, P] cells of a step -> [..., 2]: has it an onset (0 or 1), how many notes sound."""
    return torch.stack([cells[..., 0, :].amax(-1), cells.sum((-1, -2)).clamp(max=15)], -1)


def still_to_place(cells: Tensor, asked: Tensor) -> Tensor:
    """[B, T, 2] asked minus placed before step t, a step: what the rest of the segment must average."""
    placed = step_counts(cells).cumsum(1)
    placed = F.pad(placed[:, :-1], (0, 0, 1, 0))
    remaining = STEPS - torch.arange(STEPS, device=cells.device, dtype=cells.dtype)
    return within_reach((asked[:, None] * STEPS - placed) / remaining[:, None], asked[:, None])


def within_reach(left: Tensor, asked: Tensor) -> Tensor:
    """What a step may be asked to make up for: a decoder that fell behind must not pile notes on the last steps."""
    most = asked * asked.new_tensor([0.0, 1.5]) + asked.new_tensor([1.0, 0.5])
    return torch.minimum(left.clamp(min=0), most)
