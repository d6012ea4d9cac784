"""The tables of Table 1 in Markdown: published figures beside ours, the `strict` protocol, quality, codes, clusters.

Each function takes the rows to print and the figures of their runs, recipe -> figures as `table1.evaluate` gives them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fadernets.attributes.table import CODED
from fadernets.metrics.tables import markdown_table, spelled

BEST_OF_N = "best-of-n"
LOOPS = ("open", "calibrated", BEST_OF_N)  # of the strict protocol, see `table1`
RunFigures = Mapping[str, Mapping[str, Any]]  # recipe, or name of a run -> its figures


@dataclass(frozen=True)
class Row:
    """A model of Table 1: its recipe, what the paper calls it, and the figures that the paper prints."""

    recipe: str
    title: str
    published: dict[str, tuple[float, float]] | None = None  # figure -> rhythm density, note density


def _published(*values: float) -> dict[str, tuple[float, float]]:
    """Consistency, restrictiveness and linearity, each of rhythm density and of note density."""
    names = ("consistency", "restrictiveness", "linearity")
    return {name: (values[2 * i], values[2 * i + 1]) for i, name in enumerate(names)}


TABLE = (
    Row("fadernets-vae", "Music FaderNets, vanilla VAE", _published(0.4367, 0.3490, 0.6645, 0.6481, 0.7805, 0.8255)),
    Row("fadernets-gmvae", "Music FaderNets, GM-VAE", _published(0.5096, 0.4207, 0.6603, 0.6457, 0.7580, 0.7792)),
    Row("pati", "Pati et al.", _published(0.4625, 0.5100, 0.6417, 0.5497, 0.7613, 0.8220)),
    Row("cvae", "CVAE", _published(0.2613, 0.4997, 0.6863, 0.7140, 0.4969, 0.3997)),
    Row("fader-networks", "Fader Networks", _published(0.2730, 0.4983, 0.6861, 0.7379, 0.5482, 0.4647)),
    Row("glsr-vae", "GLSR-VAE", _published(0.1891, 0.1969, 0.6365, 0.7136, 0.2465, 0.1799)),
    Row("gm-vae", "GM-VAE, single encoder"),
)

STRICT = {  # figure -> whether more is better
    "consistency": True,
    "restrictiveness": True,
    "linearity": True,
    "pooled_r2": True,
    "spearman": True,
    "leakage": False,
    "error": False,
    "response_range": True,
    "chroma_similarity": True,
    "groove_similarity": True,
    "note_f1": True,
    "failures": False,
    "cut": False,
}
QUALITY = ("frechet", "nats_a_token", "clash_share", "isolated_share", "length_mean", "empty_share")
RECONSTRUCTION = ("accuracy", "nats", "note_f1", "precision", "recall", "chroma_similarity")
ENCODER = ("interpretability", "mig", "sap", "scc", "modularity")


def tables(figures: RunFigures) -> str:
    """Every table that the figures of runs give: those of TABLE in its order, then runs of other names.

    A run whose figures have `stopped_after` was not trained to its end, as its title says.
    """
    known = {row.recipe for row in TABLE}
    rows = [row for row in TABLE if row.recipe in figures] + [Row(name, name) for name in figures if name not in known]
    stopped = {name: f" ({run['stopped_after']})" if run.get("stopped_after") else "" for name, run in figures.items()}
    rows = [replace(row, title=row.title + stopped[row.recipe]) for row in rows]
    parts = [
        *(
            paper_table([row for row in rows if f"{name}/{next(iter(CODED))}" in figures[row.recipe]], figures, name)
            for name in ("authors", "paper")
        ),
        *(strict_table(rows, figures, name) for name in CODED),
        *(quality_table(rows, figures, name) for name in CODED),
        reconstruction_table([row for row in rows if "reconstruction" in figures[row.recipe]], figures),
        cluster_table([row for row in rows if "clusters" in figures[row.recipe]], figures),
    ]
    if any(parts):
        parts.append(run_table(rows, figures))
    return "\n\n".join(part for part in parts if part)


def over_seeds(each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The figures of runs that differ in their seed as one run's: every number that differs becomes mean and standard
    deviation over the runs (of means, where it was one over draws), words that differ are listed."""
    return {key: _over_seeds([of_run.get(key) for of_run in each]) for key in each[0]}


