"""Checkpoint folders: what was saved comes back, whole or not at all, and damage is named."""

import json
import os
import shutil

import pytest
import torch
import yaml
from conftest import TINY, make_model, save_run

from fadernets.errors import FadernetsError
from fadernets.models import MODELS, build, reads_melodies
from fadernets.training import checkpoints, model_cards
from fadernets.training.checkpoints import CheckpointError


@pytest.fixture(scope="module")
def model():
    return make_model()


@pytest.fixture
def folder(tmp_path, model, songs):
    return save_run(tmp_path / "run" / "last", model, songs)


def change(folder, **values):
    path = folder / "config.json"
    config = json.loads(path.read_text()) | values
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


def test_what_was_saved_comes_back(folder, model, songs):
    loaded, config = checkpoints.load(folder)
    assert not loaded.training
    assert loaded.options == model.options
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, loaded.state_dict()[name]), name
    assert (config["format"], config["codec"], config["step"]) == (1, "grid", 7)
    assert config["data"]["hash"] == songs.hash
    assert config["recipe"]["model"]["z"] == model.options.z
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert [path.name for path in folder.parent.iterdir()] == ["last"]


def test_the_state_comes_back(folder, model):
    optimizer = torch.optim.AdamW(model.parameters())
    state = {"optimizer": optimizer.state_dict(), "step": 5, "best": 0.5, "waited": 2}
    checkpoints.save(folder, model, checkpoints.read_config(folder), state)
    assert checkpoints.load_state(folder) == state


def test_a_folder_without_a_state_has_none(folder):
    assert checkpoints.load_state(folder) is None


def test_the_card_says_what_it_learned_from(folder, songs):
    card = (folder / "README.md").read_text()
    _, front, text = card.split("---\n", 2)
    assert yaml.safe_load(front) == {
        "license": "mit",
        "library_name": "fadernets",
        "tags": ["symbolic-music", "midi", "music-fadernets", "grid"],
        "datasets": list(songs.manifest["sources"]),
    }
    assert text.startswith("\n# music-fadernets\n")
    for part in (
        songs.hash,
        "7 steps of batch 256, seed 0",
        "| songs | made here | 10 | 128 | reconstruction |",
        "| vgmidi | made here | 4 | 26 | cluster and regulariser terms alone |",
        "- note f1: 0.5000",
        "## Limits",
    ):
        assert part in card
    config = checkpoints.read_config(folder)
    assert "On test pieces" not in card
    assert "On test pieces, never trained on:\n\n| F1 |" in model_cards.card(config, "| F1 |")
    config["recipe"] |= {"corpora": ["songs"], "label_corpora": []}
    assert "vgmidi" not in model_cards.card(config)


def test_a_checkpoint_replaces_the_one_before(folder, model, songs):
    other = make_model(seed=1)
    (folder / "state.pt").write_text("of the one before")
    save_run(folder, other, songs)
    loaded, _ = checkpoints.load(folder)
    name = "decoder.head.weight"
    assert torch.equal(loaded.state_dict()[name], other.state_dict()[name])
    assert not torch.equal(loaded.state_dict()[name], model.state_dict()[name])
    assert not (folder / "state.pt").exists()


