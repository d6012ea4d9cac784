"""Forty-six features with names that describe the music in cells: rhythm, polyphony, pitch, outer voices, harmony.

A feature takes cells [S, n, 88] of n sixteenth steps and gives [S] float64. Pitches are MIDI numbers, intervals
semitones, times and lengths steps, shares 0..1. A feature is 0 where there is nothing to measure, as in an empty
segment; two kinds are not: pitches are then 60 (middle C), and the longest gap is n with fewer than two onset steps.

To add a feature, write the function and add a row to `FEATURES`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fadernets.arrays import Bools, Cells, Floats, Integers
from fadernets.attributes import keys, of_cells
from fadernets.codecs.grid import LOW, OFF, ONSET, PITCHES
from fadernets.metrics.cell_counts import (
    PITCH_INDICES,
    check_cells,
    clashing,
    highest_sounding,
    isolated,
    lengths,
    lowest_sounding,
    onset_steps,
    per_pitch,
    per_step,
    share,
    spread,
    successive,
    total,
)
from fadernets.music.segments import STEPS_PER_BEAT

Feature = Callable[[Cells], Floats]
Voice = Callable[[Cells], Integers]

MIDDLE = 60  # the pitch of a segment in which nothing is struck
LONG = 8  # steps from which a note is long
STEP, LEAP = 2, 7  # semitones: a step is at most, a leap is more
DISSONANT = (1, 2, 6)  # interval classes
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}  # natural minor
BLOCK = 500  # segments measured at once: their cells stay in the processor's cache

# [88, 12] one where the pitch is of the class
_CLASS = ((PITCH_INDICES[:, None] + LOW) % 12 == np.arange(12)).astype(np.float32)
# [24, 12] one where the class is in the key's scale, keys as `keys.estimate` numbers them
_SCALES = np.array([[(c - tonic) % 12 in scale for c in range(12)] for scale in SCALES.values() for tonic in range(12)])


# --- rhythm


def onsets(cells: Cells) -> Floats:
    """Struck notes."""
    return total(cells == ONSET).astype(np.float64)


def onset_steps_share(cells: Cells) -> Floats:
    """Share of the steps in which a note is struck: rhythm density."""
    return np.asarray(onset_steps(cells).mean(axis=1))


def onset_share_at(first: int, every: int | None = None) -> Feature:
    """Share of onset steps that are one of these steps: the first, and every so many after it."""

    def feature(cells: Cells) -> Floats:
        struck = onset_steps(cells)
        at = struck[:, first : first + 1] if every is None else struck[:, first::every]
        return share(at.sum(axis=1), struck.sum(axis=1))

    return feature


def longest_gap(cells: Cells) -> Floats:
    """Most steps from one onset step to the next; n with fewer than two."""
    gaps, present = _gaps(cells)
    return np.where(present.any(axis=1), gaps.max(axis=1, initial=0), cells.shape[1]).astype(np.float64)


def gap_std(cells: Cells) -> Floats:
    """Standard deviation of the steps from one onset step to the next."""
    gaps, present = _gaps(cells)
    return spread(present.sum(axis=1), gaps.sum(axis=1), (gaps**2).sum(axis=1))


def _gaps(cells: Cells) -> tuple[Integers, Bools]:
    return successive(np.broadcast_to(np.arange(cells.shape[1]), cells.shape[:2]), onset_steps(cells))


def chord_size_mean(cells: Cells) -> Floats:
    """Mean number of notes struck together in an onset step."""
    return share(total(cells == ONSET), onset_steps(cells).sum(axis=1))


def chord_size_max(cells: Cells) -> Floats:
    """Most notes struck together."""
    return per_step(cells == ONSET).max(axis=1).astype(np.float64)


# --- polyphony and note lengths


def polyphony_mean(cells: Cells) -> Floats:
    """Mean number of notes sounding a step."""
    return total(cells != OFF) / cells.shape[1]


def polyphony_std(cells: Cells) -> Floats:
    """Standard deviation over the steps of the number of notes sounding."""
    return per_step(cells != OFF).std(axis=1)


def polyphony_max(cells: Cells) -> Floats:
    """Most notes sounding in a step."""
    return per_step(cells != OFF).max(axis=1).astype(np.float64)


def length_mean(cells: Cells) -> Floats:
    """Mean length of a struck note in steps."""
    return share(lengths(cells).sum(axis=(1, 2), dtype=np.int64), total(cells == ONSET))


def length_std(cells: Cells) -> Floats:
    """Standard deviation of the lengths of struck notes in steps."""
    each = lengths(cells).astype(np.uint16)
    sums, squares = (values.sum(axis=(1, 2), dtype=np.int64) for values in (each, each**2))
    return spread(total(cells == ONSET), sums, squares)


def one_step_share(cells: Cells) -> Floats:
    """Share of struck notes that last one step."""
    return share(total(lengths(cells) == 1), total(cells == ONSET))


def long_share(cells: Cells) -> Floats:
    """Share of struck notes that last 8 steps or more."""
    return share(total(lengths(cells) >= LONG), total(cells == ONSET))


def isolated_share(cells: Cells) -> Floats:
    """Share of struck notes that last one step with nothing struck in the step before or after it."""
    return share(isolated(cells), total(cells == ONSET))


# --- pitch


def pitch_mean(cells: Cells) -> Floats:
    """Mean MIDI number of struck notes; 60 with none."""
    struck = per_pitch(cells == ONSET)
    count = struck.sum(axis=1)
    return np.where(count > 0, share(struck @ (PITCH_INDICES + LOW), count), MIDDLE)


def pitch_std(cells: Cells) -> Floats:
    """Standard deviation of the pitches of struck notes in semitones."""
    struck = per_pitch(cells == ONSET)
    return spread(struck.sum(axis=1), struck @ PITCH_INDICES, struck @ PITCH_INDICES**2)


def pitch_lowest(cells: Cells) -> Floats:
    """Lowest MIDI number struck; 60 with none."""
    struck = (cells == ONSET).any(axis=1)
    return np.where(struck.any(axis=1), LOW + struck.argmax(axis=1), MIDDLE).astype(np.float64)


def pitch_highest(cells: Cells) -> Floats:
    """Highest MIDI number struck; 60 with none."""
    struck = (cells == ONSET).any(axis=1)
    highest = LOW + PITCHES - 1 - struck[:, ::-1].argmax(axis=1)
    return np.where(struck.any(axis=1), highest, MIDDLE).astype(np.float64)


def pitches(cells: Cells) -> Floats:
    """Different pitches that sound."""
    return (cells != OFF).any(axis=1).sum(axis=1).astype(np.float64)


# --- voices: the highest and the lowest note that sounds in each onset step, struck there or held


def moves(voice: Voice, cells: Cells) -> tuple[Integers, Bools]:
    """[S, n - 1] absolute semitones that a voice moves from one onset step to the next, where `present` [S, n - 1]."""
    change, present = successive(voice(cells), onset_steps(cells))
    return np.abs(change), present


def interval_mean(voice: Voice) -> Feature:
    """Mean interval between a voice's notes in successive onset steps, in semitones."""

    def feature(cells: Cells) -> Floats:
        interval, present = moves(voice, cells)
        return share(interval.sum(axis=1), present.sum(axis=1))

    return feature


