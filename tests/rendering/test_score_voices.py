"""Chords and voices of a staff. Times are quarters."""

from itertools import pairwise

import numpy as np
import pytest

from fadernets.music.notes import MetreMap, Piece, TempoMap, Track, make_notes
from fadernets.rendering.score_time import DIVISIONS, ScoreTime
from fadernets.rendering.score_voices import Chord, chords_of, voices_of


def voices(*notes):
    """The voices of notes (onset, end, pitch) as lists of (onset, end, pitches)."""
    rows = make_notes([(round(a * 480), round(b * 480), p, 80, 0) for a, b, p in notes])
    own = Piece(rows, 480, TempoMap.of([(0, 600_000)], 480), MetreMap.of([], 480), [Track("", 0, 0)])
    time = ScoreTime.of(own)
    pitch = rows["pitch"]
    lines = voices_of(chords_of(time, time.place(rows), pitch), pitch)
    return [[(c.onset / DIVISIONS, c.end / DIVISIONS, [int(pitch[i]) for i in c.rows]) for c in line] for line in lines]


@pytest.mark.parametrize("share", [0.55, 0.7, 0.85, 0.98, 1.04])
def test_notes_that_were_played_a_little_short_or_long_last_until_the_next(share):
    upper, lower = voices(*[(i / 2, i / 2 + share / 2, 60 + i % 5) for i in range(16)])
    assert [(a, b) for a, b, _ in upper] == [(i / 2, i / 2 + 0.5) for i in range(16)]
    assert lower == []


def test_notes_that_were_left_early_have_rests():
    upper, _ = voices(*[(2 * i, 2 * i + 0.45, 60 + i % 5) for i in range(8)])
    assert [(a, b) for a, b, _ in upper][:-1] == [(2 * i, 2 * i + 0.5) for i in range(7)]


def test_a_held_bass_is_the_lower_voice():
    tune = [(i, i + 0.95, 72 + i) for i in range(4)]
    upper, lower = voices((0, 3.9, 60), *tune)
    assert [p for *_, p in upper] == [[72], [73], [74], [75]]
    assert lower == [(0, 4, [60])]


def test_a_held_tune_is_the_upper_voice():
    upper, lower = voices((0, 4, 72), *[(i, i + 1, 60 + i) for i in range(4)])
    assert upper == [(0, 4, [72])]
    assert [p for *_, p in lower] == [[60], [61], [62], [63]]


def test_notes_that_begin_together_and_end_nearly_so_are_a_chord():
    upper, lower = voices((0, 0.9, 60), (0, 0.94, 64), (0, 0.85, 67), (1, 1.9, 60), (1, 1.8, 65))
    assert [p for *_, p in upper] == [[60, 64, 67], [60, 65]]
    assert lower == []


def test_a_third_line_ends_an_earlier_one():
    pitch = np.array([60, 64, 67])
    chords = [Chord(0, 48, (0,)), Chord(12, 48, (1,)), Chord(24, 48, (2,))]
    lines = voices_of(chords, pitch)
    assert sorted(c.rows[0] for line in lines for c in line) == [0, 1, 2]
    assert all(a.end <= b.onset for line in lines for a, b in pairwise(line))
