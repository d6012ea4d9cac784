"""The models of Table 1 over both codecs: what each term is, which rows it sees and what it trains.

Terms are worked out by hand, row by row, so that a wrong sign, axis or mask shows. A batch holds B rows to rebuild
and six labelled ones behind them, N in all.
"""

import os
from collections import Counter, defaultdict
from dataclasses import fields, replace
from importlib import import_module
from math import exp, log, tanh
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence
from torch.nn import functional as F

from fadernets.attributes import table
from fadernets.attributes.table import CODED
from fadernets.codecs import grid, performance_tokens
from fadernets.data.batches import Sampler
from fadernets.data.corpora import CORPORA, find_root
from fadernets.data.dataset import write_dataset
from fadernets.data.segmenters import segments
from fadernets.models import MODELS, build, losses, schedules
from fadernets.models.blocks import Posterior
from fadernets.models.fader_networks import levels_of
from fadernets.training import recipes
from fadernets.training.loop import auto_precision

B, N = 12, 18
CODECS = ("grid", "tokens")
TABLE = {  # the rows of Table 1, the single encoder of Figure 4: model, what makes it that row
    "fadernets-vae": ("music-fadernets", {"clusters": 0, "attributes": False}),
    "fadernets-gmvae": ("music-fadernets", {"clusters": 2, "attributes": False}),
    "pati": ("pati", {}),
    "cvae": ("cvae", {}),
    "fader-networks": ("fader-networks", {}),
    "glsr-vae": ("glsr-vae", {}),
    "gm-vae": ("gm-vae", {}),
}
ALL = {**TABLE, "language-model": ("language-model", {})}
TWO_CODES = ("fadernets-vae", "fadernets-gmvae", "glsr-vae")
MIXTURES = ("fadernets-gmvae", "gm-vae")
GIVEN = ("cvae", "fader-networks")  # whose decoder is given the densities


def both(*kinds):
    return {f"{name}_{kind}" for name in ("rhythm", "note") for kind in kinds}


TERMS = {
    "fadernets-vae": both("symbols", "regulariser", "kl"),
    "fadernets-gmvae": both("symbols", "regulariser", "kl", "class_kl", "labelled"),
    "pati": both("regulariser") | {"z_kl"},
    "cvae": {"z_kl"},
    "fader-networks": both("guess") | {"z_kl"},
    "glsr-vae": both("symbols", "regulariser", "kl"),
    "gm-vae": {"z_kl", "z_class_kl", "z_labelled"},
    "language-model": set(),
}
TOY = {"z": 5, "encoder": 7, "decoder": 11, "embedding": 6, "plan": 8, "sub_decoder": 9, "adversary": 10}
WEIGHTS = {"regulariser": 7.0, "discriminator": 3.0, "label_weight": 5.0}
RAMP = {"beta": 0.3, "beta_start": 0.1, "beta_ramp": 0.4}

every_row = pytest.mark.parametrize("row", TABLE)
every_model = pytest.mark.parametrize("row", ALL)


def known(name, options):
    """Those of the options that the model has."""
    module, _, kind = MODELS[name].partition(":")
    own = {f.name for f in fields(getattr(import_module(module), kind).OPTIONS)}
    return {option: value for option, value in options.items() if option in own}


def make(row, codec, **options):
    """A toy model whose weights are wide enough that everything it is given shows, its clusters near each other."""
    name, own = ALL[row]
    torch.manual_seed(3)
    model = build(name, known(name, TOY | own | options), codec)
    with torch.no_grad():
        for part, weight in model.named_parameters():
            if weight.ndim > 1:
                weight.mul_(0.1 if part.startswith("means") else 2)
    return model.eval()


@pytest.fixture(params=CODECS)
def codec(request):
    return request.param


@pytest.fixture
def sampler(codec, request):
    data = request.getfixturevalue("songs" if codec == "grid" else "performances")
    rows, labelled = (data.select(split="train", corpus=name) for name in data.manifest["corpora"])
    labelled = labelled[np.abs(data.arousal[labelled]) > 0.1]
    return Sampler(data, rows, labelled, batch=B, labels=N - B, transpose=False)


@pytest.fixture
def batch(sampler):
    found = sampler.draw(0)
    assert set(found.label[:B].tolist()) == {-1}
    assert set(found.label[B:].tolist()) == {0, 1}
    return found


@pytest.fixture
def other(sampler):
    """Another batch, with the same labels in the same rows."""
    return sampler.draw(2)


def widen(rows):
    """Token rows, padded to 100 columns; planes as they are."""
    return (
        rows
        if rows.ndim > 2
        else F.pad(rows, (0, performance_tokens.MAX_TOKENS - rows.shape[1]), value=performance_tokens.PAD)
    )


