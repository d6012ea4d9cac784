"""The bass of a piece for the pitch fader: which notes it is, what it leaves to others, and where it has room below.

Beats are those of a draft's grid. Pitches are MIDI numbers; N notes.
"""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Bools, Indices, Integers
from fadernets.codecs.grid import LOW, PITCHES
from fadernets.editing.note_draft import NoteDraft

HIGH = LOW + PITCHES - 1  # the highest pitch of the keyboard
OCTAVE = 12  # semitones
BASS_REACH = 7  # semitones over the lowest pitch of the beats around it up to which a beat's lowest note is a bass
CLOSEST = 7  # semitones over the bass, up to which others have no room to go down
LOWEST_ROOM = 28  # E1: the lowest pitch to which a bass goes to make room
LONGEST = 16  # beats of a note that are looked at
NO_FLOOR = -1


def basses(draft: NoteDraft) -> Bools:
    """[N] the notes that are a bass: the lowest of the beat in which they begin and about as low as the beats around
    it, with something above them that sounds at the same time."""
    notes = draft.notes
    pitch, (first, last) = notes["pitch"].astype(np.int64), beats_of(draft)
    lowest = np.full(int(last.max(initial=0)) + 1, HIGH + 1)
    beat, note = _in_beats(first, last)
    np.minimum.at(lowest, beat, pitch[note])
    around = np.minimum(lowest, np.minimum(np.append(lowest[1:], HIGH + 1), np.append(HIGH + 1, lowest[:-1])))
    low = (pitch == lowest[first]) & (pitch <= around[first] + BASS_REACH)
    low &= (pitch >= LOW) & (pitch <= HIGH)
    return np.asarray(low & has_beyond(notes["onset"], notes["end"], pitch))


def makes_room(draft: NoteDraft, bass: Indices) -> bool:
    """Whether what sounds over a `bass` mostly lies so close to it that it cannot go down, and all of the bass can be
    told an octave lower."""
    pitch, (first, last) = draft.notes["pitch"].astype(np.int64), beats_of(draft)
    if not len(bass) or pitch[bass].min() - OCTAVE < LOWEST_ROOM:
        return False
    lowest = np.full(int(last.max()) + 1, HIGH + OCTAVE)
    beat, note = _in_beats(first, last)
    over = ~np.isin(note, bass)
    np.minimum.at(lowest, beat[over], pitch[note[over]])
    return bool(np.median(lowest[first[bass]] - pitch[bass]) <= CLOSEST)


def floors(draft: NoteDraft, bass: Indices, now: Integers) -> list[int]:
    """[N] the highest pitch that a `bass` has `now` [N] in the beats of each note over it, or NO_FLOOR."""
    first, last = beats_of(draft)
    source = draft.notes["pitch"].astype(np.int64)
    floor = np.full((2, int(last.max(initial=0)) + 1), NO_FLOOR)  # of a bass as it was and as it is
    beat, note = _in_beats(first[bass], last[bass])
    for row, pitch in enumerate((source, now)):
        np.maximum.at(floor[row], beat, pitch[bass[note]])
    beat, note = _in_beats(first, last)
    over = floor[0, beat] < source[note]
    out = np.full(len(source), NO_FLOOR)
    np.maximum.at(out, note[over], floor[1, beat[over]])
    out[bass] = NO_FLOOR
    return out.tolist()


def beats_of(draft: NoteDraft) -> tuple[Indices, Indices]:
    """[N], [N] the first and the last beat in which each note sounds."""
    onset, beat_at = draft.notes["onset"], draft.windows.beat_at
    return beat_at(onset), beat_at(np.maximum(draft.notes["end"] - 1, onset))


def _in_beats(first: Indices, last: Indices) -> tuple[Indices, Indices]:
    """[M], [M] the beats that each note sounds in, the first LONGEST of them, and the note."""
    count = np.minimum(last - first + 1, LONGEST)
    note = np.repeat(np.arange(len(first)), count)
    return first[note] + np.arange(len(note)) - np.repeat(np.cumsum(count) - count, count), note


def has_beyond(onset: Integers, end: Integers, pitch: Integers) -> Bools:
    """[N] whether a note of a higher pitch sounds with each note."""
    found = np.zeros(len(onset), bool)
    for other in np.unique(pitch)[1:].tolist():
        at = pitch == other
        below = np.flatnonzero(~found & (pitch < other))
        begun = np.searchsorted(np.sort(onset[at]), end[below], side="left")
        over = np.searchsorted(np.sort(end[at]), onset[below], side="right")
        found[below] = begun > over
    return found
