"""The grid and the two densities, on cases worked out by hand. Four ticks a quarter: a tick is a step."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fadernets.codecs import grid
from fadernets.codecs.grid import HOLD, OFF, ONSET
from fadernets.music.notes import MetreMap, Piece, TempoMap, make_notes
from fadernets.music.segments import cut

SEGMENTS = st.integers(0, 3).flatmap(lambda s: arrays(np.uint8, (s, 16, 88), elements=st.integers(0, 2)))


def encode(*rows, tpq=4):
    """Cells of (onset, end, pitch) in ticks."""
    notes = make_notes([(onset, end, pitch, 80, 0) for onset, end, pitch in rows])
    piece = Piece(notes, tpq, TempoMap.of([], tpq), MetreMap.of([], tpq), [])
    return grid.encode(piece, cut(piece))


def column(cells, pitch):
    """One pitch of a segment: o for onset, - for hold, . for off."""
    return "".join(".o-"[cell] for cell in cells[:, pitch - grid.LOW])


@given(SEGMENTS)
def test_unpack_inverts_pack(cells):
    packed = grid.pack(cells)
    assert packed.shape == (len(cells), grid.PACKED)
    assert packed.dtype == np.uint8
    np.testing.assert_array_equal(grid.unpack(packed), cells)


@given(
    st.lists(st.tuples(st.integers(-1, 15), st.integers(1, 16), st.integers(21, 108)), max_size=12).map(
        lambda notes: [(onset, max(onset + 1, end, 1), pitch) for onset, end, pitch in notes]
    )
)
def test_from_notes_inverts_decode(notes):
    cells = grid.from_notes(np.array(notes, np.int64).reshape(-1, 3))
    rows = grid.decode(cells)
    np.testing.assert_array_equal(grid.from_notes(rows), cells)
    assert rows.tolist() == sorted(rows.tolist(), key=lambda row: (row[0], row[2]))


def test_decode_gives_onset_end_and_pitch():
    notes = [(-1, 3, 60), (0, 16, 64), (3, 4, 60), (15, 16, 72)]
    assert grid.decode(grid.from_notes(np.array(notes))).tolist() == [list(note) for note in notes]


def test_a_note_takes_its_steps():
    (cells,) = encode((2, 5, 60))
    assert column(cells, 60) == "..o--..........."
    assert (cells != OFF).sum() == 3


def test_a_note_held_over_the_bar_line_is_a_hold_in_step_0():
    first, second = encode((14, 19, 60))
    assert column(first, 60) == "..............o-"
    assert column(second, 60) == "---............."
    assert grid.decode(second).tolist() == [[-1, 3, 60]]


def test_a_repeated_note_is_an_onset():
    (cells,) = encode((0, 2, 60), (2, 4, 60))
    assert column(cells, 60) == "o-o-............"


def test_where_notes_of_one_pitch_overlap_the_later_onset_cuts_the_earlier():
    (cells,) = encode((0, 6, 60), (2, 4, 60))
    assert column(cells, 60) == "o-o---.........."
    assert grid.decode(cells).tolist() == [[0, 2, 60], [2, 6, 60]]


@pytest.mark.parametrize("pitch", [20, 109, 0, 127])
def test_a_pitch_outside_the_piano_is_on_no_grid(pitch):
    (cells,) = encode((0, 4, pitch), (0, 4, 60))
    assert (cells != OFF).sum() == 4


@pytest.mark.parametrize("pitch", [21, 108])
def test_the_piano_s_first_and_last_pitch_are_on_the_grid(pitch):
    (cells,) = encode((0, 4, pitch))
    assert column(cells, pitch) == "o---............"


def test_a_note_shorter_than_a_step_takes_one():
    (cells,) = encode((480, 481, 60), (0, 0, 64), tpq=480)
    assert column(cells, 60) == "....o..........."
    assert column(cells, 64) == "o..............."


def test_onsets_go_to_the_nearest_step():
    (cells,) = encode((59, 300, 60), (60, 300, 64), tpq=480)
    assert column(cells, 60) == "o--............."
    assert column(cells, 64) == ".o-............."


def test_only_full_windows_are_segments():
    notes = make_notes([(0, 24, 60, 80, 0)])
    metre = MetreMap.of([(0, 2, 4)], 4)
    piece = Piece(notes, 4, TempoMap.of([], 4), metre, [])
    assert grid.encode(piece, cut(piece)).shape == (1, 16, 88)
    short = Piece(make_notes([(0, 8, 60, 80, 0)]), 4, TempoMap.of([], 4), metre, [])
    assert grid.encode(short, cut(short)).shape == (0, 16, 88)


def test_sounding_is_onset_or_hold():
    assert grid.sounding(np.array([OFF, ONSET, HOLD])).tolist() == [False, True, True]


def test_the_roll_of_a_long_piece_takes_little_more_than_itself():
    """Counted in place: whole numbers of eight bytes for every cell once took hundreds of megabytes."""
    steps, notes = 50_000, 1000
    onset = np.arange(notes) * 50
    placed = grid.Placed(onset, onset + 3, np.arange(notes) % grid.PITCHES, np.ones(notes, bool))
    tracemalloc.start()
    cells = grid.roll(placed, steps)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (cells == grid.ONSET).sum() == notes
    assert (cells == grid.HOLD).sum() == 2 * notes
    assert peak < 10 * cells.size  # 6 bytes a cell, where it was 20


def test_what_is_struck_above_all_that_sounds():
    cells, others = np.zeros((4, 88), np.uint8), np.zeros((4, 88), np.uint8)
    cells[0, [40, 50]] = grid.ONSET
    cells[1, 40], cells[1, 50] = grid.ONSET, grid.HOLD  # under a note that is held
    cells[2, 40] = grid.ONSET
    others[2, 60] = grid.HOLD  # under another track
    found = grid.struck_on_top(cells, others)
    assert np.argwhere(found).tolist() == [[0, 50]]
