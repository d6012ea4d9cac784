"""Batches from a prepared data set, made on the training device: unpacking, transposition, pairs.

Small data sets lie there whole, of large ones the rows of a batch (`row_sources`).

A batch holds B rows to reconstruct and, behind them, L labelled rows that enter the cluster and
regulariser terms alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from fadernets.arrays import Indices
from fadernets.attributes.step_counts import StepCount
from fadernets.attributes.table import CODED, CodedAttribute
from fadernets.codecs import performance_tokens
from fadernets.codecs.base import imported
from fadernets.codecs.grid import PITCHES
from fadernets.data import labels as labels_of
from fadernets.data.dataset import Dataset
from fadernets.data.pairs import find_pairs
from fadernets.data.row_sources import Copied, EpochOrder, Streamed, is_streamed
from fadernets.errors import FadernetsError
from fadernets.music.segments import STEPS

Coded = Mapping[str, CodedAttribute]  # the faders of a data set or a model, by name
TRANSPOSE_DOWN, TRANSPOSE_UP = -5, 6  # semitones: the twelve keys, none of them twice


@dataclass
class Batch:
    """B reconstructed rows, then L labelled ones; N = B + L.

    On the grid inputs and targets are planes [.., 2, 16, 88] of 0 and 1, of tokens rows [.., T] padded with PAD.
    """

    inputs: Tensor  # [N, ...]
    lengths: Tensor  # [N] steps or tokens
    targets: Tensor  # [B, ...], the source itself unless the row is paired
    paired: Tensor | None  # indices of rows whose target is another segment
    key: Tensor  # [B, 24] one-hot
    label: Tensor  # [N] 0 low, 1 high, -1 unlabelled
    symbols: dict[str, Tensor]  # attribute -> [N, 16], as its row counts
    values: Tensor  # [N, A] the attributes, in the order of the rows
    target_values: Tensor  # [B, A]

    @property
    def reconstructed(self) -> int:
        """B, the number of rows to reconstruct."""
        return len(self.targets)

    @property
    def target_lengths(self) -> Tensor:
        """[B] steps or tokens of the targets."""
        return self.lengths[: len(self.targets)]


def unpack(packed: Tensor) -> Tensor:
    """[B, 352] bytes (grid.pack) -> planes [B, 2, 16, 88] of 0 and 1, float."""
    shifts = torch.arange(7, -1, -1, device=packed.device, dtype=torch.uint8)
    bits = (packed[:, :, None] >> shifts) & 1
    return bits.view(-1, 2, STEPS, PITCHES).float()


def transpose(planes: Tensor, semitones: Tensor) -> Tensor:
    """Shift each row of planes [B, 2, 16, 88] by its semitones [B]; notes that leave the keyboard are lost."""
    source = torch.arange(PITCHES, device=planes.device) - semitones[:, None]  # [B, 88]
    inside = (source >= 0) & (source < PITCHES)
    index = source.clamp(0, PITCHES - 1)[:, None, None].expand(-1, 2, STEPS, -1)
    return planes.gather(3, index) * inside[:, None, None]


def step_counts(cells: Tensor, rows: Coded) -> Tensor:
    """[..., A] what each row counts in the cells [..., 2, 88] of a step."""
    return torch.stack([_counts(row.count, cells) for row in rows.values()], -1)


def _counts(count: StepCount, cells: Tensor) -> Tensor:
    """[...] one row's count in the cells [..., 2, 88] of a step."""
    if not count.holds and count.limit == 1:
        return cells[..., 0, count.low : count.high].amax(-1)
    part = cells if count.holds else cells[..., :1, :]
    return part[..., count.low : count.high].sum((-1, -2)).clamp(max=count.limit)


def symbols_of(planes: Tensor, rows: Coded) -> dict[str, Tensor]:
    """Attribute -> symbols [B, 16] of planes [B, 2, 16, 88]: as `StepCount.symbols`, on tensors."""
    found = {}
    for name, row in rows.items():
        if row.count.states:
            onset, hold = planes[..., row.count.low : row.count.high].amax(-1).unbind(1)
            found[name] = torch.where(onset > 0, 1, torch.where(hold > 0, 2, 0))
        else:
            found[name] = _counts(row.count, planes.transpose(1, 2)).long()
    return found


def values_of(symbols: dict[str, Tensor], rows: Coded) -> Tensor:
    """[N, A] the attributes that symbols [N, 16] stand for: means over the steps."""
    steps = ((symbols[name] == 1) if row.count.states else symbols[name] for name, row in rows.items())
    return torch.stack([each.float().mean(1) for each in steps], -1)


