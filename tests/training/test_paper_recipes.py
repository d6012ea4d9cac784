"""The recipes of the paper's own settings: every number that Section 4.1 prints, and that a run does what they say."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from fadernets.data.batches import Sampler
from fadernets.data.labels import classes_of
from fadernets.errors import FadernetsError
from fadernets.evaluation.checkpoint import Checkpoint
from fadernets.evaluation.checkpoint_codes import clusters, held_out_labels
from fadernets.models import build, schedules
from fadernets.training import loop, optimizers, recipes

FOLDER = Path(__file__).parents[2] / "recipes/paper"
SEVEN = ("fadernets-vae", "fadernets-gmvae", "pati", "cvae", "fader-networks", "glsr-vae", "gm-vae")


def options_of(name):
    recipe = recipes.load(FOLDER / f"{name}.yaml")
    return recipe, build(recipe.name, recipe.model, "tokens").options


TWO_CODES = ("fadernets-vae", "fadernets-gmvae", "glsr-vae")


def hidden_sizes(name):
    """The options of a model that are hidden sizes."""
    own = {"sub_decoder"} if name in TWO_CODES else {"adversary"} if name == "fader-networks" else set()
    return {"encoder", "decoder"} | own


def codes_of(name):
    """The size of each code: Section 4.1; of the baselines the capacity of two; Figure 4's "are kept the same"."""
    return {"rhythm": 128, "note": 128} if name in TWO_CODES else {"z": 128 if name == "gm-vae" else 256}


@pytest.mark.parametrize("name", SEVEN)
def test_section_4_1_as_it_is_printed(name):
    recipe, options = options_of(name)
    assert (recipe.batch, recipe.learning_rate, recipe.optimizer, recipe.schedule) == (128, 1e-3, "adam", "constant")
    assert (recipe.warmup, recipe.clip, recipe.weight_decay, recipe.transpose) == (0, 0, 0, False)
    assert (options.z, options.input_dropout) == (128, 0)
    known = {"encoder", "decoder", "sub_decoder", "adversary"} & {field.name for field in fields(options)}
    assert known == hidden_sizes(name)
    assert {getattr(options, size) for size in known} == {512}
    assert recipe.reconstruct_labelled  # both corpora are rebuilt
    assert recipe.steps >= 11_000  # beta has risen
    total = recipe.steps
    betas = [
        schedules.ramp(step, total, value=options.beta, start=options.beta_start, ramp=options.beta_ramp)
        for step in (0, 999, 1000, 6000, 11_000, total)
    ]
    assert betas == pytest.approx([0, 0, 0, 0.1, 0.2, 0.2])


@pytest.mark.parametrize("name", ["fadernets-vae", "fadernets-gmvae", "glsr-vae", "pati", "gm-vae"])
def test_every_term_of_equation_2_has_weight_1_or_beta(name):
    recipe, _ = options_of(name)
    weights = build(recipe.name, recipe.model, "tokens").weights(0.2)
    of_kl = {key: value for key, value in weights.items() if key.endswith(("_kl", "_labelled"))}
    assert of_kl
    assert set(of_kl.values()) == {0.2}
    rest = {key: value for key, value in weights.items() if key not in of_kl and not key.endswith("_label_entropy")}
    assert set(rest.values()) <= {1.0}
    assert {value for key, value in weights.items() if key.endswith("_label_entropy")} <= {0.0}


@pytest.mark.parametrize("name", SEVEN)
def test_sizes_of_the_codes_and_of_the_layers(name):
    """128 dimensions in each of two codes, and in the single encoder's one; every GRU has 512."""
    recipe, _ = options_of(name)
    with torch.device("meta"):
        model = build(recipe.name, recipe.model, "tokens")
    assert model.sizes == codes_of(name)
    assert {part.hidden_size for part in model.modules() if hasattr(part, "hidden_size")} == {512}


def test_the_single_encoder_elsewhere_has_the_capacity_of_two_codes():
    model = build("gm-vae", {"z": 5, "encoder": 4, "decoder": 4}, "tokens")
    assert model.sizes == {"z": 10}
    assert {name: mean.shape for name, mean in model.means.items()} == {"z": (2, 10)}


