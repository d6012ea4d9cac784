"""Groups of dimensions, on codes for which they are known in closed form."""

from dataclasses import replace

import numpy as np
import pytest
from linear_codes import PITCH, RHYTHM, linear

from fadernets.codecs import melody_states
from fadernets.errors import FadernetsError
from fadernets.melodies import augmentations, inspection
from fadernets.melodies.augmentations import AUGMENTATIONS
from fadernets.melodies.inspection import components_for, inspect, principal

TABLE = AUGMENTATIONS["melody"]

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
    monkeypatch.setattr(inspection, "BATCH", 10)
    np.testing.assert_allclose(inspect(linear, clips, TABLE["pitch"]).mean, whole.mean)
    with pytest.raises(FadernetsError, match="1 clips to inspect; at least 2"):
        inspect(linear, clips[:1], TABLE["pitch"])


def test_a_group_as_json(clips):
    found = inspect(linear, clips, TABLE["pitch"]).as_dict()
    assert found["dimensions"] == [1, 4]
    assert found["amounts"] == list(range(1, 13))
    assert found["by_amount"][-1] == [1, 4]
    assert found["among_strongest"] == [2] * 12
    assert found["largest"][1] == [1.0, -0.5]
    assert set(found) == {"name", "unit", "threshold", "linearity", "energy", "explained", "clips", "amounts",
                          "dimensions", "by_amount", "among_strongest", "largest"}  # fmt: skip


def test_a_group_s_dimensions_need_not_lead_at_every_amount(clips):
    """A dimension that leaps at an octave and is still before is in the group, and not among the strongest before."""

    def leaping(clips):
        z = linear(clips)
        z[:, 5] = 9 * (np.nan_to_num(melody_states.mean_pitch(clips)) > 55)
        return z

    found = inspect(leaping, clips[:2], replace(TABLE["pitch"], amounts=(2.0, 12.0)), top=2)
    assert found.dimensions.tolist() == [5, 1]
    assert found.among_strongest == [1, 2]


def test_what_two_groups_share(clips):
    groups = [inspect(linear, clips, TABLE[name], threshold=t) for name, t in (("pitch", 2.0), ("rhythm", 0.003))]
    assert [g.dimensions.tolist() for g in groups] == [[1, 4], [2, 3]]
    assert inspection.overlap(*groups) == []
    assert inspection.overlap(groups[0], inspect(linear, clips, TABLE["pitch"], top=6)) == [1, 4]


# Its parts


def test_otsu_s_threshold():
    assert inspection.split_threshold(np.array([0.1, 5.0, 0.2, 4.0, 0.0])) == 4.0
    assert inspection.split_threshold(np.array([9.0, 1.0, 1.1, 0.9])) == 9.0
    assert inspection.split_threshold(np.array([2.0])) == 2.0
    assert inspection.split_threshold(np.array([3.0, 3.0, 3.0])) == 3.0


def test_a_regression_by_hand():
    moved = np.array([[[2.0, 0.0], [4.0, 1.0]], [[1.0, 1.0], [0.0, 0.0]]])  # [A, N, Z]
    scale = np.array([[1.0, 2.0], [1.0, 0.0]])
    np.testing.assert_allclose(inspection.regress(moved, scale), [11 / 6, 3 / 6])
    assert inspection.regress(moved, 0 * scale).tolist() == [0, 0]


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
