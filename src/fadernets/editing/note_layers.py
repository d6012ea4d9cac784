"""A layer of notes: notes of some tracks that go and come by hand, a region of its own among those that have faders.

    {"name": "drawn", "bars": [[5, 6]], "notes": {"remove": [[1, 1920, 60]], "add": [[1, 1920, 2400, 62, 80]]}}

Tracks count from 1 as in the source, onsets and ends are its ticks. A note that changes is removed and added. `clear`
removes every note that begins in a span of ticks, whatever the earlier layers left there, so that a bar holds what the
layer adds: `{"clear": [[1920, 3840]], "add": [...]}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fadernets.errors import FadernetsError
from fadernets.music.smf import MAX_TICKS

MOST_ROWS = 20_000  # notes that go and come, of one layer
MOST_TRACKS = 65_535 * 16  # track chunks of a file, channels of each
REMOVE, ADD = ("track", "onset", "pitch"), ("track", "onset", "end", "pitch", "velocity")  # fields of a row
CLEAR = ("onset", "end")
RANGES = {
    "track": (1, MOST_TRACKS),
    "onset": (0, MAX_TICKS),
    "end": (1, MAX_TICKS),
    "pitch": (0, 127),
    "velocity": (1, 127),
}

Removed = tuple[int, int, int]  # a row of REMOVE
Added = tuple[int, int, int, int, int]  # a row of ADD


@dataclass(frozen=True)
class NoteLayer:
    """Notes that go and notes that come. `NoteLayer.checked` makes one of values from outside."""

    remove: tuple[Removed, ...] = ()
    add: tuple[Added, ...] = ()
    clear: tuple[tuple[int, int], ...] = ()  # first tick of a span and the one behind it

    @classmethod
    def checked(cls, notes: NoteLayer | Mapping[str, Any]) -> NoteLayer:
        """A layer of {"remove": rows, "add": rows, "clear": spans}, any of which may be missing. Raises FadernetsError.

        >>> NoteLayer.checked({"remove": [[1, 0, 60]]}).remove
        ((1, 0, 60),)
        """
        if isinstance(notes, NoteLayer):
            return notes
        if not isinstance(notes, Mapping):
            raise FadernetsError(f'notes: expected {{"remove": [...], "add": [...]}}, not {notes!r:.40}')
        for name in notes:
            if name not in ("remove", "add", "clear"):
                raise FadernetsError(f"notes: unknown field {name!r:.40}; known: remove, add, clear")
        given = [notes.get(name) or () for name in ("remove", "add", "clear")]
        for name, rows in zip(("remove", "add", "clear"), given, strict=True):
            if not isinstance(rows, (list, tuple)):
                raise FadernetsError(f"notes {name}: expected a list of notes, not {rows!r:.40}")
        if (count := sum(map(len, given))) > MOST_ROWS:
            raise FadernetsError(f"notes: {count} notes go and come; at most {MOST_ROWS} in one layer")
        removed = [_row(row, REMOVE, f"notes remove {i}") for i, row in enumerate(given[0], 1)]
        added = [_row(row, ADD, f"notes add {i}") for i, row in enumerate(given[1], 1)]
        cleared = [_row(row, CLEAR, f"notes clear {i}") for i, row in enumerate(given[2], 1)]
        for name, spans in (("add", [row[1:3] for row in added]), ("clear", cleared)):
            for i, (onset, end) in enumerate(spans, 1):
                if end <= onset:
                    raise FadernetsError(f"notes {name} {i}: ends at {end}, and begins at {onset}; it must end later")
        return cls(
            tuple((a, b, c) for a, b, c in removed),
            tuple((a, b, c, d, e) for a, b, c, d, e in added),
            tuple((a, b) for a, b in cleared),
        )

    def touches(self, first: int, end: int) -> bool:
        """Whether notes go or come that begin in the ticks first..end, the last one excluded."""
        onsets = [row[1] for row in (*self.remove, *self.add)]
        return any(first <= onset < end for onset in onsets) or any(a < end and first < b for a, b in self.clear)

    def as_dict(self) -> dict[str, Any]:
        """The layer as a file has it."""
        out = {"remove": [[*row] for row in self.remove], "add": [[*row] for row in self.add]}
        return out | ({"clear": [[*span] for span in self.clear]} if self.clear else {})


def _row(row: Any, fields: Sequence[str], where: str) -> list[int]:
    """One note's numbers. Raises FadernetsError."""
    if not isinstance(row, (list, tuple)) or len(row) != len(fields) or any(type(value) is not int for value in row):
        raise FadernetsError(f"{where}: expected whole numbers [{', '.join(fields)}], not {row!r:.60}")
    for name, value in zip(fields, row, strict=True):
        low, high = RANGES[name]
        if not low <= value <= high:
            raise FadernetsError(f"{where}: {name} {value}: must lie in {low}..{high}")
    return [*row]
