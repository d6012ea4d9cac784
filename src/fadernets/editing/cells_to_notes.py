"""From edited cells back to notes: kept notes keep their timing, new notes are played as their neighbours are.

Ticks and global steps are those of the piece's windows; rolls are [T, 88] over all T steps of a piece. A note is kept
if its onset cell is. Its end moves only where the roll says so, where a new note begins on its pitch, or where nothing
else would sound what the roll asks for.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from fadernets.arrays import Bools, Cells, Indices, Integers
from fadernets.codecs import grid
from fadernets.codecs.grid import HOLD, OFF, ONSET
from fadernets.editing.new_notes import NEAR, new_notes
from fadernets.engines.played_notes import PlayedNotes
from fadernets.music.document import Edit
from fadernets.music.notes import Piece
from fadernets.music.segments import Grid

SHORTEST = 0.25  # steps: the shortest note that an edit makes; 16 ms at 240 quarter notes a minute


def fixed_notes(piece: Piece, windows: Grid, placed: grid.Placed, free: Bools) -> Bools:
    """[N] the notes that an edit of the `free` [T] steps must not touch.

    They are the notes that begin or sound outside the windows of those steps, and those that lie on no grid.
    """
    w = np.clip(np.searchsorted(windows.start, piece.notes["onset"], side="right") - 1, 0, None)
    outside = np.concatenate([[0], np.cumsum(~free)])
    onset = np.minimum(placed.onset, windows.n_steps)
    reaches_out = outside[np.maximum(placed.end, onset)] > outside[onset]
    return np.asarray(~placed.on_grid | reaches_out | ~free[windows.base[w]])


def edit_between_rolls(
    piece: Piece,
    windows: Grid,
    placed: grid.Placed,
    before: Cells,
    after: Cells,
    free: Bools | None = None,
    players: PlayedNotes | None = None,
    seed: int = 0,
    kept: Bools | None = None,
) -> Edit:
    """The change of notes that turns the roll `before` [T, 88] of a piece into `after` [T, 88].

    The rolls may differ only in the `free` [T] steps, which are whole windows (all windows, unless given): notes that
    reach outside (`fixed_notes`) are never touched, and new notes stay within the ticks of those windows. players: the
    model that says how new notes are played, with its seed; without it they copy their neighbours. kept: [N] further
    notes that are not touched.
    """
    pitches = np.flatnonzero((before != after).any(axis=0))
    if not len(pitches):
        return Edit.nothing()
    free = np.ones(windows.n_steps, bool) if free is None else free
    fixed = fixed_notes(piece, windows, placed, free)
    fixed = fixed if kept is None else fixed | kept
    step_ticks = _StepTicks.of(windows, free)
    onsets = np.argwhere((after == ONSET) & (before != ONSET))  # [N, 2] step and pitch of the new notes
    ends = np.zeros(len(onsets), np.int64)
    for pitch in pitches.tolist():
        of_pitch = onsets[:, 1] == pitch
        ends[of_pitch] = _next_true(after[:, pitch] != HOLD)[onsets[of_pitch, 0] + 1]
    stays = np.zeros(len(piece.notes), bool)
    stays[placed.on_grid] = after[placed.onset[placed.on_grid], placed.pitch[placed.on_grid]] == ONSET
    rows = np.column_stack([onsets[:, 0], ends, onsets[:, 1]])
    added = new_notes(piece, windows, placed, rows, players, stays | fixed, seed)
    removed: list[int] = []
    new_ends: dict[int, int] = {}
    for pitch in pitches.tolist():
        sources = np.flatnonzero(placed.pitch == pitch)
        notes, lost = _kept_notes(piece, placed, sources, before[:, pitch], after[:, pitch], fixed, step_ticks)
        removed += lost
        for i in np.flatnonzero(onsets[:, 1] == pitch)[: len(added)].tolist():
            ticks = int(added["onset"][i]), int(added["end"][i])
            notes.append(
                _PlacedNote(i, int(onsets[i, 0]), int(ends[i]), *ticks, int(added["track"][i]), True, sets_end=True)
            )
        notes.sort(key=lambda note: (note.onset_step, note.onset))
        _place_onsets(notes, step_ticks)
        _place_ends(notes, step_ticks)
        for note in notes:
            if note.is_new:
                added["onset"][note.index], added["end"][note.index] = note.onset, note.end
            elif note.sets_end:
                new_ends[note.index] = note.end
    changed = np.array(sorted(new_ends), np.int64)
    becomes = piece.notes[changed]
    becomes["end"] = [new_ends[i] for i in changed.tolist()]
    return Edit(np.array(sorted(removed), np.int64), changed, becomes, added)


@dataclass(frozen=True)
class _StepTicks:
    """The ticks of a piece's steps, and the bounds of an edit. Lists, because they are read one item at a time."""

    at: list[int]  # [T + 1] the tick of each step
    earliest: list[int]  # [T + 2] the first tick whose nearest step is this one
    free_from: list[int]  # [T] the first tick of the run of free windows that a step lies in
    free_until: list[int]  # [T] the tick behind that run
    near: list[int]  # [T + 1] NEAR in ticks
    shortest: list[int]  # [T + 1] SHORTEST in ticks

    @classmethod
    def of(cls, windows: Grid, free: Bools) -> _StepTicks:
        """Those of a piece's windows, whose `free` [T] steps may be edited."""
        steps = np.arange(windows.n_steps + 2)
        count = len(windows.start)
        bounds = np.flatnonzero(np.diff(free[windows.base].astype(np.int8))) + 1
        run = np.searchsorted(bounds, np.arange(count), side="right")
        first, last = np.append(0, bounds)[run], np.append(bounds - 1, count - 1)[run]
        window = np.repeat(np.arange(count), windows.steps)
        return cls(
            windows.step_ticks(steps[:-1]).tolist(),
            windows.earliest(steps).tolist(),
            windows.start[first][window].tolist(),
            windows.end[last][window].tolist(),
            (NEAR * windows.step_size).astype(np.int64).tolist(),
            np.maximum((SHORTEST * windows.step_size).astype(np.int64), 1).tolist(),
        )


