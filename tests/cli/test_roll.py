"""The command `roll`: files as pictures, and what it refuses."""

import json

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from midi_files import PIECES, notes, save, track

from fadernets.figures import piece_rolls, roll_axes


def pixels(path, color):
    """How many pixels are of a colour, within what rounding to 8 bits does."""
    return int((np.abs(imread(path)[..., :3] - np.array(to_rgb(color))).max(axis=-1) < 0.01).sum())


@pytest.fixture
def edited(run_here, piece, tmp_path):
    out = tmp_path / "edited.mid"
    assert run_here("apply", piece, out, "--move", "note-density=1", "--bars", "2")[0] == 0
    return out


def drawn(run_here, *arguments):
    """What `roll --json` says of a picture."""
    code, out, _ = run_here("roll", *arguments, "--json")
    assert code == 0
    return json.loads(out)


def test_one_file_is_drawn_with_its_notes(run_here, piece, tmp_path):
    made = drawn(run_here, piece, tmp_path / "a.png")
    assert (made["bars"], made["notes"], made["warnings"]) == (8, [len(notes(piece))], [])
    assert imread(tmp_path / "a.png").shape[:2] == (700, 1600)


def test_two_files_show_what_became_new(run_here, piece, edited, tmp_path):
    made = drawn(run_here, piece, edited, tmp_path / "a.png")
    assert made["notes"] == [len(notes(piece)), len(notes(edited))]
    assert imread(tmp_path / "a.png").shape[:2] == (1000, 1600)
    drawn(run_here, piece, piece, tmp_path / "b.png")
    new = [pixels(tmp_path / name, roll_axes.STYLES["tall"]["edge"]) for name in ("a.png", "b.png")]
    assert new[0] > new[1]


def test_bars_are_shown_alone_with_what_sounds_in_them(run_here, piece, edited, tmp_path):
    made = drawn(run_here, piece, edited, tmp_path / "a.png", "--bars", "2-3")
    assert made["bars"] == 2
    assert 0 < made["notes"][0] < len(notes(piece)) // 2
    assert made["notes"][1] > made["notes"][0]
    untouched = drawn(run_here, piece, edited, tmp_path / "b.png", "--bars", "4-8")["notes"]
    assert untouched[0] == untouched[1] > 0


def test_tracks_that_are_not_edited_are_grey(run_here, tmp_path):
    band = PIECES["band"](tmp_path / "band.mid")
    counts = {
        name: drawn(run_here, band, tmp_path / "a.png", "--tracks", name)["notes"][0] for name in ("Piano", "Bass")
    }
    assert drawn(run_here, band, tmp_path / "a.png")["notes"] == [counts["Piano"]]
    assert pixels(tmp_path / "a.png", roll_axes.OTHERS) > 100
    assert drawn(run_here, band, tmp_path / "b.png", "--tracks", "Piano,Bass")["notes"] == [sum(counts.values())]


def test_files_of_other_bars_are_drawn_without_values(run_here, piece, tmp_path):
    waltz = PIECES["waltz"](tmp_path / "waltz.mid")
    assert "values are left out" in drawn(run_here, piece, waltz, tmp_path / "a.png")["warnings"][0]


def test_many_bars_are_drawn_wider(run_here, tmp_path):
    rows = [(i, 1, 60, 80) for i in range(4 * 60)]
    source = save(tmp_path / "long.mid", track(rows))
    assert drawn(run_here, source, tmp_path / "a.png")["size"] == [60 * piece_rolls.BAR, 700]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("in.mid in.mid in.mid o.png", "draws one file or two, not 3"),
        ("in.mid o.wav", "a roll is written as PNG"),
        ("in.mid o.png --bars 1-2,4", "a picture shows one range"),
        ("in.mid o.png --bars 90-91", "--bars 90-91: in.mid has none of them"),
        ("in.mid o.png --tracks none", "--tracks none: no such pitched track"),
        ("none.mid o.png", "none.mid: cannot be read"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(refused, piece, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert message in refused("roll", *arguments.split())
    assert not (tmp_path / "o.png").exists()
