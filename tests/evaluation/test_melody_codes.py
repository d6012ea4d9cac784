"""The study of the NIME paper from model folders and runs: groups, principal components, figures."""

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import make_model, save_run
from matplotlib.image import imread

from fadernets.engines.melody import MelodyEngine
from fadernets.errors import FadernetsError
from fadernets.evaluation import melody_codes, melody_paper_figures
from fadernets.evaluation.melody_codes import clips_of, code_space
from fadernets.melodies import augmentations, inspection
from fadernets.melodies.augmentations import AUGMENTATIONS, Augmentation


@pytest.fixture(autouse=True)
def few_whole_notes(monkeypatch):
    whole_notes = augmentations.whole_notes
    monkeypatch.setattr(augmentations, "whole_notes", lambda low, high: whole_notes(60, 66))


@pytest.fixture
def bird(songbirds):
    return songbirds["plain"][0]


# What has codes


def test_a_folder_and_its_run_have_the_same_codes(songbirds, melodies):
    folder, run, _ = songbirds["whole"]
    exported, trained = code_space(folder), code_space(run)
    assert (exported.name, exported.codec, exported.data) == ("whole", "melody", str(melodies.folder))
    assert (trained.name, trained.codec, trained.data) == ("run-whole", "melody", str(melodies.folder))
    clips = np.asarray(melodies.codes[:5])
    np.testing.assert_allclose(exported.encode(clips), trained.encode(clips), atol=1e-4)


def test_a_bundled_fadernets_has_both_its_codes(segments):
    found = code_space("pop-lieder")
    assert found.codec == "grid"
    assert found.encode(segments[:3]).shape[0] == 3
    assert found.encode(segments[:3]).shape[1] % 2 == 0


def test_what_has_no_codes_to_look_into(songs, tmp_path):
    with pytest.raises(
        FadernetsError, match=r"nothing: neither a bundled model, a model folder nor a run; bundled: .*pop-lieder"
    ):
        code_space("nothing")
    run = save_run(tmp_path / "grid-run", make_model(), songs)
    with pytest.raises(FadernetsError, match="grid-run: a run over grid; export it, or give a run of music-vae"):
        code_space(run)


def test_clips_come_from_a_split_and_then_from_the_others(melodies, songs):
    codes = np.asarray(melodies.codes)
    splits = {s: codes[np.sort(melodies.select(split=s))] for s in ("test", "validation", "train")}
    assert np.array_equal(clips_of(melodies.folder, "melody", count=12), splits["test"])
    found = clips_of(melodies.folder, "melody", count=24)
    assert len(found) == 24
    assert {tuple(c) for c in splits["test"].tolist()} <= {tuple(c) for c in found.tolist()}
    assert np.array_equal(clips_of(melodies.folder, "melody"), codes)
    assert np.array_equal(clips_of(melodies.folder, "melody", count=5), clips_of(melodies.folder, "melody", count=5))
    assert not np.array_equal(
        clips_of(melodies.folder, "melody", count=5, seed=1), clips_of(melodies.folder, "melody", count=5)
    )
    assert clips_of(songs.folder, "grid", count=7).shape == (7, 16, 88)
    with pytest.raises(FadernetsError, match="holds grid; this model reads melody"):
        clips_of(songs.folder, "melody")


def test_all_pairs_that_stay_when_transposed(monkeypatch):
    asked = []
    monkeypatch.setattr(augmentations, "whole_notes", lambda low, high: asked.append((low, high)))
    for name in ("pitch", "rhythm", "own"):
        augmentations.whole_notes_for(name, (40, 96))
    assert asked == [(40, 84), (40, 96), (40, 96)]
    asked.clear()
    for pitches in ((60, 66), (60, 58), (120, 127)):  # data of narrow range: an octave and a semitone
        augmentations.whole_notes_for("pitch", pitches)
        augmentations.whole_notes_for("rhythm", pitches)
    assert asked == [(60, 61), (60, 73), (60, 61), (60, 73), (114, 115), (114, 127)]


# Inspecting


def test_groups_are_those_of_the_library(bird):
    told = []
    found = melody_codes.inspect(bird, progress=lambda *at: told.append(at))
    assert told == [(1, 2), (2, 2)]
    assert (found.model, found.clips, list(found.groups)) == ("plain", "whole-notes", ["pitch", "rhythm"])
    engine = MelodyEngine.open(bird)
    for name, group in found.groups.items():
        expected = inspection.inspect(engine.encode, augmentations.whole_notes(0, 0), AUGMENTATIONS["melody"][name])
        assert group.as_dict() == expected.as_dict()
    both = set(found.groups["pitch"].dimensions.tolist()) & set(found.groups["rhythm"].dimensions.tolist())
    assert found.shared == sorted(both)
    assert found.as_dict()["shared"] == found.shared
    lines = found.table().splitlines()
    assert [line.split()[0] for line in lines] == ["group", "pitch", "rhythm", "shared:"]
    assert lines[1].split()[1] == "49"


def test_real_clips_and_their_principal_components(bird, melodies):
    found = melody_codes.inspect(bird, clips="real", basis="pca", top=2)
    assert found.clips == "real"
    engine, clips = MelodyEngine.open(bird), np.asarray(melodies.codes)
    axes = inspection.principal(engine.encode(clips))[0]
    row = AUGMENTATIONS["melody"]["rhythm"]
    expected = inspection.inspect(engine.encode, clips, row, basis=axes, top=2)
    assert found.groups["rhythm"].as_dict() == expected.as_dict()
    assert len(found.groups["rhythm"].dimensions) == 2
    on_notes = melody_codes.inspect(bird, basis="pca", top=2)
    assert (on_notes.clips, on_notes.groups["pitch"].clips) == ("whole-notes", 49)


