"""Note density landed on: notes of a drawn passage last longer or shorter until each segment measures as asked.

n steps, P = 88 pitches. Onsets are never touched.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fadernets.arrays import Bools, Cells, Floats, Indices
from fadernets.codecs.grid import HOLD, OFF, ONSET
from fadernets.data.passages import MAX_VOICES, Steps
from fadernets.decoding.note_ends import is_joined

# What makes a cell a worse one to fill or to clear, in steps of distance from the note's end.
NOT_AS_SOURCE = 4.0  # the source does not have it like that
NO_CHORD_TONE = 8.0  # a longer note would sound against a chord that does not have its class
CLASH = 16.0  # a longer note would sound a semitone from another one
OVER_BAR_LINE = 6.0  # a longer note would sound into the segment
SHORT = 6.0  # the note would last a single step
LONE = 10.0  # and nothing would begin beside it, in music that hardly has such notes
HARDLY = 0.02  # of its notes
CROWDED = 1.5  # for each note more than the mean of its segment that sounds in the step


def land(
    cells: Cells,
    source: Cells,
    pinned: Bools,
    steps: Steps,
    voices: Floats,
    near: Floats | None = None,
    others: Bools | None = None,
) -> Cells:
    """Cells [n, 88] with each segment's mean number of sounding notes at `voices` [n] of its steps, or within `near`
    [n] of that, as far as ends of notes can bring it.

    pinned [n, 88]: cells that stay. A segment without a free cell is not looked at. others [n]: steps in which another
    track sounds, so that this one may rest there; without them no step is left empty.
    """
    others = np.zeros(len(cells), bool) if others is None else others
    near = np.zeros(len(cells)) if near is None else near
    starts = steps.starts
    out = without_new_clashes(cells, source, pinned, starts)
    seldom = bool((_lone(source)).sum() <= HARDLY * (source == ONSET).sum())
    if seldom:
        out = without_new_lone_notes(out, source, pinned)
    joined = is_joined(source)
    for a, b in zip(starts.tolist(), [*starts[1:].tolist(), len(cells)], strict=True):
        if not pinned[a:b].all():
            length = steps.sixteenths[a:b].astype(np.float64)
            segment = _Segment(a, b, length, float(voices[a]), float(near[a]), source, pinned, others, seldom)
            if joined:
                _land_on_onsets(out, segment)
            _land_segment(out, segment)
    return out


def without_new_clashes(cells: Cells, source: Cells, pinned: Bools, starts: Indices) -> Cells:
    """Cells [n, 88] in which a held note ends where another one is struck a semitone from it, and where a segment
    starts [W], unless the source holds it there."""
    out = cells.copy()
    struck = cells == ONSET
    beside = np.zeros_like(struck)
    beside[:, 1:] |= struck[:, :-1]
    beside[:, :-1] |= struck[:, 1:]
    beside[starts[1:]] = True
    ends = beside & (cells == HOLD) & (source == OFF) & ~pinned
    for t, p in zip(*np.nonzero(ends), strict=True):
        u = int(t)
        while u < len(out) and out[u, p] == HOLD and not pinned[u, p]:
            out[u, p] = OFF
            u += 1
    return out


def without_new_lone_notes(cells: Cells, source: Cells, pinned: Bools) -> Cells:
    """Cells [n, 88] in which a note of one step with no onset in the step before or after it lasts another step, unless
    the source has it as short."""
    out = cells.copy()
    known = (source[:-1] == ONSET) & (source[1:] != HOLD)
    out[1:][_lone(cells)[:-1] & (cells[1:] == OFF) & ~known & ~pinned[1:]] = HOLD
    return out


def _lone(cells: Cells) -> Bools:
    """[n, 88] the onsets of notes of one step with no onset in the step before or after it."""
    held_on = np.concatenate([cells[1:] == HOLD, np.zeros((1, cells.shape[1]), bool)])
    return np.asarray((cells == ONSET) & ~held_on & _alone(cells)[:, None])


def _alone(cells: Cells) -> Bools:
    """[n] whether no note begins in the step before or after each step."""
    struck = np.pad((cells == ONSET).any(1), 1)
    return np.asarray(~struck[:-2] & ~struck[2:])


@dataclass(frozen=True)
class _Segment:
    """The steps a..b of a passage, and what is asked of them."""

    a: int
    b: int
    length: Floats  # [b - a] in sixteenths
    voices: float
    near: float
    source: Cells  # [n, 88] of the passage
    pinned: Bools  # [n, 88]
    others: Bools  # [n] whether another track sounds
    seldom: bool  # whether lone notes are seldom in this music

    def missing(self, out: Cells) -> float:
        """Voices times sixteenths that it lacks in `out`, or has too many, beyond what is near enough."""
        counted = np.minimum((out[self.a : self.b] != OFF).sum(-1), MAX_VOICES)
        missing = self.voices * self.length.sum() - float((counted * self.length).sum())
        return float(np.sign(missing) * max(abs(missing) - self.near * float(self.length.sum()), 0.0))

    def rank(self, out: Cells, fills: bool) -> Floats:
        """[b - a, 88] how late each of its cells comes to be held, or to be cleared."""
        if fills:
            return _to_fill(out, self.source, self.pinned, self.a, self.b)
        return _to_clear(out, self)


def _land_segment(out: Cells, segment: _Segment) -> None:
    """Change the holds of the segment's steps in `out`."""
    a, b, length, missing = segment.a, segment.b, segment.length, segment.missing(out)
    if abs(missing) <= length.min() / 2:
        return
    rank = segment.rank(out, missing > 0)
    step, pitch = np.nonzero(np.isfinite(rank))
    order = np.lexsort((pitch, step if missing > 0 else -step, rank[step, pitch]))
    gain = np.cumsum(length[step[order]])
    count = int(np.searchsorted(gain, abs(missing) + length.min() / 2, side="right"))
    chosen = order[:count]
    out[a + step[chosen], pitch[chosen]] = HOLD if missing > 0 else OFF
    if missing < 0 and b < len(out):  # what was cut at the segment's end no longer sounds on
        for p in np.unique(pitch[chosen]).tolist():
            _end_behind(out, segment.pinned, b, p)


