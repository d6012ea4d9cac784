"""Batches of passages as arrays: what the rewriter reads at every step, and what is left to place.

B passages of T steps, P = 88 pitches. A passage begins with `CONTEXT` steps of other segments of its piece
(`retrieved`) and goes on with segments that are rewritten or, where `fixed`, stay as they are. Everything is NumPy:
training and edits share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fadernets.arrays import Bools, Cells, Floats32, Integers
from fadernets.codecs.grid import HOLD, OFF, ONSET, PITCHES
from fadernets.data.passages import LENGTH, MAX_VOICES, Steps, previous_bar

CONTEXT = 48  # steps of retrieved segments before a passage
CONTROLS = 17  # features of `controls`
LEFT = 7  # features of `left`
UNKNOWN = -1.0  # a kept share that is not asked for
SILENT, STRUCK, OPEN = 0, 1, -1  # what is planned of a step: no onset, an onset, nothing
FARTHEST = 16.0  # sixteenths to the next planned onset, at most


@dataclass(frozen=True)
class PassageBatch:
    """B passages of T steps."""

    source: Cells  # [B, T, 88] of the tracks that are rewritten
    target: Cells  # [B, T, 88] what they become; while it is not known, the source
    context: Cells  # [B, T, 88] of the other tracks
    steps: Steps  # fields [B, T]; `segment` counts from 0 in each row, -1 behind the end
    fixed: Bools  # [B, T] steps of segments that stay
    retrieved: Bools  # [B, T]
    previous: Integers  # [B, T] the step one segment before at the same place, -1 for none
    kept: Floats32  # [B] share of the notes that source and target have in common, of the most they could; or UNKNOWN
    plan: Integers  # [B, T] SILENT, STRUCK or OPEN

    @property
    def padding(self) -> Bools:
        """[B, T] steps behind the end of a passage."""
        return np.asarray(self.steps.segment < 0)

    @property
    def opens(self) -> Bools:
        """[B, T] steps with which a segment opens; each row opens one, and so do the steps behind its end."""
        s = self.steps.segment
        return np.concatenate([np.ones((len(s), 1), bool), s[:, 1:] != s[:, :-1]], axis=1)

    @property
    def time(self) -> Floats32:
        """[B, T] sixteenths from the first step of the passage, below 0 in what was retrieved."""
        length = self.steps.sixteenths
        start = np.cumsum(length, axis=1) - length
        return np.asarray(start - (length * self.retrieved).sum(1, keepdims=True), np.float32)

    def take(self, rows: Integers | slice) -> PassageBatch:
        """Some of the passages."""
        values = {k: v if k == "steps" else v[rows] for k, v in vars(self).items()}
        return PassageBatch(**{**values, "steps": self.steps.take(rows)})

    def with_target(self, target: Cells) -> PassageBatch:
        """The same passages with another target."""
        return replace(self, target=target)

    def with_plan(self, plan: Integers) -> PassageBatch:
        """The same passages with what is planned [B, T] of their steps."""
        return replace(self, plan=plan)

    @property
    def onsets_of_target(self) -> Integers:
        """[B, T] the plan that the target follows; OPEN in what was retrieved and behind the end."""
        struck = (self.target == ONSET).any(-1)
        return np.where(self.retrieved | self.padding, OPEN, np.where(struck, STRUCK, SILENT))


@dataclass(frozen=True)
class Row:
    """One passage before it is padded. L steps."""

    source: Cells  # [L, 88]
    target: Cells
    context: Cells
    steps: Steps  # [L]; `segment` may count as in its piece
    fixed: Bools  # [L]
    retrieved: Bools  # [L]
    kept: float = UNKNOWN


def joined(rows: Sequence[Row], length: int = CONTEXT + LENGTH) -> PassageBatch:
    """Passages of at most `length` steps, padded at the end; what is retrieved is moved up to step CONTEXT."""
    count = len(rows)
    cells: dict[str, Any] = {k: np.zeros((count, length, PITCHES), np.uint8) for k in ("source", "target", "context")}
    fields: dict[str, Any] = {k: np.zeros((count, length), np.int64) for k in Steps.__dataclass_fields__}
    fields["segment"] -= 1
    fields["sixteenths"] = np.ones((count, length), np.float32)
    flags: dict[str, Any] = {k: np.zeros((count, length), bool) for k in ("fixed", "retrieved")}
    previous = np.full((count, length), -1)
    for i, row in enumerate(rows):
        n = len(row.steps.segment)
        ahead = CONTEXT - int(row.retrieved.sum())  # an empty stretch before what was retrieved
        at = slice(ahead, ahead + n)
        for k, values in cells.items():
            values[i, at] = getattr(row, k)
        for k, values in fields.items():
            values[i, at] = getattr(row.steps, k)
        changes = np.concatenate([[True], np.diff(row.steps.segment) != 0]) if n else np.zeros(0, bool)
        fields["segment"][i, at] = np.cumsum(changes) - 1
        for k, values in flags.items():
            values[i, at] = getattr(row, k)
        flags["fixed"][i, :ahead] = flags["retrieved"][i, :ahead] = True
        before = previous_bar(row.steps)
        previous[i, at] = np.where(before >= 0, before + ahead, -1)
        first = int(row.retrieved.sum())
        previous[i, ahead + first : ahead + n][before[first:] < first] = -1
    kept = np.array([row.kept for row in rows], np.float32)
    return PassageBatch(
        cells["source"],
        cells["target"],
        cells["context"],
        Steps(**fields),
        flags["fixed"],
        flags["retrieved"],
        previous,
        kept,
        np.full((count, length), OPEN),
    )


class Densities:
    """Onset steps and sounding notes of the segments of B passages, at every step."""

    def __init__(self, batch: PassageBatch, cells: Cells) -> None:
        """Those of cells [B, T, 88] on the steps of a batch."""
        shape = cells.shape[:2]
        self.segment = np.cumsum(batch.opens.ravel()) - 1
        length = batch.steps.sixteenths.ravel()
        whole = np.bincount(self.segment, length)
        onsets = (cells == ONSET).any(-1).ravel().astype(np.float64)
        voices = np.minimum((cells != OFF).sum(-1), MAX_VOICES).ravel() * length
        self.sixteenths = whole[self.segment].reshape(shape).astype(np.float32)
        self.onsets = np.bincount(self.segment, onsets)[self.segment].reshape(shape).astype(np.float32)
        self.voices = (np.bincount(self.segment, voices) / whole)[self.segment].reshape(shape).astype(np.float32)

    @property
    def rhythm(self) -> Floats32:
        """[B, T] onset steps a sixteenth of the step's segment."""
        return self.onsets / self.sixteenths


