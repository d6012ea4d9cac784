"""What `import fadernets` offers a researcher: edits, measures, mixes, melody knobs and blends, in memory or by file.

A source of music is anything that `document_of` takes: a path, the bytes of a MIDI or MusicXML file, a `Document`, a
`symusic.Score`, what another edit made, or a NumPy array of notes ([N, 4]: onset and end in quarter notes, pitch,
velocity). Values are in the
attributes' own units, bars count from 1, tracks are numbers from 1 or names. Everything that cannot be used raises
`FadernetsError`, one line that says what came and what is allowed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypedDict, TypeVar, Unpack

import numpy as np

from fadernets.arrays import Array
from fadernets.decoding.edit_models import EditModel, open_edit_model
from fadernets.editing import file_edit, request_values, requests
from fadernets.editing import mix as mixing
from fadernets.editing.edit_report import EditReport
from fadernets.editing.lock_requests import Lock
from fadernets.editing.mix import MixReport
from fadernets.editing.regions import Region, RegionList
from fadernets.editing.request_values import BarsGiven, TracksGiven
from fadernets.editing.requests import BeatsGiven, FaderOptions, Faders, FaderValue, PerBarGiven, PresetGiven
from fadernets.engines.grid import Engine
from fadernets.engines.melody import MelodyEngine
from fadernets.engines.model_folder import ModelFolder
from fadernets.errors import FadernetsError
from fadernets.files import write_atomic
from fadernets.music.beat_times import BeatTimes
from fadernets.music.document import Document
from fadernets.music.notes import QUARTER_NOTE
from fadernets.music.opening import open_document

if TYPE_CHECKING:
    from symusic.core import Score

    from fadernets.arrays import States
    from fadernets.data.dataset import Dataset
    from fadernets.editing.region_edit import RegionsReport
    from fadernets.melodies.blend_files import Blend
    from fadernets.melodies.edit_report import MelodyEditReport

Source: TypeAlias = (
    "Document | Edited[Any] | bytes | str | os.PathLike[str] | Score[Any] | Array | Sequence[Sequence[float]]"
)
PathLike = str | os.PathLike[str]
Model = EditModel | PathLike | None  # an engine, a bundled model's name or a model folder; None: a bundled one
MelodyModel = MelodyEngine | PathLike | None
Progress = Callable[[int, int], None]  # how many are done, of how many
Report = TypeVar("Report")


@dataclass(frozen=True, repr=False)
class Edited(Generic[Report]):
    """A piece that was made: a MIDI file in memory, and the report on it. It is a source of further edits.

    `report` is an EditReport of `edit`, a RegionsReport of `apply_regions`, a MixReport of `mix`, a MelodyEditReport of
    `turn`; each has `as_dict()` and, in `warnings`, sentences on what the piece or the edit could not do. `data`: the
    bytes of the MIDI file. `log_odds`: of `edit` and `apply_regions` with a model that has a critic, the natural log
    of the odds that the result is real music. `name`: of the file.
    """

    data: bytes
    report: Report
    log_odds: float | None = None
    name: str = "piece.mid"
    source: Document | None = field(default=None, compare=False)  # what was edited

    @property
    def warnings(self) -> list[str]:
        """What the piece or the edit could not do, sentences of the report."""
        return list(getattr(self.report, "warnings", []))

    @property
    def document(self) -> Document:
        """The piece as a `Document`, which further edits take; one of a score goes back into it when it is saved."""
        document = Document.of_bytes(self.data, self.name)
        if self.source is not None:
            document.origin = self.source.origin or self.source
        return document

    @property
    def notes(self) -> Array:
        """[N] notes, fields onset and end (floats, quarter notes), pitch, velocity and track; a source of music.

        In ticks they are `document.piece.notes`, of `document.piece.tpq` ticks a quarter note.
        """
        piece = self.document.piece
        notes = piece.notes.astype(QUARTER_NOTE)
        for name in ("onset", "end"):
            notes[name] = piece.notes[name] / piece.tpq
        return notes

    def score(self) -> Score[Any]:
        """The piece as a `symusic.Score`, in ticks."""
        import symusic

        return symusic.Score.from_midi(self.data)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the MIDI file, or a score where the name ends with .musicxml, .xml or .mxl: that of the source with the
        edit in it, where it was one. Whole or not at all. Raises FadernetsError."""
        from fadernets.rendering.score_files import as_named

        if not request_values.is_text_or_path(path):
            raise request_values.wrong(path, "path", "the path of a file")
        write_atomic(Path(path), as_named(self.source or self.document, self.data, Path(path))[0])
        return Path(path)

    def __repr__(self) -> str:
        return f"<Edited {self.name}: {len(self.data)} bytes, {self.report!r}>"

    def _repr_html_(self) -> str | None:
        """What a notebook shows: the table of an edit's report."""
        return self.report._repr_html_() if isinstance(self.report, EditReport) else None


