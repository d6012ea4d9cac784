"""The time of a score: bars and beats counted in divisions, and the notes of a piece placed on them.

A quarter has DIVISIONS divisions, which triplets, sextuplets, thirty-seconds and sixty-fourths all divide. Beats are
those of the piece's metric grid; where a performance was recorded without beats they are those that are heard. Each
beat is cut as the notes of one staff cut it, so that triplets of one hand stand against eighths of the other.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fadernets.arrays import Array, Bools, Floats, Indices, Integers
from fadernets.errors import FadernetsError
from fadernets.music.beat_tracking import lacks_beats, track_beats
from fadernets.music.metric_grid import TIGHT, Beats, MetricGrid, beat_divisions
from fadernets.music.notes import Piece

DIVISIONS = 48  # of a quarter
SIXTY_FOURTH = 3  # divisions: what is left of a bar that is cut short is a multiple of it
EXACT = 0.9  # share of the ends that lie on the grid, from which on the file's durations are those of a score
THREES = 0.45  # share of the beats of a performance that are cut in threes, from which on its metre is a compound one
NEAR = TIGHT  # quarters: what lies this near to a step lies on it


@dataclass(frozen=True)
class Bar:
    """A measure of the score: divisions from the start of the score, and its time signature."""

    start: int
    length: int
    numerator: int
    denominator: int
    tick: int

    @property
    def full(self) -> int:
        """The divisions of a whole bar of its metre."""
        return self.numerator * 4 * DIVISIONS // self.denominator

    @property
    def end(self) -> int:
        """The first division behind it."""
        return self.start + self.length


@dataclass(frozen=True)
class Placed:
    """Notes [N] on the grid of their staff, in divisions from the start of the score."""

    onset: Integers  # [N]
    end: Integers  # [N] where the file says that they end, on the grid, behind their onset
    played: Floats  # [N] how long they were played, beside the grid
    on_grid: bool  # whether onsets are those of a score
    exact: bool  # whether ends are as well
    cuts: Integers  # [B] in how many steps each beat is cut


@dataclass(frozen=True)
class ScoreTime:
    """The bars and beats of a piece."""

    bars: list[Bar]
    beats: Beats
    at: Integers  # [B + 1] where each beat begins, in divisions
    size: Integers  # [B] how many divisions it would have if it were whole
    tpq: int
    heard: bool  # whether beats were heard, because the file has none

    @classmethod
    def of(cls, piece: Piece, is_score: bool = False) -> ScoreTime:
        """The bars of a piece, up to the end of the bar in which its last note ends.

        is_score: whether its bars and beats are surely those of the music, since it came from a score.
        """
        grid, heard = (_own_grid(piece), False) if is_score else _grid(piece)
        beats = _counted(piece, grid.beats) if heard else grid.beats
        size = np.maximum(np.round(beats.quarters * DIVISIONS).astype(np.int64), 1)
        ticks = beats.ticks(piece.tpq)
        whole = beats.end - beats.start >= ticks - 1
        part = np.round((beats.end - beats.start) / ticks * size / SIXTY_FOURTH).astype(np.int64) * SIXTY_FOURTH
        lasts = np.where(whole, size, np.minimum(part, size))
        at = np.concatenate([[0], np.cumsum(lasts)])
        bars: list[Bar] = []
        of_beat = beats.segment if heard else grid.bar[beats.segment]
        first = np.flatnonzero(np.diff(of_beat, prepend=-1))
        for i, j in zip(first.tolist(), [*first[1:].tolist(), len(of_beat)], strict=True):
            tick = int(beats.start[i])
            which = max(int(np.searchsorted(piece.metre.ticks, tick, side="right")) - 1, 0)
            signature = int(piece.metre.numerators[which]), int(piece.metre.denominators[which])
            if heard:
                count = j - i if len(first) < 2 else int(np.median(np.diff(first)))
                signature = (count, 4) if beats.quarters[0] == 1 else (3 * count, 8)
            if at[j] > at[i]:
                bars.append(Bar(int(at[i]), int(at[j] - at[i]), *signature, tick))
        last = bars[-1]
        bars[-1] = Bar(last.start, max(last.full, last.length), last.numerator, last.denominator, last.tick)
        return cls(bars, beats, at, size, piece.tpq, heard)

    @property
    def end(self) -> int:
        """The divisions of the whole score."""
        return self.bars[-1].end

    @cached_property
    def _begins(self) -> list[int]:
        """`at` as a list, which single places are looked up in faster."""
        return [int(at) for at in self.at]

    def exactly(self, ticks: Integers) -> Floats:
        """Ticks as divisions beside the grid."""
        beat = np.clip(np.searchsorted(self.beats.start, ticks, side="right") - 1, 0, len(self.size) - 1)
        length = self.beats.ticks(self.tpq)[beat]
        return np.asarray(self.at[beat] + (ticks - self.beats.start[beat]) / length * self.size[beat])

    def place(self, notes: Array, together: Array | None = None) -> Placed:
        """The notes [N] of NOTE of one staff on its grid.

        together: those of the part, which cut its beats where they were played.
        """
        both = np.unique(np.concatenate([notes["onset"], notes["end"]]))
        every = self._cuts(both)
        exact = len(notes) > 0 and bool(np.mean(self._on_steps(notes["end"], every)) >= EXACT)
        exact = exact and bool(np.mean(self._on_steps(notes["onset"], every)) >= EXACT)
        cuts = every if exact else self._cuts(np.unique(notes["onset"]))
        on_grid = exact or bool(len(notes) and np.mean(self._on_steps(notes["onset"], cuts)) >= EXACT)
        if not on_grid:
            cuts = self._coarser(np.unique((notes if together is None else together)["onset"]))
        onset = np.minimum(self._steps(notes["onset"], cuts), self.end - SIXTY_FOURTH)
        last = self.bars[-1]
        onset = np.where(onset >= last.end, last.start, onset)
        end = np.clip(self._steps(notes["end"], cuts), onset + SIXTY_FOURTH, self.end)
        step = self.step(onset, cuts)
        end = np.where(end - onset < step, np.minimum(onset + step, self.end), end)
        played = np.maximum(self.exactly(notes["end"]) - self.exactly(notes["onset"]), 1.0)
        return Placed(onset, end, played, on_grid, exact, cuts)

    def beat_of(self, at: Integers) -> Indices:
        """The beat that holds each division."""
        return np.clip(np.searchsorted(self.at, at, side="right") - 1, 0, len(self.size) - 1)

    def step(self, at: Integers, cuts: Integers) -> Integers:
        """The divisions of a step at each place."""
        beat = self.beat_of(np.asarray(at))
        return np.maximum(self.size[beat] // cuts[beat], 1)

    def fits(self, at: int, cuts: Integers) -> bool:
        """Whether a place lies on a step of its beat."""
        beat = min(max(bisect_right(self._begins, at) - 1, 0), len(self.size) - 1)
        return (at - self._begins[beat]) % max(int(self.size[beat]) // int(cuts[beat]), 1) == 0

    def _cuts(self, ticks: Integers) -> Integers:
        cuts = beat_divisions(ticks, self.beats, self.tpq)
        return np.where(self.size % cuts == 0, cuts, 1)

    def _coarser(self, ticks: Integers) -> Integers:
        """The cuts of beats that were played: none finer than the usual one for no more onsets than that has steps.

        Onsets that are closer than sixty-fourths are a chord.
        """
        cuts = self._cuts(ticks)
        apart = np.diff(self.exactly(ticks), prepend=-DIVISIONS) > SIXTY_FOURTH
        beat = np.clip(np.searchsorted(self.beats.start, ticks, side="right") - 1, 0, len(self.size) - 1)
        count = np.bincount(beat, apart, len(self.size))
        usual = np.where(self.size % 6 == 0, np.where(self.size == DIVISIONS * 3 // 2, 6, 4), 1)
        fine = (cuts > usual) & (cuts % 3 != 0) | (cuts > 6)
        return np.where(fine & (count <= usual) & (self.size % usual == 0), usual, cuts)

    def _steps(self, ticks: Integers, cuts: Integers) -> Integers:
        """The nearest step to each tick, in divisions; half a step rounds up."""
        beat = np.clip(np.searchsorted(self.beats.start, ticks, side="right") - 1, 0, len(self.size) - 1)
        within = (ticks - self.beats.start[beat]) / self.beats.ticks(self.tpq)[beat]
        step = self.size[beat] // cuts[beat]
        steps = self.at[beat] + np.floor(within * cuts[beat] + 0.5).astype(np.int64) * step
        inside = beat < len(self.size) - 1
        return np.where(inside, np.minimum(steps, self.at[beat + 1]), steps)

    def _on_steps(self, ticks: Integers, cuts: Integers) -> Bools:
        off = np.abs(self.exactly(ticks) - self._steps(ticks, cuts)) / DIVISIONS
        return np.asarray(off <= max(NEAR, 1.5 / self.tpq))


def _grid(piece: Piece) -> tuple[MetricGrid, bool]:
    if lacks_beats(piece):
        try:
            return track_beats(piece).grid(piece), True
        except FadernetsError:
            pass  # too few notes: the file's own beats
    return _own_grid(piece), False


def _own_grid(piece: Piece) -> MetricGrid:
    bars = len(piece.metre.bar_starts(max(piece.end, 1)))
    return MetricGrid.of(piece, range(1, bars + 2))


def _counted(piece: Piece, beats: Beats) -> Beats:
    """Beats that were heard as quarters, or as dotted quarters where most are cut in threes."""
    drums = np.array([track.is_drum for track in piece.tracks], bool)
    onsets = np.unique(piece.notes["onset"][~drums[piece.notes["track"]]])
    cuts = beat_divisions(onsets, beats, piece.tpq)
    filled = np.unique(np.clip(np.searchsorted(beats.start, onsets, side="right") - 1, 0, None), return_counts=True)
    busy = filled[0][filled[1] > 2]
    if len(busy) and np.mean(cuts[busy] % 3 == 0) > THREES:
        return replace(beats, quarters=beats.quarters * 1.5)
    return beats
