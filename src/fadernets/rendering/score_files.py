"""Edited pieces as files, MIDI or MusicXML by the ending of their names."""

from __future__ import annotations

from pathlib import Path

from fadernets.music.document import Document
from fadernets.music.opening import PACKED_SUFFIX, SCORE_SUFFIXES
from fadernets.rendering import endings


def as_named(source: Document, data: bytes, out: Path) -> tuple[bytes, list[str]]:
    """The bytes of an edited MIDI file for a file of this name, and what a user should know of them.

    A name that ends with .musicxml, .xml or .mxl gets a score: the source's own with the edit in it, where it is one or
    was made from one, else one that the notes are written into. Raises FadernetsError for a name of sound, of a picture
    or a table.
    """
    endings.check_ending(out, endings.EDIT)
    if out.suffix.lower() not in SCORE_SUFFIXES:
        return data, []
    from fadernets.music.score_midi import ScoreDocument
    from fadernets.music.xml_files import packed_xml

    packed = out.suffix.lower() == PACKED_SUFFIX
    score = source.origin or source
    if isinstance(score, ScoreDocument):
        from fadernets.rendering.score_return import give_back

        made = give_back(score, data, packed)
        return made.data, made.warnings
    from fadernets.rendering import musicxml

    text = musicxml.write_document(Document(source.path, data), source.path.stem)
    return (packed_xml(text) if packed else text), []
