"""Encoding and decoding with ONNX Runtime alone: what is asked is obeyed, and what is broken is named."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from fadernets.attributes import of_cells, table
from fadernets.codecs import grid
from fadernets.engines import code_arithmetic
from fadernets.engines.grid import Codes, Engine, cells_of, planes_of
from fadernets.engines.model_folder import ModelError
from fadernets.errors import FadernetsError

CERTAIN = 10.0


@pytest.fixture(scope="module", params=[True, False], ids=["attributes", "no attributes"])
def engine(request, exported):
    return Engine.open(exported[request.param][0]).load()


@pytest.fixture
def folder(exported, tmp_path):
    """A copy of a model folder, to damage."""
    return shutil.copytree(exported[True][0], tmp_path / "model")


def inputs(engine, cells):
    """What a decode needs beside its controls."""
    asked = np.stack(list(table.measure(cells).values()), 1)
    return engine.encode(cells), of_cells.key(cells), asked, cells[:, 0] == grid.HOLD


def change(folder, **values):
    path = folder / "model.json"
    info = json.loads(path.read_text()) | values
    path.write_text(json.dumps({key: value for key, value in info.items() if value is not None}))


# Planes


def test_cells_of_inverts_planes_of(segments):
    planes = planes_of(segments)
    assert planes.shape == (40, 16, 176)
    assert planes.dtype == np.float32
    assert planes[3, 5, :88].tolist() == (segments[3, 5] == grid.ONSET).tolist()
    np.testing.assert_array_equal(cells_of(planes), segments)


# What is asked is obeyed


def test_certain_offsets_give_back_the_source(engine, segments):
    """The onsets, the holds and what is held in, whatever the model thinks of them."""
    offset = CERTAIN * (2 * planes_of(segments) - 1)
    for source in (segments, segments[::-1]):
        codes, key, asked, _ = inputs(engine, source)  # of other segments too
        held = segments[:, 0] == grid.HOLD
        found = engine.decode(codes, key, asked, held, offset=offset)
        np.testing.assert_array_equal(found.cells, segments)
    assert (segments[:, 0] == grid.HOLD).any()


def test_forcing_part_of_the_cells_leaves_the_rest_free(engine, segments):
    codes, key, asked, held = inputs(engine, segments)
    free = engine.decode(codes, key, asked, held).cells
    offset = np.zeros((40, 16, 176), np.float32)
    offset[:, :, :44] = offset[:, :, 88 : 88 + 44] = -CERTAIN
    found = engine.decode(codes, key, asked, held, offset=offset).cells
    assert (free[:, :, :44] != grid.OFF).any()
    assert (found[:, :, :44] == grid.OFF).all()
    assert (found[:, :, 44:] != grid.OFF).any()


def test_onset_steps_are_obeyed(engine, segments):
    codes, key, asked, held = inputs(engine, segments)
    wanted = np.random.default_rng(0).integers(-1, 2, (40, 16))
    found = engine.decode(codes, key, asked, held, onset_step=wanted)
    onset = (found.cells == grid.ONSET).any(2)
    assert not onset[wanted == -1].any()
    assert onset[wanted == 1].all()
    assert 0 < onset[wanted == 0].mean() < 1


def test_a_required_step_without_a_likely_pitch_gets_the_likeliest(engine, segments):
    codes, key, asked, held = inputs(engine, segments)
    found = engine.decode(codes, key, asked, held, bias=np.full(40, -0.9), onset_step=np.ones((40, 16), np.int64))
    onset, p = found.cells == grid.ONSET, found.probabilities[..., :88]
    lacking = p.max(2) - 0.9 < 0.5
    assert lacking.all()
    assert (onset.sum(2) == 1).all()
    np.testing.assert_array_equal(onset.argmax(2), p.argmax(2))


def test_a_required_step_with_likely_pitches_gets_them_all(engine, segments):
    codes, key, asked, held = inputs(engine, segments)
    offset = np.full((40, 16, 176), -CERTAIN, np.float32)
    offset[:, :, [30, 34, 37]] = CERTAIN
    found = engine.decode(codes, key, asked, held, offset=offset, onset_step=np.ones((40, 16)))
    assert (found.cells[:, :, [30, 34, 37]] == grid.ONSET).all()
    assert (found.cells != grid.OFF).sum() == 40 * 16 * 3


def test_a_hold_only_continues_what_sounds(engine, segments):
    codes, key, asked, held = inputs(engine, segments)
    everything = np.zeros((40, 16, 176), np.float32)
    everything[:, :, 88:] = CERTAIN  # hold all 88 pitches
    for offset in (None, everything):
        cells = engine.decode(codes, key, asked, held, offset=offset).cells
        before = np.concatenate([held[:, None], cells[:, :-1] != grid.OFF], 1)
        assert not ((cells == grid.HOLD) & ~before).any()
    assert (cells[:, 0] == grid.HOLD).tolist() == held.tolist()


def test_what_is_held_in_can_be_held_on_or_struck_again(engine, segments):
    codes, key, asked, _ = inputs(engine, segments)
    held = np.zeros((40, 88), bool)
    held[:, [20, 30, 40]] = True
    offset = np.full((40, 16, 176), -CERTAIN, np.float32)
    offset[:, :4, 88 + 20] = CERTAIN  # held for four steps
    offset[:, 0, 30] = CERTAIN  # struck again
    cells = engine.decode(codes, key, asked, held, offset=offset).cells
    assert (cells[:, :4, 20] == grid.HOLD).all()
    assert (cells[:, 0, 30] == grid.ONSET).all()
    assert (cells != grid.OFF).sum() == 40 * 5  # the third is let go
    none = engine.decode(codes, key, asked, np.zeros((40, 88), bool), offset=offset).cells
    assert (none != grid.OFF).sum() == 40


def test_what_is_held_in_reaches_the_model(engine, segments):
    codes, key, asked, _ = inputs(engine, segments)
    silent = np.zeros((40, 88), bool)
    chord = silent.copy()
    chord[:, 20:40] = True
    a, b = (engine.decode(codes, key, asked, held).probabilities[:, 0] for held in (silent, chord))
    assert (np.abs(a - b).max(1) > 1e-3).all()


def test_a_bias_makes_rows_denser(engine, segments):
    codes, key, asked, held = inputs(engine, segments)
    counts = []
    for bias in (-0.3, 0.0, 0.3):
        cells = engine.decode(codes, key, asked, held, bias=np.full(40, bias)).cells
        counts.append((cells != grid.OFF).sum())
    assert counts[0] < counts[1] < counts[2]


# Batches


def test_a_row_does_not_depend_on_its_batch(engine, segments):
    rng = np.random.default_rng(1)
    codes, key, asked, held = inputs(engine, segments)
    options = {
        "offset": rng.normal(0, 0.2, (40, 16, 176)).astype(np.float32),
        "bias": rng.normal(0, 0.1, 40),
        "onset_step": rng.integers(-1, 2, (40, 16)),
    }
    whole = engine.decode(codes, key, asked, held, **options)
    order = rng.permutation(40)
    for rows in ([0], [39], [3, 17, 5], order):
        rows = np.array(rows)
        alone = engine.encode(segments[rows])
        for name in ("rhythm", "note"):
            np.testing.assert_allclose(alone[name], codes.take(rows)[name], atol=1e-6)
        part = {name: value[rows] for name, value in options.items()}
        found = engine.decode(alone, key[rows], asked[rows], held[rows], **part)
        np.testing.assert_array_equal(found.cells, whole.cells[rows])
        np.testing.assert_allclose(found.probabilities, whole.probabilities[rows], atol=1e-5)


def test_segments_that_are_alike_are_decoded_once(engine, segments, monkeypatch):
    rng = np.random.default_rng(2)
    rows = np.array([0, 1, 0, 0, 2, 1])
    codes, key, asked, held = inputs(engine, segments)
    codes, key, asked, held = codes.take(rows), key[rows], asked[rows], held[rows]
    one, two = rng.normal(0, 0.2, (2, 16, 176)).astype(np.float32)
    offset = np.stack([[one, two]] * 6)
    offset[3, 1] = one  # of one candidate of the third time that the first segment comes
    given = {"offset": offset.reshape(12, 16, 176), "bias": np.tile([0.0, 0.1], 6), "each": 2}
    counted = []
    run = engine._decoder.run
    monkeypatch.setattr(engine._decoder, "run", lambda o, feeds, s: counted.append(feeds["offset"]) or run(o, feeds, s))
    found = engine.decode(codes, key, asked, held, **given)
    assert [len(each) for each in counted] == [8]
    cells = found.cells.reshape(6, 2, 16, 88)
    assert (cells[0] == cells[2]).all()
    assert (cells[1] == cells[5]).all()
    assert (cells[0, 0] == cells[3, 0]).all()
    for row in range(6):
        alone = engine.decode(
            codes.take([row]), key[[row]], asked[[row]], held[[row]], offset=offset[row], bias=[0.0, 0.1], each=2
        )
        np.testing.assert_array_equal(alone.cells, cells[row])


def test_no_rows_are_no_error(engine, segments):
    none = segments[:0]
    codes = engine.encode(none)
    assert codes["rhythm"].shape == codes["note"].shape == (0, 6)
    assert engine.arousal(codes).shape == (0,)
    found = engine.decode(codes, np.zeros(0, np.uint8), np.zeros((0, 2)), np.zeros((0, 88), bool))
    assert found.cells.shape == (0, 16, 88)


def test_the_same_twice(engine, segments):
    args = inputs(engine, segments)
    a, b = engine.decode(*args), engine.decode(*args)
    np.testing.assert_array_equal(a.probabilities, b.probabilities)


def test_arousal_is_the_mean_of_both_codes(engine, segments):
    codes = engine.encode(segments)
    found = engine.arousal(codes)
    each = [code_arithmetic.cluster_probability(codes[n], engine.means[n]) for n in ("rhythm", "note")]
    np.testing.assert_allclose(found, (each[0] + each[1]) / 2)
    assert ((found >= 0) & (found <= 1)).all()
    high = Codes({n: engine.means[n][[0, 1]] for n in ("rhythm", "note")})
    assert engine.arousal(high)[0] < engine.arousal(high)[1]


# Opening


def test_what_opens(folder, exported):
    engine = Engine.open(folder)
    assert engine.name == "toy"
    assert engine.folder == folder
    assert set(engine.calibration) == set(table.CODED)
    assert engine.load() is engine
    assert Engine.open(str(folder)).name == "toy"


@pytest.mark.parametrize("name", ["codec", "recipe", "data", "statistics", "sha256"])
def test_a_description_that_lacks_something(folder, name):
    change(folder, **{name: None})
    with pytest.raises(ModelError, match=rf"model\.json: lacks {name}; export it again"):
        Engine.open(folder)


@pytest.mark.parametrize("name", ["calibration", "means", "name"])
def test_a_description_without_what_the_engine_is_made_of(folder, name):
    change(folder, **{name: None})
    with pytest.raises(ModelError, match=rf"model\.json: is damaged \('{name}'\)"):
        Engine.open(folder)


def test_a_model_without_a_curve_for_each_attribute(folder):
    curves = json.loads((folder / "model.json").read_text())["calibration"]
    change(folder, calibration={"note_density": curves["note_density"]})
    with pytest.raises(ModelError, match="has no curve for rhythm_density; export it again"):
        Engine.open(folder)


# What it needs


def test_nothing_of_the_training_side_is_imported(exported):
    """Importing, encoding and decoding, in a process of its own."""
    code = """
import sys
import numpy as np
from fadernets.attributes import of_cells
from fadernets.engines.grid import Engine
engine = Engine.open(sys.argv[1])
cells = np.zeros((2, 16, 88), np.uint8)
cells[:, ::4, [40, 44, 47]] = 1
codes = engine.encode(cells)
engine.arousal(codes)
held = np.zeros((2, 88), bool)
engine.decode(codes, of_cells.key(cells), np.full((2, 2), 0.25), held)
heavy = {"torch", "onnx", "lightning", "sklearn", "scipy", "yaml", "safetensors", "tensorboard", "pandas"}
print(sorted(heavy & set(sys.modules)))
"""
    folder, _ = exported[True]
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_cells_of_another_shape_are_refused(engine):
    for shape in ((16, 88), (88,), (2, 16, 87)):
        with pytest.raises(FadernetsError, match=r"^cells of the shape \[.*\]; a model takes segments \[S, 16, 88\]$"):
            engine.encode(np.zeros(shape, np.uint8))
