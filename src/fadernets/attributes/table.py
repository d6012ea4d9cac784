"""The table of musical attributes that everything reads: what a fader can ask for, and what `measure` reports.

An attribute of cells takes cells [..., 16, 88] and gives one number a segment; one of a performance takes a
`performed.Performance` and gives one number a window (a short last window among them), both in the attribute's own
unit. To add one: write its function and add a row here, or call `register`, or name it as an entry point (`plugins`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from fadernets import plugins
from fadernets.arrays import Array, Cells, Floats
from fadernets.attributes import performed
from fadernets.attributes.keys import KEY_NAMES
from fadernets.attributes.of_cells import (
    MAX_VOICES,
    key,
    note_density,
    rhythm_density,
    syncopation,
)
from fadernets.attributes.performed import Performance
from fadernets.attributes.step_counts import StepCount
from fadernets.codecs.grid import PITCHES, STEPS
from fadernets.errors import FadernetsError, said_of
from fadernets.music.notes import MetreMap, Piece, TempoMap, Track, make_notes
from fadernets.music.segments import cut

CLOSE = 1e-6  # in the attribute's unit: nearer than this, a window has what is asked of it


@dataclass(frozen=True)
class Attribute:
    """A row of the table: what a fader can ask for.

    `change` is how a user's attribute of a performance is moved: `change(performance, asked)` takes the notes of the
    edited tracks and the value asked of each window [W], nan where a window stays, and gives the performance that comes
    as near to it as notes can: `dataclasses.replace(performance, notes=...)` with the same N notes in the same order,
    whose onset, end (ticks), pitch and velocity may be others, and, if need be, another tempo map. Without it the
    attribute is measured and cannot be moved. Attributes of cells are moved by search and need none.
    """

    name: str
    measure: Callable[[Any], Array]
    low: float
    high: float
    unit: str
    near: float = 0.0  # how far from the asked value still counts as reached; 0, when registered: a 40th of the range
    grain: float = 0.0  # values that exist are multiples of this; 0: any
    of: Literal["cells", "performance"] = "cells"  # what `measure` takes
    names: tuple[str, ...] = ()  # of its values 0, 1, ..., where they are kinds
    change: Callable[[Performance, Floats], Performance] | None = None

    @property
    def option(self) -> str:
        """The name as the command line spells it."""
        return self.name.replace("_", "-")


@dataclass(frozen=True, kw_only=True)
class CodedAttribute(Attribute):
    """A row of the table that a model moves: an attribute with a code and a regularised dimension of its own.

    The attribute is the mean of `count` over the sixteen steps of a segment. Two rows share a code where `code` is the
    same; each then needs a `dimension` of its own. The row is all that data sets, models, exported graphs and engines
    read: add one, prepare the data anew and train.
    """

    code: str  # the model's code that holds it
    dimension: int = 0  # z^d: the dimension of the code that is regularised
    term: str  # the name of its terms in a loss
    count: StepCount
    gain: float  # a network is given gain * value - shift, a number of order one
    shift: float
    reach: tuple[float, float]  # a step is asked to make up for at most reach[0] * value + reach[1]

    @property
    def levels(self) -> int:
        """How many values a classifier tells apart: multiples of the grain, or of one, from `low` to `high`."""
        return round((self.high - self.low) / (self.grain or 1.0)) + 1


class AttributeTable(plugins.Table[Attribute]):
    """Name -> row, in the order of reports. Attributes of installed packages join at the first look-up."""

    def __init__(self, rows: dict[str, Attribute]) -> None:
        super().__init__(plugins.ATTRIBUTES, Attribute, rows)

    def accept(self, name: str, value: Any) -> None:
        """Register an entry point's object. Raises TypeError or ValueError for one that cannot be a fader."""
        self.check(name, value)
        register(value)


