"""Standard MIDI files as bytes: chunks, events, and the messages that other modules read or write.

An event is an absolute tick and its message as the file states it, with its status byte put back where running status
left it out. Formats 0 and 1 with ticks per quarter note are read; everything else is a MidiError that says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fadernets.errors import FadernetsError, in_megabytes

MAX_BYTES = 64 * 2**20  # a three-hour performance with pedal takes about 3 MB
MAX_BEATS = 50_000  # quarter notes: seven hours at 120 bpm; a file that claims more is damaged
MAX_TICKS = 2**28 - 1  # the longest time between two events that a file can state
TEMPO, METRE, KEY, NAME, END_OF_TRACK = 0x51, 0x58, 0x59, 0x03, 0x2F  # types of meta events
SUSTAIN = 64  # the controller of the sustain pedal
Event = tuple[int, bytes]  # absolute tick; message, never without its status byte
RankedEvent = tuple[int, int, bytes]  # absolute tick; rank among the events of the tick; message


class MidiError(FadernetsError):
    """A file that cannot be read as MIDI."""


def file_bytes(path: Path) -> bytes:
    """The file's bytes, checked to be a standard MIDI file that counts in quarter notes. Raises MidiError."""
    if "\0" in str(path):
        raise MidiError(f"{str(path)!r:.100}: cannot be read (no path has a null character)")
    try:
        if path.is_dir():
            raise MidiError(f"{path}: is a folder, not a MIDI file")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise MidiError(f"{path}: {in_megabytes(size)}; at most {in_megabytes(MAX_BYTES)} are read")
        data = path.read_bytes()
    except OSError as error:
        raise MidiError(f"{path}: cannot be read ({error.strerror or error})") from None
    return checked(path, data)


def checked(path: Path, data: bytes) -> bytes:
    """A file's bytes, taken out of the RIFF file that may wrap them. Raises MidiError as `file_bytes` does."""
    if not data:
        raise MidiError(f"{path}: is empty")
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        data = data[max(data.find(b"MThd"), 0) :]
    if data[:4] == b"PK\x03\x04" or data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        raise MidiError(f"{path}: is not a MIDI file; `fadernets musicxml` makes one of a MusicXML file")
    if data[:4] != b"MThd" or len(data) < 14:
        raise MidiError(f"{path}: is not a MIDI file (it does not start with a MIDI header)")
    kind, division = int.from_bytes(data[8:10], "big"), int.from_bytes(data[12:14], "big")
    if kind == 2:
        raise MidiError(f"{path}: is of format 2, whose tracks are pieces of their own; save each as a file")
    if kind > 2:
        raise MidiError(f"{path}: is of format {kind}; MIDI files have format 0 or 1")
    if division & 0x8000:
        raise MidiError(f"{path}: counts time in SMPTE frames; faders need beats. Save it with ticks per quarter note")
    if division == 0:
        raise MidiError(f"{path}: has 0 ticks per quarter note")
    return data


# --- bytes to events


@dataclass(frozen=True)
class MidiFile:
    """The chunks of a file, and the events of those that are tracks."""

    chunks: list[bytes]  # the header first, each with its type and length; last, the bytes after the last track
    where: list[int]  # index of each track's chunk
    tracks: list[list[Event]]

    @classmethod
    def of(cls, path: Path, data: bytes) -> MidiFile:
        """Split the bytes that `checked` gives. Raises MidiError for a file that ends early or breaks the format."""
        chunks: list[bytes] = []
        where: list[int] = []
        tracks: list[list[Event]] = []
        at = 0
        count = int.from_bytes(data[10:12], "big")  # of tracks
        try:
            while not chunks or len(tracks) < count:
                size = int.from_bytes(data[at + 4 : at + 8], "big")
                if at + 8 + size > len(data) or len(data) < at + 8:
                    raise _Damage(f"it ends in track {len(tracks) + 1} of {count}" if chunks else "it ends early")
                if data[at : at + 4] == b"MTrk":
                    where.append(len(chunks))
                    tracks.append(_events(data[at + 8 : at + 8 + size]))
                chunks.append(data[at : at + 8 + size])
                at += 8 + size
        except _Damage as error:
            raise MidiError(f"{path}: is damaged ({error})") from None
        return cls([*chunks, data[at:]], where, tracks)

    @property
    def tpq(self) -> int:
        """Ticks per quarter note."""
        return int.from_bytes(self.chunks[0][12:14], "big")


class _Damage(Exception):
    """Bytes that are no MIDI events."""


# Number of data bytes of a channel message, by the high four bits of its status byte.
_DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}


