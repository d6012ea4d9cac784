"""An exported model folder: its two graphs against PyTorch, its curves, statistics and card."""

import hashlib
import json
import shutil

import numpy as np
import onnx
import pytest
import torch
from conftest import make_model, save_run
from made_cells import planes_of

from fadernets.attributes import of_cells, table
from fadernets.codecs import grid
from fadernets.data.dataset import attribute_statistics
from fadernets.engines.code_arithmetic import Calibration
from fadernets.engines.grid import Codes, Engine
from fadernets.errors import FadernetsError
from fadernets.fitting.export import export, statistics
from fadernets.models import build
from fadernets.models.grid_coding import probabilities
from fadernets.training import checkpoints


@pytest.fixture(params=[True, False], ids=["attributes", "no attributes"])
def both(request, exported):
    """(engine, PyTorch model with the same 16-bit weights)"""
    folder, model = exported[request.param]
    return Engine.open(folder), model


@pytest.fixture
def engine(exported):
    return Engine.open(exported[True][0])


def torch_decode(model, codes, key, asked, held):
    """Cells [B, 16, 88] and probabilities [B, 16, 176] of the PyTorch model's free decode."""
    logits = []
    hook = model.decoder.head.register_forward_hook(lambda module, inputs, output: logits.append(output))
    z = {name: torch.from_numpy(codes[name]) for name in ("rhythm", "note")}
    before = torch.stack([torch.zeros(held.shape), torch.from_numpy(held).float()], 1)
    one_hot = torch.eye(24)[torch.from_numpy(key.astype(np.int64))]
    out = model.decode(z, one_hot, torch.from_numpy(asked).float(), before)
    hook.remove()
    p = torch.stack([probabilities(x.unflatten(-1, (2, 88))) for x in logits], 1).flatten(2)
    return (out[:, 0] * grid.ONSET + out[:, 1] * grid.HOLD).numpy().astype(np.uint8), p.detach().numpy()


@pytest.mark.parametrize("rows", [1, 7])
def test_the_encoder_is_pytorchs(both, segments, rows):
    engine, model = both
    codes = engine.encode(segments[:rows])
    with torch.no_grad():
        expected = model.encode(planes_of(segments[:rows]))
    for name, q in expected.items():
        found = codes[name]
        assert found.shape == (rows, model.options.z)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, q.mean, atol=1e-5)
    assert np.abs(codes["rhythm"] - codes["note"]).max() > 0.1


def whole(weight):
    """A weight [out, in] in 7 bits, a scale for each output."""
    scale = weight.abs().amax(1, keepdim=True) / 63
    return (weight / scale).round() * scale


def states(x):
    """Hidden states in 8 bits; zeros and ones as they are."""
    return (x * 127).round() / 127


def in_whole_numbers(monkeypatch, decoder):
    """What a step feeds back multiplied as the exported graph does it, all else in PyTorch's own floats."""

    def layer(gru, fed):
        w, r, b, c = (getattr(gru, f"{name}_l0") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))

        def forward(x, h=None):
            x, h = x[:, 0], torch.zeros(len(x), gru.hidden_size) if h is None else h[0]
            given = states(x[:, :fed]) @ whole(w[:, :fed]).T + x[:, fed:] @ w[:, fed:].T + b
            (r1, z1, n1), (r2, z2, n2) = given.chunk(3, 1), (states(h) @ whole(r).T + c).chunk(3, 1)
            new, update = torch.tanh(n1 + torch.sigmoid(r1 + r2) * n2), torch.sigmoid(z1 + z2)
            h = new + update * (h - new)
            return h[:, None], h[None]

        monkeypatch.setattr(gru, "forward", forward)

    hidden = decoder.gru1.hidden_size
    layer(decoder.gru1, 176)
    layer(decoder.gru2, hidden)
    w, b = decoder.head.weight, decoder.head.bias
    monkeypatch.setattr(
        decoder.head,
        "forward",
        lambda x: states(x[:, :hidden]) @ whole(w[:, :hidden]).T + x[:, hidden:] @ w[:, hidden:].T + b,
    )