# What models, data sets and protocols know, in the order of their codes and columns.
CODED: dict[str, CodedAttribute] = {
    row.name: row
    for row in (
        CodedAttribute(
            "rhythm_density",
            rhythm_density,
            0.0,
            1.0,
            "onset steps a sixteenth",
            near=1 / STEPS,
            grain=1 / STEPS,
            code="rhythm",
            term="rhythm",
            count=StepCount(1, holds=False, states=True),
            gain=2.0,
            shift=1.0,
            reach=(0.0, 1.0),
        ),
        CodedAttribute(
            "note_density",
            note_density,
            0.0,
            float(MAX_VOICES),
            "notes sounding a step",
            near=0.5,
            code="note",
            term="note",
            count=StepCount(MAX_VOICES),
            gain=0.25,
            shift=0.5,
            reach=(1.5, 0.5),
        ),
    )
}
PAPER_FADERS = tuple(CODED)  # what checkpoints and model folders move that do not say otherwise
# What faders can ask for: those of the model first.
ATTRIBUTES = AttributeTable(
    CODED
    | {
        row.name: row
        for row in (
            Attribute("syncopation", syncopation, 0.0, 16.0, "Longuet-Higgins and Lee", near=1.0, grain=1.0),
            Attribute("pitch", performed.pitch, 21.0, 108.0, "MIDI number, mean", near=0.5, of="performance"),
            Attribute("key", key, 0.0, 23.0, "key", near=0.5, grain=1.0, names=KEY_NAMES),
            Attribute("dynamics", performed.dynamics, 1.0, 127.0, "velocity, mean", near=1.0, of="performance"),
            Attribute(
                "articulation",
                performed.articulation,
                0.05,
                1.0,
                "share of the time to the next onset within an octave",
                near=0.05,
                of="performance",
            ),
            Attribute("tempo", performed.tempo, 20.0, 300.0, "quarter notes a minute", near=1.0, of="performance"),
        )
    }
)


USER_DEFINED: set[str] = set()  # names of attributes that a user or a plugin registered
RESERVED = ("index", "bar", "last_bar", "start_beat", "arousal")  # what else a report or a file of values has by name


def register(row: Attribute) -> None:
    """Make an attribute a fader that `apply`, `measure`, `evaluate`, presets and the studio know.

    `row.measure` takes cells [K, 16, 88] (0 off, 1 onset, 2 hold) and gives [K] numbers, or, with `of="performance"`,
    takes a `Performance` and gives [W] numbers; nan where there is nothing to measure. A second call with the same name
    replaces the first. Raises ValueError (FadernetsError for what is no Attribute) for a row that cannot be a fader.

        >>> from fadernets import Attribute, register
        >>> register(Attribute("struck_notes", lambda cells: (cells == 1).sum((1, 2)), 0, 64, "onsets a segment"))
    """
    if not isinstance(row, Attribute):
        raise FadernetsError(
            f"register takes an Attribute(name, function, lowest, highest, unit), not a {type(row).__name__}"
        )
    if not isinstance(row.name, str) or not callable(row.measure):
        raise FadernetsError("an Attribute begins with its name, a text, and the function that measures it")
    if not all(isinstance(end, (int, float, np.number)) for end in (row.low, row.high)):
        raise FadernetsError(f"attribute {row.name}: its range is two numbers, not {row.low!r} and {row.high!r}")
    if row.name in ATTRIBUTES and row.name not in USER_DEFINED:
        raise ValueError(f"attribute {row.name}: exists already, as one of {', '.join(ATTRIBUTES)}")
    if row.name in RESERVED:
        raise ValueError(f"attribute {row.name}: the name is taken in reports, as are {', '.join(RESERVED)}")
    if not row.name.isidentifier() or row.name != row.name.lower():
        raise ValueError(f"attribute {row.name!r}: needs a name in small letters, digits and underscores")
    if row.of not in ("cells", "performance") or row.names:
        raise ValueError(f"attribute {row.name}: needs a function of cells or of a performance that gives numbers")
    if row.change is not None and row.of == "cells":
        raise ValueError(
            f"attribute {row.name}: search moves attributes of cells; `change` is for those of performances"
        )
    if not (row.low < row.high and np.isfinite([row.low, row.high]).all()):
        raise ValueError(f"attribute {row.name}: its range {row.low:g}..{row.high:g} is empty or without end")
    trial = np.zeros((2, STEPS, PITCHES), np.uint8) if row.of == "cells" else _trial_performance()
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            shape = np.shape(row.measure(trial))
    except Exception as error:
        raise ValueError(f"attribute {row.name}: fails on two segments: {said_of(error)}") from error
    if shape != (2,):
        raise ValueError(f"attribute {row.name}: gives numbers of shape {shape} for two segments, not (2,)")
    measure = _checked_measure(row)
    change = None if row.change is None else _checked_change(row.name, measure, row.change)
    near = row.near or (row.high - row.low) / 40
    checked = replace(row, measure=measure, near=near, change=change)
    if isinstance(checked, CodedAttribute):
        _check_place(checked)
        CODED[row.name] = checked
    ATTRIBUTES[row.name] = checked
    USER_DEFINED.add(row.name)


