"""The single-encoder GM-VAE of Figure 4: one code under the mixture prior, no low-level features, no faders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fadernets.data.batches import Batch, Coded
from fadernets.models import base
from fadernets.models.blocks import Posterior


@dataclass(frozen=True)
class Options(base.Options):
    """A recipe's `model` section."""

    width: int = 2  # of its one code, in units of z: 2 is the capacity of models with two codes
    clusters: int = 2
    class_weight: float = 1.0  # weight of the KL of the class, in units of beta
    label_weight: float = 1.0  # weight of the supervised branch, in units of beta
    label_entropy: float = 0.0  # weight of the cross entropy of a row's class, in nats
    by_row: bool = False  # a labelled row weighs as much as any other of its batch, as in Eq. 2


class GMVAE(base.Model):
    """One code under the mixture prior."""

    OPTIONS: ClassVar[type[base.Options]] = Options
    options: Options

    def __init__(self, options: Options, codec: str, coded: Coded | None = None) -> None:
        super().__init__(options, codec, coded)
        self.means = base.Mixture(self.sizes, options.clusters, options.simplex if self.is_constrained else None)

    def codes_for(self, coded: Coded) -> dict[str, int]:
        """Its one code."""
        return {"z": self.options.width}

    def terms(self, batch: Batch, q: dict[str, Posterior], step: int, total: int) -> dict[str, Tensor]:
        """The terms beside the reconstruction."""
        return self.means.terms("z", q["z"], batch.label, self.options.by_row, self.options.label_entropy > 0)

    def weights(self, beta: float) -> dict[str, float]:
        """Term -> weight."""
        o = self.options
        return {
            "z_kl": beta,
            "z_class_kl": beta * o.class_weight,
            "z_labelled": beta * o.label_weight,
            "z_label_entropy": o.label_entropy,
        }
