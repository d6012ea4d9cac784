"""What an edit changed, as colours of a score's notes: the rules of the studio's roll (`studio/src/lib/score.ts`).

A note at a source's place (track, onset, pitch) is kept if it ends there and is as loud, else changed. One that took
the place of a note of another pitch, on the same track at the same onset, has changed too. All others are new. N notes.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from fadernets.arrays import Array
from fadernets.music.document import Document
from fadernets.rendering import musicxml

COLOURS = {"kept": None, "changed": "#6d28d9", "new": "#c2410c"}  # those of the studio's roll on white


def changes(before: Array, after: Array) -> list[str]:
    """[N] whether each note of an edit, NOTE rows of one tick scale, was "kept", is "changed" or is "new"."""
    places: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for i, note in enumerate(before):
        places[int(note["track"]), int(note["onset"]), int(note["pitch"])].append(i)
    found: list[str] = []
    for note in after:
        sources = places[int(note["track"]), int(note["onset"]), int(note["pitch"])]
        if not sources:
            found.append("new")
            continue
        source = before[sources.pop(0)]
        same = source["end"] == note["end"] and source["velocity"] == note["velocity"]
        found.append("kept" if same else "changed")
    free: dict[tuple[int, int], int] = defaultdict(int)
    for (track, onset, _), left in places.items():
        free[track, onset] += len(left)
    for i in sorted(range(len(after)), key=lambda i: int(after["pitch"][i])):
        at = int(after["track"][i]), int(after["onset"][i])
        if found[i] == "new" and free.get(at, 0):
            free[at] -= 1
            found[i] = "changed"
    return found


def write_changes(before: Document, after: Document, title: str = "") -> bytes:
    """An edited MIDI file as the bytes of a MusicXML file in which changed and new notes are coloured.

    >>> write_changes(Document(Path("in.mid")), Document(Path("out.mid")))
    """
    source = before.piece.notes.copy()
    if before.piece.tpq != after.piece.tpq:  # a file with coarse ticks is edited in finer ones
        for field in ("onset", "end"):
            source[field] = source[field] * after.piece.tpq // before.piece.tpq
    number = {(track.chunk, track.channel): i for i, track in enumerate(after.piece.tracks)}
    of_track = [number.get((track.chunk, track.channel), -1) for track in before.piece.tracks]  # -1: has no note left
    source["track"] = np.array([*of_track, -1], np.int64)[source["track"]]
    colours = [COLOURS[change] for change in changes(source, after.piece.notes)]
    return musicxml.write_document(after, title, colours)
