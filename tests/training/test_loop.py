"""The loop: what a run writes, that it resumes to the same numbers, and what makes it stop."""

import json
import math
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, make_model, write_songs
from made_cells import planes_of

from fadernets import files
from fadernets.codecs import grid, performance_tokens
from fadernets.data.batches import Sampler
from fadernets.data.labels import classes_of
from fadernets.errors import FadernetsError
from fadernets.models import build, losses, schedules
from fadernets.models.base import Model
from fadernets.models.grid_coding import GridDecoder, held_in
from fadernets.models.music_fadernets import FaderNets
from fadernets.models.music_vae import MusicVAE
from fadernets.models.token_coding import TokenDecoder
from fadernets.training import checkpoints, loop, recipes
from fadernets.training.loop import TrainingError, auto_precision, choose_rows, train

TERMS = {"reconstruction", "loss", "beta"} | {
    f"{code}_{term}" for code in ("rhythm", "note") for term in ("symbols", "regulariser", "kl", "class_kl", "labelled")
}


def make_recipe(songs, out, **changes):
    values = {
        "data": str(songs.folder),
        "out": str(out),
        "model": TINY,
        "seed": 3,
        "steps": 40,
        "batch": 16,
        "labels": 4,
        "label_share": 0.2,
        "pairs": 0.5,
        "validate": 10,
        "learning_rate": 0.01,
        "precision": "32-true",
    }
    return recipes.check(values | changes)


@pytest.fixture(scope="module")
def run(songs, tmp_path_factory):
    """The folder of a run of forty steps."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert train(make_recipe(songs, out)) == out / "best"
    return out


@pytest.fixture
def recipe(songs, tmp_path):
    return make_recipe(songs, tmp_path / "run")


def log_of(folder):
    """The rows of a run's log without the only figure that time changes."""
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    for row in rows:
        assert row.pop("train/segments_per_second") > 0
    return rows


def weights_of(folder):
    return checkpoints.load(folder)[0].state_dict()


def assert_same_run(a, b):
    assert log_of(a) == log_of(b)
    for name in ("last", "best"):
        one, other = weights_of(a / name), weights_of(b / name)
        assert all(torch.equal(one[key], other[key]) for key in one)
        assert checkpoints.read_config(a / name)["step"] == checkpoints.read_config(b / name)["step"]


def break_loss(monkeypatch, step, change):
    """From this training step on, `change` has its way with the terms, given the model too."""
    loss = FaderNets.loss

    def broken(self, batch, at, total):
        terms = loss(self, batch, at, total)
        return change(self, terms) if self.training and at >= step else terms

    monkeypatch.setattr(FaderNets, "loss", broken)


# What a run writes


def test_the_log_has_every_term_by_its_name(run):
    rows = log_of(run)
    assert [row["step"] for row in rows] == [10, 20, 30, 40]
    expected = {"step", "train/gradient", "validation/note_f1", "validation/accuracy"}
    expected |= {f"{part}/{term}" for part in ("train", "validation") for term in TERMS}
    for row in rows:
        assert set(row) == expected
        assert all(math.isfinite(value) for value in row.values())
    assert rows[-1]["train/loss"] < rows[0]["train/loss"]
    assert rows[-1]["validation/loss"] < rows[0]["validation/loss"]


def test_the_log_has_means_over_the_steps_between(run):
    betas = [schedules.ramp(step, 40, value=0.02) for step in range(40)]
    found = [row["train/beta"] for row in log_of(run)]
    np.testing.assert_allclose(found, np.reshape(betas, (4, 10)).mean(1), rtol=1e-5)
    assert all(row["validation/beta"] == pytest.approx(0.02) for row in log_of(run))


