"""Disentanglement by augmentation on an encoder that is linear in what the augmentations change."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from conftest import make_clip, make_song

from fadernets.codecs import grid, melody_states
from fadernets.codecs.melody_states import HOLD, REST
from fadernets.errors import FadernetsError
from fadernets.melodies import augmentations
from fadernets.melodies.augmentations import AUGMENTATIONS, Augmentation, components_for, inspect, principal

TABLE = AUGMENTATIONS["melody"]
PITCH = np.array([0.0, 0.5, 0.0, 0.0, -0.25, 0.0])  # change of z by a semitone
RHYTHM = np.array([0.0, 0.0, 1.0, 0.001, 0.0, 0.0])  # by a doubling of onsets


def linear(clips):
    """z = mean pitch and doublings along a way each, and noise that says where a clip is, the same whatever moves."""
    pitch, count = np.nan_to_num(melody_states.mean_pitch(clips)), np.log2(np.maximum(melody_states.onsets(clips), 1))
    return pitch[:, None] * PITCH + count[:, None] * RHYTHM


@pytest.fixture
def clips():
    return augmentations.whole_notes(48, 60)


@pytest.fixture
def music():
    rng = np.random.default_rng(3)
    return np.stack([make_clip(rng) for _ in range(40)])


def own(change, amounts=(1.0,), **more):
    return Augmentation("own", change, amounts, "amount", **more)


# A function of the user's


def test_a_function_may_change_what_it_is_given(clips):
    """Clips stay those of the data set, for the next amount and for how far each went."""

    def up(x, amount):
        x[x < 128] += int(amount)
        return x

    before = clips.copy()
    found = inspect(linear, clips, own(up, (1.0, 2.0, 3.0), far=TABLE["pitch"].far))
    assert np.array_equal(clips, before)
    np.testing.assert_allclose(found.mean, np.outer([1, 2, 3], PITCH), atol=1e-9)
    assert found.scale.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, a: x[:1], r"gave \(1, 32\) of uint8; numbers \(169, 32\) are needed"),
        (lambda x, a: x.astype(str), r"gave \(169, 32\) of <U3; numbers"),
        (lambda x, a: [object()], r"gave \(1,\) of object"),
        (lambda x, a: None, "of object; numbers"),
        (lambda x, a: x.astype(int) + 130, r"gave 178\.\.258; 0\.\.129 are what a clip can hold"),
        (lambda x, a: x.astype(int) - 100, r"gave -52\.\.28; 0\.\.129"),
        (lambda x, a: x * np.nan, r"gave nan\.\.nan; 0\.\.129"),
        (lambda x, a: x + 0.5 * (x < 100), "gave numbers that are not whole"),
        (lambda x, a: sys.exit(3), "SystemExit: 3"),
        (lambda x, a: x.no_such_thing, "AttributeError: 'numpy.ndarray' object has no attribute"),
        (lambda x: x, "TypeError"),
        (lambda x, a: x, "changes no clip's code; there is nothing to inspect"),
    ],
)
def test_a_function_that_does_not_fit(clips, change, message):
    with pytest.raises(FadernetsError, match=f"^augmentation own: .*{message}"):
        inspect(linear, clips, own(change, highest=melody_states.REST))


def test_what_a_clip_holds_at_most():
    assert augmentations.HIGHEST == {"melody": 129, "grid": 2}
    assert own(None).highest == 255


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"cannot be read \(No such file or directory\)"),
        ("def augment(clips, amount:", "SyntaxError: "),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit('no')", "SystemExit: no"),
        ("def change(clips, amount): return clips", r"has no function augment\(clips, amount\)"),
        ("augment = 3", "has no function augment"),
        ("AMOUNTS = 3\ndef augment(clips, amount): ...", r"AMOUNTS are numbers other than 0, such as \(1, 2, 4\)"),
        ("AMOUNTS = ()\ndef augment(clips, amount): ...", "AMOUNTS are numbers"),
        ("AMOUNTS = 1, 0\ndef augment(clips, amount): ...", "AMOUNTS are numbers"),
        ("AMOUNTS = 1, float('nan')\ndef augment(clips, amount): ...", "AMOUNTS are numbers"),
        ("AMOUNTS = 1, 'two'\ndef augment(clips, amount): ...", "AMOUNTS are numbers"),
        ("NAME = 'a/b'\ndef augment(clips, amount): ...", r"NAME 'a/b' must serve in a file's name: 1\.\.200 bytes"),
        ("NAME = ' '\ndef augment(clips, amount): ...", "NAME ' ' must serve"),
        ("NAME = 'a\\n'\ndef augment(clips, amount): ...", "NAME 'a.*' must serve"),
        ("NAME = 'x' * 201\ndef augment(clips, amount): ...", "must serve"),
    ],
)
def test_a_file_of_the_user_s_that_cannot_be_used(tmp_path, text, message):
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(FadernetsError, match=rf"mine\.py: .*{message}"):
        augmentations.load_augmentation(path)


def test_a_file_of_the_user_s(tmp_path, clips):
    path = tmp_path / "octaves.py"
    path.write_text("def augment(clips, amount):\n    return clips + 12 * int(amount) * (clips < 128)\n")
    row = augmentations.load_augmentation(path)
    assert (row.name, row.amounts, row.unit, row.far) == ("octaves", (1.0,), "amount", None)
    found = inspect(linear, clips, row)
    np.testing.assert_allclose(found.direction, 12 * PITCH, atol=1e-9)
    path.write_text(path.read_text() + "AMOUNTS = [1, '2', 3]\nNAME = 'up'\n")
    row = augmentations.load_augmentation(path)
    assert (row.name, row.amounts) == ("up", (1.0, 2.0, 3.0))
    np.testing.assert_allclose(inspect(linear, clips, row).mean, np.outer([12, 24, 36], PITCH), atol=1e-9)


# The groups, in closed form


def test_the_pitch_group(clips):
    """delta z = p x PITCH: 0.5 and 0.25 a semitone, so 6 and 3 at most; Otsu's cut is between 3 and nothing."""
    found = inspect(linear, clips, TABLE["pitch"])
    assert (found.name, found.unit, found.clips) == ("pitch", "semitones", 169)
    assert found.scale.tolist() == list(range(1, 13))
    np.testing.assert_allclose(found.mean, np.outer(np.arange(1, 13), PITCH), atol=1e-9)
    assert found.threshold == pytest.approx(3)
    assert found.dimensions.tolist() == [1, 4]  # strongest first
    assert [dimensions.tolist() for dimensions in found.by_amount] == [*[[]] * 5, *[[1]] * 6, [1, 4]]
    np.testing.assert_allclose(found.direction, PITCH, atol=1e-9)
    assert found.linearity == pytest.approx(1)
    assert found.energy == pytest.approx(1)
    assert found.explained == {"dimensions": pytest.approx(1), "direction": pytest.approx(1)}


