"""Note features by hand-counted cases."""

from __future__ import annotations

import numpy as np
import pytest
from made_cells import CELLS, EMPTY, made, random_cells

from fadernets.codecs import grid
from fadernets.metrics import cell_counts, note_features
from fadernets.metrics.note_features import FEATURES

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


def test_each_step_is_of_one_metrical_class():
    names = [n for n in FEATURES if n.startswith("onset_share_")]
    found = [[FEATURES[n](made((t, t + 1, 60)))[0] for n in names] for t in range(16)]
    assert np.argmax(found, axis=1).tolist() == [0, 3, 2, 3, 1, 3, 2, 3, 1, 3, 2, 3, 1, 3, 2, 3]
    assert np.sum(found, axis=1).tolist() == [1.0] * 16


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


@pytest.mark.parametrize("shape", [(16, 88), (2, 16, 87), (2, 2, 16, 88), (2, 0, 88)])
def test_cells_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"expected \[segments, steps, 88\]"):
        note_features.features(np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match=r"expected \[segments, steps, 88\]"):
        cell_counts.counts(np.zeros(shape, np.uint8))


def test_a_bar_of_three_quarters_has_the_features_of_its_twelve_steps():
    cells = np.zeros((1, 12, 88), np.uint8)
    cells[0, [0, 4, 5], [40, 44, 47]] = grid.ONSET
    cells[0, 1:4, 40] = grid.HOLD
    values = dict(zip(note_features.FEATURES, note_features.features(cells)[0][0], strict=True))
    assert values["onset_steps_share"] == 3 / 12
    assert values["onset_share_beats"] == 1 / 3
    assert values["onset_share_sixteenths"] == 1 / 3
    assert values["polyphony_mean"] == 6 / 12
    assert values["longest_gap"] == 4
    assert values["length_mean"] == 2
    cells[0, 4:] = grid.OFF
    assert FEATURES["longest_gap"](cells) == 12


def test_silent_steps_behind_a_segment_change_no_count_of_its_notes():
    cells = random_cells(20)[:, :12]
    longer = np.pad(cells, ((0, 0), (0, 4), (0, 0)))
    for name in ("onsets", "onset_share_beats", "length_mean", "pitch_std", "clash_share", "classes"):
        np.testing.assert_allclose(FEATURES[name](cells), FEATURES[name](longer), err_msg=name)
