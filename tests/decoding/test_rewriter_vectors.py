"""What ports of the rewriter must meet, tests/vectors/rewriter.json, holds of this one."""

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
REFRESH = "the file is of another model or another way of drawing: run `python scripts/rewriter_vectors.py`"
LARGEST_SIZE = 200_000  # bytes


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts" / "rewriter_vectors.py"))


@pytest.fixture(scope="module")
def vectors(script: dict[str, Any]) -> dict[str, Any]:
    found = json.loads(script["OUT"].read_text(encoding="utf-8"))
    assert found["about"]["sha256"] == script["WatchedEngine"].bundled().info["sha256"], REFRESH
    return found


def test_the_file_is_small(script: dict[str, Any], vectors: dict[str, Any]) -> None:
    assert script["OUT"].stat().st_size < LARGEST_SIZE
    assert {call["graph"] for call in vectors["graphs"]} == {"encoder", "decoder", "chain"}


def test_arrays_come_back(script: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    for array in (rng.random((2, 3), np.float32).round(5), np.arange(-2, 4), rng.integers(0, 3, (4, 5)).astype("u1")):
        entry = json.loads(json.dumps(script["stored"](array)))
        back = script["restored"](entry)
        assert back.dtype == array.dtype
        np.testing.assert_array_equal(back, array)


def test_the_generator_is_pcg64(script: dict[str, Any], vectors: dict[str, Any]) -> None:
    for entry in vectors["random"]:
        assert script["random_of"](entry["seed"]) == entry
        # Each 32-bit draw is half of a raw number, the lower half first; a float32 takes its upper 24 bits.
        halves = [half for x in entry["raw"] for half in (int(x, 16) & 0xFFFFFFFF, int(x, 16) >> 32)]
        assert np.array_equal(np.array([(h >> 8) / 2**24 for h in halves]).round(8), entry["float32"])
        assert np.array_equal(
            np.array([(int(x, 16) >> 11) / 2**53 for x in entry["raw"][:3]]).round(12), entry["float64"]
        )


@pytest.mark.parametrize("number", range(4))
def test_graphs_answer_as_written(script: dict[str, Any], vectors: dict[str, Any], number: int) -> None:
    call = vectors["graphs"][number]
    outputs = script["outputs_of"](script["WatchedEngine"].bundled(), call)
    assert outputs.keys() == call["outputs"].keys()
    for name, entry in call["outputs"].items():
        np.testing.assert_allclose(
            outputs[name], script["restored"](entry), rtol=0, atol=vectors["about"]["tolerance"], err_msg=REFRESH
        )


@pytest.mark.parametrize("part", ["passage", "piece"])
def test_notes_and_cells_are_those_written(script: dict[str, Any], vectors: dict[str, Any], part: str) -> None:
    expected = vectors[part]["outputs"]
    task = script["restored_task"](vectors[part]["task"])
    found = script[f"{part}_of"](script["WatchedEngine"].bundled(), task)
    assert json.loads(json.dumps(found)) == expected, REFRESH
    roll = script["restored"](expected["landed" if part == "passage" else "roll"])
    assert (roll != task.roll).any()
