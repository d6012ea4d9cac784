"""The command line: what it prints, what it refuses, and what it leaves behind."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from midi_files import BROKEN, ODDITIES, PIECES, TPQ, metre, notes, right, save, three_hours, track

from fadernets.attributes import table
from fadernets.cli import main
from fadernets.editing import file_edit
from fadernets.engines import model_folder

COMMANDS = (
    "apply", "mix", "measure", "preset", "render", "models", "demo", "prepare", "train", "export", "evaluate", "bench",
    "plot", "melody", "blend", "inspect", "studio", "listen",
)  # fmt: skip


@pytest.fixture
def run(run_here):
    return run_here


@pytest.fixture
def piece(tmp_path):
    return PIECES["two_hands"](tmp_path / "in.mid")


def started(*arguments, **more):
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "fadernets.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **more)


# Help


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_quick_and_loads_nothing(command):
    program = (
        "import sys\nfrom fadernets.cli import main\ntry:\n main([sys.argv[1], '--help'])\nfinally:\n"
        " print([m for m in ('numpy', 'torch', 'mido', 'onnxruntime', 'tqdm') if m in sys.modules], file=sys.stderr)"
    )
    seconds = []
    for _ in range(5):  # the best of five: other work may be going on
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", program, command], capture_output=True, text=True)
        seconds.append(time.perf_counter() - start)
        if seconds[-1] < 0.3:
            break
    assert min(seconds) < 0.3
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"
    assert done.stdout.startswith(f"usage: fadernets {command}")
    for option in ("--json", "--seed"):
        assert option in done.stdout


def test_every_command_is_tested_for_its_help():
    (commands,) = (a for a in main._parser()._actions if isinstance(a, argparse._SubParsersAction))
    assert sorted(commands.choices) == sorted(COMMANDS)


def test_the_program_names_its_commands_and_version(run):
    code, out, _ = run("--help")
    assert code == 0
    assert all(command in out for command in COMMANDS)
    assert run("--version")[1].startswith("fadernets 0.")


def test_no_command_or_an_unknown_one_is_an_error_of_one_line(run):
    for arguments in ([], ["play"], ["apply"], ["apply", "--sed", "1"], ["measure", "x.mid", "--seed", "-1"]):
        code, out, err = run(*arguments)
        assert (code, out, len(err)) == (2, "", 1)
        assert "error:" in err[0]
        assert "--help" in err[0]


def test_a_seed_says_what_it_may_be(run):
    assert "'-1': expected a whole number from 0 to 4294967295" in run("models", "--seed=-1")[2][0]
    assert run("models", "--seed", 2**32)[0] == 2
    assert run("models", "--seed", 2**32 - 1)[0] == 0


# apply


def test_apply_prints_a_table_and_writes_the_file(run, piece, tmp_path):
    code, out, err = run("apply", piece, tmp_path / "out.mid", "--set", "rhythm-density=0.25")
    assert (code, err) == (0, [])
    lines = out.splitlines()
    assert "rhythm density" in lines[0]
    assert len(lines) == 2 + 8
    assert lines[2].split()[2] == lines[2].split()[3] == "0.25"  # asked and measured
    assert notes(tmp_path / "out.mid") != notes(piece)


def test_apply_takes_ramps_and_values_by_bar(run, piece, tmp_path):
    out = tmp_path / "out.mid"
    found = json.loads(run("apply", piece, out, "--set", "rhythm-density=0.25..0.75", "--json")[1])
    asked = [s["asked"]["rhythm_density"] for s in found["segments"]]
    assert (asked[0], asked[-1]) == (0.25, 0.75)
    assert asked == sorted(asked)
    values = tmp_path / "values.csv"
    values.write_text("bar,rhythm-density\n2,0.75\n")
    found = json.loads(run("apply", piece, out, "--values", values, "--json")[1])
    assert [s["bar"] for s in found["segments"] if s["asked"]["rhythm_density"] is not None] == [2]


def test_apply_writes_variations(run, piece, tmp_path):
    code, out, err = run("apply", piece, tmp_path / "out.mid", "--set", "rhythm-density=0.75", "--variations", 2)
    assert (code, err) == (0, [])
    assert {p.name for p in tmp_path.glob("out*")} == {"out-1.mid", "out-2.mid"}
    assert out.splitlines()[1].endswith("out-1.mid")
    options = ("--set", "rhythm-density=0.75", "--variations", 2, "--json")
    found = json.loads(run("apply", piece, tmp_path / "out.mid", *options)[1])
    assert [v["out"] for v in found["variations"]] == [str(tmp_path / f"out-{i}.mid") for i in (1, 2)]
    assert len(found["difference"]) == 2


def test_apply_refuses_what_contradicts(refused, piece, tmp_path):
    out, values = tmp_path / "out.mid", tmp_path / "values.json"
    values.write_text('{"rhythm-density": [0.5]}')
    assert "--variations 0: must lie in 1..16" in refused("apply", piece, out, "--variations", 0)
    assert "rhythm-density has 1 values; the piece has" in refused("apply", piece, out, "--values", values)
    message = refused("apply", piece, out, "--values", values, "--set", "rhythm-density=0.5")
    assert "--set and --values both name rhythm-density" in message
    assert "is not a number" in refused("apply", piece, out, "--set", "rhythm-density=0.5..")


def test_apply_prints_json_for_machines(run, piece, tmp_path):
    arguments = ["--move", "note-density=0.5", "--preset", "arousal-codes=-0.5"]
    arguments += ["--bars", "2-3", "--seed", "7", "--json"]
    code, out, err = run("apply", piece, tmp_path / "out.mid", *arguments)
    found = json.loads(out)
    assert code == 0
    assert err == [f"warning: {warning}" for warning in found["warnings"]]
    assert (found["model"], found["seed"]) == ("pop-lieder", 7)
    assert [s["asked"]["note_density"] is None for s in found["segments"]] == [True, False, False] + [True] * 5
    assert {s["asked"]["rhythm_density"] for s in found["segments"]} == {None}


def test_faders_may_be_spelt_with_underscores_and_the_last_one_counts(run, piece, tmp_path):
    given = ["--set", "note_density=1", "--set", " rhythm-density = 0.5", "--set", "note-density=2"]
    _, out, _ = run("apply", piece, tmp_path / "out.mid", *given, "--json")
    asked = json.loads(out)["segments"][0]["asked"]
    assert {k: v for k, v in asked.items() if v is not None} == {"rhythm_density": 0.5, "note_density": 2.0}


def test_tracks_are_named_by_number_or_name(run, tmp_path):
    source = PIECES["band"](tmp_path / "in.mid")
    for given, channels in (("2", {1}), ("strings", {2}), ("Piano, 2", {0, 1})):
        run("apply", source, tmp_path / "out.mid", "--tracks", given, "--set", "note-density=0")
        gone = set(notes(source)) - set(notes(tmp_path / "out.mid"))
        assert {row[5] for row in gone} == channels


def test_a_folder_can_be_the_model(run, piece, tmp_path):
    shutil.copytree(model_folder.bundled()["pop-lieder"], tmp_path / "model")
    for model in ("pop-lieder", tmp_path / "model"):
        out = tmp_path / f"out-{len(str(model))}.mid"
        run("apply", piece, out, "--set", "rhythm-density=0.5", "--model", model)
    one, other = tmp_path.glob("out-*.mid")
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("name", [*ODDITIES, "beyond"])
def test_what_can_be_played_is_edited_with_a_warning(run, tmp_path, name):
    source = {**ODDITIES, **PIECES}[name](tmp_path / "in.mid")
    code, _, err = run("apply", source, tmp_path / "out.mid", "--set", "rhythm-density=0.25")
    assert code == 0
    assert (tmp_path / "out.mid").exists()
    assert all(line.startswith("warning: ") for line in err)
    assert bool(err) == (name != "idle_offs")


def test_a_value_outside_its_range_is_clamped_with_a_warning(run, piece, tmp_path):
    code, out, err = run("apply", piece, tmp_path / "out.mid", "--set", "rhythm-density=7", "--json")
    assert code == 0
    assert err[0] == "warning: rhythm-density: 8 of 8 segments were asked for values outside 0..1; clamped"
    assert json.loads(out)["segments"][0]["asked"]["rhythm_density"] == 1.0


# Bad input


@pytest.mark.parametrize("command", ["apply", "measure"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty", "is empty"),
        ("truncated", "is damaged (it ends in track"),
        ("text", "is not a MIDI file"),
        ("no_notes", "has no notes"),
        ("only_drums", "has only drums"),
        ("noise", "is not a MIDI file"),
        ("noise_with_header", "is damaged"),
        ("smpte", "SMPTE frames"),
        ("no_division", "0 ticks"),
        ("format_2", "format 2"),
        ("endless", "at most 50000"),
    ],
)
def test_files_that_cannot_be_used(refused, tmp_path, command, name, message):
    source = BROKEN[name](tmp_path / "in.mid")
    arguments = ["--set", "rhythm-density=0.5"] if command == "apply" else []
    assert message in refused(command, source, *([tmp_path / "out.mid"] if command == "apply" else []), *arguments)


def test_files_that_are_not_there(refused, tmp_path):
    assert "none.mid: cannot be read (No such file or directory)" in refused("measure", tmp_path / "none.mid")
    assert "is a folder, not a MIDI file" in refused("measure", tmp_path)
    assert "File name too long" in refused("measure", tmp_path / ("x" * 300))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--set volume=1", "unknown fader 'volume'; known: rhythm-density, note-density"),
        ("--move swing=1", "unknown fader 'swing'"),
        ("--set key=H", "--set key=H: 'H' is not a key; write it like C, F#m, B-flat major or a-minor"),
        ("--set key=", "'' is not a key"),
        ("--set key=3", "'3' is not a key"),
        ("--set key=C..G", "'C..G' is not a key"),
        ("--move key=0.5", "--move key=0.5: a key moves by whole semitones; --set key=a-minor names one"),
        ("--move key=Am", "'Am' is not a number"),
        ("--move key=1..2", "'1..2' is not a number"),
        ("--attributes none.py", "--attributes none.py: no such file"),
        ("--set rhythm-density", "expected rhythm-density=NUMBER"),
        ("--set rhythm-density=", "'' is not a number"),
        ("--set rhythm-density=lots", "'lots' is not a number"),
        ("--set =0.5", "unknown fader ''"),
        ("--set rhythm-density=nan", "'nan' is not a finite number"),
        ("--move note-density=-inf", "'-inf' is not a finite number"),
        ("--set note-density=1 --move note_density=1", "both name note-density"),
        ("--preset arousal", "expected NAME=AMOUNT"),
        ("--preset joy=1", "bundled: arousal, tension, valence, arousal-codes"),
        ("--preset arousal=inf", "'inf' is not a finite number"),
        ("--bars x", "expected bar numbers such as 5-12"),
        ("--bars 3-", "expected bar numbers"),
        ("--bars -3", "expected"),
        ("--bars 5-4", "the first not behind the last"),
        ("--bars 0-4", "bars count from 1"),
        ("--bars 1,,2", "expected bar numbers"),
        ("--bars 9-12", "--bars 9-12: the piece has 8 bars"),
        ("--bars 1-2,400", "--bars 400-400: the piece has 8 bars"),
        ("--tracks 3", "--tracks 3: no such pitched track; the file has 1 'right hand', 2 'left hand'"),
        ("--tracks feet", "--tracks feet: no such pitched track"),
        ("--tracks ,", "expected numbers or names"),
        ("--faithfulness 2", "must lie in 0..1"),
        ("--faithfulness nan", "must lie in 0..1"),
        ("--faithfulness x", "invalid float value"),
        ("--model none", "is neither a bundled model nor a folder; bundled: melody, pop-lieder"),
        ("--model .", "has no model.json"),
        ("--seed x", "expected a whole number"),
    ],
)
def test_options_that_make_no_sense(refused, piece, tmp_path, options, message):
    assert message in refused("apply", piece, tmp_path / "out.mid", *options.split())


def test_outputs_that_cannot_be_written(refused, piece, tmp_path):
    assert "its folder" in refused("apply", piece, tmp_path / "none" / "out.mid")
    (tmp_path / "folder").mkdir()
    assert "is a folder; name a file" in refused("apply", piece, tmp_path / "folder")
    assert "its folder" in refused("apply", piece, piece / "out.mid")
    assert "File name too long" in refused("apply", piece, tmp_path / ("x" * 300))
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in refused("apply", piece, tmp_path / "pipe")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_without_leave_to_write(refused, piece, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "cannot be written to" in refused("apply", piece, tmp_path / "locked" / "out.mid")


def test_a_disk_that_fills_up_leaves_nothing(refused, piece, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    assert "out.mid: cannot be written (No space left on device)" in refused("apply", piece, tmp_path / "out.mid")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "model.json").write_text("{"), "model.json: is damaged"),
        (lambda f: (f / "model.json").write_text("[]"), "model.json: is damaged"),
        (lambda f: (f / "model.json").write_bytes(b"\xff\xfe"), "model.json: is damaged"),
        (lambda f: (f / "model.json").write_text(""), "model.json: is damaged"),
        (lambda f: _without(f, "calibration"), "model.json: is damaged"),
        (lambda f: _without(f, "sha256"), "lacks sha256"),
        (lambda f: (f / "decoder.onnx").write_bytes(b"no"), "decoder.onnx: is damaged (its hash"),
        (lambda f: (f / "decoder.onnx").unlink(), "decoder.onnx: cannot be read"),
        (lambda f: _flip(f / "encoder.onnx"), "encoder.onnx: is damaged"),
    ],
)
def test_model_folders_that_are_damaged(refused, piece, tmp_path, damage, message):
    folder = shutil.copytree(model_folder.bundled()["pop-lieder"], tmp_path / "model")
    damage(folder)
    options = ("--set", "note-density=2", "--model", folder)
    assert message in refused("apply", piece, tmp_path / "out.mid", *options)


@pytest.mark.parametrize("key", ["name", "means", "calibration", "statistics", "sha256", "format", "habits"])
@pytest.mark.parametrize("value", [None, 3, "x", [], {"x": [[]]}])
def test_a_model_file_with_nonsense_in_it(run, piece, tmp_path, key, value):
    folder = shutil.copytree(model_folder.bundled()["pop-lieder"], tmp_path / "model")
    info = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(info | {key: value}))
    code, _, err = run("apply", piece, tmp_path / "out.mid", "--preset", "arousal-codes=1", "--model", folder)
    if key == "name":
        assert code == 0
    else:
        assert (code, len(err)) == (2, 1)
        assert not (tmp_path / "out.mid").exists()


def _without(folder, key):
    info = json.loads((folder / "model.json").read_text())
    del info[key]
    (folder / "model.json").write_text(json.dumps(info))


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_one_line_and_no_traceback_from_a_process_of_its_own(piece, tmp_path):
    BROKEN["noise_with_header"](tmp_path / "noise.mid")
    done = started("apply", tmp_path / "noise.mid", tmp_path / "out.mid", "--set", "rhythm-density=0.5")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "is damaged" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.mid", "noise.mid"]

    done = started("apply", piece, tmp_path / "out.mid", "--set", "rhythm-density=0.5", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(done.stdout)["segments"]) == 8


# measure, models, render


def test_measure_prints_a_table(run, tmp_path):
    code, out, err = run("measure", PIECES["gaps"](tmp_path / "in.mid"))
    assert (code, err) == (0, [])
    lines = out.splitlines()
    names = "bar beat rhythm density note density syncopation pitch dynamics articulation tempo arousal key"
    assert lines[0].split() == names.split()
    assert len(lines) == 1 + 6 + 1
    assert lines[2].split() == ["2", "4", "0.00", "0.00", "0.00", "-", "-", "-", "100.00", "-", "-"]
    assert lines[-1].split()[0] == "mean"


def test_measure_prints_json(run, tmp_path):
    chord = [(0, 2, pitch, 80) for pitch in (60, 64, 67)]
    scale = [(4 + i / 2, 0.5, pitch, 80) for i, pitch in enumerate((72, 74, 76, 77, 79, 77, 76, 74))]
    source = save(tmp_path / "in.mid", track(chord + scale, metre(4)))
    found = json.loads(run("measure", source, "--json")[1])
    assert [(s["rhythm_density"], s["note_density"]) for s in found["segments"]] == [(1 / 16, 1.5), (0.5, 1.0)]
    assert [s["key"] for s in found["segments"]] == ["C major"] * 2
    assert (found["means"]["rhythm_density"], found["means"]["note_density"]) == (0.28125, 1.25)
    assert found["means"]["key"] == "C major"
    arousal = [s["arousal"] for s in found["segments"]]
    assert found["means"]["arousal"] == pytest.approx(sum(arousal) / 2, abs=2e-6)
    assert found["tracks"] == [{"track": 1, "name": "", "program": 0, "edited": True}]


def test_measure_agrees_with_the_report_of_apply(run, piece, tmp_path):
    report = json.loads(run("apply", piece, tmp_path / "out.mid", "--set", "rhythm-density=0.375", "--json")[1])
    found = json.loads(run("measure", tmp_path / "out.mid", "--json")[1])
    again = [{k: s[k] for k in report["segments"][0]["measured"]} for s in found["segments"]]
    assert again == [s["measured"] for s in report["segments"]]


# The faders beyond the model


def edited(run, source, *options):
    """The report of an edit of a file into out.mid beside it, and its lines of standard error."""
    code, out, err = run("apply", source, source.with_name("out.mid"), *options, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert err == [f"warning: {warning}" for warning in found["warnings"]]
    return found, err


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ("syncopation=3", "syncopation", 3.0),
        ("pitch=66", "pitch", 66.0),
        ("dynamics=96.5", "dynamics", 96.5),
        ("articulation=0.4", "articulation", 0.4),
        ("tempo=72", "tempo", 72.0),
    ],
)
def test_every_fader_lands_and_json_shows_it(run, piece, tmp_path, given, name, value):
    found, err = edited(run, piece, "--set", given)
    assert err == []
    near = {"syncopation": 0, "pitch": 0.3, "dynamics": 0.05, "articulation": 0.02, "tempo": 0.01}[name]
    for s in found["segments"]:
        assert s["asked"][name] == value
        assert s["measured"][name] == pytest.approx(value, abs=near + 1e-6)
    assert found["means"]["measured"][name] == pytest.approx(value, abs=near + 1e-6)
    again = json.loads(run("measure", tmp_path / "out.mid", "--json")[1])
    assert again["means"][name] == found["means"]["measured"][name]


def test_the_table_shows_the_faders_that_were_moved(run, piece, tmp_path):
    code, out, err = run("apply", piece, tmp_path / "out.mid", "--set", "key=a-minor", "--set", "tempo=80")
    assert (code, err) == (0, [])
    head, _, first, *_ = out.splitlines()
    assert head.split() == ["bar", "rhythm", "density", "note", "density", "key", "tempo"]
    assert first.split()[-3:] == ["100.00", "80.00", "80.00"]


@pytest.mark.parametrize(("given", "name"), [("Am", "A minor"), ("f#", "F-sharp major"), ("B flat", "B-flat major")])
def test_a_key_is_named_as_people_write_it(run, piece, given, name):
    found, err = edited(run, piece, "--set", f"key={given}")
    assert err == []
    assert found["means"]["measured"]["key"] == name


def test_a_key_moves_by_semitones(run, piece, tmp_path):
    found, _ = edited(run, piece, "--move", "key=2")
    assert (found["means"]["before"]["key"], found["means"]["measured"]["key"]) == ("C major", "D major")
    assert [(n[0], n[1], n[2] + 2, *n[3:]) for n in notes(piece)] == notes(tmp_path / "out.mid")
    for octaves in ("12", "-120", "1e300"):
        edited(run, piece, "--move", f"key={octaves}")
        assert octaves == "1e300" or (tmp_path / "out.mid").read_bytes() == piece.read_bytes()


def test_values_by_bar_take_every_fader_but_the_key(run, refused, piece, tmp_path):
    values = tmp_path / "values.csv"
    values.write_text("bar,tempo,dynamics,pitch,articulation,syncopation\n2,80,,60,,2\n5,,100,,0.5,\n")
    found, _ = edited(run, piece, "--values", values)
    by_bar = {s["bar"]: s for s in found["segments"]}
    for bar, asked in ((2, {"tempo": 80, "pitch": 60, "syncopation": 2}), (5, {"dynamics": 100, "articulation": 0.5})):
        for name, value in asked.items():
            assert by_bar[bar]["asked"][name] == value
            assert by_bar[bar]["measured"][name] == pytest.approx(value, abs=0.3)
    for bar in (1, 3, 4, 6, 7, 8):
        assert by_bar[bar]["asked"]["tempo"] is None
        assert {k: v for k, v in by_bar[bar]["measured"].items() if k != "articulation"} == {
            k: v for k, v in by_bar[bar]["before"].items() if k != "articulation"
        }
    values.write_text("bar,key\n2,Am\n")
    message = refused("apply", piece, tmp_path / "none.mid", "--values", values)
    assert "key takes one value for the whole piece, with --set" in message


# Attributes of a user's own

OWN = """
from fadernets.attributes import Attribute, add
import numpy as np


