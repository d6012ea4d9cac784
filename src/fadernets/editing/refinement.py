"""Bars that are asked for more onsets than their steps hold well are cut finer before they are edited.

A bar of running sixteenths that is asked to be busier gets thirty-seconds, one of triplets sextuplets. Windows of the
paper's model stay as they are. S edited segments.
"""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Bools, Floats
from fadernets.attributes.table import ATTRIBUTES
from fadernets.decoding.edit_models import EditModel
from fadernets.editing.edit_plan import EditPlan, plan_edit
from fadernets.editing.edit_report import named_bars
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.requests import Faders

MOST_TAKEN = 0.9  # share of a segment's steps on which a note may begin before the segment is cut finer
MOST_TIMES = 2  # that a segment is cut finer: from triplets to sextuplets and from there to their halves


def plan_on_fine_steps(
    engine: EditModel, piece: PieceOnGrid, faders: Faders, warnings: list[str]
) -> tuple[PieceOnGrid, EditPlan]:
    """The piece, on a finer grid where that is needed, and the plan of an edit there. Adds to `warnings`.

    Raises FadernetsError as `plan_edit`.
    """
    said: list[str] = []
    plan = plan_edit(engine, piece, faders, said)
    for _ in range(0 if piece.is_in_windows else MOST_TIMES):
        crowded = plan.edited[_is_crowded(piece, plan)]
        finer = piece.metric_grid.refined(crowded)
        if finer.n_steps == piece.windows.n_steps:
            break
        piece, said = piece.on(finer), []
        plan = plan_edit(engine, piece, faders, said)
    warnings += said
    if not piece.is_in_windows:
        _warn_of_crowds(piece, plan, warnings)
    return piece, plan


def _is_crowded(piece: PieceOnGrid, plan: EditPlan) -> Bools:
    """[S] which segments are asked for more onsets than they have, on more than MOST_TAKEN of their steps."""
    asked = plan.coded.get("rhythm_density")
    if asked is None:
        return np.zeros(len(plan.edited), bool)
    length, own = piece.sixteenths()[plan.edited], piece.measure(plan.edited)["rhythm_density"]
    onsets: Floats = np.floor(asked * length + 0.5)
    return (onsets > MOST_TAKEN * piece.windows.steps[plan.edited]) & (onsets > np.floor(own * length + 0.5))


def _warn_of_crowds(piece: PieceOnGrid, plan: EditPlan, warnings: list[str]) -> None:
    """Add which segments would need finer steps than there are."""
    crowded = plan.edited[_is_crowded(piece, plan)]
    if not len(crowded):
        return
    grid = piece.metric_grid
    cuts = np.unique(grid.divisions[np.isin(grid.beats.segment, crowded)]).tolist()
    bars = named_bars([str(grid.bar[w]) for w in crowded])
    warnings.append(
        f"{ATTRIBUTES['rhythm_density'].option}: bars {bars} are asked for onsets on more than {MOST_TAKEN:.0%} of "
        f"their steps, and a beat in {' or '.join(map(str, cuts))} steps is not cut finer"
    )