def asked_of(engine, cells):
    """What a decode is given: codes, key, asked values, held pitches."""
    asked = np.stack(list(table.measure(cells).values()), 1)
    return engine.encode(cells), of_cells.key(cells), asked, cells[:, 0] == grid.HOLD


@pytest.mark.parametrize("rows", [1, 7, 40])
def test_the_decoder_is_pytorchs_in_whole_numbers(both, segments, monkeypatch, rows):
    engine, model = both
    given = asked_of(engine, segments[:rows])
    in_whole_numbers(monkeypatch, model.decoder)
    found = engine.decode(*given)
    expected, p = torch_decode(model, *given)
    np.testing.assert_array_equal(found.cells, expected)
    np.testing.assert_allclose(found.probabilities, p, atol=1e-4)
    if rows == 40:
        assert (found.cells == grid.ONSET).sum() > 400
        assert (found.cells == grid.HOLD).sum() > 50


@pytest.mark.parametrize("rows", [1, 7, 40])
def test_whole_numbers_are_near_to_pytorchs_own(both, segments, rows):
    engine, model = both
    given = asked_of(engine, segments[:rows])
    expected, p = torch_decode(model, *given)
    assert (engine.decode(*given).cells != expected).mean() < 0.005  # some that were even turn
    fed = 10 * (2 * planes_of(expected).transpose(1, 2).flatten(2) - 1)
    found = engine.decode(*given, offset=fed.numpy())
    np.testing.assert_array_equal(found.cells, expected)
    np.testing.assert_allclose(found.probabilities, p, atol=0.04)
    assert np.abs(found.probabilities - p).mean() < 0.002


