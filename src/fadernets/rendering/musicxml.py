"""A piece as MusicXML 4.0, for notation programs and the studio's score: sixteenths, voices, ties over bar lines.

Each pitched track is a part; one with a wide range has two staves, split at middle C. On a staff, notes that begin and
end together are a chord, and chords that overlap lie in up to four voices. A duration that no single note value has is
written as several tied notes. Times are sixteenths from the start unless a name says ticks.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree as xml

import numpy as np

from fadernets.arrays import Array, Integers
from fadernets.attributes import keys
from fadernets.editing.piece_on_grid import OPENING_WINDOWS
from fadernets.music.notes import Piece
from fadernets.music.segments import BEATS

DIVISIONS = 4  # sixteenths of a quarter-beat
VOICES = 4  # of a staff
SPLIT = 60  # the lowest pitch of the upper staff
BASS_BELOW = 55.0  # mean pitch: a track of one staff that lies below it has a bass clef
WIDE = 28  # semitones: a track with a wider range than this has two staves
# Sixteenths -> note value and number of dots.
VALUES = {16: ("whole", 0), 12: ("half", 1), 8: ("half", 0), 6: ("quarter", 1), 4: ("quarter", 0), 3: ("eighth", 1)}
VALUES |= {2: ("eighth", 0), 1: ("16th", 0)}
SHARP = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLAT = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
FIFTHS = (0, -5, 2, -3, 4, -1, 6, 1, -4, 3, -2, 5)  # of the major key on each pitch class


@dataclass(frozen=True)
class Chord:
    """Notes that begin and end together."""

    onset: int
    end: int
    pitches: tuple[int, ...]


def key_signature(piece: Piece, tracks: list[int]) -> int:
    """The number of sharps, or below 0 of flats, of the key that these tracks begin in."""
    notes = piece.notes[np.isin(piece.notes["track"], tracks)]
    length = notes["end"] - notes["onset"]
    opening = notes["onset"] < notes["onset"].min(initial=piece.end) + OPENING_WINDOWS * BEATS * piece.tpq
    whole, first = (np.bincount(notes["pitch"][some] % 12, length[some], 12) for some in (slice(None), opening))
    key = keys.home_key(whole, first)
    return FIFTHS[(key + 3 * (key // 12)) % 12]


def write(piece: Piece, title: str = "") -> bytes:
    """The piece as the bytes of a MusicXML file. Notes are placed at the nearest sixteenth; drums are left out."""
    root = xml.Element("score-partwise", version="4.0")
    xml.SubElement(xml.SubElement(root, "work"), "work-title").text = _printable(title) or "untitled"
    names = xml.SubElement(root, "part-list")
    bars = bar_lines(piece)
    pitched = [i for i, track in enumerate(piece.tracks) if not track.is_drum and (piece.notes["track"] == i).any()]
    fifths = key_signature(piece, pitched)
    for i in pitched or [0]:  # a score has one part at least
        name = piece.tracks[i].name if pitched else ""
        about = xml.SubElement(names, "score-part", id=f"P{i + 1}")
        xml.SubElement(about, "part-name").text = _printable(name) or f"Track {i + 1}"
        part = xml.SubElement(root, "part", id=f"P{i + 1}")
        rows = piece.notes[piece.notes["track"] == i] if pitched else piece.notes[:0]
        _part(part, piece, rows, bars, fifths)
    xml.indent(root)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 '
    head += 'Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">\n'
    return (head + xml.tostring(root, encoding="unicode") + "\n").encode()


def _printable(text: str) -> str:
    """A name without control characters, some of which no XML file may hold."""
    return "".join(c for c in text if c.isprintable()).strip()


def bar_lines(piece: Piece) -> Integers:
    """Every bar line, with the one after the last bar."""
    lines = piece.metre.bar_starts(max(piece.end, 1))
    last = piece.metre.bar_lengths()[np.searchsorted(piece.metre.ticks, lines[-1], side="right") - 1]
    lines = np.append(lines, lines[-1] + last)
    return np.unique(np.round(lines * DIVISIONS / piece.tpq).astype(np.int64))


def _part(part: xml.Element, piece: Piece, rows: Array, bars: Integers, fifths: int) -> None:
    """Fill a part with the measures of one track's notes, rows [N] of NOTE."""
    two_staves = len(rows) > 0 and int(np.ptp(rows["pitch"].astype(np.int64))) > WIDE
    upper = rows["pitch"] >= SPLIT if two_staves else np.full(len(rows), np.sum(rows["pitch"] - BASS_BELOW) >= 0)
    staves = [rows[upper], rows[~upper]] if two_staves else [rows]
    clefs = ["G", "F"] if two_staves else ["G" if upper.all() else "F"]
    each = [voices_of(chords_of(staff, piece.tpq, int(bars[-1]))) for staff in staves]
    metres = {round(t * DIVISIONS / piece.tpq): i for i, t in enumerate(piece.metre.ticks.tolist())}
    changes = zip(piece.tempo.ticks, piece.tempo.micros, strict=True)
    tempos = [(round(tick * DIVISIONS / piece.tpq), micros) for tick, micros in changes]
    for number, (start, stop) in enumerate(pairwise(bars.tolist()), 1):
        measure = xml.SubElement(part, "measure", number=str(number))
        _attributes(measure, piece, number == 1, metres.get(start), fifths, clefs)
        for at, micros in tempos:
            if start <= at < stop:
                sound = xml.SubElement(measure, "sound", tempo=f"{6e7 / micros:.2f}")
                if at > start:
                    xml.SubElement(sound, "offset").text = str(at - start)
        first = True
        for staff, voices in enumerate(each, 1):
            for voice, chords in enumerate(voices or [[]], 1):
                inside = [c for c in chords if c.onset < stop and c.end > start]
                if voice > 1 and not inside:
                    continue
                if not first:
                    back = xml.SubElement(measure, "backup")
                    xml.SubElement(back, "duration").text = str(stop - start)
                first = False
                number_of = str(VOICES * (staff - 1) + voice)
                _line(measure, inside, start, stop, number_of, str(staff) if two_staves else None, fifths)


