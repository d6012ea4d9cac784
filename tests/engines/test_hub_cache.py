"""Models that were pulled: their names, and that nothing else is taken for one."""

import shutil
from pathlib import Path

import pytest

from fadernets.engines import hub, hub_cache, model_folder
from fadernets.engines.hub_cache import HubName
from fadernets.engines.model_folder import bundled, find_folder
from fadernets.engines.onnx_graphs import ModelError
from fadernets.fitting import publishing

MODEL = "pop-lieder"
NAME = "someone/pop-lieder"


@pytest.fixture
def pulled(stand_in):
    """The bundled model, pulled."""
    stand_in.repository(NAME, publishing.files_to_push(MODEL))
    return hub.pull(NAME)


def test_a_folder_that_is_there_comes_first(pulled, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_folder(NAME) == pulled.folder
    (tmp_path / "someone").mkdir()
    shutil.copytree(bundled()["melody"], tmp_path / NAME)
    assert find_folder(NAME) == Path(NAME)


@pytest.mark.parametrize("name", ["state.pt", "sub/model.BIN", "a.pkl", "b.ckpt"])
def test_a_file_that_could_run_code_is_refused(pulled, name):
    path = pulled.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"pickled")
    with pytest.raises(ModelError, match=f"holds {name}, which may run code"):
        find_folder(NAME)


def test_the_cache_is_not_written_into(pulled):
    with pytest.raises(ModelError, match="is the hub's copy, and a card is not written into it"):
        model_folder.refuse_pulled(pulled.folder, "a card")
    model_folder.refuse_pulled(bundled()[MODEL], "a card")
    assert model_folder.name_of(NAME, pulled.folder) == NAME
    assert model_folder.name_of("x/pop-lieder", bundled()[MODEL]) == MODEL


def test_a_model_that_was_not_pulled_says_how(hub_cache_folder, monkeypatch):
    with pytest.raises(ModelError) as refused:
        find_folder("no/model")
    assert str(refused.value).startswith(
        "model no/model: is neither a bundled model nor a folder, and was not pulled from the hub "
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
