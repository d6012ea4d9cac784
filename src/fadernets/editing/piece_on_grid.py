"""A piece on the grid: the notes of the tracks that are edited, their windows of four beats and their cells.

T steps of the whole piece, W windows, S of them at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fadernets.arrays import Cells, Floats, Indices
from fadernets.attributes import keys, of_cells
from fadernets.attributes.performed import Performance
from fadernets.attributes.table import ATTRIBUTES
from fadernets.codecs import grid
from fadernets.music.notes import Piece
from fadernets.music.segments import STEPS, Windows, cut

OPENING_WINDOWS = 8  # what counts as a piece's opening when its key is estimated


@dataclass(frozen=True)
class PieceOnGrid:
    """Some tracks of a piece with what every measure and edit of them needs."""

    piece: Piece  # the chosen tracks alone
    rows: Indices  # [N] the positions of the piece's notes among all notes of the file
    windows: Windows
    placed: grid.Placed  # the step of each note
    roll: Cells  # [T, 88]

    @classmethod
    def of(cls, piece: Piece, tracks: list[int], windows: Windows | None = None) -> PieceOnGrid:
        """The notes of these tracks of a piece, on its own windows unless others are given."""
        rows = np.flatnonzero(np.isin(piece.notes["track"], tracks))
        chosen = piece.only(tracks)
        windows = windows or cut(piece)
        placed = grid.place(chosen, windows)
        return cls(chosen, rows, windows, placed, grid.roll(placed, windows.n_steps))

    def reread(self, written: Piece) -> PieceOnGrid:
        """The same tracks and windows of the piece as it reads after an edit.

        Tracks are found by chunk and channel, since a track that lost all its notes may be missing.
        """
        chosen = {(self.piece.tracks[i].chunk, self.piece.tracks[i].channel) for i in set(self.piece.notes["track"])}
        tracks = [i for i, track in enumerate(written.tracks) if (track.chunk, track.channel) in chosen]
        return PieceOnGrid.of(written, tracks, self.windows)

    @property
    def full(self) -> Indices:
        """The windows that have all their 16 steps: those that can be edited."""
        return np.flatnonzero(self.windows.full)

    def cells(self, windows: Indices) -> Cells:
        """[S, 16, 88] the cells of these windows."""
        cells: Cells = self.roll[self.windows.base[windows][:, None] + np.arange(STEPS)]
        return cells

    @property
    def performance(self) -> Performance:
        """The chosen notes with all that the grid does not hold."""
        return Performance.of(self.piece.notes, self.windows, self.piece.tempo)

    def measure(self, windows: Indices) -> dict[str, Floats]:
        """Every attribute of these full windows: name -> [S], nan where there is nothing to measure."""
        cells, performance = self.cells(windows), self.performance
        values = {
            name: np.asarray(row.measure(cells) if row.of == "cells" else row.measure(performance)[windows], np.float64)
            for name, row in ATTRIBUTES.items()
        }
        return values | {"key": np.where((cells != grid.OFF).any((1, 2)), values["key"], np.nan)}

    def key(self, windows: Indices) -> int:
        """The home key of these windows, 0..23."""
        classes = of_cells.pitch_classes(self.cells(windows)).astype(np.float64)
        return keys.home_key(classes.sum(0), classes[:OPENING_WINDOWS].sum(0))