def _over_seeds(values: list[Any]) -> Any:
    first = values[0]
    if len(values) > 1 and isinstance(first, Mapping) and {"mean", "std"} <= set(first):
        return _spread([value["mean"] for value in values])
    if all(value == first for value in values):
        return first
    if isinstance(first, Mapping):
        return over_seeds(values)
    if isinstance(first, str):
        return ", ".join(dict.fromkeys(map(str, values)))
    return _spread(values)


def _spread(values: Sequence[float | None]) -> dict[str, float]:
    known = [float(value) for value in values if value is not None]
    return {"mean": float(np.mean(known)), "std": float(np.std(known)), "seeds": len(known)}


def of_loop(figures: Mapping[str, Any], loop: str) -> dict[str, Any]:
    """The figures of a run without those of the other loops."""
    others = tuple(f"/{name}" for name in LOOPS if name != loop)
    return {key: value for key, value in figures.items() if not key.endswith(others)}


def paper_table(rows: Sequence[Row], figures: RunFigures, protocol: str = "paper") -> str:
    """Our mean ± standard deviation over the runs, and the published figure in brackets; bold is the best of ours.

    protocol: `authors`, which the published figures were made by, or `paper`, which Section 4.2 describes.
    """
    if not rows:
        return ""
    head, columns = [f"`{protocol}` protocol: ours (published)"], []
    for figure in ("consistency", "restrictiveness", "linearity", "pooled_r2"):
        for i, attribute in enumerate(CODED):
            head.append(f"{spelled(figure)}, {spelled(attribute)}")
            cells = [figures[row.recipe][f"{protocol}/{attribute}"][figure] for row in rows]
            best = _best([cell["mean"] for cell in cells])
            column = []
            for j, (row, cell) in enumerate(zip(rows, cells, strict=True)):
                text = f"{cell['mean']:.3f} ± {cell['std']:.3f}"
                published = (row.published or {}).get(figure)
                text = f"**{text}**" if j in best else text
                column.append(text + (f" ({published[i]:.3f})" if published else ""))
            columns.append(column)
    lines = zip(rows, zip(*columns, strict=True), strict=True)
    return markdown_table(head, [[row.title, *cells] for row, cells in lines])


def strict_table(rows: Sequence[Row], figures: RunFigures, attribute: str) -> str:
    """The `strict` figures of one fader, a row per loop and run; bold is the best of a loop."""
    lines, keys = [], [f"strict/{attribute}/{loop}" for loop in LOOPS]
    keys = [key for key in keys if any(key in figures[row.recipe] for row in rows)]
    rows = [row for row in rows if keys and all(key in figures[row.recipe] for key in keys)]
    if not rows:
        return ""
    for key in keys:
        best = {}
        for figure, greatest in STRICT.items():
            values = [figures[row.recipe][key][figure]["mean"] for row in rows]
            values = [-abs(value - 1) for value in values] if figure == "response_range" else values
            best[figure] = _best(values, greatest)
        for j, row in enumerate(rows):
            cells = [_mean(figures[row.recipe][key][figure]) for figure in STRICT]
            cells = [f"**{cell}**" if j in best[figure] else cell for figure, cell in zip(STRICT, cells, strict=True)]
            lines.append([row.title, key.rpartition("/")[2], *cells])
    return markdown_table([f"`strict`, {spelled(attribute)}", "loop", *map(spelled, STRICT)], lines)


