"""What the studio can do, without a server: pieces and edits of them here, melodies and inspection in their rooms."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from fadernets import __version__
from fadernets.attributes.table import ATTRIBUTES, CODED, is_movable
from fadernets.editing import file_edit, presets
from fadernets.editing.decided_bars import DecidedBars
from fadernets.editing.edit_report import EditReport
from fadernets.editing.fader_reach import reach_of
from fadernets.editing.file_edit import EditedPiece
from fadernets.editing.presets import PAPER_PRESET
from fadernets.editing.region_edit import (
    EditedByRegions,
    RegionsReport,
    draft_by_regions,
    edit_by_regions,
    is_known,
    on_tracks_of,
    variations_of_last,
)
from fadernets.editing.regions import RegionList
from fadernets.editing.request_values import bar_ranges
from fadernets.editing.requests import Faders
from fadernets.editing.roll_edit import Progress
from fadernets.engines.model_folder import DEFAULT_MODEL
from fadernets.errors import FadernetsError
from fadernets.music.document import Document
from fadernets.studio import types
from fadernets.studio.downloads import Download, download, with_provenance
from fadernets.studio.edit_types import (
    DescribeRequest,
    DescribeResponse,
    EditProgress,
    EditRequest,
    EditResponse,
    MeanValues,
    RenderRequest,
    SegmentValues,
)
from fadernets.studio.fader_requests import LOCKED, locked_out, mean_requested
from fadernets.studio.inspect_room import InspectRoom
from fadernets.studio.melody_room import MelodyRoom
from fadernets.studio.midi_port import MidiPort
from fadernets.studio.parts import decided_response, part_response
from fadernets.studio.piece_info import notes_of, piece_info, tempo_of
from fadernets.studio.region_requests import reach_info, region_values, to_regions
from fadernets.studio.turns import StaleRequest
from fadernets.studio.uploads import BUNDLED, StoredPiece, Uploads
from fadernets.web.fader_requests import FadersRequest, to_faders
from fadernets.web.models import Models
from fadernets.web.piece_limits import MOST_BARS, MOST_BYTES

IsStale = Callable[[], bool]
Tell = Callable[[EditResponse | EditProgress], None]
LONG = 64  # bars of a piece whose bars in sight are answered before the others
TELL_SECONDS = 0.1  # between two messages of how far an edit is


class Studio:
    """The studio of one server; raises FadernetsError for what cannot be done.

    models: model folders by name, beside the shipped ones. data: a data set whose segments the map shows. folder: where
    sound is left that is to be sent; without one, it is held in memory.
    """

    def __init__(
        self,
        models: dict[str, Path] | None = None,
        uploads: Uploads | None = None,
        data: Path | None = None,
        folder: Path | None = None,
    ) -> None:
        self._folder = folder
        self.uploads = uploads or Uploads()
        self.models = Models(models)
        self.melody = MelodyRoom(self.models, self.uploads, folder)
        self.inspect = InspectRoom(self.models, self.uploads, data)
        self.port: MidiPort | None = None

    def about(self) -> types.AboutResponse:
        """The models, attributes, presets and bundled pieces, and the limits."""
        return types.AboutResponse(
            version=__version__,
            models=self.models.describe(),
            attributes=_attributes(),
            presets=_presets(self.models),
            pieces=[types.PieceName(id=name, title=title) for name, title in BUNDLED.items()],
            most_bytes=MOST_BYTES,
            most_bars=MOST_BARS,
            port=self.port.name if self.port else None,
        )

    def warm(self) -> None:
        """Open the shipped models and the first piece before the page's first request."""
        self.piece(next(iter(BUNDLED)))
        self.models.melody_engine()

    def add(self, name: str, data: bytes, owner: str = "") -> types.PieceInfo:
        """Store a file's bytes; the piece with its notes and its attribute values."""
        return self.piece(self.uploads.add(name, data, owner).id)

    def piece(self, piece: str, model: str = DEFAULT_MODEL) -> types.PieceInfo:
        """A piece with its notes and its attribute values."""
        return piece_info(self.uploads.get(piece), self.models.engine(model), model)

    def edit(self, request: EditRequest, is_stale: IsStale = lambda: False, tell: Tell | None = None) -> EditResponse:
        """Edit a piece by its faders. Raises StaleRequest once `is_stale` says that a newer request has come.

        tell: hears how far a long answer is, and has bars of it before the others: those in sight, then the first ones.
        """
        start = time.perf_counter()
        decided = None
        if request.view is not None and request.regions:
            if request.draft:
                part = self._in_sight(request, is_stale, start)
                if part is not None:
                    return part
            elif tell is not None:
                decided = self._tell_of_parts(request, is_stale, tell, start)
        stored, answer = self._answer(request, is_stale, tell, decided)
        return _response(request, stored, answer, start)

    def variations(self, request: EditRequest, count: int = 4, is_stale: IsStale = lambda: False) -> list[EditResponse]:
        """Different answers to one request, the likeliest first; `faders.variation` requests one of them again."""
        start = time.perf_counter()
        stored, engine = self.uploads.get(request.piece), self.models.engine(request.model)
        answers: list[EditedPiece] | list[EditedByRegions]
        if request.regions:
            answers = variations_of_last(
                engine,
                stored.document,
                to_regions(request.regions, request.faders, stored.document.piece),
                count,
                progress=_stop_if(is_stale),
                encode=stored.encodings,
                stages=stored.stages,
            )
        else:
            answers = file_edit.edit_document(
                engine,
                stored.document,
                to_faders(request.faders, stored.document.piece),
                count,
                progress=_stop_if(is_stale),
                encode=stored.encodings,
            )
        return [_response(request, stored, answer, start) for answer in answers]

    def describe(
        self,
        piece: str,
        model: str = DEFAULT_MODEL,
        tracks: str | None = None,
        bars: str | None = None,
        only: str | None = None,
        keep: list[str] | None = None,
    ) -> DescribeResponse:
        """How far each fader can go in bars (`5-8`), on tracks (`1,3`), under locks (`melody:5-6`)."""
        stored, engine = self.uploads.get(piece), self.models.engine(model)
        faders = Faders.checked(
            bars=None if bars is None else bar_ranges(bars, "bars"),
            tracks=None if tracks is None else [name.strip() for name in tracks.split(",")],
            only=only,
            keep=keep or (),
        )
        rows = [reach_info(reach, engine) for reach in reach_of(engine, stored.document, faders)]
        return DescribeResponse(piece=stored.id, model=model, faders=rows)

    def describe_region(self, request: DescribeRequest, is_stale: IsStale = lambda: False) -> DescribeResponse:
        """How far each fader of a region can go on what the earlier ones left; a region of notes has none."""
        stored, engine = self.uploads.get(request.piece), self.models.engine(request.model)
        if request.index >= len(request.regions):
            raise FadernetsError(f"index {request.index}: there are {len(request.regions)} regions, the first is 0")
        source, poll = stored.document, _stop_if(is_stale)
        regions = to_regions(request.regions[: request.index + 1], FadersRequest(), source.piece)
        if regions[-1].notes is not None:
            return DescribeResponse(piece=stored.id, model=request.model, faders=[])
        left = edit_by_regions(
            engine, source, regions[:-1], progress=poll, encode=stored.encodings, stages=stored.stages
        )
        faders = on_tracks_of(source.piece, left.document.piece, regions[-1].faders)
        rows = [reach_info(reach, engine) for reach in reach_of(engine, left.document, faders, partial(poll, 1, 1))]
        return DescribeResponse(piece=stored.id, model=request.model, faders=rows)

    def render(self, request: RenderRequest, is_stale: IsStale = lambda: False) -> Download:
        """An edit as a file that says how it was made."""
        stored, answer = self._answer(request, is_stale)
        provenance = self._provenance(request, stored)
        if request.format == "json":
            data = (json.dumps({**provenance, "report": answer.report.as_dict()}, indent=1) + "\n").encode()
        else:
            data = answer.data if request.format == "score" else with_provenance(answer.data, provenance)
        stem, poll = f"{stored.stem}-edited", partial(_stop_if(is_stale), 1, 1)
        return download(stem, request.format, data, stored.title, self._folder, poll, stored.document)

    def _in_sight(self, request: EditRequest, is_stale: IsStale, start: float) -> EditResponse | None:
        """A draft of the bars in sight; None where it has to be of the whole piece."""
        stored, engine = self.uploads.get(request.piece), self.models.engine(request.model)
        regions = to_regions(request.regions, request.faders, stored.document.piece)
        first, last = sorted(request.view or (1, 1))
        found = draft_by_regions(engine, stored.document, regions, (first, last), stored.stages, _stop_if(is_stale))
        return None if found is None else part_response(request, stored, *found, start)

    def _tell_of_parts(self, request: EditRequest, is_stale: IsStale, tell: Tell, start: float) -> DecidedBars | None:
        """Tell of the bars in sight, where the whole takes much longer; what tells of others as they are decided."""
        stored, engine = self.uploads.get(request.piece), self.models.engine(request.model)
        piece = stored.document.piece
        if len(piece.metre.bar_starts(piece.end)) <= LONG:
            return None
        regions = to_regions(request.regions, request.faders, piece)
        if is_known(engine, stored.document, regions, stored.stages):
            return None
        is_behind = True
        while is_behind and (part := self._in_sight(request, is_stale, start)) is not None and part.part is not None:
            is_behind = part.part.is_behind
            tell(part.model_copy(update={"draft": False}))
        return DecidedBars(lambda found: tell(decided_response(request, stored, found, start)))

    def _answer(
        self,
        request: EditRequest,
        is_stale: IsStale,
        tell: Tell | None = None,
        decided: DecidedBars | None = None,
    ) -> tuple[StoredPiece, EditedPiece | EditedByRegions]:
        stored, engine = self.uploads.get(request.piece), self.models.engine(request.model)
        if request.regions:
            layered = edit_by_regions(
                engine,
                stored.document,
                to_regions(request.regions, request.faders, stored.document.piece),
                quick=request.draft,
                progress=_stop_if(is_stale, tell, request.seq),
                encode=stored.encodings,
                stages=stored.stages,
                decided=decided,
            )
            return stored, layered
        faders = to_faders(request.faders, stored.document.piece)
        variation = request.faders.variation
        count, index = (variation.count, variation.index) if variation is not None and not request.draft else (1, 0)
        if index >= count:
            raise FadernetsError(f"variation {index}: of {count} there are 0 to {count - 1}")
        answers = file_edit.edit_document(
            engine,
            stored.document,
            faders,
            count,
            quick=request.draft,
            progress=_stop_if(is_stale, tell, request.seq),
            encode=stored.encodings,
        )
        return stored, answers[index]

    def _provenance(self, request: EditRequest, stored: StoredPiece) -> dict[str, Any]:
        """What a file says of itself: program, model, source, and either regions, as `fadernets apply --regions` takes
        them, or seed and faders."""
        made = {**self.models.provenance(request.model), "source": stored.title, "source_id": stored.id}
        if request.regions:
            regions = to_regions(request.regions, request.faders, stored.document.piece)
            return {**made, "regions": RegionList(regions, request.model).as_dict()}
        return {
            **made,
            "seed": request.faders.seed,
            "faders": request.faders.model_dump(exclude_defaults=True),
        }


