"""A model folder of melodies: what it says, and its knobs as augmentation finds them."""

import hashlib
import json

import numpy as np
import pytest
import torch

from fadernets.engines.melody import MelodyEngine
from fadernets.engines.model_folder import codec_of
from fadernets.errors import FadernetsError
from fadernets.fitting import melody_export
from fadernets.fitting.export import export
from fadernets.melodies import augmentations, inspection
from fadernets.melodies.augmentations import AUGMENTATIONS

PAIRS = 55, 66  # of the fixture's whole notes


@pytest.fixture(params=["plain", "whole"])
def bird(request, songbirds):
    return songbirds[request.param]


@pytest.fixture
def means(bird):
    """Clips to PyTorch's posterior means."""

    def encode(clips):
        with torch.no_grad():
            return bird[2].encode(torch.from_numpy(np.asarray(clips).astype(np.int64))).mean.numpy()

    return encode


def test_a_folder_s_files(bird, melodies):
    folder, run, _ = bird
    graphs = {"encoder.onnx", "decoder.onnx"}
    assert {p.name for p in folder.iterdir()} == graphs | {
        "model.json",
        "README.md",
        "config.json",
        "model.safetensors",
    }
    info = json.loads((folder / "model.json").read_text())
    for name in ("encoder.onnx", "decoder.onnx"):
        assert info["sha256"][name] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    config = json.loads((run / "config.json").read_text())
    assert (info["codec"], info["z"], info["name"], info["step"]) == ("melody", 8, folder.name, 7)
    assert info["recipe"] == config["recipe"]
    assert info["data"]["hash"] == melodies.hash
    assert set(info["statistics"]) == {"pitch", "onsets"}
    assert codec_of(folder) == "melody"
    assert info.get("groups") == ({"pitch": [0, 4], "rhythm": [4, 8]} if folder.name == "whole" else None)
    card = (folder / "README.md").read_text()
    assert f"---\n\n# {folder.name}\n\nMusicVAE with GRUs" in card
    assert "codec: melody (32 steps of 130 states" in card


def test_weights_take_two_bytes_each(bird):
    folder, _, model = bird
    used = sum(w.numel() for name, w in model.state_dict().items() if not name.startswith("rhythm."))
    assert sum((folder / f"{n}.onnx").stat().st_size for n in ("encoder", "decoder")) < 2 * used + 60_000


def test_the_spread_is_that_of_the_training_clips_codes(bird, means, melodies):
    info = json.loads((bird[0] / "model.json").read_text())
    codes = means(melodies.codes[melodies.select(split="train")])
    np.testing.assert_allclose(info["spread"], codes.std(0), atol=1e-3)


@pytest.mark.parametrize("knob", ["pitch", "rhythm"])
def test_both_ways_to_turn_a_knob(bird, means, melodies, knob):
    """The paper's by the slope of the mean change, of real clips for pitch and of whole notes for rhythm; ours by the
    regression over real clips both ways."""
    row = MelodyEngine.open(bird[0]).info["knobs"][knob]
    table = AUGMENTATIONS["melody"][knob]
    clips = np.asarray(melodies.codes)[np.sort(melodies.select(split="train"))]
    few = inspection.inspect(means, clips if knob == "pitch" else augmentations.whole_notes(*PAIRS), table)
    assert row["dimensions"] == few.dimensions.tolist()
    assert row["threshold"] == pytest.approx(few.threshold, rel=1e-2)
    amounts = np.arange(1, 13) if knob == "pitch" else np.arange(1, 5)
    slopes = [np.linalg.lstsq(amounts[:, None], few.mean[:, d], rcond=None)[0][0] for d in few.dimensions]
    np.testing.assert_allclose(row["change"], slopes, atol=1e-3)
    moved, far = [], []
    for amount in melody_export.BOTH_WAYS[knob]:
        after = table.change(clips, amount)
        moved.append(means(after) - means(clips))
        far.append(table.distance(clips, after))
    moved, far = np.concatenate(moved), np.nan_to_num(np.concatenate(far))
    expected = np.linalg.lstsq(far[:, None], moved, rcond=None)[0][0]
    np.testing.assert_allclose(row["direction"], expected, atol=1e-3)
    assert far.min() < 0 < far.max()


def test_a_melody_run_is_exported_with_its_own_data_alone(songbirds, melodies, songs, tmp_path):
    _, run, _ = songbirds["plain"]
    with pytest.raises(FadernetsError, match="was trained on"):
        export(run, tmp_path / "out", data=songs.folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("")
    with pytest.raises(FadernetsError, match="is there and is no model folder; name another"):
        export(run, tmp_path / "other")
    assert not (tmp_path / "out").exists()
    assert [p.name for p in (tmp_path / "other").iterdir()] == ["file"]


def test_an_export_over_an_older_one(songbirds, tmp_path, monkeypatch):
    whole_notes = augmentations.whole_notes
    monkeypatch.setattr(augmentations, "whole_notes", lambda low, high: whole_notes(*PAIRS))
    folder = export(songbirds["plain"][1], tmp_path / "m", name="first")
    again = export(songbirds["whole"][1], folder)
    assert again == folder
    assert MelodyEngine.open(folder).name == "m"
    assert not list(tmp_path.glob(".*"))
