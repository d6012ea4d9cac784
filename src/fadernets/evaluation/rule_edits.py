"""Plain rules that move a density without any model: the baseline that a model of edits has to beat.

A rule changes one segment at a time of a roll [T, 88] on the piece's own grid, in place. Rhythm, upwards: until as many
steps strike a note as are asked, an inner note that sounds is struck again on the strongest free step, the one longest
after an onset among equals; where no free step sounds, an inner note of the onset step before is. Rhythm, downwards:
the weakest onset step goes, of equals the one with fewest notes and then the latest, and the notes that sounded before
it hold on. Notes, upwards: the notes that end before the next onset step are lengthened up to it, from the lowest voice
on; then inner notes are doubled at the octave, between the outer voices where that can be, on the strongest steps
first. Notes, downwards: inner notes of chords go, on the weakest steps first; then the longest notes are shortened;
then the lower notes of what is struck together go.
"""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Cells, Floats, Indices, Integers
from fadernets.codecs.grid import HOLD, OFF, ONSET, PITCHES
from fadernets.music.metric_grid import PLACES, MetricGrid

OCTAVE = 12
# Strength of a place within the beat, from 0 for the beat downwards, in beats of halves and in beats of thirds.
_HALVES = {0: 0, PLACES // 2: -1, PLACES // 4: -2, 3 * PLACES // 4: -2}
_THIRDS = {0: 0, PLACES // 3: -1, 2 * PLACES // 3: -1, PLACES // 6: -2, PLACES // 2: -2, 5 * PLACES // 6: -2}
_STRENGTHS = np.array([[places.get(place, -3) for place in range(PLACES)] for places in (_HALVES, _THIRDS)])


def strengths(grid: MetricGrid) -> Integers:
    """[T] the metrical strength of each step: 0 for the first of a segment, -1 for its middle, -2 for other beats, and
    less within a beat."""
    beat, segment = grid.beat, grid.segment
    count = np.bincount(grid.beats.segment, minlength=len(grid.start))[segment]
    number = grid.beats.number[beat]
    of_beat = np.where(number == 0, 0, np.where(2 * number == count, -1, -2))
    thirds = grid.divisions % 3 == 0
    within = _STRENGTHS[thirds[beat].astype(np.int64), grid.place]
    return np.where(within == 0, of_beat, within - 2)


def move_rhythm(roll: Cells, first: int, stop: int, strength: Integers, asked: int) -> None:
    """Bring the steps first..stop of a roll to `asked` onset steps, or as near as there are steps."""
    struck = np.flatnonzero((roll[first:stop] == ONSET).any(axis=1)) + first
    while len(struck) < min(asked, stop - first):
        struck = np.sort(np.append(struck, _strike_again(roll, first, stop, strength, struck)))
    while len(struck) > max(asked, 0):
        notes = (roll[struck] == ONSET).sum(axis=1)
        weakest = np.lexsort((-struck, notes, strength[struck]))[0]
        _drop_step(roll, int(struck[weakest]))
        struck = np.delete(struck, weakest)


def _strike_again(roll: Cells, first: int, stop: int, strength: Integers, struck: Indices) -> int:
    """Strike a note on the best free step, and give that step."""
    free = np.setdiff1d(np.arange(first, stop), struck)
    silent = (roll[free] == OFF).all(axis=1)
    before = np.searchsorted(struck, free) - 1
    since = free - np.where(before >= 0, struck[np.maximum(before, 0)] if len(struck) else first, first)
    t = int(free[np.lexsort((free, -since, -strength[free], silent))[0]])
    sounding = np.flatnonzero(roll[t] != OFF)
    if len(sounding):
        roll[t, inner(sounding)] = ONSET
        return t
    onsets = np.flatnonzero((roll == ONSET).any(axis=1))
    earlier, later = onsets[onsets < t], onsets[onsets > t]
    model = earlier[-1] if len(earlier) else later[0] if len(later) else None
    pitch = PITCHES // 2 if model is None else inner(np.flatnonzero(roll[model] == ONSET))
    end = min(int(later[0]) if len(later) else stop, stop)
    roll[t, pitch] = ONSET
    clear = roll[t + 1 : end, pitch] == OFF
    roll[t + 1 : end, pitch][np.logical_and.accumulate(clear)] = HOLD
    return t


def inner(pitches: Indices) -> int:
    """The middle one of the pitches between the outer two; of two the lower one."""
    middle = pitches[1:-1] if len(pitches) > 2 else pitches[:1]
    return int(middle[len(middle) // 2])


def _drop_step(roll: Cells, t: int) -> None:
    """Take away what is struck in a step; the notes that sounded before it hold on until the next onset step, and no
    longer than what is gone would have sounded."""
    end = t + 1
    for pitch in np.flatnonzero(roll[t] == ONSET).tolist():
        stop = note_end(roll, t, pitch)
        end = max(end, stop)
        tied = t > 0 and roll[t - 1, pitch] != OFF
        roll[t:stop, pitch] = HOLD if tied else OFF
    following = np.flatnonzero((roll[t + 1 : end] == ONSET).any(axis=1))
    end = t + 1 + int(following[0]) if len(following) else end
    before = np.flatnonzero((roll[t - 1] != OFF) & (roll[t] == OFF)) if t else np.zeros(0, np.int64)
    roll[t:end, before] = np.where(roll[t:end, before] == OFF, HOLD, roll[t:end, before])


def note_end(roll: Cells, onset: int, pitch: int) -> int:
    """The step behind the last one of a note."""
    holds = roll[onset + 1 :, pitch] == HOLD
    return onset + 1 + (int(holds.argmin()) if not holds.all() else len(holds))


def move_notes(roll: Cells, first: int, stop: int, strength: Integers, length: Floats, asked: float) -> None:
    """Bring the mean number of sounding notes in the steps first..stop, each of some `length` [T], to `asked`."""
    weights = length[first:stop]
    need = asked * weights.sum() - ((roll[first:stop] != OFF).sum(axis=1) * weights).sum()
    least = weights.min() / 2  # nearer than that no step can bring it
    if need > least:
        need = _lengthen(roll, first, stop, length, need)
        _double(roll, first, stop, strength, length, need)
    elif need < -least:
        over = _drop_inner(roll, first, stop, strength, length, -need)
        over = _shorten(roll, first, stop, length, over)
        _drop_lower(roll, first, stop, strength, length, over)


def _notes(roll: Cells, first: int, stop: int) -> list[tuple[int, int, int]]:
    """Onset step, end step and pitch of the notes that are struck in these steps."""
    steps, pitches = np.nonzero(roll[first:stop] == ONSET)
    return [(t + first, note_end(roll, t + first, p), p) for t, p in zip(steps.tolist(), pitches.tolist(), strict=True)]


def _lengthen(roll: Cells, first: int, stop: int, length: Floats, need: float) -> float:
    onsets = np.append(np.flatnonzero((roll[first:stop] == ONSET).any(axis=1)) + first, stop)
    for _, end, pitch in sorted(_notes(roll, first, stop), key=lambda note: (note[2], note[0])):
        until = int(onsets[np.searchsorted(onsets, end)]) if end < stop else end
        for t in range(end, until):
            if need < length[t] / 2 or roll[t, pitch] != OFF:
                break
            roll[t, pitch] = HOLD
            need -= length[t]
    return need


def _double(roll: Cells, first: int, stop: int, strength: Integers, length: Floats, need: float) -> None:
    for _ in range(3):  # what was doubled can be doubled again, two octaves away
        rounds: dict[int, int] = {}  # onset step -> how many of its notes were doubled
        order = []
        for t, end, pitch in sorted(_notes(roll, first, stop), key=lambda note: (note[0], _from_middle(roll, note))):
            rounds[t] = rounds.get(t, -1) + 1
            order.append((rounds[t], -int(strength[t]), t, min(end, stop), pitch))
        for _, _, t, end, pitch in sorted(order):
            if need < length[t] / 2:
                return
            top = int(np.flatnonzero(roll[t] != OFF)[-1])
            up, down = pitch + OCTAVE, pitch - OCTAVE
            for double in (up, down) if up < top else (down, up):
                if 0 <= double < PITCHES and (roll[t:end, double] == OFF).all() and not _cuts(roll, end, double):
                    added = np.cumsum(length[t:end])
                    cut = t + max(int(np.searchsorted(added, need + length[t] / 2)), 1)
                    roll[t, double], roll[t + 1 : min(cut, end), double] = ONSET, HOLD
                    need -= float(added[min(cut, end) - t - 1])
                    break


def _cuts(roll: Cells, end: int, pitch: int) -> bool:
    """Whether a hold follows that continues nothing, so that a note put in front of it would reach too far."""
    return end < len(roll) and roll[end, pitch] == HOLD


def _from_middle(roll: Cells, note: tuple[int, int, int]) -> float:
    sounding = np.flatnonzero(roll[note[0]] != OFF)
    return float(abs(np.searchsorted(sounding, note[2]) - (len(sounding) - 1) / 2))


def _drop_inner(roll: Cells, first: int, stop: int, strength: Integers, length: Floats, over: float) -> float:
    for t, end, pitch in sorted(
        _notes(roll, first, stop), key=lambda note: (int(strength[note[0]]), -note[0], _from_middle(roll, note))
    ):
        if over < length[t] / 2:
            return over
        sounding = np.flatnonzero(roll[t] != OFF)
        if sounding[0] < pitch < sounding[-1] and (roll[t] == ONSET).sum() > 1:
            over = _take(roll, t, end, stop, pitch, length, over)
    return over


def _drop_lower(roll: Cells, first: int, stop: int, strength: Integers, length: Floats, over: float) -> None:
    for t, end, pitch in sorted(_notes(roll, first, stop), key=lambda note: (int(strength[note[0]]), note[2])):
        if over < length[t] / 2:
            return
        if (roll[t] == ONSET).sum() > 1:
            over = _take(roll, t, end, stop, pitch, length, over)


def _take(roll: Cells, t: int, end: int, stop: int, pitch: int, length: Floats, over: float) -> float:
    """Take away a note, or the end of one that need not go whole; gives what is still over."""
    within = min(end, stop)
    for step in range(within - 1, t, -1):
        if over < length[step] / 2:
            roll[within:end, pitch] = OFF if step + 1 < within else roll[within:end, pitch]
            return over
        roll[step, pitch] = OFF
        over -= float(length[step])
    roll[within:end, pitch] = OFF
    if over >= length[t] / 2:
        roll[t, pitch] = OFF
        over -= float(length[t])
    return over


def _shorten(roll: Cells, first: int, stop: int, length: Floats, over: float) -> float:
    """Take the last step of the longest note, over and over, until nothing is over or each lasts one step."""
    runs = [(t + 1, min(end, stop), end, pitch) for t, end, pitch in _notes(roll, first, stop)]
    held = np.flatnonzero(roll[first] == HOLD).tolist()
    runs += [(first, min(note_end(roll, first, p), stop), note_end(roll, first, p), p) for p in held]
    lasting = [[a, b, end, p] for a, b, end, p in runs if b > a]
    while lasting:
        longest = max(range(len(lasting)), key=lambda i: lasting[i][1] - lasting[i][0])
        a, b, end, pitch = lasting[longest]
        if over < length[b - 1] / 2:
            return over
        roll[b - 1 : end, pitch] = OFF
        over -= float(length[b - 1])
        if b - 1 == a:
            lasting.pop(longest)
        else:
            lasting[longest] = [a, b - 1, b - 1, pitch]
    return over
