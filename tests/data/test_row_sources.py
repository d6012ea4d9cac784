"""Rows that are drawn from shards make the batches that copied rows make, and what is held does not grow with them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fadernets.data import row_sources, shards
from fadernets.data.batches import Sampler
from fadernets.data.dataset import array_types, write_dataset
from fadernets.data.labels import classes
from fadernets.data.melody_batches import MelodySampler
from fadernets.data.pairs import find_pairs
from fadernets.data.row_sources import Copied, EpochOrder, Runs, Streamed, permuted
from fadernets.errors import FadernetsError


def same(one, other):
    for name, value in vars(one).items():
        twin = getattr(other, name)
        if isinstance(value, dict):
            assert value.keys() == twin.keys()
            assert all(torch.equal(value[key], twin[key]) for key in value)
        else:
            assert value is twin is None or torch.equal(value, twin), name


@pytest.fixture
def in_shards(tmp_path, monkeypatch):
    """Makes a data set anew, in shards of a few rows."""

    def make(data):
        monkeypatch.setattr(shards, "SHARD_BYTES", 6000)
        about = {key: value for key, value in data.manifest.items() if key not in ("format", "shards")}
        arrays = {name: np.asarray(getattr(data, name)) for name in array_types(data.codec)}
        return write_dataset(tmp_path / "split", about, arrays)

    return make


@pytest.mark.parametrize("name", ["songs", "performances"])
@pytest.mark.parametrize("settings", [{}, {"labels": 4}, {"among": True}, {"pairs": 0.7}, {"classes": True}], ids=str)
def test_streamed_batches_are_the_copied_ones(request, in_shards, monkeypatch, name, settings):
    data = request.getfixturevalue(name)
    if "pairs" in settings and not data.codec.pairs:
        return
    rows = data.select(split="train", corpus=data.manifest["corpora"][0])
    labelled = data.select(split="train", labelled=True)
    if "among" in settings:
        rows = data.select(split="train")
    if "classes" in settings:
        settings = {"classes": classes(data), "labels": 2}
    settings = {"batch": 12, "seed": 3, **settings}
    copied = Sampler(data, rows, labelled, **settings)
    split = in_shards(data)
    monkeypatch.setattr(row_sources, "COPIED_BYTES", 0)
    streamed = Sampler(split, rows, labelled, **settings)
    assert isinstance(copied.source, Copied)
    assert isinstance(streamed.source, Streamed)
    for step in (0, 7, 31, 3):
        same(copied.draw(step), streamed.draw(step))
    shares = [Sampler(split, rows, labelled, rank=rank, of=2, **settings) for rank in (0, 1)]
    monkeypatch.undo()
    for rank, share in enumerate(shares):
        same(Sampler(data, rows, labelled, rank=rank, of=2, **settings).draw(5), share.draw(5))


def test_streamed_melodies_are_the_copied_ones(melodies, in_shards, monkeypatch):
    rows = melodies.select(split="train")
    copied = MelodySampler(melodies, rows, batch=8, augment=True, seed=2)
    split = in_shards(melodies)
    monkeypatch.setattr(row_sources, "COPIED_BYTES", 0)
    streamed = MelodySampler(split, rows, batch=8, augment=True, seed=2)
    assert streamed._codes is None
    for step in (0, 9, 4):
        same(copied.draw(step), streamed.draw(step))


def test_an_epoch_that_is_computed_is_every_row_once(songs, melodies, monkeypatch):
    """And the same batch whatever was drawn before it."""
    monkeypatch.setattr("fadernets.data.row_sources.LISTED", 10)
    monkeypatch.setattr("fadernets.data.melody_batches.LISTED", 10)
    order = EpochOrder(101, seed=4)
    epochs = [torch.cat([order.rows(e, a, a + 20) for a in range(0, 101, 20)]) for e in (0, 1)]
    for epoch in epochs:
        assert sorted(epoch.tolist()) == list(range(101))
    assert not torch.equal(*epochs)
    assert torch.equal(EpochOrder(101, seed=4).rows(1, 40, 60), epochs[1][40:60])
    rows = songs.select(split="train", corpus="songs")
    one, other = (Sampler(songs, rows, rows[:0], batch=16, seed=1) for _ in range(2))
    one.draw(0)
    same(one.draw(9), other.draw(9))
    clips = MelodySampler(melodies, melodies.select(split="train"), batch=8, transpose=False)
    assert clips.draw(3).inputs.shape == (8, 32)


@given(st.integers(1, 3000), st.integers(0, 2**32 - 1), st.integers(0, 5))
def test_a_permutation_takes_every_number_once(count, seed, epoch):
    found = permuted(np.arange(count), count, seed, epoch)
    np.testing.assert_array_equal(np.sort(found), np.arange(count))


def test_a_permutation_looks_random():
    """No trend, no runs of neighbours, and another one for each seed and epoch."""
    found = permuted(np.arange(50_000), 50_000, 0, 0)
    assert abs(np.corrcoef(found, np.arange(50_000))[0, 1]) < 0.02
    assert (np.abs(np.diff(found)) == 1).sum() < 20
    assert (found == permuted(np.arange(50_000), 50_000, 0, 1)).mean() < 0.001
    assert (found == permuted(np.arange(50_000), 50_000, 1, 0)).mean() < 0.001


@given(st.lists(st.integers(0, 40), max_size=60))
def test_runs_are_the_rows(rows):
    rows = np.array(rows, np.int64)
    runs = Runs(rows)
    assert len(runs) == len(rows)
    np.testing.assert_array_equal(runs[np.arange(len(rows))], rows)


def test_runs_across_blocks_are_one(monkeypatch):
    monkeypatch.setattr(row_sources, "AT_ONCE", 4)
    runs = Runs(np.r_[5:20, 30:33, 33:40, 2])
    assert runs.row.tolist() == [5, 30, 2]


def test_pairs_on_disk_are_those_in_memory(songs):
    rows = songs.select(split="train")
    partners, first = find_pairs(songs, rows)
    on_disk = find_pairs(songs, rows, on_disk=True)
    np.testing.assert_array_equal(on_disk[0], partners)
    np.testing.assert_array_equal(on_disk[1], first)
    assert len(partners) > 0
    none = find_pairs(songs, rows[:1], on_disk=True)
    assert (none[0].tolist(), none[1].tolist()) == ([], [0, 0])
    with pytest.raises(FadernetsError, match="in the order of their pieces"):
        find_pairs(songs, rows[::-1], on_disk=True)
