"""Tracks rewritten each as itself: together they land, and none takes what another one plays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import toy_rewriter

from fadernets.codecs.grid import ONSET
from fadernets.data.passages import segment_ends
from fadernets.decoding import piece_rewriting
from fadernets.decoding.piece_rewriting import rewrite
from fadernets.decoding.rewrite_task import Locks, Rolls
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


@pytest.mark.parametrize("move", [2, -1])
def test_segments_that_are_told_as_decided_are_those_of_the_answer_on_every_track(
    engine: RewriterEngine, monkeypatch: pytest.MonkeyPatch, move: int
) -> None:
    monkeypatch.setattr(piece_rewriting, "AT_ONCE", 2)
    piece = toy_rewriter.made_grid_piece(bars=32)
    task = toy_rewriter.task_of(piece, onsets=move, voices=0.3)
    rolls = [piece.roll([k], 0, len(task.roll)) for k in (0, 1)]
    told = []

    def decided(count: int, rolls: Rolls) -> None:
        told.append((count, rolls()))

    task = replace(task, roll=common_roll(rolls), context=np.zeros_like(task.roll), decided=decided)
    plan = planned(Rhythm.bundled(), task)
    answer = rewrite_tracks(lambda part: rewrite(engine, part), task, rolls, [task.locks] * 2, plan)

    ends = segment_ends(task.steps)
    assert 0 < told[0][0] < told[-1][0] < len(ends) - 2
    for count, so_far in told:
        for now, whole in zip(so_far, answer, strict=True):
            assert (now[: ends[count]] == whole[: ends[count]]).all(), count


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
