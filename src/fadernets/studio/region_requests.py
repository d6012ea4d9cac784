"""Requests for regions, translated into regions of `fadernets.editing`, and what an answer says of each."""

from __future__ import annotations

from fadernets.attributes.of_segments import HIGHEST
from fadernets.attributes.table import ATTRIBUTES
from fadernets.decoding.edit_models import EditModel
from fadernets.editing.fader_reach import FaderReach
from fadernets.editing.note_layers import NoteLayer
from fadernets.editing.region_edit import RegionReport
from fadernets.editing.regions import ONE, Region, Variation, label_of
from fadernets.engines.grid import Engine
from fadernets.errors import FadernetsError
from fadernets.music.notes import Piece
from fadernets.studio.edit_types import (
    FaderReachInfo,
    MeanValues,
    RegionRequest,
    RegionValues,
    SegmentValues,
)
from fadernets.studio.fader_requests import LOCKED, locked_out, mean_requested
from fadernets.web.fader_requests import FadersRequest, to_faders


def to_regions(requests: list[RegionRequest], faders: FadersRequest, piece: Piece) -> list[Region]:
    """The regions of a request for one piece. Raises FadernetsError that names the region."""
    if faders != FadersRequest():
        raise FadernetsError("regions: each has faders of its own; leave the faders of the request at rest")
    return [_region(request, number, piece) for number, request in enumerate(requests, 1)]


def _region(request: RegionRequest, number: int, piece: Piece) -> Region:
    variation = ONE if request.variation is None else Variation(request.variation.index, request.variation.count)
    preset = None if request.preset is None else request.preset.name
    try:
        if request.notes is None:
            return Region(to_faders(request, piece), request.name, request.bypass, variation, preset)
        if request.locked:
            raise FadernetsError("locked: a region of notes has none; leave out locked, or notes")
        notes = NoteLayer.checked(request.notes.model_dump())
        return Region(to_faders(request, piece), request.name, request.bypass, variation, preset, notes)
    except FadernetsError as error:
        raise FadernetsError(f"{label_of(request.name, number)}: {error}") from None


def region_values(request: RegionRequest, report: RegionReport) -> RegionValues:
    """What an answer says of one region, which was requested like this."""
    made = report.report
    if made is None:
        return RegionValues(name=report.name, bypass=report.bypass, segments=[], means=None, preset={}, warnings=[])
    segments = [
        SegmentValues(index=s.index, bar=s.bar, before=s.before, asked=s.asked, measured=s.measured)
        for s in made.segments
    ]
    return RegionValues(
        name=report.name,
        bypass=report.bypass,
        segments=segments,
        means=MeanValues(asked=mean_requested(made.segments, made.means["before"]["key"]), **made.means),
        preset=made.preset["moves"] if made.preset else {},
        warnings=[*made.warnings, *([LOCKED] if locked_out(request, segments) else [])],
    )


def reach_info(reach: FaderReach, engine: EditModel) -> FaderReachInfo:
    """What a description says of one fader with a model."""
    row = ATTRIBUTES[reach.name]
    on_bars = not isinstance(engine, Engine)
    return FaderReachInfo(
        name=row.name,
        unit=row.unit,
        low=row.low,
        high=HIGHEST.get(row.name, row.high) if on_bars else row.high,
        near=row.near,
        value=reach.value,
        lowest=reach.lowest,
        highest=reach.highest,
        why_lowest=reach.why_lowest,
        why_highest=reach.why_highest,
        choices=list(reach.choices),
        tried=reach.is_tried,
    )
