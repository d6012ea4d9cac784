"""How musical outputs are, from their cells alone: note features, the Frechet distance between two sets of
them, the likeness of two grooves, and plain counts.

The Frechet distance compares Gaussians fitted to two sets (Dowson and Landau, 1982; Heusel et al., 2017, for
generated images); here what is compared are features with a name. A feature takes cells [S, 16, 88] and gives
[S] float64. Pitches are MIDI numbers, intervals semitones, times and lengths sixteenth steps, shares 0..1.

A struck note is an onset with the holds behind it, cut at the segment's end; a note held in from the segment
before sounds, but is not struck. A feature is 0 where there is nothing to measure, as in an empty segment; two
kinds are not: pitches are then 60 (middle C), and the longest gap is 16 with fewer than two onset steps.

To add a feature: write the function, add a row.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes import keys, of_cells
from fadernets.codecs.grid import HOLD, LOW, OFF, ONSET, PITCHES, STEPS
from fadernets.music.segments import STEPS_PER_BEAT

Cells = NDArray[np.uint8]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Feature = Callable[[Cells], Floats]
Scale = tuple[Floats, Floats]  # [F] mean, [F] standard deviation

MIDDLE = 60  # the pitch of a segment in which nothing is struck
LONG = 8  # steps from which a note is long
STEP, LEAP = 2, 7  # semitones: a step is at most, a leap is more
DISSONANT = (1, 2, 6)  # interval classes
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}  # natural minor
CONSTANT = 1e-9  # a standard deviation up to this is rounding
BLOCK = 500  # segments measured at once: their cells stay in the processor's cache

_POSITION = np.arange(STEPS)
_PITCH = np.arange(PITCHES)
# [88, 12] one where the pitch is of the class
_CLASS = ((_PITCH[:, None] + LOW) % 12 == np.arange(12)).astype(np.float32)
# [24, 12] one where the class is in the key's scale, keys as `keys.estimate` numbers them
_SCALES = np.array([[(c - tonic) % 12 in scale for c in range(12)] for scale in SCALES.values() for tonic in range(12)])


# --- what features are made of


def onset_steps(cells: Cells) -> Bools:
    """[..., 16] true where any note is struck."""
    return (cells == ONSET).any(axis=-1)


def per_step(mask: Bools) -> Ints:
    """[S, 16] true cells of each step."""
    return mask.view(np.uint8).sum(axis=-1, dtype=np.uint8).astype(np.int64)


def per_pitch(mask: Bools) -> Ints:
    """[S, 88] true cells of each pitch."""
    return mask.view(np.uint8).sum(axis=-2, dtype=np.uint8).astype(np.int64)


def total(mask: Bools) -> Ints:
    """[S] true cells."""
    return per_pitch(mask).sum(axis=-1)


def lengths(cells: Cells) -> NDArray[np.uint8]:
    """[S, 16, 88] steps that each struck note sounds, at its onset; 0 in all other cells."""
    found, behind = np.zeros_like(cells), np.zeros_like(cells[:, 0])
    for t in reversed(range(STEPS)):
        found[:, t] = (cells[:, t] == ONSET) * (behind + 1)
        behind = (cells[:, t] == HOLD) * (behind + 1)  # S 88, holds in a row from step t on
    return found


def lone(cells: Cells) -> Bools:
    """[S, 16, 88] the onsets of notes of one step with nothing struck in the step before or behind it."""
    struck = np.pad(onset_steps(cells), ((0, 0), (1, 1)))
    alone = ~struck[:, :-2] & ~struck[:, 2:]  # S 16
    return (lengths(cells) == 1) & alone[..., None]


def isolated(cells: Cells) -> Ints:
    """[S] how many notes are `lone`."""
    return total(lone(cells))


def clashing(cells: Cells) -> Bools:
    """[S, 16, 88] true where a note sounds and so does one a semitone above or below."""
    sounding = cells != OFF
    pairs = sounding[..., 1:] & sounding[..., :-1]
    found = np.zeros_like(sounding)
    found[..., 1:] = pairs
    found[..., :-1] |= pairs
    return found


def clashes(cells: Cells) -> Ints:
    """[S] how many cells are `clashing`."""
    return total(clashing(cells))


def bass(cells: Cells) -> Ints:
    """[S, 16] index of the lowest pitch that sounds; 0 in silence."""
    return np.asarray((cells != OFF).argmax(axis=-1))


def top(cells: Cells) -> Ints:
    """[S, 16] index of the highest pitch that sounds; 0 in silence."""
    return ((cells != OFF) * _PITCH.astype(np.uint8)).max(axis=-1).astype(np.int64)


def successive(values: Ints, there: Bools) -> tuple[Ints, Bools]:
    """[S, 15] change from the last value [S, 16] that is there to the next, and where there is one."""
    last = np.maximum.accumulate(np.where(there, _POSITION, -1), axis=1)[:, :-1]  # S 15
    both = there[:, 1:] & (last >= 0)
    return np.where(both, values[:, 1:] - np.take_along_axis(values, np.maximum(last, 0), axis=1), 0), both


def share(part: Ints, whole: Ints) -> Floats:
    """part / whole, 0 where whole is."""
    return part / np.maximum(whole, 1)


def spread(count: Ints, sums: Ints, squares: Ints) -> Floats:
    """Standard deviation of whole numbers from their count, sum and sum of squares, in exact arithmetic."""
    return np.sqrt(count * squares - sums**2) / np.maximum(count, 1)


# --- rhythm


def onsets(cells: Cells) -> Floats:
    """Struck notes."""
    return total(cells == ONSET).astype(np.float64)


def onset_share_at(*steps: int) -> Feature:
    """Share of onset steps that are one of these steps."""

    def feature(cells: Cells) -> Floats:
        struck = onset_steps(cells)
        return share(struck[:, list(steps)].sum(axis=1), struck.sum(axis=1))

    return feature


def longest_gap(cells: Cells) -> Floats:
    """Most steps from one onset step to the next; 16 with fewer than two."""
    gaps, there = successive(np.broadcast_to(_POSITION, cells.shape[:2]), onset_steps(cells))
    return np.where(there.any(axis=1), gaps.max(axis=1), STEPS).astype(np.float64)


def gap_std(cells: Cells) -> Floats:
    """Standard deviation of the steps from one onset step to the next."""
    gaps, there = successive(np.broadcast_to(_POSITION, cells.shape[:2]), onset_steps(cells))
    return spread(there.sum(axis=1), gaps.sum(axis=1), (gaps**2).sum(axis=1))


def chord_size_mean(cells: Cells) -> Floats:
    """Mean number of notes struck together in an onset step."""
    return share(total(cells == ONSET), onset_steps(cells).sum(axis=1))


def chord_size_max(cells: Cells) -> Floats:
    """Most notes struck together."""
    return per_step(cells == ONSET).max(axis=1).astype(np.float64)


# --- polyphony and note lengths


def polyphony_mean(cells: Cells) -> Floats:
    """Mean number of notes sounding a step."""
    return total(cells != OFF) / STEPS


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
    """Share of struck notes that last one step with nothing struck in the step before or behind it."""
    return share(isolated(cells), total(cells == ONSET))


# --- pitch


def pitch_mean(cells: Cells) -> Floats:
    """Mean MIDI number of struck notes; 60 with none."""
    struck = per_pitch(cells == ONSET)
    count = struck.sum(axis=1)
    return np.where(count > 0, share(struck @ (_PITCH + LOW), count), MIDDLE)


def pitch_std(cells: Cells) -> Floats:
    """Standard deviation of the pitches of struck notes in semitones."""
    struck = per_pitch(cells == ONSET)
    return spread(struck.sum(axis=1), struck @ _PITCH, struck @ _PITCH**2)


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


def moves(voice: Callable[[Cells], Ints], cells: Cells) -> tuple[Ints, Bools]:
    """[S, 15] semitones, without sign, that a voice moves from one onset step to the next, and where it can."""
    change, there = successive(voice(cells), onset_steps(cells))
    return np.abs(change), there


def interval_mean(voice: Callable[[Cells], Ints]) -> Feature:
    """Mean interval between a voice's notes in successive onset steps, in semitones."""

    def feature(cells: Cells) -> Floats:
        interval, there = moves(voice, cells)
        return share(interval.sum(axis=1), there.sum(axis=1))

    return feature


