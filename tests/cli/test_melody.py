"""The commands of melodies: what they print, what they refuse in one line, and what they leave behind."""

import json
import shutil

import pytest
from midi_files import BROKEN, PIECES, metre, notes, paired, save, track

from fadernets.cli import melody
from fadernets.codecs import melody_clips, melody_states
from fadernets.melodies import augmentations, knob_settings
from fadernets.music.document import Document


@pytest.fixture
def bird(songbirds):
    return songbirds["whole"][0]


@pytest.fixture
def piece(tmp_path):
    return save(tmp_path / "in.mid", track([(i, 1, 60 + i % 5, 80) for i in range(16)], metre(4), name="tune"))


@pytest.fixture
def few_whole_notes(monkeypatch):
    whole_notes = augmentations.whole_notes
    monkeypatch.setattr(augmentations, "whole_notes", lambda low, high: whole_notes(60, 64))


def test_the_controls_on_offer_are_those_there_are():
    assert melody.CONTROLS == knob_settings.CONTROLS


# melody


def test_melody(run_here, bird, piece, tmp_path):
    code, out, err = run_here("melody", piece, tmp_path / "out.mid", "--pitch", "+1.5", "--rhythm", 1, "--model", bird)
    assert (code, err) == (0, [])
    assert out.splitlines()[0].split() == ["bar", "pitch", "asked", "measured", "onsets", "asked", "measured"]
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["1-2", "3-4", "all"]
    assert out.splitlines()[3].split()[5:] == ["32", "32"]
    assert len(notes(tmp_path / "out.mid")) == 32
    assert paired(tmp_path / "out.mid")


def test_melody_as_json(run_here, bird, piece, tmp_path):
    given = ("--pitch", -2.5, "--rest", 0.5, "--seed", 7, "--model", bird, "--control", "paper", "--json")
    code, out, err = run_here("melody", piece, tmp_path / "out.mid", *given)
    assert code == 0
    assert err  # the paper's way does not land
    assert all("ended more than 0.5 semitones from the asked" in line for line in err)
    said = json.loads(out)
    knobs = {"pitch": -2.5, "rhythm": 0.0, "rest": 0.5, "control": "paper", "seed": 7}
    assert said["knobs"] == knobs | {"faithfulness": 1.0, "chromatic": False}
    assert said["means"]["asked"]["pitch"] == said["means"]["before"]["pitch"] - 2.5
    lines = melody_clips.read(Document(tmp_path / "out.mid").piece, 0).clips
    assert [clip["measured"]["onsets"] for clip in said["clips"]] == melody_states.onsets(lines).tolist()
    first = (tmp_path / "out.mid").read_bytes()
    run_here("melody", piece, tmp_path / "again.mid", *given)
    assert (tmp_path / "again.mid").read_bytes() == first


def test_the_options_of_melody_reach_the_knobs(run_here, bird, piece, tmp_path, monkeypatch):
    from fadernets.melodies import file_edit

    seen = []
    edit_melody = file_edit.edit_melody
    monkeypatch.setattr(file_edit, "edit_melody", lambda *a, **k: seen.append((a[3:], k)) or edit_melody(*a, **k))
    given = ("--faithfulness", 0.3, "--chromatic", "--track", "tune", "--regrid", "--rest", -1, "--seed", 3)
    given = (*given, "--bars", "1-2", "--bars", "1-4")
    assert run_here("melody", piece, tmp_path / "out.mid", "--model", bird, *given)[0] == 0
    knobs = knob_settings.Knobs(0.0, 0.0, -1.0, "knob", 0.3, True, 3)
    assert seen == [((knobs, "tune"), {"regrid": True, "bars": [(1, 2), (1, 4)]})]


def test_without_a_knob_the_file_comes_back(run_here, bird, tmp_path):
    source = PIECES["dressed"](tmp_path / "in.mid")
    code, _, err = run_here("melody", source, tmp_path / "out.mid", "--model", bird)
    assert code == 0
    assert (tmp_path / "out.mid").read_bytes() == source.read_bytes()
    assert err == ["warning: the melody's track is polyphonic: its skyline is the melody, 7 notes stay"]