def test_the_rhythm_group(clips):
    """A whole note in 2, 4, 8 and 16 parts has gone 1, 2, 3 and 4 doublings far."""
    found = inspect(linear, clips, TABLE["rhythm"])
    assert found.scale.tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(found.mean, np.outer([1, 2, 3, 4], RHYTHM), atol=1e-9)
    assert found.dimensions.tolist() == [2]
    assert found.energy == pytest.approx(1 / (1 + 1e-6))
    np.testing.assert_allclose(found.direction, RHYTHM, atol=1e-9)


def test_a_threshold_given_leaves_some_out(clips):
    found = inspect(linear, clips, TABLE["pitch"], threshold=5.9)
    assert found.dimensions.tolist() == [1]
    share = 0.5**2 / (0.5**2 + 0.25**2)
    assert found.energy == pytest.approx(share)
    assert found.explained == {"dimensions": pytest.approx(share), "direction": pytest.approx(1)}
    assert inspect(linear, clips, TABLE["pitch"], threshold=0.0).dimensions.tolist() == [1, 4, 0, 2, 3, 5]
    with pytest.raises(
        FadernetsError, match=r"^threshold 6.1: keeps no dimension for pitch; the largest mean change is 6$"
    ):
        inspect(linear, clips, TABLE["pitch"], threshold=6.1)


def test_so_many_dimensions(clips):
    assert inspect(linear, clips, TABLE["pitch"], top=1).dimensions.tolist() == [1]
    assert inspect(linear, clips, TABLE["pitch"], top=2).dimensions.tolist() == [1, 4]
    assert inspect(linear, clips, TABLE["pitch"], top=99).threshold == 0


def test_a_basis_along_the_change_has_it_in_one_dimension(clips):
    random = np.random.default_rng(0).normal(size=(5, 6))
    basis = np.linalg.qr(np.vstack([PITCH, random]).T)[0].T
    found = inspect(linear, clips, TABLE["pitch"], basis=basis)
    assert found.dimensions.tolist() == [0]
    assert found.energy == pytest.approx(1)
    np.testing.assert_allclose(np.abs(found.mean[:, 0]), np.linalg.norm(PITCH) * np.arange(1, 13))
    np.testing.assert_allclose(found.direction, PITCH, atol=1e-9)  # in the standard basis still
    assert found.explained["dimensions"] == pytest.approx(1)


