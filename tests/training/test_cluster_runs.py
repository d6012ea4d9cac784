"""Runs as tasks of a Dask cluster: the same checkpoints as one after the other, and again where a worker ends."""

from __future__ import annotations

import json
import os
import signal
from functools import partial

import pytest
from toy_runs import SIZES

from fadernets.cli.main import main
from fadernets.data import clusters
from fadernets.errors import FadernetsError
from fadernets.training import checkpoints, cluster_runs

pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore")  # Dask's own, of ports and slow starts


@pytest.fixture(scope="module")
def client():
    with clusters.connect(None, "local:2", None) as connected:
        yield connected


def die_once(path):
    """End this worker the first time."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return "alive"
    return os.kill(os.getpid(), signal.SIGKILL)


def refuse(what):
    raise FadernetsError(f"{what}: no\nat all")


def test_results_have_the_order_of_the_jobs(client):
    said = []
    found = cluster_runs.run_all(client, {"b": partial(sorted, [2, 1]), "a": partial(sorted, [3])}, said.append)
    assert list(found.items()) == [("b", [1, 2]), ("a", [3])]
    assert sorted(said) == ["a: done", "b: done"]


def test_a_job_whose_worker_ends_is_given_to_another(client, tmp_path):
    said = []
    jobs = {"one": partial(die_once, str(tmp_path / "died"))}
    assert cluster_runs.run_all(client, jobs, said.append) == {"one": "alive"}
    assert said == ["one: its worker ended; given to another one", "one: done"]


def test_what_fails_is_named_and_the_others_are_kept(client):
    jobs = {"bad": partial(refuse, "x"), "good": partial(sorted, [1])}
    with pytest.raises(FadernetsError, match=r"^bad: x: no; 1 others ended well and are kept$"):
        cluster_runs.run_all(client, jobs, lambda line: None)


def test_a_sweep_on_a_cluster_is_the_sweep_here(performances, tmp_path, capsys, monkeypatch):
    recipe = {
        "name": "pati",
        "steps": 2,
        "batch": 8,
        "labels": 0,
        "label_share": 0.0,
        "validate": 1,
        "transpose": False,
    }
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy.yaml").write_text(json.dumps({**recipe, "precision": "32-true", "model": SIZES}))
    sweep = ["train", "toy.yaml", "--set", f"data={performances.folder}", "--sweep", "seed=0,1", "--json"]
    found = []
    for out, more in (("here", []), ("there", ["--cluster", "local:2"])):
        main([*sweep, "--set", f"out={out}", *more])
        found.append(json.loads(capsys.readouterr().out))
    for here, there in zip(*found, strict=True):
        assert here["grid"] == there["grid"]
        assert here["loss"] == there["loss"]
        weights = [checkpoints.load(tmp_path / row["best"])[0].state_dict() for row in (here, there)]
        assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])


@pytest.mark.parametrize(
    ("more", "match"),
    [
        (["--cluster", "local:2"], "train the runs of a --sweep"),
        (["--cluster", "local:2", "--sweep", "seed=0,1", "--devices", "2"], "each run of a sweep has one process"),
        (["--cluster", "moon", "--sweep", "seed=0,1"], "--cluster moon: is not known"),
    ],
)
def test_clusters_that_are_refused(performances, tmp_path, capsys, more, match):
    (tmp_path / "toy.yaml").write_text(json.dumps({"name": "pati", "steps": 2, "model": SIZES}))
    assert main(["train", str(tmp_path / "toy.yaml"), "--set", f"data={performances.folder}", *more]) == 2
    assert match in capsys.readouterr().err
