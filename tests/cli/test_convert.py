"""The command `musicxml`, and scores in and out of `apply` and `measure`."""

import json

import pytest
from made_scores import SONG, packed
from midi_files import PIECES

import fadernets
from fadernets.cli.main import main
from fadernets.music.opening import open_document


def run(capsys, *arguments):
    code = main([str(each) for each in arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_midi_to_a_score_and_back(tmp_path, capsys):
    source = PIECES["two_hands"](tmp_path / "in.mid")
    notes = open_document(source).piece.notes
    told = f"{tmp_path}/out.musicxml: 8 bars, {len(notes)} notes\n"
    assert run(capsys, "musicxml", source, tmp_path / "out.musicxml")[:2] == (0, told)
    code, out, _ = run(capsys, "musicxml", tmp_path / "out.musicxml", tmp_path / "back.mid", "--json")
    assert code == 0
    back = open_document(tmp_path / "back.mid").piece
    assert json.loads(out)["notes"] == len(back.notes)
    assert sorted(back.notes["pitch"].tolist()) == sorted(notes["pitch"].tolist())


def test_a_score_is_edited_into_a_score(tmp_path, capsys):
    source, out = tmp_path / "song.musicxml", tmp_path / "out.mxl"
    source.write_bytes(SONG)
    code, _, told = run(capsys, "apply", source, out, "--set", "dynamics=100", "--bars", "1-2")
    assert code == 0
    assert "grace notes: 1, left out" in told
    assert out.read_bytes()[:2] == b"PK"
    assert open_document(out).piece.notes["velocity"].max() >= 95
    regions = tmp_path / "regions.json"
    regions.write_text('{"version": 1, "regions": [{"notes": {"remove": [[1, 480, 69]], "add": []}}]}')
    assert run(capsys, "apply", source, tmp_path / "two.musicxml", "--regions", regions)[0] == 0
    assert b"two" not in (tmp_path / "two.musicxml").read_bytes().split(b"A song")[1].split(b"three")[0]
    assert run(capsys, "apply", source, tmp_path / "out.mid", "--variations", "2")[0] == 0
    assert (tmp_path / "out-2.mid").read_bytes()[:4] == b"MThd"


def test_a_score_is_measured(tmp_path, capsys):
    source = tmp_path / "song.mxl"
    source.write_bytes(packed(SONG))
    code, out, _ = run(capsys, "measure", source, "--json")
    assert code == 0
    assert len(json.loads(out)["segments"]) == 3
    assert fadernets.measure(packed(SONG))["means"] == json.loads(out)["means"]


def test_a_score_is_turned_mixed_blended_and_played(tmp_path, capsys):
    source = tmp_path / "song.mxl"
    source.write_bytes(packed(SONG))
    assert run(capsys, "melody", source, tmp_path / "same.mxl", "--regrid")[0] == 0
    assert (tmp_path / "same.mxl").read_bytes() == source.read_bytes()
    assert run(capsys, "melody", source, tmp_path / "higher.musicxml", "--pitch", "2", "--regrid")[0] == 0
    assert b"Somebody" in (tmp_path / "higher.musicxml").read_bytes()
    other = PIECES["two_hands"](tmp_path / "in.mid")
    for a, b, keeps in ((source, other, False), (other, source, False)):
        assert run(capsys, "mix", a, b, tmp_path / "mixed.musicxml")[0] == 0
        assert (b"Somebody" in (tmp_path / "mixed.musicxml").read_bytes()) == keeps
    assert run(capsys, "mix", other, source, tmp_path / "mixed.musicxml", "--stretch")[0] == 0
    assert b"Somebody" in (tmp_path / "mixed.musicxml").read_bytes()
    assert run(capsys, "blend", source, other, tmp_path / "cells", "--regrid", "--cells", "2x2")[0] == 0
    assert run(capsys, "render", source, tmp_path / "song.wav")[0] == 0
    assert (tmp_path / "song.wav").read_bytes()[:4] == b"RIFF"


def test_the_api_saves_scores(tmp_path):
    assert b"Somebody" in fadernets.turn(SONG, pitch=1, regrid=True).save(tmp_path / "t.musicxml").read_bytes()
    edited = fadernets.edit(SONG, set={"dynamics": 100}, bars=[(1, 1)])
    assert b"Somebody" in edited.save(tmp_path / "a.musicxml").read_bytes()
    assert edited.save(tmp_path / "a.mid").read_bytes()[:4] == b"MThd"
    source = PIECES["bare"](tmp_path / "in.mid")
    fadernets.apply(source, tmp_path / "b.xml", set={"dynamics": 100})
    assert b"score-partwise" in (tmp_path / "b.xml").read_bytes()


@pytest.mark.parametrize("content", [b"<html/>", b"PK\x03\x04", b"<a>"])
def test_what_is_no_score_is_one_line(tmp_path, capsys, content):
    source = tmp_path / "song.musicxml"
    source.write_bytes(content)
    out = tmp_path / "o.mid"
    for arguments in (("apply", source, out), ("measure", source), ("musicxml", source, out)):
        code, _, told = run(capsys, *arguments)
        assert (code, told.count("\n")) == (2, 1)
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("apply in.mid o.wav --move tempo=9", "an edit is written as MIDI (.mid) or as a score (.musicxml, .mxl)"),
        ("musicxml in.mid o.PDF", "a piece is written as MIDI (.mid) or as a score (.musicxml, .mxl)"),
        ("mix in.mid in.mid o.wav", "a mix is written as MIDI (.mid) or as a score (.musicxml, .mxl)"),
        ("melody in.mid o.wav", "a turned melody is written as MIDI (.mid) or as a score (.musicxml, .mxl)"),
        ("render in.mid o.mp3", "sound is written as WAV (.wav)"),
        ("roll in.mid o.wav", "a roll is written as PNG (.png)"),
        ("render in.mid o.mid", "sound is written as WAV (.wav)"),
        ("beats in.mid o.mid", "a list of beats is written as text (.txt)"),
        ("preset learn o.mid in.mid", "a preset is written as JSON (.json)"),
    ],
)
def test_nothing_is_written_under_the_name_of_another_format(refused, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    PIECES["two_hands"](tmp_path / "in.mid")
    assert f"{message}; name it so" in refused(*arguments.split())


@pytest.mark.parametrize("command", ["beats", "render"])
@pytest.mark.parametrize("name", ["in.mid", "in"])
def test_no_other_format_replaces_the_source(refused, tmp_path, command, name):
    source = PIECES["two_hands"](tmp_path / name)
    (tmp_path / "link").symlink_to(source)
    for out in (source, tmp_path / "link"):
        assert f"{out}: is the input, which is of another format; name another file" in refused(command, source, out)


def test_an_edit_may_replace_its_source(tmp_path, capsys):
    source = PIECES["two_hands"](tmp_path / "in.mid")
    assert run(capsys, "apply", source, source, "--set", "tempo=80")[0] == 0
    assert open_document(source).piece.tempo.micros.tolist() == [750_000]
