"""The commands `apply`, `measure` and `render`: what they print, what they refuse, and what they leave behind."""

import json
import os
import re
import shutil

import pytest
from midi_files import BROKEN, ODDITIES, PIECES, metre, notes, save, track

import fadernets
from fadernets.attributes import of_segments, table
from fadernets.engines import model_folder

# apply


def test_apply_prints_a_table_and_writes_the_file(run, piece, tmp_path):
    code, out, err = run("apply", piece, tmp_path / "out.mid", "--set", "rhythm-density=0.25")
    assert (code, err) == (0, [])
    lines = out.splitlines()
    assert "rhythm density" in lines[0]
    assert len(lines) == 2 + 8 + 1
    assert lines[-1].split()[0] == "mean"
    assert lines[2].split()[2] == lines[2].split()[3] == "0.25"  # asked and measured
    assert notes(tmp_path / "out.mid") != notes(piece)


def test_apply_prints_the_edited_rows_and_their_mean(run, piece, tmp_path):
    edit = ("apply", piece, tmp_path / "out.mid", "--set", "dynamics=90", "--set", "key=Am", "--bars", "2-3")
    rows = [line.split() for line in run(*edit)[1].splitlines()[2:]]
    assert [row[0] for row in rows] == ["2", "3", "mean"]
    assert [row[-2:] for row in rows] == [["90.00", "90.00"]] * 3
    assert "A minor" in " ".join(rows[-1])
    assert float(rows[-1][1]) == pytest.approx((float(rows[0][1]) + float(rows[1][1])) / 2, abs=0.01)
    every = run(*edit, "--all")[1].splitlines()[2:]
    assert [line.split()[0] for line in every] == ["1", "2", "3", "4", "5", "6", "7", "8", "mean"]
    codes = run("apply", piece, tmp_path / "out.mid", "--preset", "arousal-codes=1")[1].splitlines()[2:]
    assert len(codes) == 8 + 1
    assert len(json.loads(run(*edit, "--json")[1])["segments"]) == 8


def test_segments_of_two_bars_are_ranges_everywhere(run, tmp_path):
    source = save(tmp_path / "in.mid", track([(i, 1, 60 + i % 5, 80) for i in range(8)], metre(2)))
    applied = run("apply", source, tmp_path / "out.mid", "--set", "dynamics=90")[1].splitlines()[2:]
    measured = run("measure", source)[1].splitlines()[1:]
    turned = run("melody", source, tmp_path / "out.mid")[1].splitlines()[1:]
    assert [line.split()[0] for line in applied] == ["1-2", "3-4", "mean"]
    assert [line.split()[0] for line in measured] == ["1-2", "3-4", "mean"]
    assert [line.split()[0] for line in turned] == ["1-4", "all"]


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


def test_apply_replays_a_file_of_regions(run, refused, piece, tmp_path):
    """Each region has its table, and the same file gives the same bytes."""
    regions, outs = tmp_path / "regions.json", [tmp_path / f"out-{i}.mid" for i in (1, 2)]
    rows = [{"name": "busier", "bars": [[2, 3]], "only": "left", "move": {"rhythm-density": 0.2}, "seed": 5}]
    rows.append({"bars": [[3, 4]], "set": {"dynamics": 100}, "keep": ["melody"]})
    regions.write_text(json.dumps({"version": 1, "model": "rewriter", "regions": rows}))
    code, text, err = run("apply", piece, outs[0], "--regions", regions)
    assert (code, err) == (0, [])
    assert [line for line in text.splitlines() if line.startswith("region")] == ["region 1 busier", "region 2"]
    found = json.loads(run("apply", piece, outs[1], "--regions", regions, "--json")[1])
    assert outs[0].read_bytes() == outs[1].read_bytes() != piece.read_bytes()
    assert [[s["bar"] for s in row["report"]["segments"]] for row in found["regions"]] == [[2, 3], [3, 4]]
    message = refused("apply", piece, outs[0], "--regions", regions, "--set", "tempo=90")
    assert "--regions: each region of the file has its own set; leave out --set" in message
    assert "leave out --seed" in refused("apply", piece, outs[0], "--regions", regions, "--seed", 1)
    regions.write_text('{"version": 1, "regions": [{"bars": [[90, 91]]}]}')
    assert "region 1: bars 90-91: the piece has 8 bars" in refused("apply", piece, outs[0], "--regions", regions)


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
    assert (found["model"], found["seed"]) == ("pop-lieder", 7)  # it has the codes that the preset moves
    assert [s["asked"]["note_density"] is None for s in found["segments"]] == [True, False, False] + [True] * 5
    assert {s["asked"]["rhythm_density"] for s in found["segments"]} == {None}


