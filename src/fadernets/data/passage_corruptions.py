"""Corrupted passages: sources from which the rewriter learns to write the real passage (denoising).

Each function takes notes [N, 3] (onset step, end step, pitch 0..87), the L steps of the passage and a generator, and
gives notes. Half of the draws take something away, so that the model learns to add; the others add, so that it learns
to leave out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fadernets.arrays import Bools, Cells, Floats, Integers
from fadernets.codecs.grid import HOLD, PITCHES
from fadernets.data.passages import Steps, cells_of, note_lengths

Rng = np.random.Generator
WEAKEST_PLACE = -4.0


@dataclass(frozen=True)
class Metre:
    """How strong each of L steps is, and which steps of other segments are like it."""

    strength: Floats  # [L] 0 where a segment begins, less for weaker places
    kind: Integers  # [L] the same number for the same place of a segment

    @classmethod
    def of(cls, steps: Steps) -> Metre:
        """That of the steps of a passage."""
        place, beat = steps.place, steps.beat
        within = np.where(place == 0, 0.0, np.where(place == 12, -3.0, np.where(place % 6 == 0, WEAKEST_PLACE, -3.5)))
        on_beat = np.where(beat == 0, 0.0, np.where((beat % 2 == 0) & (steps.beats % 2 == 1), -1.0, -2.0))
        return cls(np.where(place == 0, on_beat, within), beat * 24 + place)


def drop_onsets(notes: Integers, metre: Metre, rng: Rng) -> Integers:
    """Onset steps go: the same places of every segment, or the weak ones; the notes before may be held over."""
    if not len(notes):
        return notes
    steps = np.unique(notes[:, 0])
    share = rng.uniform(0.1, 0.65)
    noise = float(rng.choice([0.4, 1.5, 4.0]))
    if rng.random() < 0.6:
        kinds = np.unique(metre.kind[steps])
        strength = {int(k): metre.strength[np.flatnonzero(metre.kind == k)[0]] for k in kinds}
        weight = np.array([-strength[int(k)] for k in kinds]) + rng.normal(0, noise, len(kinds))
        count = np.array([(metre.kind[steps] == k).sum() for k in kinds])[np.argsort(-weight)]
        chosen = kinds[np.argsort(-weight)][: int(np.searchsorted(np.cumsum(count), share * len(steps))) + 1]
        gone = np.isin(metre.kind[steps], chosen)
        if rng.random() < 0.5:
            gone &= rng.random(len(steps)) < 0.85
    else:
        weight = -metre.strength[steps] + rng.normal(0, noise, len(steps))
        gone = np.zeros(len(steps), bool)
        gone[np.argsort(-weight)[: round(share * len(steps))]] = True
    lost = steps[gone]
    kept = ~np.isin(notes[:, 0], lost)
    out, dropped = notes[kept].copy(), notes[~kept]
    if rng.random() < 0.3 or not len(out):
        return out
    left = np.unique(out[:, 0])
    until: dict[int, int] = {}
    for step in lost.tolist():
        i = int(np.searchsorted(left, step)) - 1
        if i >= 0:
            until[int(left[i])] = max(until.get(int(left[i]), 0), int(dropped[dropped[:, 0] == step, 1].max()))
    following = dict(zip(left.tolist(), [*left[1:].tolist(), len(metre.kind)], strict=True))
    for note in out:
        end = until.get(int(note[0]))
        if end is not None and rng.random() < 0.9:
            note[1] = max(note[1], min(end, max(following[int(note[0])], note[1])))
    return out


def drop_notes(notes: Integers, metre: Metre, rng: Rng) -> Integers:
    """Notes of chords go; outer voices often stay."""
    if not len(notes):
        return notes
    top, low = _outer(notes)
    kept = np.zeros(len(notes), bool)
    draw = rng.random()
    if draw < 0.6:
        kept |= top | low
    elif draw < 0.8:
        kept |= top
    return notes[kept | (rng.random(len(notes)) < rng.uniform(0.15, 0.9))]


def drop_voice(notes: Integers, metre: Metre, rng: Rng) -> Integers:
    """Everything above or below some pitch goes."""
    if len(notes) < 8:
        return notes
    cut = np.quantile(notes[:, 2], rng.uniform(0.2, 0.8))
    out = notes[(notes[:, 2] >= cut) == (rng.random() < 0.5)]
    return out if len(out) > 4 else notes


def scale_lengths(notes: Integers, metre: Metre, rng: Rng) -> Integers:
    """All lengths by one factor."""
    factor = float(rng.choice([0.25, 0.5, 0.75, 1.5, 2, 3, 4]))
    out = notes.copy()
    out[:, 1] = out[:, 0] + np.clip(np.round((out[:, 1] - out[:, 0]) * factor), 1, 32)
    return out


def break_notes(notes: Integers, metre: Metre, rng: Rng) -> Integers:
    """Long notes become repeats, alternations or arpeggios of their chord, at one rate for the passage."""
    step = int(rng.choice([1, 2, 2, 3, 4]))
    chance = rng.uniform(0.3, 1)
    kind = str(rng.choice(["repeat", "alternate", "arpeggio"]))
    lowest = rng.random() < 0.5
    out: list[list[int]] = []
    for onset in np.unique(notes[:, 0]).tolist():
        chord = notes[notes[:, 0] == onset]
        chord = chord[np.argsort(chord[:, 2])]
        pitches = chord[:, 2].tolist()
        end = int(chord[:, 1].min())
        if end - onset < 2 * step or rng.random() > chance:
            out += chord.tolist()
        elif kind == "repeat":
            again = chord[:, 2] if rng.random() < 0.5 else chord[:1, 2] if lowest else chord[-1:, 2]
            for a, b, pitch in chord.tolist():
                if pitch in again:
                    out += [[s, min(s + step, b), pitch] for s in range(a, b, step)]
                else:
                    out.append([a, b, pitch])
        else:
            figure = pitches
            if len(pitches) > 2:
                out.append(chord[-1].tolist())
                figure = pitches[:-1]
            if kind == "alternate" and len(figure) > 2:
                figure = figure + figure[-2:0:-1]
            for k, s in enumerate(range(onset, end, step)):
                out.append([s, min(s + step, end), figure[k % len(figure)]])
    return np.array(out, np.int64).reshape(-1, 3)


def lay_over(notes: Integers, other: Integers, metre: Metre, rng: Rng) -> Integers:
    """Some notes of another passage on top, mostly moved to the pitch classes at hand."""
    if not len(notes) or not len(other):
        return notes
    extra = other[rng.random(len(other)) < rng.uniform(0.2, 0.7)].copy()
    if rng.random() < 0.7:
        classes = np.unique(notes[:, 2] % 12)
        away = (extra[:, 2:3] % 12 - classes + 6) % 12 - 6
        extra[:, 2] -= away[np.arange(len(extra)), np.abs(away).argmin(1)]
    extra = extra[(extra[:, 2] >= 0) & (extra[:, 2] < PITCHES) & (extra[:, 0] < len(metre.kind))]
    return np.unique(np.concatenate([notes, extra]), axis=0)


def double(notes: Integers, metre: Metre, rng: Rng) -> Integers:
    """Some notes doubled at an octave, a third or a sixth, the same ones in every segment by their place."""
    if not len(notes):
        return notes
    chosen = np.isin(
        metre.kind[notes[:, 0]], rng.choice(np.unique(metre.kind), max(len(np.unique(metre.kind)) // 2, 1))
    )
    extra = notes[chosen & (rng.random(len(notes)) < rng.uniform(0.3, 1))].copy()
    extra[:, 2] += rng.choice([-12, 12, 4, -4, 7, -5])
    extra = extra[(extra[:, 2] >= 0) & (extra[:, 2] < PITCHES)]
    return np.unique(np.concatenate([notes, extra]), axis=0)


def shift_onsets(notes: Integers, metre: Metre, rng: Rng) -> Integers:
    """Some onsets a step or two off."""
    out = notes.copy()
    moved = rng.random(len(notes)) < rng.uniform(0.05, 0.3)
    out[moved, 0] = np.clip(out[moved, 0] + rng.choice([-2, -1, 1, 2], int(moved.sum())), 0, len(metre.kind) - 1)
    out[:, 1] = np.maximum(out[:, 1], out[:, 0] + 1)
    return out


def _outer(notes: Integers) -> tuple[Bools, Bools]:
    """[N] which notes are the highest and the lowest of their onset step."""
    top, low = np.zeros(len(notes), bool), np.zeros(len(notes), bool)
    order = np.lexsort((notes[:, 2], notes[:, 0]))
    last = np.append(np.diff(notes[order, 0]) != 0, True)
    first = np.insert(last[:-1], 0, True)
    top[order[last]] = True
    low[order[first]] = True
    return top, low


def corrupted(cells: Cells, other: Cells, steps: Steps, rng: Rng) -> Cells:
    """Cells [L, 88] with one or two corruptions; `other` [L', 88] is what may be laid over."""
    metre, length = Metre.of(steps), len(cells)
    notes, more = notes_of(cells), notes_of(other)
    takes_away = rng.random() < 0.5
    for _ in range(1 if rng.random() < 0.6 else 2):
        if takes_away:
            change = (drop_onsets, drop_notes, drop_voice, scale_lengths, shift_onsets)[
                rng.choice(5, p=[0.5, 0.2, 0.12, 0.1, 0.08])
            ]
            notes = change(notes, metre, rng)
        else:
            k = rng.choice(5, p=[0.45, 0.25, 0.12, 0.08, 0.1])
            if k == 1:
                notes = lay_over(notes, more, metre, rng)
            else:
                notes = (break_notes, break_notes, scale_lengths, shift_onsets, double)[k](notes, metre, rng)
    return cells_of(notes, length)


def notes_of(cells: Cells) -> Integers:
    """[N, 3] the notes of cells [L, 88]; what is held in begins at step 0 as a note of its own."""
    open_ = cells.copy()
    open_[0] = np.where(open_[0] == HOLD, 1, open_[0])
    step, pitch = np.nonzero(open_ == 1)
    return np.stack([step, step + note_lengths(open_)[step, pitch], pitch], axis=1).astype(np.int64)
