"""Note features by hand-counted cases; the Frechet distance by its closed form and by SciPy's matrix root."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from fadernets.codecs import grid
from fadernets.metrics import note_features
from fadernets.metrics.note_features import FEATURES

EMPTY = np.zeros((16, 88), np.uint8)


def made(*notes: tuple[int, int, int]) -> np.ndarray:
    """[1, 16, 88] cells of notes (onset step, end step, pitch)."""
    return grid.from_notes(np.array(notes))[None]


def random_cells(n: int, seed: int = 0) -> np.ndarray:
    """[n, 16, 88] from nearly silent to nearly full, holds that continue nothing included; the first is empty."""
    rng = np.random.default_rng(seed)
    symbols = np.where(rng.random((n, 16, 88)) < 0.2, grid.ONSET, grid.HOLD)
    return (symbols * (rng.random((n, 16, 88)) < np.linspace(0, 1, n)[:, None, None] ** 3)).astype(np.uint8)


# A G held in, a C chord over a long C, then four single notes, the last of them after a rest.
CELLS = made(
    (-1, 2, 43), (0, 8, 48), (0, 2, 64), (0, 2, 67), (4, 5, 72), (6, 8, 65), (7, 8, 66), (12, 13, 57)
)  # fmt: skip
STRUCK = [48, 64, 67, 72, 65, 66, 57]
HAND = {
    "onsets": 7,
    "onset_steps_share": 5 / 16,  # 0 4 6 7 12
    "onset_share_downbeat": 1 / 5,
    "onset_share_beats": 2 / 5,
    "onset_share_eighths": 1 / 5,
    "onset_share_sixteenths": 1 / 5,
    "longest_gap": 5,
    "gap_std": np.std([4, 2, 1, 5]),
    "chord_size_mean": 7 / 5,
    "chord_size_max": 3,
    "polyphony_mean": 19 / 16,
    "polyphony_std": np.std([4, 4, 1, 1, 2, 1, 2, 3, 0, 0, 0, 0, 1, 0, 0, 0]),
    "polyphony_max": 4,
    "length_mean": 17 / 7,
    "length_std": np.std([8, 2, 2, 1, 2, 1, 1]),
    "one_step_share": 3 / 7,
    "long_share": 1 / 7,
    "isolated_share": 2 / 7,  # 72 and 57; before 66 another is struck
    "pitch_mean": 439 / 7,
    "pitch_std": np.std(STRUCK),
    "pitch_lowest": 48,  # 43 sounds, and is not struck
    "pitch_highest": 72,
    "pitches": 8,
    "top_interval": (5 + 7 + 1 + 9) / 4,  # 67 72 65 66 57
    "top_step_share": 1 / 4,
    "top_leap_share": 1 / 4,  # a fifth is none
    "bass_interval": (5 + 0 + 0 + 9) / 4,  # 43 48 48 48 57
    "bass_step_share": 2 / 4,
    "bass_leap_share": 1 / 4,
    "bass_gap": (5 + 5 + 24 + 17 + 17) / 5,  # steps 0 1 4 6 7
    **{f"class_share_{i}": n / 19 for i, n in enumerate([9, 0, 0, 0, 2, 2, 1, 4, 0, 1, 0, 0])},  # from C
    "classes": 6,
    "key_fit": 18 / 19,  # all but the F sharp
    "clash_share": 2 / 19,  # F and F sharp in step 7
    "dissonance_share": 2 / 17,  # of 6 + 6 + 1 + 1 + 3 pairs that semitone, and C with F sharp
}


# --- features


def test_the_hand_counts_cover_the_table():
    assert list(HAND) == list(FEATURES)


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_by_hand(name):
    assert FEATURES[name](CELLS) == pytest.approx([HAND[name]], abs=1e-12)


@pytest.mark.parametrize("name", FEATURES)
def test_an_empty_segment_has_the_values_the_module_names(name):
    special = {"longest_gap": 16, "pitch_mean": 60, "pitch_lowest": 60, "pitch_highest": 60}
    assert FEATURES[name](EMPTY[None]).tolist() == [special.get(name, 0)]


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_is_finite_whatever_the_cells(name):
    full = np.full((2, 16, 88), grid.ONSET, np.uint8)
    full[1] = grid.HOLD
    cells = np.concatenate([random_cells(60), full])
    values = FEATURES[name](cells)
    assert values.shape == (62,)
    assert values.dtype == np.float64
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    if "share" in name or name == "key_fit":
        assert (values <= 1).all()
    assert np.ptp(values) > 0
    assert FEATURES[name](cells[:0]).shape == (0,)


@pytest.mark.parametrize("name", FEATURES)
def test_a_segment_is_measured_by_itself(name):
    cells = np.concatenate([random_cells(20), CELLS])
    alone = [FEATURES[name](cells[i : i + 1])[0] for i in range(len(cells))]
    assert FEATURES[name](cells).tolist() == pytest.approx(alone, abs=1e-12)


def test_a_note_held_in_sounds_and_is_not_struck():
    held = made((-1, 16, 40))
    values = dict(zip(FEATURES, note_features.features(held)[0][0], strict=True))
    assert values["onsets"] == values["length_mean"] == values["one_step_share"] == values["long_share"] == 0
    assert values["pitch_lowest"] == values["pitch_mean"] == 60
    assert values["polyphony_mean"] == values["pitches"] == values["classes"] == values["class_share_0"] == 1


def test_lengths_are_those_of_the_decoder_and_end_with_the_segment():
    cells = random_cells(40, seed=1)
    for one, found in zip(cells, note_features.lengths(cells), strict=True):
        rows = grid.decode(one)
        rows = rows[rows[:, 0] >= 0]
        expected = np.zeros((16, 88), np.int64)
        expected[rows[:, 0], rows[:, 2] - grid.LOW] = rows[:, 1] - rows[:, 0]
        assert found.tolist() == expected.tolist()
    assert note_features.lengths(made((12, 16, 60)))[0, 12, 60 - grid.LOW] == 4


def test_each_step_is_of_one_metrical_class():
    names = [n for n in FEATURES if n.startswith("onset_share_")]
    found = [[FEATURES[n](made((t, t + 1, 60)))[0] for n in names] for t in range(16)]
    assert np.argmax(found, axis=1).tolist() == [0, 3, 2, 3, 1, 3, 2, 3, 1, 3, 2, 3, 1, 3, 2, 3]
    assert np.sum(found, axis=1).tolist() == [1.0] * 16


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ([(0, 1, 60)], 1),  # what lies beyond the segment is silence
        ([(15, 16, 60)], 1),
        ([(5, 6, 60), (5, 6, 64)], 2),  # struck together: neither is a neighbour
        ([(5, 7, 60)], 0),
        ([(5, 6, 60), (6, 8, 90)], 0),
        ([(4, 5, 90), (5, 7, 60)], 0),
        ([(5, 6, 60), (7, 8, 60)], 2),
        ([(-1, 16, 40), (5, 6, 60)], 1),  # a held note strikes nothing
    ],
)
def test_isolated_notes(notes, expected):
    assert note_features.isolated(made(*notes)).tolist() == [expected]


def test_gaps_with_one_onset_step_and_with_all():
    one, every = made((3, 4, 60)), made(*[(t, t + 1, 60) for t in range(16)])
    cells = np.concatenate([one, every])
    assert FEATURES["longest_gap"](cells).tolist() == [16, 1]
    assert FEATURES["gap_std"](cells).tolist() == [0, 0]


@pytest.mark.parametrize("interval", range(1, 26))
def test_a_pair_is_dissonant_by_its_interval_class(interval):
    pair = made((0, 4, 50), (2, 6, 50 + interval))  # together in steps 2 and 3
    assert FEATURES["dissonance_share"](pair).tolist() == [interval % 12 in (1, 2, 6, 10, 11)]
    assert FEATURES["clash_share"](pair).tolist() == [4 / 8 if interval == 1 else 0]


def test_a_cluster_counts_each_cell_once():
    cluster = made((0, 1, 60), (0, 1, 61), (0, 1, 62))
    assert FEATURES["clash_share"](cluster).tolist() == [1.0]
    assert FEATURES["dissonance_share"](cluster).tolist() == [1.0]


def test_the_ends_of_the_keyboard_are_neighbours_of_nothing():
    ends = made((0, 4, 21), (0, 4, 108))
    assert FEATURES["clash_share"](ends).tolist() == [0]
    assert [FEATURES[f"pitch_{n}"](ends)[0] for n in ("lowest", "highest", "mean")] == [21, 108, 64.5]
    assert FEATURES["bass_gap"](ends).tolist() == [87]


def test_voices_are_what_sounds_in_onset_steps():
    # the melody holds 76 over moving inner notes, and a bass enters below
    cells = made((0, 16, 76), (4, 8, 60), (8, 12, 64), (12, 16, 40))
    assert FEATURES["top_interval"](cells).tolist() == [0]
    assert FEATURES["top_step_share"](cells).tolist() == [1]
    assert FEATURES["bass_interval"](cells) == pytest.approx([(16 + 4 + 24) / 3])
    assert FEATURES["bass_leap_share"](cells) == pytest.approx([2 / 3])


@pytest.mark.parametrize("voice", ["top", "bass"])
@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize(("interval", "step", "leap"), [(0, 1, 0), (2, 1, 0), (3, 0, 0), (7, 0, 0), (8, 0, 1)])
def test_steps_and_leaps_end_where_they_say(voice, direction, interval, step, leap):
    cells = made((0, 4, 60), (4, 8, 60 + direction * interval))
    found = [FEATURES[f"{voice}_{name}"](cells)[0] for name in ("interval", "step_share", "leap_share")]
    assert found == [interval, step, leap]


@pytest.mark.parametrize("chord", [(0, 4, 7), (0, 3, 6, 9), (0, 7), (0, 5, 10), (0, 2, 3, 6, 11)])
def test_pitch_classes_are_turned_alike_in_every_key(chord):
    """Equal shares do not let the name of a class choose which is first."""
    cells = np.concatenate([made(*[(0, 4, 48 + up + c) for c in chord]) for up in range(12)])
    found = note_features.rotated_classes(cells)
    assert (found == found[0]).all()
    assert found[0, 0] == found[0].max()
    assert found.sum(axis=1) == pytest.approx(np.ones(12))


def test_the_most_sounding_class_is_first():
    assert note_features.rotated_classes(made((0, 3, 62), (0, 1, 60)))[0].nonzero()[0].tolist() == [0, 10]


@pytest.mark.parametrize(("scale", "fit"), [((0, 2, 4, 5, 7, 9, 11), 1.0), ((0, 2, 3, 5, 7, 8, 10), 1.0)])
def test_a_scale_fits_its_key_wherever_it_starts(scale, fit):
    for tonic in range(55, 67):
        notes = [(2 * i, 2 * i + 2, tonic + degree) for i, degree in enumerate(scale)]
        notes += [(0, 16, tonic - 12), (0, 16, tonic + scale[2]), (0, 16, tonic + 7)]
        assert FEATURES["key_fit"](made(*notes)).tolist() == [fit]
        assert FEATURES["key_fit"](made(*notes, (14, 16, tonic + 1)))[0] < fit


def test_features_are_the_columns_of_the_table_over_any_number_of_blocks():
    cells = random_cells(2 * note_features.BLOCK + 3)[::-1]
    found, names = note_features.features(cells)
    assert names == list(FEATURES)
    assert found.shape == (len(cells), len(FEATURES))
    for i, name in enumerate(names):
        assert (found[:, i] == FEATURES[name](cells)).all()
    assert note_features.features(cells[:0])[0].shape == (0, len(FEATURES))


@pytest.mark.parametrize("shape", [(16, 88), (2, 16, 87), (2, 2, 16, 88)])
def test_cells_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"expected \[segments, 16, 88\]"):
        note_features.features(np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match=r"expected \[segments, 16, 88\]"):
        note_features.counts(np.zeros(shape, np.uint8))


# --- the Frechet distance


def by_scipy(a: np.ndarray, b: np.ndarray) -> float:
    """The textbook formula with SciPy's matrix root, standardised by b."""
    mean, deviation = b.mean(0), b.std(0, ddof=1)
    a, b = (a - mean) / deviation, (b - mean) / deviation
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(first + second - 2 * sqrtm(first @ second).real))


