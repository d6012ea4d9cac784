"""Shards: the same data set wherever they end, columns that read as one array, and what is damaged said by name."""

import json
import os
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fadernets.data import columns, shards
from fadernets.data.columns import Column
from fadernets.data.dataset import ARRAYS, Dataset, array_types, attribute_statistics, write_dataset
from fadernets.data.statistics import Counts
from fadernets.errors import FadernetsError

WHOLE = np.arange(120, dtype=np.int32).reshape(30, 4)
INDICES = [
    0, -1, 29, np.int64(7), slice(None), slice(3, 5), slice(0, 7), slice(2, 29, 3), slice(None, None, -1),
    slice(40, 50), [], [3], [28, 0, 7, 7, -30], np.array([[1, 20], [9, 10]]), WHOLE[:, 0] % 3 == 0,
    (5, 2), (slice(2, 12), 1), ([1, 29], [0, 3]), ([8, 9], slice(1, 3)), (slice(0, 20), [2, 0]),
]  # fmt: skip


@pytest.fixture
def column(tmp_path):
    """WHOLE in files of 7, 0, 16 and 7 rows."""
    paths, rows, start = [], [7, 0, 16, 7], 0
    for i, count in enumerate(rows):
        paths.append(tmp_path / f"{i}.npy")
        np.save(paths[-1], WHOLE[start : start + count])
        start += count
    return Column(paths, rows, WHOLE.dtype, (4,))


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_a_column_is_indexed_as_an_array_is(column, index):
    np.testing.assert_array_equal(column[index], WHOLE[index])
    assert np.asarray(column[index]).dtype == WHOLE.dtype


def test_a_column_is_an_array_to_numpy(column):
    assert (len(column), column.shape, column.ndim, column.dtype) == (30, (30, 4), 2, np.int32)
    assert column.nbytes == WHOLE.nbytes
    np.testing.assert_array_equal(column, WHOLE)
    np.testing.assert_array_equal(column == 5, WHOLE == 5)
    np.testing.assert_array_equal(np.isfinite(column), np.isfinite(WHOLE))
    np.testing.assert_array_equal(2 * column + 1, 2 * WHOLE + 1)
    np.testing.assert_array_equal(np.asarray(column, np.float64), WHOLE)
    np.testing.assert_array_equal(list(column), WHOLE)
    with pytest.raises(ValueError, match="only as a copy"):
        np.asarray(column, copy=False)


def test_a_column_says_what_it_has_not(column):
    for index, match in [([30], "row 30 of 30"), (-31, "row -31"), ([0.5], "float64"), (WHOLE[:3, 0] > 0, "mask")]:
        with pytest.raises(IndexError, match=match):
            column[index]


def test_few_files_of_a_column_are_mapped_at_a_time(column, monkeypatch):
    monkeypatch.setattr(columns, "MOST_MAPPED", 2)
    np.testing.assert_array_equal(column, WHOLE)
    np.testing.assert_array_equal(column[[29, 0, 12]], WHOLE[[29, 0, 12]])
    assert len(column._mapped) == 2
    assert np.shares_memory(column[8:20], column._part(2))  # within one file nothing is copied


@pytest.fixture
def small_shards(monkeypatch):
    """Shards of about 40 segments of the grid."""
    monkeypatch.setattr(shards, "SHARD_BYTES", 16_000)


def arrays_of(data):
    return {name: np.asarray(getattr(data, name)) for name in array_types(data.codec)}


@pytest.mark.parametrize("name", ["songs", "performances", "melodies"])
def test_a_data_set_is_the_same_wherever_its_shards_end(request, tmp_path, monkeypatch, name):
    data = request.getfixturevalue(name)
    monkeypatch.setattr(shards, "SHARD_BYTES", 4000)
    about = {key: value for key, value in data.manifest.items() if key not in ("format", "shards")}
    split = write_dataset(tmp_path / "split", about, arrays_of(data))
    assert len(split.manifest["shards"]) > 1
    split.verify()
    assert split.hash == data.hash
    unlike = {key for key in split.manifest if split.manifest[key] != data.manifest[key]}
    assert unlike == {"shards"}
    rows = np.random.default_rng(0).permutation(len(data))[:17]
    for field in fields(Dataset):
        if field.name not in ("folder", "manifest") and getattr(data, field.name) is not None:
            np.testing.assert_array_equal(getattr(split, field.name)[rows], getattr(data, field.name)[rows])
    for choice in ({}, {"split": "train"}, {"labelled": True}):
        np.testing.assert_array_equal(split.select(**choice), data.select(**choice))
    if not data.codec.melodic:
        np.testing.assert_array_equal(split.cells(rows), data.cells(rows))
    np.testing.assert_array_equal(split.lengths(rows), data.lengths(rows))