def step_share(voice: Callable[[Cells], Ints]) -> Feature:
    """Share of those intervals of at most 2 semitones, none at all included."""

    def feature(cells: Cells) -> Floats:
        interval, there = moves(voice, cells)
        return share((there & (interval <= STEP)).sum(axis=1), there.sum(axis=1))

    return feature


def leap_share(voice: Callable[[Cells], Ints]) -> Feature:
    """Share of those intervals of more than 7 semitones."""

    def feature(cells: Cells) -> Floats:
        interval, there = moves(voice, cells)
        return share((there & (interval > LEAP)).sum(axis=1), there.sum(axis=1))

    return feature


def bass_gap(cells: Cells) -> Floats:
    """Mean semitones from the lowest note to the next above it, over the steps in which two or more sound."""
    sounding = cells != OFF
    lowest = sounding.argmax(axis=-1)[..., None]  # S 16 1
    np.put_along_axis(sounding, lowest, False, axis=-1)
    two = sounding.any(axis=-1)
    gap = (sounding.argmax(axis=-1) - lowest[..., 0]) * two  # S 16
    return share(gap.sum(axis=1), two.sum(axis=1))


# --- harmony


def rotated_classes(cells: Cells) -> Floats:
    """[S, 12] share of the sounding cells that each pitch class has, from the most sounding one upwards.

    Of equal ones that is first which is followed by the larger shares, so that transposing changes nothing.
    """
    found = of_cells.pitch_classes(cells)
    turned = found[:, (np.arange(12)[:, None] + np.arange(12)) % 12]  # S 12 12, class that is first, class
    first = np.ones(found.shape, np.bool_)
    for i in range(12):
        values = np.where(first, turned[:, :, i], -1)
        first &= values == values.max(axis=1, keepdims=True)
    chosen = turned[np.arange(len(found)), first.argmax(axis=1)]  # S 12
    return share(chosen, found.sum(axis=1, keepdims=True))


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
    found = of_cells.pitch_classes(cells)
    return share((found * _SCALES[keys.estimate(found)]).sum(axis=1), found.sum(axis=1))


