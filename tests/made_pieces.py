"""Pieces of rows, without a file."""

from fadernets.music.notes import MetreMap, Piece, TempoMap, Track, make_notes

TPQ = 480


def piece_of(rows, *metres):
    """A piece of notes (onset, length, pitch), in quarters, and time signatures (quarter, numerator, denominator)."""
    notes = make_notes([(round(a * TPQ), round((a + n) * TPQ), p, 80, 0) for a, n, p in rows])
    metre = MetreMap.of([(round(a * TPQ), n, d) for a, n, d in metres], TPQ)
    return Piece(notes, TPQ, TempoMap.of([], TPQ), metre, [Track("", 0, 0)])
