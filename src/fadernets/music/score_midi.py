"""A MusicXML score as a MIDI file, and the document of both: what an edit works on, and what it came from.

Each staff of a part is a track chunk of its own, behind a first one with tempo, metres and keys; bars of the file are
measures of the score, an upbeat is the first. Notes last as long as they are written.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from fadernets.music.document import Document
from fadernets.music.note_files import CHANNELS
from fadernets.music.score_reading import read_score
from fadernets.music.smf import (
    END_OF_TRACK,
    KEY,
    METRE,
    NAME,
    TEMPO,
    RankedEvent,
    file_of_tracks,
    in_order,
    text_message,
)
from fadernets.music.written_score import WrittenNote, WrittenPart, WrittenScore, loudness_at
from fadernets.music.xml_files import MOST_BYTES, ScoreError, XmlFile, read_xml

DRUMS = 9  # the channel of percussion
SLOWEST = 2**24 - 1  # microseconds a quarter that a file can state
USUAL_TEMPO = 120.0  # quarters a minute
MOST_LANES = 1000  # staves of a score
TIED = 1 / 4  # quarters between two notes that are tied, in scores whose durations are rounded
LONGEST_NAME = 100  # characters of a track's name


@dataclass(frozen=True)
class Lane:
    """One staff of one part; its number is that of its track chunk, from 1."""

    part: WrittenPart
    staff: int


@dataclass(frozen=True)
class SoundingNote:
    """A note that sounds, with the written notes that are tied to it."""

    onset: int
    end: int
    pitch: int
    velocity: int
    lane: int  # index of its lane
    elements: tuple[Element, ...]


@dataclass(frozen=True)
class ReadScore:
    """A score file, what it says and what sounds of it."""

    file: XmlFile
    score: WrittenScore
    lanes: list[Lane]
    notes: list[SoundingNote]


class ScoreDocument(Document):
    """The document of a MusicXML file: that of the MIDI file which it was turned into. Its tree is read when asked."""

    def __init__(self, path: Path, data: bytes, most: int = MOST_BYTES) -> None:
        """Read the bytes of a MusicXML file; `most` bytes of XML are read. Raises FadernetsError."""
        self.original, self.name, self._most = data, str(path), most
        read = self.read()
        self.packed = read.file.packed
        super().__init__(path, midi_of(read))
        self.piece.warnings.extend(read.score.warnings)

    def read(self) -> ReadScore:
        """The score in a tree of its own, for the caller to change."""
        return _read(self.original, self.name, self._most)


def midi_of(read: ReadScore) -> bytes:
    """The MIDI file of a score."""
    score = read.score
    tracks = [_clock(score)]
    channels = _channels(read.lanes)
    notes: dict[int, list[SoundingNote]] = defaultdict(list)
    for note in read.notes:
        notes[note.lane].append(note)
    for i, lane in enumerate(read.lanes):
        channel = channels[i]
        events: list[RankedEvent] = [(0, -2, text_message(NAME, _name(lane)))]
        if not lane.part.is_drum:
            events.append((0, -1, bytes((0xC0 | channel, lane.part.program))))
        for note in notes[i]:
            events.append((note.onset, 1, bytes((0x90 | channel, note.pitch, note.velocity))))
            events.append((note.end, 0, bytes((0x80 | channel, note.pitch, 0))))
        tracks.append(events)
    last = score.measures[-1].start + score.measures[-1].length
    finished = [in_order([*events, (last, 2, bytes((0xFF, END_OF_TRACK, 0)))]) for events in tracks]
    return file_of_tracks(1, score.tpq, finished)


def _clock(score: WrittenScore) -> list[RankedEvent]:
    """The first track: title, tempos, keys and metres."""
    events: list[RankedEvent] = []
    if score.title:
        events.append((0, 0, text_message(NAME, score.title)))
    tempos = dict(score.tempos)  # the last of a tick holds
    for tick, rate in sorted({0: USUAL_TEMPO, **tempos}.items()):
        micros = min(round(6e7 / rate), SLOWEST)
        events.append((tick, 1, bytes((0xFF, TEMPO, 3)) + micros.to_bytes(3, "big")))
    for tick, (sharps, minor) in {tick: rest for tick, *rest in score.keys}.items():
        events.append((tick, 2, bytes((0xFF, KEY, 2, sharps & 0xFF, minor))))
    before = None
    for measure in score.measures:
        signature = measure.numerator, measure.denominator
        if signature != before:
            denominator = measure.denominator.bit_length() - 1
            events.append((measure.start, 3, bytes((0xFF, METRE, 4, measure.numerator, denominator, 24, 8))))
        before = signature
    return events


def _channels(lanes: list[Lane]) -> list[int]:
    """A channel for each lane: its own, or where there are too many, one for each part, in turn."""
    pitched = [lane for lane in lanes if not lane.part.is_drum]
    by_part = len(pitched) > len(CHANNELS)
    found: dict[tuple[int, int], int] = {}
    for lane in pitched:
        found.setdefault((lane.part.number, 0 if by_part else lane.staff), len(found))
    return [
        DRUMS if lane.part.is_drum else CHANNELS[found[lane.part.number, 0 if by_part else lane.staff] % len(CHANNELS)]
        for lane in lanes
    ]


def _name(lane: Lane) -> str:
    """A track's name: its part's, and which of the staves it is."""
    name, staves = "".join(c for c in lane.part.name if c.isprintable())[:LONGEST_NAME], lane.part.staves
    if staves == 1:
        return name
    if staves == 2:
        return f"{name}, {('right', 'left')[lane.staff - 1]} hand"
    return f"{name}, staff {lane.staff}"


def _read(data: bytes, name: str, most: int) -> ReadScore:
    """A score file's bytes, read. Raises FadernetsError."""
    file = read_xml(data, name, most)
    score = read_score(file.root, name)
    lanes = [Lane(part, staff) for part in score.parts for staff in range(1, part.staves + 1)]
    if len(lanes) > MOST_LANES:
        raise ScoreError(f"{name}: {len(lanes)} staves; at most {MOST_LANES} are read")
    notes: list[SoundingNote] = []
    first = 0
    for part in score.parts:
        notes += _sounding(score, part, first)
        first += part.staves
    if not notes:
        raise ScoreError(f"{name}: the score has no notes")
    return ReadScore(file, score, lanes, notes)


