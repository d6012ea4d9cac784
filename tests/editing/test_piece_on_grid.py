"""A piece on the grid."""

import numpy as np
import pytest
from midi_files import PIECES, metre, save, tempo, track

from fadernets.attributes import of_segments
from fadernets.attributes.table import ATTRIBUTES
from fadernets.editing import file_edit
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.music.document import Document, Edit
from fadernets.music.metric_grid import MetricGrid


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


# --- the piece's own grid


@pytest.mark.parametrize("name", PIECES)
def test_every_attribute_is_one_number_a_bar_within_its_range_or_nothing(tmp_path, name):
    piece = Document(PIECES[name](tmp_path / "in.mid")).piece
    score = PieceOnGrid.of(piece, file_edit.choose_tracks(piece), MetricGrid.of(piece))
    assert not score.is_in_windows
    assert score.metric_grid is score.windows
    found = score.measure(score.full)
    assert list(found) == list(ATTRIBUTES)
    for row in ATTRIBUTES.values():
        values = found[row.name]
        assert values.shape == score.full.shape == score.windows.start.shape
        known = values[~np.isnan(values)]
        assert ((known >= 0) & (known <= of_segments.highest(row, score.windows))).all()
        assert len(known)
    assert np.isnan(found["key"]).tolist() == (~score.sounding(score.full)).tolist()
    assert 0 <= score.key(score.full) < 24


def test_cells_of_bars_of_different_sizes_end_with_rests(tmp_path):
    waltz = [(i, 1, 60, 80) for i in range(3)]
    common = [(3 + i, 1, 64, 80) for i in range(4)]
    path = save(tmp_path / "in.mid", track(waltz + common, metre(3), metre(4, tick=3 * 480)))
    piece = Document(path).piece
    score = PieceOnGrid.of(piece, [0], MetricGrid.of(piece))
    cells = score.cells(score.full)
    assert cells.shape == (2, 16, 88)
    assert not cells[0, 12:].any()
    assert cells[1, 12:].any()
    assert score.free(np.array([1])).tolist() == [False] * 12 + [True] * 16


def test_the_same_notes_on_another_grid(tmp_path):
    score = score_of(tmp_path, "waltz")
    assert score.is_in_windows
    with pytest.raises(TypeError, match="windows"):
        _ = score.metric_grid
    own = score.on(MetricGrid.of(score.piece))
    assert own.rows is score.rows
    assert own.windows.bar.tolist() == list(range(1, len(own.windows.bar) + 1))
    assert own.reread(score.piece).windows is own.windows
