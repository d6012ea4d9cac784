"""Corpus files: symusic's notes and the package's own reading agree. mido is the oracle for time."""

import mido
import numpy as np
from midi_files import (
    PIECES,
    ROW,
    TPQ,
    right,
    save,
    tempo,
    track,
)

from fadernets.music import reader
from fadernets.music.document import Document


def test_read_and_document_agree(piece_file):
    fast, full = reader.read(piece_file), Document(piece_file).piece
    assert fast.tpq == full.tpq
    assert sorted(fast.notes[ROW].tolist()) == sorted(full.notes[ROW].tolist())
    for name in ("tempo", "metre"):
        one, other = vars(getattr(fast, name)), vars(getattr(full, name))
        assert {k: np.asarray(v).tolist() for k, v in one.items()} == {
            k: np.asarray(v).tolist() for k, v in other.items()
        }
    np.testing.assert_allclose(fast.seconds(), full.seconds())


def seconds(path):
    """When mido plays the notes of a file, sorted."""
    now, found = 0.0, []
    for message in mido.MidiFile(path):  # times in seconds, the tracks merged
        now += message.time
        if message.type == "note_on" and message.velocity:
            found.append(now)
    return found


def test_seconds_are_mido_s_where_tempos_share_a_tick(tmp_path):
    path = PIECES["tempi"](tmp_path / "in.mid")
    for piece in (reader.read(path), Document(path).piece):
        np.testing.assert_allclose(sorted(piece.tempo.seconds(piece.notes["onset"])), seconds(path), atol=1e-9)
        assert piece.tempo.ticks.tolist() == [0, 480, 1921, 3840, 5760]
        assert (60e6 / piece.tempo.micros).round().tolist() == [60, 140, 150, 70, 200]


def test_many_tempos_on_a_tick_keep_their_order(tmp_path):
    """symusic sorts them unstably from some twenty on."""
    one = [tempo(60 + i, TPQ * (i // 2)) for i in range(20)]
    other = [tempo(200 + i, TPQ * i) for i in range(11)]
    path = save(tmp_path / "in.mid", track((), *one), track((), *other), track(right(16)))
    for piece in (reader.read(path), Document(path).piece):
        np.testing.assert_allclose(sorted(piece.tempo.seconds(piece.notes["onset"])), seconds(path), atol=1e-9)
        assert (60e6 / piece.tempo.micros).round().tolist() == [*range(200, 211)]