def test_any_fadernets_model_and_any_function(songs, tmp_path):
    own = Augmentation("louder", lambda x, a: np.where(x == 0, x, 1), (1.0,), "amount")
    found = melody_codes.inspect("pop-lieder", data=songs.folder, user_defined=own, clips="whole-notes")
    assert (list(found.groups), found.clips, found.shared) == (["louder"], "real", [])
    assert found.groups["louder"].clips == 160 + 64
    assert "shared" not in found.table()
    with pytest.raises(FadernetsError, match=r"gave 0\.\.3; 0\.\.2 are what a clip can hold"):
        melody_codes.inspect(
            "pop-lieder", data=songs.folder, user_defined=Augmentation("x", lambda x, a: x * 3 % 4, (1.0,), "")
        )
    both = melody_codes.inspect("pop-lieder", data=songs.folder)
    assert list(both.groups) == ["pitch", "rhythm"]


def test_figures_3_and_4(bird, tmp_path):
    found = melody_codes.inspect(bird, out=tmp_path / "new" / "out")
    files = {p.name for p in (tmp_path / "new" / "out").iterdir()}
    assert files == {"inspect.json", *(f"inspect-{g}.{kind}" for g in ("pitch", "rhythm") for kind in ("png", "svg"))}
    said = json.loads((tmp_path / "new" / "out" / "inspect.json").read_text())
    assert said["groups"] == found.as_dict()["groups"]
    assert "commit" in said
    assert imread(tmp_path / "new" / "out" / "inspect-pitch.png").shape[1] > 500


def test_nothing_is_written_where_nothing_is_found(bird, tmp_path):
    with pytest.raises(
        FadernetsError, match=r"^threshold 1000: keeps no dimension for pitch; the largest mean change is"
    ):
        melody_codes.inspect(bird, threshold=1000.0, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_several_models_together(songbirds):
    found = [melody_codes.inspect(songbirds[name][0]) for name in ("plain", "whole")]
    together = melody_codes.stability(found)
    assert list(together) == ["pitch", "rhythm", "both"]
    counts = [len(one.groups["pitch"].dimensions) for one in found]
    assert together["pitch"]["dimensions"] == (np.mean(counts), np.std(counts))
    linear = [one.groups["rhythm"].linearity for one in found]
    assert together["rhythm"]["linearity"] == pytest.approx((np.mean(linear), abs(linear[0] - linear[1]) / 2))
    assert together["both"]["shared"][0] == np.mean([len(one.shared) for one in found])
    lines = melody_codes.stability_table(together).splitlines()
    assert lines[0].startswith(f"pitch: dimensions {np.mean(counts):.3f} (sd {np.std(counts):.3f}), of delta z ")
    assert len(lines) == 3


def test_data_that_are_gone_are_asked_for(bird, melodies, tmp_path, monkeypatch):
    known = melody_codes.code_space
    monkeypatch.setattr(melody_codes, "code_space", lambda model: replace(known(model), data=str(tmp_path / "gone")))
    for look in (
        lambda data: melody_codes.inspect(bird, data=data, clips="real"),
        lambda data: melody_codes.inspect(bird, data=data, basis="pca"),
        lambda data: melody_codes.pca(bird, data, tmp_path / "out"),
    ):
        with pytest.raises(FadernetsError, match=r"^plain: the data that it learned from, .*gone, are not here; give"):
            look(None)
        look(melodies.folder)


# Figures 2 and 5 to 9


def test_figure_2(bird, melodies, tmp_path):
    made = melody_codes.pca(bird, None, tmp_path / "out")
    names = [f"{tmp_path / 'out'}/pca.{kind}" for kind in ("png", "svg", "json")]
    assert made["files"] == names
    said = json.loads((tmp_path / "out" / "pca.json").read_text())
    codes = MelodyEngine.open(bird).encode(np.asarray(melodies.codes))
    variances = inspection.principal(codes)[1]
    np.testing.assert_allclose(said["variances"], variances, atol=1e-5)
    assert (said["clips"], said["components"]) == (120, 8)
    assert said["for_99_percent"] == made["for_99_percent"] == inspection.components_for(variances)


def test_no_more_clips_are_encoded_at_once_than_memory_holds(bird, melodies, tmp_path, monkeypatch):
    sizes, known = [], melody_codes.code_space

    def counted(model):
        where = known(model)
        return replace(where, encode=lambda clips: sizes.append(len(clips)) or where.encode(clips))

    monkeypatch.setattr(melody_codes, "code_space", counted)
    monkeypatch.setattr(inspection, "BATCH", 50)
    melody_codes.pca(bird, None, tmp_path / "out")
    assert sizes == [50, 50, 20]
    sizes.clear()
    melody_codes.inspect(bird, basis="pca")
    assert max(sizes) == 50
    assert sizes[:3] == [50, 50, 20]


def test_figures_5_to_9(songbirds, tmp_path):
    engine = MelodyEngine.open(songbirds["whole"][0])
    files = melody_paper_figures.draw(engine, tmp_path / "out")
    assert [p.rsplit("/", 1)[1] for p in files] == [
        "theme-knob.png", "grid-knob.png", "theme-paper.png", "grid-paper.png"
    ]  # fmt: skip
    for path in files:
        assert imread(path)[..., :3].min() < 0.5
    parts = melody_paper_figures.theme(engine, "knob")
    assert [title.split(":")[0] for title in parts] == ["5", "6a", "7a", "8", "6b", "7b"]
    theme, higher, denser = (list(parts.values())[i] for i in range(3))
    assert len(theme) == 24 * 8  # the theme in 2/4, whole
    assert np.array_equal(higher < 128, theme < 128)
    assert (denser < 128).sum() == 2 * (theme < 128).sum()