@dataclass
class _PlacedNote:
    """A note of the pitch that is being written."""

    index: int  # among the piece's notes or, if new, among the new notes
    onset_step: int
    end_step: int  # the step behind its last one
    onset: int  # ticks
    end: int  # ticks
    track: int
    is_new: bool = False
    sets_end: bool = False  # the edit decides where it ends
    is_fixed: bool = False  # the edit must not touch it


def _next_true(mask: Bools) -> Integers:
    """[T + 1] for each step the next one, itself included, where `mask` [T] is true; T where there is none."""
    steps = np.where(mask, np.arange(len(mask)), len(mask))
    return np.append(np.minimum.accumulate(steps[::-1])[::-1], len(mask))


def _kept_notes(
    piece: Piece,
    placed: grid.Placed,
    sources: Indices,
    before: Cells,
    after: Cells,
    fixed: Bools,
    step_ticks: _StepTicks,
) -> tuple[list[_PlacedNote], list[int]]:
    """The notes of one pitch that stay, with the steps that they now take, and the positions of those that go.

    `sources` are the positions of the pitch's notes in the piece; `before` and `after` [T] are the pitch's cells.
    """
    notes, lost = [], []
    # A note that sounded on over later onsets of its pitch still does, up to a rest or a new note.
    next_rest, next_new = _next_true(after == OFF), _next_true((after == ONSET) & (before != ONSET))
    for i in sources.tolist():
        onset_step, end_step = int(placed.onset[i]), int(placed.end[i])
        ticks = int(piece.notes["onset"][i]), int(piece.notes["end"][i])
        note = _PlacedNote(i, onset_step, end_step, *ticks, int(piece.notes["track"][i]), is_fixed=bool(fixed[i]))
        if not note.is_fixed:
            if after[onset_step] != ONSET:
                lost.append(i)
                continue
            _end_at(note, min(end_step, int(next_rest[onset_step + 1]), int(next_new[onset_step + 1])), step_ticks)
        notes.append(note)
    next_not_held, covered = _next_true(after != HOLD), 0
    for onset_step, together in groupby(notes, key=lambda note: note.onset_step):
        if onset_step >= len(after):
            break
        beginning = list(together)
        longest = max(note.end_step for note in beginning)
        covered, wanted = max(covered, longest), int(next_not_held[onset_step + 1])
        if covered < wanted:
            held = [note for note in beginning if note.end_step == longest]
            for note in held:  # the last one, and what sounds together with it: a pitch doubled by the other hand
                if note is held[-1] or note.end > held[-1].onset:
                    _end_at(note, wanted, step_ticks)
            covered = wanted
    return notes, lost


