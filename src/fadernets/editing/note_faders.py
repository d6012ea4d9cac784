"""Faders that act on the notes themselves, without the model: dynamics, articulation, tempo, and the table of them.

Each takes a NoteDraft and the value asked of each window [W], nan where it stays, and gives the draft that comes as
near to it as notes can. A window that already has what is asked of it stays as it is. Pitch and key have modules of
their own. W windows, N notes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fadernets.arrays import Floats, Integers
from fadernets.attributes import performed
from fadernets.attributes.table import CLOSE
from fadernets.editing.note_draft import NoteDraft
from fadernets.editing.pitch_fader import set_pitch
from fadernets.music.notes import TempoMap

SHORTEST = 1 / 16  # of a quarter note: the shortest note that articulation leaves
HELD = 1.5  # times the gap to the next onset: longer notes are held past it
HELD_FROM = 0.5  # factor of the other notes from which on held notes lose length too
BISECTIONS = 30  # of a factor between 0 and 1: to a billionth
MAX_VELOCITY = 127
MAX_MICROS = 2**24 - 1  # microseconds a quarter note that a MIDI file can hold


def set_dynamics(draft: NoteDraft, asked: Floats) -> NoteDraft:
    """Raise or lower all velocities of a window by the same amount, within 1..127, so that its phrasing stays."""
    performance = draft.performance
    source_dynamics = performed.dynamics(performance)
    velocity = draft.notes["velocity"].astype(np.int64)
    for w in np.flatnonzero(np.abs(asked - source_dynamics) > CLOSE).tolist():
        inside = np.flatnonzero(performance.window == w)
        total = round(float(np.clip(asked[w], 1, MAX_VELOCITY)) * len(inside))
        velocity[inside] = _shifted_velocities(velocity[inside], total)
    return draft.with_columns(velocity=velocity)


def _shifted_velocities(velocity: Integers, total: int) -> Integers:
    """Velocities moved by the same amount until they sum to `total`; what does not divide goes to the loudest notes."""
    low, high = -MAX_VELOCITY, MAX_VELOCITY  # shifts: by `low` the sum is at most the total, by `high` above it
    while high - low > 1:
        middle = (low + high) // 2
        fits = np.clip(velocity + middle, 1, MAX_VELOCITY).sum() <= total
        low, high = (middle, high) if fits else (low, middle)
    out = np.clip(velocity + low, 1, MAX_VELOCITY)
    can_rise = np.flatnonzero(out < MAX_VELOCITY)
    loudest = can_rise[np.argsort(-velocity[can_rise], kind="stable")]
    out[loudest[: int(total - out.sum())]] += 1
    return out


def set_articulation(draft: NoteDraft, asked: Floats) -> NoteDraft:
    """Shorten the notes of a window by one factor, or lengthen them by one share of what is left to the next onset.

    Notes that are held past the next onset, such as a chord under a line, keep their length until the others have lost
    half of theirs; from there on they lose as much. None grows past the end of the last window, unless the window does
    not get what is asked without.
    """
    performance = draft.performance
    source_articulation = performed.articulation(performance)
    notes, tpq = draft.notes, draft.windows.tpq
    gaps, old_lengths = performed.gaps_to_next_onset(notes, tpq), performed.note_lengths(notes)
    share, held = np.minimum(old_lengths / gaps, 1.0), old_lengths > HELD * gaps
    shortest = np.maximum(np.minimum(old_lengths, SHORTEST * tpq), 1)
    longest = np.maximum(np.minimum(draft.windows.end[-1] - notes["onset"], gaps), old_lengths)
    lengths = old_lengths.copy()
    for w in np.flatnonzero(np.abs(asked - source_articulation) > CLOSE).tolist():
        inside = np.flatnonzero(performance.window == w)
        wanted = float(np.clip(asked[w], 0, 1))
        most = longest[inside]
        if np.minimum(most / gaps[inside], 1.0).mean() < wanted:
            most = np.maximum(gaps[inside], old_lengths[inside])
        low, high = 0.0, 1.0
        for _ in range(BISECTIONS):
            factor = (low + high) / 2
            if wanted < source_articulation[w]:
                factors = np.where(held[inside], np.minimum(factor / HELD_FROM, 1), factor)
                trial = np.maximum(old_lengths[inside] * factors, shortest[inside])
            else:
                filled = (1 - (1 - share[inside]) * (1 - factor)) * gaps[inside]
                trial = np.where(share[inside] < 1, np.minimum(filled, most), old_lengths[inside])
            value = np.minimum(trial / gaps[inside], 1.0).mean()
            low, high = (factor, high) if value < wanted else (low, factor)
        lengths[inside] = np.maximum(np.round(trial), 1)
    ends = np.where(lengths != old_lengths, notes["onset"] + lengths.astype(np.int64), notes["end"])
    return draft.with_columns(end=ends)


def set_tempo(draft: NoteDraft, asked: Floats) -> NoteDraft:
    """Multiply the tempo by one factor in each window, so that what is slower or faster within it stays so.

    What lies behind the last window, where other tracks may go on, takes the factor of the last window.
    """
    source_tempo = performed.tempo(draft.performance)
    factor = np.where(np.isnan(asked), 1.0, asked / source_tempo)
    factor = np.where(np.abs(factor - 1) < CLOSE, 1.0, factor)
    if (factor == 1).all():
        return draft
    old, windows = draft.tempo, draft.windows
    ticks = np.union1d(old.ticks, windows.start[np.diff(factor, prepend=1.0) != 0])  # where the factor changes
    at = np.searchsorted(old.ticks, ticks, side="right") - 1
    window = np.searchsorted(windows.start, ticks, side="right") - 1
    speed = np.where(window >= 0, factor[np.maximum(window, 0)], 1.0)
    micros = np.clip(np.round(old.micros[at] / speed), 1, MAX_MICROS).astype(np.int64)
    kept = np.append(True, np.diff(micros) != 0) | np.isin(ticks, old.ticks)
    return replace(draft, tempo=TempoMap(ticks[kept], micros[kept], old.tpq))


# The attributes of a performance that come with the package, in the order in which they are applied; those that a user
# registers bring their own change (`Attribute.change`) and are applied after them.
WINDOW_FADERS: dict[str, Callable[[NoteDraft, Floats], NoteDraft]] = {
    "pitch": set_pitch,
    "dynamics": set_dynamics,
    "articulation": set_articulation,
    "tempo": set_tempo,
}
