"""Requests and encoded segments: what is encoded once is kept."""

from __future__ import annotations

import numpy as np

from fadernets.codecs import grid
from fadernets.decoding import segment_requests
from fadernets.engines.grid import Engine


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