def test_the_paper_s_preset_needs_codes(run, refused, piece, tmp_path):
    arguments = ("apply", piece, tmp_path / "out.mid", "--preset", "arousal-codes=1", "--model", "rewriter")
    assert "model rewriter has no arousal clusters: arousal-codes cannot be used" in refused(*arguments)
    found = json.loads(run("apply", piece, tmp_path / "out.mid", "--preset", "arousal=1", "--json")[1])
    assert found["model"] == "rewriter"


def test_the_paper_s_own_decode(run, refused, piece, tmp_path):
    edit = ("apply", piece, tmp_path / "out.mid", "--preset", "arousal-codes=1")
    written = {}
    for control in ("paper", "closed"):
        assert run(*edit, "--control", control)[0] == 0
        written[control] = (tmp_path / "out.mid").read_bytes()
    assert written["paper"] == fadernets.edit(piece, preset="arousal-codes", control="paper").data
    assert written["paper"] != written["closed"]
    line = (
        "--control paper: is one decode of shifted codes; it takes --preset arousal-codes, or another preset of codes"
    )
    assert line in refused(*edit, "--control", "paper", "--set", "pitch=60")
    assert line in refused(*edit[:3], "--control", "paper")
    assert "has no arousal clusters" in refused(*edit, "--control", "paper", "--model", "rewriter")
    regions = refused(*edit[:3], "--control", "paper", "--regions", tmp_path / "regions.json")
    assert "--regions: regions are edited with control closed; leave out --control" in regions


def test_faders_may_be_spelt_with_underscores(run, piece, tmp_path):
    given = ["--set", "note_density=2", "--set", " rhythm-density = 0.5"]
    _, out, _ = run("apply", piece, tmp_path / "out.mid", *given, "--json")
    asked = json.loads(out)["segments"][0]["asked"]
    assert {k: v for k, v in asked.items() if v is not None} == {"rhythm_density": 0.5, "note_density": 2.0}


def test_tracks_are_named_by_number_or_name(run, tmp_path):
    source = PIECES["band"](tmp_path / "in.mid")
    for given, channels in (("2", {1}), ("strings", {2}), ("Piano, 2", {0, 1})):
        run("apply", source, tmp_path / "out.mid", "--tracks", given, "--set", "note-density=0")
        gone = set(notes(source)) - set(notes(tmp_path / "out.mid"))
        assert {row[5] for row in gone} == channels


def test_hands_of_a_score_are_named_as_they_are_listed(run, tmp_path):
    source = save(
        tmp_path / "in.mid",
        *(
            track([(i, 1, 60 + h, 80) for i in range(8)], name=f"Piano, {name} hand", channel=h)
            for h, name in enumerate(("right", "left"))
        ),
    )  # as music.score_midi names the staves of a part
    for given, channels in (("Piano, left hand", {1}), ("piano, right hand, 2", {0, 1})):
        assert run("apply", source, tmp_path / "out.mid", "--tracks", given, "--set", "dynamics=90")[0] == 0
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


@pytest.mark.parametrize(("model", "most"), [("rewriter", 2), ("pop-lieder", 1)])
def test_values_outside_their_range_are_clamped_or_all_refused(run, refused, piece, tmp_path, model, most):
    arguments = ("apply", piece, tmp_path / "out.mid", "--model", model, "--set")
    range_of = f"outside 0..{most} (onset steps a sixteenth)"
    assert f"rhythm-density: all that was asked, 7, lies {range_of}" in refused(*arguments, "rhythm-density=7")
    code, out, err = run(*arguments, f"rhythm-density={most}..7", "--json")
    assert code == 0
    assert err[0] == f"warning: rhythm-density: 7 of 8 segments were asked for values {range_of}; clamped"
    assert json.loads(out)["segments"][7]["asked"]["rhythm_density"] == most
    assert "dynamics: all that was asked, 0.8, lies outside 1..127 (velocity, mean)" in refused(
        *arguments, "dynamics=0.8"
    )


