"""Requests for faders as clients send them, translated into faders of `fadernets.editing`.

Bars count from 1, attributes are in their own units.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import Field

from fadernets.editing.lock_requests import MOST_LOCKS, MOST_NOTES
from fadernets.editing.requests import Faders
from fadernets.music.notes import Piece
from fadernets.web.piece_limits import MOST_BARS
from fadernets.web.types import Finite, Name, RequestModel

MOST_VARIATIONS = 8  # different answers to one request
MOST_LOCK_TEXT = 12 * MOST_NOTES  # characters of one lock: so many notes by place, as 128.4:108
LockText = Annotated[str, Field(max_length=MOST_LOCK_TEXT)]


class PresetRequest(RequestModel):
    """A preset of faders, how far it goes, and the faders that it leaves alone."""

    name: Name
    amount: Finite
    hold: list[Name] = Field(default_factory=list, max_length=32)


class Variation(RequestModel):
    """Which of several different answers to one request is meant."""

    index: int = Field(ge=0, lt=MOST_VARIATIONS)
    count: int = Field(ge=1, le=MOST_VARIATIONS)


class FadersRequest(RequestModel):
    """Where the faders are. Faders without a value are at rest."""

    set: dict[Name, Finite | tuple[Finite, Finite] | Name] = Field(default_factory=dict, max_length=32)
    move: dict[Name, Finite | tuple[Finite, Finite]] = Field(default_factory=dict, max_length=32)
    per_bar: dict[Name, dict[int, Finite]] = Field(default_factory=dict, max_length=32)
    preset: PresetRequest | None = None
    faithfulness: float = Field(default=1.0, ge=0, le=1)
    bars: list[tuple[int, int]] | None = Field(default=None, max_length=MOST_BARS)  # null: all
    locked: list[int] = Field(default_factory=list, max_length=MOST_BARS)
    tracks: list[Name] | None = Field(default=None, max_length=128)
    seed: int = Field(default=0, ge=0, lt=2**32)
    keep: list[LockText] = Field(default_factory=list, max_length=MOST_LOCKS)  # as `Lock.read` takes them: melody:5-8
    only: Name | None = None  # the hand or track that is edited alone
    variation: Variation | None = None  # one of several different answers


def to_faders(request: FadersRequest, piece: Piece) -> Faders:
    """The faders of a request for one piece. Raises FadernetsError for unknown names and impossible values."""
    preset = request.preset
    faders = Faders.checked(
        set=request.set,
        move=request.move,
        per_bar=request.per_bar,
        preset=preset.name if preset is not None else None,
        amount=preset.amount if preset is not None else 1.0,
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
    if free:
        return replace(faders, bars=_ranges(free))
    return replace(faders, set={}, move={}, per_bar=None, arousal=0.0, codes=None, preset=None, amount=0.0)


def _free_bars(request: FadersRequest, count: int) -> list[int]:
    """The numbers of the bars that may change, of a piece of `count` bars."""
    ranges = request.bars or [(1, count)]
    chosen = {bar for first, last in ranges for bar in range(first, min(last, count) + 1)}
    return sorted(chosen - set(request.locked))


def _ranges(bars: list[int]) -> list[tuple[int, int]]:
    """Sorted numbers as inclusive ranges."""
    runs = np.split(np.array(bars), np.flatnonzero(np.diff(bars) != 1) + 1)
    return [(int(run[0]), int(run[-1])) for run in runs]
