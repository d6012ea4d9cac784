"""What a caller may ask an edit to keep: the melody, the bass, the harmony, the rhythm, or single notes.

As text a lock is a kind, with bars if it holds for some alone (`melody`, `bass:5-8`, `rhythm:1-4,9`), or notes: by
number, in the order of the file's notes and counted from 1 (`12`, `12,15-20`), or by place and pitch, as
`bar.beat:pitch` (`5.1:60` or `5.1:C4`: the notes of MIDI pitch 60 that begin in the first beat of bar 5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fadernets.errors import FadernetsError
from fadernets.music.note_names import note_number

KINDS = ("melody", "bass", "harmony", "rhythm", "notes")
MOST_LOCKS = 64  # in one request
MOST_NOTES = 10_000  # that one lock names


@dataclass(frozen=True)
class Lock:
    """Something that an edit must keep."""

    kind: str  # of KINDS
    bars: tuple[tuple[int, int], ...] | None = None  # inclusive ranges; None: all
    numbers: tuple[int, ...] = ()  # of notes, from 1
    places: tuple[tuple[int, int, int], ...] = ()  # bar, beat (both from 1) and MIDI pitch of notes

    @classmethod
    def read(cls, text: str, where: str = "keep") -> Lock:
        """A lock of its text; `where` begins the message of the error. Raises FadernetsError.

        >>> Lock.read("melody:5-8")
        Lock(kind='melody', bars=((5, 8),), numbers=(), places=())
        """
        kind, colon, rest = text.strip().lower().partition(":")
        if kind in KINDS[:-1]:
            return cls(kind, _ranges(rest, f"{where} {text}") if colon else None)
        numbers: list[int] = []
        places: list[tuple[int, int, int]] = []
        for part in text.split(","):
            place = re.fullmatch(r"(\d{1,6})\.(\d{1,3}):(\d{1,3}|[A-Ga-g]\S{1,3})", part.strip())
            pitch = None if place is None else int(place[3]) if place[3].isdecimal() else note_number(place[3])
            if place is not None and pitch is not None:
                bar, beat = int(place[1]), int(place[2])
                if not bar or not beat or not 0 <= pitch <= 127:
                    raise FadernetsError(f"{where} {text}: bars and beats count from 1, pitches go to 127")
                places.append((bar, beat, pitch))
            elif re.fullmatch(r"\d{1,9}(-\d{1,9})?", part.strip()):
                ((a, b),) = _ranges(part, f"{where} {text}")
                if b - a + len(numbers) >= MOST_NOTES:
                    raise FadernetsError(f"{where} {text}: at most {MOST_NOTES} notes")
                numbers += range(a, b + 1)
            else:
                kinds, notes = ", ".join(KINDS[:-1]), "12,15-20, 5.1:60 or 5.1:C4"
                raise FadernetsError(
                    f"{where} {text}: expected {kinds}, with bars as in melody:5-8, or notes such as {notes}"
                )
        return cls("notes", None, tuple(numbers), tuple(places))


def _ranges(text: str, where: str) -> tuple[tuple[int, int], ...]:
    """`5-8,12` as inclusive ranges. Raises FadernetsError."""
    ranges = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part.strip())
        a, b = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= a <= b:
            raise FadernetsError(f"{where}: expected ranges that count from 1, such as 5-8 or 1-4,9")
        ranges.append((a, b))
    return tuple(ranges)


def checked_locks(keep: Iterable[Lock | str] | Lock | str, where: str) -> tuple[Lock, ...]:
    """Locks of values from outside. Raises FadernetsError."""
    expected = f"{where}: give locks such as 'melody' or ['bass:5-8', '5.1:60']"
    if not isinstance(keep, (str, Lock, Iterable)) or isinstance(keep, (bytes, Mapping)):
        raise FadernetsError(f"{expected}, not {keep!r:.60}")
    given: list[Any] = [keep] if isinstance(keep, (str, Lock)) else list(keep)
    if len(given) > MOST_LOCKS:
        raise FadernetsError(f"{where}: {len(given)} locks; at most {MOST_LOCKS}")
    for lock in given:
        if not isinstance(lock, (str, Lock)) and (isinstance(lock, bool) or not isinstance(lock, (int, np.integer))):
            raise FadernetsError(f"{expected}, not {lock!r:.60}")
    return tuple(lock if isinstance(lock, Lock) else Lock.read(str(lock), where) for lock in given)
