"""The commands `prepare`, `train` and `export`: what they print, what they refuse, and what they leave behind."""

import json
import re

import pytest
from midi_files import PIECES, left, metre, right, save, track

# prepare


def test_errors_of_prepare_are_one_line(refused, tmp_path):
    out = tmp_path / "data"
    assert "no such folder" in refused("prepare", out, "--corpus", f"pop909={tmp_path / 'none'}")
    assert "corpus 'songs' is not known" in refused("prepare", out, "--corpus", f"songs={tmp_path}")
    assert "expected NAME=PATH" in refused("prepare", out, "--corpus", "pop909")
    assert "no corpus 'pop909' here" in refused("prepare", out, "--corpus", f"pop909={tmp_path}")
    assert "required: --corpus" in refused("prepare", out)
    assert "0 workers" in refused("prepare", out, "--corpus", f"folder={tmp_path}", "--workers", "0")
    assert "codec 'wax' is not known; allowed: grid, tokens, melody" in refused(
        "prepare", out, "--corpus", f"folder={tmp_path}", "--codec", "wax"
    )


def test_prepare_makes_a_data_set_of_a_folder(run, tmp_path):
    for i in range(4):
        save(tmp_path / f"{i}.mid", track(right(32, seed=i), metre(4)))
    out = tmp_path / "data"
    code, text, _ = run("prepare", out, "--corpus", f"folder={tmp_path}", "--workers", 1, "--keep-all", "--json")
    assert code == 0
    assert json.loads(text)["segments"] == 32


def test_prepare_says_what_it_left_out_and_what_it_replaces(run, tmp_path):
    songs = tmp_path / "songs"
    songs.mkdir()
    save(songs / "dense.mid", track(right(32, seed=0), metre(4)), track(left(32, 0), channel=1))
    save(songs / "thin.mid", track([(beat, 1, 60, 80) for beat in range(16)], metre(4)))
    (songs / "bad.mid").write_bytes(b"")
    command = ("prepare", tmp_path / "out", "--corpus", f"folder={songs}", "--workers", 1)
    code, text, err = run(*command)
    assert (code, err) == (0, ["warning: bad.mid: is empty"])
    assert re.fullmatch(
        r"    \d+ of 12 windows; left out: .*4 \(2 pitches or fewer\).*; 1 pieces kept no segment", text.splitlines()[2]
    )
    told = run(*command, "--codec", "tokens")[2]
    assert told[0] == f"{tmp_path / 'out'}: the data set of grid of folder that is there is replaced"
    assert run(*command, "--codec", "tokens")[2] == ["warning: bad.mid: is empty"]


def test_a_file_that_is_left_out_is_named_once(run, tmp_path):
    save(tmp_path / "good.mid", track(right(32, seed=0), metre(4)))
    (tmp_path / "bad.mid").write_bytes(b"")
    code, _, err = run("prepare", tmp_path / "out", "--corpus", f"folder={tmp_path}", "--workers", 1, "--keep-all")
    assert (code, err) == (0, ["warning: bad.mid: is empty"])


def test_prepare_melodies(run, tmp_path):
    (tmp_path / "music").mkdir()
    for i in range(3):
        PIECES["two_hands"](tmp_path / "music" / f"{i}.mid")
    code, out, err = run(
        "prepare", tmp_path / "out", "--corpus", f"folder={tmp_path / 'music'}", "--codec", "melody", "--workers", 1
    )
    assert (code, err) == (0, [])
    assert out.splitlines()[0].startswith(f"{tmp_path / 'out'}: 21 segments, 0 files skipped, hash ")


# train


