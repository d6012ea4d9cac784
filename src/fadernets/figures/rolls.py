"""Before and after as one picture: two piano rolls, and what was asked of each bar and came of it.

A note of the after roll is told by its shape as well as by its colour: kept notes are plain, notes of
another length hatched, new notes tall with a dark outline, and removed notes are empty dashed boxes.
Louder notes are darker.

Notes are NumPy structured arrays with the fields onset, end (beats), pitch (MIDI), velocity. A bar is a
dict with index, bar (its printed number), start_beat, and before, asked and measured, each {attribute:
value}; what was not asked is None or missing. Colours are Okabe and Ito's, which colour-blind readers can
tell apart.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fadernets.attributes.table import ATTRIBUTES, CODED
from fadernets.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TOLERANCE = 1 / 32  # beats: onsets and ends nearer than this are the same
DPI = 100
INK, MUTED, LINE, BLACK_KEYS, ASKED_BARS = "#1f2328", "#5f6670", "#d5d9de", "#f3f4f6", "#fff4d6"
KEPT, CHANGED, NEW, ASKED = "#0072B2", "#E69F00", "#D55E00", "#CC79A7"
UNITS = {
    "rhythm_density": "share of steps with an onset",
    "note_density": "notes sounding at once",
    "syncopation": "Longuet-Higgins and Lee",
    "pitch": "MIDI number",
    "dynamics": "velocity",
    "articulation": "share of the time to the next onset",
    "tempo": "quarter-beats a minute",
}


class Marks(NamedTuple):
    """What became of every note: three masks that share out the after notes, and one over the before."""

    kept: np.ndarray
    changed: np.ndarray  # same pitch and onset, another length
    new: np.ndarray
    removed: np.ndarray


def compare(before: np.ndarray, after: np.ndarray) -> Marks:
    """Pair the notes of equal pitch and onset; of several, the ones with the nearest ends."""
    kept, changed = np.zeros(len(after), bool), np.zeros(len(after), bool)
    removed = np.ones(len(before), bool)
    waiting: dict[int, list[int]] = {}
    for index in np.argsort(before["onset"], kind="stable"):
        waiting.setdefault(int(before["pitch"][index]), []).append(int(index))
    for index in np.argsort(after["onset"], kind="stable"):
        note = after[index]
        near = [
            i
            for i in waiting.get(int(note["pitch"]), ())
            if removed[i] and abs(before["onset"][i] - note["onset"]) < TOLERANCE
        ]
        if not near:
            continue
        old = min(near, key=lambda i: abs(before["end"][i] - note["end"]))
        removed[old] = False
        same = abs(before["end"][old] - note["end"]) < TOLERANCE
        (kept if same else changed)[index] = True
    return Marks(kept, changed, ~(kept | changed), removed)


def draw_pair(
    before: np.ndarray,
    after: np.ndarray,
    bars: Sequence[Mapping[str, Any]],
    out: Path,
    *,
    title: str,
    size: tuple[int, int] = (1600, 1000),
) -> None:
    """Draw the pair into a PNG file of the given size in pixels; without bars, the two rolls alone."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(size[0] / DPI, size[1] / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    time = _Time.of(before, after, bars, size[0] - LEFT - RIGHT)
    names = plotted(bars)
    first, second, *plots = _rows(figure, size, len(names))
    figure.text(LEFT / size[0], 1 - 16 / size[1], title, va="top", size=17, weight="bold", color=INK)

    marks = compare(before, after)
    keys = _keys(before, after)
    _roll(first, before, {"plain": np.ones(len(before), bool)}, time, keys)
    _heading(first, "Before", f"{len(before)} notes; darker is louder")
    _roll(second, after, {"plain": marks.kept, "hatched": marks.changed, "tall": marks.new}, time, keys, bars)
    _notes(second, before[marks.removed], "empty", time)
    counts = {name: int(getattr(marks, name).sum()) for name in Marks._fields}
    _heading(
        second,
        "After",
        f"{len(after)} notes: {counts['kept']} kept, {counts['changed']} of another length, "
        f"{counts['new']} new; {counts['removed']} removed",
    )
    _legend(second, [_sample(style, label) for style, label in SAMPLES.items()])
    for axes, name in zip(plots, names, strict=True):
        _series(axes, name, bars, time)
    if plots:
        _legend(plots[0], plots[0].get_legend_handles_labels()[0])
    for axes in [second, *plots[-1:]]:
        _numbers(axes, time)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=DPI, metadata={"Software": None})
    write_atomic(Path(out), picture.getvalue())


