"""Note values: how a length in a bar is written, what is beamed, and where tuplets stand.

Places and lengths are divisions of a bar (`score_time`). A note is split and tied where it would hide a beat: it may
run over a beat only if it begins and ends where a reader expects that. Rests are split more strictly than notes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from fadernets.rendering.score_time import DIVISIONS, Bar

Q = DIVISIONS
EIGHTH = Q // 2
# Divisions -> note value and number of dots.
PLAIN = {8 * Q: "breve", 4 * Q: "whole", 2 * Q: "half", Q: "quarter", Q // 2: "eighth", Q // 4: "16th", Q // 8: "32nd"}
PLAIN |= {Q // 16: "64th"}
VALUES = {length: (name, 0) for length, name in PLAIN.items()}
VALUES |= {length * 3 // 2: (name, 1) for length, name in PLAIN.items() if length % 2 == 0}
FLAGS = {"eighth": 1, "16th": 2, "32nd": 3, "64th": 4}  # how many beams a value has
THREES = {5: (3, 2), 7: (2, 2, 3), 8: (3, 3, 2), 11: (3, 3, 3, 2), 13: (3, 3, 3, 2, 2)}  # eighths beamed together


@dataclass(frozen=True)
class Metre:
    """The inner order of a bar; `offset` is where a bar that is cut short at its front begins."""

    numerator: int
    denominator: int
    length: int
    offset: int = 0

    @classmethod
    def of(cls, bar: Bar, upbeat: bool = False) -> Metre:
        """The metre of a bar. An upbeat takes the last places of it."""
        return cls(bar.numerator, bar.denominator, bar.length, max(bar.full - bar.length, 0) if upbeat else 0)

    @property
    def unit(self) -> int:
        """The divisions of the lower number."""
        return 4 * Q // self.denominator

    @property
    def compound(self) -> bool:
        """Whether three units are a beat."""
        return self.numerator % 3 == 0 and self.denominator >= 8

    @property
    def beat(self) -> int:
        """The divisions of a beat: three units in compound metres, a quarter or less in simple ones."""
        return 3 * self.unit if self.compound else min(self.unit, Q)

    def groups(self) -> tuple[int, ...]:
        """Where what is beamed together begins, with the end of the bar: beats, or twos and threes in 5/8 and 7/8."""
        return _groups(self)

    def strength(self, place: int) -> int:
        """How strong a place of the bar is, from 0; beats have 4 at least."""
        at = place + self.offset
        if at == 0:
            return 9
        uneven = self.numerator in THREES and self.denominator >= 8
        strong = place in self.groups() if uneven else at % self.beat == 0
        if strong:
            if self.compound:
                return 6 if self.numerator == 12 and at == 6 * self.unit else 5
            four = self.numerator % 4 == 0 or (self.numerator % 2 == 0 and self.unit > Q)
            if four and at * 2 == self.numerator * self.unit:
                return 6
            return 5 if at % self.unit == 0 else 4
        return 3 if at % EIGHTH == 0 else 2 if at % (Q // 4) == 0 else 1 if at % (Q // 8) == 0 else 0


@lru_cache(4096)
def _groups(metre: Metre) -> tuple[int, ...]:
    edges, at = [0], -metre.offset
    if metre.numerator in THREES and metre.denominator >= 8:
        sizes = [metre.unit * size for size in THREES[metre.numerator]]
    else:
        count = -(-metre.length // metre.beat) + -(-metre.offset // metre.beat) + 1
        sizes = [metre.beat] * count
    for size in sizes:
        at += size
        if 0 < at < metre.length:
            edges.append(at)
    return (*edges, metre.length)


@lru_cache(65536)
def note_values(metre: Metre, a: int, b: int) -> tuple[int, ...]:
    """The note from a to b of a bar as lengths of tied notes."""
    if b <= a:
        return ()
    if b - a in VALUES and _readable(metre, a, b):
        return (b - a,)
    cut = _strongest(metre, a, b)
    if cut is None:
        return (b - a,) if b - a in VALUES else _greedy(b - a)
    return note_values(metre, a, cut) + note_values(metre, cut, b)


def _readable(metre: Metre, a: int, b: int) -> bool:
    """Whether one note from a to b leaves the beats visible."""
    inside = [p for p in metre.groups() if a < p < b]
    if metre.unit > Q:  # beats are quarters there as well
        inside = [p for p in range(Q - metre.offset % Q, metre.length, Q) if a < p < b]
    if not inside or (a == 0 and b == metre.length):
        return True
    strongest = max(metre.strength(p) for p in inside)
    if metre.strength(a) >= 4:
        if metre.strength(a) < strongest == 6:  # over the middle of the bar from beat to beat
            return metre.strength(b) >= 4 or b == metre.length
        if metre.compound or metre.numerator in THREES:
            return metre.strength(b) >= 4 or b == metre.length
        return metre.strength(b) >= 3 or b == metre.length
    if metre.compound or strongest == 6 or metre.denominator > 8:
        return False
    return len(inside) == 1 and metre.strength(a) == 3 and metre.strength(b) >= 3


def _strongest(metre: Metre, a: int, b: int) -> int | None:
    """The strongest place between a and b: the last of equals for what begins on a beat, else the first."""
    step = Q // 16
    places = [*range(a - a % step + step, b, step)]
    places = [p for p in places if a < p < b]
    if not places:
        return None
    late = metre.strength(a) >= 4
    return max(places, key=lambda p: (metre.strength(p), p if late else -p))


def _greedy(length: int) -> tuple[int, ...]:
    values: list[int] = []
    while length > 0:
        value = max((v for v in VALUES if v <= length), default=length)
        values.append(value)
        length -= value
    return tuple(values)


@lru_cache(65536)
def rest_values(metre: Metre, a: int, b: int) -> tuple[int, ...]:
    """The silence from a to b of a bar as lengths of rests; none runs over a beat that it does not begin on."""
    values = []
    while a < b:
        edge = min((p for p in metre.groups() if p > a), default=metre.length)
        sizes = [v for v in _rests_at(metre, a, edge) if v <= b - a]
        values.append(max(sizes, default=min(b, edge) - a))
        a += values[-1]
    return tuple(values)


def _rests_at(metre: Metre, a: int, edge: int) -> list[int]:
    """The rests that may begin at a place; edge: where the next beat begins."""
    at = a + metre.offset
    if metre.numerator in THREES and metre.denominator >= 8:
        return [v for v in PLAIN if v <= edge - a]
    if not metre.compound:
        widest = metre.unit if metre.numerator % 2 else 2 * metre.unit
        return [v for v in PLAIN if at % v == 0 and (v <= edge - a or v <= widest)]
    within = at % metre.beat
    sizes = [v for v in PLAIN if within % v == 0 and v <= edge - a and (v <= metre.unit or within == 0)]
    if within == 0:
        sizes.append(metre.beat)
        if metre.numerator == 12 and at % (2 * metre.beat) == 0:
            sizes.append(2 * metre.beat)
    return sizes


@dataclass(frozen=True)
class Tuplet:
    """Part of a bar in which `actual` notes of a value stand for `normal` of them."""

    start: int
    length: int
    actual: int
    normal: int
    value: str  # the note value that is counted

    @property
    def end(self) -> int:
        """The first division behind it."""
        return self.start + self.length


def tuplets(metre: Metre, places: set[int]) -> list[Tuplet]:
    """The tuplets of one voice of a bar; places: where its notes and rests begin and end."""
    found: list[Tuplet] = []
    if metre.compound:
        for at in range(-(metre.offset % EIGHTH), metre.length, EIGHTH):
            if any(p % (Q // 16) for p in places if at < p < at + EIGHTH):
                found.append(Tuplet(at, EIGHTH, 3, 2, "16th"))
        return [t for t in found if t.start >= 0 and t.end <= metre.length]
    at = -(metre.offset % Q)
    while at < metre.length:
        inside = [p - at for p in places if at < p < at + 2 * Q]
        wide = metre.unit >= Q and (at + metre.offset) % (2 * Q) == 0 and metre.numerator % 2 == 0
        if wide and at + 2 * Q <= metre.length and inside and all(p % (2 * Q // 3) == 0 for p in inside):
            found.append(Tuplet(at, 2 * Q, 3, 2, "quarter"))
            at += 2 * Q
            continue
        inner = {p - at for p in places if at < p < min(at + Q, metre.length)}
        found += [Tuplet(at + t.start, t.length, t.actual, t.normal, t.value) for t in _of_beat(inner)]
        at += Q
    return [t for t in found if t.start >= 0 and t.end <= metre.length]


def _of_beat(inner: set[int]) -> list[Tuplet]:
    """The tuplets of a quarter, from the places inside it."""
    odd = [p for p in inner if p % (Q // 16) and p % (Q // 24) == 0]
    if not odd:
        return []
    if EIGHTH not in inner:
        if any(p % (Q // 3) == 0 for p in inner):
            return [Tuplet(0, Q, 3, 2, "eighth")]
        return [Tuplet(0, Q, 6, 4, "16th")]
    halves = [any(p < EIGHTH for p in odd), any(p > EIGHTH for p in odd)]
    if all(halves):
        return [Tuplet(0, Q, 6, 4, "16th")]
    return [Tuplet(EIGHTH if halves[1] else 0, EIGHTH, 3, 2, "16th")]


@lru_cache(65536)
def tuplet_values(tuplet: Tuplet, a: int, b: int) -> tuple[int, ...]:
    """What lasts from a to b in a tuplet as lengths of notes that it can show."""
    if b <= a:
        return ()
    if nominal(tuplet, b - a) in VALUES:
        return (b - a,)
    unit = tuplet.length // tuplet.actual
    cuts = [p for p in range(tuplet.start, tuplet.end, unit) if a < p < b]
    if not cuts:
        return (b - a,)
    late = (a - tuplet.start) % unit == 0
    cut = cuts[-1] if late else cuts[0]
    return tuplet_values(tuplet, a, cut) + tuplet_values(tuplet, cut, b)


def nominal(tuplet: Tuplet | None, length: int) -> int:
    """The length that a note in a tuplet would have outside of it."""
    return length if tuplet is None else length * tuplet.actual // tuplet.normal


def beams(metre: Metre, symbols: list[tuple[int, str, bool]]) -> list[list[str]]:
    """The beams of each symbol of a voice, by level: begin, continue, end or a hook.

    symbols: place in the bar, note value, and whether it is a rest.
    """
    marks: list[list[str]] = [[] for _ in symbols]
    groups = _beam_groups(metre, symbols)
    run: list[int] = []
    group = -1
    for i, (place, value, rest) in enumerate(symbols):
        here = max(g for g, edge in enumerate(groups) if edge <= place)
        if rest or value not in FLAGS or here != group:
            _beam(symbols, run, marks)
            run = []
        group = here
        if not rest and value in FLAGS:
            run.append(i)
    _beam(symbols, run, marks)
    return marks


def _beam_groups(metre: Metre, symbols: list[tuple[int, str, bool]]) -> list[int]:
    """Beats; two beats of nothing but eighths are one group in 2/4 and 4/4."""
    edges = list(metre.groups())
    if metre.unit != Q or metre.numerator not in (2, 4):
        return edges
    for edge in [e for e in edges if (e + metre.offset) % (2 * Q) == Q and 0 < e < metre.length]:
        near = [(p, v, r) for p, v, r in symbols if edge - Q <= p < edge + Q]
        if len(near) == 4 and all(v == "eighth" and not r and p % EIGHTH == 0 for p, v, r in near):
            edges.remove(edge)
    return edges


def _beam(symbols: list[tuple[int, str, bool]], run: list[int], marks: list[list[str]]) -> None:
    if len(run) < 2:
        return
    flags = [FLAGS[symbols[i][1]] for i in run]
    for k, i in enumerate(run):
        for level in range(1, flags[k] + 1):
            before = k > 0 and flags[k - 1] >= level
            after = k + 1 < len(run) and flags[k + 1] >= level
            if before and after:
                marks[i].append("continue")
            elif before:
                marks[i].append("end")
            elif after:
                marks[i].append("begin")
            else:
                marks[i].append("backward hook" if k else "forward hook")