def controls(batch: PassageBatch, onsets: Floats32, voices: Floats32) -> Floats32:
    """[B, T, CONTROLS]: what is asked of the step's segment (its onset steps and mean voices) beside what it has."""
    source = Densities(batch, batch.source)
    rhythm = onsets / source.sixteenths
    kept = np.broadcast_to(batch.kept[:, None], rhythm.shape)
    known = (kept >= 0).astype(np.float32)
    columns = (
        2 * rhythm - 1,
        voices / 4 - 0.5,
        2 * source.rhythm - 1,
        source.voices / 4 - 0.5,
        4 * (rhythm - source.rhythm),
        (voices - source.voices) / 1.5,
        batch.fixed,
        batch.retrieved,
        batch.padding,
        known,
        known * kept,
        np.log2(batch.steps.sixteenths),
        *planned(batch),
    )
    return np.stack([np.asarray(c, np.float32) for c in columns], axis=-1)


def planned(batch: PassageBatch) -> tuple[Bools | Floats32, ...]:
    """Five [B, T]: whether something is planned of the step, an onset, one in the next step or the one behind that, and
    how far the next one is, in octaves of a sixteenth."""
    known, struck = batch.plan != OPEN, batch.plan == STRUCK
    wide = np.pad(struck, ((0, 0), (0, 2)))
    starts = np.where(struck, batch.time, np.inf)
    later = np.minimum.accumulate(starts[:, ::-1], axis=1)[:, ::-1]
    later = np.concatenate([later[:, 1:], np.full((len(later), 1), np.inf)], axis=1)
    far = np.log2(np.clip(later - batch.time, 0.125, FARTHEST)) / 4
    return known, struck, wide[:, 1:-1], wide[:, 2:], np.asarray(known * far, np.float32)


@dataclass(frozen=True)
class Room:
    """What of each segment lies ahead, the step itself counted."""

    steps: Floats32  # [B, T]
    sixteenths: Floats32  # [B, T]
    share: Floats32  # [B, T] of the segment's time

    @classmethod
    def of(cls, batch: PassageBatch) -> Room:
        """That of every step."""
        segment = np.cumsum(batch.opens.ravel()) - 1
        length = batch.steps.sixteenths.ravel()
        count, whole = np.bincount(segment).astype(np.float64), np.bincount(segment, length)
        first = np.flatnonzero(batch.opens.ravel())
        number = np.arange(len(segment)) - first[segment]
        passed = np.cumsum(length) - length
        passed = passed - passed[first][segment]
        shape = batch.steps.segment.shape
        ahead = whole[segment] - passed
        return cls(
            (count[segment] - number).reshape(shape).astype(np.float32),
            ahead.reshape(shape).astype(np.float32),
            (ahead / whole[segment]).reshape(shape).astype(np.float32),
        )


def left_features(
    onsets_left: Floats32, voices_left: Floats32, sounding: Floats32, room: Room, at: slice | int = slice(None)
) -> Floats32:
    """[B, ..., LEFT] of what is still to place before a step: onset steps, and sounding notes times sixteenths."""
    steps, sixteenths, share = (getattr(room, k)[:, at] for k in ("steps", "sixteenths", "share"))
    columns = (
        onsets_left / 8,
        np.clip(onsets_left / steps, -1, 2),
        np.clip(voices_left / sixteenths / 4, -1, 3),
        share,
        onsets_left <= 0,
        sounding / 4,
        np.log2(steps) / 4,
    )
    return np.stack([np.asarray(c, np.float32) for c in columns], axis=-1)


def left(batch: PassageBatch, onsets: Floats32, voices: Floats32) -> Floats32:
    """[B, T, LEFT] what is left to place before each step when the target is written."""
    target, length = batch.target, batch.steps.sixteenths
    segment = np.cumsum(batch.opens.ravel()) - 1
    first = np.flatnonzero(batch.opens.ravel())
    struck = (target == ONSET).any(-1).ravel().astype(np.float64)
    notes = np.minimum((target != OFF).sum(-1), MAX_VOICES).astype(np.float32)
    weight = (notes * length).ravel().astype(np.float64)
    placed = [np.cumsum(x) - x for x in (struck, weight)]
    shape = target.shape[:2]
    on, sound = ((x - x[first][segment]).reshape(shape).astype(np.float32) for x in placed)
    whole = Densities(batch, target).sixteenths
    before = np.concatenate([(target[:, :1] == HOLD).sum(-1), notes[:, :-1]], axis=1)
    return left_features(onsets - on, voices * whole - sound, before, Room.of(batch))
