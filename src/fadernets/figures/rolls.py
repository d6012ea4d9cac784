"""Piano rolls as pictures: an edit before and after, sheets of many edits, and the cells of a blend.

A note of the after roll is told by its shape as well as by its colour: kept notes are plain, notes of
another length hatched, new notes tall with a dark outline, and removed notes are empty dashed boxes.
Louder notes are darker. Notes and bars are those of `roll_axes`; sizes are in pixels.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fadernets.arrays import Array
from fadernets.figures.attribute_plots import draw_series, plotted
from fadernets.figures.note_marks import Marks, compare
from fadernets.figures.roll_axes import (
    INK,
    SAMPLES,
    Bars,
    TimeAxis,
    draw_bar_numbers,
    draw_heading,
    draw_legend,
    draw_notes,
    draw_roll,
    key_range,
    legend_sample,
)
from fadernets.files import write_atomic
from fadernets.music.notes import ROLL_NOTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DPI = 100
LEFT, RIGHT, TOP, BOTTOM = 92, 28, 50, 36  # pixels around everything
HEADING = 34  # pixels over each row
UNDER = (14, 30, 16)  # pixels under the first roll, the second and its bar numbers, a plot
PLOT = 0.3  # height of an attribute's plot, in heights of a roll
PANEL = (300, 300)  # pixels of a pair on a sheet
SHEET_TOP = 44  # pixels over a sheet's first row
CELL = (250, 150)  # pixels of a cell of a blend
NONE: Array = np.empty(0, ROLL_NOTE)


def draw_pair(
    before: Array,
    after: Array,
    bars: Bars,
    out: Path,
    *,
    title: str,
    others: tuple[Array, Array] = (NONE, NONE),
    size: tuple[int, int] = (1600, 1000),
) -> None:
    """Two rolls and, below them, the attributes of each bar, as a PNG file; without bars, the two rolls alone.

    others: notes of other tracks before and after, which are grey.
    """
    figure = _figure(*size)
    time = TimeAxis.of(before, after, bars, size[0] - LEFT - RIGHT)
    names = plotted(bars)
    first, second, *plots = _rows(figure, size, 2, len(names))
    figure.text(LEFT / size[0], 1 - 16 / size[1], title, va="top", size=17, weight="bold", color=INK)

    marks = compare(before, after)
    keys = key_range(np.concatenate([before, others[0]]), np.concatenate([after, others[1]]))
    draw_roll(first, before, {"plain": np.ones(len(before), bool)}, time, keys)
    draw_heading(first, "Before", f"{len(before)} notes; darker is louder")
    draw_roll(second, after, {"plain": marks.kept, "hatched": marks.changed, "tall": marks.new}, time, keys, bars)
    draw_notes(second, before[marks.removed], "empty", time)
    for axes, grey in zip((first, second), others, strict=True):
        draw_notes(axes, grey, "other", time)
    counts = {name: int(getattr(marks, name).sum()) for name in Marks._fields}
    draw_heading(
        second,
        "After",
        f"{len(after)} notes: {counts['kept']} kept, {counts['changed']} of another length, "
        f"{counts['new']} new; {counts['removed']} removed",
    )
    draw_legend(second, [legend_sample(style, label) for style, label in SAMPLES.items()])
    for axes, name in zip(plots, names, strict=True):
        draw_series(axes, name, bars, time)
    if plots:
        draw_legend(plots[0], plots[0].get_legend_handles_labels()[0])
    for axes in [second, *plots[-1:]]:
        draw_bar_numbers(axes, time)
    _write(figure, out)


def draw_piece(
    notes: Array,
    bars: Bars,
    out: Path,
    *,
    title: str,
    others: Array = NONE,
    size: tuple[int, int] = (1600, 700),
) -> None:
    """One roll and, below it, the attributes of each bar as `measured`, as a PNG file. others: notes that are grey."""
    figure = _figure(*size)
    time, names = TimeAxis.of(notes, others, bars, size[0] - LEFT - RIGHT), plotted(bars)
    roll, *plots = _rows(figure, size, 1, len(names))
    figure.text(LEFT / size[0], 1 - 16 / size[1], title, va="top", size=17, weight="bold", color=INK)
    draw_roll(roll, notes, {"plain": np.ones(len(notes), bool)}, time, key_range(notes, others))
    draw_notes(roll, others, "other", time)
    draw_heading(roll, "Notes", f"{len(notes)}; darker is louder" + "; other tracks are grey" * bool(len(others)))
    for axes, name in zip(plots, names, strict=True):
        draw_series(axes, name, bars, time)
    for axes in [roll, *plots[-1:]]:
        draw_bar_numbers(axes, time)
    _write(figure, out)


def draw_sheet(pairs: Sequence[tuple[str, Array, Array]], out: Path, *, columns: int = 6) -> None:
    """Many short pairs as one PNG file: for each (title, before, after) its title and the two rolls below it."""
    width, height = columns * PANEL[0], -(-len(pairs) // columns) * PANEL[1] + SHEET_TOP
    figure = _figure(width, height)
    gap, title, inner = 12, 22, 8
    tall = (PANEL[1] - title - inner - gap) / 2
    samples = [legend_sample(style, label) for style, label in SAMPLES.items()]
    figure.legend(handles=samples, loc="upper left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, fontsize=11)
    for i, (text, before, after) in enumerate(pairs):
        left, top = i % columns * PANEL[0] + gap, height - SHEET_TOP - i // columns * PANEL[1]
        figure.text(left / width, (top - 4) / height, text, va="top", size=11, weight="bold", color=INK)
        time, keys = TimeAxis.of(before, after, [], PANEL[0] - 2 * gap), key_range(before, after)
        marks = compare(before, after)
        below = {"plain": marks.kept, "hatched": marks.changed, "tall": marks.new}
        for row, (notes, styles) in enumerate(((before, {"plain": np.ones(len(before), bool)}), (after, below))):
            low = top - title - (row + 1) * tall - row * inner
            box = (left / width, low / height, (PANEL[0] - 2 * gap) / width, tall / height)
            axes = figure.add_axes(box)
            draw_roll(axes, notes, styles, time, keys)
            axes.set_yticks([])
            axes.set_ylabel("")
        draw_notes(axes, before[marks.removed], "empty", time)
    _write(figure, out)


def draw_cells(cells: Sequence[tuple[str, Array]], out: Path, *, columns: int, cell: tuple[int, int] = CELL) -> None:
    """Rolls of (title, notes) in rows as one PNG file, all over the same time and pitches. cell: the size of one."""
    gap, title = 10, 20
    rows = -(-len(cells) // columns)
    width, height = columns * cell[0] + gap, rows * cell[1] + gap
    figure = _figure(width, height)
    every = np.concatenate([notes for _, notes in cells])
    time, keys = TimeAxis.of(every, every, [], cell[0] - gap), key_range(every, every)
    for i, (text, notes) in enumerate(cells):
        left, top = i % columns * cell[0] + gap, height - gap - i // columns * cell[1]
        figure.text(left / width, top / height, text, va="top", size=9, color=INK, parse_math=False)
        low = top - cell[1] + gap
        box = (left / width, low / height, (cell[0] - gap) / width, (cell[1] - gap - title) / height)
        axes = figure.add_axes(box)
        draw_roll(axes, notes, {"plain": np.ones(len(notes), bool)}, time, keys)
        axes.set_xticks([])
        axes.set_xlabel("")
        axes.set_yticks([])
        axes.set_ylabel("")
    _write(figure, out)


def _rows(figure: Any, size: tuple[int, int], rolls: int, plots: int) -> list[Axes]:
    """The axes of one or two rolls and of the plots under them, from top to bottom."""
    width, height = size
    under = [*UNDER[2 - rolls : 2], *UNDER[2:] * plots]
    free = height - TOP - BOTTOM - HEADING * len(under) - sum(under[:-1])
    axes: list[Axes] = []
    top = float(height - TOP)
    for row, gap in enumerate(under):
        tall = free / (rolls + PLOT * plots) * (1.0 if row < rolls else PLOT)
        top -= HEADING
        box = (LEFT / width, (top - tall) / height, (width - LEFT - RIGHT) / width, tall / height)
        axes.append(figure.add_axes(box))
        top -= tall + gap
    return axes


def _figure(width: int, height: int) -> Any:
    """An empty figure of a size in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _write(figure: Any, out: Path) -> None:
    """The figure as a PNG file that does not tell what made it or when."""
    picture = io.BytesIO()
    with warnings.catch_warnings():  # a title may hold a file's name, in whatever script
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        figure.savefig(picture, format="png", dpi=DPI, metadata={"Software": None})
    write_atomic(Path(out), picture.getvalue())
