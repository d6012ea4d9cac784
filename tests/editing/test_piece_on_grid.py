"""A piece on the grid."""

import numpy as np
import pytest
from midi_files import PIECES, metre, save, tempo, track

from fadernets.attributes.table import ATTRIBUTES
from fadernets.editing import file_edit
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.music.document import Document, Edit


def score_of(path, name):
    piece = Document(PIECES[name](path / "in.mid")).piece
    return PieceOnGrid.of(piece, file_edit.choose_tracks(piece))


@pytest.mark.parametrize("name", PIECES)
def test_every_attribute_is_one_number_a_window_within_its_range_or_nothing(tmp_path, name):
    score = score_of(tmp_path, name)
    found = score.measure(score.full)
    assert list(found) == list(ATTRIBUTES)
    for row in ATTRIBUTES.values():
        values = found[row.name]
        assert values.shape == score.full.shape
        known = values[~np.isnan(values)]
        assert ((known >= 0) & (known <= row.high)).all()
        assert len(known)


def test_silent_windows_have_no_key_and_no_touch(tmp_path):
    score = score_of(tmp_path, "gaps")
    found = score.measure(score.full)
    for name in ("key", "pitch", "dynamics", "articulation"):
        assert np.isnan(found[name]).tolist() == [False, True, True, False, True, True]
    assert found["tempo"].tolist() == pytest.approx([100] * 6)


def test_the_chosen_tracks_alone_are_heard(tmp_path):
    score = score_of(tmp_path, "band")
    assert set(score.piece.notes["track"]) == {3}
    assert score.rows.tolist() == np.flatnonzero(Document(tmp_path / "in.mid").piece.notes["track"] == 3).tolist()


def test_the_same_tracks_are_found_again_where_one_lost_its_notes(tmp_path):
    hands = [track([(i, 1, 60 + i, 80) for i in range(4)], channel=c) for c in range(3)]
    document = Document(save(tmp_path / "in.mid", track((), tempo(100), metre(4)), *hands))
    score = PieceOnGrid.of(document.piece, [0, 2])
    gone = np.flatnonzero(document.piece.notes["track"] == 0)
    nothing = Edit.nothing()
    written = Document(document.path, document.edited(Edit(gone, nothing.changed, nothing.becomes, nothing.added)))
    again = score.reread(written.piece)
    assert {written.piece.tracks[i].channel for i in set(again.piece.notes["track"])} == {2}
    assert again.windows is score.windows


def test_the_key_of_several_windows_is_that_of_all_their_notes(tmp_path):
    major = [(i, 1, 60 + d, 80) for i, d in enumerate((0, 4, 7, 0))]
    score = PieceOnGrid.of(Document(save(tmp_path / "in.mid", track(major, metre(4)))).piece, [0])
    assert score.key(np.array([0])) == 0
