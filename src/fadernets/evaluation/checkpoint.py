"""A trained checkpoint as evaluation uses it: encode held-out segments, slide a fader, decode.

A fader is a regularised dimension z^d, which slides in its own units, or an attribute that the decoder is given (CVAE,
Fader Networks), which slides in the attribute's. S segments, T positions of a fader, A attributes; decodes run in 32
bit, free and greedy.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fadernets.arrays import Array, Cells, Floats, Indices, Latents
from fadernets.attributes.table import CODED
from fadernets.codecs.base import CODECS
from fadernets.data import labels
from fadernets.data.dataset import Dataset
from fadernets.engines.code_arithmetic import Calibration, class_probabilities
from fadernets.errors import FadernetsError
from fadernets.files import write_atomic
from fadernets.models.base import Model
from fadernets.models.codings import coding
from fadernets.models.constrained import SimplexHead
from fadernets.training import checkpoints, recipes
from fadernets.training.loop import Rows, auto_precision, check_device, choose_rows
from fadernets.training.recipes import Recipe

LABEL_SHARE = 0.01  # of the training segments that have labels, as in the paper
ENCODE, DECODE = 512, 1024  # segments at once


@dataclass(frozen=True)
class HeldOutSegments:
    """S segments of the data set: their cells, what is known of them, and their codes under a checkpoint."""

    rows: Indices
    cells: Cells  # [S, 16, 88]
    values: Floats  # [S, A]
    key: Indices  # [S]
    seconds: Floats  # [S]
    codes: dict[str, Latents]  # posterior means, [S, Z] each

    def take(self, rows: Indices) -> HeldOutSegments:
        """Some of the segments, by their positions here."""
        codes = {name: code[rows] for name, code in self.codes.items()}
        return HeldOutSegments(
            self.rows[rows], self.cells[rows], self.values[rows], self.key[rows], self.seconds[rows], codes
        )


@dataclass(frozen=True)
class Outputs:
    """Decodes of S segments at T positions, in the codec's own form and as cells, each [S, T, ...]."""

    raw: Array  # [S, T, ...] as the decoder gives them
    cells: Cells  # [S, T, 16, 88]

    @classmethod
    def join(cls, parts: list[Outputs]) -> Outputs:
        """Outputs of the same segments side by side along T."""
        return cls(np.concatenate([part.raw for part in parts], 1), np.concatenate([part.cells for part in parts], 1))


