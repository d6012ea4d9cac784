"""The sixteenth grid: 16 steps x 88 pitches of off, onset or hold. A repeated note is an onset.

A note takes the steps from the one nearest to its onset to the one nearest to its end, at least one. A hold in step 0
of a segment continues a note of the segment before. S segments, T steps, N notes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fadernets.arrays import Bools, Bytes, Cells, Indices, Rows
from fadernets.music.notes import Piece
from fadernets.music.segments import STEPS as STEPS
from fadernets.music.segments import Grid, Windows

PITCHES = 88
LOW = 21  # MIDI number of the first pitch
OFF, ONSET, HOLD = 0, 1, 2
PACKED = 2 * STEPS * PITCHES // 8  # bytes a segment


@dataclass(frozen=True)
class Placed:
    """Where each note of a piece lies on the grid of all its segments; steps are counted from the piece's start."""

    onset: Indices  # [N] step
    end: Indices  # [N] the step behind the last one, at least onset + 1
    pitch: Indices  # [N] 0..87; outside of that for a note off the 88 keys
    on_grid: Bools  # [N]


def place(piece: Piece, windows: Grid) -> Placed:
    """Notes to steps of a piece's segments. A note outside of those or of the 88 pitches is not on the grid."""
    notes = piece.notes
    onset = windows.nearest_step(notes["onset"])
    end = np.maximum(windows.nearest_step(notes["end"]), onset + 1)
    pitch = notes["pitch"].astype(np.int64) - LOW
    on_grid = (pitch >= 0) & (pitch < PITCHES) & (onset < windows.n_steps)
    return Placed(onset, np.minimum(end, max(windows.n_steps, 1)), pitch, on_grid)


def roll(placed: Placed, n_steps: int) -> Cells:
    """[T, 88] of OFF, ONSET, HOLD. Where notes of one pitch overlap, the later onset cuts the earlier."""
    i = np.flatnonzero(placed.on_grid)
    edges = np.zeros((n_steps + 1, PITCHES), np.int32)
    np.add.at(edges, (placed.onset[i], placed.pitch[i]), 1)
    np.add.at(edges, (placed.end[i], placed.pitch[i]), -1)
    sounding = np.cumsum(edges, axis=0, dtype=np.int32, out=edges)[:-1]  # in place: a piece may have 100,000s of steps
    cells = np.where(sounding > 0, np.uint8(HOLD), np.uint8(OFF))
    cells[placed.onset[i], placed.pitch[i]] = ONSET
    return cells


def encode(piece: Piece, windows: Windows) -> Cells:
    """[S, 16, 88] the cells of every full window, in order."""
    cells = roll(place(piece, windows), windows.n_steps)
    first_steps = windows.base[windows.full]
    if not len(first_steps):
        return np.empty((0, STEPS, PITCHES), np.uint8)
    return np.asarray(cells[first_steps[:, None] + np.arange(STEPS)])


def without_orphans(cells: Cells, held: Bools | None = None) -> Cells:
    """A roll [T, 88] without holds that continue nothing; `held` [88] sound before its first step, none by default."""
    out = cells.copy()
    before = np.zeros(out.shape[1], bool) if held is None else held
    for t in range(len(out)):
        out[t] = np.where((out[t] == HOLD) & ~before, OFF, out[t])
        before = out[t] != OFF
    return out


def runs(cells: Cells) -> Rows:
    """The notes of a roll [T, 88]: [N, 3] rows (onset step, end step, pitch index 0..87), ordered by onset and pitch.

    A hold that continues nothing belongs to a note that began before the roll: it gives no row.
    """
    padded = np.concatenate([cells, np.zeros((1, cells.shape[1]), np.uint8)])
    onset, pitch = np.nonzero(cells == ONSET)
    stops = padded != HOLD  # the first such step behind an onset ends the note
    steps = np.arange(len(padded))[:, None]
    following = np.where(stops, steps, len(padded))
    following = np.minimum.accumulate(following[::-1], axis=0)[::-1]
    return np.stack([onset, following[onset + 1, pitch], pitch], axis=1)


def decode(cells: Cells) -> Rows:
    """The notes of a segment [16, 88]: [N, 3] rows (onset step, end step, MIDI pitch); a note held in starts at -1."""
    held = np.concatenate([np.where(cells[:1] == HOLD, ONSET, OFF), cells]).astype(np.uint8)
    rows = runs(held)
    return np.asarray(rows - np.array([1, 1, -LOW]), np.int64)


def from_notes(rows: Rows) -> Cells:
    """The inverse of `decode`: cells [16, 88] of notes [N, 3]."""
    cells = np.zeros((STEPS, PITCHES), np.uint8)
    for onset, end, pitch in np.asarray(rows)[np.argsort(np.asarray(rows)[:, 0], kind="stable")].tolist():
        cells[max(onset, 0) : end, pitch - LOW] = HOLD
        if onset >= 0:
            cells[onset, pitch - LOW] = ONSET
    return cells


def pack(cells: Cells) -> Bytes:
    """Cells [S, 16, 88] as bytes [S, 352]: a bit for each cell of the onset plane, then of the hold plane."""
    planes = np.stack([cells == ONSET, cells == HOLD], axis=1)
    return np.packbits(planes.reshape(len(cells), 2 * STEPS * PITCHES), axis=1)


def unpack(packed: Bytes) -> Cells:
    """The inverse of `pack`: bytes [S, 352] as cells [S, 16, 88]."""
    bits = np.unpackbits(packed, axis=1).reshape(len(packed), 2, STEPS, PITCHES)
    return (bits[:, 0] * ONSET + bits[:, 1] * HOLD).astype(np.uint8)


def struck_on_top(cells: Cells, others: Cells) -> Bools:
    """[..., 88] the notes that cells [..., 88] strike in a step above all else that sounds there, in `others` too."""
    heard = (cells != OFF) | (others != OFF)
    highest = np.where(heard.any(-1), PITCHES - 1 - heard[..., ::-1].argmax(-1), PITCHES)
    return np.asarray((cells == ONSET) & (np.arange(PITCHES) == highest[..., None]))


def sounding(cells: Cells) -> Bools:
    """[...] which cells sound."""
    return np.asarray(cells != OFF)
