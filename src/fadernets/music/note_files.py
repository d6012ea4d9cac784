"""MIDI files of notes in memory: NumPy arrays and symusic scores, as `Document.of_notes` and `of_score` take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fadernets.arrays import Array
from fadernets.errors import FadernetsError, first_line
from fadernets.music.notes import NOTE, SHORTEST_BEAT, note_order
from fadernets.music.smf import END_OF_TRACK, METRE, TEMPO, RankedEvent, file_of_tracks, in_order

TPQ = 480  # ticks a quarter note of the files, where callers name none
MOST_TPQ = 2**15 - 1  # that a MIDI file can count in
CHANNELS = [channel for channel in range(16) if channel != 9]  # of the tracks in turn: all but the drums'
COLUMNS = ("onset", "end", "pitch", "velocity", "track")


def file_of_notes(
    notes: Array | Sequence[Sequence[float]],
    tempo: float = 120.0,
    metre: tuple[int, int] = (4, 4),
    tpq: int | None = None,
) -> bytes:
    """A MIDI file of notes, one piano track for each number in `track`.

    notes: [N, 4] or [N, 5] numbers, the columns onset and end in quarter notes, pitch 0..127, velocity 1..127 and, if
    wanted, track 0, 1, ...; or a structured array with fields of these names. With `tpq`, onset and end are ticks, so
    many a quarter note, and the file counts in them; whole numbers in a structured array, as in `music.notes.NOTE`,
    are ticks and need it. Without it the file has 480. tempo: quarter notes a minute. metre: numerator and denominator.
    Raises FadernetsError for what is none of these.
    """
    rows = _rows(notes, tpq)
    numerator, denominator = metre
    if not (1 <= numerator <= 255 and denominator in [2**i for i in range(SHORTEST_BEAT.bit_length())]):
        raise FadernetsError(f"metre {numerator}/{denominator}: the denominator must be 1, 2, 4, ... {SHORTEST_BEAT}")
    if not 4 <= tempo <= 6e7:
        raise FadernetsError(f"tempo {tempo:g}: must lie in 4..60000000 quarter notes a minute")
    clock: list[RankedEvent] = [
        (0, 0, bytes((0xFF, TEMPO, 3)) + round(6e7 / tempo).to_bytes(3, "big")),
        (0, 1, bytes((0xFF, METRE, 4, numerator, denominator.bit_length() - 1, 24, 8))),
    ]
    tracks = [clock]
    for number in np.unique(rows["track"]).tolist():
        channel = CHANNELS[number % len(CHANNELS)]
        events: list[RankedEvent] = []
        for note in rows[rows["track"] == number]:
            onset, end, pitch, velocity = (int(note[name]) for name in COLUMNS[:4])
            events.append((onset, 1, bytes((0x90 | channel, pitch, velocity))))
            events.append((end, 0, bytes((0x80 | channel, pitch, 0))))
        tracks.append(events)
    finished = []
    for events in tracks:
        end_of_track = (max((tick for tick, _, _ in events), default=0), 2, bytes((0xFF, END_OF_TRACK, 0)))
        finished.append(in_order([*events, end_of_track]))
    return file_of_tracks(1, TPQ if tpq is None else tpq, finished)


def file_of_score(score: Any) -> bytes:
    """A `symusic.Score`, of any unit of time, as a MIDI file. Raises FadernetsError for what symusic cannot write."""
    try:
        return bytes(score.to("tick").dumps_midi())
    except Exception as error:
        raise FadernetsError(f"the score cannot be written as MIDI ({first_line(error)})") from None


def _rows(notes: Array | Sequence[Sequence[float]], tpq: int | None) -> Array:
    """[N] of NOTE in order, in ticks of the file. Raises FadernetsError."""
    if tpq is not None and not (type(tpq) is int and 1 <= tpq <= MOST_TPQ):
        raise FadernetsError(f"tpq {tpq!r}: the ticks a quarter note are a whole number in 1..{MOST_TPQ}")
    try:
        notes = np.asarray(notes)
    except ValueError:  # rows of different lengths
        raise FadernetsError("an array of notes has rows of the same length: onset, end, pitch, velocity") from None
    if notes.dtype.names is not None:
        if not set(COLUMNS[:4]) <= set(notes.dtype.names) or notes.ndim != 1:
            needed, fields = ", ".join(COLUMNS[:4]), ", ".join(notes.dtype.names)
            raise FadernetsError(f"a structured array of notes needs the fields {needed}; this one has {fields}")
        columns = {name: notes[name] for name in COLUMNS if name in notes.dtype.names}
        if tpq is None and any(columns[name].dtype.kind in "iu" for name in ("onset", "end")):
            raise FadernetsError(
                "onset and end of these notes are whole numbers, so ticks: give the ticks a quarter note, as in "
                "Document.of_notes(notes, tpq=480), or onset and end as floats in quarter notes"
            )
    else:
        if notes.ndim != 2 or notes.shape[1] not in (4, 5):
            raise FadernetsError(f"an array of notes has shape [N, 4] or [N, 5], not {list(notes.shape)}")
        columns = dict(zip(COLUMNS, notes.T, strict=False))
    for name, column in columns.items():
        if column.dtype.kind not in "iuf":
            raise FadernetsError(f"an array of notes holds numbers; its {name} is of the type {column.dtype}")
    values = {name: np.asarray(column, np.float64) for name, column in columns.items()}
    if tpq is None:
        values |= {name: np.round(values[name] * TPQ) for name in ("onset", "end")}
    for name, low, high in (("onset", 0, 2**27), ("end", 0, 2**27), ("pitch", 0, 127), ("velocity", 1, 127)):
        if not ((values[name] >= low) & (values[name] <= high)).all():
            raise FadernetsError(f"a note has the {name} {_worst(values[name], low, high):g}; allowed: {low}..{high}")
    if (values["end"] <= values["onset"]).any():
        raise FadernetsError("a note ends where it begins, or before; notes are onset, end, pitch, velocity")
    rows = np.zeros(len(notes), NOTE)
    for name, column in values.items():
        rows[name] = np.round(column)
    return rows[note_order(rows)]


def _worst(values: Array, low: float, high: float) -> float:
    """The first value outside low..high, nan among them."""
    return float(values[~((values >= low) & (values <= high))][0])
