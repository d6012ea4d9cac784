"""What an edit did, in the attributes' own units: a report a segment, means, warnings and the tables that print them.

S full segments of a piece; values are None where there is nothing to measure or nothing was asked.
"""

from __future__ import annotations

import html
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fadernets.arrays import Cells, Floats, Indices
from fadernets.attributes import of_cells
from fadernets.attributes import table as attribute_table
from fadernets.attributes.keys import KEY_NAMES, estimate
from fadernets.attributes.table import ATTRIBUTES, CLOSE, CODED, USER_DEFINED
from fadernets.codecs import grid
from fadernets.editing.piece_on_grid import PieceOnGrid

LONG_PIECE = 3600  # seconds: a longer piece is edited, with a warning
MOST_BARS_NAMED = 8  # bars that a warning lists
Value = float | str | None  # of an attribute, as reports have it


@dataclass(frozen=True)
class SegmentReport:
    """One segment, a window of four quarter notes or a bar: attribute -> value before the edit, as asked, and after.

    Values are in the attributes' own units (`fadernets.list_faders`). `before` is measured on the grid that the request
    needs: steps may be finer than those of `measure` where an edit asks for more onsets than these have room for.

    index: among the piece's segments. bar, last_bar: in which it begins and ends, from 1; a window has no last bar.
    start_beat: quarter notes from the start of the file. edited: whether it was to be edited.
    """

    index: int
    bar: int
    start_beat: float
    before: dict[str, Value]
    asked: dict[str, Value]
    measured: dict[str, Value]
    last_bar: int | None = None
    edited: bool = False

    @property
    def bars(self) -> str:
        """The bar, or the bars as a range."""
        return bars_of(self.bar, self.last_bar)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without a last bar where there is none."""
        return {
            name: value
            for name, value in vars(self).items()
            if name != "edited" and (name != "last_bar" or value is not None)
        }


@dataclass(frozen=True, repr=False)
class EditReport:
    """What an edit did; `as_dict` is the command line's --json, `print(table(report))` its table.

    model: its name. preset: its name, amount and moves, and the faders that were held. segments: of the whole piece;
    `edited_segments` are those that were to be edited. means: `before` and `measured`, of the edited segments, each
    attribute in its own unit, and their key. warnings: sentences on what the piece or the edit could not do.
    """

    model: str
    seed: int
    preset: dict[str, Any] | None
    segments: list[SegmentReport]
    means: dict[str, dict[str, Value]]
    warnings: list[str]

    @property
    def edited_segments(self) -> list[SegmentReport]:
        """The segments that were to be edited."""
        return [segment for segment in self.segments if segment.edited]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self), "segments": [segment.as_dict() for segment in self.segments]}

    def __repr__(self) -> str:
        edited, warned = len(self.edited_segments), len(self.warnings)
        return f"<EditReport by {self.model}: {edited} of {len(self.segments)} segments, {warned} warnings>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the table and the warnings."""
        return f"<pre>{html.escape(chr(10).join([table(self), *self.warnings]))}</pre>"


def compare(
    before: PieceOnGrid, after: PieceOnGrid, edited: Indices, asked: dict[str, Floats], holds: bool
) -> list[SegmentReport]:
    """A report on every full segment of a piece before and after an edit of the segments `edited` [S].

    asked: attribute -> [S]. With `holds`, the model's faders that were not asked for are to stay at the source's own
    value, which is then reported as asked; but articulation moves the ends of notes, and with them note density, and
    what a user's change of notes moves beside its own attribute is not known.
    """
    full = before.full
    first, last = before.measured, after.measured
    position = {int(w): i for i, w in enumerate(edited)}
    held = _held(asked) if holds else ()
    segments = []
    for i, w in enumerate(full.tolist()):
        place = position.get(w)
        targets: dict[str, Value] = dict.fromkeys(ATTRIBUTES)
        if place is not None and asked:
            targets |= {name: shown(name, first[name][i]) for name in held}
            targets |= {name: shown(name, values[place]) for name, values in asked.items()}
        segments.append(
            SegmentReport(
                index=w,
                bar=int(before.windows.bar[w]),
                start_beat=number(before.windows.start_beat()[w]),
                before={name: shown(name, v[i]) for name, v in first.items()},
                asked=targets,
                measured={name: shown(name, v[i]) for name, v in last.items()},
                last_bar=None if before.is_in_windows else int(before.windows.last_bar[w]),
                edited=place is not None,
            )
        )
    return segments


def _held(asked: Collection[str]) -> list[str]:
    """The model's faders that stay where they are when the faders `asked` move."""
    if any(name in USER_DEFINED and ATTRIBUTES[name].of == "performance" for name in asked):
        return []
    return [name for name in CODED if name not in asked and (name != "note_density" or "articulation" not in asked)]


def describe(piece: PieceOnGrid, windows: Indices) -> dict[str, Value]:
    """The mean of each attribute over these full windows where there is something to measure, and their common key."""
    means: dict[str, Value] = dict.fromkeys(ATTRIBUTES)
    if len(windows):
        places = np.searchsorted(piece.full, windows)
        for name, every in piece.measured.items():
            values = every[places]
            known = values[np.isfinite(values)]
            means[name] = number(known.mean()) if len(known) and not ATTRIBUTES[name].names else None
        if (piece.cells(windows) != grid.OFF).any():
            means["key"] = KEY_NAMES[piece.key(windows)]
    return means


