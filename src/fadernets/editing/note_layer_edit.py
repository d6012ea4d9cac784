"""A layer of notes applied to a piece: the bytes of its file, and what is measured where notes went and came.

What the layer does not name keeps its bytes. Tracks are those of the source, found by chunk and channel, so that a note
can come to a track that earlier layers emptied. N notes; ticks are absolute.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from fadernets.arrays import Array, Indices
from fadernets.decoding.edit_models import EditModel
from fadernets.editing.edit_grids import grid_for
from fadernets.editing.edit_report import EditReport, compare, describe
from fadernets.editing.note_draft import NEW, NoteDraft
from fadernets.editing.note_layers import NoteLayer
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.requests import Faders
from fadernets.errors import FadernetsError
from fadernets.music.document import Document
from fadernets.music.notes import NOTE, Piece, Track
from fadernets.music.segments import cut
from fadernets.music.smf import MAX_BEATS, MAX_TICKS

FARTHEST = 256  # quarter notes that a new note may end behind the last note of the source

Spans = list[tuple[int, int]]  # onsets and ends, in ticks


@dataclass(frozen=True)
class LayeredNotes:
    """A piece with a layer of notes."""

    data: bytes  # of its file
    warnings: list[str]
    spans: Spans  # of the notes that went, came or changed


def apply_notes(document: Document, source: Piece, layer: NoteLayer) -> LayeredNotes:
    """The document with a layer of notes; `source` is the piece before the first layer, whose tracks the rows number.

    A new note that sounds together with another one of its pitch and channel is cut, or cuts it, as in every edit; one
    that would begin with another of its track and pitch does not come. Raises FadernetsError.
    """
    _check(source, layer)
    piece = document.piece
    own = [(track.chunk, track.channel) for track in source.tracks]
    tracks = [*piece.tracks]
    number_of = {(track.chunk, track.channel): i for i, track in enumerate(tracks)}
    for track, place in zip(source.tracks, own, strict=True):
        if place not in number_of:
            number_of[place] = len(tracks)
            tracks.append(track)
    numbers = [number_of[place] for place in own]  # in `tracks`, of each of the source's
    draft, spans, warnings = _drafted(piece, layer, numbers)
    written = draft.without_new_overlaps(replace(piece, tracks=tracks)).notes
    cut_short = int((written[["onset", "end"]] != draft.notes[["onset", "end"]]).sum())
    if cut_short:
        warnings.append(f"notes that were cut where another one of their pitch sounds: {cut_short}")
    edit = draft.edit(piece.notes, piece.tempo, tracks)
    if not (len(edit.removed) or len(edit.changed) or len(edit.added)):
        return LayeredNotes(document.with_tracks({}), warnings, spans)
    return LayeredNotes(document.edited(edit, tracks), warnings, spans)


def _check(source: Piece, layer: NoteLayer) -> None:
    """Raises FadernetsError for tracks that are not there and notes that are far behind the end."""
    for where, rows in (("remove", layer.remove), ("add", layer.add)):
        last = max((row[0] for row in rows), default=0)
        if last > len(source.tracks):
            raise FadernetsError(f"notes {where}: track {last}: the piece has {len(source.tracks)} tracks with notes")
    most = min(source.end + FARTHEST * source.tpq, MAX_BEATS * source.tpq, MAX_TICKS)
    last = max((row[2] for row in layer.add), default=0)
    if last > most:
        raise FadernetsError(f"notes add: a note ends at tick {last}; in this piece notes may end up to {most}")


def _drafted(piece: Piece, layer: NoteLayer, numbers: list[int]) -> tuple[NoteDraft, Spans, list[str]]:
    """The piece's notes with those of the layer, the ticks that they touch, and warnings."""
    notes, warnings = piece.notes.copy(), list[str]()
    here: dict[tuple[int, int, int], list[int]] = defaultdict(list)  # track, onset, pitch -> rows, the first one last
    gone: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    spans: Spans = []
    for i in reversed(range(len(notes))):
        note = notes[i]
        here[int(note["track"]), int(note["onset"]), int(note["pitch"])].append(i)
    missing = 0
    cleared = np.zeros(len(notes), bool)
    for first, end in layer.clear:
        cleared |= (notes["onset"] >= first) & (notes["onset"] < end)
    for row in reversed(np.flatnonzero(cleared).tolist()):
        note = notes[row]
        place = int(note["track"]), int(note["onset"]), int(note["pitch"])
        here[place].remove(row)
        gone[place].append(row)
        spans.append((int(note["onset"]), int(note["end"])))
    for track, onset, pitch in layer.remove:
        place = numbers[track - 1], onset, pitch
        if not here.get(place):
            missing += 1
            continue
        row = here[place].pop()
        gone[place].append(row)
        spans.append((onset, int(notes["end"][row])))
    if missing:
        warnings.append(f"notes to remove that are not there: {missing}")
    added: list[tuple[int, int, int, int, int]] = []
    taken: set[tuple[int, int, int]] = set()
    twice = 0
    for track, onset, end, pitch, velocity in layer.add:
        place = numbers[track - 1], onset, pitch
        if here.get(place) or place in taken:
            twice += 1
            continue
        taken.add(place)
        spans.append((onset, end))
        if gone.get(place):  # it has another length or velocity, and keeps its place among the events
            row = gone[place].pop()
            notes["end"][row], notes["velocity"][row] = end, velocity
        else:
            added.append((onset, end, pitch, velocity, place[0]))
    if twice:
        warnings.append(f"notes that begin with another one of their track and pitch: {twice}, left out")
    stays = np.setdiff1d(np.arange(len(notes)), [row for rows in gone.values() for row in rows])
    new = np.array(added, NOTE) if added else np.empty(0, NOTE)
    origin = np.concatenate([stays, np.full(len(new), NEW)])
    return NoteDraft(np.concatenate([notes[stays], new]), origin, cut(piece), piece.tempo), spans, warnings


