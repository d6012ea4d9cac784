"""The knobs of a melody on a model written by hand: where they land, what stays, and the paper's way."""

import numpy as np
import pytest
from conftest import make_clip
from singers import Singer, clip

from fadernets import knobs, melody
from fadernets.errors import FadernetsError
from fadernets.knobs import Turn, turn
from fadernets.melody import ONSETS, REST


@pytest.fixture
def singer():
    return Singer()


@pytest.fixture
def clips():
    """[24, 32]; two begin with a note held in."""
    rng = np.random.default_rng(5)
    return np.stack([make_clip(rng) for _ in range(24)])


def onsets_of(states):
    return np.flatnonzero(states < ONSETS).tolist()


# What an answer may not depend on


def test_no_note_begins_behind_the_end_of_the_music(singer):
    """A last clip of one bar: a knob asks that bar for what it asks of it, and nothing of what lies behind."""
    one_bar = clip("60 - - - 62 - - - 64 - - - 65 - - -")[None]
    behind = np.arange(32)[None] >= 16
    for asked, count in ((1, 8), (2, 16), (3, 16), (-1, 2)):
        found = turn(singer, one_bar, Turn(rhythm=asked), behind=behind)
        assert (found[0, 16:] == REST).all()
        assert melody.onsets(found).tolist() == [count]
    found = turn(singer, one_bar, Turn(rhythm=1, pitch=3, rest=1), behind=behind)
    assert (found[0, 16:] == REST).all()


def test_a_clip_is_answered_alike_beside_any_others(singer, clips):
    dense = (
        np.random.default_rng(1).integers(55, 70, (8, 32)).astype(np.uint8)
    )  # a first find near enough, a second nearer
    clips = np.concatenate([clips, dense, clip("60")[None]])  # one note cannot go up by a fraction: that search goes on
    for asked in (Turn(pitch=1.2), Turn(pitch=1.8), Turn(pitch=5.4), Turn(rhythm=-1, pitch=-4.4), Turn(rest=1)):
        together = turn(singer, clips, asked)
        alone = np.concatenate([turn(singer, one[None], asked) for one in clips])
        assert np.array_equal(together, alone)
        assert np.array_equal(turn(singer, np.tile(clips, (8, 1)), asked), np.tile(together, (8, 1)))


# Landing where notes cannot be split or joined


def test_notes_that_stand_apart_fall_silent_when_fewer_are_asked(singer):
    staccato = clip("60 . " * 16)[None]
    found = turn(singer, staccato, Turn(rhythm=-1))
    assert melody.onsets(found).tolist() == [8]
    assert set(onsets_of(found[0])) <= set(onsets_of(staccato[0]))
    held = clip(". . 60 - - - . . 62 - - - . . . . 64 - - -")[None]
    for asked, count in ((-0.6, 2), (-2, 1), (-5, 1)):
        found = turn(singer, held, Turn(rhythm=asked))
        assert melody.onsets(found).tolist() == [count]
        assert np.array_equal(found, melody.tidy(found, held=True))  # no hold of a note that is gone


def test_rests_become_notes_when_no_note_is_left_to_split():
    singer = Singer(rest=30)  # which would not strike where there is a rest
    short = clip("60 . . . 62 . . . 64 . . . 65")[None]
    for asked, count in ((1, 8), (2, 16), (3, 32)):
        assert melody.onsets(turn(singer, short, Turn(rhythm=asked))).tolist() == [count]
    in_key = np.isin(np.arange(12), [0, 2, 4, 5, 7, 9, 11])
    found = turn(singer, short, Turn(rhythm=3), in_key)[0]
    assert in_key[found % 12].all()


def test_random_dimensions_need_as_many_that_are_free():
    taken = {"dimensions": [0, 2, 3, 4, 5], "change": [0.1] * 5, "direction": [0.0] * 8}
    singer = Singer()
    singer.info["knobs"]["pitch"] = taken
    with pytest.raises(FadernetsError, match="2 dimensions belong to no knob, pitch has 5"):
        knobs.random_dimensions(singer, "pitch", 0)