@dataclass
class Drawn:
    """Which rows a batch holds and what is done to them; positions are those in the rows that were loaded."""

    rows: Tensor  # [N] B to reconstruct, then the labelled ones
    reconstructed: int  # B
    shift: Tensor  # [N] semitones to transpose by
    key: Tensor  # [B] 0..23, before the transposition
    label: Tensor  # [N]
    paired: Tensor | None = None  # [Q] positions in the batch whose target is another segment
    partners: Tensor | None = None  # [Q] that segment


class Rows(Protocol):
    """The codes of a data set on the training device, as batches of one codec: what `Codec.batches` names.

    Small data sets are loaded once; of large ones only the rows of a batch, for that batch (`row_sources`).
    """

    def __init__(self, data: Dataset, chosen: Indices, device: torch.device) -> None:
        """Load the segments `chosen` [M] of a data set."""

    def batch(self, drawn: Drawn) -> Batch:
        """The batch of what was drawn."""


class GridRows:
    """Packed cells, unpacked and transposed on the device; attributes are measured after that."""

    def __init__(self, data: Dataset, chosen: Indices, device: torch.device) -> None:
        self.coded = data.coded
        self.codes = torch.from_numpy(np.array(data.codes[chosen])).to(device)

    def batch(self, drawn: Drawn) -> Batch:
        """The batch of what was drawn: planes, some of whose targets are partners."""
        planes = transpose(unpack(self.codes[drawn.rows]), drawn.shift)
        n = drawn.reconstructed
        targets = planes[:n]
        if drawn.paired is not None and drawn.partners is not None:
            targets = targets.clone()
            targets[drawn.paired] = transpose(unpack(self.codes[drawn.partners]), drawn.shift[drawn.paired])
        return grid_batch(planes, targets, drawn.paired, drawn.key, drawn.shift[:n], drawn.label, self.coded)


def grid_batch(
    planes: Tensor,
    targets: Tensor,
    paired: Tensor | None,
    keys: Tensor,
    shift: Tensor,
    label: Tensor,
    coded: Coded = CODED,
) -> Batch:
    """A batch of planes [N, 2, 16, 88] with targets [B, 2, 16, 88], its attributes measured on the planes themselves.

    keys [B] of 0..23 before the transposition by `shift` [B] semitones; label [N].
    """
    symbols = symbols_of(planes, coded)
    return Batch(
        inputs=planes,
        lengths=torch.full((len(planes),), STEPS, device=planes.device),
        targets=targets,
        paired=paired,
        key=one_hot(keys, shift),
        label=label,
        symbols=symbols,
        values=values_of(symbols, coded),
        target_values=values_of(symbols_of(targets, coded), coded),
    )


class TokenRows:
    """Token rows with the symbols of their grids, measured when they are loaded: the device cannot read them there."""

    def __init__(self, data: Dataset, chosen: Indices, device: torch.device) -> None:
        self.codes = torch.from_numpy(data.codes[chosen].astype(np.int64)).to(device)
        self.lengths = torch.from_numpy(data.lengths(chosen)).to(device)
        blocks = [data.cells(chosen[a : a + 4096]) for a in range(0, len(chosen), 4096)]
        self.coded = data.coded
        self.symbols = {
            name: torch.from_numpy(np.concatenate([row.count.symbols(cells) for cells in blocks])).to(device)
            for name, row in self.coded.items()
        }

    def batch(self, drawn: Drawn) -> Batch:
        """The batch of what was drawn: rows cut to the longest one."""
        every, n = drawn.rows, drawn.reconstructed
        lengths = self.lengths[every]
        rows, shift = transpose_tokens(self.codes[every, : int(lengths.max())], drawn.shift)
        symbols = {name: each[every].long() for name, each in self.symbols.items()}
        values = values_of(symbols, self.coded)
        return Batch(
            inputs=rows,
            lengths=lengths,
            targets=rows[:n, : int(lengths[:n].max())],
            paired=None,
            key=one_hot(drawn.key, shift[:n]),
            label=drawn.label,
            symbols=symbols,
            values=values,
            target_values=values[:n],
        )


