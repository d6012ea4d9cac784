"""Values of requests as callers write them: every spelling that can be meant, and one line for all others."""

import numpy as np
import pytest

from fadernets.editing import request_values
from fadernets.errors import FadernetsError


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (None, None),
        ((5, 12), [(5, 12)]),
        ([5, 6], [(5, 6)]),
        (5, [(5, 5)]),
        (np.int64(5), [(5, 5)]),
        ("5-12", [(5, 12)]),
        ("1-4,9", [(1, 4), (9, 9)]),
        (["1-4"], [(1, 4)]),
        (range(1, 5), [(1, 4)]),
        (np.array([5, 12]), [(5, 12)]),
        (np.array([[1, 2], [5, 12]]), [(1, 2), (5, 12)]),
        ([(1, 4), [7, 7]], [(1, 4), (7, 7)]),
    ],
    ids=str,
)
def test_bars(given, read):
    assert request_values.bars(given) == read


@pytest.mark.parametrize(
    "given",
    [[], (), np.zeros(0, int), 1.5, True, [5, 6, 7], [(5,)], [5.0, 6.0], {"a": 1}, b"1", range(1, 9, 2)],
)
def test_what_are_no_bars(given):
    with pytest.raises(FadernetsError, match=r"^--bars: give inclusive ranges such as \[\(5, 12\)\].*, not "):
        request_values.bars(given, "--bars")


@pytest.mark.parametrize("given", [0, (0, 4), (5, 4), "5-4", [(1, 2), (-1, 4)]])
def test_bars_that_no_piece_has(given):
    with pytest.raises(FadernetsError, match="bars count from 1, the first not behind the last"):
        request_values.bars(given)


def test_tracks():
    assert request_values.tracks(None) is None
    assert request_values.tracks("12") == ["12"]  # not tracks 1 and 2
    assert request_values.tracks(1) == ["1"]
    assert request_values.tracks((1, "left hand", np.int32(3))) == ["1", "left hand", "3"]
    for given in ([], 1.5, True, [None], [""], {"a": 1}, b"1"):
        with pytest.raises(FadernetsError, match=r"^tracks: give numbers from 1 or names of tracks, such as \[1\]"):
            request_values.tracks(given)


def test_names_of_faders():
    assert request_values.names("note-density, tempo", "hold") == ["note_density", "tempo"]
    assert request_values.names(None, "hold") == []
    for given in (3, [1], {"tempo": 1}, b"tempo"):
        with pytest.raises(FadernetsError, match=r"^hold: give names of faders such as \['tempo'\], not "):
            request_values.names(given, "hold")
    with pytest.raises(FadernetsError, match=r"^set names note_density twice"):
        request_values.by_name({"note-density": 1, "note_density": 2}, "set", "")


def test_numbers():
    assert request_values.finite(np.array(2), "tempo") == 2
    for given in (True, None, "2", float("nan"), 10**400, np.array([2]), 2j):
        with pytest.raises(FadernetsError, match=r"^tempo: .* is not a finite number$"):
            request_values.finite(given, "tempo")
