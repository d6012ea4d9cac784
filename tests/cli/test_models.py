"""The commands `models`, `pull` and `push`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub_stand_in import FILES, MODEL, NAME

from fadernets.cli.main import main
from fadernets.engines import model_folder
from fadernets.engines.model_folder import bundled, find_folder
from fadernets.music.document import Document

# huggingface_hub 2.4 uploads without Xet by a keyword that its own HTTP client no longer likes.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def test_models(run, hub_cache_folder):
    _, out, _ = run("models", "--json")
    (row,) = [row for row in json.loads(out)["models"] if row["default"]]
    assert row["name"] == model_folder.DEFAULT_MODEL == "rewriter"
    assert 0 < row["bytes"] < 20e6
    assert "rewriter (default): " in run("models")[1]


def test_an_edit_by_a_pulled_model_asks_nobody(pulled, stand_in, tmp_path, capsys):
    stand_in.asked.clear()
    out = [tmp_path / "theirs.mid", tmp_path / "ours.mid"]
    for model, path in zip([NAME, MODEL], out, strict=True):
        demo = Path(__file__).parents[2] / "src/fadernets/assets/k545.mid"
        asked = ["apply", str(demo), str(path), "--model", model, "--bars", "1-2", "--move", "rhythm-density=0.2"]
        assert main(asked) == 0
    assert out[0].read_bytes() == out[1].read_bytes()
    assert len(Document(out[0]).piece.notes)
    assert stand_in.asked == []


def test_the_hub_s_refusals_are_one_line(stand_in, model_files, monkeypatch, capsys):
    def refused(*arguments):
        assert main(list(arguments)) == 2
        return capsys.readouterr().err

    private = stand_in.repository("me/private", model_files, private=True)
    stand_in.repository(NAME, model_files)
    assert "the hub has no such model, or it is private: log in with" in refused("pull", "me/none")
    assert "the hub has no such revision" in refused("pull", NAME, "--revision", "v9")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "log in with `hf auth login`, or set HF_TOKEN" in refused("pull", "me/private")
    assert "log in with `hf auth login`, or set HF_TOKEN" in refused("push", MODEL, NAME)
    assert list(private.branches) == ["main"]
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "http://127.0.0.1:9 cannot be reached" in refused("pull", NAME)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set, so nothing goes out; unset it" in refused("pull", NAME)


def test_without_huggingface_hub_the_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert main(["pull", NAME]) == 2
    assert "needs huggingface_hub: pip install 'fadernets[hub]'" in capsys.readouterr().err


def test_pull_push_and_models_print(stand_in, capsys):
    assert main(["push", MODEL, NAME, "--private", "--message", "first", "--json"]) == 0
    pushed = json.loads(capsys.readouterr().out)
    assert (pushed["model"], set(pushed["files"])) == (NAME, FILES)
    assert main(["pull", NAME]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{NAME}: 5.5 MB, commit {pushed['commit'][:12]}, ")
    assert "warning" not in said.err
    stand_in.repositories[NAME].commit("main", {**stand_in.repositories[NAME].files(), "notes.txt": b"", "a.pt": b""})
    assert main(["pull", NAME]) == 0
    assert f"warning: {NAME}: left on the hub: a.pt, notes.txt\n" in capsys.readouterr().err
    assert main(["models", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["models"]}
    assert rows[NAME]["folder"] == str(find_folder(NAME))
    assert set(bundled()) < set(rows)


def test_settings_of_the_environment_are_taken(stand_in, model_files, tmp_path):
    """In a process of its own, whose huggingface_hub reads HF_ENDPOINT and HF_HOME."""
    stand_in.repository(NAME, model_files)
    settings = {"HF_ENDPOINT": stand_in.address, "HF_HOME": str(tmp_path / "home"), "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-W", "error", "-m", "fadernets.cli", "pull", NAME, "--json"]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=True)
    assert Path(json.loads(done.stdout)["folder"]).is_relative_to(tmp_path / "home")
