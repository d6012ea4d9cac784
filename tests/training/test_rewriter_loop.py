"""The rewriter's loop: what keeps the state of a run of hours whole."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import toy_rewriter

torch = pytest.importorskip("torch")

from fadernets.data.dataset import SPLITS  # noqa: E402
from fadernets.errors import FadernetsError  # noqa: E402
from fadernets.files import sole_use  # noqa: E402
from fadernets.models.rewriter import RewriterSize  # noqa: E402
from fadernets.training import rewriter_loop  # noqa: E402
from fadernets.training.rewriter_recipes import RewriterRecipe  # noqa: E402
from fadernets.training.safeguards import TrainingError  # noqa: E402

SHORT = 0.1 / 3600  # hours: a tenth of a second, some steps
SIZE = RewriterSize(width=32, heads=2, inner=32, encoder=1, decoder=1, chain=16)


@pytest.fixture(scope="module")
def pieces():
    return [
        replace(toy_rewriter.made_grid_piece(bars=24, seed=seed), split=SPLITS.index(split))
        for seed, split in enumerate(("train", "train", "validation"))
    ]


def unchanged(model, batch, onsets, voices, temperature, seed):
    """An editor that edits nothing."""
    return batch.target


def train(pieces, out, **recipe):
    """The state of a run of denoising, but for its last step."""
    recipe = RewriterRecipe(**{"hours": SHORT, "batch": 4, "fresh": 4, "denoising": 1.0, "size": SIZE} | recipe)
    return rewriter_loop.train(pieces, out, recipe, unchanged, ())


@pytest.fixture
def run(pieces, tmp_path):
    return train(pieces, tmp_path / "run").parent


def test_a_run_that_another_process_has_is_left_alone(pieces, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    with sole_use(out, ""), pytest.raises(FadernetsError, match=r"run: another `train` is writing this run$"):
        train(pieces, out)
    assert list(out.iterdir()) == []


def test_another_recipe_does_not_go_on_but_more_hours_do(pieces, run):
    with pytest.raises(TrainingError, match=r"state\.pt: belongs to another recipe \(batch, seed differ\); give anot"):
        train(pieces, run, batch=5, seed=1, hours=2 * SHORT)
    before = rewriter_loop.load_run(run / "state.pt")[1]
    train(pieces, run, hours=2 * SHORT)
    assert rewriter_loop.load_run(run / "state.pt")[1] > before


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_term(pieces, run, monkeypatch):
    before, losses = (run / "state.pt").read_bytes(), rewriter_loop.losses

    def spoilt(model, batch):
        parts = losses(model, batch)
        name = list(parts)[1]
        return parts | {name: parts[name] * math.nan}

    monkeypatch.setattr(rewriter_loop, "losses", spoilt)
    with pytest.raises(TrainingError, match=r"^step \d+: the loss is not a number \(first in \w+\); .*state\.pt$"):
        train(pieces, run, hours=2 * SHORT)
    assert (run / "state.pt").read_bytes() == before


def test_a_full_disk_leaves_the_last_state(pieces, run, monkeypatch):
    before, kept = (run / "state.pt").read_bytes(), sorted(path.name for path in run.iterdir())

    def full(state, file):
        getattr(file, "write", file)(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(FadernetsError, match=r"state\.pt: cannot be written \(No space left on device\)$"):
        train(pieces, run, hours=2 * SHORT)
    assert (run / "state.pt").read_bytes() == before
    assert sorted(path.name for path in run.iterdir()) == kept


def test_a_damaged_state_is_one_line(pieces, run):
    (run / "state.pt").write_bytes(b"half")
    with pytest.raises(FadernetsError, match=r"state\.pt: cannot be read"):
        train(pieces, run)
