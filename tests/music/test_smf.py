"""MIDI files as bytes: what cannot be read is refused with a reason."""

import pytest
from midi_files import (
    BROKEN,
    PIECES,
    piece_rows,
    raw,
    riff,
)

from fadernets.music import reader
from fadernets.music.document import Document
from fadernets.music.smf import MidiError


@pytest.mark.parametrize(("name", "encoding"), [("Flöte", "utf-8"), ("Flöte", "latin-1"), ("a\n b", "ascii")])
def test_names_are_read_in_either_encoding_on_one_line(tmp_path, name, encoding):
    data = name.encode(encoding)
    chunk = b"\x00\xff\x03" + bytes([len(data)]) + data + b"\x00\x90\x3c\x40\x60\x3c\x00"
    assert Document(raw(tmp_path / "in.mid", chunk)).piece.tracks[0].name == " ".join(name.split())


def test_an_riff_wrapper_is_taken_off(tmp_path):
    wrapped, plain = riff(tmp_path / "in.rmi"), PIECES["two_hands"](tmp_path / "in.mid")
    assert piece_rows(Document(wrapped).piece) == piece_rows(Document(plain).piece)
    Document(wrapped).write(tmp_path / "out.mid")
    assert (tmp_path / "out.mid").read_bytes() == plain.read_bytes()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty", "is empty"),
        ("text", "is not a MIDI file"),
        ("truncated", "it ends in track 3 of 3"),
        ("noise", "is not a MIDI file"),
        ("noise_with_header", "is damaged"),
        ("smpte", "SMPTE frames"),
        ("no_division", "0 ticks"),
        ("format_2", "format 2"),
        ("endless", "60001 quarter notes long; at most 50000"),
    ],
)
def test_what_cannot_be_read_is_refused_by_both_readers(tmp_path, name, message):
    path = BROKEN[name](tmp_path / "in.mid")
    with pytest.raises(MidiError, match=message) as error:
        Document(path)
    assert str(path) in str(error.value)
    if name != "endless":  # a corpus has a limit of its own
        with pytest.raises(MidiError):
            reader.read(path)


def test_files_that_are_no_files_are_refused(tmp_path):
    with pytest.raises(MidiError, match="is a folder"):
        Document(tmp_path)
    with pytest.raises(MidiError, match="cannot be read"):
        Document(tmp_path / "none.mid")
    with pytest.raises(MidiError, match="is of format 7"):
        Document(raw(tmp_path / "in.mid", b"", kind=7))


@pytest.mark.parametrize(
    ("chunk", "message"),
    [
        (b"\x00\x3c\x40", "has no status"),
        (b"\x00\xf4\x40", "starts no event"),
        (b"\x81\x82\x83\x84\x05\x90\x3c\x40", "more than four bytes"),
        (b"\x00\x90\x3c", "ends too early"),
        (b"\x00\xff\x01\x09abc", "ends too early"),
        (b"\x00", "ends too early"),
    ],
)
def test_broken_events_are_named(tmp_path, chunk, message):
    with pytest.raises(MidiError, match=message):
        Document(raw(tmp_path / "in.mid", chunk))
    with pytest.raises(MidiError, match="ends in track 2 of 2"):
        Document(raw(tmp_path / "in.mid", b"\x00\xff\x2f\x00", count=2))


def test_every_cut_of_a_file_is_refused_or_read(tmp_path):
    data = PIECES["pick_up"](tmp_path / "in.mid").read_bytes()
    for size in range(len(data)):
        (tmp_path / "cut.mid").write_bytes(data[:size])
        with pytest.raises(MidiError):
            Document(tmp_path / "cut.mid")
