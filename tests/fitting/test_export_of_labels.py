"""A GM-VAE of three classes of a user's label: CSV -> run -> model folder -> presets that go toward a class."""

import json
import os
from pathlib import Path

import midi_files
import numpy as np
import pytest
from conftest import TINY, make_song, save_run

from fadernets.attributes import table
from fadernets.codecs import grid
from fadernets.data import labels
from fadernets.data.prepare import prepare
from fadernets.decoding import segment_decoding
from fadernets.decoding.edit_models import open_edit_model
from fadernets.decoding.segment_requests import SegmentRequest, encode_segments
from fadernets.editing import file_edit, presets
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.presets import CodePreset
from fadernets.editing.requests import Faders
from fadernets.engines.code_arithmetic import likeliest_class
from fadernets.engines.grid import Engine, ModelError
from fadernets.errors import FadernetsError
from fadernets.fitting.export import export
from fadernets.models import build
from fadernets.music.document import Document
from fadernets.training import recipes
from fadernets.training.loop import train
from fadernets.web.models import Models

CLASSES = ("low", "middle", "high")
MORE = ["mood-codes", *(f"mood-codes:{name}" for name in CLASSES)]


@pytest.fixture(scope="module")
def mood(songs, tmp_path_factory):
    """A model folder whose three clusters are of a mood that rises with rhythm density, as a CSV file says it."""
    root = tmp_path_factory.mktemp("mood")
    density = table.measure(songs.cells(np.arange(len(songs))))["rhythm_density"]
    ids = [piece["id"] for piece in songs.manifest["pieces"]]
    rows = [f"{ids[p]},{i},{d:.4f}" for p, i, d in zip(songs.piece, songs.index, density, strict=True)]
    (root / "mood.csv").write_text("\n".join(["piece,index,mood", *rows]) + "\n")
    best = train(
        recipes.check(
            {
                "data": str(songs.folder),
                "out": str(root / "run"),
                "model": TINY | {"clusters": 3, "attributes": False, "beta": 0.02, "label_weight": 50.0},
                "label": f"{root / 'mood.csv'}:mood",
                "label_edges": [0.3, 0.3, 0.7, 0.7],  # up to four onsets, eight, sixteen
                "label_corpora": ["songs"],
                "label_share": 1.0,
                "reconstruct_labelled": True,
                "steps": 250,
                "batch": 64,
                "validate": 250,
                "learning_rate": 0.01,
                "precision": "32-true",
            }
        )
    )
    return export(best, root / "model", name="moody")


@pytest.fixture
def piece(tmp_path):
    """A MIDI file of eight bars with few onsets and many."""
    cells = make_song(np.random.default_rng(5), 8)
    rows = grid.runs(cells.reshape(-1, grid.PITCHES)).tolist()
    notes = [(start / 4, (end - start) / 4, pitch + grid.LOW, 80) for start, end, pitch in rows]
    return midi_files.save(tmp_path / "in.mid", midi_files.track(notes))


def test_the_folder_says_what_its_clusters_are_of(mood):
    info = json.loads((mood / "model.json").read_text())
    assert info["label"]["name"] == "mood"
    assert info["label"]["classes"] == list(CLASSES)
    assert len(info["label"]["edges"]) == 4
    engine = Engine.open(mood)
    assert {len(mean) for mean in engine.means.values()} == {3}
    assert [one.name for one in presets.of_engine(engine)] == MORE
    card = (mood / "README.md").read_text()
    assert "three components, classes of mood: low, middle, high" in card
    assert "rousal" not in card


def test_clusters_are_the_classes_of_held_out_pieces(mood, songs):
    engine = Engine.open(mood)
    cells = songs.cells(songs.select("test"))
    density = table.measure(cells)["rhythm_density"]
    found = likeliest_class(engine.encode(cells)["rhythm"], engine.means["rhythm"])
    means = [density[found == k].mean() for k in range(3)]
    assert means == sorted(means)
    assert np.isnan(engine.arousal(engine.encode(cells))).all()  # its clusters are not of arousal
    assert np.corrcoef(engine.highest_class(engine.encode(cells)), density)[0, 1] > 0.5


@pytest.mark.parametrize(("name", "target"), [("low", 0), ("middle", 1), ("high", 2), ("3", 2), ("", None)])
def test_a_preset_goes_toward_a_class_and_lands(mood, piece, tmp_path, name, target):
    """What was written lies in that class, or nearer to it than the source, decoded freely as in the paper."""
    engine = open_edit_model(mood)
    faders = Faders.checked(preset=CodePreset("mood", name).name, amount=1.0, faithfulness=0.0)
    file_edit.apply(engine, piece, tmp_path / "out.mid", faders)

    def classes(path):
        on_grid = PieceOnGrid.of(Document(path).piece, [0])
        codes = engine.encode(on_grid.cells(on_grid.full))
        return likeliest_class(codes["rhythm"], engine.means["rhythm"])

    goal = 2 if target is None else target
    before, after = classes(piece), classes(tmp_path / "out.mid")
    assert (before != goal).any()
    assert (np.abs(after - goal) <= np.abs(before - goal)).mean() > 0.8
    assert np.abs(after - goal).mean() < np.abs(before - goal).mean()


