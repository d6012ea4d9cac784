"""The study of the NIME paper from model folders and runs: groups, principal components, figures."""

import json
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

from fadernets.codecs import melody_clips, melody_states
from fadernets.engines.melody import MelodyEngine
from fadernets.errors import FadernetsError
from fadernets.evaluation import melody_codes, melody_paper_figures
from fadernets.evaluation.code_spaces import clips_of
from fadernets.figures import rolls
from fadernets.melodies import augmentations, blend_files, directions, inspection
from fadernets.melodies.augmentations import AUGMENTATIONS, Augmentation
from fadernets.music.document import Document


@pytest.fixture(autouse=True)
def few_whole_notes(monkeypatch):
    whole_notes = augmentations.whole_notes
    monkeypatch.setattr(augmentations, "whole_notes", lambda low, high: whole_notes(60, 66))


@pytest.fixture
def bird(songbirds):
    return songbirds["plain"][0]


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
    found = melody_codes.inspect(bird, clips="whole-notes", progress=lambda *at: told.append(at))
    assert told == [(1, 2), (2, 2)]
    assert (found.model, found.clips, list(found.groups)) == ("plain", "whole-notes", ["pitch", "rhythm"])
    engine = MelodyEngine.open(bird)
    for name, group in found.groups.items():
        expected = inspection.inspect(engine.encode, augmentations.whole_notes(0, 0), AUGMENTATIONS["melody"][name])
        assert group.as_dict() == expected.as_dict()
    assert found.drawn is None
    both = set(found.groups["pitch"].dimensions.tolist()) & set(found.groups["rhythm"].dimensions.tolist())
    assert found.shared == sorted(both)
    assert found.as_dict()["shared"] == found.shared
    lines = found.table().splitlines()
    assert [line.split()[0] for line in lines] == ["group", "pitch", "rhythm", "pitch", "rhythm", "shared:"]
    rhythm = found.groups["rhythm"]
    counts, leading = (", ".join(map(str, each)) for each in (map(len, rhythm.by_amount), rhythm.among_strongest))
    assert lines[4] == (
        f"rhythm at 2, 4, 8, 16 notes for one: {counts} of its dimensions reach the threshold, {leading} are among "
        f"the {len(rhythm.dimensions)} that change most"
    )
    assert lines[1].split()[1:3] == ["49", "whole-notes"]


def test_groups_as_the_paper_has_them(bird, melodies, monkeypatch):
    monkeypatch.setattr(melody_codes, "PITCH_CLIPS", 30)
    found = melody_codes.inspect(bird)  # its data are at hand
    assert (found.clips, found.changed) == ("paper", {"pitch": "real", "rhythm": "whole-notes"})
    real, encode = clips_of(melodies.folder, "melody", count=30), MelodyEngine.open(bird).encode
    for name, clips in (("pitch", real.clips), ("rhythm", augmentations.whole_notes(0, 0))):
        expected = inspection.inspect(encode, clips, AUGMENTATIONS["melody"][name])
        assert found.groups[name].as_dict() == expected.as_dict()
    assert AUGMENTATIONS["melody"]["pitch"].amounts == tuple(range(1, 13))
    assert AUGMENTATIONS["melody"]["rhythm"].amounts == (2, 4, 8, 16)
    said = found.as_dict()
    assert {name: group["changed"] for name, group in said["groups"].items()} == found.changed
    assert said["drawn"] == real.as_dict()
    lines = found.table().splitlines()
    assert [line.split()[1:3] for line in lines[1:3]] == [["30", "real"], ["49", "whole-notes"]]
    assert lines[-1].startswith(f"real clips: 30 of {melodies.folder.name} ({melodies.hash[:12]}; 12 test, ")
    assert lines[-1].endswith(f", {real.distinct} of them distinct")


def test_a_change_of_ones_own_is_of_real_clips(bird):
    later = Augmentation("later", lambda x, a: np.roll(x, int(a), 1), (4.0,), "steps")
    found = melody_codes.inspect(bird, user_defined=later)
    assert (found.clips, found.changed) == ("paper", {"later": "real"})


def test_without_data_there_are_whole_notes(bird, tmp_path, monkeypatch):
    known = melody_codes.code_space
    monkeypatch.setattr(melody_codes, "code_space", lambda model: replace(known(model), data=str(tmp_path / "gone")))
    found = melody_codes.inspect(bird)
    assert (found.clips, set(found.changed.values())) == ("whole-notes", {"whole-notes"})


