"""Melodies as states (Section 2.2 of the NIME paper): 32 sixteenths of 130 states, two bars of 4/4 a clip.

A state is an onset of a MIDI pitch (0..127), a hold (128) or a rest (129). A hold goes on with the note before it, over
the border of a clip as well; after a rest it means nothing and reads as a rest. Rows [N, 3] are notes: onset step, end
step and MIDI pitch, by onset, none over another. T steps, C clips.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Bools, Floats, Integers, Rows, States

ONSETS = 128
HOLD, REST = 128, 129
STATES = 130
STEPS = 32  # of a clip
STEPS_PER_BEAT = 4
BARS = 2  # of 4/4, a clip


def encode(rows: Rows, steps: int) -> States:
    """[T] the states of notes. A note that reaches over the next one is cut by it; one after step T is left out."""
    states = np.full(steps, REST, np.uint8)
    for onset, end, pitch in np.asarray(rows).tolist():
        states[onset:] = REST  # the note before ends here at the latest
        states[onset:end] = HOLD
        if onset < steps:
            states[onset] = pitch
    return states


def decode(states: States) -> Rows:
    """The inverse of `encode`."""
    states = np.asarray(states)
    onsets = np.flatnonzero(states < ONSETS)
    stops = np.append(np.flatnonzero(states != HOLD), len(states))  # the first one after an onset ends its note
    ends = stops[np.searchsorted(stops, onsets, side="right")]
    return np.column_stack([onsets, ends, states[onsets]]).astype(np.int64)


def sounding(states: States, held: int = -1) -> NDArray[np.int16]:
    """[..., T] the pitch that sounds at each step, -1 where none does. held: the pitch that a first hold continues."""
    known = np.where(states < ONSETS, states.astype(np.int16), np.int16(-1))
    last = np.maximum.accumulate(np.where(states != HOLD, np.arange(states.shape[-1]), -1), axis=-1)
    taken = np.take_along_axis(known, np.maximum(last, 0), axis=-1)
    return np.asarray(np.where(last >= 0, taken, np.int16(held)))


def line(states: States) -> NDArray[np.int16]:
    """[T] the pitch that sounds at each step; a rest takes the pitch before it, or, at the start, the first one."""
    pitches = sounding(states)
    steps = np.flatnonzero(pitches >= 0)
    if not len(steps):
        return pitches
    return np.asarray(pitches[steps[np.maximum(np.searchsorted(steps, np.arange(len(pitches)), side="right") - 1, 0)]])


def tidy(states: States, held: bool = False) -> States:
    """[..., T] with a rest for every hold that continues nothing. held: a note sounds before the first step."""
    last = np.maximum.accumulate(np.where(states != HOLD, np.arange(states.shape[-1]), -1), axis=-1)
    before = np.take_along_axis(states, np.maximum(last, 0), axis=-1)
    loose = (states == HOLD) & np.where(last >= 0, before == REST, not held)
    return np.where(loose, REST, states).astype(np.uint8)


def cut(states: States) -> States:
    """States [T] as clips [C, 32]; the last clip is filled up with rests."""
    clips = -(-len(states) // STEPS)
    full = np.full(clips * STEPS, REST, np.uint8)
    full[: len(states)] = states
    return full.reshape(clips, STEPS)


def join(clips: States, steps: int) -> States:
    """The inverse of `cut`: clips [C, 32] as the states of so many steps."""
    return tidy(clips.reshape(-1)[:steps])


# --- one line out of many notes


def skyline(rows: Rows) -> Bools:
    """[N] which of the notes [N, 3] are the melody, however many sound at a time: the highest of those that begin
    together, unless the melody's note before is higher and sounds on through half of it or more."""
    order = np.lexsort((-rows[:, 2], rows[:, 0]))
    melody = np.zeros(len(rows), bool)
    last = last_onset = None
    for i in order.tolist():
        onset, end, pitch = rows[i].tolist()
        if onset == last_onset:  # below the highest that begins here
            continue
        last_onset = onset
        if last is not None:
            _, stop, above = rows[last].tolist()
            if above > pitch and 2 * (min(stop, end) - onset) >= end - onset:
                continue
        melody[i], last = True, i
    return melody


# --- measures, of clips or whole melodies


def mean_pitch(states: States) -> Floats:
    """[...] mean MIDI pitch of the onsets of states [..., T], nan where there is none."""
    onset = states < ONSETS
    count = onset.sum(-1)
    total = np.where(onset, states, 0).sum(-1, dtype=np.int64)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def onsets(states: States) -> Integers:
    """[...] how many notes begin in states [..., T]."""
    return np.asarray((states < ONSETS).sum(-1))


# --- augmentation functions (Sections 3.3 and 3.4), and the same in the other direction


def transpose(states: States, semitones: int) -> States:
    """F_pitch: every note higher by so many semitones; one that would leave 0..127 moves back by octaves."""
    moved = states.astype(np.int64) + semitones
    moved += 12 * (np.minimum((ONSETS - 1 - moved) // 12, 0) - np.minimum(moved // 12, 0))
    return np.where(states < ONSETS, moved, states).astype(np.uint8)


def split(states: States, parts: int) -> States:
    """F_rhythm: every note of [..., T] as `parts` notes of its pitch, as nearly equal as sixteenths allow; a note of
    fewer steps as one note a step. A note held in from before stays, since its pitch is not known here."""
    steps = np.arange(states.shape[-1])
    first = np.maximum.accumulate(np.where(states != HOLD, steps, -1), axis=-1)
    starts = states != HOLD
    following = np.where(starts, steps, states.shape[-1])
    following = np.minimum.accumulate(following[..., ::-1], axis=-1)[..., ::-1]
    end = np.concatenate([following[..., 1:], np.full((*states.shape[:-1], 1), states.shape[-1])], -1)
    length = np.take_along_axis(end, np.maximum(first, 0), -1) - first
    count = np.clip(length, 1, parts)
    elapsed = steps - first  # steps since the note's onset
    begins = (elapsed * count // length) != ((elapsed - 1) * count // length)
    pitch = np.take_along_axis(states, np.maximum(first, 0), -1)
    return np.where((states == HOLD) & (first >= 0) & (pitch < ONSETS) & begins, pitch, states).astype(np.uint8)


STRENGTH = np.array([16 if s == 0 else (s & -s) for s in range(STEPS)])  # of each step of two bars, by the metre


def merge(states: States, share: float = 0.5) -> States:
    """The reverse of F_rhythm: of the notes of clips [..., 32] only the metrically strongest share keeps its onset (at
    least one; of equals the earlier), and each sounds on until the next one or a rest."""
    onset = states < ONSETS
    count = onset.sum(-1, keepdims=True)
    keep = np.maximum(np.ceil(count * share), 1)
    rank = np.where(onset, STRENGTH * STEPS - np.arange(STEPS), -1)
    place = np.argsort(np.argsort(-rank, axis=-1, kind="stable"), axis=-1)
    kept = onset & (place < keep)
    # A note without its onset continues the one before it; after a rest it becomes part of the rest.
    return tidy(np.where(onset & ~kept, HOLD, states).astype(np.uint8), held=True)
