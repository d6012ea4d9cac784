"""Attributes that the grid does not hold: pitch, dynamics, articulation and tempo of each window, measured from notes.

A function takes a Performance and gives one number for each window in the attribute's own unit; nan where no note
begins. W windows, N notes. Pitches are MIDI numbers, velocities 1..127, tempo is in quarter notes a minute.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fadernets.arrays import Array, Floats, Indices
from fadernets.music.notes import TempoMap
from fadernets.music.segments import BEATS, Grid

LINE_RANGE = 12  # semitones: a note within an octave may continue the line of another one
LONGEST_GAP = BEATS  # quarter notes: what follows a note later than this counts as following it then
CHORD = 1 / 8  # of a quarter note, a thirty-second note: onsets within it are one chord
SHORTEST_WINDOW = 1e-9  # seconds: keeps the tempo of a window finite


@dataclass(frozen=True)
class Performance:
    """The notes of some tracks with the windows that they begin in."""

    notes: Array  # [N] of NOTE
    window: Indices  # [N] in which window each note begins
    windows: Grid  # or other segments
    tempo: TempoMap

    @classmethod
    def of(cls, notes: Array, windows: Grid, tempo: TempoMap) -> Performance:
        """The notes [N] with the windows that they begin in."""
        window = np.searchsorted(windows.start, notes["onset"], side="right") - 1
        return cls(notes, np.clip(window, 0, len(windows.start) - 1), windows, tempo)

    def mean(self, values: Array) -> Floats:
        """[W] the mean of values [N] over the notes that begin in each window, nan where none does."""
        count = np.bincount(self.window, minlength=len(self.windows.start))
        total = np.bincount(self.window, np.asarray(values, np.float64), len(count))
        return np.asarray(np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0))


def pitch(p: Performance) -> Floats:
    """[W] the mean pitch of the notes that begin."""
    return p.mean(p.notes["pitch"])


def dynamics(p: Performance) -> Floats:
    """[W] the mean velocity of the notes that begin."""
    return p.mean(p.notes["velocity"])


def articulation(p: Performance) -> Floats:
    """[W] the share of the time to the next onset within an octave that a note sounds, at most 1; mean of the notes."""
    return p.mean(np.minimum(note_lengths(p.notes) / gaps_to_next_onset(p.notes, p.windows.tpq), 1.0))


def tempo(p: Performance) -> Floats:
    """[W] quarter notes a minute, mean over the window."""
    seconds = p.tempo.seconds(p.windows.end) - p.tempo.seconds(p.windows.start)
    return np.asarray(60 * (p.windows.end - p.windows.start) / p.windows.tpq / np.maximum(seconds, SHORTEST_WINDOW))


def note_lengths(notes: Array) -> Floats:
    """[N] how many ticks each note sounds, at least 1."""
    return np.asarray(np.maximum(notes["end"] - notes["onset"], 1), np.float64)


def gaps_to_next_onset(notes: Array, tpq: int) -> Floats:
    """[N] ticks from each note's onset to the next onset within an octave of its pitch, in any track.

    Onsets within CHORD of a note belong to its chord and do not count. The gap is the time that a line leaves to its
    note, whatever sounds elsewhere. It depends on no note's end, so that a change of articulation does not move what it
    is measured by.
    """
    longest = LONGEST_GAP * tpq
    gaps = np.full(len(notes), longest, np.float64)
    order = np.argsort(notes["onset"], kind="stable")
    onset, pitch = notes["onset"][order], notes["pitch"][order].astype(np.int64)
    together = max(int(CHORD * tpq), 1)
    first = np.searchsorted(onset, onset + together, side="left")  # the first note after each one's chord
    ahead = 0
    pending = np.arange(len(order))  # places in `order` of notes whose next onset is not known yet
    while len(pending):
        place = first[pending] + ahead
        exists = place < len(order)
        pending, place = pending[exists], place[exists]
        gap = onset[place] - onset[pending]
        near = (np.abs(pitch[place] - pitch[pending]) <= LINE_RANGE) & (gap < longest)
        gaps[order[pending[near]]] = gap[near]
        pending = pending[~near & (gap < longest)]
        ahead += 1
    return np.maximum(gaps, together)
