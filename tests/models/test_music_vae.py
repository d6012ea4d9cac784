"""MusicVAE over melodies: what each step may see, each term by hand, and which way the knobs are pulled."""

import numpy as np
import pytest
import torch
from conftest import make_clip, random_clips
from torch import nn

from fadernets.codecs import melody_states
from fadernets.data.melody_batches import MelodyBatch, augmented
from fadernets.errors import FadernetsError
from fadernets.models import build, losses
from fadernets.models.blocks import Posterior
from fadernets.models.music_vae import before, kinds

SIZES = {"z": 5, "encoder": 10, "decoder": 12, "embedding": 6, "rhythm": 8}
PITCH, RHYTHM = 0, 2  # dimensions of the knobs: the first of each half


def make_model(seed=0, **options):
    """Random weights wide enough that its decodes hold more than one state."""
    torch.manual_seed(seed)
    model = build("music-vae", SIZES | options, "melody")
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.mul_(4)
    return model.eval()


@pytest.fixture(scope="module")
def clips():
    return random_clips(16, seed=0)


@pytest.fixture
def batch(clips):
    """Sixteen clips, and ten of them moved."""
    moved, amount = augmented(clips[:10], np.random.default_rng(1))
    return MelodyBatch(*(torch.from_numpy(x.astype(np.int64)) for x in (clips, moved)), torch.from_numpy(amount))


def alone(batch):
    """The same without an augmentation."""
    return MelodyBatch(batch.inputs, batch.inputs[:0], batch.amount[:0])


def nats(logits, target):
    """Minus the log probability of each target, one by one, summed over the steps, mean over the batch."""
    total = 0.0
    for row, states in zip(logits.detach(), target, strict=True):
        total -= sum(float(step[state] - step.logsumexp(0)) for step, state in zip(row, states, strict=True))
    return total / len(target)


def codes(model, clips):
    """[B, Z] posterior means."""
    return model.encode(torch.from_numpy(clips.astype(np.int64))).mean


def fed_to(model, monkeypatch):
    """A list that takes the states which the decoder is fed, call by call."""
    seen, forward = [], model.decoder.forward
    monkeypatch.setattr(model.decoder, "forward", lambda z, fed: seen.append(fed.clone()) or forward(z, fed))
    return seen


# The decoder


def test_the_state_before_each_step():
    assert before(torch.tensor([[5, 6, 7], [128, 129, 0]])).tolist() == [[130, 5, 6], [130, 128, 129]]


@pytest.mark.parametrize("step_plan", [0, 3])
@pytest.mark.parametrize("t", [0, 1, 15, 31])
def test_the_decoder_sees_what_is_before_a_step_and_not_the_step(batch, t, step_plan):
    model, z = make_model(step_plan=step_plan), torch.randn(16, 5)
    changed = batch.inputs.clone()
    changed[:, t:] = (changed[:, t:] + 1) % 130
    a, b = (model.decoder(z, before(x)) for x in (batch.inputs, changed))
    assert a.shape == (16, 32, 130)
    torch.testing.assert_close(a[:, : t + 1], b[:, : t + 1])
    if t < 31:
        assert ((a - b)[:, t + 1].abs().amax(1) > 1e-4).all()


def test_the_decoder_is_given_its_code_at_every_step(batch):
    """Beside the first state, which is the code's too."""
    model, z = make_model(), torch.randn(16, 5)
    first = model.decoder(z, before(batch.inputs)) - model.decoder(z + 1, before(batch.inputs))
    assert (first.abs().amax(2) > 1e-4).all()
    nn.init.zeros_(model.decoder.start.weight)
    z.requires_grad_()
    model.decoder(z, before(batch.inputs))[:, 0].sum().backward()
    assert (z.grad != 0).all()


