"""Old command lines are answered with the new one, in one line."""

import json

import pytest

from fadernets.cli import old_commands


@pytest.mark.parametrize(
    ("old", "answer"),
    [
        ("bench", "bench: is now fadernets table1"),
        ("bench --only pati --no-train", "bench: is now fadernets table1 --only pati --no-train"),
        ("bench --preset paper", "bench --preset: is now fadernets table1 --size paper"),
        ("bench --preset=paper --runs 1", "bench --preset: is now fadernets table1 --size=paper --runs 1"),
        ("bench --help", "bench: is now fadernets table1 --help"),
        ("train a.yaml --preset paper", "train --preset: is now fadernets train a.yaml --size paper"),
        ("train a.yaml --grid seed=1,2", "train --grid: is now fadernets train a.yaml --sweep seed=1,2"),
        (
            "train a.yaml --grid=seed=1,2 --preset small --grid labels=3",
            "train --preset --grid: is now fadernets train a.yaml --sweep=seed=1,2 --size small --sweep labels=3",
        ),
        ("blend a.mid b.mid out --grid 5x5", "blend --grid: is now fadernets blend a.mid b.mid out --cells 5x5"),
        ("blend a.mid b.mid out --grid=2x2", "blend --grid: is now fadernets blend a.mid b.mid out --cells=2x2"),
        ("evaluate", "evaluate: is now fadernets evaluate model"),
        ("evaluate --data d --runs 3", "evaluate: is now fadernets evaluate model --data d --runs 3"),
        ("evaluate --seed 7 --json", "evaluate: is now fadernets evaluate model --seed 7 --json"),
        ("evaluate mine --loop closed", "evaluate mine: is now fadernets evaluate model mine --loop closed"),
        ("evaluate --card mine", "evaluate mine: is now fadernets evaluate model mine --card"),
        ("evaluate --untouched=a.png", "evaluate: is now fadernets evaluate model --untouched a.png"),
        ("evaluate RUN", "evaluate RUN: is now fadernets evaluate checkpoint RUN"),
        ("evaluate CHECKPOINT", "evaluate CHECKPOINT: is now fadernets evaluate checkpoint CHECKPOINT"),
        (
            "evaluate RUN --protocol paper --runs 2",
            "evaluate RUN: is now fadernets evaluate checkpoint RUN --protocol paper --runs 2",
        ),
        ("evaluate RUN --loop closed", "evaluate RUN: is now fadernets evaluate checkpoint RUN --loop best-of-n"),
        ("evaluate RUN --loop open", "evaluate RUN: is now fadernets evaluate checkpoint RUN --loop open"),
        (
            "evaluate gone --protocol strict",
            "evaluate gone: is now fadernets evaluate checkpoint gone --protocol strict",
        ),
        ("evaluate TUNES", "evaluate TUNES: is now fadernets evaluate melody TUNES"),
        ("evaluate --quality", "evaluate --quality: is now fadernets evaluate realism"),
        (
            "evaluate mine --quality --loop open --rolls a.png --language-model lm --data d",
            "evaluate --quality: is now fadernets evaluate realism mine --loop open --rolls a.png --language-model lm "
            "--data d",
        ),
        ("evaluate --ablation", "evaluate --ablation: is now fadernets evaluate ablation"),
        (
            "evaluate m --ablation --loop closed",
            "evaluate --ablation: is now fadernets evaluate ablation m --loop closed",
        ),
        (
            "evaluate --added --corpus pop909=a --corpus lieder=b",
            "evaluate --added: is now fadernets evaluate faders --corpus pop909=a --corpus lieder=b",
        ),
        (
            "evaluate --agreement arousal --corpus vgmidi=a",
            "evaluate --agreement: is now fadernets evaluate presets arousal --corpus vgmidi=a",
        ),
        (
            "evaluate mine --agreement=tension --corpus vgmidi=a",
            "evaluate --agreement: is now fadernets evaluate presets tension --model mine --corpus vgmidi=a",
        ),
    ],
)
def test_an_old_line_is_answered_with_the_new_one(run, tmp_path, monkeypatch, old, answer):
    monkeypatch.chdir(tmp_path)
    for name in ("RUN/best", "CHECKPOINT", "TUNES"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "RUN" / "best" / "config.json").write_text("{}")
    (tmp_path / "CHECKPOINT" / "config.json").write_text("{}")
    (tmp_path / "TUNES" / "model.json").write_text(json.dumps({"codec": "melody"}))
    assert run(*old.split()) == (2, "", [f"fadernets {answer}"])


def test_words_with_spaces_can_be_copied(run):
    code, out, err = run("evaluate", "my model", "--corpus", "vgmidi=my music", "--agreement", "arousal")
    new = "fadernets evaluate presets arousal --model 'my model' --corpus 'vgmidi=my music'"
    assert (code, out, err) == (2, "", [f"fadernets evaluate --agreement: is now {new}"])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "models",
        "apply a.mid b.mid --preset arousal=1",
        "listen make out --preset arousal=1",
        "table1 --size paper",
        "train a.yaml --size paper --sweep seed=1,2",
        "blend a.mid b.mid out --cells 5x5",
        "evaluate --help",
        "evaluate model --data d",
        "evaluate --json checkpoint runs/pati",
        "evaluate --seed 7 melody musicvae",
        "evaluate faders --corpus a=b",
        "evaluate presets arousal --corpus a=b",
        "evaluate realism mine",
        "evaluate ablation --loop open",
    ],
)
def test_a_new_line_is_not_answered(line):
    assert old_commands.successor(line.split()) is None


@pytest.mark.parametrize("text", ["{", "[]", "{}", "7"])
def test_a_folder_that_cannot_be_read_is_taken_for_a_model(run, tmp_path, text):
    (tmp_path / "model.json").write_text(text)
    new = f"fadernets evaluate model {tmp_path}"
    assert run("evaluate", tmp_path) == (2, "", [f"fadernets evaluate {tmp_path}: is now {new}"])
