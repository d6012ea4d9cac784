"""How a piece is rewritten: in passages, and repeats of a segment as the segment was; and where new notes may begin.

All passages are drawn at once: the onset steps of the whole piece are planned before. A segment that repeats another
one, also transposed, with the same levels asked, becomes what that one became. T steps, W segments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fadernets.arrays import Bools, Cells, Integers
from fadernets.codecs.grid import OFF, ONSET, PITCHES
from fadernets.data.passages import LENGTH, Steps, segment_ends
from fadernets.decoding.rewrite_task import NEIGHBOURS, RewriteTask

NEARBY = 16  # steps around a new note whose notes bound it
CLASSES = 12


@dataclass(frozen=True)
class Passage:
    """Segments first..last (excluded) that are drawn together, and what they see around them."""

    first: int
    last: int
    sees_first: int  # with its neighbours
    sees_last: int


@dataclass(frozen=True)
class Alike:
    """The segments that are alike: the same steps, levels and cells, but for a transposition."""

    group: Integers  # [W] a number for all that are alike, -1 for a segment like no other
    low: Integers  # [W] the lowest pitch of each, 0..87


def passages(task: RewriteTask) -> list[Passage]:
    """The passages of an edit."""
    ends = segment_ends(task.steps)
    drawn = task.edited
    runs = np.split(drawn, np.flatnonzero(np.diff(drawn) != 1) + 1) if len(drawn) else []
    spans = [span for run in runs for span in _spans(int(run[0]), int(run[-1]) + 1, ends, task.together)]
    return [Passage(a, b, *_seen(a, b, ends, task.neighbours)) for a, b in spans]


def _spans(first: int, last: int, ends: Integers, together: int) -> list[tuple[int, int]]:
    """A run of segments cut into passages, of as many `together` as fit LENGTH with their neighbours."""
    spans: list[tuple[int, int]] = []
    a = first
    while a < last:
        b = min(a + together, last)
        while b - a > 1 and ends[b] - ends[a] > LENGTH - NEIGHBOURS * 16:
            b -= 1
        spans.append((a, b))
        a = b
    return spans


def _seen(a: int, b: int, ends: Integers, neighbours: int) -> tuple[int, int]:
    """The segments around a..b that fit LENGTH with them, at most `neighbours` on each side."""
    first, last = a, b
    for _ in range(neighbours):
        if first > 0 and ends[last] - ends[first - 1] <= LENGTH:
            first -= 1
        if last + 1 < len(ends) and ends[last + 1] - ends[first] <= LENGTH:
            last += 1
    return first, last


def alike(task: RewriteTask) -> Alike:
    """Which of the edited segments are alike; one with locked cells is like no other."""
    ends = segment_ends(task.steps)
    count = len(ends) - 1
    group, low = np.full(count, -1), np.zeros(count, np.int64)
    members: dict[tuple[bytes, ...], list[int]] = {}
    for i, s in enumerate(task.edited.tolist()):
        a, b = int(ends[s]), int(ends[s + 1])
        if task.locks.pinned[a:b].any() or not task.locks.allowed[a:b].all():
            continue
        low[s], moved = lowered(task.roll[a:b])
        planned = task.locks.must_onset[a:b].tobytes() + task.locks.never_onset[a:b].tobytes()
        levels = f"{task.onsets[i]} {task.voices[i]:.3f}".encode() + planned
        members.setdefault((_layout(task.steps, a, b), levels, moved.tobytes()), []).append(s)
    for number, those in enumerate(members.values()):
        if len(those) > 1:
            group[those] = number
    return Alike(group, low)


def register(roll: Cells) -> Bools:
    """[T, 88] where a new note may begin: between the lowest and the highest note that sounds nearby.

    New notes thus stay in the register of what is edited, and none becomes the new top of a line.
    """
    sounding = roll != OFF
    heard = sounding.any(1)
    low = np.where(heard, sounding.argmax(1), PITCHES)
    high = np.where(heard, PITCHES - 1 - sounding[:, ::-1].argmax(1), -1)
    near_low, near_high = low.copy(), high.copy()
    for shift in range(1, NEARBY + 1):
        near_low[shift:] = np.minimum(near_low[shift:], low[:-shift])
        near_low[:-shift] = np.minimum(near_low[:-shift], low[shift:])
        near_high[shift:] = np.maximum(near_high[shift:], high[:-shift])
        near_high[:-shift] = np.maximum(near_high[:-shift], high[shift:])
    pitches = np.arange(PITCHES)
    empty = near_high < 0
    return (pitches >= near_low[:, None]) & (pitches <= near_high[:, None]) | empty[:, None]


def classes_nearby(*rolls: Cells) -> Bools:
    """[T, 12] the pitch classes that are struck nearby in rolls [T, 88], the first that of the lowest key; all classes
    where none is.

    A new note of another class is a wrong one to most ears, and twice as many were drawn as real music has.
    """
    struck = np.any([roll == ONSET for roll in rolls], axis=0)
    classes = np.stack([struck[:, c::CLASSES].any(1) for c in range(CLASSES)], axis=1)
    count = np.pad(np.cumsum(classes, axis=0), ((1, 0), (0, 0)))
    at = np.arange(len(classes))
    last, first = np.minimum(at + NEARBY + 1, len(classes)), np.maximum(at - NEARBY, 0)
    near = count[last] > count[first]
    return np.asarray(near | ~near.any(1, keepdims=True))


def lowered(cells: Cells) -> tuple[int, Cells]:
    """The lowest pitch that sounds in cells [n, 88], and the cells moved down so that it is the first."""
    sounding = cells.any(0)
    if not sounding.any():
        return 0, cells
    low = int(sounding.argmax())
    return low, shifted(cells, -low)


def shifted(cells: Cells, semitones: int) -> Cells:
    """Cells [n, 88], or lengths of struck notes, transposed; what would leave the keys comes back by octaves."""
    if not semitones:
        return cells.copy()
    out = np.zeros_like(cells)
    to = np.arange(PITCHES) + semitones
    to = np.where(to < 0, to % 12, np.where(to >= PITCHES, PITCHES - 12 + (to - PITCHES) % 12, to))
    inside = to == np.arange(PITCHES) + semitones
    out[:, to[inside]] = cells[:, inside]
    for pitch in np.flatnonzero(~inside & cells.any(0)).tolist():
        here = out[:, to[pitch]]
        out[:, to[pitch]] = np.where((here == OFF) | (cells[:, pitch] == ONSET), cells[:, pitch], here)
    return out


def _layout(steps: Steps, a: int, b: int) -> bytes:
    return b"".join(
        getattr(steps, name)[a:b].astype(np.int16).tobytes() for name in ("place", "division", "beat_length", "beat")
    )
