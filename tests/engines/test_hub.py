"""From the hub and to it, through huggingface_hub, by a server on this machine that stands for the hub."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hub_stand_in import TOKEN, served

from fadernets.cli.main import main
from fadernets.engines import hub, hub_cache, model_folder
from fadernets.engines.grid import Engine
from fadernets.engines.hub_cache import HubName
from fadernets.engines.model_folder import bundled, find_folder
from fadernets.engines.onnx_graphs import ModelError
from fadernets.errors import FadernetsError
from fadernets.fitting import publishing
from fadernets.music.document import Document

# huggingface_hub 2.4 uploads without Xet by a keyword that its own HTTP client no longer likes.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

MODEL = "pop-lieder"
NAME = "someone/pop-lieder"
FILES = {"README.md", "config.json", "decoder.onnx", "encoder.onnx", "model.json"}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of huggingface_hub, which reads its settings when it is imported; nothing can go out."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "hub"


@pytest.fixture
def stand_in(cache, monkeypatch):
    from huggingface_hub import constants
    from huggingface_hub.utils import close_session

    with served() as made:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", made.address)
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE
        _, _, rest = template.partition("/{repo_id}")
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", made.address + "/{repo_id}" + rest)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        close_session()
        yield made
        close_session()


@pytest.fixture
def files():
    """What a repository of the bundled model holds."""
    return publishing.files_to_push(MODEL)


@pytest.fixture
def pulled(stand_in, files):
    stand_in.repository(NAME, files)
    return hub.pull(NAME)


def test_what_is_pulled_is_what_was_pushed(stand_in, tmp_path):
    pushed = publishing.push(MODEL, NAME, message="the paper's")
    repository = stand_in.repositories[NAME]
    assert pushed.commit == repository.branches["main"]
    assert repository.messages[-1] == "the paper's"
    assert set(repository.files()) == FILES | {".gitattributes"}
    got = hub.pull(NAME)
    assert (got.model, got.commit, set(got.files), got.left) == (NAME, pushed.commit, FILES, [".gitattributes"])
    assert got.files == pushed.files
    assert got.folder == find_folder(NAME)
    for name in ("encoder.onnx", "decoder.onnx"):
        assert (got.folder / name).read_bytes() == (bundled()[MODEL] / name).read_bytes()
    engine, ours = Engine.open(NAME), Engine.open(MODEL)
    assert engine.info["sha256"] == ours.info["sha256"]


def test_a_card_that_the_hub_reads(stand_in, files):
    from huggingface_hub import ModelCard

    card = ModelCard(files["README.md"].decode())
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


def test_a_new_push_takes_away_what_the_model_no_longer_has(stand_in, files, tmp_path):
    repository = stand_in.repository(NAME, {**files, "critic.onnx": b"old", "notes.txt": b"mine"})
    publishing.push(MODEL, NAME)
    assert set(repository.files()) == FILES | {"notes.txt"}


def test_a_branch_of_its_own(stand_in, files):
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


def test_a_folder_without_a_card_does_not_go_out(tmp_path):
    folder = copy_of(MODEL, tmp_path)
    (folder / "README.md").unlink()
    with pytest.raises(ModelError, match=r"has no README\.md, the model's card; export it again"):
        publishing.files_to_push(folder)


# Pulled models


def test_an_edit_by_a_pulled_model_asks_nobody(pulled, stand_in, tmp_path, capsys):
    stand_in.asked.clear()
    out = [tmp_path / "theirs.mid", tmp_path / "ours.mid"]
    for model, path in zip([NAME, MODEL], out, strict=True):
        demo = Path(__file__).parents[2] / "src/fadernets/assets/k545.mid"
        asked = ["apply", str(demo), str(path), "--model", model, "--bars", "1-2", "--move", "rhythm-density=0.2"]
        assert main(asked) == 0
    assert out[0].read_bytes() == out[1].read_bytes()
    assert len(Document(out[0]).piece.notes)
    assert stand_in.asked == []


def test_a_folder_that_is_there_comes_first(pulled, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_folder(NAME) == pulled.folder
    (tmp_path / "someone").mkdir()
    shutil.copytree(bundled()["melody"], tmp_path / NAME)
    assert find_folder(NAME) == Path(NAME)


def test_pulling_again_fetches_nothing(pulled, stand_in):
    stand_in.asked.clear()
    assert hub.pull(NAME) == pulled
    assert not [row for row in stand_in.asked if "/resolve/" in row]


def test_no_other_file_is_fetched(stand_in, files):
    stand_in.repository(NAME, {**files, "state.pt": b"pickled", "pytorch_model.bin": b"pickled", "x/y.onnx": b""})
    got = hub.pull(NAME)
    assert got.left == ["pytorch_model.bin", "state.pt", "x/y.onnx"]
    assert {path.name for path in got.folder.rglob("*")} == FILES
    assert not [row for row in stand_in.asked if "state.pt" in row or "bin" in row]


@pytest.mark.parametrize("name", ["state.pt", "sub/model.BIN", "a.pkl", "b.ckpt"])
def test_a_file_that_could_run_code_is_refused(pulled, name):
    path = pulled.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"pickled")
    with pytest.raises(ModelError, match=f"holds {name}, which may run code"):
        find_folder(NAME)


@pytest.mark.parametrize("name", ["decoder.onnx", "model.json", "config.json"])
def test_a_file_damaged_on_the_way_is_refused(stand_in, files, name):
    stand_in.repository(NAME, files)
    stand_in.spoiled[name] = files[name].replace(b"0", b"1")
    with pytest.raises(ModelError, match=f"{name} is not what the hub says that it is"):
        hub.pull(NAME)
    stand_in.spoiled.clear()
    assert (hub.pull(NAME).folder / name).read_bytes() == files[name]


def test_a_graph_that_model_json_does_not_name_is_refused(stand_in, files):
    stand_in.repository(NAME, {**files, "encoder.onnx": files["decoder.onnx"]})
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
def test_names_that_are_no_files_of_weights_are_refused(stand_in, files, name):
    info = json.loads(files["model.json"])
    info["sha256"][name] = "0" * 64
    stand_in.repository(NAME, {**files, "model.json": json.dumps(info).encode()})
    with pytest.raises(ModelError, match="is no name of a file of weights"):
        hub.pull(NAME)


def test_a_model_that_is_too_large_is_left(stand_in, files, monkeypatch):
    stand_in.repository(NAME, files)
    monkeypatch.setattr(hub, "MOST_BYTES", 1000)
    with pytest.raises(ModelError, match=r"has more than 0\.0 GB"):
        hub.pull(NAME)
    assert not [row for row in stand_in.asked if "decoder.onnx" in row]


def test_the_cache_is_not_written_into(pulled):
    with pytest.raises(ModelError, match="is the hub's copy, and a card is not written into it"):
        model_folder.refuse_pulled(pulled.folder, "a card")
    model_folder.refuse_pulled(bundled()[MODEL], "a card")
    assert model_folder.name_of(NAME, pulled.folder) == NAME
    assert model_folder.name_of("x/pop-lieder", bundled()[MODEL]) == MODEL


# What does not work, in one line


def test_a_model_that_was_not_pulled_says_how(cache, monkeypatch):
    with pytest.raises(ModelError) as refused:
        find_folder("no/model")
    assert str(refused.value).startswith(
        "--model no/model: is neither a bundled model nor a folder, and was not pulled from the hub "
        "(fadernets pull no/model); bundled: "
    )
    with pytest.raises(ModelError, match="is neither a bundled model nor a folder; bundled"):
        find_folder("a/b/c")
    monkeypatch.setattr(hub_cache, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="was not pulled from the hub"):
        find_folder("no/model")
    assert hub_cache.pulled() == {}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("me/model", HubName("me/model", "main")),
        ("me/model@v1.0", HubName("me/model", "v1.0")),
        ("me/model@refs/pr/1", HubName("me/model", "refs/pr/1")),
        ("model", None),
        ("../model", None),
        ("me/..", None),
        ("me/model@../x", None),
        ("me/a--b", None),
        ("a/b/c", None),
        ("me/model@", None),
        ("/model", None),
    ],
)
def test_names(text, name):
    assert HubName.of(text) == name
    assert name is None or str(name) == text


def test_names_and_revisions_that_are_none():
    with pytest.raises(FadernetsError, match="model: is no name on the hub; write OWNER/NAME"):
        hub.hub_name("model")
    with pytest.raises(FadernetsError, match="names a revision, and so does --revision"):
        hub.hub_name("me/model@a", "b")
    with pytest.raises(FadernetsError, match="--revision ../b: is no name of a branch, tag or commit"):
        hub.hub_name("me/model", "../b")


def test_the_hub_s_refusals_are_one_line(stand_in, files, monkeypatch, capsys):
    def refused(*arguments):
        assert main(list(arguments)) == 2
        return capsys.readouterr().err

    private = stand_in.repository("me/private", files, private=True)
    stand_in.repository(NAME, files)
    assert "the hub has no such model, or it is private: log in with" in refused("pull", "me/none")
    assert "the hub has no such revision" in refused("pull", NAME, "--revision", "v9")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "log in with `hf auth login`, or set HF_TOKEN" in refused("pull", "me/private")
    assert "log in with `hf auth login`, or set HF_TOKEN" in refused("push", MODEL, NAME)
    assert list(private.branches) == ["main"]
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "http://127.0.0.1:9 cannot be reached" in refused("pull", NAME)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set, so nothing goes out; unset it" in refused("pull", NAME)


def test_without_huggingface_hub_the_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert main(["pull", NAME]) == 2
    assert "needs huggingface_hub: pip install 'fadernets[hub]'" in capsys.readouterr().err


# The commands


def test_pull_push_and_models_print(stand_in, capsys):
    assert main(["push", MODEL, NAME, "--private", "--message", "first", "--json"]) == 0
    pushed = json.loads(capsys.readouterr().out)
    assert (pushed["model"], set(pushed["files"])) == (NAME, FILES)
    assert main(["pull", NAME]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{NAME}: 5.5 MB, commit {pushed['commit'][:12]}, ")
    assert f"warning: {NAME}: left on the hub: .gitattributes\n" in said.err
    assert main(["models", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["models"]}
    assert rows[NAME]["folder"] == str(find_folder(NAME))
    assert set(bundled()) < set(rows)


def test_settings_of_the_environment_are_taken(stand_in, files, tmp_path):
    """In a process of its own, whose huggingface_hub reads HF_ENDPOINT and HF_HOME."""
    stand_in.repository(NAME, files)
    settings = {"HF_ENDPOINT": stand_in.address, "HF_HOME": str(tmp_path / "home"), "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-W", "error", "-m", "fadernets.cli", "pull", NAME, "--json"]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=True)
    assert Path(json.loads(done.stdout)["folder"]).is_relative_to(tmp_path / "home")
