"""What the studio's server takes and gives, as types: the page's own are generated from these.

Ticks are those of the piece (`tpq` to a quarter-beat), bars count from 1, attributes are in their own units.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from fadernets.web.types import Asked, Finite, Name

MOST_BARS = 1000  # of a piece in the studio; `fadernets apply` edits longer ones
MOST_BYTES = 2 * 2**20  # of an uploaded file
MOST_VARIATIONS = 8
MOST_CLIPS = 64  # two bars each, of a melody
Value = float | str | None  # of an attribute: a name where it is a kind, null where there is nothing to measure
Pitch = Annotated[int, Field(ge=0, le=127)]


# --- what there is


class AttributeInfo(BaseModel):
    name: str
    option: str
    unit: str
    low: float
    high: float
    near: float
    grain: float
    names: list[str]
    coded: bool  # the model's own: what nobody asks for is held


class PresetInfo(BaseModel):
    name: str
    about: str
    moves: dict[str, str]  # attribute -> its change for amount 1, in words
    codes: bool  # the paper's, on the codes: shows no faders


class ModelInfo(BaseModel):
    name: str
    codec: str
    hash: str


class PieceName(BaseModel):
    id: str
    title: str


class About(BaseModel):
    version: str
    models: list[ModelInfo]
    attributes: list[AttributeInfo]
    presets: list[PresetInfo]
    pieces: list[PieceName]
    most_bytes: int
    most_bars: int
    port: str | None  # of MIDI out, where --midi-port opened one


# --- a piece


class Notes(BaseModel):
    """Columns of N notes, sorted by onset then pitch."""

    onset: list[int]
    end: list[int]
    pitch: list[int]
    velocity: list[int]
    track: list[int]


class TrackInfo(BaseModel):
    number: int
    name: str
    program: int
    drum: bool
    edited: bool


class SegmentInfo(BaseModel):
    """Four quarter-beats as they are."""

    index: int
    bar: int
    start: int
    end: int
    values: dict[str, Value]
    arousal: float | None


class PieceInfo(BaseModel):
    id: str
    title: str
    model: str
    tpq: int
    end: int
    seconds: float
    bars: list[int]  # ticks of bar lines, the end among them
    tempo: list[tuple[int, int]]  # tick, microseconds a quarter-beat
    metre: list[tuple[int, int, int]]  # tick, numerator, denominator
    pedal: list[tuple[int, int, int]]  # tick, channel, value of the sustain pedal
    channels: list[int]  # of each track
    tracks: list[TrackInfo]
    notes: Notes
    segments: list[SegmentInfo]
    means: dict[str, Value]
    warnings: list[str]


# --- an edit


class PresetAsked(Asked):
    name: Name
    amount: Finite
    hold: list[Name] = Field(default_factory=list, max_length=32)


class Variation(Asked):
    index: int = Field(ge=0, lt=MOST_VARIATIONS)
    count: int = Field(ge=1, le=MOST_VARIATIONS)


class FadersAsked(Asked):
    """Where the faders are. Those not named are at rest."""

    set: dict[Name, Finite | tuple[Finite, Finite] | Name] = Field(default_factory=dict, max_length=32)
    move: dict[Name, Finite] = Field(default_factory=dict, max_length=32)
    per_bar: dict[Name, dict[int, Finite]] = Field(default_factory=dict, max_length=32)
    preset: PresetAsked | None = None
    faithfulness: float = Field(default=1.0, ge=0, le=1)
    bars: list[tuple[int, int]] | None = Field(default=None, max_length=MOST_BARS)  # null: all
    locked: list[int] = Field(default_factory=list, max_length=MOST_BARS)
    tracks: list[Name] | None = Field(default=None, max_length=128)
    seed: int = Field(default=0, ge=0, lt=2**32)
    variation: Variation | None = None  # one of several different answers


class EditAsked(Asked):
    seq: int = 0  # comes back with the answer
    piece: Name
    model: Name = "pop-lieder"
    faders: FadersAsked
    draft: bool = False  # fewer candidates: while a fader is dragged


class Measured(BaseModel):
    """Four quarter-beats before and after."""

    index: int
    bar: int
    before: dict[str, Value]
    asked: dict[str, Value]
    measured: dict[str, Value]


class Means(BaseModel):
    before: dict[str, Value]
    asked: dict[str, Value]
    measured: dict[str, Value]


class Edited(BaseModel):
    seq: int
    piece: str
    draft: bool
    notes: Notes
    tempo: list[tuple[int, int]]
    pedal: list[tuple[int, int, int]]
    end: int
    segments: list[Measured]
    means: Means
    preset: dict[str, str]  # the faders that the preset moved, and by how much
    log_odds: float | None  # of being real music
    warnings: list[str]
    milliseconds: float


class PortMessage(Asked):
    """For the port that --midi-port opened: [seconds from now, bytes] each; `silence` ends all that sounds."""

    messages: list[tuple[Finite, list[int]]] = Field(default_factory=list, max_length=512)
    silence: bool = False


class RenderAsked(EditAsked):
    format: Literal["midi", "musicxml", "wav", "json"] = "midi"


# --- melodies

Clip = Annotated[list[Annotated[int, Field(ge=0, le=129)]], Field(min_length=32, max_length=32)]
Clips = Annotated[list[Clip], Field(min_length=1, max_length=MOST_CLIPS)]


class KnobsAsked(Asked):
    pitch: float = Field(default=0.0, ge=-48, le=48, allow_inf_nan=False)
    rhythm: float = Field(default=0.0, ge=-5, le=5, allow_inf_nan=False)
    rest: float = Field(default=0.0, ge=-4, le=4, allow_inf_nan=False)
    control: Literal["knob", "paper"] = "knob"
    faithfulness: float = Field(default=1.0, ge=0, le=1)
    chromatic: bool = False
    seed: int = Field(default=0, ge=0, lt=2**32)


class MelodyInfo(BaseModel):
    """A melody as states: 0..127 begin a note, 128 holds it, 129 rests; 32 sixteenths a clip."""

    piece: str | None
    track: str
    clips: list[list[int]]
    bars: list[int]  # number of the bar where each clip begins
    tempo: float  # quarter-beats a minute
    pitch: float | None
    onsets: int
    warnings: list[str]


class TurnAsked(Asked):
    seq: int = 0
    clips: Clips
    knobs: KnobsAsked


class Turned(BaseModel):
    seq: int
    clips: list[list[int]]
    pitch: list[float | None]  # before, asked, measured
    onsets: list[float | None]
    milliseconds: float


class GridAsked(Asked):
    a: Clips
    b: Clips
    rows: int = Field(default=5, ge=2, le=8)
    columns: int = Field(default=5, ge=2, le=8)
    control: Literal["knob", "paper"] = "knob"


class Cell(BaseModel):
    """One cell of a grid, as a line of the stream."""

    row: int
    column: int
    clips: list[list[int]]
    pitch: float | None
    onsets: int


class MelodyFileAsked(Asked):
    clips: Clips
    tempo: float = Field(default=120.0, ge=20, le=300)
    name: Name = "melody"
    format: Literal["midi", "musicxml", "wav"] = "midi"
    knobs: KnobsAsked | None = None  # that made it, and of what: the file says so
    source: Name | None = None


class MelodyEditAsked(Asked):
    """The melody's knobs turned inside its piece."""

    piece: Name
    track: Name | None = None
    knobs: KnobsAsked


# --- inspection


class Group(BaseModel):
    """What one augmentation moves."""

    name: str
    unit: str
    amounts: list[float]
    change: list[list[float]]  # [amounts][dimensions] mean delta z
    dimensions: list[int]  # the significant ones
    threshold: float
    linearity: float | None
    clips: int


class Inspected(BaseModel):
    model: str
    codes: list[tuple[str, int]]  # name and size of each code, in the order of the dimensions
    groups: list[Group]


class Point(BaseModel):
    """A segment on the map."""

    title: str
    bar: int
    x: float
    y: float
    values: dict[str, float | None]


class MapInfo(BaseModel):
    """Segments' codes on a plane: of principal components, or of t-SNE."""

    method: Literal["pca", "tsne"]
    methods: list[Literal["pca", "tsne"]]  # what there is
    explained: list[float]  # share of the variance of each axis; of t-SNE none
    points: list[Point]


class DecodeAsked(Asked):
    """A place of the plane of principal components, and the segment whose code is moved there."""

    model: Name = "pop-lieder"
    index: int = Field(ge=0)
    x: Finite
    y: Finite


class Heard(BaseModel):
    """Four quarter-beats of music, `tpq` ticks each."""

    tpq: int
    notes: Notes
    values: dict[str, float | None]
