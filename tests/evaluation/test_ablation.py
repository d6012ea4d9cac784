"""Variants leave out what their names say, and the table holds what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from fadernets.attributes.table import CODED
from fadernets.decoding import candidate_choice, segment_requests
from fadernets.decoding.segment_requests import SegmentRequest
from fadernets.engines.grid import Engine
from fadernets.evaluation import ablation, model_folder
from fadernets.evaluation.decoding_loops import DecodingLoop
from fadernets.metrics import realism


@pytest.fixture(scope="module")
def engine(exported):
    return Engine.open(exported[True][0])


def test_a_variant_leaves_out_what_its_name_says(engine, songs, segments, monkeypatch):
    found = ablation.variants(engine, songs)
    assert list(found)[:2] == ["open", "calibrated"]
    source = segment_requests.encode_segments(engine, segments[:5])
    asked = {"rhythm_density": np.full(5, 0.5)}
    requests = []
    monkeypatch.setattr(candidate_choice, "edit_encoded", lambda engine, _, request: requests.append((engine, request)))
    for loop in list(found.values())[2:]:
        loop.answer(source, asked)
    undecoded, plain, uncritical, full = requests
    assert undecoded[1] == SegmentRequest(asked, faithfulness=0.0)
    assert plain[1] == SegmentRequest(asked, sampled=0)
    assert uncritical[0].critic is None
    assert uncritical[1] == full[1] == SegmentRequest(asked)
    assert engine.critic is not None  # the engine itself keeps it
    assert undecoded[0] is plain[0] is full[0] is engine


def test_an_ablation_of_a_toy(engine, songs, monkeypatch):
    """The distance is of the variant's own answers, in units of that between real segments."""
    rows = songs.select(split="test")
    answers = []

    def compared(answer, data, test, spread, *, seed):
        np.testing.assert_array_equal(test, rows)
        assert (data, seed, spread.tolist()) == (songs, 2, segment_requests.attribute_deviations(engine).tolist())
        answers.append(answer(songs.cells(rows[:2]), "rhythm_density", np.array([0.25, 0.5])))
        return {"features": [], "note_density/+1": {"frechet": 3.0 + len(answers), "frechet_real": 2.0}}

    monkeypatch.setattr(model_folder, "M", 4)
    monkeypatch.setattr(realism, "evaluate", compared)
    told = []
    found = ablation.evaluate(engine, songs, runs=1, seed=2, progress=lambda *now: told.append(now))
    assert told == [(i + 1, len(told)) for i in range(len(told))]
    assert (found["model"], found["data"], found["runs"], found["seed"]) == ("toy", songs.hash, 1, 2)
    for name in CODED:
        assert found["variants"]["closed"][name] == model_folder.strict(DecodingLoop(engine), songs, rows, name, 1, 2)
    ratios = [one["distance"] for one in found["variants"].values()]
    assert ratios == [{"note_density/+1": (4 + i) / 2} for i in range(6)]
    loops = ablation.variants(engine, songs, 2).values()
    for loop, out in zip(loops, answers, strict=True):
        np.testing.assert_array_equal(out, loop.move(songs.cells(rows[:2]), "rhythm_density", np.array([0.25, 0.5])))


def test_a_row_a_variant():
    """A move for which too few segments exist has no distance."""
    one = {figure: {"mean": i / 10, "std": 0.0} for i, (figure, _) in enumerate(model_folder.SHORT)}
    figures = {"open": {**dict.fromkeys(CODED, one), "distance": {"rhythm_density/-1": 1.5, "note_density/+2": 2.25}}}
    first, second = ablation.table({"variants": figures}).split("\n\n")
    head, rule, row = first.splitlines()
    assert head.startswith("| rhythm density | consistency |")
    assert head.endswith("| distance -2 sd | distance -1 sd | distance +1 sd | distance +2 sd |")
    assert head.count("|") == rule.count("|") == row.count("|")
    assert row.startswith("| open | 0.000 | 0.100 |")
    assert row.endswith("| - | 1.50 | - | - |")
    assert second.splitlines()[-1].endswith("| - | - | - | 2.25 |")
