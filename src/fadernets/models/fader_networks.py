"""Fader Networks (Lample et al., 2017), as in Table 1: the decoder alone is given the densities.

An adversary guesses them from the code, and its gradient is reversed on the way to the encoder, so that the
code unlearns them. The adversary's weight grows from 0 over the first part of the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from fadernets.data.batches import Batch, Coded
from fadernets.models import base, schedules
from fadernets.models.blocks import Posterior, reverse_gradient


@dataclass(frozen=True)
class Options(base.Options):
    """A recipe's `model` section."""

    adversary: int = 128  # its hidden size
    adversary_weight: float = 1.0  # lambda at the end of its ramp
    adversary_ramp: float = 0.5  # share of the run over which it grows


class FaderNetworks(base.Model):
    """One code, an adversary on it, and a decoder that is given the attributes."""

    OPTIONS: ClassVar[type[base.Options]] = Options
    GIVEN: ClassVar[bool] = True
    options: Options

    def __init__(self, options: Options, codec: str, coded: Coded | None = None) -> None:
        super().__init__(options, codec, coded)
        self.adversary = nn.Sequential(
            nn.Linear(self.sizes["z"], options.adversary),
            nn.LeakyReLU(0.2),
            nn.Linear(options.adversary, options.adversary),
            nn.LeakyReLU(0.2),
            nn.Linear(options.adversary, sum(self.levels.values())),
        )

    @property
    def levels(self) -> dict[str, int]:
        """Term -> how many classes the adversary tells apart: 17 of rhythm density, 16 of note density."""
        return {row.term: row.levels for row in self.coded.values()}

    def settled(self, step: int, total: int) -> bool:
        """Whether every schedule of the loss has come to its end."""
        return super().settled(step, total) and step >= schedules.steps_of(self.options.adversary_ramp, total)

    def terms(self, batch: Batch, q: dict[str, Posterior], step: int, total: int) -> dict[str, Tensor]:
        """`*_guess` is the adversary's cross entropy, which the adversary minimises and the encoder maximises."""
        o, n = self.options, batch.reconstructed
        strength = schedules.ramp(step, total, value=o.adversary_weight, ramp=o.adversary_ramp)
        guess = self.adversary(reverse_gradient(q["z"].z[:n], strength)).float().split(list(self.levels.values()), -1)
        levels = levels_of(batch.values[:n], self.coded)
        terms = {
            f"{name}_guess": F.cross_entropy(g, levels[:, i])
            for i, (name, g) in enumerate(zip(self.levels, guess, strict=True))
        }
        return {**super().terms(batch, q, step, total), **terms}

    def weights(self, beta: float) -> dict[str, float]:
        """The adversary's cross entropy counts in training alone: no checkpoint is better for being easy to guess."""
        return {**super().weights(beta), **{f"{name}_guess": float(self.training) for name in self.levels}}


def levels_of(values: Tensor, coded: Coded) -> Tensor:
    """Attribute values [B, A] -> classes [B, A] that the adversary guesses."""
    per_unit = [1 / (row.grain or 1.0) for row in coded.values()]
    classes = (values * values.new_tensor(per_unit)).round().long()
    return classes.clamp(min=0).minimum(classes.new_tensor([row.levels - 1 for row in coded.values()]))