def test_what_no_line_explains_is_counted_on_other_clips_than_those_it_was_fitted_on():
    """Half the clips also go up in a dimension where the other half goes down as far: none of that is explained."""

    def torn(clips):
        z = linear(clips)
        z[:, 5] = np.nan_to_num(melody_states.mean_pitch(clips)) * np.where(clips[:, 0] % 2, 1, -1)
        return z

    clips = augmentations.whole_notes(48, 59)
    found = inspect(torn, clips, replace(TABLE["pitch"], amounts=(2.0, 4.0)))
    assert found.dimensions.tolist() == [1, 4]
    share = (PITCH @ PITCH) / (PITCH @ PITCH + 1)
    assert found.explained["direction"] == pytest.approx(share, abs=0.02)
    mixed = np.random.default_rng(0).permutation(len(clips))
    first, second = clips[mixed[:72]], clips[mixed[72:]].copy()
    first[:, 0] -= first[:, 0] % 2
    second[:, 0] += 1 - second[:, 0] % 2  # what the first half is fitted to goes the other way in the second
    split = np.empty_like(clips)
    split[mixed[:72]], split[mixed[72:]] = first, second
    found = inspect(torn, split, replace(TABLE["pitch"], amounts=(2.0, 4.0)))
    assert found.explained["direction"] < share - 0.5
    assert found.direction[5] == pytest.approx(0.0, abs=1e-9)  # the direction itself is of them all


def test_a_bend_is_less_than_linear(clips):
    found = inspect(lambda x: linear(x) ** 2, clips, TABLE["pitch"], top=2)
    assert 0.9 < found.linearity < 1
    above = inspect(lambda x: linear(x) * (melody_states.mean_pitch(x) >= 66)[:, None], clips, TABLE["pitch"], top=2)
    assert above.linearity < 0.9
    one = inspect(linear, clips, replace(TABLE["pitch"], amounts=(3.0,)))
    assert one.linearity == 0  # of one amount there is nothing to say


def test_in_batches_the_same(clips, monkeypatch):
    whole = inspect(linear, clips, TABLE["pitch"])
    monkeypatch.setattr(augmentations, "BATCH", 10)
    np.testing.assert_allclose(inspect(linear, clips, TABLE["pitch"]).mean, whole.mean)
    with pytest.raises(FadernetsError, match="1 clips to inspect; at least 2"):
        inspect(linear, clips[:1], TABLE["pitch"])


def test_a_group_as_json(clips):
    found = inspect(linear, clips, TABLE["pitch"]).as_dict()
    assert found["dimensions"] == [1, 4]
    assert found["amounts"] == list(range(1, 13))
    assert found["by_amount"][-1] == [1, 4]
    assert found["largest"][1] == [1.0, -0.5]
    assert set(found) == {"name", "unit", "threshold", "linearity", "energy", "explained", "clips", "amounts",
                          "dimensions", "by_amount", "largest"}  # fmt: skip


def test_what_two_groups_share(clips):
    groups = [inspect(linear, clips, TABLE[name], threshold=t) for name, t in (("pitch", 2.0), ("rhythm", 0.003))]
    assert [g.dimensions.tolist() for g in groups] == [[1, 4], [2, 3]]
    assert augmentations.overlap(*groups) == []
    assert augmentations.overlap(groups[0], inspect(linear, clips, TABLE["pitch"], top=6)) == [1, 4]


# Its parts


def test_otsu_s_threshold():
    assert augmentations.split_threshold(np.array([0.1, 5.0, 0.2, 4.0, 0.0])) == 4.0
    assert augmentations.split_threshold(np.array([9.0, 1.0, 1.1, 0.9])) == 9.0
    assert augmentations.split_threshold(np.array([2.0])) == 2.0
    assert augmentations.split_threshold(np.array([3.0, 3.0, 3.0])) == 3.0


def test_a_regression_by_hand():
    moved = np.array([[[2.0, 0.0], [4.0, 1.0]], [[1.0, 1.0], [0.0, 0.0]]])  # [A, N, Z]
    scale = np.array([[1.0, 2.0], [1.0, 0.0]])
    np.testing.assert_allclose(augmentations.regress(moved, scale), [11 / 6, 3 / 6])
    assert augmentations.regress(moved, 0 * scale).tolist() == [0, 0]


def test_the_principal_components_of_a_known_covariance():
    rng = np.random.default_rng(1)
    axes = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    wide = np.array([3.0, 0.1, 2.0, 1.0])
    codes = rng.normal(size=(20000, 4)) * wide @ axes.T + [5, -3, 0, 1]
    basis, variances = principal(codes)
    np.testing.assert_allclose(basis @ basis.T, np.eye(4), atol=1e-9)
    np.testing.assert_allclose(variances, [9, 4, 1, 0.01], rtol=0.05)
    np.testing.assert_allclose(np.abs(np.sum(basis * axes.T[[0, 2, 3, 1]], axis=1)), 1, atol=1e-2)
    np.testing.assert_allclose(variances, np.linalg.eigvalsh(np.cov(codes.T))[::-1])
    assert components_for(variances) == 3
    assert (principal(np.ones((5, 3)))[1] == 0).all()


