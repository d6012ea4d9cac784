"""On which grid a piece is edited and measured: windows for the paper's model, the piece's own bars for a rewriter."""

from __future__ import annotations

from fadernets.decoding.edit_models import EditModel
from fadernets.editing import hands
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.requests import Faders
from fadernets.engines.grid import Engine
from fadernets.errors import FadernetsError
from fadernets.music.beat_tracking import lacks_beats
from fadernets.music.metric_grid import MetricGrid
from fadernets.music.notes import Piece
from fadernets.music.segments import Grid, cut


def grid_for(engine: EditModel, piece: Piece, faders: Faders | None = None) -> Grid:
    """The grid of a piece that a model edits on. Pairs of short bars that the faders' bars split are taken apart.

    Raises FadernetsError for times of beats that a model of windows cannot heed.
    """
    beats = None if faders is None else faders.beats
    if isinstance(engine, Engine):
        if faders is not None and beats is not None:
            raise FadernetsError(f"{faders.spelling.field('beats')}: needs a model that rewrites passages")
        return cut(piece)
    if beats is not None:
        return beats.grid(piece)
    return MetricGrid.of(piece, () if faders is None else faders.bars_apart())


def placed_for(engine: EditModel, piece: Piece, tracks: list[int], faders: Faders | None = None) -> PieceOnGrid:
    """Some tracks of a piece, or the one hand that the faders name, on the grid of a model. Raises FadernetsError."""
    among = None
    if faders is not None and faders.only in hands.HANDS:
        among = hands.notes_of_hand(piece, tracks, faders.only, faders.spelling.field("only"))
        tracks = [track for track in tracks if (among & (piece.notes["track"] == track)).any()]
    return PieceOnGrid.of(piece, tracks, grid_for(engine, piece, faders), among)


def warn_of_beats(piece: PieceOnGrid, faders: Faders | None, warnings: list[str]) -> None:
    """Add that a performance is edited on beats that it does not keep to, where that is so."""
    has_times = faders is not None and faders.beats is not None
    if not piece.is_in_windows and not has_times and lacks_beats(piece.piece):
        option = "--beats" if faders is None else faders.spelling.field("beats")
        warnings.append(
            "the file's tempo map says nothing of its beats: bars and steps are not those of the music; "
            f"{option} takes their times, which `fadernets beats` finds where they are even"
        )
