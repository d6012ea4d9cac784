"""Files of music by what their bytes are: MIDI, or MusicXML, whose reader is only loaded where it is needed."""

from __future__ import annotations

from pathlib import Path

from fadernets.music.document import Document
from fadernets.music.smf import MAX_BYTES, checked, file_bytes

SCORE_SUFFIXES, PACKED_SUFFIX = (".musicxml", ".xml", ".mxl"), ".mxl"  # of names of score files
ZIP = b"PK\x03\x04"
HEAD = 64  # bytes that tell what a file is


def is_xml(data: bytes) -> bool:
    """Whether bytes look like XML or a compressed MusicXML file, and not like MIDI."""
    start = data[:HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")
    return data[:4] == ZIP or start[:1] == b"<" or data[:2] in (b"\xff\xfe", b"\xfe\xff")


def open_document(path: Path, data: bytes | None = None) -> Document:
    """A MIDI or MusicXML file, plain or compressed, as a document, by what its bytes are. Raises FadernetsError.

    data: the bytes, where `path` only names them.
    """
    if data is None:
        data = _xml_bytes(path)
        if data is None:
            return Document(path)
    if not is_xml(data):
        return Document(path, checked(path, data))
    from fadernets.music.score_midi import ScoreDocument

    return ScoreDocument(path, data)


def midi_bytes(path: Path) -> bytes:
    """The bytes of a MIDI file, or of the MIDI file that a MusicXML score is read as. Raises FadernetsError."""
    data = _xml_bytes(path)
    return file_bytes(path) if data is None else open_document(path, data).with_tracks({})


def _xml_bytes(path: Path) -> bytes | None:
    """The bytes of a file that is XML or may be a compressed score; None for all others, which MIDI's reader reads."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            return head + file.read(MAX_BYTES) if is_xml(head) else None
    except (OSError, ValueError):  # no path has a null character
        return None
