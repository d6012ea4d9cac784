"""Clips that both the augmentations and the inspection are tried on."""

import pytest

from fadernets.melodies import augmentations


@pytest.fixture
def clips():
    return augmentations.whole_notes(48, 60)
