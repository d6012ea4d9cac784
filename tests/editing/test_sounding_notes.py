"""Which notes sound together: as a look at all pairs of notes says it, whatever moves and is taken back."""

import numpy as np
import pytest

from fadernets.editing.sounding_notes import SoundingNotes
from fadernets.music.notes import make_notes


def some_notes(seed, count=40):
    random = np.random.default_rng(seed)
    onset = random.integers(0, 60, count)
    return make_notes([(int(a), int(a + random.integers(1, 20)), int(random.integers(55, 66)), 64, 0) for a in onset])


def by_pairs(notes, group, pitch, note, target):
    """Whether a pitch is taken, and whether a note would cross another on its way there."""
    together = (notes["onset"] < notes["end"][note]) & (notes["end"] > notes["onset"][note])
    taken = together & (pitch == target) & (notes["pitch"] != notes["pitch"][note])
    low, high = sorted((pitch[note], target))
    crossed = together & (group == group[note]) & (pitch > low) & (pitch < high)
    return bool(taken.any()), bool(crossed.any())


@pytest.mark.parametrize("seed", range(20))
def test_it_says_what_a_look_at_all_pairs_says(seed):
    notes, random = some_notes(seed), np.random.default_rng(seed)
    group = notes["onset"] // 16
    sounding, pitch = SoundingNotes(notes, group), notes["pitch"].astype(int)
    for _ in range(200):
        note, target = int(random.integers(len(notes))), int(random.integers(50, 72))
        together = (notes["onset"] < notes["end"][note]) & (notes["end"] > notes["onset"][note])
        assert [sounding.are_together(note, other) for other in range(len(notes))] == together.tolist()
        answer = sounding.is_taken(note, target), sounding.crosses(note, target)
        assert answer == by_pairs(notes, group, pitch, note, target)
        sounding.move(note, target)
        pitch[note] = target
    assert sounding.pitch == pitch.tolist()


def test_what_was_moved_can_be_taken_back_and_made_again():
    notes, random = some_notes(3), np.random.default_rng(3)
    sounding = SoundingNotes(notes, np.zeros(len(notes), int))
    sounding.move(0, 40)
    moment, before = sounding.moment(), list(sounding.pitch)
    for _ in range(100):
        sounding.move(int(random.integers(len(notes))), int(random.integers(50, 72)))
    after = list(sounding.pitch)
    changes = sounding.back_to(moment)
    assert sounding.pitch == before
    fresh = SoundingNotes(notes, np.zeros(len(notes), int))
    fresh.move(0, 40)
    for note in range(len(notes)):
        for target in range(50, 72):
            assert sounding.is_taken(note, target) == fresh.is_taken(note, target)
    for note, pitch in changes:
        sounding.move(note, pitch)
    assert sounding.pitch == after


def test_notes_of_no_length_are_in_the_way_of_those_that_begin_with_them():
    notes = make_notes([(0, 0, 60, 64, 0), (0, 10, 62, 64, 0), (20, 20, 64, 64, 0)])
    sounding = SoundingNotes(notes, np.zeros(3, int))
    assert sounding.is_taken(0, 62)
    assert sounding.is_taken(1, 60)
    assert not sounding.is_taken(0, 64)
