"""The piece's own grid as a `Grid`: what measures and edits ask of it."""

from dataclasses import replace

import numpy as np
import pytest
from made_pieces import TPQ, piece_of

from fadernets.music.metric_grid import PLACES, MetricGrid, segments
from fadernets.music.notes import MetreMap, Piece, TempoMap, Track, make_notes
from fadernets.music.segments import cut


def quarters(count):
    return [(i, 1, 60 + i % 12) for i in range(count)]


@pytest.mark.parametrize(
    ("metre", "bars", "lasts"),
    [
        ((4, 4), [(1, 1), (2, 2), (3, 3)], 4),
        ((3, 4), [(1, 1), (2, 2), (3, 3), (4, 4)], 3),
        ((6, 8), [(1, 1), (2, 2), (3, 3), (4, 4)], 3),
        ((2, 4), [(1, 2), (3, 4), (5, 6)], 4),
        ((12, 8), [(1, 1), (1, 1), (2, 2), (2, 2)], 3),
    ],
)
def test_segments_are_bars_halves_of_long_ones_or_two_short_ones(metre, bars, lasts):
    on = MetricGrid.of(piece_of(quarters(12), (0, *metre)))
    assert list(zip(on.bar.tolist(), on.last_bar.tolist(), strict=True)) == bars
    assert ((on.end - on.start) == lasts * TPQ).all()


def test_short_bars_that_stand_apart_leave_the_other_pairs_as_they_are():
    piece = piece_of(quarters(12), (0, 2, 4))
    on = MetricGrid.of(piece, apart={3})
    assert list(zip(on.bar.tolist(), on.last_bar.tolist(), strict=True)) == [(1, 2), (3, 3), (4, 4), (5, 6)]
    assert (np.diff(on.start) > 0).all()
    assert on.end.tolist() == [*on.start[1:].tolist(), 12 * TPQ]
    assert MetricGrid.of(piece, apart={2}).start.tolist() == MetricGrid.of(piece).start.tolist()  # no pair: 2 and 3


def shifted(piece, by):
    """The piece with all its notes so many ticks later."""
    notes = piece.notes.copy()
    notes["onset"] += by
    notes["end"] += by
    return replace(piece, notes=notes)


