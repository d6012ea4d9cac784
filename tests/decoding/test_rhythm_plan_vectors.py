"""What ports of the plan of onsets must meet, tests/vectors/rhythm_plan.json, holds of this one."""

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
REFRESH = "the file is of another model or another way of choosing: run `python scripts/rhythm_plan_vectors.py`"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("rhythm_plan_vectors")


@pytest.fixture
def vectors(script: ModuleType) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(script.OUT.read_text(encoding="utf-8"))
    return found


def test_odds_and_a_pattern_are_those_written(script: ModuleType, vectors: dict[str, Any]) -> None:
    task = script.restored_task(vectors["plans"][0]["task"])
    found, expected = script.odds_of(task), vectors["odds"]
    assert found["count"] == expected["count"]
    for name in ("features", "log_odds", "preferred", "chances", "pattern"):
        values, written = script.restored(found[name]), script.restored(expected[name])
        np.testing.assert_allclose(values, written, atol=1e-3, err_msg=REFRESH)
    assert script.restored(expected["pattern"]).sum() == expected["count"]


@pytest.mark.parametrize("number", range(2))
def test_onsets_fall_where_they_are_written(script: ModuleType, vectors: dict[str, Any], number: int) -> None:
    plan = vectors["plans"][number]
    task = script.restored_task(plan["task"])
    assert script.plan_of(task) == plan["outputs"], REFRESH
    struck = script.restored(plan["outputs"]["struck"])
    found = np.bincount(task.steps.segment, struck)[task.edited]
    assert found.tolist() == task.onsets.tolist()
