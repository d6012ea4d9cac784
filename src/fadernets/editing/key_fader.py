"""The key fader: puts notes into another key, transposed and, to the other mode, with altered degrees.

Keys are classes 0..23, C major to B major, then C minor to B minor (`attributes.keys`). Pitches are MIDI numbers.
"""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Array, Bools, Floats, Integers
from fadernets.attributes import performed
from fadernets.attributes.keys import correlations
from fadernets.codecs.grid import LOW
from fadernets.editing.bass_notes import HIGH, OCTAVE
from fadernets.editing.note_draft import NoteDraft

# Semitones above the tonic of third, sixth and seventh, and how far they go to the other mode.
THIRD, SIXTH, SEVENTH = range(3)
TO_MINOR = {THIRD: (4, -1), SIXTH: (9, -1), SEVENTH: (11, -1)}
TO_MAJOR = {THIRD: (3, 1), SIXTH: (8, 1), SEVENTH: (10, 1)}
# Which of them change, the first choice first: minor keeps its leading note where it can.
CHANGES = ((THIRD, SIXTH), (THIRD, SIXTH, SEVENTH), (THIRD,), (THIRD, SEVENTH), (SIXTH,), (SEVENTH,), ())
SCALES = (np.array([0, 2, 4, 5, 7, 9, 11]), np.array([0, 2, 3, 5, 7, 8, 10, 11]))  # major; minor with both sevenths
MAX_MORE_ALTERATIONS = 4  # pitch classes that are altered besides, where none of CHANGES gives the asked key
MAJOR, MINOR = 0, OCTAVE  # what a key class is above its tonic


def tonic_interval(home: int, target: int) -> int:
    """Semitones from one tonic to another the nearest way, -5..6."""
    return (target - home + 5) % OCTAVE - 5


def change_key(draft: NoteDraft, chosen: Bools, home: int, target: int) -> NoteDraft:
    """Put the `chosen` [N] notes, whose key is `home`, into the key `target`.

    Every voice goes the nearest way to the new tonic; to the other mode, third, sixth and seventh are altered as far as
    the new key needs it. The first alteration of CHANGES whose estimated key is the target is taken; where there is
    none, single pitch classes of the nearest one are altered too, to notes of the new scale a semitone or two away.
    Notes that would leave the keyboard go an octave back; notes that would begin on a pitch that a note not chosen
    sounds go an octave away.
    """
    if home == target or not chosen.any():
        return draft
    pitches = draft.notes["pitch"].astype(np.int64)
    interval = tonic_interval(home % OCTAVE, target % OCTAVE)
    degrees = (pitches - home % OCTAVE) % OCTAVE  # semitones above the tonic
    durations = np.bincount(degrees[chosen], performed.note_lengths(draft.notes)[chosen], OCTAVE)
    alterations = _alterations(np.asarray(durations, np.float64), home, target)
    moved = np.asarray(pitches + interval + alterations[degrees], np.int64)
    moved = np.where(moved > HIGH, moved - OCTAVE, np.where(moved < LOW, moved + OCTAVE, moved))
    pitches = np.where(chosen & (pitches >= LOW) & (pitches <= HIGH), moved, pitches)
    return draft.with_columns(pitch=_avoid_other_notes(pitches, draft.notes, chosen))


def _avoid_other_notes(pitches: Integers, notes: Array, chosen: Bools) -> Integers:
    """Pitches [N] of which those `chosen` that moved onto what another note already sounds go an octave away."""
    out = pitches.copy()
    first, last = notes["onset"][chosen].min(), notes["onset"][chosen].max()
    others = np.flatnonzero(~chosen & (notes["end"] > first) & (notes["onset"] <= last))
    for i in np.flatnonzero(chosen & np.isin(pitches, notes["pitch"][others]) & (pitches != notes["pitch"])).tolist():
        onset = notes["onset"][i]
        sounding = notes["pitch"][others[(notes["onset"][others] <= onset) & (notes["end"][others] > onset)]]
        options = (out[i], out[i] + OCTAVE, out[i] - OCTAVE)
        free = [pitch for pitch in options if LOW <= pitch <= HIGH and pitch not in sounding]
        out[i] = free[0] if free else out[i]
    return out


def _alterations(durations: Floats, home: int, target: int) -> Integers:
    """[12] semitones by which each degree above the tonic is altered besides the transposition.

    `durations` [12] is how long each degree sounds in the piece.
    """
    if home // OCTAVE == target // OCTAVE:
        return np.zeros(OCTAVE, np.int64)
    mode = OCTAVE * (target // OCTAVE)
    options = []
    for change in CHANGES:
        option = np.zeros(OCTAVE, np.int64)
        for name in change:
            degree, semitones = (TO_MINOR if mode == MINOR else TO_MAJOR)[name]
            option[degree] = semitones
        options.append(option)
    margins = np.array([_key_margin(durations, option, mode) for option in options])
    if (margins > 0).any():
        return options[int(np.argmax(margins > 0))]
    best, best_margin = options[int(margins.argmax())], float(margins.max())
    for _ in range(MAX_MORE_ALTERATIONS):
        further = []
        for degree in np.flatnonzero(durations).tolist():
            for semitones in (-2, -1, 1, 2):
                if (degree + semitones) % OCTAVE in SCALES[mode // OCTAVE]:
                    option = best.copy()
                    option[degree] = semitones
                    further.append((_key_margin(durations, option, mode), option))
        if not further or max(margin for margin, _ in further) <= best_margin:
            break
        best_margin, best = max(further, key=lambda pair: pair[0])
        if best_margin > 0:
            break
    return best


def _key_margin(durations: Floats, alterations: Integers, mode: int) -> float:
    """By how much the correlation of the key on the tonic, MAJOR or MINOR, exceeds that of every other key.

    Above 0, it is the estimated key of the altered notes.
    """
    altered = np.bincount((np.arange(OCTAVE) + alterations) % OCTAVE, durations, OCTAVE)
    fit = correlations(altered[None])[0]
    others = np.delete(fit, mode)
    return float(fit[mode] - others.max())
