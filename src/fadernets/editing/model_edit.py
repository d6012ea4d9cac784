"""The model's part of an edit, whichever kind of model it is: windows decoded anew, or passages of bars rewritten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from fadernets.arrays import Cells
from fadernets.decoding import segment_requests
from fadernets.decoding.edit_models import EditModel
from fadernets.editing import passage_edit, presets
from fadernets.editing.decided_bars import DecidedBars
from fadernets.editing.drawn_segments import DrawnSegments
from fadernets.editing.edit_plan import EditPlan
from fadernets.editing.locks import KeptParts
from fadernets.editing.passage_edit import PassageRequest
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.requests import Faders
from fadernets.editing.roll_edit import Encode, Progress, edit_windows
from fadernets.engines.grid import Engine
from fadernets.music.document import Document


@dataclass(frozen=True)
class ModelEdit:
    """One of several different answers to a request."""

    seed: int
    others: Sequence[Cells] = ()  # rolls [T, 88] of the answers before it, to keep away from
    quick: bool = False  # few candidates, for an answer while a fader is dragged
    progress: Progress | None = field(default=None, compare=False)
    encode: Encode = segment_requests.encode_segments  # what encodes windows
    kept: KeptParts | None = None  # by locks, where bars are rewritten
    drawn: DrawnSegments | None = field(default=None, compare=False)  # of a draft: bars it need not draw anew
    decided: DecidedBars | None = field(default=None, compare=False)  # tells of bars before all are rewritten


def edit_by_model(
    engine: EditModel, document: Document, piece: PieceOnGrid, plan: EditPlan, faders: Faders, how: ModelEdit
) -> tuple[bytes, PieceOnGrid]:
    """The file with the model's faders moved as planned, and the piece as it reads from there."""
    if isinstance(engine, Engine):
        sampled = segment_requests.SAMPLED_WHILE_DRAGGING if how.quick else segment_requests.SAMPLED_FOR_EDIT
        toward = presets.target_class(engine.label, faders.codes) if engine.label and faders.codes else None
        windows = segment_requests.SegmentRequest(
            plan.coded, faders.arousal, faders.faithfulness, sampled=sampled, seed=how.seed, toward=toward
        )
        if faders.control == "paper":  # Section 5.2: the shifted codes are decoded once; nothing is kept or chosen
            windows = replace(windows, faithfulness=0.0, sampled=0)
        return edit_windows(engine, document, piece, plan.edited, windows, how.progress, how.others, how.encode)
    onsets, voices = passage_edit.levels(piece, plan.edited)
    if "rhythm_density" in plan.coded:
        onsets = passage_edit.onset_steps(piece, plan.edited, plan.coded["rhythm_density"])
    voices = plan.coded.get("note_density", voices)
    passages = PassageRequest(
        faders.faithfulness,
        seed=how.seed,
        kept=how.kept,
        others=how.others,
        progress=how.progress,
        drawn=how.drawn,
        decided=how.decided,
    )
    return passage_edit.edit_segments(engine, document, piece, plan.edited, onsets, voices, passages)
