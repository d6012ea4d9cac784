"""A piece with its regions: each applied to what the earlier ones left, what was measured there, and a cache of it.

A change of the last region redoes none of the others where a StageCache knows them. Bytes depend on the file, the model
and the regions alone.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fadernets.decoding import segment_requests
from fadernets.decoding.edit_models import EditModel
from fadernets.editing import edit_report, file_edit, note_layer_edit
from fadernets.editing.decided_bars import DecidedBars
from fadernets.editing.drafts_in_sight import Draft, can_be_drafted, draft_in_sight
from fadernets.editing.edit_grids import placed_for
from fadernets.editing.edit_report import EditReport, SegmentReport, Value
from fadernets.editing.note_layers import NoteLayer
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.regions import MOST_REGIONS, ONE, Region, Variation
from fadernets.editing.requests import Faders
from fadernets.editing.roll_edit import Encode, Progress, share_of_progress
from fadernets.editing.sight_excerpts import Below, Sight
from fadernets.engines.grid import Engine
from fadernets.errors import FadernetsError
from fadernets.music.beat_times import BeatTimes
from fadernets.music.document import Document
from fadernets.music.notes import Piece

MOST_STAGES = 16 * 2**20  # bytes of results that one piece's StageCache keeps
SEGMENT_BYTES = 3000  # of a SegmentReport: three dictionaries of about eight values


@dataclass(frozen=True)
class RegionReport:
    """What one region did to what the earlier ones left; None and no warnings where it was left out."""

    number: int  # from 1, in the order of the list
    name: str
    bypass: bool
    report: EditReport | None  # its segments are those in the region's bars

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self), "report": self.report and self.report.as_dict()}


@dataclass(frozen=True)
class RegionsReport:
    """What a list of regions did; `as_dict` is the command line's --json.

    regions: each with an EditReport of its own, which says what it was asked. segments: of the whole piece, `before` of
    the source and `measured` at the end. means: `before` and `measured`, of all segments that sound. Attributes are in
    their own units (`fadernets.list_faders`). warnings: sentences on what the piece or the edits could not do.
    """

    model: str
    regions: list[RegionReport]
    segments: list[SegmentReport]
    means: dict[str, dict[str, Value]]
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        regions = [region.as_dict() for region in self.regions]
        return {**vars(self), "regions": regions, "segments": [segment.as_dict() for segment in self.segments]}


@dataclass(frozen=True)
class EditedByRegions:
    """A piece with its regions: the bytes of its file, read, and what was measured on the way."""

    data: bytes
    document: Document
    report: RegionsReport
    log_odds: float | None  # of the last region's segments; None without a critic


@dataclass(frozen=True)
class Stage:
    """What one region left."""

    data: bytes
    report: EditReport
    log_odds: float | None

    @property
    def bytes_taken(self) -> int:
        """About how many bytes it takes."""
        return len(self.data) + SEGMENT_BYTES * len(self.report.segments)


@dataclass
class StageCache:
    """What regions left, by all that led there, so that a change of the last region does not redo the first ones.

    Up to `most` bytes; what was used least recently goes first. For one thread.
    """

    most: int = MOST_STAGES
    sources: dict[str, tuple[Piece, PieceOnGrid]] = field(default_factory=dict)  # kind of grid -> the source on it
    sight: Sight = field(default_factory=Sight)  # what drafts of the bars in sight know
    _stages: OrderedDict[str, Stage] = field(default_factory=OrderedDict)

    def get(self, key: str) -> Stage | None:
        """A stage that is still known."""
        if key in self._stages:
            self._stages.move_to_end(key)
        return self._stages.get(key)

    def put(self, key: str, stage: Stage) -> None:
        """Keep a stage, and let go of the oldest ones where all take too much."""
        self._stages[key] = stage
        while len(self._stages) > 1 and self.bytes_taken > self.most:
            self._stages.popitem(last=False)

    def clear(self) -> None:
        """Let go of all stages."""
        self._stages.clear()
        self.sources.clear()
        self.sight.clear()

    @property
    def bytes_taken(self) -> int:
        """About how many bytes it takes."""
        grids = sum(placed.roll.nbytes + 2 * placed.piece.notes.nbytes for _, placed in self.sources.values())
        return grids + self.sight.bytes_taken + sum(stage.bytes_taken for stage in self._stages.values())


@dataclass(frozen=True)
class _Applying:
    """How regions are applied to a piece, as `edit_by_regions` is asked."""

    engine: EditModel
    document: Document  # the source
    beats: BeatTimes | None
    quick: bool  # few candidates, for an answer while a fader is dragged
    progress: Progress | None
    encode: Encode
    decided: DecidedBars | None


def edit_by_regions(
    engine: EditModel,
    document: Document,
    regions: Sequence[Region],
    *,
    beats: BeatTimes | None = None,
    quick: bool = False,
    progress: Progress | None = None,
    encode: Encode = segment_requests.encode_segments,
    stages: StageCache | None = None,
    decided: DecidedBars | None = None,
) -> EditedByRegions:
    """A piece with its regions applied, in their order; without any (or with all left out) it comes back as it is.

    beats: times of a performance's beats; only the last region may then move the tempo. quick: few candidates, for
    regions that `stages` does not know in full. decided: what tells of bars of the last region before all are there.
    Raises FadernetsError that names the region.
    """
    how = _Applying(engine, document, beats, quick, progress, encode, decided)
    steps = _steps(regions, how, stages if beats is None else None)
    data = steps[-1][1].data if steps else document.with_tracks({})
    reports = dict(steps)
    each = [
        RegionReport(i + 1, region.name, region.bypass, _own(region, reports[i].report) if i in reports else None)
        for i, region in enumerate(regions)
    ]
    after = Document(document.path, data) if steps else document
    segments, means = _whole(_on_grid(engine, document.piece, stages), document.piece, after.piece)
    warnings = [*document.piece.warnings]
    for i, stage in steps:
        own = [warning for warning in stage.report.warnings if warning not in document.piece.warnings]
        warnings += [f"{regions[i].label(i + 1)}: {warning}" for warning in own]
    report = RegionsReport(engine.name, each, segments, means, warnings)
    return EditedByRegions(data, after, report, steps[-1][1].log_odds if steps else None)


def draft_by_regions(
    engine: EditModel,
    document: Document,
    regions: Sequence[Region],
    view: tuple[int, int],
    stages: StageCache,
    progress: Progress | None = None,
) -> tuple[Draft, list[RegionReport]] | None:
    """The bars in sight, first and last of `view`, with regions as a draft, and what each region did there.

    None where the piece has to be drafted as a whole: by the paper's model, or where regions mean there what they mean
    in no part of it. Raises FadernetsError that names the region.
    """
    chosen = active(regions)
    if not chosen or not can_be_drafted(engine, [regions[i] for i in chosen]):
        return None
    key, stage, known = _first_key(engine, document), None, dict[int, EditReport]()
    for i in chosen[:-1]:
        after = _next_key(key, regions[i], quick=False)
        found = stages.get(after)
        if found is None or regions[i].notes is not None:
            break
        key, stage, known[i] = after, found, found.report
    data = None if stage is None else stage.data
    below = Below(key, lambda: document if data is None else Document(document.path, data))
    drafted = [(i, regions[i]) for i in chosen if i not in known]
    source = _on_grid(engine, document.piece, stages)
    stages.sight.by(_model(engine))
    draft = draft_in_sight(engine, source, below, drafted, view, stages.sight, progress)
    if draft is None:
        return None
    first, last = draft.bars
    reports = {
        i: replace(each, segments=[s for s in each.segments if first <= s.bar <= last]) for i, each in known.items()
    }
    reports |= draft.reports
    each = [
        RegionReport(i + 1, region.name, region.bypass, _own(region, reports[i]) if i in reports else None)
        for i, region in enumerate(regions)
    ]
    return draft, each


def is_known(engine: EditModel, document: Document, regions: Sequence[Region], stages: StageCache) -> bool:
    """Whether `stages` know what the regions leave, so that an edit by them takes no time."""
    key = _first_key(engine, document)
    for i in active(regions):
        key = _next_key(key, regions[i], quick=False)
    return not active(regions) or stages.get(key) is not None


def variations_of_last(
    engine: EditModel,
    document: Document,
    regions: Sequence[Region],
    count: int,
    *,
    progress: Progress | None = None,
    encode: Encode = segment_requests.encode_segments,
    stages: StageCache | None = None,
) -> list[EditedByRegions]:
    """`count` different answers to the last region that is not left out, as `Region.variation` counts them, each on the
    same answers to the others. Raises FadernetsError."""
    stages = StageCache() if stages is None else stages
    last = max(active(regions), default=None)
    if last is None:
        raise FadernetsError("variations: all regions are left out")
    if regions[last].notes is not None:
        raise FadernetsError(f"variations: {regions[last].label(last + 1)} has notes in place of faders")
    answers = []
    for index in range(count):
        chosen = [*regions]
        chosen[last] = replace(regions[last], variation=Variation(index, count))
        answers.append(edit_by_regions(engine, document, chosen, progress=progress, encode=encode, stages=stages))
    return answers


def active(regions: Sequence[Region]) -> list[int]:
    """The positions of the regions that are not left out."""
    return [i for i, region in enumerate(regions) if not region.bypass]


def _steps(regions: Sequence[Region], how: _Applying, known: StageCache | None) -> list[tuple[int, Stage]]:
    """What each region left that is not left out, with its position in the list, as far as it is not `known`.

    Raises FadernetsError.
    """
    if len(regions) > MOST_REGIONS:
        raise FadernetsError(f"regions: {len(regions)}; at most {MOST_REGIONS}")
    chosen, out = active(regions), []
    document = how.document
    current: Document | None = document
    key, data, in_full = _first_key(how.engine, document), document.with_tracks({}), True
    for k, i in enumerate(chosen):
        region, stage, before = regions[i], None, key
        if in_full or not how.quick:
            key = _next_key(before, region, quick=False)
            stage = known.get(key) if known is not None else None
        if stage is None and how.quick and not (in_full and region.notes is not None):  # notes are drawn in full
            in_full, region = False, replace(region, variation=ONE)
            key = _next_key(before, region, quick=True)
            stage = known.get(key) if known is not None else None
        if stage is None:
            current = current or Document(document.path, data)
            last = how.decided if i == chosen[-1] else None
            share = share_of_progress(how.progress, k, len(chosen))
            try:
                if how.beats is not None and _differ(current.piece, document.piece):
                    raise FadernetsError("beats: an earlier region moved the tempo, and with it the times of the beats")
                found = _applied(region, current, replace(how, quick=not in_full, progress=share, decided=last))
            except FadernetsError as error:
                raise FadernetsError(f"{region.label(i + 1)}: {error}") from None
            stage = found[region.variation if in_full else ONE]
            if known is not None:
                for variation, each in found.items():
                    known.put(_next_key(before, replace(region, variation=variation), quick=not in_full), each)
        data, current = stage.data, None
        out.append((i, stage))
    return out


def _applied(region: Region, current: Document, how: _Applying) -> dict[Variation, Stage]:
    """What a region leaves of the `current` piece: each of the different answers that it is one of."""
    engine, source, faders = how.engine, how.document.piece, replace(region.faders, beats=how.beats)
    if region.notes is not None:
        return {ONE: _with_notes(engine, source, current, region.notes, faders)}
    count = region.variation.of
    answers = file_edit.edit_document(
        engine,
        current,
        on_tracks_of(source, current.piece, faders),
        count,
        quick=how.quick,
        progress=how.progress,
        encode=how.encode,
        decided=how.decided,
    )
    stages = [Stage(answer.data, answer.report, answer.log_odds) for answer in answers]
    return {Variation(i, count): stage for i, stage in enumerate(stages)}


def _with_notes(engine: EditModel, source: Piece, current: Document, layer: NoteLayer, faders: Faders) -> Stage:
    """What a layer of notes leaves of the `current` piece; the faders say in which bars it stands."""
    made = note_layer_edit.apply_notes(current, source, layer)
    after = Document(current.path, made.data).piece
    report = note_layer_edit.report_of_notes(engine, current.piece, after, layer, source, faders, made)
    return Stage(made.data, report, None)


def on_tracks_of(source: Piece, current: Piece, faders: Faders) -> Faders:
    """Faders that name the tracks of the `source` by the numbers that they have in the `current` piece, where a track
    that lost all its notes may be missing. Raises FadernetsError for a track that is not there."""
    only = faders.only_track
    if source is current or (faders.tracks is None and only is None):
        return faders
    option = "only" if only is not None else "tracks"
    wanted = file_edit.choose_tracks(source, [only] if only is not None else faders.tracks, option)
    places = [(track.chunk, track.channel) for track in current.tracks]
    numbers = []
    for track in (source.tracks[i] for i in wanted):
        if (track.chunk, track.channel) not in places:
            raise FadernetsError(f"{option}: the earlier regions left no note of track {track.name!r}")
        numbers.append(str(places.index((track.chunk, track.channel)) + 1))
    return replace(faders, only=numbers[0]) if only is not None else replace(faders, tracks=numbers)


def _differ(piece: Piece, source: Piece) -> bool:
    """Whether two pieces have other tempos."""
    pairs = ((piece.tempo.ticks, source.tempo.ticks), (piece.tempo.micros, source.tempo.micros))
    return not all(np.array_equal(a, b) for a, b in pairs)


def _own(region: Region, report: EditReport) -> EditReport:
    return replace(report, segments=[segment for segment in report.segments if region.has(segment)])


def _on_grid(engine: EditModel, source: Piece, stages: StageCache | None) -> PieceOnGrid:
    """The source on the grid of a model, which `stages` keep with what it measures."""
    kind = "windows" if isinstance(engine, Engine) else "bars"
    known = None if stages is None else stages.sources.get(kind)
    if known is not None and known[0] is source:
        return known[1]
    placed = placed_for(engine, source, file_edit.choose_tracks(source))
    if stages is not None:
        stages.sources[kind] = source, placed
    return placed


def _whole(before: PieceOnGrid, source: Piece, after: Piece) -> tuple[list[SegmentReport], dict[str, dict[str, Value]]]:
    """Every segment of the piece before the first region and behind the last one, and the means of those that sound."""
    now = before if after is source else before.reread(after)
    segments = edit_report.compare(before, now, before.full[:0], {}, holds=False)
    means = {
        when: edit_report.describe(piece, piece.full[piece.sounding(piece.full)])
        for when, piece in (("before", before), ("measured", now))
    }
    return segments, means


def _first_key(engine: EditModel, document: Document) -> str:
    return hashlib.sha256(_model(engine).encode() + document.with_tracks({})).hexdigest()


def _model(engine: EditModel) -> str:
    """What tells a model from others, also from those of its name."""
    return f"{engine.name} {engine.info.get('sha256', '')} "


def _next_key(before: str, region: Region, *, quick: bool) -> str:
    """What names the result of a region by all that led there; its own name is not among that."""
    fields = {name: value for name, value in region.as_dict().items() if name not in ("name", "bypass")}
    told = json.dumps([before, quick, fields, repr(region.faders.preset)], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def table(report: RegionsReport, every: bool = False) -> str:
    """The table of each region, under its name; with `every`, of all segments in its bars."""
    parts = []
    for row in report.regions:
        name = f"{row.number}" + (f" {row.name}" if row.name else "")
        parts.append(f"region {name}" + (": left out" if row.report is None else ""))
        if row.report is not None:
            parts.append(edit_report.table(row.report, every))
    return "\n".join(parts) if parts else "no regions"