def test_errors_of_train_are_one_line(refused, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("data: nowhere\nname: x\n")
    assert "none.yaml: cannot be read" in refused("train", tmp_path / "none.yaml")
    assert "unknown recipe key 'tempo'" in refused("train", recipe, "--set", "tempo=3")
    assert "expected key=value" in refused("train", recipe, "--set", "steps")
    recipe.write_text("volume: 11\n")
    assert "unknown recipe key 'volume'" in refused("train", recipe)
    recipe.write_text("{")
    assert "is not YAML" in refused("train", recipe)
    recipe.write_text("data: nowhere\n")
    assert "nowhere" in refused("train", recipe)
    assert "nowhere" in refused("train", recipe, "--set", "steps=1")
    assert "--logger paper: is not known; allowed: tensorboard, csv, wandb" in refused(
        "train", recipe, "--logger", "paper"
    )


@pytest.fixture
def recipe(performances, tmp_path):
    """A recipe of two steps and a size `paper` beside it; runs go to `runs`."""
    (tmp_path / "sizes").mkdir()
    (tmp_path / "sizes" / "paper.yaml").write_text("steps: 3\nmodel:\n  z: 5\n")
    path = tmp_path / "tiny.yaml"
    path.write_text(
        f"data: {performances.folder}\nout: {tmp_path / 'runs' / 'tiny'}\nsteps: 2\nbatch: 8\nlabels: 2\n"
        "label_share: 0.1\nprecision: 32-true\nmodel: {z: 4, encoder: 8, decoder: 8, sub_decoder: 6}\n"
    )
    return path


def test_train_with_a_size(run, refused, recipe, tmp_path):
    message = refused("train", recipe, "--size", "huge")
    assert message.endswith(f"--size huge: {tmp_path / 'sizes'} has paper")
    code, out, err = run("train", recipe, "--size", "paper", "--set", "model.encoder=7")
    assert (code, out) == (0, f"best checkpoint: {tmp_path / 'runs' / 'tiny' / 'best'}\n")
    assert err[0].startswith("step 3/3 ")
    written = json.loads((tmp_path / "runs" / "tiny" / "recipe.json").read_text())
    assert (written["steps"], written["batch"]) == (3, 8)
    assert written["model"] == {"z": 5, "encoder": 7, "decoder": 8, "sub_decoder": 6}


def test_train_over_a_sweep(run, recipe, tmp_path):
    """A run a combination, each in a folder of its own; asked again, they are there."""
    sweep = ("--sweep", "learning_rate=0.001,0.02", "--sweep", "labels=3")
    code, out, _ = run("train", recipe, *sweep)
    names = [f"tiny-learning_rate={rate}-labels=3" for rate in ("0.001", "0.02")]
    assert code == 0
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == names
    code, text, err = run("train", recipe, *sweep, "--json")
    assert (code, err) == (0, [])
    rows = json.loads(text)
    assert len(rows) == len(out.splitlines()) == 2
    for row, line, name, rate in zip(rows, out.splitlines(), names, (0.001, 0.02), strict=True):
        folder = tmp_path / "runs" / name
        config = json.loads((folder / "best" / "config.json").read_text())
        assert (config["recipe"]["learning_rate"], config["recipe"]["labels"]) == (rate, 3)
        assert row == {"best": str(folder / "best"), "grid": [f"learning_rate={rate}", "labels=3"], **config["figures"]}
        shown = ", ".join(f"{n} {config['figures'][n]:.4f}" for n in ("loss", "reconstruction", "accuracy", "note_f1"))
        assert line == f"learning_rate={rate} labels=3: {shown} ({folder / 'best'})"
    assert rows[0]["loss"] != rows[1]["loss"]
    assert json.loads(run("train", recipe, "--json")[1]) == {"best": str(tmp_path / "runs" / "tiny" / "best")}


def test_a_sweep_is_refused_before_anything_is_trained(refused, recipe):
    assert "expected key=value,value" in refused("train", recipe, "--sweep", "steps")
    assert "unknown recipe key 'tempo'" in refused("train", recipe, "--sweep", "tempo=1,2")
    assert "recipe key steps 0; must be above 0" in refused("train", recipe, "--sweep", "steps=2,0")
    assert "recipe key batch 1; must be above 1" in refused("train", recipe, "--set", "batch=1")


def test_a_loss_that_is_no_number_is_one_line_with_the_name_of_its_term(run, recipe, tmp_path, monkeypatch):
    from fadernets.models.music_fadernets import FaderNets

    loss = FaderNets.loss

    def spoil(self, batch, step, total):
        terms = loss(self, batch, step, total)
        if step == 1:
            terms["note_kl"] = terms["note_kl"] * float("nan")
            terms["loss"] = terms["loss"] + terms["note_kl"]
        return terms

    monkeypatch.setattr(FaderNets, "loss", spoil)
    code, out, err = run("train", recipe, "--set", "validate=1", "--set", "steps=4")
    assert (code, out) == (2, "")
    assert err[0].startswith("step 1/4 ")
    assert err[1:] == [
        "fadernets train: error: step 1: the loss is not a number (first in note_kl); the last good checkpoint is "
        f"{tmp_path / 'runs' / 'tiny' / 'last'}"
    ]


def test_train_stops_before_the_first_checkpoint(run, recipe, tmp_path, monkeypatch):
    from fadernets.models.music_fadernets import FaderNets

    monkeypatch.setattr(FaderNets, "weights", lambda self, beta: {"note_kl": float("nan")})
    _, _, err = run("train", recipe, "--set", "steps=4")
    assert err[-1].endswith("step 0: the loss is not a number (first in gradient); there is no good checkpoint yet")


def test_recipes_and_data_sets_that_do_not_go_together(refused, melodies, songs, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(f"batch: 8\nprecision: 32-true\nout: {tmp_path / 'run'}\n")
    said = "music-vae takes data sets of melodies, the others do not"
    message = refused("train", path, "--set", f"data={melodies.folder}")
    assert message == f"fadernets train: error: model music-fadernets over melody: {said}"
    message = refused("train", path, "--set", f"data={songs.folder}", "--set", "name=music-vae")
    assert message == f"fadernets train: error: model music-vae over grid: {said}"


def test_train_over_a_sweep_prints_what_a_model_counts(run, melodies, songs, tmp_path):
    path = tmp_path / "a.yaml"
    small = "model: {encoder: 4, decoder: 4}"
    path.write_text(f"batch: 8\nsteps: 1\nprecision: 32-true\nout: {tmp_path / 'run'}\n{small}\n")
    for name, data, last in (("music-vae", melodies, "clips"), ("language-model", songs, "accuracy")):
        given = ("--set", f"name={name}", "--set", f"data={data.folder}", "--sweep", f"seed=1{len(name)}")
        code, out, _ = run("train", path, *given)
        assert code == 0
        best = tmp_path / f"run-seed=1{len(name)}" / "best"
        figures = json.loads((best / "config.json").read_text())["figures"]
        shown = out.split(": ", 1)[1].split(" (")[0].split(", ")
        assert shown == [f"{n} {figures[n]:.4f}" for n in (part.split()[0] for part in shown)]
        assert [shown[0].split()[0], shown[-1].split()[0]] == ["loss", last]


# export


def test_errors_of_export_are_one_line(refused, tmp_path):
    assert "is no checkpoint" in refused("export", tmp_path / "none", tmp_path / "model")