def test_a_row_is_its_own(both, segments):
    """Whichever rows it is decoded with, and however many each segment has."""
    engine, _ = both
    codes, key = engine.encode(segments[:6]), of_cells.key(segments[:6])
    asked, held = np.stack(list(table.measure(segments[:6]).values()), 1), segments[:6, 0] == grid.HOLD
    offset = np.random.default_rng(0).normal(0, 0.3, (18, 16, 176)).astype(np.float32)
    steps = np.random.default_rng(1).integers(-1, 2, (18, 16))
    together = engine.decode(codes, key, asked, held, offset=offset, onset_step=steps, each=3)
    assert together.cells.shape == (18, 16, 88)
    for row in range(18):
        one = np.array([row // 3])
        alone = engine.decode(
            codes.take(one), key[one], asked[one], held[one], offset=offset[row : row + 1], onset_step=steps[[row]]
        )
        np.testing.assert_array_equal(alone.cells[0], together.cells[row])
        np.testing.assert_allclose(alone.probabilities[0], together.probabilities[row], atol=1e-5)


def test_asked_values_matter_where_they_are_inputs(both, segments):
    engine, model = both
    codes, key = engine.encode(segments), of_cells.key(segments)
    held = np.zeros((40, 88), bool)
    a, b = (engine.decode(codes, key, np.full((40, 2), value), held).probabilities for value in (0.2, 0.9))
    assert (np.abs(a - b).max() > 0.01) == model.options.attributes


def test_the_graphs_are_sound_and_small(exported):
    for folder, model in exported.values():
        count = sum(w.numel() for name, w in model.named_parameters() if "sub_decoders" not in name)
        size = 0
        for name in ("encoder", "decoder"):
            path = folder / f"{name}.onnx"
            onnx.checker.check_model(onnx.load(path), full_check=True)
            size += path.stat().st_size
        assert size < 2 * count + 40_000  # two bytes a weight and the graphs themselves


# The folder


def test_what_the_folder_says(exported, songs):
    folder, model = exported[True]
    info = json.loads((folder / "model.json").read_text())
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "config.json",
        "decoder.onnx",
        "encoder.onnx",
        "model.json",
        "model.safetensors",
    ]
    assert (info["format"], info["name"], info["codec"], info["step"]) == (2, "toy", "grid", 7)
    assert info["data"]["hash"] == songs.hash
    assert set(info["checkpoint"]) == {"config.json", "model.safetensors"}
    for name, digest in {**info["sha256"], **info["checkpoint"]}.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    for name in ("rhythm", "note"):
        np.testing.assert_allclose(info["means"][name], model.means[name].detach(), atol=1e-3)
    assert (folder / "README.md").read_text().partition("---\n\n")[2].startswith("# toy\n")


def test_the_folder_is_a_checkpoint_too(exported):
    folder, model = exported[True]
    loaded, config = checkpoints.load(folder)
    assert config["step"] == 7
    assert all(torch.equal(loaded.state_dict()[name], weights) for name, weights in model.state_dict().items())


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_other_weights_than_model_json_names_are_refused(exported, tmp_path, name):
    folder = tmp_path / "toy"
    shutil.copytree(exported[True][0], folder)
    path = folder / name
    path.write_bytes(path.read_bytes().replace(b"0", b"1"))
    with pytest.raises(FadernetsError, match=f"{name}: is damaged \\(its hash is not the one in model.json\\)"):
        checkpoints.load(folder)
    (folder / "model.json").write_text("{}")
    with pytest.raises(FadernetsError, match="its weights cannot be checked"):
        checkpoints.load(folder)


def test_the_curves_are_those_of_the_validation_split(exported, songs):
    engine = Engine.open(exported[True][0])
    rows = songs.select(split="validation", corpus="songs")
    codes, cells = engine.encode(songs.cells(rows)), songs.cells(rows)
    for code, (name, measured) in zip(("rhythm", "note"), table.measure(cells).items(), strict=True):
        curve, expected = engine.calibration[name], Calibration.fit(measured, codes[code][:, 0])
        np.testing.assert_allclose(curve.values, expected.values, atol=1e-6)
        np.testing.assert_allclose(curve.zd, expected.zd, atol=1e-5)
        assert curve.zd[-1] > curve.zd[0] + 0.05


def test_the_statistics_are_those_of_the_training_split_without_the_labelled(exported, songs):
    engine = Engine.open(exported[True][0])
    rows = songs.select(split="train", corpus="songs")
    names = list(table.CODED)
    assert engine.info["statistics"] == attribute_statistics(songs.attributes[rows], names)


@pytest.mark.parametrize("corpora", [["vgmidi"], ["songs"], ["songs", "vgmidi"], []])
def test_the_statistics_are_of_the_corpora_that_the_recipe_names(songs, corpora):
    rows = [songs.select(split="train", corpus=c) for c in corpora or ["songs", "vgmidi"]]
    expected = attribute_statistics(songs.attributes[np.concatenate(rows)], list(table.CODED))
    assert statistics(songs, {"corpora": corpora, "label_corpora": []}) == expected


def test_a_model_without_clusters(songs, tmp_path, segments):
    run = save_run(tmp_path / "run", make_model(clusters=0), songs)
    engine = Engine.open(export(run, tmp_path / "model"))
    assert engine.name == "model"
    assert engine.means == {}
    assert np.isnan(engine.arousal(engine.encode(segments))).all()


# What is exported, and where to


def test_of_a_run_its_best_checkpoint_is_taken(songs, tmp_path):
    run = tmp_path / "run"
    best = make_model(seed=2)
    save_run(run / "last", make_model(seed=1), songs)
    save_run(run / "best", best, songs)
    info = json.loads((export(run, tmp_path / "model") / "model.json").read_text())
    np.testing.assert_allclose(info["means"]["note"], best.means["note"].detach())
    last = json.loads((export(run / "last", tmp_path / "model") / "model.json").read_text())
    assert info["means"] != last["means"]


def test_a_data_set_that_has_moved_or_changed(songs, tmp_path):
    run = save_run(tmp_path / "run", make_model(), songs, data=str(tmp_path / "gone"))
    with pytest.raises(FadernetsError, match="gone: is not a prepared data set"):
        export(run, tmp_path / "model")
    assert export(run, tmp_path / "model", data=songs.folder).exists()
    config = checkpoints.read_config(run)
    config["data"]["hash"] = "0" * 64
    checkpoints.save(run, make_model(), config)
    with pytest.raises(FadernetsError, match=f"{songs.hash[:12]}; .* trained on 000000000000. .*--data"):
        export(run, tmp_path / "other", data=songs.folder)
    assert not (tmp_path / "other").exists()


def test_an_export_replaces_a_model_and_nothing_else(songs, tmp_path):
    run = save_run(tmp_path / "run", make_model(), songs)
    (tmp_path / "empty").mkdir()
    assert export(run, tmp_path / "empty") == tmp_path / "empty"
    export(run, tmp_path / "empty")
    full = tmp_path / "full"
    full.mkdir()
    (full / "diary.txt").write_text("dear")
    for target in (full, full / "diary.txt"):
        with pytest.raises(FadernetsError, match="is there and is no model folder; name another"):
            export(run, target)
    assert (full / "diary.txt").read_text() == "dear"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "full", "run"]