def _check_place(row: CodedAttribute) -> None:
    """Raises ValueError where another coded attribute has the row's dimension of its code, or its name in losses."""
    for other in CODED.values():
        if other.name != row.name and ((other.code, other.dimension) == (row.code, row.dimension)):
            raise ValueError(f"attribute {row.name}: dimension {row.dimension} of {row.code} is that of {other.name}")
        if other.name != row.name and other.term == row.term:
            raise ValueError(f"attribute {row.name}: terms of a loss are named {row.term} by {other.name} already")


def is_movable(row: Attribute) -> bool:
    """Whether a fader can move the attribute: one of a performance that a user registered needs its `change`."""
    return row.of == "cells" or row.change is not None or row.name not in USER_DEFINED


def _trial_performance() -> Performance:
    """Two windows with a note each, to try a new attribute on."""
    tpq = 480
    notes = make_notes([(0, tpq, 60, 64, 0), (4 * tpq, 5 * tpq, 60, 64, 0)])
    tempo = TempoMap.of([], tpq)
    return Performance.of(notes, cut(Piece(notes, tpq, tempo, MetreMap.of([], tpq), [Track("", 0, 0)])), tempo)


def _checked_measure(row: Attribute) -> Callable[[Any], Floats]:
    """A user's function as one that gives a number a segment, nan where it has none, or raises FadernetsError."""

    def measure(source: Any) -> Floats:
        try:
            with np.errstate(divide="ignore", invalid="ignore"):
                values = np.asarray(row.measure(source), np.float64)
        except Exception as error:
            raise FadernetsError(f"attribute {row.name}: {said_of(error)}") from error
        expected = source.windows.start.shape if isinstance(source, Performance) else source.shape[:-2]
        if values.shape != expected:
            raise FadernetsError(f"attribute {row.name}: gave {values.shape} numbers for {expected} segments")
        return np.where(np.isfinite(values), values, np.nan)

    return measure


def _checked_change(
    name: str,
    measure: Callable[[Performance], Floats],
    change: Callable[[Performance, Floats], Performance],
) -> Callable[[Performance, Floats], Performance]:
    """A user's change of notes as one that leaves alone what it is not asked to move, or raises FadernetsError."""

    def checked(source: Performance, asked: Floats) -> Performance:
        asked = np.where(np.abs(asked - measure(source)) <= CLOSE, np.nan, asked)
        if np.isnan(asked).all():
            return source
        try:
            with np.errstate(divide="ignore", invalid="ignore"):
                after = change(replace(source, notes=source.notes.copy()), asked.copy())
            notes, tempo = after.notes, after.tempo
        except Exception as error:
            raise FadernetsError(f"attribute {name}: {said_of(error)}") from error
        if notes.dtype != source.notes.dtype or notes.shape != source.notes.shape:
            raise FadernetsError(f"attribute {name}: its change must give the same {len(source.notes)} notes, changed")
        notes = np.where(np.isnan(asked)[source.window], source.notes, notes)
        altered = notes[notes != source.notes]
        possible = (altered["onset"] >= 0) & (altered["end"] > altered["onset"])
        possible &= (altered["pitch"] <= 127) & (altered["velocity"] >= 1) & (altered["velocity"] <= 127)
        if not possible.all() or (notes["track"] != source.notes["track"]).any():
            raise FadernetsError(
                f"attribute {name}: its change gave a note that no MIDI file can hold (ticks from 0, an end behind the "
                "onset, pitch 0..127, velocity 1..127, in its own track)"
            )
        return replace(source, notes=notes, tempo=tempo)

    return checked


def coded(names: Iterable[str] | None = None) -> dict[str, CodedAttribute]:
    """The rows of these coded attributes, in their order; by default all, those of installed packages among them.

    Raises FadernetsError for a name that lives in no code.
    """
    _ = len(ATTRIBUTES)  # installed packages join
    names = list(CODED if names is None else names)
    unknown = [name for name in names if name not in CODED]
    if unknown:
        raise FadernetsError(f"attribute {unknown[0]!r} lives in no code here; those that do: {', '.join(CODED)}")
    return {name: CODED[name] for name in names}


def measure(cells: Cells) -> dict[str, Floats]:
    """The coded attributes of cells [S, 16, 88]: name -> [S]."""
    return {name: row.measure(cells) for name, row in CODED.items()}
