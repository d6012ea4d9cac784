"""Notes and pieces, and the two maps that give ticks a meaning.

Units: onsets and ends are absolute ticks (integers); a quarter note has `tpq` ticks; seconds are
floats; pitches are MIDI numbers; bars are counted from 1, as a sequencer counts them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from fadernets.arrays import Array, Floats, Indices, Integers

# One row a note; onset and end in ticks; `track` indexes `Piece.tracks`.
NOTE = np.dtype(
    [("onset", np.int64), ("end", np.int64), ("pitch", np.uint8), ("velocity", np.uint8), ("track", np.int32)]
)
# One row a note of a picture; onset and end in quarter notes.
ROLL_NOTE = np.dtype([("onset", float), ("end", float), ("pitch", np.uint8), ("velocity", np.uint8)])
# One row a note as callers of the API get it; onset and end in quarter notes.
QUARTER_NOTE = np.dtype(
    [("onset", float), ("end", float), ("pitch", np.uint8), ("velocity", np.uint8), ("track", np.int32)]
)
SHORTEST_BEAT = 64  # the largest denominator of a time signature
DEFAULT_TEMPO = 500_000  # microseconds a quarter: 120 bpm, what the paper assumes where a file has no tempo

# General MIDI programs of keyboard instruments: pianos, harpsichord, clavinet, celesta, organs.
KEYBOARD_PROGRAMS = frozenset([*range(9), *range(16, 21)])


@dataclass(frozen=True)
class Track:
    """One voice of a file: the notes of one channel in one track chunk."""

    name: str
    chunk: int  # which track chunk of the file
    channel: int
    program: int = 0

    @property
    def is_drum(self) -> bool:
        """Whether the channel is General MIDI's for percussion."""
        return self.channel == 9

    @property
    def is_keyboard(self) -> bool:
        """Whether the track plays a keyboard instrument."""
        return not self.is_drum and self.program in KEYBOARD_PROGRAMS


@dataclass(frozen=True)
class TempoMap:
    """Tempo changes, one a tick at most, the first at tick 0."""

    ticks: Integers
    micros: Integers  # microseconds a quarter note from that tick on
    tpq: int

    @classmethod
    def of(cls, events: list[tuple[int, int]], tpq: int) -> TempoMap:
        """From (tick, microseconds a quarter) in file order: the last event of a tick holds.

        A tempo of 0 is no tempo: the one before it goes on.
        """
        last = {0: DEFAULT_TEMPO}
        for tick, micros in events:
            if micros > 0:
                last[tick] = micros
        ticks = np.array(sorted(last), np.int64)
        return cls(ticks, np.array([last[t] for t in ticks.tolist()], np.int64), tpq)

    def seconds(self, ticks: ArrayLike) -> Floats:
        """Ticks to seconds."""
        at = np.asarray(ticks, np.float64)
        lengths = np.diff(self.ticks) * self.micros[:-1] / (self.tpq * 1e6)
        starts = np.concatenate([[0.0], np.cumsum(lengths)])
        i = np.maximum(np.searchsorted(self.ticks, at, side="right") - 1, 0)
        return np.asarray(starts[i] + (at - self.ticks[i]) * self.micros[i] / (self.tpq * 1e6))

    def ticks_at(self, seconds: ArrayLike) -> Floats:
        """The inverse of `seconds`: seconds to ticks."""
        at = np.asarray(seconds, np.float64)
        starts = self.seconds(self.ticks)
        i = np.maximum(np.searchsorted(starts, at, side="right") - 1, 0)
        return np.asarray(self.ticks[i] + (at - starts[i]) * (self.tpq * 1e6) / self.micros[i])


@dataclass(frozen=True)
class MetreMap:
    """Time signatures, the first at tick 0 or where the first bar line is (`ticks[0]`)."""

    ticks: Integers
    numerators: Integers
    denominators: Integers
    tpq: int

    @classmethod
    def of(cls, events: list[tuple[int, int, int]], tpq: int) -> MetreMap:
        """From (tick, numerator, denominator); 4/4 until the first one; the last event of a tick holds.

        A signature on a bar line that repeats the one before it is no change.
        """
        last = {0: (4, 4)} if not events or min(e[0] for e in events) > 0 else {}
        for tick, numerator, denominator in events:
            last[tick] = (max(numerator, 1), min(max(denominator, 1), SHORTEST_BEAT))
        kept: list[tuple[int, int, int]] = []
        for tick, (numerator, denominator) in sorted(last.items()):
            if kept and kept[-1][1:] == (numerator, denominator):
                bar = max(numerator * 4 * tpq // denominator, 1)
                if (tick - kept[-1][0]) % bar == 0:
                    continue
            kept.append((tick, numerator, denominator))
        ticks, numerators, denominators = np.array(kept, np.int64).T
        return cls(ticks, numerators, denominators, tpq)

    def bar_lengths(self) -> Integers:
        """Ticks in a bar of each signature."""
        return np.asarray(np.maximum(self.numerators * 4 * self.tpq // self.denominators, 1))

    def bar_starts(self, end: int) -> Integers:
        """The tick of each bar line before `end`; a signature change starts a new bar."""
        stops = np.append(self.ticks[1:], max(end, int(self.ticks[-1]) + 1))
        spans = zip(self.ticks, stops, self.bar_lengths(), strict=True)
        parts = [np.arange(a, min(b, end), step) for a, b, step in spans if a < end]
        return np.concatenate(parts) if parts else self.ticks[:1]


@dataclass
class Piece:
    """A piece of music: notes sorted by onset then pitch, with what is needed to place them."""

    notes: Array  # [N] of NOTE
    tpq: int
    tempo: TempoMap
    metre: MetreMap
    tracks: list[Track]
    warnings: list[str] = field(default_factory=list)

    @property
    def end(self) -> int:
        """The tick at which the last note ends; 0 for a piece without notes."""
        return int(self.notes["end"].max()) if len(self.notes) else 0

    def seconds(self) -> float:
        """How long the piece lasts, up to the end of its last note."""
        return float(self.tempo.seconds(self.end))

    def only(self, tracks: list[int]) -> Piece:
        """The same piece with the notes of these tracks alone; track numbers stay."""
        kept = self.notes[np.isin(self.notes["track"], tracks)]
        return Piece(kept, self.tpq, self.tempo, self.metre, self.tracks, self.warnings)


def make_notes(rows: list[tuple[int, int, int, int, int]]) -> Array:
    """Rows of (onset, end, pitch, velocity, track) as a NOTE array in `note_order`."""
    notes = np.array(rows, NOTE) if rows else np.empty(0, NOTE)
    return notes[note_order(notes)]


def in_beats(notes: Array, tpq: int, start: int = 0) -> Array:
    """[N] of ROLL_NOTE: notes [N] of NOTE as pictures take them, in quarter notes from the tick `start`."""
    out = np.empty(len(notes), ROLL_NOTE)
    for name in ("onset", "end"):
        out[name] = (notes[name] - start) / tpq
    out["pitch"], out["velocity"] = notes["pitch"], notes["velocity"]
    return out


def note_order(notes: Array) -> Indices:
    """The order of a piece's notes: by onset, pitch, end, track, velocity."""
    keys = ("velocity", "track", "end", "pitch", "onset")
    return np.lexsort(tuple(notes[key] for key in keys))
