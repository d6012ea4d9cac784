"""Classifiers of rolls: what they see of a piece, that they learn it, and that they know no more."""

import numpy as np
import pytest
from midi_files import left, metre, right, save, tempo, track

from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.evaluation import roll_classifier
from fadernets.music import reader

pytest.importorskip("torch")


def piece(path, beats_a_minute=120, velocity=80, bars=4):
    notes = [(beat, 0.5, 60, velocity) for beat in range(4 * bars)]
    read = reader.read(save(path, track(notes, tempo(beats_a_minute), metre(4))))
    return PieceOnGrid.of(read, [0])


def test_the_score_is_a_window_between_its_neighbours(tmp_path):
    found = roll_classifier.score(piece(tmp_path / "a.mid"), np.arange(4))
    assert found.shape == (4, 2, 48, 88)
    onsets = found[:, 0].any(2)
    assert onsets[1].nonzero()[0].tolist() == list(range(0, 48, 4))
    assert onsets[0].nonzero()[0].tolist() == list(range(16, 48, 4))  # nothing is before the first window
    assert onsets[3].nonzero()[0].tolist() == list(range(0, 32, 4))
    assert found[1, 1, :, 60 - 21].tolist() == [127, 127, 0, 0] * 12
    soft, quick = piece(tmp_path / "b.mid", velocity=20), piece(tmp_path / "c.mid", 180)
    for other in (soft, quick):
        np.testing.assert_array_equal(roll_classifier.score(other, np.arange(4)), found)


def test_the_performance_is_loud_and_quick(tmp_path):
    found = roll_classifier.performance(piece(tmp_path / "a.mid"), np.arange(4))
    assert found.shape == (4, 2, 64, 88)
    struck = found[1, 0, :, 60 - 21]
    assert np.diff(struck.nonzero()[0]).tolist() == [4] * (len(struck.nonzero()[0]) - 1)  # half a second
    assert set(struck[struck > 0].tolist()) == {80}
    assert (found[1, 1] > 0).sum() > (found[1, 0] > 0).sum()
    quick = roll_classifier.performance(piece(tmp_path / "b.mid", 240, 40, bars=8), np.arange(8))
    assert set(np.diff(quick[4, 0].any(1).nonzero()[0]).tolist()) == {2}
    assert quick.max() == 40


def test_a_note_that_sounds_from_before_is_held(tmp_path):
    long = reader.read(save(tmp_path / "a.mid", track([(0, 16, 60, 80), (15, 1, 72, 90)], metre(4))))
    found = roll_classifier.performance(PieceOnGrid.of(long, [0]), np.array([3]))[0, :, :, 60 - 21]
    assert not found[0].any()
    assert found[1, 0] == 80


def test_a_classifier_learns_what_it_sees_in_any_key_and_comes_again(tmp_path, monkeypatch):
    monkeypatch.setattr(roll_classifier, "BATCH", 8)
    pieces = []
    for way in (0, 1):
        hands = track(right(24, way), tempo(60 + 90 * way), metre(4)), track(left(24), channel=1)
        pieces.append(PieceOnGrid.of(reader.read(save(tmp_path / f"{way}.mid", *hands)), [0, 1]))
    view = roll_classifier.performance
    windows = np.arange(1, 5)
    rolls = roll_classifier.joined(view, [(one, windows) for one in pieces])
    high = np.repeat([False, True], len(windows))
    many = np.tile(rolls, (20, 1, 1, 1)), np.tile(high, 20)
    one, again = (roll_classifier.fit(view, *many, seed=0) for _ in range(2))
    odds = one.log_odds(rolls)
    assert roll_classifier.balanced_accuracy(odds, high) == 1
    np.testing.assert_array_equal(odds, again.log_odds(rolls))
    np.testing.assert_allclose(one(pieces[1], windows), odds[len(windows) :], rtol=1e-5)
    assert len(one.log_odds(rolls[:0])) == 0


def test_balanced_accuracy_weighs_both_sides_alike():
    odds = np.array([1.0, 1, 1, -1, 1])
    assert roll_classifier.balanced_accuracy(odds, np.array([True, True, True, True, False])) == 0.375
    assert roll_classifier.balanced_accuracy(odds, np.ones(5, bool)) == 0.8
