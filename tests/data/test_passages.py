"""Pieces on their own grid for training, and passages of them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import toy_rewriter

from fadernets.codecs.grid import HOLD, OFF, ONSET, without_orphans
from fadernets.data import passage_corruptions, passages
from fadernets.data.passage_batches import (
    CONTEXT,
    OPEN,
    SILENT,
    STRUCK,
    UNKNOWN,
    Densities,
    PassageBatch,
    Room,
    controls,
    joined,
    left,
    planned,
)
from fadernets.data.passage_sampler import (
    PassageSampler,
    default_tracks,
    denoising_row,
    fixed_segments,
    kept_share,
    retrieve,
    row_of,
    segment_profiles,
)
from fadernets.errors import FadernetsError


@pytest.fixture
def piece() -> passages.GridPiece:
    return toy_rewriter.made_grid_piece(bars=24)


@pytest.fixture
def batch(piece: passages.GridPiece) -> PassageBatch:
    sampler, rng = PassageSampler([piece]), np.random.default_rng(0)
    return joined([denoising_row(sampler, rng) for _ in range(6)])


def test_a_file_of_pieces_reads_back(piece: passages.GridPiece, tmp_path: Path) -> None:
    passages.save(tmp_path / "p.npz", [piece, piece])
    _, again = passages.load(tmp_path / "p.npz")
    assert (again.notes == piece.notes).all()
    assert again.roles == piece.roles
    for name in passages.Steps.__dataclass_fields__:
        assert np.allclose(getattr(again.steps, name), getattr(piece.steps, name)), name


def test_the_file_has_the_name_that_was_given(piece: passages.GridPiece, tmp_path: Path) -> None:
    passages.save(tmp_path / "p", [piece])
    assert [path.name for path in tmp_path.iterdir()] == ["p"]
    assert len(passages.load(tmp_path / "p")) == 1


def test_a_file_that_cannot_be_finished_leaves_the_old_one(
    piece: passages.GridPiece, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.npz"
    passages.save(path, [piece])
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FadernetsError, match=r"p.npz: cannot be written \(No space left on device\)$"):
        passages.save(path, [piece, piece])
    monkeypatch.undo()
    assert [each.name for each in tmp_path.iterdir()] == ["p.npz"]
    assert path.read_bytes() == before


def test_no_pieces_and_files_that_are_none_are_one_line(piece: passages.GridPiece, tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    with pytest.raises(FadernetsError, match=r"p.npz: is not written, since there is no piece"):
        passages.save(path, [])
    with pytest.raises(FadernetsError, match=r"p.npz: cannot be read \(No such file or directory\)$"):
        passages.load(path)
    passages.save(path, [piece])
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[200:260] = bytes(60)
    for data in (b"", b"text", whole[:-100], whole[:300], bytes(flipped)):
        path.write_bytes(data)
        with pytest.raises(
            FadernetsError, match=r"p.npz: is no file of passages \(.*\); `rewriter prepare` makes one$"
        ):
            passages.load(path)
    path.write_bytes(b"text")
    with pytest.raises(FadernetsError, match=r"no file of passages \(it is no archive of arrays\)"):
        passages.load(path)
    np.savez(path, name=np.array(["a"]))
    with pytest.raises(FadernetsError, match=r"p.npz: is no file of passages \(KeyError"):
        passages.load(path)


def test_cells_and_lengths_of_notes() -> None:
    cells = passages.cells_of(np.array([[0, 3, 40], [2, 5, 40], [-2, 2, 50], [6, 99, 60]]), 8)
    assert cells[:, 40].tolist() == [ONSET, HOLD, ONSET, HOLD, HOLD, OFF, OFF, OFF]
    assert cells[:, 50].tolist() == [HOLD, HOLD] + [OFF] * 6
    lengths = passages.note_lengths(cells)
    assert (lengths[0, 40], lengths[2, 40], lengths[6, 60]) == (2, 3, 2)
    assert passages.LENGTHS[passages.length_classes(np.array([17]))[0]] in (16, 18)


def test_densities_are_those_of_segments(batch: PassageBatch) -> None:
    found = Densities(batch, batch.target)
    segment = batch.steps.segment[0]
    for s in range(int(segment.max()) + 1):
        here = segment == s
        assert found.onsets[0, here][0] == (batch.target[0, here] == ONSET).any(-1).sum()
        length = batch.steps.sixteenths[0, here]
        mean = ((batch.target[0, here] != OFF).sum(-1) * length).sum() / length.sum()
        assert found.voices[0, here][0] == pytest.approx(mean, abs=1e-4)


def test_what_is_left_ends_at_nothing(batch: PassageBatch) -> None:
    asked = Densities(batch, batch.target)
    rest, room = left(batch, asked.onsets, asked.voices), Room.of(batch)
    last = np.flatnonzero(batch.opens[0, 1:] & ~batch.padding[0, :-1])  # the last step of each segment
    struck = (batch.target[0, last] == ONSET).any(-1)
    assert np.allclose(rest[0, last, 0] * 8, struck)
    assert (room.steps[0, last] == 1).all()


def test_batches_line_passages_up_behind_what_was_retrieved(batch: PassageBatch) -> None:
    assert (batch.retrieved == (np.arange(batch.retrieved.shape[1]) < CONTEXT)).all()
    assert (batch.time[:, CONTEXT] == 0).all()
    assert batch.fixed[batch.retrieved].all()
    assert controls(batch, *vars_of(batch)).shape[:2] == batch.source.shape[:2]
    b, t = np.nonzero(batch.previous >= 0)
    ago = batch.previous[b, t]
    assert (batch.steps.place[b, ago] == batch.steps.place[b, t]).all()
    assert (batch.steps.beat[b, ago] == batch.steps.beat[b, t]).all()
    assert (batch.steps.segment[b, t] - batch.steps.segment[b, ago] == 1).all()


def test_what_is_planned_of_the_steps_ahead(batch: PassageBatch) -> None:
    assert not np.any(planned(batch))  # nothing is, unless it is said
    plan = np.full(batch.plan.shape, OPEN)
    plan[0, CONTEXT : CONTEXT + 8] = [STRUCK, STRUCK, SILENT, SILENT, STRUCK, SILENT, SILENT, SILENT]
    known, struck, soon, later, far = (x[0, CONTEXT : CONTEXT + 8] for x in planned(batch.with_plan(plan)))
    assert known.all()
    assert struck.tolist() == [1, 1, 0, 0, 1, 0, 0, 0]
    assert soon.tolist() == [1, 0, 0, 1, 0, 0, 0, 0]
    assert later.tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
    steps = batch.time[0, CONTEXT : CONTEXT + 5]
    assert far[:4] == pytest.approx(np.log2(steps[[1, 4, 4, 4]] - steps[:4]) / 4)
    assert (far[4:] == 1).all()
    target = batch.onsets_of_target
    assert ((target == STRUCK) == (batch.target == ONSET).any(-1) & ~batch.retrieved).all()
    assert (target[batch.retrieved | batch.padding] == OPEN).all()


def vars_of(batch: PassageBatch) -> tuple[np.ndarray, np.ndarray]:
    found = Densities(batch, batch.target)
    return found.onsets, found.voices


def test_fixed_segments_are_the_same_in_source_and_target(batch: PassageBatch) -> None:
    stays = batch.fixed & ~batch.retrieved & ~batch.padding
    struck = batch.source[stays] == ONSET
    assert (struck == (batch.target[stays] == ONSET)).all()


@pytest.mark.parametrize(
    "change",
    [
        passage_corruptions.drop_onsets,
        passage_corruptions.drop_notes,
        passage_corruptions.drop_voice,
        passage_corruptions.scale_lengths,
        passage_corruptions.break_notes,
        passage_corruptions.double,
        passage_corruptions.shift_onsets,
    ],
)
def test_corruptions_leave_notes_in_the_passage(piece: passages.GridPiece, change: object) -> None:
    cells = piece.roll([0, 1], 0, 128)
    metre = passage_corruptions.Metre.of(piece.steps.take(slice(0, 128)))
    for seed in range(20):
        notes = change(passage_corruptions.notes_of(cells), metre, np.random.default_rng(seed))  # type: ignore[operator]
        assert (notes[:, 1] > notes[:, 0]).all()
        assert (notes[:, 0] >= 0).all()
        assert (notes[:, 0] < 128).all()
        assert passages.cells_of(notes, 128).shape == cells.shape


def test_dropped_onsets_are_fewer_and_added_ones_lie_where_something_sounded(piece: passages.GridPiece) -> None:
    cells = piece.roll([0, 1], 0, 128)
    metre = passage_corruptions.Metre.of(piece.steps.take(slice(0, 128)))
    notes = passage_corruptions.notes_of(cells)
    fewer = passage_corruptions.drop_onsets(notes, metre, np.random.default_rng(1))
    assert len(np.unique(fewer[:, 0])) < len(np.unique(notes[:, 0]))
    assert set(map(tuple, fewer[:, [0, 2]].tolist())) <= set(map(tuple, notes[:, [0, 2]].tolist()))
    broken = passages.cells_of(passage_corruptions.break_notes(notes, metre, np.random.default_rng(2)), 128)
    assert not ((broken != OFF) & ~(cells != OFF).any(1, keepdims=True)).any()


def test_orphaned_holds_go() -> None:
    cells = np.zeros((4, 88), np.uint8)
    cells[1:3, 5], cells[0:2, 6] = HOLD, HOLD
    held = np.arange(88) == 6
    out = without_orphans(cells, held)
    assert not out[:, 5].any()
    assert (out[0:2, 6] == HOLD).all()


def test_retrieved_segments_lie_outside_the_passage_and_fit(piece: passages.GridPiece) -> None:
    ends = passages.segment_ends(piece.steps)
    profiles = segment_profiles(piece.roll([0, 1], 0, int(ends[-1])), piece.steps, ends)
    chosen = retrieve(profiles, ends, 4, 10, np.random.default_rng(0))
    assert chosen
    assert not set(chosen) & set(range(4, 10))
    assert sum(int(ends[s + 1] - ends[s]) for s in chosen) <= CONTEXT


def test_a_draw_takes_the_tracks_of_a_role_and_sees_the_others(piece: passages.GridPiece) -> None:
    assert default_tracks(piece) == ([0, 1], [])
    sampler, rng = PassageSampler([piece]), np.random.default_rng(3)
    seen = [sampler.draw(rng) for _ in range(40)]
    assert any(d.context.any() for d in seen)
    assert any(not d.context.any() for d in seen)
    assert all(len(d.steps.segment) <= passages.LENGTH for d in seen)


def test_some_segments_are_always_rewritten() -> None:
    rng = np.random.default_rng(0)
    assert not any(fixed_segments(8, rng).all() for _ in range(200))


def test_the_kept_share_is_one_for_what_only_adds_or_only_drops() -> None:
    cells = toy_rewriter.made_grid_piece().roll([0, 1], 0, 64)
    fewer = cells.copy()
    fewer[::2] = OFF
    free = np.ones(64, bool)
    assert kept_share(cells, fewer, free) == kept_share(fewer, cells, free) == 1.0
    assert kept_share(cells, np.roll(cells, 1, 1), free) < 1


def test_a_row_knows_what_it_kept(piece: passages.GridPiece) -> None:
    sampler, rng = PassageSampler([piece]), np.random.default_rng(0)
    drawn = sampler.draw(rng)
    row = row_of(drawn, drawn.target, np.zeros(len(drawn.steps.starts), bool), UNKNOWN)
    here = ~row.retrieved
    assert (row.target[here] == drawn.target).all()
    assert (row.source[row.retrieved] == row.target[row.retrieved]).all()
