"""The protocol of the authors' scripts: its range, its positions, sampled codes, and which segments count."""

import numpy as np
import pytest
from toy_runs import made_once

from fadernets.codecs import grid
from fadernets.evaluation import authors_protocol
from fadernets.evaluation.checkpoint import Outputs
from fadernets.metrics import fader_scores


@pytest.fixture(scope="module")
def trained(rated, tmp_path_factory):
    """A name of TOYS -> its checkpoint over the rated performances, made once."""
    return made_once(tmp_path_factory.mktemp("runs"), rated)


def test_positions_are_eighths_of_the_range_of_sampled_codes_of_the_test_segments(trained):
    checkpoint = trained("pati")
    test = checkpoint.corpus_rows("test")
    code, dimension = checkpoint.model.faders["note_density"]
    noise = np.random.default_rng(3).standard_normal(len(test))
    zd = checkpoint.encode(test)[code][:, dimension] + noise * checkpoint.deviations(test)[code][:, dimension]
    found = authors_protocol.positions(checkpoint, "note_density", test, np.random.default_rng(3))
    assert found == pytest.approx(zd.min() + np.arange(8) / 8 * (zd.max() - zd.min()), abs=0.05)
    for name in ("rhythm_density", "note_density"):
        found = authors_protocol.positions(trained("cvae"), name, test, np.random.default_rng(3))
        assert found.tolist() == [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0]


def test_codes_are_sampled_from_the_posterior_at_every_position(trained, monkeypatch):
    """The noise is that of the posterior, another one at each position, and the fader's dimension has none."""
    checkpoint = trained("pati")
    rows = checkpoint.corpus_rows("test")[:5]
    means, deviations = checkpoint.encode(rows)["z"], checkpoint.deviations(rows)["z"]
    assert (deviations > 0).all()
    seen = {}
    decode = checkpoint.decode
    monkeypatch.setattr(checkpoint, "decode", lambda s, codes, asked: seen.update(codes) or decode(s, codes, asked))
    where = np.linspace(-1, 1, 60)
    out = authors_protocol.sampled_slide(checkpoint, rows, "rhythm_density", where, np.random.default_rng(1))
    assert out.cells.shape == (5, 60, 16, 88)
    z = seen["z"].reshape(5, 60, -1)
    _, dimension = checkpoint.model.faders["rhythm_density"]
    assert z[..., dimension] == pytest.approx(np.tile(where, (5, 1)), abs=1e-6)
    noise = np.delete((z - means[:, None]) / deviations[:, None], dimension, 2)
    assert not np.allclose(noise[:, 0], noise[:, 1])
    assert noise.mean() == pytest.approx(0, abs=0.15)
    assert noise.std() == pytest.approx(1, abs=0.1)


def test_where_the_decoder_is_told_the_value_codes_are_sampled_once_a_segment(trained, monkeypatch):
    checkpoint = trained("cvae")
    rows = checkpoint.corpus_rows("test")[:4]
    seen = {}
    decode = checkpoint.decode
    monkeypatch.setattr(checkpoint, "decode", lambda s, codes, asked: seen.update(codes) or decode(s, codes, asked))
    where = np.arange(1, 9) / 8
    authors_protocol.sampled_slide(checkpoint, rows, "note_density", where, np.random.default_rng(1))
    z = seen["z"].reshape(4, 8, -1)
    assert (z == z[:, :1]).all()
    assert not np.allclose(z[:, 0], checkpoint.encode(rows)["z"])


def test_segments_that_fail_are_left_out_and_others_drawn(monkeypatch):
    """Of the segments whose number is even one output has no note."""
    monkeypatch.setattr(authors_protocol, "M", 6)
    asked = []

    def slide(_, rows, name, where, random):
        asked.append(rows.tolist())
        cells = np.zeros((len(rows), 8, 16, 88), np.uint8)
        for i, row in enumerate(rows):
            for t in range(8):
                cells[i, t, : 1 + (row + t) % 9, 40] = grid.ONSET
            if row % 2 == 0:
                cells[i, 3] = grid.OFF
        return Outputs(cells, cells)

    monkeypatch.setattr(authors_protocol, "sampled_slide", slide)
    order, where, spread = np.arange(40), np.arange(8.0), np.array([0.2, 0.9])
    found = authors_protocol.figures(None, order, "rhythm_density", where, spread, np.random.default_rng(0))
    assert asked[0] == [0, 1, 2, 3, 4, 5]
    assert sum(map(len, asked)) == 12  # six of them count
    cells = slide(None, np.arange(1, 12, 2), "", where, None).cells
    expected = fader_scores.paper(cells, "rhythm_density", where, spread)
    assert found == {**expected, "dropped": 0.5}


def test_a_model_whose_outputs_are_all_empty_has_no_figures(monkeypatch):
    empty = Outputs(np.zeros((100, 8, 1)), np.zeros((100, 8, 16, 88), np.uint8))
    monkeypatch.setattr(authors_protocol, "sampled_slide", lambda _, rows, *__: empty)
    spread, draws = np.ones(2), np.random.default_rng(0)
    found = authors_protocol.figures(None, np.arange(150), "note_density", np.arange(8.0), spread, draws)
    assert found["dropped"] == 1
    assert found["linearity"] == 0