@dataclass(frozen=True, repr=False)
class Blended:
    """The cells between two melodies: rows from A to B by pitch, columns by rhythm; [0, 0] is A's, the last one B's."""

    blend: Blend

    @property
    def cells(self) -> States:
        """[R, K, C, 32] the states of each cell's C clips: 0..127 begin a note, 128 holds it, 129 rests."""
        return self.blend.cells

    @property
    def warnings(self) -> list[str]:
        """What a listener should know of the two sources."""
        return self.blend.warnings

    def cell(self, row: int, column: int) -> Document:
        """One cell as a document of one track. Raises IndexError."""
        from fadernets.melodies import blend_files

        rows, columns = self.cells.shape[:2]
        if not (0 <= row < rows and 0 <= column < columns):
            raise IndexError(f"cell {row}, {column}: there are {rows} rows and {columns} columns")
        return Document.of_bytes(blend_files.cell_file(self.blend, row, column), f"cell-{row + 1}-{column + 1}.mid")

    def save(self, folder: str | os.PathLike[str]) -> dict[str, Any]:
        """Write a MIDI file a cell, one of all cells in order and a contact sheet. Raises FadernetsError."""
        from fadernets.melodies import blend_files

        return blend_files.write(self.blend, Path(folder))

    def __repr__(self) -> str:
        rows, columns, clips = self.cells.shape[:3]
        a, b, warned = self.blend.a.name, self.blend.b.name, len(self.warnings)
        return f"<Blended {a} and {b}: {rows} x {columns} cells of {clips} clips, {warned} warnings>"


def document_of(source: Source) -> Document:
    """Any source of music as a `Document`. Raises FadernetsError.

    >>> document_of([[0, 1, 60, 80], [1, 2, 64, 80]]).piece.notes["pitch"].tolist()
    [60, 64]
    """
    if isinstance(source, Document):
        return source
    if isinstance(source, Edited):
        return source.document
    if isinstance(source, (bytes, bytearray, memoryview)):
        return open_document(Path("piece.mid"), bytes(source))
    if isinstance(source, (str, os.PathLike)):
        return open_document(Path(source))
    if isinstance(source, (np.ndarray, list, tuple)):
        return Document.of_notes(source)
    if hasattr(source, "dumps_midi"):
        return Document.of_score(source)
    raise FadernetsError(
        f"a {type(source).__name__} is no music; give a path, bytes of a MIDI or MusicXML file, a Document, a "
        "symusic.Score or an array of notes"
    )


