"""Tracks rewritten each as itself: together they land, and none takes what another one plays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import toy_rewriter

from fadernets.codecs.grid import ONSET
from fadernets.decoding.piece_rewriting import rewrite
from fadernets.decoding.rewrite_task import Locks
from fadernets.decoding.rhythm_plan import planned
from fadernets.decoding.track_rewriting import common_roll, rewrite_tracks
from fadernets.engines.rewriter import RewriterEngine
from fadernets.engines.rhythm import Rhythm


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> RewriterEngine:
    return toy_rewriter.toy_engine(Path(tmp_path_factory.mktemp("rewriter")))


@pytest.mark.parametrize("move", [2, -1])
def test_tracks_land_together(engine: RewriterEngine, move: int) -> None:
    piece = toy_rewriter.made_grid_piece()
    task = toy_rewriter.task_of(piece, onsets=move, candidates=1)
    rolls = [piece.roll([k], 0, len(task.roll)) for k in (0, 1)]
    task = replace(task, roll=common_roll(rolls), context=np.zeros_like(task.roll))

    plan = planned(Rhythm.bundled(), task)
    answer = rewrite_tracks(lambda part: rewrite(engine, part), task, rolls, [task.locks] * 2, plan)

    onsets, _ = toy_rewriter.levels(task, common_roll(answer))
    assert onsets.tolist() == task.onsets.tolist()
    assert any((a != b).any() for a, b in zip(answer, rolls, strict=True))


def test_a_locked_track_stays_and_the_other_one_makes_up_for_it(engine: RewriterEngine) -> None:
    piece = toy_rewriter.made_grid_piece()
    task = toy_rewriter.task_of(piece, onsets=2, candidates=1)
    rolls = [piece.roll([k], 0, len(task.roll)) for k in (0, 1)]
    task = replace(task, roll=common_roll(rolls), context=np.zeros_like(task.roll))
    locked = Locks.none(len(task.roll), np.ones(task.roll.shape, bool))

    plan = planned(Rhythm.bundled(), replace(task, locks=replace(task.locks, must_onset=(rolls[0] == ONSET).any(-1))))
    melody, rest = rewrite_tracks(lambda part: rewrite(engine, part), task, rolls, [locked, task.locks], plan)

    assert (melody == rolls[0]).all()
    onsets, _ = toy_rewriter.levels(task, common_roll([melody, rest]))
    assert onsets.tolist() == task.onsets.tolist()