def report_of_notes(
    engine: EditModel, before: Piece, after: Piece, layer: NoteLayer, source: Piece, faders: Faders, made: LayeredNotes
) -> EditReport:
    """What the layer's tracks measure before and after it, in the bars of the `faders`, or where notes changed."""
    longer = after if after.end > before.end else before
    grid = grid_for(engine, longer, faders)
    rows = [*(row[0] for row in layer.remove), *(row[0] for row in layer.add)]
    numbers = range(1, len(source.tracks) + 1) if layer.clear else sorted(set(rows))
    chosen = [source.tracks[number - 1] for number in numbers]
    first, last = (PieceOnGrid.of(piece, _pitched(piece, chosen), grid) for piece in (before, after))
    segments = _segments(first, faders, made.spans)
    inside = {int(w) for w in segments}
    reports = compare(first, last, segments, {}, holds=False)
    means = {"before": describe(first, segments), "measured": describe(last, segments)}
    warnings = [*before.warnings, *made.warnings]
    own = [report for report in reports if report.index in inside]
    return EditReport(engine.name, faders.seed, None, own, means, warnings)


def _pitched(piece: Piece, tracks: list[Track]) -> list[int]:
    """The numbers of those of some tracks that a piece has, drums left out."""
    places = {(track.chunk, track.channel) for track in tracks}
    return [i for i, track in enumerate(piece.tracks) if (track.chunk, track.channel) in places and not track.is_drum]


def _segments(piece: PieceOnGrid, faders: Faders, spans: Spans) -> Indices:
    """The full segments in the bars of the faders, or those in which a span sounds where there are no such bars."""
    windows = piece.windows
    inside = np.zeros(len(windows.start), bool)
    for first, last in faders.bars or ():
        inside |= (windows.bar >= first) & (windows.last_bar <= last)
    if faders.bars is None:
        edges = np.zeros(len(inside) + 1, np.int64)
        ticks: Array = np.array(spans, np.int64).reshape(-1, 2)
        np.add.at(edges, np.searchsorted(windows.end, ticks[:, 0], side="right").clip(max=len(inside)), 1)
        np.add.at(edges, np.searchsorted(windows.start, ticks[:, 1], side="left"), -1)
        inside = np.cumsum(edges)[:-1] > 0
    return piece.full[inside[piece.full]]