def _land_on_onsets(out: Cells, segment: _Segment) -> None:
    """Change the holds of the segment's steps as `_land_segment` does, as far as that goes with notes that end where
    others begin: by what lies between two onset steps at a time."""
    a, b, length, missing = segment.a, segment.b, segment.length, segment.missing(out)
    half = float(length.min()) / 2
    if abs(missing) <= half:
        return
    fills = missing > 0
    rank = segment.rank(out, fills)
    opens = (out[a:b] == ONSET).any(1)
    opens[0] = True
    span = np.cumsum(opens)  # [b - a] which stretch between onsets each step lies in
    step, pitch = np.nonzero(np.isfinite(rank))
    order = np.lexsort((step, span[step], pitch))
    step, pitch = step[order], pitch[order]
    if not len(step):
        return
    first = np.flatnonzero(np.r_[True, (np.diff(pitch) != 0) | (np.diff(span[step]) != 0)])
    price = np.maximum.reduceat(rank[step, pitch], first)
    size = np.add.reduceat(length[step], first)
    last = np.append(first[1:], len(step)) - 1
    whole = opens[np.minimum(step[last] + 1, b - a - 1)] | (step[last] == b - a - 1) if fills else opens[step[first]]
    blocked: set[int] = set()
    for k in np.lexsort((first if fills else -first, price)).tolist():
        p = int(pitch[first[k]])
        if p in blocked:
            continue
        if not whole[k] or size[k] > abs(missing) + half:
            blocked.add(p)
            continue
        rows = a + step[first[k] : last[k] + 1]
        out[rows, p] = HOLD if fills else OFF
        missing -= float(size[k]) if fills else -float(size[k])
        if not fills and rows[-1] == b - 1:
            _end_behind(out, segment.pinned, b, p)


