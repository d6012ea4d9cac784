"""Pieces rewritten by a tiny network with random weights: what is asked lands, what is locked stays."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import toy_rewriter

from fadernets.codecs.grid import HOLD, ONSET, without_orphans
from fadernets.data.passages import GridPiece, segment_ends
from fadernets.decoding import passage_drawing, piece_rewriting
from fadernets.decoding.passage_plan import alike, classes_nearby, lowered, passages, register, shifted
from fadernets.decoding.piece_rewriting import rewrite
from fadernets.decoding.rewrite_task import PASSAGE, Locks, Rolls
from fadernets.engines.rewriter import RewriterEngine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> RewriterEngine:
    return toy_rewriter.toy_engine(tmp_path_factory.mktemp("rewriter"))


@pytest.mark.parametrize(
    ("metre", "triplets"), [((4, 4), False), ((3, 4), False), ((6, 8), False), ((2, 4), False), ((4, 4), True)]
)
@pytest.mark.parametrize("move", [2, -2])
def test_onset_steps_land_exactly_in_every_metre(
    engine: RewriterEngine, metre: tuple[int, int], triplets: bool, move: int
) -> None:
    task = toy_rewriter.task_of(toy_rewriter.made_grid_piece(metre, triplets=triplets), onsets=move, candidates=2)

    roll = rewrite(engine, task)

    onsets, _ = toy_rewriter.levels(task, roll)
    assert onsets.tolist() == task.onsets.tolist()


def test_without_a_move_the_source_comes_back(engine: RewriterEngine) -> None:
    task = toy_rewriter.task_of(toy_rewriter.made_grid_piece())
    assert (rewrite(engine, task) == task.roll).all()


@pytest.mark.parametrize(("onsets", "voices"), [(2, 0.0), (-2, 0.5)])
def test_segments_that_are_told_as_decided_are_those_of_the_answer(
    engine: RewriterEngine, monkeypatch: pytest.MonkeyPatch, onsets: int, voices: float
) -> None:
    monkeypatch.setattr(piece_rewriting, "AT_ONCE", 2)
    task = toy_rewriter.task_of(toy_rewriter.made_grid_piece(bars=32), onsets=onsets, voices=voices)
    ends, told = segment_ends(task.steps), []

    def decided(count: int, rolls: Rolls) -> None:
        told.append((count, rolls()[0].copy()))

    roll = rewrite(engine, replace(task, decided=decided))

    assert (roll == rewrite(engine, task)).all()
    counts = [count for count, _ in told]
    assert counts == sorted(counts)
    assert 0 < counts[0] < counts[-1] < len(ends) - 1
    for count, so_far in told:
        until = ends[count]
        assert (without_orphans(so_far[:until]) == roll[:until]).all(), count
        assert (so_far[until:] != roll[until:]).any(), count


def test_segments_that_are_not_edited_keep_every_cell(engine: RewriterEngine) -> None:
    task = toy_rewriter.task_of(toy_rewriter.made_grid_piece(), onsets=3, candidates=2)
    ends = segment_ends(task.steps)
    chosen = np.array([2, 3, 7])
    part = replace(task, edited=chosen, onsets=task.onsets[chosen], voices=task.voices[chosen])

    roll = rewrite(engine, part)

    for s in range(len(ends) - 1):
        same = roll[ends[s] : ends[s + 1]] == task.roll[ends[s] : ends[s + 1]]
        onset = roll[ends[s] : ends[s + 1]] == ONSET
        if s not in chosen:
            assert (onset == (task.roll[ends[s] : ends[s + 1]] == ONSET)).all(), s
        else:
            assert not same.all(), s


def test_a_seed_decides_the_answer(engine: RewriterEngine) -> None:
    task = toy_rewriter.task_of(toy_rewriter.made_grid_piece(), onsets=2, candidates=3)
    one, again = rewrite(engine, task), rewrite(engine, task)
    other = rewrite(engine, replace(task, seed=1))
    assert (one == again).all()
    assert (one != other).any()


def test_repeats_become_alike_and_transposed_ones_up_to_their_transposition(engine: RewriterEngine) -> None:
    task = toy_rewriter.task_of(toy_rewriter.made_grid_piece(), onsets=2, candidates=2)
    ends = segment_ends(task.steps)

    roll = rewrite(engine, task)

    struck = [roll[a:b] == ONSET for a, b in itertools.pairwise(ends)]
    for s in range(1, 4):  # the first bar hears nothing before it
        assert (struck[s] == struck[s + 4]).all(), s
        assert (shifted(struck[s].astype(np.uint8), 5) == struck[s + 8]).all(), s


def test_what_is_locked_stays_whatever_is_asked(engine: RewriterEngine) -> None:
    rng = np.random.default_rng(0)
    piece = toy_rewriter.made_grid_piece()
    for trial in range(12):
        task = toy_rewriter.task_of(
            piece, onsets=int(rng.integers(-3, 5)), voices=float(rng.normal(0, 1)), candidates=1, seed=trial
        )
        pinned = np.zeros(task.roll.shape, bool)
        pinned[:, rng.integers(20, 60) :] = True  # a top line: whatever lies above stays
        allowed = np.zeros(task.roll.shape, bool)
        allowed[:, int(rng.integers(0, 20)) :] = True
        never = rng.random(len(pinned)) < 0.2
        must = ((task.roll == ONSET) & pinned).any(-1)
        task = replace(task, locks=Locks(pinned, allowed, must, never & ~must))

        roll = rewrite(engine, task)

        assert (roll[pinned] == task.roll[pinned]).all(), trial
        new = (roll == ONSET) & (task.roll != ONSET)
        assert not (new & ~allowed).any(), trial
        assert not new[never & ~must].any(), trial


def test_note_density_lands_where_ends_of_notes_can_bring_it(engine: RewriterEngine) -> None:
    task = toy_rewriter.task_of(toy_rewriter.made_grid_piece(), voices=-0.4, candidates=4)
    _, voices = toy_rewriter.levels(task, rewrite(engine, task))
    assert np.abs(voices - task.voices).mean() < 0.5


def test_no_hold_is_left_without_its_onset(engine: RewriterEngine) -> None:
    task = toy_rewriter.task_of(toy_rewriter.made_grid_piece(), onsets=-2, candidates=2)
    roll = rewrite(engine, task)
    before = np.concatenate([np.zeros((1, 88), np.uint8), roll[:-1]])
    assert not ((roll == HOLD) & (before == 0)).any()


def test_passages_fit_and_cover_what_is_edited() -> None:
    task = toy_rewriter.task_of(toy_rewriter.made_grid_piece(bars=40), onsets=1)
    found = passages(task)
    assert [s for p in found for s in range(p.first, p.last)] == task.edited.tolist()
    assert all(p.sees_first <= p.first < p.last <= p.sees_last and p.last - p.first <= PASSAGE for p in found)


def test_passages_are_drawn_together_as_far_as_memory_goes(
    engine: RewriterEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = toy_rewriter.task_of(_unlike(toy_rewriter.made_grid_piece(bars=32)), onsets=2)
    seen: list[int] = []

    def spied(engine, batch, *more):  # type: ignore[no-untyped-def]
        seen.append(len(batch.source))
        return passage_drawing.draw(engine, batch, *more)

    monkeypatch.setattr(piece_rewriting, "draw", spied)
    rewrite(engine, task)
    assert seen == [len(passages(task))]
    monkeypatch.setattr(piece_rewriting, "AT_ONCE", 1)
    seen.clear()
    rewrite(engine, task)
    assert seen == [1] * len(passages(task))


def _unlike(piece: GridPiece) -> GridPiece:
    """The piece with other pitches: no bar is like another one."""
    notes = piece.notes.copy()
    notes[:, 2] = np.random.default_rng(0).integers(20, 70, len(notes))
    return replace(piece, notes=notes)


def test_new_notes_have_a_class_that_is_struck_nearby(engine: RewriterEngine) -> None:
    task = toy_rewriter.task_of(_unlike(toy_rewriter.made_grid_piece()), onsets=3)
    near = classes_nearby(task.roll, task.context)
    roll = rewrite(engine, task)
    step, pitch = np.nonzero((roll == ONSET) & (task.roll != ONSET))
    assert len(step) > 20
    assert near[step, pitch % 12].all()
    rolls = np.zeros((2, 60, 88), np.uint8)
    rolls[0, 20, 5], rolls[1, 30, 5 + 24 + 1] = ONSET, ONSET
    near = classes_nearby(*rolls)
    assert near[:4].all()  # nothing is struck near these: any class may be
    assert near[4:14].sum(0).tolist() == [0] * 5 + [10] + [0] * 6
    assert near[20].tolist() == [False] * 5 + [True, True] + [False] * 5


def test_segments_alike_are_found_with_their_transposition() -> None:
    task = toy_rewriter.task_of(toy_rewriter.made_grid_piece())
    found = alike(task)
    assert (found.group[0:4] == found.group[4:8]).all()
    assert (found.group[4:8] == found.group[8:12]).all()
    assert (found.low[8:12] - found.low[0:4] == 5).all()


def test_cells_are_moved_down_to_their_lowest_pitch() -> None:
    cells = np.zeros((4, 88), np.uint8)
    cells[1, 30], cells[2, 42] = ONSET, ONSET
    low, moved = lowered(cells)
    assert low == 30
    assert moved[1, 0] == ONSET
    assert moved[2, 12] == ONSET
    assert (shifted(moved, 30) == cells).all()


def test_new_notes_stay_in_the_register_of_what_is_edited(engine: RewriterEngine) -> None:
    task = toy_rewriter.task_of(toy_rewriter.made_grid_piece(), onsets=3)
    allowed = register(task.roll)

    roll = rewrite(engine, task)

    sounding = np.flatnonzero((task.roll != 0).any(0))
    new = (roll == ONSET) & (task.roll != ONSET)
    assert new.any()
    assert not (new[:128] & ~allowed[:128]).any()
    assert np.flatnonzero(new.any(0)).min() >= sounding.min()
    assert np.flatnonzero(new.any(0)).max() <= sounding.max()
