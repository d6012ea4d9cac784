"""A codec of sixteen numbers a segment: how many notes begin in each sixteenth step."""

from dataclasses import replace

import numpy as np

from fadernets.codecs import grid
from fadernets.codecs.base import SEGMENT_SELECTION, CardText, Codec

STEPS = 16


def segments(item, keep_all):
    """The segments of a piece that the grid keeps, each as its counts [S, 16]."""
    from fadernets.data.segmenters import grid_segments

    prepared = grid_segments(item, keep_all)
    counts = (grid.unpack(prepared.codes) == grid.ONSET).sum(axis=2)
    return replace(prepared, codes=counts.astype(np.uint8))


ONSET_COUNTS = Codec(
    "onset-counts",
    np.dtype(np.uint8),
    STEPS,
    segmenter=segments,
    selection=SEGMENT_SELECTION,
    lengths=lambda codes: np.full(len(codes), STEPS),
    card=CardText(
        "over onset counts",
        "16 numbers of notes that begin",
        "Pieces are split 80/10/10 as wholes; segments are those of the grid.",
        "- Pitches and lengths are not kept.",
        "keyboard music",
    ),
)
