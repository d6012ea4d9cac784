"""GLSR-VAE (Hadjeres et al., 2017), as in Table 1: Music FaderNets' architecture with the geodesic penalty.

In place of L_reg, the slope of the attribute over z^d is pulled to a target. The slope is a finite difference of the
attribute that the sub-decoder, fed with its own expectations, gives at z and at z + delta e_d.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fadernets.attributes.table import CodedAttribute
from fadernets.data.batches import Batch
from fadernets.models import base, losses, music_fadernets, shares
from fadernets.models.blocks import Posterior, SequenceDecoder
from fadernets.music.segments import STEPS


@dataclass(frozen=True)
class Options(music_fadernets.Options):
    """A recipe's `model` section."""

    clusters: int = 0
    attributes: bool = False
    # The target change of the attribute a unit of z^d is about its standard deviation, which no paper gives: on MAESTRO
    # .223 and .718, in the authors' data .162 and .885.
    rhythm_slope: float = 0.22
    note_slope: float = 0.82
    delta: float = 0.5  # the finite difference's largest step, in units of z^d


class GLSRVAE(music_fadernets.FaderNets):
    """Music FaderNets with the geodesic penalty in place of L_reg."""

    OPTIONS: ClassVar[type[base.Options]] = Options
    options: Options

    def terms(self, batch: Batch, q: dict[str, Posterior], step: int, total: int) -> dict[str, Tensor]:
        """The terms beside the reconstruction."""
        terms = super().terms(batch, q, step, total)
        for name, row in self.coded.items():
            z, d = q[row.code].z[: batch.reconstructed], row.dimension
            delta = (shares.uniform((len(z), 1), z.device) * 0.9 + 0.1) * self.options.delta  # never near 0
            moved = torch.cat([z[:, :d], z[:, d : d + 1] + delta, z[:, d + 1 :]], -1)
            before, after = (self.estimate(name, x) / self.slope(row) for x in (z, moved))
            terms[f"{row.term}_regulariser"] = losses.geodesic(before, after, delta[:, 0])
        return terms

    def slope(self, row: CodedAttribute) -> float:
        """The target slope of a fader: its option, or half of the range that its scale takes as one unit."""
        return float(getattr(self.options, f"{row.term}_slope", 0.5 / row.gain))

    def estimate(self, name: str, z: Tensor) -> Tensor:
        """[B] the attribute as the sub-decoder expects it, differentiable in z [B, Z]."""
        row = self.coded[name]
        sub_decoder: SequenceDecoder = self.sub_decoders[row.term]  # type: ignore[assignment]
        expected = sub_decoder.expect(z, STEPS)  # [B, T, classes]
        if row.count.states:
            return expected[..., 1].mean(1)
        return (expected * torch.arange(expected.shape[-1], device=z.device)).sum(-1).mean(1)
