"""Types of the faders' room: requests for edits and their answers, and messages for the MIDI port.

Ticks are those of the piece, bars count from 1, attributes are in their own units.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from fadernets.editing.note_layers import MOST_ROWS
from fadernets.editing.regions import MOST_REGIONS
from fadernets.engines.model_folder import DEFAULT_MODEL
from fadernets.studio.types import Notes, Value
from fadernets.web.fader_requests import FadersRequest
from fadernets.web.types import Finite, Name, RequestModel

Whole = Annotated[int, Field(strict=True)]


class NotesRequest(RequestModel):
    """Notes that go and come, tracks as the piece's, in its ticks. A note that changes is removed and added."""

    remove: list[tuple[Whole, Whole, Whole]] = Field(default_factory=list, max_length=MOST_ROWS)  # track, onset, pitch
    add: list[tuple[Whole, Whole, Whole, Whole, Whole]] = Field(
        default_factory=list, max_length=MOST_ROWS
    )  # track, onset, end, pitch, velocity
    clear: list[tuple[Whole, Whole]] = Field(default_factory=list, max_length=MOST_ROWS)  # spans whose notes go first


class RegionRequest(FadersRequest):
    """A layer: faders of some bars on chosen tracks, or notes, applied to what the earlier layers left."""

    name: Name = ""
    bypass: bool = False  # left out for now
    notes: NotesRequest | None = None  # in place of faders; `bars` then only says where the layer stands


class EditRequest(RequestModel):
    """An edit of a piece by its faders, or by regions, the first one first."""

    seq: int = 0  # comes back with the answer
    piece: Name
    model: Name = DEFAULT_MODEL
    faders: FadersRequest = Field(default_factory=FadersRequest)  # at rest where there are regions
    regions: list[RegionRequest] = Field(default_factory=list, max_length=MOST_REGIONS)
    draft: bool = False  # fewer candidates, while a fader is dragged
    view: tuple[Whole, Whole] | None = None  # first and last bar in sight: a draft may be of these alone


class SegmentValues(BaseModel):
    """Attribute values of four quarter notes: before the edit, as requested, and after it."""

    index: int
    bar: int
    before: dict[str, Value]
    asked: dict[str, Value]
    measured: dict[str, Value]


class MeanValues(BaseModel):
    """The same, as means over the edited segments."""

    before: dict[str, Value]
    asked: dict[str, Value]
    measured: dict[str, Value]


class RegionValues(BaseModel):
    """What one region was asked and what it measures, before it and behind it; nothing where it was left out."""

    name: str
    bypass: bool
    segments: list[SegmentValues]  # those in its bars
    means: MeanValues | None
    preset: dict[str, str]  # the faders that its preset moved, and by how much
    warnings: list[str]


class PartInfo(BaseModel):
    """The bars of a piece that an answer speaks of, and the ticks in which its notes begin; the rest follows."""

    bars: tuple[int, int]
    ticks: tuple[int, int]  # the last one excluded
    is_behind: bool = False  # whether the same request once more brings some of them further
    is_decided: bool = False  # whether the whole answer will have these very notes; nothing is measured of them yet


class EditResponse(BaseModel):
    """An edited piece with what was requested and what its notes measure.

    Where there are regions, segments and means compare the source with the end, and each region says what it was asked.
    """

    seq: int
    piece: str
    draft: bool
    notes: Notes
    tempo: list[tuple[int, int]]
    pedal: list[tuple[int, int, int]]
    end: int
    segments: list[SegmentValues]
    means: MeanValues
    preset: dict[str, str]  # the faders that the preset moved, and by how much
    log_odds: float | None  # that the result is real music, by the critic
    warnings: list[str]
    regions: list[RegionValues]
    milliseconds: float
    part: PartInfo | None = None  # null: the whole piece. Else notes, tempo, segments and means are of these bars alone


class EditProgress(BaseModel):
    """How far the answer to an edit is, in segments."""

    seq: int
    done: int
    total: int


class RenderRequest(EditRequest):
    """An edit as a file of one format; `score` gives a piece that came as MusicXML back in its own file."""

    format: Literal["midi", "musicxml", "score", "wav", "json"] = "midi"


class FolderRequest(EditRequest):
    """An edit of a piece of the watched folder, to be written beside it."""

    format: Literal["midi", "musicxml", "score"] = "midi"


class DescribeRequest(RequestModel):
    """One of a piece's regions, whose faders are to be described on what the earlier ones left."""

    piece: Name
    model: Name = DEFAULT_MODEL
    regions: list[RegionRequest] = Field(min_length=1, max_length=MOST_REGIONS)
    index: int = Field(ge=0, lt=MOST_REGIONS)  # of the region in the list


class FaderReachInfo(BaseModel):
    """A fader of some bars and tracks: where it is, and how far it can go there."""

    name: str
    unit: str
    low: float  # of the fader, wherever it is
    high: float
    near: float
    value: Value  # measured now, mean of the bars; null where there is nothing to measure
    lowest: Value
    highest: Value
    why_lowest: str  # what ends it there, in words
    why_highest: str
    choices: list[str]  # of a fader of names, such as the key
    tried: bool  # whether the ends were measured; else no edit comes further, and one may end before


class DescribeResponse(BaseModel):
    """How far each fader of a piece can go in some bars, on some tracks, under some locks."""

    piece: str
    model: str
    faders: list[FaderReachInfo]


class PortRequest(RequestModel):
    """Messages for the port that --midi-port opened: [seconds from now, bytes] each; `silence` ends every note."""

    messages: list[tuple[Finite, list[int]]] = Field(default_factory=list, max_length=512)
    silence: bool = False
