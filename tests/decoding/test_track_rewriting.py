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
from fadernets.decoding.track_rewriting import common_roll, rewrite_tracks
from fadernets.engines.rewriter import RewriterEngine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> RewriterEngine:
    return toy_rewriter.toy_engine(Path(tmp_path_factory.mktemp("rewriter")))


@pytest.mark.parametrize("move", [2, -1])
def test_tracks_land_together(engine: RewriterEngine, move: int) -> None:
    piece = toy_rewriter.made_grid_piece()
    task = toy_rewriter.task_of(piece, onsets=move, candidates=1)
    rolls = [piece.roll([k], 0, len(task.roll)) for k in (0, 1)]
    task = replace(task, roll=common_roll(rolls), context=np.zeros_like(task.roll))

    answer = rewrite_tracks(lambda part: rewrite(engine, part), task, rolls, [task.locks] * 2)

    onsets, _ = toy_rewriter.levels(task, common_roll(answer))
    assert np.abs(onsets - task.onsets).max() <= (0 if move > 0 else 1)
    assert all((a != b).any() for a, b in zip(answer, rolls, strict=True))


def test_a_locked_track_stays_and_the_other_one_makes_up_for_it(engine: RewriterEngine) -> None:
    piece = toy_rewriter.made_grid_piece()
    task = toy_rewriter.task_of(piece, onsets=2, candidates=1)
    rolls = [piece.roll([k], 0, len(task.roll)) for k in (0, 1)]
    task = replace(task, roll=common_roll(rolls), context=np.zeros_like(task.roll))
    locked = Locks.none(len(task.roll), np.ones(task.roll.shape, bool))

    melody, rest = rewrite_tracks(lambda part: rewrite(engine, part), task, rolls, [locked, task.locks])

    assert (melody == rolls[0]).all()
    onsets, _ = toy_rewriter.levels(task, common_roll([melody, rest]))
    assert onsets.tolist() == task.onsets.tolist()


def test_steps_that_others_strike_are_counted(engine: RewriterEngine) -> None:
    piece = toy_rewriter.made_grid_piece()
    task = toy_rewriter.task_of(piece, tracks=(1,), candidates=2)
    counted = (task.context == ONSET).any(-1)
    task = replace(task, counted=counted)
    own, _ = task.measured()
    asked = replace(task, onsets=np.minimum(own[task.edited] + 2, 16))

    roll = rewrite(engine, asked)

    union = (roll == ONSET).any(-1) | counted
    assert np.add.reduceat(union, task.steps.starts)[task.edited].tolist() == asked.onsets.tolist()
