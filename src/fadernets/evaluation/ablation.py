"""What each part of the decode path is worth: the strict figures of a model folder with parts left out.

Protocol: every variant answers the same held-out segments. Beside the strict figures stands the distance of moved
segments from real music of the asked level, over the distance between two real sets (`metrics.realism`): at 1 they are
as near as real ones. It shows nothing about what was changed in training: that is another model folder's table.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

from fadernets.arrays import Indices
from fadernets.attributes.table import CODED
from fadernets.data.dataset import Dataset
from fadernets.decoding import segment_requests
from fadernets.decoding.segment_requests import SegmentRequest
from fadernets.engines.grid import Engine
from fadernets.evaluation import model_folder
from fadernets.evaluation.decoding_loops import DecodingLoop, decoding_loops
from fadernets.metrics import realism
from fadernets.metrics.tables import markdown_table, spelled


def variants(engine: Engine, data: Dataset, seed: int = 0) -> dict[str, DecodingLoop]:
    """Name of a variant -> the loop that answers: the three loops, and the closed one with a part left out."""
    without_critic = copy(engine.load())
    without_critic.critic = None
    return {
        **decoding_loops(engine, data, ("open", "calibrated"), seed),
        "closed, no difference decode": DecodingLoop(engine, request=SegmentRequest(faithfulness=0.0)),
        "closed, plain candidates": DecodingLoop(engine, request=SegmentRequest(sampled=0)),
        "closed, no critic": DecodingLoop(without_critic),
        "closed": DecodingLoop(engine),
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
    """Figures of every variant on the test split of every corpus; `only`: the name of one variant.

    `variants`: name -> `ATTRIBUTE`, the strict figures over `runs` runs, and `distance`, `ATTRIBUTE/MOVE` -> the ratio
    of distances, of the moves for which enough real segments exist.
    """
    rows, loops = data.select(split="test"), variants(engine, data, seed)
    loops = {only: loops[only]} if only else loops
    jobs = [(title, name) for title in loops for name in (*CODED, "distance")]
    figures: dict[str, dict[str, Any]] = {title: {} for title in loops}
    for i, (title, name) in enumerate(jobs):
        loop = loops[title]
        if name == "distance":
            figures[title][name] = distance(loop, data, rows, seed)
        else:
            figures[title][name] = model_folder.strict(loop, data, rows, name, runs, seed)
        if progress:
            progress(i + 1, len(jobs))
    return {"model": engine.name, "data": data.hash, "runs": runs, "seed": seed, "variants": figures}


def distance(loop: DecodingLoop, data: Dataset, rows: Indices, seed: int) -> dict[str, float]:
    """`ATTRIBUTE/MOVE` -> Frechet distance from outputs to real segments, over that between two real sets."""
    deviations = segment_requests.attribute_deviations(loop.engine)
    figures = realism.evaluate(loop.move, data, rows, deviations, seed=seed)
    return {key: moved["frechet"] / moved["frechet_real"] for key, moved in figures.items() if "/" in key}


def table(figures: dict[str, Any]) -> str:
    """A Markdown table for each fader, with a row for each variant."""
    tables = []
    for name in CODED:
        head = [spelled(name), *(title for _, title in model_folder.SHORT)]
        head += [f"distance {move:+d} sd" for move in realism.MOVES]
        rows = []
        for title, variant in figures["variants"].items():
            cells = [f"{variant[name][figure]['mean']:.3f}" for figure, _ in model_folder.SHORT]
            ratios = [variant["distance"].get(f"{name}/{move:+d}") for move in realism.MOVES]
            rows.append([title, *cells, *("-" if ratio is None else f"{ratio:.2f}" for ratio in ratios)])
        tables.append(markdown_table(head, rows))
    return "\n\n".join(tables)
