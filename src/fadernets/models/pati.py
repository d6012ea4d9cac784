"""Pati and Lerch (ICML workshop 2019), as in Table 1: one encoder, two regularised dimensions of its one code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fadernets.data.batches import Batch
from fadernets.models import base, losses
from fadernets.models.blocks import Posterior


@dataclass(frozen=True)
class Options(base.Options):
    """A recipe's `model` section."""

    regulariser: float = 10.0  # weight of L_reg


class Pati(base.Model):
    """Dimension 0 is rhythm density, dimension 1 note density."""

    OPTIONS: ClassVar[type[base.Options]] = Options

    @property
    def faders(self) -> dict[str, tuple[str, int]]:
        """Attribute -> the one code and the attribute's dimension: its position in the table."""
        return {name: ("z", i) for i, name in enumerate(self.coded)}

    def terms(self, batch: Batch, q: dict[str, Posterior], step: int, total: int) -> dict[str, Tensor]:
        """The terms beside the reconstruction."""
        terms = super().terms(batch, q, step, total)
        for i, row in enumerate(self.coded.values()):
            terms[f"{row.term}_regulariser"] = losses.regulariser(q["z"].z[:, i], batch.values[:, i])
        return terms

    def weights(self, beta: float) -> dict[str, float]:
        """Term -> weight."""
        reg = self.options.regulariser
        return {**super().weights(beta), **{f"{row.term}_regulariser": reg for row in self.coded.values()}}
