"""The recipes of `recipes/paper` beside Table 1's: the NIME paper's two models, the authors', the rating one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fadernets.models import build, schedules
from fadernets.training import optimizers, recipes

FOLDER = Path(__file__).parents[2] / "recipes/paper"
OTHERS = {"musicvae": "melody", "musicvae-512": "melody", "authors-vae": "tokens", "language-model": "tokens"}


def load(name):
    """The recipe, and its model without memory for the weights."""
    recipe = recipes.load(FOLDER / f"{name}.yaml")
    with torch.device("meta"):
        return recipe, build(recipe.name, recipe.model, OTHERS[name])


@pytest.mark.parametrize("name", OTHERS)
def test_no_clip_is_transposed(name):
    assert load(name)[0].transpose is False


@pytest.mark.parametrize("name", ["musicvae", "musicvae-512", "authors-vae"])
def test_plain_adam_at_a_constant_rate(name):
    recipe, model = load(name)
    optimizer = optimizers.build(recipe, model)
    assert type(optimizer) is torch.optim.Adam
    assert [(group["betas"], group["weight_decay"]) for group in optimizer.param_groups] == [((0.9, 0.999), 0)]
    assert {optimizers.rate(recipe, step) for step in (0, 1, recipe.steps // 2, recipe.steps)} == {0.001}
    assert recipe.clip == (1.0 if name == "authors-vae" else 0.0)


@pytest.mark.parametrize(("name", "z"), [("musicvae", 128), ("musicvae-512", 512)])
def test_the_models_of_the_nime_paper(name, z):
    """Section 3: beta .1 and 128 dimensions, 512 before; nothing that trains knobs (Section 3.2 finds them)."""
    recipe, model = load(name)
    options = model.options
    assert recipe.name == "music-vae"
    assert options.z == model.encoder.head.out_features // 2 == z
    assert model.encoder.gru.bidirectional
    assert (options.axes, options.step_plan, options.look, options.input_dropout) == (0, 0, 0, 0)
    assert model.rhythm is None
    steps = (0, recipe.steps // 10, recipe.steps // 5, recipe.steps)  # beta's rise over a fifth of the run is ours
    rises = {"value": options.beta, "start": options.beta_start, "ramp": options.beta_ramp}
    assert [schedules.ramp(step, recipe.steps, **rises) for step in steps] == pytest.approx([0, 0.05, 0.1, 0.1])


def test_the_two_of_them_differ_in_z_alone():
    one, other = (recipes.as_dict(load(name)[0]) for name in ("musicvae", "musicvae-512"))
    assert one.pop("out") != other.pop("out")
    assert (one["model"].pop("z"), other["model"].pop("z")) == (128, 512)
    assert one == other


def test_the_authors_weights_without_clusters():
    recipe, model = load("authors-vae")
    assert (model.options.clusters, recipe.label_share) == (0, 0)
    weights = model.weights(0.03125)
    kl = {name for name in weights if name.endswith("_kl")}
    assert kl
    assert {weights[name] for name in kl} == {model.options.beta} == {0.2 * 20 / 128}  # theirs is a mean over z
    assert {weights[name] for name in weights if name.endswith("_regulariser")} == {20.0}
    assert (model.options.discriminator, model.options.regulariser) == (20 / 16, 20.0)
    assert (model.options.z, model.options.encoder, model.options.decoder) == (128, 512, 512)


def test_the_rating_model_has_no_code():
    recipe, model = load("language-model")
    assert recipe.name == "language-model"
    assert not any(model.sizes.values())
