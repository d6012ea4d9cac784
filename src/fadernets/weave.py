"""From edited cells back to notes: what survives keeps its timing, what is new takes its neighbours'.

Ticks and global steps are those of the piece's windows; rolls are [T, 88] over all steps of a piece.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fadernets import grid
from fadernets.grid import LOW
from fadernets.midi import Edit
from fadernets.notes import NOTE, Piece
from fadernets.segments import STEPS, STEPS_PER_BEAT, Windows

NEAR = 0.45  # steps: how far off the grid a note may lie and still belong to its step
Cells = NDArray[np.uint8]
Integers = NDArray[np.int64]


def weave(piece: Piece, windows: Windows, placed: grid.Placed, before: Cells, after: Cells) -> Edit:
    """The change of notes that turns the roll `before` of a piece into `after`.

    A note whose cell is kept survives; where its length on the grid changed, its end moves with it.
    """
    old = {(a, p): b for a, b, p in grid.runs(before).tolist()}
    new = {(a, p): b for a, b, p in grid.runs(after).tolist()}
    cells = zip(placed.onset.tolist(), placed.pitch.tolist(), placed.end.tolist(), strict=True)
    removed, moved, steps, latest = [], [], [], {}
    members = [(i, (a, p), b) for (i, (a, p, b)) in enumerate(cells) if placed.on_grid[i]]
    for _, cell, end in members:
        latest[cell] = max(latest.get(cell, 0), end)
    for i, cell, end in members:
        if cell not in new:
            removed.append(i)
        elif new[cell] != old[cell] and (end > new[cell] or end == latest[cell] < new[cell]):
            moved.append(i)
            steps.append(new[cell])
    index, at = np.array(moved, np.int64), np.array(steps, np.int64)
    reach = NEAR * windows.tpq / STEPS_PER_BEAT
    late = piece.notes["end"][index] - windows.step_ticks(placed.end[index])
    ends = windows.step_ticks(at) + np.clip(late, -reach, reach).astype(np.int64)
    ends = np.maximum(ends, piece.notes["onset"][index] + 1)
    rows = np.array([(a, b, p) for (a, p), b in new.items() if (a, p) not in old], np.int64).reshape(-1, 3)
    added = _new_notes(piece, windows, placed, rows)
    ends, added = _untangle(piece, windows, np.array(removed, np.int64), index, ends, added)
    return Edit(np.array(removed, np.int64), index, ends, added)


def _new_notes(piece: Piece, windows: Windows, placed: grid.Placed, rows: Integers) -> NDArray:
    """Notes for rows (onset step, end step, pitch index): timing, velocity and track of their neighbours."""
    added = np.empty(len(rows), NOTE)
    source = np.flatnonzero(placed.on_grid)
    if not len(source) or not len(rows):
        return added[:0]
    source = source[np.argsort(placed.onset[source], kind="stable")]
    onsets, pitches = placed.onset[source], placed.pitch[source]
    notes = piece.notes[source]
    reach = int(NEAR * windows.tpq / STEPS_PER_BEAT)
    early = notes["onset"] - windows.step_ticks(onsets)
    late = notes["end"] - windows.step_ticks(placed.end[source])
    whole = notes["end"] - notes["onset"] >= windows.tpq // STEPS_PER_BEAT
    starts, stops = windows.step_ticks(rows[:, 0]), windows.step_ticks(rows[:, 1])
    for i, (step, _, pitch) in enumerate(rows.tolist()):
        a, b = np.searchsorted(onsets, [step - STEPS, step + STEPS + 1])
        if a == b:
            a, b = max(a - 1, 0), min(b + 1, len(onsets))
        far = np.abs(onsets[a:b] - step)
        near = a + np.argsort(far + np.abs(pitches[a:b] - pitch), kind="stable")[:3]
        beside = a + np.flatnonzero(far == far.min())  # whoever starts at the nearest step sets the offset
        offset = int(np.clip(np.round(early[beside].mean()), -reach, reach))
        ring = late[near][whole[near]]
        release = int(np.clip(np.round(np.median(ring)), -reach, reach)) if len(ring) else 0
        onset = max(int(starts[i]) + offset, 0)
        end = max(int(stops[i]) + release, onset + 1)
        velocity = int(np.clip(np.round(notes["velocity"][near].mean()), 1, 127))
        added[i] = (onset, end, pitch + LOW, velocity, notes["track"][near[0]])
    return added


def _untangle(
    piece: Piece, windows: Windows, removed: Integers, moved: Integers, ends: Integers, added: NDArray
) -> tuple[Integers, NDArray]:
    """No new or moved end may run into the next onset of its pitch; a new onset waits for a note that rings on.

    Notes that an edit leaves alone are never touched.
    """
    if not len(added) and not len(moved):
        return ends, added
    kept = np.ones(len(piece.notes), bool)
    kept[removed] = False
    source = np.flatnonzero(kept)
    end_of = piece.notes["end"].copy()
    end_of[moved] = ends
    free_end = np.zeros(len(piece.notes), bool)
    free_end[moved] = True
    onset = np.concatenate([piece.notes["onset"][source], added["onset"]])
    end = np.concatenate([end_of[source], added["end"]])
    pitch = np.concatenate([piece.notes["pitch"][source], added["pitch"]]).astype(np.int64)
    fresh = np.concatenate([np.zeros(len(source), bool), np.ones(len(added), bool)])
    loose = fresh | np.concatenate([free_end[source], np.zeros(len(added), bool)])
    order = np.lexsort((onset, pitch))
    reach = int(2 * NEAR * windows.tpq / STEPS_PER_BEAT)
    for i, j in zip(order[:-1].tolist(), order[1:].tolist(), strict=True):
        if pitch[i] != pitch[j] or end[i] <= onset[j]:
            continue
        if loose[i]:
            end[i] = max(onset[j], onset[i] + 1)
        elif fresh[j] and end[i] - onset[j] <= reach and end[i] < end[j]:
            onset[j] = end[i]
    position = np.full(len(piece.notes), -1)
    position[source] = np.arange(len(source))
    added = added.copy()
    added["onset"], added["end"] = onset[len(source) :], np.maximum(end, onset + 1)[len(source) :]
    return end[position[moved]], added