def quality_table(rows: Sequence[Row], figures: RunFigures, attribute: str) -> str:
    """How near the outputs of one fader are to real segments, a row per run and loop below that of real segments."""
    lines: list[list[str]] = []
    for row in rows:
        for loop in LOOPS:
            quality = figures[row.recipe].get(f"quality/{attribute}/{loop}")
            if quality:
                lines.append([row.title, loop, *(_cell(quality.get(name)) for name in QUALITY)])
    if not lines:
        return ""
    real = next(figures[row.recipe]["quality/real"] for row in rows if "quality/real" in figures[row.recipe])
    lines.insert(0, ["held-out real segments", "-", *(_cell(real.get(name)) for name in QUALITY)])
    return markdown_table([f"moved outputs, {spelled(attribute)}", "loop", *map(spelled, QUALITY)], lines)


def reconstruction_table(rows: Sequence[Row], figures: RunFigures) -> str:
    """Reconstruction, and the metrics of the codes, a row per run."""
    lines = []
    for row in rows:
        of_run = figures[row.recipe]
        cells = [_cell(of_run["reconstruction"][name]) for name in RECONSTRUCTION]
        lines.append([row.title, *cells, *(_cell(of_run["encoder"].get(name)) for name in ENCODER)])
    head = ["reconstruction; codes", *map(spelled, (*RECONSTRUCTION, *ENCODER))]
    return markdown_table(head, lines) if lines else ""


def cluster_table(rows: Sequence[Row], figures: RunFigures) -> str:
    """The arousal clusters, a row per run and code."""
    head = ["arousal clusters", "means", "labels in training", "code", "balanced accuracy", "all codes", "silhouette"]
    head += ["by label", *(f"{spelled(attribute)}, high / low" for attribute in CODED)]
    lines = []
    for row in rows:
        clusters = figures[row.recipe]["clusters"]
        for name, code in clusters.items():
            if isinstance(code, dict) and "silhouette" in code:
                lines.append(
                    [
                        row.title,
                        "learned" if clusters["learned"] else "of labels",
                        str(clusters["labelled_training_segments"]),
                        name,
                        _cell(code["balanced_accuracy"]),
                        f"{_cell(clusters['balanced_accuracy'])} [{_mean(clusters['low'])}, {_mean(clusters['high'])}]",
                        _cell(code["silhouette"]),
                        _cell(code["silhouette_by_label"]),
                        *(f"{_cell(code.get(f'{a}_high'))} / {_cell(code.get(f'{a}_low'))}" for a in CODED),
                    ]
                )
    return markdown_table(head, lines) if lines else ""


def run_table(rows: Sequence[Row], figures: RunFigures) -> str:
    """Which runs were measured, at which commits they were trained and measured, and by which command."""
    lines = []
    for row in rows:
        of_run = figures[row.recipe]
        if "commit" in of_run:
            trained = of_run.get("trained_at") or "-"
            run, step, commit, command = (of_run[key] for key in ("run", "step", "commit", "command"))
            lines.append([row.title, run, str(step), trained, commit, f"`{command}`"])
    return markdown_table(["model", "run", "steps", "trained at", "measured at", "by"], lines) if lines else ""


def _best(values: Sequence[float], greatest: bool = True) -> list[int]:
    """Positions of the values to print in bold: the best ones, unless all are equal."""
    best = max(values) if greatest else min(values)
    equal = [i for i, value in enumerate(values) if value == best]
    return equal if len(equal) < len(values) else []


def _cell(value: float | Mapping[str, float] | None) -> str:
    """A number, or the mean and deviation of one over seeds."""
    if isinstance(value, Mapping):
        return f"{value['mean']:.3f} ± {value['std']:.3f}"
    return "-" if value is None else f"{value:.3f}"


def _mean(value: float | Mapping[str, float]) -> str:
    """A figure over draws of segments: its mean alone; over seeds with its deviation."""
    return _cell(value if not isinstance(value, Mapping) or "seeds" in value else value["mean"])
