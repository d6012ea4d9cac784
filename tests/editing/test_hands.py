"""Which hand plays a note."""

import numpy as np
import pytest
from midi_files import PIECES, TPQ, metre, save, track

from fadernets.editing.hands import notes_of_hand, split_hands
from fadernets.errors import FadernetsError
from fadernets.music.document import Document
from fadernets.music.notes import make_notes


def right_of(rows):
    """The pitches that the right hand plays, of rows (onset in quarters, pitch)."""
    notes = make_notes([(round(a * TPQ), round((a + 1) * TPQ), p, 80, 0) for a, p in rows])
    return notes["pitch"][split_hands(notes, TPQ)].tolist()


def test_low_notes_are_the_left_hand_s_and_high_ones_the_right_s():
    assert right_of([(0, 40), (0, 76), (1, 47), (1, 79), (2, 36), (3, 84)]) == [76, 79, 84]


def test_a_wide_chord_is_cut_where_hands_can_span_it():
    assert right_of([(0, p) for p in (36, 43, 48, 64, 67, 72)]) == [64, 67, 72]


def test_a_hand_stays_with_its_line():
    """A melody that sinks slowly to middle C is still the right hand's over a bass."""
    rows = [(i, 72 - i) for i in range(12)] + [(i, 40) for i in range(12)]
    assert len(right_of(rows)) == 12


def test_notes_of_one_chord_need_not_begin_on_one_tick():
    assert right_of([(0, 60), (0.01, 43), (0.02, 67), (0.03, 48)]) == [60, 67]


def test_two_tracks_without_names_are_told_by_their_pitch(tmp_path):
    low, high = [(i, 1, 40, 80) for i in range(4)], [(i, 1, 70, 80) for i in range(4)]
    piece = Document(save(tmp_path / "in.mid", track((), metre(4)), track(high), track(low, channel=1))).piece
    for hand, pitch in (("left", 40), ("right", 70)):
        assert set(piece.notes["pitch"][notes_of_hand(piece, [0, 1], hand)]) == {pitch}


def test_names_of_tracks_say_it(tmp_path):
    hands = [track([(0, 1, p, 80)], name=n, channel=c) for c, (p, n) in enumerate([(40, "Piano RH"), (70, "Piano LH")])]
    piece = Document(save(tmp_path / "in.mid", track((), metre(4)), *hands)).piece
    assert piece.notes["pitch"][notes_of_hand(piece, [0, 1], "left")].tolist() == [70]


def test_more_tracks_need_names(tmp_path):
    piece = Document(PIECES["quartet"](tmp_path / "in.mid")).piece
    with pytest.raises(
        FadernetsError, match=r"--only left: 3 tracks are edited, .*, as in --tracks 'Violin' --only left$"
    ):
        notes_of_hand(piece, [0, 1, 2], "left", "--only")


def test_a_hand_that_plays_nothing_says_so(tmp_path):
    piece = Document(save(tmp_path / "in.mid", track([(0, 1, 90, 80)], metre(4)))).piece
    with pytest.raises(FadernetsError, match="only left: the hand plays no note"):
        notes_of_hand(piece, [0], "left")
    assert np.all(notes_of_hand(piece, [0], "right"))