def test_a_finished_run_is_left_as_it_is(run, songs):
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    assert train(make_recipe(songs, run)) == run / "best"
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_two_runs_in_one_folder(songs, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    message = rf"^{out}: another `train` is writing this run$"
    with files.sole_use(out, ""), pytest.raises(FadernetsError, match=message):
        train(make_recipe(songs, out))
    assert list(out.iterdir()) == []


FULL = """
import resource, signal, sys
from fadernets.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(main.main(sys.argv[2:]))
"""


@pytest.mark.parametrize("room", [100, 3000, 20_000])  # bytes of a file: of the recipe, the log, the checkpoints
def test_a_full_disk_is_one_line(songs, tmp_path, room):
    out, path = tmp_path / "run", tmp_path / "recipe.yaml"
    path.write_text(json.dumps(recipes.as_dict(make_recipe(songs, out, steps=4, validate=1))))
    command = [sys.executable, "-c", FULL, str(room), "train", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("fadernets train: error: ")
    assert "cannot be written" in last
    assert not list(out.rglob("*.part")) + list(out.glob(".*"))


def test_tensorboard_has_what_the_log_has(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard")).Reload()
    rows = log_of(run)
    names = set(rows[0]) - {"step"} | {"train/segments_per_second"}
    assert set(events.Tags()["scalars"]) == names
    found = [(event.step, event.value) for event in events.Scalars("validation/loss")]
    assert found == [(row["step"], pytest.approx(row["validation/loss"])) for row in rows]


def test_the_checkpoints(run, songs):
    files = {"README.md", "config.json", "model.safetensors"}
    assert {path.name for path in (run / "best").iterdir()} == files
    assert {path.name for path in (run / "last").iterdir()} == files | {"state.pt"}
    config = checkpoints.read_config(run / "last")
    assert (config["step"], config["codec"]) == (40, "grid")
    assert config["data"] == {"hash": songs.hash, "corpora": songs.manifest["sources"]}
    assert config["segments"] == {"train": 128, "labelled": 26}
    assert config["recipe"]["model"] == TINY
    last = {name.removeprefix("validation/"): value for name, value in log_of(run)[-1].items()}
    assert config["figures"].items() <= last.items()
    best = min(log_of(run), key=lambda row: row["validation/loss"])
    assert checkpoints.read_config(run / "best")["step"] == best["step"]
    assert f"- note f1: {config['figures']['note_f1']:.4f}" in (run / "last" / "README.md").read_text()
    assert json.loads((run / "recipe.json").read_text()) == config["recipe"]


def test_the_learning_rate_follows_its_schedule(run):
    state = checkpoints.load_state(run / "last")
    expected = schedules.learning_rate(39, 40, peak=0.01, warmup=0.02)
    assert state["optimizer"]["param_groups"][0]["lr"] == pytest.approx(expected)
    assert (state["step"], state["waited"]) == (40, 0)


def test_every_weight_has_been_trained(run):
    config = checkpoints.read_config(run / "last")["recipe"]
    torch.manual_seed(config["seed"])
    start = build(config["name"], config["model"], "grid").state_dict()
    for name, weight in weights_of(run / "last").items():
        assert not torch.equal(start[name], weight), name


def test_the_other_precision(songs, tmp_path):
    out = tmp_path / "run"
    train(make_recipe(songs, out, steps=4, validate=4, precision="bf16-mixed"))
    assert {weight.dtype for weight in weights_of(out / "last").values()} == {torch.float32}


def test_progress_counts_up_to_the_last_step(songs, tmp_path):
    seen = []
    train(make_recipe(songs, tmp_path / "run", steps=3), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3, 3)
    assert seen == sorted(set(seen))


def test_a_vanilla_model_without_labels(songs, tmp_path):
    changes = {"model": TINY | {"clusters": 0}, "labels": 0, "label_share": 0.0, "pairs": 0.0}
    out = tmp_path / "run"
    train(make_recipe(songs, out, steps=4, validate=4, **changes))
    found = {name.removeprefix("train/") for name in log_of(out)[0] if name.startswith("train/")}
    assert found == {term for term in TERMS if not term.endswith(("_class_kl", "_labelled"))} | {"gradient"}
    assert checkpoints.read_config(out / "last")["segments"]["labelled"] == 0


@pytest.mark.parametrize("kind", ["the target", "half of it", "silence"])
def test_note_f1_of_validation(songs, tmp_path, monkeypatch, kind):
    rows = songs.select(split="validation", corpus="songs")
    half = rows[:8] if kind == "half of it" else rows[:0] if kind == "silence" else rows
    onsets = [(songs.cells(some) == grid.ONSET).sum() for some in (half, rows)]
    known = {cells.tobytes() for cells in songs.cells(half)}

    def generate(self, condition, asked, held):
        planes = next(iter(seen))
        assert torch.equal(held, held_in(planes))
        cells = planes[:, 0] * grid.ONSET + planes[:, 1] * grid.HOLD
        keep = [row.numpy().astype(np.uint8).tobytes() in known for row in cells]
        return planes * torch.tensor(keep)[:, None, None, None]

    seen, judge = [], Model.judge
    monkeypatch.setattr(
        Model, "judge", lambda self, batch, free: seen.insert(0, batch.targets) or judge(self, batch, free)
    )
    monkeypatch.setattr(GridDecoder, "generate", generate)
    train(make_recipe(songs, tmp_path / "run", steps=1, validate=1))
    expected = 2 * onsets[0] / (onsets[0] + onsets[1])
    assert log_of(tmp_path / "run")[0]["validation/note_f1"] == pytest.approx(expected)


def test_accuracy_of_validation(songs, recipe):
    """Of the cells that sound or are guessed to, the share guessed right, by hand."""
    from lightning.fabric import Fabric

    model = make_model()
    run = loop._Run(Fabric(accelerator="cpu"), recipe, songs, False, ExitStack())
    run.raw.load_state_dict(model.state_dict())
    rows = songs.select(split="validation", corpus="songs")
    planes = planes_of(songs.cells(rows))
    logits = []
    hook = model.decoder.head.register_forward_hook(lambda module, inputs, output: logits.append(output))
    codes = {name: q.mean for name, q in model.encode(planes).items()}
    asked = torch.from_numpy(songs.attributes[rows])
    key = torch.eye(24)[torch.from_numpy(songs.key[rows].astype(np.int64))]
    model.decoder.loss(model.condition(codes, key, asked), asked, planes)
    hook.remove()
    onset, hold = logits[0].detach().unflatten(-1, (2, 88)).unbind(2)  # [B, 16, 88] against off, which is 0
    right = some = 0
    for guessed_onset, guessed_hold, cells in zip(onset, hold, songs.cells(rows), strict=True):
        guess = np.where((guessed_onset > 0) & (guessed_onset > guessed_hold), grid.ONSET, grid.OFF)
        guess = np.where((guessed_hold > 0) & (guessed_hold > guessed_onset), grid.HOLD, guess)
        counted = (guess != grid.OFF) | (cells != grid.OFF)
        right, some = right + (guess == cells)[counted].sum(), some + counted.sum()
    assert right > 20
    assert run.validate()["accuracy"] == pytest.approx(right / some, rel=1e-6)


def test_validation_takes_every_segment_and_decodes_the_first_batches(songs, tmp_path, monkeypatch):
    """A few batches are decoded freely; the loss and the counts are over all of them."""
    judged, rows = [], []

    def judge(self, batch, free):
        judged.append(free)
        rows.append(batch.reconstructed)
        counts = {"accuracy": (float(len(judged)), 10.0)}  # 1, 2, 3 and 4 of 10
        return counts | ({"note_f1": (3.0, 4.0 * len(judged))} if free else {})  # 6 of 4 + 8

    def small(data, rows, labelled, **settings):
        return Sampler(data, rows, labelled, **settings | ({"batch": 4} if not settings.get("labels") else {}))

    monkeypatch.setattr(loop, "FREE_BATCHES", 2)
    monkeypatch.setattr(loop, "Sampler", small)
    monkeypatch.setattr(Model, "judge", judge)
    train(make_recipe(songs, tmp_path / "run", steps=1, validate=1))
    assert (judged, rows) == ([True, True, False, False], [4, 4, 4, 4])
    row = log_of(tmp_path / "run")[0]
    assert row["validation/accuracy"] == pytest.approx(0.25)
    assert row["validation/note_f1"] == pytest.approx(0.5)


# Tokens


@pytest.fixture(scope="module")
def token_run(performances, tmp_path_factory):
    """The folder of a run of twenty steps over performance tokens."""
    out = tmp_path_factory.mktemp("runs") / "tokens"
    train(make_recipe(performances, out, pairs=0.0, steps=20))
    return out


def test_a_run_over_tokens(token_run, performances):
    rows = log_of(token_run)
    assert [row["step"] for row in rows] == [10, 20]
    expected = {"step", "train/gradient", "validation/note_f1", "validation/accuracy"}
    assert set(rows[0]) == expected | {f"{part}/{term}" for part in ("train", "validation") for term in TERMS}
    assert rows[1]["train/loss"] < rows[0]["train/loss"]
    model, config = checkpoints.load(token_run / "last")
    assert (config["codec"], model.codec, config["step"]) == ("tokens", "tokens", 20)
    assert config["data"]["hash"] == performances.hash
    assert config["segments"]["train"] == 96
    torch.manual_seed(3)
    start = build("music-fadernets", TINY, "tokens").state_dict()
    for name, weight in model.state_dict().items():
        assert not torch.equal(start[name], weight), name


def test_accuracy_of_a_validation_over_tokens(token_run, performances):
    """By hand: row by row, token by token, each row cut to its own length."""
    model, config = checkpoints.load(token_run / "last")
    rows = performances.select(split="validation", corpus="maestro")
    codes = torch.from_numpy(performances.codes[rows].astype(np.int64))
    right = count = 0
    for code, length, key, values in zip(
        codes, performances.lengths(rows), performances.key[rows], performances.attributes[rows], strict=True
    ):
        row, asked = code[None, :length], torch.from_numpy(values)[None]
        z = {name: q.mean for name, q in model.encode(row, torch.tensor([length])).items()}
        condition = model.condition(z, torch.eye(24)[None, int(key)], asked)
        decoder, state = model.decoder, model.decoder.first_state(condition)
        before = performance_tokens.PAD
        for token in row[0].tolist():
            x = torch.cat([decoder.embed(torch.tensor([[before]])), condition[:, None]], -1)
            y, state = decoder.gru(x, state)
            right, count, before = right + (int(decoder.head(y).argmax()) == token), count + 1, token
    assert right > 10
    assert config["figures"]["accuracy"] == pytest.approx(right / count, abs=1.5 / count)


@pytest.mark.parametrize("kind", ["the target", "a semitone up", "every other row", "nothing"])
def test_note_f1_of_a_validation_over_tokens(performances, tmp_path, monkeypatch, kind):
    rows = performances.select(split="validation", corpus="maestro")
    onsets = (performances.cells(rows) == grid.ONSET).sum((1, 2))
    known = {bytes(code): bool(i % 2) for i, code in enumerate(performances.codes[rows])}
    if kind == "every other row":
        right = onsets[1::2].sum()
        expected = 2 * right / (onsets.sum() + right)
    else:
        expected = float(kind == "the target")

    def generate(self, condition, asked, held):
        assert held is None
        out = torch.zeros(len(condition), 100, dtype=torch.long)
        out[:, : seen[0].shape[1]] = seen[0]
        if kind == "a semitone up":  # none of these segments has a pitch beside another
            return torch.where(
                (out >= performance_tokens.NOTE_ON) & (out < performance_tokens.TIME_SHIFT), out + 1, out
            )
        if kind == "nothing":
            return out * 0
        keep = [kind == "the target" or known[bytes(row.numpy().astype(np.uint16))] for row in out]
        return out * torch.tensor(keep)[:, None]

    seen, judge = [], Model.judge
    monkeypatch.setattr(
        Model, "judge", lambda self, batch, free: seen.insert(0, batch.targets) or judge(self, batch, free)
    )
    monkeypatch.setattr(TokenDecoder, "generate", generate)
    train(make_recipe(performances, tmp_path / "run", pairs=0.0, steps=1, validate=1, batch=4))
    assert log_of(tmp_path / "run")[0]["validation/note_f1"] == pytest.approx(expected)


def test_a_run_over_tokens_that_was_killed_resumes_to_the_same_numbers(token_run, performances, tmp_path, monkeypatch):
    def kill(model, terms):
        raise Killed

    recipe = make_recipe(performances, tmp_path / "run", pairs=0.0, steps=20)
    with monkeypatch.context() as patch:
        break_loss(patch, 13, kill)
        with pytest.raises(Killed):
            train(recipe)
    train(recipe)
    assert_same_run(token_run, tmp_path / "run")


def test_pairs_over_tokens_cannot_start(performances, tmp_path):
    with pytest.raises(FadernetsError, match="pairs of like bars need the grid"):
        train(make_recipe(performances, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


# Melodies

KNOBS = {"z": 4, "encoder": 8, "decoder": 12, "embedding": 6, "rhythm": 6, "axes": 1.0}


def make_melody_recipe(melodies, out, **changes):
    values = {"name": "music-vae", "model": KNOBS, "labels": 0, "label_share": 0.0, "pairs": 0.0, "steps": 12}
    return make_recipe(melodies, out, **values | {"validate": 4} | changes)


@pytest.fixture(scope="module")
def melody_run(melodies, tmp_path_factory):
    """The folder of a run of twelve steps over melodies."""
    out = tmp_path_factory.mktemp("runs") / "melodies"
    assert train(make_melody_recipe(melodies, out)) == out / "best"
    return out


def test_a_run_over_melodies(melody_run, melodies):
    rows = log_of(melody_run)
    assert [row["step"] for row in rows] == [4, 8, 12]
    shared = {"loss", "reconstruction", "kl", "rhythm", "beta"}
    expected = {"step", *(f"train/{term}" for term in shared | {"moved", "axes", "gradient"})}
    expected |= {f"validation/{term}" for term in shared | {"moved", "axes", "states", "clips"}}
    for row in rows:
        assert set(row) == expected
        assert all(math.isfinite(value) for value in row.values())
    assert rows[-1]["train/reconstruction"] < rows[0]["train/reconstruction"]
    assert rows[-1]["validation/loss"] < rows[0]["validation/loss"]
    assert rows[0]["validation/beta"] == pytest.approx(0.1)
    model, config = checkpoints.load(melody_run / "last")
    assert (config["codec"], config["step"]) == ("melody", 12)
    assert config["data"]["hash"] == melodies.hash
    assert config["segments"] == {"train": 96, "labelled": 0}
    torch.manual_seed(3)
    start = build("music-vae", KNOBS, "melody").state_dict()
    for name, weight in model.state_dict().items():
        assert not torch.equal(start[name], weight), name
    card = (melody_run / "last" / "README.md").read_text()
    assert "codec: melody (32 steps of 130 states" in card
    assert f"- states: {config['figures']['states']:.4f}" in card
    assert "Western melodies" in card


def test_validation_over_melodies_by_hand(melody_run, melodies):
    """The clips of the validation split, as they are."""
    model, config = checkpoints.load(melody_run / "last")
    clips = torch.from_numpy(melodies.codes[melodies.select(split="validation")].astype(np.int64))
    with torch.no_grad():
        q = model.encode(clips)
        found = model.decoder.generate(q.mean)
    assert config["figures"]["states"] == pytest.approx((found == clips).float().mean().item())
    assert config["figures"]["clips"] == pytest.approx((found == clips).all(1).float().mean().item())
    kl = losses.standard_kl(q.mean, q.log_variance).mean().item()
    assert config["figures"]["kl"] == pytest.approx(kl, rel=1e-4)


def test_a_run_over_melodies_that_was_killed_resumes_to_the_same_numbers(melody_run, melodies, tmp_path, monkeypatch):
    loss = MusicVAE.loss

    def killed(self, batch, step, total):
        if self.training and step == 7:
            raise Killed
        return loss(self, batch, step, total)

    recipe = make_melody_recipe(melodies, tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(MusicVAE, "loss", killed)
        with pytest.raises(Killed):
            train(recipe)
    assert checkpoints.read_config(tmp_path / "run" / "last")["step"] == 4
    train(recipe)
    assert_same_run(melody_run, tmp_path / "run")


def test_the_paper_s_model_draws_no_augmentations_and_takes_the_other_precision(melodies, tmp_path):
    out = tmp_path / "run"
    train(make_melody_recipe(melodies, out, model=KNOBS | {"axes": 0.0}, steps=2, validate=2, precision="bf16-mixed"))
    (row,) = log_of(out)
    assert not {"train/moved", "train/axes", "train/rhythm"} & set(row)
    assert {weight.dtype for weight in weights_of(out / "last").values()} == {torch.float32}


@pytest.mark.parametrize("name", ["music-fadernets", "pati"])
def test_other_models_over_melodies_cannot_start(melodies, tmp_path, name):
    with pytest.raises(FadernetsError, match=f"model {name} over melody: music-vae takes data sets of melodies"):
        train(make_melody_recipe(melodies, tmp_path / "run", name=name, model={}))
    assert not (tmp_path / "run").exists()


def test_music_vae_over_anything_else_cannot_start(songs, tmp_path):
    with pytest.raises(FadernetsError, match="model music-vae over grid: music-vae takes data sets of melodies"):
        train(make_melody_recipe(songs, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


# Which rows


def test_rows_of_a_run(songs, recipe):
    rows = choose_rows(songs, recipe)
    for name in ("train", "validation"):
        np.testing.assert_array_equal(getattr(rows, name), songs.select(split=name, corpus="songs"))
    assert len(rows.labelled) == round(0.2 * 128)
    assert set(rows.labelled) <= set(songs.select(split="train", corpus="vgmidi"))
    assert (np.abs(songs.arousal[rows.labelled]) > 0.1).all()
    np.testing.assert_array_equal(choose_rows(songs, recipe).labelled, rows.labelled)
    other = make_recipe(songs, recipe.out, seed=4)
    assert set(choose_rows(songs, other).labelled) != set(rows.labelled)


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.01, 1), (1.0, 52)])
def test_the_share_of_labelled_rows(songs, tmp_path, share, count):
    """Fifty-two of the sixty-four are outside -0.1..0.1."""
    all_labels = classes_of(songs.arousal[songs.select(corpus="vgmidi")])
    assert (all_labels >= 0).sum() == 52
    rows = choose_rows(songs, make_recipe(songs, tmp_path, label_share=share))
    assert len(rows.labelled) == count


def test_a_data_set_without_labels(songs, tmp_path):
    rows = choose_rows(songs, make_recipe(songs, tmp_path, label_corpora=["emopia"], corpora=["songs"]))
    assert len(rows.labelled) == 0


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"label_corpora": ["emopia"], "corpora": ["songs"]}, "low or high"),  # labels of another corpus are not read
        ({"label": "FILE"}, "low or high"),  # a file of the songs, which are no label corpus
        ({"label_share": 0.01}, "low or high"),  # one row is not one of each class
        ({"label_edges": [-2.0, -2.0]}, "low"),
        ({"label_corpora": []}, "low or high"),
    ],
)
def test_clusters_need_labelled_rows_of_each_class(songs, tmp_path, changes, missing):
    file = tmp_path / "moods.csv"
    first = [songs.manifest["pieces"][piece]["id"] for piece in songs.piece[:32]]
    moods = [f"{piece},{index},{(-1) ** index}" for piece, index in zip(first, songs.index[:32], strict=True)]
    file.write_text("\n".join(["piece,index,mood", *moods]))
    if "label" in changes:
        changes = {"label": f"{file}:mood"}
    recipe = make_recipe(songs, tmp_path / "run", **changes)
    if recipe.label_share == 0.01:
        (row,) = choose_rows(songs, recipe).labelled
        missing = "high" if songs.arousal[row] < 0 else "low"
    with pytest.raises(
        TrainingError, match=f"no training segment has a label of class {missing} .*label_corpora="
    ) as e:
        train(recipe)
    assert "--set label_share=0" in str(e.value)
    assert not (tmp_path / "run").exists()


def test_a_file_of_labels_is_read_where_its_corpus_is_named(songs, tmp_path):
    file = tmp_path / "moods.csv"
    moods = [f"p0,{index},{(-1) ** index}" for index in range(16)]
    file.write_text("\n".join(["piece,index,mood", *moods]))
    named = {"label": f"{file}:mood", "label_corpora": ["songs"], "reconstruct_labelled": True, "labels": 0}
    train(make_recipe(songs, tmp_path / "run", **named, label_share=1.0, steps=1, pairs=0.0))
    config = json.loads((tmp_path / "run" / "last" / "config.json").read_text())
    assert config["segments"]["labelled"] == 16


@pytest.mark.parametrize("changes", [{"label_share": 0.0, "labels": 0}, {"model": TINY | {"clusters": 0}}])
def test_labels_are_not_missed_where_none_are_asked_for(songs, tmp_path, changes):
    train(make_recipe(songs, tmp_path / "run", label_corpora=["emopia"], corpora=["songs"], steps=1, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"corpora": ["lieder"]}, "corpus 'lieder' is not in .*; it has songs, vgmidi"),
        ({"corpora": ["vgmidi"]}, "corpora vgmidi only give labels; none is left to reconstruct"),
        ({"batch": 129}, "128 training segments; a batch has 129"),
        ({"corpora": ["vgmidi"], "label_corpora": []}, "has no validation segments"),
        ({"data": "nowhere"}, "nowhere: is not a prepared data set"),
        ({"model": {"layers": 3}}, "unknown model option 'layers'"),
        ({"model": {"z": 100_000_000}}, r"has \d{12} weights; at most 1000000000"),
    ],
)
def test_a_run_that_cannot_start(songs, tmp_path, changes, message):
    with pytest.raises(FadernetsError, match=message):
        train(make_recipe(songs, tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()


# Stopped and resumed


class Killed(BaseException):
    pass


@pytest.mark.parametrize("step", [4, 27])
def test_a_run_that_was_killed_resumes_to_the_same_numbers(run, recipe, monkeypatch, step):
    def kill(model, terms):
        raise Killed

    with monkeypatch.context() as patch:
        break_loss(patch, step, kill)
        with pytest.raises(Killed):
            train(recipe)
    out = Path(recipe.out)
    assert checkpoints.exists(out / "last") == (step > 10)
    train(recipe)
    assert_same_run(run, out)


@pytest.mark.parametrize("name", ["best", "last"])
def test_a_run_killed_while_it_saves_resumes_to_the_same_numbers(run, recipe, monkeypatch, name):
    """At step 20 the log has its row and one of the two folders, or neither, is written."""
    save = checkpoints.save

    def kill(folder, model, config, state=None):
        if (folder.name, config["step"]) == (name, 20):
            raise Killed
        save(folder, model, config, state)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save", kill)
        with pytest.raises(Killed):
            train(recipe)
    with (Path(recipe.out) / "log.jsonl").open("a") as log:
        log.write('{"step": 2')  # a row cut off
    train(recipe)
    assert_same_run(run, Path(recipe.out))


def test_a_finished_run_stays_as_it_is(run, songs, tmp_path, monkeypatch):
    out = tmp_path / "run"
    shutil.copytree(run, out)
    for name in ("last", "best"):  # the copy's own folder in its config
        path = out / name / "config.json"
        config = json.loads(path.read_text())
        config["recipe"]["out"] = str(out)
        path.write_text(json.dumps(config))
    before = (out / "log.jsonl").read_text()

    def refuse(model, terms):
        raise AssertionError

    break_loss(monkeypatch, 0, refuse)
    assert train(make_recipe(songs, out)) == out / "best"
    assert (out / "log.jsonl").read_text() == before


def test_a_fresh_run_takes_nothing_over(run, recipe):
    train(recipe)
    checkpoint = Path(recipe.out) / "last" / "config.json"
    checkpoint.write_text(checkpoint.read_text().replace(recipe.out, "another"))
    train(recipe, resume=False)
    assert_same_run(run, Path(recipe.out))


def test_another_recipe_does_not_resume(songs, recipe):
    train(make_recipe(songs, recipe.out, steps=2))
    with pytest.raises(TrainingError, match=r"last: belongs to another recipe \(seed, steps differ\); give anot"):
        train(make_recipe(songs, recipe.out, seed=9))


def test_another_data_set_does_not_resume(songs, tmp_path):
    recipe = make_recipe(songs, tmp_path / "run", data=str(tmp_path / "data"), steps=2)
    shutil.copytree(songs.folder, tmp_path / "data")
    train(recipe)
    second = write_songs(tmp_path / "data", seed=1)
    with pytest.raises(TrainingError, match=f"was trained on data set {songs.hash[:12]}, .* is {second.hash[:12]}"):
        train(recipe)


def test_a_damaged_checkpoint_does_not_resume(songs, recipe):
    train(make_recipe(songs, recipe.out, steps=2))
    (Path(recipe.out) / "last" / "state.pt").write_bytes(b"")
    with pytest.raises(FadernetsError, match=r"state\.pt: cannot be read"):
        train(make_recipe(songs, recipe.out, steps=2))


# What stops a run


@pytest.mark.parametrize("kind", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_the_run_and_names_the_term(recipe, monkeypatch, kind):
    def spoil(model, terms):
        terms["note_regulariser"] = terms["note_regulariser"] * kind
        return terms | {"loss": terms["loss"] + terms["note_regulariser"]}

    break_loss(monkeypatch, 13, spoil)
    with pytest.raises(TrainingError, match=r"step 13: .*\(first in note_regulariser\); .* is .*last") as error:
        train(recipe)
    assert "\n" not in str(error.value)
    out = Path(recipe.out)
    assert checkpoints.read_config(out / "last")["step"] == 10
    assert all(weight.isfinite().all() for weight in weights_of(out / "last").values())
    assert [row["step"] for row in log_of(out)] == [10]


def test_a_gradient_that_is_no_number_stops_the_run(recipe, monkeypatch):
    def spoil(model, terms):
        nothing = next(model.parameters()).sum() * 0
        return terms | {"loss": terms["loss"] + nothing.abs().sqrt()}  # 0, with a slope that is not finite

    break_loss(monkeypatch, 19, spoil)
    with pytest.raises(TrainingError, match=r"step 19: .*\(first in gradient\)"):
        train(recipe)
    assert all(weight.isfinite().all() for weight in weights_of(Path(recipe.out) / "last").values())


def test_a_validation_that_is_no_number_stops_the_run(recipe, monkeypatch):
    kl, trained = losses.labelled_kl, []

    def spoil(mean, *args):
        trained.extend([mean] if mean.requires_grad else [])  # twice a step
        return kl(mean, *args) * (math.nan if not mean.requires_grad and len(trained) > 40 else 1)

    monkeypatch.setattr(losses, "labelled_kl", spoil)
    with pytest.raises(TrainingError, match=r"step 30: .*\(first in rhythm_labelled\)"):
        train(recipe)
    assert checkpoints.read_config(Path(recipe.out) / "last")["step"] == 20


def test_patience(songs, tmp_path, monkeypatch):
    """Two validations that are not better end the run, and it stays ended."""
    validate, values = loop._Run.validate, iter([5.0, 3.0, 4.0, 3.0, 9.0])
    monkeypatch.setattr(loop._Run, "validate", lambda self: validate(self) | {"loss": next(values)})
    recipe = make_recipe(songs, tmp_path / "run", steps=50, patience=2)
    for _ in range(2):
        train(recipe)
        out = tmp_path / "run"
        assert [row["step"] for row in log_of(out)] == [10, 20, 30, 40]
        assert checkpoints.read_config(out / "best")["step"] == 20
        assert checkpoints.read_config(out / "last")["step"] == 40


def test_patience_waits_for_the_schedules(songs, tmp_path, monkeypatch):
    """While beta rises a run is not judged: models that stop apart would differ in their weights."""
    monkeypatch.setattr(loop._Run, "validate", lambda self: {"loss": 1.0 + self.step})
    recipe = make_recipe(songs, tmp_path / "run", steps=50, patience=2, validate=5, model={**TINY, "beta_ramp": 0.6})
    train(recipe)
    assert [row["step"] for row in log_of(tmp_path / "run")] == [5, 10, 15, 20, 25, 30, 35]


def test_without_patience_a_run_goes_on(songs, tmp_path, monkeypatch):
    validate, values = loop._Run.validate, iter([1.0, 2.0, 3.0, 4.0])
    monkeypatch.setattr(loop._Run, "validate", lambda self: validate(self) | {"loss": next(values)})
    train(make_recipe(songs, tmp_path / "run", steps=8, validate=2))
    assert checkpoints.read_config(tmp_path / "run" / "best")["step"] == 2
    assert checkpoints.read_config(tmp_path / "run" / "last")["step"] == 8


def test_a_run_may_lie_elsewhere(songs, tmp_path):
    """Where data and run are does not make another recipe of it."""
    recipe = make_recipe(songs, tmp_path / "run", steps=10)
    train(recipe)
    (tmp_path / "run").rename(tmp_path / "moved")
    assert train(replace(recipe, out=str(tmp_path / "moved"))) == tmp_path / "moved" / "best"


# Devices


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_where_there_is_none(recipe):
    with pytest.raises(FadernetsError, match="--device cuda: no CUDA device here; use --device cpu"):
        train(recipe, device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_cuda_trains_and_resumes(songs, recipe, monkeypatch):
    def kill(model, terms):
        raise Killed

    with monkeypatch.context() as patch:
        break_loss(patch, 27, kill)
        with pytest.raises(Killed):
            train(recipe, device="cuda")
    train(recipe, device="cuda")
    assert checkpoints.read_config(Path(recipe.out) / "last")["step"] == 40


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("vendor_id : AuthenticAMD\nflags : fpu avx512_bf16", "bf16-mixed"),
        ("vendor_id : GenuineIntel\nflags : fpu avx512_bf16 amx_bf16 amx_tile", "bf16-mixed"),
        ("vendor_id : GenuineIntel\nflags : fpu avx512_bf16", "32-true"),
        ("flags : fpu amx_bf16", "bf16-mixed"),
        ("flags : fpu avx512f", "32-true"),
        (None, "32-true"),
    ],
)
def test_auto_precision_of_a_processor(monkeypatch, flags, expected):
    def read(self):
        if flags is None:
            raise FileNotFoundError(self)
        return flags

    monkeypatch.setattr(Path, "read_text", read)
    assert auto_precision("cpu") == expected


@pytest.mark.parametrize(("supported", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_auto_precision_of_a_gpu_asks_for_hardware(monkeypatch, supported, expected):
    def found(including_emulation=True):
        return supported or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", found)
    assert auto_precision("cuda") == expected


def test_auto_is_resolved_and_stays_auto_in_the_recipe(songs, tmp_path):
    out = tmp_path / "run"
    train(make_recipe(songs, out, steps=1, validate=1, precision="auto"))
    assert checkpoints.read_config(out / "last")["recipe"]["precision"] == "auto"
