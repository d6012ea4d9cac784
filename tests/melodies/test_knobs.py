"""The knobs of a melody on a model written by hand: where they land, what stays, and the paper's way."""

import numpy as np
import pytest
from conftest import make_clip
from singers import Singer, clip

from fadernets.codecs import melody_states
from fadernets.codecs.melody_states import HOLD, ONSETS, REST
from fadernets.errors import FadernetsError
from fadernets.melodies import knobs
from fadernets.melodies.knobs import Turn, turn


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
        assert melody_states.onsets(found).tolist() == [count]
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
    assert melody_states.onsets(found).tolist() == [8]
    assert set(onsets_of(found[0])) <= set(onsets_of(staccato[0]))
    held = clip(". . 60 - - - . . 62 - - - . . . . 64 - - -")[None]
    for asked, count in ((-0.6, 2), (-2, 1), (-5, 1)):
        found = turn(singer, held, Turn(rhythm=asked))
        assert melody_states.onsets(found).tolist() == [count]
        assert np.array_equal(found, melody_states.tidy(found, held=True))  # no hold of a note that is gone


def test_rests_become_notes_when_no_note_is_left_to_split():
    singer = Singer(rest=30)  # which would not strike where there is a rest
    short = clip("60 . . . 62 . . . 64 . . . 65")[None]
    for asked, count in ((1, 8), (2, 16), (3, 32)):
        assert melody_states.onsets(turn(singer, short, Turn(rhythm=asked))).tolist() == [count]
    in_key = np.isin(np.arange(12), [0, 2, 4, 5, 7, 9, 11])
    found = turn(singer, short, Turn(rhythm=3), in_key)[0]
    assert in_key[found % 12].all()


@pytest.mark.parametrize("faithfulness", [0.0, 0.2])
def test_a_clip_that_the_rest_makes_silent_has_no_pitch_to_land(faithfulness):
    singer = Singer(rest=30)  # which says nothing but rests
    sparse = clip("60 - - - 62 - . . 64 -")[None]
    found = turn(singer, sparse, Turn(pitch=2, rest=4, faithfulness=faithfulness))
    assert (found == REST).all()


def test_random_dimensions_need_as_many_that_are_free():
    taken = {"dimensions": [0, 2, 3, 4, 5], "change": [0.1] * 5, "direction": [0.0] * 8}
    singer = Singer()
    singer.info["knobs"]["pitch"] = taken
    with pytest.raises(FadernetsError, match="2 dimensions belong to no knob, pitch has 5"):
        knobs.random_dimensions(singer, "pitch", 0)


# At rest


def test_at_rest_nothing_is_decoded(singer, clips):
    for asked in (Turn(), Turn(control="paper"), Turn(faithfulness=0.0, seed=4)):
        found = turn(singer, clips, asked)
        assert np.array_equal(found, clips)
        assert found is not clips
    assert singer.decoded == []
    with pytest.raises(FadernetsError, match="control 'own'; allowed: knob, paper"):
        Turn(control="own")


@pytest.mark.parametrize("control", knobs.CONTROLS)
def test_clips_without_an_onset_stay(singer, clips, control):
    silent, held = clip(""), np.full(32, HOLD, np.uint8)
    some = np.stack([silent, clips[0], held, clips[1]])
    found = turn(singer, some, Turn(pitch=5, rhythm=1, rest=1, control=control))
    assert np.array_equal(found[[0, 2]], some[[0, 2]])
    assert np.array_equal(found[[1, 3]], turn(singer, clips[:2], Turn(pitch=5, rhythm=1, rest=1, control=control)))
    assert np.array_equal(turn(singer, some[[0, 2]], Turn(pitch=5, control=control)), some[[0, 2]])


def test_the_source_is_what_it_is_kept_to(singer, clips):
    """At faithfulness 1 a decode of the source's own code says the source, a nat or more ahead of all else."""
    codes = singer.encode(clips)
    nowhere = np.zeros(clips.shape, bool)
    sway = knobs._sway(singer, clips, codes, Turn(rest=1), None, nowhere)
    sung = singer.decode(codes, offset=sway)
    assert np.array_equal(sung.states, clips)
    scores = np.sort(sung.log_probabilities + sway, axis=-1)
    ahead = scores[..., -1] - scores[..., -2]
    assert ahead.min() == pytest.approx(knobs.MARGIN, abs=1e-3)
    half = knobs._sway(singer, clips, codes, Turn(rest=1, faithfulness=0.5), None, nowhere)
    np.testing.assert_allclose(half, sway / 2, atol=1e-6)


