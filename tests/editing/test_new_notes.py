"""How new notes are played. 480 ticks a quarter: a step is 120.

Most of it is tested where edits are made of them, in test_cells_to_notes.
"""

import numpy as np
import pytest

from fadernets.codecs import grid
from fadernets.codecs.grid import LOW
from fadernets.editing.new_notes import NEAR, new_notes
from fadernets.engines.played_notes import PlayedNotes
from fadernets.music.metric_grid import MetricGrid
from fadernets.music.notes import MetreMap, Piece, TempoMap, Track, make_notes
from fadernets.music.segments import cut

TRACKS = [Track("right", 0, 0), Track("left", 1, 0)]


def played(piece_rows, new, players=None, **options):
    """The new notes of rows (onset step, end step, MIDI pitch) among a piece's notes."""
    piece = Piece(make_notes(piece_rows), 480, TempoMap.of([], 480), MetreMap.of([], 480), TRACKS)
    windows = cut(piece)
    rows = np.array(new).reshape(-1, 3) - [0, 0, LOW]
    return new_notes(piece, windows, grid.place(piece, windows), rows, players, **options)


def made_up(count=200, seed=0):
    rng = np.random.default_rng(seed)
    steps = np.sort(rng.integers(0, 64, count))
    return [
        (120 * step + int(rng.integers(0, 50)), 120 * step + 300 + int(rng.integers(-40, 40)), pitch, velocity, 0)
        for step, pitch, velocity in zip(
            steps.tolist(), rng.integers(40, 90, count).tolist(), rng.integers(30, 110, count).tolist(), strict=True
        )
    ]


def test_many_copies_are_those_made_one_by_one():
    rng = np.random.default_rng(1)
    new = [(step, step + 2, int(pitch)) for step, pitch in enumerate(rng.integers(40, 90, 60))]
    piece = made_up()
    together = played(piece, new)
    assert together.tolist() == [played(piece, [row])[0].tolist() for row in new]


@pytest.mark.parametrize(
    ("velocities", "expected"), [((50,), 50), ((50, 61), 56), ((50, 53), 52), ((50, 60, 70, 90), 60)]
)
def test_a_copy_takes_the_mean_of_at_most_three(velocities, expected):
    piece = [(0, 120, 60 + k, velocity, 0) for k, velocity in enumerate(velocities)]
    assert played(piece, [(1, 2, 59)])["velocity"].tolist() == [expected]


def test_notes_too_short_have_no_release_to_copy():
    assert played([(0, 60, 60, 80, 0)], [(4, 8, 60)])["end"].tolist() == [960]
    assert played([(0, 490, 60, 80, 0), (0, 520, 61, 80, 0), (0, 30, 62, 80, 0)], [(4, 8, 61)])["end"].tolist() == [985]


def test_near_is_meant_in_time_where_steps_are_of_unlike_length():
    """Thirty-seconds before the new note, sixteenths behind it: the note at 300 is nearer than that at 720."""
    rows = [(60 * k, 60 * k + 50, 60, 100 if k < 5 else 40, 0) for k in range(8)] + [(720, 800, 60, 70, 0)]
    piece = Piece(make_notes(rows), 480, TempoMap.of([], 480), MetreMap.of([], 480), TRACKS)
    windows = MetricGrid.of(piece)
    assert windows.divisions.tolist() == [8, 4, 4, 4]
    placed = grid.place(piece, windows)
    found = new_notes(piece, windows, placed, np.array([[8, 9, 60 - LOW]]))
    assert found["velocity"].tolist() == [40]  # of the notes at 420, 360 and 300


def test_no_piece_and_no_rows_give_no_notes():
    assert not len(played([(0, 120, 5, 80, 0)], [(1, 2, 60)]))
    assert not len(played(made_up(), []))


def test_players_change_all_but_pitch_and_track():
    rng = np.random.default_rng(2)
    new = [(step, step + 2, int(pitch)) for step, pitch in enumerate(rng.integers(40, 90, 60))]
    copied, found = played(made_up(), new), played(made_up(), new, PlayedNotes.bundled(), seed=5)
    assert found["pitch"].tolist() == copied["pitch"].tolist()
    assert found["track"].tolist() == copied["track"].tolist()
    assert (found["velocity"] != copied["velocity"]).any()
    steps = np.array(new)
    assert (np.abs(found["onset"] - 120 * steps[:, 0]) <= NEAR * 120).all()
    assert (np.abs(found["end"] - 120 * steps[:, 1]) <= NEAR * 120).all()
    assert found.tolist() == played(made_up(), new, PlayedNotes.bundled(), seed=5).tolist()
    assert found.tolist() != played(made_up(), new, PlayedNotes.bundled(), seed=6).tolist()