def test_the_weights_of_the_authors_in_nats_a_segment():
    """Theirs: 5 x a mean over 100 tokens, a mean over 16 steps of symbols, .2 x a mean over the dimensions of z, .2 x a
    mean over K classes, and labelled rows that weigh a mean over 32 where the others weigh one over 128."""
    recipe, options = options_of("authors-gmvae")
    weights = build(recipe.name, recipe.model, "tokens").weights(options.beta)
    nats, row = 100 / 5, 128 / 32
    expected = {
        "symbols": nats / 16,
        "regulariser": nats,
        "kl": nats * 0.2 / 128,
        "class_kl": nats * 0.2 / 2,
        "labelled": row * nats * 0.2 / 128,
        "label_entropy": row * nats,
    }
    codes = ("rhythm", "note")
    assert weights == pytest.approx({f"{code}_{term}": value for code in codes for term, value in expected.items()})
    assert (recipe.clip, options.by_row) == (1.0, True)
    theirs = 29 / (650 + 29) * nats  # the mean weight of a label's cross entropy over the steps of an epoch
    assert recipe.label_share * options.label_entropy == pytest.approx(theirs, rel=0.1)


@pytest.mark.parametrize(
    ("name", "nats", "size"),
    [
        ("authors-vae", 20, 128),
        ("authors-glsr-vae", 20, 128),
        ("authors-pati", 20, 256),
        ("authors-cvae", 100, 256),
        ("authors-fader-networks", 100, 256),
    ],
)
def test_the_weights_of_the_authors_baselines(name, nats, size):
    """A mean over the tokens has weight 5 or 1 there, so that all else is 20 or 100 times theirs."""
    recipe, options = options_of(name)
    assert set(build(recipe.name, recipe.model, "tokens").sizes.values()) == {size}
    assert options.beta == pytest.approx(nats * 0.2 / size)
    assert recipe.clip == 1.0
    own = build(recipe.name, recipe.model, "tokens").eval().weights(options.beta)
    rest = {term: weight for term, weight in own.items() if not term.endswith(("_kl", "_labelled", "_label_entropy"))}
    symbols, penalty = 20 / 16, {"authors-glsr-vae": 10.0}.get(name, 20.0)
    expected = {"symbols": symbols, "regulariser": penalty, "guess": 0.0}
    assert rest == {term: expected[term.rpartition("_")[2]] for term in rest}
    plain, _ = options_of(name.replace("authors-", "fadernets-" if name == "authors-vae" else ""))
    assert recipes.as_dict(recipe).keys() == recipes.as_dict(plain).keys()
    different = {k for k, v in recipes.as_dict(recipe).items() if v != recipes.as_dict(plain)[k]}
    assert different == {"out", "clip", "model"}


def test_every_recipe_of_the_authors_is_tested():
    found = {path.stem for path in FOLDER.glob("authors-*.yaml")}
    assert found == {f"authors-{name}" for name in ("gmvae", "vae", "glsr-vae", "pati", "cvae", "fader-networks")}


def test_parts_of_a_schedule_are_shares_or_steps():
    assert [schedules.steps_of(part, 400) for part in (0, 0.5, 1, 2, 1000)] == [0, 200, 400, 2, 1000]
    of_steps = [schedules.ramp(step, 4000, value=1.0, start=1000, ramp=2000) for step in range(4000)]
    of_shares = [schedules.ramp(step, 4000, value=1.0, start=0.25, ramp=0.5) for step in range(4000)]
    assert of_steps == of_shares
    model = build("pati", {"beta_start": 10.0, "beta_ramp": 20.0, "encoder": 4, "decoder": 4, "z": 2}, "tokens")
    assert [model.settled(step, 10_000) for step in (29, 30)] == [False, True]


def test_a_constant_rate_is_the_same_at_every_step():
    recipe, _ = options_of("pati")
    assert {optimizers.rate(recipe, step) for step in (0, 1, 100, recipe.steps)} == {1e-3}


def test_adam_as_it_was_published():
    """Its first step is one of size lr against the gradient's sign; betas are .9 and .999."""
    recipe, _ = options_of("pati")
    weight = torch.nn.Parameter(torch.zeros(2))
    optimizer = optimizers.build(recipe, torch.nn.ParameterList([weight]))
    assert type(optimizer) is torch.optim.Adam
    assert optimizer.defaults["betas"] == (0.9, 0.999)
    weight.grad = torch.tensor([3.0, -0.1])
    optimizer.step()
    assert weight.tolist() == pytest.approx([-1e-3, 1e-3], rel=1e-4)