def test_real_clips_and_their_principal_components(bird, melodies):
    found = melody_codes.inspect(bird, clips="real", basis="pca", top=2)
    assert found.clips == "real"
    engine, clips = MelodyEngine.open(bird), np.asarray(melodies.codes)
    axes = inspection.principal(engine.encode(clips))[0]
    row = AUGMENTATIONS["melody"]["rhythm"]
    expected = inspection.inspect(engine.encode, clips, row, basis=axes, top=2)
    assert found.groups["rhythm"].as_dict() == expected.as_dict()
    assert len(found.groups["rhythm"].dimensions) == 2
    on_notes = melody_codes.inspect(bird, clips="whole-notes", basis="pca", top=2)
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
    assert (said["groups"], said["drawn"]) == (found.as_dict()["groups"], found.as_dict()["drawn"])
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
        lambda data: melody_codes.inspect(bird, data=data, clips="paper"),
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


def test_figures_5_to_9(songbirds, tmp_path, monkeypatch):
    sheets, draw_cells = {}, rolls.draw_cells
    monkeypatch.setattr(
        rolls,
        "draw_cells",
        lambda cells, path, **more: sheets.update({path.name: cells}) or draw_cells(cells, path, **more),
    )
    engine = MelodyEngine.open(songbirds["whole"][0])
    for row, first in zip(engine.info["knobs"].values(), (0, 4), strict=True):
        row["dimensions"] = [first, first + 1]  # so that of eight untrained ones some belong to no knob
        row["change"] = [row["change"][0], row["change"][-1]]
    files = melody_paper_figures.draw(engine, tmp_path / "out")
    assert [p.rsplit("/", 1)[1] for p in files] == [
        "theme-knob.png", "grid-knob.png", "theme-paper.png", "grid-paper.png"
    ]  # fmt: skip
    for path in files:
        assert imread(path)[..., :3].min() < 0.5
    parts = melody_paper_figures.theme(engine, "knob")
    assert [title.split(":")[0] for title in parts] == ["5", "5", "6a", "6b", "7a", "7b", "8", "the knob rest +1"]
    theme, higher, denser = (list(parts.values())[i] for i in (0, 2, 4))
    assert len(theme) == 24 * 8  # the theme in 2/4, whole
    assert np.array_equal(higher < 128, theme < 128)
    assert (denser < 128).sum() == 2 * (theme < 128).sum()
    plain = melody_paper_figures.theme(engine, "paper")
    melody = melody_clips.read(Document(melody_paper_figures.asset("k265.mid")).piece, 0)
    up = engine.encode(melody.clips)
    up[:, [2, 3, 6, 7]] += np.array(engine.info["spread"], np.float32)[[2, 3, 6, 7]]  # the dimensions of no knob

    def decoded(codes):
        return melody.states_with(melody_states.tidy(engine.decode(codes.astype(np.float32)).states, held=True))

    expected = decoded(up)
    (title,) = (title for title in parts if title.startswith("8"))
    for sheet in (parts, plain):  # Figure 8 is the paper's, in both
        assert np.array_equal(sheet[title], expected)
    codes = engine.encode(melody.clips)
    for at, knob, amount in ((2, "pitch", 3.0), (4, "rhythm", 1.0)):
        random = decoded(codes + amount * directions.random_dimensions(engine, knob, 0))
        for sheet in (parts, plain):
            assert np.array_equal(list(sheet.values())[at + 1], random)
        own = decoded(codes + amount * directions.knob_direction(engine, knob, "paper"))
        assert np.array_equal(list(plain.values())[at], own)
        assert not np.array_equal(own, list(parts.values())[at])
    for control in ("knob", "paper"):
        paths = [melody_paper_figures.asset(name) for name in ("k265.mid", "k545.mid")]
        cells = blend_files.blend(engine, paths, (5, 5), control=control).cells
        drawn = [notes for _, notes in sheets[f"grid-{control}.png"]]
        for notes, cell in zip(drawn, cells.reshape(25, -1, 32), strict=True):
            rows = melody_states.decode(melody_states.tidy(cell[:2].reshape(-1)))
            assert np.array_equal(notes["pitch"], rows[:, 2])
            assert np.array_equal(notes["onset"], rows[:, 0] / 4)
