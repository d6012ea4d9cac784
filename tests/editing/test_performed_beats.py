"""Edits of performances on the times of their beats."""

import json
from itertools import pairwise

import numpy as np
import pytest
from midi_files import metre, save, track
from rule_rewriter import RuleRewriter, folder_of_rule

import fadernets
from fadernets.editing import file_edit
from fadernets.editing.requests import Faders
from fadernets.engines.grid import Engine
from fadernets.errors import FadernetsError
from fadernets.music.beat_times import BeatTimes
from fadernets.music.document import Document

BEATS = 0.31 + np.cumsum(0.62 + 0.07 * np.sin(np.arange(40) / 4))


@pytest.fixture
def performance(tmp_path):
    """Eighths over a bass, played on BEATS in a file whose tempo map is none."""
    rng, rows = np.random.default_rng(0), []
    for i, (a, b) in enumerate(pairwise(BEATS)):
        for k in range(2):
            at = a + (b - a) * k / 2 + rng.normal(0, 0.01)
            rows.append((2 * at, (b - a) * 0.9, (60, 64, 67, 72)[(i + k) % 4], 70))
        rows.append((2 * (a + rng.normal(0, 0.01)), 2 * (b - a) * 0.9, 45 + i % 4, 70))
    BeatTimes(BEATS, np.arange(40) % 4 == 0).write(tmp_path / "beats.txt")
    return save(tmp_path / "played.mid", track(rows, metre(4)))


def test_without_beats_an_edit_says_that_there_are_none(performance, tmp_path):
    document = Document(performance)
    (answer,) = file_edit.edit_document(RuleRewriter(), document, Faders.checked(move={"rhythm_density": 0.1}))
    assert any("beats takes their times" in warning for warning in answer.report.warnings)
    (answer,) = file_edit.edit_document(
        RuleRewriter(), document, Faders.checked(move={"rhythm_density": 0.1}, beats=tmp_path / "beats.txt")
    )
    assert not any("beats" in warning for warning in answer.report.warnings)


def test_new_notes_follow_the_beats(performance, tmp_path):
    faders = Faders.checked(move={"rhythm_density": 0.125}, bars=[(3, 6)], beats=tmp_path / "beats.txt")
    document = Document(performance)
    (answer,) = file_edit.edit_document(RuleRewriter(), document, faders)
    for s in answer.report.segments:
        if s.asked["rhythm_density"] is not None:
            assert 3 <= s.bar <= 6
            assert s.measured["rhythm_density"] == pytest.approx(s.before["rhythm_density"] + 0.125, abs=1e-5)
    after = Document(document.path, answer.data).piece
    seconds = after.tempo.seconds(after.notes["onset"])
    low, high = BEATS[8], BEATS[24]
    old = document.piece.notes["onset"].tolist()
    new = [t for t, onset in zip(seconds.tolist(), after.notes["onset"].tolist(), strict=True) if onset not in old]
    assert new
    assert all(low - 0.1 <= t <= high for t in new)
    quarter = np.interp(new, BEATS, np.arange(40)) * 4
    assert np.abs(quarter - np.round(quarter)).max() < 0.3


def test_locks_count_the_bars_of_the_beats(performance, tmp_path):
    faders = Faders.checked(move={"note_density": 1.0}, keep=["melody:3"], beats=tmp_path / "beats.txt")
    document = Document(performance)
    (answer,) = file_edit.edit_document(RuleRewriter(), document, faders)
    seconds = document.piece.tempo.seconds(document.piece.notes["onset"])
    inside = (seconds > BEATS[8] + 0.1) & (seconds < BEATS[12] - 0.1) & (document.piece.notes["pitch"] >= 60)
    kept = document.piece.notes[inside].tolist()
    assert kept
    after = Document(document.path, answer.data).piece.notes.tolist()
    assert all(note in after for note in kept)


def test_windows_heed_no_beats(performance, tmp_path):
    with pytest.raises(FadernetsError, match="beats: needs a model that rewrites passages"):
        file_edit.edit_document(Engine.open(), Document(performance), Faders.checked(beats=tmp_path / "beats.txt"))


def test_the_command_line_finds_and_takes_beats(performance, tmp_path, monkeypatch, run_here):
    rule = folder_of_rule(tmp_path / "rule", monkeypatch)
    code, out, err = run_here("beats", performance, tmp_path / "found.txt", "--json")
    assert (code, err) == (0, [])
    found = json.loads(out)
    assert found["beats"] == len(BeatTimes.read(tmp_path / "found.txt").seconds)
    code, out, _ = run_here("beats", performance, tmp_path / "found.txt")
    assert f"{found['beats']} beats" in out
    options = ["--model", rule, "--beats", tmp_path / "beats.txt"]
    code, out, err = run_here("apply", performance, tmp_path / "out.mid", *options, "--move", "note-density=0.5")
    assert code == 0
    made = fadernets.edit(performance, move={"note_density": 0.5}, beats=tmp_path / "beats.txt", model=rule)
    assert (tmp_path / "out.mid").read_bytes() == made.data
    code, out, err = run_here("measure", performance, *options, "--json")
    assert (code, err) == (0, [])
    assert {round(row["rhythm_density"], 3) for row in json.loads(out)["segments"][2:8]} == {0.5}
    code, out, err = run_here("measure", performance, "--model", rule, "--json")
    assert "--beats takes their times" in err[0]