def _end_behind(out: Cells, pinned: Bools, b: int, p: int) -> None:
    """What was cut at a segment's end no longer sounds on behind it."""
    t = b
    while t < len(out) and out[t, p] == HOLD and out[t - 1, p] == OFF and not pinned[t, p]:
        out[t, p] = OFF
        t += 1


def _to_fill(out: Cells, source: Cells, pinned: Bools, a: int, b: int) -> Floats:
    """[b - a, 88] how late each silent cell comes to be held by the note before it; infinite where none can."""
    rank = np.full((b - a, out.shape[1]), np.inf)
    before = out[a - 1] != OFF if a else np.zeros(out.shape[1], bool)
    worst, distance = np.where(before, 0.0, np.inf), np.zeros(out.shape[1])
    classes, clashes = _classes(out[a:b]), _clashes(out[a:b])
    count = (out[a:b] != OFF).sum(1)
    crowded = CROWDED * np.maximum(count - count.mean(), 0)
    for t in range(a, b):
        sounds = out[t] != OFF
        distance = np.where(sounds, 0, distance + 1)
        worst = np.where(sounds, 0.0, np.where(pinned[t], np.inf, worst))
        price = distance + NOT_AS_SOURCE * (source[t] == OFF) + NO_CHORD_TONE * ~classes[t - a]
        price = price + CLASH * clashes[t - a] + crowded[t - a]
        if t == a:  # into the segment, where another chord may stand
            price = np.where(classes[0] | ~classes[0].any(), price + OVER_BAR_LINE, np.inf)
        worst = np.where(sounds, 0.0, np.maximum(worst, price))
        rank[t - a] = np.where(sounds, np.inf, worst)
    return rank


def _to_clear(out: Cells, segment: _Segment) -> Floats:
    """[b - a, 88] how late each held cell comes to be cut from the end of its note; infinite where it cannot."""
    a, b, source, pinned = segment.a, segment.b, segment.source, segment.pinned
    rank = np.full((b - a, out.shape[1]), np.inf)
    worst, distance = np.zeros(out.shape[1]), np.zeros(out.shape[1])
    before = max(a - 1, 0)
    lone = _alone(out[before : b + 1])[a - before :] & segment.seldom  # of the segment's steps
    count = (out[a:b] != OFF).sum(1)
    empty = CROWDED * np.maximum(count.mean() - count, 0)
    for t in range(b - 1, a - 1, -1):
        holds = out[t] == HOLD
        distance = np.where(holds, distance + 1, 0)
        price = distance + NOT_AS_SOURCE * (source[t] == HOLD) + empty[t - a]
        if t:
            price = price + (SHORT + LONE * (t > a and lone[t - 1 - a])) * (out[t - 1] == ONSET)
        worst = np.where(holds, np.maximum(worst, np.where(pinned[t], np.inf, price)), 0.0)
        alone = (out[t] != OFF).sum() <= 1 and not segment.others[t]
        worst = np.where(holds & alone, np.inf, worst)
        rank[t - a] = np.where(holds, worst, np.inf)
        # A note that sounds on behind the segment is cut only where nothing else is left.
        if t == b - 1 and b < len(out):
            on = holds & (out[b] == HOLD)
            worst = np.where(on, worst + 2 * NO_CHORD_TONE, worst)
            rank[t - a] = np.where(on, worst, rank[t - a])
    return rank


def _clashes(cells: Cells) -> Bools:
    """[n, 88] whether a pitch a semitone away sounds in the step."""
    sounding = cells != OFF
    out = np.zeros(cells.shape, bool)
    out[:, 1:] |= sounding[:, :-1]
    out[:, :-1] |= sounding[:, 1:]
    return out


def _classes(cells: Cells) -> Bools:
    """[n, 88] whether the pitch's class sounds in the step."""
    sounding = cells != OFF
    out = np.zeros(cells.shape, bool)
    for c in range(12):
        out[:, c::12] = sounding[:, c::12].any(1, keepdims=True)
    return out
