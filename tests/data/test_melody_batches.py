"""Batches of clips: the same for a seed and a step, every clip once an epoch, and amounts that say what was done."""

import numpy as np
import pytest
import torch

from fadernets.codecs import melody_states
from fadernets.codecs.melody_states import HOLD, REST
from fadernets.data.melody_batches import MelodySampler, augmented, shifted


@pytest.fixture
def rows(melodies):
    return melodies.select(split="train")


def make_sampler(melodies, rows, **settings):
    return MelodySampler(melodies, rows, **{"batch": 16, "seed": 5, **settings})


def assert_same(a, b):
    for name in ("inputs", "moved", "amount"):
        assert torch.equal(getattr(a, name), getattr(b, name)), name


def test_a_batch(melodies, rows):
    batch = make_sampler(melodies, rows).draw(0)
    assert (batch.inputs.shape, batch.inputs.dtype) == ((16, 32), torch.int64)
    assert batch.moved.shape == (0, 32)
    assert batch.amount.shape == (0, 2)
    assert batch.reconstructed == 16


def test_a_batch_depends_on_the_seed_and_the_step_alone(melodies, rows):
    """Drawn in any order, by any sampler."""
    one, other = (make_sampler(melodies, rows, augment=True) for _ in range(2))
    drawn = {step: one.draw(step) for step in range(14)}
    for step in (13, 0, 6, 5, 12, 6):
        assert_same(other.draw(step), drawn[step])
    assert not torch.equal(drawn[0].inputs, drawn[6].inputs)  # the first of two epochs
    assert not torch.equal(make_sampler(melodies, rows, augment=True, seed=6).draw(0).inputs, drawn[0].inputs)


def test_an_epoch_has_every_clip_once_and_each_its_own_order(melodies, rows):
    sampler = make_sampler(melodies, rows, transpose=False)
    assert sampler.batches == 6
    orders = []
    for epoch in range(2):
        clips = torch.cat([sampler.draw(6 * epoch + i).inputs for i in range(6)]).numpy()
        np.testing.assert_array_equal(np.sort(clips, axis=0), np.sort(melodies.codes[rows], axis=0))
        assert sorted(map(bytes, clips.astype(np.uint8))) == sorted(map(bytes, melodies.codes[rows]))
        orders.append(clips)
    assert (orders[0] != orders[1]).any()


def test_the_rest_of_an_epoch_is_left_out_and_few_clips_are_one_batch(melodies, rows):
    assert make_sampler(melodies, rows, batch=40).batches == 2
    sampler = make_sampler(melodies, rows[:5])
    assert (sampler.batches, sampler.draw(3).reconstructed) == (1, 5)


def test_transposition_is_each_clip_s_own_by_5_down_to_6_up(melodies, rows):
    still, moving = (make_sampler(melodies, rows, transpose=transpose) for transpose in (False, True))
    found = []
    for step in range(60):
        a, b = (sampler.draw(step).inputs for sampler in (still, moving))
        difference = b - a
        onset = a < 128
        assert (difference[~onset] == 0).all()
        for row, notes in zip(difference, onset, strict=True):
            (semitones,) = set(row[notes].tolist())
            found.append(semitones)
    assert set(found) == set(range(-5, 7))
    assert found[:16] != found[96:112]  # the first step of the next epoch


def test_a_clip_that_would_leave_the_range_stays():
    clips = np.full((4, 32), HOLD, np.uint8)
    clips[:, 0], clips[:, 8] = 60, [127, 2, 2, REST]
    found = shifted(clips, np.array([1, -3, -2, 5]))
    assert found[:, [0, 8]].tolist() == [[60, 127], [60, 2], [58, 0], [65, REST]]
    assert (np.delete(found, [0, 8], axis=1) == HOLD).all()
    assert found.dtype == np.uint8


def test_amounts_are_what_was_done(melodies):
    clips = np.asarray(melodies.codes)
    moved, amount = augmented(clips, np.random.default_rng(0))
    semitones, doublings = amount.T
    assert not ((semitones != 0) & (doublings != 0)).any()
    kinds = {"pitch": semitones != 0, "denser": doublings > 0, "sparser": doublings < 0}
    assert all(kind.sum() > 10 for kind in kinds.values())
    assert kinds["pitch"].mean() == pytest.approx(0.5, abs=0.12)
    unmoved = ~np.any(list(kinds.values()), axis=0)
    np.testing.assert_array_equal(moved[unmoved], clips[unmoved])
    for clip, other, n in zip(clips[kinds["pitch"]], moved[kinds["pitch"]], semitones[kinds["pitch"]], strict=True):
        np.testing.assert_array_equal(other, melody_states.transpose(clip, int(n)))
    ratio = melody_states.onsets(moved) / melody_states.onsets(clips)
    np.testing.assert_allclose(doublings, np.log2(ratio), rtol=1e-6)
    for clip, other in zip(clips[kinds["denser"]], moved[kinds["denser"]], strict=True):
        assert any((other == melody_states.split(clip, parts)).all() for parts in (2, 4))
    for clip, other in zip(clips[kinds["sparser"]], moved[kinds["sparser"]], strict=True):
        np.testing.assert_array_equal(other, melody_states.merge(clip))
    assert semitones.min() >= -12
    assert semitones.max() <= 12
    assert {np.sign(n) for n in semitones} == {-1, 0, 1}


def test_what_could_not_be_moved_has_no_amount():
    """Sixteenths cannot be split, notes at both ends of the range not be transposed."""
    clips = np.tile(np.array([0, 127], np.uint8), (64, 16))
    moved, amount = augmented(clips, np.random.default_rng(1))
    sparser = amount[:, 1] == -1
    assert 5 < sparser.sum() < 40
    np.testing.assert_array_equal(amount[~sparser], 0)
    np.testing.assert_array_equal(moved[~sparser], clips[~sparser])
    assert (melody_states.onsets(moved[sparser]) == 16).all()


def test_an_augmented_batch_has_the_same_clips_to_rebuild(melodies, rows):
    plain, more = (make_sampler(melodies, rows, augment=augment).draw(3) for augment in (False, True))
    assert torch.equal(plain.inputs, more.inputs)
    assert more.moved.shape == (8, 32)  # of the first half
    changed = (more.moved != more.inputs[:8]).any(1)
    assert torch.equal(changed, (more.amount != 0).any(1))
    assert (more.amount.dtype, more.moved.dtype) == (torch.float32, torch.int64)
