"""The hands of a piano: the tracks whose names say so, or one track split by a simple rule.

The rule goes from chord to chord and cuts each where both hands have the least way to their notes: a hand lies where
its notes were before, spans no more than SPAN semitones with ease, and starts an octave from middle C. It knows nothing
of voices that change hands, of crossings or of fingers. N notes.
"""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Array, Bools
from fadernets.errors import FadernetsError
from fadernets.music.notes import Piece

HANDS = ("left", "right")
NAMES = {  # words in the names of tracks
    "left": ("left", "lower", "links", "linke", "gauche", "sinistra", "l.h.", "lh"),
    "right": ("right", "upper", "rechts", "rechte", "droite", "destra", "r.h.", "rh"),
}
START = {"left": 48.0, "right": 72.0}  # MIDI pitch where a hand lies before its first note
FOLLOWS = 0.3  # share of the way to its notes that a hand's place moves with each chord
SPAN = 14  # semitones
STRETCH = 4.0  # cost of each semitone beyond the span; one of way costs 1
CHORD = 1 / 16  # of a quarter note: onsets within it are one chord


def notes_of_hand(piece: Piece, tracks: list[int], hand: str, where: str = "only") -> Bools:
    """[N] which notes of a piece the `hand` plays, of those in `tracks`. Raises FadernetsError where it has none.

    It is the track whose name says so, or the higher or lower of two tracks; one track is split by the rule.
    """
    named = {side: [i for i in tracks if _is_named(piece.tracks[i].name, side)] for side in HANDS}
    if named[hand] and set(named["left"]).isdisjoint(named["right"]):
        return np.isin(piece.notes["track"], named[hand])
    inside = np.isin(piece.notes["track"], tracks)
    if len(tracks) > 2:
        piano = next((i for i in tracks if piece.tracks[i].is_keyboard), tracks[0])
        named_so = f"{where.replace('only', 'tracks')} {piece.tracks[piano].name or piano + 1!r} {where} {hand}"
        raise FadernetsError(
            f"{where} {hand}: {len(tracks)} tracks are edited, and no name says which the hand plays; name those of "
            f"one player, as in {named_so}"
        )
    if len(tracks) == 2:
        means = [piece.notes["pitch"][piece.notes["track"] == i].mean() for i in tracks]
        chosen = tracks[int(np.argmin(means) if hand == "left" else np.argmax(means))]
        return np.asarray(piece.notes["track"] == chosen)
    mask = np.zeros(len(piece.notes), bool)
    mask[inside] = split_hands(piece.notes[inside], piece.tpq) == (hand == "right")
    if not mask.any():
        raise FadernetsError(f"{where} {hand}: the hand plays no note")
    return mask


def _is_named(name: str, hand: str) -> bool:
    words = name.lower().replace("_", " ").split()
    return any(word in words or (len(word) > 3 and word in name.lower()) for word in NAMES[hand])


def split_hands(notes: Array, tpq: int) -> Bools:
    """[N] whether the right hand plays each of some notes."""
    right = np.zeros(len(notes), bool)
    place = dict(START)
    order = np.lexsort((notes["pitch"], notes["onset"]))
    onset = notes["onset"][order]
    begins = np.flatnonzero(np.diff(onset, prepend=-tpq) > CHORD * tpq)
    for chord in np.split(order, begins[1:]):
        chord = chord[np.argsort(notes["pitch"][chord], kind="stable")]
        pitch = notes["pitch"][chord].astype(np.float64)
        costs = [_way(pitch[:k], place["left"]) + _way(pitch[k:], place["right"]) for k in range(len(pitch) + 1)]
        k = int(np.argmin(costs))
        right[chord[k:]] = True
        for hand, part in (("left", pitch[:k]), ("right", pitch[k:])):
            if len(part):
                place[hand] += FOLLOWS * (part.mean() - place[hand])
    return right


def _way(pitch: Array, place: float) -> float:
    """What it costs a hand to play these pitches, in ascending order."""
    if not len(pitch):
        return 0.0
    return float(np.abs(pitch - place).sum() + STRETCH * max(pitch[-1] - pitch[0] - SPAN, 0))
