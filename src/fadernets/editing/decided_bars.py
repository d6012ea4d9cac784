"""The first bars of a long piece, told while the others are still rewritten: the notes that the answer will have there.

The code that makes notes of the whole roll makes them of the roll so far. A bar is told once, when all is decided that
its notes depend on. T steps, K tracks, N notes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fadernets.arrays import Array, Cells
from fadernets.codecs.grid import OFF, ONSET
from fadernets.decoding.rewrite_task import Decided, Rolls
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.music.document import Edit
from fadernets.music.notes import Piece, TempoMap

SECONDS = 1.0  # at least, between two messages
WORK = 10  # times as long as a message took pass before the next one: they cost at most a tenth of an edit


@dataclass(frozen=True)
class BarsSoFar:
    """Some bars of a piece as its edit will leave them."""

    bars: tuple[int, int]  # first and last
    ticks: tuple[int, int]  # of their onsets, the last one excluded
    notes: Array  # [N] of NOTE: those of all tracks that begin in these ticks
    tempo: list[tuple[int, int]]  # (tick, microseconds a quarter note) in these ticks, the first at their start


class DecidedBars:
    """Tells of the bars of one edit as they are decided, from the first one on. For one thread."""

    def __init__(self, tell: Callable[[BarsSoFar], None]) -> None:
        self._tell = tell
        self._told = 0  # segments
        self._due = 0.0  # time.monotonic of the next message

    def of(self, whole: Piece, tracks: Sequence[PieceOnGrid], change: Callable[[Sequence[Cells]], Edit]) -> Decided:
        """What a rewriter calls as it goes.

        whole: the piece. tracks: K of its tracks, or all that are edited as one, on one grid. change: gives the edit of
        the `whole` piece that K rolls [T, 88] mean.
        """

        def decided(count: int, rolls: Rolls) -> None:
            start = time.monotonic()
            if start >= self._due:
                self._tell_of(whole, tracks, change, count, rolls)
                now = time.monotonic()
                self._due = now + max(SECONDS, WORK * (now - start))

        return decided

    def _tell_of(
        self,
        whole: Piece,
        tracks: Sequence[PieceOnGrid],
        change: Callable[[Sequence[Cells]], Edit],
        count: int,
        rolls: Rolls,
    ) -> None:
        """Tell of the bars that nothing changes any more, with the first `count` segments decided."""
        windows = tracks[0].windows
        if not self._told < count < len(windows.start):
            return
        limit = int(windows.base[count])
        is_decided = np.arange(windows.n_steps)[:, None] < limit
        now = [
            np.where(is_decided, roll, track.roll).astype(np.uint8) for roll, track in zip(rolls(), tracks, strict=True)
        ]
        end = int(windows.segment[_first_open(tracks, now, limit)])
        if end <= self._told:
            return
        first, behind = (int(tick) for tick in windows.earliest(windows.base[[self._told, end]]))
        first = first if self._told else min(first, 0)
        notes = _edited(whole.notes, change(now))
        notes = notes[(notes["onset"] >= first) & (notes["onset"] < behind)]
        self._tell(
            BarsSoFar(
                (int(windows.bar[self._told]), int(windows.last_bar[end - 1])),
                (first, behind),
                np.sort(notes, order=["onset", "pitch"], kind="stable"),
                _tempo(whole.tempo, first, behind),
            )
        )
        self._told = end


def _first_open(tracks: Sequence[PieceOnGrid], rolls: Sequence[Cells], limit: int) -> int:
    """The first step of a note whose end is not known, where steps from `limit` on are not decided."""
    first = limit
    for track, roll in zip(tracks, rolls, strict=True):
        onset, end = track.placed.onset, track.placed.end
        first = min(first, int(onset[(onset < limit) & (end >= limit)].min(initial=limit)))
        for pitch in np.flatnonzero(roll[limit - 1] != OFF).tolist():
            first = min(first, int(np.flatnonzero(roll[:limit, pitch] == ONSET)[-1:].min(initial=limit)))
    return first


def _edited(notes: Array, edit: Edit) -> Array:
    """Notes [N] with an edit, in any order, as they are read back from a file: where notes of one pitch overlap in a
    track, the one that began first ends first."""
    notes = notes.copy()
    notes[edit.changed] = edit.becomes
    notes = np.concatenate([np.delete(notes, edit.removed), edit.added])
    by_onset, by_end = (np.lexsort((notes[name], notes["pitch"], notes["track"])) for name in ("onset", "end"))
    notes["end"][by_onset] = notes["end"][by_end]
    return notes


def _tempo(tempo: TempoMap, first: int, behind: int) -> list[tuple[int, int]]:
    """The tempos in some ticks."""
    at = max(int(np.searchsorted(tempo.ticks, first, side="right")) - 1, 0)
    rows = zip(tempo.ticks[at:].tolist(), tempo.micros[at:].tolist(), strict=True)
    return [(max(int(tick), first), int(micros)) for tick, micros in rows if tick < behind]
