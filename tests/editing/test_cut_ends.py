"""Notes that begin before the edited bars end as they did, or where their key is struck; nowhere else."""

from pathlib import Path

import numpy as np
import pytest
from midi_files import metre, save, track

from fadernets.editing import cut_ends, file_edit
from fadernets.editing.requests import Faders
from fadernets.engines.grid import Engine
from fadernets.music.document import Document
from fadernets.music.segments import cut

HELD = (3, 3, 67, 80)  # begins in the first bar, ends in the second
SECOND_BAR = np.array([False, True, False, False])


def document(path, *rows):
    """A piece of four bars: (onset, length, pitch, velocity) in quarters."""
    return Document(save(path, track([(0, 16, 36, 50), *rows], metre(4))))


def rows_of(data):
    """(onset, end, pitch) in quarters, without the lowest note."""
    piece = data.piece
    return [
        (round(float(n["onset"]) / piece.tpq, 3), round(float(n["end"]) / piece.tpq, 3), int(n["pitch"]))
        for n in piece.notes
        if n["pitch"] > 36
    ]


def restored(source, written):
    edit = cut_ends.restored_ends(source.piece, written.piece, cut(source.piece), SECOND_BAR)
    return Document(Path("out.mid"), written.edited(edit))


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ([(3, 1, 67, 80), (4, 1, 69, 80)], [(3, 6, 67), (4, 5, 69)]),  # what struck it went on to another key
        ([(3, 1, 67, 80), (5, 1, 67, 90)], [(3, 5, 67), (5, 6, 67)]),  # or strikes it later
        ([(3, 2, 67, 80), (5, 1, 67, 90)], [(3, 5, 67), (5, 6, 67)]),  # or strikes it there
        ([(3, 3, 67, 80), (4, 1, 69, 80)], [(3, 6, 67), (4, 5, 69)]),
        ([(3, 4, 67, 80)], [(3, 7, 67)]),  # no end comes nearer
        ([(3, 1, 67, 81)], [(3, 4, 67)]),  # another note
        ([(3, 1, 67, 80), (3, 1, 67, 80)], [(3, 4, 67), (3, 4, 67)]),  # which of them it was is not known
    ],
)
def test_a_cut_end_comes_back_as_far_as_its_key_is_not_struck(tmp_path, written, wanted):
    source = document(tmp_path / "in.mid", HELD, (4, 1, 65, 80))
    assert rows_of(restored(source, document(tmp_path / "out.mid", *written))) == wanted


def test_ends_stay_in_the_order_of_their_onsets(tmp_path):
    """A note of the second bar that sounds on the same key ends earlier than it did: the held one goes before it."""
    source = document(tmp_path / "in.mid", HELD, (4, 3, 67, 70))
    written = document(tmp_path / "out.mid", (3, 1, 67, 80), (4, 1.5, 67, 70))
    assert rows_of(restored(source, written)) == [(3, 5.5, 67), (4, 5.5, 67)]


def test_notes_that_begin_in_the_bars_end_as_they_were_written(tmp_path):
    source = document(tmp_path / "in.mid", (4, 3, 67, 80))
    written = document(tmp_path / "out.mid", (4, 1, 67, 80))
    assert rows_of(restored(source, written)) == [(4, 5, 67)]


def test_a_key_that_is_struck_on_the_way_is_not_cut(tmp_path):
    """The new key strikes a held note, whose octaves sound too; the pitch fader takes the strikes away again."""
    held = [(3, 3, pitch, 80) for pitch in (55, 67, 79)]
    source = document(tmp_path / "in.mid", *held, *[(4 + i / 2, 0.5, 68, 80) for i in range(8)])
    faders = Faders.checked(move={"key": -1.0, "pitch": 6.0}, bars=[(2, 2)])
    (answer,) = file_edit.edit_document(Engine.open(), source, faders)
    after = rows_of(Document.of_bytes(answer.data))
    assert after[:3] == [(3, 6, pitch) for pitch in (55, 67, 79)]
    assert not {pitch for onset, _, pitch in after if 4 <= onset < 6} & {55, 67, 79}
