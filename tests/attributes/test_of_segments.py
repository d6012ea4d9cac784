"""Attributes of segments of any size."""

from dataclasses import replace

import numpy as np
import pytest
from made_pieces import piece_of

from fadernets.attributes import of_cells, of_segments
from fadernets.attributes.of_segments import Shape
from fadernets.attributes.table import ATTRIBUTES, USER_DEFINED, Attribute, register
from fadernets.codecs import grid
from fadernets.music.metric_grid import MetricGrid
from fadernets.music.segments import cut


def roll_of(piece, on):
    return grid.roll(grid.place(piece, on), on.n_steps)


def measured(piece):
    on = MetricGrid.of(piece)
    return of_segments.measure(roll_of(piece, on), on, np.arange(len(on.start))), on


def strengths_of(rows, *metres):
    on = MetricGrid.of(piece_of(rows, *metres))
    return of_segments.strengths(on)[: on.steps[0]].tolist()


def test_a_bar_of_sixteenths_in_common_time_measures_as_its_window(segments):
    """Rhythm density, note density, syncopation and key agree with the paper's measures."""
    shape = Shape((1.0,) * 16, tuple(of_cells.METRE.tolist()))
    for name in ("rhythm_density", "note_density", "syncopation", "key"):
        row = ATTRIBUTES[name]
        assert of_segments.measure_of(row, shape)(segments) == pytest.approx(row.measure(segments))


def test_a_piece_in_common_time_measures_as_in_windows():
    rng = np.random.default_rng(0)
    rows = [(i / 4, 0.25 * int(rng.integers(1, 5)), int(p)) for i, p in enumerate(rng.integers(48, 80, 64)) if i % 5]
    piece = piece_of(rows, (0, 4, 4))
    found, on = measured(piece)
    windows = cut(piece)
    cells = grid.encode(piece, windows)
    assert on.steps.tolist() == [16] * len(cells)
    for row in ATTRIBUTES.values():
        if row.of == "cells":
            assert found[row.name] == pytest.approx(row.measure(cells)), row.name


def test_strengths_follow_the_metre():
    quarters = [(i, 1, 60) for i in range(12)]
    assert strengths_of(quarters, (0, 4, 4)) == of_cells.METRE.tolist()
    assert strengths_of(quarters, (0, 3, 4)) == [0, -3, -2, -3] + [-1, -3, -2, -3] * 2
    assert strengths_of(quarters, (0, 6, 8)) == [0, -3, -2, -3, -2, -3, -1, -3, -2, -3, -2, -3]
    assert strengths_of(quarters, (0, 2, 4)) == of_cells.METRE.tolist()  # two short bars
    assert strengths_of(quarters, (0, 5, 8)) == [0, -2] + [-1, -2] * 4  # five eighths at once


def test_a_beat_of_triplets_is_cut_in_three():
    triplets = [(i / 3, 1 / 3, 60 + i % 3) for i in range(12)]
    assert strengths_of(triplets, (0, 4, 4)) == [0, -3, -3, -2, -3, -3, -1, -3, -3, -2, -3, -3]
    sextuplets = [(i / 6, 1 / 6, 60 + i % 3) for i in range(24)]
    assert strengths_of(sextuplets, (0, 4, 4))[:6] == [0, -4, -3, -4, -3, -4]


@pytest.mark.parametrize(("step", "expected"), [(1 / 4, 1.0), (1 / 8, 2.0), (1 / 3, 0.75), (1 / 6, 1.5), (1 / 2, 0.5)])
def test_rhythm_density_counts_onset_steps_a_sixteenth(step, expected):
    found, _ = measured(piece_of([(i * step, step, 60) for i in range(round(8 / step))], (0, 4, 4)))
    assert found["rhythm_density"] == pytest.approx([expected] * 2)


def test_note_density_is_the_mean_over_time():
    triplet = [(i / 3, 1 / 3, 72) for i in range(3)]
    found, on = measured(piece_of([(0, 4, 48), *triplet, (3, 0.5, 72)], (0, 4, 4)))
    assert len(set(on.sixteenths.round(6))) == 2
    assert found["note_density"] == pytest.approx([(4 + 1 + 0.5) / 4])


def test_no_step_counts_more_than_fifteen_voices():
    found, _ = measured(piece_of([(0, 4, 40 + i) for i in range(20)], (0, 4, 4)))
    assert found["note_density"].tolist() == [15]


def test_syncopation_in_three_four():
    """A note on the last eighth of the first beat held over the second is one against the beat."""
    found, _ = measured(piece_of([(0, 0.5, 60), (0.5, 2.5, 60)], (0, 3, 4)))
    assert found["syncopation"].tolist() == [1]


def test_attributes_of_a_user_are_given_segments_of_equal_size():
    seen = []

    def struck(cells):
        seen.append(cells.shape)
        return (cells == 1).sum((1, 2))

    register(Attribute("struck_for_test", struck, 0, 64, "onsets"))
    try:
        triplets = [(4 + i / 3, 1 / 3, 60) for i in range(12)]
        found, _ = measured(piece_of([(i, 1, 60) for i in range(4)] + triplets + [(8, 4, 60)], (0, 4, 4)))
    finally:
        del ATTRIBUTES[next(name for name in USER_DEFINED if name == "struck_for_test")]
        USER_DEFINED.discard("struck_for_test")
    assert found["struck_for_test"].tolist() == [4, 12, 1]
    assert set(seen[1:]) == {(2, 16, 88), (1, 12, 88)}


def test_ranges_reach_thirty_seconds_on_the_pieces_own_grid():
    piece = piece_of([(0, 1, 60)], (0, 4, 4))
    row = ATTRIBUTES["rhythm_density"]
    assert of_segments.highest(row, MetricGrid.of(piece)) == 2
    assert of_segments.highest(row, cut(piece)) == 1
    pitch = ATTRIBUTES["pitch"]
    assert of_segments.highest(pitch, MetricGrid.of(piece)) == pitch.high


def test_shapes_say_how_long_steps_are():
    on = MetricGrid.of(piece_of([(i, 1, 60) for i in range(3)], (0, 3, 4)))
    (shape,) = of_segments.shapes(on)
    assert shape.length == 12
    assert replace(shape, sixteenths=(0.5,) * 24).length == 12
