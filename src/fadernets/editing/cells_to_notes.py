"""From edited cells back to notes: what survives keeps its timing, what is new takes its neighbours'.

Ticks and global steps are those of the piece's windows; rolls are [T, 88] over all T steps of a piece. A
note survives if its onset cell does. Its end moves only where the roll says so, where a new note needs
its key, or where nothing else would sound what the roll asks for.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray

from fadernets.codecs import grid
from fadernets.codecs.grid import HOLD, LOW, OFF, ONSET
from fadernets.music.document import Edit
from fadernets.music.notes import NOTE, Piece
from fadernets.music.segments import STEPS, STEPS_PER_BEAT, Windows

NEAR = 0.45  # steps: how far off the grid a new onset or end may lie
SHORTEST = 0.25  # steps: the shortest note that an edit makes; 16 ms at 240 bpm
Cells = NDArray[np.uint8]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]


def fixed_notes(piece: Piece, windows: Windows, placed: grid.Placed, free: Bools) -> Bools:
    """[N] the notes that begin or sound outside the windows whose steps are `free` [T]; also those on no grid."""
    w = np.clip(np.searchsorted(windows.start, piece.notes["onset"], side="right") - 1, 0, None)
    outside = np.concatenate([[0], np.cumsum(~free)])
    onset = np.minimum(placed.onset, windows.n_steps)
    reaches_out = outside[np.maximum(placed.end, onset)] > outside[onset]
    return np.asarray(~placed.on_grid | reaches_out | ~free[windows.base[w]])


def edit_between_rolls(
    piece: Piece,
    windows: Windows,
    placed: grid.Placed,
    before: Cells,
    after: Cells,
    free: Bools | None = None,
) -> Edit:
    """The change of notes that turns the roll `before` of a piece into `after`.

    They may differ in the `free` [T] steps alone, which are whole windows (all, unless given): what is
    `frozen` is never touched, and what is new stays in the ticks of those windows.
    """
    keys = np.flatnonzero((before != after).any(axis=0))
    if not len(keys):
        return Edit.nothing()
    free = np.ones(windows.n_steps, bool) if free is None else free
    still = fixed_notes(piece, windows, placed, free)
    frame = _Frame.of(windows, free)
    rows = np.argwhere((after == ONSET) & (before != ONSET))
    ends = np.zeros(len(rows), np.int64)
    for key in keys.tolist():
        its = rows[:, 1] == key
        ends[its] = _following(after[:, key] != HOLD)[rows[its, 0] + 1]
    added = _new_notes(piece, windows, placed, np.column_stack([rows[:, 0], ends, rows[:, 1]]))
    removed: list[int] = []
    moved: dict[int, int] = {}
    for key in keys.tolist():
        old = np.flatnonzero(placed.pitch == key)
        voices, gone = _survivors(piece, placed, old, before[:, key], after[:, key], still, frame)
        removed += gone
        for i in np.flatnonzero(rows[:, 1] == key)[: len(added)].tolist():
            ticks = int(added["onset"][i]), int(added["end"][i])
            voices.append(_Voice(i, int(rows[i, 0]), int(ends[i]), *ticks, int(added["track"][i]), True, True))
        voices.sort(key=lambda voice: (voice.first, voice.start))
        _place_onsets(voices, frame)
        _place_ends(voices, frame)
        for voice in voices:
            if voice.is_new:
                added["onset"][voice.index], added["end"][voice.index] = voice.start, voice.stop
            elif voice.is_loose:
                moved[voice.index] = voice.stop
    changed = np.array(sorted(moved), np.int64)
    becomes = piece.notes[changed]
    becomes["end"] = [moved[i] for i in changed.tolist()]
    return Edit(np.array(sorted(removed), np.int64), changed, becomes, added)


@dataclass(frozen=True)
class _Frame:
    """The ticks of a piece's steps, and where an edit must stop. Lists, since they are read one by one."""

    at: list[int]  # [T + 1] tick of each step
    earliest: list[int]  # [T + 2] first tick nearest to each step
    low: list[int]  # [T] first tick of the free windows around each step
    high: list[int]  # [T] the tick behind their last
    near: int  # ticks
    shortest: int  # ticks

    @classmethod
    def of(cls, windows: Windows, free: Bools) -> _Frame:
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
            int(NEAR * windows.tpq / STEPS_PER_BEAT),
            max(int(SHORTEST * windows.tpq / STEPS_PER_BEAT), 1),
        )


@dataclass
class _Voice:
    """A note of one key on its way into the file."""

    index: int  # among the piece's notes or, if new, among the new ones
    first: int  # step of its onset
    last: int  # step behind its end
    start: int  # ticks
    stop: int
    track: int
    is_new: bool = False
    is_loose: bool = False  # the edit sets its end
    is_still: bool = False


def _following(mask: Bools) -> Integers:
    """[T + 1] the first step from each on where `mask` [T] holds; T where none does."""
    steps = np.where(mask, np.arange(len(mask)), len(mask))
    return np.append(np.minimum.accumulate(steps[::-1])[::-1], len(mask))


