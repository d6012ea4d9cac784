"""Masks and counts of cells by hand."""

from __future__ import annotations

import numpy as np
import pytest
from made_cells import CELLS, EMPTY, made, random_cells

from fadernets.codecs import grid
from fadernets.metrics import cell_counts


def test_lengths_are_those_of_the_decoder_and_end_with_the_segment():
    cells = random_cells(40, seed=1)
    for one, found in zip(cells, cell_counts.lengths(cells), strict=True):
        rows = grid.decode(one)
        rows = rows[rows[:, 0] >= 0]
        expected = np.zeros((16, 88), np.int64)
        expected[rows[:, 0], rows[:, 2] - grid.LOW] = rows[:, 1] - rows[:, 0]
        assert found.tolist() == expected.tolist()
    assert cell_counts.lengths(made((12, 16, 60)))[0, 12, 60 - grid.LOW] == 4


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ([(0, 1, 60)], 1),  # what lies beyond the segment is silence
        ([(15, 16, 60)], 1),
        ([(5, 6, 60), (5, 6, 64)], 2),  # struck together: neither is a neighbour
        ([(5, 7, 60)], 0),
        ([(5, 6, 60), (6, 8, 90)], 0),
        ([(4, 5, 90), (5, 7, 60)], 0),
        ([(5, 6, 60), (7, 8, 60)], 2),
        ([(-1, 16, 40), (5, 6, 60)], 1),  # a held note strikes nothing
    ],
)
def test_isolated_notes(notes, expected):
    assert cell_counts.isolated(made(*notes)).tolist() == [expected]


def test_counts_weigh_notes_alike():
    cells = np.concatenate([CELLS, made((0, 1, 60), (0, 1, 61)), EMPTY[None], EMPTY[None]])
    assert cell_counts.counts(cells) == pytest.approx(
        {
            "clash_share": (2 + 2) / (19 + 2),
            "isolated_share": (2 + 2) / (7 + 2),
            "length_mean": (17 + 2) / (7 + 2),
            "empty_share": 2 / 4,
        }
    )


def test_what_is_kept_of_the_source():
    source = np.concatenate([CELLS, CELLS, made((4, 8, 50), (4, 8, 70)), made((0, 4, 50), (0, 4, 70)), EMPTY[None]])
    cells = np.concatenate(
        [
            CELLS,  # all of it
            made((1, 2, 72)),  # the highest alone
            made((0, 1, 60)),  # an onset in step 0 where the source has none
            made((0, 1, 60), (8, 9, 50)),  # the lowest elsewhere, an onset of another pitch
            made((0, 1, 60)),  # nothing there to keep
        ]
    )
    found = cell_counts.counts(cells, source)
    assert found["first_onset_kept"] == pytest.approx(2 / 3)
    assert found["lowest_kept"] == pytest.approx(2 / 4)
    assert found["highest_kept"] == pytest.approx(2 / 4)
    assert {name: found[name] for name in cell_counts.counts(cells)} == cell_counts.counts(cells)


def test_counts_of_nothing():
    nothing = {"clash_share": 0, "isolated_share": 0, "length_mean": 0, "empty_share": 0}
    kept = {"first_onset_kept": 1, "lowest_kept": 1, "highest_kept": 1}
    none = np.zeros((0, 16, 88), np.uint8)
    assert cell_counts.counts(none) == nothing
    assert cell_counts.counts(none, none) == nothing | kept
    assert cell_counts.counts(EMPTY[None], EMPTY[None]) == nothing | kept | {"empty_share": 1}
    assert cell_counts.counts(EMPTY[None], CELLS) == nothing | dict.fromkeys(kept, 0) | {"empty_share": 1}


def test_a_source_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"source has shape \(2, 16, 88\), cells have \(1, 16, 88\)"):
        cell_counts.counts(CELLS, random_cells(2))