def with_rows(batch, rows, other):
    """The batch with another's segments in some rows, under its own labels."""

    def put(a, b):
        a = a.clone()
        a[rows] = b[rows]
        return a

    inputs, values = put(widen(batch.inputs), widen(other.inputs)), put(batch.values, other.values)
    return replace(
        batch,
        inputs=inputs,
        targets=inputs[:B],
        lengths=put(batch.lengths, other.lengths),
        symbols={name: put(each, other.symbols[name]) for name, each in batch.symbols.items()},
        values=values,
        target_values=values[:B],
    )


def terms_of(model, batch, step=5, total=10):
    torch.manual_seed(0)  # the finite difference of GLSR is drawn
    with torch.no_grad():
        return {name: term.item() for name, term in model.loss(batch, step, total).items()}


def kind_of(term):
    return term.partition("_")[2] or term


def assert_moved(before, after, moved):
    """Just the terms of these kinds differ."""
    for term in before.keys() - {"loss", "beta"}:
        if kind_of(term) in moved:
            assert abs(before[term] - after[term]) > 3e-5 * abs(before[term]), term
        else:
            assert before[term] == pytest.approx(after[term], rel=5e-6), term


def condition_of(model, batch):
    """What the global decoder is given, from the posterior means."""
    q = model.encode(batch.inputs, batch.lengths, batch.values)
    return model.condition(
        {name: p.mean[: batch.reconstructed] for name, p in q.items()}, batch.key, batch.target_values
    ).detach()


# The loss as a whole


@every_model
def test_terms_are_finite_numbers(row, batch, codec):
    model = make(row, codec).train()
    terms = model.loss(batch, 5, 10)
    assert set(terms) == TERMS[row] | {"reconstruction", "loss", "beta"}
    for name, term in terms.items():
        assert term.shape == (), name
        assert torch.isfinite(term), name
        assert term >= 0, name


def test_the_adversary_counts_in_training_and_not_where_a_checkpoint_is_chosen():
    model = build("fader-networks", {"z": 4})
    for training, weight in ((True, 1), (False, 0)):
        weights = model.train(training).weights(0.3)
        assert weights == {"z_kl": 0.3, "rhythm_guess": weight, "note_guess": weight}


@every_model
@pytest.mark.parametrize("total", [100, 1000])
def test_the_loss_is_the_weighted_sum_of_its_terms(row, batch, codec, total):
    """Beta waits for a tenth of the run and is whole at its half."""
    model = make(row, codec, **WEIGHTS, **RAMP)
    for share, beta in ((0, 0), (0.1, 0), (0.2, 0.075), (0.3, 0.15), (0.5, 0.3), (1, 0.3)):
        terms = terms_of(model, batch, round(share * total), total)
        assert terms.pop("beta") == pytest.approx(beta)
        weight = {"reconstruction": 1, "symbols": 3, "regulariser": 7, "guess": float(model.training)}
        weight |= {"kl": beta, "class_kl": beta, "labelled": 5 * beta}
        loss = terms.pop("loss")
        assert loss == pytest.approx(sum(weight[kind_of(name)] * term for name, term in terms.items()), rel=1e-5)
        assert all(term > 1e-3 for term in terms.values())  # none that no weight would show in


def codes_of(row):
    if row == "language-model":
        return ()
    return ("rhythm", "note") if row in TWO_CODES else ("z",)


def part_of(weight):
    parts = weight.split(".")
    return parts[0] if parts[0] in ("decoder", "adversary") else ".".join(parts[:2])


def trained_by(row, term):
    """The parts of a model that a term trains."""
    if term == "reconstruction":
        return {"decoder"} | {f"encoders.{name}" for name in codes_of(row)}
    name, kind = term.split("_", 1)
    code = name if row in TWO_CODES else "z"
    parts = {f"encoders.{code}"}
    if kind == "guess":
        parts.add("adversary")
    elif kind == "symbols" or (row, kind) == ("glsr-vae", "regulariser"):
        parts.add(f"sub_decoders.{code}")
    elif kind != "regulariser" and row in MIXTURES:
        parts.add(f"means.{code}")
    return parts


@every_model
def test_each_term_trains_its_own_parts_and_together_they_train_all(row, batch, codec):
    model = make(row, codec).train()
    terms = model.loss(batch, 10, 10)

    def trained(term):
        found = torch.autograd.grad(terms[term], list(model.parameters()), retain_graph=True, allow_unused=True)
        return {n for (n, _), g in zip(model.named_parameters(), found, strict=True) if g is not None and g.any()}

    for term in TERMS[row] | {"reconstruction"}:
        assert {part_of(name) for name in trained(term)} == trained_by(row, term), term
    # A model that is given nothing has no use for the weights of what it is given.
    nothing = {"grid": {"decoder.plan.0.weight"}, "tokens": {"decoder.start.weight"}}[codec]
    idle = {name for name, _ in model.named_parameters()} - trained("loss")
    assert idle == (nothing if row == "language-model" else set())


# Which rows and tokens a term sees