def normal(n: int, f: int, seed: int) -> np.ndarray:
    """[n, f] correlated, of different scales and places."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, f)) @ rng.normal(size=(f, f)) * 10.0 ** rng.integers(-2, 3, f) + rng.normal(size=f)


def test_frechet_is_what_scipy_finds():
    a, b = normal(80, 7, 0), normal(90, 7, 0) + 0.1 * normal(90, 7, 1)
    assert note_features.frechet(a, b) == pytest.approx(by_scipy(a, b), rel=1e-7)


def test_frechet_of_uncorrelated_features_is_the_closed_form():
    corners = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], np.float64) * np.sqrt(3 / 4)  # covariance 1
    a, b = corners * [2.0, 0.5] + [3.0, -1.0], corners * [1.0, 4.0] + [1.0, 1.0]
    # in units of b: means 2 / 1 and -2 / 4 apart, deviations 2 and 0.125 beside 1
    assert note_features.frechet(a, b) == pytest.approx(2**2 + 0.5**2 + (2 - 1) ** 2 + (1 - 0.125) ** 2)
    given = (np.array([7.0, 7.0]), np.array([1.0, 2.0]))  # where the mean is does not matter
    assert note_features.frechet(a, b, given) == pytest.approx(2**2 + 1**2 + (2 - 1) ** 2 + (0.25 - 2) ** 2)
    assert note_features.frechet(a[:, :1], b[:, :1]) == pytest.approx(2**2 + (2 - 1) ** 2)


def test_a_set_is_nowhere_from_itself_and_one_deviation_off_is_one():
    rows = note_features.features(random_cells(200))[0]  # shares that add up: a singular covariance
    assert note_features.frechet(rows, rows) == pytest.approx(0, abs=1e-9)
    moved = rows.copy()
    moved[:, 5] += rows[:, 5].std(ddof=1)
    assert note_features.frechet(moved, rows) == pytest.approx(1, abs=1e-9)


def test_frechet_is_real_and_never_below_zero_with_fewer_rows_than_features():
    rows = note_features.features(random_cells(30))[0]
    distance = note_features.frechet(rows[::2], rows[1::2])
    assert isinstance(distance, float)
    assert 0 < distance < np.inf
    assert note_features.frechet(rows[:2], rows[:2]) >= 0


def test_a_feature_that_is_constant_in_the_reference_keeps_its_unit():
    b = np.column_stack([np.arange(4.0), np.full(4, 0.3)])
    a = b + np.array([0.0, 0.5])
    assert note_features.frechet(a, b) == pytest.approx(0.25)
    assert note_features.frechet(a, b, (b.mean(0), b.std(0))) == pytest.approx(0.25)
    assert note_features.scale_of(b)[1].tolist() == [np.std(b[:, 0], ddof=1), 1.0]


def test_frechet_says_what_does_not_fit():
    rows = np.zeros((3, 2))
    with pytest.raises(ValueError, match=r"a has shape \(1, 2\); expected \[2 or more"):
        note_features.frechet(rows[:1], rows)
    with pytest.raises(ValueError, match=r"b has shape \(3,\); expected \[2 or more"):
        note_features.frechet(rows, rows[:, 0])
    with pytest.raises(ValueError, match="a has 1 features, b has 2"):
        note_features.frechet(rows[:, :1], rows)
    with pytest.raises(ValueError, match="scale has shapes"):
        note_features.frechet(rows, rows, (np.zeros(2), np.ones(3)))


def test_the_floor_is_the_distance_of_two_parts_without_a_row_in_common():
    rows = np.array([[0.0], [1.0], [3.0], [7.0]])
    scale = note_features.scale_of(rows)
    splits = [([0, 1], [2, 3]), ([0, 2], [1, 3]), ([0, 3], [1, 2])]
    allowed = [note_features.frechet(rows[i], rows[j], scale) for i, j in splits]
    found = {note_features.split_floor(rows, 2, seed) for seed in range(20)}
    assert all(min(abs(f - a) for a in allowed) < 1e-9 for f in found)
    assert max(found) - min(found) > 0.1  # the seed chooses
    assert note_features.split_floor(rows, 2, 3) == note_features.split_floor(rows, 2, 3)
    doubled = (scale[0], 2 * scale[1])
    assert note_features.split_floor(rows, 2, 3, doubled) == pytest.approx(note_features.split_floor(rows, 2, 3) / 4)


def test_the_floor_falls_with_the_number_of_rows():
    rows = np.random.default_rng(0).normal(size=(2000, 5))
    assert note_features.split_floor(rows, 20, 0) > 5 * note_features.split_floor(rows, 1000, 0) > 0


@pytest.mark.parametrize("size", [0, 1, 4])
def test_a_floor_of_a_size_that_is_not_there_is_refused(size):
    with pytest.raises(ValueError, match=f"size is {size}; with 7 rows, allowed is 2..3"):
        note_features.split_floor(np.zeros((7, 2)), size, 0)


# --- against the source


def test_groove_by_hand():
    a, b = made((0, 1, 60), (4, 8, 60), (8, 9, 60)), made((0, 8, 30), (0, 8, 90), (6, 7, 60), (8, 9, 61))
    assert note_features.groove_similarity(a, b).tolist() == [14 / 16]  # steps 4 and 6 differ
    assert note_features.groove_similarity(a, a).tolist() == [1.0]
    assert note_features.groove_similarity(EMPTY[None], EMPTY[None]).tolist() == [1.0]
    assert note_features.groove_similarity(made((-1, 16, 60)), EMPTY[None]).tolist() == [1.0]  # a hold is no onset
    assert note_features.groove_similarity(made(*[(t, t + 1, 60) for t in range(16)]), EMPTY[None]).tolist() == [0.0]


def test_groove_of_many_answers_to_one_source():
    source = random_cells(4)
    answers = random_cells(12, seed=5).reshape(4, 3, 16, 88)
    found = note_features.groove_similarity(answers, source[:, None])
    assert found.shape == (4, 3)
    assert found[2, 1] == note_features.groove_similarity(answers[2, 1], source[2])


def test_counts_weigh_notes_alike():
    cells = np.concatenate([CELLS, made((0, 1, 60), (0, 1, 61)), EMPTY[None], EMPTY[None]])
    assert note_features.counts(cells) == pytest.approx(
        {
            "clash_share": (2 + 2) / (19 + 2),
            "isolated_share": (2 + 2) / (7 + 2),
            "length_mean": (17 + 2) / (7 + 2),
            "empty_share": 2 / 4,
        }
    )


def test_what_is_kept_of_the_source():
    source = np.concatenate([CELLS, CELLS, made((4, 8, 50), (4, 8, 70)), made((0, 4, 50), (0, 4, 70)), EMPTY[None]])
    cells = np.concatenate(
        [
            CELLS,  # all of it
            made((1, 2, 72)),  # the highest alone
            made((0, 1, 60)),  # an onset in step 0 where the source has none
            made((0, 1, 60), (8, 9, 50)),  # the lowest elsewhere, an onset of another pitch
            made((0, 1, 60)),  # nothing there to keep
        ]
    )
    found = note_features.counts(cells, source)
    assert found["first_onset_kept"] == pytest.approx(2 / 3)
    assert found["lowest_kept"] == pytest.approx(2 / 4)
    assert found["highest_kept"] == pytest.approx(2 / 4)
    assert {name: found[name] for name in note_features.counts(cells)} == note_features.counts(cells)


def test_counts_of_nothing():
    nothing = {"clash_share": 0, "isolated_share": 0, "length_mean": 0, "empty_share": 0}
    kept = {"first_onset_kept": 1, "lowest_kept": 1, "highest_kept": 1}
    none = np.zeros((0, 16, 88), np.uint8)
    assert note_features.counts(none) == nothing
    assert note_features.counts(none, none) == nothing | kept
    assert note_features.counts(EMPTY[None], EMPTY[None]) == nothing | kept | {"empty_share": 1}
    assert note_features.counts(EMPTY[None], CELLS) == nothing | dict.fromkeys(kept, 0) | {"empty_share": 1}


def test_a_source_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"source has shape \(2, 16, 88\), cells have \(1, 16, 88\)"):
        note_features.counts(CELLS, random_cells(2))
