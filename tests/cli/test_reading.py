"""Values read from the text of a command line."""

import argparse
import math

import pytest

from fadernets.cli import reading
from fadernets.editing.fader_curves import Ramp
from fadernets.errors import FadernetsError


def test_seeds_are_whole_numbers():
    assert [reading.read_seed(text) for text in ("0", "4294967295")] == [0, 2**32 - 1]
    for text in ("-1", "1.5", "", "4294967296", "x"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected a whole number from 0 to 4294967295"):
            reading.read_seed(text)


def test_faithfulness_is_a_share():
    for value in (0, 0.5, 1):
        reading.check_faithfulness(value)
    for value in (-0.01, 1.01, float("nan"), float("inf")):
        with pytest.raises(FadernetsError, match=f"--faithfulness {value:g}: must lie in 0..1".replace("+", r"\+")):
            reading.check_faithfulness(value)


def test_numbers_are_finite():
    reading.check_finite(-3.5, "--pitch")
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(FadernetsError, match=f"--pitch {value:g}: is not a finite number"):
            reading.check_finite(value, "--pitch")


def test_faders_have_a_value_a_ramp_or_a_key():
    assert reading.read_fader("rhythm-density=0.5", "set") == ("rhythm_density", 0.5)
    assert reading.read_fader(" tempo = 60..90", "set") == ("tempo", Ramp(60.0, 90.0))
    assert reading.read_fader("key=Am", "set") == ("key", "Am")
    assert reading.read_fader("key=-2", "move") == ("key", -2.0)
    with pytest.raises(FadernetsError, match="--move: unknown fader 'swing'; known: rhythm-density, "):
        reading.read_fader("swing=1", "move")


def test_names_of_faders():
    assert reading.read_names(None, "hold") == frozenset()
    assert reading.read_names("tempo, note-density,", "hold") == {"tempo", "note_density"}
    with pytest.raises(FadernetsError, match="--hold: unknown fader 'swing'"):
        reading.read_names("tempo,swing", "hold")


def test_bars_are_ranges():
    assert reading.read_bars(None) is None
    assert reading.read_bars(["7"]) == [(7, 7)]
    assert reading.read_bars(["1-4, 9-12", "5"]) == [(1, 4), (9, 12), (5, 5)]


def test_cells_of_a_blend():
    assert reading.read_cells(" 2X16 ") == (2, 16)
    with pytest.raises(FadernetsError, match="--cells 5,5: expected"):
        reading.read_cells("5,5")


def test_pitches_are_more_than_an_octave_apart():
    assert reading.read_pitches(None) is None
    assert reading.read_pitches("48-61") == (48, 61)
    for text in ("48-60", "0-128", "48", "a-b"):
        with pytest.raises(FadernetsError, match=f"--pitches {text}: expected two MIDI numbers"):
            reading.read_pitches(text)


def test_presets_have_an_amount():
    assert reading.read_preset(None) == ("", 0.0)
    assert reading.read_preset("a=b.json=-0.5") == ("a=b.json", -0.5)
    with pytest.raises(FadernetsError, match="--preset =1: expected NAME=AMOUNT"):
        reading.read_preset("=1")


def test_addresses_of_a_proxy():
    assert reading.read_public("https://a.example") == "https://a.example/"
    for url in ("a.example", "ftp://a.example", "https://u@a.example", "https://a.example?x=1", "https://a.example:0"):
        with pytest.raises(FadernetsError, match="expected an address such as"):
            reading.read_public(url)
