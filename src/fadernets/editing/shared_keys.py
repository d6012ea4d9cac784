"""Notes that are not edited keep the keys on which they sound: what would meet them there is put back.

A file says by their order alone which end belongs to which onset of one pitch on one channel. So a note of the left
hand that moved to a pitch of the right hand, in one track, would take over the end of the other's note.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from fadernets.editing.note_draft import NoteDraft
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.sounding_notes import Spans
from fadernets.music.notes import Piece


def apart_from_others(draft: NoteDraft, piece: PieceOnGrid, whole: Piece) -> NoteDraft:
    """A draft of the piece's notes whose changed notes sound with no other note of the `whole` file on their key."""
    channel = np.array([track.channel for track in whole.tracks], np.int64)
    others = np.isin(channel[whole.notes["track"]], channel[piece.piece.notes["track"]])
    others[piece.rows] = False
    if not others.any():
        return draft
    sounding: dict[tuple[int, int], Spans] = defaultdict(Spans)
    for onset, end, pitch, _, track in whole.notes[others].tolist():
        sounding[int(channel[track]), pitch].add(onset, max(end, onset + 1))
    changed, met = draft.changed(piece.piece.notes), []
    for i, (onset, end, pitch, _, track) in zip(changed.tolist(), draft.notes[changed].tolist(), strict=True):
        if sounding[int(channel[track]), pitch].overlapping(onset, max(end, onset + 1)):
            met.append(i)
    return draft.put_back(np.array(met, np.int64), piece.piece.notes)
