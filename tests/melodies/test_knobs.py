"""The knobs of a melody on a model written by hand: where they land, what stays, and the paper's way."""

import numpy as np
import pytest
from conftest import random_clips
from toy_melody_engine import ToyMelodyEngine, clip

from fadernets.codecs import melody_states
from fadernets.codecs.melody_states import HOLD, ONSETS, REST
from fadernets.errors import FadernetsError
from fadernets.melodies import directions, knob_search, knob_settings, knobs
from fadernets.melodies.knob_settings import Knobs
from fadernets.melodies.knobs import turn


@pytest.fixture
def engine():
    return ToyMelodyEngine()


@pytest.fixture
def clips():
    return random_clips(24, seed=5)  # two begin with a note held in


def onsets_of(states):
    return np.flatnonzero(states < ONSETS).tolist()


# What an answer may not depend on


def test_no_note_begins_behind_the_end_of_the_music(engine):
    """A last clip of one bar: a knob asks that bar for what it asks of it, and nothing of what lies behind."""
    one_bar = clip("60 - - - 62 - - - 64 - - - 65 - - -")[None]
    after_end = np.arange(32)[None] >= 16
    for asked, count in ((1, 8), (2, 16), (3, 16), (-1, 2)):
        found = turn(engine, one_bar, Knobs(rhythm=asked), after_end=after_end)
        assert (found[0, 16:] == REST).all()
        assert melody_states.onsets(found).tolist() == [count]
    found = turn(engine, one_bar, Knobs(rhythm=1, pitch=3, rest=1), after_end=after_end)
    assert (found[0, 16:] == REST).all()


def test_a_clip_is_answered_alike_beside_any_others(engine, clips):
    dense = (
        np.random.default_rng(1).integers(55, 70, (8, 32)).astype(np.uint8)
    )  # a first find near enough, a second nearer
    clips = np.concatenate([clips, dense, clip("60")[None]])  # one note cannot go up by a fraction: that search goes on
    for asked in (
        Knobs(pitch=1.2),
        Knobs(pitch=1.8),
        Knobs(pitch=5.4),
        Knobs(rhythm=-1, pitch=-4.4),
        Knobs(rest=1),
    ):
        together = turn(engine, clips, asked)
        alone = np.concatenate([turn(engine, one[None], asked) for one in clips])
        assert np.array_equal(together, alone)
        assert np.array_equal(turn(engine, np.tile(clips, (8, 1)), asked), np.tile(together, (8, 1)))


# Landing where notes cannot be split or joined


def test_notes_that_stand_apart_fall_silent_when_fewer_are_asked(engine):
    staccato = clip("60 . " * 16)[None]
    found = turn(engine, staccato, Knobs(rhythm=-1))
    assert melody_states.onsets(found).tolist() == [8]
    assert set(onsets_of(found[0])) <= set(onsets_of(staccato[0]))
    held = clip(". . 60 - - - . . 62 - - - . . . . 64 - - -")[None]
    for asked, count in ((-0.6, 2), (-2, 1), (-5, 1)):
        found = turn(engine, held, Knobs(rhythm=asked))
        assert melody_states.onsets(found).tolist() == [count]
        assert np.array_equal(found, melody_states.tidy(found, held=True))  # no hold of a note that is gone


@pytest.mark.parametrize("faithfulness", [0.0, 0.2])
def test_a_clip_that_the_rest_makes_silent_has_no_pitch_to_land(faithfulness):
    engine = ToyMelodyEngine(rest=30)  # which says nothing but rests
    sparse = clip("60 - - - 62 - . . 64 -")[None]
    found = turn(engine, sparse, Knobs(pitch=2, rest=4, faithfulness=faithfulness))
    assert (found == REST).all()


# At rest


def test_at_rest_nothing_is_decoded(engine, clips):
    for asked in (Knobs(), Knobs(control="paper"), Knobs(faithfulness=0.0, seed=4)):
        found = turn(engine, clips, asked)
        assert np.array_equal(found, clips)
        assert found is not clips
    assert engine.decoded == []
    with pytest.raises(FadernetsError, match="control 'own'; allowed: knob, paper"):
        Knobs(control="own")


