"""The parts of a score: which tracks share one, how many staves it has, and in what clef.

A keyboard track that reaches over both hands has two staves, split by hands; two keyboard tracks that are the hands of
one player, by their names or because there are no others, are one part. Other tracks have a part with one staff each;
drums come last, on a percussion staff.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fadernets.arrays import Array, Indices
from fadernets.editing.hands import NAMES
from fadernets.music.notes import Piece
from fadernets.rendering.score_hands import MIDDLE_C, upper_staff

WIDE = 24  # semitones: a keyboard track with a wider range has two staves
OCTAVE = 12
VOICE_RANGE = 30  # semitones: one line of a wider range is no melody, and has two staves
LOW, SHARE = 52, 0.1  # a share of the notes below this pitch and one from middle C on are two hands in any range
BASS_BELOW = 55.0  # mean pitch: a staff that lies below it has a bass clef
HARP = 46  # General MIDI program: the one instrument beside keyboards with two staves
APART = 5.0  # semitones between the mean pitches of two tracks that are taken for the hands of one player
FEW = 0.03  # share of the notes: with fewer in one hand the track has one staff


@dataclass(frozen=True)
class Staff:
    """Some notes of the piece, by their rows, and the clef that is usual for them: G, F or percussion."""

    rows: Indices
    clef: str


@dataclass(frozen=True)
class ScorePart:
    """A part with its staves from the highest down; `number` is that of its first track, from 1."""

    number: int
    name: str
    staves: list[Staff]
    program: int = 0
    is_drum: bool = False


def parts_of(piece: Piece) -> list[ScorePart]:
    """The parts of a piece, in the order of its tracks; tracks without notes have none. There is one at least."""
    rows = {i: np.flatnonzero(piece.notes["track"] == i) for i in range(len(piece.tracks))}
    full = [i for i in rows if len(rows[i])]
    pitched = [i for i in full if not piece.tracks[i].is_drum]
    parts: list[ScorePart] = []
    taken: set[int] = set()
    for k, i in enumerate(pitched):
        if i in taken:
            continue
        track = piece.tracks[i]
        name = printable(track.name) or f"Track {i + 1}"
        after = pitched[k + 1] if k + 1 < len(pitched) else None
        if after is not None and _are_hands(piece, rows, i, after, len(pitched)):
            taken.add(after)
            upper, lower = sorted((rows[i], rows[after]), key=lambda r: -float(piece.notes["pitch"][r].mean()))
            staves = [Staff(upper, "G"), Staff(lower, "F")]
            parts.append(ScorePart(i + 1, _common_name(piece, i, after), staves, track.program))
            continue
        parts.append(ScorePart(i + 1, name, _staves(piece, i, rows[i]), track.program))
    for i in full:
        if piece.tracks[i].is_drum:
            name = printable(piece.tracks[i].name) or "Drums"
            parts.append(ScorePart(i + 1, name, [Staff(rows[i], "percussion")], is_drum=True))
    return parts or [ScorePart(1, "Track 1", [Staff(np.empty(0, np.int64), "G")])]


def printable(text: str) -> str:
    """A name without control characters, some of which no XML file may hold."""
    return "".join(c for c in text if c.isprintable()).strip()


def _staves(piece: Piece, track: int, rows: Indices) -> list[Staff]:
    notes = piece.notes[rows]
    reach = int(notes["pitch"].max()) - int(notes["pitch"].min())
    two = piece.tracks[track].is_keyboard or piece.tracks[track].program == HARP
    both = min(float(np.mean(notes["pitch"] < LOW)), float(np.mean(notes["pitch"] >= MIDDLE_C))) > SHARE
    if two and reach > (VOICE_RANGE if _is_one_line(notes, piece.tpq) else OCTAVE if both else WIDE):
        right = upper_staff(notes, piece.tpq)
        if FEW < right.mean() < 1 - FEW:
            return [Staff(rows[right], "G"), Staff(rows[~right], "F")]
    return [Staff(rows, "G" if float(notes["pitch"].mean()) >= BASS_BELOW else "F")]


def _is_one_line(notes: Array, tpq: int) -> bool:
    """Whether almost no two notes of a track sound together."""
    overlaps = (notes["end"][:-1] - notes["onset"][1:]) > tpq / 8
    return bool(np.mean(overlaps) < FEW) if len(overlaps) else True


def _hand(name: str) -> str | None:
    """The hand that a track's name names."""
    words = name.lower().replace("_", " ").split()
    for hand, names in NAMES.items():
        if any(word in words or (len(word) > 3 and word in name.lower()) for word in names):
            return hand
    return None


def _are_hands(piece: Piece, rows: dict[int, Indices], a: int, b: int, count: int) -> bool:
    """Whether two tracks are the hands of one player; count: of tracks with pitched notes."""
    first, second = piece.tracks[a], piece.tracks[b]
    if not (first.is_keyboard and second.is_keyboard and first.program == second.program):
        return False
    means = [float(piece.notes["pitch"][rows[i]].mean()) for i in (a, b)]
    if abs(means[0] - means[1]) < APART:
        return False
    hands = {_hand(first.name), _hand(second.name)}
    if hands == {"left", "right"}:
        return True
    if count == 2:
        return len(hands) == 2 or printable(first.name) == printable(second.name)
    return bool(printable(first.name)) and printable(first.name) == printable(second.name)


def _common_name(piece: Piece, a: int, b: int) -> str:
    """The name of two tracks where it is the same, else the instrument's."""
    first, second = (printable(piece.tracks[i].name) for i in (a, b))
    if first and first == second and _hand(first) is None:
        return first
    return "Organ" if 16 <= piece.tracks[a].program <= 20 else "Piano"