def test_a_shard_has_the_name_of_its_content(songs, tmp_path, small_shards):
    about = {key: value for key, value in songs.manifest.items() if key not in ("format", "shards")}
    first, second = (write_dataset(tmp_path / name, about, arrays_of(songs)) for name in "ab")
    names = [entry["name"] for entry in first.manifest["shards"]]
    assert names == [entry["name"] for entry in second.manifest["shards"]]
    assert sorted(set(names)) == sorted(os.listdir(tmp_path / "a" / "shards"))
    assert (tmp_path / "a" / "manifest.json").read_bytes() == (tmp_path / "b" / "manifest.json").read_bytes()


def test_a_damaged_file_of_a_shard_is_named(songs, tmp_path, small_shards):
    about = {key: value for key, value in songs.manifest.items() if key not in ("format", "shards")}
    data = write_dataset(tmp_path / "set", about, arrays_of(songs))
    name = data.manifest["shards"][1]["name"]
    path = tmp_path / "set" / "shards" / name / "key.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(FadernetsError, match=rf"{name}/key\.npy: is damaged"):
        Dataset.open(tmp_path / "set").verify()
    path.unlink()
    with pytest.raises(FadernetsError, match=rf"{name}/key\.npy: is missing"):
        Dataset.open(tmp_path / "set")


@pytest.mark.parametrize(
    "entries",
    [None, [], [{}], {"name": "a"}, "rows", "name", "files", "link"],
    ids=str,
)
def test_shards_that_cannot_be(songs, tmp_path, entries):
    about = {key: value for key, value in songs.manifest.items() if key not in ("format", "shards")}
    write_dataset(tmp_path / "set", about, arrays_of(songs))
    path = tmp_path / "set" / "manifest.json"
    manifest = json.loads(path.read_text())
    changed = {"rows": {"rows": 3}, "name": {"name": "x"}, "files": {"files": {}}, "link": {"name": "../" + "0" * 13}}
    if isinstance(entries, str):
        entries = [manifest["shards"][0] | changed[entries]]
    path.write_text(json.dumps(manifest | {"shards": entries}))
    with pytest.raises(FadernetsError, match=r"its shards cannot be\. Prepare the data set again"):
        Dataset.open(tmp_path / "set")


def test_a_data_set_of_before_there_were_shards_opens(songs, tmp_path):
    """Format 1: every column is a file beside the manifest; it has the hash that it would have now."""
    folder = tmp_path / "old"
    folder.mkdir()
    for name, array in arrays_of(songs).items():
        np.save(folder / f"{name}.npy", array)
    manifest = {key: value for key, value in songs.manifest.items() if key != "shards"} | {"format": 1}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    old = Dataset.open(folder)
    old.verify()
    assert (old.hash, len(old)) == (songs.hash, len(songs))
    assert isinstance(old.codes.base, np.memmap)
    np.save(folder / "key.npy", np.zeros(3, np.uint8))
    with pytest.raises(FadernetsError, match=r"key\.npy: uint8 \[3\]; the manifest says"):
        Dataset.open(folder)
    write_dataset(folder, {k: v for k, v in manifest.items() if k != "format"}, arrays_of(songs))
    assert sorted(os.listdir(folder)) == ["manifest.json", "shards"]


def test_rows_that_are_missing_or_of_another_shape_are_no_shard(tmp_path):
    types = {name: (dtype, ()) for name, dtype in ARRAYS.items() if name in ("key", "piece")}
    rows = {"key": np.zeros(3, np.uint8), "piece": np.zeros(3, np.int32)}

    def write(rows):
        with shards.ShardWriter(tmp_path / "a", types, 4) as writer:
            writer.add(rows)
            writer.finish()

    with pytest.raises(FadernetsError, match="3 rows; expected 4"):
        write(rows)
    with pytest.raises(FadernetsError, match=r"piece: int64 \[3\]; expected int32 \[3\]"):
        write(rows | {"piece": np.zeros(3, np.int64)})
    assert not (tmp_path / "a").exists()


VALUES = st.lists(st.sampled_from([0.0, 0.0625, 0.5, 0.75, 3.0, 11.25]), min_size=1, max_size=60)


@given(VALUES, st.integers(1, 20))
def test_statistics_of_counts_are_those_of_the_values(values, block):
    column, counts = np.array(values, np.float32)[:, None], Counts(["note_density"])
    for start in range(0, len(column), block):
        counts.add(column[start : start + block])
    expected = attribute_statistics(column, ["note_density"])
    assert counts.statistics()["note_density"] == pytest.approx(expected["note_density"], rel=1e-12, abs=1e-12)
    assert Counts(["note_density"]).statistics() == {"note_density": {}}
