"""Key signatures and the spelling of pitches, on the line of fifths: F is -1, C is 0, G is 1, B flat is -2.

A pitch is spelled as near as possible to what sounds around it (after Temperley, "The Cognition of Basic Musical
Structures", 2001, chapter 5, and Chew's centre of effect); a chromatic step goes to another letter than the one that it
comes from. N notes.
"""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Array, Floats, Integers
from fadernets.attributes import keys
from fadernets.editing.piece_on_grid import OPENING_WINDOWS
from fadernets.music.document import Document
from fadernets.music.notes import Piece
from fadernets.music.segments import BEATS
from fadernets.music.smf import KEY, meta_events

FIFTHS = (0, -5, 2, -3, 4, -1, 6, 1, -4, 3, -2, 5)  # of the major key on each pitch class
STEPS = "FCGDAEB"
MIDDLE = 2.0  # fifths from the tonic of a major key to the middle of its scale
MINOR = 1.5  # how much farther up the middle of a minor key lies than that of its relative major, for its leading note
AROUND = 4.0  # quarters: how far what sounds around a note reaches
FARTHEST = 4.0  # fifths that what sounds around can move the middle of the key
SAME_LETTER = 1.6  # fifths that a chromatic step on one letter costs
DOUBLE = 4.0  # fifths that a double sharp or flat costs
BETTER = 0.02  # share of the sounding time that it must spare accidentals
NEAR_KEY = 1  # fifths: how far the found key may be from a file's signature without signs before that is not believed


