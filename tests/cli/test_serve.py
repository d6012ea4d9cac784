"""The command `serve`: what it refuses before it serves. What it serves is in tests/serving."""

import shutil
import socket
import sys

import pytest

from fadernets.cli.main import main
from fadernets.engines.model_folder import bundled
from fadernets.errors import FadernetsError
from fadernets.web import guard


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--workers", "0"], "--workers 0: must be at least 1"),
        (["--queue", "0"], "--queue 0: must be at least 1"),
        (["--seconds", "0"], "--seconds 0: must be more than 0"),
        (["--seconds", "nan"], "--seconds nan: is not a finite number"),
        (["--drain", "-1"], "--drain -1: must be at least 0"),
        (["--memory-mb", "10"], "--memory-mb 10: must be at least 300"),
        (["--client-rate", "-1"], "--client-rate -1: must be at least 0"),
        (["--client-requests", "-1"], "--client-requests -1: must be at least 0"),
        (["--keep-hours", "0"], "--keep-hours 0: must be more than 0"),
        (["--store-mb", "0"], "--store-mb 0: must be at least 1"),
        (["--store", "sqlite:/nowhere/x"], "--store sqlite:/nowhere/x: unable to open database file; name a file"),
        (["--public", "example"], "--public example: expected an address such as"),
        (["--model", "/nowhere"], "model /nowhere: is neither a bundled model nor a folder"),
        (["--port", "70000"], "--port 70000: must lie in 0..65535"),
    ],
)
def test_what_makes_no_server_is_one_line(words, error, capsys):
    assert main(["serve", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert err.startswith(f"fadernets serve: error: {error}")


def test_a_model_that_was_pulled_is_offered_by_its_name_on_the_hub(pulled, tmp_path, monkeypatch, capsys):
    from fadernets.serving import app

    mine = shutil.copytree(bundled()["rewriter"], tmp_path / "mine")
    offered = []

    def stop(pool, store, models, *others, **options):
        offered.extend(row.name for row in models.describe())
        raise FadernetsError("enough")

    monkeypatch.setattr(guard, "listen", lambda host, port: None)
    monkeypatch.setattr(app, "create", stop)
    assert main(["serve", "--port", "0", "--model", pulled.model, "--model", str(mine)]) == 2
    assert offered == ["rewriter", "melody", "pop-lieder", pulled.model, "mine"]


@pytest.mark.parametrize("command", [["serve"], ["studio", "--no-browser"]])
def test_two_models_of_one_name_are_refused(command, tmp_path, capsys):
    one, other = (shutil.copytree(bundled()["rewriter"], tmp_path / place / "mine") for place in "ab")
    given = [word for folder in (one, one, other) for word in ("--model", str(folder))]
    assert main([*command, "--port", "0", *given]) == 2
    said = f"--model {other}: another model is called mine too; rename one of the folders"
    assert capsys.readouterr().err == f"fadernets {command[0]}: error: {said}\n"


def test_a_port_that_is_taken(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert main(["serve", "--port", str(other.getsockname()[1])]) == 2
    assert "cannot listen there" in capsys.readouterr().err


def test_without_its_packages_it_says_what_to_install(monkeypatch, capsys):
    for name in [name for name in sys.modules if name.startswith("fadernets.serving")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    assert main(["serve", "--port", "0"]) == 2
    assert capsys.readouterr().err == (
        "fadernets serve: error: needs prometheus_client: pip install 'fadernets[serve]'\n"
    )
