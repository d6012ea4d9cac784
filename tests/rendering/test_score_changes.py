"""Colours of an edit's notes in the score."""

from xml.etree import ElementTree as xml

import numpy as np

from fadernets.music.document import Document, Edit
from fadernets.music.notes import NOTE, make_notes
from fadernets.rendering.score_changes import COLOURS, changes, write_changes


def test_kept_changed_and_new():
    before = make_notes([(0, 480, 60, 80, 0), (480, 960, 62, 80, 0), (960, 1440, 64, 80, 0), (1440, 1920, 65, 80, 0)])
    after = make_notes(
        [
            (0, 480, 60, 80, 0),  # kept
            (480, 900, 62, 80, 0),  # shorter
            (960, 1440, 67, 80, 0),  # moved
            (960, 1440, 71, 80, 0),  # beside it
            (1440, 1920, 65, 90, 0),  # louder
            (1700, 1920, 65, 80, 0),
        ]
    )
    assert changes(before, after) == ["kept", "changed", "changed", "new", "changed", "new"]
    assert changes(before, after[:0]) == []


def test_the_score_is_coloured():
    before = Document.of_notes([[0, 1, 60, 80], [1, 2, 62, 80]])
    after = Document.of_notes([[0, 1, 60, 80], [1, 2, 64, 80], [2, 3, 65, 80]])
    notes = [n for n in xml.fromstring(write_changes(before, after)).iter("note") if n.find("pitch") is not None]
    assert [n.get("color") for n in notes] == [None, COLOURS["changed"], COLOURS["new"]]


def test_tracks_are_found_though_one_fell_silent():
    before = Document.of_notes([[0, 1, 60, 80, 0], [0, 1, 40, 80, 1], [1, 2, 43, 80, 1]])
    tracks = before.piece.tracks
    silent = Document(before.path, before.edited(Edit(np.array([1]), *(np.empty(0, int), *(np.empty(0, NOTE),) * 2))))
    assert (len(tracks), len(silent.piece.tracks)) == (2, 1)
    notes = [n for n in xml.fromstring(write_changes(before, silent)).iter("note") if n.find("pitch") is not None]
    assert [n.get("color") for n in notes] == [None, None]
