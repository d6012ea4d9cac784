"""Generation via analogy (Section 5 of the ISMIR paper) on pairs of test segments: both controls of `mix`.

A gives the rhythm, B its notes and key. Protocol: segments of the test split that have notes, drawn by seed, the first
half as A and the second as B. Before: B as it is, beside A. It does not show how the analogies sound. S pairs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fadernets.arrays import Cells, Floats
from fadernets.attributes import of_cells
from fadernets.codecs import grid
from fadernets.data.dataset import Dataset
from fadernets.decoding import candidate_choice
from fadernets.editing import mix
from fadernets.engines.grid import Engine
from fadernets.errors import FadernetsError
from fadernets.metrics import statistics
from fadernets.metrics.cell_counts import onset_steps
from fadernets.metrics.fader_scores import chroma_similarity, note_f1
from fadernets.metrics.tables import markdown_table

PAIRS = 100
DRAWS = 1000  # of a bootstrap over pairs
COLUMNS = {
    "onset_f1": "onset F1 with A",
    "rhythm_density": "rhythm density, away from A's",
    "chroma": "chroma similarity to B",
    "note_density": "note density, away from B's",
    "note_f1": "note F1 with B",
}
TITLES = {"before": "B before", "paper": "paper", "closed": "closed", "a": "A itself"}  # of the rows


def onset_f1(output: Cells, other: Cells) -> Floats:
    """[S] F1 of the steps on which notes begin, of cells [S, 16, 88]; 1 where neither has any."""
    return statistics.f1(onset_steps(output), onset_steps(other))


def pairs_of(data: Dataset, count: int, seed: int) -> tuple[Cells, Cells]:
    """A and B, [S, 16, 88] each: up to `count` pairs of test segments in which notes begin. Raises FadernetsError."""
    rows = np.random.default_rng(seed).permutation(data.select(split="test"))
    cells = data.cells(rows[: 4 * count])
    cells = cells[(cells == grid.ONSET).any((1, 2))]
    count = min(count, len(cells) // 2)
    if not count:
        raise FadernetsError(f"{data.folder}: no two segments with notes in its test split")
    return cells[:count], cells[count : 2 * count]


def scores(output: Cells, a: Cells, b: Cells) -> dict[str, Floats]:
    """Name of COLUMNS -> [S] how like A's rhythm an output is, and how like B's harmony, density and notes."""
    return {
        "onset_f1": onset_f1(output, a),
        "rhythm_density": np.abs(of_cells.rhythm_density(output) - of_cells.rhythm_density(a)),
        "chroma": chroma_similarity(output, b),
        "note_density": np.abs(of_cells.note_density(output) - of_cells.note_density(b)),
        "note_f1": note_f1(output, b),
    }


def evaluate(engine: Engine, data: Dataset, *, pairs: int = PAIRS, seed: int = 0) -> dict[str, Any]:
    """`before`, `paper`, `closed` and `a` (A itself beside B) -> name of COLUMNS -> mean, low and high of 95 %."""
    a, b = pairs_of(data, pairs, seed)
    figures: dict[str, Any] = {"model": engine.name, "data": data.hash, "pairs": len(a), "seed": seed}
    for name, output in analogies(engine, a, b).items():
        figures[name] = {key: _estimate(values) for key, values in scores(output, a, b).items()}
    return figures


def analogies(engine: Engine, a: Cells, b: Cells) -> dict[str, Cells]:
    """`before`, `paper`, `closed` and `a` -> [S, 16, 88]: B, B with the rhythm of A by both controls, and A."""
    shift = mix.rhythm_part(engine, a) - mix.rhythm_part(engine, b)
    return {
        "before": b,
        "paper": mix.analogy(engine, a, b),
        "closed": candidate_choice.edit_segments(engine, b, mix.borrowed(a, b, shift)),
        "a": a,
    }


def _estimate(values: Floats) -> dict[str, float]:
    low, high = statistics.ratio_interval(values, np.ones(len(values)), draws=DRAWS)
    return {"mean": float(values.mean()), "low": low, "high": high}


def table(figures: dict[str, Any]) -> str:
    """A Markdown table: B before, both controls, and A itself."""
    rows = [
        [title, *(f"{one['mean']:.3f} ({one['low']:.3f}..{one['high']:.3f})" for one in figures[name].values())]
        for name, title in TITLES.items()
    ]
    return f"{figures['pairs']} pairs\n\n{markdown_table(['control', *COLUMNS.values()], rows)}"
