"""The model's part of an edit: some windows of a piece decoded anew, in order, and what that changes in the file.

The edited roll [T, 88] takes, window by window, the candidate that is chosen of those decoded; cells of notes that lie
or reach outside the edited windows stay as they are. T steps, W windows, S edited windows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fadernets.arrays import Bools, Cells, Indices
from fadernets.codecs import grid
from fadernets.decoding import candidate_choice, candidates, segment_decoding, segment_requests
from fadernets.decoding.segment_requests import EncodedSegments, SegmentRequest
from fadernets.editing import cells_to_notes
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.engines.grid import Engine
from fadernets.music.document import Document
from fadernets.music.notes import Piece
from fadernets.music.segments import STEPS

BATCH = 32  # segments decoded at once: bounds memory on long pieces, and lets progress show
Progress = Callable[[int, int], None]  # how many are done, of how many
Encode = Callable[[Engine, Cells], EncodedSegments]


def share_of_progress(progress: Progress | None, done: int, runs: int) -> Progress | None:
    """Progress of the one of several `runs` that follows those that are `done`."""
    return progress and (lambda at, total: progress(done * total + at, runs * total))


def edit_windows(
    engine: Engine,
    document: Document,
    piece: PieceOnGrid,
    edited: Indices,
    request: SegmentRequest,
    progress: Progress | None = None,
    others: Sequence[Cells] = (),
    encode: Encode = segment_requests.encode_segments,
) -> tuple[bytes, PieceOnGrid]:
    """The file with what is asked of its `edited` windows [S], and the piece as it reads from there.

    others: rolls [T, 88] of variations to keep away from. encode: what encodes segments, such as an EncodingCache that
    edits of the piece share.
    """
    free = piece.free(edited)
    fixed = fixed_cells(piece, document.piece, free)
    roll = _edited_roll(engine, piece, edited, fixed, request, progress, others, encode)
    change = cells_to_notes.edit_between_rolls(piece.piece, piece.windows, piece.placed, piece.roll, roll, free)
    data = document.edited(change.among(piece.rows))
    return data, piece.reread(Document(document.path, data).piece)


def _edited_roll(
    engine: Engine,
    piece: PieceOnGrid,
    edited: Indices,
    fixed: Bools,
    request: SegmentRequest,
    progress: Progress | None,
    others: Sequence[Cells],
    encode: Encode,
) -> Cells:
    """[T, 88] Segments are decoded in batches and chosen in order, so that what a segment holds in from before is what
    the one before it left sounding."""
    roll = piece.roll.copy()
    if request.at_rest:
        return roll
    deviations = segment_requests.attribute_deviations(engine)
    base = piece.windows.base
    for a in range(0, len(edited), BATCH):
        part = edited[a : a + BATCH]
        source = encode(engine, piece.cells(part))
        at = base[part][:, None] + np.arange(STEPS)
        options = segment_decoding.decode_candidates(engine, source, request.take(slice(a, a + BATCH)), fixed[at])
        rating = candidate_choice.rate_candidates(
            engine, options, source.cells, request.faithfulness, [other[at] for other in others]
        )
        for i, window in enumerate(part.tolist()):
            cells = _joined(options.cells[i], roll[base[window] - 1] if base[window] else None)
            here = slice(i, i + 1)
            best = candidate_choice.choose_candidates(
                options.take(here), source.cells[here], deviations, rating[here], cells[None]
            )
            density, pinned = options.targets[here, 1], fixed[at[here]]
            roll[at[i]] = candidates.land_on_density(cells[best], options.scores[here], density, pinned)[0]
        if progress:
            progress(min(a + BATCH, len(edited)), len(edited))
    return grid.without_orphans(roll)


def fixed_cells(piece: PieceOnGrid, whole: Piece, free: Bools) -> Bools:
    """[T, 88] cells that must stay as they are: those of the notes that lie or reach outside the `free` [T] steps, with
    the step behind each, and rests where a track of the `whole` file that is not edited sounds on the same channel."""
    fixed = np.zeros(piece.roll.shape, bool)
    still = cells_to_notes.fixed_notes(piece.piece, piece.windows, piece.placed, free)
    _mark(fixed, piece.placed, still & piece.placed.on_grid, before=0)
    ours = piece.piece.notes["track"]
    channels = np.array([track.channel for track in whole.tracks])
    others = np.isin(channels[whole.notes["track"]], channels[ours])
    others[piece.rows] = False
    placed = grid.place(whole, piece.windows)
    taken = np.zeros(piece.roll.shape, bool)
    _mark(taken, placed, others & placed.on_grid, before=1)
    return np.asarray(fixed | (taken & (piece.roll == grid.OFF)))


def _mark(cells: Bools, placed: grid.Placed, notes: Bools, before: int) -> None:
    """Set the cells of some notes [N], one step behind each and `before` steps ahead."""
    for i in np.flatnonzero(notes).tolist():
        cells[max(placed.onset[i] - before, 0) : placed.end[i] + 1, placed.pitch[i]] = True


def _joined(options: Cells, before: Cells | None) -> Cells:
    """Candidates [K, 16, 88] without holds at the start that continue nothing in the step before [88]."""
    sounding = np.zeros(options.shape[-1], bool) if before is None else before != grid.OFF
    led = np.logical_and.accumulate(options == grid.HOLD, axis=1)
    return np.where(led & ~sounding, grid.OFF, options).astype(np.uint8)
