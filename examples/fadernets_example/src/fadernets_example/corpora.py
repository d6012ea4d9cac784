"""A corpus of CSV files NAME.notes.csv: a line a note, onset and end in quarter notes, pitch, velocity."""

import numpy as np

from fadernets import Document, FadernetsError
from fadernets.data.corpora import Corpus, Item, Source


def sources(root):
    """The files below a folder; each is a piece of its own for the split."""
    files = sorted(root.glob("*.notes.csv"))
    return [Source(f"note_tables-{file.stem}", f"note_tables-{file.stem}", file) for file in files]


def read(source):
    """One file. Raises FadernetsError for lines that are no notes."""
    try:
        notes = np.loadtxt(source.path, delimiter=",", ndmin=2)
    except ValueError as error:
        raise FadernetsError(f"{source.path}: {error}") from None
    return Item(source, Document.of_notes(notes, name=source.path.name).piece)


NOTE_TABLES = Corpus("note_tables", "*.notes.csv", sources, read, "the user's own", False)
