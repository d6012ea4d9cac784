"""Model folders: which one opens, and what one that cannot be used says."""

import json
import shutil

import pytest

from fadernets.engines import model_folder
from fadernets.engines.grid import Engine
from fadernets.engines.model_folder import ModelError
from fadernets.engines.rewriter import RewriterEngine


@pytest.fixture
def folder(exported, tmp_path):
    """A copy of a model folder, to damage."""
    return shutil.copytree(exported[True][0], tmp_path / "model")


def test_a_bundled_model_by_its_name(monkeypatch, folder, tmp_path):
    (tmp_path / "fadernets").mkdir()
    shutil.move(folder, tmp_path / "fadernets" / "bundled" / "small")
    (tmp_path / "fadernets" / "bundled" / "notes").mkdir()
    monkeypatch.setattr(model_folder.resources, "files", lambda package: tmp_path / package)
    assert list(model_folder.bundled()) == ["small"]
    assert Engine.open("small").name == "toy"
    with pytest.raises(ModelError, match=r"^model large: is neither a bundled model nor a folder; bundled: small$"):
        Engine.open("large")


def test_the_default_model_is_bundled():
    assert model_folder.DEFAULT_MODEL in model_folder.bundled()


def test_no_such_model(tmp_path):
    with pytest.raises(ModelError, match=r"^model .*none: is neither a bundled model nor a folder; bundled: "):
        Engine.open(tmp_path / "none")
    with pytest.raises(ModelError, match=r"^model .*: has no model\.json; bundled: "):
        Engine.open(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"format": 2}', "\xff"])
def test_a_damaged_description(folder, text):
    (folder / "model.json").write_text(text, encoding="latin-1")
    with pytest.raises(ModelError, match=r"model\.json: (is damaged \(.*\); export|lacks)") as error:
        Engine.open(folder)
    assert "\n" not in str(error.value)


def nested(info, path, value):
    """The info with another value at a path of keys."""
    *parents, last = path
    inner = info
    for key in parents:
        inner = inner[key]
    inner[last] = value
    return info


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["calibration", "rhythm_density"], {"values": [], "zd": []}),
        (["calibration", "rhythm_density"], {"values": [0.0, 1.0], "zd": [0.0]}),
        (["calibration", "rhythm_density"], {"values": [1.0, 0.0], "zd": [0.0, 1.0]}),
        (["calibration", "rhythm_density", "zd"], [0.0, float("nan")]),
        (["calibration", "rhythm_density", "zd"], [[0.0], [1.0]]),
        (["habits", 0, 0, 0], float("nan")),
        (["patterns", "place", 0, 0], float("nan")),
        (["patterns", "outer_bias", 0], None),
        (["critic", "deviation", 0], 0.0),
        (["critic", "outer", 0], float("inf")),
        (["critic", "inner"], [[1.0]]),
        (["means", "rhythm"], [1.0, 2.0]),
        (["means", "note", 0, 0], float("nan")),
        (["means", "note", 0, 0], 1e300),
        (["means", "note", 0, 0], "x" * 100_000),
        (["statistics", "note_density", "std"], float("nan")),
        (["statistics", "note_density", "std"], 10**400),
        (["sha256"], "none"),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, list) else "",
)
def test_numbers_that_no_model_has(folder, path, value):
    if path[0] in ("patterns", "critic") and not json.loads((folder / "model.json").read_text()).get(path[0]):
        pytest.skip("the toy model learned none")
    info = nested(json.loads((folder / "model.json").read_text()), path, value)
    (folder / "model.json").write_text(json.dumps(info))
    with pytest.raises(ModelError, match=r"model\.json: is damaged \(.*\); export") as error:
        Engine.open(folder)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 10**400, 0, -1, 2**40, None, "x", []])
def test_sizes_that_no_rewriter_has(tmp_path, value):
    info = json.loads((model_folder.bundled()["rewriter"] / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(nested(info, ["size", "width"], value)))
    with pytest.raises(ModelError, match=r"model\.json: is damaged \(.*\); export") as error:
        RewriterEngine.open(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"format": ' + "9" * 5000 + "}", '{"format": ' * 100_000])
def test_a_description_that_nobody_can_read(folder, text):
    (folder / "model.json").write_text(text)
    with pytest.raises(ModelError, match=r"model\.json: is damaged \(.*(deep|digits).*\); export"):
        Engine.open(folder)


def test_a_description_of_another_format(folder):
    info = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(info | {"format": 1}))
    with pytest.raises(ModelError, match="format 1; this version reads 2"):
        Engine.open(folder)


@pytest.mark.parametrize("name", ["encoder", "decoder"])
def test_a_damaged_graph(folder, name, segments):
    path = folder / f"{name}.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match=rf"{name}\.onnx: is damaged .*hash.*; export it again"):
        Engine.open(folder).load()


@pytest.mark.parametrize("name", ["encoder", "decoder"])
def test_a_missing_graph(folder, name):
    (folder / f"{name}.onnx").unlink()
    with pytest.raises(ModelError, match=rf"{name}\.onnx: cannot be read \(No such file or directory\)"):
        Engine.open(folder).load()


def test_sessions_open_when_first_needed(folder, segments):
    """A model that only measures needs no decoder."""
    (folder / "decoder.onnx").unlink()
    engine = Engine.open(folder)
    engine.arousal(engine.encode(segments))