def test_each_step_has_a_plan_of_its_own():
    """Computed from the code alone, given beside it to the step and to what reads the step."""
    model, z = make_model(step_plan=3), torch.randn(16, 5)
    steps = model.decoder.steps(z)
    assert steps.shape == (16, 32, 8)
    assert torch.equal(steps[..., :5], z[:, None].expand(-1, 32, -1))
    assert len(steps[..., 5:].flatten(0, 1).unique(dim=0)) == 16 * 32
    fed = torch.full((16, 32), 60)
    plain = model.decoder(z, fed)
    with torch.no_grad():
        model.decoder.plan[-1].bias[3 * 20 : 3 * 21] += 1.0  # of step 20
    changed = ((model.decoder(z, fed) - plain).abs().amax((0, 2)) > 1e-4).tolist()
    assert changed == [False] * 20 + [True] * 12
    assert make_model().decoder.steps(z).shape == (16, 32, 5)


@pytest.mark.parametrize("step_plan", [0, 3])
def test_generate_is_the_chain_of_likeliest_states(step_plan):
    model, z = make_model(step_plan=step_plan), torch.randn(16, 5)
    found = model.decoder.generate(z)
    assert (found.shape, found.dtype) == ((16, 32), torch.int64)
    assert len(found.unique()) > 10
    chain = torch.full((16, 33), melody_states.STATES)
    for t in range(32):
        chain[:, t + 1] = model.decoder(z, chain[:, :32])[:, t].argmax(-1)
    assert torch.equal(found, chain[:, 1:])


def test_the_kinds_of_states():
    assert kinds(torch.tensor([[0, 60, 127, 128, 129]])).tolist() == [[0, 0, 0, 1, 2]]


def test_the_encoder_reads_every_step(batch):
    model = make_model()
    base = model.encode(batch.inputs).mean
    for t in range(32):
        changed = batch.inputs.clone()
        changed[:, t] = (changed[:, t] + 3) % 130
        assert ((model.encode(changed).mean - base).abs().amax(1) > 0).all()


# The loss


def test_each_term_by_hand(batch):
    model = make_model(axes=0.7, beta=0.3, beta_ramp=0.5)
    with torch.no_grad():
        q, there = model.encode(batch.inputs), model.encode(batch.moved)
    way = torch.zeros(10, 5)
    way[:, PITCH], way[:, RHYTHM] = batch.amount[:, 0] / 6, batch.amount[:, 1]
    symbols = (batch.inputs == melody_states.HOLD) + 2 * (batch.inputs == melody_states.REST)
    found = model.loss(batch, 25, 100)  # the mean is the sample, no state is the decoder's own
    expected = {
        "reconstruction": nats(model.decoder(q.mean, before(batch.inputs)), batch.inputs),
        "rhythm": nats(model.rhythm(q.mean[:, 2:], symbols), symbols),
        "moved": nats(model.decoder(q.mean[:10] + way, before(batch.moved)), batch.moved),
        "kl": losses.standard_kl(q.mean, q.log_variance).mean().item(),
        "axes": sum(float(x) ** 2 for x in (there.mean - q.mean[:10] - way).flatten()) / 10,
        "beta": 0.15,
    }
    expected["loss"] = sum(expected[name] for name in ("reconstruction", "rhythm", "moved"))
    expected["loss"] += 0.15 * expected["kl"] + 0.7 * expected["axes"]
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value, rel=1e-4), name


def test_the_rhythm_is_read_from_the_second_half_alone(batch):
    """What it costs goes to the second half of the codes and to its own weights."""
    model = make_model(axes=1.0)
    z = torch.randn(16, 5, requires_grad=True)
    given = Posterior(z, z * 0, z)
    model.encode = lambda states: given
    model.loss(alone(batch), 0, 100)["rhythm"].backward()
    assert (z.grad[:, :2] == 0).all()
    assert (z.grad[:, 2:] != 0).all()
    assert all(weight.grad is None for weight in model.decoder.parameters())


def test_validation_has_the_rhythm_and_nothing_moved(batch):
    assert set(make_model(axes=1.0).loss(alone(batch), 0, 100)) == {"loss", "reconstruction", "kl", "rhythm", "beta"}


def test_the_paper_s_model_has_no_terms_of_knobs(batch):
    assert make_model().rhythm is None
    found = make_model().loss(alone(batch), 100, 100)
    assert set(found) == {"loss", "reconstruction", "kl", "beta"}
    assert found["loss"].item() == pytest.approx((found["reconstruction"] + 0.1 * found["kl"]).item(), rel=1e-5)


