"""Checkpoints as evaluation sees them: a row's code is its own, a fader moves what it stands for and nothing else."""

import shutil

import numpy as np
import pytest
import torch
from toy_runs import BY_CODE, GIVEN, TOYS, change_weights, made_once, toy, write_toy

from fadernets.attributes.table import CODED
from fadernets.data.dataset import SPLITS
from fadernets.engines.code_arithmetic import Calibration
from fadernets.errors import FadernetsError
from fadernets.evaluation.checkpoint import Checkpoint, Outputs
from fadernets.models import MODELS, reads_melodies
from fadernets.training import checkpoints

every_model = pytest.mark.parametrize("name", TOYS)
with_faders = pytest.mark.parametrize("name", [*BY_CODE, "told", *GIVEN])
every_attribute = pytest.mark.parametrize("attribute", CODED)
ROWS = np.array([3, 70, 21, 98, 14])


@pytest.fixture(params=["tokens", "grid"], scope="module")
def data(request):
    return request.getfixturevalue("songs" if request.param == "grid" else "performances")


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A name of TOYS -> its checkpoint over the data set, made once."""
    return made_once(tmp_path_factory.mktemp("runs"), data)


def position_of(attribute):
    return list(CODED).index(attribute)


def by_hand(checkpoint, segments, codes, asked):
    """The model's own decode with these codes and values."""
    given = {name: torch.from_numpy(code) for name, code in codes.items()}
    key = torch.eye(24)[torch.from_numpy(checkpoint.data.key[segments.rows].astype(np.int64))]
    held = checkpoint.coding.held(checkpoint.inputs(segments.rows)[0])
    return checkpoint.model.decode(given, key, torch.from_numpy(asked).float(), held).numpy()


def test_toys_are_every_model():
    assert {model for model, _ in TOYS.values()} == {name for name in MODELS if not reads_melodies(name)}


# Encode


@every_model
def test_a_code_is_the_models_own_row_by_row(trained, data, name):
    checkpoint = trained(name)
    found = checkpoint.encode(ROWS)
    assert list(found) == list(checkpoint.model.sizes)
    for i, row in enumerate(ROWS):
        inputs, lengths = checkpoint.inputs(np.array([row]))
        values = torch.from_numpy(np.array(data.attributes[[row]]))
        with torch.no_grad():
            expected = checkpoint.model.encode(inputs, lengths, values)
        for code, q in expected.items():
            np.testing.assert_allclose(found[code][i], q.mean[0], atol=1e-5)


@every_model
def test_a_code_hangs_on_no_other_row(trained, data, name, monkeypatch):
    checkpoint = trained(name)
    every, order = np.arange(len(data)), np.random.default_rng(0).permutation(len(data))
    whole = checkpoint.encode(every)
    monkeypatch.setattr("fadernets.evaluation.checkpoint.ENCODE", 7)
    for rows in (order, order[:20], np.array([5, 5, 2]), every[:1]):
        for code, found in checkpoint.encode(rows).items():
            np.testing.assert_allclose(found, whole[code][rows], atol=1e-5)
            assert found.shape == (len(rows), checkpoint.model.sizes[code])
            assert found.dtype == np.float32
    for code in whole:
        assert len(np.unique(whole[code].round(4), axis=0)) > len(data) / 2


def test_a_look_is_the_data_sets_own(trained, data):
    segments = trained("mixture").segments(ROWS)
    np.testing.assert_array_equal(segments.rows, ROWS)
    np.testing.assert_array_equal(segments.cells, data.cells(ROWS))
    np.testing.assert_array_equal(segments.values, data.attributes[ROWS])
    np.testing.assert_array_equal(segments.key, data.key[ROWS])
    assert segments.seconds.tolist() == [2.0] * len(ROWS)
    part = segments.take(np.array([4, 1, 1]))
    again = trained("mixture").segments(ROWS[[4, 1, 1]])
    for field in ("rows", "cells", "values", "key", "seconds"):
        np.testing.assert_array_equal(getattr(part, field), getattr(again, field))
    for code in again.codes:
        np.testing.assert_allclose(part.codes[code], again.codes[code], atol=1e-5)


# What is kept of the training segments


