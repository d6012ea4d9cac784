"""The example package, installed as a user would, is used from processes that never import it by name."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fadernets

EXAMPLE = Path(__file__).parents[1] / "examples" / "fadernets_example"
PIECE = Path(fadernets.__file__).parent / "assets" / "k545.mid"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Environment variables of a process that finds the package in a folder that pip installed it into."""
    folder = tmp_path_factory.mktemp("site")
    source = shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("source") / "example")  # a build leaves files behind
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--target", folder, source], check=True)
    return {**os.environ, "PYTHONPATH": str(folder)}


@pytest.fixture
def run(environment, tmp_path):
    """Run a command of fadernets with --json in a fresh process -> what it printed; no plugin was left out."""

    def run(*arguments):
        command = [sys.executable, "-m", "fadernets.cli", *map(str, arguments), "--json"]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "is left out" not in done.stderr
        return json.loads(done.stdout)

    return run


def test_attributes_are_measured_and_moved(run, tmp_path):
    before = run("measure", PIECE)["means"]
    report = run("apply", PIECE, tmp_path / "out.mid", "--set", "chord-size=2", "--set", "accent=15", "--bars", "1-4")
    edited = [segment for segment in report["segments"] if segment["asked"]["accent"] is not None]
    assert len(edited) == 4
    away = [[abs(segment[when]["chord_size"] - 2) for segment in edited] for when in ("before", "measured")]
    assert sum(away[1]) < sum(away[0]) / 1.5  # search keeps the densities, and comes as near as it can
    for segment in edited:
        assert segment["measured"]["accent"] == pytest.approx(15, abs=2)
    assert before["accent"] == pytest.approx(run("measure", tmp_path / "out.mid")["means"]["accent"], abs=10)


def test_the_preset_moves_faders_of_both(run, tmp_path):
    report = run("apply", PIECE, tmp_path / "out.mid", "--preset", "gentle=1")
    assert report["preset"]["moves"] == {"dynamics": "-12", "articulation": "+0.1", "accent": "-6", "tempo": "x0.90"}
    assert "gentle" in [row["name"] for row in run("preset", "list")["presets"]]
    assert not [warning for warning in report["warnings"] if warning.startswith("dynamics: ")]  # accents keep the mean


def test_the_corpus_and_the_codec_prepare_a_data_set(run, tmp_path):
    (tmp_path / "tables").mkdir()
    rows = [(beat / 2, beat / 2 + 0.5, 60 + 2 * (beat % 5), 80) for beat in range(64)]
    for name in "abc":
        np.savetxt(tmp_path / "tables" / f"{name}.notes.csv", rows, delimiter=",")
    more = ("--corpus", f"note_tables={tmp_path / 'tables'}", "--keep-all", "--workers", 1)
    assert run("prepare", tmp_path / "grid", *more)["segments"] == 3 * 8
    assert run("prepare", tmp_path / "counts", "--codec", "onset-counts", *more)["segments"] == 3 * 8
    manifest = json.loads((tmp_path / "counts" / "manifest.json").read_text())
    assert manifest["codec"] == "onset-counts"


def test_the_studio_shows_them(environment):
    code = "from fadernets.studio.service import Studio; print(Studio().about().model_dump_json())"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    about = json.loads(done.stdout)
    assert {"chord_size", "accent"} <= {row["name"] for row in about["attributes"]}
    assert "gentle" in {row["name"] for row in about["presets"]}


def test_the_model_is_built_by_name(environment):
    code = (
        "from fadernets.models import build\n"
        "model = build('plain-vae', {'z': 4, 'encoder': 8, 'decoder': 8})\n"
        "print(type(model).__module__, model.sizes)"
    )
    recipe = (EXAMPLE / "README.md").read_text()
    assert "`name: plain-vae` at the top level of a recipe" in recipe
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "fadernets_example.models {'z': 4}"


def test_a_broken_package_costs_one_line(environment, tmp_path):
    """Another package whose module fails, beside the first: the command runs, and says which package it was."""
    (tmp_path / "broken_plugin.py").write_text("raise RuntimeError('no such luck')\n")
    info = tmp_path / "broken_plugin-3.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-plugin\nVersion: 3.1\n")
    (info / "entry_points.txt").write_text("[fadernets.attributes]\nmine = broken_plugin:MINE\n")
    path = os.pathsep.join([str(tmp_path), environment["PYTHONPATH"]])
    command = [sys.executable, "-m", "fadernets.cli", "measure", PIECE, "--json"]
    done = subprocess.run(command, env={**environment, "PYTHONPATH": path}, capture_output=True, text=True, check=True)
    assert "accent" in json.loads(done.stdout)["means"]
    assert done.stderr.splitlines() == [
        "broken-plugin 3.1: its entry point mine (fadernets.attributes = broken_plugin:MINE) is left out: "
        "RuntimeError: no such luck"
    ]


def test_what_is_not_installed_is_not_there():
    assert "accent" not in fadernets.measure(PIECE)["means"]
