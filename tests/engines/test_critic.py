"""The critic: by hand, through JSON, and that it learns what tells edits from real music."""

import json

import numpy as np
import pytest
from learning_alone import learning_alone

from fadernets.engines.critic import Critic
from fadernets.engines.grid import Engine
from fadernets.engines.model_folder import ModelError
from fadernets.fitting import fit_critic
from fadernets.metrics import note_features, realism

F = len(note_features.FEATURES)


@pytest.fixture
def critic():
    random = np.random.default_rng(0)
    return Critic(
        random.normal(size=F), random.uniform(0.5, 2, F), random.normal(size=(F, 5)), random.normal(size=5),
        random.normal(size=5), 0.25,
    )  # fmt: skip


def test_log_odds_by_hand(critic, songs):
    cells = songs.cells(np.arange(6))
    features = note_features.features(cells)[0]
    for row, found in zip(features, critic.rate(cells), strict=True):
        x = np.clip((row - critic.mean) / critic.deviation, -4, 4)
        hidden = [max(sum(x * critic.inner[:, h]) + critic.inner_bias[h], 0) for h in range(5)]
        assert found == pytest.approx(sum(np.array(hidden) * critic.outer) + 0.25)


def test_through_json(critic, songs):
    cells = songs.cells(np.arange(6))
    again = Critic.of(json.loads(json.dumps(critic.as_dict())))
    np.testing.assert_allclose(again.rate(cells), critic.rate(cells), atol=0.05)
    info = critic.as_dict()
    info["features"] = info["features"][:-1]
    with pytest.raises(ValueError, match="knows other features"):
        Critic.of(info)


def test_the_shipped_model_has_one():
    engine = Engine.open()
    assert engine.critic is not None
    assert engine.critic.inner.shape == (F, fit_critic.HIDDEN)


def test_a_critic_of_another_version_is_refused(exported, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    info = json.loads((exported[True][0] / "model.json").read_text())
    info["critic"] = {"features": ["onsets"]}
    (folder / "model.json").write_text(json.dumps(info))
    with pytest.raises(ModelError, match=r"model\.json: is damaged \(its critic knows other features\)"):
        Engine.open(folder)


def test_it_learns_to_tell_two_kinds():
    random = np.random.default_rng(0)
    real, made = random.normal(size=(300, F)), random.normal(size=(900, F))
    made[:, 3] += 1.5
    with learning_alone():
        critic = fit_critic._learn(real, made, 0)
    again = fit_critic._learn(real, made, 0)
    np.testing.assert_array_equal(critic.inner, again.inner)

    def odds(features):
        return np.maximum(critic.standardised(features) @ critic.inner + critic.inner_bias, 0) @ critic.outer

    new = random.normal(size=(200, F))
    worse = new.copy()
    worse[:, 3] += 1.5
    assert (odds(new) > odds(worse)).mean() > 0.9


def test_fitting_shows_candidates_then_its_own_choices(songs, exported, monkeypatch):
    engine = Engine.open(exported[True][0])
    rows = songs.select(split="train")
    shown, learn = [], fit_critic._learn

    def watched(real, made, seed):
        shown.append((len(real), len(made), engine.critic))
        return learn(real, made, seed)

    monkeypatch.setattr(fit_critic, "_learn", watched)
    monkeypatch.setattr(fit_critic, "STEPS_OF_FIT", 5)
    monkeypatch.setattr(realism, "LEVEL", 1.0)
    critic = fit_critic.fit(engine, songs, rows, each=4)
    (real, first, none), (same, second, one) = shown
    assert real == same
    assert none is None
    assert one is not None
    moves = real // 8  # two real segments for each of four
    assert first == moves * 4 * fit_critic.KEPT
    assert second == first + moves * 4
    assert critic.inner.shape == (F, fit_critic.HIDDEN)


def test_nothing_to_learn_from(exported, songs):
    engine = Engine.open(exported[True][0])
    assert fit_critic.fit(engine, songs, np.empty(0, np.int64)) is None
