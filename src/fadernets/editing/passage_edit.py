"""The rewriter's part of an edit: some bars of a piece rewritten at the levels asked, and what changes in the file.

Bars that have what is asked of them are not handed to the model, so that at rest an edit is the identity. T steps,
S edited segments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fadernets.arrays import Cells, Floats, Indices, Integers
from fadernets.attributes.table import CLOSE
from fadernets.codecs import grid
from fadernets.data.passages import Steps
from fadernets.decoding import rhythm_plan
from fadernets.decoding.edit_models import Rewrites
from fadernets.decoding.rewrite_task import NEAR, Locks, RewriteTask
from fadernets.editing import cells_to_notes, track_edit
from fadernets.editing.decided_bars import DecidedBars
from fadernets.editing.drawn_segments import DrawnSegments
from fadernets.editing.locks import KeptParts
from fadernets.editing.note_draft import PLACE
from fadernets.editing.piece_on_grid import PieceOnGrid, found_among
from fadernets.editing.roll_edit import fixed_cells
from fadernets.engines.played_notes import PlayedNotes
from fadernets.engines.rhythm import Rhythm
from fadernets.music.document import Document, Edit
from fadernets.music.notes import Piece

CANDIDATES = 1  # of each passage: more are worth their time with a critic alone (docs/lab.md)
Progress = Callable[[int, int], None]  # how many are done, of how many


@dataclass(frozen=True)
class PassageRequest:
    """How segments are rewritten, besides the levels that are asked of them."""

    faithfulness: float = 1.0  # pull towards the source, 0..1
    candidates: int = CANDIDATES
    seed: int = 0
    kept: KeptParts | None = None  # by locks
    others: Sequence[Cells] = ()  # rolls [T, 88] of variations to keep away from
    progress: Progress | None = field(default=None, compare=False)
    drawn: DrawnSegments | None = field(default=None, compare=False)  # of a draft: what it need not draw anew
    decided: DecidedBars | None = field(default=None, compare=False)  # tells of bars before all are rewritten


def edit_segments(
    engine: Rewrites,
    document: Document,
    piece: PieceOnGrid,
    edited: Indices,
    asked_onsets: Integers,
    asked_voices: Floats,
    request: PassageRequest,
) -> tuple[bytes, PieceOnGrid]:
    """The file with the `edited` segments [S] at the levels asked, and the piece as it reads from there.

    asked_onsets: [S] whole onset steps; asked_voices: [S] notes that sound, mean over time. Notes that lie or reach
    outside the segments that change stay as they are, whatever the model answers.
    """
    onsets, voices = levels(piece, edited)
    moves = (asked_onsets != onsets) | (np.abs(asked_voices - voices) > CLOSE)
    moved = edited[moves]
    if not len(moved):
        return document.edited(Edit.nothing()), piece
    free = piece.free(moved)
    fixed = fixed_cells(piece, document.piece, free)
    locks = Locks.none(len(free)) if request.kept is None else request.kept.for_rewriter()
    task = RewriteTask(
        roll=piece.roll,
        context=context_roll(document.piece, piece),
        steps=Steps.of(piece.metric_grid),
        edited=moved,
        onsets=asked_onsets[moves],
        voices=asked_voices[moves],
        near=np.where(np.abs(asked_voices - voices) > NEAR, NEAR, 0.0)[moves],  # what nobody moved stays
        locks=replace(locks, pinned=locks.pinned | fixed),
        faithfulness=request.faithfulness,
        candidates=request.candidates,
        seed=request.seed,
        others=request.others,
        progress=request.progress,
    )
    players = PlayedNotes.bundled()
    tracks = track_edit.tracks_of(document.piece, piece) if request.kept is None else []
    if len(tracks) > 1:
        change = track_edit.edit_tracks(
            engine, document.piece, tracks, task, free, players, request.drawn, request.decided
        )
        data = document.edited(change)
        return data, piece.reread(Document(document.path, data).piece)
    stays = ~free[:, None] | task.locks.pinned

    def rewritten(task: RewriteTask) -> list[Cells]:
        plan = rhythm_plan.planned(Rhythm.bundled(), task)
        return [engine.rewrite(replace(task, locks=rhythm_plan.locked(task.locks, plan)))]

    kept = None if request.kept is None else found_among(piece.piece.notes, request.kept.notes, PLACE)

    def changed(answers: Sequence[Cells]) -> Edit:
        roll = grid.without_orphans(np.where(stays, piece.roll, answers[0]).astype(np.uint8))
        if request.kept is not None:
            roll = request.kept.trimmed(roll)
        change = cells_to_notes.edit_between_rolls(
            piece.piece, piece.windows, piece.placed, piece.roll, roll, free, players, request.seed, kept
        )
        return change.among(piece.rows)

    if request.decided is not None:
        task = replace(task, decided=request.decided.of(document.piece, [piece], changed))
    answers = rewritten(task) if request.drawn is None else request.drawn.answer(task, [piece.roll], rewritten)
    data = document.edited(changed(answers))
    return data, piece.reread(Document(document.path, data).piece)


def levels(piece: PieceOnGrid, segments: Indices) -> tuple[Integers, Floats]:
    """[S] the onset steps of some segments and [S] how many notes sound, mean over time."""
    own, values = piece.metric_grid, piece.measure(segments)
    onsets = np.bincount(own.segment, (piece.roll == grid.ONSET).any(-1), len(own.start)).astype(np.int64)
    return onsets[segments], values["note_density"]


def onset_steps(piece: PieceOnGrid, segments: Indices, density: Floats) -> Integers:
    """[S] the number of onset steps that is nearest to a rhythm density in each segment, at most all its steps."""
    steps = np.floor(density * piece.sixteenths()[segments] + 0.5).astype(np.int64)
    return np.clip(steps, 0, piece.windows.steps[segments])


def context_roll(whole: Piece, piece: PieceOnGrid) -> Cells:
    """[T, 88] what the notes of a file's pitched tracks hold that are not edited."""
    pitched = np.array([not track.is_drum for track in whole.tracks], bool)[whole.notes["track"]]
    pitched[piece.rows] = False
    others = replace(whole, notes=whole.notes[pitched])
    return grid.roll(grid.place(others, piece.windows), piece.windows.n_steps)
