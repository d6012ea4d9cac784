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
from fadernets.editing.edit_report import EditReport
from fadernets.editing.fader_reach import reach_of
from fadernets.editing.file_edit import EditedPiece
from fadernets.editing.presets import PAPER_PRESET
from fadernets.editing.region_edit import (
    EditedByRegions,
    RegionsReport,
    edit_by_regions,
    on_tracks_of,
    variations_of_last,
)
from fadernets.editing.regions import RegionList
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
    EditRequest,
    EditResponse,
    FadersRequest,
    MeanValues,
    RenderRequest,
    SegmentValues,
)
from fadernets.studio.fader_requests import LOCKED, locked_out, mean_requested, to_faders
from fadernets.studio.inspect_room import InspectRoom
from fadernets.studio.melody_room import MelodyRoom
from fadernets.studio.midi_port import MidiPort
from fadernets.studio.models import Models
from fadernets.studio.piece_info import notes_of, piece_info, tempo_of
from fadernets.studio.region_requests import bars_of, reach_info, region_values, to_regions
from fadernets.studio.turns import StaleRequest
from fadernets.studio.uploads import BUNDLED, StoredPiece, Uploads

IsStale = Callable[[], bool]


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
            presets=_presets(),
            pieces=[types.PieceName(id=name, title=title) for name, title in BUNDLED.items()],
            most_bytes=types.MOST_BYTES,
            most_bars=types.MOST_BARS,
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

    def edit(self, request: EditRequest, is_stale: IsStale = lambda: False) -> EditResponse:
        """Edit a piece by its faders. Raises StaleRequest once `is_stale` says that a newer request has come."""
        start = time.perf_counter()
        stored, answer = self._answer(request, is_stale)
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
            bars=None if bars is None else bars_of(bars),
            tracks=None if tracks is None else [name.strip() for name in tracks.split(",")],
            only=only,
            keep=keep or (),
        )
        rows = [reach_info(reach) for reach in reach_of(engine, stored.document, faders)]
        return DescribeResponse(piece=stored.id, model=model, faders=rows)

    def describe_region(self, request: DescribeRequest, is_stale: IsStale = lambda: False) -> DescribeResponse:
        """How far each fader of a region can go on what the earlier ones left."""
        stored, engine = self.uploads.get(request.piece), self.models.engine(request.model)
        if request.index >= len(request.regions):
            raise FadernetsError(f"index {request.index}: there are {len(request.regions)} regions, the first is 0")
        source, poll = stored.document, _stop_if(is_stale)
        regions = to_regions(request.regions[: request.index + 1], FadersRequest(), source.piece)
        left = edit_by_regions(
            engine, source, regions[:-1], progress=poll, encode=stored.encodings, stages=stored.stages
        )
        faders = on_tracks_of(source.piece, left.document.piece, regions[-1].faders)
        rows = [reach_info(reach) for reach in reach_of(engine, left.document, faders, partial(poll, 1, 1))]
        return DescribeResponse(piece=stored.id, model=request.model, faders=rows)

    def render(self, request: RenderRequest, is_stale: IsStale = lambda: False) -> Download:
        """An edit as a file that says how it was made."""
        stored, answer = self._answer(request, is_stale)
        provenance = self._provenance(request, stored)
        if request.format == "json":
            data = (json.dumps({**provenance, "report": answer.report.as_dict()}, indent=1) + "\n").encode()
        else:
            data = with_provenance(answer.data, provenance)
        stem, poll = f"{stored.stem}-edited", partial(_stop_if(is_stale), 1, 1)
        return download(stem, request.format, data, stored.title, self._folder, poll)

    def _answer(self, request: EditRequest, is_stale: IsStale) -> tuple[StoredPiece, EditedPiece | EditedByRegions]:
        stored, engine = self.uploads.get(request.piece), self.models.engine(request.model)
        if request.regions:
            layered = edit_by_regions(
                engine,
                stored.document,
                to_regions(request.regions, request.faders, stored.document.piece),
                draft=request.draft,
                progress=_stop_if(is_stale),
                encode=stored.encodings,
                stages=stored.stages,
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
            draft=request.draft,
            progress=_stop_if(is_stale),
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


def _presets() -> list[types.PresetInfo]:
    """The learned presets, then the paper's."""
    rows = []
    for name in presets.names():
        preset = presets.load(name)
        moves = {attribute: preset.move_text(attribute, 1.0) for attribute, step in preset.moves.items() if step}
        rows.append(types.PresetInfo(name=name, about=preset.about, moves=moves, codes=False))
    about = "The paper's: the codes go by the difference between the clusters' means."
    return [*rows, types.PresetInfo(name=PAPER_PRESET, about=about, moves={}, codes=True)]


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


def _stop_if(is_stale: IsStale) -> Progress:
    """Progress that raises StaleRequest once nobody waits for the answer."""

    def progress(done: int, total: int) -> None:
        if is_stale():
            raise StaleRequest

    return progress