@every_model
def test_labelled_rows_are_not_rebuilt(row, batch, other, codec):
    model = make(row, codec)
    moved = {"labelled"}
    if row != "glsr-vae":  # whose slope is that of the rows that are rebuilt
        moved.add("regulariser")
    if row not in MIXTURES:  # one prior for every row
        moved.add("kl")
    assert_moved(terms_of(model, batch), terms_of(model, with_rows(batch, slice(B, N), other)), moved)


@every_model
def test_the_supervised_term_sees_labelled_rows_alone(row, batch, other, codec):
    model = make(row, codec)
    before, after = (terms_of(model, x) for x in (batch, with_rows(batch, slice(0, 6), other)))
    assert_moved(before, after, {"reconstruction", "symbols", "regulariser", "kl", "class_kl", "guess"})


@pytest.mark.parametrize("row", MIXTURES)
def test_a_label_counts_in_the_supervised_term_alone(row, batch, codec):
    model = make(row, codec)
    label = batch.label.clone()
    label[B:] = 1 - label[B:]
    assert_moved(terms_of(model, batch), terms_of(model, replace(batch, label=label)), {"labelled"})
    label[B:] = -1
    unlabelled = terms_of(model, replace(batch, label=label))
    assert_moved(terms_of(model, batch), unlabelled, {"labelled", "kl", "class_kl"})
    assert all(value == 0 for term, value in unlabelled.items() if kind_of(term) == "labelled")
    every = terms_of(model, replace(batch, label=label.clamp(min=0)))
    for term, value in every.items():
        assert (value == 0) == (kind_of(term) in ("kl", "class_kl")), term


@pytest.mark.parametrize("row", MIXTURES)
def test_by_row_every_row_weighs_the_same(row, batch, codec):
    """Eq. 2: the mean over a batch of a term for each row, whichever of both kinds it is."""
    own, alike = make(row, codec), make(row, codec, by_row=True)
    q = posterior(own)
    before, after = own.terms(batch, q, 10, 10), alike.terms(batch, q, 10, 10)
    labelled = int((batch.label >= 0).sum())
    assert 0 < labelled < N
    for name, term in after.items():
        share = {"kl": N - labelled, "class_kl": N - labelled, "labelled": labelled}.get(kind_of(name), N) / N
        assert term.item() == pytest.approx(before[name].item() * share, rel=1e-5), name


@pytest.mark.parametrize("row", MIXTURES)
def test_the_cross_entropy_of_a_label_by_hand(row, batch, codec):
    model = make(row, codec, label_entropy=3.0)
    q = posterior(model)
    found = model.terms(batch, q, 10, 10)
    given = [(i, label) for i, label in enumerate(batch.label.tolist()) if label >= 0]
    for name, p in q.items():
        components = [Independent(Normal(m, exp(-1)), 1) for m in model.means[name]]
        each = []
        for i, label in given:
            density = [c.log_prob(p.z[i]).exp().item() for c in components]
            each.append(-log(density[label] / sum(density)))
        assert found[f"{name}_label_entropy"].item() == pytest.approx(sum(each) / len(each), rel=1e-4)
        assert model.weights(0.1)[f"{name}_label_entropy"] == 3.0


@pytest.mark.parametrize("codec", ["tokens"], indirect=True)
@every_model
def test_padding_changes_nothing(row, batch, codec):
    """More of it, or other tokens in its place."""
    model = make(row, codec)
    before = terms_of(model, batch)
    wide = replace(batch, inputs=widen(batch.inputs), targets=widen(batch.targets))
    assert_moved(before, terms_of(model, wide), ())
    behind = torch.arange(performance_tokens.MAX_TOKENS) >= batch.lengths[:, None]
    noise = torch.where(behind, torch.randint(1, performance_tokens.VOCABULARY, behind.shape), wide.inputs)
    assert (noise != wide.inputs).sum() > 500
    assert_moved(before, terms_of(model, replace(wide, inputs=noise, targets=noise[:B])), ())


@every_model
def test_who_is_given_the_asked_values_and_the_key(row, batch, codec):
    model = make(row, codec)
    before = terms_of(model, batch)
    for i in range(2):
        asked = replace(batch, target_values=batch.target_values + torch.eye(2)[i])
        assert_moved(before, terms_of(model, asked), {"reconstruction"} if row in GIVEN else ())
    key = replace(batch, key=batch.key.roll(1, 1))
    assert_moved(before, terms_of(model, key), {"reconstruction"} if row in TABLE else ())


# Each term by hand, from a posterior of free numbers


def posterior(model):
    """Numbers whose gradients can be asked for, each time the same."""
    random, found = torch.Generator().manual_seed(1), {}
    for name, size in model.sizes.items():
        mean, log_variance, z = torch.randn((3, N, size), generator=random)
        found[name] = Posterior(*(x.requires_grad_() for x in (mean, log_variance - 1, 0.4 * z)))
    return found


