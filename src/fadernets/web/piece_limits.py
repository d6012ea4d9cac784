"""How large a piece a server takes: what is read takes a hundred times the bytes of its file."""

from __future__ import annotations

from pathlib import Path

from fadernets.errors import FadernetsError
from fadernets.music.document import Document
from fadernets.music.opening import is_xml
from fadernets.music.score_midi import ScoreDocument
from fadernets.music.smf import MidiFile, checked

MOST_BARS = 1000  # of a piece; `fadernets apply` edits longer ones
MOST_BYTES = 2 * 2**20  # of a file
MOST_XML = 8 * 2**20  # bytes of a score, unpacked
MOST_NOTES = 50_000  # of a piece; the longest concerts of MAESTRO have half as many
MOST_SECONDS = 3600  # of a piece, as it plays
MOST_EVENTS = 200_000  # of a piece: notes have two, pedals many


def read_piece(title: str, data: bytes, server: str) -> Document:
    """A MIDI or MusicXML file, read. `server` is who reads it, in errors: `the studio`.

    Raises FadernetsError for what is no music, and for what is longer or denser than a server takes.
    """
    path = Path(title)
    if is_xml(data):
        return _within_limits(title, ScoreDocument(path, data, MOST_XML), server)
    data = checked(path, data)
    if len(data) > 2 * MOST_EVENTS:  # an event has two bytes at least
        events = sum(len(track) for track in MidiFile.of(path, data).tracks)
        if events > MOST_EVENTS:
            raise FadernetsError(f"{title}: {events} events; {server} takes {MOST_EVENTS}")
    return _within_limits(title, Document(path, data), server)


def _within_limits(title: str, document: Document, server: str) -> Document:
    """The document, if a server takes what it holds. Raises FadernetsError."""
    piece = document.piece
    tracks = {int(number) for number in piece.notes["track"]}
    if not tracks:
        raise FadernetsError(f"{title}: the file has no notes")
    if all(piece.tracks[number].is_drum for number in tracks):
        raise FadernetsError(f"{title}: the file has only drums")
    for count, most, what in (
        (len(piece.metre.bar_starts(piece.end)), MOST_BARS, "bars"),
        (len(piece.notes), MOST_NOTES, "notes"),
        (round(piece.seconds()), MOST_SECONDS, "seconds"),
    ):
        if count > most:
            longer = "longer" if what != "notes" else "denser"
            raise FadernetsError(
                f"{title}: {count} {what}; {server} takes {most}. `fadernets apply` edits {longer} pieces"
            )
    return document