def key_signature(piece: Piece, tracks: list[int]) -> tuple[int, bool]:
    """The number of sharps (below 0 of flats) of the key that these tracks begin in, and whether it is minor."""
    notes = piece.notes[np.isin(piece.notes["track"], tracks)]
    length = notes["end"] - notes["onset"]
    opening = notes["onset"] < notes["onset"].min(initial=piece.end) + OPENING_WINDOWS * BEATS * piece.tpq
    whole, first = (np.bincount(notes["pitch"][some] % 12, length[some], 12) for some in (slice(None), opening))
    key = keys.home_key(whole, first)
    return FIFTHS[(key + 3 * (key // 12)) % 12], key >= 12


def file_keys(document: Document) -> list[tuple[int, int]]:
    """The key signatures of a MIDI file as (tick, sharps), one a tick, without repetitions."""
    found: dict[int, int] = {}
    for track in document.paired.events:
        for tick, content in meta_events(track, KEY):
            if len(content) > 1:
                sharps = int.from_bytes(content[:1], "big", signed=True)
                if abs(sharps) <= 7:
                    found[tick] = sharps
    changes = sorted(found.items())
    return [change for i, change in enumerate(changes) if i == 0 or change[1] != changes[i - 1][1]]


def signatures(piece: Piece, tracks: list[int], stated: list[tuple[int, int]]) -> tuple[list[tuple[int, int]], bool]:
    """The key signatures of a score as (tick, sharps), the first at tick 0, and whether the piece is in minor.

    stated: those of the file. A lone signature without signs, which programs write without knowing, is believed only
    where the notes agree.
    """
    found, minor = key_signature(piece, tracks)
    unknown = len(stated) == 1 and stated[0][1] == 0 and abs(found) > NEAR_KEY
    unknown = unknown and _inside(piece, tracks, found) > _inside(piece, tracks, 0) + BETTER
    if not stated or unknown or not tracks:
        return [(0, found)], minor
    return ([(0, found), *stated] if stated[0][0] > 0 else stated), minor


def _inside(piece: Piece, tracks: list[int], fifths: int) -> float:
    """The share of the sounding time of some tracks that a signature needs no accidentals for."""
    notes = piece.notes[np.isin(piece.notes["track"], tracks)]
    length = np.maximum(notes["end"] - notes["onset"], 0)
    scale = np.isin((7 * notes["pitch"].astype(np.int64) - fifths + 1) % 12, np.arange(7))
    return float(length[scale].sum() / max(length.sum(), 1))


def spell(piece: Piece, pitched: Array, fifths: list[tuple[int, int]], minor: bool) -> Integers:
    """[N] where each note of a piece stands on the line of fifths; pitched: [N] which notes count."""
    notes = piece.notes
    ticks = np.array([tick for tick, _ in fifths])
    key = np.array([sharps for _, sharps in fifths])
    home = key[np.maximum(np.searchsorted(ticks, notes["onset"], side="right") - 1, 0)] + MIDDLE + MINOR * minor
    pitch = notes["pitch"].astype(np.int64)
    first = _nearest(pitch, home)
    middle = home + _drift(piece, pitched, first - home)
    line = _nearest(pitch, middle)
    _steps(piece, pitched, line, middle)
    return line


def _nearest(pitch: Integers, middle: Floats) -> Integers:
    """The spelling of each pitch that lies nearest to a place on the line of fifths; at most one sign is preferred."""
    base = np.array([(7 * p) % 12 for p in range(12)])[pitch % 12]
    options = base[:, None] + 12 * np.arange(-2, 3)  # N 5
    cost = np.abs(options - middle[:, None]) + DOUBLE * ((options > 12) | (options < -8))
    return np.asarray(options[np.arange(len(pitch)), cost.argmin(1)])


def _drift(piece: Piece, pitched: Array, off: Floats) -> Floats:
    """[N] how far the music around each note lies from the middle of the key."""
    at = piece.notes["onset"] / piece.tpq
    weight = np.where(pitched, np.minimum((piece.notes["end"] - piece.notes["onset"]) / piece.tpq, 2.0) + 0.1, 0.0)
    sums = np.concatenate([[0.0], np.cumsum(weight * off)])
    total = np.concatenate([[0.0], np.cumsum(weight)])
    low, high = np.searchsorted(at, at - AROUND), np.searchsorted(at, at + AROUND, side="right")
    mean = (sums[high] - sums[low]) / np.maximum(total[high] - total[low], 1e-9)
    return np.clip(mean, -FARTHEST, FARTHEST)


def _steps(piece: Piece, pitched: Array, line: Integers, middle: Floats) -> None:
    """Spell chromatic steps of the highest and the lowest line of each track on two letters, where that is near."""
    notes = piece.notes
    for track in np.unique(notes["track"][pitched]):
        rows = np.flatnonzero((notes["track"] == track) & pitched)
        for chosen in _outer_lines(notes, rows):
            for before, at, after in zip(chosen, chosen[1:], chosen[2:], strict=False):
                other = line[at] + (12 if line[at] < middle[at] else -12)
                if not -8 <= other <= 12:
                    continue
                costs = []
                for option in (line[at], other):
                    cost = abs(option - middle[at])
                    for near, share in ((after, 1.0), (before, 0.4)):
                        gap = int(notes["pitch"][near]) - int(notes["pitch"][at])
                        if abs(gap) == 1 and abs(int(line[near]) - int(option)) == 7:
                            cost += share * SAME_LETTER
                    costs.append(cost)
                if costs[1] < costs[0]:
                    line[at] = other


def _outer_lines(notes: Array, rows: Integers) -> list[list[int]]:
    top: dict[int, int] = {}
    bottom: dict[int, int] = {}
    for row in rows.tolist():  # by onset, then pitch
        tick = int(notes["onset"][row])
        bottom.setdefault(tick, row)
        top[tick] = row
    return [list(top.values()), list(bottom.values())]


def named(line: int, pitch: int) -> tuple[str, int, int]:
    """Step, alteration and octave of a pitch that stands at a place on the line of fifths."""
    step = STEPS[(line + 1) % 7]
    alter = (line + 1) // 7
    return step, alter, (pitch - alter) // 12 - 1


def alteration(step: str, fifths: int) -> int:
    """What a key signature does to a step."""
    place = STEPS.index(step)
    if fifths > 0:
        return int(place < fifths)
    return -int(place >= 7 + fifths)
