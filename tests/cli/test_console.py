"""What every command shares: errors of one line, checks before any work, warnings, progress."""

import sys

import pytest

from fadernets.cli import console
from fadernets.errors import FadernetsError


def test_an_argument_s_error_is_one_line(capsys):
    parser = console.Parser(prog="fadernets melody")
    parser.add_argument("--pitch", type=float)
    with pytest.raises(SystemExit) as stop:
        parser.parse_args(["--pitch", "high"])
    assert stop.value.code == 2
    said = "fadernets melody: error: argument --pitch: invalid float value: 'high' (see fadernets melody --help)\n"
    assert capsys.readouterr() == ("", said)


def test_places_for_a_file(tmp_path):
    (tmp_path / "old.mid").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    for name in ("old.mid", "new.mid", "folder/new.mid"):
        console.check_output(tmp_path / name)
    for name, message in (("folder", "is a folder; name a file"), ("none/new.mid", "its folder .*none does not exist")):
        with pytest.raises(FadernetsError, match=message):
            console.check_output(tmp_path / name)
    with pytest.raises(FadernetsError, match="is not a regular file"):
        console.check_output(type(tmp_path)("/dev/null"))


def test_warnings_go_to_standard_error(capsys):
    console.warn(["one", "two"])
    console.warn([])
    assert capsys.readouterr() == ("", "warning: one\nwarning: two\n")


def test_progress_shows_on_standard_error_what_takes_long(capsys, monkeypatch):
    report = console.progress("clips")
    for done in range(4):
        report(done, 3)
    assert capsys.readouterr() == ("", "")  # done within a second
    import tqdm

    made = []
    real = tqdm.tqdm
    monkeypatch.setattr(tqdm, "tqdm", lambda **options: made.append(real(**{**options, "delay": 0})) or made[-1])
    report = console.progress("clips")
    report(1, 3)
    report(2, 4)
    assert (made[0].n, made[0].total, made[0].fp) == (2, 4, sys.stderr)
    report(4, 4)
    assert made[0].disable  # closed
    out, err = capsys.readouterr()
    assert out == ""
    assert "clips" in err
