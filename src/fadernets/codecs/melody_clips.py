"""The melody of a piece: one track's line on the sixteenth grid, cut into clips of two bars of 4/4 (Section 2.2, NIME).

Bars of two quarter notes are read as half-bars. T steps of the whole piece, C clips.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fadernets.arrays import Array, Indices, Rows, States
from fadernets.codecs import grid, melody_states
from fadernets.codecs.melody_states import REST, STEPS
from fadernets.errors import FadernetsError
from fadernets.music.notes import MetreMap, Piece
from fadernets.music.segments import BEATS, STEPS_PER_BEAT, Windows, cut
from fadernets.music.segments import STEPS as WINDOW
from fadernets.music.track_names import find_tracks, is_melody_name, pitched_tracks

OFF_GRID = 0.1  # steps: an onset further from its step than this was snapped


@dataclass(frozen=True)
class Melody:
    """A melody and where it stands in its piece."""

    piece: Piece  # the notes of the line alone
    rows: Indices  # [N] their positions among all notes of the piece
    windows: Windows
    placed: grid.Placed
    states: States  # [T]
    at: Indices  # [C, 32] the step of the piece at each step of a clip, -1 where the clip goes on after the last window
    hidden: Indices  # positions of the track's other notes: under its skyline, or on no grid
    snapped: int  # notes whose onset lies off the grid

    @property
    def clips(self) -> States:
        """[C, 32]."""
        return np.where(self.at >= 0, self.states[np.maximum(self.at, 0)], REST).astype(np.uint8)

    def states_with(self, clips: States) -> States:
        """[T] the melody with these clips [C, 32] in place of its own; what lies between clips stays."""
        states = self.states.copy()
        inside = self.at >= 0
        states[self.at[inside]] = clips[inside]
        return melody_states.tidy(states)

    @property
    def notes(self) -> Rows:
        """[N, 3] onset step, end step, pitch."""
        return melody_states.decode(self.states)


def read(
    piece: Piece,
    track: int,
    *,
    regrid: bool = False,
    windows: Windows | None = None,
    without: Array | None = None,
    option: str = "--regrid",
) -> Melody:
    """The melody of a track: its skyline, snapped to sixteenths.

    Raises FadernetsError for a track without notes and for a metre that does not fit two bars of 4/4 into a clip
    unless `regrid` cuts by quarter notes. windows: those of an earlier reading of the same piece; without: notes that
    that reading left out of the melody. option: what asks for `regrid`, in an error.
    """
    candidates = np.flatnonzero(piece.notes["track"] == track)
    if without is not None:
        excluded = Counter(_identity(without).tolist())
        each = zip(candidates.tolist(), _identity(piece.notes[candidates]).tolist(), strict=True)
        candidates = np.array([i for i, note in each if not _take_one(excluded, note)], np.int64)
    if not len(candidates):
        raise FadernetsError("the melody's track has no notes")
    if regrid:
        piece = replace(piece, metre=MetreMap.of([], piece.tpq))
    elif windows is None:
        check_metre(piece, option)
    windows = windows or cut(piece)
    of_track = replace(piece, notes=piece.notes[candidates])
    placed = grid.place(of_track, windows)
    rows = np.column_stack([placed.onset, placed.end, of_track.notes["pitch"].astype(np.int64)])
    line = np.zeros(len(rows), bool)
    line[placed.on_grid] = melody_states.skyline(rows[placed.on_grid])
    chosen = replace(piece, notes=of_track.notes[line])
    states = melody_states.encode(rows[line], windows.n_steps)
    distance = np.abs(windows.step_ticks(placed.onset[line]) - chosen.notes["onset"])
    snapped = int((distance > OFF_GRID * piece.tpq / STEPS_PER_BEAT).sum())
    return Melody(
        chosen,
        candidates[line],
        windows,
        grid.place(chosen, windows),
        states,
        clip_steps(windows),
        candidates[~line],
        snapped,
    )


def _identity(notes: Array) -> Array:
    """What tells notes apart, whatever the number of their track is by now."""
    return notes[["onset", "end", "pitch", "velocity"]]


def _take_one(left: Counter[Any], note: Any) -> bool:
    """Whether a note is among those left; it is taken out, since of two equal notes only one may be meant."""
    left[note] -= 1
    return bool(left[note] >= 0)


def clip_steps(windows: Windows) -> Indices:
    """[C, 32] the steps of the piece in each clip: two full windows in a row, or one, and then -1."""
    full = np.flatnonzero(windows.full)
    clips: list[Indices] = []
    for run in np.split(full, np.flatnonzero(np.diff(full) != 1) + 1):
        for first in run[::2].tolist():
            steps = windows.base[first] + np.arange(STEPS)
            clips.append(np.where(np.arange(STEPS) < WINDOW * (1 + (first + 1 in run)), steps, -1))
    return np.stack(clips) if clips else np.empty((0, STEPS), np.int64)


def bar_steps(piece: Piece, windows: Windows) -> tuple[Indices, Indices]:
    """[C, 32] the steps of the eight beats from each bar line on, and [C] the number of that bar, counted from 1.

    Only where bar lines stand four and eight beats later: two bars of 4/4, or four of 2/4. windows: `cut(piece)`.
    """
    bars = piece.metre.bar_starts(max(piece.end, 1))
    size = BEATS * piece.tpq
    lines = np.append(bars, windows.end[-1:])
    first = np.flatnonzero(np.isin(bars + size, lines) & np.isin(bars + 2 * size, lines))
    return windows.nearest_step(bars[first])[:, None] + np.arange(STEPS), first + 1


def check_metre(piece: Piece, option: str) -> None:
    """Raises FadernetsError where a bar has neither two nor four quarter notes. A pick-up, the first bar, has fewer.

    option: what cuts clips by quarter notes all the same.
    """
    metre = piece.metre
    sounding = metre.ticks < piece.end
    lengths = metre.bar_lengths() / piece.tpq
    wrong = np.flatnonzero(sounding & ~np.isin(lengths, (BEATS / 2, BEATS)))
    if 0 in wrong and len(lengths) > 1 and np.diff(metre.ticks)[0] <= min(lengths[0], BEATS) * piece.tpq:
        wrong = wrong[1:]
    if len(wrong):
        first = int(wrong[0])
        bar = len(metre.bar_starts(int(metre.ticks[first]) + 1))
        raise FadernetsError(
            f"the metre is {metre.numerators[first]}/{metre.denominators[first]} from bar {bar} on; a clip is two bars "
            f"of 4/4 (or four of 2/4). {option} cuts by quarter notes whatever the metre"
        )


def choose_track(piece: Piece, wanted: str | None = None, option: str = "--track") -> int:
    """The melody's track: the one named (by `option`), else the first whose name says so, else the first pitched one.

    Raises FadernetsError for a track that is not there, a drum track, or a file without notes.
    """
    if wanted is not None:
        return find_tracks(piece, [wanted], option)[0]
    pitched = pitched_tracks(piece)
    return next((i for i in pitched if is_melody_name(piece.tracks[i].name)), pitched[0])
