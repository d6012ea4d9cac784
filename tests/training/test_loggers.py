"""Where the figures of a run go: each log has what log.jsonl has, a resumed run goes on in the same one."""

import csv
import json
import sys
from types import ModuleType, SimpleNamespace

import pytest
from conftest import TINY

from fadernets.errors import FadernetsError
from fadernets.training import loggers, recipes
from fadernets.training.loggers import Loggers
from fadernets.training.loop import train

SETTINGS = {"name": "music-fadernets", "model": {"z": 4}, "seed": 3}


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A folder in which MLflow keeps its runs as files."""
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    return tmp_path / "store"


def make_recipe(songs, out, **changes):
    values = {"data": str(songs.folder), "out": str(out), "model": TINY, "steps": 4, "batch": 16, "validate": 2}
    values["label_share"] = 0.2
    return recipes.check({**values, "precision": "32-true", **changes})


def rows_of(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def csv_of(folder):
    with (folder / "csv" / "metrics.csv").open(newline="") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]


def runs_of(store):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(store.as_uri())
    experiment = client.get_experiment_by_name("fadernets")
    return client, client.search_runs([experiment.experiment_id])


def test_what_cannot_be_a_logger(monkeypatch):
    with pytest.raises(FadernetsError, match="--logger paper: is not known; allowed: tensorboard, csv, wandb, mlflow"):
        loggers.check(["csv", "paper"])
    with pytest.raises(FadernetsError, match="--logger csv: is named twice"):
        loggers.check(["csv", "csv"])
    monkeypatch.setattr(loggers, "find_spec", lambda name: None)
    with pytest.raises(FadernetsError, match=r"^--logger wandb: needs wandb: pip install wandb$"):
        loggers.check(["wandb"])
    with pytest.raises(FadernetsError, match=r"^--logger mlflow: needs mlflow: pip install 'fadernets\[mlflow\]'$"):
        loggers.check(["mlflow"])


def test_csv_and_tensorboard_have_what_the_log_has(songs, tmp_path):
    out = tmp_path / "run"
    train(make_recipe(songs, out), logs=("csv", "tensorboard"))
    assert csv_of(out) == rows_of(out)
    assert len(list((out / "tensorboard").iterdir())) == 1
    assert not (out / loggers.KNOWN_AS).exists()


def test_a_csv_file_goes_on_where_the_checkpoint_is(tmp_path):
    rows = [{"step": 2, "train/loss": 3.0}, {"step": 4, "train/loss": 2.0, "validation/loss": 2.5}]
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"step": 6, "train/loss": 9.0}]) + '{"st')
    with Loggers(["csv"], tmp_path, SETTINGS, [{"step": 1, "old": 0.0}]):
        pass
    kept = loggers.trim(log, 4)
    assert (kept, rows_of(tmp_path)) == (rows, rows)
    with Loggers(["csv"], tmp_path, SETTINGS, kept) as opened:
        opened.log({"train/loss": 1.0}, 6)
    assert csv_of(tmp_path) == [*rows, {"step": 6, "train/loss": 1.0}]


def test_a_damaged_log_is_named(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"loss": 1}\n')
    with pytest.raises(FadernetsError, match=r"log\.jsonl: is damaged; remove it, or start the run anew"):
        loggers.trim(tmp_path / "log.jsonl", 4)


class StoppedError(Exception):
    pass


def stop_at_three(step, total):
    if step == 3:
        raise StoppedError


def test_a_stopped_run_goes_on_in_the_same_logs(songs, tmp_path, store):
    out = tmp_path / "run"
    recipe, logs = make_recipe(songs, out), ["csv", "mlflow"]
    with pytest.raises(StoppedError):
        train(recipe, logs=logs, progress=stop_at_three)
    assert [run.info.status for run in runs_of(store)[1]] == ["FAILED"]
    train(recipe, logs=logs)
    rows = rows_of(out)
    assert [row["step"] for row in rows] == [2, 4]
    assert csv_of(out) == rows
    client, (run,) = runs_of(store)
    assert (run.info.run_name, run.info.status) == ("run", "FINISHED")
    assert (run.data.params["model/z"], run.data.params["steps"]) == (str(TINY["z"]), "4")
    for name in set(rows[0]) - {"step"}:
        history = [(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, name)]
        assert history == [(row["step"], row[name]) for row in rows]
    with Loggers(["mlflow"], out, SETTINGS, resume=False):
        pass
    assert len(runs_of(store)[1]) == 2


def test_a_run_that_fails_is_marked_as_failed(tmp_path, store):
    with pytest.raises(KeyboardInterrupt), Loggers(["mlflow"], tmp_path, SETTINGS):
        raise KeyboardInterrupt
    assert runs_of(store)[1][0].info.status == "FAILED"


def test_without_a_server_mlflow_writes_into_the_run(tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with Loggers(["mlflow"], tmp_path, SETTINGS) as opened:
        opened.log({"loss": 1.0}, 1)
    assert runs_of(tmp_path / "mlruns")[1][0].data.metrics == {"loss": 1.0}


def test_wandb_offline(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    for step in (1, 2):
        with Loggers(["wandb"], tmp_path, SETTINGS) as opened:
            opened.log({"loss": 1.0}, step)
    known = json.loads((tmp_path / loggers.KNOWN_AS).read_text())["wandb"]
    assert len(list(tmp_path.glob(f"wandb/offline-run-*-{known}"))) == 2


@pytest.fixture
def service(monkeypatch):
    """A logger of the name `wandb` that stands for a service; its calls, and what it raises."""
    made = SimpleNamespace(calls=[], error=None)

    class Stand:
        def log_metrics(self, metrics, step):
            made.calls.append((metrics, step))
            if made.error:
                raise made.error

        def finalize(self, status):
            made.calls.append(status)

    monkeypatch.setitem(loggers.SERVICES, "wandb", lambda run: Stand())
    monkeypatch.setitem(sys.modules, "wandb", ModuleType("wandb"))
    monkeypatch.setattr(loggers, "find_spec", lambda name: name)
    return made


def test_a_service_that_fails_does_not_end_the_run(service, tmp_path, capsys):
    service.error = ConnectionError("no route\nto host")
    with Loggers(["wandb", "csv"], tmp_path, SETTINGS) as opened:
        opened.log({"loss": 1.0}, 1)
        opened.log({"loss": 2.0}, 2)
    assert service.calls == [({"loss": 1.0}, 1)]
    said = "warning: --logger wandb: is left out from here on (no route); log.jsonl has all\n"
    assert capsys.readouterr().err == said
    assert [row["loss"] for row in csv_of(tmp_path)] == [1.0, 2.0]


def test_a_file_that_cannot_be_written_ends_the_run(tmp_path, monkeypatch):
    with Loggers(["tensorboard"], tmp_path, SETTINGS) as opened:
        monkeypatch.setattr(opened._open["tensorboard"], "log_metrics", lambda *_: raising(OSError("full")))
        with pytest.raises(OSError, match="full"):
            opened.log({"loss": 1.0}, 1)


def raising(error):
    raise error


def test_a_service_that_cannot_be_opened_is_one_line(service, tmp_path, monkeypatch):
    monkeypatch.setitem(loggers.SERVICES, "wandb", lambda run: raising(RuntimeError("no\nkey")))
    with pytest.raises(FadernetsError, match=r"^--logger wandb: cannot be opened \(no\)$"):
        Loggers(["wandb"], tmp_path, SETTINGS)


def test_a_damaged_loggers_file_is_named(tmp_path):
    (tmp_path / loggers.KNOWN_AS).write_text("[1]")
    opened = Loggers([], tmp_path, SETTINGS)
    with pytest.raises(FadernetsError, match=r"loggers\.json: is damaged; remove it"):
        opened.known_as("mlflow")