def test_how_many_components_hold_a_share():
    variances = np.array([50.0, 30.0, 19.0, 1.0])
    shares = (0.4, 0.5, 0.51, 0.8, 0.99, 0.995, 1.0)
    assert [components_for(variances, share) for share in shares] == [1, 1, 2, 2, 3, 4, 4]


# Clips and augmentations


def test_all_pairs_of_two_whole_notes():
    found = augmentations.whole_notes(60, 62)
    assert found.shape == (9, 32)
    assert sorted(map(tuple, found[:, [0, 16]].tolist())) == [(a, b) for a in (60, 61, 62) for b in (60, 61, 62)]
    assert (np.delete(found, [0, 16], axis=1) == HOLD).all()


def test_amounts_on_real_clips(music):
    """How far a clip went is measured on it: short notes cannot be split in four, and a merged one goes down."""
    _, scale = augmentations.deltas(linear, music, replace(TABLE["rhythm"], amounts=(0.5, 2.0, 4.0)))
    for row, amount in zip(scale, (0.5, 2.0, 4.0), strict=True):
        after = augmentations._share_of_notes(music, amount)
        np.testing.assert_allclose(row, np.log2(melody_states.onsets(after) / melody_states.onsets(music)))
    assert (scale[0] <= 0).all()
    assert (scale[2] >= scale[1]).all()
    assert (scale[2] < 2).any()
    _, scale = augmentations.deltas(linear, music, TABLE["pitch"])
    np.testing.assert_allclose(scale, np.tile(np.arange(1, 13)[:, None], (1, len(music))), atol=1e-9)
    silent = np.full((2, 32), REST, np.uint8)
    moved, scale = augmentations.deltas(linear, silent, TABLE["pitch"])
    assert (scale == 0).all()
    assert (moved == 0).all()


def cells_of(*rows):
    return grid.from_notes(np.array(sorted(rows)))


def rows_of(cells):
    return sorted(map(tuple, grid.decode(cells).tolist()))


def test_segments_are_transposed():
    cells = np.stack([cells_of((0, 4, 60), (0, 8, 64), (-1, 3, 30)), cells_of((2, 3, 21), (4, 16, 108))])
    up = augmentations.transpose_cells(cells, 3.0)
    assert rows_of(up[0]) == [(-1, 3, 33), (0, 4, 63), (0, 8, 67)]
    assert rows_of(up[1]) == [(2, 3, 24), (4, 16, 99)]  # an octave back
    assert rows_of(augmentations.transpose_cells(cells, -13)[1]) == [(2, 3, 32), (4, 16, 95)]
    assert rows_of(augmentations.transpose_cells(cells, 25)[1]) == [(2, 3, 46), (4, 16, 97)]
    assert np.array_equal(augmentations.transpose_cells(cells, 0), cells)


def test_notes_of_segments_are_split():
    cells = cells_of((0, 4, 60), (0, 8, 64), (-1, 4, 30), (5, 6, 60), (8, 11, 60))[None]
    assert rows_of(augmentations.split_cells(cells, 2.0)[0]) == [
        (-1, 4, 30), (0, 2, 60), (0, 4, 64), (2, 4, 60), (4, 8, 64), (5, 6, 60), (8, 10, 60), (10, 11, 60)
    ]  # fmt: skip
    assert rows_of(augmentations.split_cells(cells, 8.0)[0])[:3] == [(-1, 4, 30), (0, 1, 60), (0, 1, 64)]


def test_how_far_segments_went():
    rng = np.random.default_rng(4)
    segments = make_song(rng, 12)
    segments[3] = 0
    rows = AUGMENTATIONS["grid"]
    for amount in (1.0, 7.0):
        after = augmentations.apply_augmentation(segments, rows["pitch"], amount)
        far = rows["pitch"].far(segments, after)
        assert far[3] == 0
        np.testing.assert_allclose(np.delete(far, 3), amount, atol=1e-9)
    after = augmentations.apply_augmentation(segments, rows["rhythm"], 2.0)
    onsets = [(cells == grid.ONSET).sum((1, 2)) for cells in (segments, after)]
    far = rows["rhythm"].far(segments, after)
    np.testing.assert_allclose(2 ** far[onsets[0] > 0], (onsets[1] / np.maximum(onsets[0], 1))[onsets[0] > 0])
    assert far[3] == 0
    assert far.max() > 0.3
