"""Pairing note-ons with note-offs, where files leave it open."""

import mido
from midi_files import (
    ODDITIES,
    PIECES,
    piece_rows,
    right,
    save,
    track,
)

from fadernets.music.document import Document


def test_a_stuck_note_is_one_beat_long(tmp_path):
    save(path := tmp_path / "in.mid", track([(0, 1, 60, 80)], (960, mido.Message("note_on", note=64, velocity=70))))
    piece = Document(path).piece
    assert piece_rows(piece) == [(0, 480, 60, 80, 0, 0), (960, 1440, 64, 70, 0, 0)]
    assert piece.warnings == ["notes that are never released: 1, read as one beat long"]


def test_a_stuck_note_does_not_end_before_an_earlier_note_of_its_key(tmp_path):
    save(path := tmp_path / "in.mid", track([(0, 8, 60, 80)], (480, mido.Message("note_on", note=60, velocity=70))))
    assert piece_rows(Document(path).piece) == [(0, 3840, 60, 80, 0, 0), (480, 3840, 60, 70, 0, 0)]


def test_notes_of_no_length_are_read_with_a_warning(tmp_path):
    piece = Document(ODDITIES["zero_length"](tmp_path / "in.mid")).piece
    assert piece.warnings == ["notes of no length: 2, read as one step long"]
    assert (2400, 2400, 81, 70, 0, 0) in piece_rows(piece)


def test_overlapping_notes_of_a_key_pair_first_in_first_out(tmp_path):
    save(path := tmp_path / "in.mid", track([(0, 2, 60, 80), (1, 3, 60, 70)]))
    assert piece_rows(Document(path).piece) == [(0, 960, 60, 80, 0, 0), (480, 1920, 60, 70, 0, 0)]


def test_tracks_have_names_channels_and_programs(tmp_path):
    tracks = Document(PIECES["band"](tmp_path / "in.mid")).piece.tracks
    assert [(t.name, t.channel, t.program, t.is_drum, t.is_keyboard) for t in tracks] == [
        ("drums", 9, 0, True, False),
        ("bass", 1, 33, False, False),
        ("strings", 2, 48, False, False),
        ("Piano", 0, 0, False, True),
    ]


def test_a_channel_s_program_may_stand_in_another_chunk(tmp_path):
    setup = track((), (0, mido.Message("program_change", channel=3, program=41)))
    save(path := tmp_path / "in.mid", setup, track(right(4), channel=3), track(right(4), channel=4))
    assert [t.program for t in Document(path).piece.tracks] == [41, 0]
