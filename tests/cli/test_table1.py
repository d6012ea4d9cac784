"""The command `table1`."""


def test_errors_of_table1_are_one_line(refused, performances, tmp_path):
    data, out = ("--data", performances.folder), ("--out", tmp_path / "runs")
    assert "--only vae: allowed are fadernets-vae" in refused("table1", *data, *out, "--only", "vae")
    assert "--runs 0: must be at least 1" in refused("table1", *data, *out, "--runs", "0")
    assert "name the corpora to prepare it from" in refused("table1", "--data", tmp_path / "none", *out)
    assert "holds tokens, not grid" in refused("table1", *data, *out, "--codec", "grid")
    assert "expected NAME=PATH" in refused("table1", *data, *out, "--corpus", "maestro")


def test_runs_that_were_stopped_are_measured_without_training_alone(refused, performances, tmp_path):
    said = refused("table1", "--data", performances.folder, "--out", tmp_path / "runs", "--unfinished")
    assert "--unfinished: only with --no-train; without it each run is trained to its end" in said
    assert not (tmp_path / "runs").exists()
