"""Notes that begin outside the edited segments get back the ends that an edit cut and that nothing cuts any more.

A fader that strikes a key while an earlier note of it sounds ends that note. Where a later fader moves the strike to
another pitch or tick, the end would stay where nothing is struck. Ticks are absolute; W windows, N notes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import replace

import numpy as np

from fadernets.arrays import Bools
from fadernets.music.document import Edit
from fadernets.music.notes import Piece
from fadernets.music.segments import Grid

Key = tuple[int, int, int]  # track chunk, channel, pitch


def restored_ends(source: Piece, written: Piece, windows: Grid, inside: Bools) -> Edit:
    """The edit of the `written` piece that lets notes which begin outside the windows `inside` [W] end as in `source`.

    They end before that where a note strikes their key that the source does not have, and never after a note that
    begins later in their track chunk: a file says by their order alone which end is whose.
    """
    ends, ends_there = (_ends_outside(piece, windows, inside) for piece in (source, written))
    wanted: dict[int, int] = {}  # position among the written notes -> its end in the source
    for name, found in ends_there.items():
        own = ends.get(name, [])
        if len(own) == len(found):
            wanted |= {i: own_end for (now, i), (own_end, _) in zip(found, own, strict=True) if own_end > now}
    if not wanted:
        return Edit.nothing()
    onset: list[int] = written.notes["onset"].tolist()
    end: list[int] = written.notes["end"].tolist()
    keys, known = _keys(written), set(_strikes(source))
    new: dict[tuple[int, int], list[int]] = defaultdict(list)  # channel and pitch -> onsets that the source has not
    for strike in _strikes(written):
        if strike not in known:
            new[strike[:2]].append(strike[2])
    following: dict[Key, int] = {}  # the note of each key that begins next
    changed: list[int] = []
    for i in reversed(range(len(onset))):
        key = keys[i]
        if i in wanted:
            until, strikes = wanted[i], new.get(key[1:], [])
            at = bisect_right(strikes, onset[i])
            if at < len(strikes):
                until = min(until, strikes[at])
            after = following.get(key)
            if after is not None and onset[after] < until:
                until = min(until, end[after])
            if until > end[i]:
                end[i] = until
                changed.append(i)
        following[key] = i
    positions = np.array(sorted(changed), np.int64)
    becomes = written.notes[positions]
    becomes["end"] = [end[i] for i in positions.tolist()]
    return replace(Edit.nothing(), changed=positions, becomes=becomes)


def _keys(piece: Piece) -> list[Key]:
    """[N] the track chunk, channel and pitch of each note."""
    where = [(track.chunk, track.channel) for track in piece.tracks]
    return [
        (*where[track], pitch)
        for track, pitch in zip(piece.notes["track"].tolist(), piece.notes["pitch"].tolist(), strict=True)
    ]


def _strikes(piece: Piece) -> list[tuple[int, int, int, int]]:
    """[N] channel, pitch, onset and velocity of each note."""
    rows = zip(_keys(piece), piece.notes["onset"].tolist(), piece.notes["velocity"].tolist(), strict=True)
    return [(*key[1:], onset, velocity) for key, onset, velocity in rows]


def _ends_outside(piece: Piece, windows: Grid, inside: Bools) -> dict[tuple[Key, int, int], list[tuple[int, int]]]:
    """The notes that begin outside: key, onset and velocity -> (end, position) of each, by end."""
    window = np.searchsorted(windows.start, piece.notes["onset"], side="right") - 1
    outside = np.flatnonzero((window < 0) | ~inside[window])
    rows: dict[tuple[Key, int, int], list[tuple[int, int]]] = defaultdict(list)
    if len(outside):
        keys, notes = _keys(piece), piece.notes
        for i in outside.tolist():
            name = keys[i], int(notes["onset"][i]), int(notes["velocity"][i])
            rows[name].append((int(notes["end"][i]), i))
    return {name: sorted(found) for name, found in rows.items()}
