"""The shipped model, and eight made-up segments."""

from __future__ import annotations

import numpy as np
import pytest

from fadernets.codecs import grid
from fadernets.engines.grid import Engine


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.open()


@pytest.fixture(scope="module")
def cells() -> np.ndarray:
    """Eight segments: a left hand in eighths, a melody, one held-in note in half of them."""
    random = np.random.default_rng(1)
    rows = []
    for i in range(8):
        notes = [(t, t + 2, int(40 + random.integers(0, 12))) for t in range(0, 16, 4)]
        notes += [(t, t + 3, int(64 + random.integers(0, 12))) for t in range(0, 15, 3)]
        if i % 2:
            notes.append((-1, 3, 55))
        rows.append(grid.from_notes(np.array(notes)))
    return np.stack(rows)
