"""What a piece has beside its grid: pitch, loudness, touch and tempo of each window, measured from its notes.

A function takes a Performance and gives one number a window, in the attribute's own unit; nan where no note begins.
W windows, N notes. Pitches are MIDI numbers, velocities 1..127, tempo in quarter-beats a minute.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fadernets.music.notes import TempoMap
from fadernets.music.segments import BEATS, Windows

NEIGHBOUR = 12  # semitones: notes this near, an octave, may follow one another in a hand's line
LONGEST = BEATS  # quarter-beats: a note that nothing follows for longer counts as followed then
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Performance:
    """The notes of some tracks with the windows that they begin in."""

    notes: NDArray  # [N] of NOTE
    window: NDArray[np.int64]  # [N]
    windows: Windows
    tempo: TempoMap

    @classmethod
    def of(cls, notes: NDArray, windows: Windows, tempo: TempoMap) -> Performance:
        window = np.searchsorted(windows.start, notes["onset"], side="right") - 1
        return cls(notes, np.clip(window, 0, len(windows.start) - 1), windows, tempo)

    def mean(self, values: NDArray) -> Floats:
        """[W] the mean of values [N] over the notes that begin in each window; nan where none does."""
        count = np.bincount(self.window, minlength=len(self.windows.start))
        total = np.bincount(self.window, np.asarray(values, np.float64), len(count))
        return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def pitch(p: Performance) -> Floats:
    """Mean pitch of the notes that begin."""
    return p.mean(p.notes["pitch"])


def dynamics(p: Performance) -> Floats:
    """Mean velocity of the notes that begin."""
    return p.mean(p.notes["velocity"])


def articulation(p: Performance) -> Floats:
    """Mean share of the time to the next onset near by (within an octave) that a note sounds, at most 1."""
    return p.mean(np.minimum(note_lengths(p.notes) / gaps_to_next_onset(p.notes, p.windows.tpq), 1.0))


def tempo(p: Performance) -> Floats:
    """Quarter-beats a minute, mean over the window."""
    seconds = p.tempo.seconds(p.windows.end) - p.tempo.seconds(p.windows.start)
    return np.asarray(60 * (p.windows.end - p.windows.start) / p.windows.tpq / np.maximum(seconds, 1e-9))


def note_lengths(notes: NDArray) -> Floats:
    """[N] ticks that each note sounds, at least 1."""
    return np.maximum(notes["end"] - notes["onset"], 1).astype(np.float64)


def gaps_to_next_onset(notes: NDArray, tpq: int) -> Floats:
    """[N] ticks from each note's onset to the next onset within an octave of its pitch in any track.

    Onsets within a thirty-second note are one chord. The gap is what a line has, whatever sounds elsewhere, and hangs
    on no note's end, so that touch can be changed without moving its own measure.
    """
    found = np.full(len(notes), LONGEST * tpq, np.float64)
    order = np.argsort(notes["onset"], kind="stable")
    onset, height = notes["onset"][order], notes["pitch"][order].astype(np.int64)
    together = max(tpq // 8, 1)
    first = np.searchsorted(onset, onset + together, side="left")  # the first note behind each one's chord
    ahead = 0
    open_ = np.arange(len(order))  # places of notes that nothing followed so far
    while len(open_):
        place = first[open_] + ahead
        inside = place < len(order)
        open_, place = open_[inside], place[inside]
        away = onset[place] - onset[open_]
        near = (np.abs(height[place] - height[open_]) <= NEIGHBOUR) & (away < LONGEST * tpq)
        found[order[open_[near]]] = away[near]
        open_ = open_[~near & (away < LONGEST * tpq)]
        ahead += 1
    return np.maximum(found, together)