def test_warnings_are_lines(run_here, bird, tmp_path):
    source = PIECES["expressive"](tmp_path / "in.mid")
    code, out, err = run_here("melody", source, tmp_path / "out.mid", "--pitch", 99, "--model", bird, "--json")
    assert code == 0
    assert [line.removeprefix("warning: ") for line in err] == json.loads(out)["warnings"]
    assert any("notes off the sixteenth grid: " in line for line in err)
    assert "warning: pitch 99: outside -48..48; clamped" in err


def test_knobs_beyond_what_was_measured_and_what_a_clip_holds(run_here, bird, piece, tmp_path):
    code, out, err = run_here("melody", piece, tmp_path / "out.mid", "--rhythm", 3, "--pitch", 13, "--model", bird)
    assert code == 0
    assert "warning: pitch 13: the knob was measured in -12..12 alone" in err
    assert "warning: rhythm 3: the knob was measured in -1..2 alone" in err
    assert "warning: rhythm 3: 2 of 2 clips cannot have so many onsets; asked there is one a sixteenth" in err
    assert out.splitlines()[-1].split()[4:6] == ["16", "64"]


@pytest.mark.parametrize("name", ["one_note", "gaps", "empty_bars"])
def test_little_music_is_music(run_here, bird, tmp_path, name):
    lines = {"one_note": [(0, 1, 60, 80)], "empty_bars": [(24, 1, 60, 80), (25, 1, 62, 80)]}
    path = tmp_path / "in.mid"
    source = PIECES[name](path) if name in PIECES else save(path, track(lines[name], metre(4)))
    before = notes(source)
    code, out, _ = run_here("melody", source, tmp_path / "out.mid", "--pitch", 2, "--model", bird)
    assert code == 0
    after = notes(tmp_path / "out.mid")
    assert [row[0] for row in after] == [row[0] for row in before]
    assert after != before
    assert "nan" not in out


@pytest.mark.parametrize("name", [n for n in BROKEN if n not in ("noise", "noise_with_header", "endless")])
def test_melody_refuses_what_is_no_music(refused, bird, tmp_path, name):
    source = BROKEN[name](tmp_path / "in.mid")
    refused("melody", source, tmp_path / "out.mid", "--pitch", 1, "--model", bird)
    refused("blend", source, PIECES["bare"](tmp_path / "b.mid"), tmp_path / "out", "--model", bird)


def test_what_each_refusal_says(refused, bird, tmp_path):
    for name, message in (("no_notes", "the file has no notes"), ("only_drums", "the file has only drums")):
        source = BROKEN[name](tmp_path / "in.mid")
        assert refused("melody", source, tmp_path / "out.mid", "--model", bird).endswith(message)
        other = PIECES["bare"](tmp_path / "b.mid")
        assert refused("blend", other, source, tmp_path / "out", "--model", bird).endswith(f"in.mid: {message}")
    waltz = PIECES["waltz"](tmp_path / "in.mid")
    said = "the metre is 3/4 from bar 1 on; a clip is two bars of 4/4 (or four of 2/4). --regrid cuts by quarter notes"
    assert said in refused("melody", waltz, tmp_path / "out.mid", "--model", bird)
    assert f"in.mid: {said}" in refused("blend", waltz, waltz, tmp_path / "out", "--model", bird)


def test_regrid_takes_any_metre(run_here, bird, tmp_path):
    waltz = PIECES["waltz"](tmp_path / "in.mid")
    assert run_here("melody", waltz, tmp_path / "o.mid", "--pitch", 2, "--regrid", "--model", bird)[0] == 0
    assert notes(tmp_path / "o.mid") != notes(waltz)
    given = ("--regrid", "--model", bird, "--cells", "2x2")
    assert run_here("blend", waltz, waltz, tmp_path / "out", *given)[0] == 0


@pytest.mark.parametrize("option", ["--pitch", "--rhythm", "--rest"])
def test_amounts_are_numbers(refused, bird, piece, tmp_path, option):
    for value in ("nan", "inf", "-inf", "1e999"):
        message = refused("melody", piece, tmp_path / "out.mid", f"{option}={value}", "--model", bird)
        assert message == f"fadernets melody: error: {option} {float(value):g}: is not a finite number"
    for value in ("abc", "", "1,5"):
        assert "invalid float value" in refused("melody", piece, tmp_path / "out.mid", f"{option}={value}")


