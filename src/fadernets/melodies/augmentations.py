"""Augmentations of the NIME paper (Section 3.2): changes of clips by an amount that show what a code's dimensions hold.

Each codec has a pitch and a rhythm augmentation in one table; a user's own comes from a Python file. N clips. How far a
clip went is measured on a line along which z is expected to go straight: semitones, doublings of onsets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fadernets.arrays import Bytes, Cells, Floats, States
from fadernets.codecs import grid, melody_states
from fadernets.codecs.grid import LOW, PITCHES
from fadernets.errors import FadernetsError, of_user_code

LONGEST_NAME = 200  # bytes of an augmentation's name, which becomes part of a file's


@dataclass(frozen=True)
class Augmentation:
    """A change of clips by an amount, and how far it took each clip on a straight line."""

    name: str
    change: Callable[[Bytes, float], Bytes]  # clips and amount -> as many clips
    amounts: tuple[float, ...]
    unit: str
    distance: Callable[[Bytes, Bytes], Floats] | None = None  # [N] from clips to changed clips; None: the amount itself
    highest: int = 255  # the largest number that a clip may hold


def apply_augmentation(clips: Bytes, augmentation: Augmentation, amount: float) -> Bytes:
    """The clips changed by one amount. Raises FadernetsError where a user's function fails or gives what is no clip."""
    try:
        changed = np.asarray(augmentation.change(clips.copy(), amount))  # a copy: it may change what it is given
    except (Exception, SystemExit) as error:
        raise FadernetsError(f"augmentation {augmentation.name}: {type(error).__name__}: {error}") from error
    if changed.shape != clips.shape or changed.dtype.kind not in "buif":
        raise FadernetsError(
            f"augmentation {augmentation.name}: gave {changed.shape} of {changed.dtype}; "
            f"numbers {clips.shape} are needed"
        )
    if not ((changed >= 0) & (changed <= augmentation.highest)).all():
        raise FadernetsError(
            f"augmentation {augmentation.name}: gave {changed.min():g}..{changed.max():g}; "
            f"0..{augmentation.highest} are what a clip can hold"
        )
    if (changed % 1).any():
        raise FadernetsError(
            f"augmentation {augmentation.name}: gave numbers that are not whole; a clip holds whole ones"
        )
    return changed.astype(clips.dtype)


