"""Files of several tracks: each is rewritten as itself, and what is asked of the file lands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import toy_rewriter

import fadernets
from fadernets.decoding.edit_models import Rewriter
from fadernets.editing import file_edit, track_edit
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.requests import Faders
from fadernets.music.document import Document, Edit
from fadernets.music.metric_grid import MetricGrid
from fadernets.music.notes import NOTE

K545 = Path(fadernets.__file__).parent / "assets" / "k545.mid"


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


def doubled_chords() -> np.ndarray:
    """[N, 5] eight bars in which one track holds the chord that the other one breaks."""
    rows = []
    for bar, root in enumerate([60, 65, 67, 60, 60, 65, 67, 60]):
        begin = 4 * bar
        rows += [(begin, begin + 4, root + third, 70, 2) for third in (0, 4, 7)]
        for beat, (broken, melody) in enumerate([(0, 0), (4, 2), (7, 4), (4, 7)]):
            onset = begin + beat
            rows += [(onset, onset + 0.75, root + broken, 80, 1), (onset, onset + 0.75, root - 12, 70, 1)]
            rows += [(onset, onset + 0.5, root + 12 + melody, 90, 1)]
    return np.array(rows)


@pytest.mark.parametrize(
    ("source", "bars"),
    [
        pytest.param(doubled_chords(), None, id="notes that two tracks have are heard once"),
        pytest.param(K545, [(1, 4)], id="a hand may rest while the other plays"),
    ],
)
def test_a_held_note_density_lands(source: np.ndarray | Path, bars: list[tuple[int, int]] | None) -> None:
    report = fadernets.edit(source, move={"rhythm_density": 0.2}, bars=bars).report
    edited = [segment for segment in report.segments if segment.asked["note_density"] is not None]
    assert len(edited) >= 4
    for segment in edited:
        assert segment.measured["note_density"] == pytest.approx(segment.asked["note_density"], abs=0.05), segment.bar
