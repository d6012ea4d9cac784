"""On which grid a piece is edited and measured: windows for the paper's model, the piece's own bars for a rewriter."""

from __future__ import annotations

from fadernets.decoding.edit_models import EditModel
from fadernets.editing import hands
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.requests import Faders
from fadernets.engines.grid import Engine
from fadernets.music.metric_grid import MetricGrid
from fadernets.music.notes import Piece
from fadernets.music.segments import Grid, cut


def grid_for(engine: EditModel, piece: Piece, faders: Faders | None = None) -> Grid:
    """The grid of a piece that a model edits on. Pairs of short bars that the faders' bars split are taken apart."""
    if isinstance(engine, Engine):
        return cut(piece)
    return MetricGrid.of(piece, () if faders is None else faders.bars_apart())


def placed_for(engine: EditModel, piece: Piece, tracks: list[int], faders: Faders | None = None) -> PieceOnGrid:
    """Some tracks of a piece, or the one hand that the faders name, on the grid of a model. Raises FadernetsError."""
    among = None
    if faders is not None and faders.only in hands.HANDS:
        among = hands.notes_of_hand(piece, tracks, faders.only, faders.spelling.field("only"))
        tracks = [track for track in tracks if (among & (piece.notes["track"] == track)).any()]
    return PieceOnGrid.of(piece, tracks, grid_for(engine, piece, faders), among)