def test_a_decode_is_pulled_to_the_source_s_line(singer):
    one, nowhere = clip("60 - 64 - .")[None], np.zeros((1, 32), bool)
    codes, own = singer.encode(one), np.zeros((1, 32, 130), bool)
    np.put_along_axis(own, one[..., None].astype(np.int64), True, -1)
    for asked, up in ((3, 3), (0.5, 1), (1.5, 2), (2.5, 3), (-1.5, -2), (-2.5, -3)):  # of two as near, the further
        sway = knobs._sway(singer, one, codes, Turn(pitch=asked), None, nowhere)
        others = np.where(own, -np.inf, sway)[0]
        assert (others[0].argmax(), others[2].argmax()) == (60 + up, 64 + up)
        assert (np.diff(sway[0, 0, 70:128]) < 0).all()  # the further away, the less
        assert (np.diff(sway[0, 0, :50]) > 0).all()
        half = knobs._sway(singer, one, codes, Turn(pitch=asked, faithfulness=0.5), None, nowhere)
        free = sway > knobs.NEVER / 2
        np.testing.assert_allclose(half[free], sway[free] / 2, atol=1e-5)
    for asked in (Turn(rest=1), Turn(rest=1, pitch=3)):  # which leave the line
        assert (knobs._sway(singer, one, codes, asked, None, nowhere)[~own] == 0).all()


# The search


def test_what_a_candidate_costs_by_hand():
    """Asked: a semitone up, as many onsets. The same notes, a step late, higher, twice as many, and none."""
    source = clip("60 - - - 62 - - - 64 - . .")[None]
    found = [source[0], clip(". 61 - - - 63 - - - 65 . ."), clip("61 - - - 63 - - - 65 - . ."),
             clip("61 61 - - 63 63 - - 65 65 . ."), clip("")]  # fmt: skip
    lost = 0.5 * 3 / 32
    for asked, expected in (
        (Turn(pitch=1, rhythm=1), [1, lost, 0, 6, 12 + 6 * np.log2(6) + lost]),
        (Turn(rest=1), [0, lost, 0, 0, 12 + lost]),  # the rest may take both along, but not the notes
        (Turn(rest=1, pitch=1), [1, lost, 0, 0, 12 + lost]),
        (Turn(rest=1, rhythm=1), [0, lost, 0, 6, 12 + 6 * np.log2(6) + lost]),
    ):
        cost = knobs._cost(np.stack(found)[None], source, np.array([63.0]), np.array([3.0]), asked)
        np.testing.assert_allclose(cost, [expected])


def test_where_a_search_begins_and_where_it_goes_on():
    first = knobs._first(2, Turn(pitch=-2.0))
    assert np.array_equal(first.pitch[0], first.pitch[1])
    assert -2.0 in first.pitch
    assert first.pitch.min() < -2 < first.pitch.max() < 0
    assert (first.rhythm == 0).all()
    assert (first.bias == 0).all()
    first = knobs._first(1, Turn(rhythm=1.0))
    assert first.rhythm.min() < 1 < first.rhythm.max()
    assert first.bias[first.rhythm == 1.0].min() < 0 < first.bias[first.rhythm == 1.0].max()
    at = np.array([[2.0], [1.0], [0.5]])  # amounts and bias: 0.4 semitones and a quarter of a doubling away
    following = knobs._next(at, np.array([0.4]), np.array([-0.25]), Turn(pitch=2, rhythm=1))
    np.testing.assert_allclose(following.pitch, [[2.2, 2.4, 2.8]])
    assert (following.bias < 0.5).all()
    assert (following.rhythm == 1).all()
    assert (knobs._next(at, np.array([0.4]), np.array([0.25]), Turn(rhythm=1)).pitch == 2).all()
    assert (knobs._next(at, np.array([0.4]), np.array([0.25]), Turn(rhythm=1)).bias > 0.5).all()
    assert (knobs._next(at, np.array([0.4]), np.array([0.25]), Turn(pitch=2)).bias == 0.5).all()


