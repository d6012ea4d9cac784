"""Bars and beats of a score, and notes on them. Ticks are 480 a quarter, divisions 48."""

import numpy as np
import pytest

from fadernets.music.notes import MetreMap, Piece, TempoMap, Track, make_notes
from fadernets.rendering.score_time import DIVISIONS, ScoreTime

Q = DIVISIONS


def piece(rows, metres=()):
    """A piece of notes (onset, end) in quarters."""
    notes = make_notes([(round(a * 480), round(b * 480), 60 + i % 12, 80, 0) for i, (a, b) in enumerate(rows)])
    metre = MetreMap.of([(round(at * 480), above, below) for at, above, below in metres], 480)
    return Piece(notes, 480, TempoMap.of([(0, 600_000)], 480), metre, [Track("", 0, 0)])


@pytest.mark.parametrize(
    ("metres", "end", "lengths"),
    [
        ([(0, 4, 4)], 5, [4, 4]),
        ([(0, 6, 8)], 3.5, [3, 3]),
        ([(0, 1, 4), (1, 3, 4)], 4, [1, 3]),
        ([(0, 4, 4), (2, 3, 4)], 5, [2, 3]),
        ([(0, 7, 8)], 3, [3.5]),
        ([(0, 6, 4)], 7, [6, 6]),
    ],
)
def test_bars(metres, end, lengths):
    time = ScoreTime.of(piece([(0, 1), (end - 1, end)], metres))
    assert [bar.length / Q for bar in time.bars] == lengths
    assert time.end == sum(lengths) * Q
    assert not time.heard


def test_the_ends_of_a_score_are_kept_and_those_of_a_performance_are_not_exact():
    exact = piece([(i, i + 0.75) for i in range(16)])
    placed = ScoreTime.of(exact).place(exact.notes)
    assert placed.exact
    assert (placed.end - placed.onset).tolist() == [36] * 16
    played = piece([(i, i + 0.9) for i in range(16)])
    placed = ScoreTime.of(played).place(played.notes)
    assert placed.on_grid
    assert not placed.exact


def test_triplets_and_sixteenths_of_different_beats():
    own = piece([(i / 3, i / 3 + 1 / 3) for i in range(3)] + [(1 + i / 4, 1.25 + i / 4) for i in range(4)])
    placed = ScoreTime.of(own).place(own.notes)
    assert placed.onset.tolist() == [0, 16, 32, 48, 60, 72, 84]


def test_a_performance_without_beats_has_those_that_are_heard():
    rng = np.random.default_rng(0)
    onset = np.arange(80) * 0.57 + rng.normal(0, 0.01, 80)  # quarters of 120 to the minute
    own = piece([(a + 1, a + 1.5) for a in onset])
    own.tempo = TempoMap.of([], 480)
    time = ScoreTime.of(own)
    assert time.heard
    steps = np.diff(time.place(own.notes).onset)
    assert np.mean(steps == np.median(steps)) > 0.9


def test_a_piece_without_notes_is_a_bar():
    assert [bar.length for bar in ScoreTime.of(piece([])).bars] == [4 * Q]
