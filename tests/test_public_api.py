"""What `import fadernets` offers: every source of music, in memory and by file, lazily, as the docstrings say."""

import ast
import doctest
import importlib
import inspect
import json
import pkgutil
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import symusic
from made_scores import attributes, note, score
from midi_files import PIECES

import fadernets
from fadernets import api
from fadernets.attributes import table
from fadernets.cli import main
from fadernets.decoding.edit_models import open_edit_model
from fadernets.editing import file_edit, requests
from fadernets.editing.presets import PAPER_PRESET
from fadernets.editing.regions import RegionList
from fadernets.engines.model_folder import DEFAULT_MODEL, DEFAULT_WINDOW_MODEL
from fadernets.music import document

ASSETS = Path(fadernets.__file__).parent / "assets"
PIECE, THEME = ASSETS / "k545.mid", ASSETS / "k265.mid"
MOVE = {"move": {"rhythm_density": 0.2}, "bars": [(1, 4)]}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the files that the examples name."""
    for name, source in {"in.mid": PIECE, "a.mid": THEME, "b.mid": PIECE, "song.mid": THEME}.items():
        shutil.copy(source, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# names


def test_every_name_is_there_and_documented():
    for name in fadernets.__all__:
        assert inspect.getdoc(getattr(fadernets, name)), name
    assert dir(fadernets) == sorted([*fadernets.__all__, "__version__"])
    assert dir(fadernets.attributes) == ["Attribute", "register"]  # not the old name, which warns
    with pytest.raises(AttributeError, match="module 'fadernets' has no attribute 'volume'"):
        _ = fadernets.volume


def test_no_module_has_a_public_name():
    """An import of a submodule would take its place."""
    modules = {module.name for module in pkgutil.iter_modules(fadernets.__path__)}
    assert not modules & set(fadernets.__all__)
    code = (
        "import fadernets, fadernets.editing.mix, fadernets.melodies.blend, fadernets.evaluation, fadernets.api\n"
        "assert all(callable(getattr(fadernets, name)) for name in fadernets.__all__)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_names_that_editors_see_are_those_that_are_there():
    """The imports for type checkers name each of `__all__` from the module that it comes from."""
    seen = {}
    for node in ast.walk(ast.parse(Path(fadernets.__file__).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("fadernets."):
            seen |= {name.name: node.module for name in node.names}
    assert sorted(seen) == sorted(fadernets.__all__)
    for name, module in seen.items():
        assert getattr(importlib.import_module(module), name) is getattr(fadernets, name)


@pytest.mark.alone
@pytest.mark.parametrize("command", [["-c", "import fadernets"], ["-m", "fadernets.cli", "--help"]])
def test_importing_is_quick_and_imports_nothing_heavy(command):
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
        bare = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import argparse"], check=True)
        times.append(2 * bare - begin - time.perf_counter())
    assert min(times) < 0.1  # seconds beyond Python's own start
    done = subprocess.run([sys.executable, "-X", "importtime", *command], check=True, capture_output=True, text=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"numpy", "pydantic", "onnxruntime", "symusic", "torch", "matplotlib", "fastapi"}


# sources


def sources():
    piece = document.Document(PIECE).piece
    tpq = piece.tpq
    columns = np.column_stack(
        [piece.notes["onset"] / tpq, piece.notes["end"] / tpq, piece.notes["pitch"], piece.notes["velocity"]]
    )
    return {
        "path": PIECE,
        "text": str(PIECE),
        "bytes": PIECE.read_bytes(),
        "document": document.Document(PIECE),
        "score": symusic.Score(PIECE),
        "score in seconds": symusic.Score(PIECE, ttype="second"),
        "notes": fadernets.edit(PIECE).notes,
        "edited": fadernets.edit(PIECE),
        "columns": columns,
        "lists": columns.tolist(),
    }


@pytest.mark.parametrize("name", sources())
def test_everything_is_a_source(name):
    whole = api.document_of(PIECE).piece.notes
    assert (
        api.document_of(sources()[name]).piece.notes[["onset", "pitch"]].tolist() == whole[["onset", "pitch"]].tolist()
    )


@pytest.mark.parametrize("source", [None, 3, object()])
def test_what_is_no_source(source):
    with pytest.raises(fadernets.FadernetsError, match="is no music; give a path, bytes of a MIDI or MusicXML file"):
        fadernets.measure(source)


# edits


def test_an_edit_in_memory_is_that_of_files(here):
    edited = fadernets.edit("in.mid", **MOVE, tracks=[1], seed=2)
    report = fadernets.apply("in.mid", "out.mid", **MOVE, tracks=[1], seed=2)
    assert edited.data == Path("out.mid").read_bytes()
    assert edited.report == report
    faders = fadernets.Faders.checked(**MOVE, tracks=["1"], seed=2)
    assert file_edit.apply(api.default_engine(), Path("in.mid"), Path("again.mid"), faders) == report
    assert Path("again.mid").read_bytes() == edited.data == fadernets.edit(PIECE.read_bytes(), faders).data
    assert edited.log_odds is None  # the rewriter comes without a critic
    assert fadernets.edit("in.mid", **MOVE, model=DEFAULT_WINDOW_MODEL).log_odds is not None


def test_the_paper_s_preset_is_of_the_paper_s_model(here):
    shifted = {"preset": PAPER_PRESET, "amount": 0.5, "bars": [(1, 2)]}
    edited = fadernets.edit("in.mid", **shifted)
    assert edited.report.model == fadernets.apply("in.mid", "out.mid", **shifted).model == DEFAULT_WINDOW_MODEL
    assert edited.data == Path("out.mid").read_bytes()
    with pytest.raises(fadernets.FadernetsError, match="model rewriter has no arousal clusters"):
        fadernets.edit("in.mid", **shifted, model=DEFAULT_MODEL)


def test_regions_in_memory_are_those_of_their_file(here):
    regions = [
        fadernets.Region.checked(name="busier", bars=[(5, 6)], only="left", move={"rhythm-density": 0.2}, seed=1),
        fadernets.Region.checked(bars=[(6, 7)], preset="arousal", amount=0.5, hold=["tempo"], keep=["melody"]),
    ]
    layered = fadernets.apply_regions("in.mid", regions)
    RegionList(regions, "rewriter").save(Path("regions.json"))
    again = fadernets.apply_regions(PIECE.read_bytes(), "regions.json")
    assert layered.data == again.data != PIECE.read_bytes()
    assert layered.report.regions == again.report.regions
    assert [len(row.report.segments) for row in layered.report.regions] == [2, 2]
    assert fadernets.apply_regions("in.mid", []).data == PIECE.read_bytes()
    codes = [fadernets.Region.checked(bars=[(1, 2)], preset=PAPER_PRESET, amount=0.5)]
    assert fadernets.apply_regions("in.mid", codes).report.model == DEFAULT_WINDOW_MODEL


def test_what_comes_of_an_edit(here):
    edited = fadernets.edit(PIECE, set={"tempo": 90})
    assert edited.document.path.name == "k545.mid"
    assert edited.warnings == edited.report.warnings
    assert edited.score().tempos[0].mspq == 666_667
    assert edited.save("out.mid").read_bytes() == edited.data
    further = fadernets.edit(edited.document, set={"tempo": 120})
    assert fadernets.measure(further.data)["means"]["tempo"] == pytest.approx(120, abs=0.1)
    with pytest.raises(fadernets.FadernetsError, match="cannot be written"):
        edited.save(here / "none" / "out.mid")


def test_names_with_dashes_as_the_command_line_spells_them():
    one = fadernets.edit(
        PIECE, set={"rhythm-density": 0.5}, hold="note-density, tempo", preset="arousal", bars=[(1, 4)]
    )
    other = fadernets.edit(
        PIECE, set={"rhythm_density": 0.5}, hold=["note_density", "tempo"], preset="arousal", bars=[(1, 4)]
    )
    assert one.data == other.data
    assert one.report.preset["held"] == ["note_density", "tempo"]


def test_what_cannot_be_asked_for_is_named_as_a_keyword():
    for options, message in {
        "set": ({"set": {"swing": 1}}, "^set: unknown fader 'swing'"),
        "bars": ({"bars": [(900, 901)]}, "^bars 900-901: the piece has 28 bars"),
        "tracks": ({"tracks": [7]}, "^tracks 7: no such pitched track"),
        "preset": ({"preset": "joy"}, "^preset joy: cannot be read"),
        "faders": ({"faders": fadernets.Faders(), "seed": 3}, "^faders are given as one Faders object or by keywords"),
        "model": ({"model": "none"}, "^model none: is neither a bundled model nor a folder"),
    }.values():
        with pytest.raises(fadernets.FadernetsError, match=message):
            fadernets.edit(PIECE, **options)
    with pytest.raises(TypeError, match="volume"):
        fadernets.apply(PIECE, "out.mid", volume=1)


@pytest.mark.parametrize(
    "given",
    [
        {"move": 0.2},
        {"move": "rhythm-density=0.2"},
        {"move": {"tempo": None}},
        {"set": [("tempo", 90)]},
        {"set": {"tempo": {}}},
        {"per_bar": {"dynamics": [60, 70]}},
        {"per_bar": {"dynamics": {None: 60}}},
        {"per_bar": "values.csv"},
        {"preset": {"name": "arousal", "amount": 1}},
        {"preset": 3},
        {"preset": "arousal", "amount": "1"},
        {"preset": "arousal", "hold": 3},
        {"hold": ["tempo"]},
        {"amount": 0.5},
        {"faithfulness": "1"},
        {"faithfulness": None},
        {"bars": []},
        {"bars": [5.5]},
        {"bars": "five"},
        {"tracks": []},
        {"tracks": 1.5},
        {"seed": None},
        {"seed": "a"},
        {"seed": 1.5},
        {"keep": None},
        {"keep": [None]},
        {"keep": {"melody": 1}},
        {"only": 1.5},
        {"beats": [0, 0.5]},
        {"model": 3},
        {"model": fadernets.MelodyEngine.open()},
        {"faders": {"move": {"tempo": 3}}},
        {"faders": {"rhythm_density": 0.2}},
    ],
    ids=str,
)
def test_what_is_of_another_type_is_named_in_one_line(given):
    given = dict(given)
    faders = given.pop("faders", None)
    with pytest.raises(fadernets.FadernetsError) as error:
        fadernets.edit(PIECE, faders, **given)
    assert len(str(error.value).splitlines()) == 1
    name = "values.csv" if given.get("per_bar") == "values.csv" else next(iter(given), "faders")
    assert name.partition("=")[0] in str(error.value) or "tempo" in str(error.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fadernets.turn(THEME, pitch=float("nan")), "^pitch: nan is not a finite number"),
        (lambda: fadernets.turn(THEME, pitch="3"), "^pitch: '3' is not a finite number"),
        (lambda: fadernets.turn(THEME, seed=-1), "^seed -1: must lie in"),
        (lambda: fadernets.turn(THEME, bars=[]), "^bars: give inclusive ranges"),
        (lambda: fadernets.turn(THEME, track=[1]), "^track: give numbers from 1 or names"),
        (lambda: fadernets.turn(THEME, model=3), "^model: give the name of a model of melodies"),
        (lambda: fadernets.blend(THEME, PIECE, "2", "2"), r"^rows: give a whole number in 2\.\.16, not '2'"),
        (lambda: fadernets.blend(THEME, PIECE, 2, 2.5), "^columns: give a whole number"),
        (lambda: fadernets.mix(THEME, PIECE, tracks_a=[]), "^tracks_a: give numbers from 1 or names"),
        (lambda: fadernets.mix(THEME, PIECE, tracks_b=1.5), "^tracks_b: give numbers from 1 or names"),
        (lambda: fadernets.mix(THEME, PIECE, seed="a"), "^seed: give a whole number"),
        (lambda: fadernets.measure(PIECE, tracks=[]), "^tracks: give numbers from 1 or names"),
        (lambda: fadernets.measure([[0, 1, 60, 80], [1, 2]]), "^an array of notes has rows of the same length"),
        (lambda: fadernets.apply_regions(PIECE, [{"bars": [[1, 2]]}]), r"^regions: give a list of Region\.checked"),
        (lambda: fadernets.apply_regions(PIECE, 3), "^regions: give a list"),
        (lambda: fadernets.apply(PIECE.read_bytes(), "out.mid"), "^source: give a path, not a bytes; `edit` takes"),
        (lambda: fadernets.evaluate(3, "data"), "is not a prepared data set"),
        (lambda: fadernets.evaluate("melody", 3), "^data: give a Dataset or the folder of one, not 3"),
        (lambda: fadernets.Region.checked(variation=3), "^variation: an index from 0 and a count"),
        (lambda: fadernets.Region.checked(name=3), "^name: a text, not 3"),
        (lambda: fadernets.Region({"move": {"tempo": 3}}), "^a Region has Faders; Region.checked takes values"),
        (lambda: fadernets.measure("a\0b"), r"^'a\\x00b': cannot be read \(no path has a null character\)"),
        (lambda: fadernets.measure(PIECE, beats="a\0b"), r"^'a\\x00b': cannot be read"),
        (lambda: fadernets.edit(PIECE, bars=10**400), "^bars: give inclusive ranges"),
        (lambda: fadernets.edit(PIECE, bars=1).save(3), "^path: give the path of a file, not 3"),
        (lambda: fadernets.Document(3), "^a Document is read from a path, not from a int"),
    ],
)
def test_what_other_calls_cannot_use_is_one_line(call, message):
    with pytest.raises(fadernets.FadernetsError, match=message):
        call()


def test_misspelt_keywords_are_those_of_the_function():
    for call, message in (
        (
            lambda: fadernets.apply(PIECE, "out.mid", trakcs=[1]),
            r"^apply\(\) got .* 'trakcs' \(did you mean 'tracks'\?\)$",
        ),
        (lambda: fadernets.Region.checked(seeed=1), r"^Region\.checked\(\) got .* 'seeed' \(did you mean 'seed'\?\)$"),
        (lambda: fadernets.Region.checked(beats="beats.txt"), r"^Region\.checked\(\) got .* 'beats'"),
        (
            lambda: fadernets.evaluate("rewriter", "data", run=1),
            r"^evaluate\(\) got .* 'run' \(did you mean 'runs'\?\)$",
        ),
    ):
        with pytest.raises(TypeError, match=message):
            call()


def test_one_track_and_one_region_need_no_list(here):
    assert fadernets.measure(PIECE, tracks="1") == fadernets.measure(PIECE, tracks=[1])
    region = fadernets.Region.checked(bars="1-2", set={"dynamics": 90})
    assert fadernets.apply_regions(PIECE, region).data == fadernets.apply_regions(PIECE, [region]).data


def test_notes_of_an_edit_keep_their_time():
    """Whatever the ticks of its file: an array of ticks says how many there are, or is refused."""
    beats = [[i, i + 1, 60 + i % 5, 80] for i in range(8)]
    source = fadernets.Document.of_notes([[a * 96, b * 96, *rest] for a, b, *rest in beats], tpq=96)
    edited = fadernets.edit(source, set={"dynamics": 60})
    assert edited.document.piece.tpq == 96
    assert edited.notes["onset"].tolist() == list(range(8))
    assert fadernets.edit(edited.notes, set={"dynamics": 70}).notes["end"].tolist() == list(range(1, 9))
    with pytest.raises(fadernets.FadernetsError, match="are whole numbers, so ticks"):
        fadernets.edit(edited.document.piece.notes)


def test_an_edit_of_an_edited_score_is_the_score(here):
    lyric = "<lyric><syllabic>single</syllabic><text>Tra</text></lyric>"
    bars = [note("C4", more=lyric) + "".join(note(pitch) for pitch in ("D4", "E4", "F4")) for _ in range(4)]
    (here / "in.musicxml").write_bytes(score([attributes() + bars[0], *bars[1:]]))
    once = fadernets.edit("in.musicxml", set={"dynamics": 90})
    for source in (once, once.document):
        twice = fadernets.edit(source, move={"key": 2})
        assert twice.document.origin is once.source
        text = twice.save("out.musicxml").read_text()
        assert text.count("<text>Tra</text>") == 4
        report = fadernets.edit("in.musicxml", move={"key": 2}).save("direct.musicxml")
        assert fadernets.measure("out.musicxml")["means"]["pitch"] == fadernets.measure(report)["means"]["pitch"]


def test_what_there_is_can_be_listed():
    assert [row["name"] for row in fadernets.list_faders()] == list(table.ATTRIBUTES)
    dynamics = next(row for row in fadernets.list_faders() if row["name"] == "dynamics")
    assert (dynamics["unit"], dynamics["low"], dynamics["high"], dynamics["movable"]) == (
        "velocity, mean",
        1,
        127,
        True,
    )
    for row in fadernets.list_presets():
        assert fadernets.edit(PIECE, preset=row["name"], bars=1).report.segments
    assert {row["kind"] for row in fadernets.list_models()} == {"rewriter", "windows", "melody"}
    assert all(Path(row["folder"]).is_dir() for row in fadernets.list_models())


def test_the_edited_rows_of_a_report():
    report = fadernets.edit(PIECE, **MOVE).report
    assert [segment.bar for segment in report.edited_segments] == [1, 2, 3, 4]
    assert len(report.segments) == 28
    codes = fadernets.edit(PIECE, preset=PAPER_PRESET, bars=(1, 2)).report
    assert {segment.bar for segment in codes.edited_segments} == {1, 2}
    assert "edited" not in report.segments[0].as_dict()


def test_what_a_notebook_shows_is_short(songs):
    edited = fadernets.edit(PIECE, **MOVE)
    shown = (
        edited,
        edited.report,
        edited.document,
        fadernets.Engine.open(),
        songs,
        fadernets.blend(THEME, PIECE, 2, 2),
    )
    for each in shown:
        assert len(repr(each)) < 300
        assert repr(each).startswith(f"<{type(each).__name__} ")
    assert repr(edited.report) == "<EditReport by rewriter: 4 of 28 segments, 0 warnings>"
    assert edited._repr_html_() == edited.report._repr_html_()
    assert edited._repr_html_().startswith("<pre>  bar      rhythm density")
    assert fadernets.turn(THEME)._repr_html_() is None


def test_the_package_is_the_command():
    done = subprocess.run([sys.executable, "-m", "fadernets", "models"], check=True, capture_output=True, text=True)
    assert "rewriter (default)" in done.stdout


def test_engines_by_name_by_folder_and_opened_once():
    assert api.default_engine() is api.default_engine()
    for models in (
        (None, DEFAULT_MODEL, api.default_engine().folder, open_edit_model()),
        (DEFAULT_WINDOW_MODEL, api.default_window_engine().folder, fadernets.Engine.open()),
    ):
        found = [fadernets.measure(PIECE, model=model)["means"] for model in models]
        assert found.count(found[0]) == len(found)


def test_measure_is_that_of_files(here, capsys):
    assert fadernets.measure(PIECE, tracks=[1]) == file_edit.measure(api.default_engine(), PIECE, ["1"])
    with pytest.raises(fadernets.FadernetsError, match=r"^tracks 9: no such pitched track"):
        fadernets.measure(PIECE, tracks=[9])
    (here / "beats.txt").write_text("".join(f"{0.3 + 0.4 * i:.1f}\n" for i in range(60)))
    measured = fadernets.measure(PIECE, beats="beats.txt")
    assert main.main(["measure", str(PIECE), "--beats", "beats.txt", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == measured
    assert len(measured["segments"]) != len(fadernets.measure(PIECE)["segments"])


def test_mix_in_memory_is_that_of_files(here, capsys):
    mixed = fadernets.mix(THEME, PIECE)
    assert main.main(["mix", str(THEME), str(PIECE), str(here / "mixed.mid"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == mixed.report.as_dict()
    assert (here / "mixed.mid").read_bytes() == mixed.data
    with pytest.raises(fadernets.FadernetsError, match=r"^faithfulness 2: must lie in 0\.\.1$"):
        fadernets.mix(THEME, PIECE, faithfulness=2)
    for options in ({"tracks_a": [9]}, {"tracks_b": [9]}):
        with pytest.raises(fadernets.FadernetsError, match=f": {next(iter(options))} 9: no such pitched track"):
            fadernets.mix(THEME, PIECE, **options)


def test_turn_moves_the_melody():
    turned = fadernets.turn(THEME, pitch=2)
    means = turned.report.means
    assert means["measured"]["pitch"] == pytest.approx(means["asked"]["pitch"], abs=0.5)
    notes = [[i, i + 1, 60 + i % 5, 80] for i in range(8)]
    assert len(fadernets.turn(notes, rhythm=1).notes) == 16
    with pytest.raises(fadernets.FadernetsError, match=r"^track 9: "):
        fadernets.turn(THEME, track=9, pitch=1)


def test_melodies_in_other_metres_are_cut_by_quarter_notes_where_that_is_asked(here):
    waltz = PIECES["waltz"](here / "waltz.mid")
    for call in (
        lambda **given: fadernets.turn(waltz, **given),
        lambda **given: fadernets.blend(waltz, THEME, 2, 2, **given),
    ):
        with pytest.raises(fadernets.FadernetsError, match=r"the metre is 3/4 from bar 1 on.* regrid cuts by quarter"):
            call()
        assert call(regrid=True)


def test_blend_lies_between(here):
    between = fadernets.blend(THEME, symusic.Score(PIECE), 2, 3)
    assert between.cells.shape[:2] == (2, 3)
    files = between.save("cells")["files"]
    assert between.cell(1, 2).edited(document.Edit.nothing()) == Path("cells/cell-2-3.mid").read_bytes()
    assert "all.mid" in files
    for given, message in (((1, 2), "^rows 1, columns 2: needs"), ((2, 2, 9), "track_b 9: no such pitched track")):
        with pytest.raises(fadernets.FadernetsError, match=message):
            fadernets.blend(THEME, PIECE, *given[:2], track_b=(*given, None)[2])
    assert between.warnings
    with pytest.raises(IndexError, match="there are 2 rows and 3 columns"):
        between.cell(2, 0)


def test_evaluate_gives_the_figures_of_a_model(songs, exported, songbirds, melodies, monkeypatch):
    from fadernets.evaluation import melody_knobs, model_folder

    monkeypatch.setattr(model_folder, "M", 4)
    monkeypatch.setattr(model_folder, "UNTOUCHED", 4)
    figures = fadernets.evaluate(exported[True][0], songs, runs=1, loops=["open"])
    engine = fadernets.Engine.open(exported[True][0])
    assert figures == model_folder.evaluate(engine, songs, runs=1, loops=["open"])
    assert fadernets.evaluate(engine, songs.folder, runs=1, loops=["open"]) == figures
    seen = []
    monkeypatch.setattr(melody_knobs, "evaluate", lambda *given, **options: seen.append((given, options)) or {})
    assert fadernets.evaluate(songbirds["plain"][0], melodies, count=3) == {}
    ((singer, data), options) = seen[0]
    assert (type(singer), data, options["count"]) == (fadernets.MelodyEngine, melodies, 3)


# docstrings


@pytest.mark.parametrize("module", [api, requests, table, document, fadernets], ids=lambda module: module.__name__)
def test_examples_of_docstrings_run(module, here, monkeypatch):
    monkeypatch.setattr(table, "USER_DEFINED", set(table.USER_DEFINED))
    before = dict(table.ATTRIBUTES)
    try:
        assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0
    finally:
        for name in set(table.ATTRIBUTES) - set(before):
            del table.ATTRIBUTES[name]
