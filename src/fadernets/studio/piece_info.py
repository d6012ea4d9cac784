"""What the studio's page is told of a piece: notes, maps of tempo and metre, and what its segments measure."""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Array
from fadernets.attributes.table import ATTRIBUTES
from fadernets.decoding.edit_models import EditModel
from fadernets.editing import file_edit
from fadernets.editing.edit_grids import placed_for
from fadernets.music.document import Document
from fadernets.music.notes import Piece
from fadernets.music.score_midi import ScoreDocument
from fadernets.rendering.sound_copy import BEND, CONTROL, CONTROLS, PROGRAM
from fadernets.studio.types import Notes, PieceInfo, SegmentInfo, TrackInfo
from fadernets.studio.uploads import StoredPiece

PEDALS = frozenset({64, 66, 67})  # controllers; the page is told of the sustain pedal as it is edited


def piece_info(stored: StoredPiece, engine: EditModel, model: str) -> PieceInfo:
    """A piece as the page shows it; `engine` is that of the model of this name."""
    document, piece = stored.document, stored.document.piece
    edited = file_edit.choose_tracks(piece)
    on_grid = placed_for(engine, piece, edited)
    measured = file_edit.measured_segments(engine, on_grid)
    windows = on_grid.windows
    ticks = {int(w): (int(windows.start[w]), int(windows.end[w])) for w in on_grid.full}
    segments = []
    for row in measured["segments"]:
        start, end = ticks[row["index"]]
        values = {name: row[name] for name in ATTRIBUTES}
        segments.append(
            SegmentInfo(index=row["index"], bar=row["bar"], start=start, end=end, values=values, arousal=row["arousal"])
        )
    metre = zip(piece.metre.ticks, piece.metre.numerators, piece.metre.denominators, strict=True)
    return PieceInfo(
        id=stored.id,
        title=stored.title,
        model=model,
        tpq=piece.tpq,
        end=piece.end,
        seconds=round(piece.seconds(), 3),
        bars=_bar_lines(piece),
        tempo=tempo_of(piece),
        metre=[(int(a), int(b), int(c)) for a, b, c in metre],
        pedal=document.pedal(),
        channels=[track.channel for track in piece.tracks],
        messages=messages_of(document),
        tracks=[
            TrackInfo(number=i + 1, name=t.name, program=t.program or 0, drum=t.is_drum, edited=i in edited)
            for i, t in enumerate(piece.tracks)
        ],
        notes=notes_of(piece),
        segments=segments,
        means=measured["means"],
        warnings=piece.warnings,
        is_score=isinstance(document, ScoreDocument),
    )


def messages_of(document: Document) -> list[list[int]]:
    """What sets the sound of channels: (tick, bytes) by tick, file order within a tick, programs first."""
    found = [
        [tick, *message]
        for track in document.paired.events
        for tick, message in track
        if message[0] >> 4 in (PROGRAM, BEND) or (message[0] >> 4 == CONTROL and message[1] in CONTROLS - PEDALS)
    ]
    return sorted(found, key=lambda row: (row[0], row[1] >> 4 != PROGRAM))


def notes_of(piece: Piece) -> Notes:
    """A piece's notes as columns."""
    return columns_of(piece.notes)


def columns_of(notes: Array) -> Notes:
    """Notes [N] of NOTE as columns."""
    return Notes(**{name: notes[name].tolist() for name in ("onset", "end", "pitch", "velocity", "track")})


def tempo_of(piece: Piece) -> list[tuple[int, int]]:
    """(tick, microseconds a quarter note) of each tempo of a piece."""
    return [(int(tick), int(micros)) for tick, micros in zip(piece.tempo.ticks, piece.tempo.micros, strict=True)]


def _bar_lines(piece: Piece) -> list[int]:
    """The ticks of a piece's bar lines, with the end of the last bar."""
    lines = piece.metre.bar_starts(piece.end)
    signature = np.searchsorted(piece.metre.ticks, lines[-1], side="right") - 1
    return [*lines.tolist(), int(lines[-1]) + int(piece.metre.bar_lengths()[signature])]
