"""A rewriter from nothing to an edit, by commands: prepare, train, critic, export, apply."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import toy_rewriter

from fadernets.cli.main import main
from fadernets.engines.model_folder import check_files
from fadernets.engines.rhythm import FEATURES, MEMORY, Rhythm
from fadernets.fitting import fit_played_notes, fit_rhythm
from fadernets.music.document import Document
from fadernets.music.note_files import file_of_notes

RECIPE = """
hours: 0.002
batch: 4
fresh: 4
pool: 8
every: 4
denoising: 0.4
size: {width: 32, heads: 2, inner: 32, encoder: 1, decoder: 1, chain: 16}
"""


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("music")
    for seed in range(20):  # enough that a piece falls into each split
        piece = toy_rewriter.made_piece(bars=16, seed=seed)
        beats = [[n["onset"] / piece.tpq, n["end"] / piece.tpq, n["pitch"], n["velocity"]] for n in piece.notes]
        (folder / f"piece{seed}.mid").write_bytes(file_of_notes(beats))
    return folder


def test_from_corpora_to_an_edit_that_lands(
    music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fadernets.fitting import fit_passage_critic
    from fadernets.training import rewriter_loop

    monkeypatch.setattr(fit_passage_critic, "EPOCHS", 1)
    monkeypatch.setattr(rewriter_loop, "SHOWN_EVERY", 2)
    passages, run, model = tmp_path / "passages.npz", tmp_path / "run", tmp_path / "model"
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)
    assert main(["rewriter", "prepare", str(passages), "--corpus", f"folder={music}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pieces"] == 20

    assert main(["rewriter", "train", str(recipe), str(passages), str(run), "--logger", "csv"]) == 0
    with (run / "csv" / "metrics.csv").open(newline="") as file:
        written = [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
    assert written == [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    export = ["rewriter", "export", str(run), str(passages), str(model)]
    assert main(export) == 0
    assert main(["rewriter", "critic", str(run), str(passages), str(model), "--count", "96"]) == 0
    assert main(export) == 0
    capsys.readouterr()
    source, out = music / "piece0.mid", tmp_path / "out.mid"
    asked = ["apply", str(source), str(out), "--model", str(model), "--move", "rhythm-density=0.2", "--json"]
    assert main(asked) == 0

    segments = json.loads(capsys.readouterr().out)["segments"]
    for segment in segments:
        assert segment["measured"]["rhythm_density"] == pytest.approx(segment["asked"]["rhythm_density"], abs=1 / 32)
    assert len(Document(out).piece.notes)
    card = (model / "README.md").read_text()
    assert "the user's own" in card
    assert "for research, not for shipping" in card
    named = json.loads((model / "model.json").read_text())["checkpoint"]
    assert set(named) == {"config.json", "model.safetensors"}
    assert check_files(model).items() >= named.items()


def test_the_small_models_beside_it(
    music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (fit_rhythm, fit_played_notes):
        monkeypatch.setattr(module, "STEPS_OF_FIT", 20)
    passages, rhythm, played = (tmp_path / name for name in ("passages.npz", "rhythm.npz", "played.npz"))
    corpus = ["--corpus", f"folder={music}"]
    assert main(["rewriter", "prepare", str(passages), *corpus]) == 0
    capsys.readouterr()
    assert main(["rewriter", "rhythm", str(passages), str(rhythm), "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["corpora"] == {"folder": "the user's own"}
    assert 0 < card["loss"] < 1
    assert Rhythm.open(rhythm).inner.shape == (FEATURES + MEMORY, fit_rhythm.HIDDEN)

    assert main(["rewriter", "played-notes", str(played), *corpus]) == 0
    assert "hidden notes of training pieces" in capsys.readouterr().out
    for model in ([], ["--model", str(played)]):
        assert main(["evaluate", "played-notes", *corpus, *model, "--split", "validation", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["spread"] == 0.5
        assert set(found["folder"]["all tracks"]["velocity"]) >= {"copy", "mean", "model", "drawn"}
    assert main(["evaluate", "played-notes", *corpus, "--split", "train", "--every", "9"]) == 0
    assert capsys.readouterr().out.startswith("| corpus | holes | notes | error of | copy | mean | model | drawn |")
    assert main(["evaluate", "played-notes", *corpus, "--spread", "2"]) == 2
    assert "--spread 2: outside 0..1" in capsys.readouterr().err
    assert main(["evaluate", "played-notes", *corpus]) == 2
    assert "no test piece of corpus 'folder' has 60 notes or more" in capsys.readouterr().err


def test_prepare_tells_what_it_passes_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "bad.mid").write_bytes(b"no music")
    (tmp_path / "music" / "empty.mid").write_bytes(file_of_notes(np.zeros((0, 4))))
    out = tmp_path / "passages.npz"
    assert main(["rewriter", "prepare", str(out), "--corpus", f"folder={tmp_path / 'music'}"]) == 2
    bad, empty, error = capsys.readouterr().err.splitlines()
    assert bad.startswith("warning: bad.mid: ")
    assert empty == "warning: empty.mid: no track that is not drums; its tracks: none"
    assert error.startswith(f"fadernets rewriter: error: {out}: is not written, since there is no piece")
    assert not out.exists()


def test_a_stopped_run_goes_on_and_a_finished_one_is_left(music: Path, tmp_path: Path) -> None:
    import torch

    passages, run, recipe = tmp_path / "passages.npz", tmp_path / "run", tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)
    assert main(["rewriter", "prepare", str(passages), "--corpus", f"folder={music}"]) == 0
    command = ["rewriter", "train", str(recipe), str(passages), str(run), "--set"]
    assert main([*command, "hours=0.0005"]) == 0
    first = torch.load(run / "state.pt", weights_only=True)["step"]
    assert main([*command, "hours=0.001"]) == 0
    second = torch.load(run / "state.pt", weights_only=True)["step"]
    assert main([*command, "hours=0.001"]) == 0
    assert 0 < first < second == torch.load(run / "state.pt", weights_only=True)["step"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("hours=-1", "hours"),
        ("houers=1", "unknown recipe key 'houers'"),
        ("size={breadth: 3}", "size"),
        ("hours", "key=value"),
    ],
)
def test_a_wrong_recipe_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, said: str) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)
    assert main(["rewriter", "train", str(recipe), str(tmp_path / "p.npz"), str(tmp_path), "--set", change]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