def test_other_models_and_other_codecs_are_refused(songs, performances, tmp_path):
    runs = {
        "pati over grid": save_run(tmp_path / "a", build("pati", {"z": 4}), songs, name="pati"),
        "music-fadernets over tokens": save_run(tmp_path / "b", build("music-fadernets", {}, "tokens"), performances),
    }
    for what, run in runs.items():
        with pytest.raises(FadernetsError, match=f"{run}: {what}; .* `fadernets evaluate checkpoint` takes the run"):
            export(run, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_folder_that_is_no_checkpoint(tmp_path):
    with pytest.raises(checkpoints.CheckpointError, match="is no checkpoint"):
        export(tmp_path, tmp_path / "model")


# How the decoder chooses, in the graph against a replay of its rules


def replay(p, offset, bias, onset_step, held):
    """The cells that the rules choose from probabilities p [B, 16, 176], one cell at a time."""
    cells = np.zeros((len(p), 16, 88), np.uint8)
    for row in range(len(p)):
        sounding = held[row]
        for t in range(16):
            moved = p[row, t] + offset[row, t]
            score = moved + bias[row] - 0.5
            onset, hold = score[:88], np.where(sounding, score[88:], -np.inf)
            chosen = (onset > 0) & (onset >= hold) & (onset_step[row, t] >= 0)
            if onset_step[row, t] > 0 and not chosen.any():
                chosen[np.argmax(moved[:88])] = True
            cells[row, t][(hold > 0) & ~chosen] = grid.HOLD
            cells[row, t][chosen] = grid.ONSET
            sounding = cells[row, t] != grid.OFF
    return cells


@pytest.mark.parametrize("seed", range(3))
def test_the_choice_is_that_of_the_rules(engine, segments, seed):
    rng = np.random.default_rng(seed)
    rows = len(segments)
    codes, key = engine.encode(segments), of_cells.key(segments)
    asked = np.stack(list(table.measure(segments).values()), 1)
    controls = {
        "offset": rng.normal(0, 0.25, (rows, 16, 176)).astype(np.float32),
        "bias": rng.normal(-0.1, 0.2, rows).astype(np.float32),
        "onset_step": rng.integers(-1, 2, (rows, 16)),
    }
    held = rng.random((rows, 88)) < 0.2
    found = engine.decode(codes, key, asked, held, **controls)
    expected = replay(found.probabilities, held=held, **controls)
    np.testing.assert_array_equal(found.cells, expected)
    assert set(np.unique(found.cells)) == {grid.OFF, grid.ONSET, grid.HOLD}


@pytest.mark.parametrize("logit", [-4.0, -20.0, -60.0])
@pytest.mark.parametrize("bias", [0.0, -0.3])
def test_a_required_onset_is_one_pitch_however_unlikely(songs, segments, tmp_path, logit, bias):
    """Below about -17 a probability is too small to tell from 0 beside the threshold of one half."""
    model = make_model(seed=4)
    with torch.no_grad():
        model.decoder.head.weight *= 0.1
        model.decoder.head.bias.fill_(logit)
    engine = Engine.open(export(save_run(tmp_path / "run", model, songs), tmp_path / "model"))
    codes = engine.encode(segments[:5])
    found = engine.decode(
        Codes(codes),
        of_cells.key(segments[:5]),
        np.full((5, 2), 0.5),
        np.zeros((5, 88), bool),
        bias=np.full(5, bias),
        onset_step=np.ones((5, 16)),
    )
    assert found.probabilities.max() < 0.4
    onsets = found.cells == grid.ONSET
    assert (onsets.sum(2) == 1).all()
    np.testing.assert_array_equal(onsets.argmax(2), found.probabilities[..., :88].argmax(2))