def by_hand(model, row, batch, q):
    """Every term but the reconstruction and the slope of GLSR, with loops."""
    found = {}
    symbols = {"rhythm": batch.symbols["rhythm_density"], "note": batch.symbols["note_density"]}
    for i, name in enumerate(("rhythm", "note")):
        if f"{name}_regulariser" in TERMS[row]:
            zd = (q["z"].z[:, i] if row == "pati" else q[name].z[:, 0]).tolist()
            y = batch.values[:, i].tolist()
            pairs = [
                (tanh(a - b) - np.sign(c - d)) ** 2
                for a, c in zip(zd, y, strict=True)
                for b, d in zip(zd, y, strict=True)
            ]
            found[f"{name}_regulariser"] = sum(pairs) / N**2
        if f"{name}_symbols" in TERMS[row]:
            found[f"{name}_symbols"] = model.sub_decoders[name].loss(q[name].z[:B], symbols[name][:B]).item()
        if f"{name}_guess" in TERMS[row]:
            level = [round(r * 16) if i == 0 else min(round(n), 15) for r, n in batch.values[:B].tolist()]
            logits = model.adversary(q["z"].z[:B])[:, slice(0, 17) if i == 0 else slice(17, 33)]
            found[f"{name}_guess"] = -sum(x.log_softmax(0)[c].item() for x, c in zip(logits, level, strict=True)) / B
    for name, p in q.items():
        rows = [Independent(Normal(m, (v / 2).exp()), 1) for m, v in zip(p.mean, p.log_variance, strict=True)]
        if row not in MIXTURES:
            unit = Independent(Normal(torch.zeros(p.z.shape[1]), 1.0), 1)
            found[f"{name}_kl"] = sum(kl_divergence(x, unit).item() for x in rows) / N
            continue
        components = [Independent(Normal(m, exp(-1)), 1) for m in model.means[name]]
        terms = defaultdict(list)
        for x, z, label in zip(rows, p.z, batch.label.tolist(), strict=True):
            each = [kl_divergence(x, c).item() for c in components]
            density = [c.log_prob(z).exp().item() for c in components]
            share = [d / sum(density) for d in density]  # q(c|X)
            if label < 0:
                terms["kl"].append(sum(s * kl for s, kl in zip(share, each, strict=True)))
                terms["class_kl"].append(sum(s * log(s * len(share)) for s in share))
            else:
                terms["labelled"].append(each[label])
        found |= {f"{name}_{kind}": sum(some) / len(some) for kind, some in terms.items()}
    return found


@every_row
def test_each_term_by_hand(row, batch, codec):
    model = make(row, codec)
    q = posterior(model)
    torch.manual_seed(0)
    found = model.terms(batch, q, 10, 10)
    assert set(found) == TERMS[row]
    expected = by_hand(model, row, batch, q)
    for name, term in found.items():
        if (row, kind_of(name)) != ("glsr-vae", "regulariser"):
            assert term.item() == pytest.approx(expected[name], rel=1e-4), name


FADERS = {"fadernets-vae": [("rhythm", 0), ("note", 0)], "pati": [("z", 0), ("z", 1)]}
FADERS["fadernets-gmvae"] = FADERS["glsr-vae"] = FADERS["fadernets-vae"]


@pytest.mark.parametrize("row", FADERS)
def test_a_regulariser_pulls_at_its_own_dimension(row, batch, codec):
    """Of z, the sample that is decoded; and what the model says of its faders is so."""
    model = make(row, codec)
    assert list(model.faders.items()) == list(zip(("rhythm_density", "note_density"), FADERS[row], strict=True))
    for name, (code, dimension) in zip(("rhythm", "note"), FADERS[row], strict=True):
        q = posterior(model)
        model.terms(batch, q, 10, 10)[f"{name}_regulariser"].backward()
        for other, p in q.items():
            assert p.mean.grad is p.log_variance.grad is None
            pulled = [] if p.z.grad is None else p.z.grad.abs().sum(0).nonzero().flatten().tolist()
            if row == "glsr-vae" and other == code:  # a slope is bent by every dimension
                assert (p.z.grad[:B] != 0).any(1).all()
                assert not p.z.grad[B:].any()
            else:
                assert pulled == ([dimension] if other == code else [])


@pytest.mark.parametrize("row", ["fadernets-vae", "fadernets-gmvae", "pati"])
def test_a_regulariser_falls_where_its_dimension_orders_its_own_attribute(row, batch, codec):
    """The two attributes run against each other: with them exchanged the terms are at their worst."""
    model = make(row, codec)
    rhythm = torch.linspace(0, 1, N)
    batch = replace(batch, values=torch.stack([rhythm, 3 - 3 * rhythm], 1))

    def terms(sign):
        q = posterior(model)
        with torch.no_grad():
            for i, (code, dimension) in enumerate(FADERS[row]):
                q[code].z[:, dimension] = sign * 100 * batch.values[:, i]
        found = model.terms(batch, q, 10, 10)
        return [found[f"{name}_regulariser"].item() for name in ("rhythm", "note")]

    assert terms(1) == pytest.approx([0, 0], abs=1e-3)
    assert terms(0) == pytest.approx([1 - 1 / N] * 2, abs=1e-3)
    assert terms(-1) == pytest.approx([4 * (1 - 1 / N)] * 2, abs=1e-2)


