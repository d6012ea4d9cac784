"""The tracks of a piece rewritten each as itself: what changes in the file.

T steps of the piece, K tracks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fadernets.arrays import Bools, Cells
from fadernets.codecs import grid
from fadernets.decoding import rhythm_plan
from fadernets.decoding.edit_models import Rewrites
from fadernets.decoding.rewrite_task import Locks, RewriteTask
from fadernets.decoding.track_rewriting import rewrite_tracks
from fadernets.editing import cells_to_notes
from fadernets.editing.decided_bars import DecidedBars
from fadernets.editing.drawn_segments import DrawnSegments
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.roll_edit import fixed_cells
from fadernets.engines.played_notes import PlayedNotes
from fadernets.engines.rhythm import Rhythm
from fadernets.music.document import Edit
from fadernets.music.notes import Piece


def tracks_of(whole: Piece, piece: PieceOnGrid) -> list[PieceOnGrid]:
    """The tracks that are edited, one by one, on the grid of all."""
    numbers = whole.notes["track"][piece.rows]
    chosen = np.zeros(len(whole.notes), bool)
    chosen[piece.rows] = True
    return [PieceOnGrid.of(whole, [k], piece.windows, chosen) for k in np.unique(numbers).tolist()]


def edit_tracks(
    engine: Rewrites,
    whole: Piece,
    tracks: Sequence[PieceOnGrid],
    task: RewriteTask,
    free: Bools,
    players: PlayedNotes,
    drawn: DrawnSegments | None = None,
    decided: DecidedBars | None = None,
) -> Edit:
    """The change of a file's notes by which its tracks have together what a task asks of their common roll.

    drawn: of a draft, what it need not draw anew. decided: what tells of bars before all are rewritten.
    """
    fixed = [fixed_cells(track, whole, free) for track in tracks]
    locks = [Locks.none(len(free), cells) for cells in fixed]
    rolls = [track.roll for track in tracks]

    def rewritten(task: RewriteTask) -> list[Cells]:
        return rewrite_tracks(engine.rewrite, task, rolls, locks, rhythm_plan.planned(Rhythm.bundled(), task))

    def changed(answers: Sequence[Cells]) -> Edit:
        edits = []
        for track, cells, answer in zip(tracks, fixed, answers, strict=True):
            stays = ~free[:, None] | cells
            roll: Cells = grid.without_orphans(np.where(stays, track.roll, answer).astype(np.uint8))
            change = cells_to_notes.edit_between_rolls(
                track.piece, track.windows, track.placed, track.roll, roll, free, players, task.seed
            )
            edits.append(change.among(track.rows))
        return together(edits)

    if decided is not None:
        task = replace(task, decided=decided.of(whole, tracks, changed))
    return changed(rewritten(task) if drawn is None else drawn.answer(task, rolls, rewritten))


def together(edits: Sequence[Edit]) -> Edit:
    """Edits of different notes of one file as one."""
    removed, changed, becomes, added = (
        np.concatenate([getattr(edit, name) for edit in edits]) for name in ("removed", "changed", "becomes", "added")
    )
    order = np.argsort(changed, kind="stable")
    return Edit(np.sort(removed), changed[order], becomes[order], added)
