"""How a fader runs over a piece: one value, a ramp over the edited segments, or values for some of the bars.

Values are in the attribute's own unit; bars count from 1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fadernets import structured_text
from fadernets.arrays import Floats
from fadernets.attributes.table import ATTRIBUTES
from fadernets.errors import FadernetsError, did_you_mean

MAX_FILE_BYTES = 2**20  # of a file of values
LARGEST_RAMP_END = 1e9  # beyond every attribute's range: ends are clipped here, so that their difference is a number


@dataclass(frozen=True)
class Ramp:
    """From one value to another, linear in beats."""

    first: float
    last: float


FaderCurve = float | Ramp  # a number stands for the same value everywhere


def values_at(curve: FaderCurve, beats: Floats, span: Floats | None = None) -> Floats:
    """[S] the values of a curve at segments that start at these beats [S], in ascending order.

    A ramp runs from the first beat of `span` to the last (those of `beats`, unless given) and is level outside.

    >>> values_at(Ramp(60, 90), np.array([0.0, 4.0, 8.0, 12.0])).tolist()
    [60.0, 70.0, 80.0, 90.0]
    """
    if not isinstance(curve, Ramp):
        return np.full(len(beats), float(curve))
    span = beats if span is None or not len(span) else span
    length = span[-1] - span[0] if len(span) else 0.0
    share = np.clip((beats - span[0]) / length, 0, 1) if length else np.zeros(len(beats))
    first, last = np.clip([curve.first, curve.last], -LARGEST_RAMP_END, LARGEST_RAMP_END)
    return np.asarray(first + (last - first) * share)


@dataclass(frozen=True)
class PerBar:
    """Values of some of the bars, as a file gives them."""

    path: Path
    values: Mapping[str, Mapping[int, float]]  # attribute -> bar -> value
    listed: Mapping[str, int]  # attribute -> length of its list, where the file has plain lists: one value for each bar

    def check(self, bars: int) -> None:
        """Raises FadernetsError if the file does not fit a piece of that many bars."""
        for name, count in self.listed.items():
            if count != bars:
                option = ATTRIBUTES[name].option
                raise FadernetsError(f"{self.path}: {option} has {count} values; the piece has {bars} bars")
        outside = sorted(bar for values in self.values.values() for bar in values if not 1 <= bar <= bars)
        if outside:
            raise FadernetsError(f"{self.path}: bar {outside[0]}; the piece has bars 1 to {bars}")

    def at(self, name: str, bars: Sequence[int], last_bars: Sequence[int] | None = None) -> Floats:
        """[S] the value of the attribute in the bar of each segment, nan where the file gives none.

        A segment of several bars, to the last of `last_bars`, has the mean of their values.
        """
        values = self.values.get(name, {})
        if last_bars is None:
            return np.array([values.get(bar, math.nan) for bar in bars], np.float64)
        spans = zip(bars, last_bars, strict=True)
        known = [[values[bar] for bar in range(a, b + 1) if bar in values] for a, b in spans]
        return np.array([math.fsum(each) / len(each) if each else math.nan for each in known], np.float64)


def read(path: Path) -> PerBar:
    """Read a file of values by bar.

    JSON: {"rhythm-density": [a value for each bar]}, null where a bar stays; or [{"bar": 3, "rhythm-density": 0.5}].
    CSV: a head such as `bar,rhythm-density,note-density` and a line for each bar, with an empty cell where it stays.
    Raises FadernetsError for a file that is none of these.
    """
    table = path.suffix.lower() == ".csv"
    try:
        text = structured_text.read_text(path, MAX_FILE_BYTES, "utf-8-sig")
        content = structured_text.parse_csv(text) if table else structured_text.parse_json(text)
    except OSError as error:
        raise FadernetsError(f"{path}: cannot be read ({error.strerror or error})") from None
    except ValueError as error:
        raise FadernetsError(f"{path}: is not {'CSV' if table else 'JSON'} that can be read ({error})") from None
    if isinstance(content, list) and all(isinstance(row, dict) for row in content):
        return _of_rows(path, content)
    if not isinstance(content, dict) or not all(isinstance(values, list) for values in content.values()):
        raise FadernetsError(f'{path}: expected {{"rhythm-density": [a value a bar]}} or [{{"bar": 1, ...}}]')
    lists = {_name(path, key): [_number(path, v) for v in values] for key, values in content.items()}
    values = {n: {i + 1: v for i, v in enumerate(each) if v is not None} for n, each in lists.items()}
    return _not_empty(PerBar(path, values, {name: len(each) for name, each in lists.items()}))


def _of_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> PerBar:
    """The values of rows with a bar each. Raises FadernetsError."""
    values: dict[str, dict[int, float]] = {}
    for row in rows:
        if not re.fullmatch(r"[0-9]{1,9}", str(row.get("bar") or "").strip()):
            raise FadernetsError(
                f"{path}: each line needs its bar, a whole number from 1; one has {row.get('bar')!r:.60}"
            )
        bar = int(row["bar"])
        for key, cell in row.items():
            if key != "bar":
                by_bar, number = values.setdefault(_name(path, key), {}), _number(path, cell)
                if bar in by_bar:
                    raise FadernetsError(f"{path}: bar {bar} is there twice")
                if number is not None:
                    by_bar[bar] = number
    return _not_empty(PerBar(path, values, {}))


def _not_empty(per_bar: PerBar) -> PerBar:
    """The values. Raises FadernetsError if there are none."""
    if not any(per_bar.values.values()):
        raise FadernetsError(f"{per_bar.path}: has no values")
    return per_bar


def _name(path: Path, key: str | None) -> str:
    """The attribute of a column or key. Raises FadernetsError for one that takes no values by bar."""
    name = str(key).strip().replace("-", "_")
    if name not in ATTRIBUTES:
        known = [row.option for row in ATTRIBUTES.values()]
        meant = did_you_mean(name.replace("_", "-"), known)
        raise FadernetsError(f"{path}: unknown fader {key!r}{meant}; known: {', '.join(known)}")
    if ATTRIBUTES[name].names:
        raise FadernetsError(f"{path}: {ATTRIBUTES[name].option} takes one value for the whole piece, with --set")
    return name


def _number(path: Path, cell: Any) -> float | None:
    """The number in a cell of the file; None if it is empty. Raises FadernetsError."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    try:
        value = math.nan if isinstance(cell, bool) else float(cell)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise FadernetsError(f"{path}: {cell!r} is not a number")
    return value
