"""Whole onset patterns: by hand, through JSON, their counts, and that the net learns what pairs have in common."""

import json

import numpy as np
import pytest
from learning_alone import learning_alone

from fadernets.codecs import grid
from fadernets.decoding import candidate_choice, candidates, segment_decoding, segment_requests
from fadernets.decoding.segment_requests import SegmentRequest
from fadernets.engines import onset_patterns
from fadernets.engines.grid import Engine
from fadernets.engines.model_folder import ModelError
from fadernets.engines.onset_patterns import CONDITIONS, OnsetPatterns
from fadernets.fitting import fit_patterns

H = 5


@pytest.fixture
def net():
    random = np.random.default_rng(0)
    shapes = {"given": CONDITIONS, "place": 16, "left": 17, "behind": 16, "outer": 16}
    return OnsetPatterns(
        **{n: random.normal(size=(k, H)) for n, k in shapes.items()}, outer_bias=random.normal(size=16)
    )


@pytest.fixture
def given():
    random = np.random.default_rng(1)
    return onset_patterns.conditions(
        random.integers(0, 4, (60, 16)), random.uniform(0, 1, (60, 2)), random.uniform(0, 1, (60, 2))
    )


def test_a_draw_by_hand(net, given):
    noise = np.random.default_rng(2).logistic(size=(60, 16))
    count = np.arange(60) % 17
    found = net.draw(given, count, noise)
    for i in range(60):
        left, bits = count[i], []
        for t in range(16):
            total = given[i] @ net.given + net.place[t] + net.left[left]
            total = total + sum(net.behind[s] for s in range(t) if bits[s])
            odds = sum(max(h, 0) * w for h, w in zip(total, net.outer[t], strict=True)) + net.outer_bias[t]
            bits.append(left == 16 - t or (left > 0 and odds + noise[i, t] > 0))
            left -= bits[-1]
        assert found[i].tolist() == bits


def test_conditions_are_onsets_strikes_and_both_densities():
    struck = np.array([[3] + [0] * 14 + [1]])
    found = onset_patterns.conditions(struck, np.array([[0.125, 3.0]]), np.array([[0.5, 2.0]]))[0]
    assert found[:16].tolist() == [1] + [0] * 14 + [1]
    assert found[16:32].tolist() == pytest.approx([np.log(4) / 2, *[0] * 14, np.log(2) / 2])
    assert found[32:].tolist() == pytest.approx([0, 0, 0.75, -0.25])


def test_as_many_onsets_as_asked_and_the_forced_ones_among_them(net, given):
    random = np.random.default_rng(4)
    forced = random.random((60, 16)) < 0.3
    count = random.integers(0, 17, 60)
    found = net.draw(given, count, random.logistic(size=(60, 16)), forced)
    assert (found.sum(1) == np.maximum(count, forced.sum(1))).all()
    assert found[forced].all()
    assert (found.any(0) & ~found.all(0)).all()  # every step is open


def test_a_draw_has_the_nets_own_probability(net, given):
    """One onset: the product of the probabilities behind it."""
    one = np.repeat(given[:1], 40_000, axis=0)
    found = net.draw(one, np.ones(len(one), int), np.random.default_rng(5).logistic(size=(len(one), 16)))
    total = given[0] @ net.given + net.place + net.left[1]
    p = 1 / (1 + np.exp(-((np.maximum(total, 0) * net.outer).sum(1) + net.outer_bias)))
    p[-1] = 1
    expected = p * np.cumprod(np.concatenate([[1], 1 - p[:-1]]))
    np.testing.assert_allclose(found.mean(0), expected, atol=0.01)


def test_through_json(net, given):
    again = OnsetPatterns.of(json.loads(json.dumps(net.as_dict())))
    noise = np.random.default_rng(6).logistic(size=(60, 16))
    assert (again.draw(given, np.full(60, 6), noise) == net.draw(given, np.full(60, 6), noise)).mean() > 0.97
    info = net.as_dict()
    info["left"] = info["left"][:-1]
    with pytest.raises(ValueError, match=r"patterns' left has shape \(16, 5\), not \(17, 5\)"):
        OnsetPatterns.of(info)


# Learning


def test_the_loss_is_minus_the_log_of_what_draws_weigh(net, given):
    """Every pattern of two onsets: the probabilities sum to one."""
    import torch

    fitted = fit_patterns.Net(H)
    for name, parameter in fitted.named_parameters():
        parameter.data = torch.from_numpy(getattr(net, name)).float()
    every = np.array([[t in (a, b) for t in range(16)] for a in range(16) for b in range(a)], np.float32)
    known = torch.from_numpy(given[:1].astype(np.float32))
    with torch.no_grad():
        nats = [float(fitted.loss(known, torch.from_numpy(row[None]))) for row in every]
    assert np.exp(-np.array(nats)).sum() == pytest.approx(1, abs=1e-4)


