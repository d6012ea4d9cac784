"""The notes of a staff as chords in at most two voices.

The file's own ends are kept where they lie on the grid. Where they were played, a chord lasts until the next one unless
it was clearly left before; a note that sounds on under others is held in the other voice. Times are divisions from the
start of the score. N notes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace

import numpy as np

from fadernets.arrays import Integers
from fadernets.rendering.score_time import DIVISIONS, Bar, Placed, ScoreTime
from fadernets.rendering.score_values import VALUES, Metre, note_values, rest_values

VOICES = 2  # of a staff
HELD_SCORE = DIVISIONS // 5  # how far a held note sounds over the next one, where onsets are a score's
HELD_PLAYED = DIVISIONS  # the same where they were played
LONGER = 1.2  # symbols that a length of half or of twice the one played costs
SHORT_REST = 0.7  # symbols that a rest shorter than an eighth costs on top, and again one of half that length


@dataclass(frozen=True)
class Chord:
    """Notes that begin and end together: rows of the staff's notes in ascending pitch."""

    onset: int
    end: int
    rows: tuple[int, ...]


class Ends:
    """Chooses where chords of a performance end."""

    def __init__(self, time: ScoreTime, placed: Placed) -> None:
        """The bars of the score and the notes of one staff."""
        self._time, self._placed = time, placed
        self._starts = [bar.start for bar in time.bars]

    def best(self, onset: int, played: float, last: int) -> int:
        """The end at or before `last` that is the easiest to read and the nearest to what was played."""
        options = {last} if last - onset <= 4 * DIVISIONS or played > (last - onset) / 2 else set()
        for value in (*VALUES, DIVISIONS // 3, DIVISIONS * 2 // 3, DIVISIONS // 6):
            if onset + value < last and self._time.fits(onset + value, self._placed.cuts):
                options.add(onset + value)
        options.update(e for e in self._bar_ends(onset, last))
        return min(sorted(options or {last}, reverse=True), key=lambda end: self._cost(onset, end, played, last))

    def _bar_ends(self, onset: int, last: int) -> list[int]:
        bar = self._bar(onset)
        return [bar.end] if onset < bar.end <= last else []

    def _bar(self, at: int) -> Bar:
        return self._time.bars[max(bisect_right(self._starts, at) - 1, 0)]

    def _cost(self, onset: int, end: int, played: float, last: int) -> float:
        cost = LONGER * abs(float(np.log2((end - onset) / played)))
        i = max(bisect_right(self._starts, onset) - 1, 0)
        while i < len(self._time.bars) and self._time.bars[i].start < end:
            bar = self._time.bars[i]
            metre = Metre.of(bar)
            cost += len(note_values(metre, max(onset - bar.start, 0), min(end, bar.end) - bar.start))
            if end < min(last, bar.end):
                rests = rest_values(metre, end - bar.start, min(last, bar.end) - bar.start)
                cost += sum(1 + SHORT_REST * max(float(np.log2(DIVISIONS / 2 / rest)), 0.0) for rest in rests)
            i += 1
        return cost


def chords_of(time: ScoreTime, placed: Placed, pitch: Integers) -> list[Chord]:
    """The notes of a staff as chords by onset and end; of two notes of one pitch that begin together one counts.

    A note ends where its own pitch is struck again.
    """
    order = np.lexsort((-placed.end, pitch, placed.onset)).tolist()
    kept: list[int] = []
    for i in order:
        if kept and placed.onset[kept[-1]] == placed.onset[i] and pitch[kept[-1]] == pitch[i]:
            continue
        kept.append(i)
    again: dict[int, int] = {}
    until: dict[int, int] = {}
    for i in reversed(kept):
        until[i] = again.get(int(pitch[i]), time.end)
        again[int(pitch[i])] = int(placed.onset[i])
    if placed.exact:
        ends = {i: min(int(placed.end[i]), until[i]) for i in kept}
    else:
        ends = _played_ends(time, placed, kept, until)
    groups: dict[tuple[int, int], list[int]] = {}
    for i in kept:
        groups.setdefault((int(placed.onset[i]), ends[i]), []).append(i)
    return [Chord(a, b, tuple(rows)) for (a, b), rows in sorted(groups.items())]


def _played_ends(time: ScoreTime, placed: Placed, kept: list[int], until: dict[int, int]) -> dict[int, int]:
    choose = Ends(time, placed)
    onsets = sorted({int(placed.onset[i]) for i in kept})
    at_onset: dict[int, list[int]] = {}
    for i in kept:
        at_onset.setdefault(int(placed.onset[i]), []).append(i)
    margin = HELD_SCORE if placed.on_grid else HELD_PLAYED
    ends: dict[int, int] = {}
    for k, onset in enumerate(onsets):
        after = onsets[k + 1] if k + 1 < len(onsets) else time.end
        rows = at_onset[onset]
        reach = {i: onset + float(placed.played[i]) for i in rows}
        held = [i for i in rows if reach[i] > after + margin and until[i] > after]
        short = [i for i in rows if i not in held]
        if short:
            played = float(np.median([placed.played[i] for i in short]))
            end = choose.best(onset, min(played, after - onset), after)
            ends.update(dict.fromkeys(short, end))
        if held:
            target = float(np.median([reach[i] for i in held]))
            limit = min(until[i] for i in held)
            ends.update({i: _held_end(time, onsets, onset, after, target, limit, margin) for i in held})
    return ends


def _held_end(
    time: ScoreTime, onsets: list[int], onset: int, after: int, target: float, limit: int, margin: int
) -> int:
    """Where a held note ends: at the onset of another or at a beat, the nearest to where it was left."""
    low, high = target - margin, target + margin
    near = onsets[bisect_left(onsets, low) : bisect_right(onsets, high)]
    first, last = np.searchsorted(time.at, [low, high])
    options = [p for p in [*near, *time.at[first:last].tolist()] if after < p <= limit]
    bars = {bar.start for bar in time.bars} if options else set()
    single = {p for p in options if p - onset in VALUES}
    if not options:
        return min(limit, max(after, round(target / (DIVISIONS // 2)) * (DIVISIONS // 2)))
    return min(options, key=lambda p: abs(p - target) - margin / 2 * (p in single) - margin / 3 * (p in bars))


def voices_of(chords: list[Chord], pitch: Integers) -> list[list[Chord]]:
    """Chords in two voices without overlaps, the upper one first; where there is no room the earlier chord ends."""
    lines: list[list[Chord]] = [[], []]
    by_onset: dict[int, list[Chord]] = {}
    for chord in chords:
        by_onset.setdefault(chord.onset, []).append(chord)
    onsets = sorted(by_onset)
    heights = [float(np.mean([pitch[i] for c in by_onset[o] for i in c.rows])) for o in onsets]
    for k, onset in enumerate(onsets):
        groups = _two(by_onset[onset], pitch)
        busy = [bool(line) and line[-1].end > onset for line in lines]
        if len(groups) == 2:
            groups.sort(key=lambda c: -_height(c, pitch))
            for line, group in zip(lines, groups, strict=True):
                _put(line, group)
            continue
        group = groups[0]
        if busy[0] != busy[1]:
            _put(lines[busy[0]], group)
        elif busy[0]:
            near = [abs(_height(line[-1], pitch) - _height(group, pitch)) for line in lines]
            _put(min(zip(lines, near, strict=True), key=lambda x: (x[0][-1].end, x[1]))[0], group)
        else:
            stop = bisect_left(onsets, group.end)
            over = heights[k + 1 : stop]
            low = bool(over) and _height(group, pitch) < float(np.mean(over))
            _put(lines[low], group)
    return lines


def _height(chord: Chord, pitch: Integers) -> float:
    return float(sum(int(pitch[i]) for i in chord.rows)) / len(chord.rows)


def _put(line: list[Chord], chord: Chord) -> None:
    if line and line[-1].end > chord.onset:
        line[-1] = replace(line[-1], end=chord.onset)
    line.append(chord)


def _two(groups: list[Chord], pitch: Integers) -> list[Chord]:
    """Chords of one onset as two at most: those whose ends are nearest are joined, and end with the earlier one."""
    groups = sorted(groups, key=lambda c: c.end)
    while len(groups) > VOICES:
        k = min(range(len(groups) - 1), key=lambda i: groups[i + 1].end - groups[i].end)
        rows = tuple(sorted((*groups[k].rows, *groups[k + 1].rows), key=lambda i: int(pitch[i])))
        groups[k : k + 2] = [Chord(groups[k].onset, groups[k].end, rows)]
    return groups