def means_of(cells: Cells) -> dict[str, Any]:
    """Means of the model's attributes over those of cells [S, 16, 88] that sound, and the key of them all; None where
    none does."""
    cells = cells[(cells != grid.OFF).any((1, 2))]
    if not len(cells):
        return dict.fromkeys((*CODED, "key"))
    histogram = of_cells.pitch_classes(cells).sum(0, keepdims=True)
    means = {name: number(values.mean()) for name, values in attribute_table.measure(cells).items()}
    return {**means, "key": KEY_NAMES[estimate(histogram)[0]]}


def shown(name: str, value: Any) -> Value:
    """An attribute's value as reports have it: rounded, by name where it is a kind, None where nothing was measured."""
    if not np.isfinite(value):
        return None
    names = ATTRIBUTES[name].names
    return names[int(value)] if names else number(value)


def number(value: Any) -> float:
    """A number as reports have it: six decimals."""
    return round(float(value), 6)


def warn_of_oddities(piece: PieceOnGrid, warnings: list[str]) -> None:
    """Add what a user should know of a piece before it is edited."""
    pitch = piece.piece.notes["pitch"]
    beyond = int(((pitch < grid.LOW) | (pitch >= grid.LOW + grid.PITCHES)).sum())
    if beyond:
        warnings.append(f"notes outside the piano's 88 keys: {beyond}, kept at their pitch and on no grid")
    seconds = piece.piece.seconds()
    if seconds > LONG_PIECE:
        warnings.append(f"the piece lasts {seconds / 3600:.1f} hours, {len(piece.full)} segments: this takes a while")


def warn_of_misses(segments: list[SegmentReport], warnings: list[str], piece: PieceOnGrid | None = None) -> None:
    """Add how many segments ended further from what was asked than the attribute's `near`.

    Rhythm density counts whole onset steps: in short segments of the `piece`, half of one is near as well.
    """
    half = {} if piece is None else {w: 0.5 / n for w, n in enumerate(piece.sixteenths().tolist())}
    for name, row in ATTRIBUTES.items():
        if row.names:
            continue
        least = half if name == "rhythm_density" else {}
        missed = [
            s.bars
            for s in segments
            if s.asked[name] is not None and _distance(s, name) > max(row.near, least.get(s.index, 0.0)) + CLOSE
        ]
        if missed:
            bars = named_bars(missed)
            warnings.append(
                f"{row.option}: segments that ended more than {row.near:g} from the asked value: "
                f"{len(missed)} (bars {bars})"
            )


def bars_of(bar: int, last_bar: int | None) -> str:
    """A segment's bar, or its bars as a range: 2 or 2-3."""
    return str(bar) if last_bar in (None, bar) else f"{bar}-{last_bar}"


def named_bars(bars: Sequence[str]) -> str:
    """The first few of some bars, as a warning lists them."""
    return ", ".join(bars[:MOST_BARS_NAMED]) + (", ..." if len(bars) > MOST_BARS_NAMED else "")


def _distance(segment: SegmentReport, name: str) -> float:
    """How far an attribute of a segment ended from what was asked."""
    asked, measured = segment.asked[name], segment.measured[name]
    return math.inf if measured is None else abs(float(asked or 0) - float(measured))


def table(report: EditReport, every: bool = False) -> str:
    """A line for each segment of which something was asked, and one for the mean of the edited segments: before, asked
    and now (in the written file), of the model's faders and of those asked for.

    every: a line for each segment of the report, as where nothing is asked by value (a preset of codes).
    """
    names = [n for n in ATTRIBUTES if n in CODED or any(s.asked[n] is not None for s in report.segments)]
    widths = {n: 15 if ATTRIBUTES[n].names else 7 for n in names}
    head = f"{'bar':>5}" + "".join(f"  {n.replace('_', ' '):^{3 * widths[n] + 2}}" for n in names)
    columns = "".join("  " + " ".join(f"{word:>{widths[n]}}" for word in ("before", "asked", "now")) for n in names)
    lines = [head, f"{'':>5}{columns}"]
    asked = [s for s in report.segments if any(value is not None for value in s.asked.values())]
    rows = [(s.bars, s.before, s.asked, s.measured) for s in (report.segments if every or not asked else asked)]
    mean = {n: _mean_asked([s.asked[n] for s in asked if s.asked[n] is not None]) for n in names}
    for bars, *each in [*rows, ("mean", report.means["before"], mean, report.means["measured"])]:
        triples = ((widths[n], [values[n] for values in each]) for n in names)
        values = ("  " + " ".join(f"{cell(value):>{width}}" for value in triple) for width, triple in triples)
        lines.append(f"{bars:>5}" + "".join(values))
    return "\n".join(lines) if report.segments else "no segment to edit"


def _mean_asked(values: Sequence[Value]) -> Value:
    """The mean of what was asked of segments, or the key of them all; None where there is none."""
    numbers = [value for value in values if isinstance(value, float)]
    if numbers:
        return math.fsum(numbers) / len(numbers)
    return values[0] if len(set(values)) == 1 else None


def cell(value: Value) -> str:
    """A value as the tables print it."""
    return "-" if value is None else value if isinstance(value, str) else f"{value:.2f}"
