"""Music FaderNets (ISMIR 2020, Sections 3 and 4): vanilla VAE and GM-VAE.

Two encoders q(z_rhythm|X) and q(z_note|X), each with one regularised dimension; sub-decoders that
rebuild rhythm and note symbols from their code alone; a global decoder given both codes and the key.
Beyond the paper, each an option: the asked attribute values and, on the grid, the counts still to place as
inputs of the decoder, and training targets that are another bar of the same song.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from fadernets.data.batches import Batch, Coded
from fadernets.models import base, losses, shares
from fadernets.models.blocks import Posterior, SequenceDecoder


@dataclass(frozen=True)
class Options(base.Options):
    """A recipe's `model` section."""

    sub_decoder: int = 128
    clusters: int = 2  # K; 0 is the vanilla VAE
    attributes: bool = True  # asked values are inputs of the decoder
    regulariser: float = 10.0  # weight of L_reg
    discriminator: float = 1.0  # weight of the sub-decoders
    class_weight: float = 1.0  # weight of the KL of the class, in units of beta
    label_weight: float = 1.0  # weight of the supervised branch, in units of beta
    label_entropy: float = 0.0  # weight of the cross entropy of a row's class, in nats
    by_row: bool = False  # a labelled row weighs as much as any other of its batch, as in Eq. 2


class FaderNets(base.Model):
    """Codes, regularised dimensions and sub-decoders are those of the attribute table's rows (`CodedAttribute`)."""

    OPTIONS: ClassVar[type[base.Options]] = Options
    options: Options

    def __init__(self, options: Options, codec: str, coded: Coded | None = None) -> None:
        super().__init__(options, codec, coded)
        self.sub_decoders = nn.ModuleDict(
            {r.term: SequenceDecoder(r.count.classes, options.sub_decoder, options.z) for r in self.coded.values()}
        )
        if options.clusters:
            self.means = base.Mixture(self.sizes, options.clusters, options.simplex if self.is_constrained else None)

    def codes_for(self, coded: Coded) -> dict[str, int]:
        """One code of size z for each code that the rows name."""
        return dict.fromkeys((row.code for row in coded.values()), 1)

    @property
    def faders(self) -> dict[str, tuple[str, int]]:
        """Attribute -> its code and its regularised dimension there."""
        return {name: (row.code, row.dimension) for name, row in self.coded.items()}

    @property
    def given(self) -> bool:
        """Whether the decoder is given the attributes."""
        return self.options.attributes

    def decoder_codes(self, q: dict[str, Posterior], batch: Batch) -> dict[str, Tensor]:
        """The sampled codes; where the target is another bar, with the faders at the target's level."""
        codes = super().decoder_codes(q, batch)
        if batch.paired is not None:
            codes = {name: code.clone() for name, code in codes.items()}
            for i, row in enumerate(self.coded.values()):
                target_values = batch.target_values[batch.paired, i, None]
                values = shares.all_rows(batch.values[:, i])
                nearest = (target_values - values[None]).abs().argmin(1)
                codes[row.code][batch.paired, row.dimension] = shares.all_rows(q[row.code].z[:, row.dimension])[nearest]
        return codes

    def terms(self, batch: Batch, q: dict[str, Posterior], step: int, total: int) -> dict[str, Tensor]:
        """Of each fader its symbols and its regulariser, of each code its KL terms (Eq. 1 and 2)."""
        n, terms = batch.reconstructed, {}
        for i, (name, row) in enumerate(self.coded.items()):
            code = q[row.code]
            sub_decoder: SequenceDecoder = self.sub_decoders[row.term]  # type: ignore[assignment]
            terms[f"{row.term}_symbols"] = sub_decoder.loss(code.z[:n], batch.symbols[name][:n])
            terms[f"{row.term}_regulariser"] = losses.regulariser(code.z[:, row.dimension], batch.values[:, i])
            if f"{row.code}_kl" in terms:
                continue
            if self.options.clusters:
                o = self.options
                terms |= self.means.terms(row.code, code, batch.label, o.by_row, o.label_entropy > 0)
            else:
                terms[f"{row.code}_kl"] = losses.standard_kl(code.mean, code.log_variance).mean()
        return terms

    def weights(self, beta: float) -> dict[str, float]:
        """Term -> weight."""
        o = self.options
        weights: dict[str, float] = {}
        for row in self.coded.values():
            weights |= {f"{row.term}_symbols": o.discriminator, f"{row.term}_regulariser": o.regulariser}
        for name in self.sizes:
            weights |= {f"{name}_kl": beta, f"{name}_class_kl": beta * o.class_weight}
            weights |= {f"{name}_labelled": beta * o.label_weight, f"{name}_label_entropy": o.label_entropy}
        return weights
