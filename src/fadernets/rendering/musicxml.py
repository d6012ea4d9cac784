"""A piece as a score in MusicXML 4.0, for notation programs and the studio: what a musician would read from.

Tracks are parts (`score_parts`); notes lie on the piece's metric grid (`score_time`), in two voices a staff at most
(`score_voices`), with note values, ties, tuplets and beams by the metre (`score_values`, `score_bars`) and spelled by
the key (`score_spelling`). Each note has the id "n" and its row in `Piece.notes`; what is tied to it adds "-1", "-2".
Times are divisions of a quarter from the start of the score unless a name says ticks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from xml.etree import ElementTree as xml

import numpy as np

from fadernets.arrays import Integers
from fadernets.music.document import Document
from fadernets.music.notes import Piece
from fadernets.rendering.score_bars import Slice, Symbol, by_bar, symbols_of
from fadernets.rendering.score_clefs import clefs_by_bar
from fadernets.rendering.score_drums import drum, drum_voices
from fadernets.rendering.score_parts import ScorePart, parts_of, printable
from fadernets.rendering.score_spelling import alteration, file_keys, named, signatures, spell
from fadernets.rendering.score_time import DIVISIONS, Bar, ScoreTime
from fadernets.rendering.score_values import Metre
from fadernets.rendering.score_voices import chords_of, voices_of

VOICES_APART = 4  # numbers of voices a staff in the file, as notation programs count them
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 '
    'Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">\n'
)
ACCIDENTALS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
CLEF_LINES = {"G": "2", "F": "4", "percussion": "2"}
SHOWN = 0.08  # share by which a tempo must differ from the one that stands above the score, to be printed
HEARD = 0.01  # the same to be written at all
SHOWN_BARS = 2  # bars between two printed tempos at least


@dataclass(frozen=True)
class Score:
    """A piece with what its notation takes from it."""

    piece: Piece
    time: ScoreTime
    bars: list[Bar]
    metres: list[Metre]
    keys: list[int]  # a bar: sharps of its signature
    line: Integers  # [N] spelling of each note
    colours: Sequence[str | None] | None


def write(
    piece: Piece,
    title: str = "",
    stated_keys: list[tuple[int, int]] | None = None,
    colours: Sequence[str | None] | None = None,
) -> bytes:
    """The piece as the bytes of a MusicXML file.

    stated_keys: key signatures of its file as (tick, sharps); without them the key is found. colours: of each note of
    `piece.notes`, as "#c04000", None for those that stay black.
    """
    time = ScoreTime.of(piece)
    parts = parts_of(piece)
    drums = np.array([track.is_drum for track in piece.tracks], bool)
    pitched = ~drums[piece.notes["track"]] if len(piece.notes) else np.zeros(0, bool)
    tracks = np.unique(piece.notes["track"][pitched]).tolist()
    fifths, minor = signatures(piece, tracks, stated_keys or [])
    bars = with_upbeat(time.bars)
    metres = [Metre.of(bar, i == 0 and bar.length < bar.full) for i, bar in enumerate(bars)]
    ticks = [tick for tick, _ in fifths]
    of_bar = [fifths[max(int(np.searchsorted(ticks, bar.tick, side="right")) - 1, 0)][1] for bar in bars]
    score = Score(piece, time, bars, metres, of_bar, spell(piece, pitched, fifths, minor), colours)
    root = xml.Element("score-partwise", version="4.0")
    xml.SubElement(xml.SubElement(root, "work"), "work-title").text = printable(title) or "untitled"
    names = xml.SubElement(root, "part-list")
    for k, part in enumerate(parts):
        _list_part(names, part, piece)
        _part(xml.SubElement(root, "part", id=f"P{part.number}"), score, part, k == 0)
    xml.indent(root)
    return (HEAD + xml.tostring(root, encoding="unicode") + "\n").encode()


def write_part(score: Score, part: ScorePart) -> xml.Element:
    """One part with its measures, without tempo."""
    into = xml.Element("part")
    _part(into, score, part, False)
    return into


def with_upbeat(bars: list[Bar]) -> list[Bar]:
    """The bars, a short first one in the metre of the second: an upbeat."""
    if len(bars) < 2 or bars[0].length >= bars[1].full or bars[1].length < bars[1].full:
        return bars
    first, second = bars[0], bars[1]
    return [replace(first, numerator=second.numerator, denominator=second.denominator), *bars[1:]]


def write_document(document: Document, title: str = "", colours: Sequence[str | None] | None = None) -> bytes:
    """A MIDI file as the bytes of a MusicXML file, in the keys that it states."""
    return write(document.piece, title, file_keys(document), colours)


def bar_lines(piece: Piece) -> Integers:
    """Every bar line of the score in divisions, with the one after the last bar."""
    bars = ScoreTime.of(piece).bars
    return np.array([*(bar.start for bar in bars), bars[-1].end], np.int64)


def _list_part(names: xml.Element, part: ScorePart, piece: Piece) -> None:
    about = xml.SubElement(names, "score-part", id=f"P{part.number}")
    xml.SubElement(about, "part-name").text = part.name
    used = sorted({int(piece.notes["pitch"][i]) for i in part.staves[0].rows}) if part.is_drum else []
    for pitch in used:
        instrument = xml.SubElement(about, "score-instrument", id=f"P{part.number}-I{pitch + 1}")
        xml.SubElement(instrument, "instrument-name").text = drum(pitch)[2]
    if not part.is_drum:
        instrument = xml.SubElement(about, "score-instrument", id=f"P{part.number}-I1")
        xml.SubElement(instrument, "instrument-name").text = part.name
        midi = xml.SubElement(about, "midi-instrument", id=f"P{part.number}-I1")
        xml.SubElement(midi, "midi-program").text = str(part.program + 1)
    for pitch in used:
        midi = xml.SubElement(about, "midi-instrument", id=f"P{part.number}-I{pitch + 1}")
        xml.SubElement(midi, "midi-channel").text = "10"
        xml.SubElement(midi, "midi-unpitched").text = str(pitch + 1)


def _part(into: xml.Element, score: Score, part: ScorePart, first: bool) -> None:
    """Fill a part with its measures; the first part carries the tempo."""
    staves: list[list[list[list[Slice]]]] = []  # staff, voice, bar
    clefs: list[list[str]] = []  # staff, bar
    starts = [bar.start for bar in score.bars]
    together = score.piece.notes[np.sort(np.concatenate([staff.rows for staff in part.staves]))]
    for staff in part.staves:
        notes = score.piece.notes[staff.rows]
        placed = score.time.place(notes, together)
        if part.is_drum:
            lines = drum_voices(score.time, placed, notes)
        else:
            lines = voices_of(chords_of(score.time, placed, notes["pitch"]), notes["pitch"])
        rows = staff.rows.tolist()
        own = [[replace(c, rows=tuple(rows[i] for i in c.rows)) for c in line] for line in lines]
        staves.append([by_bar(line, score.bars) for line in own])
        if part.is_drum:
            clefs.append(["percussion"] * len(score.bars))
        else:
            of_note = np.searchsorted(starts, placed.onset, side="right") - 1
            clefs.append(clefs_by_bar(notes["pitch"], of_note, len(score.bars), staff.clef))
    tempos = _tempos(score) if first else []
    tied: dict[int, int] = {}  # row -> how many notes of it have been written
    upbeat = score.bars[0].length < score.bars[0].full and len(score.bars) > 1
    for i, bar in enumerate(score.bars):
        measure = xml.SubElement(into, "measure", number=str(i + (not upbeat)))
        if upbeat and i == 0:
            measure.set("implicit", "yes")
        _attributes(measure, score, part, clefs, i)
        for at, tempo, shown in tempos:
            if bar.start <= at < bar.end:
                _tempo(measure, at - bar.start, tempo, shown, score.metres[i])
        voices = [_voices([line[i] for line in staff], bar, score.metres[i]) for staff in staves]
        _fill(measure, score, part, voices, i, tied)


def _voices(slices: list[list[Slice]], bar: Bar, metre: Metre) -> list[list[Symbol]]:
    """The voices of a staff in a bar. One that is alone is the first; the second one has no rests."""
    upper, lower = slices
    if lower and not upper:
        upper, lower = lower, []
    found = [symbols_of(upper, bar, metre, False)]
    return [*found, symbols_of(lower, bar, metre, True)] if lower else found


def _attributes(measure: xml.Element, score: Score, part: ScorePart, clefs: list[list[str]], i: int) -> None:
    """Key, metre and clefs in the first measure, and wherever they change."""
    bar, first = score.bars[i], i == 0
    before = score.bars[max(i - 1, 0)]
    new_key = not part.is_drum and (first or score.keys[i] != score.keys[i - 1])
    new_time = first or (bar.numerator, bar.denominator) != (before.numerator, before.denominator)
    new_clefs = [staff for staff, signs in enumerate(clefs) if first or signs[i] != signs[i - 1]]
    if not (new_key or new_time or new_clefs):
        return
    attributes = xml.SubElement(measure, "attributes")
    if first:
        xml.SubElement(attributes, "divisions").text = str(DIVISIONS)
    if new_key:
        xml.SubElement(xml.SubElement(attributes, "key"), "fifths").text = str(score.keys[i])
    if new_time:
        time = xml.SubElement(attributes, "time")
        xml.SubElement(time, "beats").text = str(bar.numerator)
        xml.SubElement(time, "beat-type").text = str(bar.denominator)
    if first and len(clefs) > 1:
        xml.SubElement(attributes, "staves").text = str(len(clefs))
    for staff in new_clefs:
        clef = xml.SubElement(attributes, "clef", number=str(staff + 1))
        xml.SubElement(clef, "sign").text = clefs[staff][i]
        xml.SubElement(clef, "line").text = CLEF_LINES[clefs[staff][i]]


def _tempos(score: Score) -> list[tuple[int, float, bool]]:
    """(place, quarters a minute, whether it is printed) of every change of tempo."""
    piece, time = score.piece, score.time
    if time.heard:
        seconds = piece.tempo.seconds(time.beats.end) - piece.tempo.seconds(time.beats.start)
        return [(0, 60 * float(np.median(time.beats.quarters / np.maximum(seconds, 1e-3))), True)]
    places = np.round(time.exactly(piece.tempo.ticks)).astype(np.int64).tolist()
    found: list[tuple[int, float, bool]] = []
    shown, last = 0.0, -1.0
    gap = SHOWN_BARS * score.bars[0].full
    for place, micros in zip(places, piece.tempo.micros.tolist(), strict=True):
        rate = 6e7 / micros
        is_shown = abs(rate - shown) > SHOWN * shown and (last < 0 or place - last >= gap)
        if is_shown:
            shown, last = rate, place
        if is_shown or abs(rate - (found[-1][1] if found else 0.0)) > HEARD * rate:
            found.append((place, rate, is_shown))
    return found


def _tempo(measure: xml.Element, offset: int, rate: float, shown: bool, metre: Metre) -> None:
    where = measure
    if shown:
        where = xml.SubElement(measure, "direction", placement="above")
        mark = xml.SubElement(xml.SubElement(where, "direction-type"), "metronome")
        dotted = metre.compound and metre.denominator == 8
        xml.SubElement(mark, "beat-unit").text = "quarter"
        if dotted:
            xml.SubElement(mark, "beat-unit-dot")
        xml.SubElement(mark, "per-minute").text = f"{rate / (1.5 if dotted else 1):.0f}"
        if offset:
            xml.SubElement(where, "offset").text = str(offset)
    sound = xml.SubElement(where, "sound", tempo=f"{rate:.2f}")
    if offset and not shown:
        xml.SubElement(sound, "offset").text = str(offset)


def _fill(
    measure: xml.Element,
    score: Score,
    part: ScorePart,
    voices: list[list[list[Symbol]]],
    i: int,
    tied: dict[int, int],
) -> None:
    """The notes of a measure: voice after voice, staff after staff."""
    at = 0
    for staff, lines in enumerate(voices):
        signs = {} if part.is_drum else _accidentals(score, lines, score.keys[i])
        for voice, symbols in enumerate(lines):
            _move(measure, -at)
            at = 0
            number = str(VOICES_APART * staff + voice + 1)
            stem = ("up", "down")[voice] if len(lines) > 1 else None
            for symbol in _without_end(symbols):
                if symbol.hidden and symbol.tuplet is None:
                    _move(measure, symbol.length)
                else:
                    writer = _Note(score, part, number, str(staff + 1) if len(part.staves) > 1 else None, stem)
                    writer.add(measure, symbol, signs, tied)
                at += symbol.length


def _without_end(symbols: list[Symbol]) -> list[Symbol]:
    """A voice without the hidden rests at its end."""
    last = max((i for i, s in enumerate(symbols) if not s.hidden or s.tuplet is not None), default=-1)
    return symbols[: last + 1]


def _move(measure: xml.Element, by: int) -> None:
    if not by:
        return
    if by > 0 and len(measure) and measure[-1].tag == "forward":
        duration = measure[-1][0]
        duration.text = str(int(duration.text or 0) + by)
        return
    xml.SubElement(xml.SubElement(measure, "forward" if by > 0 else "backup"), "duration").text = str(abs(by))


def _accidentals(score: Score, lines: list[list[Symbol]], fifths: int) -> dict[tuple[int, int], str]:
    """(place, row) -> the accidental that stands before the note, by the rules of the bar."""
    found: dict[tuple[int, int], str] = {}
    state: dict[tuple[str, int], int] = {}
    every = sorted((s for line in lines for s in line if s.rows), key=lambda s: s.place)
    for place, symbols in groupby(every, key=lambda s: s.place):
        for symbol in symbols:
            for row in symbol.rows:
                step, alter, octave = named(int(score.line[row]), int(score.piece.notes["pitch"][row]))
                if symbol.tied_back:
                    continue
                if state.get((step, octave), alteration(step, fifths)) != alter:
                    found[place, row] = ACCIDENTALS[alter]
                state[step, octave] = alter
    return found


@dataclass(frozen=True)
class _Note:
    """Writes the symbols of one voice, elements in the order of the schema."""

    score: Score
    part: ScorePart
    voice: str
    staff: str | None
    stem: str | None

    def add(
        self, measure: xml.Element, symbol: Symbol, signs: dict[tuple[int, int], str], tied: dict[int, int]
    ) -> None:
        """A rest, a note, or the notes of a chord."""
        if not symbol.rows:
            note = xml.SubElement(measure, "note")
            if symbol.hidden:
                note.set("print-object", "no")
            rest = xml.SubElement(note, "rest")
            if symbol.whole_bar:
                rest.set("measure", "yes")
            self._shape(note, symbol, None, None, False)
            return
        for k, row in enumerate(symbol.rows):
            count = tied.get(row, 0) if symbol.tied_back else 0
            tied[row] = count + 1
            note = xml.SubElement(measure, "note", id=f"n{row}" + (f"-{count}" if count else ""))
            if self.score.colours is not None and (colour := self.score.colours[row]):
                note.set("color", colour)
            if k:
                xml.SubElement(note, "chord")
            self._pitch(note, row)
            self._shape(note, symbol, row, signs.get((symbol.place, row)), k > 0)

    def _pitch(self, note: xml.Element, row: int) -> None:
        pitch = int(self.score.piece.notes["pitch"][row])
        if self.part.is_drum:
            place = xml.SubElement(note, "unpitched")
            xml.SubElement(place, "display-step").text = drum(pitch)[0][0]
            xml.SubElement(place, "display-octave").text = drum(pitch)[0][1]
            return
        step, alter, octave = named(int(self.score.line[row]), pitch)
        place = xml.SubElement(note, "pitch")
        xml.SubElement(place, "step").text = step
        if alter:
            xml.SubElement(place, "alter").text = str(alter)
        xml.SubElement(place, "octave").text = str(octave)

    def _shape(self, note: xml.Element, symbol: Symbol, row: int | None, sign: str | None, in_chord: bool) -> None:
        xml.SubElement(note, "duration").text = str(symbol.length)
        ties = [kind for kind, on in (("stop", symbol.tied_back), ("start", symbol.tied_on)) if on and row is not None]
        for kind in ties:
            xml.SubElement(note, "tie", type=kind)
        pitch = int(self.score.piece.notes["pitch"][row]) if row is not None and self.part.is_drum else None
        if pitch is not None:
            xml.SubElement(note, "instrument", id=f"P{self.part.number}-I{pitch + 1}")
        xml.SubElement(note, "voice").text = self.voice
        name, dots = symbol.value
        if not symbol.whole_bar:
            xml.SubElement(note, "type").text = name
            for _ in range(dots):
                xml.SubElement(note, "dot")
        if sign is not None:
            xml.SubElement(note, "accidental").text = sign
        if symbol.tuplet is not None:
            change = xml.SubElement(note, "time-modification")
            xml.SubElement(change, "actual-notes").text = str(symbol.tuplet.actual)
            xml.SubElement(change, "normal-notes").text = str(symbol.tuplet.normal)
            xml.SubElement(change, "normal-type").text = symbol.tuplet.value
        if self.stem is not None and row is not None:
            xml.SubElement(note, "stem").text = self.stem
        if pitch is not None and drum(pitch)[1] != "normal":
            xml.SubElement(note, "notehead").text = drum(pitch)[1]
        if self.staff is not None:
            xml.SubElement(note, "staff").text = self.staff
        if not in_chord:
            for level, mark in enumerate(symbol.beams, 1):
                xml.SubElement(note, "beam", number=str(level)).text = mark
        bracket = (symbol.opens or symbol.closes) and not in_chord
        if ties or bracket:
            notations = xml.SubElement(note, "notations")
            for kind in ties:
                xml.SubElement(notations, "tied", type=kind)
            if bracket and symbol.opens:
                xml.SubElement(notations, "tuplet", type="start", bracket="yes")
            if bracket and symbol.closes:
                xml.SubElement(notations, "tuplet", type="stop")
