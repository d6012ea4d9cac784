"""Fitting the model of played notes: on made-up performances, and against the copy on real ones."""

import os
from pathlib import Path

import numpy as np
import pytest
from learning_alone import learning_alone

from fadernets.data import corpora
from fadernets.data.played_notes import MANNER
from fadernets.engines.played_notes import PlayedNotes
from fadernets.evaluation import played_notes
from fadernets.fitting import fit_played_notes
from fadernets.fitting.fit_played_notes import HOLES, ask, hidden_notes, joined
from fadernets.music.metric_grid import MetricGrid
from fadernets.music.notes import MetreMap, Piece, TempoMap, Track, make_notes


def make_performance(seed=0, bars=24, nominal=False):
    """Chords of three, 20 louder on the beats than between; the top is 24 ticks late."""
    rng, rows, loud = np.random.default_rng(seed), [], 60.0
    for step in range(0, 16 * bars, 2):
        loud = np.clip(loud + rng.normal(0, 3), 40, 80)
        for k, pitch in enumerate((48, 55, 72)):
            top = k == 2
            onset = 120 * step + 24 * top + int(rng.integers(0, 4))
            rows.append(
                (onset, 120 * (step + 2) - 20, pitch + int(rng.integers(5)), int(loud) + 20 * (step % 4 == 0), 0)
            )
    piece = Piece(make_notes(rows), 480, TempoMap.of([], 480), MetreMap.of([], 480), [Track("piano", 0, 0)])
    return fit_played_notes.on_grid(f"made {seed}", piece, nominal)


def asked_of(seeds, nominal=False):
    rng, parts = np.random.default_rng(0), []
    for seed in seeds:
        performance = make_performance(seed, nominal=nominal)
        parts += [ask(performance, hidden_notes(performance, hole, rng)) for hole in HOLES]
    return joined(parts)


@pytest.fixture(scope="module")
def fitted():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit_played_notes, "STEPS_OF_FIT", 300)
        patch.setattr(fit_played_notes, "HIDDEN", 16)
        with learning_alone():
            return fit_played_notes.fit(asked_of(range(3)), asked_of([7]))[0]


def test_holes_hide_what_their_names_say():
    performance, rng = make_performance(), np.random.default_rng(0)
    onset = performance.placed.onset
    notes, steps, inner = (hidden_notes(performance, hole, rng) for hole in HOLES)
    assert 0.15 < notes.mean() < 0.35
    assert all(len(set(steps[onset == step].tolist())) == 1 for step in np.unique(onset))
    assert 0.1 < steps.mean() < 0.4
    middle = np.isin(np.arange(len(onset)) % 3, [1])
    assert inner.any()
    assert not inner[~middle].any()


def test_a_model_learns_what_copying_cannot_know(fitted):
    asked = asked_of([8, 9])
    error = np.abs(fitted.predict(asked.around).middle - asked.truth).mean(0)
    copied = np.abs(asked.around.copied - asked.truth).mean(0)
    assert error[0] < 0.6 * copied[0]
    assert error[1] < 0.6 * copied[1]


def test_what_is_left_over_is_alike_within_a_chord(fitted):
    assert fitted.together.shape == (len(MANNER),)
    assert ((fitted.together >= 0) & (fitted.together <= 1)).all()


def test_without_beats_only_timing_within_a_step_counts():
    performance = make_performance(nominal=True)
    hidden = np.zeros(len(performance.notes.time), bool)
    hidden[[0, 3, 4, 5]] = True  # one note of the first chord, the second chord whole
    counts = ask(performance, hidden).counts
    assert counts[:, 1].tolist() == [True, False, False, False]
    assert counts[:, [0, 2]].all()


def test_a_piece_without_beats_sounds_the_same():
    performance = make_performance()
    other = fit_played_notes.without_beats(performance)
    seconds = [p.piece.tempo.seconds(p.piece.notes["onset"]) for p in (performance, other)]
    np.testing.assert_allclose(np.sort(seconds[0]), np.sort(seconds[1]), atol=0.002)
    assert other.nominal
    assert isinstance(performance.windows, MetricGrid)


@pytest.mark.usefixtures("older_savez")
def test_a_file_reads_back(fitted, tmp_path):
    fit_played_notes.save(tmp_path / "made.npz", fitted, {"corpora": {}})
    found = PlayedNotes.open(tmp_path / "made.npz")
    for name, array in vars(fitted).items():
        np.testing.assert_allclose(getattr(found, name), array, atol=1e-6)


def test_figures_of_every_way(fitted):
    performance = make_performance(11)
    holes = [played_notes.played(performance, hole, fitted, spread=0.0, seed=1) for hole in HOLES]
    found = played_notes.figures(holes)
    assert found["pieces"] == 1
    assert found["notes"] == sum(len(one.truth) for one in holes)
    velocity = found["velocity"]
    assert velocity["model"] < velocity["copy"]
    assert velocity["drawn"] == pytest.approx(velocity["model"], abs=0.5)  # whole numbers
    assert found["milliseconds, not quantised"]["copy"] == pytest.approx(
        125 * found["offset, not quantised"]["copy"], rel=0.01
    )
    assert velocity["gain over the copy, 95 %"][0] <= velocity["copy"] - velocity["model"]


@pytest.mark.shared
def test_the_bundled_model_is_nearer_to_players_than_copies():
    root = corpora.find_root("pop909", Path(os.environ["FADERNETS_DATA"]))
    found = played_notes.measure("pop909", root, PlayedNotes.bundled(), every=8)
    for part, row in found.items():
        for name in ("velocity", "release"):
            assert row[name]["model"] < 0.9 * row[name]["copy"], (part, name)
        assert row["velocity"]["drawn"] < row["velocity"]["copy"], part
    for part in ("all tracks", "piano"):
        assert found[part]["offset"]["model"] < found[part]["offset"]["copy"]
        assert 0.7 < found[part]["deviation of velocity"]["drawn"] < 1.1
