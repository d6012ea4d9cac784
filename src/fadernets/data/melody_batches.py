"""Batches of melody clips: transposition, and the augmentation functions of the NIME paper.

B clips of 32 states (`melody`). Every draw is a pure function of the seed and the step, so that a run can resume.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fadernets.arrays import Array, Floats32, Indices, States
from fadernets.codecs import melody_states
from fadernets.data.batches import check_shares
from fadernets.data.dataset import Dataset
from fadernets.data.row_sources import LISTED, Runs, is_streamed, permuted

FURTHEST = 12  # semitones that a moved clip is transposed by
DOUBLINGS = (-1, 1, 2)  # of onsets that a moved clip has


@dataclass
class MelodyBatch:
    """Clips to rebuild and the same clips under an augmentation."""

    inputs: Tensor  # [B, 32] states
    moved: Tensor  # [M, 32] what an augmentation makes of the first M of them: half, or none
    amount: Tensor  # [M, 2] by how much: semitones, doublings

    @property
    def reconstructed(self) -> int:
        """How many clips a step rebuilds: the loss is per one of them."""
        return len(self.inputs)


class MelodySampler:
    """Draws the batches of one run: a shuffled pass over the rows a time, seeded by the epoch.

    Process `rank` of `of` gets its share of each batch, every `of`-th row. Raises FadernetsError for a batch that
    cannot be shared evenly.
    """

    def __init__(
        self,
        data: Dataset,
        rows: Indices,
        *,
        batch: int,
        transpose: bool = True,
        augment: bool = False,
        seed: int = 0,
        device: torch.device | str = "cpu",
        rank: int = 0,
        of: int = 1,
    ) -> None:
        check_shares(batch // 2 if augment else batch, 0, of)
        self.rank, self.of = rank, of
        self.count = len(rows)
        self._codes: Array | None = None if is_streamed(data, len(rows)) else np.asarray(data.codes[rows])
        self._data, self._rows = data, Runs(rows)
        self.batch, self.transpose, self.augment, self.seed = batch, transpose, augment, seed
        self.device = torch.device(device)

    @property
    def batches(self) -> int:
        """Batches an epoch; the last, smaller one is left out."""
        return max(self.count // self.batch, 1)

    def draw(self, step: int) -> MelodyBatch:
        """The batch of a step: transposed by -5..6 semitones each, its first half under an augmentation as well."""
        epoch, place = divmod(step, self.batches)
        clips = self._clips(self._places(epoch, place * self.batch, min((place + 1) * self.batch, self.count)))
        random = np.random.default_rng([self.seed, step, 1])
        if self.transpose:
            clips = shifted(clips, random.integers(-5, 7, len(clips)))
        moved, amount = augmented(clips[: len(clips) // 2 if self.augment else 0], random)
        own = slice(self.rank, None, self.of)
        states, others = (torch.from_numpy(each[own].astype(np.int64)).to(self.device) for each in (clips, moved))
        return MelodyBatch(states, others, torch.from_numpy(amount[own]).to(self.device))

    def _places(self, epoch: int, first: int, last: int) -> Indices:
        """Which rows are number `first` to `last` - 1 of an epoch."""
        if self.count > LISTED:
            return permuted(np.arange(first, last), self.count, self.seed, epoch)
        if getattr(self, "_epoch", None) != epoch:
            self._epoch = epoch
            self._order = np.random.default_rng([self.seed, epoch]).permutation(self.count)
        return np.asarray(self._order[first:last])

    def _clips(self, places: Indices) -> States:
        """The clips of these rows."""
        return np.asarray(self._data.codes[self._rows[places]] if self._codes is None else self._codes[places])


def shifted(clips: States, semitones: Indices) -> States:
    """[B, 32] each transposed by its own semitones [B]; one that would leave 0..127 stays."""
    onset = clips < melody_states.ONSETS
    moved = clips.astype(np.int64) + semitones[:, None]
    fits = (~onset | ((moved >= 0) & (moved < melody_states.ONSETS))).all(-1, keepdims=True)
    return np.where(onset & fits, moved, clips).astype(np.uint8)


def augmented(clips: States, random: np.random.Generator) -> tuple[States, Floats32]:
    """[B, 32] each clip under an augmentation of its own, and by how much [B, 2]: half of them transposed, half with
    their notes split or merged; a rhythm counts by what came of it, log2 of the ratio of onsets."""
    amount = np.zeros((len(clips), 2), np.float32)
    in_pitch = random.random(len(clips)) < 0.5
    semitones = random.integers(-FURTHEST, FURTHEST + 1, len(clips))
    moved = np.where(in_pitch[:, None], shifted(clips, semitones), clips).astype(np.uint8)
    amount[:, 0] = np.where((moved != clips).any(-1), semitones, 0)
    doublings = random.choice(DOUBLINGS, len(clips))
    for d in DOUBLINGS:
        rows = np.flatnonzero(~in_pitch & (doublings == d))
        moved[rows] = melody_states.split(clips[rows], 2**d) if d > 0 else melody_states.merge(clips[rows], 2.0**d)
        amount[rows, 1] = np.log2(melody_states.onsets(moved[rows]) / np.maximum(melody_states.onsets(clips[rows]), 1))
    return moved, amount
