"""What faders beyond the model did to notes that locks keep, or with notes that locks do not allow, undone. N notes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fadernets.arrays import Array, Bools
from fadernets.codecs import grid
from fadernets.codecs.grid import OFF
from fadernets.editing.locks import PLACE, KeptParts
from fadernets.editing.note_draft import NEW, NoteDraft
from fadernets.editing.piece_on_grid import PieceOnGrid, found_among


def held(draft: NoteDraft, piece: PieceOnGrid, kept: KeptParts) -> NoteDraft:
    """A draft of the piece's notes without the changes that break locks: what a fader did to such notes is undone."""
    source = piece.piece.notes
    stays = found_among(source, kept.notes, PLACE)
    notes, origin = draft.notes.copy(), draft.origin
    known = np.flatnonzero(origin != NEW)
    back = known[stays[origin[known]] | _breaks(notes[known], source[origin[known]], piece, kept)]
    for name in PLACE:
        notes[name][back] = source[name][origin[back]]
    fresh = np.flatnonzero(origin == NEW)
    whole = np.ones(len(notes), bool)
    whole[fresh] = ~_breaks(notes[fresh], None, piece, kept)
    notes, origin = notes[whole], origin[whole]
    lost = np.setdiff1d(np.arange(len(source)), origin)
    again = lost[stays[lost]]
    notes, origin = np.concatenate([notes, source[again]]), np.concatenate([origin, again])
    # Steps of a kept rhythm that lost their last note get the source's back.
    struck = np.zeros(len(kept.must_onset) + 1, bool)
    struck[piece.windows.nearest_step(notes["onset"])] = True
    silent = np.flatnonzero(kept.must_onset & ~struck[:-1])
    needed = np.flatnonzero(np.isin(piece.placed.onset, silent))
    moved = np.flatnonzero(np.isin(origin, needed))
    for name in PLACE:
        notes[name][moved] = source[name][origin[moved]]
    again = np.setdiff1d(needed, origin)
    return replace(draft, notes=np.concatenate([notes, source[again]]), origin=np.concatenate([origin, again]))


def _breaks(notes: Array, source: Array | None, piece: PieceOnGrid, kept: KeptParts) -> Bools:
    """[N] which notes sound or begin where the locks allow nothing new; those that are as their `source` never do."""
    placed = grid.place(replace(piece.piece, notes=notes), piece.windows)
    out = np.zeros(len(notes), bool)
    for i in np.flatnonzero(placed.on_grid).tolist():
        steps, pitch = slice(int(placed.onset[i]), int(placed.end[i])), int(placed.pitch[i])
        if source is not None and all(notes[name][i] == source[name][i] for name in PLACE):
            continue
        new = piece.roll[steps, pitch] == OFF
        beyond = (new & ~kept.may_sound[steps, pitch]).any() or kept.must[steps, pitch].any()
        out[i] = beyond or kept.never_onset[placed.onset[i]]
    return out
