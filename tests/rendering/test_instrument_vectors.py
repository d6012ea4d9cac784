"""What the page's synthesiser is held to is what the package's gives."""

import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_vectors_are_of_the_banks(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    script = importlib.import_module("instrument_vectors")
    stored = json.loads((ROOT / "studio/src/lib/instruments.json").read_text())
    assert [(row["program"], row["key"]) for row in stored] == script.NOTES
    for row in stored[::3]:
        assert script.levels(row["program"], row["key"]) == pytest.approx(row["levels"], abs=0.3), row
