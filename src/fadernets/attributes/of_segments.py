"""Attributes of segments of any size: what `of_cells` measures in sixteen sixteenths, of a bar of any metre and cut.

A `Shape` says how long the steps of a segment are and how strong its metre makes them; segments of one shape are
measured together. Rhythm density is onset steps over the sixteenths that a segment lasts, so that thirty-seconds exceed
1; note density is the mean over time. A bar of 4/4 in sixteenths measures as `of_cells` measures it. W segments, T
steps of the piece, n steps of a segment, K segments of one shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fadernets.arrays import Array, Bytes, Cells, Floats, Indices, Integers
from fadernets.attributes.keys import estimate
from fadernets.attributes.of_cells import MAX_VOICES
from fadernets.attributes.table import ATTRIBUTES, Attribute
from fadernets.codecs.grid import LOW, OFF, ONSET, PITCHES
from fadernets.music.metric_grid import PLACES, MetricGrid

HIGHEST = {"rhythm_density": 2.0}  # ends of ranges that are higher than in the table: thirty-seconds throughout
AT_ONCE = 128  # segments whose pitch classes are counted at once: bounds memory
_CLASS = (np.arange(PITCHES) + LOW) % 12  # [88] the pitch class of each key of the piano


@dataclass(frozen=True)
class Shape:
    """The steps of a segment."""

    sixteenths: tuple[float, ...]  # [n] how long each is
    strengths: tuple[int, ...]  # [n] metrical strength: 0 for the segment's first step, less for each division

    @property
    def length(self) -> float:
        """How many sixteenths the segment lasts."""
        return sum(self.sixteenths)


def rhythm_density(cells: Cells, shape: Shape) -> Floats:
    """[...] the steps of cells [..., n, 88] in which a note begins, for each sixteenth that the segment lasts."""
    return np.asarray((cells == ONSET).any(axis=-1).sum(axis=-1) / shape.length)


def note_density(cells: Cells, shape: Shape) -> Floats:
    """[...] the mean over time of how many notes of cells [..., n, 88] sound, at most 15 counted."""
    voices = np.minimum((cells != OFF).sum(axis=-1), MAX_VOICES)
    return np.asarray(voices @ np.asarray(shape.sixteenths) / shape.length)


def pitch_classes(cells: Cells, shape: Shape) -> Floats:
    """[..., 12] for how many sixteenths each pitch class of cells [..., n, 88] sounds, from C on."""
    flat, length = cells.reshape(-1, *cells.shape[-2:]), np.asarray(shape.sixteenths)
    time = np.empty((len(flat), cells.shape[-1]))
    for a in range(0, len(flat), AT_ONCE):
        sounds = (flat[a : a + AT_ONCE] != OFF).astype(np.float64)
        time[a : a + AT_ONCE] = np.einsum("snp,n->sp", sounds, length)
    return np.asarray((time @ (_CLASS[:, None] == np.arange(12))).reshape(*cells.shape[:-2], 12))


def key(cells: Cells, shape: Shape) -> Bytes:
    """[K] the estimated key of cells [K, n, 88], 0..23."""
    return estimate(pitch_classes(cells, shape))


def syncopation(cells: Cells, shape: Shape) -> Floats:
    """[...] how much stronger the steps without an onset are than the onsets before them, as `of_cells.syncopation`."""
    onsets = (cells == ONSET).any(axis=-1)
    weakest = min(shape.strengths) - 1
    strongest = np.full(onsets.shape[:-1], weakest)  # strength of the steps without an onset that follow step t
    total = np.zeros(onsets.shape[:-1])
    for t in range(len(shape.strengths) - 1, -1, -1):
        here = shape.strengths[t]
        total += np.where(onsets[..., t], np.maximum(strongest - here, 0), 0)
        strongest = np.where(onsets[..., t], weakest, np.maximum(strongest, here))
    return total


_MEASURES: Mapping[str, Callable[[Cells, Shape], Array]] = {
    "rhythm_density": rhythm_density,
    "note_density": note_density,
    "syncopation": syncopation,
    "key": key,
}


def measure_of(row: Attribute, shape: Shape) -> Callable[[Cells], Array]:
    """What measures an attribute in cells [K, n, 88] of a shape.

    An attribute that a user registered is measured by its own function, which is given cells of n steps.
    """
    if row.name not in _MEASURES:
        return row.measure
    own = _MEASURES[row.name]
    return lambda cells: own(cells, shape)


def highest(row: Attribute, grid: Any) -> float:
    """The upper end of an attribute's range on a grid."""
    return HIGHEST.get(row.name, row.high) if isinstance(grid, MetricGrid) else row.high


