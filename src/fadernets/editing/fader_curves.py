"""How a fader runs over a piece: one value, a ramp from the first edited segment to the last, or a value a bar.

Values are in the attribute's own unit; bars count from 1.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes.table import ATTRIBUTES
from fadernets.errors import FadernetsError

Floats = NDArray[np.float64]
MAX_FILE_BYTES = 2**20  # bytes of a file of values
BEYOND = 1e9  # more than any attribute's value: ramps between numbers that have no difference start and end there


@dataclass(frozen=True)
class Ramp:
    """From the first value to the last, straight over the beats."""

    first: float
    last: float


FaderCurve = float | Ramp


def values_at(course: FaderCurve, beats: Floats, span: Floats | None = None) -> Floats:
    """[S] a course at segments that start at these beats, in order: from the first of `span` (they, unless given) to
    the last, and level before and behind."""
    if not isinstance(course, Ramp):
        return np.full(len(beats), float(course))
    span = beats if span is None or not len(span) else span
    length = span[-1] - span[0] if len(span) else 0.0
    share = np.clip((beats - span[0]) / length, 0, 1) if length else np.zeros(len(beats))
    first, last = np.clip([course.first, course.last], -BEYOND, BEYOND)
    return np.asarray(first + (last - first) * share)


@dataclass(frozen=True)
class PerBar:
    """Values of some bars, from a file."""

    path: Path
    values: Mapping[str, Mapping[int, float]]  # attribute -> bar -> value
    listed: Mapping[str, int]  # attribute -> how many bars a plain list names: it must be all of the piece's

    def check(self, bars: int) -> None:
        """Raises FadernetsError where the file does not fit a piece of that many bars."""
        for name, count in self.listed.items():
            if count != bars:
                option = ATTRIBUTES[name].option
                raise FadernetsError(f"{self.path}: {option} has {count} values; the piece has {bars} bars")
        beyond = sorted(bar for values in self.values.values() for bar in values if not 1 <= bar <= bars)
        if beyond:
            raise FadernetsError(f"{self.path}: bar {beyond[0]}; the piece has bars 1 to {bars}")

    def at(self, name: str, bars: Sequence[int]) -> Floats:
        """[S] the value of each segment's bar, nan where the file has none."""
        values = self.values.get(name, {})
        return np.array([values.get(bar, math.nan) for bar in bars], np.float64)


def read(path: Path) -> PerBar:
    """A file of values. JSON: {"rhythm-density": [a value a bar]} or [{"bar": 3, "rhythm-density": 0.5}]; CSV: a line a
    bar under `bar,rhythm-density,note-density`, an empty cell for a bar that stays. Raises FadernetsError."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise FadernetsError(f"{path}: {path.stat().st_size} bytes; at most {MAX_FILE_BYTES} are read")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FadernetsError(f"{path}: cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError:
        raise FadernetsError(f"{path}: is not text") from None
    if path.suffix.lower() == ".csv":
        return _of_rows(path, list(csv.DictReader(io.StringIO(text))))
    try:
        found = json.loads(text)
    except ValueError as error:
        raise FadernetsError(f"{path}: is not JSON ({error})") from None
    if isinstance(found, list) and all(isinstance(row, dict) for row in found):
        return _of_rows(path, found)
    if not isinstance(found, dict) or not all(isinstance(values, list) for values in found.values()):
        raise FadernetsError(f'{path}: expected {{"rhythm-density": [a value a bar]}} or [{{"bar": 1, ...}}]')
    lists = {_name(path, key): [_number(path, v) for v in values] for key, values in found.items()}
    values = {n: {i + 1: v for i, v in enumerate(each) if v is not None} for n, each in lists.items()}
    return _checked(PerBar(path, values, {name: len(each) for name, each in lists.items()}))


def _of_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> PerBar:
    values: dict[str, dict[int, float]] = {}
    for row in rows:
        if not str(row.get("bar") or "").strip().isdecimal():
            raise FadernetsError(f"{path}: each line needs its bar, a whole number from 1; one has {row.get('bar')!r}")
        bar = int(row["bar"])
        for key, cell in row.items():
            if key != "bar":
                own, number = values.setdefault(_name(path, key), {}), _number(path, cell)
                if bar in own:
                    raise FadernetsError(f"{path}: bar {bar} is there twice")
                if number is not None:
                    own[bar] = number
    return _checked(PerBar(path, values, {}))


def _checked(found: PerBar) -> PerBar:
    if not any(found.values.values()):
        raise FadernetsError(f"{found.path}: has no values")
    return found


def _name(path: Path, key: str | None) -> str:
    name = str(key).strip().replace("-", "_")
    if name not in ATTRIBUTES:
        known = ", ".join(row.option for row in ATTRIBUTES.values())
        raise FadernetsError(f"{path}: unknown fader {key!r}; known: {known}")
    if ATTRIBUTES[name].names:
        raise FadernetsError(f"{path}: {ATTRIBUTES[name].option} takes one value for the whole piece, with --set")
    return name


def _number(path: Path, cell: Any) -> float | None:
    """A cell's value; None where it is empty."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    try:
        value = math.nan if isinstance(cell, bool) else float(cell)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise FadernetsError(f"{path}: {cell!r} is not a number")
    return value
