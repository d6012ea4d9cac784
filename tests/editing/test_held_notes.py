"""What faders did against locks is undone, together with what would meet the notes that come back."""

import numpy as np
import pytest
from midi_files import metre, save, track
from rule_rewriter import RuleRewriter

from fadernets.editing import file_edit
from fadernets.editing.edit_grids import placed_for
from fadernets.editing.held_notes import with_locks_kept
from fadernets.editing.lock_requests import Lock
from fadernets.editing.locks import kept_parts, violations
from fadernets.editing.note_draft import NEW, NoteDraft
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.music.document import Document

STEP = 0.25  # quarter notes


@pytest.fixture
def piece(tmp_path):
    """Two notes that overlap, a melody above them and a bass below, and a bar behind them."""
    notes = [(0, 2 * STEP, 60, 80), (STEP, 2 * STEP, 64, 80), (1, 2, 62, 80), (0, 4, 72, 80), (0, 1, 40, 80)]
    document = Document(save(tmp_path / "in.mid", track([*notes, (4, 4, 50, 80)], metre(4))))
    return placed_for(RuleRewriter(), document.piece, file_edit.choose_tracks(document.piece))


def draft_of(piece: PieceOnGrid, pitches: dict[int, int]) -> NoteDraft:
    """The piece with notes of these pitches moved to others."""
    draft = NoteDraft.of(piece.piece.notes, piece.windows, piece.piece.tempo)
    return draft.with_columns(pitch=np.array([pitches.get(p, p) for p in piece.piece.notes["pitch"].tolist()]))


def kept_of(piece: PieceOnGrid, *texts: str):
    return kept_parts(piece.piece, piece, tuple(map(Lock.read, texts)))


def broken(piece: PieceOnGrid, draft: NoteDraft, kept) -> int:
    after = PieceOnGrid.of(draft.piece(piece.piece), [0], piece.windows)
    return violations(piece, after, kept)


def pitches(draft: NoteDraft) -> list[int]:
    return sorted(draft.notes["pitch"].tolist())


def test_a_kept_note_comes_back_and_others_stay_moved(piece):
    kept = kept_of(piece, "1.1:60")
    assert pitches(with_locks_kept(draft_of(piece, {60: 67, 62: 65}), piece, kept)) == [40, 50, 60, 64, 65, 72]


def test_a_note_that_moved_to_the_pitch_of_one_that_comes_back_comes_back_too(piece):
    """It would wait for the other one's end, and begin on a step where none begins."""
    kept = kept_of(piece, "melody", "rhythm")
    assert broken(piece, draft_of(piece, {64: 60}), kept) > 0

    out = with_locks_kept(draft_of(piece, {60: 80, 64: 60, 62: 65}), piece, kept)  # 80 lies above the melody

    assert broken(piece, out, kept) == 0
    assert pitches(out) == [40, 50, 60, 64, 65, 72]


def test_a_new_note_that_meets_one_that_comes_back_is_dropped(piece):
    kept = kept_of(piece, "melody", "rhythm")
    draft = draft_of(piece, {60: 80, 64: 65})
    new = draft.notes[draft.notes["pitch"] == 65].copy()
    new["pitch"] = 60
    draft.notes["onset"][draft.notes["pitch"] == 65] = 480
    with_new = NoteDraft(np.append(draft.notes, new), np.append(draft.origin, NEW), draft.windows, draft.tempo)

    out = with_locks_kept(with_new, piece, kept)

    assert broken(piece, out, kept) == 0
    assert NEW not in out.origin


def test_where_no_lock_breaks_notes_may_meet(piece):
    """One waits for the other, as a file must have it."""
    kept = kept_of(piece, "melody")
    out = with_locks_kept(draft_of(piece, {60: 80, 64: 60}), piece, kept)
    assert broken(piece, out, kept) == 0
    assert pitches(out) == [40, 50, 60, 60, 62, 72]


def test_a_step_that_a_note_leaves_as_it_comes_back_gets_its_own_back(piece):
    """The note of one step moved to the next one, whose own note is gone."""
    kept = kept_of(piece, "rhythm")
    draft = draft_of(piece, {})
    moves, gone = (np.flatnonzero(draft.notes["pitch"] == pitch)[0] for pitch in (64, 62))
    draft.notes["onset"][moves] = draft.notes["onset"][gone]
    rest = np.arange(len(draft.notes)) != gone

    out = with_locks_kept(NoteDraft(draft.notes[rest], draft.origin[rest], draft.windows, draft.tempo), piece, kept)

    assert broken(piece, out, kept) == 0
    assert pitches(out) == pitches(draft)
