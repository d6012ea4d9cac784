"""Excerpts of documents as files of their own; bars of real pieces are cut in tests/listening/test_excerpts.py."""

import io

import mido
from midi_files import ODDITIES, TPQ, metre, notes, right, save, track

from fadernets.music.document import Document
from fadernets.music.excerpt import excerpt


def test_what_was_set_before_holds_and_notes_are_cut_at_both_ends(tmp_path):
    control = [(0, mido.Message("control_change", control=7, value=value)) for value in (90, 40)]
    later = [(5 * TPQ, mido.Message("pitchwheel", pitch=900)), (9 * TPQ, mido.Message("pitchwheel", pitch=0))]
    path = save(
        tmp_path / "in.mid", track([(0, 5, 60, 80), (4, 1, 62, 70), (7, 3, 64, 60)], metre(4), *control, *later)
    )
    data = excerpt(Document(path), [0], 4 * TPQ, 8 * TPQ)
    assert [row[:4] for row in notes(data)] == [(0, TPQ, 62, 70), (3 * TPQ, 4 * TPQ, 64, 60)]
    _, messages = mido.MidiFile(file=io.BytesIO(data)).tracks
    assert [m.value for m in messages if m.type == "control_change"] == [40]
    assert [m.pitch for m in messages if m.type == "pitchwheel"] == [900]
    assert sum(m.time for m in messages) == 4 * TPQ


def test_a_name_in_any_script_and_meta_events_that_no_player_needs(tmp_path):
    path = save(tmp_path / "in.mid", track(right(8), name="x"))
    data = path.read_bytes().replace(b"\xff\x03\x01x", b"\xff\x03\x03\xe7\x90\xb4")
    at = data.index(b"MTrk") + 4
    data = data[:at] + (len(data) - at - 4).to_bytes(4, "big") + data[at + 4 :]
    assert "琴".encode() in excerpt(Document(path, data), [0], 0, 8 * TPQ)
    odd = Document(ODDITIES["odd_meta"](tmp_path / "odd.mid"))
    assert len(notes(excerpt(odd, [0], 0, 8 * TPQ))) > 0
