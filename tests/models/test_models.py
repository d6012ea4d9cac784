"""Music FaderNets on the grid: what each part may see, where each loss goes, and that it can learn."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import TINY, make_model

from fadernets.attributes.table import CODED
from fadernets.data.batches import Sampler, grid_batch, step_counts
from fadernets.errors import FadernetsError
from fadernets.models import MODELS, build, grid_coding, losses, schedules
from fadernets.models.blocks import GRUEncoder, Posterior, SequenceDecoder

CODES = ("rhythm", "note")
TERMS = {"reconstruction", "loss", "beta"} | {
    f"{code}_{term}" for code in CODES for term in ("symbols", "regulariser", "kl", "class_kl", "labelled")
}


@pytest.fixture
def sampler(songs):
    rows, labelled = (songs.select(split="train", corpus=c) for c in ("songs", "vgmidi"))
    labelled = labelled[np.abs(songs.arousal[labelled]) > 0.1]
    return Sampler(songs, rows, labelled, batch=12, labels=6, transpose=False)


@pytest.fixture
def batch(sampler):
    """Twelve rows to rebuild and six labelled ones."""
    return sampler.draw(0)


def with_rows(batch, rows, planes):
    """The batch with other segments in some rows, as sources and, where they are rebuilt, as targets."""
    changed = batch.inputs.clone()
    changed[rows] = planes
    n = batch.reconstructed
    keys = batch.key.argmax(1)
    return grid_batch(changed, changed[:n], None, keys, torch.zeros_like(keys), batch.label)


def forced_loss(model, codes, key, asked, planes):
    """The decoder's own loss."""
    return model.decoder.loss(model.condition(codes, key, asked), asked, planes)


def forced_logits(model, codes, key, asked, planes):
    """[B, 16, 2, 88] logits of the decoder under teacher forcing."""
    seen = []
    hook = model.decoder.head.register_forward_hook(lambda module, inputs, output: seen.append(output))
    forced_loss(model, codes, key, asked, planes)
    hook.remove()
    return seen[0].unflatten(-1, (2, 88))


# The table


@pytest.mark.parametrize("codec", ["grid", "tokens", "melody"])
@pytest.mark.parametrize("name", MODELS)
def test_music_vae_takes_melodies_and_no_other_model_does(name, codec):
    if (name == "music-vae") == (codec == "melody"):
        model = build(name, {"z": TINY["z"]}, codec)
        assert (model.options.z, getattr(model, "codec", "melody")) == (TINY["z"], codec)
        return
    with pytest.raises(FadernetsError) as caught:
        build(name, {}, codec)
    said = f"model {name} over {codec}: music-vae takes data sets of melodies, the others do not"
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("glsr", {}, "unknown model 'glsr'; known: music-fadernets, pati, cvae"),
        ("music-fadernets", {"layers": 3}, "unknown model option 'layers'; known: z, encoder"),
        ("music-fadernets", {"name": "pati"}, "'name'; known: .*; write name: at the top level of the recipe$"),
        ("music-fadernets", {"z": 0}, "model option z 0; must be at least 1"),
        ("music-fadernets", {"encoder": -5}, "model option encoder -5; must be at least 1"),
        ("music-fadernets", {"clusters": 1}, r"model option clusters 1; must be 2 or more \(low, ..., high\) or 0"),
        ("music-fadernets", {"beta": -1}, r"model option beta -1\.0; must not be negative"),
        ("music-fadernets", {"input_dropout": 1.5}, r"model option input_dropout 1\.5; must lie in 0\.\.1"),
        ("glsr-vae", {"note_slope": 0}, r"model option note_slope 0\.0; must be above 0"),
        ("music-fadernets", {"z": "wide"}, "model option z: 'wide' is not of type int"),
        ("music-fadernets", {"z": True}, "model option z: True is not of type int"),
        ("music-fadernets", {"beta": "much"}, "model option beta: 'much' is not of type float"),
        ("music-fadernets", {"attributes": 1}, "model option attributes: 1 is not of type bool"),
    ],
)
def test_what_cannot_be_built_is_refused(name, options, message):
    with pytest.raises(FadernetsError, match=message):
        build(name, options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"plan": 8}, "unknown model option 'plan'; known: z, encoder, decoder, embedding, input_dropout, sampled"),
        ({"axes": -1}, r"model option axes -1\.0; must not be negative"),
        ({"sampled": 1.5}, r"model option sampled 1\.5; must lie in 0\.\.1"),
        ({"sampled_ramp": 2}, r"model option sampled_ramp 2\.0; must lie in 0\.\.1"),
    ],
)
def test_what_music_vae_cannot_be_is_refused(options, message):
    with pytest.raises(FadernetsError, match=message):
        build("music-vae", options, "melody")