def test_labelled_rows_lie_among_the_others(rated):
    """Both corpora are rebuilt; a label is known of the share that the recipe gives, of no other row."""
    values = {"data": str(rated.folder), "reconstruct_labelled": True, "label_share": 0.05, "labels": 0, "batch": 8}
    recipe = recipes.check(values | {"name": "pati", "out": "x"})
    rows = loop.choose_rows(rated, recipe)
    corpora = {c for c in rated.manifest["corpora"] for r in [rated.select(split="train", corpus=c)] if len(r)}
    assert len(rows.train) == sum(len(rated.select(split="train", corpus=c)) for c in corpora)
    assert "vgmidi" in corpora
    assert len(rows.labelled) == round(0.05 * len(rows.train)) > 0
    assert np.isin(rows.labelled, rows.train).all()
    sampler = Sampler(rated, rows.train, rows.labelled, batch=8, among=True, transpose=False)
    assert sampler.n_labelled == 0
    label = sampler.source.label(torch.arange(len(rows.train))).numpy()
    known = rows.train[label >= 0]
    assert sorted(known) == sorted(rows.labelled)
    arousal = np.asarray(rated.arousal[rows.train], np.float32)
    given = label >= 0
    assert (label[given] == classes_of(arousal)[given]).all()
    assert sampler.draw(0).reconstructed == 8
    with pytest.raises(FadernetsError, match="are not added to them"):
        Sampler(rated, rows.train, rows.labelled, batch=8, labels=2, among=True)


@pytest.mark.parametrize("name", ["fadernets-gmvae", "gm-vae"])
def test_a_run_of_a_paper_recipe_clips_no_gradient(name, rated, tmp_path, monkeypatch):
    from lightning.fabric import Fabric

    clip, kept = Fabric.clip_gradients, []

    def watched(self, module, optimizer, **options):
        before = [weight.grad.clone() for weight in module.parameters()]
        norm = clip(self, module, optimizer, **options)
        kept.append(all(torch.equal(a, b.grad) for a, b in zip(before, module.parameters(), strict=True)))
        return norm

    monkeypatch.setattr(Fabric, "clip_gradients", watched)
    small = ["steps=2", "validate=2", "batch=8", "model.z=4", "model.encoder=8", "model.decoder=8", "label_share=0.3"]
    small += ["model.embedding=8", f"data={rated.folder}"] + ["model.sub_decoder=8"] * (name != "gm-vae")
    for clip_at in (0.0, 0.01):
        out = tmp_path / str(clip_at)
        loop.train(recipes.load(FOLDER / f"{name}.yaml", [*small, f"clip={clip_at}", f"out={out}"]))
    assert kept == [True, True, False, False]


def test_three_classes_of_another_label(rated, tmp_path):
    """A mixture of three components, told which by a column of a file; their number must be that of the classes."""
    mood, file = -np.asarray(rated.arousal), tmp_path / "moods.csv"
    pieces = [rated.manifest["pieces"][piece]["id"] for piece in rated.piece]
    rows = [f"{p},{i},{x}" for p, i, x in zip(pieces, rated.index, mood, strict=True) if np.isfinite(x)]
    file.write_text("\n".join(["piece,index,mood", *rows]))
    small = ["steps=2", "validate=2", "batch=8", "model.z=4", "model.encoder=8", "model.decoder=8", "model.embedding=8"]
    small += ["model.sub_decoder=8", f"data={rated.folder}", f"out={tmp_path / 'run'}", "label_share=0.3"]
    small += [f"label={file}:mood", "label_edges=[-0.2, -0.2, 0.2, 0.2]"]
    with pytest.raises(loop.TrainingError, match=r"model.clusters 2: the label has 3 classes; change label_edges"):
        loop.train(recipes.load(FOLDER / "fadernets-gmvae.yaml", small))
    best = loop.train(recipes.load(FOLDER / "fadernets-gmvae.yaml", [*small, "model.clusters=3"]))
    checkpoint = Checkpoint(best.parent, rated)
    assert {mean.shape for mean in checkpoint.means.values()} == {(3, 4)}
    assert (checkpoint.classes == np.where(np.isnan(mood), -1, np.digitize(mood, [-0.2, 0.2]))).all()
    codes = checkpoint.encode(np.arange(20))
    shares = checkpoint.class_probabilities(codes, checkpoint.means)
    assert shares.shape == (20, 3)
    assert shares.sum(1) == pytest.approx(np.ones(20))
    rows, label = held_out_labels(checkpoint)
    assert set(label) == {0, 1, 2}
    guess = checkpoint.class_probabilities(checkpoint.encode(rows), checkpoint.means).argmax(1)
    by_hand = np.mean([(guess[label == kind] == kind).mean() for kind in range(3)])
    found = clusters(checkpoint, checkpoint.corpus_rows("test"), 0)
    assert found["balanced_accuracy"] == pytest.approx(by_hand)
    assert found["segments"] == len(rows)