def step_share(voice: Voice) -> Feature:
    """Share of those intervals of at most 2 semitones, unisons included."""

    def feature(cells: Cells) -> Floats:
        interval, present = moves(voice, cells)
        return share((present & (interval <= STEP)).sum(axis=1), present.sum(axis=1))

    return feature


def leap_share(voice: Voice) -> Feature:
    """Share of those intervals of more than 7 semitones."""

    def feature(cells: Cells) -> Floats:
        interval, present = moves(voice, cells)
        return share((present & (interval > LEAP)).sum(axis=1), present.sum(axis=1))

    return feature


def bass_gap(cells: Cells) -> Floats:
    """Mean semitones from the lowest note to the next above it, over the steps in which two or more sound."""
    sounding = cells != OFF
    lowest = sounding.argmax(axis=-1)[..., None]  # S n 1
    np.put_along_axis(sounding, lowest, False, axis=-1)
    two = sounding.any(axis=-1)
    gap = (sounding.argmax(axis=-1) - lowest[..., 0]) * two  # S n
    return share(gap.sum(axis=1), two.sum(axis=1))


# --- harmony


def rotated_classes(cells: Cells) -> Floats:
    """[S, 12] share of the sounding cells that each pitch class has, from the most sounding one upwards.

    Between classes of equal share, the one that is followed by the larger shares comes first, so that transposing
    changes nothing.
    """
    weights = of_cells.pitch_classes(cells)
    turned = weights[:, (np.arange(12)[:, None] + np.arange(12)) % 12]  # S 12 12, class that is first, class
    first = np.ones(weights.shape, np.bool_)
    for i in range(12):
        values = np.where(first, turned[:, :, i], -1)
        first &= values == values.max(axis=1, keepdims=True)
    chosen = turned[np.arange(len(weights)), first.argmax(axis=1)]  # S 12
    return share(chosen, weights.sum(axis=1, keepdims=True))


