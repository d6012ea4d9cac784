"""A data set is written whole, opens as it was written, and says so when it is damaged."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from fadernets import files
from fadernets.codecs import grid, melody_states, performance_tokens
from fadernets.data import dataset
from fadernets.data.dataset import (
    ARRAYS,
    Dataset,
    array_hash,
    array_types,
    attribute_statistics,
    measured,
    write_dataset,
)
from fadernets.errors import FadernetsError

RNG = np.random.default_rng(0)
CELLS = RNG.choice(3, (6, 16, 88), p=[0.9, 0.05, 0.05]).astype(np.uint8)
PHRASE = [300, 41, 178 + 24, 129, 45, 178 + 49, 133, 1]  # a C for a quarter of a second, an E for half of one


def contents(segments=6, codec="grid"):
    cells = CELLS[:segments]
    own = {"codes": grid.pack(cells)}
    if codec == "tokens":
        codes = np.full((segments, 100), performance_tokens.PAD, np.uint16)
        codes[:, : len(PHRASE)] = PHRASE
        own = {"codes": codes, "seconds": np.array([2, 1, 4, 2, 0.75, 3], np.float32)[:segments]}
    if codec == "melody":
        own = {"codes": RNG.integers(0, melody_states.STATES, (segments, 32)).astype(np.uint8)}
    arrays = {
        **own,
        "attributes": np.stack([np.arange(segments) / 8, np.arange(segments) * 2], axis=1).astype(np.float32),
        "key": np.arange(segments, dtype=np.uint8),
        "arousal": np.array([0.5, np.nan, np.nan, -0.5, np.nan, 0.0], np.float32)[:segments],
        "valence": np.array([0.1, np.nan, np.nan, -0.1, np.nan, 0.0], np.float32)[:segments],
        "piece": np.array([0, 0, 0, 1, 1, 2], np.int32)[:segments],
        "index": np.array([0, 1, 5, 0, 1, 0], np.int32)[:segments],
        "split": np.array([0, 0, 0, 1, 1, 2], np.uint8)[:segments],
        "corpus": np.array([0, 0, 0, 0, 0, 1], np.uint8)[:segments],
    }
    pieces = [
        {"id": f"p{i}", "group": f"p{i}", "corpus": "folder", "split": split} for i, split in enumerate(dataset.SPLITS)
    ]
    manifest = {
        "codec": codec,
        "corpora": ["folder", "lieder"],
        "attributes": list(measured(codec)),
        "pieces": pieces,
    }
    return manifest, arrays


@pytest.fixture
def folder(tmp_path):
    write_dataset(tmp_path / "set", *contents())
    return tmp_path / "set"


@pytest.fixture
def token_folder(tmp_path):
    write_dataset(tmp_path / "tokens", *contents(codec="tokens"))
    return tmp_path / "tokens"


@pytest.fixture
def melody_folder(tmp_path):
    write_dataset(tmp_path / "melodies", *contents(codec="melody"))
    return tmp_path / "melodies"


def change(folder, **values):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text()) | values
    path.write_text(json.dumps({key: value for key, value in manifest.items() if value is not None}))


def file_of(folder, name):
    """The file of a column of a data set of one shard."""
    (shard,) = (folder / "shards").iterdir()
    return shard / f"{name}.npy"


def test_what_was_written_is_what_opens(folder):
    _, arrays = contents()
    data = Dataset.open(folder)
    for name, array in arrays.items():
        found = getattr(data, name)
        np.testing.assert_array_equal(found, array)
        assert found.dtype == array.dtype
        assert not found.flags.writeable
    assert len(data) == 6
    assert data.codec.name == "grid"
    assert data.hash == array_hash(arrays)
    assert data.manifest["splits"] == {"train": 3, "validation": 2, "test": 1}
    np.testing.assert_array_equal(data.cells(np.array([4, 1])), CELLS[[4, 1]])
    assert data.cells(np.array([], np.int64)).shape == (0, 16, 88)
    data.verify()


def test_arrays_stay_on_disk_until_used(folder):
    assert isinstance(Dataset.open(folder).codes.base, np.memmap)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"split": "train"}, [0, 1, 2]),
        ({"split": "test"}, [5]),
        ({"corpus": "folder"}, [0, 1, 2, 3, 4]),
        ({"labelled": True}, [0, 3, 5]),
        ({"labelled": False, "split": "validation"}, [4]),
        ({"corpus": "lieder", "split": "train"}, []),
    ],
)
def test_select(folder, wanted, expected):
    assert Dataset.open(folder).select(**wanted).tolist() == expected


def test_select_and_statistics_name_what_is_allowed(folder):
    data = Dataset.open(folder)
    with pytest.raises(FadernetsError, match="'dev' is not known; allowed: train, validation, test"):
        data.select(split="dev")
    with pytest.raises(FadernetsError, match="it has folder, lieder"):
        data.select(corpus="maestro")
    with pytest.raises(FadernetsError, match="it has rhythm_density, note_density"):
        data.statistics("tempo")


def test_statistics_are_those_of_the_training_split(folder):
    found = Dataset.open(folder).statistics("note_density")  # 0, 2, 4
    expected = {"mean": 2, "std": np.sqrt(8 / 3), "p5": 0.2, "p95": 3.8, "min": 0, "max": 4}
    assert found == pytest.approx(expected)


def test_no_training_segment_no_statistics():
    assert attribute_statistics(np.empty((0, 1), np.float32), ["note_density"]) == {"note_density": {}}


def test_a_tokens_data_set_opens_as_it_was_written(token_folder):
    _, arrays = contents(codec="tokens")
    data = Dataset.open(token_folder)
    assert set(arrays) == set(array_types("tokens")) == {*ARRAYS, "seconds"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(getattr(data, name), array)
        assert getattr(data, name).dtype == array.dtype
    assert (data.codec.name, data.codes.shape, data.codes.dtype) == ("tokens", (6, 100), np.uint16)
    assert data.seconds.dtype == np.float32
    assert data.hash == array_hash(arrays)
    data.verify()


def test_a_melody_data_set(melody_folder):
    """States as they were written; no grid to be had of them; 32 steps each."""
    data = Dataset.open(melody_folder)
    assert (data.codec.name, data.codes.shape, data.codes.dtype, data.seconds) == ("melody", (6, 32), np.uint8, None)
    assert data.manifest["attributes"] == ["pitch", "onsets"]
    assert data.statistics("onsets")["mean"] == 2
    assert data.lengths(np.array([3, 0])).tolist() == [32, 32]
    data.verify()
    with pytest.raises(FadernetsError, match="melodies: holds melodies, which have no grid of 88 pitches"):
        data.cells(np.array([0]))
    change(melody_folder, codec="grid")
    with pytest.raises(FadernetsError, match=r"codes\.npy: uint8 \[6, 32\]; the manifest says uint8 \[6, 352\]"):
        Dataset.open(melody_folder)


def test_the_cells_of_tokens_are_at_each_segment_s_own_tempo(token_folder):
    data = Dataset.open(token_folder)
    found = data.cells(np.array([2, 0, 1]))  # of 4, 2 and 1 seconds
    for cells, length in zip(found, (1, 2, 4), strict=True):  # steps of a quarter of a second
        expected = grid.from_notes(np.array([(0, length, 60), (length, 3 * length, 64)]))
        np.testing.assert_array_equal(cells, expected)
    assert data.cells(np.array([], np.int64)).shape == (0, 16, 88)


def test_a_grid_data_set_knows_no_seconds(folder, token_folder):
    assert Dataset.open(folder).seconds is None
    assert not file_of(folder, "seconds").exists()
    assert file_of(token_folder, "seconds").exists()
    assert array_types("grid") == ARRAYS


def test_one_codec_in_place_of_the_other(folder):
    """No array of the one before is left."""
    write_dataset(folder, *contents(codec="tokens"))
    Dataset.open(folder).verify()
    write_dataset(folder, *contents())
    assert not file_of(folder, "seconds").exists()
    Dataset.open(folder).verify()


def test_lengths_are_sixteen_on_the_grid_and_the_tokens_up_to_eos(tmp_path):
    manifest, arrays = contents(codec="tokens")
    arrays["codes"] = np.zeros((6, 100), np.uint16)
    for row in range(6):
        arrays["codes"][row, : 3 + row] = 2
    data = write_dataset(tmp_path / "tokens", manifest, arrays)
    assert data.lengths(np.array([5, 0])).tolist() == [8, 3]
    assert write_dataset(tmp_path / "grid", *contents()).lengths(np.array([1, 2])).tolist() == [16, 16]


# Damage


@pytest.mark.parametrize("name", ARRAYS)
def test_a_changed_byte_of_any_array_breaks_the_hash(folder, name):
    path = file_of(folder, name)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(FadernetsError, match=r"is damaged .*hash"):
        Dataset.open(folder).verify()


def test_the_hash_of_a_grid_data_set_does_not_depend_on_seconds(folder):
    """It is what it was before there were any: sha256 over name, type, shape and bytes in the order of ARRAYS."""
    _, arrays = contents()
    digest = hashlib.sha256()
    for name in ARRAYS:
        digest.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}\n".encode() + arrays[name].tobytes())
    assert Dataset.open(folder).hash == array_hash(arrays) == digest.hexdigest()
    data = write_dataset(folder, contents()[0], {**arrays, "seconds": np.ones(6, np.float32)})
    assert data.hash == digest.hexdigest()
    data.verify()


@pytest.mark.parametrize("name", array_types("tokens"))
def test_a_changed_byte_of_any_array_of_tokens_breaks_the_hash(token_folder, name):
    path = file_of(token_folder, name)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(FadernetsError, match=r"is damaged .*hash"):
        Dataset.open(token_folder).verify()


def test_the_hash_sees_types_and_which_array_it_is():
    _, arrays = contents()
    as_int = {**arrays, "key": arrays["key"].astype(np.int8)}
    swapped = {**arrays, "split": arrays["corpus"], "corpus": arrays["split"]}
    assert len({array_hash(some) for some in (arrays, as_int, swapped)}) == 3


@pytest.mark.parametrize("name", ARRAYS)
def test_a_missing_array_is_named(folder, name):
    file_of(folder, name).unlink()
    with pytest.raises(FadernetsError, match=rf"{name}\.npy: is missing"):
        Dataset.open(folder)


def test_tokens_without_their_seconds_are_named(token_folder):
    file_of(token_folder, "seconds").unlink()
    with pytest.raises(FadernetsError, match=r"seconds\.npy: is missing"):
        Dataset.open(token_folder)


@pytest.mark.parametrize("seconds", [np.zeros(6), np.zeros(5, np.float32), np.zeros((6, 1), np.float32)])
def test_seconds_of_another_shape_or_type_are_an_error(token_folder, seconds):
    np.save(file_of(token_folder, "seconds"), seconds)
    with pytest.raises(FadernetsError, match=r"the manifest says float32 \[6\]"):
        Dataset.open(token_folder)


@pytest.mark.parametrize("size", [0, 20, 100, 200])
def test_an_array_cut_short_is_damaged(folder, size):
    path = file_of(folder, "codes")
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(FadernetsError, match=r"codes\.npy: is damaged .*Prepare the data set again"):
        Dataset.open(folder)


@pytest.mark.parametrize(
    "array", [np.zeros((6, 351), np.uint8), np.zeros((5, 352), np.uint8), np.zeros((6, 352), np.int8)]
)
def test_an_array_of_another_shape_or_type_is_an_error(folder, array):
    np.save(file_of(folder, "codes"), array)
    with pytest.raises(FadernetsError, match=r"the manifest says uint8 \[6, 352\]"):
        Dataset.open(folder)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"format": 99}, "format 99; this version reads 1 and 2"),
        ({"format": None}, "is damaged"),
        ({"codec": "midi"}, "names codec 'midi'"),
        ({"pieces": None, "hash": None}, "lacks pieces, hash"),
        ({"segments": 7}, "its shards cannot be"),
    ],
)
def test_a_wrong_manifest_is_an_error(folder, values, match):
    change(folder, **values)
    with pytest.raises(FadernetsError, match=match):
        Dataset.open(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '"text"'])
def test_a_manifest_that_is_no_manifest_is_damaged(folder, text):
    (folder / "manifest.json").write_text(text)
    with pytest.raises(FadernetsError, match=r"manifest\.json: is damaged"):
        Dataset.open(folder)


def test_a_folder_without_a_data_set(tmp_path):
    with pytest.raises(FadernetsError, match=r"it has no manifest\.json"):
        Dataset.open(tmp_path / "nowhere")
    (tmp_path / ".parts").mkdir()
    with pytest.raises(FadernetsError, match="was not finished: run it again"):
        Dataset.open(tmp_path)


# Writing


def test_writing_again_replaces_the_data_set_and_its_parts(folder):
    (folder / ".parts").mkdir()
    (folder / ".parts" / "a.npz").write_text("")
    data = write_dataset(folder, *contents(segments=5))
    assert len(data) == 5
    assert sorted(path.name for path in folder.parent.iterdir()) == ["set"]
    assert not (folder / ".parts").exists()


def test_writing_takes_nothing_of_the_user_s_away(folder):
    (folder / "thesis.txt").write_text("all of it")
    with pytest.raises(FadernetsError, match=r"holds 'thesis\.txt', which is no part of a data set"):
        write_dataset(folder, *contents())
    with pytest.raises(FadernetsError, match="is a file; name a folder"):
        write_dataset(folder / "thesis.txt", *contents())
    assert (folder / "thesis.txt").read_text() == "all of it"


def test_an_interrupted_write_leaves_the_old_data_set(folder, monkeypatch):
    before = Dataset.open(folder).hash

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", full_disk)
    with pytest.raises(FadernetsError, match=r"cannot be written .No space left"):
        write_dataset(folder, *contents(segments=5))
    assert Dataset.open(folder).hash == before
    assert [path.name for path in folder.parent.iterdir()] == ["set"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("codec", []),
        ("segments", -1),
        ("segments", "6"),
        ("attributes", [["tempo"]]),
        ("corpora", None),
        ("corpora", []),
        ("pieces", [3]),
        ("statistics", []),
        ("hash", 3),
    ],
)
def test_a_manifest_with_what_cannot_be(folder, name, value):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    with pytest.raises(FadernetsError, match=r"manifest\.json: .*\. Prepare the data set again$") as error:
        Dataset.open(folder)
    assert "\n" not in str(error.value)


def test_a_failed_rename_puts_the_old_data_set_back(folder, monkeypatch):
    before, real = Dataset.open(folder).hash, os.replace

    def replace(source, target):
        if os.path.basename(source) == files.NEW:
            raise OSError(13, "Permission denied")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(FadernetsError, match=r"cannot be written .Permission denied"):
        write_dataset(folder, *contents(segments=5))
    assert Dataset.open(folder).hash == before


def test_arrays_that_do_not_fit_the_manifest_are_not_written(tmp_path):
    manifest, arrays = contents()
    with pytest.raises(FadernetsError, match=r"key: int64 \[6\]; expected uint8 \[6\]"):
        write_dataset(tmp_path / "set", manifest, {**arrays, "key": arrays["key"].astype(np.int64)})
    assert not (tmp_path / "set").exists()


def test_opening_needs_no_midi_library():
    banned = ["mido", "symusic", "torch", "pretty_midi", "midirenderer"]
    program = f"""
import sys
sys.modules.update(dict.fromkeys({banned}))  # an import of any of them fails
from fadernets import attributes
from fadernets.attributes import keys
from fadernets.data import dataset
"""
    subprocess.run([sys.executable, "-c", program], check=True)
