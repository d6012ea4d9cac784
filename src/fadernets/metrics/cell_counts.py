"""What can be counted in cells: struck notes and their lengths, isolated notes, clashes, the outer voices.

Cells are [S, n, 88] (segments, sixteenth steps, piano keys): n is 16 in segments of four quarter notes, 12 in a bar of
3/4 or 6/8. A struck note is an onset with the holds behind it, cut
at the segment's end; a note held in from the segment before sounds, but is not struck. Lengths are in steps.
"""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Bools, Bytes, Cells, Floats, Integers
from fadernets.codecs.grid import HOLD, OFF, ONSET, PITCHES

PITCH_INDICES = np.arange(PITCHES)


def check_cells(cells: Cells) -> None:
    """Raise ValueError for cells that are not [S, n, 88]."""
    if cells.ndim != 3 or cells.shape[2] != PITCHES or not cells.shape[1]:
        raise ValueError(f"cells have shape {cells.shape}; expected [segments, steps, {PITCHES}]")


# --- masks and counts that note features are made of


def onset_steps(cells: Cells) -> Bools:
    """[..., n] true where any note is struck."""
    return (cells == ONSET).any(axis=-1)


def per_step(mask: Bools) -> Integers:
    """[S, n] number of true cells in each step."""
    return mask.view(np.uint8).sum(axis=-1, dtype=np.uint8).astype(np.int64)


def per_pitch(mask: Bools) -> Integers:
    """[S, 88] number of true cells of each pitch."""
    return mask.view(np.uint8).sum(axis=-2, dtype=np.uint8).astype(np.int64)


def total(mask: Bools) -> Integers:
    """[S] number of true cells."""
    return per_pitch(mask).sum(axis=-1)


def lengths(cells: Cells) -> Bytes:
    """[S, n, 88] steps that each struck note sounds, at its onset; 0 in all other cells."""
    sounded, held = np.zeros_like(cells), np.zeros_like(cells[:, 0])
    for t in reversed(range(cells.shape[1])):
        sounded[:, t] = (cells[:, t] == ONSET) * (held + 1)
        held = (cells[:, t] == HOLD) * (held + 1)  # S 88, consecutive holds from step t on
    return sounded


def isolated_onsets(cells: Cells) -> Bools:
    """[S, n, 88] the onsets of notes of one step with nothing struck in the step before or after it."""
    struck = np.pad(onset_steps(cells), ((0, 0), (1, 1)))
    alone = ~struck[:, :-2] & ~struck[:, 2:]  # S n
    return (lengths(cells) == 1) & alone[..., None]


def isolated(cells: Cells) -> Integers:
    """[S] how many notes are isolated (`isolated_onsets`)."""
    return total(isolated_onsets(cells))


def clashing(cells: Cells) -> Bools:
    """[S, n, 88] true where a note sounds and so does one a semitone above or below."""
    sounding = cells != OFF
    pairs = sounding[..., 1:] & sounding[..., :-1]
    clashing_cells = np.zeros_like(sounding)
    clashing_cells[..., 1:] = pairs
    clashing_cells[..., :-1] |= pairs
    return clashing_cells


def clashes(cells: Cells) -> Integers:
    """[S] how many cells are `clashing`."""
    return total(clashing(cells))


def lowest_sounding(cells: Cells) -> Integers:
    """[S, n] index of the lowest pitch that sounds; 0 in silence."""
    return np.asarray((cells != OFF).argmax(axis=-1))


def highest_sounding(cells: Cells) -> Integers:
    """[S, n] index of the highest pitch that sounds; 0 in silence."""
    return ((cells != OFF) * PITCH_INDICES.astype(np.uint8)).max(axis=-1).astype(np.int64)


def successive(values: Integers, present: Bools) -> tuple[Integers, Bools]:
    """[S, n - 1] change from one value [S, n] that is present to the next, and the mask of the steps that have one."""
    positions = np.arange(present.shape[1])
    last = np.maximum.accumulate(np.where(present, positions, -1), axis=1)[:, :-1]  # S n-1
    both = present[:, 1:] & (last >= 0)
    return np.where(both, values[:, 1:] - np.take_along_axis(values, np.maximum(last, 0), axis=1), 0), both


def share(part: Integers, whole: Integers) -> Floats:
    """part / whole, elementwise; 0 where whole is 0."""
    return part / np.maximum(whole, 1)


def spread(count: Integers, sums: Integers, squares: Integers) -> Floats:
    """Standard deviation of whole numbers from their count, sum and sum of squares, in exact arithmetic."""
    return np.sqrt(count * squares - sums**2) / np.maximum(count, 1)


# --- plain counts over a set of segments


def counts(cells: Cells, source: Cells | None = None) -> dict[str, float]:
    """Plain counts over all segments of cells [S, n, 88] together; each note weighs the same.

    clash_share: of the sounding cells, those a semitone from another in their step. isolated_share: of the
    struck notes, those that last one step with nothing struck in the step before or after. length_mean: steps a
    struck note. empty_share: segments without any sound. All 0 where there is nothing to count.

    With a source of the same shape, also first_onset_kept: of the segments whose source strikes a note in
    step 0, those whose output does too; lowest_kept and highest_kept: of the segments whose source sounds, those in
    which its lowest (highest) pitch still sounds in some step. These are 1 where there is nothing to keep.
    """
    check_cells(cells)
    struck, sounding = int((cells == ONSET).sum()), int((cells != OFF).sum())
    sounds = (cells != OFF).any(axis=1)  # S 88
    shares = {
        "clash_share": int(clashing(cells).sum()) / max(sounding, 1),
        "isolated_share": int(isolated(cells).sum()) / max(struck, 1),
        "length_mean": int(lengths(cells).sum(dtype=np.int64)) / max(struck, 1),
        "empty_share": int((~sounds.any(axis=1)).sum()) / max(len(cells), 1),
    }
    if source is None:
        return shares
    if source.shape != cells.shape:
        raise ValueError(f"source has shape {source.shape}, cells have {cells.shape}; they must be the same")
    source_sounds = (source != OFF).any(axis=1)  # S 88
    audible, each = source_sounds.any(axis=1), np.arange(len(cells))
    lowest, highest = source_sounds.argmax(axis=1), PITCHES - 1 - source_sounds[:, ::-1].argmax(axis=1)
    return shares | {
        "first_onset_kept": _kept(onset_steps(cells)[:, 0], onset_steps(source)[:, 0]),
        "lowest_kept": _kept(sounds[each, lowest], audible),
        "highest_kept": _kept(sounds[each, highest], audible),
    }


def _kept(now: Bools, before: Bools) -> float:
    return float(now[before].mean()) if before.any() else 1.0
