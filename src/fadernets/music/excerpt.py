"""A stretch of a MIDI file as a file of its own: played timing, tempo, pedals and all."""

from __future__ import annotations

import numpy as np

from fadernets.music.document import Document
from fadernets.music.notes import Piece
from fadernets.music.smf import (
    END_OF_TRACK,
    METRE,
    NAME,
    TEMPO,
    Event,
    RankedEvent,
    file_of_tracks,
    in_order,
    text_message,
)

END_RANK, STATE_RANK, ONSET_RANK = 0, 1, 2  # of events at one tick: ends of notes first, onsets last
RELEASE_VELOCITY = 64  # what MIDI takes where none was played
LONGEST_QUARTER = 2**24 - 1  # microseconds that a tempo event can state


def excerpt(document: Document, tracks: list[int], start: int, stop: int) -> bytes:
    """Some tracks of a document from tick `start`, a bar line, to tick `stop`, as a file.

    What is set before (programs, pedals, volume) holds at the start. Notes that began before are left out, and end
    with `stop` at the latest; a note up to half a sixteenth ahead of the start belongs to it, one as much ahead of
    `stop` does not.
    """
    piece = document.piece
    chunks = [_finished(_clock(piece, start, stop), stop - start)]
    settings = _settings(document, {piece.tracks[i].channel for i in tracks}, stop)
    for i in tracks:
        track = piece.tracks[i]
        events: list[RankedEvent] = [(0, STATE_RANK, text_message(NAME, track.name or f"Track {i + 1}"))]
        own = settings[track.channel]
        states = {_state(message): (0, STATE_RANK, _in_range(message)) for tick, message in own if tick <= start}
        events += states.values()
        events += [(tick - start, STATE_RANK, _in_range(message)) for tick, message in own if tick > start]
        notes = piece.notes[piece.notes["track"] == i]
        early = piece.tpq // 8
        notes = notes[(notes["onset"] >= start - early) & (notes["onset"] < stop - early)]
        for onset, end, pitch, velocity, _ in notes.tolist():
            onset = max(onset, start)
            release = max(min(end, stop), onset + 1)
            events.append((onset - start, ONSET_RANK, bytes((0x90 | track.channel, pitch, max(velocity, 1)))))
            events.append((release - start, END_RANK, bytes((0x80 | track.channel, pitch, RELEASE_VELOCITY))))
        chunks.append(_finished(events, stop - start))
    return file_of_tracks(1, piece.tpq, chunks)


def _clock(piece: Piece, start: int, stop: int) -> list[RankedEvent]:
    """The metre and the tempo from the start on."""
    metre, tempo = piece.metre, piece.tempo
    at = max(int(np.searchsorted(metre.ticks, start, side="right")) - 1, 0)
    events: list[RankedEvent] = []
    signatures = zip(metre.ticks, metre.numerators, metre.denominators, strict=True)
    for tick, numerator, denominator in [tuple(map(int, one)) for one in signatures][at:]:
        if tick < stop:
            signature = bytes((0xFF, METRE, 4, numerator, denominator.bit_length() - 1, 24, 8))
            events.append((max(tick - start, 0), STATE_RANK, signature))
    first = max(int(np.searchsorted(tempo.ticks, start, side="right")) - 1, 0)
    for tick, micros in zip(tempo.ticks[first:].tolist(), tempo.micros[first:].tolist(), strict=True):
        if tick < stop:
            change = bytes((0xFF, TEMPO, 3)) + min(micros, LONGEST_QUARTER).to_bytes(3, "big")
            events.append((max(tick - start, 0), STATE_RANK, change))
    return events


def _settings(document: Document, channels: set[int], stop: int) -> dict[int, list[Event]]:
    """What is set on each of some channels before tick `stop`: its messages that are no note's, chunk by chunk."""
    found: dict[int, list[Event]] = {channel: [] for channel in channels}
    for source in document.paired.events:
        for tick, message in source:
            if 0xA0 <= message[0] < 0xF0 and tick < stop and message[0] & 0xF in found:
                found[message[0] & 0xF].append((tick, message))
    return found


def _state(message: bytes) -> bytes:
    """The bytes that name what a message sets: its kind, and of a controller which one."""
    return message[: 2 if message[0] >> 4 == 0xB else 1]


def _in_range(message: bytes) -> bytes:
    """The message with data bytes beyond their range as the highest."""
    return message[:1] + bytes(min(byte, 127) for byte in message[1:])


def _finished(events: list[RankedEvent], end: int) -> list[Event]:
    """The events of a track in order, up to an end at tick `end` or after the last of them."""
    last = max([end, *(tick for tick, _, _ in events)])
    return in_order([*events, (last, STATE_RANK, bytes((0xFF, END_OF_TRACK, 0)))])