def clash_share(cells: Cells) -> Floats:
    """Share of the sounding cells with another a semitone away in the same step."""
    return share(total(clashing(cells)), total(cells != OFF))


def dissonance_share(cells: Cells) -> Floats:
    """Share of the pairs that sound in one step whose interval class is 1, 2 or 6."""
    notes = (cells != OFF).astype(np.float32) @ _CLASS  # S 16 12
    pairs = {i: (notes * np.roll(notes, i, axis=-1)).sum(axis=(1, 2), dtype=np.float64) for i in DISSONANT}
    pairs[6] /= 2  # the tritone is found from both of its ends
    each = notes.sum(axis=-1, dtype=np.float64)  # S 16
    return sum(pairs.values()) / np.maximum((each * (each - 1) / 2).sum(axis=1), 1)


_BEATS = range(STEPS_PER_BEAT, STEPS, STEPS_PER_BEAT)
FEATURES: dict[str, Feature] = {
    "onsets": onsets,
    "onset_steps_share": of_cells.rhythm_density,
    "onset_share_downbeat": onset_share_at(0),  # the segment's first step
    "onset_share_beats": onset_share_at(*_BEATS),
    "onset_share_eighths": onset_share_at(*range(STEPS_PER_BEAT // 2, STEPS, STEPS_PER_BEAT)),
    "onset_share_sixteenths": onset_share_at(*range(1, STEPS, 2)),
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
    "top_interval": interval_mean(top),
    "top_step_share": step_share(top),
    "top_leap_share": leap_share(top),
    "bass_interval": interval_mean(bass),
    "bass_step_share": step_share(bass),
    "bass_leap_share": leap_share(bass),
    "bass_gap": bass_gap,
    **{f"class_share_{i}": class_share(i) for i in range(12)},
    "classes": classes,
    "key_fit": key_fit,
    "clash_share": clash_share,
    "dissonance_share": dissonance_share,
}


def features(cells: Cells) -> tuple[Floats, list[str]]:
    """[S, F] every feature of cells [S, 16, 88], and their names."""
    _check_cells(cells)
    found = np.empty((len(cells), len(FEATURES)))
    for a in range(0, len(cells), BLOCK):
        block = np.ascontiguousarray(cells[a : a + BLOCK])
        for i, feature in enumerate(FEATURES.values()):
            found[a : a + BLOCK, i] = feature(block)
    return found, list(FEATURES)


# --- the distance between two sets of features


def scale_of(found: Floats) -> Scale:
    """[F] mean and standard deviation of features [N, F]; a constant feature keeps its unit (deviation 1)."""
    deviation = found.std(axis=0, ddof=1)
    return found.mean(axis=0), np.where(deviation > CONSTANT, deviation, 1.0)


def frechet(a: Floats, b: Floats, scale: Scale | None = None) -> float:
    """Squared Frechet distance between Gaussians fitted to features a [N, F] and to the reference b [M, F].

    Both are standardised first, by the mean and standard deviation in `scale`, or by those of b. A feature
    that does not vary there keeps its own unit, so that a still pays for leaving its value. Covariances are
    the unbiased ones. The value falls with N and M: compare at equal numbers, and with `split_floor`.
    Raises ValueError for fewer than two rows or for different columns.
    """
    for name, rows in (("a", a), ("b", b)):
        if rows.ndim != 2 or len(rows) < 2:
            raise ValueError(f"{name} has shape {rows.shape}; expected [2 or more segments, features]")
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"a has {a.shape[1]} features, b has {b.shape[1]}; they must have the same")
    mean, deviation = scale_of(b) if scale is None else scale
    if np.shape(mean) != (b.shape[1],) or np.shape(deviation) != (b.shape[1],):
        raise ValueError(f"scale has shapes {np.shape(mean)}, {np.shape(deviation)}; expected twice {(b.shape[1],)}")
    deviation = np.where(deviation > CONSTANT, deviation, 1.0)
    a, b = (a - mean) / deviation, (b - mean) / deviation
    covariance_a, covariance_b = _covariance(a), _covariance(b)
    # |m_a - m_b|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2), whose last trace is the sum of the singular values of
    # A^1/2 B^1/2: never complex, and no root of a rounding error where some features add up to one.
    both = np.linalg.svd(_root(covariance_a) @ _root(covariance_b), compute_uv=False).sum()
    apart = np.square(a.mean(axis=0) - b.mean(axis=0)).sum()
    return max(float(apart + np.trace(covariance_a) + np.trace(covariance_b) - 2 * both), 0.0)


def split_floor(found: Floats, size: int, seed: int, scale: Scale | None = None) -> float:
    """Frechet distance between two random disjoint parts, `size` rows each, of real features [N, F].

    This is what a perfect model would score with `size` outputs against `size` real segments. Standardised
    by `scale`, or by all N rows. Raises ValueError for a size below 2 or above half the rows.
    """
    if not 2 <= size <= len(found) // 2:
        raise ValueError(f"size is {size}; with {len(found)} rows, allowed is 2..{len(found) // 2}")
    order = np.random.default_rng(seed).permutation(len(found))
    one, other = found[order[:size]], found[order[size : 2 * size]]
    return frechet(one, other, scale_of(found) if scale is None else scale)


def _covariance(rows: Floats) -> Floats:
    centred = rows - rows.mean(axis=0)
    return centred.T @ centred / (len(rows) - 1)


def _root(matrix: Floats) -> Floats:
    """The symmetric square root of a positive semidefinite matrix; rounding below 0 counts as 0."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


# --- against the source


def groove_similarity(found: Cells, source: Cells) -> Floats:
    """[...] share of the 16 steps in which both or neither strike a note; leading dimensions broadcast.

    Wu and Yang, "The Jazz Transformer on the Front Line", ISMIR 2020: grooving pattern similarity, there of
    two bars of a piece at 64 positions each.
    """
    return np.asarray(1 - (onset_steps(found) ^ onset_steps(source)).mean(axis=-1))


def counts(cells: Cells, source: Cells | None = None) -> dict[str, float]:
    """Plain counts over all segments of cells [S, 16, 88] together, each note weighing the same.

    clash_share: of the sounding cells, those a semitone from another in their step. isolated_share: of the
    struck notes, those of one step with nothing struck in the step before or behind. length_mean: steps a
    struck note. empty_share: segments without any sound. All 0 where there is nothing to count.

    With a source of the same shape also first_onset_kept: of the segments whose source strikes a note in
    step 0, those that do too; lowest_kept and highest_kept: of the segments whose source sounds, those in
    which its lowest (highest) pitch still sounds in some step. These are 1 where there is nothing to keep.
    """
    _check_cells(cells)
    struck, sounding = int((cells == ONSET).sum()), int((cells != OFF).sum())
    heard = (cells != OFF).any(axis=1)  # S 88
    found = {
        "clash_share": int(clashing(cells).sum()) / max(sounding, 1),
        "isolated_share": int(isolated(cells).sum()) / max(struck, 1),
        "length_mean": int(lengths(cells).sum(dtype=np.int64)) / max(struck, 1),
        "empty_share": int((~heard.any(axis=1)).sum()) / max(len(cells), 1),
    }
    if source is None:
        return found
    if source.shape != cells.shape:
        raise ValueError(f"source has shape {source.shape}, cells have {cells.shape}; they must be the same")
    was = (source != OFF).any(axis=1)  # S 88
    sounded, each = was.any(axis=1), np.arange(len(cells))
    lowest, highest = was.argmax(axis=1), PITCHES - 1 - was[:, ::-1].argmax(axis=1)
    return found | {
        "first_onset_kept": _kept(onset_steps(cells)[:, 0], onset_steps(source)[:, 0]),
        "lowest_kept": _kept(heard[each, lowest], sounded),
        "highest_kept": _kept(heard[each, highest], sounded),
    }


def _kept(now: Bools, before: Bools) -> float:
    return float(now[before].mean()) if before.any() else 1.0


def _check_cells(cells: Cells) -> None:
    if cells.ndim != 3 or cells.shape[1:] != (STEPS, PITCHES):
        raise ValueError(f"cells have shape {cells.shape}; expected [segments, {STEPS}, {PITCHES}]")
