"""A plane through a model's codes: what lies where, and what is heard there."""

import json
from dataclasses import replace

import numpy as np
import pytest

from fadernets.attributes import of_cells
from fadernets.codecs import grid
from fadernets.engines.grid import Engine
from fadernets.errors import FadernetsError
from fadernets.studio import latent_map
from fadernets.studio.latent_map import LatentMap, Plot
from fadernets.studio.uploads import BUNDLED, Uploads


@pytest.fixture(scope="module")
def engine(exported):
    return Engine.open(exported[True][0])


@pytest.fixture(scope="module")
def plot(songs):
    return latent_map.of_data(songs.folder, most=60)


@pytest.fixture(scope="module")
def mapped(engine, plot):
    return LatentMap.of(engine, plot)


def test_the_axes_are_those_of_the_largest_variance(mapped):
    centred = mapped.codes - mapped.codes.mean(0)
    singular = np.linalg.svd(centred, compute_uv=False) ** 2
    np.testing.assert_allclose(mapped.explained, (singular / singular.sum())[:2], rtol=1e-6)
    np.testing.assert_allclose(mapped.axes @ mapped.axes.T, np.eye(2), atol=1e-9)
    np.testing.assert_allclose(mapped.xy, centred @ mapped.axes.T, atol=1e-9)


def test_a_segment_is_heard_as_it_is_and_elsewhere_as_its_code_becomes(engine, mapped):
    for i in (0, 7):
        assert np.array_equal(mapped.decode(engine, i, *mapped.xy[i]), mapped.plot.cells[i])
    far = [mapped.decode(engine, i, *(mapped.xy[i] + [40, 0])) for i in range(8)]
    assert all(cells.shape == (16, 88) and cells.dtype == np.uint8 for cells in far)
    assert any(not np.array_equal(cells, mapped.plot.cells[i]) for i, cells in enumerate(far))
    for index in (-1, len(mapped.codes)):
        with pytest.raises(FadernetsError, match=f"segment {index}: the map has"):
            mapped.decode(engine, index, 0, 0)


def test_segments_are_drawn_from_test_pieces_first(songs, plot):
    data = songs
    held_out = {data.manifest["pieces"][n]["id"] for n in data.piece[data.select(split="test")]}
    assert len(plot.cells) == len(plot.titles) == len(plot.bars) == 60
    assert held_out <= set(plot.titles)
    again = latent_map.of_data(songs.folder, most=60)
    assert np.array_equal(plot.cells, again.cells)
    assert min(plot.bars) >= 1


def test_pieces_give_their_first_segments(monkeypatch):
    uploads = Uploads()
    whole = latent_map.of_pieces(map(uploads.get, BUNDLED))
    assert len(whole.cells) == len(whole.titles) == len(whole.bars) == 40
    assert (whole.cells != grid.OFF).any((1, 2)).all()
    for most in (5, 28, 30):
        monkeypatch.setattr(latent_map, "MOST_SEGMENTS", most)
        few = latent_map.of_pieces(map(uploads.get, BUNDLED))
        assert np.array_equal(few.cells, whole.cells[:most])
        assert (few.titles, few.bars) == (whole.titles[:most], whole.bars[:most])


def test_values_are_the_attributes(plot):
    values = latent_map.values_of(plot.cells)
    np.testing.assert_allclose(values["rhythm_density"], of_cells.rhythm_density(plot.cells), atol=1e-4)


def test_too_little_to_map(engine):
    with pytest.raises(FadernetsError, match="2 segments; a map needs three"):
        LatentMap.of(engine, Plot(np.full((2, 16, 88), grid.OFF, np.uint8), ["a", "a"], [1, 2]))


def test_another_codec_is_refused(melodies):
    with pytest.raises(FadernetsError, match="holds melody; the map reads segments of the grid"):
        latent_map.check(melodies.folder)


def test_a_t_sne_is_kept_for_its_model_and_segments_alone(engine, plot, tmp_path):
    assert latent_map.read_tsne(tmp_path, engine, plot) is None
    path = latent_map.write_tsne(tmp_path, engine, plot)
    xy = latent_map.read_tsne(tmp_path, engine, plot)
    assert np.shape(xy) == (60, 2)
    assert np.isfinite(xy).all()
    assert latent_map.read_tsne(tmp_path, Engine.open(), plot) is None
    other = replace(plot, cells=np.roll(plot.cells, 1, axis=0))
    assert latent_map.read_tsne(tmp_path, engine, other) is None
    for text in ("{", "[]", "{}", json.dumps({"xy": xy}), json.dumps({"segments": plot.digest})):
        path.write_text(text)
        assert latent_map.read_tsne(tmp_path, engine, plot) is None


def test_the_shipped_t_sne_is_of_the_shipped_model_and_pieces():
    shipped = Engine.open()
    plot = latent_map.of_pieces(map(Uploads().get, BUNDLED))
    xy = latent_map.read_tsne(shipped.folder, shipped, plot)
    assert xy is not None, "run: fadernets plot map pop-lieder"
    assert np.shape(xy) == (len(plot.cells), 2)
    assert len(list(shipped.folder.glob("map-*.json"))) == 1
    same = (plot.cells[:, None] == plot.cells).all((2, 3))
    near = np.linalg.norm(np.array(xy)[:, None] - xy, axis=-1)
    assert near[same].max() < 0.1 < np.median(near[~same])  # segments that are alike lie together
