"""How near a model folder's moved segments are to real music: the protocol of `metrics.realism` over its loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fadernets.arrays import Array, Cells
from fadernets.attributes.table import CODED
from fadernets.codecs import grid
from fadernets.data.dataset import Dataset
from fadernets.decoding import segment_requests
from fadernets.engines.grid import Engine
from fadernets.evaluation.decoding_loops import DecodingLoop, corpora_of, decoding_loops
from fadernets.metrics import realism
from fadernets.metrics.tables import spelled
from fadernets.music.notes import ROLL_NOTE
from fadernets.music.segments import STEPS_PER_BEAT


def evaluate(
    engine: Engine,
    data: Dataset,
    *,
    loop: str = "closed",
    seed: int = 0,
    nats: realism.Nats | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """`metrics.realism.evaluate` of one loop, on the test segments of every corpus, labelled ones included.

    loop: one of LOOPS. nats: mean nats per segment under an independent language model (`likelihood.nats_of_cells`).
    """
    moved = decoding_loops(engine, data, [loop], seed)[loop]
    rows = data.select(split="test")
    spread = segment_requests.attribute_deviations(engine)
    figures = realism.evaluate(moved.move, data, rows, spread, seed=seed, nats=nats, progress=progress)
    return {"model": engine.name, "data": data.hash, "loop": loop, "seed": seed, **figures}


def pairs(engine: Engine, data: Dataset, *, each: int = 3, seed: int = 0) -> list[tuple[str, Array, Array]]:
    """Test segments before and after every move of `realism.MOVES`, as `rolls.draw_sheet` takes them.

    Title, notes before and notes after, in beats; `each` random segments a move, of the corpora that the model
    reconstructs: these may be published.
    """
    spread = segment_requests.attribute_deviations(engine)
    test = np.sort(np.concatenate([data.select(split="test", corpus=c) for c in corpora_of(engine, data)[0]]))
    drawn = []
    for name in CODED:
        for move in realism.MOVES:
            matched = realism.match(data, test, name, move, spread, seed)
            cells, asked = data.cells(matched.source[:each]), matched.asked[:each]
            outputs = DecodingLoop(engine).move(cells, name, asked)
            title = f"{spelled(name)} {move:+d} sd"
            drawn += [(title, in_beats(a), in_beats(b)) for a, b in zip(cells, outputs, strict=True)]
    return drawn


def in_beats(cells: Cells) -> Array:
    """The notes of cells [n, 88] as rolls draw them, in quarter notes."""
    rows = grid.decode(cells)
    notes = np.zeros(len(rows), ROLL_NOTE)
    notes["onset"], notes["end"] = np.maximum(rows[:, 0], 0) / STEPS_PER_BEAT, rows[:, 1] / STEPS_PER_BEAT
    notes["pitch"], notes["velocity"] = rows[:, 2], 80
    return notes
