"""The papers' figures from arrays: scatters of codes, curves, bars and heat maps.

Figures 3, 4 and 6 of the ISMIR paper and its transfer curve; Figures 2 to 4 of the NIME paper. The ending of a path
says whether a PNG or an SVG file is written. S points, Z latent size.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Array, Floats
from fadernets.files import write_atomic

LOW, HIGH = "#2166ac", "#b2182b"  # clusters of low and high arousal
COLOURS = ("#0072B2", "#E69F00", "#D55E00", "#CC79A7")  # Okabe and Ito's
DPI = 150
PERPLEXITY = 30  # of t-SNE; less where there are fewer than 91 points
BELOW: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, 0), "frameon": False, "fontsize": 9}


@dataclass(frozen=True)
class Panel:
    """One scatter of a figure: points [S, 2], coloured by values [S] (a scale) or by a cluster [S] of 0 and 1."""

    title: str
    points: NDArray[np.floating]
    values: Array
    clusters: bool = False
    unit: str = ""


@dataclass(frozen=True)
class TradePanel:
    """Edits of one move: (note F1 to the source, AUC of a judge) of each."""

    title: str
    lines: Mapping[str, Sequence[tuple[float, float | None]]]  # model -> a point for each setting; None: not drawn
    labels: Mapping[str, Sequence[str]]  # model -> the name of each setting
    marks: Mapping[str, tuple[float, float | None]]  # single points
    level: float | None  # AUC of real music at the same level


def tsne(codes: NDArray[np.floating], seed: int = 0) -> Floats:
    """Codes [S, Z] in the plane [S, 2], by openTSNE on one thread; the same for the same seed."""
    from openTSNE import TSNE

    perplexity = min(PERPLEXITY, (len(codes) - 1) / 3)
    method = TSNE(perplexity=perplexity, n_jobs=1, random_state=seed, initialization="pca")
    embedding = method.fit(np.asarray(codes, np.float64))
    return np.asarray(embedding, np.float64)


def scatters(rows: Sequence[Sequence[Panel]], paths: Sequence[Path], title: str = "") -> None:
    """Rows of panels in one figure, written to each of the paths."""
    figure, axes = _figure(len(rows), max(len(row) for row in rows))
    for line, row in zip(axes, rows, strict=True):
        for ax in line[len(row) :]:
            ax.set_visible(False)
        for ax, panel in zip(line, row, strict=False):
            ax.set_title(panel.title, fontsize=11)
            ax.set_xticks([])
            ax.set_yticks([])
            x, y = panel.points.T
            size = float(np.clip(12_000 / max(len(x), 1), 5, 40))
            if panel.clusters:
                for value, colour, marker, name in ((0, LOW, "o", "low arousal"), (1, HIGH, "^", "high arousal")):
                    mask = panel.values == value
                    ax.scatter(x[mask], y[mask], s=size, c=colour, marker=marker, linewidths=0, alpha=0.6, label=name)
                ax.legend(**BELOW, markerscale=(40 / size) ** 0.5, ncols=2)
            else:
                drawn = ax.scatter(x, y, s=size, c=panel.values, cmap="viridis", linewidths=0)
                bar = figure.colorbar(drawn, ax=ax, fraction=0.045, pad=0.02)
                bar.set_label(panel.unit, fontsize=8)
                bar.ax.tick_params(labelsize=8)
    if title:
        figure.suptitle(title, fontsize=13)
    _save(figure, paths)


def curves(
    x: Sequence[float],
    lines: Mapping[str, Sequence[float]],
    paths: Sequence[Path],
    *,
    title: str,
    label: str,
    bands: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    runs: Mapping[str, Sequence[Sequence[float]]] | None = None,
    log: bool = False,
) -> None:
    """Lines of shares, at most 1, over x (on a logarithmic axis where `log`), each with its own mark.

    bands: name of a line -> low and high ends of its 95 % interval, drawn behind it. runs: name of a line -> at each x
    the values of the runs whose mean it is, drawn as small rings.
    """
    figure, axes = _figure(1, 1, size=(6.5, 4.8))
    ax = axes[0][0]
    for (name, y), marker, colour in zip(lines.items(), "os^D", COLOURS, strict=False):
        ax.plot(x, y, marker=marker, markersize=5, color=colour, label=name, clip_on=False, zorder=3)
        if bands and name in bands:
            ax.fill_between(x, *bands[name], color=colour, alpha=0.15, linewidth=0, label=f"{name}, 95 % interval")
        for at, values in zip(x, (runs or {}).get(name, ()), strict=False):
            ax.plot([at] * len(values), values, ls="", marker="o", mfc="none", markersize=4, color=colour, zorder=2)
    ax.set_ylim(min(0.0, *(min(y) for y in lines.values())), 1)
    if log:
        ax.set_xscale("log")
    ax.margins(x=0.02)
    ax.set_xlabel(label)
    ax.set_title(title, fontsize=11)
    ax.grid(alpha=0.3)
    ax.legend(**{**BELOW, "bbox_to_anchor": (0.5, -0.13)}, ncols=2)
    _save(figure, paths)


def trade(panels: Sequence[TradePanel], paths: Sequence[Path], *, title: str, setting: str) -> None:
    """Likeness to the source to the right, likeness to real music (an AUC near .5) down; two panels a row.

    setting: what the labels beside the points are the values of.
    """
    columns = min(len(panels), 2)
    figure, axes = _figure(-(-len(panels) // columns), columns, share=True)
    for ax in (ax for line in axes for ax in line):
        ax.set_visible(False)
    for ax, panel in zip((ax for line in axes for ax in line), panels, strict=False):
        ax.set_visible(True)
        for (name, points), marker, colour in zip(panel.lines.items(), "os^D", COLOURS, strict=False):
            shown = [(x, np.nan if y is None else y) for x, y in points]
            ax.plot(*zip(*shown, strict=True), marker=marker, markersize=5, color=colour, label=name, zorder=3)
            for at, label in zip(shown, panel.labels[name], strict=True):
                ax.annotate(label, at, xytext=(4, 4), textcoords="offset points", fontsize=7, color=colour)
        for name, (x, y) in panel.marks.items():
            ax.plot(
                x, np.nan if y is None else y, ls="", marker="X", markersize=8, color="#444444", label=name, zorder=3
            )
        ax.axhline(
            np.nan if panel.level is None else panel.level,
            color="#666666",
            linewidth=1,
            linestyle="--",
            label="real music of that level",
        )
        ax.axhline(0.5, color="#666666", linewidth=1, linestyle=":", label="cannot be told")
        ax.set_title(panel.title, fontsize=11)
        ax.set_xlabel("note F1 to the source")
        ax.set_ylabel("AUC of the judge")
        ax.tick_params(labelbottom=True, labelleft=True)
        ax.grid(alpha=0.3)
    handles, names = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False, fontsize=9)
    figure.suptitle(f"{title} (beside the points: {setting})", fontsize=12)
    _save(figure, paths)


def dimensions(
    names: Sequence[int],
    lines: Mapping[str, Sequence[float]],
    paths: Sequence[Path],
    *,
    title: str,
    legend: str,
    threshold: float,
) -> None:
    """Figures 3 and 4 of the NIME paper: how much each dimension changes; a line an amount, darker with the amount."""
    from matplotlib import colormaps

    figure, axes = _figure(1, 1, size=(6.5, 4.2))
    ax, shades = axes[0][0], colormaps["viridis"]
    for i, (name, y) in enumerate(lines.items()):
        shade = shades(0.9 * (1 - i / max(len(lines) - 1, 1)))
        ax.plot(range(len(names)), y, marker="o", markersize=4, color=shade, label=name)
    ax.axhline(threshold, color="#666666", linewidth=1, linestyle="--", label="threshold")
    ax.set_xticks(range(len(names)), [str(name) for name in names])
    ax.set_ylim(bottom=0)
    ax.set_xlabel("latent dimension")
    ax.set_ylabel("|mean delta z|")
    ax.set_title(title, fontsize=11, parse_math=False)  # it has a name that a user gave
    ax.grid(alpha=0.3)
    ax.legend(title=legend, fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    _save(figure, paths)


def variances(values: Sequence[float], count: int, paths: Sequence[Path], *, title: str) -> None:
    """Figure 2 of the NIME paper: variances, largest first, and the number of components that hold 99 % of them."""
    figure, axes = _figure(1, 1, size=(6.5, 3.8))
    ax = axes[0][0]
    ax.plot(range(1, len(values) + 1), values, color=COLOURS[0])
    ax.axvline(count, color="#666666", linewidth=1, linestyle="--", label=f"99 % in {count}")
    ax.set_xlim(1, len(values))
    ax.set_ylim(bottom=0)
    ax.set_xlabel("component")
    ax.set_ylabel("variance")
    ax.set_title(title, fontsize=11, parse_math=False)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    _save(figure, paths)


def opinions(
    heat: Sequence[Sequence[float | None]],
    labels: tuple[Sequence[str], Sequence[str]],
    bars: Mapping[str, Sequence[tuple[float | None, tuple[float, float] | None]]],
    aspects: Sequence[str],
    paths: Sequence[Path],
    *,
    title: str,
) -> None:
    """Figure 6 of the ISMIR paper: a heat map of changes of arousal, intended and heard, and the mean opinions.

    heat: shares 0..1 by rows and columns of `labels`. bars: name -> for each aspect the mean opinion, 1 to 5, and its
    95 % interval; an aspect is a group of bars.
    """
    figure, axes = _figure(1, 2, size=(9.2, 3.9))
    left, right = axes[0]
    _heat(left, heat, labels)
    left.set_xlabel("heard")
    left.set_ylabel("intended")
    left.set_title("change of arousal", fontsize=11)
    width = 0.8 / max(len(bars), 1)
    for i, ((name, values), colour, hatch) in enumerate(zip(bars.items(), (LOW, HIGH), ("", "///"), strict=False)):
        known = [(k, mean, span) for k, (mean, span) in enumerate(values) if mean is not None]
        at = [k + (i - (len(bars) - 1) / 2) * width for k, _, _ in known]
        means = [mean for _, mean, _ in known]
        spans = [span or (mean, mean) for _, mean, span in known]
        errors = [[mean - low for mean, (low, _) in zip(means, spans, strict=True)]]
        errors.append([high - mean for mean, (_, high) in zip(means, spans, strict=True)])
        style = {"color": colour, "alpha": 0.75, "hatch": hatch, "edgecolor": "white", "label": name}
        right.bar(at, [mean - 1 for mean in means], width, bottom=1, yerr=np.abs(errors), capsize=4, **style)
    right.set_xticks(range(len(aspects)), aspects)
    right.set_ylim(1, 5)
    right.set_yticks(range(1, 6))
    right.grid(axis="y", alpha=0.3)
    right.set_axisbelow(True)
    right.set_title("mean opinion, 95 % interval", fontsize=11)
    right.legend(**{**BELOW, "bbox_to_anchor": (0.5, -0.1)}, ncols=2)
    figure.suptitle(title, fontsize=12)
    _save(figure, paths)


def shares(
    heat: Sequence[Sequence[float | None]],
    labels: tuple[Sequence[str], Sequence[str]],
    paths: Sequence[Path],
    *,
    title: str,
) -> None:
    """A heat map of shares, 0..1, by rows and columns of `labels`."""
    figure, axes = _figure(1, 1, size=(7.0, 1.2 + 0.32 * len(heat)))
    _heat(axes[0][0], heat, labels)
    axes[0][0].set_title(title, fontsize=11)
    axes[0][0].tick_params(labelsize=8)
    with warnings.catch_warnings():  # a label has a file's name, in whatever script
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        _save(figure, paths)


def _heat(ax: Any, heat: Sequence[Sequence[float | None]], labels: tuple[Sequence[str], Sequence[str]]) -> None:
    """Shares as colours and in per cent; None stays empty."""
    table = np.array([[np.nan if v is None else v for v in row] for row in heat], np.float64)
    ax.imshow(table, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (i, j), value in np.ndenumerate(table):
        if np.isfinite(value):
            ax.text(j, i, f"{100 * value:.0f} %", ha="center", va="center", color="white" if value > 0.6 else "black")
    ax.set_xticks(range(len(labels[1])), labels[1])
    ax.set_yticks(range(len(labels[0])), labels[0], parse_math=False)


def _figure(rows: int, columns: int, size: tuple[float, float] | None = None, share: bool = False) -> tuple[Any, Any]:
    """An empty figure and its axes [rows][columns]; size in inches; share: all axes have one scale."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06)  # inches
    figure = Figure(figsize=size or (4.4 * columns, 3.6 * rows), dpi=DPI, facecolor="white", layout=layout)
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, sharex=share, sharey=share)


def _save(figure: Any, paths: Sequence[Path]) -> None:
    """Write a figure to each path. The same figure gives the same bytes: no file holds when it was made."""
    import matplotlib

    for path in paths:
        picture = io.BytesIO()
        kind = path.suffix.lstrip(".") or "png"
        metadata = {"Software": None} if kind == "png" else {"Date": None}
        with matplotlib.rc_context({"svg.hashsalt": "fadernets"}):
            figure.savefig(picture, format=kind, metadata=metadata)
        write_atomic(path, picture.getvalue())
