"""Passages of pieces: where they lie, what they hold, and which class they are of."""

from __future__ import annotations

import numpy as np
import pytest
from midi_files import metre, save, track

from fadernets.data import corpora
from fadernets.evaluation import piece_passages
from fadernets.evaluation.piece_passages import METRES, PassagePiece
from fadernets.music.document import Document
from fadernets.music.notes import MetreMap


def tune(path, numerator, denominator, bars=9, name="a.mid", threes=()):
    """Quarters of one pitch a bar, struck at its start; triplets in the bars `threes`."""
    length = numerator * 4 / denominator
    notes = [(bar * length, length, 60 + bar, 80) for bar in range(bars)]
    notes += [(bar * length + 1 + i / 3, 1 / 3, 80, 80) for bar in threes for i in range(3)]
    return save(path / name, track(notes, metre(numerator, denominator)))


@pytest.mark.parametrize(
    ("signature", "steps", "count"),
    [((4, 4), 16, 2), ((3, 4), 12, 2), ((6, 8), 12, 2), ((2, 4), 16, 1), ((5, 4), 20, 0), ((2, 2), 16, 2)],
)
def test_passages_are_four_bars_on_sixteenths(tmp_path, signature, steps, count):
    piece = PassagePiece.of(Document(tune(tmp_path, *signature)), "a", "folder")
    assert len(piece.first) == count
    lengths, metres, subdivisions = piece.kinds
    name = "/".join(map(str, signature))
    assert set(lengths.tolist()) <= {steps}
    assert set(metres.tolist()) <= {METRES.index(name if name in METRES else "other")}
    assert not subdivisions.any()
    cells = piece.cells(piece.roll)
    assert cells.shape == (count, 4, 16, 88)
    if count and signature != (2, 4):
        assert [np.flatnonzero(bar[0] == 1).tolist() for bar in cells[1]] == [[43 + i] for i in range(4)]
        assert not cells[:, :, steps:].any()
        assert (cells[:, :, :steps] > 0).sum() == count * 4 * steps


def test_triplets_are_a_class(tmp_path):
    piece = PassagePiece.of(Document(tune(tmp_path, 4, 4, threes=(5,))), "a")
    assert piece.kinds[2].tolist() == [0, 1]


def test_a_bar_without_a_note_is_in_no_passage(tmp_path):
    notes = [(4 * bar, 4, 60, 80) for bar in (0, 1, 3, 4, 5, 6)]
    piece = PassagePiece.of(Document(save(tmp_path / "a.mid", track(notes))), "a")
    assert piece.first.tolist() == [3]


def test_an_edit_is_read_on_the_grid_of_the_source(tmp_path):
    document = Document(tune(tmp_path, 3, 4))
    piece = PassagePiece.of(document, "a")
    np.testing.assert_array_equal(piece.reread(document), piece.roll)


def test_notes_on_the_own_grid_tell_triplets_apart(tmp_path):
    piece = PassagePiece.of(Document(tune(tmp_path, 4, 4, threes=(1, 2))), "a")
    rows = piece.grid.notes_of(piece.document.piece, piece.tracks, np.array([0, 1, 2]))
    assert rows[0][0] != rows[1][0] == rows[2][0]
    assert (rows[1][1][:, 80 - 21] == 1).sum() == 3


def test_another_metre_replaces_the_signatures_and_nothing_else(tmp_path):
    document = Document(tune(tmp_path, 4, 4))
    tpq = document.piece.tpq
    wanted = MetreMap(*(np.array(v, np.int64) for v in ([tpq, 13 * tpq], [3, 4], [4, 4])), tpq)
    changed = piece_passages.with_metre(document, wanted)
    found = changed.piece.metre
    assert found.ticks.tolist() == [0, tpq, 13 * tpq]  # a signature must stand at the start
    assert found.numerators.tolist() == [4, 3, 4]
    assert changed.piece.notes.tolist() == document.piece.notes.tolist()
    assert piece_passages.with_metre(changed, found) is changed


def test_pieces_of_a_corpus_by_split(tmp_path):
    for i in range(12):
        tune(tmp_path, 4, 4, name=f"{i}.mid")
    (tmp_path / "broken.mid").write_bytes(b"MThd")
    tune(tmp_path, 5, 4, name="five.mid")
    every = list(piece_passages.read_pieces("folder", tmp_path, ("train", "validation", "test")))
    assert len(every) == 12
    sources = {s.piece_id: s for s in corpora.CORPORA["folder"].sources(tmp_path)}
    for split, piece in every:
        assert ("train", "validation", "test")[corpora.split_of(sources[piece.name], 0)] == split
    some = [piece.name for _, piece in piece_passages.read_pieces("folder", tmp_path, ("train",))]
    assert some == [piece.name for split, piece in every if split == "train"]
