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

from fadernets.data.batches import Batch
from fadernets.models import base, losses
from fadernets.models.blocks import Posterior, SequenceDecoder

NAMES = ("rhythm", "note")  # the codes, in the order of the attribute table
CLASSES = {"rhythm": 3, "note": 16}


@dataclass(frozen=True)
class Options(base.Options):
    sub_decoder: int = 128
    clusters: int = 2  # K; 0 is the vanilla VAE
    attributes: bool = True  # asked values are inputs of the decoder
    regulariser: float = 10.0  # weight of L_reg
    discriminator: float = 1.0  # weight of the sub-decoders
    label_weight: float = 1.0  # weight of the supervised branch


class FaderNets(base.Model):
    """The regularised dimension of each code is 0."""

    OPTIONS: ClassVar[type[base.Options]] = Options
    CODES: ClassVar[dict[str, int]] = {"rhythm": 1, "note": 1}
    FADERS: ClassVar[dict[str, tuple[str, int]]] = {"rhythm_density": ("rhythm", 0), "note_density": ("note", 0)}
    options: Options

    def __init__(self, options: Options, codec: str) -> None:
        super().__init__(options, codec)
        self.sub_decoders = nn.ModuleDict(
            {n: SequenceDecoder(CLASSES[n], options.sub_decoder, options.z) for n in NAMES}
        )
        if options.clusters:
            self.means = base.Mixture(self.sizes, options.clusters)

    @property
    def given(self) -> bool:
        return self.options.attributes

    def decoder_codes(self, q: dict[str, Posterior], batch: Batch) -> dict[str, Tensor]:
        """Where the target is another bar: the code of the source with its faders where the target's are."""
        codes = super().decoder_codes(q, batch)
        if batch.paired is not None:
            asked, own = batch.target_values, batch.values
            for i, name in enumerate(NAMES):
                near = (asked[batch.paired, i, None] - own[None, :, i]).abs().argmin(1)
                codes[name] = codes[name].clone()
                codes[name][batch.paired, 0] = q[name].z[near, 0]
        return codes

    def terms(self, batch: Batch, q: dict[str, Posterior], step: int, total: int) -> dict[str, Tensor]:
        n, terms = batch.reconstructed, {}
        symbols = {"rhythm": batch.rhythm_symbols, "note": batch.note_symbols}
        for i, name in enumerate(NAMES):
            sub_decoder: SequenceDecoder = self.sub_decoders[name]  # type: ignore[assignment]
            terms[f"{name}_symbols"] = sub_decoder.loss(q[name].z[:n], symbols[name][:n])
            terms[f"{name}_regulariser"] = losses.regulariser(q[name].z[:, 0], batch.values[:, i])
            if self.options.clusters:
                terms |= self.means.terms(name, q[name], batch.label)
            else:
                terms[f"{name}_kl"] = losses.standard_kl(q[name].mean, q[name].log_variance).mean()
        return terms

    def weights(self, beta: float) -> dict[str, float]:
        o = self.options
        weights: dict[str, float] = {}
        for name in NAMES:
            weights |= {f"{name}_symbols": o.discriminator, f"{name}_regulariser": o.regulariser}
            weights |= {f"{name}_kl": beta, f"{name}_class_kl": beta, f"{name}_labelled": beta * o.label_weight}
        return weights
