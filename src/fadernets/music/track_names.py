"""Tracks of a piece by number or name, as users give them, and which names say that a track is the melody."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fadernets.errors import FadernetsError, did_you_mean
from fadernets.music.notes import Piece

MELODY_TRACK_NAMES = ("melody", "voice", "vocal", "sing", "gesang", "chant", "canto", "soprano", "lead", "tune")
MOST_DIGITS = 8  # of a track's number: no file has more tracks


def is_melody_name(name: str) -> bool:
    """Whether a track's name says that it is the melody."""
    return any(word in name.lower() for word in MELODY_TRACK_NAMES)


def pitched_tracks(piece: Piece) -> list[int]:
    """The tracks with notes that are no drums. Raises FadernetsError where there is none."""
    with_notes = np.unique(piece.notes["track"]).tolist()
    pitched = [i for i in with_notes if not piece.tracks[i].is_drum]
    if not pitched:
        raise FadernetsError("the file has only drums" if with_notes else "the file has no notes")
    return pitched


def find_tracks(piece: Piece, wanted: list[str], option: str, others: Iterable[str] = ()) -> list[int]:
    """The pitched tracks that are named, in the file's order: by number from 1, or by name in any case.

    A name with commas may stand whole or split at them: `["Piano, right hand"]` and `["Piano", "right hand"]` are the
    same track, if there is one of that name. option: what names the tracks in an error; others: what else it takes,
    for the error to suggest. Raises FadernetsError for a track that is not there, a drum track, or a file without
    notes.
    """
    pitched = pitched_tracks(piece)
    names = {i: _parts(piece.tracks[i].name) for i in pitched}
    longest = max(len(parts) for parts in names.values())
    chosen: set[int] = set()
    at = 0
    while at < len(wanted):
        for end in range(min(at + longest, len(wanted)), at, -1):  # the longest name first
            given = _parts(",".join(wanted[at:end]))
            found = [i for i in pitched if names[i] == given or (end == at + 1 and i == _index(wanted[at]))]
            if found:
                break
        else:
            known = ", ".join(f"{i + 1} {piece.tracks[i].name!r}" for i in pitched)
            meant = did_you_mean(wanted[at], [*(piece.tracks[i].name for i in pitched), *others])
            raise FadernetsError(f"{option} {wanted[at]}: no such pitched track{meant}; the file has {known}")
        chosen.update(found)
        at = end
    return sorted(chosen)


def _parts(name: str) -> list[str]:
    """A name in small letters, split at its commas."""
    return [part.strip() for part in name.lower().split(",")]


def _index(text: str) -> int | None:
    """The index of a track by its number; None for what is no number."""
    return int(text) - 1 if text.isdecimal() and len(text) <= MOST_DIGITS else None
