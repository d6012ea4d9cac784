"""Which command and which commit made a file."""

import subprocess

import pytest

from fadernets import __version__, provenance
from fadernets.evaluation import run_table1


@pytest.fixture
def git(monkeypatch):
    """Sets what git answers: a function of its arguments behind `-C FOLDER`."""
    provenance.commit.cache_clear()

    def answer(of):
        def run(arguments, **_):
            code, out = of(arguments[3:])
            return subprocess.CompletedProcess(arguments, code, out, "")

        monkeypatch.setattr(subprocess, "run", run)

    yield answer
    provenance.commit.cache_clear()


def test_command_and_commit(git, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/usr/bin/fadernets", "table1", "--only", "pati"])
    git(lambda arguments: (0, "b69ff1b-dirty\n" if arguments[0] == "describe" else "provenance.py\n"))
    assert provenance.provenance() == {"command": "fadernets table1 --only pati", "commit": "b69ff1b-dirty"}


def test_a_package_in_somebody_elses_repository_has_its_version(git):
    git(lambda arguments: (0, "b69ff1b\n") if arguments[0] == "describe" else (1, ""))
    assert provenance.commit() == __version__


def test_without_a_repository_or_git(git, monkeypatch):
    git(lambda arguments: (128, ""))
    assert provenance.commit() == __version__
    provenance.commit.cache_clear()

    def none(*_, **__):
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", none)
    assert provenance.commit() == __version__


def test_the_commit_is_read_once(git):
    asked = []
    git(lambda arguments: (asked.append(arguments), (0, "b69ff1b"))[1])
    assert provenance.commit() == provenance.commit() == "b69ff1b"
    assert len(asked) == 2


def test_code_is_known_by_its_source(tmp_path, monkeypatch):
    """... and by that of what it imports."""
    one = provenance.code_hash("metrics.fader_scores", "metrics.note_features")
    assert one == provenance.code_hash("metrics.fader_scores", "metrics.note_features")
    assert one != provenance.code_hash("metrics.fader_scores")
    real = provenance._file
    for changed in ("fadernets.metrics.fader_scores", "fadernets.arrays"):
        source = tmp_path / f"{changed}.py"
        source.write_bytes(real(changed).read_bytes() + b"# changed")
        monkeypatch.setattr(
            provenance, "_file", lambda name, at=(changed, source): at[1] if name == at[0] else real(name)
        )
        assert provenance.code_hash("metrics.fader_scores", "metrics.note_features") != one


def test_code_is_all_that_is_needed_and_no_more():
    """What is imported late, by its name, is needed too."""
    files = provenance.code_files(*run_table1.MEASURING_MODULES)
    needed = (
        "codecs.grid",
        "codecs.performance_tokens",
        "models.music_fadernets",
        "models.token_coding",
        "data.batches",
    )
    assert {f"fadernets.{name}" for name in needed} < set(files)
    assert {name.split(".")[1] for name in files}.isdisjoint({"cli", "studio", "web", "listening", "figures"})
    assert files["fadernets.models"].name == "__init__.py"
    assert provenance.code_files("none") == {}