def _end_at(note: _PlacedNote, step: int, step_ticks: _StepTicks) -> None:
    """Let a note end at another step, as far off that step as it was off its own."""
    if step != note.end_step and not note.is_fixed:
        late = note.end - step_ticks.at[note.end_step]
        note.end = step_ticks.at[step] + max(min(late, step_ticks.near[step]), -step_ticks.near[step])
        note.end_step, note.sets_end = step, True


def _place_onsets(notes: list[_PlacedNote], step_ticks: _StepTicks) -> None:
    """Place the onsets of new notes, of all `notes` of one pitch in order.

    A new note waits until the notes that sound before it have ended, as long as it still reads as its step; notes that
    sound on even then are cut short.
    """
    sounding: list[_PlacedNote] = []
    for i, note in enumerate(notes):
        if note.is_new:
            least = max(step_ticks.earliest[note.onset_step], step_ticks.free_from[note.onset_step])
            most = step_ticks.earliest[note.onset_step + 1] - 1
            if i:
                least = max(least, notes[i - 1].onset + step_ticks.shortest[note.onset_step])
            if i + 1 < len(notes) and not notes[i + 1].is_new:
                most = min(most, notes[i + 1].onset - step_ticks.shortest[note.onset_step])
            sounding = [other for other in sounding if other.end_step >= note.onset_step]
            wait = max([note.onset, *(other.end for other in sounding if not other.sets_end)])
            note.onset = max(min(wait, most), least)
            for other in sounding:
                if other.end > note.onset and not other.is_fixed:
                    other.end, other.sets_end = note.onset, True
        sounding.append(note)


def _place_ends(notes: list[_PlacedNote], step_ticks: _StepTicks) -> None:
    """Place the ends that the edit decides: near their step, before the next onset and inside the free windows."""
    onset_steps = [note.onset_step for note in notes]
    fixed_end: dict[int, int] = {}  # track -> the latest end so far that the edit does not decide
    for i, note in enumerate(notes):
        if not note.sets_end:
            fixed_end[note.track] = max(fixed_end.get(note.track, 0), note.end)
            continue
        most = min(step_ticks.earliest[note.end_step + 1] - 1, step_ticks.free_until[note.onset_step])
        following = bisect_left(onset_steps, note.end_step, lo=i + 1)  # onsets that it sounded over before do not count
        if following < len(notes):
            most = min(most, notes[following].onset)
        least = note.onset + step_ticks.shortest[note.onset_step]
        if note.end_step > note.onset_step + 1:
            least = max(least, step_ticks.earliest[note.end_step])
        note.end = max(min(note.end, most), min(least, most), note.onset + 1)
        # Files are read first in, first out: an end before that of an earlier note of the track would be read as that.
        if fixed_end.get(note.track, 0) > note.onset:
            note.end = max(note.end, fixed_end[note.track])