def _attributes() -> list[types.AttributeInfo]:
    """The faders: every attribute that can be moved."""
    return [
        types.AttributeInfo(
            name=row.name,
            option=row.option,
            unit=row.unit,
            low=row.low,
            high=row.high,
            near=row.near,
            grain=row.grain,
            names=list(row.names),
            coded=row.name in CODED,
        )
        for row in ATTRIBUTES.values()
        if is_movable(row)
    ]


def _presets(models: Models) -> list[types.PresetInfo]:
    """The learned presets, then the paper's and all others that shift codes of a model that is offered."""
    rows = []
    for name in presets.names():
        preset = presets.load(name)
        moves = {attribute: preset.move_text(attribute, 1.0) for attribute, step in preset.moves.items() if step}
        rows.append(types.PresetInfo(name=name, about=preset.about, moves=moves, codes=False))
    about = "The paper's: the codes go by the difference between the clusters' means."
    for name, owners in models.code_presets().items():
        words = (
            about if name == PAPER_PRESET else f"The codes of {', '.join(owners)} go between the means of its clusters."
        )
        rows.append(types.PresetInfo(name=name, about=words, moves={}, codes=True))
    return rows


def _response(
    request: EditRequest, stored: StoredPiece, answer: EditedPiece | EditedByRegions, start: float
) -> EditResponse:
    """An answer as the page shows it; `start` is the value of `time.perf_counter` when the request came."""
    report = answer.report
    document = answer.document if isinstance(answer, EditedByRegions) else Document(stored.document.path, answer.data)
    segments = [
        SegmentValues(index=s.index, bar=s.bar, before=s.before, asked=s.asked, measured=s.measured)
        for s in report.segments
    ]
    regions = []
    if isinstance(report, RegionsReport):
        regions = [region_values(*each) for each in zip(request.regions, report.regions, strict=True)]
    return EditResponse(
        seq=request.seq,
        piece=stored.id,
        draft=request.draft,
        notes=notes_of(document.piece),
        tempo=tempo_of(document.piece),
        pedal=document.pedal(),
        end=document.piece.end,
        segments=segments,
        means=MeanValues(asked=mean_requested(report.segments, report.means["before"]["key"]), **report.means),
        preset=report.preset["moves"] if isinstance(report, EditReport) and report.preset else {},
        log_odds=answer.log_odds,
        warnings=[*report.warnings, *([LOCKED] if locked_out(request.faders, segments) else [])],
        regions=regions,
        milliseconds=round(1e3 * (time.perf_counter() - start), 1),
    )


def _stop_if(is_stale: IsStale, tell: Tell | None = None, seq: int = 0) -> Progress:
    """Progress that raises StaleRequest once nobody waits for the answer, and is told of now and then."""
    due = time.monotonic() + TELL_SECONDS

    def progress(done: int, total: int) -> None:
        nonlocal due
        if is_stale():
            raise StaleRequest
        if tell is not None and time.monotonic() > due:
            due = time.monotonic() + TELL_SECONDS
            tell(EditProgress(seq=seq, done=done, total=total))

    return progress
