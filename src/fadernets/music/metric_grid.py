"""The piece's own grid: segments that are bars, beats that are cut as their notes cut them.

A segment is a bar, half of a long bar or two short ones, and lies in one metre. A beat is a quarter, in compound metres
three of their units (a dotted quarter in 6/8), in 5/8 or 7/8 an eighth. A beat is cut into as many steps as its notes
need: sixteenths, unless triplets, sextuplets or thirty-seconds fit its onsets better. Music that lies behind the beats
of its file by as much throughout, as that of a file which follows a recording may, is read with its steps moved there
(`lateness`). Ticks are absolute; a quarter is a quarter note, and time is counted in its sixteenths.
W segments, B beats, T steps of the piece.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fadernets.arrays import Bools, Floats, Indices, Integers
from fadernets.music.notes import MetreMap, Piece
from fadernets.music.segments import NEVER

LONG_BAR = 5.0  # quarters: a longer bar is cut in half
SHORT_BAR = 2.0  # quarters: a bar that is no longer is taken together with the next
DIVISIONS = (1, 2, 3, 4, 6, 8, 12)  # steps in which a beat can be cut
PLACES = 24  # every step begins at one of so many places of its beat

# Beat in quarters -> the cuts that its notes may ask for, the usual one first. Each is worth its `price` in nats.
CUTS: dict[float, tuple[int, ...]] = {
    1.0: (4, 3, 6, 8),
    1.5: (6, 4, 12),
    0.5: (2, 3, 4),
    0.75: (3, 6),
    0.25: (1, 2),
}
UNUSUAL_CUT = 3.0  # nats: how much better another cut than the usual one must fit a beat
FINER_CUT = 2.0  # nats: the same for one that has more steps than the usual one, on top
TIGHT = 1 / 96  # quarters: how far off their steps the onsets of a score may lie
LOOSE = 1 / 16  # quarters: those of a performance, at most
FARTHEST = 4.0  # deviations: an onset that lies farther off, a grace note, counts as this far off
REFINED = {1: 2, 2: 4, 3: 6, 4: 8, 6: 12}  # a cut -> the one with twice its steps
LATE = 0.15  # sixteenths: music that is farther off its sixteenths, all of it by as much, is late
FEWEST = 16  # onsets that tell
TOGETHER = 0.7  # how much of one mind its onsets must be: the length of their mean direction on a circle of a sixteenth


@dataclass(frozen=True)
class Beats:
    """The B beats of a piece, in order and without gaps."""

    start: Integers  # [B] tick
    end: Integers  # [B]
    quarters: Floats  # [B] nominal length: 1, 1.5, 0.5, ...; a beat that is cut short keeps that of its metre
    segment: Indices  # [B]
    number: Integers  # [B] of the beat in its segment, from 0
    length: Floats | None = None  # [B] ticks, where beats were played as no tempo map says; None: `quarters` of them

    def ticks(self, tpq: int) -> Floats:
        """[B] how many ticks each beat lasts, one that is cut short as if it were whole."""
        return np.asarray(self.quarters * tpq if self.length is None else self.length)


@dataclass(frozen=True)
class Segments:
    """The W segments of a piece and their beats, before these are cut."""

    start: Integers  # [W] tick
    end: Integers  # [W]
    bar: Integers  # [W] number of the bar in which it starts, from 1
    last_bar: Integers  # [W] number of the bar in which it ends
    beats: Beats
    late: int = 0  # ticks that the music lies behind its beats, throughout; before them where negative


@dataclass(frozen=True)
class MetricGrid:
    """Segments, beats and steps of a piece. The first six fields are those of `segments.Windows`."""

    start: Integers  # [W] tick of the first step
    end: Integers  # [W]
    steps: Integers  # [W]
    base: Integers  # [W] index of the first step among all steps of the piece
    bar: Integers  # [W] number of the bar in which it starts, from 1
    last_bar: Integers  # [W] number of the bar in which it ends
    tpq: int
    beats: Beats
    divisions: Integers  # [B] in how many steps each beat is cut
    step_start: Floats  # [T] ticks, which may fall between two where the file is coarse; those of the beats
    beat: Indices  # [T] the beat of each step
    place: Integers  # [T] where in its beat a step begins, in PLACES
    sixteenths: Floats  # [T] length of each step
    late: int = 0  # ticks that the music lies behind its steps, throughout; before them where negative

    @classmethod
    def of(cls, piece: Piece, apart: Collection[int] = ()) -> MetricGrid:
        """The grid of a piece, cut as all of its pitched notes cut it.

        Short bars are taken two by two, but for those `apart` (numbers from 1) from the bar behind them.
        """
        own = segments(piece, apart)
        late = lateness(_pitched_onsets(piece), own.beats, piece.tpq)
        return cls.of_segments(piece, segments(piece, apart, late) if late else own)

    @classmethod
    def of_segments(cls, piece: Piece, own: Segments) -> MetricGrid:
        """The grid of given segments and beats, cut as all pitched notes of a piece cut it."""
        return cls._cut(own, piece.tpq, beat_divisions(_pitched_onsets(piece) - own.late, own.beats, piece.tpq))

    @classmethod
    def _cut(cls, own: Segments, tpq: int, divisions: Integers) -> MetricGrid:
        """The grid of segments whose beats are cut into so many steps, `divisions` [B]."""
        beats = own.beats
        step_ticks = beats.ticks(tpq) / divisions
        count = np.maximum(np.ceil((beats.end - beats.start) / step_ticks - 1e-6), 1).astype(np.int64)
        count = np.minimum(count, divisions)  # a beat of a part of a tick more, by rounding, has no step more
        first = np.concatenate([[0], np.cumsum(count)[:-1]])
        beat = np.repeat(np.arange(len(count)), count)
        within = np.arange(len(beat)) - first[beat]
        step_start = beats.start[beat] + within * step_ticks[beat]
        is_last = within == count[beat] - 1
        step_end = np.where(is_last, beats.end[beat], step_start + step_ticks[beat])
        steps = np.bincount(beats.segment[beat], minlength=len(own.start))
        base = np.concatenate([[0], np.cumsum(steps)[:-1]])
        place = within * PLACES // divisions[beat]
        sixteenths = (step_end - step_start) * 4 / tpq
        if beats.length is not None:
            sixteenths = (step_end - step_start) / beats.length[beat] * beats.quarters[beat] * 4
        return cls(
            start=own.start,
            end=own.end,
            steps=steps,
            base=base,
            bar=own.bar,
            last_bar=own.last_bar,
            tpq=tpq,
            beats=beats,
            divisions=divisions,
            step_start=step_start,
            beat=beat,
            place=place,
            sixteenths=sixteenths,
            late=own.late,
        )

    def refined(self, beats: Bools) -> MetricGrid:
        """The same grid with some `beats` [B] cut twice as fine, where there is such a cut."""
        divisions = np.where(beats, self.finer_divisions, self.divisions)
        own = Segments(self.start, self.end, self.bar, self.last_bar, self.beats, self.late)
        return self._cut(own, self.tpq, divisions)

    @property
    def finer_divisions(self) -> Integers:
        """[B] the next finer cut of each beat, its own where there is none."""
        return np.array([REFINED.get(int(d), int(d)) for d in self.divisions], np.int64)

    @property
    def full(self) -> Bools:
        """[W] true everywhere: every segment can be edited."""
        return np.ones(len(self.start), bool)

    @property
    def n_steps(self) -> int:
        """The number of steps in the piece."""
        return len(self.step_start)

    @property
    def segment(self) -> Indices:
        """[T] the segment of each step."""
        return self.beats.segment[self.beat]

    @property
    def step_size(self) -> Floats:
        """[T + 1] ticks: how long the steps around the start of each step are, the shorter of the two."""
        size = self.beats.ticks(self.tpq)[self.beat] / self.divisions[self.beat]
        return np.asarray(np.minimum(np.append(size, size[-1]), np.append(size[0], size)))

    @property
    def time(self) -> Floats:
        """[T + 1] where each step begins, in sixteenths from the first."""
        return np.concatenate([[0.0], np.cumsum(self.sixteenths)])

    def start_beat(self) -> Floats:
        """[W] quarter notes from the start of the file."""
        return np.asarray(self.start / self.tpq)

    def ticks_moved(self, step: int, by: int) -> int:
        """By how many ticks something moves that goes from a step to the one `by` steps later, inside the piece."""
        before, after = self.step_ticks(np.array([step, step + by]))
        return int(after - before)

    def beat_at(self, ticks: Integers) -> Integers:
        """The number of the beat of each tick, from 0; what lies behind the last one belongs to it."""
        beat = np.searchsorted(self.beats.start, np.asarray(ticks) - self.late, side="right") - 1
        return np.maximum(beat, 0)

    def step_ticks(self, steps: Integers) -> Integers:
        """The tick of each step, where music that is late has it; the step after the last one is at the piece's end."""
        ticks = np.append(np.round(self.step_start).astype(np.int64), self.end[-1]) + self.late
        return np.asarray(np.maximum(ticks[np.clip(steps, 0, self.n_steps)], 0))

    def nearest_step(self, ticks: Integers) -> Integers:
        """The step nearest to each tick; half a step rounds up; clipped to the piece."""
        return np.searchsorted(self._middles, np.asarray(ticks), side="right")

    def earliest(self, steps: Integers) -> Integers:
        """The first tick whose nearest step is each step; NEVER for steps after the piece's end."""
        first = np.concatenate([[self.start[0]], np.ceil(self._middles - 1e-9).astype(np.int64), [NEVER]])
        return np.asarray(first[np.clip(steps, 0, self.n_steps + 1)])

    @property
    def _middles(self) -> Floats:
        """[T] the tick from which on the next step is nearer than this one."""
        edges = np.append(self.step_start, float(self.end[-1])) + self.late
        return np.asarray((edges[:-1] + edges[1:]) / 2)


