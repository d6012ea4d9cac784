"""What all models of Table 1 share: encoders, a global decoder given codes and key, the KL terms.

A model names its codes, says which of their dimensions are faders (or that its decoder is given the
attributes themselves), and adds the terms of its loss. Shapes: B rows to rebuild, N = B + labelled rows, A attributes.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from fadernets.attributes.table import PAPER_FADERS
from fadernets.attributes.table import coded as rows_of
from fadernets.codecs.grid import ONSET
from fadernets.data.batches import Batch, Coded
from fadernets.errors import FadernetsError
from fadernets.models import codings, constrained, losses, schedules, shares
from fadernets.models.blocks import Posterior
from fadernets.models.grid_coding import scale
from fadernets.models.options import Options

KEYS = 24
SECONDS = 2.0  # that a segment of tokens is read to last where two are compared, whatever its tempo


class Model(nn.Module):
    """`loss` trains it, `encode` and `decode` use it."""

    OPTIONS: ClassVar[type[Options]] = Options
    CODES: ClassVar[dict[str, int]] = {"z": 2}  # name -> size in units of options.z; see `codes_for`
    GIVEN: ClassVar[bool] = False  # the decoder is given the attributes, which are the faders
    ENCODER_GIVEN: ClassVar[bool] = False

    def __init__(self, options: Any, codec: str, coded: Coded | None = None) -> None:
        """`coded` are the rows of the attributes that the data set measures; by default those of the paper."""
        super().__init__()
        self.options, self.codec = options, codec
        self.coded = dict(coded) if coded is not None else rows_of(PAPER_FADERS)
        self.sizes = {name: n * options.z for name, n in self.codes_for(self.coded).items()}
        values = len(self.coded)
        self.coding = coding = codings.coding(codec)
        extra = values if self.ENCODER_GIVEN else 0
        self.encoders = nn.ModuleDict({n: coding.encoder(options, size, extra) for n, size in self.sizes.items()})
        condition = sum(self.sizes.values()) + KEYS + values * self.given
        self.decoder: Any = coding.decoder(options, condition, self.coded)
        if self.is_constrained:
            constrained.constrain(self.encoders, options)
            if any(d >= self.sizes[name] - options.simplex for name, d in self.faders.values()):
                raise FadernetsError(f"model option simplex {options.simplex}: takes the dimensions of faders, too")

    def codes_for(self, coded: Coded) -> dict[str, int]:
        """The model's codes: name -> size in units of options.z."""
        return self.CODES

    @property
    def faders(self) -> dict[str, tuple[str, int]]:
        """Attribute -> the code that holds it, and its regularised dimension there; empty where no code does."""
        return {}

    @property
    def given(self) -> bool:
        """Whether the decoder is given the attributes."""
        return self.GIVEN

    @property
    def is_constrained(self) -> bool:
        """Whether the posterior's mean lies on a simplex."""
        return self.options.posterior == "constrained"

    def encode(
        self, inputs: Tensor, lengths: Tensor | None = None, values: Tensor | None = None
    ) -> dict[str, Posterior]:
        """Inputs of the codec, lengths [N], attribute values [N, A] where encoders are given them."""
        extra = scale(values, self.coded) if self.ENCODER_GIVEN and values is not None else None
        return {name: encoder(inputs, lengths, extra) for name, encoder in self.encoders.items()}

    def condition(self, codes: dict[str, Tensor], key: Tensor, asked: Tensor) -> Tensor:
        """[B, C] what the global decoder is given: codes [B, Z] each, key [B, 24], asked [B, A]."""
        given = [scale(asked, self.coded)] if self.given else []
        return torch.cat([*(codes[name] for name in self.sizes), key, *given], -1)

    @torch.no_grad()
    def decode(self, codes: dict[str, Tensor], key: Tensor, asked: Tensor, held: Tensor | None = None) -> Tensor:
        """Free-running decode in the codec's own form. held [B, 2, 88], on the grid: the step before the first."""
        condition = self.condition(codes, key, asked)
        return self.decoder.generate(condition, asked, held)

    def loss(self, batch: Batch, step: int, total: int) -> dict[str, Tensor]:
        """Every term by its name and their weighted sum as `loss`. Scalars, all minimised."""
        q = self.encode(batch.inputs, batch.lengths, batch.values)
        codes = self.decoder_codes(q, batch)
        condition = self.condition(codes, batch.key, batch.target_values)
        terms = {
            "reconstruction": self.decoder.loss(condition, batch.target_values, batch.targets, batch.target_lengths)
        }
        terms |= self.terms(batch, q, step, total) | constrained.terms(self.encoders, q, self.options)
        o = self.options
        beta = schedules.ramp(step, total, value=o.beta, start=o.beta_start, ramp=o.beta_ramp)
        weights = constrained.weights(q, o) | self.weights(beta)
        loss = torch.stack([weights.get(name, 1.0) * term for name, term in terms.items()]).sum()
        return {"loss": loss, **terms, "beta": loss.new_tensor(beta)}

    @torch.no_grad()
    def judge(self, batch: Batch, free: bool) -> dict[str, tuple[float, float]]:
        """Name -> (right, total), counts to add up over batches: teacher-forced accuracy; where `free`, note F1 of free
        decodes from posterior means."""
        codes = {name: p.mean for name, p in self.encode(batch.inputs, batch.lengths, batch.values).items()}
        condition = self.condition(codes, batch.key, batch.target_values)
        right = self.decoder.accuracy(condition, batch.target_values, batch.targets, batch.target_lengths).sum(0)
        found = {"accuracy": (float(right[0]), float(right[1]))}
        if free and codes:
            held = self.coding.held(batch.targets)
            out = self.decode(codes, batch.key, batch.target_values, held)
            a, b = (self.coding.cells(x, SECONDS) == ONSET for x in (out, batch.targets))
            found["note_f1"] = (2 * float((a & b).sum()), float(a.sum() + b.sum()))
        return found

    def settled(self, step: int, total: int) -> bool:
        """Whether every schedule of the loss has come to its end."""
        o = self.options
        return step >= schedules.steps_of(o.beta_start, total) + schedules.steps_of(o.beta_ramp, total)

    def decoder_codes(self, q: dict[str, Posterior], batch: Batch) -> dict[str, Tensor]:
        """The samples of the rows to reconstruct, without the labelled rows that follow them."""
        return {name: p.z[: batch.reconstructed] for name, p in q.items()}

    def terms(self, batch: Batch, q: dict[str, Posterior], step: int, total: int) -> dict[str, Tensor]:
        """The terms beside the reconstruction."""
        return {f"{name}_kl": losses.standard_kl(p.mean, p.log_variance).mean() for name, p in q.items()}

    def weights(self, beta: float) -> dict[str, float]:
        """Term -> weight, 1 where it is not named."""
        return {f"{name}_kl": beta for name in self.sizes}


