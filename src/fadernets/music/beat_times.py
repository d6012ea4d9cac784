"""Beats of a performance that its file does not know: their times, a file of them, and the grid that they make.

Times are in seconds from the start of the file. A beat counts as a quarter; bars begin on downbeats. B beats.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fadernets.arrays import Bools, Floats, Integers
from fadernets.errors import FadernetsError, in_megabytes
from fadernets.files import write_atomic
from fadernets.music.metric_grid import LONG_BAR, Beats, MetricGrid, Segments
from fadernets.music.notes import Piece

MAX_FILE_BYTES = 2**22
FEWEST = 2  # beats of a piece: with one there is no distance between beats
CLOSEST = 0.05  # seconds between beats
FARTHEST = 30.0


@dataclass(frozen=True, eq=False)
class BeatTimes:
    """When the beats of a performance fall."""

    seconds: Floats  # [B] ascending
    downbeat: Bools | None = None  # [B] which of them begin a bar; None: the metre of the file counts them

    @classmethod
    def read(cls, path: Path) -> BeatTimes:
        """A file with a line a beat: its time and, in a second column, 1 for a downbeat and 0 for others.

        Columns are separated by spaces, tabs or a comma; lines that begin with # are left out. Raises FadernetsError.
        """
        if "\0" in str(path):
            raise FadernetsError(f"{str(path)!r:.100}: cannot be read (no path has a null character)")
        try:
            size = path.stat().st_size
            if size > MAX_FILE_BYTES:
                raise FadernetsError(f"{path}: {in_megabytes(size)}; at most {in_megabytes(MAX_FILE_BYTES)} are read")
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except OSError as error:
            raise FadernetsError(f"{path}: cannot be read ({error.strerror or error})") from None
        except UnicodeDecodeError:
            raise FadernetsError(f"{path}: is not text") from None
        rows = [line.replace(",", " ").split() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        for number, row in enumerate(rows, 1):
            if len(row) != len(rows[0]) or len(row) > 2 or (len(row) == 2 and row[1] not in ("0", "1")):
                raise FadernetsError(f"{path}: beat {number}: expected seconds and, in all lines or none, 0 or 1")
        seconds = np.array([_seconds(path, row[0]) for row in rows], np.float64)
        return cls.checked(seconds, [row[1] == "1" for row in rows] if rows and len(rows[0]) == 2 else None, str(path))

    @classmethod
    def of(cls, beats: BeatTimes | str | os.PathLike[str] | None) -> BeatTimes | None:
        """Beats as callers give them: themselves, a file of them, or none. Raises FadernetsError."""
        if isinstance(beats, (str, os.PathLike)):
            return cls.read(Path(beats))
        if not isinstance(beats, BeatTimes | None):
            raise FadernetsError(f"beats: give a file of beats, or BeatTimes.checked(seconds), not {beats!r:.60}")
        return beats

    @classmethod
    def checked(cls, seconds: Floats, downbeat: list[bool] | None = None, where: str = "beats") -> BeatTimes:
        """Beats of values from outside. Raises FadernetsError."""
        seconds = np.asarray(seconds, np.float64)
        if len(seconds) < FEWEST:
            raise FadernetsError(f"{where}: {len(seconds)} beats; at least {FEWEST} are needed")
        gaps = np.diff(seconds)
        if not np.isfinite(seconds).all() or seconds[0] < 0 or gaps.min() < CLOSEST or gaps.max() > FARTHEST:
            raise FadernetsError(
                f"{where}: times of beats rise from 0 on by {CLOSEST:g} to {FARTHEST:g} seconds from one to the next"
            )
        if downbeat is not None and not any(downbeat):
            raise FadernetsError(f"{where}: none of the beats begins a bar")
        return cls(seconds, None if downbeat is None else np.array(downbeat, bool))

    def write(self, path: Path) -> None:
        """Write the file that `read` reads, whole or not at all. Raises FadernetsError."""
        marks = [""] * len(self.seconds) if self.downbeat is None else [f" {int(d)}" for d in self.downbeat]
        lines = [f"{time:.4f}{mark}\n" for time, mark in zip(self.seconds.tolist(), marks, strict=True)]
        write_atomic(path, "".join(lines).encode())

    def grid(self, piece: Piece) -> MetricGrid:
        """The grid of a piece whose beats these are: a segment is a bar, or half of one of more than five beats.

        Before the first beat and behind the last one, beats go on as far apart as the nearest two. What lies before the
        first downbeat is a segment of the first bar.
        """
        ticks, first, downbeat = self._ticks(piece)
        opens = _downbeats(piece, len(ticks) - 1, first, downbeat)
        edges: list[int] = []  # numbers of the beats with which segments begin
        bars: list[int] = []
        lines = np.flatnonzero(opens).tolist()
        if lines[0] > 0:
            edges.append(0)
            bars.append(1)
        for number, (a, b) in enumerate(zip(lines, [*lines[1:], len(ticks) - 1], strict=True), 1):
            parts = [a, a + math.ceil((b - a) / 2)] if b - a > LONG_BAR else [a]
            edges += parts
            bars += [number] * len(parts)
        begin = np.array(edges, np.int64)
        counts = np.diff(np.append(begin, len(ticks) - 1))
        segment = np.repeat(np.arange(len(begin)), counts)
        beats = Beats(
            ticks[:-1],
            ticks[1:],
            np.ones(len(ticks) - 1),
            segment,
            np.arange(len(segment)) - begin[segment],
            np.diff(ticks).astype(np.float64),
        )
        start, bar = ticks[begin], np.array(bars, np.int64)
        return MetricGrid.of_segments(piece, Segments(start, np.append(start[1:], ticks[-1]), bar, bar, beats))

    def _ticks(self, piece: Piece) -> tuple[Integers, int, Bools | None]:
        """The ticks of all beats from the file's start to its end, how many of them stand before the first of these,
        and which of these that are left begin a bar. Of beats that fall on one tick the first is left; it begins a bar
        where one of them does."""
        ticks = np.round(piece.tempo.ticks_at(self.seconds)).astype(np.int64)
        own = np.append(True, np.diff(ticks) > 0)
        downbeat = None if self.downbeat is None else np.logical_or.reduceat(self.downbeat, np.flatnonzero(own))
        ticks = ticks[own]
        if len(ticks) < FEWEST:
            raise FadernetsError("beats: lie too close together for the ticks of the file")
        before = np.arange(ticks[0] - (ticks[1] - ticks[0]), -1, -(ticks[1] - ticks[0]))[::-1]
        before = before if not len(before) or before[0] == 0 else before[before > 0]
        if ticks[0] > 0 and (not len(before) or before[0] > 0):  # the rest is part of the first beat
            before = np.append(0, before[1:]) if len(before) else np.zeros(1, np.int64)
        last = ticks[-1] - ticks[-2]
        after = np.arange(ticks[-1] + last, max(piece.end, int(ticks[-1]) + 1) + last, last)
        return np.concatenate([before, ticks, after]).astype(np.int64), len(before), downbeat


def _downbeats(piece: Piece, count: int, first: int, downbeat: Bools | None) -> Bools:
    """[count] which beats begin a bar, of which the first of `downbeat` is number `first`.

    Bars behind the last downbeat are as long as the last one; without downbeats all are as the file's metre says.
    """
    opens = np.zeros(count, bool)
    if downbeat is None:
        quarters = max(round(4 * int(piece.metre.numerators[0]) / int(piece.metre.denominators[0])), 1)
        opens[first % quarters :: quarters] = True
        return opens
    marked = first + np.flatnonzero(downbeat)
    marked = marked[marked < count]
    opens[marked] = True
    last = int(marked[-1] - marked[-2]) if len(marked) > 1 else count
    opens[marked[-1] :: last] = True
    return opens


def _seconds(path: Path, text: str) -> float:
    """A time in a file. Raises FadernetsError."""
    try:
        return float(text)
    except ValueError:
        raise FadernetsError(f"{path}: {text!r:.40} is no time of a beat, in seconds") from None
