"""The search of the knobs on a model written by hand: what it starts from, what a candidate costs, what it keeps."""

import numpy as np
import pytest
from conftest import random_clips
from toy_melody_engine import ToyMelodyEngine, clip

from fadernets.codecs import melody_states
from fadernets.melodies import knob_search, note_landing
from fadernets.melodies.knob_settings import Knobs
from fadernets.melodies.knobs import turn


@pytest.fixture
def engine():
    return ToyMelodyEngine()


@pytest.fixture
def clips():
    return random_clips(24, seed=5)  # two begin with a note held in


def test_the_source_is_what_it_is_kept_to(engine, clips):
    """At faithfulness 1 a decode of the source's own code says the source, a nat or more ahead of all else."""
    codes = engine.encode(clips)
    nowhere = np.zeros(clips.shape, bool)
    sway = knob_search.source_offset(engine, clips, codes, Knobs(rest=1), None, nowhere)
    sung = engine.decode(codes, offset=sway)
    assert np.array_equal(sung.states, clips)
    scores = np.sort(sung.log_probabilities + sway, axis=-1)
    ahead = scores[..., -1] - scores[..., -2]
    assert ahead.min() == pytest.approx(knob_search.MARGIN, abs=1e-3)
    half = knob_search.source_offset(engine, clips, codes, Knobs(rest=1, faithfulness=0.5), None, nowhere)
    np.testing.assert_allclose(half, sway / 2, atol=1e-6)


def test_a_decode_is_pulled_to_the_source_s_line(engine):
    one, nowhere = clip("60 - 64 - .")[None], np.zeros((1, 32), bool)
    codes, own = engine.encode(one), np.zeros((1, 32, 130), bool)
    np.put_along_axis(own, one[..., None].astype(np.int64), True, -1)
    for asked, up in ((3, 3), (0.5, 1), (1.5, 2), (2.5, 3), (-1.5, -2), (-2.5, -3)):  # of two as near, the further
        sway = knob_search.source_offset(engine, one, codes, Knobs(pitch=asked), None, nowhere)
        others = np.where(own, -np.inf, sway)[0]
        assert (others[0].argmax(), others[2].argmax()) == (60 + up, 64 + up)
        assert (np.diff(sway[0, 0, 70:128]) < 0).all()  # the further away, the less
        assert (np.diff(sway[0, 0, :50]) > 0).all()
        half = knob_search.source_offset(engine, one, codes, Knobs(pitch=asked, faithfulness=0.5), None, nowhere)
        free = sway > note_landing.NEVER / 2
        np.testing.assert_allclose(half[free], sway[free] / 2, atol=1e-5)
    for asked in (Knobs(rest=1), Knobs(rest=1, pitch=3)):  # which leave the line
        assert (knob_search.source_offset(engine, one, codes, asked, None, nowhere)[~own] == 0).all()


def test_what_a_candidate_costs_by_hand():
    """Asked: a semitone up, as many onsets. The same notes, a step late, higher, twice as many, and none."""
    source = clip("60 - - - 62 - - - 64 - . .")[None]
    found = [source[0], clip(". 61 - - - 63 - - - 65 . ."), clip("61 - - - 63 - - - 65 - . ."),
             clip("61 61 - - 63 63 - - 65 65 . ."), clip("")]  # fmt: skip
    lost = 0.5 * 3 / 32
    for asked, expected in (
        (Knobs(pitch=1, rhythm=1), [1, lost, 0, 6, 12 + 6 * np.log2(6) + lost]),
        (Knobs(rest=1), [0, lost, 0, 0, 12 + lost]),  # the rest may take both along, but not the notes
        (Knobs(rest=1, pitch=1), [1, lost, 0, 0, 12 + lost]),
        (Knobs(rest=1, rhythm=1), [0, lost, 0, 6, 12 + 6 * np.log2(6) + lost]),
    ):
        cost = knob_search.candidate_costs(np.stack(found)[None], source, np.array([63.0]), np.array([3.0]), asked)
        np.testing.assert_allclose(cost, [expected])


def test_where_a_search_begins_and_where_it_goes_on():
    first = knob_search.first_candidates(2, Knobs(pitch=-2.0))
    assert np.array_equal(first.pitch[0], first.pitch[1])
    assert -2.0 in first.pitch
    assert first.pitch.min() < -2 < first.pitch.max() < 0
    assert (first.rhythm == 0).all()
    assert (first.bias == 0).all()
    first = knob_search.first_candidates(1, Knobs(rhythm=1.0))
    assert first.rhythm.min() < 1 < first.rhythm.max()
    assert first.bias[first.rhythm == 1.0].min() < 0 < first.bias[first.rhythm == 1.0].max()
    at = np.array([[2.0], [1.0], [0.5]])  # amounts and bias: 0.4 semitones and a quarter of a doubling away
    following = knob_search.next_candidates(at, np.array([0.4]), np.array([-0.25]), Knobs(pitch=2, rhythm=1))
    np.testing.assert_allclose(following.pitch, [[2.2, 2.4, 2.8]])
    assert (following.bias < 0.5).all()
    assert (following.rhythm == 1).all()
    assert (knob_search.next_candidates(at, np.array([0.4]), np.array([0.25]), Knobs(rhythm=1)).pitch == 2).all()
    assert (knob_search.next_candidates(at, np.array([0.4]), np.array([0.25]), Knobs(rhythm=1)).bias > 0.5).all()
    assert (knob_search.next_candidates(at, np.array([0.4]), np.array([0.25]), Knobs(pitch=2)).bias == 0.5).all()


def test_what_single_notes_land_with(engine, clips, monkeypatch):
    """The source's line, or with the rest moved the line that came of it; less to keep with less faithfulness."""
    seen = []
    monkeypatch.setattr(note_landing, "land_pitch", lambda states, *given: seen.append((states.copy(), *given)))
    turn(engine, clips[:1], Knobs(pitch=0.5, faithfulness=0.3))
    turn(engine, clips[:1], Knobs(pitch=-5, rest=3, faithfulness=0))
    (_, _, asked, rough, line, order), (states, _, _, less_rough, other, none) = seen
    assert asked == melody_states.mean_pitch(clips[0]) + 0.5
    assert (rough, less_rough) == (knob_search.TOLERANCE / 2, knob_search.TOLERANCE)
    assert (order, none) == (pytest.approx(0.3 * knob_search.CONTOUR_COST), 0)
    assert np.array_equal(line, melody_states.line(clips[0]))
    assert np.array_equal(other, melody_states.line(states))
    assert not np.array_equal(other, melody_states.line(clips[0]))
