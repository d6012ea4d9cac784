"""Pitch classes landed on how like B's they shall be."""

import numpy as np
import pytest
from conftest import make_clip
from toy_melody_engine import clip

from fadernets.codecs import melody_states
from fadernets.codecs.melody_states import ONSETS, STATES, STEPS
from fadernets.melodies import blend_landing as landing
from fadernets.melodies.blend_landing import Likeness

ANY = np.ones((1, 12), bool)


def scores_of(cells, rng=None, decoded=5.0):
    """What was decoded is the likeliest; other states as rng says, or all alike."""
    found = np.zeros((*cells.shape, STATES)) if rng is None else -3 * rng.random((*cells.shape, STATES))
    np.put_along_axis(found, cells[..., None].astype(int), decoded, -1)
    return found


def asked(value, least=0.0, most=np.inf):
    return Likeness(*(np.full(1, float(v)) for v in (value, least, most)))


def classes(*which):
    return np.isin(np.arange(12), which)[None].astype(float)


def test_contents_by_hand():
    """A held-in note has no pitch, a rest none either."""
    of = landing.pitch_class_durations(clip("- 60 - 72 . 62 - -"))
    assert (of[0], of[2], of.sum()) == (3, 3, 6)
    assert landing.pitch_class_durations(np.full(STEPS, melody_states.REST, np.uint8)).sum() == 0
    assert landing.pitch_class_durations(np.zeros((3, 2, 4, STEPS), np.uint8)).shape == (3, 2, 4, 12)


def test_likeness_by_hand():
    one = np.array([[1.0, 1, 0], [3, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(landing.likeness(one, np.array([2.0, 0, 0])), [np.sqrt(0.5), 1, 0])


def test_what_is_as_asked_stays():
    cell = clip("60 - 62 - 64 - 65 -")[None]
    of = landing.pitch_class_durations(cell)
    assert np.array_equal(landing.land(cell, scores_of(cell), ANY, of, asked(1)), cell)


def test_only_pitches_move_and_by_as_little_as_will_do():
    """Two whole notes; B sounds F alone: each goes the shortest way there."""
    cell = clip("60 - - - - - - - . . . . 67 - - -")[None]
    found = landing.land(cell, scores_of(cell, decoded=0.1), ANY, classes(5), asked(1))
    assert np.array_equal(found != cell, (cell < ONSETS))
    assert found[cell < ONSETS].tolist() == [65, 65]


def test_half_way():
    """Sixteen steps of C and as many of G; B is G alone. Likeness .707 as it is, 1 with both."""
    cell = clip("60 60 60 60 67 67 67 67 60 60 60 60 67 67 67 67 60 60 60 60 67 67 67 67 60 60 60 60 67 67 67 67")[None]
    got = landing.land(cell, scores_of(cell, decoded=0.1), classes(0, 7) > 0, classes(7), asked(0.9))
    like = landing.likeness(landing.pitch_class_durations(got), classes(7))
    assert like == pytest.approx(0.9, abs=0.02)
    assert {60, 67} <= set(got[0].tolist()) <= {55, 60, 67, 72}


def test_notes_move_to_known_pitch_classes_alone():
    rng = np.random.default_rng(3)
    cells = np.stack([make_clip(rng) for _ in range(20)])
    known = rng.random((20, 12)) < 0.4
    b = landing.pitch_class_durations(np.stack([make_clip(rng) for _ in range(20)]))
    every = Likeness(np.full(20, 0.95), np.zeros(20), np.full(20, np.inf))
    found = landing.land(cells, scores_of(cells, rng), known, b, every)
    rows, steps = np.nonzero(found != cells)
    assert len(rows)
    assert known[rows, found[rows, steps] % 12].all()
    assert (np.abs(found[rows, steps].astype(int) - cells[rows, steps]) <= landing.REACH).all()
    assert ((found < ONSETS) == (cells < ONSETS)).all()


def test_each_cell_is_its_own():
    """A cell lands alike whichever others land with it."""
    rng = np.random.default_rng(4)
    cells = np.stack([make_clip(rng) for _ in range(6)])
    scores, b = scores_of(cells, rng), rng.random((6, 12))
    want, known = Likeness(np.full(6, 0.8), np.zeros(6), np.full(6, np.inf)), np.ones((6, 12), bool)
    together = landing.land(cells, scores, known, b, want)
    for i in range(6):
        one = Likeness(want.asked[i : i + 1], want.least[i : i + 1], want.most[i : i + 1])
        alone = landing.land(cells[i : i + 1], scores[i : i + 1], known[:1], b[i : i + 1], one)
        assert np.array_equal(alone[0], together[i])


@pytest.mark.parametrize(("least", "most"), [(0.0, 0.5), (0.9, np.inf)])
def test_bounds_come_before_what_is_asked(least, most):
    cell = clip("60 - 62 - 64 - 65 - 67 - 69 - 71 - 72 -")[None]
    b = classes(0, 2, 4)
    found = landing.land(cell, scores_of(cell), ANY, b, asked(0.7, least, most))
    assert least <= landing.likeness(landing.pitch_class_durations(found), b) <= most + 1e-9


@pytest.mark.parametrize("state", [melody_states.REST, melody_states.HOLD])
def test_silence_has_nothing_to_land(state):
    cell = np.full((1, STEPS), state, np.uint8)
    assert np.array_equal(landing.land(cell, scores_of(cell), ANY, classes(0), asked(1)), cell)
    assert np.array_equal(landing.land(cell, scores_of(cell), ANY, 0 * classes(0), asked(1)), cell)


def test_the_ends_of_the_keyboard():
    for pitch in (0, 127):
        cell = clip(f"{pitch} - - -")[None]
        found = landing.land(cell, scores_of(cell, decoded=0.1), ANY, classes((pitch + 5) % 12), asked(1))
        assert found[0, 0] < ONSETS


def test_rows_come_nearer_to_b():
    """Cells as chance would have them, 30 pairs: nearer with every row, and the corners are A and B."""
    rng = np.random.default_rng(5)
    a, b = (np.stack([make_clip(rng) for _ in range(30)]) for _ in range(2))
    cells = np.stack([[[make_clip(rng) for _ in range(30)] for _ in range(3)] for _ in range(4)])
    found = landing.land_rows(cells, scores_of(cells, rng), a, b)
    assert np.array_equal(found[0, 0], a)
    assert np.array_equal(found[-1, -1], b)
    like = landing.likeness(landing.pitch_class_durations(found), landing.pitch_class_durations(b))
    steps = np.diff(like, axis=0)
    assert (steps >= -1e-9).mean() > 0.97
    assert (steps > 0.005).mean() > 0.8
    moved = (found != cells).reshape(4, 3, -1).any(-1)
    assert moved.any()
    assert ((found < ONSETS) == (cells < ONSETS))[1:-1].all()


def test_no_pair_is_nearer_than_its_own_pitch_classes():
    """A and B of the same pitch classes: every row is as like B as any."""
    a = clip("60 - 62 - 64 - 65 -")[None]
    cells = np.tile(a, (3, 3, 1, 1))
    assert np.array_equal(landing.land_rows(cells, scores_of(cells), a, a), cells)
