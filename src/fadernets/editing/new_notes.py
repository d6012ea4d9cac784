"""How new notes are played: as the notes around them are, or as a model of performances predicts from them.

Ticks and steps are those of the piece's grid. N new notes, K neighbours.
"""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Array, Bools, Floats, Indices, Integers
from fadernets.codecs import grid
from fadernets.codecs.grid import LOW
from fadernets.data.played_notes import SAME, GridNotes, manner
from fadernets.engines.played_notes import PlayedNotes
from fadernets.music.notes import NOTE, Piece
from fadernets.music.segments import STEPS, STEPS_PER_BEAT, Grid

NEAR = 0.45  # steps: how far from its step a new onset or end may lie; below half a step, so that it reads as that step
NEIGHBOURS = 3  # notes from which a new note takes velocity, release and track


def new_notes(
    piece: Piece,
    windows: Grid,
    placed: grid.Placed,
    rows: Integers,
    players: PlayedNotes | None = None,
    stays: Bools | None = None,
    seed: int = 0,
) -> Array:
    """[N] of NOTE for rows [N, 3] of onset step, end step and pitch index; none if the piece has no note on the grid.

    A new note is as far off its step as the notes that begin at the nearest step; velocity, release and track are those
    of the notes nearest in time and pitch. With `players`, all but the track is what that model predicts; stays [N]
    says which notes of the piece do not go.
    """
    source = np.flatnonzero(placed.on_grid)
    if not len(source) or not len(rows):
        return np.empty(0, NOTE)
    source = source[np.argsort(placed.onset[source], kind="stable")]
    added = _copied_notes(piece, windows, placed, source, rows)
    if players is None:
        return added
    onset, end = placed.onset[source], placed.end[source]
    known = GridNotes.of(windows, onset, end, placed.pitch[source] + LOW)
    asked = GridNotes.of(windows, rows[:, 0], rows[:, 1], rows[:, 2] + LOW)
    played = manner(piece.notes[source], windows, onset, end)
    values = players.play(known, played, asked, None if stays is None else stays[source], seed=seed)
    added["velocity"] = values[:, 0]
    sixteenth = windows.tpq / STEPS_PER_BEAT
    for name, step, off in (("onset", rows[:, 0], values[:, 1]), ("end", rows[:, 1], values[:, 2])):
        reach = np.floor(NEAR * np.minimum(windows.step_size[step], sixteenth))
        added[name] = windows.step_ticks(step) + np.rint(np.clip(off * sixteenth, -reach, reach)).astype(np.int64)
    return added


def _copied_notes(piece: Piece, windows: Grid, placed: grid.Placed, source: Indices, rows: Integers) -> Array:
    """`new_notes` that copy the notes at the positions `source`, which are in order of their steps."""
    pitches = placed.pitch[source]
    time, asked = windows.time[placed.onset[source]], windows.time[rows[:, 0]]
    notes = piece.notes[source]
    # The neighbourhood of a new note: the notes that begin within a segment of it, or else the two around it.
    low, high = (np.searchsorted(time, asked + far) for far in (-STEPS - SAME, STEPS + SAME))
    alone = low == high
    low, high = np.where(alone, np.maximum(low - 1, 0), low), np.where(alone, np.minimum(high + 1, len(time)), high)
    around = low[:, None] + np.arange((high - low).max())  # [N, K]
    inside = around < high[:, None]
    around = np.minimum(around, len(time) - 1)
    away = np.where(inside, np.abs(time[around] - asked[:, None]), np.inf)
    # The nearest in time and pitch; of those that are as near, the first.
    near = np.argsort(away + np.abs(pitches[around] - rows[:, 2:]), axis=1, kind="stable")[:, :NEIGHBOURS]
    known, near = np.take_along_axis(inside, near, axis=1), np.take_along_axis(around, near, axis=1)
    velocity = np.where(known, notes["velocity"][near], 0).sum(1) / known.sum(1)
    late = notes["onset"] - windows.step_ticks(placed.onset[source])
    at_nearest_step = away <= away.min(1, keepdims=True) + SAME
    offset = np.where(at_nearest_step, late[around], 0).sum(1) / at_nearest_step.sum(1)
    is_a_step_long = notes["end"] - notes["onset"] >= windows.tpq // STEPS_PER_BEAT
    released = notes["end"] - windows.step_ticks(placed.end[source])
    release = _medians(released[near], known & is_a_step_long[near])
    added = np.empty(len(rows), NOTE)
    for name, step, off in (("onset", rows[:, 0], offset), ("end", rows[:, 1], release)):
        reach = np.floor(NEAR * windows.step_size[step])
        added[name] = windows.step_ticks(step) + np.clip(np.rint(off), -reach, reach).astype(np.int64)
    added["pitch"], added["track"] = rows[:, 2] + LOW, notes["track"][near[:, 0]]
    added["velocity"] = np.clip(np.rint(velocity), 1, 127)
    return added


def _medians(values: Integers, counts: Bools) -> Floats:
    """[N] the median of those values [N, K] that count, 0 where none does."""
    ordered = np.sort(np.where(counts, values, np.inf), axis=1)
    found = counts.sum(1, keepdims=True)
    low, high = np.maximum(found - 1, 0) // 2, np.minimum(found // 2, values.shape[1] - 1)
    middle = (np.take_along_axis(ordered, low, axis=1) + np.take_along_axis(ordered, high, axis=1)) / 2
    return np.asarray(np.where(found > 0, middle, 0)[:, 0])
