"""Files of several tracks: each is rewritten as itself, and what is asked of the file lands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import toy_rewriter

from fadernets.decoding.edit_models import Rewriter
from fadernets.editing import file_edit, track_edit
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.requests import Faders
from fadernets.music.document import Document, Edit
from fadernets.music.metric_grid import MetricGrid
from fadernets.music.notes import NOTE


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Rewriter:
    folder = Path(tmp_path_factory.mktemp("rewriter"))
    engine = toy_rewriter.toy_engine(folder)
    statistics = {"rhythm_density": {"std": 0.2}, "note_density": {"std": 1.0}}
    return Rewriter(folder, {**engine.info, "statistics": statistics})


@pytest.fixture(scope="module")
def document() -> Document:
    piece = toy_rewriter.made_piece(bars=8)
    rows = [[n["onset"] / piece.tpq, n["end"] / piece.tpq, n["pitch"], n["velocity"], n["track"]] for n in piece.notes]
    return Document.of_notes(np.array(rows))


def test_each_track_keeps_its_own_notes_and_the_file_lands(engine: Rewriter, document: Document) -> None:
    faders = Faders(move={"rhythm_density": 0.125})
    (answer,) = file_edit.edit_document(engine, document, faders)
    for segment in answer.report.segments:
        asked, measured = segment.asked["rhythm_density"], segment.measured["rhythm_density"]
        assert measured == pytest.approx(asked, abs=1 / 32)
    after = Document.of_bytes(answer.data).piece
    assert len(after.tracks) == len(document.piece.tracks) == 2


def test_tracks_are_taken_apart_and_put_together(document: Document) -> None:
    grid = MetricGrid.of(document.piece)
    whole = PieceOnGrid.of(document.piece, [0, 1], grid)
    parts = track_edit.tracks_of(document.piece, whole)
    assert [len(part.rows) for part in parts] == [int((document.piece.notes["track"] == k).sum()) for k in (0, 1)]
    assert np.sort(np.concatenate([part.rows for part in parts])).tolist() == whole.rows.tolist()


def test_edits_of_different_notes_become_one() -> None:
    nothing = Edit.nothing()
    note = np.zeros(1, NOTE)
    first = replace(nothing, removed=np.array([5]), changed=np.array([7]), becomes=note, added=note)
    second = replace(nothing, removed=np.array([2]), changed=np.array([3]), becomes=note)
    both = track_edit.together([first, second])
    assert both.removed.tolist() == [2, 5]
    assert both.changed.tolist() == [3, 7]
    assert len(both.added) == 1
