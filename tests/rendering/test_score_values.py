"""Note values, rests, tuplets and beams by the metre. Places are in quarters in the tests' tables."""

import pytest

from fadernets.rendering.score_values import (
    VALUES,
    Metre,
    Tuplet,
    beams,
    note_values,
    rest_values,
    tuplet_values,
    tuplets,
)

Q = 48


def metre(above, below, upbeat=0.0):
    full = above * 4 * Q // below
    length = int(upbeat * Q) or full
    return Metre(above, below, length, full - length)


@pytest.mark.parametrize(
    ("signature", "a", "b", "values"),
    [
        ((4, 4), 0, 4, [4]),
        ((4, 4), 0.5, 1.5, [1]),  # eighth, quarter, eighth
        ((4, 4), 1, 3, [2]),  # a half over the middle from beat to beat
        ((4, 4), 1, 2.5, [1, 0.5]),  # but nothing else over the middle
        ((4, 4), 1.5, 2.5, [0.5, 0.5]),
        ((4, 4), 0, 2.5, [2, 0.5]),
        ((4, 4), 0.25, 1.25, [0.75, 0.25]),
        ((4, 4), 0.5, 2, [1.5]),
        ((4, 4), 0, 3, [3]),
        ((3, 4), 0, 2.5, [2, 0.5]),
        ((3, 4), 0.5, 3, [0.5, 2]),
        ((2, 4), 0.5, 1.5, [1]),
        ((6, 8), 0, 3, [3]),
        ((6, 8), 0, 2, [1.5, 0.5]),
        ((6, 8), 1, 2, [0.5, 0.5]),
        ((6, 8), 0.5, 1.5, [1]),
        ((9, 8), 0, 4.5, [3, 1.5]),
        ((12, 8), 1.5, 4.5, [1.5, 1.5]),
        ((5, 8), 0, 2, [1.5, 0.5]),
        ((7, 8), 0, 3.5, [2, 1.5]),
    ],
)
def test_notes(signature, a, b, values):
    found = [value / Q for value in note_values(metre(*signature), int(a * Q), int(b * Q))]
    assert sum(found) == b - a
    if signature not in [(12, 8), (7, 8)]:  # where there are several good ways
        assert found == values


@pytest.mark.parametrize(
    ("signature", "a", "b", "values"),
    [
        ((4, 4), 0.25, 1, [0.25, 0.5]),
        ((4, 4), 0, 0.75, [0.5, 0.25]),
        ((4, 4), 0, 2, [2]),
        ((4, 4), 1, 3, [1, 1]),
        ((4, 4), 0.5, 4, [0.5, 1, 2]),
        ((3, 4), 0, 2, [1, 1]),
        ((6, 8), 0, 1.5, [1.5]),
        ((6, 8), 0.5, 3, [0.5, 0.5, 1.5]),
        ((6, 8), 0, 1, [1]),
        ((12, 8), 0, 3, [3]),
    ],
)
def test_rests(signature, a, b, values):
    assert [value / Q for value in rest_values(metre(*signature), int(a * Q), int(b * Q))] == values


@pytest.mark.parametrize("signature", [(4, 4), (3, 4), (2, 2), (6, 8), (9, 8), (5, 8), (7, 8), (5, 4), (3, 16), (4, 2)])
def test_every_length_can_be_written(signature):
    own = metre(*signature)
    for a in range(0, own.length, 6):
        for b in range(a + 6, own.length + 1, 6):
            assert sum(note_values(own, a, b)) == b - a
            assert sum(rest_values(own, a, b)) == b - a
            assert set(note_values(own, a, b)) <= set(VALUES)
            assert set(rest_values(own, a, b)) <= set(VALUES)


def test_an_upbeat_takes_the_last_places_of_its_bar():
    own = metre(6, 8, upbeat=0.5)
    assert own.groups() == (0, Q // 2)
    assert metre(4, 4, upbeat=1.5).groups() == (0, Q // 2, 3 * Q // 2)


def test_tuplets():
    own = metre(4, 4)
    assert tuplets(own, {0, 12, 24, 48, 72, 192}) == []
    assert tuplets(own, {0, 16, 32, 48}) == [Tuplet(0, 48, 3, 2, "eighth")]
    assert tuplets(own, {48, 56, 64, 72, 80, 88, 96}) == [Tuplet(48, 48, 6, 4, "16th")]
    assert tuplets(own, {0, 24, 32, 40, 48}) == [Tuplet(24, 24, 3, 2, "16th")]
    assert tuplets(own, {96, 128, 160, 192}) == [Tuplet(96, 96, 3, 2, "quarter")]
    assert tuplets(metre(6, 8), {0, 18, 36, 72}) == []  # dotted notes
    assert tuplets(metre(6, 8), {0, 8, 16, 24}) == [Tuplet(0, 24, 3, 2, "16th")]


def test_values_in_tuplets():
    three = Tuplet(48, 48, 3, 2, "eighth")
    assert tuplet_values(three, 48, 80) == (32,)
    assert tuplet_values(three, 64, 96) == (32,)
    assert tuplet_values(three, 48, 72) == (24,)
    assert sum(tuplet_values(three, 48, 88)) == 40


def marks(signature, *rows):
    found = beams(metre(*signature), [(int(p * Q), value, rest) for p, value, rest in rows])
    return ["/".join(mark) for mark in found]


def test_beams_go_by_the_beat():
    sixteenths = [(i / 4, "16th", False) for i in range(8)]
    assert marks((2, 4), *sixteenths) == ["begin/begin", *["continue/continue"] * 2, "end/end"] * 2
    eighths = [(i / 2, "eighth", False) for i in range(6)]
    assert marks((6, 8), *eighths) == ["begin", "continue", "end"] * 2
    assert marks((3, 4), *eighths) == ["begin", "end"] * 3
    assert marks((2, 4), *eighths[:4]) == ["begin", "continue", "continue", "end"]
    assert marks((7, 8), *[(i / 2, "eighth", False) for i in range(7)]) == [
        *["begin", "end"] * 2,
        "begin",
        "continue",
        "end",
    ]


def test_a_rest_and_a_longer_note_break_a_beam():
    assert marks((4, 4), (0, "eighth", False), (0.5, "eighth", True), (1, "quarter", False)) == ["", "", ""]
    assert marks((4, 4), (0, "eighth", False), (0.5, "16th", False), (0.75, "16th", False)) == [
        "begin",
        "continue/begin",
        "end/end",
    ]


def test_a_lone_short_note_has_a_hook():
    assert marks((4, 4), (0, "eighth", False), (0.75, "16th", False)) == ["begin", "end/backward hook"]
    assert marks((4, 4), (0, "16th", False), (0.25, "eighth", False)) == ["begin/forward hook", "end"]