@pytest.mark.parametrize("by", [-58, -40, 25, 41, 59])
def test_music_that_lies_behind_its_beats_throughout_is_read_as_if_it_did_not(by):
    rng = np.random.default_rng(0)
    onsets = sorted(rng.choice(np.arange(4, 64), 40, replace=False).tolist())
    piece = piece_of([(k / 4, 1 / 4, 60) for k in onsets], (0, 4, 4))
    rough = shifted(piece, rng.integers(-6, 7, len(onsets)))  # as it is played
    plain, late = MetricGrid.of(piece), MetricGrid.of(shifted(rough, by))
    assert plain.late == MetricGrid.of(rough).late == 0
    assert abs(late.late - by) < 6
    assert late.start.tolist() == plain.start.tolist()
    assert late.divisions.tolist() == plain.divisions.tolist() == [4] * 16
    steps = np.array(onsets)
    assert late.nearest_step(rough.notes["onset"] + by).tolist() == onsets
    assert np.abs(late.step_ticks(steps) - (piece.notes["onset"] + by)).max() < 6
    assert (late.nearest_step(late.earliest(steps)) == steps).all()
    assert (late.nearest_step(late.earliest(steps) - 1) == steps - 1).all()
    assert (late.beat_at(piece.notes["onset"] + late.late) == steps // 4).all()


def test_music_on_bar_lines_that_do_not_begin_with_the_file_is_not_late():
    rng = np.random.default_rng(0)
    onsets = sorted(rng.choice(np.arange(64), 40, replace=False).tolist())
    piece = piece_of([(1.1 + k / 4, 1 / 4, 60) for k in onsets], (1.1, 4, 4))
    grid = MetricGrid.of(piece)
    assert grid.late == 0
    assert grid.start[:2].tolist() == [0, round(1.1 * TPQ)]
    assert set(grid.divisions[2:].tolist()) == {4}


def test_triplets_swing_a_few_notes_and_a_performance_are_not_late():
    rng = np.random.default_rng(0)
    triplets = [(k / 3, 1 / 3, 60) for k in range(48)]
    swing = [(k + half, 1 / 3, 60) for k in range(24) for half in (0, 2 / 3)]
    played = [(float(at), 1 / 4, 60) for at in np.sort(rng.uniform(0, 24, 80))]
    few = [(k + 1 / 8, 1 / 4, 60) for k in range(12)]
    for rows in (triplets, swing, played, few):
        assert MetricGrid.of(piece_of(rows, (0, 4, 4))).late == 0


def test_early_music_keeps_its_last_note():
    """A last note that begins on a bar line, and so before it, has a bar."""
    piece = shifted(piece_of([*quarters(16), (16, 1 / 16, 60)], (0, 4, 4)), -50)
    piece.notes["onset"][0] = 0
    grid = MetricGrid.of(piece)
    assert grid.late == -49
    assert grid.nearest_step(piece.notes["onset"][-1:]).tolist() == [64]
    assert grid.n_steps == 80
    assert grid.step_ticks(np.array([0, 4])).tolist() == [0, TPQ - 49]


def test_time_and_sizes_of_steps_are_those_of_windows_in_common_time():
    piece = piece_of(quarters(8), (0, 4, 4))
    own, windows = MetricGrid.of(piece), cut(piece)
    assert own.time.tolist() == windows.time.tolist()
    assert own.step_size.tolist() == windows.step_size.tolist()
    assert own.segment.tolist() == windows.segment.tolist()
    ticks = np.arange(0, 8 * TPQ, 70)
    assert own.beat_at(ticks).tolist() == windows.beat_at(ticks).tolist()
    assert own.nearest_step(ticks).tolist() == windows.nearest_step(ticks).tolist()
    for step, by in ((0, 3), (7, -2), (16, 5)):
        assert own.ticks_moved(step, by) == windows.ticks_moved(step, by) == by * TPQ // 4


def test_the_size_of_a_step_is_that_of_the_shorter_neighbour():
    triplets = [(i / 3, 1 / 3, 60) for i in range(3)]
    on = MetricGrid.of(piece_of([*triplets, (1, 1, 60), (2, 1, 62), (3, 1, 64)], (0, 4, 4)))
    assert on.step_size[:5].tolist() == [160, 160, 160, 120, 120]
    assert on.time[:5] == pytest.approx([0, 4 / 3, 8 / 3, 4, 5])
    assert on.ticks_moved(2, 2) == 160 + 120


def test_beats_of_compound_metres_are_three_eighths():
    on = MetricGrid.of(piece_of(quarters(6), (0, 6, 8)))
    assert on.beat_at(np.array([0, 719, 720, 2160, 10**6])).tolist() == [0, 0, 1, 3, 3]


def test_refined_beats_have_twice_the_steps():
    on = MetricGrid.of(piece_of(quarters(8), (0, 4, 4)))
    finer = on.refined(np.arange(8) >= 6)
    assert finer.steps.tolist() == [16, 24]
    assert finer.start.tolist() == on.start.tolist()


def test_segments_of_a_piece_are_those_of_its_grid():
    piece = piece_of(quarters(8), (0, 2, 4))
    own = segments(piece, {1})
    on = MetricGrid.of(piece, {1})
    for a, b in zip((own.start, own.end, own.bar, own.last_bar), (on.start, on.end, on.bar, on.last_bar), strict=True):
        assert a.tolist() == b.tolist()


@pytest.mark.parametrize(("tpq", "metre"), [(25, (6, 8)), (25, (3, 8)), (120, (5, 64)), (27, (7, 8)), (480, (4, 4))])
def test_a_beat_that_ticks_cannot_halve_has_no_step_more(tpq, metre):
    """Its edges are rounded, so that one may last a part of a tick longer than the next."""
    notes = make_notes([(i * tpq, i * tpq + tpq, 60, 80, 0) for i in range(12)])
    piece = Piece(notes, tpq, TempoMap.of([], tpq), MetreMap.of([(0, *metre)], tpq), [Track("", 0, 0)])
    on = MetricGrid.of(piece)
    assert on.place.max() < PLACES
    assert on.time[-1] == pytest.approx((on.end[-1] - on.start[0]) * 4 / tpq)
