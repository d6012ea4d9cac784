"""The figures of analogies by hand, and the command."""

import json

import numpy as np
import pytest

from fadernets.codecs import grid
from fadernets.decoding import candidate_choice
from fadernets.editing import mix
from fadernets.engines.grid import Engine
from fadernets.evaluation import analogies


@pytest.fixture(scope="module")
def engine(exported):
    return Engine.open(exported[True][0])


def test_onsets_by_hand():
    a, b, silent = np.zeros((3, 1, 16, 88), np.uint8)
    a[0, [0, 4, 8], 40], b[0, [0, 4, 9, 10], 50] = grid.ONSET, grid.ONSET
    b[0, 4, 52] = grid.ONSET
    assert analogies.onset_f1(a, b).tolist() == [2 * 2 / 7]
    assert analogies.onset_f1(a, silent).tolist() == [0]
    assert analogies.onset_f1(silent, silent).tolist() == [1]


def test_pairs_are_of_the_test_split(songs):
    a, b = analogies.pairs_of(songs, 3, 0)
    test = {cells.tobytes() for cells in songs.cells(songs.select(split="test"))}
    assert len(a) == len(b) == 3
    assert {cells.tobytes() for cells in (*a, *b)} <= test
    again, other = analogies.pairs_of(songs, 3, 0)[0], analogies.pairs_of(songs, 3, 1)[0]
    assert np.array_equal(a, again)
    assert not np.array_equal(a, other)


def test_every_figure(engine, songs):
    found = analogies.evaluate(engine, songs, pairs=4)
    a, b = analogies.pairs_of(songs, 4, 0)
    outputs = {"before": b, "a": a, "paper": mix.analogy(engine, a, b)}
    shift = mix.rhythm_part(engine, a) - mix.rhythm_part(engine, b)
    outputs["closed"] = candidate_choice.edit_segments(engine, b, mix.borrowed(a, b, shift))
    for name, output in outputs.items():
        for key, values in analogies.scores(output, a, b).items():
            assert found[name][key]["mean"] == pytest.approx(values.mean())
            assert found[name][key]["low"] <= found[name][key]["mean"] <= found[name][key]["high"]
    assert (
        found["a"]["onset_f1"]["mean"] == found["before"]["chroma"]["mean"] == found["before"]["note_f1"]["mean"] == 1
    )
    assert found["closed"]["rhythm_density"]["mean"] < found["paper"]["rhythm_density"]["mean"]  # it lands
    assert "| B before | " in analogies.table(found)


def test_the_command(run_here, exported, songs):
    options = ("evaluate", "analogies", str(exported[True][0]), "--data", str(songs.folder))
    code, out, _ = run_here(*options, "--pairs", "2", "--json")
    assert code == 0
    assert json.loads(out)["pairs"] == 2
    code, _, err = run_here(*options, "--pairs", "0")
    assert code == 2
    assert "--pairs 0: must be at least 1" in err[-1]
