"""Requests and encoded segments: what is encoded once is kept."""

from __future__ import annotations

import numpy as np
import pytest

from fadernets.codecs import grid
from fadernets.decoding import segment_requests
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


def test_encodings_are_kept_by_model_and_cells(engine, cells, exported):
    other, cache = Engine.open(exported[True][0]), segment_requests.EncodingCache()
    source = cache(engine, cells)
    assert cache(engine, cells.copy()) is source
    assert source.rest is source.rest
    fresh = segment_requests.encode_segments(engine, cells)
    assert fresh.codes["rhythm"].tobytes() == source.codes["rhythm"].tobytes()
    assert fresh.rest.tobytes() == source.rest.tobytes()
    strange = cache(other, cells)
    assert strange.engine is other
    assert strange.codes["rhythm"].shape != source.codes["rhythm"].shape
    few = cache(engine, cells[:3])
    assert (few.cells == cells[:3]).all()
    for pitch in range(segment_requests.CACHED_BATCHES - 1):
        cache(engine, grid.from_notes(np.array([(0, 4, pitch)]))[None])
    assert cache(engine, cells[:3]) is few
    assert cache(engine, cells) is not source  # the oldest went
    kept = cache(engine, cells)
    cache.clear()
    assert cache(engine, cells) is not kept