@pytest.mark.parametrize("row", TWO_CODES)
def test_symbols_hang_on_their_own_code_and_on_rebuilt_rows(row, batch, codec):
    model = make(row, codec)
    for name in ("rhythm", "note"):
        q = posterior(model)
        model.terms(batch, q, 10, 10)[f"{name}_symbols"].backward()
        for other, p in q.items():
            assert (p.z.grad is not None) == (other == name)
        assert (q[name].z.grad[:B] != 0).all()
        assert not q[name].z.grad[B:].any()


@pytest.mark.parametrize("row", ["fadernets-vae", "cvae"])
def test_a_kl_term_is_taken_at_the_posterior_and_not_at_the_sample(row, batch, codec):
    model = make(row, codec)
    q = posterior(model)
    sum(term for name, term in model.terms(batch, q, 10, 10).items() if kind_of(name) == "kl").backward()
    for p in q.values():
        assert p.z.grad is None
        torch.testing.assert_close(p.mean.grad, p.mean / N)
        torch.testing.assert_close(p.log_variance.grad, (p.log_variance.exp() - 1) / 2 / N)


# Codes, capacity, key


def test_all_models_have_the_same_latent_size_and_the_same_condition_but_for_what_is_given(codec):
    for row in TABLE:
        model = make(row, codec)
        assert tuple(model.sizes) == tuple(model.encoders) == codes_of(row)
        assert sum(model.sizes.values()) == 2 * TOY["z"]
        first = model.decoder.plan[0] if codec == "grid" else model.decoder.start
        assert first.in_features == 2 * TOY["z"] + 24 + 2 * (row in GIVEN)
    model = make("gm-vae", codec)
    assert model.faders == {}
    assert model.means["z"].shape == (2, 2 * TOY["z"])
    assert make("fadernets-gmvae", codec).means["note"].shape == (2, TOY["z"])
    assert not hasattr(make("fadernets-vae", codec), "means")


@every_row
def test_condition_by_hand(row, batch, codec):
    model = make(row, codec)
    q = posterior(model)
    found = model.condition({name: p.z[:B] for name, p in q.items()}, batch.key, batch.target_values)
    parts = [q[name].z[:B] for name in codes_of(row)] + [batch.key]
    if row in GIVEN:
        rhythm, note = batch.target_values.T
        parts += [(2 * rhythm - 1)[:, None], (note / 4 - 0.5)[:, None]]
    torch.testing.assert_close(found, torch.cat(parts, 1))


@every_row
def test_the_reconstruction_is_that_of_the_samples(row, batch, codec, monkeypatch):
    """Of the rows that are rebuilt, with their own key, targets and lengths."""
    model, seen = make(row, codec, input_dropout=0.0).train(), {}
    encode = model.encode
    monkeypatch.setattr(model, "encode", lambda *inputs: seen.setdefault("q", encode(*inputs)))
    found = model.loss(batch, 5, 10)["reconstruction"]
    assert all(not torch.equal(p.z, p.mean) for p in seen["q"].values())
    condition = model.condition({name: p.z[:B] for name, p in seen["q"].items()}, batch.key, batch.target_values)
    expected = model.decoder.loss(condition, batch.target_values, batch.targets, batch.lengths[:B])
    torch.testing.assert_close(found, expected)


@every_row
def test_codes_and_key_and_what_is_asked_move_the_output(row, batch, codec):
    """Each alone, in a decode that runs free."""
    model = make(row, codec)
    with torch.no_grad():
        model.decoder.head.weight.mul_(5)
    q = model.encode(batch.inputs, batch.lengths, batch.values)
    codes = {name: p.mean[:B] for name, p in q.items()}

    def moved(key=batch.key, asked=batch.target_values, **changed):
        before, after = (
            model.decode(*x) for x in ((codes, batch.key, batch.target_values), (codes | changed, key, asked))
        )
        return (before != after).flatten(1).any(1).sum()

    assert moved() == 0
    assert moved(key=batch.key.roll(1, 1)) > B / 2
    for name, code in codes.items():
        assert moved(**{name: code + 1}) > B / 2
    for i in range(2):
        asked = batch.target_values + 2 * torch.eye(2)[i]
        assert (moved(asked=asked) > B / 2) == (row in GIVEN)


# Fader Networks and CVAE


def test_the_densities_given_to_an_encoder(batch, codec):
    for row in ALL:
        model = make(row, codec)
        for i in range(2):
            changed = batch.values + torch.eye(2)[i]
            a, b = (model.encode(batch.inputs, batch.lengths, x) for x in (batch.values, changed))
            for name in a:
                moved = ((a[name].mean - b[name].mean).abs().amax(1) > 1e-4).all()
                assert moved == (row == "cvae")
                assert moved or torch.equal(a[name].mean, b[name].mean)


