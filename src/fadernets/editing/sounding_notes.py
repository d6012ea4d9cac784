"""Which notes sound together while their pitches change: asked and answered in the logarithm of their number.

Notes are named by their positions. Times are ticks; a note of no length sounds for one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Hashable

from fadernets.arrays import Array, Indices


class Spans:
    """Stretches of time, of which it can be said how many overlap another one."""

    def __init__(self) -> None:
        self._onsets: list[int] = []
        self._ends: list[int] = []

    def add(self, onset: int, end: int) -> None:
        """Add a stretch of some length."""
        insort(self._onsets, onset)
        insort(self._ends, end)

    def remove(self, onset: int, end: int) -> None:
        """Remove a stretch that is there."""
        del self._onsets[bisect_left(self._onsets, onset)]
        del self._ends[bisect_left(self._ends, end)]

    def overlapping(self, onset: int, end: int) -> int:
        """How many overlap this one: those that begin before its end, without those that are over at its onset."""
        return bisect_left(self._onsets, end) - bisect_right(self._ends, onset)


NONE = Spans()


class SoundingNotes:
    """The notes of a draft with the pitches that they had (`source`) and have for now (`pitch`); moves can be undone.

    group [N]: notes that must not change places with each other, such as those of one window.
    """

    def __init__(self, notes: Array, group: Indices) -> None:
        self.pitch: list[int] = notes["pitch"].tolist()
        self.source: list[int] = list(self.pitch)
        self._onset: list[int] = notes["onset"].tolist()
        self._end: list[int] = [
            max(end, onset + 1) for onset, end in zip(self._onset, notes["end"].tolist(), strict=True)
        ]
        self._group: list[int] = group.tolist()
        self._spans: dict[Hashable, Spans] = defaultdict(Spans)
        self._changes: list[tuple[int, int]] = []  # (note, its pitch before), the oldest first
        for note in notes["onset"].argsort(kind="stable").tolist():
            for spans in self._spans_of(note):
                spans.add(self._onset[note], self._end[note])

    def move(self, note: int, pitch: int) -> None:
        """Give a note another pitch."""
        if pitch == self.pitch[note]:
            return
        self._changes.append((note, self.pitch[note]))
        self._put(note, pitch)

    def moment(self) -> int:
        """What `back_to` takes to come back to the pitches of now."""
        return len(self._changes)

    def back_to(self, moment: int) -> list[tuple[int, int]]:
        """Take back what has changed since a moment; returns (note, pitch) of the changes, for `move` to make again."""
        taken = {note: self.pitch[note] for note, _ in self._changes[moment:]}
        while len(self._changes) > moment:
            self._put(*self._changes.pop())
        return list(taken.items())

    def is_taken(self, note: int, pitch: int) -> bool:
        """Whether another note sounds at this pitch while a note does; those of one pitch in the source may."""
        onset, end = self._onset[note], self._end[note]
        count = self._spans.get(pitch, NONE).overlapping(onset, end)
        return count > 0 and count > self._spans.get((pitch, self.source[note]), NONE).overlapping(onset, end)

    def are_together(self, note: int, other: int) -> bool:
        """Whether two notes sound together."""
        return self._onset[note] < self._end[other] and self._onset[other] < self._end[note]

    def crosses(self, note: int, pitch: int) -> bool:
        """Whether a note at this pitch would change places with one of its group that sounds with it."""
        onset, end, group = self._onset[note], self._end[note], self._group[note]
        low, high = sorted((self.pitch[note], pitch))
        return any(
            self._spans.get(("group", group, between), NONE).overlapping(onset, end) for between in range(low + 1, high)
        )

    def _put(self, note: int, pitch: int) -> None:
        onset, end = self._onset[note], self._end[note]
        for spans in self._spans_of(note):
            spans.remove(onset, end)
        self.pitch[note] = pitch
        for spans in self._spans_of(note):
            spans.add(onset, end)

    def _spans_of(self, note: int) -> tuple[Spans, Spans, Spans]:
        pitch = self.pitch[note]
        return (
            self._spans[pitch],
            self._spans[pitch, self.source[note]],
            self._spans["group", self._group[note], pitch],
        )
