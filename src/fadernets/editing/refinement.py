"""Bars that are asked for more onsets than they have steps: some of their beats are cut finer before they are edited.

A bar of running sixteenths that is asked to be busier gets a beat of thirty-seconds, one of triplets a beat of
sextuplets; the beats that strike most come first, the later of two first, so that runs are whole and lead on. Windows
of the paper's model stay as they are. S edited segments, B beats.
"""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Bools, Integers
from fadernets.attributes.table import ATTRIBUTES
from fadernets.codecs.grid import ONSET
from fadernets.decoding.edit_models import EditModel
from fadernets.editing.edit_plan import EditPlan, plan_edit
from fadernets.editing.edit_report import bars_of, named_bars
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.requests import Faders

MOST_TIMES = 2  # that a beat is cut finer, from triplets to sextuplets and from there to their halves: enough for all
# that a fader can ask for


def plan_on_fine_steps(
    engine: EditModel, piece: PieceOnGrid, faders: Faders, warnings: list[str]
) -> tuple[PieceOnGrid, EditPlan]:
    """The piece, on a finer grid where that is needed, and the plan of an edit there. Adds to `warnings`.

    Raises FadernetsError as `plan_edit`.
    """
    given, said = piece, list[str]()
    plan = plan_edit(engine, piece, faders, said)
    for _ in range(0 if piece.is_in_windows else MOST_TIMES):
        chosen = _beats_to_cut(piece, plan)
        if not chosen.any():
            break
        piece, said = piece.on(piece.metric_grid.refined(chosen)), []
        plan = plan_edit(engine, piece, faders, said)
    warnings += said
    _warn_of_cuts(given, piece, warnings)
    return piece, plan


def _warn_of_cuts(given: PieceOnGrid, piece: PieceOnGrid, warnings: list[str]) -> None:
    """Add which bars of a piece as it was `given` have finer beats now."""
    if piece is given:
        return
    grid = given.metric_grid
    cut = piece.metric_grid.divisions != grid.divisions
    segments = np.unique(grid.beats.segment[cut])
    bars = named_bars([bars_of(*each) for each in zip(grid.bar[segments], grid.last_bar[segments], strict=True)])
    beats = f"{cut.sum()} beats there are" if cut.sum() > 1 else "a beat there is"
    option = ATTRIBUTES["rhythm_density"].option
    warnings.append(
        f"{option}: asked for more onsets than there are steps (bars {bars}), so {beats} divided more finely"
    )


def _missing_steps(piece: PieceOnGrid, plan: EditPlan) -> Integers:
    """[S] by how many onsets more than it has steps each segment is asked for; 0 where it keeps what it has."""
    asked = plan.coded.get("rhythm_density")
    if asked is None:
        return np.zeros(len(plan.edited), np.int64)
    length, own = piece.sixteenths()[plan.edited], piece.measure(plan.edited)["rhythm_density"]
    onsets = np.floor(asked * length + 0.5)
    missing = np.where(onsets > np.floor(own * length + 0.5), onsets - piece.windows.steps[plan.edited], 0)
    return np.maximum(missing, 0).astype(np.int64)


def _beats_to_cut(piece: PieceOnGrid, plan: EditPlan) -> Bools:
    """[B] as many beats of each segment as give it the steps that it misses, those that strike most first."""
    grid = piece.metric_grid
    count = len(grid.divisions)
    struck = np.bincount(grid.beat, (piece.roll == ONSET).any(-1), count)
    steps = np.bincount(grid.beat, minlength=count)
    gain = steps * (grid.finer_divisions // grid.divisions - 1)
    chosen = np.zeros(count, bool)
    for segment, missing in zip(plan.edited.tolist(), _missing_steps(piece, plan).tolist(), strict=True):
        beats = np.flatnonzero((grid.beats.segment == segment) & (gain > 0))
        fullest = beats[np.lexsort((-beats, -struck[beats] / steps[beats]))]
        before = np.cumsum(gain[fullest]) - gain[fullest]
        chosen[fullest[before < missing]] = True
    return chosen