def test_numbers_become_floats():
    options = build("music-fadernets", TINY | {"beta": "1e-3", "regulariser": 2}).options
    assert (options.beta, options.regulariser) == (0.001, 2.0)
    assert isinstance(options.regulariser, float)


# Encoder


def test_the_sample_follows_the_posterior():
    torch.manual_seed(0)
    encoder = GRUEncoder(4, 8, 3)
    q = encoder(torch.rand(1, 5, 4).expand(20_000, -1, -1))
    noise = (q.z - q.mean) / (0.5 * q.log_variance).exp()
    torch.testing.assert_close(noise.mean(0), torch.zeros(3), atol=0.03, rtol=0)
    torch.testing.assert_close(noise.var(0), torch.ones(3), atol=0.05, rtol=0)
    q = encoder.eval()(torch.rand(2, 5, 4))
    assert torch.equal(q.z, q.mean)


def test_the_encoder_reads_every_step_and_starts_near_the_prior():
    torch.manual_seed(0)
    encoder = GRUEncoder(4, 8, 3).eval()
    x = torch.rand(1, 16, 4, requires_grad=True)
    q = encoder(x)
    q.mean.sum().backward()
    assert (x.grad.abs().sum(-1) > 0).all()
    assert q.log_variance.mean().item() == pytest.approx(-2, abs=0.5)


# What the loop asks


def test_judge_counts_cells_and_where_it_is_asked_to_onsets_of_free_decodes(batch):
    model = make_model()
    batch = replace(batch, inputs=batch.inputs[:12])
    codes = {name: q.mean for name, q in model.encode(batch.inputs).items()}
    condition = model.condition(codes, batch.key, batch.target_values)
    right, of = model.decoder.accuracy(condition, batch.target_values, batch.targets).sum(0).tolist()
    assert model.judge(batch, False) == {"accuracy": (right, of)}
    out = model.decode(codes, batch.key, batch.target_values, grid_coding.held_in(batch.targets))
    found, expected = out[:, 0] > 0, batch.targets[:, 0] > 0
    both = (2 * float((found & expected).sum()), float(found.sum() + expected.sum()))
    assert both[0] > 0
    assert model.judge(batch, True) == {"accuracy": (right, of), "note_f1": both}


def test_a_model_without_codes_decodes_nothing_freely(batch):
    model = build("language-model", {"encoder": 8, "decoder": 12, "plan": 4}).eval()
    assert set(model.judge(batch, True)) == {"accuracy"}


# Sub-decoders


