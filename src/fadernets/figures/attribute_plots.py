"""The attributes of an edit over its bars: what the source had, what was asked, what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fadernets.arrays import Array
from fadernets.attributes.table import ATTRIBUTES, CODED
from fadernets.figures.roll_axes import ASKED, KEPT, LINE, MUTED, Bars, TimeAxis, draw_frame, draw_heading

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_MOVED = 2  # attributes plotted besides the model's own
UNITS = {
    "rhythm_density": "share of steps with an onset",
    "note_density": "notes sounding at once",
    "syncopation": "Longuet-Higgins and Lee",
    "pitch": "MIDI number",
    "dynamics": "velocity",
    "articulation": "share of the time to the next onset",
    "tempo": "quarter notes a minute",
}


def plotted(bars: Bars) -> list[str]:
    """The attributes to plot below the rolls.

    They are the model's own and, of the others that were asked for, those that moved farthest in their range; where
    nothing at all was asked, of all the others that moved.
    """
    names = list(dict.fromkeys(name for bar in bars for name in bar["measured"]))
    first = [name for name in names if name not in ATTRIBUTES or name in CODED]
    asked = {name for bar in bars for name, value in bar["asked"].items() if value is not None}
    moved = {}
    for name in names:
        if name not in first and not ATTRIBUTES[name].names and (name in asked or not asked):
            row = ATTRIBUTES[name]
            change = [_value(bar["measured"][name]) - _value(bar["before"].get(name)) for bar in bars]
            moved[name] = float(np.nan_to_num(np.abs(change)).mean()) / (row.high - row.low)
    farthest = sorted((name for name in moved if asked or moved[name]), key=lambda name: -moved[name])[:MOST_MOVED]
    return first + [name for name in names if name in farthest]


def draw_series(axes: Axes, name: str, bars: Bars, time: TimeAxis) -> None:
    """One attribute over the bars, one level a bar before, asked and measured, where there is such a value."""
    from matplotlib.ticker import MaxNLocator

    draw_frame(axes, time, bars)
    rows = {key: np.array([_value(bar[key].get(name)) for bar in bars]) for key in ("before", "asked", "measured")}
    if not np.isnan(rows["before"]).all():
        _steps(axes, rows["before"], time, color=MUTED, lw=1.2, zorder=3, label="before")
    if not np.isnan(rows["asked"]).all():
        _steps(axes, rows["asked"], time, color=ASKED, lw=7, alpha=0.55, zorder=2, label="asked", joined=False)
    _steps(axes, rows["measured"], time, color=KEPT, lw=2.2, zorder=4, label="measured")
    middles = [(start + end) / 2 for start, end in time.spans]
    axes.plot(middles, rows["measured"], "o", ms=4.5, color=KEPT, mec="white", mew=0.8, zorder=5)

    every = np.concatenate(list(rows.values()))
    top, bottom = np.nanmax([0.0, *every]), np.nanmin([np.inf, *every])
    room = 0.15 * (top - bottom) + 1
    axes.set_ylim(*((bottom - room, top + room) if bottom > 0.4 * top > 4 else (0, 1.15 * max(top, 1))))
    axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.grid(axis="y", color=LINE, lw=0.6)
    axes.set_axisbelow(True)

    miss = np.abs(rows["measured"] - rows["asked"])
    words = UNITS.get(name, "")
    if not np.isnan(miss).all():
        words += f"{'; ' if words else ''}measured is {np.nanmean(miss):.2f} from asked on average"
    draw_heading(axes, name.replace("_", " ").capitalize(), words)


def _value(value: float | None) -> float:
    """A value of a report as a number, nan for None."""
    return np.nan if value is None else float(value)


def _steps(axes: Axes, values: Array, time: TimeAxis, *, joined: bool = True, **style: Any) -> None:
    """A horizontal line for each bar's value; where two bars touch and `joined`, a vertical one between them."""
    xs: list[float] = []
    ys: list[float] = []
    for (start, end), value in zip(time.spans, values, strict=True):
        if xs and (not joined or start > xs[-1]):
            xs.append(start)
            ys.append(np.nan)
        xs += [start, end]
        ys += [float(value)] * 2
    axes.plot(xs, ys, solid_capstyle="butt", solid_joinstyle="miter", **style)