def edit(
    source: Source,
    faders: Faders | None = None,
    *,
    set: Mapping[str, FaderValue] | None = None,
    move: Mapping[str, FaderValue] | None = None,
    per_bar: PerBarGiven | None = None,
    preset: PresetGiven | None = None,
    amount: float = 1.0,
    hold: Iterable[str] | None = (),
    faithfulness: float = 1.0,
    bars: BarsGiven = None,
    tracks: TracksGiven = None,
    seed: int = 0,
    keep: Iterable[str | Lock] | Lock | str = (),
    only: str | int | None = None,
    beats: BeatsGiven | None = None,
    control: str = "closed",
    model: Model = None,
    progress: Progress | None = None,
) -> Edited[EditReport]:
    """Move the faders of a piece; what no fader moves comes back note for note.

    set: fader -> value, a (first, last) ramp over the piece, or for `key` a name. move: fader -> change from each
    segment's own value, or a ramp. per_bar: fader -> {bar: value}, or a file of them. Faders are those of
    `list_faders`, with their units. preset: one of `list_presets`, a file of `fadernets preset learn` or the paper's
    `arousal-codes`, `amount` times; it leaves the faders of `hold` alone. faithfulness: pull to the source, 0..1. bars:
    inclusive ranges to edit, such as [(5, 12)], (5, 12) or "5-12". tracks: numbers from 1 or names of those to edit;
    without them the keyboards', else all pitched ones. seed: draws another answer; for several that keep apart from
    each other there are regions, `apply_regions(source, [Region.checked(variation=(1, 3), move=...)])`. keep: what must
    stay, such as `melody`, `bass:5-8` or `5.1:60` (a `Lock`). only: the hand (`left`, `right`) or track. beats: times
    of a performance's beats, or a file of them. control: `closed`, or `paper` for one plain decode of the codes that
    `arousal-codes` shifts, with no fader moved. model: without one, the bundled rewriter, or the paper's model for its
    preset `arousal-codes`. progress: called with the number of segments done and of all. faders: a `Faders` in place of
    the keywords from `set` to `control`. What the piece or the edit could not do stands in `report.warnings`; nothing
    is printed. Raises FadernetsError.

    >>> busier = edit("in.mid", move={"rhythm_density": 0.2}, set={"tempo": (90, 120)})
    >>> path = busier.save("out.mid")
    """
    given = _faders(
        faders,
        "edit",
        set=set,
        move=move,
        per_bar=per_bar,
        preset=preset,
        amount=amount,
        hold=hold,
        faithfulness=faithfulness,
        bars=bars,
        tracks=tracks,
        seed=seed,
        keep=keep,
        only=only,
        beats=beats,
        control=control,
    )
    document = document_of(source)
    engine = _engine(model, moves_codes=bool(given.arousal))
    answer = file_edit.edit_document(engine, document, given, progress=progress)[0]
    return Edited(answer.data, answer.report, answer.log_odds, document.path.name, document)


def apply(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    faders: Faders | None = None,
    *,
    model: Model = None,
    progress: Progress | None = None,
    **options: Unpack[FaderOptions],
) -> EditReport:
    """Edit a MIDI file or a score into another one, with the faders and options of `edit`. Raises FadernetsError; OUT
    is then left as it was.

    >>> report = apply("in.mid", "out.mid", preset="arousal", amount=0.5)
    >>> before, after = (report.means[when]["dynamics"] for when in ("before", "measured"))
    """
    for name, path in (("source", source), ("out", out)):
        if not request_values.is_text_or_path(path):
            raise FadernetsError(f"{name}: give a path, not a {type(path).__name__}; `edit` takes music in memory")
    given = _faders(faders, "apply", **options)
    from fadernets.rendering.score_files import as_named

    engine = _engine(model, moves_codes=bool(given.arousal))
    return file_edit.apply(engine, Path(source), Path(out), given, progress, as_named)


def apply_regions(
    source: Source,
    regions: Sequence[Region] | Region | RegionList | PathLike,
    *,
    beats: BeatsGiven | None = None,
    model: Model = None,
    progress: Progress | None = None,
) -> Edited[RegionsReport]:
    """Edit a piece by regions, layers with bars, tracks and faders of their own, each on what the earlier ones left.

    regions: those of `Region.checked`, one or more, or a file of them (`fadernets apply --regions`). Outside a region's
    bars and tracks nothing changes; the same source, regions and model give the same bytes. model: without one, that of
    the file. Raises FadernetsError that names the region.

    >>> busier = Region.checked(name="busier", bars=[(5, 8)], only="left", move={"rhythm_density": 0.2})
    >>> brighter = Region.checked(bars=[(7, 8)], preset="valence", keep=["melody"])
    >>> layered = apply_regions("in.mid", [busier, brighter])
    >>> asked = layered.report.regions[0].report.segments[0].asked["rhythm_density"]
    """
    from fadernets.editing.region_edit import edit_by_regions

    listed = _regions(regions)
    document = document_of(source)
    engine = _engine(model if model is not None else listed.bundled_model(), moves_codes=listed.moves_codes)
    edited = edit_by_regions(engine, document, listed.regions, beats=BeatTimes.of(beats), progress=progress)
    return Edited(edited.data, edited.report, edited.log_odds, document.path.name, document)


