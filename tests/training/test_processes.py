"""A run on two processes that torchrun starts, over gloo: the numbers of one, stopped together, resumed by either."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import TINY

from fadernets.data.batches import Sampler
from fadernets.errors import FadernetsError
from fadernets.models import losses, shares
from fadernets.training import loop, recipes
from fadernets.training.processes import is_first

pytestmark = pytest.mark.alone
GRID = {"model": TINY, "labels": 4, "label_share": 0.2, "pairs": 0.5}
TOKENS = {"labels": 4, "label_share": 0.2}
SMALL = {"z": 6, "encoder": 12, "decoder": 12, "embedding": 8, "input_dropout": 0.1}
KNOBS = {"z": 4, "encoder": 8, "decoder": 12, "embedding": 6, "rhythm": 6, "axes": 1.0, "sampled": 0.3}
RUNS = {  # name -> data set, and what its recipe changes
    "grid": ("songs", GRID),
    "tokens": ("performances", {**TOKENS, "model": {**SMALL, "sub_decoder": 12, "clusters": 2, "attributes": False}}),
    "by row": (
        "performances",
        {
            "model": {**SMALL, "sub_decoder": 12, "clusters": 2, "attributes": False},
            "reconstruct_labelled": True,
            "label_share": 0.2,
            "labels": 0,
        },
    ),
    "pati": ("performances", {"name": "pati", "model": SMALL, "labels": 0, "label_share": 0.0}),
    "glsr-vae": ("performances", {"name": "glsr-vae", "model": {**SMALL, "sub_decoder": 12}, "labels": 0}),
    "fader-networks": ("performances", {"name": "fader-networks", "model": SMALL, "labels": 0, "label_share": 0.0}),
    "gm-vae": ("performances", {**TOKENS, "name": "gm-vae", "model": SMALL}),
    "melody": ("melodies", {"name": "music-vae", "model": KNOBS, "labels": 0, "label_share": 0.0}),
}


def recipe_of(name, folders, out, **changes):
    data, values = RUNS[name]
    common = {"seed": 3, "steps": 16, "batch": 16, "validate": 8, "learning_rate": 0.005, "precision": "32-true"}
    return {"data": str(folders[data]), "out": str(out / name), **common, **values, **changes}


def on_two(tmp_path, values):
    """Train recipes one after the other, each on the two processes together. Returns what they printed."""
    listed = tmp_path / "recipes.json"
    listed.write_text(json.dumps(values))
    script = Path(__file__).with_name("train_listed.py")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run([*command, str(script), str(listed)], capture_output=True, text=True, timeout=600)
    return done.stdout + done.stderr, done.returncode


def losses_of(folder):
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return {row["step"]: {name: value for name, value in row.items() if name.endswith("/loss")} for row in rows}


@pytest.fixture(scope="module")
def folders(songs, performances, melodies):
    return {"songs": songs.folder, "performances": performances.folder, "melodies": melodies.folder}


@pytest.fixture(scope="module")
def trained(folders, tmp_path_factory):
    """The folders of all runs on one process and on two."""
    one, two = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    printed, code = on_two(two, [recipe_of(name, folders, two) for name in RUNS])
    assert code == 0, printed[-3000:]
    for name in RUNS:
        loop.train(recipes.check(recipe_of(name, folders, one)))
    return one, two


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_have_the_losses_of_one(trained, name):
    one, two = (losses_of(folder / name) for folder in trained)
    assert list(one) == list(two) == [8, 16]
    for step, found in one.items():
        for figure, value in found.items():
            assert two[step][figure] == pytest.approx(value, rel=1e-5), (step, figure)


def test_a_run_goes_on_with_another_number_of_processes(trained, folders, tmp_path):
    one, _ = trained
    recipe = recipe_of("glsr-vae", folders, tmp_path)
    printed, _ = on_two(tmp_path, [{**recipe, "stop_at": 8}])  # the first one ends, and the other without it
    assert max(losses_of(tmp_path / "glsr-vae")) == 8, printed[-3000:]
    loop.train(recipes.check(recipe))
    found, whole = losses_of(tmp_path / "glsr-vae"), losses_of(one / "glsr-vae")
    assert list(found) == list(whole)
    assert found[16]["validation/loss"] == pytest.approx(whole[16]["validation/loss"], rel=1e-5)


def test_both_stop_when_patience_ends(folders, tmp_path):
    plateau = recipe_of(
        "glsr-vae", folders, tmp_path, steps=40, validate=4, patience=2, learning_rate=1e-12, warmup=0.0
    )
    plateau["model"] = {**plateau["model"], "beta_start": 0, "beta_ramp": 0}
    printed, code = on_two(tmp_path, [plateau])
    assert code == 0, printed[-3000:]
    assert max(losses_of(tmp_path / "glsr-vae")) < 40


def test_what_ends_the_first_process_ends_both_with_a_line(folders, tmp_path):
    plain = recipe_of("pati", folders, tmp_path)
    (tmp_path / "pati").write_text("no folder")
    printed, code = on_two(tmp_path, [plain])
    assert code != 0
    assert "cannot be written" in printed


def test_a_batch_that_cannot_be_shared_is_refused(songs):
    rows = songs.select(split="train")
    with pytest.raises(FadernetsError, match="batch 16: 3 processes cannot share it evenly"):
        Sampler(songs, rows, rows[:0], batch=16, of=3)
    with pytest.raises(FadernetsError, match="labels 4: 8 processes"):
        Sampler(songs, rows, rows[:8], batch=16, labels=4, of=8)


def test_shares_of_a_batch_are_the_batch(songs):
    rows = songs.select(split="train")

    def sampler(**share):
        return Sampler(songs, rows, rows[:8], batch=16, labels=4, pairs=0.5, seed=1, **share)

    whole, parts = sampler().draw(3), [sampler(rank=rank, of=2).draw(3) for rank in (0, 1)]
    for rank, part in enumerate(parts):
        assert torch.equal(part.inputs, whole.inputs[rank::2])
        assert torch.equal(part.targets, whole.targets[rank::2])
        assert torch.equal(part.key, whole.key[rank::2])
        assert torch.equal(part.label, whole.label[rank::2])
        assert torch.equal(part.target_values, whole.target_values[rank::2])
        assert part.paired.tolist() == [i // 2 for i in whole.paired.tolist() if i % 2 == rank]


def test_noise_is_that_of_the_whole_batch():
    torch.manual_seed(5)
    whole = shares.normal(torch.empty(8, 3))
    found = []
    for rank in (0, 1):
        torch.manual_seed(5)
        with shares.sharing(shares.Share(rank, 2)):
            found.append(shares.normal(torch.empty(4, 3)))
    assert torch.equal(torch.stack(found, 1).flatten(0, 1), whole)


def test_pairs_are_compared_over_all_rows():
    z, values = torch.randn(8, requires_grad=True), torch.rand(8)
    whole = losses.regulariser(z, values)
    (wanted,) = torch.autograd.grad(whole, z)
    parts = [(z[rank::2], values[rank::2]) for rank in (0, 1)]

    def both(which):
        return lambda own: torch.stack([part[which] for part in parts])

    gathers = iter([both(0), both(1)])
    with shares.sharing(shares.Share(0, 2, lambda own: next(gathers)(own))):
        found = losses.regulariser(*parts[0])
    assert found.item() == pytest.approx(whole.item())
    assert torch.allclose(torch.autograd.grad(found, z)[0], wanted)


def test_a_count_is_its_mean_over_processes():
    assert shares.mean_count(torch.tensor(0.0)) == 1
    with shares.sharing(shares.Share(0, 2, lambda own: torch.cat([own, torch.tensor([3.0])]))):
        assert shares.mean_count(torch.tensor(2.0)) == 2.5


def test_the_first_process_prints(monkeypatch):
    assert is_first()
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert not is_first()
    monkeypatch.setenv("RANK", "0")
    assert is_first()
