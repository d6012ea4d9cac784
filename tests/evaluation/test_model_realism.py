"""Realism of a model folder's outputs: what is measured, and what is drawn."""

from __future__ import annotations

import numpy as np

from fadernets.attributes.table import CODED
from fadernets.decoding import segment_requests
from fadernets.engines.grid import Engine
from fadernets.evaluation import decoding_loops, model_realism
from fadernets.metrics import realism


def test_quality_of_a_model(songs, exported, monkeypatch):
    """In batches, from what the model's own path answers."""
    engine = Engine.open(exported[True][0])
    rows = songs.select(split="test")
    given = {}

    def evaluate(mover, data, test, spread, **more):
        np.testing.assert_array_equal(test, rows)
        given.update(more)
        cells = data.cells(test)
        asked = np.full(len(cells), 0.5)
        return {"out": mover(cells, "rhythm_density", asked), "cells": cells}

    monkeypatch.setattr(realism, "evaluate", evaluate)
    monkeypatch.setattr(decoding_loops, "BATCH", 3)
    for name, loop in decoding_loops.decoding_loops(engine, songs, seed=4).items():
        found = model_realism.evaluate(engine, songs, loop=name, seed=4)
        assert (found["model"], found["loop"], found["seed"]) == ("toy", name, 4)
        assert given == {"seed": 4, "nats": None, "progress": None}
        asked = {"rhythm_density": np.full(len(rows), 0.5)}
        expected = loop.answer(segment_requests.encode_segments(engine, found["cells"]), asked)
        np.testing.assert_array_equal(found["out"], expected)


def test_pairs_to_be_drawn(songs, exported, monkeypatch):
    """Notes before and after, in beats; what is held in begins with the segment."""
    engine = Engine.open(exported[True][0])
    monkeypatch.setattr(realism, "LEVEL", 2.0)
    monkeypatch.setattr(realism, "OTHERS", 9.0)
    found = model_realism.pairs(engine, songs, each=2, seed=1)
    assert found
    titles = [title for title, _, _ in found]
    assert set(titles) <= {f"{n.replace('_', ' ')} {m:+d} sd" for n in CODED for m in realism.MOVES}
    assert max(titles.count(title) for title in titles) <= 2
    for _, before, after in found:
        assert len(before) > 0
        for notes in (before, after):
            assert ((notes["onset"] >= 0) & (notes["onset"] < notes["end"]) & (notes["end"] <= 4)).all()
    again = model_realism.pairs(engine, songs, each=2, seed=1)
    assert all((a[2] == b[2]).all() for a, b in zip(found, again, strict=True))