def measure(
    source: Source,
    *,
    tracks: TracksGiven = None,
    beats: BeatsGiven | None = None,
    model: Model = None,
) -> dict[str, Any]:
    """Every attribute of every segment, and their means. Raises FadernetsError.

    Keys: model, tracks, segments (index, bar, last_bar, start_beat and an entry for each attribute, key and arousal),
    means and warnings; None where there is nothing to measure. A segment is a bar, or two short ones; with a model of
    the paper's windows it is four quarter notes, and has arousal in place of a last bar. beats: times of a
    performance's beats, or a file of them.

    >>> measure([[beat, beat + 1, 60, 80] for beat in range(4)])["means"]["rhythm_density"]
    0.25
    """
    chosen = request_values.tracks(tracks)
    return file_edit.measure_document(_engine(model), document_of(source), chosen, "tracks", BeatTimes.of(beats))


def mix(
    a: Source,
    b: Source,
    *,
    faithfulness: float = 1.0,
    stretch: bool = False,
    tracks_a: TracksGiven = None,
    tracks_b: TracksGiven = None,
    control: str = "closed",
    seed: int = 0,
    model: Model = None,
    progress: Progress | None = None,
) -> Edited[MixReport]:
    """B with the rhythm of A, segment by segment: generation via analogy (Section 5 of the ISMIR paper).

    stretch: spread A over B, where otherwise the shorter one repeats. faithfulness: pull to A's onsets and B's notes,
    0..1; 0 follows the codes alone. control: `closed`, or `paper` for one plain decode of A's z_rhythm with B's z_note
    and key. seed: stands in the report alone, since nothing of a mix is drawn. Raises FadernetsError.

    >>> mixed = mix("a.mid", "b.mid")
    >>> agreement = mixed.report.means["agreement"]
    """
    requests.check_faithfulness(faithfulness)
    of_a, of_b = request_values.tracks(tracks_a, "tracks_a"), request_values.tracks(tracks_b, "tracks_b")
    seed = requests.read_seed(seed)
    options = mixing.Options(faithfulness, stretch, of_a, of_b, seed, control, requests.FIELDS)
    frame = document_of(b)
    data, report = mixing.mix_documents(_window_engine(model), document_of(a), frame, options, progress)
    return Edited(data, report, None, frame.path.name, None if report.plays_b_again else frame)


def turn(
    source: Source,
    *,
    pitch: float = 0.0,
    rhythm: float = 0.0,
    rest: float = 0.0,
    bars: BarsGiven = None,
    track: str | int | None = None,
    control: str = "knob",
    faithfulness: float = 1.0,
    chromatic: bool = False,
    regrid: bool = False,
    seed: int = 0,
    model: MelodyModel = None,
) -> Edited[MelodyEditReport]:
    """Turn the knobs of a piece's melody (Section 4 of the NIME paper); everything else stays.

    pitch: semitones of mean pitch. rhythm: doublings of the number of onsets. rest: standard deviations of the codes
    along a direction that `seed` draws. bars: ranges from 1, both ends included, outside of which nothing is turned; a
    clip is two bars of 4/4. track: of the melody; None: the likeliest. control: `knob`, or `paper` for the
    paper's own step. chromatic: may leave the pitch classes of the melody's key. regrid: cut clips by quarter notes,
    whatever the metre is; without it, metres that do not fit two bars of 4/4 into a clip are refused. Raises
    FadernetsError.

    >>> higher = turn("song.mid", pitch=2, rhythm=0.5)
    >>> asked, measured = (higher.report.means[which]["pitch"] for which in ("asked", "measured"))
    """
    from fadernets.melodies.file_edit import edited_melody
    from fadernets.melodies.knob_settings import Knobs

    knobs = Knobs(pitch, rhythm, rest, control, faithfulness, chromatic, seed)
    document = document_of(source)
    name, chosen = _track(track, "track"), request_values.bars(bars)
    data, report = edited_melody(
        _melody_engine(model), document, knobs, name, regrid=regrid, bars=chosen, option="track"
    )
    return Edited(data, report, None, document.path.name, document)


def blend(
    a: Source,
    b: Source,
    rows: int = 5,
    columns: int = 5,
    *,
    track_a: str | int | None = None,
    track_b: str | int | None = None,
    control: str = "knob",
    regrid: bool = False,
    model: MelodyModel = None,
) -> Blended:
    """What lies between two melodies (Section 4.4 of the NIME paper): rows by pitch, columns by rhythm, 2..16 each.

    The shorter melody is repeated from its start. control: `knob`, whose corners are the melodies themselves, or
    `paper` for plain decodes, the corners too. regrid: as of `turn`. Raises FadernetsError.

    >>> between = blend("a.mid", "b.mid", 3, 3)
    >>> middle = between.cell(1, 1)
    """
    from fadernets.melodies import blend_files

    sources = document_of(a), document_of(b)
    sides = _track(track_a, "track_a"), _track(track_b, "track_b")
    engine = _melody_engine(model)
    spelling = requests.FIELDS
    return Blended(
        blend_files.blend(
            engine, sources, (rows, columns), tracks=sides, regrid=regrid, control=control, spelling=spelling
        )
    )


