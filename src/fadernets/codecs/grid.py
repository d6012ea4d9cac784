"""The sixteenth grid: 16 steps x 88 pitches of off, onset or hold. A repeated note is an onset.

A note takes the steps nearest to its onset and its end, at least one. A hold in step 0 of a segment
continues a note of the segment before. Planes: [..., 2, 16, 88] of bool, onset and hold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fadernets.music.notes import Piece
from fadernets.music.segments import STEPS, Windows

PITCHES = 88
LOW = 21  # MIDI number of the first pitch
OFF, ONSET, HOLD = 0, 1, 2
PACKED = 2 * STEPS * PITCHES // 8  # bytes a segment


@dataclass(frozen=True)
class Placed:
    """Where each note of a piece lies on the grid of all its windows. T global steps."""

    onset: NDArray[np.int64]  # [N] global step
    end: NDArray[np.int64]  # [N] global step behind the last one, at least onset + 1
    pitch: NDArray[np.int64]  # [N] 0..87, or outside: such a note is on no grid
    on_grid: NDArray[np.bool_]  # [N]


def place(piece: Piece, windows: Windows) -> Placed:
    """Notes to steps. A note outside the 88 pitches or the windows is not on the grid."""
    notes = piece.notes
    onset = windows.nearest_step(notes["onset"])
    end = np.maximum(windows.nearest_step(notes["end"]), onset + 1)
    pitch = notes["pitch"].astype(np.int64) - LOW
    on_grid = (pitch >= 0) & (pitch < PITCHES) & (onset < windows.n_steps)
    return Placed(onset, np.minimum(end, max(windows.n_steps, 1)), pitch, on_grid)


def roll(placed: Placed, n_steps: int) -> NDArray[np.uint8]:
    """[T, 88] of OFF, ONSET, HOLD. Where notes of one pitch overlap, the later onset cuts the earlier."""
    i = np.flatnonzero(placed.on_grid)
    edges = np.zeros((n_steps + 1, PITCHES), np.int32)
    np.add.at(edges, (placed.onset[i], placed.pitch[i]), 1)
    np.add.at(edges, (placed.end[i], placed.pitch[i]), -1)
    cells = np.where(np.cumsum(edges[:-1], axis=0) > 0, HOLD, OFF).astype(np.uint8)
    cells[placed.onset[i], placed.pitch[i]] = ONSET
    return cells


def encode(piece: Piece, windows: Windows) -> NDArray[np.uint8]:
    """[S, 16, 88] the cells of every full window, in order."""
    cells = roll(place(piece, windows), windows.n_steps)
    at = windows.base[windows.full]
    return cells[at[:, None] + np.arange(STEPS)] if len(at) else np.empty((0, STEPS, PITCHES), np.uint8)


def runs(cells: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The notes of a roll [T, 88]: rows (onset step, end step, pitch index), ordered by onset, pitch.

    A hold that continues nothing belongs to a note that began before the roll: it is no row.
    """
    padded = np.concatenate([cells, np.zeros((1, cells.shape[1]), np.uint8)])
    onset, pitch = np.nonzero(cells == ONSET)
    stops = padded != HOLD  # the first such step behind an onset ends the note
    steps = np.arange(len(padded))[:, None]
    following = np.where(stops, steps, len(padded))
    following = np.minimum.accumulate(following[::-1], axis=0)[::-1]
    return np.stack([onset, following[onset + 1, pitch], pitch], axis=1)


def decode(cells: NDArray[np.uint8]) -> NDArray[np.int64]:
    """One segment's notes, [N, 3] rows (onset step, end step, MIDI pitch); a note held in starts at -1."""
    held = np.concatenate([np.where(cells[:1] == HOLD, ONSET, OFF), cells]).astype(np.uint8)
    rows = runs(held)
    return rows - np.array([1, 1, -LOW])


def from_notes(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The inverse of `decode`: [16, 88] cells."""
    cells = np.zeros((STEPS, PITCHES), np.uint8)
    for onset, end, pitch in np.asarray(rows)[np.argsort(np.asarray(rows)[:, 0], kind="stable")].tolist():
        cells[max(onset, 0) : end, pitch - LOW] = HOLD
        if onset >= 0:
            cells[onset, pitch - LOW] = ONSET
    return cells


def pack(cells: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[S, 16, 88] cells as [S, 352] bytes, one bit a plane and cell."""
    planes = np.stack([cells == ONSET, cells == HOLD], axis=1)
    return np.packbits(planes.reshape(len(cells), 2 * STEPS * PITCHES), axis=1)


def unpack(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The inverse of `pack`."""
    bits = np.unpackbits(packed, axis=1).reshape(len(packed), 2, STEPS, PITCHES)
    return (bits[:, 0] * ONSET + bits[:, 1] * HOLD).astype(np.uint8)


def sounding(cells: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return cells != OFF