def test_knobs_need_two_halves():
    with pytest.raises(FadernetsError, match="needs a half of z for each knob; z is 1"):
        make_model(z=1, axes=1.0)


def test_the_way_of_six_semitones_and_of_a_doubling():
    model = make_model()
    found = model.code_shift(torch.tensor([[6.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -0.5]]))
    assert found.tolist() == [[1, 0, 0, 0, 0], [-0.5, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, -0.5, 0, 0]]


@pytest.mark.parametrize("amount", [(12.0, 0.0), (-12.0, 0.0), (0.0, 2.0), (0.0, -1.0)])
def test_the_axes_pull_a_moved_clip_along_its_knob_and_nowhere_else(batch, monkeypatch, amount):
    """The way that a descent goes: there along the amount, here against it; at rest where they are that far apart."""
    model = make_model(axes=1.0)
    dimension, sign = (PITCH, np.sign(amount[0])) if amount[0] else (RHYTHM, np.sign(amount[1]))
    batch.amount = torch.tensor([amount] * 10)
    for apart, still in ((0.0, False), (1.0, True)):
        means = [torch.zeros(16, 5), apart * model.code_shift(batch.amount)]
        means = [mean.requires_grad_() for mean in means]
        given = iter(means)
        monkeypatch.setattr(model, "encode", lambda states, given=given: Posterior(m := next(given), m * 0, m))
        model.loss(batch, 100, 100)["axes"].backward()
        here, there = (-mean.grad for mean in means)
        torch.testing.assert_close(here[:10], -there)
        assert (here[10:] == 0).all()  # these have not been moved
        others = [d for d in range(5) if d != dimension]
        assert (there[:, others] == 0).all()
        assert (there[:, dimension] == 0).all() if still else (there[:, dimension] * sign > 0).all()


def test_the_first_dimension_of_each_half_becomes_its_knob(clips):
    """The encoder alone, on the term alone: unseen clips move along them by what was done to them."""
    torch.manual_seed(0)
    model = build("music-vae", SIZES | {"axes": 1.0, "encoder": 24}, "melody")
    optimizer = torch.optim.Adam([*model.embed.parameters(), *model.encoder.parameters()], lr=0.02)
    rng = np.random.default_rng(2)
    source = np.stack([make_clip(rng) for _ in range(256)])
    for _ in range(60):
        some = source[rng.permutation(256)[:32]]
        moved, amount = augmented(some, rng)
        shift = model.code_shift(torch.from_numpy(amount))
        term = (codes(model, moved) - codes(model, some) - shift).square().sum(-1).mean()
        optimizer.zero_grad()
        term.backward()
        optimizer.step()
    with torch.no_grad():
        higher, denser = (
            codes(model, x) - codes(model, clips)
            for x in (melody_states.transpose(clips, 12), melody_states.split(clips, 4))
        )
    assert 0.8 < higher[:, PITCH].mean() < 3  # 2 is right
    assert denser[:, RHYTHM].mean() > 0.5
    assert higher[:, RHYTHM].abs().mean() < 0.5 * higher[:, PITCH].mean()


# Scheduled sampling


def test_without_sampling_it_is_teacher_forcing(batch):
    model, z = make_model().train(), torch.randn(16, 5)
    found = model._rebuild(z, batch.inputs, 0.0)
    assert found.item() == pytest.approx(nats(model.decoder(z, before(batch.inputs)), batch.inputs), rel=1e-5)


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_a_share_of_what_is_fed_back_is_the_decoder_s_own(batch, monkeypatch, share):
    """A decoder that would always say 7 is fed with 7 there."""
    model, z = make_model().train(), torch.randn(16, 5)
    with torch.no_grad():
        model.decoder.head.bias[7] = 1000.0
    seen = fed_to(model, monkeypatch)
    torch.manual_seed(0)
    found = model._rebuild(z, batch.inputs, share)
    first, second = seen
    assert torch.equal(first, before(batch.inputs))
    assert (second[:, 0] == melody_states.STATES).all()
    own = second != first
    assert (second[own] == 7).all()
    assert own[:, 1:].float().mean().item() == pytest.approx(share, abs=0.05)
    assert found.item() == pytest.approx(nats(model.decoder(z, second), batch.inputs), rel=1e-5)


