"""The onset steps of an edit, planned for a piece and shared out among its tracks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import toy_rewriter

from fadernets.codecs.grid import ONSET
from fadernets.decoding.rewrite_task import Locks
from fadernets.decoding.rhythm_plan import locked, planned, shared_out
from fadernets.decoding.track_rewriting import common_roll
from fadernets.engines.rhythm import Rhythm


@pytest.fixture(scope="module")
def rhythm() -> Rhythm:
    return Rhythm.bundled()


def onsets_of(task, struck):
    return np.add.reduceat(struck.astype(int), task.steps.starts)[task.edited].tolist()


@pytest.mark.parametrize("metre", [(4, 4), (3, 4), (6, 8)])
@pytest.mark.parametrize("triplets", [False, True])
@pytest.mark.parametrize("move", [-3, -1, 1, 3])
def test_as_many_onsets_as_are_asked_and_most_of_the_sources(rhythm, metre, triplets, move):
    task = toy_rewriter.task_of(toy_rewriter.made_grid_piece(metre, triplets=triplets), onsets=move)
    plan = planned(rhythm, task)
    assert onsets_of(task, plan.struck) == task.onsets.tolist()
    own = (task.roll == ONSET).any(-1)
    fewer, more = (own, plan.struck) if move > 0 else (plan.struck, own)
    assert (fewer & ~more).sum() <= 0.25 * fewer.sum()


def test_what_keeps_its_number_of_onsets_keeps_its_pattern(rhythm):
    task = toy_rewriter.task_of(toy_rewriter.made_grid_piece(), voices=1.0)
    assert (planned(rhythm, task).struck == (task.roll == ONSET).any(-1)).all()


def test_repeats_get_one_pattern_also_where_they_are_transposed(rhythm):
    task = toy_rewriter.task_of(toy_rewriter.made_grid_piece(), onsets=-2)
    bars = planned(rhythm, task).struck.reshape(3, -1)
    assert (bars[0] == bars[1]).all()
    assert (bars[0] == bars[2]).all()


def test_locked_steps_are_as_they_are_locked(rhythm):
    task = toy_rewriter.task_of(toy_rewriter.made_grid_piece(), onsets=-3)
    own = (task.roll == ONSET).any(-1)
    locks = Locks.none(len(own))
    must, never = np.zeros(len(own), bool), np.zeros(len(own), bool)
    must[np.flatnonzero(own)[::4]] = True
    never[np.flatnonzero(own)[1::4]] = True
    pinned = np.zeros(task.roll.shape, bool)
    pinned[:16] = True
    task = replace(task, locks=replace(locks, must_onset=must, never_onset=never & ~pinned.any(1), pinned=pinned))
    plan = planned(rhythm, task)
    assert plan.struck[must].all()
    assert not plan.struck[task.locks.never_onset].any()
    assert (plan.struck[:16] == own[:16]).all()
    steps = locked(task.locks, plan)
    assert not (steps.must_onset & steps.never_onset).any()


def test_the_last_chord_stays_the_last(rhythm):
    piece = toy_rewriter.made_grid_piece()
    task = toy_rewriter.task_of(piece, onsets=3)
    struck = (task.roll == ONSET).any(-1)
    end = int(task.steps.starts[-1])  # the last bar has its first onset alone
    roll = task.roll.copy()
    roll[end + 4 :] = 0
    assert struck[end]
    task = replace(task, roll=roll)
    last = int(np.flatnonzero((roll == ONSET).any(-1))[-1])
    onsets = task.onsets.copy()
    onsets[-1] = last - end + 1
    for seed in range(5):
        assert not planned(rhythm, replace(task, onsets=onsets, seed=seed)).struck[last + 1 :].any()
    onsets[-1] = 1
    assert planned(rhythm, replace(task, onsets=onsets)).struck[last]
    onsets[-1] = last - end + 3  # more than there are steps before it
    assert planned(rhythm, replace(task, onsets=onsets)).struck[last + 1 :].sum() == 2


def test_the_seed_draws_the_plan(rhythm):
    task = toy_rewriter.task_of(toy_rewriter.made_grid_piece(), onsets=2)
    one, again, other = (planned(rhythm, replace(task, seed=seed)).struck for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()


@pytest.mark.parametrize("move", [-2, 2])
def test_tracks_have_the_plan_together_and_only_one_has_what_is_new(rhythm, move):
    piece = toy_rewriter.made_grid_piece()
    task = toy_rewriter.task_of(piece, onsets=move)
    rolls = [piece.roll([k], 0, len(task.roll)) for k in (0, 1)]
    task = replace(task, roll=common_roll(rolls))
    plan = planned(rhythm, task)
    parts = [part.struck for part in shared_out(plan, task, rolls, [task.locks] * 2)]
    assert (np.any(parts, axis=0) == plan.struck).all()
    new = plan.struck & ~(task.roll == ONSET).any(-1)
    assert (np.sum(parts, axis=0)[new] == 1).all()
    for part, roll in zip(parts, rolls, strict=True):
        assert (part[~new] == (plan.struck & (roll == ONSET).any(-1))[~new]).all()