def test_levels_by_hand():
    values = torch.tensor([[0, 0], [1 / 16, 1.4], [0.5, 1.6], [1, 15], [1.5, 99], [-1, -1], [7 / 16, 14.6]])
    assert levels_of(values, CODED).tolist() == [[0, 0], [1, 1], [8, 2], [16, 15], [16, 15], [0, 0], [7, 15]]


def test_the_adversary_learns_what_the_encoder_unlearns(batch, codec):
    """The gradient at the code is the plain one, reversed, times lambda, which grows from 0 over half the run."""
    model = make("fader-networks", codec, adversary_weight=0.6, adversary_ramp=0.5)
    z = posterior(model)["z"].z
    rhythm, note = model.adversary(z[:B]).split([17, 16], 1)
    levels = levels_of(batch.values[:B], CODED)
    plain = F.cross_entropy(rhythm, levels[:, 0]) + F.cross_entropy(note, levels[:, 1])
    weights = list(model.adversary.parameters())
    at_code, *at_weights = torch.autograd.grad(plain, [z, *weights])
    assert at_code[:B].abs().amax(1).min() > 1e-4
    for step, strength in ((0, 0), (25, 0.3), (50, 0.6), (100, 0.6)):
        q = posterior(model)
        terms = model.terms(batch, q, step, 100)
        guess = terms["rhythm_guess"] + terms["note_guess"]
        torch.testing.assert_close(guess, plain)
        found, *of_weights = torch.autograd.grad(guess, [q["z"].z, *weights])
        torch.testing.assert_close(found, -strength * at_code)
        assert not found[B:].any()
        for a, b in zip(of_weights, at_weights, strict=True):
            torch.testing.assert_close(a, b)


def test_a_step_down_the_loss_betters_the_adversary_and_worsens_the_code(batch, codec):
    def guess(model):
        return sum(term for name, term in terms_of(model, batch, 10, 10).items() if kind_of(name) == "guess")

    for part, better in (("adversary", True), ("encoders.z", False)):
        model = make("fader-networks", codec, adversary_weight=1.0)
        before = guess(model)
        terms = model.loss(batch, 10, 10)
        (terms["rhythm_guess"] + terms["note_guess"]).backward()
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if part_of(name) == part:
                    weight -= 0.01 * weight.grad
        assert (guess(model) < before - 1e-4) == better
        assert (guess(model) > before + 1e-4) != better


# GLSR


def test_estimates_by_hand(batch, codec):
    model = make("glsr-vae", codec)
    z = posterior(model)["rhythm"].z
    onsets = model.sub_decoders["rhythm"].expect(z, 16)[..., 1]
    torch.testing.assert_close(model.estimate("rhythm_density", z), onsets.sum(1) / 16)
    voices = model.sub_decoders["note"].expect(z, 16)
    expected = sum(k * voices[..., k] for k in range(16)).sum(1) / 16
    torch.testing.assert_close(model.estimate("note_density", z), expected)
    for name in ("rhythm", "note"):
        slope = torch.autograd.grad(model.estimate(f"{name}_density", z).sum(), z)[0]
        assert (slope != 0).all()


def test_the_slope_is_that_of_the_attribute_over_dimension_0(batch, codec):
    """For a small delta the finite difference is the derivative, in units of the slope that is wanted."""
    model = make("glsr-vae", codec, delta=0.01, rhythm_slope=0.05, note_slope=0.4)
    q = posterior(model)
    found = model.terms(batch, q, 10, 10)
    for name, wanted in (("rhythm", 0.05), ("note", 0.4)):
        z = q[name].z[:B]
        slope = torch.autograd.grad(model.estimate(f"{name}_density", z).sum(), z)[0][:, 0] / wanted
        assert slope.std() > 0.01
        expected = ((slope - 1) ** 2).mean().item()
        assert found[f"{name}_regulariser"].item() == pytest.approx(expected, rel=0.02)


def test_delta_lies_between_a_tenth_of_the_option_and_all_of_it(batch, codec, monkeypatch):
    seen = []
    monkeypatch.setattr(losses, "geodesic", lambda before, after, delta: seen.append(delta) or before.sum())
    model = make("glsr-vae", codec, delta=0.4)
    for _ in range(20):
        model.terms(batch, posterior(model), 10, 10)
    seen = torch.stack(seen)
    assert seen.shape == (40, B)
    assert 0.04 <= seen.min() < 0.06
    assert 0.38 < seen.max() <= 0.4


@pytest.mark.parametrize("codec", ["grid"], indirect=True)
def test_the_penalty_pulls_the_slope_to_its_target(sampler, codec):
    """In a few steps of training; without it the slope stays away."""

    def slopes(weight):
        model = make("glsr-vae", codec, regulariser=weight, beta=0.01).train()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        for step in range(30):
            optimizer.zero_grad()
            model.loss(sampler.draw(step), step, 30)["loss"].backward()
            optimizer.step()
        batch, found = sampler.draw(0), []
        q = model.eval().encode(batch.inputs)
        for name, wanted in (("rhythm", 0.22), ("note", 0.82)):
            ahead, back = (q[name].mean + x * torch.eye(TOY["z"])[0] for x in (0.25, -0.25))
            found.append(
                (model.estimate(f"{name}_density", ahead) - model.estimate(f"{name}_density", back)).mean().item()
                / 0.5
                / wanted
            )
        return found

    assert slopes(20.0) == pytest.approx([1, 1], abs=0.2)
    assert all(abs(slope - 1) > 0.3 for slope in slopes(0.0))


