"""How far each fader of a region can go, before it is asked: what the piece, the bars, the tracks and the locks allow.

The ends of the model's densities follow from the steps and notes that there are. Those of faders on notes are tried:
the fader is moved to both ends of its range, and what its notes measure is the answer; in long pieces, segments spread
evenly over the piece stand for all. Values are means of the edited segments that have one, in the attributes' own
units; S edited segments, W segments.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fadernets.arrays import Floats, Indices
from fadernets.attributes.keys import KEY_NAMES
from fadernets.attributes.of_segments import highest
from fadernets.attributes.table import ATTRIBUTES, Attribute, is_movable
from fadernets.codecs import grid
from fadernets.decoding.edit_models import EditModel
from fadernets.editing import file_edit
from fadernets.editing.beyond_model import draft_with_targets
from fadernets.editing.edit_grids import placed_for
from fadernets.editing.edit_plan import EditPlan, plan_edit
from fadernets.editing.edit_report import Value, number
from fadernets.editing.held_notes import with_locks_kept
from fadernets.editing.locks import KeptParts, density_bounds, kept_parts
from fadernets.editing.note_draft import NoteDraft, Poll, nothing
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.refinement import MOST_TIMES
from fadernets.editing.requests import Faders
from fadernets.music.document import Document
from fadernets.music.notes import note_order

MOST_SEARCHED = 8  # segments: half a second; a client does not wait longer
MOST_NOTES_TRIED = 2000  # so many of a long piece's stand for all, which likewise takes half a second
LIMITS = {  # fader -> what ends it before the end of its range
    "syncopation": "no rhythm with as many onsets is further away",
    "pitch": "notes keep to the harmony of their beats and to the keyboard",
    "dynamics": "velocities end at 1 and 127",
    "articulation": "no note gets shorter than a sixty-fourth, or longer than the time to the next one",
    "tempo": "tempos end at 20 and 300",
}


@dataclass(frozen=True)
class FaderReach:
    """A fader of a region: where it is, and how far it can go."""

    name: str
    value: Value  # measured now; None where there is nothing to measure
    lowest: Value
    highest: Value
    why_lowest: str  # what ends it there, in words
    why_highest: str
    choices: tuple[str, ...] = ()  # the values that a fader of names can take
    is_tried: bool = False  # whether the ends were measured; else no edit comes further, and one may end before


def reach_of(engine: EditModel, document: Document, faders: Faders, poll: Poll = nothing) -> list[FaderReach]:
    """How far each fader can go in the bars and tracks of `faders`, whose locks hold; its values are not heeded.

    poll: called between two faders. Raises FadernetsError for bars, tracks or locks that are not there.
    """
    faders = replace(faders, set={}, move={}, per_bar=None, preset=None, amount=0.0, arousal=0.0)
    piece = placed_for(engine, document.piece, file_edit.tracks_of(document.piece, faders), faders)
    kept = kept_parts(document.piece, piece, faders.keep, faders.spelling.field("keep")) if faders.keep else None
    region = _Region(engine, document, piece, faders, kept, plan_edit(engine, piece, faders, []))
    rows = []
    for row in ATTRIBUTES.values():
        if is_movable(row):
            rows.append(region.reach(row))
            poll()
    return rows


@dataclass(frozen=True)
class _Region:
    engine: EditModel
    document: Document
    piece: PieceOnGrid
    faders: Faders  # at rest
    kept: KeptParts | None
    plan: EditPlan  # at rest

    def reach(self, row: Attribute) -> FaderReach:
        """The reach of one fader."""
        edited = self.plan.edited
        if row.names:
            return self._choices(row)
        values = self.piece.measure(edited)[row.name] if len(edited) else np.empty(0)
        value = _mean(values)
        if value is None:
            none = "no note lies in the bars"
            return FaderReach(row.name, None, None, None, none, none)
        if row.name in self.engine.coded:
            return self._of_model(row, value)
        if row.of == "cells" and len(edited) > MOST_SEARCHED:
            end = "the end of the fader; how far it comes in so many bars is known when it is asked"
            return FaderReach(row.name, value, row.low, highest(row, self.piece.windows), end, end)
        (low, why_low), (high, why_high) = (self._tried(row, end, value) for end in (row.low, row.high))
        return FaderReach(row.name, value, low, high, why_low, why_high, is_tried=True)

    @property
    def _locks(self) -> str:
        kinds = dict.fromkeys(lock.kind for lock in self.faders.keep)
        return f"a lock keeps {' and '.join(f'the {kind}' for kind in kinds)}"

    def _choices(self, row: Attribute) -> FaderReach:
        if not len(self.plan.edited):
            none = "no note lies in the bars"
            return FaderReach(row.name, None, None, None, none, none)
        home = KEY_NAMES[self.plan.home]
        if any(lock.kind != "rhythm" for lock in self.faders.keep):
            return FaderReach(row.name, home, home, home, self._locks, self._locks, (home,))
        any_key = "every key can be asked for"
        return FaderReach(row.name, home, None, None, any_key, any_key, row.names)

    def _of_model(self, row: Attribute, value: float) -> FaderReach:
        """Of a density: what the steps of the bars and the locks allow."""
        edited, most = self.plan.edited, highest(row, self.piece.windows)
        low, high = np.full(len(edited), row.low), np.full(len(edited), most)
        why_low, why_high = "nothing sounds", f"no more than {most:g} notes at a time are counted"
        fine = self.piece
        if row.name == "rhythm_density":
            why_high = "every step is taken"
            if not self.piece.is_in_windows:
                own = self.piece.metric_grid
                for _ in range(MOST_TIMES):
                    own = own.refined(np.ones(len(own.divisions), bool))
                fine = self.piece.on(own)
                every = own.steps[edited] / fine.sixteenths()[edited]
                why_high += ", each beat cut as fine as it can be"
                if every.mean() > most:
                    why_high = f"{most:g} is as many steps as a fader asks for: thirty-seconds"
                high = np.minimum(every, most)
        if self.kept is not None:
            where = self.faders.spelling.field("keep")
            on_fine = kept_parts(self.document.piece, fine, self.faders.keep, where)
            least, _ = density_bounds(self.piece, self.kept)
            _, allowed = density_bounds(fine, on_fine)
            locked_low, locked_high = least[row.name][edited], allowed[row.name][edited]
            why_low = self._locks if (locked_low > low).any() else why_low
            why_high = self._locks if (locked_high < high).any() else why_high
            low, high = np.maximum(low, locked_low), np.minimum(high, locked_high)
        lowest = min(number(low.mean()), value)
        return FaderReach(row.name, value, lowest, max(number(high.mean()), value), why_low, why_high)

    def _tried(self, row: Attribute, end: float, value: float) -> tuple[float, str]:
        """What the bars measure with a fader at an end of its range, and what keeps it from getting there."""
        plan = plan_edit(self.engine, self.piece, replace(self.faders, set={row.name: end}), [])
        deviations = {name: known["std"] for name, known in self.engine.info["statistics"].items()}
        tried = self._spread_over_the_piece()
        windows = {name: _at(tried, targets) for name, targets in plan.targets.windows.items()}
        draft = draft_with_targets(self.piece, tried, replace(plan.targets, windows=windows), deviations)
        free = _mean(self._measured(row, draft, tried))
        reached = free
        if self.kept is not None:
            reached = _mean(self._measured(row, with_locks_kept(draft, self.piece, self.kept), tried))
        before = _mean(self.piece.measure(tried)[row.name])
        if free is None or reached is None or before is None:
            return value, "no note is left there"
        if len(tried) < len(plan.edited) and abs(reached - end) > row.near:  # by as much as the segments tried
            moved = number(value - before)
            free, reached = free + moved, reached + moved
        if abs(reached - free) > row.near:
            return reached, self._locks
        if abs(reached - end) <= row.near:
            return reached, "the end of the fader"
        return reached, LIMITS.get(row.name, "the fader's own change of notes goes no further")

    def _spread_over_the_piece(self) -> Indices:
        """The edited segments in which a fader is tried: all of them, or some of a long piece."""
        edited = self.plan.edited
        notes = np.isin(self.piece.performance.window, edited).sum()
        if notes <= MOST_NOTES_TRIED:
            return edited
        count = max(1, len(edited) * MOST_NOTES_TRIED // int(notes))
        return edited[np.linspace(0, len(edited) - 1, count).round().astype(np.int64)]

    def _measured(self, row: Attribute, draft: NoteDraft, segments: Indices) -> Floats:
        notes = draft.notes[note_order(draft.notes)]
        piece = replace(self.piece.piece, notes=notes, tempo=draft.tempo)
        placed = grid.place(piece, self.piece.windows)
        roll = grid.roll(placed, self.piece.windows.n_steps)
        after = replace(self.piece, piece=piece, rows=np.arange(len(notes)), placed=placed, roll=roll)
        return after.measure(segments)[row.name]


def _at(segments: Indices, targets: Floats) -> Floats:
    """[W] the targets of these segments; nan elsewhere."""
    out = np.full(len(targets), np.nan)
    out[segments] = targets[segments]
    return out


def _mean(values: Floats) -> float | None:
    known = values[np.isfinite(values)]
    return number(known.mean()) if len(known) else None
