"""Where notes end: music whose notes last until others begin, and edits of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import toy_rewriter

from fadernets.codecs.grid import HOLD, OFF, ONSET
from fadernets.data.passages import Steps, segment_ends
from fadernets.decoding.note_ends import is_joined, nearest_onset
from fadernets.decoding.passage_landing import land, without_new_lone_notes
from fadernets.decoding.piece_rewriting import rewrite
from fadernets.decoding.rhythm_plan import locked, planned
from fadernets.engines.rhythm import Rhythm


def _cells(*notes: tuple[int, int, int], steps: int = 16) -> np.ndarray:
    cells = np.zeros((steps, 88), np.uint8)
    for onset, end, pitch in notes:
        cells[onset, pitch], cells[onset + 1 : end, pitch] = ONSET, HOLD
    return cells


def _steps(count: int) -> Steps:
    return toy_rewriter.made_grid_piece(bars=2).steps.take(slice(0, count))


def test_music_is_joined_where_notes_end_with_the_onset_of_others() -> None:
    assert is_joined(_cells((0, 4, 40), (4, 8, 41), (8, 16, 42)))
    assert not is_joined(_cells((0, 2, 40), (4, 6, 41), (8, 16, 42)))
    assert not is_joined(_cells())


def test_the_onsets_around_each_step() -> None:
    found = nearest_onset(np.array([[0, 1, 0, 0, 1, 0]], bool))
    assert found[0].tolist() == [[-1, 1], [1, 1], [1, 4], [1, 4], [4, 4], [4, 6], [4, 6]]


def test_lone_notes_last_longer_unless_the_source_has_them() -> None:
    edit = _cells((0, 1, 40), (4, 5, 41), (5, 6, 42), (8, 9, 43), (12, 13, 44))
    source = _cells((8, 9, 43))
    pinned = np.zeros(edit.shape, bool)
    pinned[13] = True
    out = without_new_lone_notes(edit, source, pinned)
    assert [(out[t + 1, p] == HOLD) for t, p in ((0, 40), (4, 41), (5, 42), (8, 43), (12, 44))] == [1, 0, 0, 0, 0]


def test_note_density_is_landed_on_from_onset_to_onset() -> None:
    source = _cells(*((t, t + 4, p) for t in (0, 4, 8, 12) for p in (40, 44, 47)))
    edit = _cells(*((t, t + 4, p) for t in (0, 4, 8, 12) for p in (40, 44)), (4, 8, 47))
    steps = _steps(16)
    for voices, held in ((2.5, 4), (2.75, 8), (2.0, -4)):
        out = land(edit, source, np.zeros(edit.shape, bool), steps, np.full(16, voices))
        sounding = (out != OFF).sum(1)
        assert abs(sounding.mean() - voices) < 0.05
        if held > 0:  # what is added lasts to the next onsets
            assert set(np.diff(sounding).nonzero()[0] + 1) <= {4, 8, 12}


def test_notes_of_joined_music_last_until_planned_onsets(tmp_path: Path) -> None:
    engine, piece = toy_rewriter.toy_engine(tmp_path), toy_rewriter.made_grid_piece(bars=12)
    task = toy_rewriter.task_of(piece, onsets=-1)
    ends = segment_ends(task.steps)
    joined = task.roll.copy()  # every note lasts until the next onset of any
    struck = np.append(np.flatnonzero((joined == ONSET).any(1)), len(joined))
    for t, p in zip(*np.nonzero(joined == ONSET), strict=True):
        until = int(struck[struck > t][0])
        joined[t + 1 : until, p] = HOLD
        joined[until:, p][joined[until:, p] == HOLD] = OFF
    assert is_joined(joined)
    task = replace(task, roll=joined, near=np.full(len(task.edited), 15.0))  # no landing on note density
    plan = planned(Rhythm.bundled(), task)
    out = rewrite(engine, replace(task, locks=locked(task.locks, plan)))
    inside = slice(int(ends[task.edited[0]]), int(ends[task.edited[-1]]))
    stops = (out[:-1] != OFF) & (out[1:] != HOLD)
    with_onset = (out[1:] == ONSET).any(1)[:, None]
    assert (stops & with_onset)[inside].sum() > 0.95 * stops[inside].sum()