@pytest.fixture
def symbols():
    return torch.randint(16, (4, 16), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def sub_decoder():
    torch.manual_seed(0)
    return SequenceDecoder(16, 12, 5)


@pytest.mark.parametrize("t", [0, 1, 7, 15])
def test_a_sub_decoder_sees_what_is_before_a_step_and_not_the_step(sub_decoder, symbols, t):
    z = torch.randn(4, 5)
    changed = symbols.clone()
    changed[:, t:] = (changed[:, t:] + 1) % 16
    a, b = sub_decoder(z, symbols), sub_decoder(z, changed)
    torch.testing.assert_close(a[:, : t + 1], b[:, : t + 1])
    if t < 15:
        assert ((a - b)[:, t + 1].abs().amax(1) > 1e-4).all()


def test_a_sub_decoder_needs_its_code(sub_decoder, symbols):
    z = torch.randn(4, 5, requires_grad=True)
    difference = sub_decoder(z, symbols) - sub_decoder(z + 1, symbols)
    assert (difference.abs().amax(2) > 1e-4).all()  # at every step, the first too
    sub_decoder.loss(z, symbols).backward()
    assert (z.grad != 0).all()


def test_a_sub_decoder_is_given_its_code_at_every_step(sub_decoder, symbols):
    """Beside the first state, which is the code's too."""
    torch.nn.init.zeros_(sub_decoder.start.weight)
    z = torch.randn(4, 5, requires_grad=True)
    sub_decoder(z, symbols)[:, 0].sum().backward()
    assert (z.grad != 0).all()


def test_sub_decoder_loss_is_over_classes_summed_over_steps(sub_decoder, symbols):
    z = torch.randn(4, 5)
    logits = sub_decoder(z, symbols).detach()
    total = 0.0
    for row in range(4):
        for t in range(16):
            total -= float(logits[row, t, symbols[row, t]] - logits[row, t].logsumexp(0))
    assert sub_decoder.loss(z, symbols).item() == pytest.approx(total / 4, rel=1e-5)


# Global decoder


@pytest.mark.parametrize("t", [0, 1, 8, 15])
def test_the_global_decoder_sees_what_is_before_a_step_and_not_the_step(batch, t):
    model = make_model()
    codes = {name: q.mean[:12] for name, q in model.encode(batch.inputs).items()}
    planes, asked = batch.targets.clone(), batch.target_values
    planes[:, 1, 0] = 0  # what is held in is given, not predicted
    changed = planes.clone()
    changed[:, :, t:] = 0
    changed[:, 0, t:, 40] = 1 - planes[:, 0, t:, 40]
    a, b = (forced_logits(model, codes, batch.key, asked, x) for x in (planes, changed))
    torch.testing.assert_close(a[:, : t + 1], b[:, : t + 1])
    if t < 15:
        assert ((a - b)[:, t + 1].abs().amax((1, 2)) > 1e-4).all()


def test_the_global_decoder_knows_what_is_held_in_and_no_more_of_the_first_step(batch):
    model = make_model()
    codes = {name: q.mean[:12] for name, q in model.encode(batch.inputs).items()}
    planes = torch.zeros(12, 2, 16, 88)
    held, struck = planes.clone(), planes.clone()
    held[:, 1, 0, 30] = 1
    struck[:, 0, 0, 30] = 1
    a, b, c = (forced_logits(model, codes, batch.key, batch.target_values, x) for x in (planes, held, struck))
    assert ((a - b)[:, 0].abs().amax((1, 2)) > 1e-4).all()
    torch.testing.assert_close(a[:, 0], c[:, 0])


@pytest.mark.parametrize("attributes", [True, False])
def test_what_conditions_the_global_decoder(batch, attributes):
    model = make_model(attributes=attributes)
    codes = {name: q.mean[:12] for name, q in model.encode(batch.inputs).items()}
    asked = batch.target_values

    def logits(codes=codes, key=batch.key, asked=asked):
        return forced_logits(model, codes, key, asked, batch.targets)

    def moves(**changed):
        return ((logits() - logits(**changed))[:, 0].abs().amax((1, 2)) > 1e-5).all()

    assert moves(codes=codes | {"rhythm": codes["rhythm"] + 1})
    assert moves(codes=codes | {"note": codes["note"] + 1})
    assert moves(key=batch.key.roll(1, 1))
    for i in range(2):
        assert moves(asked=asked + torch.eye(2)[i]) == attributes


def test_decoder_loss_by_hand(batch):
    """Off has logit 0; the mean over segments of the summed surprise at every cell."""
    model = make_model()
    codes = {name: q.mean[:12] for name, q in model.encode(batch.inputs).items()}
    args = (codes, batch.key, batch.target_values, batch.targets)
    logits = forced_logits(model, *args).double()
    total = torch.zeros((), dtype=torch.float64)
    below = (1 + logits.exp().sum(2)).log()  # [B, T, P]
    for row in range(12):
        for step in range(16):
            total += below[row, step].sum()
            for plane in range(2):
                total -= logits[row, step, plane][batch.targets[row, plane, step] > 0].sum()
    assert forced_loss(model, *args).item() == pytest.approx(total.item() / 12, rel=1e-5)


def test_probabilities_of_a_cell():
    logits = torch.tensor([[[np.log(3.0)], [np.log(4.0)]]], dtype=torch.float32)
    torch.testing.assert_close(grid_coding.probabilities(logits), torch.tensor([[[3 / 8], [4 / 8]]]))
    assert grid_coding.choose(torch.tensor([0.5, 0.51])).tolist() == [0, 1]


def test_counts_still_to_place_by_hand():
    """Three notes struck in step 0, one of them held in step 1, asked for densities 0.5 and 2."""
    cells = torch.zeros(1, 16, 2, 88)
    cells[0, 0, 0, [40, 44, 47]] = 1
    cells[0, 1, 1, 40] = 1
    left = grid_coding.still_to_place(cells, torch.tensor([[0.5, 2.0]]), CODED)
    assert left.shape == (1, 16, 2)
    torch.testing.assert_close(left[0, 0], torch.tensor([0.5, 2.0]))
    torch.testing.assert_close(left[0, 1], torch.tensor([7 / 15, 29 / 15]))
    torch.testing.assert_close(left[0, 2], torch.tensor([7 / 14, 28 / 14]))
    # 7 onsets and 28 notes are left for the last step: more than a step may be asked to make up for.
    torch.testing.assert_close(left[0, 15], torch.tensor([1.0, 1.5 * 2 + 0.5]))
    over = grid_coding.still_to_place(cells, torch.tensor([[0.0, 0.125]]), CODED)
    assert (over[0, 1:] == 0).all()


def test_step_counts_stop_at_fifteen_voices():
    cells = torch.zeros(2, 88)
    cells[1, :40] = 1
    assert step_counts(cells, CODED).tolist() == [0, 15]


@pytest.mark.parametrize("attributes", [True, False])
def test_generate_decides_as_teacher_forcing_on_its_own_output(batch, attributes):
    model = make_model(seed=4, attributes=attributes)
    codes = {name: q.mean[:12] for name, q in model.encode(batch.inputs).items()}
    asked = batch.target_values
    silence = torch.zeros(12, 2, 88)
    out = model.decoder.generate(model.condition(codes, batch.key, asked), asked, silence)
    assert torch.equal(model.decode(codes, batch.key, asked), out)
    assert out.shape == (12, 2, 16, 88)
    p = grid_coding.probabilities(forced_logits(model, codes, batch.key, asked, out))  # [B, T, 2, P]
    sounds = torch.nn.functional.pad(out.amax(1)[:, :-1], (0, 0, 1, 0))
    assert torch.equal(out[:, 0], (p[:, :, 0] > 0.5).float())
    assert torch.equal(out[:, 1], ((p[:, :, 1] > 0.5) & (sounds > 0)).float())
    assert out[:, 0].sum() > 100
    assert out[:, 1].sum() > 20
    assert (out.sum(1) <= 1).all()


def test_generate_holds_only_what_sounds(batch):
    model = make_model()
    with torch.no_grad():
        model.decoder.head.bias.copy_(torch.tensor([-50.0, 50.0]).repeat_interleave(88))  # hold everything
    codes = {name: q.mean[:12] for name, q in model.encode(batch.inputs).items()}
    held = torch.zeros(12, 2, 88)
    held[:, 1, 33] = 1
    out = model.decode(codes, batch.key, batch.target_values, held)
    assert out[:, 1, :, 33].all()
    assert out.sum() == 12 * 16


def test_input_dropout_is_for_training_alone(batch):
    model = make_model(input_dropout=0.5)
    codes = {name: q.mean[:12].detach() for name, q in model.encode(batch.inputs).items()}
    args = (codes, batch.key, batch.target_values, batch.targets)
    assert forced_loss(model, *args) == forced_loss(model, *args)
    model.train()
    assert forced_loss(model, *args) != forced_loss(model, *args)


# The loss as a whole


def test_the_loss_is_the_weighted_sum_of_its_terms(batch):
    weights = {"beta": 0.3, "beta_start": 0.1, "beta_ramp": 0.4, "regulariser": 7.0}
    model = make_model(**weights, discriminator=3.0, label_weight=5.0)
    for step in (0, 10, 30, 100):
        terms = {name: value.item() for name, value in model.loss(batch, step, 100).items()}
        assert set(terms) == TERMS
        assert terms["beta"] == pytest.approx(schedules.ramp(step, 100, value=0.3, start=0.1, ramp=0.4))
        expected = terms["reconstruction"]
        for name in CODES:
            expected += 3 * terms[f"{name}_symbols"] + 7 * terms[f"{name}_regulariser"]
            prior = terms[f"{name}_kl"] + terms[f"{name}_class_kl"] + 5 * terms[f"{name}_labelled"]
            expected += terms["beta"] * prior
        assert terms["loss"] == pytest.approx(expected, rel=1e-5)
        assert all(value >= 0 for value in terms.values())


def test_each_term_against_its_own_computation(batch):
    model = make_model()
    terms, n = model.loss(batch, 0, 10), batch.reconstructed
    for i, name in enumerate(CODES):
        q = model.encode(batch.inputs)[name]
        means, free, given = model.means[name], batch.label < 0, batch.label >= 0
        kl, class_kl = losses.mixture_kl(q.mean[free], q.log_variance[free], q.z[free], means)
        labelled = losses.labelled_kl(q.mean[given], q.log_variance[given], means, batch.label[given])
        expected = {
            "kl": kl.mean(),
            "class_kl": class_kl.mean(),
            "labelled": labelled.mean(),
            "regulariser": losses.regulariser(q.z[:, 0], batch.values[:, i]),
            "symbols": model.sub_decoders[name].loss(q.z[:n], batch.symbols[f"{name}_density"][:n]),
        }
        for term, value in expected.items():
            torch.testing.assert_close(terms[f"{name}_{term}"], value, rtol=1e-4, atol=1e-6)


def test_labelled_rows_enter_the_cluster_and_regulariser_terms_alone(batch):
    model = make_model()
    before = model.loss(batch, 5, 10)
    after = model.loss(with_rows(batch, slice(12, 18), batch.inputs[:6].flip(2)), 5, 10)
    for name in ("reconstruction", *(f"{c}_{t}" for c in CODES for t in ("symbols", "kl", "class_kl"))):
        torch.testing.assert_close(before[name], after[name], msg=name)
    for name in (f"{c}_{t}" for c in CODES for t in ("labelled", "regulariser")):
        assert abs(before[name] - after[name]) > 1e-4, name


def test_unlabelled_rows_leave_the_supervised_term_alone(batch):
    model = make_model()
    before = model.loss(batch, 5, 10)
    after = model.loss(with_rows(batch, slice(0, 6), batch.inputs[6:12].flip(2)), 5, 10)
    for name in (f"{c}_labelled" for c in CODES):
        torch.testing.assert_close(before[name], after[name])
    for name in ("reconstruction", *(f"{c}_{t}" for c in CODES for t in ("symbols", "kl", "regulariser"))):
        assert abs(before[name] - after[name]) > 1e-4, name


def test_a_label_names_its_component(batch):
    """Toward the labelled component the supervised term falls, toward the other it rises."""
    model = make_model()
    q = model.encode(batch.inputs)["rhythm"]
    label = torch.full((len(batch.label),), 1)
    low, high = model.means["rhythm"].detach()

    def supervised(at, label):
        moved = Posterior(at.expand_as(q.mean), q.log_variance, q.z)
        return model.means.terms("rhythm", moved, label)["rhythm_labelled"]

    assert supervised(high, label) < supervised(low, label)
    assert supervised(low, 1 - label) < supervised(high, 1 - label)


def test_all_rows_labelled_or_none(batch):
    def cluster_terms(model, q, label):
        terms = model.means.terms("note", q, label)
        return [terms[f"note_{term}"] for term in ("kl", "class_kl", "labelled")]

    model = make_model()
    q = model.encode(batch.inputs)["note"]
    none = torch.full((len(batch.label),), -1)
    kl, class_kl, labelled = cluster_terms(model, q, none)
    assert kl > 0
    assert class_kl > 0
    assert labelled == 0
    kl, class_kl, labelled = cluster_terms(model, q, none + 1)
    assert kl == class_kl == 0
    assert labelled > 0


def test_the_vanilla_model_has_the_standard_kl_and_no_clusters(batch):
    model = make_model(clusters=0)
    assert not [name for name in model.state_dict() if "means" in name]
    terms = model.loss(batch, 5, 10)
    assert set(terms) == TERMS - {f"{code}_{term}" for code in CODES for term in ("class_kl", "labelled")}
    for name, q in model.encode(batch.inputs).items():
        unit = torch.distributions.Normal(0, 1)
        each = torch.distributions.Normal(q.mean, (0.5 * q.log_variance).exp())
        expected = torch.distributions.kl_divergence(each, unit).sum(1).mean()
        torch.testing.assert_close(terms[f"{name}_kl"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("clusters", [0, 2])
def test_each_term_trains_its_own_parts(batch, clusters):
    model = make_model(clusters=clusters).train()
    expected = {"reconstruction": {"encoders.rhythm", "encoders.note", "decoder"}}
    for name in CODES:
        encoder, means = f"encoders.{name}", {f"means.{name}"} if clusters else set()
        expected[f"{name}_symbols"] = {encoder, f"sub_decoders.{name}"}
        expected[f"{name}_regulariser"] = {encoder}
        expected[f"{name}_kl"] = {encoder} | means
        if clusters:
            expected[f"{name}_class_kl"] = expected[f"{name}_labelled"] = {encoder} | means
    for term, parts in expected.items():
        model.zero_grad()
        model.loss(batch, 5, 10)[term].backward()
        found = Counter()
        for name, weight in model.named_parameters():
            if weight.grad is not None and weight.grad.abs().sum() > 0:
                found[name.split(".")[0] if name.startswith("decoder") else ".".join(name.split(".")[:2])] += 1
        assert set(found) == parts, term
    model.zero_grad()
    model.loss(batch, 5, 10)["loss"].backward()
    assert all(w.grad is not None and w.grad.abs().sum() > 0 for w in model.parameters())


def test_the_regulariser_falls_where_the_dimension_orders_the_segments(batch):
    """It reads dimension 0 of each code and its own attribute."""
    model = make_model()
    density = dict(zip(CODES, batch.values.unbind(1), strict=True))
    encode = model.encode

    def loss_of(sign):
        def encoded(*inputs):
            found = encode(*inputs)
            for name, q in found.items():
                q.z[:, 0] = sign * 40 * density[name]
            return found

        model.encode = encoded
        with torch.no_grad():
            terms = model.loss(batch, 5, 10)
        return {name: terms[f"{name}_regulariser"].item() for name in CODES}

    level, right, wrong = loss_of(0), loss_of(1), loss_of(-1)
    for name in CODES:
        assert right[name] < 0.01 < level[name] < wrong[name]


def test_a_paired_row_is_rebuilt_from_its_own_code_with_the_targets_faders(sampler, batch, monkeypatch):
    model = make_model()
    paired = torch.tensor([1, 4, 7])
    targets = batch.targets.clone()
    targets[paired] = batch.inputs[[2, 5, 9]]
    keys = batch.key.argmax(1)
    mixed = grid_batch(batch.inputs, targets, paired, keys, torch.zeros_like(keys), batch.label)
    seen = {}
    loss = model.decoder.loss

    def spy(condition, asked, planes, lengths):
        z = model.options.z
        rhythm, note, key, scaled = condition.split([z, z, 24, 2], -1)
        seen.update(codes={"rhythm": rhythm, "note": note}, key=key, scaled=scaled, asked=asked, planes=planes)
        return loss(condition, asked, planes, lengths)

    monkeypatch.setattr(model.decoder, "loss", spy)
    model.loss(mixed, 5, 10)
    assert torch.equal(seen["planes"], targets)
    torch.testing.assert_close(seen["asked"][paired], mixed.target_values[paired])
    assert torch.equal(seen["scaled"], grid_coding.scale(mixed.target_values, CODED))
    assert torch.equal(seen["key"], batch.key)
    for i, name in enumerate(CODES):
        own = model.encode(batch.inputs)[name].z
        density = mixed.values[:, i]
        torch.testing.assert_close(seen["codes"][name][:, 1:], own[:12, 1:])
        for row in range(12):
            found = seen["codes"][name][row, 0]
            if row not in paired.tolist():
                torch.testing.assert_close(found, own[row, 0])
                continue
            distance = (density - mixed.target_values[row, i]).abs()
            nearest = own[distance == distance.min(), 0]
            assert (nearest - found).abs().min() < 1e-6


def test_a_small_model_learns_thirty_two_segments(songs):
    """Note F1 of free decodes above 0.95, and dimension 0 in the order of the density."""
    rows = np.arange(32)
    sampler = Sampler(songs, rows, rows[:0], batch=32, transpose=False)
    torch.manual_seed(0)
    sizes = {"z": 16, "encoder": 32, "decoder": 64, "plan": 32, "sub_decoder": 16}
    model = build("music-fadernets", sizes | {"beta": 0.001, "input_dropout": 0.1})
    optimizer = torch.optim.Adam(model.parameters())
    for step in range(150):
        for group in optimizer.param_groups:
            group["lr"] = schedules.learning_rate(step, 150, peak=0.01, warmup=0.1)
        optimizer.zero_grad()
        model.loss(sampler.draw(step), step, 150)["loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    model.eval()
    batch = sampler.draw(0)
    with torch.no_grad():
        codes = {name: q.mean for name, q in model.encode(batch.inputs).items()}
        out = model.decode(codes, batch.key, batch.target_values, grid_coding.held_in(batch.targets))
        other = {name: code.roll(1, 0) for name, code in codes.items()}
        wrong = model.decode(other, batch.key, batch.target_values, grid_coding.held_in(batch.targets))

    def f1(found):
        a, b = found[:, 0] > 0, batch.targets[:, 0] > 0
        return 2 * (a & b).sum() / (a.sum() + b.sum())

    assert f1(out) > 0.95
    assert f1(wrong) < 0.8  # what a segment is comes from its code
    for i, name in enumerate(CODES):
        assert losses.regulariser(codes[name][:, 0], batch.values[:, i]) < 0.1