def test_presets_that_the_model_does_not_have(mood, piece, tmp_path, exported):
    has = "it has mood-codes, mood-codes:low, mood-codes:middle, mood-codes:high"
    for name in ("arousal-codes", "mood-codes:4", "mood-codes:0", "mood-codes:joyful"):
        faders = Faders.checked(preset=name)
        with pytest.raises(FadernetsError, match=rf"preset {name}: .* of mood \(low, middle, high\); {has}"):
            file_edit.apply(open_edit_model(mood), piece, tmp_path / "out.mid", faders)
    with pytest.raises(FadernetsError, match=r"preset mood-codes: .* of arousal \(low, high\); it has arousal-codes"):
        file_edit.apply(
            open_edit_model(exported[True][0]), piece, tmp_path / "out.mid", Faders.checked(preset="mood-codes")
        )


def test_the_studio_offers_them_after_the_paper_s(mood):
    offered = Models({"moody": mood}).code_presets()
    assert list(offered) == ["arousal-codes", *MORE]
    assert offered["mood-codes:middle"] == ["moody"]
    assert offered["arousal-codes"] == ["pop-lieder"]


def test_the_command_line_lists_them(mood, run_here):
    lines = run_here("preset", "list", "--model", mood)[1].splitlines()
    assert lines[-4:] == [f"preset {name}: the model's codes" for name in MORE]


# What folders say


def test_two_clusters_of_another_label(songs, tmp_path):
    model = build("music-fadernets", TINY | {"clusters": 2})
    run = save_run(tmp_path / "run", model, songs, label="valence", label_edges=[-0.2, 0.2])
    engine = Engine.open(export(run, tmp_path / "model"))
    assert engine.label is not None
    assert (engine.label.name, engine.label.classes) == ("valence", ("low", "high"))
    assert [one.name for one in presets.of_engine(engine)] == ["valence-codes"]
    assert np.isnan(engine.arousal(engine.encode(songs.cells(np.arange(3))))).all()


def test_clusters_that_no_label_guided_have_no_presets(songs, tmp_path):
    run = save_run(tmp_path / "run", build("music-fadernets", TINY | {"clusters": 2}), songs, label_share=0.0)
    engine = Engine.open(export(run, tmp_path / "model"))
    assert engine.label is None
    assert presets.of_engine(engine) == []


def test_clusters_of_labels_that_the_data_set_lacked_have_no_presets(songs, tmp_path):
    """A recipe may have asked for labels and found none: what counts is the number of labelled rows."""
    run = save_run(tmp_path / "run", build("music-fadernets", TINY | {"clusters": 2}), songs, label_share=0.01)
    config = json.loads((run / "config.json").read_text())
    config["segments"]["labelled"] = 0
    (run / "config.json").write_text(json.dumps(config))
    engine = Engine.open(export(run, tmp_path / "model"))
    assert engine.label is None
    assert engine.info["means"] == {}
    assert presets.of_engine(engine) == []


def test_a_folder_of_before_is_of_arousal(exported, tmp_path):
    folder = exported[True][0]
    info = json.loads((folder / "model.json").read_text())
    del info["label"]
    old = Engine(folder, info)
    assert old.label == Engine.open(folder).label
    assert [one.name for one in presets.of_engine(old)] == [presets.PAPER_PRESET]


@pytest.mark.parametrize(
    "label",
    [
        {"name": "mood"},
        {"name": "mood", "classes": ["low", "high"]},
        {"name": "mood", "classes": ["a", "a", "b"]},
        {"name": "", "classes": ["a", "b", "c"]},
        None,
        3,
    ],
)
def test_a_label_that_does_not_fit_its_clusters(mood, tmp_path, label):
    info = json.loads((mood / "model.json").read_text()) | {"label": label}
    (tmp_path / "model.json").write_text(json.dumps(info))
    with pytest.raises(ModelError, match="is damaged"):
        Engine.open(tmp_path)


# Valence, the paper's future work, on VGMIDI

ARCHIVES = Path(os.environ.get("FADERNETS_DATA", "data"))


@pytest.mark.shared
@pytest.mark.slow
def test_three_classes_of_valence(tmp_path):
    """VGMIDI's own label in classes of many pieces each: data set, run, folder, codes that go to each class."""
    data = prepare({"vgmidi": ARCHIVES}, tmp_path / "data", workers=1)
    edges = [-0.1, -0.1, 0.1, 0.1]
    found = labels.classes(data, "valence", edges)
    assert all(len(np.unique(data.piece[found == k])) > 20 for k in range(3))
    recipe = {
        "data": str(data.folder),
        "out": str(tmp_path / "run"),
        "model": TINY | {"clusters": 3, "attributes": False, "label_weight": 50.0},
        "label": "valence",
        "label_edges": edges,
        "label_share": 1.0,
        "reconstruct_labelled": True,
        "steps": 30,
        "batch": 64,
        "validate": 30,
        "learning_rate": 0.01,
    }
    folder = export(train(recipes.check(recipe)), tmp_path / "model")
    engine = Engine.open(folder)
    assert [one.name for one in presets.of_engine(engine)] == [
        "valence-codes",
        *(f"valence-codes:{name}" for name in CLASSES),
    ]
    source = encode_segments(engine, data.cells(data.select("test")[:200]))
    for k in range(3):
        codes, _ = segment_decoding.moved_codes(engine, source, SegmentRequest(arousal=1.0, toward=k))
        for name, code in codes.items():
            before, after = (likeliest_class(z, engine.means[name]) for z in (source.codes[name], code))
            np.testing.assert_array_equal(code[before == k], source.codes[name][before == k])
            assert (after == k).mean() > 0.9
