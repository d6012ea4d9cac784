"""The codec of melodies against slow readings of the same states, and what its functions may and may not change."""

import math

import numpy as np
import pytest

from fadernets.codecs import melody_states
from fadernets.codecs.melody_states import HOLD, REST

H, R = HOLD, REST


def states(*values):
    return np.array(values, np.uint8)


def random_states(seed, shape=(200, 32)):
    """Any states at all: many holds, some of them behind rests and at the start."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice(3, shape, p=[0.5, 0.2, 0.3])
    return np.choose(kinds, [HOLD, REST, rng.integers(0, 128, shape)]).astype(np.uint8)


def random_clips(seed, shape=(200, 32), held=True):
    """Clips as a data set has them: every hold continues a note, a first one a note of the clip before."""
    return melody_states.tidy(random_states(seed, shape), held=held)


def sounding_by_loop(line, held=-1):
    now, found = held, []
    for state in line.tolist():
        now = now if state == HOLD else -1 if state == REST else state
        found.append(now)
    return found


# Notes to states and back


def test_states_by_hand():
    rows = np.array([(1, 4, 60), (4, 5, 62), (6, 9, 127)])
    expected = states(R, 60, H, H, 62, R, 127, H, H, R)
    np.testing.assert_array_equal(melody_states.encode(rows, 10), expected)
    np.testing.assert_array_equal(melody_states.decode(expected), rows)


def test_a_note_is_cut_by_the_next_one_and_does_not_come_back():
    rows = np.array([(0, 8, 60), (2, 4, 72), (4, 6, 64)])
    np.testing.assert_array_equal(melody_states.encode(rows, 8), states(60, H, 72, H, 64, H, R, R))


def test_a_note_behind_the_last_step_is_left_out_and_one_that_reaches_over_it_is_cut():
    np.testing.assert_array_equal(
        melody_states.encode(np.array([(2, 9, 60), (4, 5, 62), (9, 10, 1)]), 4), states(R, R, 60, H)
    )
    assert melody_states.encode(np.empty((0, 3), np.int64), 3).tolist() == [R, R, R]


@pytest.mark.parametrize("seed", range(20))
def test_notes_come_back_from_their_states(seed):
    rng = np.random.default_rng(seed)
    edges = np.sort(rng.permutation(100)[: 2 * rng.integers(1, 40)])
    rows = np.column_stack([edges[::2], edges[1::2], rng.integers(0, 128, len(edges) // 2)])
    rows[1::3, 0] = rows[:-1:3, 1][: len(rows[1::3])]  # some follow one another without a rest
    found = melody_states.decode(melody_states.encode(rows, 100))
    np.testing.assert_array_equal(found, rows)
    assert found.dtype == np.int64


def test_states_come_back_from_their_notes():
    for line in random_clips(0, held=False):
        np.testing.assert_array_equal(melody_states.encode(melody_states.decode(line), 32), line)


def test_a_hold_that_continues_nothing_is_no_note():
    assert melody_states.decode(states(H, H, 60, H, R, H, 62)).tolist() == [[2, 4, 60], [6, 7, 62]]
    assert melody_states.decode(states()).shape == (0, 3)


@pytest.mark.parametrize("held", [-1, 64])
def test_sounding_is_what_a_loop_finds(held):
    some = random_states(1)
    found = melody_states.sounding(some, held)
    assert found.tolist() == [sounding_by_loop(line, held) for line in some]
    np.testing.assert_array_equal(melody_states.sounding(some[7], held), found[7])
    np.testing.assert_array_equal(melody_states.sounding(some.reshape(4, 50, 32), held), found.reshape(4, 50, 32))


@pytest.mark.parametrize(("held", "pitch"), [(False, -1), (True, 64)])
def test_tidy_changes_the_holds_that_continue_nothing_and_no_sound(held, pitch):
    some = random_states(2)
    tidied = melody_states.tidy(some, held)
    sound = melody_states.sounding(some, pitch)
    np.testing.assert_array_equal(melody_states.sounding(tidied, pitch), sound)
    np.testing.assert_array_equal(tidied == REST, sound < 0)
    np.testing.assert_array_equal(tidied[tidied != some], HOLD + 1)
    np.testing.assert_array_equal(melody_states.tidy(tidied, held), tidied)
    assert (tidied[:, 0] == HOLD).any() == held


# Clips


@pytest.mark.parametrize("steps", [0, 1, 31, 32, 33, 64, 77])
def test_cut_and_join(steps):
    line = random_clips(3, (max(steps, 1),), held=False)[:steps]
    clips = melody_states.cut(line)
    assert clips.shape == (math.ceil(steps / 32), 32)
    assert (clips.reshape(-1)[steps:] == REST).all()
    np.testing.assert_array_equal(melody_states.join(clips, steps), line)


def test_a_note_over_the_border_of_a_clip_stays_one_note():
    rows = np.array([(30, 40, 60), (40, 50, 62)])
    clips = melody_states.cut(melody_states.encode(rows, 64))
    assert clips[1, :8].tolist() == [H] * 8
    np.testing.assert_array_equal(melody_states.decode(melody_states.join(clips, 64)), rows)
    clips[0, 30:] = REST  # what the second clip held is gone
    assert melody_states.join(clips, 64)[32:40].tolist() == [R] * 8


# One line out of many notes


@pytest.mark.parametrize(
    ("rows", "heard"),
    [
        ([(0, 4, 60), (0, 4, 72), (0, 8, 67)], [0, 1, 0]),  # the highest of a chord
        ([(0, 8, 72), (2, 6, 60)], [1, 0]),  # under a note that sounds on
        ([(0, 8, 60), (2, 6, 72)], [1, 1]),  # over it
        ([(0, 8, 60), (2, 6, 60)], [1, 1]),  # the same pitch again
        ([(0, 4, 72), (2, 6, 60)], [1, 0]),  # half of it
        ([(0, 4, 72), (2, 7, 60)], [1, 1]),  # less than half of it
        ([(0, 4, 72), (4, 6, 60)], [1, 1]),  # one behind the other
        ([(0, 4, 72), (9, 10, 60)], [1, 1]),
        ([(0, 8, 72), (2, 4, 60), (6, 20, 62)], [1, 0, 1]),  # what is not heard covers nothing
        ([(0, 6, 72), (4, 8, 67), (4, 16, 48)], [1, 0, 0]),  # the bass of a chord whose top is not heard
        ([(4, 8, 60), (0, 4, 72)], [1, 1]),  # in any order
        ([], []),
    ],
)
def test_skyline(rows, heard):
    found = melody_states.skyline(np.array(rows, np.int64).reshape(-1, 3))
    assert found.tolist() == [bool(x) for x in heard]


def test_the_skyline_of_any_notes():
    """At most one note an onset, always the highest of it, the highest of all always; a line is its own skyline."""
    rng = np.random.default_rng(4)
    for _ in range(100):
        onset = rng.integers(0, 24, 30)
        rows = np.column_stack([onset, onset + rng.integers(1, 9, 30), rng.integers(40, 90, 30)])
        heard = melody_states.skyline(rows)
        line = rows[heard]
        assert len(np.unique(line[:, 0])) == len(line)
        for step, _, pitch in line.tolist():
            assert pitch == rows[rows[:, 0] == step, 2].max()
        assert rows[:, 2].max() in line[:, 2]
        own = melody_states.decode(melody_states.encode(line[np.argsort(line[:, 0])], 40))
        assert melody_states.skyline(own).all()


# Measures


def test_measures_by_hand():
    some = np.stack([states(60, H, 67, R), states(H, 0, 127, 126), states(R, H, H, R)])
    np.testing.assert_array_equal(melody_states.mean_pitch(some), [63.5, 253 / 3, np.nan])
    np.testing.assert_array_equal(melody_states.onsets(some), [2, 3, 0])
    assert melody_states.mean_pitch(some[0]) == 63.5
    assert melody_states.mean_pitch(np.full(32, 127, np.uint8)) == 127  # no sum of 8 bits


# Augmentation functions


@pytest.mark.parametrize("semitones", [-40, -24, -13, -12, -1, 0, 5, 12, 13, 24, 30])
def test_transposed_notes_stay_in_range_and_keep_their_pitch_class(semitones):
    some = random_states(5)
    moved = melody_states.transpose(some, semitones)
    assert moved.dtype == np.uint8
    note = some < 128
    np.testing.assert_array_equal(moved < 128, note)
    np.testing.assert_array_equal(moved[~note], some[~note])
    wanted, found = some[note].astype(int) + semitones, moved[note].astype(int)
    inside = (wanted >= 0) & (wanted < 128)
    np.testing.assert_array_equal(found[inside], wanted[inside])
    np.testing.assert_array_equal((found - wanted) % 12, 0)
    assert (found[wanted > 127] > 115).all()  # the nearest octave that is there
    assert (found[wanted < 0] < 12).all()


def test_split_by_hand():
    line = states(H, H, 60, H, H, H, H, 62, H, H, 64, R, H, 65, H, H)
    np.testing.assert_array_equal(
        melody_states.split(line, 2), states(H, H, 60, H, H, 60, H, 62, H, 62, 64, R, H, 65, H, 65)
    )
    np.testing.assert_array_equal(
        melody_states.split(line, 4), states(H, H, 60, H, 60, 60, 60, 62, 62, 62, 64, R, H, 65, 65, 65)
    )


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 32])
def test_split_changes_no_sound_and_makes_nearly_equal_notes(parts):
    some = random_states(6)
    cut = melody_states.split(some, parts)
    np.testing.assert_array_equal(melody_states.sounding(cut, 64), melody_states.sounding(some, 64))
    for line, found in zip(some, cut, strict=True):
        whole, pieces = melody_states.decode(line), melody_states.decode(found)
        assert len(pieces) == np.minimum(whole[:, 1] - whole[:, 0], parts).sum()
        for onset, end, pitch in whole.tolist():
            mine = pieces[(pieces[:, 0] >= onset) & (pieces[:, 0] < end)]
            lengths = mine[:, 1] - mine[:, 0]
            assert (mine[:, 2] == pitch).all()
            assert lengths.sum() == end - onset
            assert lengths.max() - lengths.min() <= 1
        np.testing.assert_array_equal(melody_states.split(line, parts), found)  # alone as in a batch


def test_the_strength_of_steps():
    """Bar lines, half-bars, beats, eighths, sixteenths."""
    assert melody_states.STRENGTH.tolist() == [16, 1, 2, 1, 4, 1, 2, 1, 8, 1, 2, 1, 4, 1, 2, 1] * 2


def test_merge_by_hand():
    eighths = states(*[60, H, 62, H, 64, H, 65, H] * 4)
    np.testing.assert_array_equal(melody_states.merge(eighths), states(*[60, H, H, H, 64, H, H, H] * 4))
    np.testing.assert_array_equal(melody_states.merge(eighths, 0.25), states(*[60, *[H] * 7] * 4))
    np.testing.assert_array_equal(melody_states.merge(eighths, 0.01), states(60, *[H] * 31))


def test_a_merged_line_goes_on_resting():
    """A note dropped behind a rest rests with it; one held in from before is held on over a dropped one."""
    line = states(H, H, H, 60, H, R, R, 61, 62, H, *[R] * 5, 70, 71, *[R] * 15)
    merged = melody_states.merge(line, 0.4)  # two of five: steps 8 and 16
    np.testing.assert_array_equal(merged, states(*[H] * 5, R, R, R, 62, H, *[R] * 6, 71, *[R] * 15))


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 1.0])
def test_merge_keeps_the_metrically_strongest(share):
    some = random_clips(7)
    merged = melody_states.merge(some, share)
    assert merged.dtype == np.uint8
    for line, found in zip(some, merged, strict=True):
        onsets = np.flatnonzero(line < 128)
        ordered = sorted(onsets, key=lambda step: (-melody_states.STRENGTH[step], step))
        kept = sorted(ordered[: max(math.ceil(len(onsets) * share), 1)])
        assert np.flatnonzero(found < 128).tolist() == kept
        np.testing.assert_array_equal(found[kept], line[kept])
        before, after = melody_states.sounding(line, 0), melody_states.sounding(found, 0)
        assert not ((after >= 0) & (before < 0)).any()  # sounds where the line did
        for step in np.flatnonzero((after < 0) & (before >= 0)):  # silent where a dropped note followed a rest
            begins = onsets[onsets <= step]
            assert not set(begins[begins > max(np.flatnonzero(line[:step] == REST))]) & set(kept)
        np.testing.assert_array_equal(melody_states.tidy(found, held=True), found)
        np.testing.assert_array_equal(melody_states.merge(line, share), found)
    if share == 1:
        np.testing.assert_array_equal(merged, some)


def test_the_line_goes_on_through_rests():
    assert melody_states.line(states(R, H, 60, H, R, R, 64, R)).tolist() == [60, 60, 60, 60, 60, 60, 64, 64]
    assert melody_states.line(states(R, R, H)).tolist() == [-1] * 3