@with_faders
def test_training_values_and_levels(trained, data, name):
    checkpoint = trained(name)
    values, zd = checkpoint.training
    rows = data.select(split="train", corpus=data.manifest["corpora"][0])
    np.testing.assert_array_equal(values, data.attributes[rows])
    faders = checkpoint.model.faders
    assert list(zd) == list(faders)
    codes = checkpoint.encode(rows, fast=True)
    for attribute, (code, dimension) in faders.items():
        np.testing.assert_array_equal(zd[attribute], codes[code][:, dimension].astype(np.float64))
        exact = checkpoint.encode(rows)[code][:, dimension]
        assert np.corrcoef(zd[attribute], exact)[0, 1] > 0.99  # in the precision of training


@pytest.mark.usefixtures("older_savez")
def test_training_levels_are_kept_and_found_again(performances, tmp_path, monkeypatch):
    checkpoint = toy(tmp_path / "run", "pati", performances)
    values, zd = checkpoint.training
    (store,) = (tmp_path / "run").glob("zd-*.npz")
    with np.load(store) as stored:
        np.testing.assert_array_equal(stored["note_density"], zd["note_density"])
    monkeypatch.setattr(Checkpoint, "encode", lambda self, rows, fast=False: pytest.fail("is encoded again"))
    again_values, again = Checkpoint(tmp_path / "run", performances).training
    np.testing.assert_array_equal(again_values, values)
    assert again.keys() == zd.keys()
    for attribute in zd:
        np.testing.assert_array_equal(again[attribute], zd[attribute])


def test_other_weights_have_levels_of_their_own(performances, tmp_path):
    _, before = toy(tmp_path / "run", "pati", performances).training
    kept = {path.name: path.read_bytes() for path in (tmp_path / "run").glob("zd-*.npz")}
    model, config = checkpoints.load(tmp_path / "run")
    with torch.no_grad():
        model.encoders["z"].head.bias[0] += 1  # the mean of dimension 0, rhythm density's
    checkpoints.save(tmp_path / "run", model, config)
    for name, content in kept.items():
        (tmp_path / "run" / name).write_bytes(content)
    _, after = Checkpoint(tmp_path / "run", performances).training
    np.testing.assert_allclose(after["rhythm_density"], before["rhythm_density"] + 1, atol=0.05)
    np.testing.assert_allclose(after["note_density"], before["note_density"], atol=0.05)
    assert len(list((tmp_path / "run").glob("zd-*.npz"))) == 2


@pytest.mark.parametrize("name", [*GIVEN, "gm-vae", "language-model"])
def test_without_regularised_dimensions_nothing_is_kept(performances, tmp_path, name):
    values, zd = toy(tmp_path / "run", name, performances).training
    assert len(values) == 96
    assert zd == {}
    assert not list((tmp_path / "run").glob("zd-*"))


def test_rows_of_a_split(trained, data, tmp_path):
    main, labelled = data.manifest["corpora"]
    checkpoint = trained("mixture")
    for split in ("train", "validation", "test"):
        np.testing.assert_array_equal(checkpoint.corpus_rows(split), data.select(split=split, corpus=main))
    np.testing.assert_array_equal(checkpoint.labelled_rows("train"), data.select(split="train", corpus=labelled))
    assert len(checkpoint.labelled_rows("test")) == 0
    other = toy(tmp_path / "run", "mixture", data, corpora=[main, labelled], label_corpora=["emopia"])
    assert len(other.corpus_rows("train")) == (data.split == 0).sum()
    assert len(other.labelled_rows("train")) == 0


@pytest.mark.parametrize("name", ["mixture", "cvae"])
def test_what_is_measured_leaves_labelled_corpora_out(rated, tmp_path, name):
    """Table 1's caption: the test split of the performances alone, whatever else the model rebuilds."""
    both = toy(tmp_path / "both", name, rated, reconstruct_labelled=True, labels=0)
    alone = toy(tmp_path / "alone", name, rated)
    for split in ("train", "validation", "test"):
        maestro = rated.select(split=split, corpus="maestro")
        np.testing.assert_array_equal(both.measured_rows(split), maestro)
        np.testing.assert_array_equal(alone.measured_rows(split), maestro)
        np.testing.assert_array_equal(both.corpus_rows(split), np.flatnonzero(rated.split == SPLITS.index(split)))
    assert len(both.corpus_rows("test")) > len(both.measured_rows("test")) > 0
    values, zd = both.training
    rows = rated.select(split="train", corpus="maestro")
    np.testing.assert_array_equal(values, rated.attributes[rows])
    for attribute, (code, dimension) in both.model.faders.items():
        np.testing.assert_allclose(zd[attribute], both.encode(rows, fast=True)[code][:, dimension], atol=0.05)
        (store,) = (tmp_path / "both").glob("zd-*.npz")
        with np.load(store) as stored:
            assert len(stored[attribute]) == len(both.rows.train) > len(rows)


