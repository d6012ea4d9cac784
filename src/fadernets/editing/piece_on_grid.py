"""A piece on the grid: the notes of the tracks that are edited, the segments that they are edited in and their cells.

The grid is that of the paper's windows of four quarter notes or the piece's own, whose segments are bars. T steps of
the whole piece, W segments, S of them at a time, n steps of the longest one: 16 where they are windows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fadernets.arrays import Array, Bools, Cells, Floats, Indices
from fadernets.attributes import keys, of_cells, of_segments
from fadernets.attributes.performed import Performance
from fadernets.attributes.table import ATTRIBUTES
from fadernets.codecs import grid as sixteenths
from fadernets.music.metric_grid import MetricGrid
from fadernets.music.notes import Piece
from fadernets.music.segments import Grid, cut

OPENING_WINDOWS = 8  # what counts as a piece's opening when its key is estimated


@dataclass(frozen=True)
class PieceOnGrid:
    """Some tracks of a piece, or one hand of a track, with what every measure and edit of them needs."""

    piece: Piece  # the chosen notes alone
    rows: Indices  # [N] the positions of the piece's notes among all notes of the file
    windows: Grid
    placed: sixteenths.Placed  # the step of each note
    roll: Cells  # [T, 88]
    left_out: Array  # of NOTE: the other notes of the same tracks, where one hand was chosen

    @classmethod
    def of(
        cls, piece: Piece, tracks: Sequence[int], grid: Grid | None = None, among: Bools | None = None
    ) -> PieceOnGrid:
        """The notes of these tracks of a piece, on its windows of four beats unless another grid is given.

        among: [N] which of the piece's notes may be chosen, where that is not all of them.
        """
        inside = np.isin(piece.notes["track"], tracks)
        chosen = inside if among is None else inside & among
        windows = cut(piece) if grid is None else grid
        notes = replace(piece, notes=piece.notes[chosen])
        placed = sixteenths.place(notes, windows)
        roll = sixteenths.roll(placed, windows.n_steps)
        return cls(notes, np.flatnonzero(chosen), windows, placed, roll, piece.notes[inside & ~chosen])

    def on(self, grid: Grid) -> PieceOnGrid:
        """The same notes on another grid."""
        placed = sixteenths.place(self.piece, grid)
        return replace(self, windows=grid, placed=placed, roll=sixteenths.roll(placed, grid.n_steps))

    def reread(self, written: Piece) -> PieceOnGrid:
        """The same tracks and windows of the piece as it reads after an edit.

        Tracks are found by chunk and channel, since a track that lost all its notes may be missing. Notes of theirs
        that were left out still are.
        """
        chosen = {(self.piece.tracks[i].chunk, self.piece.tracks[i].channel) for i in set(self.piece.notes["track"])}
        tracks = [i for i, track in enumerate(written.tracks) if (track.chunk, track.channel) in chosen]
        among = None
        if len(self.left_out):
            among = ~np.isin(written.notes["track"], tracks)
            among[~among] = ~found_among(written.notes[~among], self.left_out)
        return PieceOnGrid.of(written, tracks, self.windows, among)

    @property
    def full(self) -> Indices:
        """The segments that can be edited: windows that have all their 16 steps, and every bar."""
        return np.flatnonzero(self.windows.full)

    def free(self, segments: Indices) -> Bools:
        """[T] the steps of these segments."""
        return np.isin(self.windows.segment, segments)

    def sixteenths(self) -> Floats:
        """[W] how many sixteenths each segment lasts."""
        length = np.bincount(self.windows.segment, np.diff(self.windows.time), len(self.windows.start))
        return length.astype(np.float64)

    def cells(self, segments: Indices) -> Cells:
        """[S, n, 88] the cells of these segments; those that have fewer steps than the longest one end with rests."""
        base, steps = self.windows.base[segments], self.windows.steps[segments]
        within = np.arange(int(steps.max(initial=sixteenths.STEPS if self.is_in_windows else 0)))
        at = base[:, None] + within
        cells: Cells = self.roll[np.minimum(at, max(len(self.roll) - 1, 0))]
        cells[within >= steps[:, None]] = sixteenths.OFF
        return cells

    def sounding(self, segments: Indices) -> Bools:
        """[S] whether a note sounds in these segments."""
        return np.asarray((self.cells(segments) != sixteenths.OFF).any((1, 2)))

    @property
    def is_in_windows(self) -> bool:
        """Whether the segments are the paper's windows, which its model edits."""
        return not isinstance(self.windows, MetricGrid)

    @property
    def metric_grid(self) -> MetricGrid:
        """The piece's own grid. Raises TypeError for a piece in windows."""
        if not isinstance(self.windows, MetricGrid):
            raise TypeError("the piece is in windows of four beats, not on its own grid")
        return self.windows

    @property
    def performance(self) -> Performance:
        """The chosen notes with all that the grid does not hold."""
        return Performance.of(self.piece.notes, self.windows, self.piece.tempo)

    @cached_property
    def measured(self) -> dict[str, Floats]:
        """Every attribute of all full segments, as `measure` has it; measured once."""
        return self.measure(self.full)

    def measure(self, segments: Indices) -> dict[str, Floats]:
        """Every attribute of these full segments: name -> [S], nan where there is nothing to measure."""
        performance, cells = self.performance, self.cells(segments)
        if isinstance(self.windows, MetricGrid):
            of_roll = of_segments.measure(self.roll, self.windows, segments)
        else:
            of_roll = {name: row.measure(cells) for name, row in ATTRIBUTES.items() if row.of == "cells"}
        values = {
            name: np.asarray(of_roll[name] if row.of == "cells" else row.measure(performance)[segments], np.float64)
            for name, row in ATTRIBUTES.items()
        }
        return values | {"key": np.where((cells != sixteenths.OFF).any((1, 2)), values["key"], np.nan)}

    def key(self, segments: Indices) -> int:
        """The home key of these segments, 0..23."""
        if isinstance(self.windows, MetricGrid):
            classes = np.zeros((len(segments), 12))
            for group in of_segments.groups(self.roll, self.windows, segments):
                classes[group.positions] = of_segments.pitch_classes(group.cells, group.shape)
        else:
            classes = of_cells.pitch_classes(self.cells(segments)).astype(np.float64)
        return keys.home_key(classes.sum(0), classes[:OPENING_WINDOWS].sum(0))


def found_among(notes: Array, sought: Array, by: Sequence[str] = ("onset", "end", "pitch", "velocity")) -> Bools:
    """[N] which of some notes are those `sought`, `by` these of their fields; each is found once."""
    missing = Counter(sought[list(by)].tolist())
    found = np.zeros(len(notes), bool)
    for i, note in enumerate(notes[list(by)].tolist()):
        if missing[note] > 0:
            missing[note] -= 1
            found[i] = True
    return found