def test_it_learns_what_pairs_have_in_common(monkeypatch):
    """Targets keep the source's onsets and add the step behind each."""
    monkeypatch.setattr(fit_patterns, "STEPS_OF_FIT", 300)
    random = np.random.default_rng(0)
    source = np.zeros((500, 16), int)
    for row in source:
        row[random.choice(8, 3, replace=False) * 2] = 1
    target = source + np.roll(source, 1, axis=1)
    struck = np.concatenate([source, target])
    values = np.stack([(struck > 0).mean(1), np.ones(1000)], 1)
    pairs = np.arange(500), np.arange(500, 1000)
    with learning_alone():
        learned = fit_patterns.learn(struck, values, *pairs, 0)
    again = fit_patterns.learn(struck, values, *pairs, 0)
    np.testing.assert_array_equal(learned.given, again.given)
    new = onset_patterns.conditions(source[:100], values[:100], values[500:600])
    found = learned.draw(new, np.full(100, 6), random.logistic(size=(100, 16)))
    assert (found == target[:100]).mean() > 0.97


def test_a_data_set_of_songs(songs, monkeypatch):
    monkeypatch.setattr(fit_patterns, "STEPS_OF_FIT", 5)
    net = fit_patterns.fit(songs, songs.select(split="train"))
    assert net.given.shape == (CONDITIONS, fit_patterns.HIDDEN)
    assert fit_patterns.fit(songs, np.empty(0, np.int64)) is None


# In the decode path


@pytest.fixture
def engine(exported, net, monkeypatch):
    engine = Engine.open(exported[True][0])
    monkeypatch.setattr(engine, "onset_patterns", net)
    return engine


def steps_of(engine, cells, rhythm, struck=None):
    source = segment_requests.encode_segments(engine, cells)
    targets = segment_decoding.target_values(source, SegmentRequest({"rhythm_density": np.full(len(cells), rhythm)}))
    struck = np.zeros((len(cells), 16), bool) if struck is None else struck
    return segment_decoding._draw_patterns(
        engine.onset_patterns, source, targets, struck, candidates.draw_variations(8, 0)
    )


def test_half_of_the_sampled_answers_where_onsets_are_added(engine, segments):
    steps, used = steps_of(engine, segments, 0.25)
    own = (segments == grid.ONSET).any(-1).sum(1)
    assert ((steps == 1).sum(-1) == 4).all()
    assert (used.sum(1) == np.where(own < 4, 4, 0)).all()
    assert 0 < used.any(1).sum() < len(segments)
    turns = candidates.draw_variations(8, 0)
    assert {s for s, whole in zip(turns.onset_factors.tolist(), turns.whole_pattern, strict=True) if whole} == set(
        candidates.ONSET_FACTORS
    )


def test_a_model_without_patterns_ranks_steps(engine, segments, monkeypatch):
    request = SegmentRequest({"rhythm_density": np.full(40, 0.5)})
    drawn = segment_decoding.decode_candidates(
        engine, segment_requests.encode_segments(engine, segments), request
    ).cells
    monkeypatch.setattr(engine, "onset_patterns", None)
    ranked = segment_decoding.decode_candidates(
        engine, segment_requests.encode_segments(engine, segments), request
    ).cells
    others = np.concatenate(
        [
            np.ones(len(candidates.PLAIN_SOUNDING_FACTORS) + 1, bool),
            ~candidates.draw_variations(segment_requests.SAMPLED_FOR_EDIT, 0).whole_pattern,
        ]
    )
    np.testing.assert_array_equal(drawn[:, others], ranked[:, others])
    few = (segments == grid.ONSET).any(-1).sum(1) < 8
    assert (drawn[few][:, ~others] != ranked[few][:, ~others]).any()
    np.testing.assert_array_equal(drawn[~few], ranked[~few])
    for found in (drawn, ranked):
        assert ((found == grid.ONSET).any(-1).sum(-1) == 8).all()


def test_a_preset_leaves_onsets_free(engine, segments):
    source = segment_requests.encode_segments(engine, segments[:8])
    targets = segment_decoding.target_values(source, SegmentRequest(arousal=1.0))
    _, used = segment_decoding._draw_patterns(
        engine.onset_patterns, source, targets, np.zeros((8, 16), bool), candidates.draw_variations(8, 0)
    )
    assert not used.any()


def test_pinned_onsets_are_in_every_pattern(engine, segments):
    struck = np.zeros((8, 16), bool)
    struck[:, [3, 11]] = True
    steps, _ = steps_of(engine, segments[:8], 0.5, struck)
    assert (steps[..., [3, 11]] == 1).all()
    assert ((steps == 1).sum(-1) == 8).all()


def test_a_bar_that_comes_again_is_answered_again(engine, segments):
    twice = np.concatenate([segments[:5], segments[7:8], segments[:5]])
    asked = SegmentRequest({"rhythm_density": np.full(11, 0.5)}, seed=3)
    found = candidate_choice.edit_segments(engine, twice, asked)
    np.testing.assert_array_equal(found[:5], found[6:])
    np.testing.assert_array_equal(found, candidate_choice.edit_segments(engine, twice, asked))


def test_patterns_of_another_shape_are_refused(exported, net, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    info = json.loads((exported[True][0] / "model.json").read_text())
    info["patterns"] = net.as_dict() | {"outer_bias": [0.0]}
    (folder / "model.json").write_text(json.dumps(info))
    with pytest.raises(ModelError, match=r"model\.json: is damaged \(its patterns' outer_bias has shape"):
        Engine.open(folder)