@dataclass
class _Open:
    """A note while what is tied to it is gathered."""

    first: WrittenNote
    onset: int
    end: int
    elements: list[Element]


def _sounding(score: WrittenScore, part: WrittenPart, first: int) -> list[SoundingNote]:
    """The notes of a part as they sound, of its lanes from `first` on: ties joined, one of each key at a time."""
    found: list[_Open] = []
    waiting: dict[int, list[_Open]] = defaultdict(list)  # pitch -> notes that are tied on
    timed = [(score.measures[note.measure].start + note.onset, note) for note in part.notes]
    timed.sort(key=lambda row: row[0])
    for onset, note in timed:
        waiting[note.pitch] = [each for each in waiting[note.pitch] if each.end >= onset - TIED * score.tpq]
        near = [each for each in waiting[note.pitch] if each.end <= onset + TIED * score.tpq]
        like = None
        if note.tied_back and near:
            place = (note.staff, note.voice)
            like = min(near, key=lambda each: (abs(each.end - onset), *_unlike(each.first, place)))
        if like is None:
            like = _Open(note, onset, onset + note.length, [note.element])
            found.append(like)
        else:
            waiting[note.pitch].remove(like)
            like.end = onset + note.length
            like.elements.append(note.element)
        if note.tied_on:
            waiting[note.pitch].append(like)
    return _one_a_key(part, found, first)


def _unlike(note: WrittenNote, place: tuple[int, str]) -> tuple[bool, bool]:
    """Whether a note lies on another staff, or in another voice."""
    return note.staff != place[0], note.voice != place[1]


def _one_a_key(part: WrittenPart, found: list[_Open], first: int) -> list[SoundingNote]:
    """Notes without those that begin with another one on their key and staff; the earlier ends where a later begins."""
    by_key: dict[tuple[int, int], list[_Open]] = defaultdict(list)
    for each in found:
        by_key[each.first.staff, each.first.pitch].append(each)
    notes: list[SoundingNote] = []
    for (staff, pitch), row in by_key.items():
        row.sort(key=lambda each: (each.onset, -each.end))
        kept: list[_Open] = []
        for each in row:
            if kept and kept[-1].onset == each.onset:
                kept[-1].elements += each.elements
                continue
            if kept:
                kept[-1].end = min(kept[-1].end, each.onset)
            kept.append(each)
        for each in kept:
            velocity = loudness_at(part, each.first)
            elements = tuple(each.elements)
            notes.append(SoundingNote(each.onset, each.end, pitch, velocity, first + staff - 1, elements))
    return notes
