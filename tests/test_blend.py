"""Two melodies and the grid between them: the arcs, the corners, the cells, the files."""

import json

import numpy as np
import pytest
from conftest import make_clip
from matplotlib.image import imread
from midi_files import PIECES, TPQ, metre, notes, save, tempo, track
from singers import Singer, clip
from test_melody_edit import paired

from fadernets import blend, melody
from fadernets.blend import slerp
from fadernets.errors import FadernetsError
from fadernets.knobs import CONTROLS
from fadernets.melody import ONSETS, REST
from fadernets.notes import TempoMap
from fadernets.midi import Document


@pytest.fixture
def singer():
    return Singer()


@pytest.fixture
def pair(tmp_path):
    """Two bars at 60 bpm, loud, not quite on the grid; four bars at 120 bpm, soft, 96 ticks a quarter-beat."""
    up = [(i + 0.03 * (i % 2), 0.9, 60 + 2 * i, 100 + i) for i in range(8)]
    down = [(i / 2, 0.5, 84 - i % 8, 40) for i in range(32)]
    return (
        save(tmp_path / "a.mid", track(up, tempo(60), metre(4), name="A")),
        save(tmp_path / "b.mid", track(down, tempo(120), metre(4), name="B", tpq=96), tpq=96),
    )


# Corners whose notes ring on


def test_no_corner_s_note_sounds_over_the_next_of_its_key(tmp_path, singer):
    """A's last note rings on into a bar that is left out; A is repeated, and in all.mid the next cell follows."""
    line = [(i, 1, 60 + i, 80) for i in range(7)] + [(7, 3, 60, 80)]
    a = save(tmp_path / "a.mid", track(line, metre(4), metre(2, tick=8 * TPQ)))
    b = save(tmp_path / "b.mid", track([(i, 1, 60 + i % 3, 70) for i in range(16)], metre(4)))
    made = blend.blend(singer, (a, b), (2, 2))
    blend.write(made, tmp_path / "out")
    first = [row[:3] for row in notes(tmp_path / "out" / "cell-1-1.mid")]
    assert [row for row in first if row[2] == 60] == [
        (0, 480, 60), (3360, 3840, 60), (3840, 4320, 60), (7200, 7680, 60)
    ]  # fmt: skip
    assert all(end <= (at // 7680 + 1) * 7680 for at, end, *_ in notes(tmp_path / "out" / "all.mid"))
    assert all(paired(path) for path in (tmp_path / "out").glob("*.mid"))


def test_a_long_melody_is_decoded_in_parts(tmp_path, singer, monkeypatch):
    rng = np.random.default_rng(0)
    a, b = (np.stack([make_clip(rng) for _ in range(5)]) for _ in range(2))
    whole = [blend.interpolate(singer, a, b, 2, 3, control) for control in CONTROLS]
    for block, most in ((13, 12), (1, 6)):
        monkeypatch.setattr(blend, "BLOCK", block)
        singer.decoded.clear()
        assert np.array_equal([blend.interpolate(singer, a, b, 2, 3, control) for control in CONTROLS], whole)
        assert max(len(z) for z in singer.decoded) == most
