"""From the hub, by huggingface_hub and a server on this machine that stands for the hub: what comes is checked."""

import json

import pytest
from hub_stand_in import FILES, NAME

from fadernets.engines import hub
from fadernets.engines.grid import Engine
from fadernets.engines.onnx_graphs import ModelError
from fadernets.errors import FadernetsError

# Pulled models


def test_pulling_again_fetches_nothing(pulled, stand_in):
    stand_in.asked.clear()
    assert hub.pull(NAME) == pulled
    assert not [row for row in stand_in.asked if "/resolve/" in row]


def test_no_other_file_is_fetched(stand_in, model_files):
    stand_in.repository(NAME, {**model_files, "state.pt": b"pickled", "pytorch_model.bin": b"pickled", "x/y.onnx": b""})
    got = hub.pull(NAME)
    assert got.left == ["pytorch_model.bin", "state.pt", "x/y.onnx"]
    assert {path.name for path in got.folder.rglob("*")} == FILES
    assert not [row for row in stand_in.asked if "state.pt" in row or "bin" in row]


@pytest.mark.parametrize("name", ["decoder.onnx", "model.json", "config.json"])
def test_a_file_damaged_on_the_way_is_refused(stand_in, model_files, name):
    stand_in.repository(NAME, model_files)
    stand_in.spoiled[name] = model_files[name].replace(b"0", b"1")
    with pytest.raises(ModelError, match=f"{name} is not what the hub says that it is"):
        hub.pull(NAME)
    stand_in.spoiled.clear()
    assert (hub.pull(NAME).folder / name).read_bytes() == model_files[name]


def test_a_graph_that_model_json_does_not_name_is_refused(stand_in, model_files):
    stand_in.repository(NAME, {**model_files, "encoder.onnx": model_files["decoder.onnx"]})
    with pytest.raises(ModelError, match=r"encoder\.onnx: is damaged \(its hash is not the one in model\.json\)"):
        hub.pull(NAME)
    with pytest.raises(ModelError, match=r"encoder\.onnx: is damaged"):
        Engine.open(NAME).load()


def test_a_file_changed_in_the_cache_is_refused_and_pulled_anew(pulled, stand_in):
    path = pulled.folder / "decoder.onnx"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"?")
    with pytest.raises(ModelError, match=r"decoder\.onnx: is damaged"):
        Engine.open(NAME).load()
    hub.pull(NAME)
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["../evil.onnx", "state.pt", "sub/encoder.onnx", "README.md"])
def test_names_that_are_no_files_of_weights_are_refused(stand_in, model_files, name):
    info = json.loads(model_files["model.json"])
    info["sha256"][name] = "0" * 64
    stand_in.repository(NAME, {**model_files, "model.json": json.dumps(info).encode()})
    with pytest.raises(ModelError, match="is no name of a file of weights"):
        hub.pull(NAME)


def test_a_model_that_is_too_large_is_left(stand_in, model_files, monkeypatch):
    stand_in.repository(NAME, model_files)
    monkeypatch.setattr(hub, "MOST_BYTES", 1000)
    with pytest.raises(ModelError, match=r"has more than 0\.0 GB"):
        hub.pull(NAME)
    assert not [row for row in stand_in.asked if "decoder.onnx" in row]


def test_a_model_json_that_is_too_large_is_left(stand_in, model_files, monkeypatch):
    stand_in.repository(NAME, model_files)
    monkeypatch.setattr(hub, "MOST_JSON", 1000)
    with pytest.raises(ModelError, match=r"^someone/pop-lieder: model\.json has [\d.]+ kB; at most 1000 bytes"):
        hub.pull(NAME)
    assert not [row for row in stand_in.asked if "/resolve/" in row]


# What does not work, in one line


def test_names_and_revisions_that_are_none():
    with pytest.raises(FadernetsError, match="model: is no name on the hub; write OWNER/NAME"):
        hub.hub_name("model")
    with pytest.raises(FadernetsError, match="names a revision, and so does --revision"):
        hub.hub_name("me/model@a", "b")
    with pytest.raises(FadernetsError, match=r"--revision \.\./b: is no name of a branch, tag or commit"):
        hub.hub_name("me/model", "../b")


# The commands