def test_what_the_decoder_says_is_sampled(batch, monkeypatch):
    """Two likely states come up about equally often; no gradient goes through the choice."""
    model, z = make_model().train(), torch.randn(16, 5, requires_grad=True)
    with torch.no_grad():
        model.decoder.head.weight.zero_()
        model.decoder.head.bias[[3, 4]] = 1000.0
    seen = fed_to(model, monkeypatch)
    torch.manual_seed(0)
    model._rebuild(z, batch.inputs, 1.0).backward()
    assert (seen[1][:, 1:] == 3).float().mean().item() == pytest.approx(0.5, abs=0.08)
    assert set(seen[1][:, 1:].unique().tolist()) == {3, 4}


def test_the_share_rises_in_training_and_is_nothing_in_evaluation(batch, monkeypatch):
    model = make_model(axes=1.0, sampled=0.6, sampled_ramp=0.5)
    shares = []
    monkeypatch.setattr(model, "_rebuild", lambda z, target, share: shares.append(share) or z.sum())
    for training in (True, False):
        model.train(training)
        for step in (0, 25, 50, 100):
            model.loss(batch, step, 100)
    assert shares == pytest.approx([0, 0, 0.3, 0.3, 0.6, 0.6, 0.6, 0.6] + [0] * 8)


def test_dropout_blanks_what_is_fed_back_in_training_alone(batch, monkeypatch):
    model, z = make_model(input_dropout=0.4), torch.randn(16, 5)
    seen = fed_to(model, monkeypatch)
    model._rebuild(z, batch.inputs, 0.0)
    torch.manual_seed(0)
    model.train()._rebuild(z, batch.inputs, 0.0)
    assert torch.equal(seen[0], before(batch.inputs))
    blank = seen[1] != seen[0]
    assert (seen[1][blank] == melody_states.STATES).all()
    assert blank[:, 1:].float().mean().item() == pytest.approx(0.4, abs=0.05)


# What the loop asks


def test_judge_counts_states_and_whole_clips(batch, monkeypatch):
    model = make_model()
    asked = []

    def generate(z):
        asked.append(z)
        found = batch.inputs.clone()
        found[3] = (found[3] + 1) % 130
        found[5, ::4] = (found[5, ::4] + 1) % 130
        return found

    monkeypatch.setattr(model.decoder, "generate", generate)
    assert model.train().judge(batch, False) == {}
    assert asked == []
    assert model.judge(batch, True) == {"states": (16 * 32 - 40, 16 * 32), "clips": (14, 16)}
    assert torch.equal(asked[0], model.encode(batch.inputs).mean)  # no sample


def test_settled_where_every_schedule_has_ended():
    for options, step in ({}, 50), ({"beta_start": 0.5}, 70), ({"sampled_ramp": 0.1}, 20):
        model = make_model(**options)
        assert [model.settled(s, 100) for s in (step - 1, step, 100)] == [False, True, True]


def test_a_small_model_learns_four_clips_with_all_its_weights(clips):
    torch.manual_seed(0)
    model = build(
        "music-vae", {"z": 8, "encoder": 16, "decoder": 48, "embedding": 12, "sampled": 0.2, "step_plan": 4}, "melody"
    )
    inputs = torch.from_numpy(clips[:4].astype(np.int64))
    batch = MelodyBatch(inputs, inputs[:0], torch.zeros(4, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    start = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    found = []
    for step in range(40):
        terms = model.loss(batch, step, 40)
        optimizer.zero_grad()
        terms["loss"].backward()
        optimizer.step()
        found.append(terms["reconstruction"].item())
    assert found[-1] < 0.35 * found[0]
    assert not any(torch.equal(start[name], weight) for name, weight in model.named_parameters())
