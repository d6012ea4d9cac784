"""The models that edits run on, of two kinds, and the one that a model folder holds.

The paper's model decodes windows of four quarter notes (`engines.grid.Engine`); a rewriter rewrites passages of bars on
the piece's own grid. model.json names the kind; one that names none is of the paper's.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from fadernets.arrays import Cells
from fadernets.attributes.table import PAPER_FADERS, CodedAttribute, coded
from fadernets.codecs.base import imported
from fadernets.decoding.rewrite_task import RewriteTask
from fadernets.engines.grid import Engine
from fadernets.engines.model_folder import DEFAULT_MODEL, DEFAULT_WINDOW_MODEL, ModelError, model_info
from fadernets.engines.rewriter import RewriterEngine

REWRITER = "rewriter"  # the kind in model.json
KINDS = {  # kind of a model folder -> what edits with it, imported when it is first opened
    "windows": "fadernets.engines.grid:Engine",
    REWRITER: "fadernets.decoding.edit_models:Rewriter",
}


class Rewrites(Protocol):
    """What an edit asks of a model that rewrites passages."""

    @property
    def name(self) -> str:
        """The model's name, for reports."""

    @property
    def info(self) -> Mapping[str, Any]:
        """What model.json says; `statistics` has the standard deviations of attributes by name."""

    @property
    def coded(self) -> Mapping[str, CodedAttribute]:
        """The attributes that the model moves: rhythm density and note density."""

    def rewrite(self, task: RewriteTask) -> Cells:
        """[T, 88] the roll of the piece with its edited segments at the levels asked; all else stays."""


EditModel = Engine | Rewrites


class Rewriter(RewriterEngine):
    """A rewriter of a model folder, ready to edit."""

    @cached_property
    def coded(self) -> dict[str, CodedAttribute]:
        """The two densities."""
        return coded(PAPER_FADERS)

    def rewrite(self, task: RewriteTask) -> Cells:
        """[T, 88] the rewritten roll."""
        from fadernets.decoding import piece_rewriting

        return piece_rewriting.rewrite(self, task)


def kind_of(model: str | Path) -> str:
    """The kind of a model folder, one of KINDS. Raises ModelError, for a model of another kind among others."""
    with model_info(model) as (folder, info):
        kind = str(info.get("kind", "windows"))
        if kind not in KINDS:
            raise ModelError(f"{folder}/model.json: a model of the kind {kind!r}; known are {', '.join(KINDS)}")
        return kind


def open_edit_model(model: str | Path | None = None, *, moves_codes: bool = False) -> EditModel:
    """A bundled model by name, or a model folder, for edits of pieces. Raises ModelError.

    Without a name it is DEFAULT_MODEL; for what only codes can do (`moves_codes`), the paper's model.
    """
    if model is None:
        model = DEFAULT_WINDOW_MODEL if moves_codes else DEFAULT_MODEL
    opened: EditModel = imported(KINDS[kind_of(model)]).open(model)
    return opened
