"""A MIDI file reduced to what the bundled sounds play: notes, programs, tempo, bends and the controllers of `CONTROLS`.

Programs are General MIDI's: bank changes are dropped, channel 10 (9 here) has the drums whatever its program, and the
four acoustic pianos are one. The copy has one track, ends every note and pedal, and adds a tail for strings and room to
die away.
"""

from __future__ import annotations

from pathlib import Path

from fadernets.music.notes import DEFAULT_TEMPO
from fadernets.music.opening import midi_bytes
from fadernets.music.smf import END_OF_TRACK, SUSTAIN, TEMPO, Event, MidiFile, file_of_tracks
from fadernets.rendering.wav_files import AudioError

TAIL_BEATS, TAIL_TEMPO = 4, 500_000  # 4 quarter notes of 0.5 s (microseconds) after the last event
TAIL_SECONDS = TAIL_BEATS * TAIL_TEMPO / 1e6
LONGEST = 3600.0  # seconds; a longer file is refused
DRUMS = 9  # channel 10, counted from 0
PIANOS = 4  # the first programs, which the sampled piano plays
# Kinds of messages: the high four bits of a status byte.
NOTE_OFF, NOTE_ON, CONTROL, PROGRAM, BEND = 0x8, 0x9, 0xB, 0xC, 0xE
# RPN data entry (bend range), volume, pan, expression, the three pedals
CONTROLS = frozenset({6, 7, 10, 11, 38, SUSTAIN, 66, 67, 100, 101})
VOLUME, DEFAULT_VOLUME, ALL_NOTES_OFF = 7, 100, 123


def sounding_events(path: Path) -> tuple[int, list[Event]]:
    """The ticks a quarter note, and the events that are played, by tick. Raises MidiError and AudioError."""
    file = MidiFile.of(path, midi_bytes(path))
    merged = sorted((event for track in file.tracks for event in track), key=_order)
    events = [(tick, kept) for tick, message in merged if (kept := _kept(message))]
    seconds, now, micros = 0.0, 0, DEFAULT_TEMPO
    for tick, message in events:
        seconds += (tick - now) * micros / (file.tpq * 1e6)
        now = tick
        if seconds > LONGEST:
            raise AudioError(f"{path}: longer than {LONGEST / 60:.0f} minutes; cut it into shorter files")
        if message[0] == 0xFF:
            micros = int.from_bytes(message[3:], "big")
    return file.tpq, events


def _order(event: Event) -> tuple[int, bool]:
    """By tick; of one tick, programs come first, whichever track they are in."""
    return event[0], event[1][0] >> 4 != PROGRAM


def sound_copy(tpq: int, events: list[Event], volume: float, end: int) -> bytes:
    """The events of `sounding_events` as a MIDI file of one track, every channel's volume times `volume`; at the tick
    `end`, whatever is held is let go of."""
    channels = sorted({message[0] & 0xF for _, message in events if message[0] != 0xFF})
    default = round(DEFAULT_VOLUME * volume)
    timed = [(0, _control(channel, VOLUME, default)) for channel in channels]
    timed += [(tick, _scaled(message, volume)) for tick, message in events]
    timed += [(end, _control(channel, number)) for channel in channels for number in (SUSTAIN, ALL_NOTES_OFF)]
    timed.append((end, bytes((0xFF, TEMPO, 3)) + TAIL_TEMPO.to_bytes(3, "big")))
    timed.append((end + TAIL_BEATS * tpq, bytes((0xFF, END_OF_TRACK, 0))))
    return file_of_tracks(0, tpq, [timed])


def _control(channel: int, number: int, value: int = 0) -> bytes:
    return bytes((CONTROL << 4 | channel, number, value))


def _scaled(message: bytes, volume: float) -> bytes:
    """A message, with its value scaled where it sets a channel's volume."""
    if message[0] >> 4 == CONTROL and message[1] == VOLUME:
        return _control(message[0] & 0xF, VOLUME, round(message[2] * volume))
    return message


def _kept(message: bytes) -> bytes:
    """The message with data bytes beyond their range as the highest; nothing where it is not played."""
    if message[0] == 0xFF:
        return message if message[1:3] == bytes((TEMPO, 3)) else b""
    kind, data = message[0] >> 4, bytes(min(byte, 127) for byte in message[1:])
    if message[0] >= 0xF0 or kind not in (NOTE_OFF, NOTE_ON, CONTROL, PROGRAM, BEND):
        return b""
    if kind == PROGRAM:
        program = 0 if data[0] < PIANOS else data[0]
        return b"" if message[0] & 0xF == DRUMS else bytes((message[0], program))
    return message[:1] + data if kind != CONTROL or data[0] in CONTROLS else b""
