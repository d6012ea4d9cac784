"""Drafts of the bars in sight, while faders are dragged: they cost what these bars do, not what the piece does.

The bars are edited as a piece of their own with a few around them, from what the earlier regions left. Ticks, bars and
tracks of the answer are those of the whole piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fadernets.arrays import Array
from fadernets.decoding.edit_models import EditModel
from fadernets.editing import file_edit
from fadernets.editing.edit_grids import placed_for
from fadernets.editing.edit_report import EditReport, SegmentReport, compare, shown
from fadernets.editing.fader_curves import Ramp
from fadernets.editing.note_layers import NoteLayer
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.regions import Region
from fadernets.editing.roll_edit import Progress
from fadernets.editing.sight_excerpts import Below, Excerpt, Sight, excerpt_of, own_faders
from fadernets.engines.grid import Engine
from fadernets.music.document import Document
from fadernets.music.notes import NOTE

MOST_IN_SIGHT = 16  # segments that one draft edits


@dataclass(frozen=True)
class Draft:
    """A piece's bars in sight as regions leave them."""

    bars: tuple[int, int]
    ticks: tuple[int, int]  # from the first of their onsets to the last
    notes: Array  # of NOTE: those that begin in these ticks
    tempo: list[tuple[int, int]]  # (tick, microseconds a quarter note) in these ticks, the first at their start
    segments: list[SegmentReport]  # of these bars, before the first region and behind the last one
    reports: dict[int, EditReport]  # position of a region -> what it did there
    is_behind: bool  # whether some of the bars wait for their levels, which the same draft once more would give them


def can_be_drafted(engine: EditModel, regions: Sequence[Region]) -> bool:
    """Whether regions mean in some bars what they mean in all: no ramp runs over them, no note is named by its number,
    and notes come last."""
    if isinstance(engine, Engine):
        return False
    with_notes = [region.notes is not None for region in regions]
    if with_notes != sorted(with_notes) or all(with_notes):
        return False
    for faders in (region.faders for region in regions if region.notes is None):
        curves = [*faders.set.values(), *faders.move.values()]
        listed = faders.per_bar is not None and bool(faders.per_bar.listed)
        if faders.beats is not None or listed or any(isinstance(curve, Ramp) for curve in curves):
            return False
        if any(lock.numbers for lock in faders.keep):
            return False
    return True


def draft_in_sight(
    engine: EditModel,
    source: PieceOnGrid,
    below: Below,
    regions: Sequence[tuple[int, Region]],
    view: tuple[int, int],
    sight: Sight,
    progress: Progress | None = None,
) -> Draft | None:
    """The bars in sight with some regions, each with its position in the list, over what is below them.

    source: the piece before all regions, on its grid. view: first and last bar in sight. None where the piece must be
    drafted as a whole. Raises FadernetsError as an edit does.
    """
    those = _segments_of(source, view, [region for _, region in regions if region.notes is None])
    if those is None:
        return None
    piece = sight.excerpt((below.key, those), lambda: excerpt_of(below.document(), source, *those))
    document, reports, is_behind = piece.document, dict[int, EditReport](), False
    for position, region in regions:
        if region.notes is None:
            faders = own_faders(engine, region.faders, below, piece, sight)
            if faders is None:
                continue
            sight.drawn.is_behind = False
            answer = file_edit.edit_document(
                engine, document, faders, quick=True, progress=progress, drawn=sight.drawn
            )[0]
            document, reports[position] = Document(document.path, answer.data), _moved(answer.report, piece)
            is_behind = is_behind or sight.drawn.is_behind
    notes = _in_whole(document, piece)
    layers = [region.notes for _, region in regions if region.notes is not None]
    for layer in layers:
        notes = _with_layer(notes, layer)
    first, last = piece.shown
    early = source.windows.tpq // 8  # ahead of a bar line a note begins with the bar
    inside = (notes["onset"] >= first - early) & (notes["onset"] < last - early)
    return Draft(
        piece.bars,
        (first - early, last - early),
        np.sort(notes[inside], order=["onset", "pitch"], kind="stable"),
        _tempo(document, piece),
        _segments(engine, source, document, piece, layers),
        reports,
        is_behind,
    )


