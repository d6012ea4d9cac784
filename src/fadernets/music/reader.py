"""The notes of corpus files, fast: symusic reads them, and what it leaves open is read event by event.

Tracks are symusic's: channel 9 for drums and 0 for all others. `document` reads files that are to be edited.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fadernets.errors import first_line
from fadernets.music.notes import NOTE, MetreMap, Piece, TempoMap, Track, note_order
from fadernets.music.smf import MidiError, MidiFile, file_bytes, tempo_events


def read(path: Path) -> Piece:
    """A file's notes as a piece; overlapping notes of one pitch pair first in, first out. Raises MidiError.

    Tempo changes that share a tick are read again event by event, since symusic does not keep their order.
    """
    import symusic

    data = file_bytes(path)
    try:
        score: Any = symusic.Score.from_midi(data)
    except Exception as error:
        raise MidiError(f"{path}: is damaged ({first_line(error)})") from None
    tempos = [(t.time, t.mspq) for t in score.tempos]
    if len({t for t, _ in tempos}) < len(tempos):
        tempos = tempo_events(MidiFile.of(path, data).tracks)
    tracks, parts = [], []
    for i, track in enumerate(score.tracks):
        tracks.append(Track(track.name, i, 9 if track.is_drum else 0, track.program))
        columns = track.notes.numpy()
        part = np.empty(len(columns["time"]), NOTE)
        part["onset"], part["end"] = columns["time"], columns["time"] + columns["duration"]
        part["pitch"], part["velocity"], part["track"] = columns["pitch"], columns["velocity"], i
        parts.append(part)
    notes = np.concatenate(parts) if parts else np.empty(0, NOTE)
    notes = notes[note_order(notes)]
    metres = [(s.time, s.numerator, s.denominator) for s in score.time_signatures]
    tpq = score.ticks_per_quarter
    return Piece(notes, tpq, TempoMap.of(tempos, tpq), MetreMap.of(metres, tpq), tracks)
