"""A dry run on the CPU of what `make paper-gpu` does on an accelerator: seven toy models, from data to the tables."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from markdown_tables import parse

from fadernets.data.dataset import Dataset
from fadernets.evaluation.checkpoint import Checkpoint
from fadernets.evaluation.table1_tables import TABLE
from fadernets.training import checkpoints

SCRIPT = Path(__file__).parents[2] / "scripts/paper_gpu.py"
SMALL = [
    "batch=8",
    "label_share=0.4",
    "validate=2",
    "model.z=4",
    "model.encoder=8",
    "model.decoder=8",
    "model.embedding=8",
]
ALL_MEASURING = ["--minutes", "30", "--measuring", "30"]  # no time to train


def run(data, folder, *options, steps):
    """The script in a process, as make calls it."""
    values = [part for value in [*SMALL, f"steps={steps}"] for part in ("--set", value)]
    where = [str(data.folder), str(folder / "out"), "--checkpoints", str(folder / "runs"), "--device", "cpu"]
    command = [sys.executable, str(SCRIPT), *where, "--runs", "1", *values, *options]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


def call(data, folder, *options, steps):
    """Its output, where it succeeds."""
    done = run(data, folder, *options, steps=steps)
    assert done.returncode == 0, done.stderr
    return done.stdout


def script():
    spec = importlib.util.spec_from_file_location("paper_gpu", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["paper_gpu"] = module  # where dataclasses look
    spec.loader.exec_module(module)
    return module


def names_in(tables):
    return [name for name, _ in tables["reconstruction; codes"][1]]


def test_seven_models_from_the_data_to_the_tables(rated, tmp_path):
    out, runs = tmp_path / "out", tmp_path / "runs"
    said = call(rated, tmp_path, "--minutes", "30", "--weights", steps=2)
    text = (out / "table1.md").read_text()
    assert said.endswith(f"\n{text}")
    assert [line.partition(",")[0] for line in said.splitlines()[:7]] == [f"{row.recipe}: step 2 of 2" for row in TABLE]
    tables = parse(text.rstrip())
    assert names_in(tables) == [row.title for row in TABLE]
    for protocol in ("authors", "paper"):
        assert len(tables[f"`{protocol}` protocol: ours (published)"][1]) == 6  # gm-vae has no fader
    assert len(tables["`strict`, note density"][1]) == 6 * 3
    small = {"evaluation.json", "log.jsonl", "recipe.json", "output.log", "half"}
    for row in TABLE:
        assert {path.name for path in (out / row.recipe).iterdir()} == small
        assert json.loads((out / row.recipe / "evaluation.json").read_text())["made_from"]["protocols"]
    kept, _ = checkpoints.load(Checkpoint(out / "pati" / "half", Dataset.open(rated.folder)).path)
    full, _ = checkpoints.load(runs / "pati" / "best")
    for half, weight in zip(kept.parameters(), full.parameters(), strict=True):
        assert torch.equal(half, weight.half().float())

    # One that was stopped: it is measured, its row says so, and it goes on with the next call.
    last = runs / "pati" / "last" / "config.json"
    config = json.loads(last.read_text())
    config["recipe"]["steps"] = 4
    last.write_text(json.dumps(config))
    (runs / "pati" / "evaluation.json").unlink()
    said = call(rated, tmp_path, "--only", "pati", *ALL_MEASURING, steps=4)
    assert said.startswith("pati: step 2 of 4, validation loss ")
    titles = ["Pati et al. (2 of 4 steps)" if row.recipe == "pati" else row.title for row in TABLE]
    assert names_in(parse((out / "table1.md").read_text().rstrip())) == titles
    said = call(rated, tmp_path, "--only", "pati", "--minutes", "30", steps=4)
    assert said.startswith("pati: step 4 of 4, validation loss ")
    assert names_in(parse((out / "table1.md").read_text().rstrip())) == [row.title for row in TABLE]
    assert [json.loads(row)["step"] for row in (out / "pati" / "log.jsonl").read_text().splitlines()] == [2, 4]


def test_no_time_at_all(rated, tmp_path):
    assert call(rated, tmp_path, "--only", "gm-vae", "--minutes", "0", steps=2) == "gm-vae: no checkpoint yet\n"
    assert not (tmp_path / "out" / "table1.md").exists()


def test_a_training_ends_in_time(monkeypatch):
    """At its end; behind a checkpoint already where the next one would come later."""
    module, now = script(), [0.0]
    monkeypatch.setattr(module.time, "time", lambda: now[0])

    def reached(seconds_a_step, until, every=10, first=1):
        now[0], clock = 0.0, module.Clock(until, every)
        for step in range(first, 1000):
            now[0] += seconds_a_step
            try:
                clock(step, 1000)
            except module.TimeIsUpError:
                return step
        return None

    assert reached(1.0, 40.5) == 31  # 10 seconds from step 31 would be 41
    assert reached(1.0, 41.5) == 41
    assert reached(1.0, 8.5) == 9  # no checkpoint is in reach
    assert reached(1.0, 40.5, first=101) == 131  # of a run that goes on
    assert reached(1.0, 40.5, every=1) == 40


def test_what_is_missing_is_one_line(tmp_path, monkeypatch, capsys):
    module = script()
    where = [str(tmp_path / "none"), str(tmp_path / "out")]
    with pytest.raises(SystemExit):
        module.main(where)
    assert "none: is not there; fadernets prepare" in capsys.readouterr().err
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "manifest.json").touch()
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None if name == "torch" else 1)
    with pytest.raises(SystemExit):
        module.main(where)
    assert "has no torch; name another interpreter" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_loss_that_is_no_number_is_named(rated, tmp_path):
    done = run(rated, tmp_path, "--only", "pati", "--set", "learning_rate=1e30", steps=50)
    assert done.returncode == 1
    assert done.stderr.endswith(f"pati ended with 1: see {tmp_path / 'out' / 'pati'}/output.log\n")
    assert "the loss is not a number" in (tmp_path / "out" / "pati" / "output.log").read_text()
