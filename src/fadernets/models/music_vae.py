"""MusicVAE with GRUs for two-bar melodies (Section 2.2 of the NIME paper; Roberts et al. 2017).

A bidirectional GRU reads 32 states, a GRU that is fed z at every step writes them, with scheduled sampling. Beyond the
paper: with `axes` above 0 the first half of z is for pitches and the second, from which onsets, holds and rests are
read alone, for rhythm; the first dimension of each is trained to be its knob. With `step_plan` above 0 each step is
also given a plan of its own, computed from z for all steps at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fadernets.codecs import melody_states
from fadernets.data.melody_batches import MelodyBatch
from fadernets.errors import FadernetsError
from fadernets.models import losses, schedules, shares
from fadernets.models.blocks import Posterior, PosteriorHead, SequenceDecoder

UNITS = (1 / 6, 1.0)  # how far a semitone and a doubling of onsets move their dimension
KINDS = 3  # onset, hold, rest
TINY = 1e-9  # of a number in 0..1 whose logarithm is taken twice


@dataclass(frozen=True)
class MelodyOptions:
    """A recipe's `model` section. Weights are per clip, in nats summed over it."""

    z: int = 128
    encoder: int = 256  # hidden size of each direction
    decoder: int = 512
    embedding: int = 64  # of a state
    input_dropout: float = 0.0  # probability that a fed-back state is blanked in training
    sampled: float = 0.5  # share of fed-back states that are the decoder's own, once the ramp has ended
    sampled_ramp: float = 0.5  # share of the run
    beta: float = 0.1  # weight of the KL term (Section 3)
    beta_start: float = 0.0
    beta_ramp: float = 0.2
    axes: float = 0.0  # weight of changes of z beside the knob's dimension; 0: the paper's model
    rhythm: int = 128  # hidden size of the decoder of rhythm; used with axes alone
    step_plan: int = 0  # size of each step's plan
    look: int = 0  # size of the encoder's layer over all steps, beside its GRU; 0: none


class MelodyEncoder(nn.Module):
    """q(z|X): a bidirectional GRU, and with `look` a layer that sees all steps at once."""

    def __init__(self, options: MelodyOptions) -> None:
        super().__init__()
        self.gru = nn.GRU(options.embedding, options.encoder, batch_first=True, bidirectional=True)
        self.look = nn.Linear(melody_states.STEPS * options.embedding, options.look) if options.look else None
        self.head = PosteriorHead(2 * options.encoder + options.look, options.z)

    def forward(self, x: Tensor) -> Posterior:
        """x [B, 32, E]."""
        _, last = self.gru(x)  # [2, B, H]
        seen = [last[0], last[1]]
        if self.look is not None:
            seen.append(torch.relu(self.look(x.flatten(1))))
        return self.head.posterior(torch.cat(seen, -1))


class MelodyDecoder(nn.Module):
    """p(x|z): each step is given z and the state before it."""

    def __init__(self, options: MelodyOptions) -> None:
        super().__init__()
        self.start = nn.Linear(options.z, options.decoder)
        # The last row stands for no state yet, and for a blanked one.
        self.embed = nn.Embedding(melody_states.STATES + 1, options.embedding)
        self.gru = nn.GRU(options.embedding + options.z + options.step_plan, options.decoder, batch_first=True)
        self.head = nn.Linear(options.decoder + options.step_plan, melody_states.STATES)
        self.plan = None
        if options.step_plan:
            wide = melody_states.STEPS * options.step_plan
            self.plan = nn.Sequential(
                nn.Linear(options.z, options.decoder), nn.ReLU(), nn.Linear(options.decoder, wide)
            )

    def steps(self, z: Tensor) -> Tensor:
        """[B, 32, Z + plan] what each step is given beside the state before it."""
        codes = z[:, None].expand(-1, melody_states.STEPS, -1)
        if self.plan is None:
            return codes
        return torch.cat([codes, self.plan(z).unflatten(-1, (melody_states.STEPS, -1))], -1)

    def forward(self, z: Tensor, fed: Tensor) -> Tensor:
        """z [B, Z], fed [B, 32] the state before each step -> logits [B, 32, 130]."""
        steps = self.steps(z)
        output, _ = self.gru(torch.cat([self.embed(fed), steps], -1), torch.tanh(self.start(z))[None])
        return self.head(torch.cat([output, steps[..., z.shape[-1] :]], -1))

    def generate(self, z: Tensor) -> Tensor:
        """[B, 32] the likeliest state of each step, fed with its own choice."""
        state, steps = torch.tanh(self.start(z))[None], self.steps(z)
        fed, states = z.new_full((len(z),), melody_states.STATES, dtype=torch.long), []
        for step in steps.unbind(1):
            output, state = self.gru(torch.cat([self.embed(fed), step], -1)[:, None], state)
            fed = self.head(torch.cat([output[:, 0], step[:, z.shape[-1] :]], -1)).argmax(-1)
            states.append(fed)
        return torch.stack(states, 1)


