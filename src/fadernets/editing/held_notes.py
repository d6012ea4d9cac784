"""What faders beyond the model did to notes that locks keep, or with notes that locks do not allow, undone. N notes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fadernets.arrays import Array, Bools, Indices
from fadernets.codecs import grid
from fadernets.codecs.grid import OFF
from fadernets.editing.locks import KeptParts
from fadernets.editing.note_draft import NEW, PLACE, NoteDraft
from fadernets.editing.piece_on_grid import PieceOnGrid, found_among


def with_locks_kept(draft: NoteDraft, piece: PieceOnGrid, kept: KeptParts) -> NoteDraft:
    """A draft of the piece's notes without the changes that break locks: what a fader did to such notes is undone.

    A note that comes back may meet another one that moved to its pitch. A file cannot hold both, and what it holds
    instead may break a lock: then the other one comes back too.
    """
    draft = _undone(draft, _broken(draft, piece, kept), piece, kept)
    while len(met := _met(draft, piece, kept)):
        draft = _undone(draft, met, piece, kept)
    return draft


def _broken(draft: NoteDraft, piece: PieceOnGrid, kept: KeptParts) -> Indices:
    """The notes of a draft that are kept and changed, or that sound or begin where the locks allow nothing new."""
    changed = draft.changed(piece.piece.notes)
    known = changed[draft.origin[changed] != NEW]
    stays = found_among(piece.piece.notes, kept.notes, PLACE)
    return np.union1d(known[stays[draft.origin[known]]], changed[_breaks(draft.notes[changed], piece, kept)])


def _met(draft: NoteDraft, piece: PieceOnGrid, kept: KeptParts) -> Indices:
    """The changed and new notes of a draft that make a file break a lock, by sounding with others of their pitch."""
    source, notes = piece.piece, draft.notes
    written = draft.without_new_overlaps(source)
    step, now = (piece.windows.nearest_step(x["onset"]) for x in (notes, written.notes))
    wrong = np.append(kept.must_onset, False)[np.minimum(step, len(kept.must_onset))] & (step != now)
    wrong[_broken(written, piece, kept)] = True
    channel = np.array([track.channel for track in source.tracks], np.int64)
    key = channel[notes["track"]] * 128 + notes["pitch"]
    movable, met = np.zeros((2, len(notes)), bool)
    movable[draft.changed(source.notes)] = True
    for i in np.flatnonzero(wrong & (written.notes != notes)).tolist():
        others = movable & (key == key[i])
        together = others & (notes["onset"] < notes["end"][i]) & (notes["end"] > notes["onset"][i])
        met |= together if together.any() else others
    return np.flatnonzero(met)


def _undone(draft: NoteDraft, undo: Indices, piece: PieceOnGrid, kept: KeptParts) -> NoteDraft:
    """A draft with these of its notes as the source has them, and with the notes that the locks miss in it."""
    source = piece.piece.notes
    draft = draft.put_back(undo, source)
    notes, origin = draft.notes, draft.origin
    lost = np.setdiff1d(np.arange(len(source)), origin)
    again = lost[found_among(source, kept.notes, PLACE)[lost]]
    notes, origin = np.concatenate([notes, source[again]]), np.concatenate([origin, again])
    # Steps of a kept rhythm that lost their last note get the source's back, which may leave others without one.
    while True:
        struck = np.zeros(len(kept.must_onset) + 1, bool)
        struck[piece.windows.nearest_step(notes["onset"])] = True
        silent = np.flatnonzero(kept.must_onset & ~struck[:-1])
        needed = np.flatnonzero(np.isin(piece.placed.onset, silent))
        if not len(needed):
            return replace(draft, notes=notes, origin=origin)
        moved = np.flatnonzero(np.isin(origin, needed))
        for name in PLACE:
            notes[name][moved] = source[name][origin[moved]]
        again = np.setdiff1d(needed, origin)
        notes, origin = np.concatenate([notes, source[again]]), np.concatenate([origin, again])


def _breaks(notes: Array, piece: PieceOnGrid, kept: KeptParts) -> Bools:
    """[N] which changed notes would sound or begin where the locks allow nothing new."""
    placed = grid.place(replace(piece.piece, notes=notes), piece.windows)
    out = np.zeros(len(notes), bool)
    for i in np.flatnonzero(placed.on_grid).tolist():
        steps, pitch = slice(int(placed.onset[i]), int(placed.end[i])), int(placed.pitch[i])
        new = piece.roll[steps, pitch] == OFF
        beyond = (new & ~kept.may_sound[steps, pitch]).any() or kept.must[steps, pitch].any()
        out[i] = beyond or kept.never_onset[placed.onset[i]]
    return out
