"""Windows worked out by hand: 480 ticks a quarter, a window 1920."""

import numpy as np
import pytest

from fadernets.music.notes import MetreMap, Piece, TempoMap, make_notes
from fadernets.music.segments import cut

TPQ = 480


def piece(end, *signatures, first=None):
    notes = make_notes([(0, end, 60, 80, 0)])
    metre = MetreMap.of(list(signatures), TPQ)
    if first is not None:
        metre = MetreMap(np.array([first]), np.array([4]), np.array([4]), TPQ)
    return Piece(notes, TPQ, TempoMap.of([], TPQ), metre, [])


def beats(windows):
    """(start, end) in quarters and the bars, window by window."""
    pairs = zip(windows.start / TPQ, windows.end / TPQ, strict=True)
    return [*pairs], [*zip(windows.bar.tolist(), windows.last_bar.tolist(), strict=True)]


def test_four_four_has_a_window_a_bar():
    windows = cut(piece(8 * TPQ))
    assert beats(windows) == ([(0, 4), (4, 8)], [(1, 1), (2, 2)])
    assert windows.full.all()
    assert windows.base.tolist() == [0, 16]
    assert windows.n_steps == 32


def test_the_last_bar_is_filled_up():
    windows = cut(piece(4 * TPQ + 1))
    assert beats(windows)[0] == [(0, 4), (4, 8)]
    assert windows.full.all()


def test_two_four_takes_bars_in_pairs():
    windows = cut(piece(8 * TPQ, (0, 2, 4)))
    assert beats(windows) == ([(0, 4), (4, 8)], [(1, 2), (3, 4)])


def test_two_four_with_an_odd_bar_ends_short():
    windows = cut(piece(6 * TPQ, (0, 2, 4)))
    assert beats(windows) == ([(0, 4), (4, 6)], [(1, 2), (3, 3)])
    assert windows.full.tolist() == [True, False]
    assert windows.steps.tolist() == [16, 8]


def test_three_four_windows_run_across_bar_lines():
    windows = cut(piece(12 * TPQ, (0, 3, 4)))
    assert beats(windows) == ([(0, 4), (4, 8), (8, 12)], [(1, 2), (2, 3), (3, 4)])


def test_a_change_of_metre_starts_a_new_window():
    windows = cut(piece(10 * TPQ, (0, 3, 4), (6 * TPQ, 4, 4)))
    assert beats(windows)[0] == [(0, 4), (4, 6), (6, 10)]
    assert windows.full.tolist() == [True, False, True]
    assert windows.base.tolist() == [0, 16, 24]


def test_a_pick_up_bar_of_its_own_signature_is_a_short_window():
    windows = cut(piece(9 * TPQ, (0, 1, 4), (TPQ, 4, 4)))
    assert beats(windows) == ([(0, 1), (1, 5), (5, 9)], [(1, 1), (2, 2), (3, 3)])
    assert windows.full.tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("first", "expected"),
    [(1, [(0, 1), (1, 5), (5, 9)]), (4, [(0, 4), (4, 8), (8, 12)]), (6, [(0, 2), (2, 6), (6, 10), (10, 14)])],
)
def test_music_before_the_first_bar_line_is_counted_back_from_it(first, expected):
    assert beats(cut(piece((first + 4) * TPQ + 1, first=first * TPQ)))[0] == expected


def test_a_piece_without_notes_has_one_window():
    empty = Piece(make_notes([]), TPQ, TempoMap.of([], TPQ), MetreMap.of([], TPQ), [])
    assert beats(cut(empty))[0] == [(0, 4)]


def test_a_window_and_its_steps_in_ticks():
    windows = cut(piece(10 * TPQ, (0, 3, 4), (6 * TPQ, 4, 4)))
    steps = windows.step_ticks(np.arange(windows.n_steps + 1))
    assert steps[[0, 15, 16, 23, 24, 40]].tolist() == [0, 1800, 1920, 2760, 2880, 4800]
    assert (np.diff(steps) == 120).all()
    assert windows.start_beat().tolist() == [0, 4, 6]


@pytest.mark.parametrize(("tick", "step"), [(0, 0), (59, 0), (60, 1), (119, 1), (1919, 16), (2879, 24), (99999, 40)])
def test_the_nearest_step_rounds_half_up_and_stays_in_the_piece(tick, step):
    windows = cut(piece(10 * TPQ, (0, 3, 4), (6 * TPQ, 4, 4)))
    assert windows.nearest_step(np.array([tick])).tolist() == [step]


def test_every_step_tick_is_its_own_nearest_step():
    windows = cut(piece(20 * TPQ, (0, 5, 8), (5 * TPQ, 3, 4)))
    steps = np.arange(windows.n_steps)
    assert windows.nearest_step(windows.step_ticks(steps)).tolist() == steps.tolist()
