"""What is judged side by side: editors that take a piece and give it with some attributes moved.

An editor is a name and a function of a document, `{attribute: move in its own unit}` and a seed. `model` makes one of
whatever a model folder holds, `by_faders` of any other function that takes faders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fadernets.codecs.grid import OFF, ONSET
from fadernets.decoding.edit_models import EditModel
from fadernets.editing import file_edit
from fadernets.editing.cells_to_notes import edit_between_rolls
from fadernets.editing.file_edit import choose_tracks
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.requests import Faders
from fadernets.evaluation import rule_edits
from fadernets.music.document import Document
from fadernets.music.metric_grid import MetricGrid

RULE = "rule"
MOVED_BY_RULE = ("rhythm_density", "note_density")
MOST_VOICES = 15.0  # what note density counts at most

Edit = Callable[[Document, Mapping[str, float], int], Document]  # source, attribute -> move, seed -> edited


class EditedFile(Protocol):
    """What an `edit_document` answers with."""

    @property
    def data(self) -> bytes:
        """The bytes of the file."""


@dataclass(frozen=True)
class Editor:
    """Something that moves attributes of a whole piece, and the name that it has in tables."""

    name: str
    edit: Edit


def by_faders(name: str, edit: Callable[[Document, Faders], Sequence[EditedFile]], faithfulness: float = 1.0) -> Editor:
    """The editor of a model that takes faders: its most likely answer counts.

    faithfulness: how strongly the source pulls, 0..1.
    """

    def moved(document: Document, moves: Mapping[str, float], seed: int) -> Document:
        answers = edit(document, Faders.checked(move=dict(moves), seed=seed, faithfulness=faithfulness))
        return Document(document.path, answers[0].data)

    return Editor(name, moved)


def model(engine: EditModel, faithfulness: float = 1.0) -> Editor:
    """The editor of a model folder, the paper's or a rewriter, as `fadernets apply` edits with it."""
    edit = lambda document, faders: file_edit.edit_document(engine, document, faders)  # noqa: E731
    return by_faders(engine.name, edit, faithfulness)


def rule() -> Editor:
    """The plain rules of `rule_edits` on the piece's own grid, tracks as `fadernets apply` chooses them."""
    return Editor(RULE, _by_rule)


def _by_rule(document: Document, moves: Mapping[str, float], seed: int) -> Document:
    """Seeds change nothing. Raises ValueError for an attribute without a rule."""
    if unknown := set(moves) - set(MOVED_BY_RULE):
        raise ValueError(f"there is no rule for {min(unknown)!r}; known: {', '.join(MOVED_BY_RULE)}")
    grid = MetricGrid.of(document.piece)
    piece = PieceOnGrid.of(document.piece, choose_tracks(document.piece), grid)
    roll, strength = piece.roll.copy(), rule_edits.strengths(grid)
    length = grid.sixteenths
    for first, count in zip(grid.base.tolist(), grid.steps.tolist(), strict=True):
        stop = first + count
        here, whole = piece.roll[first:stop], float(length[first:stop].sum())
        struck = int((here == ONSET).any(axis=1).sum())
        if not (here != OFF).any():
            continue
        if move := moves.get("rhythm_density"):
            asked = int(np.floor(struck + move * whole + 0.5))
            rule_edits.move_rhythm(roll, first, stop, strength, max(asked, min(struck, 1)))
        if move := moves.get("note_density"):
            voices = float(((here != OFF).sum(axis=1) * length[first:stop]).sum()) / whole
            asked_voices = float(np.clip(voices + move, 0, MOST_VOICES))
            rule_edits.move_notes(roll, first, stop, strength, length, asked_voices)
    change = edit_between_rolls(piece.piece, grid, piece.placed, piece.roll, roll)
    return Document(document.path, document.edited(change.among(piece.rows)))