class Checkpoint:
    """A trained checkpoint with the data set that it was trained on.

    folder: a run, of which the best checkpoint is taken, or a checkpoint itself. other_data: `data` is other music in
    the same codec, whose segments can be encoded and decoded. Raises FadernetsError for a folder without a checkpoint,
    another data set than the one it was trained on, and a codec that only exported models are measured in.
    """

    def __init__(self, folder: Path, data: Dataset, device: str = "cpu", *, other_data: bool = False) -> None:
        check_device(device)
        path = folder / "best" if checkpoints.exists(folder / "best") else folder
        model, self.config = checkpoints.load(path, device)
        self.model: Model = model  # type: ignore[assignment]
        self.folder, self.path, self.data, self.device = folder, path, data, device
        if self.config["codec"] != data.codec.name:
            raise FadernetsError(f"{path}: a model of {self.config['codec']}; {data.folder} holds {data.codec}")
        if not other_data and self.config["data"]["hash"] != data.hash:
            raise FadernetsError(
                f"{path}: was trained on data set {self.config['data']['hash'][:12]}; {data.folder} is "
                f"{data.hash[:12]}. Name the right one with --data"
            )
        if data.codec.coding is None:
            known = " and ".join(name for name, row in CODECS.items() if row.coding is not None)
            raise FadernetsError(
                f"{path}: a model over {data.codec}; this measures models over {known}. Export it to measure it"
            )
        self.coding = coding(data.codec)

    @property
    def faders(self) -> dict[str, str]:
        """Attribute -> `zd` where a regularised dimension moves it, `given` where the decoder is told it."""
        if self.model.GIVEN:
            return dict.fromkeys(CODED, "given")
        return dict.fromkeys(self.model.faders, "zd")

    @property
    def regularised(self) -> dict[str, list[int]]:
        """Code -> its regularised dimensions; without the codes that have none."""
        dimensions: dict[str, list[int]] = {}
        for code, dimension in self.model.faders.values():
            dimensions.setdefault(code, []).append(dimension)
        return dimensions

    @cached_property
    def means(self) -> dict[str, Latents]:
        """The mixture's means [K, Z] of each code; empty without clusters."""
        means = getattr(self.model, "means", {})
        return {name: means[name].detach().cpu().numpy() for name in self.model.sizes if name in means}

    @cached_property
    def vertices(self) -> dict[str, Latents]:
        """The vertices [V, D] of each code's simplex; empty for a posterior that is free."""
        heads = {name: encoder.head for name, encoder in self.model.encoders.items()}
        return {n: h.vertices.detach().cpu().numpy() for n, h in heads.items() if isinstance(h, SimplexHead)}

    @cached_property
    def labelled(self) -> Indices:
        """[N] the labelled training segments; of a recipe without labels, those that a share of 1 % gives it."""
        if len(self.rows.labelled):
            return self.rows.labelled
        return choose_rows(self.data, replace(self.recipe, label_share=LABEL_SHARE)).labelled

    @cached_property
    def label_means(self) -> dict[str, Latents]:
        """The mean code [K, Z] of the `labelled` segments of each class, for a model without clusters.

        Empty where there are no segments of one kind.
        """
        labelled, kinds = self.labelled, range(labels.count(self.recipe.label_edges))
        label = self.classes[labelled]
        if len(np.unique(label)) < len(kinds):
            return {}
        codes = self.encode(labelled)
        return {name: np.stack([code[label == c].mean(0) for c in kinds]) for name, code in codes.items()}

    @cached_property
    def classes(self) -> Indices:
        """[N] the class of every segment of the data set by the label that the recipe names, -1 without one."""
        return labels.classes(self.data, self.recipe.label, self.recipe.label_edges)

    def class_probabilities(self, codes: dict[str, Latents], means: dict[str, Latents]) -> Floats:
        """[S, K] probability of each class, the mean over the codes."""
        return np.asarray(np.mean([class_probabilities(code, means[n]) for n, code in codes.items()], axis=0))

    def arousal(self, codes: dict[str, Latents], means: dict[str, Latents] | None = None) -> Floats:
        """[S] probability of the high cluster, the mean over the codes; with `means` in place of the mixture's."""
        means = means or self.means
        return self.class_probabilities(codes, means)[:, -1]

    @property
    def recipe(self) -> Recipe:
        """The recipe that the checkpoint was trained with."""
        return recipes.check(dict(self.config["recipe"]))

    @cached_property
    def rows(self) -> Rows:
        """The segments that it was trained on, and those with labels among them."""
        return choose_rows(self.data, self.recipe)

    def corpus_rows(self, split: str) -> Indices:
        """[N] the segments of a split in the corpora that the model reconstructs. Raises FadernetsError for none."""
        recipe = self.config["recipe"]
        left_out = () if recipe.get("reconstruct_labelled") else recipe["label_corpora"]
        return self._rows_of(split, [c for c in self._corpora if c not in left_out])

    def measured_rows(self, split: str) -> Indices:
        """[N] the segments of a split that Table 1 is measured on. Raises FadernetsError for none.

        Its caption has the test split of the performances alone, so corpora that give labels are left out whether they
        are reconstructed or not; unless the model knows no others.
        """
        label_corpora = self.config["recipe"]["label_corpora"]
        return self._rows_of(split, [c for c in self._corpora if c not in label_corpora] or self._corpora)

    @property
    def _corpora(self) -> list[str]:
        """The corpora that the recipe names, those that give labels among them."""
        return list(self.config["recipe"]["corpora"] or self.data.manifest["corpora"])

    def _rows_of(self, split: str, corpora: list[str]) -> Indices:
        rows = np.sort(np.concatenate([self.data.select(split=split, corpus=c) for c in corpora]))
        if not len(rows):
            raise FadernetsError(f"{self.data.folder}: has no {split} segments; prepare it with more pieces")
        return rows

    def labelled_rows(self, split: str) -> Indices:
        """[N] the segments of a split in the corpora that labels come from."""
        recipe, names = self.config["recipe"], self.data.manifest["corpora"]
        parts = [self.data.select(split=split, corpus=c) for c in recipe["label_corpora"] if c in names]
        return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)

    # --- encode

    def inputs(self, rows: Indices) -> tuple[torch.Tensor, torch.Tensor]:
        """Segments in the codec's own form and their lengths [S], as the encoders take them."""
        lengths = self.data.lengths(rows)
        inputs = self.coding.inputs(np.array(self.data.codes[rows]), int(lengths.max()))
        return inputs.to(self.device), torch.from_numpy(lengths).to(self.device)

    def encode(self, rows: Indices, fast: bool = False) -> dict[str, Latents]:
        """Posterior means [S, Z] of each code; with `fast` in the precision of training."""
        return self.posteriors(rows, fast)[0]

    def deviations(self, rows: Indices) -> dict[str, Latents]:
        """Standard deviations [S, Z] of the posteriors of each code."""
        return self.posteriors(rows, fast=False)[1]

    @torch.no_grad()
    def posteriors(self, rows: Indices, fast: bool = False) -> tuple[dict[str, Latents], dict[str, Latents]]:
        """Means and standard deviations [S, Z] of the posteriors of each code; `fast` as in `encode`."""
        order = np.argsort(self.data.lengths(rows), kind="stable")
        means: dict[str, list[Latents]] = {name: [] for name in self.model.sizes}
        deviations: dict[str, list[Latents]] = {name: [] for name in self.model.sizes}
        bf16 = fast and auto_precision(self.device) != "32-true"
        values = np.asarray(self.data.attributes[rows], np.float32)
        for a in range(0, len(rows), ENCODE):
            part = order[a : a + ENCODE]
            inputs, lengths = self.inputs(rows[part])
            given = torch.from_numpy(values[part]).to(self.device)
            with torch.autocast(self.device, torch.bfloat16, enabled=bf16):
                for name, q in self.model.encode(inputs, lengths, given).items():
                    means[name].append(q.mean.cpu().numpy())
                    deviations[name].append((0.5 * q.log_variance).exp().cpu().numpy())
        back = np.argsort(order, kind="stable")
        both = ({name: np.concatenate(parts)[back] for name, parts in found.items()} for found in (means, deviations))
        return next(both), next(both)

    def segments(self, rows: Indices) -> HeldOutSegments:
        """These segments of the data set with their codes; on the grid, which has no time, a segment lasts 2 s."""
        seconds = np.full(len(rows), 2.0) if self.data.seconds is None else np.asarray(self.data.seconds[rows])
        return HeldOutSegments(
            rows,
            self.data.cells(rows),
            np.asarray(self.data.attributes[rows], np.float64),
            np.asarray(self.data.key[rows], np.int64),
            seconds.astype(np.float64),
            self.encode(rows),
        )

    @cached_property
    def measured_training_rows(self) -> Indices:
        """[S] the segments that it was trained on, of the corpora of `measured_rows`."""
        train = self.rows.train
        return train[np.isin(train, self.measured_rows("train"))]

    @cached_property
    def training(self) -> tuple[Floats, dict[str, Floats]]:
        """Attribute values [S, A] of `measured_training_rows` and each fader's z^d there [S].

        z^d of every training segment is kept in the folder.
        """
        zd = self._training_zd() if self.model.faders else {}
        measured = np.isin(self.rows.train, self.measured_training_rows)
        values = np.asarray(self.data.attributes[self.measured_training_rows], np.float64)
        return values, {name: positions[measured] for name, positions in zd.items()}

    def _training_zd(self) -> dict[str, Floats]:
        """Each fader's z^d of all training segments, from the folder or put there."""
        rows = self.rows.train
        digest = hashlib.sha256((self.path / "model.safetensors").read_bytes()).hexdigest()[:16]
        store = self.folder / f"zd-{digest}.npz"
        if store.exists():
            with np.load(store) as stored:
                return {name: stored[name] for name in self.model.faders}
        codes = self.encode(rows, fast=True)
        zd: dict[str, Any] = {
            name: codes[code][:, d].astype(np.float64) for name, (code, d) in self.model.faders.items()
        }
        packed = io.BytesIO()
        np.savez(packed, **zd)
        write_atomic(store, packed.getvalue())
        return zd

    # --- decode

    def tensors(
        self, segments: HeldOutSegments, codes: dict[str, Latents], asked: Floats, part: slice | Indices
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
        """Codes, key (one-hot) and asked values of a part of the segments, as the decoder takes them."""
        given = {n: torch.from_numpy(np.ascontiguousarray(c[part])).to(self.device) for n, c in codes.items()}
        key = torch.nn.functional.one_hot(torch.from_numpy(segments.key[part]), 24).float().to(self.device)
        return given, key, torch.from_numpy(asked[part].astype(np.float32)).to(self.device)

    @torch.no_grad()
    def decode(self, segments: HeldOutSegments, codes: dict[str, Latents], asked: Floats) -> Outputs:
        """One free decode of each segment with these codes and asked values [S, A]: Outputs [S, 1, ...]."""
        raw: list[Array] = []
        cells: list[Cells] = []
        for a in range(0, len(segments.rows), DECODE):
            part = slice(a, a + DECODE)
            held = self.coding.held(self.inputs(segments.rows[part])[0])
            out = self.model.decode(*self.tensors(segments, codes, asked, part), held)
            raw.append(out.cpu().numpy().astype(np.int16))
            cells.append(self.coding.cells(out, segments.seconds[part]))
        return Outputs(np.concatenate(raw)[:, None], np.concatenate(cells)[:, None])

    def slide(self, segments: HeldOutSegments, attribute: str, positions: Floats) -> Outputs:
        """Outputs [S, T, ...] of every segment with its fader at the positions [T], or at its own positions [S, T]."""
        s, t = len(segments.rows), positions.shape[-1]
        where = np.broadcast_to(positions, (s, t)).reshape(-1)
        repeated = segments.take(np.repeat(np.arange(s), t))
        codes, asked = dict(repeated.codes), repeated.values.copy()
        if self.faders[attribute] == "given":
            asked[:, list(CODED).index(attribute)] = where
        else:
            name, dimension = self.model.faders[attribute]
            codes[name] = codes[name].copy()
            codes[name][:, dimension] = where
            if self.model.given:  # the decoder is also told the level that the dimension stands for
                asked[:, list(CODED).index(attribute)] = self.training_curve(attribute).to_value(where)
        out = self.decode(repeated, codes, asked)
        return Outputs(out.raw.reshape(s, t, *out.raw.shape[2:]), out.cells.reshape(s, t, *out.cells.shape[2:]))

    def training_curve(self, attribute: str) -> Calibration:
        """The monotone curve between an attribute and its z^d over `measured_training_rows`."""
        values, zd = self.training
        return Calibration.fit(values[:, list(CODED).index(attribute)], zd[attribute])
