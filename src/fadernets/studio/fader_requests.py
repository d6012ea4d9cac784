"""What an answer of the faders' room says of the faders that were requested."""

from __future__ import annotations

import numpy as np

from fadernets.attributes.keys import KEY_NAMES, transpose
from fadernets.attributes.table import ATTRIBUTES
from fadernets.editing.edit_report import SegmentReport, number
from fadernets.studio.edit_types import SegmentValues
from fadernets.studio.types import Value
from fadernets.web.fader_requests import FadersRequest

LOCKED = "no bar is free: all are locked, or share four beats with one that is"


def locked_out(request: FadersRequest, segments: list[SegmentValues]) -> bool:
    """Whether the locked bars leave nothing of what was requested."""
    moved = request.set or request.move or request.per_bar or request.preset
    return bool(request.locked and moved) and not any(
        value is not None for segment in segments for value in segment.asked.values()
    )


def mean_requested(segments: list[SegmentReport], home: Value) -> dict[str, Value]:
    """The mean requested value of each attribute, None where nothing was requested.

    home: the piece's key. The key in the answer is the one requested of segments in `home`; where only segments in
    other keys were edited, it is `home` moved as far as the first of them.
    """
    means: dict[str, Value] = {}
    for name, row in ATTRIBUTES.items():
        known = [float(v) for s in segments if (v := s.asked[name]) is not None and not row.names]
        means[name] = number(np.mean(known)) if known else None
    moves = [(s.before["key"], s.asked["key"]) for s in segments if s.asked["key"] is not None]
    if moves and home is not None:
        before, asked = next((move for move in moves if move[0] == home), moves[0])
        a, b, tonic = (KEY_NAMES.index(str(key)) for key in (before, asked, home))
        means["key"] = KEY_NAMES[b if before == home else int(transpose(tonic, b - a))]
    return means
