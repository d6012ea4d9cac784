"""What each part of the decode path is worth: the strict figures of a model folder with parts left out.

Every variant answers the same held-out segments. Beside the strict figures stands the distance of moved segments from
real music of the level that was asked, over the distance between real sets (`musicality`): 1 is as near as real ones.
What was changed in training is another model folder's table.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes.table import CODED
from fadernets.data.dataset import Dataset
from fadernets.editing import segment_requests
from fadernets.editing.segment_requests import SegmentRequest
from fadernets.engines.grid import Engine
from fadernets.evaluation import model_folder
from fadernets.evaluation.model_folder import Way
from fadernets.metrics import realism


def variants(engine: Engine, data: Dataset, seed: int = 0) -> dict[str, Way]:
    """Name -> how it answers."""
    bare = copy(engine.load())
    bare.critic = None
    return {
        **model_folder.ways(engine, data, ("open", "calibrated"), seed),
        "closed, no difference decode": Way(engine, request=SegmentRequest(faithfulness=0.0)),  # free decodes, searched
        "closed, plain candidates": Way(engine, request=SegmentRequest(sampled=0)),
        "closed, no critic": Way(bare),
        "closed": Way(engine),
    }


def evaluate(
    engine: Engine,
    data: Dataset,
    *,
    runs: int = 10,
    seed: int = 0,
    only: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """`variants`: name -> `ATTRIBUTE`, its strict figures over runs, and `distance`, `ATTRIBUTE/MOVE` -> ratio, of the
    moves for which enough real segments exist; on the test split of every corpus. `only`: one variant alone."""
    rows, each = data.select(split="test"), variants(engine, data, seed)
    each = {only: each[only]} if only else each
    jobs = [(title, name) for title in each for name in (*CODED, "distance")]
    found: dict[str, dict[str, Any]] = {title: {} for title in each}
    for i, (title, name) in enumerate(jobs):
        way = each[title]
        if name == "distance":
            found[title][name] = distance(way, data, rows, seed)
        else:
            found[title][name] = model_folder.strict(way, data, rows, name, runs, seed)
        if progress:
            progress(i + 1, len(jobs))
    return {"model": engine.name, "data": data.hash, "runs": runs, "seed": seed, "variants": found}


def distance(way: Way, data: Dataset, rows: NDArray[np.int64], seed: int) -> dict[str, float]:
    """`ATTRIBUTE/MOVE` -> Frechet distance to real segments over that between real ones."""
    found = realism.evaluate(way.move, data, rows, segment_requests.attribute_deviations(way.engine), seed=seed)
    return {key: one["frechet"] / one["frechet_real"] for key, one in found.items() if "/" in key}


def table(figures: dict[str, Any]) -> str:
    """A markdown table a fader: a row a variant."""
    tables = []
    for name in CODED:
        heads = [title for _, title in model_folder.SHORT] + [f"distance {move:+d} sd" for move in realism.MOVES]
        lines = [f"| {name.replace('_', ' ')} | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
        for title, one in figures["variants"].items():
            cells = [f"{one[name][figure]['mean']:.3f}" for figure, _ in model_folder.SHORT]
            ratios = [one["distance"].get(f"{name}/{move:+d}") for move in realism.MOVES]
            cells += ["-" if ratio is None else f"{ratio:.2f}" for ratio in ratios]
            lines.append(f"| {title} | {' | '.join(cells)} |")
        tables.append("\n".join(lines))
    return "\n\n".join(tables)