@pytest.mark.parametrize("control", knob_settings.CONTROLS)
def test_clips_without_an_onset_stay(engine, clips, control):
    silent, held = clip(""), np.full(32, HOLD, np.uint8)
    some = np.stack([silent, clips[0], held, clips[1]])
    found = turn(engine, some, Knobs(pitch=5, rhythm=1, rest=1, control=control))
    assert np.array_equal(found[[0, 2]], some[[0, 2]])
    assert np.array_equal(found[[1, 3]], turn(engine, clips[:2], Knobs(pitch=5, rhythm=1, rest=1, control=control)))
    assert np.array_equal(turn(engine, some[[0, 2]], Knobs(pitch=5, control=control)), some[[0, 2]])


# Pitch


@pytest.mark.parametrize("asked", [-5, -3, -1, 1, 1.5, 3, 5])
def test_a_theme_keeps_its_shape(engine, asked):
    theme = clip("60 - 60 - 67 - 67 - 69 - 69 - 67 - - - 65 - 65 - 64 - 64 - 62 - 62 - 60 - - -")[None]
    in_key = np.isin(np.arange(12), [0, 2, 4, 5, 7, 9, 11])
    found = turn(engine, theme, Knobs(pitch=asked), in_key)
    notes = [states[states < ONSETS].astype(int) for states in (theme[0], found[0])]
    turns = [np.sign(np.diff(line)) for line in notes]
    assert (turns[0] != turns[1]).sum() <= 2  # of 14; a note or two may have to give way to land
    assert abs(np.mean(notes[1] - notes[0]) - asked) <= 2 * knob_search.TOLERANCE


@pytest.mark.parametrize("asked", [-12, -7.5, -1, 0.25, 0.5, 1, 3.3, 12])
def test_pitch_lands_and_keeps_every_step_s_kind(engine, clips, asked):
    found = turn(engine, clips, Knobs(pitch=asked))
    for kind in (found < ONSETS, found == HOLD, found == REST):
        assert kind.sum() in ((clips < ONSETS).sum(), (clips == HOLD).sum(), (clips == REST).sum())
    assert np.array_equal(found < ONSETS, clips < ONSETS)
    assert np.array_equal(found == HOLD, clips == HOLD)
    moved = np.where(clips < ONSETS, found.astype(int) - clips, 0).sum(1)
    away = np.abs(moved - asked * melody_states.onsets(clips))  # 0.5: as near as whole semitones can come
    assert (away <= np.maximum(0.5, 2 * knob_search.TOLERANCE * melody_states.onsets(clips))).all()
    assert np.median(away) <= max(0.5, 0.5 * knob_search.TOLERANCE * np.median(melody_states.onsets(clips)))


def test_pitch_keeps_to_the_key_unless_chromatic(engine, clips):
    in_key = np.isin(np.arange(12), [0, 2, 4, 5, 7, 9, 11])
    found = turn(engine, clips, Knobs(pitch=2.5), in_key)
    for before, after in zip(clips, found, strict=True):
        own = set(before[before < ONSETS].tolist())
        assert all(in_key[p % 12] or p in own for p in after[after < ONSETS].tolist())
    each = np.stack([np.roll(in_key, i) for i in range(len(clips))])
    alone = [turn(engine, one[None], Knobs(pitch=2.5), keys)[0] for one, keys in zip(clips, each, strict=True)]
    assert np.array_equal(turn(engine, clips, Knobs(pitch=2.5), each), alone)
    assert np.array_equal(
        turn(engine, clips, Knobs(pitch=2.5, chromatic=True), in_key),
        turn(engine, clips, Knobs(pitch=2.5)),
    )
    assert not np.array_equal(found, turn(engine, clips, Knobs(pitch=2.5)))


def test_small_amounts_land_too(engine, clips):
    found = turn(engine, clips, Knobs(pitch=0.25))
    moved = melody_states.mean_pitch(found) - melody_states.mean_pitch(clips)
    assert moved.mean() == pytest.approx(0.25, abs=0.05)


# Rhythm


@pytest.mark.parametrize("asked", [-2, -1, -0.5, 0.5, 1, 1.4, 2, 5])
def test_rhythm_lands_near_the_source_s_pitches(engine, clips, asked):
    found = turn(engine, clips, Knobs(rhythm=asked))
    count = melody_states.onsets(clips)
    assert melody_states.onsets(found).tolist() == np.clip(np.round(count * 2.0**asked), 1, 32).astype(int).tolist()
    assert np.array_equal(found, melody_states.tidy(found, held=True))
    own = melody_states.sounding(clips)
    stays = (clips < ONSETS) & (found < ONSETS)
    assert (found == clips)[stays].all()

    def far(states):
        begins = (states < ONSETS) & (own >= 0)
        return np.abs(states.astype(int) - own)[begins].mean()

    assert far(found) < 0.6 * far(turn(engine, clips, Knobs(rhythm=asked, faithfulness=0.0)))