def _segments_of(source: PieceOnGrid, view: tuple[int, int], regions: Sequence[Region]) -> tuple[int, int] | None:
    """The first segment to edit and the one behind the last: those in sight that the regions reach, or the first that
    they reach; None where that is all of the piece."""
    bar, last_bar = source.windows.bar, source.windows.last_bar
    reached = np.zeros(len(bar), bool)
    for region in regions:
        ranges = region.faders.bars
        reached |= True if ranges is None else np.any([(last_bar >= a) & (bar <= b) for a, b in ranges], axis=0)
    seen = reached & (last_bar >= view[0]) & (bar <= view[1])
    found = np.flatnonzero(seen if seen.any() else reached)
    if not len(found):
        return None
    a, b = int(found[0]), int(found[-1]) + 1
    if b - a > MOST_IN_SIGHT:
        middle = (a + b) // 2 if seen.any() else a + MOST_IN_SIGHT // 2
        a, b = middle - MOST_IN_SIGHT // 2, middle + MOST_IN_SIGHT // 2
    return a, b


def _moved(report: EditReport, piece: Excerpt) -> EditReport:
    """A report of an excerpt with the numbers of the whole piece, of the bars that are edited; its warnings name bars
    and are left out."""
    first, last = piece.bars
    segments = [
        replace(
            one,
            index=one.index + piece.first_segment,
            bar=one.bar + piece.bars_before,
            last_bar=None if one.last_bar is None else one.last_bar + piece.bars_before,
        )
        for one in report.segments
    ]
    inside = [one for one in segments if one.bar >= first and (one.last_bar or one.bar) <= last]
    return replace(report, segments=inside, warnings=[])


def _in_whole(document: Document, piece: Excerpt) -> Array:
    """The notes of an edited excerpt with ticks and tracks of the whole piece."""
    found = document.piece
    notes = found.notes.copy()
    notes["onset"] += piece.start
    notes["end"] += piece.start
    if len(notes):
        of = np.array([piece.tracks[track.chunk - 1] for track in found.tracks], np.int32)
        notes["track"] = of[notes["track"]]
    return notes


def _with_layer(notes: Array, layer: NoteLayer) -> Array:
    """Notes with those of a layer; one that would overlap another is not cut."""
    gone = np.zeros(len(notes), bool)
    for first, end in layer.clear:
        gone |= (notes["onset"] >= first) & (notes["onset"] < end)
    removed = set(layer.remove)
    if removed:
        places = zip(notes["track"].tolist(), notes["onset"].tolist(), notes["pitch"].tolist(), strict=True)
        gone |= np.array([(track + 1, onset, pitch) in removed for track, onset, pitch in places], bool)
    added = np.array(
        [(onset, end, pitch, velocity, track - 1) for track, onset, end, pitch, velocity in layer.add], NOTE
    )
    return np.concatenate([notes[~gone], added])


def _tempo(document: Document, piece: Excerpt) -> list[tuple[int, int]]:
    """The tempos of an edited excerpt in the ticks that it shows."""
    tempo = document.piece.tempo
    first, last = (tick - piece.start for tick in piece.shown)
    at = max(int(np.searchsorted(tempo.ticks, first, side="right")) - 1, 0)
    rows = zip(tempo.ticks[at:].tolist(), tempo.micros[at:].tolist(), strict=True)
    return [(max(int(tick), first) + piece.start, int(micros)) for tick, micros in rows if tick < last]


def _segments(
    engine: EditModel, source: PieceOnGrid, document: Document, piece: Excerpt, layers: Sequence[NoteLayer]
) -> list[SegmentReport]:
    """What the segments in sight measure in the source and now, but for those that layers of notes change."""
    now = placed_for(engine, document.piece, _same_tracks(source, document, piece))
    first, last = piece.bars
    grid, out = source.windows, list[SegmentReport]()
    for one in compare(now, now, now.full[:0], {}, holds=False):
        i, bar = one.index + piece.first_segment, one.bar + piece.bars_before
        if not first <= bar <= last or i >= len(grid.bar) or int(grid.bar[i]) != bar:
            continue
        if any(layer.touches(int(grid.start[i]), int(grid.end[i])) for layer in layers):
            continue
        before = {name: shown(name, values[i]) for name, values in source.measured.items()}
        out.append(replace(one, index=i, bar=bar, last_bar=None, before=before))
    return out


def _same_tracks(source: PieceOnGrid, document: Document, piece: Excerpt) -> list[int]:
    """The tracks here that are those of the source on its grid."""
    chosen = {int(track) for track in np.unique(source.piece.notes["track"])}
    own = [i for i, track in enumerate(document.piece.tracks) if piece.tracks[track.chunk - 1] in chosen]
    return own or [*range(len(document.piece.tracks))]