def test_a_model_of_labelled_corpora_alone_is_measured_on_them(rated, tmp_path):
    only = {"corpora": ["vgmidi"], "label_corpora": ["vgmidi"], "reconstruct_labelled": True, "labels": 0}
    checkpoint = toy(tmp_path / "run", "mixture", rated, **only)
    np.testing.assert_array_equal(checkpoint.measured_rows("test"), rated.select(split="test", corpus="vgmidi"))


# Slide


def test_faders_of_every_model(trained):
    for name in TOYS:
        kind = "zd" if name in (*BY_CODE, "told") else "given"
        expected = dict.fromkeys(CODED, kind) if name in (*BY_CODE, "told", *GIVEN) else {}
        assert trained(name).faders == expected, name


@every_attribute
@with_faders
def test_a_fader_moves_its_own_dimension_or_value_and_nothing_else(trained, name, attribute):
    checkpoint = trained(name)
    segments, a = checkpoint.segments(ROWS), position_of(attribute)
    positions = np.array([0.1, 0.9]) * CODED[attribute].high if name in GIVEN else np.array([-2.5, 3.0])
    found = checkpoint.slide(segments, attribute, positions)
    assert found.cells.shape == (len(ROWS), 2, 16, 88)
    plain = by_hand(checkpoint, segments, segments.codes, segments.values)
    for t, position in enumerate(positions):
        codes, asked = {c: code.copy() for c, code in segments.codes.items()}, segments.values.copy()
        if name in GIVEN:
            asked[:, a] = position
        else:
            code = {"pati": "z"}.get(name, ("rhythm", "note")[a])
            codes[code][:, a if name == "pati" else 0] = position
        if name == "told":  # in the attribute's own unit what the level stands for
            values, zd = checkpoint.training
            asked[:, a] = Calibration.fit(values[:, a], zd[attribute]).to_value(position)
        expected = by_hand(checkpoint, segments, codes, asked)
        np.testing.assert_array_equal(found.raw[:, t], expected)
        assert any((row != before).any() for row, before in zip(expected, plain, strict=True))
        np.testing.assert_array_equal(found.cells[:, t], checkpoint.coding.cells(torch.from_numpy(expected), 2.0))


@every_attribute
@pytest.mark.parametrize("name", [*BY_CODE, *GIVEN])
def test_a_slide_to_where_a_segment_is_changes_nothing(trained, name, attribute):
    checkpoint = trained(name)
    segments, a = checkpoint.segments(ROWS), position_of(attribute)
    if name in GIVEN:
        own = segments.values[:, a]
    else:
        code, dimension = checkpoint.model.faders[attribute]
        own = segments.codes[code][:, dimension].astype(np.float64)
    plain = checkpoint.decode(segments, segments.codes, segments.values)
    there = checkpoint.slide(segments, attribute, own[:, None])
    np.testing.assert_array_equal(there.raw, plain.raw)
    np.testing.assert_array_equal(there.cells, plain.cells)
    away = checkpoint.slide(segments, attribute, own[:, None] + 3)
    assert (away.raw != plain.raw).any()


def test_a_slide_leaves_codes_and_values_as_they_were(trained):
    for name in ("pati", "cvae", "told"):
        checkpoint = trained(name)
        segments, again = checkpoint.segments(ROWS), checkpoint.segments(ROWS)
        checkpoint.slide(segments, "note_density", np.array([1.0, 2.0]))
        np.testing.assert_array_equal(segments.values, again.values)
        for code in again.codes:
            np.testing.assert_array_equal(segments.codes[code], again.codes[code])