def test_both_knobs_land_together(engine, clips):
    found = turn(engine, clips, Knobs(pitch=4.0, rhythm=0.7))
    count = np.round(melody_states.onsets(clips) * 2**0.7)
    assert np.array_equal(melody_states.onsets(found), count)
    asked = (melody_states.mean_pitch(clips) + 4) * count
    total = np.where(found < ONSETS, found, 0).sum(1, dtype=int)
    assert (np.abs(total - asked) <= np.maximum(0.5, 2 * knob_search.TOLERANCE * count) + 1e-9).all()
    assert np.median(np.abs(total - asked)) <= 1


# The rest


def test_the_rest_is_seeded(engine, clips):
    for control in knob_settings.CONTROLS:
        found = [turn(engine, clips, Knobs(rest=3, seed=seed, control=control, faithfulness=0.2)) for seed in (1, 1, 2)]
        assert np.array_equal(found[0], found[1])
        if control == "paper":  # which draws nothing
            assert np.array_equal(found[0], found[2])
        codes = [directions.random_direction(engine, control, seed) for seed in (1, 1, 2)]
        assert np.array_equal(codes[0], codes[1])
        assert not np.allclose(codes[0], codes[2])


# The paper's way


@pytest.mark.parametrize(
    ("asked", "way"),
    [
        ({"pitch": 3.0}, [0.5, 0, 0, 0, 0.75, 0, 0, 0]),
        ({"rhythm": -1.5}, [0, -1.5, 0, 0, 0, 0, 0, 0]),
        ({"pitch": -6.0, "rhythm": 0.5}, [-1, 0.5, 0, 0, -1.5, 0, 0, 0]),
    ],
)
def test_the_paper_s_control_is_a_plain_decode(engine, clips, asked, way):
    """Section 4.1: the few dimensions of a knob move by the amount times their mean change, and no more is done."""
    found = turn(engine, clips, Knobs(**asked, control="paper"))
    (z,) = engine.decoded
    np.testing.assert_allclose(z, engine.encode(clips) + np.array(way), rtol=1e-6)
    assert np.array_equal(found, melody_states.tidy(engine.decode(z).states, held=True))


def test_the_paper_s_rest(engine, clips):
    """Section 4.3: every dimension of neither group goes up by its own deviations."""
    turn(engine, clips, Knobs(rest=2.0, rhythm=1, seed=9, control="paper"))
    moved = engine.decoded[0] - engine.encode(clips)
    np.testing.assert_allclose(moved[:, 1], 1, atol=1e-6)
    assert (directions.rest_up(engine)[[2, 3, 5, 6, 7]] > 0).all()
    np.testing.assert_allclose(
        np.delete(moved, 1, 1),
        np.delete(np.tile(2 * directions.rest_up(engine), (24, 1)), 1, 1),
        atol=1e-6,
    )


# The key


def test_the_classes_of_a_key_and_a_melody_s_own():
    c_major = clip("60 - 62 - 64 - 65 - 67 - 69 - 71 - 72 - 67 - 64 - 60 - - -")
    assert np.flatnonzero(knobs.key_pitch_classes(c_major)).tolist() == [0, 2, 4, 5, 7, 9, 11]
    sharp = c_major.copy()
    sharp[2:4] = 66, HOLD
    assert np.flatnonzero(knobs.key_pitch_classes(sharp)).tolist() == [0, 2, 4, 5, 6, 7, 9, 11]
    a_minor = clip("57 - - - 60 - 64 - 57 - - - 59 - 60 - 62 - 64 - - - 60 - 57 - - -")
    assert np.flatnonzero(knobs.key_pitch_classes(a_minor)).tolist() == [0, 2, 4, 5, 7, 8, 9, 11]  # both sevenths
    whole = np.concatenate([c_major, sharp, c_major])
    of_clips = knobs.key_pitch_classes(whole, np.stack([c_major, sharp, c_major]))
    assert of_clips[:, 6].tolist() == [False, True, False]  # no clip has another's chromatic notes
    assert knobs.key_pitch_classes(whole, whole[:0].reshape(0, 32)).shape == (0, 12)
