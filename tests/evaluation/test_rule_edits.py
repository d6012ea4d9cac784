"""The plain rules by hand-made bars of 4/4."""

from __future__ import annotations

import numpy as np
import pytest
from made_cells import random_cells
from midi_files import metre, save, track

from fadernets.codecs import grid
from fadernets.codecs.grid import HOLD, OFF, ONSET
from fadernets.evaluation import rule_edits
from fadernets.music.document import Document
from fadernets.music.metric_grid import MetricGrid

STRENGTH = np.array([0, -4, -3, -4, -2, -4, -3, -4, -1, -4, -3, -4, -2, -4, -3, -4])
LENGTH = np.ones(32)


def roll(*notes):
    """[16, 88] of notes (onset step, end step, pitch index)."""
    cells = np.zeros((16, 88), np.uint8)
    for onset, end, pitch in notes:
        cells[onset, pitch] = ONSET
        cells[onset + 1 : end, pitch] = HOLD
    return cells


def notes(cells):
    return sorted(map(tuple, grid.runs(cells).tolist()))


def rhythm(cells, asked):
    rule_edits.move_rhythm(cells, 0, len(cells), STRENGTH, asked)
    return cells


def voices(cells, asked):
    rule_edits.move_notes(cells, 0, len(cells), STRENGTH, LENGTH, asked)
    return cells


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ((4, 4), STRENGTH),
        ((3, 4), [0, -4, -3, -4, -2, -4, -3, -4, -2, -4, -3, -4]),
        ((6, 8), [0, -4, -3, -4, -3, -4, -1]),
    ],
)
def test_strengths_follow_the_metre(tmp_path, signature, expected):
    path = save(tmp_path / "a.mid", track([(i / 2, 0.5, 60, 80) for i in range(12)], metre(*signature)))
    found = rule_edits.strengths(MetricGrid.of(Document(path).piece))
    assert found[: len(expected)].tolist() == list(expected)


def test_an_inner_note_is_struck_again_on_the_strongest_free_step():
    assert notes(rhythm(roll((0, 16, 20), (0, 16, 40)), 2)) == [(0, 8, 20), (0, 16, 40), (8, 16, 20)]
    cells = rhythm(roll((0, 16, 20), (0, 16, 30), (0, 16, 40)), 3)
    assert notes(cells) == [(0, 4, 30), (0, 16, 20), (0, 16, 40), (4, 8, 30), (8, 16, 30)]
    assert notes(rhythm(roll((0, 8, 20), (8, 16, 20)), 3))[1:] == [(4, 8, 20), (8, 16, 20)]  # both are equally long


def test_silence_takes_the_note_before_it():
    short = (0, 1, 20), (0, 1, 30), (0, 1, 40)
    assert notes(rhythm(roll(*short), 2)) == [*short, (8, 16, 30)]
    assert rule_edits.inner(np.array([3, 5, 8, 9])) == 8
    assert notes(rhythm(np.zeros((16, 88), np.uint8), 1)) == [(0, 16, 44)]


def test_the_weakest_onset_goes_and_the_note_before_holds_on():
    assert notes(rhythm(roll((0, 4, 30), (4, 7, 31), (7, 8, 32), (8, 16, 33)), 3)) == [
        (0, 4, 30),
        (4, 8, 31),
        (8, 16, 33),
    ]
    assert notes(rhythm(roll((0, 4, 30), (4, 8, 30), (8, 16, 33)), 2)) == [(0, 8, 30), (8, 16, 33)]  # the same pitch
    assert notes(rhythm(roll((0, 2, 30), (4, 8, 31)), 1)) == [(0, 2, 30)]  # a rest was before it


def test_notes_are_lengthened_from_the_lowest_on():
    cells = voices(roll((0, 4, 20), (0, 4, 40), (8, 16, 40)), 20 / 16)
    assert notes(cells) == [(0, 4, 40), (0, 8, 20), (8, 16, 40)]


def test_inner_notes_are_doubled_between_the_outer_voices():
    cells = voices(roll((0, 16, 20), (0, 16, 30), (0, 16, 50)), 4)
    assert notes(cells) == [(0, 16, 20), (0, 16, 30), (0, 16, 42), (0, 16, 50)]
    cells = voices(roll((0, 16, 20), (0, 16, 30), (0, 16, 50)), 3.5)  # as long as is needed
    assert notes(cells) == [(0, 8, 42), (0, 16, 20), (0, 16, 30), (0, 16, 50)]


def test_inner_notes_go_first_then_length_then_lower_notes():
    assert notes(voices(roll((0, 16, 20), (0, 16, 30), (0, 16, 50)), 2)) == [(0, 16, 20), (0, 16, 50)]
    assert notes(voices(roll((0, 16, 20), (0, 16, 50)), 1)) == [(0, 8, 20), (0, 8, 50)]
    assert notes(voices(roll((0, 1, 20), (0, 1, 50), (8, 9, 50)), 2 / 16)) == [(0, 1, 50), (8, 9, 50)]
    held = np.full((16, 88), OFF, np.uint8)
    held[:, 30] = HOLD
    assert (voices(held, 0.5)[:, 30] == HOLD).sum() == 8


def test_any_bar_comes_near_what_is_asked():
    for cells in random_cells(40, seed=3)[1:]:
        for t in range(16):  # no hold continues nothing
            cells[t][(cells[t] == HOLD) & (cells[t - 1] == OFF if t else True)] = OFF
        if not (cells == ONSET).any():
            continue
        struck = int((cells == ONSET).any(1).sum())
        for asked in (max(struck - 4, 1), min(struck + 4, 16)):
            assert (rhythm(cells.copy(), asked) == ONSET).any(1).sum() == asked
        before = (cells != OFF).sum() / 16
        onsets = (cells == ONSET).any(1).sum() / 16
        down = voices(cells.copy(), before - 1)
        assert (down != OFF).sum() / 16 <= max(before - 1, onsets) + 1 / 16
        assert ((down == ONSET).any(1) == (cells == ONSET).any(1)).all()  # the rhythm stays
        up = voices(cells.copy(), before + 1)
        assert before <= (up != OFF).sum() / 16 <= before + 1 + 1 / 16