PANEL = (300, 300)  # pixels of a pair on a sheet
SHEET_TOP = 44  # pixels over a sheet's first row


def draw_sheet(pairs: Sequence[tuple[str, np.ndarray, np.ndarray]], out: Path, *, columns: int = 6) -> None:
    """Many short pairs into one PNG file: each its title, the roll before and, below it, the roll after."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width, height = columns * PANEL[0], -(-len(pairs) // columns) * PANEL[1] + SHEET_TOP
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    gap, title, inner = 12, 22, 8
    tall = (PANEL[1] - title - inner - gap) / 2
    samples = [_sample(style, label) for style, label in SAMPLES.items()]
    figure.legend(handles=samples, loc="upper left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, fontsize=11)
    for i, (text, before, after) in enumerate(pairs):
        left, top = i % columns * PANEL[0] + gap, height - SHEET_TOP - i // columns * PANEL[1]
        figure.text(left / width, (top - 4) / height, text, va="top", size=11, weight="bold", color=INK)
        time, keys = _Time.of(before, after, [], PANEL[0] - 2 * gap), _keys(before, after)
        marks = compare(before, after)
        below = {"plain": marks.kept, "hatched": marks.changed, "tall": marks.new}
        for row, (notes, styles) in enumerate(((before, {"plain": np.ones(len(before), bool)}), (after, below))):
            low = top - title - (row + 1) * tall - row * inner
            box = (left / width, low / height, (PANEL[0] - 2 * gap) / width, tall / height)
            axes = figure.add_axes(box)
            _roll(axes, notes, styles, time, keys)
            axes.set_yticks([])
            axes.set_ylabel("")
        _notes(axes, before[marks.removed], "empty", time)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=DPI, metadata={"Software": None})
    write_atomic(Path(out), picture.getvalue())


CELL = (250, 150)  # pixels of a cell of a grid


def draw_grid(
    cells: Sequence[tuple[str, np.ndarray]], out: Path, *, columns: int, cell: tuple[int, int] = CELL
) -> None:
    """A grid of rolls into one PNG file, all over the same time and pitches: each cell its title and its notes.

    cell: its size in pixels.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    gap, title = 10, 20
    rows = -(-len(cells) // columns)
    width, height = columns * cell[0] + gap, rows * cell[1] + gap
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    every = np.concatenate([notes for _, notes in cells])
    time, keys = _Time.of(every, every, [], cell[0] - gap), _keys(every, every)
    for i, (text, notes) in enumerate(cells):
        left, top = i % columns * cell[0] + gap, height - gap - i // columns * cell[1]
        figure.text(left / width, top / height, text, va="top", size=9, color=INK, parse_math=False)
        low = top - cell[1] + gap
        box = (left / width, low / height, (cell[0] - gap) / width, (cell[1] - gap - title) / height)
        axes = figure.add_axes(box)
        _roll(axes, notes, {"plain": np.ones(len(notes), bool)}, time, keys)
        axes.set_xticks([])
        axes.set_xlabel("")
        axes.set_yticks([])
        axes.set_ylabel("")
    picture = io.BytesIO()
    with warnings.catch_warnings():  # a title has a file's name, in whatever script
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        figure.savefig(picture, format="png", dpi=DPI, metadata={"Software": None})
    write_atomic(Path(out), picture.getvalue())


# --- time, pitch and space


class _Time(NamedTuple):
    """The horizontal axis, in beats."""

    spans: list[tuple[float, float]]  # where each bar starts and ends
    labels: list[str]
    start: float
    end: float
    pixel: float  # beats a pixel is wide

    @classmethod
    def of(cls, before: np.ndarray, after: np.ndarray, bars: Sequence[Mapping[str, Any]], width: int) -> _Time:
        starts = [float(bar["start_beat"]) for bar in bars]
        gaps = [b - a for a, b in pairwise(starts) if b > a]
        usual = min(gaps, default=4.0)  # a longer gap is bars left out
        following = [*starts[1:], np.inf]
        spans = [(a, a + usual if b - a > 1.75 * usual else b) for a, b in zip(starts, following, strict=False)]
        ends = [e for _, e in spans] + [float(n["end"].max()) for n in (before, after) if len(n)]
        onsets = [s for s, _ in spans] + [float(n["onset"].min()) for n in (before, after) if len(n)]
        start, end = min(onsets, default=0.0), max(ends, default=4.0)
        return cls(spans, [str(bar["bar"]) for bar in bars], start, end, (end - start) / width)


LEFT, RIGHT, TOP, BOTTOM = 92, 28, 50, 36  # pixels around everything
HEADING = 34  # pixels over each row
UNDER = (14, 30, 16)  # pixels under the first roll, the second and its bar numbers, a plot
PLOT = 0.3  # height of an attribute's plot, in heights of a roll


def _rows(figure: Any, size: tuple[int, int], plots: int) -> list[Axes]:
    """Two rolls and the plots under them, placed by the pixel."""
    width, height = size
    under = [*UNDER[:2], *UNDER[2:] * plots][: 2 + plots]
    free = height - TOP - BOTTOM - HEADING * len(under) - sum(under[:-1])
    axes: list[Axes] = []
    top = float(height - TOP)
    for row, gap in enumerate(under):
        tall = free / (2 + PLOT * plots) * (1.0 if row < 2 else PLOT)
        top -= HEADING
        box = (LEFT / width, (top - tall) / height, (width - LEFT - RIGHT) / width, tall / height)
        axes.append(figure.add_axes(box))
        top -= tall + gap
    return axes


def _keys(before: np.ndarray, after: np.ndarray) -> tuple[int, int]:
    """The lowest and highest key drawn; at least an octave and a half."""
    pitches = np.concatenate([before["pitch"], after["pitch"]])
    low, high = (int(pitches.min()), int(pitches.max())) if len(pitches) else (60, 60)
    spare = max(2, (18 - (high - low)) // 2)
    return max(0, low - spare), min(127, high + spare)


def _frame(axes: Axes, time: _Time, bars: Sequence[Mapping[str, Any]] = ()) -> None:
    """Bar lines, beat ticks; bars of which something was asked are tinted where not every bar is one."""
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
    if time.pixel < 1 / 20:  # beats far enough apart for lines of their own
        axes.vlines(beats, 0, 1, transform=axes.get_xaxis_transform(), colors=LINE, lw=0.7, ls=":", zorder=1)
    axes.tick_params("y", length=0, labelsize=11, labelcolor=MUTED)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)


def _numbers(axes: Axes, time: _Time) -> None:
    """The bars' numbers, in the middle of each; where they would touch, every second, third, ... alone."""
    look: dict[str, Any] = {
        "xycoords": axes.get_xaxis_transform(),
        "textcoords": "offset points",
        "va": "top",
        "size": 11,
        "color": MUTED,
    }
    room = 30 * time.pixel / min((end - start for start, end in time.spans), default=1)  # bars a number needs
    for (start, end), label in list(zip(time.spans, time.labels, strict=True))[:: max(1, int(np.ceil(room)))]:
        axes.annotate(label, ((start + end) / 2, 0), xytext=(0, -8), ha="center", **look)
    if time.spans:
        axes.annotate("bar", (time.start, 0), xytext=(-7, -8), ha="right", **look)


# --- notes


SAMPLES = {"plain": "kept", "hatched": "other length", "tall": "new", "empty": "removed"}
STYLES: dict[str, dict[str, Any]] = {
    "plain": {"color": KEPT, "half": 0.5, "edge": "white", "width": 0.3},
    "hatched": {"color": CHANGED, "half": 0.5, "edge": INK, "width": 0.5, "hatch": "//////"},
    "tall": {"color": NEW, "half": 0.7, "edge": INK, "width": 1.0},
    "empty": {"color": "none", "half": 0.45, "edge": MUTED, "width": 0.8, "dashes": (0, (2.5, 1.5))},
}


def _roll(
    axes: Axes,
    notes: np.ndarray,
    styles: Mapping[str, np.ndarray],
    time: _Time,
    keys: tuple[int, int],
    bars: Sequence[Mapping[str, Any]] = (),
) -> None:
    _frame(axes, time, bars)
    low, high = keys
    for key in range(low, high + 1):
        if key % 12 in (1, 3, 6, 8, 10):
            axes.axhspan(key - 0.5, key + 0.5, color=BLACK_KEYS, lw=0, zorder=-1)
    names = [key for key in range(low, high + 1) if key % 12 == 0 or (high - low < 30 and key % 12 == 7)]
    axes.set_ylim(low - 0.5, high + 0.5)
    axes.set_yticks(names, [f"{'G' if key % 12 else 'C'}{key // 12 - 1}  {key}" for key in names])
    axes.set_ylabel("MIDI pitch", size=12, color=MUTED)
    for style, mask in styles.items():
        _notes(axes, notes[mask], style, time)


def _notes(axes: Axes, notes: np.ndarray, style: str, time: _Time) -> None:
    """The notes as boxes of one style, darker where louder, never too narrow to be seen."""
    from matplotlib.collections import PolyCollection

    look = STYLES[style]
    left, right = notes["onset"], np.maximum(notes["end"], notes["onset"] + 3.5 * time.pixel)
    low, high = (notes["pitch"] + half for half in (-look["half"], look["half"]))
    dashes: Any = "solid"
    if "dashes" in look:  # a short box would show a corner alone
        dashes = [look["dashes"] if wide else "solid" for wide in right - left > 9 * time.pixel] or "solid"
    corners = np.stack([left, low, right, low, right, high, left, high], axis=-1).reshape(-1, 4, 2)
    boxes = PolyCollection(
        list(corners),
        facecolors=_shades(look["color"], notes["velocity"]),
        edgecolors=look["edge"],
        linewidths=look["width"],
        linestyles=dashes,
        hatch=look.get("hatch"),
        zorder=4 if style == "tall" else 3,
    )
    axes.add_collection(boxes, autolim=False)


def _shades(color: str, velocity: np.ndarray) -> Any:
    """Softer notes mixed with white; full colour from velocity 100."""
    from matplotlib.colors import to_rgb

    if color == "none":
        return color
    strength = np.clip(0.4 + 0.6 * velocity / 100, 0.4, 1)[:, None]  # (notes, 1)
    return 1 - strength * (1 - np.array(to_rgb(color)))


# --- words


def _heading(axes: Axes, name: str, rest: str) -> None:
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


def _legend(axes: Axes, handles: list[Any]) -> None:
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


def plotted(bars: Sequence[Mapping[str, Any]]) -> list[str]:
    """The attributes to plot below the rolls: the model's two and, of others that were asked for, the two that moved
    farthest in their range."""
    names = list(dict.fromkeys(name for bar in bars for name in bar["measured"]))
    first = [name for name in names if name not in ATTRIBUTES or name in CODED]
    moved = {}
    for name in names:
        asked = any(bar["asked"].get(name) is not None for bar in bars)
        if name not in first and asked and not ATTRIBUTES[name].names:
            row = ATTRIBUTES[name]
            change = [_value(bar["measured"][name]) - _value(bar["before"][name]) for bar in bars]
            moved[name] = float(np.nan_to_num(np.abs(change)).mean()) / (row.high - row.low)
    farthest = sorted(moved, key=lambda name: -moved[name])[:2]
    return first + [name for name in names if name in farthest]


def _sample(style: str, label: str) -> Any:
    from matplotlib.patches import Patch

    look = STYLES[style]
    return Patch(
        facecolor=look["color"],
        edgecolor=look["edge"],
        linewidth=look["width"],
        linestyle=look.get("dashes", "solid"),
        hatch=look.get("hatch"),
        label=label,
    )


# --- attributes


def _series(axes: Axes, name: str, bars: Sequence[Mapping[str, Any]], time: _Time) -> None:
    """One attribute over the bars: what the source had, what was asked, what was measured."""
    from matplotlib.ticker import MaxNLocator

    _frame(axes, time, bars)
    rows = {key: np.array([_value(bar[key].get(name)) for bar in bars]) for key in ("before", "asked", "measured")}
    _steps(axes, rows["before"], time, color=MUTED, lw=1.2, zorder=3, label="before")
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
    _heading(axes, name.replace("_", " ").capitalize(), words)


def _value(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _steps(axes: Axes, values: np.ndarray, time: _Time, *, joined: bool = True, **look: Any) -> None:
    """One level a bar; joined levels that touch are connected by an upright."""
    xs: list[float] = []
    ys: list[float] = []
    for (start, end), value in zip(time.spans, values, strict=True):
        if xs and (not joined or start > xs[-1]):
            xs.append(start)
            ys.append(np.nan)
        xs += [start, end]
        ys += [float(value)] * 2
    axes.plot(xs, ys, solid_capstyle="butt", solid_joinstyle="miter", **look)
