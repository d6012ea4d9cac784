"""A MusicXML score as it is written: parts, measures and notes with their times, keys, metres, tempos and loudness.

Every measure is read once, as it stands: repeats and endings are not unfolded. Ticks are `tpq` a quarter; those of a
measure's content count from its start. What sounds is at concert pitch: transposing instruments are moved.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

USUAL_LOUDNESS = 80  # a velocity where the score says nothing
PERCENT = 90 / 100  # velocities of a percent of MusicXML's loudness


@dataclass
class WrittenNote:
    """A note of a part; tied ones are one note each."""

    element: Element
    measure: int
    onset: int  # from the start of the measure
    length: int
    pitch: int  # that sounds
    staff: int
    voice: str
    tied_back: bool
    tied_on: bool
    loudness: int | None = None  # its own velocity
    drum: bool = False


@dataclass
class PartMeasure:
    """A measure of one part."""

    element: Element
    divisions: float  # of a quarter, at its start
    transposition: int  # semitones from what is written to what sounds, at its start
    fifths: int  # of the key that is written, at its start
    length: int = 0  # of what is written


@dataclass
class WrittenPart:
    """A part of a score."""

    number: int  # from 1
    name: str
    program: int
    element: Element
    unpitched: dict[str, int]  # instrument -> MIDI pitch of its unpitched notes
    measures: list[PartMeasure] = field(default_factory=list)
    notes: list[WrittenNote] = field(default_factory=list)
    staves: int = 1
    loudness: dict[int | None, list[tuple[int, int, int]]] = field(
        default_factory=dict
    )  # staff -> measure, tick, value
    is_drum: bool = False


@dataclass
class Measure:
    """A measure of the whole score."""

    start: int  # tick from the start of the score
    length: int
    numerator: int  # of what it lasts, which for an upbeat is not the metre
    denominator: int


@dataclass(frozen=True)
class TempoMark:
    """Where a tempo is written: a `sound` with a tempo, or a metronome mark of so many quarters a beat."""

    tick: int
    rate: float  # quarters a minute
    element: Element
    unit: float  # quarters of its beat; of a `sound` 1


@dataclass
class WrittenScore:
    """What was read. `warnings` say what was left out."""

    title: str
    tpq: int
    parts: list[WrittenPart]
    measures: list[Measure]
    tempos: list[tuple[int, float]]  # tick, quarters a minute
    marks: list[TempoMark]
    keys: list[tuple[int, int, bool]]  # tick, sharps, whether it is minor; at concert pitch
    warnings: list[str]


def loudness_at(part: WrittenPart, note: WrittenNote) -> int:
    """The velocity of a note: its own, or that of the last dynamics before it on its staff or part."""
    if note.loudness is not None:
        return note.loudness
    place = (note.measure, note.onset, 128)
    told = []
    for staff in (None, note.staff):
        rows = part.loudness.get(staff, [])
        i = bisect_right(rows, place)
        told += rows[i - 1 : i] if i else []
    return max(told)[2] if told else USUAL_LOUDNESS
