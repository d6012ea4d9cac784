"""Types of the studio's HTTP API that its rooms share: models, attributes, presets and pieces.

Each room adds its own (`edit_types`, `melody_types`, `inspect_types`); the page's types are generated from all of them.
Ticks are those of the piece (`tpq` to a quarter note), bars count from 1, attributes are in their own units.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from fadernets.web.types import ModelInfo

MOST_CLIPS = 64  # two bars each, of a melody
Value = float | str | None  # of an attribute: a name such as a key, or null where there is nothing to measure
Pitch = Annotated[int, Field(ge=0, le=127)]


# --- what the server offers


class AttributeInfo(BaseModel):
    """An attribute with its fader's range."""

    name: str
    option: str  # of `fadernets apply`, without the dashes
    unit: str
    low: float
    high: float  # a model's own `high` comes first
    near: float  # a measured value this close to the requested one counts as reached
    grain: float
    names: list[str]  # of the values, for an attribute that is a choice such as the key; empty for numbers
    coded: bool  # one of the model's own attributes: without a request it is held at its value


class PresetInfo(BaseModel):
    """A preset of faders."""

    name: str
    about: str
    moves: dict[str, str]  # attribute -> its change for amount 1, in words
    codes: bool  # the paper's preset, which shifts the model's codes and moves no faders


class PieceName(BaseModel):
    """A bundled piece."""

    id: str
    title: str


class AboutResponse(BaseModel):
    """What the server offers, and its limits."""

    version: str
    models: list[ModelInfo]
    attributes: list[AttributeInfo]
    presets: list[PresetInfo]
    pieces: list[PieceName]
    most_bytes: int
    most_bars: int
    port: str | None  # the name of the MIDI port that --midi-port opened


class FolderPiece(BaseModel):
    """A file of the watched folder."""

    name: str
    id: str
    edited: str | None  # the name of the newest edit beside it


class FolderInfo(BaseModel):
    """The watched folder; null where none is."""

    folder: str | None
    pieces: list[FolderPiece]


class FolderWritten(BaseModel):
    """The name of the file that was written."""

    name: str


# --- a piece


class Notes(BaseModel):
    """Columns of N notes, sorted by onset then pitch."""

    onset: list[int]
    end: list[int]
    pitch: list[int]
    velocity: list[int]
    track: list[int]


class TrackInfo(BaseModel):
    """A track of a piece."""

    number: int  # from 1
    name: str
    program: int
    drum: bool
    edited: bool  # whether edits change this track


class SegmentInfo(BaseModel):
    """Four quarter notes of a piece with their attribute values."""

    index: int
    bar: int
    start: int
    end: int
    values: dict[str, Value]
    arousal: float | None


class PieceInfo(BaseModel):
    """A piece with its notes, its maps of tempo and metre, and what its segments measure."""

    id: str
    title: str
    model: str
    tpq: int
    end: int
    seconds: float
    bars: list[int]  # ticks of the bar lines, with the end of the last bar
    tempo: list[tuple[int, int]]  # tick, microseconds a quarter note
    metre: list[tuple[int, int, int]]  # tick, numerator, denominator
    pedal: list[tuple[int, int, int]]  # tick, channel, value of the sustain pedal
    channels: list[int]  # of each track
    messages: list[list[int]]  # tick and bytes: programs, volume, pan, expression and bends, as the file has them
    tracks: list[TrackInfo]
    notes: Notes
    segments: list[SegmentInfo]
    means: dict[str, Value]
    warnings: list[str]
    is_score: bool  # whether it came as MusicXML, and can be given back so (the format `score`)
