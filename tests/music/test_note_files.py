"""Notes in memory as MIDI files and back: columns of numbers, structured arrays, symusic's scores."""

import numpy as np
import pytest
import symusic

from fadernets.errors import FadernetsError
from fadernets.music.document import Document
from fadernets.music.note_files import COLUMNS, file_of_notes
from fadernets.music.notes import NOTE, ROLL_NOTE, make_notes

ROWS = [[0, 1, 60, 80], [1, 2.5, 64, 90], [1, 2, 48, 1]]


def test_columns_are_beats():
    piece = Document.of_notes(ROWS, tempo=90, metre=(3, 8)).piece
    assert piece.notes.tolist() == [(0, 480, 60, 80, 0), (480, 960, 48, 1, 0), (480, 1200, 64, 90, 0)]
    assert piece.tempo.micros.tolist() == [666_667]
    assert (piece.metre.numerators.tolist(), piece.metre.denominators.tolist()) == ([3], [8])
    assert piece.warnings == []
    assert Document.of_notes(np.array(ROWS)).edited is not None


def test_tracks_become_tracks():
    piece = Document.of_notes([[0, 1, 60, 80, 2], [0, 1, 60, 80, 0]]).piece
    assert piece.notes["track"].tolist() == [0, 1]
    assert [track.channel for track in piece.tracks] == [0, 2]
    many = Document.of_notes([[0, 1, 60, 80, i] for i in range(20)]).piece
    assert not any(track.is_drum for track in many.tracks)


def test_structured_arrays_are_ticks_or_beats():
    notes = make_notes([(0, 240, 60, 80, 0), (240, 480, 62, 80, 1)])
    for tpq in (480, 96):
        piece = Document.of_notes(notes, tpq=tpq).piece
        assert (piece.notes.tolist(), piece.tpq) == (notes.tolist(), tpq)
    with pytest.raises(FadernetsError, match=r"are whole numbers, so ticks: give the ticks a quarter note"):
        Document.of_notes(notes)
    for tpq in (0, 2**15, 480.0, "480"):
        with pytest.raises(FadernetsError, match=r"^tpq .*: the ticks a quarter note are a whole"):
            Document.of_notes(notes, tpq=tpq)
    beats = np.zeros(1, ROLL_NOTE)
    beats["onset"], beats["end"], beats["pitch"], beats["velocity"] = 0.5, 1.0, 60, 80
    assert Document.of_notes(beats).piece.notes.tolist() == [(240, 480, 60, 80, 0)]


def test_no_notes_are_a_file():
    assert len(Document.of_notes(np.zeros(0, NOTE), tpq=480).piece.notes) == 0
    assert len(Document.of_notes(np.zeros((0, 4))).piece.notes) == 0


@pytest.mark.parametrize("unit", ["tick", "quarter", "second"])
def test_scores_of_every_unit(unit):
    score = symusic.Score.from_midi(file_of_notes(ROWS)).to(unit)
    assert Document.of_score(score).piece.notes.tolist() == Document.of_notes(ROWS).piece.notes.tolist()


def test_the_bytes_of_a_file():
    data = file_of_notes(ROWS)
    document = Document.of_bytes(data, "mine.mid")
    assert document.path.name == "mine.mid"
    with pytest.raises(FadernetsError, match=r"^mine.mid: is not a MIDI file"):
        Document.of_bytes(b"no" * 20, "mine.mid")


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        ([0, 1, 60, 80], r"shape \[N, 4\] or \[N, 5\], not \[4\]"),
        ([[0, 1, 60]], r"not \[1, 3\]"),
        ([["a", "b", "c", "d"]], "holds numbers; its onset is of the type <U1"),
        ([[0, 1, 60, 80], [1, 2]], "rows of the same length: onset, end, pitch, velocity"),
        (np.zeros(1, [(n, "U1" if n == "pitch" else float) for n in COLUMNS[:4]]), "its pitch is of the type <U1"),
        ([[0, 1, 128, 80]], "a note has the pitch 128; allowed: 0..127"),
        ([[0, 1, 60, 0]], "a note has the velocity 0; allowed: 1..127"),
        ([[-1, 1, 60, 80]], "a note has the onset -480; allowed"),
        ([[0, float("nan"), 60, 80]], "a note has the end nan"),
        ([[1, 1, 60, 80]], "a note ends where it begins, or before"),
        (
            np.zeros(1, [("onset", int), ("pitch", int)]),
            "needs the fields onset, end, pitch, velocity; this one has on",
        ),
    ],
)
def test_what_is_no_note(notes, message):
    with pytest.raises(FadernetsError, match=message):
        Document.of_notes(notes)


def test_clocks_that_no_file_has():
    for metre in ((4, 3), (0, 4), (4, 128)):
        with pytest.raises(FadernetsError, match="denominator must be 1, 2, 4"):
            file_of_notes(ROWS, metre=metre)
    for tempo in (0, float("nan"), 1e9):
        with pytest.raises(FadernetsError, match=r"tempo .*: must lie in"):
            file_of_notes(ROWS, tempo)
    with pytest.raises(FadernetsError, match="cannot be written as MIDI"):
        Document.of_score("a string")