def _survivors(
    piece: Piece,
    placed: grid.Placed,
    notes: Integers,
    before: Cells,
    after: Cells,
    still: Bools,
    frame: _Frame,
) -> tuple[list[_Voice], list[int]]:
    """The notes of one key that stay, with the steps that they now take, and those that go."""
    voices, gone = [], []
    # A note that rings over later onsets of its key does so still, up to a rest or a new note.
    rest, new = _following(after == OFF), _following((after == ONSET) & (before != ONSET))
    for i in notes.tolist():
        first, last = int(placed.onset[i]), int(placed.end[i])
        ticks = int(piece.notes["onset"][i]), int(piece.notes["end"][i])
        voice = _Voice(i, first, last, *ticks, int(piece.notes["track"][i]), is_still=bool(still[i]))
        if not voice.is_still:
            if after[first] != ONSET:
                gone.append(i)
                continue
            _end_at(voice, min(last, int(rest[first + 1]), int(new[first + 1])), frame)
        voices.append(voice)
    run, covered = _following(after != HOLD), 0
    for first, together in groupby(voices, key=lambda voice: voice.first):
        if first >= len(after):
            break
        struck = list(together)
        longest = max(voice.last for voice in struck)
        covered, wanted = max(covered, longest), int(run[first + 1])
        if covered < wanted:
            held = [voice for voice in struck if voice.last == longest]
            for voice in held:  # the last, and what sounds together with it: a key doubled by the other hand
                if voice is held[-1] or voice.stop > held[-1].start:
                    _end_at(voice, wanted, frame)
            covered = wanted
    return voices, gone


def _end_at(voice: _Voice, step: int, frame: _Frame) -> None:
    """Let a note end at another step, as early or late there as it was."""
    if step != voice.last and not voice.is_still:
        late = voice.stop - frame.at[voice.last]
        voice.stop = frame.at[step] + max(min(late, frame.near), -frame.near)
        voice.last, voice.is_loose = step, True


def _place_onsets(voices: list[_Voice], frame: _Frame) -> None:
    """New onsets wait for what rings on from before where the step leaves time, and else cut it short."""
    ringing: list[_Voice] = []
    for i, voice in enumerate(voices):
        if voice.is_new:
            least = max(frame.earliest[voice.first], frame.low[voice.first])
            most = frame.earliest[voice.first + 1] - 1
            if i:
                least = max(least, voices[i - 1].start + frame.shortest)
            if i + 1 < len(voices) and not voices[i + 1].is_new:
                most = min(most, voices[i + 1].start - frame.shortest)
            ringing = [v for v in ringing if v.last >= voice.first]
            wait = max([voice.start, *(v.stop for v in ringing if not v.is_loose)])
            voice.start = max(min(wait, most), least)
            for v in ringing:
                if v.stop > voice.start and not v.is_still:
                    v.stop, v.is_loose = voice.start, True
        ringing.append(voice)


def _place_ends(voices: list[_Voice], frame: _Frame) -> None:
    """Ends that the edit sets: near their step, not over the next onset, nor out of the free windows."""
    firsts = [voice.first for voice in voices]
    fixed: dict[int, int] = {}  # track -> the latest end so far that is not ours to set
    for i, voice in enumerate(voices):
        if not voice.is_loose:
            fixed[voice.track] = max(fixed.get(voice.track, 0), voice.stop)
            continue
        most = min(frame.earliest[voice.last + 1] - 1, frame.high[voice.first])
        following = bisect_left(firsts, voice.last, lo=i + 1)  # past those that it rang over before
        if following < len(voices):
            most = min(most, voices[following].start)
        least = voice.start + frame.shortest
        if voice.last > voice.first + 1:
            least = max(least, frame.earliest[voice.last])
        voice.stop = max(min(voice.stop, most), min(least, most), voice.start + 1)
        # First in, first out: an end before that of an earlier note of its track would be taken for it.
        if fixed.get(voice.track, 0) > voice.start:
            voice.stop = max(voice.stop, fixed[voice.track])


def _new_notes(piece: Piece, windows: Windows, placed: grid.Placed, rows: Integers) -> NDArray:
    """Notes for rows (onset step, end step, pitch index): timing, velocity and track of their neighbours."""
    added = np.empty(len(rows), NOTE)
    source = np.flatnonzero(placed.on_grid)
    if not len(source) or not len(rows):
        return added[:0]
    source = source[np.argsort(placed.onset[source], kind="stable")]
    onsets, pitches = placed.onset[source], placed.pitch[source]
    notes = piece.notes[source]
    reach = int(NEAR * windows.tpq / STEPS_PER_BEAT)
    early = notes["onset"] - windows.step_ticks(onsets)
    late = notes["end"] - windows.step_ticks(placed.end[source])
    whole = notes["end"] - notes["onset"] >= windows.tpq // STEPS_PER_BEAT
    starts, stops = windows.step_ticks(rows[:, 0]), windows.step_ticks(rows[:, 1])
    # What a new note sees: the notes that start within a segment of it, or else the two around it.
    low, high = (np.searchsorted(onsets, rows[:, 0] + far) for far in (-STEPS, STEPS + 1))
    alone = low == high
    low, high = np.where(alone, np.maximum(low - 1, 0), low), np.where(alone, np.minimum(high + 1, len(onsets)), high)
    for i, (step, _, pitch) in enumerate(rows.tolist()):
        seen = slice(low[i], high[i])
        far = np.abs(onsets[seen] - step)
        near = low[i] + np.argsort(far + np.abs(pitches[seen] - pitch), kind="stable")[:3]
        beside = low[i] + np.flatnonzero(far == far.min())  # whoever starts at the nearest step sets the offset
        offset = round(fmean(early[beside].tolist()))
        ring = late[near][whole[near]].tolist()
        release = round(median(ring)) if ring else 0
        velocity = round(fmean(notes["velocity"][near].tolist()))
        added[i] = (
            int(starts[i]) + max(min(offset, reach), -reach),
            int(stops[i]) + max(min(release, reach), -reach),
            pitch + LOW,
            max(min(velocity, 127), 1),
            notes["track"][near[0]],
        )
    return added
