"""Parts, staves, clefs, spelling and drums of a score. Times in the tests are sixteenths."""

import numpy as np
import pytest

from fadernets.music.document import Document
from fadernets.music.notes import MetreMap, Piece, TempoMap, Track, make_notes
from fadernets.rendering.score_clefs import clefs_by_bar
from fadernets.rendering.score_hands import upper_staff
from fadernets.rendering.score_parts import parts_of
from fadernets.rendering.score_spelling import alteration, file_keys, named, signatures, spell


def piece(*tracks, names=None):
    """A piece of notes (onset, end, pitch) in sixteenths, a list a track."""
    rows = [(a * 120, b * 120, pitch, 80, i) for i, each in enumerate(tracks) for a, b, pitch in each]
    made = [Track(names[i] if names else f"t{i}", i, i) for i in range(len(tracks))]
    return Piece(make_notes(rows), 480, TempoMap.of([], 480), MetreMap.of([], 480), made)


HIGH, LOW = [(4 * i, 4 * i + 4, 72 + i) for i in range(8)], [(4 * i, 4 * i + 4, 48 - i) for i in range(8)]


@pytest.mark.parametrize(
    ("names", "merged"),
    [
        (["Right hand", "Left hand"], True),
        (["Melody", "Left hand"], True),
        (["", ""], True),
        (["Piano", "Piano"], True),
        (["MELODY", "BRIDGE"], False),
    ],
)
def test_two_tracks_of_one_player_are_a_part(names, merged):
    parts = parts_of(piece(HIGH, LOW, names=names))
    assert [len(part.staves) for part in parts] == ([2] if merged else [1, 1])


def test_the_upper_hand_is_on_the_upper_staff_whatever_the_order():
    own = piece(LOW, HIGH, names=["Left hand", "Right hand"])
    (part,) = parts_of(own)
    assert part.name == "Piano"
    assert own.notes["pitch"][part.staves[0].rows].min() == 72


def test_three_tracks_without_names_are_parts_of_their_own():
    assert len(parts_of(piece(HIGH, LOW, HIGH, names=["", "", ""]))) == 3


def test_one_track_is_split_where_its_pitches_have_a_gap():
    own = piece([*HIGH, *LOW])
    (part,) = parts_of(own)
    assert [sorted(own.notes["pitch"][staff.rows].tolist()) for staff in part.staves] == [
        [72 + i for i in range(8)],
        [41 + i for i in range(8)],
    ]


def test_a_scale_over_both_hands_changes_staff_once():
    notes = piece([(i, i + 1, 36 + i) for i in range(48)]).notes
    assert np.abs(np.diff(upper_staff(notes, 480).astype(int))).sum() == 1
    assert len(upper_staff(notes[:0], 480)) == 0


def test_clefs_change_where_many_ledger_lines_would_be_needed():
    pitch = np.array([45] * 8 + [76] * 16 + [45] * 8)
    assert clefs_by_bar(pitch, np.arange(32) // 8, 4, "F") == ["F", "G", "G", "F"]
    assert clefs_by_bar(np.array([45, 76, 45]), np.arange(3), 3, "F") == ["F"] * 3
    assert clefs_by_bar(np.empty(0, int), np.empty(0, int), 2, "F") == ["F"] * 2


@pytest.mark.parametrize(
    ("line", "pitch", "name"),
    [
        (0, 60, ("C", 0, 4)),
        (12, 60, ("B", 1, 3)),
        (-7, 59, ("C", -1, 4)),
        (13, 67, ("F", 2, 4)),
        (-2, 58, ("B", -1, 3)),
    ],
)
def test_names(line, pitch, name):
    assert named(line, pitch) == name


def test_key_signatures_alter_steps():
    assert [alteration(step, 2) for step in "FCGDAEB"] == [1, 1, 0, 0, 0, 0, 0]
    assert [alteration(step, -3) for step in "FCGDAEB"] == [0, 0, 0, 0, -1, -1, -1]


def spelled(notes, fifths, minor=False):
    own = piece(notes)
    line = spell(own, np.ones(len(own.notes), bool), [(0, fifths)], minor)
    sign = {-2: "bb", -1: "b", 0: "", 1: "#", 2: "##"}
    names = [named(int(at), int(p)) for at, p in zip(line, own.notes["pitch"], strict=True)]
    return [step + sign[alter] for step, alter, _ in names]


def test_spelling():
    scale = [(4 * i, 4 * i + 4, p) for i, p in enumerate([57, 59, 60, 62, 64, 65, 68, 69])]
    assert spelled(scale, 0, True)[6] == "G#"  # the leading note of A minor
    up = [(4 * i, 4 * i + 4, p) for i, p in enumerate([60, 61, 62, 64, 65, 66, 67, 72])]
    assert [spelled(up, 0)[i] for i in (1, 5)] == ["C#", "F#"]
    flats = [(4 * i, 4 * i + 4, p) for i, p in enumerate([63, 65, 67, 68, 70, 72, 74, 75])]
    assert spelled(flats, -3) == ["Eb", "F", "G", "Ab", "Bb", "C", "D", "Eb"]


def test_a_file_s_key_signatures_are_taken_unless_they_say_nothing():
    own = piece([(4 * i, 4 * i + 4, p) for i, p in enumerate([62, 64, 66, 67, 69, 71, 73, 74])])
    assert signatures(own, [0], [(0, 2), (960, -1)])[0] == [(0, 2), (960, -1)]
    assert signatures(own, [0], [(0, 0)])[0] == [(0, 2)]
    assert file_keys(Document.of_notes([[0, 1, 60, 80]])) == []