def kinds(states: Tensor) -> Tensor:
    """[B, 32] 0 onset, 1 hold, 2 rest."""
    return (states - (melody_states.ONSETS - 1)).clamp(min=0)


def before(states: Tensor) -> Tensor:
    """[B, 32] the state before each step."""
    return F.pad(states[:, :-1], (1, 0), value=melody_states.STATES)


class MusicVAE(nn.Module):
    """`loss` trains it; `encode` and `decoder.generate` use it."""

    OPTIONS: ClassVar[type[MelodyOptions]] = MelodyOptions
    MELODIC: ClassVar[bool] = True  # it reads data sets of melodies

    def __init__(self, options: Any, codec: str = "melody") -> None:
        super().__init__()
        if options.axes and options.z < 2:
            raise FadernetsError(f"axes {options.axes:g}: needs a half of z for each knob; z is {options.z}")
        self.options = options
        self.embed = nn.Embedding(melody_states.STATES, options.embedding)
        self.encoder = MelodyEncoder(options)
        self.decoder = MelodyDecoder(options)
        self.middle = options.z // 2
        self.rhythm = SequenceDecoder(KINDS, options.rhythm, options.z - self.middle) if options.axes else None

    def encode(self, states: Tensor) -> Posterior:
        """states [B, 32] -> q(z|X)."""
        posterior: Posterior = self.encoder(self.embed(states))
        return posterior

    def loss(self, batch: MelodyBatch, step: int, total: int) -> dict[str, Tensor]:
        """Every term by its name and their weighted sum as `loss`. Scalars, all minimised."""
        o = self.options
        q = self.encode(batch.inputs)
        share = schedules.ramp(step, total, value=o.sampled, start=0.0, ramp=o.sampled_ramp) if self.training else 0.0
        beta = schedules.ramp(step, total, value=o.beta, start=o.beta_start, ramp=o.beta_ramp)
        terms = {
            "reconstruction": self._rebuild(q.z, batch.inputs, share),
            "kl": losses.standard_kl(q.mean, q.log_variance).mean(),
        }
        weights = {"kl": beta}
        if self.rhythm is not None:
            terms["rhythm"] = self.rhythm.loss(q.z[:, self.middle :], kinds(batch.inputs))
        if len(batch.moved):
            moved = self.encode(batch.moved)
            shift = self.code_shift(batch.amount)
            rows = len(batch.moved)
            terms["moved"] = self._rebuild(q.z[:rows] + shift, batch.moved, share)
            terms["axes"] = (moved.mean - q.mean[:rows] - shift).square().sum(-1).mean()
            weights |= {"axes": o.axes}
        loss = torch.stack([weights.get(name, 1.0) * term for name, term in terms.items()]).sum()
        return {"loss": loss, **terms, "beta": loss.new_tensor(beta)}

    def code_shift(self, amount: Tensor) -> Tensor:
        """[B, Z] the change of the code for an amount [B, 2] of semitones and doublings of onsets."""
        pitch, rhythm = (amount * amount.new_tensor(UNITS)).split(1, -1)
        z = self.options.z
        return torch.cat([F.pad(pitch, (0, self.middle - 1)), F.pad(rhythm, (0, z - self.middle - 1))], -1)

    def _rebuild(self, z: Tensor, target: Tensor, share: float) -> Tensor:
        """Cross entropy in nats, summed over the steps, mean over the batch.

        Scheduled sampling in two passes: the first is fed the target; the second is fed samples of the first in a
        `share` of the steps.
        """
        fed = before(target)
        if share > 0:
            with torch.no_grad():
                logits = self.decoder(z, fed).float()
                noise = shares.uniform(logits.shape, logits.device).clamp(min=TINY)
                drawn = (logits - (-noise.log()).log()).argmax(-1)  # a sample of each step (Gumbel)
                replaced = shares.uniform(drawn.shape, drawn.device) < share
                fed = before(torch.where(replaced, drawn, target))
        if self.training and self.options.input_dropout:
            blank = shares.uniform(fed.shape, fed.device) < self.options.input_dropout
            fed = fed.masked_fill(blank, melody_states.STATES)
        logits = self.decoder(z, fed).float()
        return F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="sum") / len(target)

    def settled(self, step: int, total: int) -> bool:
        """Whether every schedule of the loss has come to its end."""
        o = self.options
        rises = schedules.steps_of(o.beta_start, total) + schedules.steps_of(o.beta_ramp, total)
        return step >= max(rises, o.sampled_ramp * total)

    @torch.no_grad()
    def judge(self, batch: MelodyBatch, free: bool) -> dict[str, tuple[float, float]]:
        """Name -> (right, total): states and whole clips of free decodes from posterior means."""
        if not free:
            return {}
        decoded = self.decoder.generate(self.encode(batch.inputs).mean)
        right = decoded == batch.inputs
        return {
            "states": (float(right.sum()), float(right.numel())),
            "clips": (float(right.all(-1).sum()), float(len(right))),
        }
