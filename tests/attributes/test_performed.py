"""Pitch, loudness, touch and tempo of windows, against sums by hand."""

import numpy as np
import pytest

from fadernets.attributes import performed
from fadernets.attributes.performed import Performance
from fadernets.music.notes import MetreMap, Piece, TempoMap, Track, make_notes
from fadernets.music.segments import cut

TPQ = 480


def heard(rows, tempos=(), tpq=TPQ):
    """A performance of rows (onset, length in quarter notes, pitch, velocity) in 4/4."""
    notes = make_notes([(round(a * tpq), round((a + n) * tpq), p, v, 0) for a, n, p, v in rows])
    tempo = TempoMap.of(list(tempos), tpq)
    piece = Piece(notes, tpq, tempo, MetreMap.of([], tpq), [Track("", 0, 0)])
    return Performance.of(notes, cut(piece), tempo)


SCALE = [(i, 0.5, 60 + i, 50 + 10 * i) for i in range(4)]


def test_pitch_and_dynamics_are_means_of_what_begins_in_a_window():
    p = heard([*SCALE, (3, 6, 40, 10), (8, 1, 72, 100)])
    assert performed.pitch(p).tolist() == pytest.approx([(60 + 61 + 62 + 63 + 40) / 5, np.nan, 72], nan_ok=True)
    assert performed.dynamics(p).tolist() == pytest.approx([(50 + 60 + 70 + 80 + 10) / 5, np.nan, 100], nan_ok=True)


def test_articulation_is_the_share_of_the_way_to_the_next_onset():
    """Halves of the way to the next; the last sounds an eighth of the four beats that it counts as having."""
    assert performed.articulation(heard(SCALE)).tolist() == [(3 * 0.5 + 0.125) / 4]
    legato = [(i, 1.5, 60, 80) for i in range(4)]  # beyond the next onset counts as up to it
    assert performed.articulation(heard(legato))[0] == (3 + 1.5 / 4) / 4


def test_the_next_onset_is_one_within_an_octave_and_not_of_the_same_chord():
    own = performed.gaps_to_next_onset(
        heard([(0, 1, 60, 80), (0.1, 1, 64, 80), (1, 1, 80, 80), (2, 1, 48, 80)]).notes, TPQ
    )
    # C is followed by its octave below, E (of the same chord) and A flat by nothing
    assert (own / TPQ).tolist() == pytest.approx([2, 4, 4, 4])
    near = performed.gaps_to_next_onset(heard([(0, 1, 60, 80), (0.125, 1, 64, 80)]).notes, TPQ)
    assert (near / TPQ).tolist() == pytest.approx([0.125, 4])


def test_gaps_are_those_of_a_search_by_hand():
    rng = np.random.default_rng(0)
    rows = [
        (a, 0.2, int(p), 80) for a, p in zip(rng.uniform(0, 40, 300).round(2), rng.integers(21, 109, 300), strict=True)
    ]
    notes = heard(rows).notes
    found = performed.gaps_to_next_onset(notes, TPQ)
    for i, note in enumerate(notes):
        away = notes["onset"] - note["onset"]
        near = np.abs(notes["pitch"].astype(int) - int(note["pitch"])) <= 12
        assert found[i] == min([4 * TPQ, *away[near & (away >= TPQ // 8)]])


def test_tempo_is_the_mean_over_the_window():
    p = heard([(0, 12, 60, 80)], [(0, 500_000), (4 * TPQ, 1_000_000), (6 * TPQ, 500_000)])
    assert performed.tempo(p).tolist() == pytest.approx([120, 4 / (2 * 1 + 2 * 0.5) * 60, 120])


@pytest.mark.parametrize("tpq", [24, 25, 96, 480, 1024])
def test_a_measure_hangs_on_no_unit_of_time(tpq):
    rows = [*SCALE, (4, 2, 55, 80)]
    for measure in (performed.pitch, performed.dynamics, performed.articulation, performed.tempo):
        np.testing.assert_allclose(measure(heard(rows, tpq=tpq)), measure(heard(rows)), atol=0.02)


def test_nothing_to_measure_is_nan_and_no_warning():
    p = heard([])
    assert np.isnan([performed.pitch(p), performed.dynamics(p), performed.articulation(p)]).all()
    assert performed.tempo(p).tolist() == [120]


def test_notes_of_no_length_last_a_tick():
    p = heard([(0, 0, 60, 80), (1, 0.5, 60, 80)])
    assert performed.note_lengths(p.notes).tolist() == [1, 240]
    assert performed.articulation(p)[0] == pytest.approx((1 / 480 + 0.125) / 2)
