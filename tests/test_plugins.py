"""Entry points of other packages: read once, when they are needed, and a broken one costs one line."""

import logging
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from fadernets import models, plugins
from fadernets.data import sources
from fadernets.data.corpora import CORPORA, Corpus
from fadernets.errors import FadernetsError


@pytest.fixture
def fresh(monkeypatch):
    """As in a process in which no group was read yet."""
    monkeypatch.setattr(plugins, "_begun", set())
    monkeypatch.setattr(plugins, "_read", set())


def install(folder: Path, module: str, source: str, points: dict[str, str], group: str = plugins.ATTRIBUTES) -> None:
    """A distribution `some-MODULE 1.5` with one module and entry points, as pip would leave it in a folder."""
    (folder / f"{module}.py").write_text(source)
    info = folder / f"some_{module}-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: some-{module}\nVersion: 1.5\n")
    rows = "\n".join(f"{name} = {target}" for name, target in points.items())
    (info / "entry_points.txt").write_text(f"[{group}]\n{rows}\n")


@pytest.fixture
def installed(tmp_path, monkeypatch, fresh):
    """A folder on the path to install into."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_group_is_read_once(installed):
    install(installed, "plug_once", "ONE = 1\nTWO = 2\n", {"one": "plug_once:ONE", "two": "plug_once:TWO"})
    taken = []
    for _ in range(2):
        plugins.adopt(plugins.ATTRIBUTES, lambda name, value: taken.append((name, value)))
    assert taken == [("one", 1), ("two", 2)]


def test_targets_are_given_without_an_import(installed):
    install(installed, "plug_late", "raise RuntimeError\n", {"late": "plug_late:Model"}, plugins.MODELS)
    taken = []
    plugins.adopt_targets(plugins.MODELS, lambda name, target: taken.append((name, target)))
    assert taken == [("late", "plug_late:Model")]
    assert "plug_late" not in sys.modules


def test_a_broken_plugin_is_one_line_and_the_others_stay(installed, caplog):
    install(installed, "plug_broken", "import no_such_module_at_all\n", {"a": "plug_broken:A"})
    install(installed, "plug_good", "B = 2\n", {"b": "plug_good:B", "c": "plug_good:C", "d": "plug_good:B"})
    taken = {}

    def accept(name, value):
        if name == "d":
            raise ValueError("d is there\nalready")
        taken[name] = value

    with caplog.at_level(logging.WARNING, "fadernets.plugins"):
        plugins.adopt(plugins.ATTRIBUTES, accept)
    assert taken == {"b": 2}
    a, c, d = caplog.messages
    assert a == (
        "some-plug_broken 1.5: its entry point a (fadernets.attributes = plug_broken:A) is left out: "
        "ModuleNotFoundError: No module named 'no_such_module_at_all'"
    )
    assert "some-plug_good 1.5: its entry point c" in c
    assert d.endswith("left out: ValueError: d is there already")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise RuntimeError('no\\nluck')\n", "RuntimeError: no luck"),
        ("M = 3\n", "TypeError: is no class derived from"),
    ],
)
def test_a_model_that_cannot_be_built_names_its_package(installed, monkeypatch, source, message):
    module = f"plug_model_{len(source)}"
    install(installed, module, source, {"hers": f"{module}:M"}, plugins.MODELS)
    monkeypatch.setattr(models, "MODELS", dict(models.MODELS))
    entry = rf"^some-{module} 1\.5: its entry point hers \(fadernets\.models = {module}:M\) cannot be used: "
    with pytest.raises(FadernetsError, match=entry + message):
        models.model_class("hers")


def test_a_corpus_that_cannot_be_listed_names_its_package(installed, monkeypatch):
    install(installed, "plug_corpus", "", {"hers": "plug_corpus:HERS"}, plugins.CORPORA)
    folder_row = CORPORA["folder"]
    broken = Corpus(**{**vars(folder_row), "name": "hers", "sources": lambda folder: 1 / 0})
    monkeypatch.setattr(CORPORA, "_rows", {**CORPORA._rows, "hers": broken})
    (installed / "a.mid").write_bytes(b"")
    with pytest.raises(FadernetsError, match=r"^some-plug_corpus 1\.5: its entry point hers .*: ZeroDivisionError"):
        sources.list_sources("hers", installed)
    monkeypatch.setattr(CORPORA, "_rows", {**CORPORA._rows, "folder": broken})
    with pytest.raises(ZeroDivisionError):  # an error of this package stays what it is
        sources.list_sources("folder", installed)


def test_a_plugin_that_looks_something_up_while_it_is_imported(installed):
    source = "from fadernets import plugins\nplugins.adopt(plugins.ATTRIBUTES, print)\nA = 1\n"
    install(installed, "plug_again", source, {"a": "plug_again:A"})
    taken = []
    plugins.adopt(plugins.ATTRIBUTES, lambda name, value: taken.append(name))
    assert taken == ["a"]


def test_a_group_that_is_none(fresh):
    with pytest.raises(ValueError, match=r"fadernets.faders: no group of plugins; groups: fadernets.attributes, "):
        plugins.adopt("fadernets.faders", print)


@pytest.mark.parametrize("code", ["", "from fadernets.cli.main import main; main(['--help'])"])
def test_import_and_help_read_no_entry_points(code):
    after = "import atexit, sys, fadernets; atexit.register(lambda: print('fadernets.plugins' in sys.modules)); "
    done = subprocess.run([sys.executable, "-c", after + code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_a_table_has_the_rows_of_packages_behind_its_own(installed, caplog):
    source = "from fractions import Fraction\nHALF = Fraction(1, 2)\nTEXT = 'two'\n"
    points = {"half": "plug_rows:HALF", "one": "plug_rows:HALF", "two": "plug_rows:TEXT"}
    install(installed, "plug_rows", source, points, plugins.CORPORA)
    found = plugins.Table(plugins.CORPORA, Fraction, {"one": Fraction(1)})
    with caplog.at_level(logging.WARNING, "fadernets.plugins"):
        assert list(found) == ["one", "half"]
    assert [message.partition("left out: ")[2] for message in caplog.messages] == [
        "ValueError: a row of the name one exists already",
        "TypeError: is of type str, not Fraction",
    ]
    found["third"] = Fraction(1, 3)
    del found["half"]
    assert (len(found), found["third"]) == (2, Fraction(1, 3))


def test_presets_of_packages_are_named_and_loaded(installed, caplog, tmp_path, monkeypatch):
    from fadernets.editing import presets

    monkeypatch.setattr(presets, "_plugin_presets", {})
    presets.Preset("of a file", {"dynamics": 3.0}).save(tmp_path / "file.json")
    source = (
        "from pathlib import Path\nfrom fadernets.editing.presets import Preset\n"
        "FILE = Path(__file__).with_name('file.json')\nLOUD = Preset('loud', {'dynamics': 9.0})\n"
        "ODD = Preset('odd', {'swing': 1.0})\nNONE = 3\n"
    )
    points = {name: f"plug_presets:{name.upper()}" for name in ("file", "loud", "odd", "none")}
    install(installed, "plug_presets", source, {**points, "valence": "plug_presets:LOUD"}, plugins.PRESETS)
    with caplog.at_level(logging.WARNING, "fadernets.plugins"):
        assert presets.names() == [*presets.bundled(), "file", "loud"]
    assert [presets.load(name).moves for name in ("file", "loud")] == [{"dynamics": 3.0}, {"dynamics": 9.0}]
    reasons = [message.partition("left out: ")[2] for message in caplog.messages]
    assert reasons[0] == "TypeError: is of type int, not a Preset or the path of one"
    assert "unknown fader or impossible move: swing" in reasons[1]
    assert reasons[2] == "ValueError: a preset of the name valence exists already, or is one of a model's codes"