def offbeats(cells):
    return (cells == 1).any(-1)[:, 2::4].sum(-1)


add(Attribute("offbeats", offbeats, 0.0, 4.0, "eighths struck off the beat", grain=1.0))
"""


@pytest.fixture
def own(tmp_path):
    """Write a file of own attributes; what it adds is gone behind the test."""
    before = dict(table.ATTRIBUTES), set(table.USER_DEFINED)

    def write(text):
        (tmp_path / "own.py").write_text(text)
        return tmp_path / "own.py"

    yield write
    table.ATTRIBUTES.clear()
    table.ATTRIBUTES.update(before[0])
    table.USER_DEFINED.intersection_update(before[1])


def test_an_attribute_of_ones_own_is_a_fader(run, piece, own):
    found, _ = edited(run, piece, "--attributes", own(OWN), "--set", "offbeats=1", "--bars", "2-4")
    for s in found["segments"]:
        inside = 2 <= s["bar"] <= 4
        assert s["asked"]["offbeats"] == (1.0 if inside else None)
        assert s["measured"]["offbeats"] == (1.0 if inside else s["before"]["offbeats"])
        assert s["before"]["offbeats"] == 4.0
    again = json.loads(run("measure", piece, "--attributes", own(OWN), "--json")[1])
    assert again["means"]["offbeats"] == 4.0
    assert run("apply", piece, piece, "--attributes", own(OWN), "--move", "offbeats=0")[0] == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import fadernets.nowhere", "ModuleNotFoundError: No module named 'fadernets.nowhere'"),
        ("def (", "SyntaxError"),
        ("raise SystemExit(0)", "SystemExit"),
        ("raise ValueError('one\\ntwo')", "ValueError: one two"),
        (OWN.replace('"offbeats", offbeats', '"tempo", offbeats'), "attribute tempo: exists already"),
        (OWN.replace('"offbeats", offbeats', '"bar", offbeats'), "attribute bar: reports have another thing"),
        (OWN.replace("4.0", "0.0"), "is empty or without end"),
        (OWN.replace(".sum(-1)", ""), "gives numbers of shape (2, 4) for two segments"),
        (OWN.replace("return", "return 1 if len(cells) == 2 else"), "attribute offbeats"),
        (
            OWN.replace("    return", "    if len(cells) != 2: raise KeyError('x')\n    return"),
            "offbeats: KeyError: 'x'",
        ),
        (
            OWN.replace("    return", "    if len(cells) != 2: return np.zeros(3)\n    return"),
            "gave (3,) numbers for (8,)",
        ),
    ],
)
def test_own_attributes_that_cannot_be_used(refused, piece, tmp_path, own, text, message):
    arguments = ("apply", piece, tmp_path / "out.mid", "--attributes", own(text), "--set", "tempo=80")
    assert message in refused(*arguments)


def test_models(run):
    _, out, _ = run("models", "--json")
    (row,) = [row for row in json.loads(out)["models"] if row["default"]]
    assert row["name"] == model_folder.DEFAULT_MODEL == "pop-lieder"
    assert 0 < row["bytes"] < 20e6
    assert "pop-lieder (default): " in run("models")[1]


def test_render_writes_a_wave_file_and_its_level(run, tmp_path):
    source = save(tmp_path / "in.mid", track([(0, 1, 60, 100)], metre(4)))
    code, out, _ = run("render", source, tmp_path / "out.wav", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["out"] == str(tmp_path / "out.wav")
    assert 1 < found["seconds"] < 10
    assert -30 < found["peak"] <= 0
    assert (tmp_path / "out.wav").read_bytes()[:4] == b"RIFF"
    assert " s, peak " in run("render", source, tmp_path / "out.wav")[1]


@pytest.mark.parametrize("name", ["empty", "truncated", "text", "noise", "smpte", "format_2"])
def test_render_refuses_what_is_no_music(refused, tmp_path, name):
    assert "in.mid" in refused("render", BROKEN[name](tmp_path / "in.mid"), tmp_path / "out.wav")


def test_render_refuses_outputs_that_cannot_be_written(refused, piece, tmp_path):
    assert "its folder" in refused("render", piece, tmp_path / "none" / "out.wav")
    assert "is a folder" in refused("render", piece, tmp_path)
    assert "No such file" in refused("render", tmp_path / "none.mid", tmp_path / "out.wav")


# prepare, train, export, evaluate


def test_errors_of_prepare_are_one_line(refused, tmp_path):
    out = tmp_path / "data"
    assert "no such folder" in refused("prepare", out, "--corpus", f"pop909={tmp_path / 'none'}")
    assert "corpus 'songs' is not known" in refused("prepare", out, "--corpus", f"songs={tmp_path}")
    assert "expected NAME=PATH" in refused("prepare", out, "--corpus", "pop909")
    assert "no corpus 'pop909' here" in refused("prepare", out, "--corpus", f"pop909={tmp_path}")
    assert "required: --corpus" in refused("prepare", out)
    assert "0 workers" in refused("prepare", out, "--corpus", f"folder={tmp_path}", "--workers", "0")
    assert "invalid choice" in refused("prepare", out, "--corpus", f"folder={tmp_path}", "--codec", "wax")


def test_prepare_makes_a_data_set_of_a_folder(run, tmp_path):
    for i in range(4):
        save(tmp_path / f"{i}.mid", track(right(32, seed=i), metre(4)))
    out = tmp_path / "data"
    code, text, _ = run("prepare", out, "--corpus", f"folder={tmp_path}", "--workers", 1, "--keep-all", "--json")
    assert code == 0
    assert json.loads(text)["segments"] == 32


def test_errors_of_train_are_one_line(refused, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("data: nowhere\nname: x\n")
    assert "none.yaml: cannot be read" in refused("train", tmp_path / "none.yaml")
    assert "unknown recipe key 'tempo'" in refused("train", recipe, "--set", "tempo=3")
    assert "expected key=value" in refused("train", recipe, "--set", "steps")
    recipe.write_text("volume: 11\n")
    assert "unknown recipe key 'volume'" in refused("train", recipe)
    recipe.write_text("{")
    assert "is not YAML" in refused("train", recipe)
    recipe.write_text("data: nowhere\n")
    assert "nowhere" in refused("train", recipe)
    assert "nowhere" in refused("train", recipe, "--set", "steps=1")


def test_errors_of_export_and_evaluate_are_one_line(refused, tmp_path):
    assert "is no checkpoint" in refused("export", tmp_path / "none", tmp_path / "model")
    assert "--model none" in refused("evaluate", "none", "--data", tmp_path)
    assert str(tmp_path) in refused("evaluate", "pop-lieder", "--data", tmp_path)
    assert "--runs 0: must be at least 1" in refused("evaluate", "--runs", "0", "--data", tmp_path)


def test_a_missing_part_of_the_training_install_is_named(refused, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.delitem(sys.modules, "fadernets.training.recipes", raising=False)
    (tmp_path / "recipe.yaml").write_text("name: x\n")
    assert "needs yaml: pip install 'fadernets[train]'" in refused("train", tmp_path / "recipe.yaml")


def test_a_missing_part_of_the_study_install_is_named(refused, toys, tmp_path, monkeypatch):
    run, out = toys("fadernets"), ("--out", tmp_path)
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    assert "needs openTSNE: pip install 'fadernets[study]'" in refused("plot", "latents", run, *out)
    for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    message = refused("plot", "transfer", run, *out)
    assert "needs sklearn" in message
    assert "pip install 'fadernets[study]'" in message


# Presets and grids of train


@pytest.fixture
def recipe(performances, tmp_path):
    """A recipe of two steps with a preset `paper` beside it; runs go to `runs`."""
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "paper.yaml").write_text("steps: 3\nmodel:\n  z: 5\n")
    path = tmp_path / "tiny.yaml"
    path.write_text(
        f"data: {performances.folder}\nout: {tmp_path / 'runs' / 'tiny'}\nsteps: 2\nbatch: 8\nlabels: 2\n"
        "label_share: 0.1\nprecision: 32-true\nmodel: {z: 4, encoder: 8, decoder: 8, sub_decoder: 6}\n"
    )
    return path


def test_train_with_a_preset(run, refused, recipe, tmp_path):
    message = refused("train", recipe, "--preset", "huge")
    assert message.endswith(f"--preset huge: {tmp_path / 'presets'} has paper")
    code, out, err = run("train", recipe, "--preset", "paper", "--set", "model.encoder=7")
    assert (code, out) == (0, f"best checkpoint: {tmp_path / 'runs' / 'tiny' / 'best'}\n")
    assert err[0].startswith("step 3/3 ")
    written = json.loads((tmp_path / "runs" / "tiny" / "recipe.json").read_text())
    assert (written["steps"], written["batch"]) == (3, 8)
    assert written["model"] == {"z": 5, "encoder": 7, "decoder": 8, "sub_decoder": 6}


def test_train_over_a_grid(run, recipe, tmp_path):
    """A run a combination, each in a folder of its own; asked again, they are there."""
    grid = ("--grid", "learning_rate=0.001,0.02", "--grid", "labels=3")
    code, out, _ = run("train", recipe, *grid)
    names = [f"tiny-learning_rate={rate}-labels=3" for rate in ("0.001", "0.02")]
    assert code == 0
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == names
    code, text, err = run("train", recipe, *grid, "--json")
    assert (code, err) == (0, [])
    rows = json.loads(text)
    assert len(rows) == len(out.splitlines()) == 2
    for row, line, name, rate in zip(rows, out.splitlines(), names, (0.001, 0.02), strict=True):
        folder = tmp_path / "runs" / name
        config = json.loads((folder / "best" / "config.json").read_text())
        assert (config["recipe"]["learning_rate"], config["recipe"]["labels"]) == (rate, 3)
        assert row == {"best": str(folder / "best"), "grid": [f"learning_rate={rate}", "labels=3"], **config["figures"]}
        shown = ", ".join(f"{n} {config['figures'][n]:.4f}" for n in ("loss", "reconstruction", "accuracy", "note_f1"))
        assert line == f"learning_rate={rate} labels=3: {shown} ({folder / 'best'})"
    assert rows[0]["loss"] != rows[1]["loss"]
    assert json.loads(run("train", recipe, "--json")[1]) == {"best": str(tmp_path / "runs" / "tiny" / "best")}


def test_a_grid_is_refused_before_anything_is_trained(refused, recipe):
    assert "expected key=value,value" in refused("train", recipe, "--grid", "steps")
    assert "unknown recipe key 'tempo'" in refused("train", recipe, "--grid", "tempo=1,2")
    assert "recipe key steps 0; must be above 0" in refused("train", recipe, "--grid", "steps=2,0")
    assert "recipe key batch 1; must be above 1" in refused("train", recipe, "--set", "batch=1")


def test_a_loss_that_is_no_number_is_one_line_with_the_name_of_its_term(run, recipe, tmp_path, monkeypatch):
    from fadernets.models.music_fadernets import FaderNets

    loss = FaderNets.loss

    def spoil(self, batch, step, total):
        terms = loss(self, batch, step, total)
        if step == 1:
            terms["note_kl"] = terms["note_kl"] * float("nan")
            terms["loss"] = terms["loss"] + terms["note_kl"]
        return terms

    monkeypatch.setattr(FaderNets, "loss", spoil)
    code, out, err = run("train", recipe, "--set", "validate=1", "--set", "steps=4")
    assert (code, out) == (2, "")
    assert err[0].startswith("step 1/4 ")
    assert err[1:] == [
        "fadernets train: error: step 1: the loss is not a number (first in note_kl); the last good checkpoint is "
        f"{tmp_path / 'runs' / 'tiny' / 'last'}"
    ]


def test_train_stops_before_the_first_checkpoint(run, recipe, tmp_path, monkeypatch):
    from fadernets.models.music_fadernets import FaderNets

    monkeypatch.setattr(FaderNets, "weights", lambda self, beta: {"note_kl": float("nan")})
    _, _, err = run("train", recipe, "--set", "steps=4")
    assert err[-1].endswith("step 0: the loss is not a number (first in gradient); there is no good checkpoint yet")


def test_evaluate_quality(run, songs, tmp_path, exported, monkeypatch):
    """Of a model folder: a table of moves, and a picture of some."""
    from fadernets.metrics import realism

    monkeypatch.setattr(realism, "LEVEL", 2.0)
    monkeypatch.setattr(realism, "OTHERS", 9.0)
    folder, sheet = exported[True][0], tmp_path / "sheet.png"
    code, out, err = run("evaluate", folder, "--data", songs.folder, "--quality", "--loop", "open", "--rolls", sheet)
    assert (code, err) == (0, [])
    assert out.startswith("| moved by |")
    assert sheet.stat().st_size > 0


def test_evaluate_refuses_options_of_quality_without_it(refused, songs, exported, tmp_path):
    folder = exported[True][0]
    for option, value in (("--rolls", tmp_path / "a.png"), ("--language-model", tmp_path)):
        message = refused("evaluate", folder, "--data", songs.folder, option, value)
        assert f"{option}: is for --quality" in message


@pytest.fixture
def few(monkeypatch):
    """Runs of three segments, and a handful for what a move leaves alone."""
    from fadernets.evaluation import model_folder

    monkeypatch.setattr(model_folder, "M", 3)
    monkeypatch.setattr(model_folder, "UNTOUCHED", 4)


def test_evaluate_one_loop_of_a_model_folder_and_draw_what_moves_leave_alone(run, songs, exported, few, tmp_path):
    folder, curve = exported[True][0], tmp_path / "curve.png"
    options = ("evaluate", folder, "--data", songs.folder, "--runs", 1, "--loop", "calibrated")
    code, out, err = run(*options, "--untouched", curve)
    assert (code, err) == (0, [])
    assert "| fader, loop | rhythm density, calibrated | note density, calibrated |" in out
    assert "| notes left alone by a move of | -2 sd |" in out
    assert curve.stat().st_size > 0
    found = json.loads(run(*options, "--json")[1])
    assert found["untouched"]["note_density"]["+0"]["notes"] == 1
    assert {key for key in found if key.startswith("rhythm_density")} == {"rhythm_density/calibrated"}


def test_evaluate_puts_all_loops_into_the_card(run, songs, exported, few, tmp_path):
    folder = shutil.copytree(exported[True][0], tmp_path / "model")
    _, out, _ = run("evaluate", folder, "--data", songs.folder, "--runs", 1, "--card")
    head = "| fader, loop | rhythm density, open | rhythm density, calibrated | rhythm density, closed |"
    assert head in out
    assert head in (folder / "README.md").read_text()


def test_evaluate_an_ablation(run, songs, exported, few):
    options = ("evaluate", exported[True][0], "--data", songs.folder, "--runs", 1, "--ablation")
    code, out, err = run(*options)
    assert (code, err) == (0, [])
    assert out.startswith("| rhythm density | consistency |")
    assert "\n| closed, no critic | " in out
    assert {"open", "calibrated", "closed"} < set(json.loads(run(*options, "--json")[1])["variants"])
    assert list(json.loads(run(*options, "--loop", "open", "--json")[1])["variants"]) == ["open"]


def test_what_evaluates_by_itself(refused, songs, exported, tmp_path):
    options = ("evaluate", exported[True][0], "--data", songs.folder)
    for other in (("--quality",), ("--untouched", tmp_path / "a.png"), ("--card",)):
        assert f"{other[0]}: does not go with --ablation" in refused(*options, "--ablation", *other)
    for other in (("--untouched", tmp_path / "a.png"), ("--card",)):
        assert f"{other[0]}: does not go with --quality" in refused(*options, "--quality", *other)
    assert "does not exist" in refused(*options, "--untouched", tmp_path / "none" / "a.png")


# Trained runs: evaluate and plot


def test_evaluate_a_run_by_the_papers_protocol(run, toys, tmp_path):
    folder = shutil.copytree(toys("fadernets"), tmp_path / "fadernets-gmvae")
    code, out, err = run("evaluate", folder, "--protocol", "paper", "--runs", 2, "--seed", 3)
    assert (code, err) == (0, [])
    assert "| `paper` protocol: ours (published) | consistency, rhythm density |" in out
    assert "| Music FaderNets, GM-VAE | " in out
    assert "| arousal clusters |" in out
    assert "`strict`" not in out
    found = json.loads(run("evaluate", folder, "--protocol", "paper", "--runs", 2, "--seed", 3, "--json")[1])
    assert found == json.loads((folder / "evaluation.json").read_text())
    assert (found["runs"], found["seed"]) == (2, 3)
    assert {"paper/rhythm_density", "paper/note_density", "clusters", "encoder", "reconstruction"} <= set(found)
    assert not [key for key in found if key.startswith(("strict", "quality"))]


def test_evaluate_finds_the_language_model_beside_a_run(run, toys, tmp_path):
    """And refuses one that was named and is no run of this data set."""
    for name in ("language-model", "pati"):
        shutil.copytree(toys(name), tmp_path / name / "best")
    options = ("--protocol", "strict", "--runs", 1, "--json")
    found = json.loads(run("evaluate", tmp_path / "pati", *options)[1])
    assert found["made_from"]["language_model"]
    assert found["quality/real"]["nats_a_token"] > 0
    found = json.loads(run("evaluate", tmp_path / "pati", *options, "--language-model", tmp_path / "none")[1])
    assert found["made_from"]["language_model"] == ""
    assert "nats_a_token" not in found["quality/real"]
    found = json.loads(run("evaluate", tmp_path / "pati", *options, "--loop", "calibrated")[1])
    assert "strict/note_density/calibrated" in found
    assert not [key for key in found if key.endswith(("/open", "/closed"))]


def test_what_is_for_runs_and_what_is_for_model_folders(refused, toys, tmp_path):
    run = shutil.copytree(toys("fadernets"), tmp_path / "run")
    message = "--protocol paper: is for trained runs; pop-lieder is a model folder or its name"
    assert message in refused("evaluate", "pop-lieder", "--protocol", "paper", "--data", tmp_path)
    assert "--protocol paper: is for trained runs" in refused("evaluate", tmp_path, "--protocol", "paper")
    for option in (("--card",), ("--quality",), ("--ablation",), ("--untouched", tmp_path / "a.png")):
        assert f"{option[0]}: is for a model folder" in refused("evaluate", run, *option)
    assert "--runs 0: must be at least 1" in refused("evaluate", run, "--runs", "0")


RUN_COMMANDS = [("evaluate",), ("plot", "latents"), ("plot", "transfer")]


@pytest.mark.parametrize("command", RUN_COMMANDS, ids=" ".join)
def test_a_run_that_cannot_be_used_is_one_line(refused, toys, songs, performances, tmp_path, command):
    run = shutil.copytree(toys("fadernets"), tmp_path / "run")
    missing = refused(*command, tmp_path / "none")
    assert str(tmp_path / "none") in missing
    assert ("is neither a bundled model nor a folder" if command == ("evaluate",) else "is no checkpoint") in missing
    assert f"a model of tokens; {songs.folder} holds grid" in refused(*command, run, "--data", songs.folder)
    message = refused(*command, run, "--data", performances.folder)
    assert "was trained on data set" in message
    assert f"{performances.folder} is {performances.hash[:12]}. Name the right one with --data" in message
    assert "is not a prepared data set" in refused(*command, run, "--data", tmp_path)
    (run / "model.safetensors").write_bytes(b"no")
    assert "does not fit its config" in refused(*command, run)
    (run / "config.json").write_text("{")
    assert "config.json: cannot be read" in refused(*command, run)


def test_plot_latents_prints_the_files_that_it_wrote(run, toys, tmp_path):
    folder = shutil.copytree(toys("single"), tmp_path / "single")
    names = [f"latents.{kind}" for kind in ("png", "svg", "json")]
    code, out, _ = run("plot", "latents", folder)
    assert code == 0
    assert out.splitlines() == [str(folder / name) for name in names]
    assert all((folder / name).stat().st_size > 100 for name in names)
    made = json.loads(run("plot", "latents", folder, "--out", tmp_path / "other", "--json")[1])
    assert made["files"] == [str(tmp_path / "other" / name) for name in names]
    assert (tmp_path / "other" / "latents.png").read_bytes() == (folder / "latents.png").read_bytes()


def test_plot_refuses_what_it_cannot_draw(refused, toys, tmp_path):
    run, out = toys("vanilla"), ("--out", tmp_path / "out")
    assert "has no arousal clusters; train with clusters 2" in refused("plot", "transfer", run, *out)
    assert "both runs need arousal clusters" in refused("plot", "latents", run, *out, "--beside", toys("single"))
    assert "is no checkpoint" in refused("plot", "latents", run, *out, "--beside", tmp_path / "none")
    assert "--segments 99: at least 100" in refused("plot", "latents", run, *out, "--segments", "99")
    assert "invalid choice: 'rolls'" in refused("plot", "rolls", run, *out)


def test_errors_of_bench_are_one_line(refused, performances, tmp_path):
    data, out = ("--data", performances.folder), ("--out", tmp_path / "runs")
    assert "--only vae: allowed are fadernets-vae" in refused("bench", *data, *out, "--only", "vae")
    assert "--runs 0: must be at least 1" in refused("bench", *data, *out, "--runs", "0")
    assert "name the corpora to prepare it from" in refused("bench", "--data", tmp_path / "none", *out)
    assert "holds tokens, not grid" in refused("bench", *data, *out, "--codec", "grid")
    assert "expected NAME=PATH" in refused("bench", *data, *out, "--corpus", "maestro")


def test_an_interrupt_is_quiet(run, piece, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(file_edit, "vary", interrupt)
    assert run("apply", piece, tmp_path / "out.mid") == (130, "", ["interrupted"])


# A long piece


@pytest.mark.slow
def test_three_hours_are_edited_with_a_warning(tmp_path):
    source = three_hours(tmp_path / "in.mid")
    assert len(notes(source)) > 55_000
    done = started("apply", source, tmp_path / "out.mid", "--move", "rhythm-density=-0.1", "--json")
    assert done.returncode == 0
    assert "warning: the piece lasts 3.0 hours, 5400 segments" in done.stderr
    report = json.loads(done.stdout)
    assert len(report["segments"]) == 5400
    assert "the piece lasts 3.0 hours" in report["warnings"][0]
    assert notes(tmp_path / "out.mid")[-1][0] // TPQ < 21_600


# Melodies where something else is expected


@pytest.fixture
def melody_run(melodies, tmp_path):
    from conftest import save_run

    from fadernets.models import build

    model = build("music-vae", {"z": 4, "encoder": 6, "decoder": 8, "embedding": 5}, "melody")
    return save_run(tmp_path / "runs" / "tune", model, melodies, name="music-vae", label_share=0.0)


def test_a_run_over_melodies_is_not_measured_as_one_of_segments(refused, melody_run, songs, performances, tmp_path):
    from toy_runs import write_toy

    known = f"{melody_run}: a model over melody; this measures models over grid and tokens. Export it to measure it"
    write_toy(melody_run.with_name("language-model"), "language-model", performances)  # found beside it, and no matter
    assert refused("evaluate", melody_run).endswith(known)
    for figure in ("latents", "transfer", "labels"):
        assert refused("plot", figure, melody_run).endswith(known)
    assert "a model of melody; " in refused("evaluate", melody_run, "--data", songs.folder)
    grid_run = write_toy(tmp_path / "runs" / "vanilla", "vanilla", songs)
    assert "a model of melody; " in refused("evaluate", grid_run, "--language-model", melody_run)
    assert "a model of melody; " in refused("plot", "latents", grid_run, "--beside", melody_run)


def test_a_data_set_of_melodies_does_not_take_another_s_place(refused, exported, melodies, songs, tmp_path):
    from toy_runs import write_toy

    grid_run, data = write_toy(tmp_path / "vanilla", "vanilla", songs), ("--data", melodies.folder)
    assert f"a model of grid; {melodies.folder} holds melody" in refused("evaluate", grid_run, *data)
    assert f"a model of grid; {melodies.folder} holds melody" in refused("plot", "latents", grid_run, *data)
    assert "was trained on" in refused("export", grid_run, tmp_path / "model", *data)
    assert "holds melody, not tokens" in refused("bench", *data, "--out", tmp_path, "--no-train")
    for option in ((), ("--quality",), ("--ablation",)):
        assert "holds melodies, which have no grid of 88 pitches" in refused("evaluate", *data, *option)


def test_recipes_and_data_sets_that_do_not_go_together(refused, melodies, songs, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(f"batch: 8\nprecision: 32-true\nout: {tmp_path / 'run'}\n")
    said = "music-vae takes data sets of melodies, the others do not"
    message = refused("train", path, "--set", f"data={melodies.folder}")
    assert message == f"fadernets train: error: model music-fadernets over melody: {said}"
    message = refused("train", path, "--set", f"data={songs.folder}", "--set", "name=music-vae")
    assert message == f"fadernets train: error: model music-vae over grid: {said}"


def test_train_over_a_grid_prints_what_a_model_counts(run, melodies, songs, tmp_path):
    path = tmp_path / "a.yaml"
    small = "model: {encoder: 4, decoder: 4}"
    path.write_text(f"batch: 8\nsteps: 1\nprecision: 32-true\nout: {tmp_path / 'run'}\n{small}\n")
    for name, data, last in (("music-vae", melodies, "clips"), ("language-model", songs, "accuracy")):
        given = ("--set", f"name={name}", "--set", f"data={data.folder}", "--grid", f"seed=1{len(name)}")
        code, out, _ = run("train", path, *given)
        assert code == 0
        best = tmp_path / f"run-seed=1{len(name)}" / "best"
        figures = json.loads((best / "config.json").read_text())["figures"]
        shown = out.split(": ", 1)[1].split(" (")[0].split(", ")
        assert shown == [f"{n} {figures[n]:.4f}" for n in (part.split()[0] for part in shown)]
        assert [shown[0].split()[0], shown[-1].split()[0]] == ["loss", last]


def test_prepare_melodies(run, tmp_path):
    (tmp_path / "music").mkdir()
    for i in range(3):
        PIECES["two_hands"](tmp_path / "music" / f"{i}.mid")
    code, out, err = run(
        "prepare", tmp_path / "out", "--corpus", f"folder={tmp_path / 'music'}", "--codec", "melody", "--workers", 1
    )
    assert (code, err) == (0, [])
    assert out.splitlines()[0].startswith(f"{tmp_path / 'out'}: 21 segments, 0 files skipped, hash ")