def test_what_single_notes_land_with(singer, clips, monkeypatch):
    """The source's line, or with the rest moved the line that came of it; less to keep with less faithfulness."""
    seen = []
    monkeypatch.setattr(knobs, "_land_pitch", lambda states, *given: seen.append((states.copy(), *given)))
    turn(singer, clips[:1], Turn(pitch=0.5, faithfulness=0.3))
    turn(singer, clips[:1], Turn(pitch=-5, rest=3, faithfulness=0))
    (_, _, asked, rough, line, order), (states, _, _, less_rough, other, none) = seen
    assert asked == melody_states.mean_pitch(clips[0]) + 0.5
    assert (rough, less_rough) == (knobs.ROUGH / 2, knobs.ROUGH)
    assert (order, none) == (pytest.approx(0.3 * knobs.ORDER), 0)
    assert np.array_equal(line, melody_states.line(clips[0]))
    assert np.array_equal(other, melody_states.line(states))
    assert not np.array_equal(other, melody_states.line(clips[0]))


# Pitch


@pytest.mark.parametrize("asked", [-5, -3, -1, 1, 1.5, 3, 5])
def test_a_theme_keeps_its_shape(singer, asked):
    theme = clip("60 - 60 - 67 - 67 - 69 - 69 - 67 - - - 65 - 65 - 64 - 64 - 62 - 62 - 60 - - -")[None]
    in_key = np.isin(np.arange(12), [0, 2, 4, 5, 7, 9, 11])
    found = turn(singer, theme, Turn(pitch=asked), in_key)
    notes = [states[states < ONSETS].astype(int) for states in (theme[0], found[0])]
    turns = [np.sign(np.diff(line)) for line in notes]
    assert (turns[0] != turns[1]).sum() <= 2  # of 14; a note or two may have to give way to land
    assert abs(np.mean(notes[1] - notes[0]) - asked) <= 2 * knobs.ROUGH


@pytest.mark.parametrize("asked", [-12, -7.5, -1, 0.25, 0.5, 1, 3.3, 12])
def test_pitch_lands_and_keeps_every_step_s_kind(singer, clips, asked):
    found = turn(singer, clips, Turn(pitch=asked))
    for kind in (found < ONSETS, found == HOLD, found == REST):
        assert kind.sum() in ((clips < ONSETS).sum(), (clips == HOLD).sum(), (clips == REST).sum())
    assert np.array_equal(found < ONSETS, clips < ONSETS)
    assert np.array_equal(found == HOLD, clips == HOLD)
    moved = np.where(clips < ONSETS, found.astype(int) - clips, 0).sum(1)
    away = np.abs(moved - asked * melody_states.onsets(clips))  # 0.5: as near as whole semitones can come
    assert (away <= np.maximum(0.5, 2 * knobs.ROUGH * melody_states.onsets(clips))).all()
    assert np.median(away) <= max(0.5, 0.5 * knobs.ROUGH * np.median(melody_states.onsets(clips)))


def test_pitch_keeps_to_the_key_unless_chromatic(singer, clips):
    in_key = np.isin(np.arange(12), [0, 2, 4, 5, 7, 9, 11])
    found = turn(singer, clips, Turn(pitch=2.5), in_key)
    for before, after in zip(clips, found, strict=True):
        own = set(before[before < ONSETS].tolist())
        assert all(in_key[p % 12] or p in own for p in after[after < ONSETS].tolist())
    each = np.stack([np.roll(in_key, i) for i in range(len(clips))])
    alone = [turn(singer, one[None], Turn(pitch=2.5), keys)[0] for one, keys in zip(clips, each, strict=True)]
    assert np.array_equal(turn(singer, clips, Turn(pitch=2.5), each), alone)
    assert np.array_equal(
        turn(singer, clips, Turn(pitch=2.5, chromatic=True), in_key), turn(singer, clips, Turn(pitch=2.5))
    )
    assert not np.array_equal(found, turn(singer, clips, Turn(pitch=2.5)))


def test_single_notes_move_where_that_costs_least():
    scores = np.full((32, 130), -50.0, np.float32)
    states = clip("60 - 64 - 67 -")
    scores[0, 60:63] = 0, -1, -5
    scores[2, 64:67] = 0, -2, -0.5
    scores[4, 67:70] = 0, -3, -4
    for asked, expected in ((0, (60, 64, 67)), (1, (61, 64, 67)), (2, (60, 66, 67)), (3, (61, 66, 67))):
        assert landed(states, scores, 191 / 3 + asked / 3) == expected
    far = tuple(p + knobs.FURTHEST for p in (60, 64, 67))
    assert landed(states, scores, 191 / 3 + 100) == far
    scores[:, :128] = knobs.NEVER  # nothing is allowed: nothing moves
    assert landed(states, scores, 70.0) == (60, 64, 67)