def lateness(onsets: Integers, beats: Beats, tpq: int) -> int:
    """How many ticks different onsets lie behind the sixteenths of beats, all by as much; negative before them.

    0 where they keep to sixteenths, to within LATE of one, are fewer than FEWEST, or are not of one mind: triplets and
    performances are not.
    """
    if len(onsets) < FEWEST:
        return 0
    beat = np.clip(np.searchsorted(beats.start, onsets, side="right") - 1, 0, None)
    mean = np.exp(2j * np.pi * (onsets - beats.start[beat]) * 4 / tpq).mean()
    share = float(np.angle(mean)) / (2 * np.pi)  # of a sixteenth
    return round(share * tpq / 4) if abs(mean) >= TOGETHER and abs(share) > LATE else 0


def _pitched_onsets(piece: Piece) -> Integers:
    """The different onset ticks of all notes but drums', in ascending order."""
    pitched = [i for i, track in enumerate(piece.tracks) if not track.is_drum]
    return np.unique(piece.notes["onset"][np.isin(piece.notes["track"], pitched)])


def segments(piece: Piece, apart: Collection[int] = (), late: int = 0) -> Segments:
    """The segments of a piece, and its beats.

    The piece is cut up to the end of the bar in which its last note ends; music before the first bar line is a segment.
    Two short bars that are to stand `apart` become a segment each; what other bars are taken together does not change.
    late: ticks that the music lies behind its beats.
    """
    tpq, metre = piece.tpq, piece.metre
    end = max(piece.end, 1)
    if late:  # the last note may belong to a bar line that it comes before
        end = max(end, int(piece.notes["onset"].max(initial=0)) - late + tpq // 8)
    bars = metre.bar_starts(end)
    which = np.searchsorted(metre.ticks, bars, side="right") - 1
    lengths = metre.bar_lengths()
    stops = np.append(bars[1:], max(int(bars[-1] + lengths[which[-1]]), end))
    # A change of metre inside a bar cuts it short; a bar never runs over it.
    spans: list[tuple[int, int, int, int, int]] = []  # start, end, first bar, last bar, signature
    if bars[0] > 0:
        spans.append((0, int(bars[0]), 1, 1, int(which[0])))
    i = 0
    while i < len(bars):
        a, b, signature = int(bars[i]), int(stops[i]), int(which[i])
        quarters = lengths[signature] / tpq
        if quarters <= SHORT_BAR and i + 1 < len(bars) and which[i + 1] == signature:
            middle, last = b, int(stops[i + 1])
            if i + 1 in apart:
                spans += [(a, middle, i + 1, i + 1, signature), (middle, last, i + 2, i + 2, signature)]
            else:
                spans.append((a, last, i + 1, i + 2, signature))
            i += 2
            continue
        if quarters > LONG_BAR:
            beat = beat_quarters(metre, signature) * tpq
            half = a + round(np.ceil(lengths[signature] / beat / 2) * beat)
            if a < half < b:
                spans += [(a, half, i + 1, i + 1, signature), (half, b, i + 1, i + 1, signature)]
                i += 1
                continue
        spans.append((a, b, i + 1, i + 1, signature))
        i += 1
    start, finish, first_bar, last_bar, signatures = (np.array(column, np.int64) for column in zip(*spans, strict=True))
    return Segments(start, finish, first_bar, last_bar, _beats(start, finish, signatures, metre), late)


def beat_quarters(metre: MetreMap, signature: int) -> float:
    """The length of a beat in quarters: a quarter, three units of a compound metre, or an eighth."""
    numerator, denominator = int(metre.numerators[signature]), int(metre.denominators[signature])
    unit = 4 / denominator
    if denominator >= 8 and numerator % 3 == 0:
        return 3 * unit
    return 1.0 if (numerator * unit) % 1 == 0 else min(unit, 1.0)


def _beats(start: Integers, end: Integers, signatures: Integers, metre: MetreMap) -> Beats:
    rows: list[tuple[int, int, float, int, int]] = []
    for s, (a, b, signature) in enumerate(zip(start.tolist(), end.tolist(), signatures.tolist(), strict=True)):
        quarters = beat_quarters(metre, signature)
        count = max(int(np.ceil((b - a) / (quarters * metre.tpq) - 1e-6)), 1)
        edges = [a + round(k * quarters * metre.tpq) for k in range(count)] + [b]
        if s == 0 and a == 0 and (b - a) % max(round(quarters * metre.tpq), 1) and len(start) > 1:
            # A pick-up is counted back from the bar line.
            edges = [a, *(b - round(k * quarters * metre.tpq) for k in range(count - 1, -1, -1))]
        rows += [(x, y, quarters, s, k) for k, (x, y) in enumerate(pairwise(edges)) if y > x]
    first, last, lengths, segment, number = zip(*rows, strict=True)
    return Beats(
        np.array(first, np.int64),
        np.array(last, np.int64),
        np.array(lengths, np.float64),
        np.array(segment, np.int64),
        np.array(number, np.int64),
    )


def beat_divisions(onsets: Integers, beats: Beats, tpq: int) -> Integers:
    """[B] in how many steps each beat is cut, from the different onset ticks of a piece in ascending order.

    The cut that explains the beat's onsets best: each lies off its step by a normal deviation, the same for the whole
    piece, and a step is taken for granted as little as the cut has many. Another cut than the usual one must win by
    UNUSUAL_CUT nats.
    """
    b = np.clip(np.searchsorted(beats.start, onsets, side="right") - 1, 0, len(beats.start) - 1)
    at = (onsets - beats.start[b]) / tpq  # quarters
    if beats.length is not None:
        at = (onsets - beats.start[b]) / beats.length[b] * beats.quarters[b]
    out = np.array([CUTS.get(float(q), (4,))[0] for q in beats.quarters], np.int64)
    options = sorted({cut for cuts in CUTS.values() for cut in cuts})
    off = {n: _off_step(at, beats.quarters[b] / n) for n in options}
    allowed = {n: np.array([n in CUTS.get(float(q), (4,)) for q in beats.quarters]) for n in options}
    best = np.min([np.where(allowed[n][b], np.abs(off[n]), np.inf) for n in options], axis=0) if len(b) else at
    best = best[np.isfinite(best)]
    deviation = float(np.clip(1.48 * np.median(best), TIGHT, LOOSE)) if len(best) else TIGHT
    cost = np.full((len(beats.start), len(options)), np.inf)
    for k, n in enumerate(options):
        each = np.minimum(np.abs(off[n]) / deviation, FARTHEST) ** 2 / 2 + np.log(n)
        total = np.bincount(b, each, len(beats.start))
        price = np.where(n == out, 0.0, UNUSUAL_CUT) + np.where(n > out, FINER_CUT, 0.0)
        cost[:, k] = np.where(allowed[n], total + price, np.inf)
    known = np.isfinite(cost).any(1)
    return np.where(known, np.array(options)[cost.argmin(1)], out)


def _off_step(at: Floats, step: Floats) -> Floats:
    """How far each time lies from the nearest multiple of its step."""
    return at - np.round(at / step) * step
