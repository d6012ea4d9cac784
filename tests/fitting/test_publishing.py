"""To the hub, by huggingface_hub and a server that stands for the hub: what goes out, and what stays."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from hub_stand_in import FILES, MODEL, NAME

from fadernets.engines import hub, hub_cache
from fadernets.engines.grid import Engine
from fadernets.engines.model_folder import bundled, find_folder
from fadernets.engines.onnx_graphs import ModelError
from fadernets.errors import FadernetsError
from fadernets.fitting import publishing

# huggingface_hub 2.4 uploads without Xet by a keyword that its own HTTP client no longer likes.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def test_what_is_pulled_is_what_was_pushed(stand_in, tmp_path):
    pushed = publishing.push(MODEL, NAME, message="the paper's")
    repository = stand_in.repositories[NAME]
    assert pushed.commit == repository.branches["main"]
    assert repository.messages[-1] == "the paper's"
    assert set(repository.files()) == FILES | {".gitattributes"}
    got = hub.pull(NAME)
    assert (got.model, got.commit, set(got.files), got.left) == (NAME, pushed.commit, FILES, [])
    assert got.files == pushed.files
    assert got.folder == find_folder(NAME)
    for name in ("encoder.onnx", "decoder.onnx"):
        assert (got.folder / name).read_bytes() == (bundled()[MODEL] / name).read_bytes()
    engine, ours = Engine.open(NAME), Engine.open(MODEL)
    assert engine.info["sha256"] == ours.info["sha256"]


def test_a_card_that_the_hub_reads(stand_in, model_files):
    from huggingface_hub import ModelCard

    card = ModelCard(model_files["README.md"].decode())
    assert card.data.license == "mit"
    assert card.data.library_name == "fadernets"
    assert card.data.pipeline_tag is None
    assert card.data.datasets == ["lieder", "pop909", "vgmidi"]
    assert "music-fadernets" in card.data.tags
    assert card.text.lstrip().startswith("# pop-lieder\n")


def test_no_path_of_a_machine_goes_out(tmp_path):
    folder = copy_of(MODEL, tmp_path)
    change(folder, lambda info: info["recipe"].update(data="/home/me/music/songs", out="..\\runs\\tiny"))
    files = publishing.files_to_push(folder)
    for name in ("config.json", "model.json"):
        recipe = json.loads(files[name])["recipe"]
        assert (recipe["data"], recipe["out"]) == ("songs", "tiny")
    digest = json.loads(files["model.json"])["checkpoint"]["config.json"]
    assert digest == hashlib.sha256(files["config.json"]).hexdigest()


def copy_of(name, place):
    return Path(shutil.copytree(bundled()[name], place / name))


def change(folder, how):
    path = folder / "model.json"
    info = json.loads(path.read_text())
    how(info)
    path.write_text(json.dumps(info))


def test_a_new_push_takes_away_what_the_model_no_longer_has(stand_in, model_files, tmp_path):
    repository = stand_in.repository(NAME, {**model_files, "critic.onnx": b"old", "notes.txt": b"mine"})
    publishing.push(MODEL, NAME)
    assert set(repository.files()) == FILES | {"notes.txt"}


def test_a_branch_of_its_own(stand_in, model_files):
    repository = stand_in.repository(NAME, {})
    pushed = publishing.push(MODEL, NAME, revision="next")
    assert pushed.model == f"{NAME}@next"
    assert (set(repository.files("next")), repository.files("main")) == (FILES, {})
    with pytest.raises(FadernetsError, match=r"has no model\.json, so it is no model of fadernets"):
        hub.pull(NAME)
    assert hub.pull(NAME, "next").folder == find_folder(f"{NAME}@next") == find_folder(f"{NAME}@{pushed.commit}")
    assert set(hub_cache.pulled()) == {f"{NAME}@next"}


def test_music_that_may_not_be_passed_on_stays_private(stand_in, tmp_path):
    folder = copy_of("rewriter", tmp_path)
    change(folder, lambda info: info["data"]["corpora"]["pop909"].update(shippable=False))
    with pytest.raises(FadernetsError, match="learned from music that may not be passed on; push it with --private"):
        publishing.push(folder, NAME)
    assert not stand_in.asked
    publishing.push(folder, NAME, private=True)
    assert stand_in.repositories[NAME].private
    stand_in.repository("someone/public", {})
    with pytest.raises(FadernetsError, match="someone/public: is public on the hub already"):
        publishing.push(folder, "someone/public", private=True)
    assert stand_in.repositories["someone/public"].files() == {}


def test_a_damaged_folder_does_not_go_out(stand_in, tmp_path):
    folder = copy_of(MODEL, tmp_path)
    (folder / "decoder.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelError, match=r"decoder\.onnx: is damaged \(its hash is not the one in model\.json\)"):
        publishing.push(folder, NAME)
    (folder / "decoder.onnx").unlink()
    with pytest.raises(ModelError, match=r"decoder\.onnx: cannot be read"):
        publishing.push(folder, NAME)
    assert not stand_in.asked


def test_a_folder_of_before_gets_what_the_hub_reads(tmp_path):
    folder = copy_of("rewriter", tmp_path)
    card = folder / "README.md"
    whole = card.read_text()
    card.write_text(whole.partition("---\n\n")[2])
    files = publishing.files_to_push(folder)
    assert files["README.md"].decode() == whole
    config = json.loads(files["config.json"])
    assert (config["kind"], config["size"]["width"]) == ("rewriter", 256)


def test_an_exported_folder_goes_out_with_its_weights(exported, stand_in):
    from fadernets.training import checkpoints

    publishing.push(exported[True][0], "me/toy", private=True)
    got = hub.pull("me/toy")
    assert set(got.files) == FILES | {"model.safetensors"}
    for ours, theirs in zip(exported[True][1].parameters(), checkpoints.load(got.folder)[0].parameters(), strict=True):
        assert (ours == theirs).all()


def test_a_folder_without_a_card_does_not_go_out(tmp_path):
    folder = copy_of(MODEL, tmp_path)
    (folder / "README.md").unlink()
    with pytest.raises(ModelError, match=r"has no README\.md, the model's card; export it again"):
        publishing.files_to_push(folder)