class EvaluationOptions(TypedDict, total=False):
    """The further keywords of `evaluate`."""

    loops: Sequence[str]  # of a model of segments: `open`, `closed`, `strict`
    runs: int  # of a model of segments: draws of 100 segments
    count: int  # of a model of melodies: clips


def evaluate(
    model: Engine | MelodyEngine | PathLike,
    data: Dataset | PathLike,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    **options: Unpack[EvaluationOptions],
) -> dict[str, Any]:
    """Every figure of a model on the test split of a prepared data set, by name.

    model: an engine, a bundled model's name or a model folder. data: a `Dataset` or its folder, of the model's codec.
    options: `loops` and `runs` for a model of segments (`evaluation.model_folder.evaluate`), `count` for one of
    melodies (`evaluation.melody_knobs.evaluate`). Raises FadernetsError.

    >>> figures = evaluate("pop-lieder", "data/pop-lieder", runs=1)  # doctest: +SKIP
    >>> consistency = figures["rhythm_density/closed"]["consistency"]["mean"]  # doctest: +SKIP
    """
    from fadernets.codecs.base import is_melodic
    from fadernets.data.dataset import Dataset
    from fadernets.engines.model_folder import codec_of
    from fadernets.evaluation import melody_knobs, model_folder

    requests.check_options("evaluate", options, EvaluationOptions)
    seed = requests.read_seed(seed)
    if not isinstance(data, Dataset) and not request_values.is_text_or_path(data):
        raise request_values.wrong(data, "data", "a Dataset or the folder of one")
    dataset = data if isinstance(data, Dataset) else Dataset.open(Path(data))
    if isinstance(model, (str, os.PathLike)):
        model = MelodyEngine.open(_named(model)) if is_melodic(codec_of(_named(model))) else Engine.open(_named(model))
    if not isinstance(model, (Engine, MelodyEngine)):
        raise request_values.wrong(model, "model", "the name of a bundled model, a model folder or an engine")
    given: dict[str, Any] = dict(options)
    melodic = isinstance(model, MelodyEngine)
    for name in given:
        if (name == "count") != melodic:
            raise FadernetsError(f"{name}: is no option of a model of {'melodies' if melodic else 'segments'}")
    if isinstance(model, MelodyEngine):
        return melody_knobs.evaluate(model, dataset, seed=seed, progress=progress, **given)
    return model_folder.evaluate(model, dataset, seed=seed, progress=progress, **given)


def list_faders() -> list[dict[str, Any]]:
    """What `set`, `move` and `per_bar` can name, your own attributes among them: a row each, in the order of reports.

    Keys: name, unit, low and high (the range on the default model, whose rhythm density reaches 2; with a model of
    windows, 1), near (how far from the asked value still counts as reached), names (of its values, for `key`; else
    empty) and movable (False where the attribute is measured alone).

    >>> [row["unit"] for row in list_faders() if row["name"] == "tempo"]
    ['quarter notes a minute']
    """
    from fadernets.attributes.of_segments import HIGHEST
    from fadernets.attributes.table import ATTRIBUTES, is_movable

    return [
        {
            "name": row.name,
            "unit": row.unit,
            "low": row.low,
            "high": HIGHEST.get(row.name, row.high),
            "near": row.near,
            "names": row.names,
            "movable": is_movable(row),
        }
        for row in ATTRIBUTES.values()
    ]


def list_presets() -> list[dict[str, Any]]:
    """What `preset` can name: a row each, those of installed packages behind the bundled ones, the paper's last.

    Keys: name; moves, fader -> change for an amount of 1, in its unit, as text such as `+0.115` or `x1.52`; about. The
    paper's moves the codes of its model, and no fader by value.

    >>> [row["name"] for row in list_presets()]
    ['arousal', 'tension', 'valence', 'arousal-codes']
    """
    from fadernets.editing import presets

    rows: list[dict[str, Any]] = []
    for preset in map(presets.load, presets.names()):
        moves = {name: preset.move_text(name, 1.0) for name, step in preset.moves.items() if step}
        rows.append({"name": preset.name, "moves": moves, "about": preset.about})
    return [
        *rows,
        {"name": presets.PAPER_PRESET, "moves": {}, "about": "a shift of the two codes of the paper's model"},
    ]