def whole_notes(low: int, high: int) -> States:
    """[N, 32] clips of two whole notes, one for every pair of pitches low..high (Section 3.4)."""
    pairs = np.stack(np.meshgrid(np.arange(low, high + 1), np.arange(low, high + 1), indexing="ij"), -1).reshape(-1, 2)
    clips = np.full((len(pairs), melody_states.STEPS), melody_states.HOLD, np.uint8)
    clips[:, 0], clips[:, melody_states.STEPS // 2] = pairs[:, 0], pairs[:, 1]
    return clips


def whole_notes_for(augmentation: str, pitches: tuple[int, int]) -> States:
    """[N, 32] the clips of `whole_notes` that an augmentation is tried on.

    pitches: the lowest and the highest. Transposed clips stay between them; a range too small for two transposable
    notes is widened to an octave and a semitone.
    """
    low, high = pitches
    up = int(max(SEMITONES))
    low = min(low, melody_states.ONSETS - 2 - up)
    high = max(high, low + up + 1)
    return whole_notes(low, high - (up if augmentation == "pitch" else 0))


def transpose_cells(cells: Cells, semitones: float) -> Cells:
    """[N, 16, 88] every note up by so many semitones; one that would leave the keyboard goes back by octaves."""
    out = np.zeros_like(cells)
    for pitch in range(PITCHES):
        there = pitch + int(semitones)
        there -= 12 * max(-(-(there - PITCHES + 1) // 12), 0)
        there += 12 * max(-(there // 12), 0) if there < 0 else 0
        out[..., there] = np.maximum(out[..., there], cells[..., pitch])
    return out


def split_cells(cells: Cells, parts: float) -> Cells:
    """[N, 16, 88] every note split into so many of its pitch, key by key."""
    lines = np.moveaxis(cells, -1, -2)  # [N, 88, 16]
    pitches = np.arange(PITCHES, dtype=np.uint8)[:, None] + LOW
    states = np.where(
        lines == grid.ONSET, pitches, np.where(lines == grid.HOLD, melody_states.HOLD, melody_states.REST)
    )
    split = melody_states.split(states.astype(np.uint8), int(parts))
    split_lines = np.where(
        split < melody_states.ONSETS, grid.ONSET, np.where(split == melody_states.HOLD, grid.HOLD, grid.OFF)
    )
    return np.moveaxis(split_lines, -1, -2).astype(np.uint8)


def _semitones(before: States, after: States) -> Floats:
    return melody_states.mean_pitch(after) - melody_states.mean_pitch(before)


def _doublings(before: States, after: States) -> Floats:
    return np.asarray(np.log2(np.maximum(melody_states.onsets(after), 1) / np.maximum(melody_states.onsets(before), 1)))


def _cell_semitones(before: Cells, after: Cells) -> Floats:
    means = []
    for cells in (before, after):
        onset = (cells == grid.ONSET).sum(-2)  # [N, 88]
        means.append(onset @ np.arange(PITCHES) / np.maximum(onset.sum(-1), 1))
    return np.asarray(means[1] - means[0])


def _cell_doublings(before: Cells, after: Cells) -> Floats:
    counts = [np.maximum((cells == grid.ONSET).sum((-1, -2)), 1) for cells in (before, after)]
    return np.asarray(np.log2(counts[1] / counts[0]))


def _share_of_notes(clips: States, parts: float) -> States:
    """Every note split into parts; with less than one part, notes merged to that share of their number."""
    return melody_states.split(clips, int(parts)) if parts >= 1 else melody_states.merge(clips, parts)


SEMITONES = tuple(float(p) for p in range(1, 13))
PARTS = (2.0, 4.0, 8.0, 16.0)
HIGHEST = {"melody": melody_states.REST, "grid": grid.HOLD}  # codec -> what a clip holds at most
AUGMENTATIONS: dict[str, dict[str, Augmentation]] = {  # codec -> name -> row
    "melody": {
        "pitch": Augmentation(
            "pitch", lambda x, p: melody_states.transpose(x, int(p)), SEMITONES, "semitones", _semitones
        ),
        "rhythm": Augmentation("rhythm", _share_of_notes, PARTS, "notes for one", _doublings),
    },
    "grid": {
        "pitch": Augmentation("pitch", transpose_cells, SEMITONES, "semitones", _cell_semitones),
        "rhythm": Augmentation("rhythm", split_cells, PARTS[:3], "notes for one", _cell_doublings),
    },
}


def load_augmentation(path: Path) -> Augmentation:
    """A user's augmentation: `augment(clips, amount)` of a Python file, its AMOUNTS (1 unless given) and NAME.

    The file is run. Raises FadernetsError where it cannot be read, fails or lacks what is needed.
    """
    import runpy

    try:
        names = runpy.run_path(str(path))
    except OSError as error:
        raise FadernetsError(f"{path}: cannot be read ({error.strerror})") from None
    except (Exception, SystemExit) as error:
        raise of_user_code(path, error) from error
    if not callable(names.get("augment")):
        raise FadernetsError(f"{path}: has no function augment(clips, amount)")
    try:
        amounts: Sequence[float] = tuple(float(a) for a in names.get("AMOUNTS", (1.0,)))
    except (TypeError, ValueError):
        amounts = ()
    if not amounts or not all(np.isfinite(a) and a for a in amounts):
        raise FadernetsError(f"{path}: AMOUNTS are numbers other than 0, such as (1, 2, 4)")
    name = str(names.get("NAME", path.stem))
    if not name.strip() or not name.isprintable() or Path(name).name != name or len(name.encode()) > LONGEST_NAME:
        raise FadernetsError(f"{path}: NAME {name!r} must serve in a file's name: 1..{LONGEST_NAME} bytes and no '/'")
    return Augmentation(name, names["augment"], tuple(amounts), "amount")