class Sampler:
    """Draws the batches of one run: a shuffled pass over the rows a time, seeded by the epoch.

    `pairs` is the share of rows whose target is another segment of the same piece with like harmony
    and unlike density; `labels` the number of labelled rows a batch, which follow its rows; `among` says that the
    labelled rows are some of the rows themselves, whose labels are known where no other's is; `classes` are those of
    all segments of the data set (default: of arousal, as in the paper). Process `rank` of `of` gets its share of each
    batch, every `of`-th row. Raises FadernetsError for
    pairs over a codec that has none, and for a batch that cannot be shared evenly.
    """

    def __init__(
        self,
        data: Dataset,
        rows: Indices,
        labelled: Indices,
        *,
        batch: int,
        labels: int = 0,
        among: bool = False,
        classes: Indices | None = None,
        pairs: float = 0.0,
        transpose: bool = True,
        seed: int = 0,
        device: torch.device | str = "cpu",
        rank: int = 0,
        of: int = 1,
    ) -> None:
        check_shares(batch, labels if len(labelled) else 0, of)
        self.device = torch.device(device)
        self.rank, self.of = rank, of
        self.batch, self.labels, self.pair_share = batch, labels if len(labelled) else 0, pairs
        self.transpose, self.seed = transpose, seed
        if among and labels:
            raise FadernetsError(f"labels {labels}: labelled rows that lie among the others are not added to them")
        chosen = rows if among or not len(labelled) else np.concatenate([rows, labelled])
        if pairs > 0 and not data.codec.pairs:
            raise FadernetsError(f"pairs {pairs:g}: pairs of like bars need the grid; {data.folder} holds {data.codec}")
        make, streams = imported(data.codec.batches), is_streamed(data, len(chosen))
        label: Indices | None = None
        if among or classes is not None or not streams:
            label = labels_of.classes(data)[chosen] if classes is None else classes[chosen]
        if among and label is not None:
            label[~np.isin(rows, labelled)] = -1
        self.source: Copied | Streamed
        if streams:
            self.source = Streamed(make, data, chosen, label, self.device)
        else:
            self.source = Copied(make, data, chosen, np.asarray(label), self.device)
        self.n, self.n_labelled = len(rows), 0 if among else len(labelled)
        self.order = EpochOrder(self.n, seed)
        self.partners, self.first = None, None
        if pairs > 0:
            partners, first = find_pairs(data, rows, on_disk=streams)
            there = torch.device("cpu") if streams else self.device
            self.partners = torch.from_numpy(partners).to(there)
            self.first = torch.from_numpy(first).to(there)

    @property
    def batches(self) -> int:
        """Batches an epoch; the last, smaller one is left out."""
        return max(self.n // self.batch, 1)

    def draw(self, step: int) -> Batch:
        """The batch of a step: a pure function of the seed and the step, so that a run can resume."""
        epoch, place = divmod(step, self.batches)
        rows = self.order.rows(epoch, place * self.batch, (place + 1) * self.batch).to(self.device)
        random = torch.Generator().manual_seed((self.seed * 1_000_003 + step) * 2 + 1)
        label_rows = torch.randint(self.n, self.n + max(self.n_labelled, 1), (self.labels,), generator=random)
        every = torch.cat([rows, label_rows.to(self.device)])
        shift = torch.zeros(len(every), dtype=torch.int64)
        if self.transpose:
            shift = torch.randint(TRANSPOSE_DOWN, TRANSPOSE_UP + 1, (len(every),), generator=random)
        own = slice(self.rank, None, self.of)
        mine = every[own]
        keys, label = self.source.keys(rows[own]), self.source.label(mine)
        drawn = Drawn(mine, len(rows[own]), shift[own].to(self.device), keys, label)
        if self.partners is not None and self.first is not None:
            there = rows.to(self.first.device)
            begin, count = self.first[there], self.first[there + 1] - self.first[there]
            wanted = torch.rand(len(rows), generator=random).to(there.device) < self.pair_share
            pick = torch.rand(len(rows), generator=random).to(there.device)
            paired = torch.nonzero((count > 0) & wanted).flatten()
            paired = paired[paired % self.of == self.rank]
            which = begin[paired] + (pick[paired] * count[paired]).long()
            drawn.paired = (paired // self.of).to(self.device)
            drawn.partners = self.partners[which].to(self.device)
        return self.source.batch(drawn)


def check_shares(batch: int, labels: int, of: int) -> None:
    """Raises FadernetsError for a batch whose rows, or labelled rows, `of` processes cannot share evenly."""
    for name, rows in (("batch", batch), ("labels", labels)):
        if rows % of:
            raise FadernetsError(f"{name} {rows}: {of} processes cannot share it evenly")


def one_hot(keys: Tensor, shift: Tensor) -> Tensor:
    """[B, 24] keys [B] of 0..23, transposed by semitones [B]."""
    return torch.nn.functional.one_hot((keys + shift) % 12 + 12 * (keys // 12), 24).float()


def transpose_tokens(rows: Tensor, semitones: Tensor) -> tuple[Tensor, Tensor]:
    """Shift the notes of token rows [N, T] by semitones [N]; a row that would leave the keyboard stays.

    Returns the rows and the semitones that each was shifted by.
    """
    note = (rows >= performance_tokens.NOTE_ON) & (rows < performance_tokens.TIME_SHIFT)
    key = (
        torch.where(
            rows < performance_tokens.NOTE_OFF, rows - performance_tokens.NOTE_ON, rows - performance_tokens.NOTE_OFF
        )
        + semitones[:, None]
    )
    leaves = (((key < 0) | (key >= PITCHES)) & note).any(1)
    semitones = semitones.masked_fill(leaves, 0)
    return torch.where(note, rows + semitones[:, None], rows), semitones
