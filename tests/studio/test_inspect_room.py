"""The inspection room without its server: a model's codes and the map of segments."""

import shutil

import pytest
from midi_files import PIECES, metre, save, track

from fadernets.cli import studio as studio_command
from fadernets.errors import FadernetsError
from fadernets.melodies import inspection
from fadernets.studio.service import Studio


def test_a_piece_of_drums_leaves_the_map_as_it_is(tmp_path):
    studio = Studio()
    before = studio.inspect.map()
    with pytest.raises(FadernetsError, match=r"^drums\.mid: the file has only drums$"):
        studio.uploads.add("drums.mid", save(tmp_path / "in.mid", track([(0, 1, 36, 80)], channel=9)).read_bytes())
    assert studio.inspect.map() == before
    assert studio.inspect.inspect("pop-lieder").groups


def test_the_map_of_the_bundled_pieces_has_a_t_sne(tmp_path):
    studio = Studio()
    plane, around = studio.inspect.map(), studio.inspect.map(method="tsne")
    assert (plane.method, around.method) == ("pca", "tsne")
    assert plane.methods == around.methods == ["pca", "tsne"]
    assert (len(plane.explained), around.explained) == (2, [])
    assert [(p.title, p.bar, p.values) for p in plane.points] == [(p.title, p.bar, p.values) for p in around.points]
    assert [(p.x, p.y) for p in plane.points] != [(p.x, p.y) for p in around.points]
    studio.uploads.add("in.mid", PIECES["two_hands"](tmp_path / "in.mid").read_bytes())
    assert studio.inspect.map().methods == ["pca"]
    with pytest.raises(FadernetsError, match=r"^there is no t-SNE of this map: `fadernets plot map`"):
        studio.inspect.map(method="tsne")


def test_a_model_without_a_t_sne_has_the_plane_alone(exported):
    assert Studio({"toy": exported[True][0]}).inspect.map("toy").methods == ["pca"]


def test_a_t_sne_of_a_data_set(exported, songs, tmp_path):
    folder = shutil.copytree(songs.folder, tmp_path / "data")
    model = shutil.copytree(exported[True][0], tmp_path / "toy")
    studio = Studio({"toy": model}, data=folder)
    assert studio.inspect.map("toy").methods == ["pca"]
    assert studio_command.plot(str(model), folder, 0) == {"files": [str(next(folder.glob("map-*.json")))]}
    assert studio.inspect.map("toy").methods == ["pca", "tsne"]
    assert Studio({"toy": model}).inspect.map("toy").methods == ["pca"]
    assert studio_command.plot(str(model), None, 0) == {"files": [str(next(model.glob("map-*.json")))]}
    assert Studio({"toy": model}).inspect.map("toy").methods == ["pca", "tsne"]


def test_a_model_is_inspected_once_on_clips_that_stay_the_same(monkeypatch, tmp_path):
    looks = []
    inspect = inspection.inspect
    monkeypatch.setattr(inspection, "inspect", lambda *given: looks.append(given[2].name) or inspect(*given))
    studio = Studio()
    before = studio.inspect.inspect("pop-lieder")
    assert "K. 545" in before.clips
    assert "Ah vous dirai-je" in before.clips
    source = save(tmp_path / "in.mid", track([(i / 2, 0.5, 60 + i % 8, 80) for i in range(32)], metre(4)))
    studio.uploads.add("in.mid", source.read_bytes())
    assert studio.inspect.inspect("pop-lieder") is before
    assert len(looks) == 2
    assert Studio().inspect.inspect("pop-lieder") == before


def test_pieces_of_others_are_on_no_map_and_own_ones_are_marked(tmp_path):
    studio = Studio()
    bundled = studio.inspect.map()
    assert not any(point.own for point in bundled.points)
    source = save(tmp_path / "in.mid", track([(i / 2, 0.5, 60 + i % 8, 80) for i in range(32)], metre(4)))
    studio.uploads.add("mine.mid", source.read_bytes(), "one browser")
    mine = studio.inspect.map(owner="one browser").points
    assert {point.title for point in mine if point.own} == {"mine.mid"}
    assert sum(point.own for point in mine) == len(mine) - len(bundled.points) > 0
    assert studio.inspect.map(owner="another browser") == bundled


def test_a_data_set_is_what_is_inspected(exported, songs):
    found = Studio({"toy": exported[True][0]}, data=songs.folder).inspect.inspect("toy")
    assert found.clips == f"segments of {songs.folder.name}"
    assert found.groups[0].clips > 40
