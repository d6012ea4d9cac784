"""One piano roll on Matplotlib axes: bar lines, keys and notes, and the heading and legend above them.

Notes are arrays of `ROLL_NOTE`: onset and end in quarter notes, pitch as MIDI number, velocity. A bar is a dict with
index, bar (its printed number), start_beat, and before, asked and measured, each {attribute: value}; what was not asked
is None or missing. Colours are Okabe and Ito's, which colour-blind readers can tell apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fadernets.arrays import Array, Bools

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Bars = Sequence[Mapping[str, Any]]
INK, MUTED, LINE, BLACK_KEYS, ASKED_BARS = "#1f2328", "#5f6670", "#d5d9de", "#f3f4f6", "#fff4d6"
KEPT, CHANGED, NEW, ASKED = "#0072B2", "#E69F00", "#D55E00", "#CC79A7"
OTHERS = "#d9dce1"  # notes of tracks that are not edited
USUAL_GAP = 1.75  # of the shortest bar: where bars begin further apart than this, some are left out between them
NARROWEST = 3.5  # pixels of a note
DASHED_FROM = 9  # pixels of a note whose outline is dashed: a shorter one would show a corner alone
BEAT_LINES = 1 / 20  # beats a pixel, below which beats have lines of their own
NUMBER_ROOM = 30  # pixels of a bar's number
SAMPLES = {"plain": "kept", "hatched": "other length", "tall": "new", "empty": "removed"}
STYLES: dict[str, dict[str, Any]] = {
    "plain": {"color": KEPT, "half": 0.5, "edge": "white", "width": 0.3},
    "hatched": {"color": CHANGED, "half": 0.5, "edge": INK, "width": 0.5, "hatch": "//////"},
    "tall": {"color": NEW, "half": 0.7, "edge": INK, "width": 1.0},
    "other": {"color": OTHERS, "half": 0.5, "edge": "white", "width": 0.3},
    "empty": {"color": "none", "half": 0.45, "edge": MUTED, "width": 0.8, "dashes": (0, (2.5, 1.5))},
}


class TimeAxis(NamedTuple):
    """The horizontal axis, in quarter notes."""

    spans: list[tuple[float, float]]  # where each bar starts and ends
    labels: list[str]
    start: float
    end: float
    pixel: float  # width of a pixel

    @classmethod
    def of(cls, before: Array, after: Array, bars: Bars, width: int) -> TimeAxis:
        """The axis that shows these notes and bars in so many pixels."""
        starts = [float(bar["start_beat"]) for bar in bars]
        gaps = [b - a for a, b in pairwise(starts) if b > a]
        usual = min(gaps, default=4.0)  # a longer gap is bars left out
        following = [*starts[1:], np.inf]
        spans = [(a, a + usual if b - a > USUAL_GAP * usual else b) for a, b in zip(starts, following, strict=False)]
        ends = [e for _, e in spans] + [float(n["end"].max()) for n in (before, after) if len(n)]
        onsets = [s for s, _ in spans] + [float(n["onset"].min()) for n in (before, after) if len(n)]
        start, end = min(onsets, default=0.0), max(ends, default=4.0)
        return cls(spans, [str(bar["bar"]) for bar in bars], start, end, (end - start) / width)


def key_range(before: Array, after: Array) -> tuple[int, int]:
    """The lowest and the highest key to draw; at least an octave and a half."""
    pitches = np.concatenate([before["pitch"], after["pitch"]])
    low, high = (int(pitches.min()), int(pitches.max())) if len(pitches) else (60, 60)
    spare = max(2, (18 - (high - low)) // 2)
    return max(0, low - spare), min(127, high + spare)


def draw_frame(axes: Axes, time: TimeAxis, bars: Bars = ()) -> None:
    """Bar lines and beat ticks. Where an edit asked something of some bars, those are tinted."""
    from matplotlib.markers import TICKDOWN  # drawn as one line of markers: real ticks cost a second

    axes.set_xlim(time.start, time.end)
    asked = [any(value is not None for value in bar["asked"].values()) for bar in bars]
    for (start, end), tinted in zip(time.spans, asked, strict=False):
        if tinted and not all(asked):
            axes.axvspan(start, end, color=ASKED_BARS, lw=0, zorder=-2)
    lines = sorted({beat for span in time.spans for beat in span})
    axes.vlines(lines, 0, 1, transform=axes.get_xaxis_transform(), colors=LINE, lw=1, zorder=1)
    axes.set_xticks([])
    beats = [beat for start, end in time.spans for beat in np.arange(start + 1, end - 1e-6)]
    for places, length in ((lines, 6), (beats, 3)):
        axes.plot(
            places,
            np.zeros(len(places)),
            ls="",
            marker=TICKDOWN,
            ms=length,
            color=MUTED,
            transform=axes.get_xaxis_transform(),
            clip_on=False,
        )
    if time.pixel < BEAT_LINES:
        axes.vlines(beats, 0, 1, transform=axes.get_xaxis_transform(), colors=LINE, lw=0.7, ls=":", zorder=1)
    axes.tick_params("y", length=0, labelsize=11, labelcolor=MUTED)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)


def draw_bar_numbers(axes: Axes, time: TimeAxis) -> None:
    """The number of each bar below its middle; of every second, third, ... alone where they would touch."""
    text_style: dict[str, Any] = {
        "xycoords": axes.get_xaxis_transform(),
        "textcoords": "offset points",
        "va": "top",
        "size": 11,
        "color": MUTED,
    }
    room = NUMBER_ROOM * time.pixel / min((end - start for start, end in time.spans), default=1)  # bars a number needs
    for (start, end), label in list(zip(time.spans, time.labels, strict=True))[:: max(1, int(np.ceil(room)))]:
        axes.annotate(label, ((start + end) / 2, 0), xytext=(0, -8), ha="center", **text_style)
    if time.spans:
        axes.annotate("bar", (time.start, 0), xytext=(-7, -8), ha="right", **text_style)


def draw_roll(
    axes: Axes,
    notes: Array,
    styles: Mapping[str, Bools],
    time: TimeAxis,
    keys: tuple[int, int],
    bars: Bars = (),
) -> None:
    """A roll from the lowest to the highest of `keys`; `styles` says which notes, masks [N], have which of STYLES."""
    draw_frame(axes, time, bars)
    low, high = keys
    for key in range(low, high + 1):
        if key % 12 in (1, 3, 6, 8, 10):
            axes.axhspan(key - 0.5, key + 0.5, color=BLACK_KEYS, lw=0, zorder=-1)
    names = [key for key in range(low, high + 1) if key % 12 == 0 or (high - low < 30 and key % 12 == 7)]
    axes.set_ylim(low - 0.5, high + 0.5)
    axes.set_yticks(names, [f"{'G' if key % 12 else 'C'}{key // 12 - 1}  {key}" for key in names])
    axes.set_ylabel("MIDI pitch", size=12, color=MUTED)
    for style, mask in styles.items():
        draw_notes(axes, notes[mask], style, time)


def draw_notes(axes: Axes, notes: Array, style: str, time: TimeAxis) -> None:
    """The notes as boxes of one of STYLES, darker where louder, and never too narrow to be seen."""
    from matplotlib.collections import PolyCollection

    shape = STYLES[style]
    left, right = notes["onset"], np.maximum(notes["end"], notes["onset"] + NARROWEST * time.pixel)
    low, high = (notes["pitch"] + half for half in (-shape["half"], shape["half"]))
    dashes: Any = "solid"
    if "dashes" in shape:
        dashes = [shape["dashes"] if wide else "solid" for wide in right - left > DASHED_FROM * time.pixel] or "solid"
    corners = np.stack([left, low, right, low, right, high, left, high], axis=-1).reshape(-1, 4, 2)
    boxes = PolyCollection(
        list(corners),
        facecolors=_shades(shape["color"], notes["velocity"]),
        edgecolors=shape["edge"],
        linewidths=shape["width"],
        linestyles=dashes,
        hatch=shape.get("hatch"),
        zorder=4 if style == "tall" else 3,
    )
    axes.add_collection(boxes, autolim=False)


def _shades(color: str, velocity: Array) -> Any:
    """[N, 3] softer notes mixed with white, full colour from velocity 100; or `none` as it is."""
    from matplotlib.colors import to_rgb

    if color == "none":
        return color
    strength = np.clip(0.4 + 0.6 * velocity / 100, 0.4, 1)[:, None]  # (notes, 1)
    return 1 - strength * (1 - np.array(to_rgb(color)))


def draw_heading(axes: Axes, name: str, rest: str) -> None:
    """A name above the axes, and after it what else there is to say."""
    word = axes.annotate(
        name,
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 6),
        textcoords="offset points",
        size=14,
        weight="bold",
        color=INK,
    )
    axes.annotate(
        rest,
        (1, 0),
        xycoords=word,
        xytext=(10, 0),
        textcoords="offset points",
        va="bottom",
        size=12,
        color=MUTED,
    )


def draw_legend(axes: Axes, handles: list[Any]) -> None:
    """A legend in one line, above the axes on the right."""
    axes.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        borderaxespad=0.2,
        ncols=len(handles),
        frameon=False,
        fontsize=12,
        labelcolor=INK,
        handlelength=2,
        columnspacing=1.6,
    )


def legend_sample(style: str, label: str) -> Any:
    """A box in one of STYLES for a legend."""
    from matplotlib.patches import Patch

    shape = STYLES[style]
    return Patch(
        facecolor=shape["color"],
        edgecolor=shape["edge"],
        linewidth=shape["width"],
        linestyle=shape.get("dashes", "solid"),
        hatch=shape.get("hatch"),
        label=label,
    )