def break_after(monkeypatch, count):
    """os.replace works `count` times and then the disk is gone."""
    replace, done = os.replace, []

    def breaking(source, target):
        if len(done) == count:
            raise OSError("gone")
        done.append(target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", breaking)


@pytest.mark.parametrize("renames", [0, 1])
@pytest.mark.parametrize("first", [checkpoints.exists, checkpoints.load])
def test_a_save_that_is_cut_off_leaves_the_one_before(folder, model, songs, monkeypatch, renames, first):
    with monkeypatch.context() as patch:
        break_after(patch, renames)
        with pytest.raises(FadernetsError, match=r"cannot be written \(gone"):
            save_run(folder, make_model(seed=1), songs)
    assert first(folder)
    loaded, _ = checkpoints.load(folder)
    assert torch.equal(loaded.state_dict()["decoder.head.weight"], model.state_dict()["decoder.head.weight"])
    save_run(folder, make_model(seed=1), songs)  # the next one finds its way
    assert [path.name for path in folder.parent.iterdir()] == ["last"]


@pytest.mark.parametrize("kind", [OSError, RuntimeError])  # safetensors and torch have kinds of their own
def test_a_save_that_cannot_write_its_weights_leaves_the_one_before(folder, songs, model, monkeypatch, kind):
    import safetensors.torch

    def full(*args):
        raise kind("no space left")

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(FadernetsError, match=rf"^{folder}: cannot be written \(no space left\)$"):
        save_run(folder, make_model(seed=1), songs)
    assert checkpoints.load(folder)[1]["step"] == 7


def test_exists(folder, tmp_path):
    assert checkpoints.exists(folder)
    assert not checkpoints.exists(tmp_path)
    assert not checkpoints.exists(tmp_path / "none")


# Damage


def test_a_folder_that_is_none(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(CheckpointError, match=r"is no checkpoint \(it has no config.json\)"):
            checkpoints.load(folder)


@pytest.mark.parametrize("text", ["{", "", '{"format": 1'])
def test_a_damaged_config(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.json: cannot be read"):
        checkpoints.load(folder)


@pytest.mark.parametrize("text", ["[]", "3", "{}", '{"format": 2}'])
def test_a_config_of_something_else(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match="is no checkpoint of format 1"):
        checkpoints.load(folder)


@pytest.mark.parametrize("codec", ["midi", None])
def test_a_foreign_codec(folder, codec):
    change(folder, codec=codec)
    with pytest.raises(CheckpointError, match=f"codec {codec!r}; this version reads grid, tokens"):
        checkpoints.load(folder)


def test_weights_of_another_codec(folder):
    change(folder, codec="tokens")
    with pytest.raises(CheckpointError, match="does not fit its config"):
        checkpoints.load(folder)


def test_a_model_over_tokens_comes_back(tmp_path, performances):
    model = build("music-fadernets", TINY, "tokens")
    loaded, config = checkpoints.load(save_run(tmp_path / "last", model, performances))
    assert (config["codec"], loaded.codec) == ("tokens", "tokens")
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, loaded.state_dict()[name]), name


@pytest.mark.parametrize("name", ["recipe", "data", "step", "segments", "figures"])
def test_a_config_that_lacks_something(folder, name):
    change(folder, **{name: None})
    with pytest.raises(CheckpointError, match=rf"config\.json: lacks {name}"):
        checkpoints.load(folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [("data", []), ("data", {"hash": 3}), ("step", "x"), ("segments", 3), ("figures", []), ("attributes", [[1]])],
)
def test_a_config_with_what_cannot_be(folder, name, value):
    change(folder, **{name: value})
    with pytest.raises(CheckpointError, match=r"config\.json: its .* cannot be used"):
        checkpoints.load(folder)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"name": "glsr", "model": {}}, "its model cannot be built .unknown model 'glsr'"),
        ({"name": "music-fadernets", "model": {"layers": 2}}, "unknown model option 'layers'"),
        ({"name": "music-fadernets", "model": {"z": "4"}}, "model option z: '4' is not of type int"),
        ({"name": "music-fadernets", "model": {"z": 10**8}}, r"has \d{12} weights; at most 1000000000"),
        ({"name": "music-fadernets", "model": {"z": 10**20}}, r"cannot be built of these options \(.*\)"),
        ({"name": "music-fadernets", "model": TINY, "corpora": [[1]]}, "its model cannot be built .recipe key corpora"),
        ({"name": "music-fadernets"}, "its model cannot be built .'model'"),
        ([], "its model cannot be built"),
    ],
)
def test_a_config_of_no_model(folder, recipe, message):
    change(folder, recipe=recipe)
    with pytest.raises(CheckpointError, match=message):
        checkpoints.load(folder)


def spoil(folder, how):
    path = folder / "model.safetensors"
    if how == "missing":
        path.unlink()
    elif how == "cut short":
        path.write_bytes(path.read_bytes()[:-100])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        path.write_text("no weights " * 100)


@pytest.mark.parametrize("how", ["missing", "cut short", "empty", "text"])
def test_damaged_weights(folder, how):
    spoil(folder, how)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: does not fit its config \(.+\)$") as error:
        checkpoints.load(folder)
    assert "\n" not in str(error.value)


def test_weights_of_another_size(folder, songs):
    other = save_run(folder.parent / "best", make_model(z=9), songs)
    shutil.copy(other / "model.safetensors", folder)
    with pytest.raises(CheckpointError, match="does not fit its config"):
        checkpoints.load(folder)


@pytest.mark.parametrize("content", [b"", b"nothing that PyTorch wrote"])
def test_a_damaged_state(folder, content):
    (folder / "state.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"state\.pt: cannot be read .*; remove the run"):
        checkpoints.load_state(folder)


def test_the_card_of_a_model_of_another_package_names_it(folder):
    config = checkpoints.read_config(folder)
    own = config | {"recipe": config["recipe"] | {"name": "plain-vae"}}
    assert "The model `plain-vae` of another package, on the sixteenth grid." in model_cards.card(own)


def test_a_card_says_which_model_over_which_codec_and_what_may_be_done_with_it(folder):
    config = checkpoints.read_config(folder)
    free = {"licence": "CC0-1.0", "pieces": 3, "train": 9, "shippable": True}
    bound = free | {"licence": "CC-BY-NC-SA-4.0", "shippable": False}
    for name in (name for name in MODELS if not reads_melodies(name)):
        recipe = config["recipe"] | {"name": name, "model": {}, "corpora": [], "label_corpora": ["vgmidi"]}
        own = config | {"codec": "tokens", "recipe": recipe, "data": config["data"] | {"corpora": {"a": free}}}
        text = model_cards.card(own)
        assert "over performance tokens" in text
        assert "under this package's licence" in text
        assert ("two components" in text) == (name in ("music-fadernets", "gm-vae"))
        assert "for research" in model_cards.card(own | {"data": config["data"] | {"corpora": {"a": free, "b": bound}}})
