"""What a model of played notes reads. Times are in sixteenths; 480 ticks a quarter: a sixteenth is 120."""

import numpy as np
import pytest

from fadernets.data import played_notes
from fadernets.data.played_notes import FEATURES, MANNER, GridNotes, manner, surroundings
from fadernets.music.metric_grid import MetricGrid
from fadernets.music.notes import MetreMap, Piece, TempoMap, Track, make_notes
from fadernets.music.segments import cut

TRACKS = [Track("piano", 0, 0)]


def make_piece(*rows, metre=()):
    return Piece(make_notes(list(rows)), 480, TempoMap.of([], 480), MetreMap.of(list(metre), 480), TRACKS)


def notes_of(*rows):
    """Rows (time, pitch), a sixteenth long, on segments of 16."""
    time, pitch = np.array(rows, np.float64).T
    level = np.select([time % 16 == 0, time % 4 == 0, time % 2 == 0], [0, 1, 2], 3)
    return GridNotes(time, pitch, np.ones(len(time)), level, time % 16)


def played(*velocities, late=0.0, release=0.0):
    values = np.zeros((len(velocities), 3), np.float32)
    values[:, 0], values[:, 1], values[:, 2] = velocities, late, release
    return values


def feature(found, name):
    return found.features[:, FEATURES.index(name)]


def test_features_have_one_name_each():
    found = surroundings(notes_of((0, 60)), played(80), notes_of((1, 62)))
    assert found.features.shape == (1, len(FEATURES))
    assert len(set(FEATURES)) == len(FEATURES)


@pytest.mark.parametrize("cut_piece", [cut, MetricGrid.of])
def test_notes_know_their_place_in_the_metre(cut_piece):
    piece = make_piece(*[(120 * step, 120 * step + 100, 60, 80, 0) for step in range(20)])
    windows = cut_piece(piece)
    steps = np.array([0, 1, 2, 4, 16, 18])
    found = GridNotes.of(windows, steps, steps + 2, np.full(6, 60))
    assert found.level.tolist() == [0, 3, 2, 1, 0, 2]
    assert found.place.tolist() == [0, 1, 2, 4, 0, 2]
    assert found.time.tolist() == steps.tolist()
    assert found.length.tolist() == [2] * 6


def test_a_beat_in_three_has_no_half():
    piece = make_piece(*[(160 * k, 160 * k + 100, 60, 80, 0) for k in range(24)])
    windows = MetricGrid.of(piece)
    steps = np.arange(6)
    found = GridNotes.of(windows, steps, steps + 1, np.full(6, 60))
    assert found.level.tolist() == [0, 3, 3, 1, 3, 3]
    np.testing.assert_allclose(found.time, np.arange(6) * 4 / 3, atol=0.01)


def test_a_manner_is_counted_from_the_steps():
    piece = make_piece((12, 240 - 24, 60, 77, 0))
    found = manner(piece.notes, cut(piece), np.array([0]), np.array([2]))
    np.testing.assert_allclose(found, [[77, 0.1, -0.2]], atol=1e-6)


def test_the_copy_is_that_of_the_nearest_notes():
    known = notes_of((0, 60), (0, 64), (8, 62), (40, 90))
    values = played(50, 60, 100, 1)
    values[:, 1] = 0.1, 0.3, 0.0, 0.4
    found = surroundings(known, values, notes_of((1, 62)))
    np.testing.assert_allclose(found.copied[0], [(50 + 60 + 100) / 3, 0.2, 0], atol=1e-5)


def test_the_copied_release_is_the_median_of_notes_a_sixteenth_long():
    known = notes_of((0, 60), (0, 61), (0, 62))
    values = played(80, 80, 80)
    values[:, 2] = -0.4, 0.1, 0.3
    assert surroundings(known, values, notes_of((1, 61))).copied[0, 2] == pytest.approx(0.2)


def test_where_all_are_alike_nothing_deviates():
    known = notes_of(*[(t, 50 + t % 7) for t in range(90)])
    for velocity in (1, 77, 80, 127):
        found = surroundings(known, played(*[velocity] * 90, late=0.1), notes_of((3, 70), (88, 40)))
        assert (found.deviation == 0).all()
        assert (found.copied[:, 0] == velocity).all()
        assert not found.features[:, : len(played_notes.KERNELS) * len(MANNER)].any()


def test_roles_are_those_of_old_and_new_notes_together():
    known, values = notes_of((0, 60), (0, 64), (4, 60)), played(70, 80, 90)
    asked = notes_of((0, 62), (0, 70), (4, 50), (9, 55))
    found = surroundings(known, values, asked)
    roles = found.features[:, [FEATURES.index(role) for role in played_notes.ROLES]].argmax(1)
    assert [played_notes.ROLES[k] for k in roles] == ["inner", "top", "bottom", "alone"]
    np.testing.assert_allclose(feature(found, "below") * 12, [2, 6, 24, 24], atol=1e-5)
    np.testing.assert_allclose(feature(found, "notes an onset") * 4, [4, 4, 2, 1], atol=1e-5)
    gone = surroundings(known, values, asked, kept=np.array([True, False, True]))
    np.testing.assert_allclose(feature(gone, "below") * 12, [2, 8, 24, 24], atol=1e-5)


def test_neighbours_of_the_onset_are_told_from_the_others():
    known, values = notes_of((0, 60), (4, 60), (8, 60)), played(40, 60, 80)
    found = surroundings(known, values, notes_of((4, 67)))
    step = np.std([40, 60, 80])
    base = found.copied[0, 0]
    assert feature(found, "same onset: velocity")[0] == pytest.approx((60 - base) / step, abs=1e-5)
    assert feature(found, "before: velocity")[0] == pytest.approx((40 - base) / step, abs=1e-5)
    assert feature(found, "after: velocity")[0] == pytest.approx((80 - base) / step, abs=1e-5)


def test_some_rows_read_as_they_do_among_all():
    rng = np.random.default_rng(0)
    known = notes_of(
        *sorted((int(t), int(p)) for t, p in zip(rng.integers(0, 200, 300), rng.integers(30, 90, 300), strict=True))
    )
    values = played(*rng.integers(30, 100, 300), late=0.1)
    asked = notes_of(*[(int(t), 91) for t in range(0, 200, 3)])
    whole = surroundings(known, values, asked)
    for i in range(0, len(asked.time), 7):
        one = surroundings(known, values, asked, rows=np.array([i]))
        np.testing.assert_allclose(one.features[0], whole.features[i], atol=1e-5)
        np.testing.assert_allclose(one.copied[0], whole.copied[i], atol=1e-5)


def test_the_nearest_notes_are_found_however_far_away_they_are():
    apart = np.array([[2.0**25, 2.0**26, -(2.0**27)]], np.float32)
    values = np.array([[[80, 60, 40], [0.25, 0.5, 0.75], [0, 0, 0]]], np.float32)
    found = played_notes._copied(apart, np.zeros_like(apart), values, np.ones((1, 3), np.float32))
    assert np.isfinite(found).all()
    assert found[0, 1] == 0.25
