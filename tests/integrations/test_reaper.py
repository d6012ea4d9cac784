"""The script for REAPER, run by Lua against a stand-in for REAPER's API and a real studio."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from midi_files import left, right
from served_studio import served

from fadernets.music.opening import open_document
from fadernets.studio.service import Studio

LUA = shutil.which("lua5.3") or shutil.which("lua5.4")
pytestmark = [
    pytest.mark.skipif(LUA is None, reason="Lua is not installed"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]
HERE = Path(__file__).parent
SCRIPT = HERE.parents[1] / "integrations" / "reaper" / "fadernets.lua"
NOTES = [(*row, 0) for row in right(16)] + [(*row, 0) for row in left(16)]


@pytest.fixture(scope="module")
def address():
    with served(Studio()) as found:
        yield found


def run(folder, address, answers, begins=8, notes=NOTES):
    """What the script did: rows of words."""
    rows = "".join(f"{a} {b} {channel} {pitch} {velocity};" for a, b, pitch, velocity, channel in notes)
    done = subprocess.run(
        [LUA, HERE / "reaper_stand_in.lua", SCRIPT, folder, answers, str(begins), rows],
        env={**os.environ, "FADERNETS_STUDIO": address},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == ""
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_an_item_gets_a_new_take(tmp_path, address):
    did = run(tmp_path, address, ",,,,100,,2-3")
    assert [row[0] for row in did] == ["dialog", "take", "named", "value", "active", "undo"]
    assert did[0][1:3] == ["fadernets", "7"]
    assert "dynamics: " in did[0][3]
    assert "rhythm density: " in did[0][3]
    path = tmp_path / "fadernets-0001.mid"
    assert did[1] == ["take", str(path)]
    assert did[3] == ["value", "D_STARTOFFS", "0.0000"]
    piece = open_document(path).piece
    assert sorted(zip(piece.notes["onset"] / piece.tpq, piece.notes["pitch"], strict=True)) == sorted(
        (onset, pitch) for onset, _, pitch, _, _ in NOTES
    )
    bar = 4 * piece.tpq
    inside = (piece.notes["onset"] >= bar) & (piece.notes["onset"] < 3 * bar)
    assert piece.notes["velocity"][inside].mean() == pytest.approx(100, abs=2)
    assert piece.notes["velocity"][~inside].mean() < 85
    assert [each.name for each in tmp_path.iterdir()] == ["fadernets-0001.mid"]  # nothing else is left
    assert run(tmp_path, address, ",,,+5,,,")[1] == ["take", str(tmp_path / "fadernets-0002.mid")]


def test_an_item_that_begins_inside_a_bar(tmp_path, address):
    did = run(tmp_path, address, ",,,,60,,", begins=9.5)
    assert did[3] == ["value", "D_STARTOFFS", "0.7500"]
    piece = open_document(tmp_path / "fadernets-0001.mid").piece
    assert piece.notes["onset"].min() == 1.5 * piece.tpq


def test_a_dialog_that_is_cancelled(tmp_path, address):
    assert [row[0] for row in run(tmp_path, address, "cancel")] == ["dialog"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ("much,,,,,,", "rhythm density much: expected a value such as 0.7 or a change such as +0.2"),
        (",,,,60,,x", "bars x: expected bar numbers such as 5-8"),
        (",,,,60,,90", "bars 90-90: the piece has"),
    ],
)
def test_what_cannot_be_asked(tmp_path, address, answers, message):
    did = run(tmp_path, address, answers)
    assert did[-1][:2] == ["message", "fadernets"]
    assert did[-1][2].startswith(message)
    assert list(tmp_path.iterdir()) == []


def test_without_notes_or_a_studio(tmp_path, address):
    assert run(tmp_path, address, "", notes=[]) == [["message", "fadernets", "the item has no notes"]]
    (told,) = run(tmp_path, "http://127.0.0.1:9", "")
    assert told[2] == "no studio answers at http://127.0.0.1:9: start it with `fadernets studio`"
    assert list(tmp_path.iterdir()) == []
