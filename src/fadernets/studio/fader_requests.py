"""Requests of the faders' room, translated into faders of `fadernets.editing`, and what an answer says of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fadernets.attributes.keys import KEY_NAMES, transpose
from fadernets.attributes.table import ATTRIBUTES
from fadernets.editing.edit_report import SegmentReport, number
from fadernets.editing.requests import Faders
from fadernets.music.notes import Piece
from fadernets.studio.edit_types import FadersRequest, SegmentValues
from fadernets.studio.types import Value

LOCKED = "no bar is free: all are locked, or share four beats with one that is"


def to_faders(request: FadersRequest, piece: Piece) -> Faders:
    """The faders of a request for one piece. Raises FadernetsError for unknown names and impossible values."""
    preset = request.preset
    faders = Faders.checked(
        set=request.set,
        move=request.move,
        per_bar=request.per_bar,
        preset=preset.name if preset is not None else None,
        amount=preset.amount if preset is not None else 0.0,
        hold=preset.hold if preset is not None else (),
        faithfulness=request.faithfulness,
        bars=request.bars,
        tracks=request.tracks,
        seed=request.seed,
        keep=request.keep,
        only=request.only,
        preset_files=False,
    )
    if not request.locked:
        return faders
    free = _free_bars(request, len(piece.metre.bar_starts(piece.end)))
    return replace(faders, bars=_ranges(free)) if free else Faders(seed=request.seed)


def _free_bars(request: FadersRequest, count: int) -> list[int]:
    """The numbers of the bars that may change, of a piece of `count` bars."""
    ranges = request.bars or [(1, count)]
    chosen = {bar for first, last in ranges for bar in range(first, min(last, count) + 1)}
    return sorted(chosen - set(request.locked))


def _ranges(bars: list[int]) -> list[tuple[int, int]]:
    """Sorted numbers as inclusive ranges."""
    runs = np.split(np.array(bars), np.flatnonzero(np.diff(bars) != 1) + 1)
    return [(int(run[0]), int(run[-1])) for run in runs]


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