def landed(states, scores, asked, rough=0.001, order=0.0):
    found = states.copy()
    knobs._land_pitch(found, scores, asked, rough, melody_states.line(states), order)
    assert np.array_equal(found >= ONSETS, states >= ONSETS)
    return tuple(found[found < ONSETS].tolist())


def test_a_line_keeps_its_shape_where_that_lands_nearly():
    scores = np.zeros((32, 130), np.float32)
    white = np.isin(np.arange(128) % 12, [0, 2, 4, 5, 7, 9, 11])
    scores[:, :128][:, ~white] = knobs.NEVER
    theme = clip("60 60 67 67 69 69 67 67")  # C C G G A A G G
    for asked in (-3, -2, 1, 2):
        found = landed(theme, scores, 65.75 + asked, 0.25, 10.0)
        assert np.array_equal(np.sign(np.diff(found)), [0, 1, 0, 1, 0, -1, 0])
        assert abs(np.mean(found) - 65.75 - asked) <= 0.25
    scores[:, 69] = 5.0  # all would be A, were it not for the line
    assert landed(theme, scores, 67.25, 0.25, 0.0).count(69) > 4
    assert np.array_equal(np.sign(np.diff(landed(theme, scores, 67.25, 0.25, 60.0))), [0, 1, 0, 1, 0, -1, 0])
    scores[:] = -50.0
    scores[:, [60, 67, 69, 72]] = 0.0  # the shape costs more than it is worth
    assert abs(np.mean(landed(theme, scores, 67.25, 0.25, 3.0)) - 67.25) <= 0.25


def test_small_amounts_land_too(singer, clips):
    found = turn(singer, clips, Turn(pitch=0.25))
    moved = melody_states.mean_pitch(found) - melody_states.mean_pitch(clips)
    assert moved.mean() == pytest.approx(0.25, abs=0.05)


# Rhythm


@pytest.mark.parametrize("asked", [-2, -1, -0.5, 0.5, 1, 1.4, 2, 5])
def test_rhythm_lands_near_the_source_s_pitches(singer, clips, asked):
    found = turn(singer, clips, Turn(rhythm=asked))
    count = melody_states.onsets(clips)
    assert melody_states.onsets(found).tolist() == np.clip(np.round(count * 2.0**asked), 1, 32).astype(int).tolist()
    assert np.array_equal(found, melody_states.tidy(found, held=True))
    own = melody_states.sounding(clips)

    def far(states):
        begins = (states < ONSETS) & (own >= 0)
        return np.abs(states.astype(int) - own)[begins].mean()

    assert far(found) < 0.6 * far(turn(singer, clips, Turn(rhythm=asked, faithfulness=0.0)))


def test_notes_are_split_and_joined_where_that_costs_least():
    scores = np.zeros((32, 130), np.float32)
    states = clip("60 - - - 62 - - - 64 - - -")
    scores[:, :128] = -9
    scores[2, 60], scores[7, 62], scores[9, 64] = -1, -2, -3
    for asked, expected in ((4, [0, 2, 4, 8]), (5, [0, 2, 4, 7, 8]), (6, [0, 2, 4, 7, 8, 9])):
        found = states.copy()
        knobs._land_onsets(found, scores, asked)
        assert onsets_of(found) == expected
        assert melody_states.sounding(found).tolist() == melody_states.sounding(states).tolist()
    scores[4, 62], scores[8, 64], scores[4, HOLD], scores[8, HOLD] = 0, -1, -3, -2
    for asked, expected in ((2, [0, 4]), (1, [0])):
        found = states.copy()
        knobs._land_onsets(found, scores, asked)
        assert onsets_of(found) == expected
        assert (found[:12] != REST).all()


def test_both_knobs_land_together(singer, clips):
    found = turn(singer, clips, Turn(pitch=4.0, rhythm=0.7))
    count = np.round(melody_states.onsets(clips) * 2**0.7)
    assert np.array_equal(melody_states.onsets(found), count)
    asked = (melody_states.mean_pitch(clips) + 4) * count
    total = np.where(found < ONSETS, found, 0).sum(1, dtype=int)
    assert (np.abs(total - asked) <= np.maximum(0.5, 2 * knobs.ROUGH * count) + 1e-9).all()
    assert np.median(np.abs(total - asked)) <= 1


# The rest


