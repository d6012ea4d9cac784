"""What is quoted of errors, and which names are suggested for misspelt ones."""

import pytest

from fadernets.errors import did_you_mean, first_line


@pytest.mark.parametrize(
    ("message", "most", "line"),
    [
        ("one line", None, "one line"),
        ("\n  first\r\nsecond\n", None, "first"),
        ("abcdef\nghi", 3, "abc"),
        ("", None, "KeyError"),
        (" \n ", 3, "Key"),
    ],
)
def test_the_first_line_of_an_error(message, most, line):
    kind = type("KeyError", (Exception,), {})
    assert first_line(kind(message), most) == line


def test_near_names_are_suggested_in_their_own_spelling():
    assert did_you_mean("temop", ("Pitch", "Tempo")) == " (did you mean 'Tempo'?)"
    assert did_you_mean("swing", ("pitch", "tempo")) == ""
