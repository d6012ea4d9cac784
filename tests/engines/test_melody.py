"""A melody model's folder: its two graphs against PyTorch, and what a folder that cannot be used says."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from fadernets.codecs.melody_states import STATES, STEPS
from fadernets.engines.grid import Engine
from fadernets.engines.melody import MelodyEngine
from fadernets.engines.model_folder import ModelError


@pytest.fixture(params=["plain", "whole"])
def both(request, songbirds):
    """(engine, PyTorch model with the same weights)"""
    folder, _, model = songbirds[request.param]
    return MelodyEngine.open(folder), model


@pytest.fixture
def clips(melodies):
    return np.asarray(melodies.codes[:9])


@pytest.fixture
def copied(songbirds, tmp_path):
    """A model folder that may be spoilt, and a function that changes its model.json."""
    folder = shutil.copytree(songbirds["plain"][0], tmp_path / "model")

    def change(edit):
        info = json.loads((folder / "model.json").read_text())
        edit(info)
        (folder / "model.json").write_text(json.dumps(info))

    return folder, change


# The graphs


@pytest.mark.parametrize("rows", [1, 9])
def test_the_encoder_is_pytorch_s(both, clips, rows):
    engine, model = both
    found = engine.encode(clips[:rows])
    with torch.no_grad():
        expected = model.encode(torch.from_numpy(clips[:rows].astype(np.int64))).mean.numpy()
    assert (found.shape, found.dtype) == ((rows, 8), np.float32)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.ptp(found, axis=0).min() > 0.01 or rows == 1


def test_a_free_decode_is_pytorch_s(both, clips):
    engine, model = both
    rng = np.random.default_rng(0)
    z = np.concatenate([engine.encode(clips), rng.normal(0, 2, (20, 8)).astype(np.float32)])
    found = engine.decode(z)
    with torch.no_grad():
        expected = model.decoder.generate(torch.from_numpy(z)).numpy()
        fed = torch.nn.functional.pad(torch.from_numpy(expected)[:, :-1], (1, 0), value=STATES)
        logits = model.decoder(torch.from_numpy(z), fed)
    assert np.array_equal(found.states, expected)
    assert len({tuple(row) for row in expected.tolist()}) > 10  # else this says little
    np.testing.assert_allclose(found.log_probabilities, logits.log_softmax(-1).numpy(), atol=1e-3)
    np.testing.assert_allclose(np.exp(found.log_probabilities).sum(-1), 1, rtol=1e-4)


def test_a_forced_decode_is_teacher_forcing(both, clips):
    engine, model = both
    z = np.random.default_rng(1).normal(0, 1, (9, 8)).astype(np.float32)
    found = engine.decode(z, forced=clips.astype(np.int64))
    fed = torch.nn.functional.pad(torch.from_numpy(clips.astype(np.int64))[:, :-1], (1, 0), value=STATES)
    with torch.no_grad():
        expected = model.decoder(torch.from_numpy(z), fed).log_softmax(-1).numpy()
    assert np.array_equal(found.states, clips)
    np.testing.assert_allclose(found.log_probabilities, expected, atol=1e-3)


def test_steps_are_forced_one_by_one(both):
    engine, _ = both
    z = np.random.default_rng(2).normal(0, 1, (4, 8)).astype(np.float32)
    free = engine.decode(z)
    forced = np.full((4, STEPS), -1)
    assert np.array_equal(engine.decode(z, forced=forced).states, free.states)
    forced[:, 7] = (free.states[:, 7] + 5) % STATES
    found = engine.decode(z, forced=forced)
    assert np.array_equal(found.states[:, :7], free.states[:, :7])
    assert np.array_equal(found.states[:, 7], forced[:, 7])
    np.testing.assert_allclose(found.log_probabilities[:, :8], free.log_probabilities[:, :8], atol=1e-5)
    assert np.abs(found.log_probabilities[:, 8] - free.log_probabilities[:, 8]).max() > 1e-3  # fed with what was forced


def test_an_offset_is_added_where_the_choice_is_made(both):
    engine, _ = both
    rng = np.random.default_rng(3)
    z = rng.normal(0, 1, (5, 8)).astype(np.float32)
    offset = rng.normal(0, 3, (5, STEPS, STATES)).astype(np.float32)
    found = engine.decode(z, offset=offset)
    assert np.array_equal(found.states, (found.log_probabilities + offset).argmax(-1))
    assert not np.array_equal(found.states, engine.decode(z).states)
    np.testing.assert_allclose(  # not counted in what it says, given what it fed back
        found.log_probabilities, engine.decode(z, forced=found.states).log_probabilities, atol=1e-5
    )
    offset[:] = 0
    offset[..., 42] = 100
    assert (engine.decode(z, offset=offset).states == 42).all()


def test_no_clips_and_any_kind_of_numbers(both, clips):
    engine, _ = both
    assert engine.encode(clips[:0]).shape == (0, 8)
    nothing = engine.decode(np.zeros((0, 8)))
    assert (nothing.states.shape, nothing.log_probabilities.shape) == ((0, STEPS), (0, STEPS, STATES))
    z = engine.encode(clips)
    assert np.array_equal(engine.decode(z.astype(np.float64)).states, engine.decode(z).states)
    assert np.array_equal(engine.encode(clips.astype(np.int64)), z)
    assert np.array_equal(engine.encode(np.asfortranarray(clips)), z)
    assert engine.decode(z).states.dtype == np.uint8


# Folders


def test_opened_by_path_on_one_thread(songbirds):
    engine = MelodyEngine.open(str(songbirds["plain"][0])).load()
    assert (engine.name, engine.z) == ("plain", 8)
    options = engine._decoder.session.get_session_options()
    assert options.intra_op_num_threads == options.inter_op_num_threads == 1


def test_a_folder_of_another_kind(songbirds, tmp_path):
    with pytest.raises(ModelError, match=r"^model pop-lieder: a model of grid; melodies need one such as 'melody'"):
        MelodyEngine.open("pop-lieder")
    with pytest.raises(ModelError, match="a model of melodies; it serves `fadernets melody` and `blend`"):
        Engine.open(songbirds["plain"][0])
    with pytest.raises(ModelError, match=r"^model nothing: is neither a bundled model nor a folder; bundled: .*pop"):
        MelodyEngine.open("nothing")
    with pytest.raises(ModelError, match=r"has no model\.json"):
        MelodyEngine.open(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda info: info.pop("codec"), r"model.json: is damaged \('codec'\); export the model again"),
        (lambda info: info.pop("z"), r"is damaged \('z'\)"),
        (lambda info: info.update(format=9), "format 9; this version reads 2"),
        (lambda info: info.update(sha256=None), "is damaged"),
        (lambda info: info.update(knobs={}), r"is damaged \('pitch'\)"),
        (lambda info: info["knobs"]["pitch"].update(direction=[0.0] * 7), "the pitch knob is not one of 8 dimensions"),
        (lambda info: info["knobs"]["rhythm"].update(dimensions=[8], change=[1.0]), "the rhythm knob is not one of 8"),
        (lambda info: info["knobs"]["rhythm"].update(change=[]), "the rhythm knob is not one of 8"),
        (lambda info: info.update(spread=[1.0]), "the spread of 1 dimensions, not 8"),
        (lambda info: info.pop("spread"), "is damaged"),
        (lambda info: info.update(spread=[None] * 8), "a number is missing"),
        (lambda info: info["knobs"]["pitch"].update(direction=["up"] * 8), "could not convert string to float: 'up'"),
        (lambda info: info["knobs"]["pitch"].update(dimensions=[1.5], change=[1.0]), "the pitch knob is not one of 8"),
        (lambda info: info.update(groups={"pitch": [0, 4]}), r"is damaged \('rhythm'\)"),
        (lambda info: info.update(groups={"pitch": [0, 4], "rhythm": [4, 9]}), "the rhythm group is not one of 8"),
        (lambda info: info.update(groups=3), "is damaged"),
        (lambda info: info.pop("statistics"), r"is damaged \('statistics'\)"),
        (lambda info: info["statistics"]["pitch"].update(min="low"), "could not convert string to float: 'low'"),
        (lambda info: info.pop("recipe"), r"is damaged \('recipe'\)"),
    ],
)
def test_a_damaged_model_json(copied, change, message):
    folder, edit = copied
    edit(change)
    with pytest.raises(ModelError, match=message):
        MelodyEngine.open(folder)


def test_damaged_files(copied):
    folder, _ = copied
    engine = MelodyEngine.open(folder)
    data = bytearray((folder / "encoder.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "encoder.onnx").write_bytes(data)
    (folder / "decoder.onnx").unlink()
    with pytest.raises(ModelError, match=r"encoder.onnx: is damaged \(its hash is not the one in model.json\)"):
        engine.encode(np.zeros((1, STEPS), np.uint8))
    with pytest.raises(ModelError, match=r"decoder.onnx: cannot be read \(No such file"):
        engine.decode(np.zeros((1, 8)))
    for text in ("{", "[]", "3"):
        (folder / "model.json").write_text(text)
        with pytest.raises(ModelError, match=r"model\.json: is damaged"):
            MelodyEngine.open(folder)


def test_what_runs_for_a_user_imports_no_torch(songbirds, tmp_path):
    from midi_files import PIECES

    program = (
        "import sys\nfrom fadernets.cli.main import main\nmodel, a, out = sys.argv[1:]\n"
        "knobs = ['--pitch', '2', '--rhythm', '1', '--rest', '1']\n"
        "codes = [main(['melody', a, out + '/o.mid', '--model', model, *knobs]),\n"
        " main(['blend', a, a, out + '/grid', '--model', model, '--cells', '2x2'])]\n"
        "print(codes, sorted({'torch', 'onnx', 'sklearn', 'lightning'} & set(sys.modules)))"
    )
    source = PIECES["band"](tmp_path / "in.mid")
    command = [sys.executable, "-c", program, str(songbirds["whole"][0]), str(source), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "[0, 0] []", done.stderr
