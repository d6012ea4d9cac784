"""A draft and the edit that it makes: written, read back, the same."""

import numpy as np
import pytest
from midi_files import PIECES, TPQ, events, metre, notes, save, track

from fadernets.editing.beyond_model import draft_of
from fadernets.editing.note_draft import NEW, NoteDraft
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.music.document import Document
from fadernets.music.notes import NOTE, TempoMap

ROW = ["onset", "end", "pitch", "velocity", "track"]


def written(document, draft):
    piece = document.piece
    return document.edited(draft.edit(piece.notes, piece.tempo, piece.tracks))


@pytest.fixture
def opened(tmp_path):
    """A document of rows (onset, length, pitch, velocity) a track, all on one channel, and its draft."""

    def open_(*hands):
        document = Document(save(tmp_path / "in.mid", *(track(rows, metre(4)) for rows in hands)))
        return document, draft_of(PieceOnGrid.of(document.piece, list(range(len(hands)))))

    return open_


def changed(draft, note, **columns):
    notes = draft.notes.copy()
    for name, value in columns.items():
        notes[name][note] = value
    return NoteDraft(notes, draft.origin, draft.windows, draft.tempo)


@pytest.mark.parametrize("name", PIECES)
def test_a_draft_that_nothing_changed_is_no_edit(tmp_path, name):
    document = Document(PIECES[name](tmp_path / "in.mid"))
    draft = draft_of(PieceOnGrid.of(document.piece, list(range(len(document.piece.tracks)))))
    assert written(document, draft) == document.path.read_bytes()
    assert draft.piece(document.piece).notes.tolist() == document.piece.notes.tolist()


@pytest.mark.parametrize("name", PIECES)
def test_any_change_of_notes_reads_back_as_the_draft_says(tmp_path, name):
    """Notes moved, raised, cut, dropped and new, at random: the file has them, and every other event."""
    document = Document(PIECES[name](tmp_path / "in.mid"))
    piece, rng = document.piece, np.random.default_rng(5)
    draft = draft_of(PieceOnGrid.of(piece, list(range(len(piece.tracks)))))
    found, count = draft.notes.copy(), len(draft.notes)
    some = rng.random((4, count)) < 0.2
    found["onset"] = np.maximum(found["onset"] + some[0] * rng.integers(-90, 90, count), 0)
    found["end"] = np.maximum(found["end"] + some[1] * rng.integers(-200, 200, count), found["onset"] + 1)
    found["pitch"] = np.where(some[2], rng.integers(0, 128, count), found["pitch"])
    found["velocity"] = np.where(some[3], rng.integers(1, 128, count), found["velocity"])
    kept = rng.random(count) < 0.9
    fresh = found[~kept]
    fresh["pitch"] = rng.integers(30, 90, len(fresh))
    origin = np.concatenate([np.flatnonzero(kept), np.full(len(fresh), NEW)])
    other = NoteDraft(np.concatenate([found[kept], fresh]), origin, draft.windows, draft.tempo)
    (tmp_path / "out.mid").write_bytes(written(document, other))
    assert events(tmp_path / "out.mid") == events(document.path)
    again = Document(tmp_path / "out.mid").piece
    said = other.piece(piece)
    where = [(t.chunk, t.channel) for t in piece.tracks]
    said_rows = sorted((*(int(n[c]) for c in ROW[:4]), *where[n["track"]]) for n in said.notes)
    if name != "unison":  # two notes on one tick and key are told apart by the order of their ends alone
        assert notes(tmp_path / "out.mid") == said_rows
    assert len(again.notes) == len(said.notes)


def test_a_note_moved_onto_a_sounding_key_cuts_what_was_moved_too(opened):
    document, draft = opened([(0, 2, 60, 80), (1, 1, 64, 80), (3, 1, 67, 80)])
    both = changed(draft, [0, 1], pitch=[62, 62])
    assert notes(written(document, both))[:2] == [(0, TPQ, 62, 80, 0, 0), (TPQ, 2 * TPQ, 62, 80, 0, 0)]


def test_a_note_waits_up_to_a_step_for_one_that_nobody_touched(opened):
    document, draft = opened([(0, 1.2, 60, 80), (1, 1, 64, 80)])
    found = notes(written(document, changed(draft, 1, pitch=60)))
    assert found == [(0, 576, 60, 80, 0, 0), (576, 960, 60, 80, 0, 0)]
    document, draft = opened([(0, 1.5, 60, 80), (1, 1, 64, 80)])  # longer than a step: it is struck anew
    assert notes(written(document, changed(draft, 1, pitch=60)))[0] == (0, 480, 60, 80, 0, 0)


def test_overlaps_of_the_source_stay_with_the_order_of_their_ends(opened):
    document, draft = opened([(0, 2, 60, 80), (1, 3, 60, 70)])
    assert notes(written(document, changed(draft, 1, velocity=30))) == [
        (0, 960, 60, 80, 0, 0),
        (480, 1920, 60, 30, 0, 0),
    ]
    shorter = notes(written(document, changed(draft, 1, end=700)))  # not before the end of the one below it
    assert shorter == [(0, 960, 60, 80, 0, 0), (480, 960, 60, 70, 0, 0)]
    longer = notes(written(document, changed(draft, 0, end=5000)))
    assert longer == [(0, 1920, 60, 80, 0, 0), (480, 1920, 60, 70, 0, 0)]
    up = notes(written(document, changed(draft, [0, 1], pitch=72)))
    assert [(row[0], row[1], row[2]) for row in up] == [(0, 960, 72), (480, 1920, 72)]


def test_a_third_note_is_seen_behind_an_inner_one(opened):
    """The first sounds on over the second, which the source has, and over the third, which is new there."""
    document, draft = opened([(0, 8, 60, 80)], [(1, 1, 60, 70), (4, 1, 65, 60)])
    found = notes(written(document, changed(changed(draft, 2, pitch=60), 0, velocity=81)))
    assert (0, 4 * TPQ, 60, 81, 0, 0) in found
    assert (TPQ, 2 * TPQ, 60, 70, 1, 0) in found


def test_a_tempo_map_is_an_edit_of_its_own(opened):
    document, draft = opened([(0, 1, 60, 80)])
    other = NoteDraft(draft.notes, draft.origin, draft.windows, TempoMap.of([(0, 400_000)], TPQ))
    edit = other.edit(document.piece.notes, document.piece.tempo, document.piece.tracks)
    assert edit.tempo is other.tempo
    assert len(edit.changed) == len(edit.removed) == len(edit.added) == 0
    assert edit.added.dtype == NOTE
    assert draft.edit(document.piece.notes, document.piece.tempo, document.piece.tracks).tempo is None
