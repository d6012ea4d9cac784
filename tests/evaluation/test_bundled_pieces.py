"""Analogies and Figure 5 on the bundled pieces: what is drawn, and that the figures are of it."""

import json

import numpy as np
import pytest
from matplotlib.image import imread

from fadernets.decoding import segment_decoding
from fadernets.decoding.segment_requests import SegmentRequest, encode_segments
from fadernets.engines.grid import Engine
from fadernets.errors import FadernetsError
from fadernets.evaluation import analogies, bundled_pieces


@pytest.fixture(scope="module")
def engine():
    return Engine.open("pop-lieder")


def test_the_pieces_are_cut_into_windows():
    theme, sonata = (bundled_pieces.windows_of(name) for name in bundled_pieces.PIECES)
    assert (len(theme), len(sonata)) == (12, 28)  # 24 bars of 2/4, 28 of 4/4
    assert not np.array_equal(theme, sonata[:12])


def test_analogies_of_the_two_pieces(engine, tmp_path):
    made = bundled_pieces.analogy(engine, tmp_path / "out")
    assert made["files"] == [str(tmp_path / "out" / f"analogy.{kind}") for kind in ("png", "json")]
    assert [(row["rhythm"], row["control"]) for row in made["rows"]] == [
        (name, control) for name in bundled_pieces.PIECES for control in analogies.TITLES
    ]
    a, b = (bundled_pieces.windows_of(name)[:12] for name in bundled_pieces.PIECES)
    output = analogies.analogies(engine, a, b)["paper"]
    row = made["rows"][1]
    for key, values in analogies.scores(output, a, b).items():
        assert row[key] == values.mean()
    before, paper, closed = made["rows"][:3]
    assert before["onset_f1"] < paper["onset_f1"] < closed["onset_f1"] == 1
    said = json.loads((tmp_path / "out" / "analogy.json").read_text())
    assert (said["rows"], said["model"]) == (made["rows"], "pop-lieder")
    assert "commit" in said
    assert len(made["table"].splitlines()) == 2 + 8
    picture = imread(tmp_path / "out" / "analogy.png")
    assert picture.shape[:2] == (4 * bundled_pieces.ROLL[1] + 10, 2 * bundled_pieces.ROLL[0] + 10)
    assert picture[..., :3].min() < 0.5


def test_figure_5(engine, tmp_path):
    made = bundled_pieces.transfer(engine, tmp_path)
    rows = {(row["piece"], row["way"], row["control"]): row for row in made["rows"]}
    assert len(rows) == len(made["rows"]) == 8
    source = encode_segments(engine, bundled_pieces.windows_of("K. 545"))
    request = SegmentRequest(arousal=1.0, faithfulness=0.0, sampled=0)
    codes, values = segment_decoding.moved_codes(engine, source, request)
    up = engine.decode(codes, source.key, values, source.held).cells  # one decode, and nothing else
    row = rows["K. 545", "up", "decode"]
    assert row["after"]["note_density"] == pytest.approx(analogies.of_cells.note_density(up).mean())
    assert row["moved"] == row["windows"] == 28
    still = rows["K. 265", "down", "decode"]  # all of the theme is low already
    assert (still["moved"], still["before"]) == (0, still["after"])
    assert rows["K. 265", "down", "edit"]["chroma"] == pytest.approx(1)
    assert (tmp_path / "arousal.png").stat().st_size > 1000
    assert "| K. 545 | up | one decode | 28 of 28 | " in made["table"]


def test_a_model_without_clusters_has_no_figure_5(tmp_path):
    engine = Engine.open("pop-lieder")
    engine.means = {}
    with pytest.raises(FadernetsError, match=r"^model pop-lieder has no clusters to shift codes between$"):
        bundled_pieces.transfer(engine, tmp_path / "out")
    assert not (tmp_path / "out").exists()
