"""Types of the melody room: melodies, their knobs, and blends of two.

A melody is a list of clips of 32 sixteenths; a state 0..127 begins a note, 128 holds it, 129 rests.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from fadernets.studio.types import MOST_CLIPS
from fadernets.web.types import Name, RequestModel

Clip = Annotated[list[Annotated[int, Field(ge=0, le=129)]], Field(min_length=32, max_length=32)]
Clips = Annotated[list[Clip], Field(min_length=1, max_length=MOST_CLIPS)]


class KnobsRequest(RequestModel):
    """Where the knobs are: semitones, doublings of the number of onsets, and deviations in all other directions."""

    pitch: float = Field(default=0.0, ge=-48, le=48, allow_inf_nan=False)
    rhythm: float = Field(default=0.0, ge=-5, le=5, allow_inf_nan=False)
    rest: float = Field(default=0.0, ge=-4, le=4, allow_inf_nan=False)
    control: Literal["knob", "paper"] = "knob"
    faithfulness: float = Field(default=1.0, ge=0, le=1)
    chromatic: bool = False
    seed: int = Field(default=0, ge=0, lt=2**32)
    dimensions: dict[Annotated[int, Field(ge=0, lt=4096)], Annotated[float, Field(ge=-4, le=4)]] = Field(
        default_factory=dict, max_length=512
    )  # of the code, each moved by so many deviations before the knobs turn


class SliderGroupInfo(BaseModel):
    """The dimensions that belong to one knob, those that it moves most first."""

    name: str
    dimensions: list[int]
    significant: int  # how many of them the knob itself moves


class SlidersInfo(BaseModel):
    """The dimensions of the model's code by group."""

    groups: list[SliderGroupInfo]


class MelodyInfo(BaseModel):
    """A melody as states: 0..127 begin a note, 128 holds it, 129 rests; 32 sixteenths a clip."""

    piece: str | None
    track: str
    clips: list[list[int]]
    bars: list[int]  # number of the bar where each clip begins
    tempo: float  # quarter notes a minute
    pitch: float | None
    onsets: int
    warnings: list[str]


class TurnRequest(RequestModel):
    """A melody and the knobs to turn on it."""

    seq: int = 0
    clips: Clips
    knobs: KnobsRequest


class TurnResponse(BaseModel):
    """A melody after its knobs were turned."""

    seq: int
    clips: list[list[int]]
    pitch: list[float | None]  # the mean before, as requested, and measured
    onsets: list[float | None]  # the same for the number of onsets
    milliseconds: float


class BlendRequest(RequestModel):
    """Two melodies to blend, and the number of rows (pitch) and columns (rhythm) between them."""

    a: Clips
    b: Clips
    rows: int = Field(default=5, ge=2, le=8)
    columns: int = Field(default=5, ge=2, le=8)
    control: Literal["knob", "paper"] = "knob"


class BlendCell(BaseModel):
    """One melody of a blend, as a line of the stream."""

    row: int
    column: int
    clips: list[list[int]]
    pitch: float | None
    onsets: int
    differs: float | None = None  # of the first cell and the last: the share of its steps that are not A's or B's


class MelodyFileRequest(RequestModel):
    """A melody as a file."""

    clips: Clips
    tempo: float = Field(default=120.0, ge=20, le=300)
    name: Name = "melody"
    format: Literal["midi", "musicxml", "wav"] = "midi"
    knobs: KnobsRequest | None = None  # the knobs that made the melody, which the file then names
    source: Name | None = None


class MelodyEditRequest(RequestModel):
    """A piece whose melody's knobs are turned."""

    piece: Name
    track: Name | None = None
    knobs: KnobsRequest