def _attributes(
    measure: xml.Element, piece: Piece, first: bool, metre: int | None, fifths: int, clefs: list[str]
) -> None:
    """Key and clefs in the first measure; the metre there and wherever it changes (`metre`, its index in the map)."""
    if not first and metre is None:
        return
    attributes = xml.SubElement(measure, "attributes")
    if first:
        xml.SubElement(attributes, "divisions").text = str(DIVISIONS)
        xml.SubElement(xml.SubElement(attributes, "key"), "fifths").text = str(fifths)
    time = xml.SubElement(attributes, "time")
    xml.SubElement(time, "beats").text = str(piece.metre.numerators[metre or 0])
    xml.SubElement(time, "beat-type").text = str(piece.metre.denominators[metre or 0])
    if first:
        if len(clefs) > 1:
            xml.SubElement(attributes, "staves").text = str(len(clefs))
        for i, sign in enumerate(clefs, 1):
            clef = xml.SubElement(attributes, "clef", number=str(i))
            xml.SubElement(clef, "sign").text = sign
            xml.SubElement(clef, "line").text = "2" if sign == "G" else "4"


def chords_of(rows: Array, tpq: int, end: int) -> list[Chord]:
    """Notes [N] of NOTE as chords, at the nearest sixteenths.

    Each lasts one sixteenth at least, and at most to the next onset of its own pitch. Of two notes of one pitch that
    begin together the longer one counts.
    """
    onset = np.minimum(np.round(rows["onset"] * DIVISIONS / tpq).astype(np.int64), end - 1)
    stop = np.clip(np.round(rows["end"] * DIVISIONS / tpq).astype(np.int64), onset + 1, end)
    together: dict[tuple[int, int], set[int]] = {}
    last: dict[int, int] = {}
    for i in np.lexsort((-stop, rows["pitch"], -onset)).tolist():  # from the end, to know what comes next
        pitch, a = int(rows["pitch"][i]), int(onset[i])
        if last.get(pitch) == a:
            continue
        b = min(int(stop[i]), last.get(pitch, end))
        last[pitch] = a
        together.setdefault((a, b), set()).add(pitch)
    return [Chord(a, b, tuple(sorted(pitches))) for (a, b), pitches in sorted(together.items())]