# The language model


@pytest.mark.parametrize("codec", CODECS, indirect=True)
def test_the_language_model_knows_what_came_before_and_no_more(batch, other, codec):
    model = make("language-model", codec)
    assert dict(model.encoders) == model.encode(batch.inputs, batch.lengths, batch.values) == {}
    before = terms_of(model, batch)
    alike = replace(other, inputs=batch.inputs, targets=batch.targets, lengths=batch.lengths)
    assert_moved(before, terms_of(model, alike), ())
    condition = condition_of(model, batch)
    assert condition.shape == (B, 24)
    assert not condition.any()
    if codec == "tokens":
        first, _ = model.decoder.forced(condition, batch.targets, torch.ones(B, dtype=torch.int64))
    else:
        silent = batch.targets.clone()
        silent[:, 1, 0] = 0  # what is held in is given
        first = model.decoder.forced(condition, batch.target_values, silent)[:, 0]
    torch.testing.assert_close(first, first[:1].expand_as(first))


# Recipes


FOLDER = Path(__file__).parents[2] / "recipes"
MAY_DIFFER = {  # what makes a row of the table that row: all else is the same for every model
    "name", "label_share", "labels", "model.clusters", "model.attributes", "model.discriminator", "model.regulariser"
}  # fmt: skip


def flat(recipe):
    values = recipes.as_dict(recipe)
    values |= {f"model.{option}": value for option, value in values.pop("model").items()}
    del values["out"]
    return values


@pytest.mark.parametrize("size", [None, "paper"])
@pytest.mark.parametrize("name", ALL)
def test_models_of_the_table_are_trained_alike(name, size):
    """The same data, sizes, rate, schedules and KL weight; only the language model is trained for fewer steps."""
    shared, own = (flat(recipes.load(FOLDER / f"{x}.yaml", size=size)) for x in ("table1", name))
    different = {key for key, value in own.items() if shared.get(key) != value}
    assert different <= MAY_DIFFER | ({"steps"} if name == "language-model" else set())
    assert shared.keys() <= own.keys()


@pytest.mark.parametrize("name", ALL)
def test_labels_are_for_mixtures_and_of_one_per_cent(name):
    """Section 4.1: the Gaussian mixtures are told the arousal of 1 % of the segments, the others of none."""
    recipe = recipes.load(FOLDER / f"{name}.yaml")
    assert recipe.label_share == (0.01 if name in MIXTURES else 0)
    assert (recipe.labels > 0) == (name in MIXTURES)


def test_models_with_the_same_term_weigh_it_alike():
    found = {name: recipes.load(FOLDER / f"{name}.yaml") for name in ALL}
    options = {name: build(recipe.name, recipe.model, "tokens").options for name, recipe in found.items()}
    for weight in ("regulariser", "discriminator"):
        with_term = [
            getattr(options[n], weight) for n in ALL if weight in flat_terms(n) and hasattr(options[n], weight)
        ]
        assert len(with_term) > 1
        assert len(set(with_term)) == 1


def flat_terms(name):
    """The words of a model's terms, with the weight that its symbols' term has."""
    words = {word for term in TERMS[name] for word in term.split("_")}
    return words | ({"discriminator"} if "symbols" in words else set())


def test_every_recipe_over_table1_is_compared():
    based = {path.stem for path in FOLDER.glob("*.yaml") if "base: table1.yaml" in path.read_text()}
    assert based <= set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_the_paper_s_sizes_are_those_of_the_layers(name):
    """Section 4.1: hidden size 512 in every encoder and in the decoder of tokens, 128 dimensions in each of two codes,
    and as many in all in a model with one."""
    recipe = recipes.load(FOLDER / f"{name}.yaml", size="paper")
    with torch.device("meta"):
        model = build(recipe.name, recipe.model, "tokens")
    layers = {path: part.hidden_size for path, part in model.named_modules() if hasattr(part, "hidden_size")}
    assert layers
    assert {size for path, size in layers.items() if "sub" not in path} == {512}
    if name != "language-model":
        assert sum(model.sizes.values()) == 2 * 128
    assert (recipe.learning_rate, recipe.batch, recipe.weight_decay, recipe.segments) == (0.001, 128, 0, 0)