def class_share(i: int) -> Feature:
    """Share of the sounding cells that the pitch class i semitones above the most sounding one has."""

    def feature(cells: Cells) -> Floats:
        return rotated_classes(cells)[:, i]

    return feature


def classes(cells: Cells) -> Floats:
    """Different pitch classes that sound."""
    return (of_cells.pitch_classes(cells) > 0).sum(axis=1).astype(np.float64)


def key_fit(cells: Cells) -> Floats:
    """Share of the sounding cells in the scale, major or natural minor, of the key of `keys.estimate`."""
    weights = of_cells.pitch_classes(cells)
    return share((weights * _SCALES[keys.estimate(weights)]).sum(axis=1), weights.sum(axis=1))


def clash_share(cells: Cells) -> Floats:
    """Share of the sounding cells with another a semitone away in the same step."""
    return share(total(clashing(cells)), total(cells != OFF))


def dissonance_share(cells: Cells) -> Floats:
    """Share of the pairs that sound in one step whose interval class is 1, 2 or 6."""
    notes = (cells != OFF).astype(np.float32) @ _CLASS  # S n 12
    pairs = {i: (notes * np.roll(notes, i, axis=-1)).sum(axis=(1, 2), dtype=np.float64) for i in DISSONANT}
    pairs[6] /= 2  # the tritone is counted from both of its ends
    each = notes.sum(axis=-1, dtype=np.float64)  # S n
    return sum(pairs.values()) / np.maximum((each * (each - 1) / 2).sum(axis=1), 1)


FEATURES: dict[str, Feature] = {
    "onsets": onsets,
    "onset_steps_share": onset_steps_share,
    "onset_share_downbeat": onset_share_at(0),  # the segment's first step
    "onset_share_beats": onset_share_at(STEPS_PER_BEAT, STEPS_PER_BEAT),
    "onset_share_eighths": onset_share_at(STEPS_PER_BEAT // 2, STEPS_PER_BEAT),
    "onset_share_sixteenths": onset_share_at(1, 2),
    "longest_gap": longest_gap,
    "gap_std": gap_std,
    "chord_size_mean": chord_size_mean,
    "chord_size_max": chord_size_max,
    "polyphony_mean": polyphony_mean,
    "polyphony_std": polyphony_std,
    "polyphony_max": polyphony_max,
    "length_mean": length_mean,
    "length_std": length_std,
    "one_step_share": one_step_share,
    "long_share": long_share,
    "isolated_share": isolated_share,
    "pitch_mean": pitch_mean,
    "pitch_std": pitch_std,
    "pitch_lowest": pitch_lowest,
    "pitch_highest": pitch_highest,
    "pitches": pitches,
    "top_interval": interval_mean(highest_sounding),
    "top_step_share": step_share(highest_sounding),
    "top_leap_share": leap_share(highest_sounding),
    "bass_interval": interval_mean(lowest_sounding),
    "bass_step_share": step_share(lowest_sounding),
    "bass_leap_share": leap_share(lowest_sounding),
    "bass_gap": bass_gap,
    **{f"class_share_{i}": class_share(i) for i in range(12)},
    "classes": classes,
    "key_fit": key_fit,
    "clash_share": clash_share,
    "dissonance_share": dissonance_share,
}


def features(cells: Cells) -> tuple[Floats, list[str]]:
    """[S, F] every feature of cells [S, n, 88], and their names."""
    check_cells(cells)
    table = np.empty((len(cells), len(FEATURES)))
    for a in range(0, len(cells), BLOCK):
        block = np.ascontiguousarray(cells[a : a + BLOCK])
        for i, feature in enumerate(FEATURES.values()):
            table[a : a + BLOCK, i] = feature(block)
    return table, list(FEATURES)