def voices_of(chords: list[Chord]) -> list[list[Chord]]:
    """Chords in up to VOICES lines without overlaps; a chord for which there is no room ends the one before it."""
    lines: list[list[Chord]] = []
    for chord in sorted(chords, key=lambda c: (c.onset, -max(c.pitches))):
        free = [line for line in lines if line[-1].end <= chord.onset]
        if free:
            free[0].append(chord)
        elif len(lines) < VOICES:
            lines.append([chord])
        else:
            line = min(lines, key=lambda line: (line[-1].onset == chord.onset, line[-1].end, line[-1].onset))
            before = line[-1]
            if before.onset == chord.onset:
                pitches = tuple(sorted({*before.pitches, *chord.pitches}))
                line[-1] = Chord(before.onset, max(before.end, chord.end), pitches)
            else:
                line[-1] = Chord(before.onset, chord.onset, before.pitches)
                line.append(chord)
    return lines


def values_of(at: int, length: int) -> list[int]:
    """A duration from `at` in its bar as note values; none crosses a half bar of 4/4 that it does not begin on."""
    values = []
    while length > 0:
        room = 16 if at % 16 == 0 else 8 if at % 8 == 0 else 4 - at % 4 if at % 4 else 12
        value = max(v for v in VALUES if v <= min(length, room))
        values.append(value)
        at, length = at + value, length - value
    return values


def _line(
    measure: xml.Element, chords: list[Chord], start: int, stop: int, voice: str, staff: str | None, fifths: int
) -> None:
    """One voice of the measure start..stop: its chords, and rests between them."""
    at = start
    for chord in chords:
        a, b = max(chord.onset, start), min(chord.end, stop)
        if a > at:
            _rests(measure, at - start, a - at, voice, staff)
        values = values_of(a - start, b - a)
        place = a
        for value in values:
            _notes(measure, chord, place, value, voice, staff, fifths)
            place += value
        at = b
    if at < stop:
        _rests(measure, at - start, stop - at, voice, staff)


def _rests(measure: xml.Element, at: int, length: int, voice: str, staff: str | None) -> None:
    for value in values_of(at, length):
        note = xml.SubElement(measure, "note")
        xml.SubElement(note, "rest")
        _shape(note, value, voice, staff, [])


def _notes(measure: xml.Element, chord: Chord, at: int, value: int, voice: str, staff: str | None, fifths: int) -> None:
    ties = [kind for kind, on in (("stop", at > chord.onset), ("start", at + value < chord.end)) if on]
    for i, pitch in enumerate(chord.pitches):
        note = xml.SubElement(measure, "note")
        if i:
            xml.SubElement(note, "chord")
        name = (FLAT if fifths < 0 else SHARP)[pitch % 12]
        position = xml.SubElement(note, "pitch")
        xml.SubElement(position, "step").text = name[0]
        if len(name) > 1:
            xml.SubElement(position, "alter").text = "1" if name[1] == "#" else "-1"
        xml.SubElement(position, "octave").text = str(pitch // 12 - 1)
        _shape(note, value, voice, staff, ties)


def _shape(note: xml.Element, value: int, voice: str, staff: str | None, ties: list[str]) -> None:
    """Duration, ties, voice, type, staff, in the schema's order."""
    xml.SubElement(note, "duration").text = str(value)
    for kind in ties:
        xml.SubElement(note, "tie", type=kind)
    xml.SubElement(note, "voice").text = voice
    name, dots = VALUES[value]
    xml.SubElement(note, "type").text = name
    for _ in range(dots):
        xml.SubElement(note, "dot")
    if staff is not None:
        xml.SubElement(note, "staff").text = staff
    if ties:
        notations = xml.SubElement(note, "notations")
        for kind in ties:
            xml.SubElement(notations, "tied", type=kind)
