"""The command `models`."""

import json

from fadernets.engines import model_folder


def test_models(run):
    _, out, _ = run("models", "--json")
    (row,) = [row for row in json.loads(out)["models"] if row["default"]]
    assert row["name"] == model_folder.DEFAULT_MODEL == "rewriter"
    assert 0 < row["bytes"] < 20e6
    assert "rewriter (default): " in run("models")[1]
