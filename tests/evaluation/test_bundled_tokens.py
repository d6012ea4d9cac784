"""Figure 5 of a run over tokens on the bundled pieces: what is drawn, and that the figures are of one plain decode."""

import json

import numpy as np
import pytest
from matplotlib.image import imread
from toy_runs import write_toy

from fadernets.codecs import performance_tokens
from fadernets.errors import FadernetsError
from fadernets.evaluation import bundled_pieces, bundled_tokens
from fadernets.evaluation.checkpoint import Checkpoint
from fadernets.metrics.fader_scores import note_f1


def test_the_pieces_are_windows_of_tokens():
    theme, sonata = (bundled_tokens.windows_of(name) for name in bundled_pieces.PIECES)
    assert (len(theme), len(sonata)) == (12, 20)  # eight windows of the sonata fail the paper's filter
    notes = performance_tokens.decode(theme.codes[0])
    assert notes["pitch"].tolist() == [48, 72, 60, 72, 64, 79, 60, 79]
    assert theme.seconds[0] == 2.5
    assert theme.select(split="test").tolist() == list(range(12))


def test_figure_5(toys, tmp_path):
    run = toys("fadernets")
    made = bundled_tokens.transfer(run, tmp_path / "out")
    assert made["files"] == [str(tmp_path / "out" / f"arousal-tokens.{kind}") for kind in ("png", "json")]
    rows = {(row["piece"], row["decode"]): row for row in made["rows"]}
    assert list(rows) == [(piece, name) for piece in bundled_pieces.PIECES for name in bundled_tokens.TITLES]
    checkpoint = Checkpoint(run, bundled_tokens.windows_of("K. 545"), other_data=True)
    segments = checkpoint.segments(np.arange(20))
    codes, moved = dict(segments.codes), np.zeros(20, bool)
    for name, z in segments.codes.items():  # Section 5.2: codes nearer to the other mean move by the difference
        low, high = checkpoint.means[name]
        outside = ((z - low) ** 2).sum(1) < ((z - high) ** 2).sum(1)
        codes[name] = np.where(outside[:, None], z + high - low, z)
        moved |= outside
    up = checkpoint.decode(segments, codes, segments.values).cells[:, 0]
    row = rows["K. 545", "up"]
    assert row["note_f1"] == pytest.approx(note_f1(up, segments.cells).mean())
    assert row["moved"] == moved.sum() > 0
    assert row["windows"] == 20
    source = rows["K. 545", "source"]
    assert (source["note_f1"], source["moved"]) == (1, 0)
    assert source["rhythm_density"] == pytest.approx(segments.values[:, 0].mean())
    said = json.loads((tmp_path / "out" / "arousal-tokens.json").read_text())
    assert said["rows"] == made["rows"]
    assert "commit" in said
    assert f"| K. 545 | one decode, up | {moved.sum()} of 20 | " in made["table"]
    picture = imread(tmp_path / "out" / "arousal-tokens.png")
    assert picture.shape[:2] == (4 * bundled_pieces.ROLL[1] + 10, 2 * bundled_pieces.ROLL[0] + 10)
    assert picture[..., :3].min() < 0.5


def test_windows_are_drawn_one_after_another_and_end_with_their_time():
    notes = np.zeros(2, performance_tokens.SECONDS_NOTE)
    notes["onset"], notes["end"], notes["pitch"], notes["velocity"] = [0.5, 1.5], [1.0, 2.5], [60, 64], 80
    row = performance_tokens.encode(notes)
    drawn = bundled_tokens.in_beats(np.stack([row, row]), np.array([2.0, 1.0]))
    assert drawn["onset"].tolist() == [1, 3, 6]  # the second window ends before its second note begins
    assert drawn["end"].tolist() == [2, 4, 8]


def test_runs_that_cannot_be_drawn(toys, songs, tmp_path):
    with pytest.raises(FadernetsError, match=r"vanilla: music-fadernets has no clusters to shift codes between$"):
        bundled_tokens.transfer(toys("vanilla"), tmp_path / "out")
    run = write_toy(tmp_path / "grid", "mixture", songs)
    with pytest.raises(FadernetsError, match=r"grid: a model of grid, not of tokens; export it and plot its model"):
        bundled_tokens.transfer(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_data_set_is_taken_only_where_it_is_said(toys):
    with pytest.raises(FadernetsError, match="was trained on data set"):
        Checkpoint(toys("fadernets"), bundled_tokens.windows_of("K. 265"))