def list_models() -> list[dict[str, Any]]:
    """What `model` can name: the bundled models, then those that `fadernets pull` fetched; a row each.

    Keys: name; folder; kind: `rewriter` or `windows` for edits of pieces, `melody` for `turn` and `blend`.

    >>> [(row["name"], row["kind"]) for row in list_models()][:3]
    [('melody', 'melody'), ('pop-lieder', 'windows'), ('rewriter', 'rewriter')]
    """
    from fadernets.codecs.base import is_melodic
    from fadernets.decoding.edit_models import kind_of
    from fadernets.engines import hub_cache
    from fadernets.engines.model_folder import bundled, codec_of

    found = bundled() | hub_cache.pulled()
    kinds = {name: "melody" if is_melodic(codec_of(folder)) else kind_of(folder) for name, folder in found.items()}
    return [{"name": name, "folder": str(folder), "kind": kinds[name]} for name, folder in found.items()]


@cache
def default_engine() -> EditModel:
    """The bundled model that edits run on, opened once."""
    opened = open_edit_model()
    return opened.load() if isinstance(opened, ModelFolder) else opened


@cache
def default_window_engine() -> Engine:
    """The bundled model of windows, the paper's, opened once."""
    return Engine.open().load()


@cache
def default_melody_engine() -> MelodyEngine:
    """The bundled model of melodies, opened once."""
    return MelodyEngine.open().load()


def _engine(model: Model, *, moves_codes: bool = False) -> EditModel:
    if model is None:
        return default_window_engine() if moves_codes else default_engine()
    if isinstance(model, (str, os.PathLike)):
        return open_edit_model(_named(model), moves_codes=moves_codes)
    if not isinstance(model, Engine) and not hasattr(model, "rewrite"):
        raise request_values.wrong(model, "model", "the name of a bundled model, a model folder or an engine")
    return model


def _window_engine(model: Model) -> Engine:
    """A model of the paper's windows. Raises FadernetsError for a rewriter."""
    if model is None:
        return default_window_engine()
    opened = _engine(model)
    if not isinstance(opened, Engine):
        raise FadernetsError(f"model {opened.name}: rewrites passages; the paper's analogies need a model of windows")
    return opened


def _melody_engine(model: MelodyModel) -> MelodyEngine:
    if model is None:
        return default_melody_engine()
    if isinstance(model, (str, os.PathLike)):
        return MelodyEngine.open(_named(model))
    if not isinstance(model, MelodyEngine):
        raise request_values.wrong(model, "model", "the name of a model of melodies, its folder or a MelodyEngine")
    return model


def _named(model: PathLike) -> str | Path:
    """A model's name, or the path of its folder."""
    return model if isinstance(model, str) else Path(model)


def _regions(regions: Any) -> RegionList:
    """A list of regions, of one, or of a file. Raises FadernetsError."""
    if isinstance(regions, RegionList):
        return regions
    if isinstance(regions, (str, os.PathLike)):
        return RegionList.read(Path(regions))
    given = [regions] if isinstance(regions, Region) else regions
    if not isinstance(given, Sequence) or not all(isinstance(region, Region) for region in given):
        raise request_values.wrong(regions, "regions", "a list of Region.checked(...), or a file of regions")
    return RegionList(list(given))


def _track(track: str | int | None, where: str) -> str | None:
    """The number or name of a track, or none. Raises FadernetsError."""
    return None if track is None else request_values.track(track, where)


def _faders(faders: Faders | None, function: str, **options: Unpack[FaderOptions]) -> Faders:
    """Faders as given, or of the keywords of a function. Raises FadernetsError where there are both, TypeError for a
    keyword that there is not."""
    if faders is not None and not isinstance(faders, Faders):
        raise request_values.wrong(
            faders, "faders", "a Faders, or values by keyword, as in move={'rhythm_density': 0.2}"
        )
    requests.check_options(function, options, FaderOptions)
    checked = Faders.checked(**options)
    if faders is None:
        return checked
    if checked != Faders.checked():
        raise FadernetsError("faders are given as one Faders object or by keywords, not as both")
    return faders