def strengths(grid: MetricGrid) -> Integers:
    """[T] the metrical strength of each step (Longuet-Higgins and Lee, 1984): one less for each division.

    A segment is read as a bar of its own. Its beats are halved or cut in three as long as they can be, else all at
    once (the five eighths of 5/8); a beat is cut in three first where its cut allows, then in halves.
    """
    beats = grid.beats
    count = np.bincount(beats.segment, minlength=len(grid.start))
    levels = {int(n): _levels(int(n), threes_first=False) for n in np.unique(count)}
    cuts = {int(n): _levels(int(n), threes_first=True) for n in np.unique(grid.divisions)}
    within = grid.place * grid.divisions[grid.beat] // PLACES  # [T] number of the step in its beat
    out = np.empty(grid.n_steps, np.int64)
    for t, (b, step) in enumerate(zip(grid.beat.tolist(), within.tolist(), strict=True)):
        of_beats = levels[int(count[beats.segment[b]])]
        number = int(beats.number[b])
        out[t] = of_beats[number] if step == 0 else min(of_beats) + cuts[int(grid.divisions[b])][step]
    return out


def _levels(count: int, threes_first: bool) -> list[int]:
    """[count] the strength of each of some equal parts of a whole: 0 for the first, one less for each division."""
    out, size, level = [0] + [1] * (count - 1), count, 0  # 1: not reached yet
    while size > 1:
        factors = (3, 2) if threes_first else (2, 3)
        size //= next((f for f in factors if size % f == 0), size)
        level -= 1
        out = [level if value == 1 and i % size == 0 else value for i, value in enumerate(out)]
    return out


def shapes(grid: MetricGrid) -> list[Shape]:
    """[W] the shape of each segment."""
    strength, lengths = strengths(grid).tolist(), np.round(grid.sixteenths, 9).tolist()
    spans = zip(grid.base.tolist(), grid.steps.tolist(), strict=True)
    return [Shape(tuple(lengths[a : a + n]), tuple(strength[a : a + n])) for a, n in spans]


@dataclass(frozen=True)
class SegmentGroup:
    """Segments of one shape."""

    shape: Shape
    positions: Indices  # [K] in the list of segments that was asked for
    cells: Cells  # [K, n, 88]


def groups(roll: Cells, grid: MetricGrid, segments: Indices) -> list[SegmentGroup]:
    """Some segments of a roll [T, 88], those of one shape together."""
    every, by_shape = shapes(grid), dict[Shape, list[int]]()
    for position, w in enumerate(segments.tolist()):
        by_shape.setdefault(every[w], []).append(position)
    made = []
    for shape, positions in by_shape.items():
        chosen = np.array(positions)
        steps = grid.base[segments[chosen]][:, None] + np.arange(len(shape.sixteenths))
        made.append(SegmentGroup(shape, chosen, roll[steps]))
    return made


def measure(roll: Cells, grid: MetricGrid, segments: Indices) -> dict[str, Floats]:
    """Every attribute of cells, of some segments of a roll [T, 88]: name -> [S]."""
    rows = [row for row in ATTRIBUTES.values() if row.of == "cells"]
    values = {row.name: np.full(len(segments), np.nan) for row in rows}
    for group in groups(roll, grid, segments):
        for row in rows:
            values[row.name][group.positions] = measure_of(row, group.shape)(group.cells)
    return values