def test_the_recipes_of_the_table_have_the_same_capacity():
    found = {row: recipes.load(FOLDER / f"{row}.yaml") for row in TABLE}
    models = {row: build(recipe.name, recipe.model, "tokens") for row, recipe in found.items()}
    for row, (name, own) in TABLE.items():
        assert found[row].name == name
        assert {option: getattr(models[row].options, option) for option in own} == own
    assert {sum(model.sizes.values()) for model in models.values()} == {128}
    weights = {row: sum(w.numel() for w in model.decoder.parameters()) for row, model in models.items()}
    assert {weights[row] for row in TABLE if row not in GIVEN} == {weights["pati"]}
    # The two densities enter the two first states and the first layer's three gates.
    assert {weights[row] for row in GIVEN} == {weights["pati"] + 2 * (2 + 3) * 256}


# What the models can learn

ARCHIVES = Path(os.environ.get("FADERNETS_DATA", "data"))
REBUILT, LABELLED = 64, 16
LEARNER = {"z": 32, "encoder": 64, "decoder": 160, "embedding": 128, "sub_decoder": 32, "plan": 96}
LEARNER |= {"input_dropout": 0.0, "beta": 0.001}
LEARN_STEPS = 120  # at most


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Codec -> 64 segments of MAESTRO and, labelled, 16 of VGMIDI: eight at most of a file."""

    def columns(name, codec, count):
        found = []
        for source in CORPORA[name].sources(find_root(name, ARCHIVES)):
            if len(found) < count:
                some = segments(CORPORA[name].read(source), codec)
                wanted = np.flatnonzero(np.abs(some.arousal) > 0.1) if name == "vgmidi" else np.arange(len(some.key))
                found += [(some.codes[i], some.key[i], some.arousal[i], some.seconds[i]) for i in wanted[:8]]
        return found[:count]

    def data(codec):
        rows = columns("maestro", codec, REBUILT) + columns("vgmidi", codec, LABELLED)
        codes, key, arousal, seconds = (np.stack(column) for column in zip(*rows, strict=True))
        cells = performance_tokens.cells(codes, seconds) if codec == "tokens" else grid.unpack(codes)
        n = len(rows)
        arrays = {"codes": codes, "key": key, "arousal": arousal, "valence": arousal, "seconds": seconds}
        arrays["attributes"] = np.stack(list(table.measure(cells).values()), axis=1).astype(np.float32)
        arrays |= {"piece": np.arange(n, dtype=np.int32), "index": np.zeros(n, np.int32)}
        arrays |= {"split": np.zeros(n, np.uint8), "corpus": (np.arange(n) >= REBUILT).astype(np.uint8)}
        if codec == "grid":
            del arrays["seconds"]
        manifest = {"codec": codec, "corpora": ["maestro", "vgmidi"], "pieces": []}
        manifest["attributes"] = list(table.CODED)
        return write_dataset(tmp_path_factory.mktemp("real") / codec, manifest, arrays)

    return {codec: data(codec) for codec in CODECS}


def accuracy(model, batch):
    """Teacher-forced, from posterior means."""
    model.eval()
    with torch.no_grad():
        right = model.decoder.accuracy(
            condition_of(model, batch), batch.target_values, batch.targets, batch.target_lengths
        )
    model.train()
    return (right[:, 0].sum() / right[:, 1].sum()).item()


def best_guess(rows):
    """The accuracy of a model that knows nothing but the tokens before: each beginning's commonest next token."""
    following = defaultdict(Counter)
    for row in rows.tolist():
        length = row.index(performance_tokens.EOS) + 1
        for t in range(length):
            following[tuple(row[:t])][row[t]] += 1
    right = sum(max(count.values()) for count in following.values())
    return right / sum(count.total() for count in following.values())


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "codec"), [*((row, "tokens") for row in ALL), ("fadernets-gmvae", "grid"), ("cvae", "grid")]
)
def test_a_small_model_learns_sixty_four_segments(row, codec, real):
    """To 99 % of the tokens; the language model, which nothing tells how a segment begins, to all it can know."""
    rows, labelled = np.split(np.arange(REBUILT + LABELLED), [REBUILT])
    labels = LABELLED if row in MIXTURES else 0
    sampler = Sampler(real[codec], rows, labelled, batch=REBUILT, labels=labels, transpose=False)
    name, own = ALL[row]
    torch.manual_seed(0)
    model = build(name, known(name, LEARNER | own), codec).train()
    optimizer = torch.optim.Adam(model.parameters(), betas=(0.9, 0.98))
    wanted, reached = 0.99, []
    if row == "language-model":
        wanted = best_guess(sampler.draw(0).targets) - 0.005
    for step in range(LEARN_STEPS):
        for group in optimizer.param_groups:
            group["lr"] = schedules.learning_rate(step, LEARN_STEPS, peak=0.01, warmup=0.05)
        batch = sampler.draw(step)
        with torch.autocast("cpu", torch.bfloat16, enabled=auto_precision("cpu") == "bf16-mixed"):
            loss = model.loss(batch, step, LEARN_STEPS)["loss"]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 10 == 9:
            reached.append(round(accuracy(model, batch), 4))
            if reached[-1] >= wanted:
                break
    assert reached[-1] >= wanted, f"every ten steps: {reached}"
