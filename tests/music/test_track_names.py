"""Tracks by number or name, and names with commas among them."""

import pytest
from midi_files import PIECES, save, track

from fadernets.errors import FadernetsError
from fadernets.music.document import Document
from fadernets.music.track_names import find_tracks, is_melody_name, pitched_tracks


@pytest.fixture
def piano(tmp_path):
    """Two hands as scores name them, and tracks whose names are parts of theirs."""
    names = ("Piano, right hand", "Piano, left hand", "Flute", "a,b")
    rows = [track([(0, 1, 60 + i, 80)], channel=i, name=name) for i, name in enumerate(names)]
    return Document(save(tmp_path / "in.mid", *rows)).piece


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["Piano, right hand"], [0]),
        (["Piano", "right hand"], [0]),
        (["piano,left hand"], [1]),
        (["Piano", "left hand", "Piano", "right hand", "flute"], [0, 1, 2]),
        (["3", "A", "B", "1"], [0, 2, 3]),
        (["2", "2"], [1]),
    ],
)
def test_names_with_commas_may_be_split_at_them(piano, wanted, found):
    assert find_tracks(piano, wanted, "--tracks") == found


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        (["Piano", "flute"], "Piano"),
        (["1", "right hand"], "right hand"),
        (["Flute", "5"], "5"),
        (["9" * 5000], "9" * 5000),
    ],
)
def test_what_is_no_track_is_named(piano, wanted, named):
    with pytest.raises(FadernetsError, match=f"^tracks {named}: no such pitched track.*; the file has 1 'Piano, right"):
        find_tracks(piano, wanted, "tracks")


def test_near_names_are_suggested(piano):
    with pytest.raises(FadernetsError, match=r"did you mean 'Piano, left hand'\?"):
        find_tracks(piano, ["Piano, left hnad"], "tracks")
    with pytest.raises(FadernetsError, match=r"did you mean 'left'\?"):
        find_tracks(piano, ["lefft"], "only", ("left", "right"))


def test_drums_are_no_pitched_track(tmp_path):
    assert pitched_tracks(Document(PIECES["band"](tmp_path / "in.mid")).piece) == [1, 2, 3]


def test_names_of_melodies():
    assert is_melody_name("Lead Vocal")
    assert not is_melody_name("Piano, right hand")