def test_the_rest_is_seeded(singer, clips):
    for control in knobs.CONTROLS:
        found = [turn(singer, clips, Turn(rest=3, seed=seed, control=control, faithfulness=0.2)) for seed in (1, 1, 2)]
        assert np.array_equal(found[0], found[1])
        codes = [knobs.aside(singer, control, seed) for seed in (1, 1, 2)]
        assert np.array_equal(codes[0], codes[1])
        assert not np.allclose(codes[0], codes[2])


def test_the_rest_turns_neither_knob():
    singer = Singer()
    rng = np.random.default_rng(0)
    for name in ("pitch", "rhythm"):
        singer.info["knobs"][name]["direction"] = rng.normal(size=8).tolist()
    for seed in range(5):
        way = knobs.aside(singer, "knob", seed)
        for name in ("pitch", "rhythm"):
            assert way @ np.array(singer.info["knobs"][name]["direction"]) == pytest.approx(0, abs=1e-9)
        assert (knobs.aside(singer, "paper", seed)[[0, 1, 4]] == 0).all()
        assert (knobs.aside(singer, "paper", seed)[[2, 3, 5, 6, 7]] != 0).all()


def test_the_rest_is_as_wide_as_the_codes_are():
    singer = Singer(spread=[1.0, 1.0, 0.1, 0.5, 1.0, 2.0, 3.0, 4.0])
    drawn = np.stack([knobs.aside(singer, "paper", seed) for seed in range(600)])
    np.testing.assert_allclose(drawn.std(0), [0, 0, 0.1, 0.5, 0, 2, 3, 4], rtol=0.1)


# The paper's way


@pytest.mark.parametrize(
    ("asked", "way"),
    [
        ({"pitch": 3.0}, [0.5, 0, 0, 0, 0.75, 0, 0, 0]),
        ({"rhythm": -1.5}, [0, -1.5, 0, 0, 0, 0, 0, 0]),
        ({"pitch": -6.0, "rhythm": 0.5}, [-1, 0.5, 0, 0, -1.5, 0, 0, 0]),
    ],
)
def test_the_paper_s_control_is_a_plain_decode(singer, clips, asked, way):
    """Section 4.1: the few dimensions of a knob move by the amount times their mean change, and no more is done."""
    found = turn(singer, clips, Turn(**asked, control="paper"))
    (z,) = singer.decoded
    np.testing.assert_allclose(z, singer.encode(clips) + np.array(way), rtol=1e-6)
    assert np.array_equal(found, melody_states.tidy(singer.decode(z).states, held=True))


def test_the_paper_s_rest(singer, clips):
    turn(singer, clips, Turn(rest=2.0, rhythm=1, seed=9, control="paper"))
    moved = singer.decoded[0] - singer.encode(clips)
    np.testing.assert_allclose(moved[:, 1], 1, atol=1e-6)
    np.testing.assert_allclose(
        np.delete(moved, 1, 1), np.delete(np.tile(2 * knobs.aside(singer, "paper", 9), (24, 1)), 1, 1), atol=1e-6
    )


def test_random_dimensions_are_as_many_and_move_as_much(singer):
    drawn = np.stack([knobs.random_dimensions(singer, "pitch", seed) for seed in range(40)])
    assert (drawn[:, [0, 1, 4]] == 0).all()
    assert np.allclose(np.sort(drawn)[:, -2:], [1 / 6, 0.25])
    assert ((drawn != 0).sum(1) == 2).all()
    assert ((drawn != 0).any(0) == [False, False, True, True, False, True, True, True]).all()
    assert np.array_equal(drawn[3], knobs.random_dimensions(singer, "pitch", 3))


# The key


def test_the_classes_of_a_key_and_a_melody_s_own():
    c_major = clip("60 - 62 - 64 - 65 - 67 - 69 - 71 - 72 - 67 - 64 - 60 - - -")
    assert np.flatnonzero(knobs.classes_of(c_major)).tolist() == [0, 2, 4, 5, 7, 9, 11]
    sharp = c_major.copy()
    sharp[2:4] = 66, HOLD
    assert np.flatnonzero(knobs.classes_of(sharp)).tolist() == [0, 2, 4, 5, 6, 7, 9, 11]
    a_minor = clip("57 - - - 60 - 64 - 57 - - - 59 - 60 - 62 - 64 - - - 60 - 57 - - -")
    assert np.flatnonzero(knobs.classes_of(a_minor)).tolist() == [0, 2, 4, 5, 7, 8, 9, 11]  # both sevenths
