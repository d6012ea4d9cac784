"""Where a sampler's rows come from: copied to the training device once, or drawn from the shards batch by batch.

Up to COPIED_BYTES of codes are copied: fast, and what a process holds grows with them. Beyond that a batch's rows are
read from memory-mapped shards, and what is held is the same for any number of segments: row numbers are kept as runs,
and the order of a large epoch is a function and no list. Batches are the same either way. M rows, N of a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from fadernets.arrays import Indices
from fadernets.data import labels
from fadernets.data.dataset import Dataset

if TYPE_CHECKING:
    from fadernets.data.batches import Batch, Drawn, Rows

COPIED_BYTES = 512 * 2**20  # codes on disk: some 1.5 million segments of the grid
LISTED = 2**22  # rows whose order in an epoch is a list, of 32 MB; that of more is computed
FEISTEL_ROUNDS = 6  # of the permutation that orders more: four already pass for random
AT_ONCE = 2**16  # row numbers that are looked at together


def is_streamed(data: Dataset, rows: int) -> bool:
    """Whether so many rows of a data set are drawn from its shards, and not copied to the device."""
    return rows * data.codec.columns * data.codec.dtype.itemsize > COPIED_BYTES


class Runs:
    """Row numbers [M] as runs of neighbours: pieces lie together, so that a run is a piece or more."""

    def __init__(self, rows: Indices) -> None:
        starts = [np.zeros(min(len(rows), 1), np.int64)]
        for a in range(0, len(rows) - 1, AT_ONCE):
            starts.append(np.flatnonzero(np.diff(rows[a : a + AT_ONCE + 1]) != 1) + a + 1)
        self.place = np.concatenate(starts)  # position of the first row of each run
        self.row = np.asarray(rows[self.place], np.int64)  # number of that row
        self.count = len(rows)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, positions: Indices) -> Indices:
        """The row numbers at these positions."""
        run = np.searchsorted(self.place, positions, side="right") - 1
        return np.asarray(self.row[run] + positions - self.place[run])


class Copied:
    """All rows on the device."""

    def __init__(
        self, make: Callable[..., Rows], data: Dataset, chosen: Indices, label: Indices, device: torch.device
    ) -> None:
        """`chosen` [M] are segments of the data set, `label` [M] their classes; `make` is the codec's rows."""
        self.codes = make(data, chosen, device)
        self._keys = torch.from_numpy(np.array(data.key[chosen]).astype(np.int64)).to(device)
        self._label = torch.from_numpy(label).to(device)

    def keys(self, positions: Tensor) -> Tensor:
        """[N] keys of the rows at these positions."""
        return self._keys[positions]

    def label(self, positions: Tensor) -> Tensor:
        """[N] their classes."""
        return self._label[positions]

    def batch(self, drawn: Drawn) -> Batch:
        """The batch of what was drawn."""
        return self.codes.batch(drawn)


class Streamed:
    """The rows of one batch at a time, from the shards."""

    def __init__(
        self, make: Callable[..., Rows], data: Dataset, chosen: Indices, label: Indices | None, device: torch.device
    ) -> None:
        """As `Copied`; without `label` classes are those of arousal."""
        self.make, self.data, self.device = make, data, device
        self.chosen = Runs(chosen)
        self._classes = None if label is None else label.astype(np.min_scalar_type(-int(label.max(initial=0)) - 1))

    def keys(self, positions: Tensor) -> Tensor:
        """[N] keys of the rows at these positions."""
        rows = self.chosen[positions.cpu().numpy()]
        return torch.from_numpy(self.data.key[rows].astype(np.int64)).to(self.device)

    def label(self, positions: Tensor) -> Tensor:
        """[N] their classes."""
        at = positions.cpu().numpy()
        found = labels.classes_of(self.data.arousal[self.chosen[at]]) if self._classes is None else self._classes[at]
        return torch.from_numpy(found.astype(np.int64)).to(self.device)

    def batch(self, drawn: Drawn) -> Batch:
        """The batch of what was drawn, from its rows and their partners alone."""
        asked = drawn.rows if drawn.partners is None else torch.cat([drawn.rows, drawn.partners])
        needed, places = np.unique(asked.cpu().numpy(), return_inverse=True)
        at = torch.from_numpy(places).to(self.device)
        codes = self.make(self.data, self.chosen[needed], self.device)
        changed: dict[str, Any] = {"rows": at[: len(drawn.rows)]}
        if drawn.partners is not None:
            changed["partners"] = at[len(drawn.rows) :]
        return codes.batch(replace(drawn, **changed))


class EpochOrder:
    """The order of M rows in each epoch, by seed: a pure function of both."""

    def __init__(self, count: int, seed: int) -> None:
        self.count, self.seed = count, seed
        self._epoch, self._listed = -1, torch.empty(0, dtype=torch.int64)

    def rows(self, epoch: int, first: int, last: int) -> Tensor:
        """The positions of the rows number `first` to `last` - 1 of an epoch."""
        if self.count > LISTED:
            return torch.from_numpy(permuted(np.arange(first, min(last, self.count)), self.count, self.seed, epoch))
        if self._epoch != epoch:
            order = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
            self._epoch, self._listed = epoch, torch.randperm(self.count, generator=order)
        return self._listed[first:last]


def permuted(places: Indices, count: int, seed: int, epoch: int) -> Indices:
    """Where a permutation of 0..count - 1 puts these places: a Feistel network on the bits of a place.

    The network permutes 4^k numbers, the smallest such power that is at least `count`; what falls outside is sent
    through it again until it falls inside (Black and Rogaway 2002, "Ciphers with arbitrary finite domains").
    """
    half = max((max(count - 1, 1).bit_length() + 1) // 2, 1)
    mask = np.uint64(2**half - 1)
    keys = np.random.SeedSequence([seed, epoch]).generate_state(FEISTEL_ROUNDS, np.uint64)
    found = places.astype(np.uint64)
    todo = np.arange(len(found))
    while len(todo):
        left, right = found[todo] >> np.uint64(half), found[todo] & mask
        for key in keys:
            left, right = right, left ^ (_mixed(right ^ key) & mask)
        found[todo] = left << np.uint64(half) | right
        todo = todo[found[todo] >= count]
    return found.astype(np.int64)


def _mixed(values: Any) -> Any:
    """Each 64-bit number as another that looks random (the finaliser of SplitMix64)."""
    values = (values ^ values >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ values >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return values ^ values >> np.uint64(31)
