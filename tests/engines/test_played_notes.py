"""The model of played notes that is in the package, on made-up music."""

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from fadernets.data.played_notes import FEATURES, GridNotes, surroundings
from fadernets.engines.played_notes import PlayedNotes
from fadernets.errors import FadernetsError


@pytest.fixture(scope="module")
def model():
    return PlayedNotes.bundled()


def make_music(seed=0, count=400, asked=120):
    """Notes in time order with how they are played, and new notes between them."""
    rng = np.random.default_rng(seed)

    def some(n):
        time = np.sort(rng.integers(0, 200, n)).astype(np.float64)
        level = np.select([time % 16 == 0, time % 4 == 0, time % 2 == 0], [0, 1, 2], 3)
        return GridNotes(
            time, rng.integers(36, 90, n).astype(np.float64), rng.integers(1, 9, n) * 1.0, level, time % 16
        )

    values = np.column_stack([rng.integers(40, 110, count), rng.normal(0, 0.1, count), rng.normal(0, 0.3, count)])
    return some(count), values.astype(np.float32), some(asked)


def test_the_same_seed_plays_the_same(model):
    known, played, asked = make_music()
    first = model.play(known, played, asked, seed=3)
    np.testing.assert_array_equal(first, model.play(known, played, asked, seed=3))
    assert (first != model.play(known, played, asked, seed=4)).any()


def test_without_spread_no_seed_matters(model):
    known, played, asked = make_music()
    found = [model.play(known, played, asked, spread=0, seed=seed) for seed in (1, 2)]
    np.testing.assert_array_equal(*found)


def test_all_at_once_is_one_by_one(model):
    known, played, asked = make_music()
    whole = model.play(known, played, asked, seed=1)
    single = [model.play(known, played, asked, rows=np.array([i]), seed=1)[0] for i in range(len(asked.time))]
    np.testing.assert_allclose(whole[:, 1:], np.array(single)[:, 1:], atol=1e-4)
    assert np.abs(whole[:, 0] - np.array(single)[:, 0]).max() <= 1  # a rounding apart at the most
    assert (whole[:, 0] == np.array(single)[:, 0]).mean() > 0.98


@pytest.mark.parametrize("velocity", [1, 64, 80, 127])
def test_a_constant_velocity_stays(model, velocity):
    known, played, asked = make_music()
    played[:, 0], played[:, 1] = velocity, 0
    found = model.play(known, played, asked, spread=1)
    assert (found[:, 0] == velocity).all()
    assert (found[:, 1] == 0).all()


def test_one_known_note_is_copied(model):
    known, played, asked = make_music(count=1)
    found = model.play(known, played, asked, spread=1)
    assert (found[:, 0] == played[0, 0]).all()


def test_velocities_are_midi_velocities(model):
    known, played, asked = make_music()
    played[:, 0] = np.where(np.arange(len(played)) % 2, 1, 127)
    found = model.play(known, played, asked, spread=3)
    assert found[:, 0].min() >= 1
    assert found[:, 0].max() <= 127


def test_draws_are_normal_and_in_part_common_to_an_onset(model):
    time, pitch = (axis.ravel().astype(np.float64) for axis in np.meshgrid(np.arange(4000), [50, 60, 70]))
    notes = GridNotes(time, pitch, np.ones(len(time)), np.zeros(len(time), int), time)
    alike = replace(model, together=np.array([0, 0.5, 1], np.float32))
    drawn = alike.draws(notes, seed=5)
    np.testing.assert_allclose(drawn.mean(0), 0, atol=0.05)
    np.testing.assert_allclose(drawn.std(0), 1, atol=0.1)
    chords = drawn.reshape(3, -1, 3)
    for k, share in enumerate((0, 0.5, 1)):
        assert np.corrcoef(chords[0, :, k], chords[1, :, k])[0, 1] == pytest.approx(share, abs=0.06)
    assert abs(np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1]) < 0.05


def test_predictions_move_with_their_neighbours(model):
    """A loud passage is predicted loud, and an inner note below the top of its own chord's range."""
    known, played, asked = make_music()
    quiet, loud = played.copy(), played.copy()
    quiet[:, 0] -= 20
    loud[:, 0] += 15
    middles = [model.predict(surroundings(known, values, asked)).middle[:, 0].mean() for values in (quiet, loud)]
    assert middles[1] - middles[0] == pytest.approx(35, abs=8)


def test_the_bundled_model_learned_from_what_may_be_shipped():
    from importlib import resources

    path = resources.files("fadernets") / "bundled" / "played-notes.npz"
    with np.load(str(path)) as file:
        card = json.loads(str(file["card"]))
        assert {field.name for field in fields(PlayedNotes)} < set(file)
    assert card["corpora"] == {"pop909": "MIT"}
    assert path.stat().st_size < 200_000


def write(path, model, **changes):
    card = {"features": list(FEATURES)}
    np.savez(path, **({"card": json.dumps(card)} | vars(model) | changes))
    return path


def test_a_file_that_was_written_reads_back(model, tmp_path):
    found = PlayedNotes.open(write(tmp_path / "a.npz", model))
    for field in fields(PlayedNotes):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(model, field.name))


def test_files_that_cannot_be_used_are_refused(model, tmp_path):
    with pytest.raises(FadernetsError, match="cannot be read"):
        PlayedNotes.open(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no arrays")
    with pytest.raises(FadernetsError, match="is no model of played notes"):
        PlayedNotes.open(tmp_path / "text.npz")
    whole = write(tmp_path / "whole.npz", model).read_bytes()
    for damaged in (b"", whole[:-100], whole[:300], whole[:5000] + bytes(500) + whole[5500:]):
        (tmp_path / "damaged.npz").write_bytes(damaged)
        with pytest.raises(FadernetsError, match=r"damaged\.npz: is no model of played notes") as found:
            PlayedNotes.open(tmp_path / "damaged.npz")
        assert "\n" not in str(found.value)
    other = write(tmp_path / "other.npz", model, card=json.dumps({"features": ["a"]}))
    with pytest.raises(FadernetsError, match="other features"):
        PlayedNotes.open(other)
    small = write(tmp_path / "small.npz", model, inner=model.inner[:3])
    with pytest.raises(FadernetsError, match="other shapes"):
        PlayedNotes.open(small)
    with pytest.raises(FadernetsError, match="is no model of played notes"):
        PlayedNotes.open(write(tmp_path / "bad.npz", model, card=json.dumps([])))


def test_a_port_has_vectors_to_meet(model):
    path = Path(__file__).parents[1] / "vectors" / "played_notes.json"
    vectors = json.loads(path.read_text(encoding="utf-8"))
    known, asked = (
        GridNotes(*(np.array(vectors[which][name]) for name in GridNotes.__dataclass_fields__))
        for which in ("known", "asked")
    )
    played, expected = np.array(vectors["known"]["played"], np.float32), vectors["expected"]
    assert vectors["features"] == list(FEATURES)
    around = surroundings(known, played, asked)
    np.testing.assert_allclose(around.features, expected["features"], atol=1e-3)
    np.testing.assert_allclose(model.predict(around).middle, expected["middle"], atol=0.02)
    np.testing.assert_allclose(model.draws(asked, vectors["seed"]), expected["draws"], atol=1e-4)
    found = model.play(known, played, asked, seed=vectors["seed"])
    np.testing.assert_allclose(found, expected["played"], atol=0.02)
