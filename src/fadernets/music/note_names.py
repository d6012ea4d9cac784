"""Names of notes as MIDI numbers: C4, the middle of the keyboard, is 60."""

from __future__ import annotations

import re

_NAME = re.compile(r"([A-Ga-g])(#|♯|b|♭)?(-?[0-9])")
_SIGNS = {None: 0, "#": 1, "♯": 1, "b": -1, "♭": -1}


def note_number(text: str) -> int | None:
    """The MIDI number of a note's name, which may lie beyond 0..127; None for what is no name of a note.

    >>> note_number("C4"), note_number("f#3"), note_number("Bb-1"), note_number("H4")
    (60, 54, 10, None)
    """
    match = _NAME.fullmatch(text.strip())
    if match is None:
        return None
    return 12 * (int(match[3]) + 1) + "C_D_EF_G_A_B".index(match[1].upper()) + _SIGNS[match[2]]
