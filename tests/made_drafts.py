"""Drafts of notes, as faders of notes take them: of the pieces of `midi_files`, and of rows."""

from midi_files import ODDITIES, PIECES, metre, save, track

from fadernets.editing.beyond_model import draft_of
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.music.document import Document


def draft_from(path, name):
    """The draft of a piece's pitched tracks; the file is written into the folder `path`."""
    document = Document({**PIECES, **ODDITIES}[name](path / "in.mid"))
    return draft_of(PieceOnGrid.of(document.piece, [i for i, t in enumerate(document.piece.tracks) if not t.is_drum]))


def draft_of_rows(path, *rows):
    """The draft of one track of notes (onset, length, pitch, velocity) in quarter notes, in 4/4."""
    piece = Document(save(path / "in.mid", track(rows, metre(4)))).piece
    return draft_of(PieceOnGrid.of(piece, [0]))