def test_other_options_that_cannot_be(refused, bird, piece, tmp_path):
    def said(*given):
        return refused("melody", piece, tmp_path / "out.mid", "--model", bird, *given)

    for value in ("-0.1", "1.1", "nan"):
        assert said(f"--faithfulness={value}").endswith("must lie in 0..1")
    assert "--track 9: no such pitched track; the file has 1 'tune'" in said("--track", 9)
    assert "invalid choice: 'own'" in said("--control", "own")
    assert "--seed" in said("--seed=-1", "--rest", 1)


def test_places_that_cannot_be_written(refused, bird, piece, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    for out, message in (("folder", "is a folder; name a file"), ("none/out.mid", "does not exist")):
        assert message in refused("melody", piece, tmp_path / out, "--pitch", 1, "--model", bird)
    assert refused("blend", piece, piece, tmp_path / "file", "--model", bird).endswith("file: is a file; name a folder")
    assert "cannot be written" in refused("blend", piece, piece, tmp_path / "file" / "out", "--model", bird)
    assert "cannot be read (No such file" in refused("melody", tmp_path / "no.mid", tmp_path / "o.mid", "--model", bird)
    assert "cannot be read (No such file" in refused(
        "blend", piece, tmp_path / "no.mid", tmp_path / "o", "--model", bird
    )


# Models of another kind


def test_models_that_do_not_fit(refused, bird, piece, melodies, tmp_path):
    (tmp_path / "empty").mkdir()
    places = {
        "nothing": "is neither a bundled model nor a folder; bundled: ",
        tmp_path / "empty": "has no model.json; bundled: ",
        "pop-lieder": "a model of grid; melodies need one such as 'melody'",
    }
    for model, message in places.items():
        for command in (("melody", piece, tmp_path / "out.mid"), ("blend", piece, piece, tmp_path / "out")):
            assert message in refused(*command, "--model", model)
        assert message in refused("plot", "theme", model, "--out", tmp_path / "out")
    said = "a model of melodies; it serves `fadernets melody` and `blend`"
    for command in (
        ("apply", piece, tmp_path / "out.mid", "--move", "note-density=1"),
        ("mix", piece, piece, tmp_path / "out.mid"),
        ("measure", piece),
    ):
        assert said in refused(*command, "--model", bird)
    for model in ("nothing", tmp_path / "empty"):
        for command in (("inspect", model), ("plot", "pca", model)):
            assert "neither a bundled model, a model folder nor a run; bundled: " in refused(*command)


# blend


def test_blend(run_here, bird, piece, tmp_path):
    other = save(tmp_path / "b.mid", track([(i / 2, 0.5, 72 - i % 7, 60) for i in range(32)], metre(4)))
    code, out, err = run_here("blend", piece, other, tmp_path / "out", "--cells", "2x3", "--model", bird)
    assert (code, err) == (0, [])
    assert out.splitlines()[0] == f"2 x 3 cells of 4 bars in {tmp_path / 'out'}"
    assert len(list((tmp_path / "out").glob("cell-*.mid"))) == 6
    assert (tmp_path / "out" / "all.mid").exists()
    assert (tmp_path / "out" / "grid.png").exists()
    assert [row[:4] for row in notes(tmp_path / "out" / "cell-1-1.mid")] == [row[:4] for row in notes(piece)]
    assert [row[:4] for row in notes(tmp_path / "out" / "cell-2-3.mid")] == [row[:4] for row in notes(other)]
    code, out, _ = run_here("blend", piece, other, tmp_path / "out5", "--model", bird, "--json", "--control", "paper")
    said = json.loads(out)
    assert (said["rows"], said["columns"], said["clips"], len(said["files"])) == (5, 5, 2, 27)
    assert (said["control"], set(said["corners"])) == ("paper", {"a", "b"})
    assert said["onsets"][0][0] == 16 + said["corners"]["a"]["onsets"]  # A's as decoded, not A itself
    assert said["corners"]["a"]["steps"] > 0


def test_melodies_of_very_different_length(run_here, bird, tmp_path):
    short = save(tmp_path / "short.mid", track([(0, 1, 60, 80)], metre(4)))
    long = save(tmp_path / "long.mid", track([(i, 1, 60 + i % 7, 80) for i in range(640)], metre(4)))
    code, _, err = run_here("blend", short, long, tmp_path / "out", "--cells", "2x2", "--model", bird)
    assert code == 0
    assert err == ["warning: short.mid: 2 bars, repeated from the start to 160"]
    assert len(notes(tmp_path / "out" / "cell-1-1.mid")) == 80
    assert len(notes(tmp_path / "out" / "cell-2-2.mid")) == 640


def test_tracks_by_name_of_either(run_here, refused, bird, tmp_path):
    band = PIECES["band"](tmp_path / "in.mid")
    given = ("--model", bird, "--cells", "2x2")
    assert run_here("blend", band, band, tmp_path / "out", *given, "--track-a", "Piano", "--track-b", "bass")[0] == 0
    assert notes(tmp_path / "out" / "cell-2-2.mid")[0][2] == 36
    assert "in.mid: --track-b flute: no such pitched track" in refused(
        "blend", band, band, tmp_path / "other", *given, "--track-b", "flute"
    )


@pytest.mark.parametrize("size", ["0x5", "1x1", "5x1", "99x99", "17x2"])
def test_blends_of_other_sizes(refused, bird, piece, tmp_path, size):
    message = refused("blend", piece, piece, tmp_path / "out", "--model", bird, "--cells", size)
    assert message == f"fadernets blend: error: --cells {size}: needs 2..16 rows and columns"


@pytest.mark.parametrize("size", ["abc", "5", "x5", "5x", "-5x5", "5x5x5", "1000x2", "2.5x2", ""])
def test_sizes_that_are_none(refused, bird, piece, tmp_path, size):
    message = refused("blend", piece, piece, tmp_path / "out", "--model", bird, f"--cells={size}")
    assert message == f"fadernets blend: error: --cells {size}: expected rows x columns, such as 5x5"


# inspect and plot


@pytest.mark.usefixtures("few_whole_notes")
def test_inspect(run_here, songbirds, bird, tmp_path, monkeypatch):
    from fadernets.evaluation import melody_codes

    code, out, err = run_here("inspect", bird)
    assert (code, err) == (0, [])
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == ["group", "pitch", "rhythm", "pitch", "rhythm", "shared:", "real"]
    assert "of its dimensions reach the threshold" in lines[3]
    assert [line.split()[2] for line in lines[1:3]] == ["real", "whole-notes"]
    with monkeypatch.context() as gone:
        gone.setattr(melody_codes, "has_data", lambda space, data: False)
        code, out, err = run_here("inspect", bird)
    assert [line.split()[2] for line in out.splitlines()[1:3]] == ["whole-notes", "whole-notes"]
    assert err == [
        "warning: two whole notes are changed; real clips, as the paper's for pitch, need a data set: see --data"
    ]
    code, out, _ = run_here("inspect", bird, "--json", "--top", 2, "--out", tmp_path / "out", "--clips", "real")
    said = json.loads(out)
    assert (said["model"], said["clips"]) == ("whole", "real")
    assert len(said["groups"]["pitch"]["dimensions"]) == 2
    assert (tmp_path / "out" / "inspect-rhythm.svg").exists()
    own = tmp_path / "backwards.py"
    own.write_text("def augment(clips, amount):\n    return clips[:, ::-1]\n")
    code, out, _ = run_here("inspect", bird, "--augmentation", own, "--clips", "real", "--basis", "pca")
    assert [line.split()[0] for line in out.splitlines()] == ["group", "backwards", "real"]
    drawn = []
    monkeypatch.setattr(melody_codes, "draw", lambda found, out: drawn.append(out))
    code, out, _ = run_here("inspect", bird, songbirds["plain"][1], "--out", tmp_path / "two", "--json")
    said = json.loads(out)
    assert [one["model"] for one in said["models"]] == ["whole", "run-plain"]
    assert drawn == [tmp_path / "two" / "1-whole", tmp_path / "two" / "2-run-plain"]
    drawn.clear()
    assert run_here("inspect", bird, tmp_path / "none", "--out", tmp_path / "three")[0] == 2
    assert drawn == []  # of neither
    code, out, _ = run_here("inspect", bird, songbirds["plain"][1])
    assert out.splitlines()[-1].startswith("both: shared ")


@pytest.mark.usefixtures("few_whole_notes")
def test_inspections_that_cannot_be(refused, bird, songs, tmp_path):
    def said(*given):
        return refused("inspect", bird, "--out", tmp_path / "out", *given)

    assert "threshold 1e+06: keeps no dimension for pitch; the largest mean change is" in said("--threshold", 1e6)
    assert said("--threshold", "nan").endswith("--threshold nan: is not a finite number")
    assert said("--threshold=-0.5").endswith("--threshold -0.5: must be at least 0")
    assert "--top 0: must be at least 1" in said("--top", 0)
    assert "--threshold and --top both say which dimensions count" in said("--top", 1, "--threshold", 1)
    assert "invalid choice" in said("--basis", "fourier")
    assert "holds grid; this model reads melody" in said("--clips", "real", "--data", songs.folder)
    assert f"{tmp_path / 'none'}" in said("--clips", "real", "--data", tmp_path / "none")
    assert "none.py: cannot be read (No such file" in said("--augmentation", tmp_path / "none.py")
    for text, message in (
        ("def augment(clips", "SyntaxError"),
        ("amount = 1", "has no function augment(clips, amount)"),
        ("AMOUNTS = []\ndef augment(clips, amount): return clips", "AMOUNTS are numbers other than 0"),
        ("def augment(clips, amount): return clips[1:]", "augmentation mine: gave (119, 32) of uint8"),
        ("def augment(clips, amount): return clips + 100", "augmentation mine: gave "),
        ("def augment(clips, amount): return clips / 0", "augmentation mine: "),
        ("def augment(clips, amount): raise KeyError('x')", "augmentation mine: KeyError: 'x'"),
        ("def augment(clips, amount): return clips", "augmentation mine: changes no clip's code"),
    ):
        (tmp_path / "mine.py").write_text(text)
        assert message in said("--augmentation", tmp_path / "mine.py")
    (tmp_path / "out").write_text("a file")
    assert said().endswith("out: is a file; name a folder")


def with_free_dimensions(bird, folder):
    """A copy of the toy model with two dimensions a knob: of eight untrained ones some then belong to no knob."""
    bird = shutil.copytree(bird, folder)
    info = json.loads((bird / "model.json").read_text())
    for row in info["knobs"].values():
        row.update(dimensions=row["dimensions"][:2], change=row["change"][:2])
    (bird / "model.json").write_text(json.dumps(info))
    return bird


def test_plot_of_a_melody_model(run_here, refused, bird, tmp_path, monkeypatch):
    code, out, err = run_here("plot", "pca", bird, "--out", tmp_path / "out")
    assert (code, err) == (0, [])
    assert [line.rsplit("/", 1)[1] for line in out.splitlines()] == ["pca.png", "pca.svg", "pca.json"]
    model, sheets = (
        with_free_dimensions(bird, tmp_path / "whole"),
        ("theme-knob", "grid-knob", "theme-paper", "grid-paper"),
    )
    code, out, _ = run_here("plot", "theme", model, "--json")  # beside the model where no folder is given
    assert (code, json.loads(out)) == (0, {"files": [str(model / f"{sheet}.png") for sheet in sheets]})
    assert all((model / f"{sheet}.png").read_bytes().startswith(b"\x89PNG") for sheet in sheets)
    monkeypatch.chdir(tmp_path)
    assert run_here("plot", "theme", model, "--out", "theme")[1].split() == [f"theme/{sheet}.png" for sheet in sheets]
    assert (tmp_path / "theme" / "grid-paper.png").is_file()
    assert "takes one run, not 2" in refused("plot", "pca", bird, bird, "--out", tmp_path / "none")


# evaluate


def test_evaluate_a_melody_model(run_here, refused, bird, melodies, songs, tmp_path, monkeypatch):
    from fadernets.evaluation import melody_knobs

    bird = with_free_dimensions(bird, tmp_path / "whole")
    evaluate = melody_knobs.evaluate
    monkeypatch.setattr(melody_knobs, "evaluate", lambda *a, **k: evaluate(*a, **k, count=3))
    code, out, err = run_here("evaluate", "melody", bird, "--data", melodies.folder, "--seed", 2)
    assert (code, err) == (0, [])
    assert out.startswith("3 held-out clips rebuilt: ")
    code, out, _ = run_here("evaluate", "melody", bird, "--data", melodies.folder, "--json")
    assert json.loads(out)["knob"]["pitch"]["onset_f1"]["mean"] == 1
    assert "holds grid; a melody model reads melodies" in refused("evaluate", "melody", bird, "--data", songs.folder)