class Mixture(nn.ParameterDict):
    """The means of p(z|c), one [K, Z] a code (Section 4.1: Xavier, variance e^-2)."""

    def __init__(self, sizes: dict[str, int], clusters: int, simplex: int | None = None) -> None:
        """simplex: of a constrained posterior, how many dimensions of each code have clusters."""
        means = {name: nn.init.xavier_normal_(torch.empty(clusters, size)) for name, size in sizes.items()}
        super().__init__({name: nn.Parameter(mean) for name, mean in means.items()})
        if simplex is not None:
            constrained.keep_free_part(self, simplex)

    def terms(
        self, name: str, q: Posterior, label: Tensor, by_row: bool = False, entropy: bool = False
    ) -> dict[str, Tensor]:
        """Eq. 1 for one code: KL to the prior, KL of the class, supervised KL; `entropy`: the cross entropy of classes.

        label [N] is -1 where there is none; a labelled row counts in the supervised terms alone. Rows with a label and
        rows without one are averaged by themselves, so that a few labels have the weight of all other rows; `by_row`:
        both over the whole batch, so that each row has the same weight, as in Eq. 2.
        """
        given = label >= 0
        prior_kl, class_kl = losses.mixture_kl(q.mean, q.log_variance, q.z, self[name])
        free, some, known = (~given).float(), given.float(), label.clamp(min=0)
        rows = labelled = free.new_tensor(len(label))
        if not by_row:
            rows, labelled = shares.mean_count(free.sum()), shares.mean_count(some.sum())
        supervised = losses.labelled_kl(q.mean, q.log_variance, self[name], known)
        terms = {
            f"{name}_kl": (prior_kl * free).sum() / rows,
            f"{name}_class_kl": (class_kl * free).sum() / rows,
            f"{name}_labelled": (supervised * some).sum() / labelled,
        }
        if entropy:
            each = -losses.class_log_probabilities(q.z, self[name]).gather(1, known[:, None])[:, 0]
            terms[f"{name}_label_entropy"] = (each * some).sum() / labelled
        return terms
