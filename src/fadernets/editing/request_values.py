"""Values of a request as callers may write them, read into those that an edit takes.

Each function takes a value of any type and `where`, which begins the message of an error: the field as the caller
spells it. Whatever cannot be meant raises FadernetsError, one line that says what came and what is allowed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from fadernets.arrays import Array
from fadernets.errors import FadernetsError

Bars = list[tuple[int, int]]  # inclusive ranges
BarsGiven: TypeAlias = "Sequence[Sequence[int] | str | int] | range | Array | str | int | None"  # as `bars` reads them
TracksGiven: TypeAlias = "Iterable[str | int] | str | int | None"  # as `tracks` reads them
BARS = "inclusive ranges such as [(5, 12)]"
TRACKS = "numbers from 1 or names of tracks, such as [1] or ['Piano']"
MOST_BAR = 10**9  # no piece has so many bars
MOST_SHOWN = 60  # characters of a value in an error


def wrong(value: Any, where: str, expected: str) -> FadernetsError:
    """The error of a value that is not what it is to be."""
    shown = " ".join(repr(value).split())
    return FadernetsError(f"{where}: give {expected}, not {shown if len(shown) <= MOST_SHOWN else shown[:57] + '...'}")


def finite(value: Any, where: str) -> float:
    """A finite number. Raises FadernetsError."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise FadernetsError(f"{where}: {value!r} is not a finite number")
    try:
        number = float(value)
    except OverflowError:
        number = np.inf
    if not np.isfinite(number):
        raise FadernetsError(f"{where}: {value!r} is not a finite number")
    return number


def whole(value: Any, where: str, expected: str) -> int:
    """A whole number. Raises FadernetsError."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise wrong(value, where, expected)
    return int(value)


def by_name(values: Any, where: str, example: str) -> dict[str, Any]:
    """A mapping by names of faders, which may have dashes. Raises FadernetsError for a name that is there twice."""
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise wrong(values, where, f"a value for each fader, as in {example}")
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = str(key).replace("-", "_")
        if name in found:
            raise FadernetsError(f"{where} names {name} twice; give one value")
        found[name] = value
    return found


def names(values: Any, where: str) -> list[str]:
    """Names of faders, which may have dashes, as a list or in one text by comma. Raises FadernetsError."""
    if values is None:
        return []
    given = values.split(",") if isinstance(values, str) else values
    if not isinstance(given, Iterable) or isinstance(given, (bytes, Mapping)):
        raise wrong(values, where, "names of faders such as ['tempo']")
    given = list(given)
    if not all(isinstance(name, str) for name in given):
        raise wrong(values, where, "names of faders such as ['tempo']")
    return [name.strip().replace("-", "_") for name in given if name.strip()]


def is_text_or_path(value: Any) -> bool:
    """Whether a value may name a file."""
    return isinstance(value, (str, os.PathLike))


def bar_ranges(text: str, name: str) -> Bars:
    """`5-12`, `7` or `1-4,9-12` as ranges of bars. Raises FadernetsError, which calls the text `name`."""
    ranges = []
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", part.strip())
        if match is None:
            raise FadernetsError(f"{name} {text}: expected bar numbers such as 5-12 or 1-4,9-12")
        ranges.append((int(match[1]), int(match[2] or match[1])))
    return ranges


def bars(value: Any, where: str = "bars") -> Bars | None:
    """Ranges of bars, both ends included: a list of pairs, one pair, one number, a `range` of numbers, or text such as
    `5-12`; None for all. Raises FadernetsError.

    >>> bars((5, 12)), bars("1-4,9"), bars(7), bars(range(1, 5))
    ([(5, 12)], [(1, 4), (9, 9)], [(7, 7)], [(1, 4)])
    """
    if value is None:
        return None
    if isinstance(value, str):
        ranges = bar_ranges(value, where)
    elif isinstance(value, range):
        if value.step != 1 or not len(value):
            raise wrong(value, where, BARS)
        ranges = [(value.start, value.stop - 1)]
    elif _is_whole(value):
        ranges = [(int(value), int(value))]
    else:
        given = _listed(value)
        if not given:
            raise wrong(value, where, f"{BARS}; leave it out for all bars")
        if len(given) == 2 and all(map(_is_whole, given)):
            given = [given]
        ranges = [each for part in given for each in _bars_of(part, value, where)]
    for first, last in ranges:
        if last > MOST_BAR:
            raise wrong(value, where, BARS)
        if not 1 <= first <= last:
            raise FadernetsError(f"{where} {first}-{last}: bars count from 1, the first not behind the last")
    return ranges


def _bars_of(part: Any, value: Any, where: str) -> Bars:
    """One part of a list of bars: a pair, or text."""
    if isinstance(part, str):
        return bar_ranges(part, where)
    pair = _listed(part)
    if pair is None or len(pair) != 2 or not all(map(_is_whole, pair)):
        raise wrong(value, where, BARS)
    return [(int(pair[0]), int(pair[1]))]


def tracks(value: Any, where: str = "tracks") -> list[str] | None:
    """Numbers and names of tracks, or one of them, as texts; None for those that an edit takes by itself. Raises
    FadernetsError.

    >>> tracks("Piano"), tracks(12), tracks([1, "left hand"])
    (['Piano'], ['12'], ['1', 'left hand'])
    """
    if value is None:
        return None
    given = [value] if isinstance(value, str) or _is_whole(value) else _listed(value)
    if not given:
        raise wrong(value, where, TRACKS if given is None else f"{TRACKS}; leave it out for those of keyboards")
    return [track(each, where) for each in given]


def track(value: Any, where: str) -> str:
    """The number or name of one track. Raises FadernetsError."""
    if not _is_whole(value) and not (isinstance(value, str) and value.strip()):
        raise wrong(value, where, TRACKS)
    return str(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _listed(value: Any) -> list[Any] | None:
    """What has an order, as a list; None for all else."""
    if isinstance(value, np.ndarray):
        return list(value.tolist()) if value.ndim else None
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        return None
    return list(value)
