"""Which command and which commit made a file."""

import subprocess

import pytest

from fadernets import __version__, provenance


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