def test_values_by_bar_are_refused_where_none_is_in_range(run, refused, piece, tmp_path):
    values, out = tmp_path / "values.csv", tmp_path / "out.mid"
    values.write_text("bar,dynamics\n2,0.5\n3,0.6\n")
    message = "dynamics: all that was asked, 0.5 to 0.6, lies outside 1..127"
    assert message in refused("apply", piece, out, "--values", values)
    values.write_text("bar,dynamics\n2,0.5\n3,60\n")
    code, _, err = run("apply", piece, out, "--values", values)
    assert (code, len(err)) == (0, 1)
    assert "dynamics: 1 of 2 segments were asked for values outside" in err[0]


def test_bars_that_are_not_all_there_are_a_warning(run, piece, tmp_path):
    code, _, err = run("apply", piece, tmp_path / "out.mid", "--set", "dynamics=90", "--bars", "7-12")
    assert (code, err) == (0, ["warning: --bars 7-12: the piece has 8 bars"])


def test_notes_may_be_named(run, piece, tmp_path):
    found = json.loads(run("apply", piece, tmp_path / "out.mid", "--set", "pitch=C4..F#4", "--json")[1])
    assert [found["segments"][i]["asked"]["pitch"] for i in (0, -1)] == [60, 66]


def test_bars_may_be_named_in_several_options(run, piece, tmp_path):
    given = ("--set", "dynamics=90", "--bars", "2-3", "--bars", "5", "--json")
    found = json.loads(run("apply", piece, tmp_path / "out.mid", *given)[1])
    assert [s["bar"] for s in found["segments"] if s["asked"]["dynamics"] is not None] == [2, 3, 5]


def test_an_edit_that_asks_nothing_says_so(run, piece, tmp_path):
    code, _, err = run("apply", piece, tmp_path / "out.mid", "--bars", "1-2")
    asks = "--set, --move, --values, --preset or --regions"
    assert (code, err) == (0, [f"nothing was asked (by {asks}): what was written is a copy of {piece}"])
    assert (tmp_path / "out.mid").read_bytes() == piece.read_bytes()


def test_help_gives_the_ranges_of_the_table(run):
    text = " ".join(run("apply", "--help")[1].split())
    said = dict(re.findall(r"([a-z-]+) \(([^()]*)\)", text))
    for row in table.ATTRIBUTES.values():
        high = of_segments.HIGHEST.get(row.name, row.high)
        assert row.names or f", {row.low:g}..{high:g}" in said[row.option]
    assert "a model of windows: 0..1" in said["rhythm-density"]


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
        (
            "--set rythm-density=1",
            "unknown fader 'rythm-density' (did you mean 'rhythm-density'?); known: rhythm-density",
        ),
        ("--preset arosal=1", "(did you mean 'arousal'?); bundled: arousal"),
        ("--tracks right-hand", "no such pitched track (did you mean 'right hand'?); the file has 1 'right hand'"),
        ("--only rihgt", "--only rihgt: no such pitched track (did you mean 'right'?)"),
        ("--set tempo=90-120", "--set tempo=90-120: a ramp is written tempo=90..120"),
        ("--move tempo=x1.2", "takes no factor; a change is written in quarter notes a minute, as in --move tempo=+2"),
        ("--move tempo=10%", "--move tempo=10%: takes no factor"),
        ("--move key=a-minor", "'a-minor' is not a number; --set key=a-minor asks for a key by its name"),
        ("--move rhythm-density 0.2", "--move rhythm-density 0.2: write rhythm-density=0.2"),
        ("--preset arousal -1", "write arousal=-1"),
        ("--set pitch=H4", "'H4' is not a number"),
        ("--set rhythm-density=+0.2", "a value has no sign here; did you mean --move rhythm-density=+0.2?"),
        ("--set tempo=-20", "did you mean --move tempo=-20?"),
        ("--set pitch=60..-1", "did you mean --move pitch=60..-1?"),
        ("--set key=+2", "did you mean --move key=+2?"),
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
        ("--set pitch=60 --set tempo=1 --set pitch=61", "--set names pitch twice; give one value, or a ramp"),
        ("--move note_density=1 --move note-density=1", "--move names note-density twice"),
        ("--set tempo=1 --move tempo=1", "--set and --move both name tempo"),
        ("--hold tempo --set pitch=60", "--hold tempo: holds faders that a preset moves; name one with --preset"),
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


# measure


