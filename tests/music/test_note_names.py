"""Names of notes, against those that MIDI's own middle C gives."""

import pytest

from fadernets.music.note_names import note_number


@pytest.mark.parametrize(
    ("name", "number"),
    [("C4", 60), ("A4", 69), ("c-1", 0), ("G9", 127), ("F#3", 54), ("g♭3", 54), ("Bb2", 46), ("Cb4", 59), ("B#3", 60)],
)
def test_names_of_notes(name, number):
    assert note_number(name) == number


@pytest.mark.parametrize("text", ["", "60", "C", "H4", "C44", "C#b4", "4C"])
def test_what_is_no_name(text):
    assert note_number(text) is None
