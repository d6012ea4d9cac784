"""One voice of one bar as symbols: notes and rests with their values, ties, tuplets and beams."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import pairwise

from fadernets.rendering.score_time import DIVISIONS, Bar
from fadernets.rendering.score_values import (
    VALUES,
    Metre,
    Tuplet,
    beams,
    nominal,
    note_values,
    rest_values,
    tuplet_values,
    tuplets,
)
from fadernets.rendering.score_voices import Chord


@dataclass
class Symbol:
    """A note, chord or rest of one value; place and length in divisions of its bar."""

    place: int
    length: int
    rows: tuple[int, ...] = ()  # of the piece's notes; none for a rest
    hidden: bool = False  # a rest of the second voice, which only counts time
    tied_back: bool = False
    tied_on: bool = False
    tuplet: Tuplet | None = None
    whole_bar: bool = False
    beams: list[str] = field(default_factory=list)
    opens: bool = False  # a tuplet begins
    closes: bool = False  # a tuplet ends

    @property
    def value(self) -> tuple[str, int]:
        """Name of the note value and number of dots."""
        return VALUES.get(nominal(self.tuplet, self.length), ("quarter", 0))


@dataclass(frozen=True)
class Slice:
    """What a chord sounds in one bar, from a to b."""

    a: int
    b: int
    chord: Chord


def by_bar(line: list[Chord], bars: list[Bar]) -> list[list[Slice]]:
    """The chords of a voice, cut at bar lines: a list a bar."""
    found: list[list[Slice]] = [[] for _ in bars]
    starts = [bar.start for bar in bars]
    for chord in line:
        i = bisect_right(starts, chord.onset) - 1
        while i < len(bars) and bars[i].start < chord.end:
            bar = bars[i]
            found[i].append(Slice(max(chord.onset, bar.start) - bar.start, min(chord.end, bar.end) - bar.start, chord))
            i += 1
    return found


def symbols_of(slices: list[Slice], bar: Bar, metre: Metre, second: bool) -> list[Symbol]:
    """The symbols of one voice of a bar, without gaps; `second`: its rests are hidden."""
    if not slices and bar.length == bar.full:
        return [Symbol(0, bar.length, whole_bar=True, hidden=second)]
    spans: list[tuple[int, int, Slice | None]] = []
    at = 0
    for each in slices:
        if each.a > at:
            spans.append((at, each.a, None))
        spans.append((each.a, each.b, each))
        at = each.b
    if at < bar.length:
        spans.append((at, bar.length, None))
    spans = _halved_rests(spans, metre)
    groups = tuplets(metre, {p for a, b, _ in spans for p in (a, b)})
    found: list[Symbol] = []
    for a, b, sounding in spans:
        made = _span(a, b, sounding, metre, groups, second)
        if sounding is not None:
            for symbol in made:
                symbol.tied_back = bar.start + symbol.place > sounding.chord.onset
                symbol.tied_on = bar.start + symbol.place + symbol.length < sounding.chord.end
        found += made
    for group in groups:
        inside = [s for s in found if s.tuplet is group]
        if inside:
            inside[0].opens = inside[-1].closes = True
    marks = beams(metre, [(s.place, s.value[0], not s.rows) for s in found])
    for symbol, mark in zip(found, marks, strict=True):
        symbol.beams = mark
    return found


def _halved_rests(spans: list[tuple[int, int, Slice | None]], metre: Metre) -> list[tuple[int, int, Slice | None]]:
    """Rests cut in the middle of quarters with sixteenths in threes, so that only half of the quarter is a tuplet."""
    sixth = DIVISIONS // 6
    places = {p for a, b, _ in spans for p in (a, b)}
    middles = set()
    for place in places:
        at = (place + metre.offset) % DIVISIONS
        if not metre.compound and at in (sixth, 5 * sixth):
            middles.add(place - at + DIVISIONS // 2)
    found: list[tuple[int, int, Slice | None]] = []
    for a, b, sounding in spans:
        cuts = sorted(p for p in middles if a < p < b) if sounding is None else []
        found += [(x, y, sounding) for x, y in pairwise([a, *cuts, b])]
    return found


def _span(a: int, b: int, each: Slice | None, metre: Metre, groups: list[Tuplet], second: bool) -> list[Symbol]:
    """One note or silence from a to b of a bar, cut where tuplets begin and end."""
    edges = sorted({a, b, *(p for g in groups for p in (g.start, g.end) if a < p < b)})
    found: list[Symbol] = []
    for x, y in pairwise(edges):
        group = next((g for g in groups if g.start <= x and y <= g.end), None)
        if group is not None:
            values = tuplet_values(group, x, y)
        else:
            values = (note_values if each is not None else rest_values)(metre, x, y)
        for value in values:
            rows = each.chord.rows if each is not None else ()
            found.append(Symbol(x, value, rows, hidden=second and each is None, tuplet=group))
            x += value
    return found