@pytest.mark.parametrize(("model", "arousal"), [("rewriter", []), ("pop-lieder", ["arousal"])])
def test_measure_prints_a_table(run, tmp_path, model, arousal):
    code, out, err = run("measure", PIECES["gaps"](tmp_path / "in.mid"), "--model", model)
    assert (code, err) == (0, [])
    lines = out.splitlines()
    names = "bar beat rhythm density note density syncopation pitch dynamics articulation tempo"
    assert lines[0].split() == [*names.split(), *arousal, "key"]
    assert len(lines) == 1 + 6 + 1
    nothing = ["-"] * len(arousal)
    assert lines[2].split() == ["2", "4", "0.00", "0.00", "0.00", "-", "-", "-", "100.00", *nothing, "-"]
    assert lines[-1].split()[0] == "mean"


@pytest.mark.parametrize("model", ["rewriter", "pop-lieder"])
def test_measure_prints_json(run, tmp_path, model):
    chord = [(0, 2, pitch, 80) for pitch in (60, 64, 67)]
    scale = [(4 + i / 2, 0.5, pitch, 80) for i, pitch in enumerate((72, 74, 76, 77, 79, 77, 76, 74))]
    source = save(tmp_path / "in.mid", track(chord + scale, metre(4)))
    found = json.loads(run("measure", source, "--model", model, "--json")[1])
    assert [(s["rhythm_density"], s["note_density"]) for s in found["segments"]] == [(1 / 16, 1.5), (0.5, 1.0)]
    assert [s["key"] for s in found["segments"]] == ["C major"] * 2
    assert (found["means"]["rhythm_density"], found["means"]["note_density"]) == (0.28125, 1.25)
    assert found["means"]["key"] == "C major"
    arousal = [s["arousal"] for s in found["segments"]]
    if model == "rewriter":
        assert [*arousal, found["means"]["arousal"]] == [None] * 3
    else:
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


# User-defined attributes


OWN = """
from fadernets.attributes import Attribute, register
import numpy as np


def offbeats(cells):
    return (cells == 1).any(-1)[:, 2::4].sum(-1)


register(Attribute("offbeats", offbeats, 0.0, 4.0, "eighths struck off the beat", grain=1.0))
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
    signed = own(OWN.replace("0.0, 4.0", "-1.0, 4.0"))
    assert run("apply", piece, piece.with_name("out.mid"), "--attributes", signed, "--set", "offbeats=-1")[0] == 0
    found, _ = edited(run, piece, "--attributes", own(OWN), "--set", "offbeats=1", "--bars", "2-4")
    for s in found["segments"]:
        inside = 2 <= s["bar"] <= 4
        assert s["asked"]["offbeats"] == (1.0 if inside else None)
        assert s["measured"]["offbeats"] == (1.0 if inside else s["before"]["offbeats"])
        assert s["before"]["offbeats"] == 4.0
    again = json.loads(run("measure", piece, "--attributes", own(OWN), "--json")[1])
    assert again["means"]["offbeats"] == 4.0
    assert run("apply", piece, piece, "--attributes", own(OWN), "--move", "offbeats=0")[0] == 0


def test_files_of_attributes_add_up(run, piece, own, tmp_path):
    (tmp_path / "more.py").write_text(OWN.replace('"offbeats", offbeats', '"beyond", offbeats'))
    found = json.loads(
        run("measure", piece, "--attributes", own(OWN), "--attributes", tmp_path / "more.py", "--json")[1]
    )
    assert found["means"]["offbeats"] == found["means"]["beyond"] == 4.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import fadernets.nowhere", "ModuleNotFoundError: No module named 'fadernets.nowhere'"),
        ("def (", "SyntaxError: line 1: invalid syntax"),
        ("raise SystemExit(0)", "SystemExit"),
        ("raise ValueError('one\\ntwo')", "ValueError: one two (own.py, line 1)"),
        ("import math", "own.py: registers no attribute; call fadernets.register(Attribute(...))"),
        (OWN.replace('"offbeats", offbeats', '"tempo", offbeats'), "attribute tempo: exists already"),
        (OWN.replace('"offbeats", offbeats', '"bar", offbeats'), "attribute bar: the name is taken in reports"),
        (OWN.replace("4.0", "0.0"), "is empty or without end"),
        (OWN.replace(".sum(-1)", ""), "gives numbers of shape (2, 4) for two segments"),
        (OWN.replace("return", "return 1 if len(cells) == 2 else"), "attribute offbeats"),
        (
            OWN.replace("    return", "    if len(cells) != 2: raise KeyError('x')\n    return"),
            "offbeats: KeyError: 'x' (own.py, line ",
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


# render


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
