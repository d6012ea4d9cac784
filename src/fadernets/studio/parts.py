"""Answers that speak of some bars of a piece alone: drafts of those in sight, and those that are decided first."""

from __future__ import annotations

import time
from collections.abc import Sequence

from fadernets.editing.decided_bars import BarsSoFar
from fadernets.editing.drafts_in_sight import Draft
from fadernets.editing.edit_report import SegmentReport
from fadernets.editing.region_edit import RegionReport
from fadernets.studio.edit_types import EditRequest, EditResponse, MeanValues, PartInfo, SegmentValues
from fadernets.studio.piece_info import columns_of
from fadernets.studio.region_requests import region_values
from fadernets.studio.types import Value
from fadernets.studio.uploads import StoredPiece


def part_response(
    request: EditRequest, stored: StoredPiece, draft: Draft, regions: Sequence[RegionReport], start: float
) -> EditResponse:
    """A draft as the page shows it; `start` is the value of `time.perf_counter` when the request came."""
    part = PartInfo(bars=draft.bars, ticks=draft.ticks, is_behind=draft.is_behind)
    found = _response(request, stored, draft, part, start)
    return found.model_copy(
        update={
            "draft": True,
            "segments": [values_of(segment) for segment in draft.segments],
            "regions": [region_values(*each) for each in zip(request.regions, regions, strict=True)],
        }
    )


def decided_response(request: EditRequest, stored: StoredPiece, found: BarsSoFar, start: float) -> EditResponse:
    """Bars that are decided before the whole answer is there, without measures."""
    return _response(request, stored, found, PartInfo(bars=found.bars, ticks=found.ticks, is_decided=True), start)


def _response(
    request: EditRequest, stored: StoredPiece, found: Draft | BarsSoFar, part: PartInfo, start: float
) -> EditResponse:
    """The notes and tempo of a part; nothing is measured."""
    nothing: dict[str, Value] = {}
    return EditResponse(
        seq=request.seq,
        piece=stored.id,
        draft=False,
        notes=columns_of(found.notes),
        tempo=found.tempo,
        pedal=[],
        end=stored.document.piece.end,
        segments=[],
        means=MeanValues(before=nothing, asked=nothing, measured=nothing),
        preset={},
        log_odds=None,
        warnings=[],
        regions=[],
        milliseconds=round(1e3 * (time.perf_counter() - start), 1),
        part=part,
    )


def values_of(segment: SegmentReport) -> SegmentValues:
    """What an answer says of one segment."""
    return SegmentValues(
        index=segment.index, bar=segment.bar, before=segment.before, asked=segment.asked, measured=segment.measured
    )