def _events(data: bytes) -> list[Event]:
    """The events of a track chunk."""
    events, at, tick, running = [], 0, 0, 0
    try:
        while at < len(data):
            delta, at = _length(data, at)
            tick += delta
            status = data[at]
            if status >= 0xF0:
                if status not in (0xF0, 0xF7, 0xFF):  # system exclusive, its continuation, meta
                    raise _Damage(f"byte {status:#x} at tick {tick} starts no event")
                size, body = _length(data, at + (2 if status == 0xFF else 1))
                message, end = data[at : body + size], body + size
            else:
                running, at = (status, at + 1) if status >= 0x80 else (running, at)
                if not running:
                    raise _Damage(f"the first event at tick {tick} has no status")
                end = at + _DATA_BYTES[running >> 4]
                message = bytes((running, *data[at:end]))
            if end > len(data):
                raise _Damage("a track ends too early")
            events.append((tick, message))
            at = end
    except IndexError:
        raise _Damage("a track ends too early") from None
    return events


def _length(data: bytes, at: int) -> tuple[int, int]:
    """The variable-length number at `at`, and the index after it."""
    number = 0
    for i in range(at, at + 4):
        number = number << 7 | data[i] & 0x7F
        if data[i] < 0x80:
            return number, i + 1
    raise _Damage("a number has more than four bytes")


# --- events to bytes


def track_chunk(events: list[Event]) -> bytes:
    """Events in order as a track chunk, with running status: the inverse of `_events`."""
    body, now, running = bytearray(), 0, 0
    for tick, message in events:
        body += variable_length(tick - now)
        now, status = tick, message[0]
        body += message[1:] if status == running and message[1] < 0x80 else message
        running = status if status < 0xF0 else 0
    return b"MTrk" + len(body).to_bytes(4, "big") + body


def file_of_tracks(kind: int, tpq: int, tracks: list[list[Event]]) -> bytes:
    """A MIDI file of format `kind`, 0 or 1, of tracks whose events are in order and end with an end of track."""
    header = b"".join(number.to_bytes(2, "big") for number in (kind, len(tracks), tpq))
    return b"".join([b"MThd", len(header).to_bytes(4, "big"), header, *map(track_chunk, tracks)])


def text_message(kind: int, text: str) -> bytes:
    """A meta event of a text: in Latin-1, as the format has it, or where it cannot be, in UTF-8."""
    try:
        content = text.encode("latin-1")
    except UnicodeEncodeError:
        content = text.encode()
    return bytes((0xFF, kind)) + variable_length(len(content)) + content


def variable_length(value: int) -> bytes:
    """A number below 2**28 as MIDI files write it: seven bits a byte."""
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(value & 0x7F | 0x80)
    return bytes(reversed(digits))


def in_order(events: list[RankedEvent]) -> list[Event]:
    """Events by tick, then rank; the end of the track after all others."""
    end = bytes((0xFF, END_OF_TRACK))
    ends = [event for event in events if event[2][:2] == end]
    body = sorted((event for event in events if event[2][:2] != end), key=lambda event: event[:2])
    last = max((event[0] for event in events), default=0)
    return [*((tick, message) for tick, _, message in body), *((last, event[2]) for event in ends[-1:])]


def stamped(data: bytes, text: str) -> bytes:
    """A MIDI file's bytes with a text event at the start of its first track, such as where it comes from."""
    at = 0
    while data[at : at + 4] != b"MTrk":
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "big")
    content = text.encode("utf-8")
    event = b"\x00\xff\x01" + variable_length(len(content)) + content
    length = int.from_bytes(data[at + 4 : at + 8], "big") + len(event)
    return data[: at + 4] + length.to_bytes(4, "big") + event + data[at + 8 :]


# --- messages


def meta_events(events: list[Event], kind: int) -> Iterator[tuple[int, bytes]]:
    """(tick, content) of the meta events of a kind."""
    for tick, message in events:
        if message[0] == 0xFF and message[1] == kind:
            yield tick, message[_length(message, 2)[1] :]


def tempo_events(tracks: list[list[Event]]) -> list[tuple[int, int]]:
    """(tick, microseconds a quarter) of every track, ordered by tick, file order within a tick."""
    tempos = [(t, int.from_bytes(m[:3], "big")) for track in tracks for t, m in meta_events(track, TEMPO) if len(m) > 2]
    return sorted(tempos, key=lambda event: event[0])


def text_of(content: bytes) -> str:
    """A text event's content on one line, read as UTF-8 where it is that and as Latin-1 where not."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return " ".join(text.replace("\0", " ").split())


def channel_and_pitch(message: bytes) -> tuple[int, int]:
    """Channel and pitch of a note-on or note-off; a data byte beyond its range is read as the highest."""
    return message[0] & 0xF, min(message[1], 127)


def release_of(message: bytes) -> bytes:
    """The note-off of a note-on."""
    channel, pitch = channel_and_pitch(message)
    return bytes((0x80 | channel, pitch, 0))
