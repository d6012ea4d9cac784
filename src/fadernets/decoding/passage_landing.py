"""Note density landed on: notes of a drawn passage last longer or shorter until each segment measures as asked.

n steps, P = 88 pitches. Onsets are never touched.
"""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Bools, Cells, Floats, Floats32, Indices
from fadernets.codecs.grid import HOLD, OFF, ONSET
from fadernets.data.passages import MAX_VOICES, Steps

# What makes a cell a worse one to fill or to clear, in steps of distance from the note's end.
NOT_AS_SOURCE = 4.0  # the source does not have it like that
NO_CHORD_TONE = 8.0  # a longer note would sound against a chord that does not have its class
CLASH = 16.0  # a longer note would sound a semitone from another one
OVER_BAR_LINE = 6.0  # a longer note would sound into the segment
SHORT = 6.0  # the note would last a single step
CROWDED = 1.5  # for each note more than the mean of its segment that sounds in the step


def land(cells: Cells, source: Cells, pinned: Bools, steps: Steps, voices: Floats, near: Floats | None = None) -> Cells:
    """Cells [n, 88] with each segment's mean number of sounding notes at `voices` [n] of its steps, or within `near`
    [n] of that, as far as ends of notes can bring it.

    pinned [n, 88]: cells that stay. A segment without a free cell is not looked at.
    """
    near = np.zeros(len(cells)) if near is None else near
    starts = steps.starts
    out = without_new_clashes(cells, source, pinned, starts)
    for a, b in zip(starts.tolist(), [*starts[1:].tolist(), len(cells)], strict=True):
        if not pinned[a:b].all():
            _land_segment(out, source, pinned, steps.sixteenths, float(voices[a]), float(near[a]), a, b)
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


def _land_segment(
    out: Cells, source: Cells, pinned: Bools, sixteenths: Floats32, voices: float, near: float, a: int, b: int
) -> None:
    """Change the holds of the steps a..b of `out`."""
    length = sixteenths[a:b].astype(np.float64)
    counted = np.minimum((out[a:b] != OFF).sum(-1), MAX_VOICES)
    missing = voices * length.sum() - float((counted * length).sum())  # voices times sixteenths
    missing = float(np.sign(missing)) * max(abs(missing) - near * float(length.sum()), 0.0)
    if abs(missing) <= length.min() / 2:
        return
    rank = _to_fill(out, source, pinned, a, b) if missing > 0 else _to_clear(out, source, pinned, a, b)
    step, pitch = np.nonzero(np.isfinite(rank))
    order = np.lexsort((pitch, step if missing > 0 else -step, rank[step, pitch]))
    gain = np.cumsum(length[step[order]])
    count = int(np.searchsorted(gain, abs(missing) + length.min() / 2, side="right"))
    chosen = order[:count]
    out[a + step[chosen], pitch[chosen]] = HOLD if missing > 0 else OFF
    if missing < 0 and b < len(out):  # what was cut at the segment's end no longer sounds on
        for p in np.unique(pitch[chosen]).tolist():
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
        price = price + CLASH * clashes[t - a] + crowded[t - a] + OVER_BAR_LINE * (t == a)
        worst = np.where(sounds, 0.0, np.maximum(worst, price))
        rank[t - a] = np.where(sounds, np.inf, worst)
    return rank


def _to_clear(out: Cells, source: Cells, pinned: Bools, a: int, b: int) -> Floats:
    """[b - a, 88] how late each held cell comes to be cut from the end of its note; infinite where it cannot."""
    rank = np.full((b - a, out.shape[1]), np.inf)
    worst, distance = np.zeros(out.shape[1]), np.zeros(out.shape[1])
    count = (out[a:b] != OFF).sum(1)
    empty = CROWDED * np.maximum(count.mean() - count, 0)
    for t in range(b - 1, a - 1, -1):
        holds = out[t] == HOLD
        distance = np.where(holds, distance + 1, 0)
        price = distance + NOT_AS_SOURCE * (source[t] == HOLD) + empty[t - a]
        price = price + SHORT * (out[t - 1] == ONSET if t else False)
        worst = np.where(holds, np.maximum(worst, np.where(pinned[t], np.inf, price)), 0.0)
        alone = (out[t] != OFF).sum() <= 1
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
