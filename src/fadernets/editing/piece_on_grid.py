"""A piece on the grid: the notes of the tracks that are edited, their windows and their roll."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes import keys, of_cells
from fadernets.attributes.performed import Performance
from fadernets.attributes.table import ATTRIBUTES
from fadernets.codecs import grid
from fadernets.music.notes import Piece
from fadernets.music.segments import STEPS, Windows, cut

Cells = NDArray[np.uint8]
OPENING_WINDOWS = 8  # windows


@dataclass(frozen=True)
class PieceOnGrid:
    """T steps, W windows."""

    piece: Piece  # the chosen tracks alone
    rows: NDArray[np.int64]  # their positions among all notes of the file
    windows: Windows
    placed: grid.Placed
    roll: Cells  # [T, 88]

    @classmethod
    def of(cls, piece: Piece, tracks: list[int], windows: Windows | None = None) -> PieceOnGrid:
        rows = np.flatnonzero(np.isin(piece.notes["track"], tracks))
        chosen = piece.only(tracks)
        windows = windows or cut(piece)
        placed = grid.place(chosen, windows)
        return cls(chosen, rows, windows, placed, grid.roll(placed, windows.n_steps))

    def again(self, written: Piece) -> PieceOnGrid:
        """The same tracks of the file as it was written, where one may have lost all its notes."""
        chosen = {(self.piece.tracks[i].chunk, self.piece.tracks[i].channel) for i in set(self.piece.notes["track"])}
        tracks = [i for i, track in enumerate(written.tracks) if (track.chunk, track.channel) in chosen]
        return PieceOnGrid.of(written, tracks, self.windows)

    @property
    def full(self) -> NDArray[np.int64]:
        """Which windows have all their 16 steps."""
        return np.flatnonzero(self.windows.full)

    def cells(self, windows: NDArray[np.int64]) -> Cells:
        """[S, 16, 88] of these windows."""
        return self.roll[self.windows.base[windows][:, None] + np.arange(STEPS)]

    @property
    def performance(self) -> Performance:
        """The chosen notes with what the grid does not hold."""
        return Performance.of(self.piece.notes, self.windows, self.piece.tempo)

    def measure(self, windows: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """Every attribute of these full windows: name -> [S], nan where there is nothing to measure."""
        cells, heard = self.cells(windows), self.performance
        found = {
            name: np.asarray(row.measure(cells) if row.of == "cells" else row.measure(heard)[windows], np.float64)
            for name, row in ATTRIBUTES.items()
        }
        return found | {"key": np.where((cells != grid.OFF).any((1, 2)), found["key"], np.nan)}

    def key(self, windows: NDArray[np.int64]) -> int:
        """The key that these windows are at home in, 0..23."""
        classes = of_cells.pitch_classes(self.cells(windows)).astype(np.float64)
        return keys.home_key(classes.sum(0), classes[:OPENING_WINDOWS].sum(0))