@every_attribute
def test_positions_of_each_segment_are_its_own(trained, attribute):
    checkpoint = trained("mixture")
    segments = checkpoint.segments(ROWS)
    every = np.array([-3.0, -1.0, 1.0, 3.0])
    whole = checkpoint.slide(segments, attribute, every)
    pick = np.random.default_rng(0).integers(0, 4, (len(ROWS), 2))
    some = checkpoint.slide(segments, attribute, every[pick])
    np.testing.assert_array_equal(some.raw, whole.raw[np.arange(len(ROWS))[:, None], pick])
    np.testing.assert_array_equal(some.cells, whole.cells[np.arange(len(ROWS))[:, None], pick])


@every_model
def test_decodes_in_parts_are_the_same(trained, name, monkeypatch):
    checkpoint = trained(name)
    segments = checkpoint.segments(ROWS)
    whole = checkpoint.decode(segments, segments.codes, segments.values)
    np.testing.assert_array_equal(whole.raw[:, 0], by_hand(checkpoint, segments, segments.codes, segments.values))
    for rows in (1, 3):
        monkeypatch.setattr("fadernets.evaluation.checkpoint.DECODE", rows)
        parts = checkpoint.decode(segments, segments.codes, segments.values)
        np.testing.assert_array_equal(parts.raw, whole.raw)
        np.testing.assert_array_equal(parts.cells, whole.cells)


def test_outputs_side_by_side():
    a, b = (Outputs(np.full((3, t, 5), t), np.full((3, t, 16, 88), t, np.uint8)) for t in (1, 2))
    joined = Outputs.join([a, b])
    assert joined.raw[..., 0].tolist() == [[1, 2, 2]] * 3
    assert joined.cells[..., 0, 0].tolist() == [[1, 2, 2]] * 3


def test_a_curve_from_attribute_to_level_and_back(trained):
    values, zd = trained("pati").training
    curve = trained("pati").training_curve("note_density")
    expected = Calibration.fit(values[:, 1], zd["note_density"])
    np.testing.assert_array_equal(curve.values, expected.values)
    np.testing.assert_array_equal(curve.zd, expected.zd)


# Which checkpoint, and what is refused


def test_the_best_checkpoint_of_a_run(performances, tmp_path):
    write_toy(tmp_path / "run" / "last", "pati", performances, seed=1)
    with pytest.raises(FadernetsError, match=r"run: is no checkpoint \(it has no config\.json\)"):
        Checkpoint(tmp_path / "run", performances)
    write_toy(tmp_path / "run" / "best", "pati", performances, seed=2)
    checkpoint = Checkpoint(tmp_path / "run", performances)
    assert (checkpoint.folder, checkpoint.path) == (tmp_path / "run", tmp_path / "run" / "best")
    expected = Checkpoint(tmp_path / "run" / "best", performances)
    np.testing.assert_array_equal(checkpoint.encode(ROWS)["z"], expected.encode(ROWS)["z"])
    assert not checkpoint.model.training


def test_changed_weights_change_the_code(performances, tmp_path):
    before = toy(tmp_path / "run", "pati", performances).encode(ROWS)["z"]
    change_weights(tmp_path / "run")
    assert (Checkpoint(tmp_path / "run", performances).encode(ROWS)["z"] != before).any()


def refusal(folder, data):
    with pytest.raises(FadernetsError) as error:
        Checkpoint(folder, data)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_another_data_set_is_refused(performances, tmp_path):
    from conftest import write_performances

    other = write_performances(tmp_path / "data", seed=9)
    said = refusal(write_toy(tmp_path / "run", "pati", performances), other)
    for part in (str(tmp_path / "run"), performances.hash[:12], str(other.folder), other.hash[:12], "--data"):
        assert part in said


def test_another_codec_is_refused(performances, songs, tmp_path):
    write_toy(tmp_path / "run", "pati", performances)
    assert refusal(tmp_path / "run", songs) == f"{tmp_path / 'run'}: a model of tokens; {songs.folder} holds grid"


def test_a_folder_without_a_checkpoint_is_refused(performances, tmp_path):
    assert "nowhere: is no checkpoint" in refusal(tmp_path / "nowhere", performances)
    write_toy(tmp_path / "run", "pati", performances)
    (tmp_path / "run" / "model.safetensors").unlink()
    assert "model.safetensors: does not fit its config" in refusal(tmp_path / "run", performances)
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "run").mkdir()
    assert "run: is no checkpoint" in refusal(tmp_path / "run", performances)
