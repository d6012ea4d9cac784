"""One part of a MusicXML score, read from its first measure to its last."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from fadernets.music.written_score import PERCENT, PartMeasure, WrittenNote, WrittenPart
from fadernets.music.xml_files import ScoreError

MOST_MEASURES = 20_000
LONGEST = 255  # quarters of a measure
SLOWEST, FASTEST = 4.0, 2000.0  # quarters a minute
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
BEAT_UNITS = {
    "maxima": 32.0, "long": 16.0, "breve": 8.0, "whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5,
    "16th": 0.25, "32nd": 0.125,
}  # fmt: skip
MARKS = {  # velocities of dynamics
    "pppp": 10, "ppp": 23, "pp": 36, "p": 49, "mp": 64, "mf": 80, "f": 96, "ff": 112, "fff": 120, "ffff": 127,
    "sf": 112, "sfz": 112, "fz": 112, "fp": 96, "rf": 104, "rfz": 104,
}  # fmt: skip
PLACED = ("note", "backup", "forward")  # elements that move the place in a measure
SNARE = 38  # what an unpitched note sounds as where its part does not say


@dataclass
class Found:
    """What is gathered while parts are read."""

    tempos: list[tuple[int, int, float]] = field(default_factory=list)  # measure, tick, quarters a minute
    marks: list[tuple[int, int, float, Element, float]] = field(default_factory=list)  # the same, TempoMark's fields
    keys: list[tuple[int, int, int, bool]] = field(default_factory=list)  # measure, tick, sharps, minor
    key_part: int = 0  # the part whose keys are heeded, the first that has some; 0 before it
    metres: dict[int, tuple[int, int]] = field(default_factory=dict)  # measure -> metre that begins there
    left_out: dict[str, int] = field(default_factory=dict)

    def leave_out(self, what: str) -> None:
        """Count something that is not read."""
        self.left_out[what] = self.left_out.get(what, 0) + 1


class PartReader:
    """Reads one part."""

    def __init__(self, part: WrittenPart, tpq: int, found: Found, name: str) -> None:
        self.part, self.tpq, self.found, self.name = part, tpq, found, name
        self.divisions, self.fifths, self.transposition = 1.0, 0, 0
        self.at = self.last = 0  # ticks from the start of the measure: now, and where the last note began

    def read(self) -> None:
        """Fill the part. Raises ScoreError."""
        measures = self.part.element.findall("measure")
        if len(measures) > MOST_MEASURES:
            raise ScoreError(f"{self.name}: {len(measures)} measures; at most {MOST_MEASURES} are read")
        for number, element in enumerate(measures):
            self.at = self.last = 0
            first = next((child for child in element if child.tag in ("attributes", *PLACED)), None)
            if first is not None and first.tag == "attributes":
                self._attributes(first, number, only_divisions=True)
            own = PartMeasure(element, self.divisions, self.transposition, self.fifths)
            self.part.measures.append(own)
            for child in element:
                self._child(child, number, own)
                own.length = max(own.length, self.at)
                if own.length > LONGEST * self.tpq:
                    where = f"{self.name}: measure {number + 1}"
                    raise ScoreError(f"{where} lasts more than {LONGEST} quarters, which no bar of a MIDI file can")
        for rows in self.part.loudness.values():
            rows.sort()
        self._choose_kind()

    def _choose_kind(self) -> None:
        """Whether the part is of drums; the notes of the other kind are left out."""
        unpitched = sum(note.drum for note in self.part.notes)
        self.part.is_drum = self.part.is_drum or 2 * unpitched > len(self.part.notes)
        if not self.part.is_drum and unpitched:
            self.part.notes = [note for note in self.part.notes if not note.drum]
            for _ in range(unpitched):
                self.found.leave_out("unpitched notes of parts with pitches")

    def _child(self, child: Element, number: int, own: PartMeasure) -> None:
        if child.tag == "note":
            self._note(child, number)
        elif child.tag == "backup":
            self.at = max(self.at - self._ticks(child.findtext("duration")), 0)
        elif child.tag == "forward":
            self.at += self._ticks(child.findtext("duration"))
        elif child.tag == "attributes":
            self._attributes(child, number)
            if self.at == 0:
                own.divisions, own.transposition, own.fifths = self.divisions, self.transposition, self.fifths
        elif child.tag == "direction":
            self._direction(child, number)
        elif child.tag == "sound":
            self._sound(child, number, None, self._ticks_between(child))

    def _ticks(self, text: str | None) -> int:
        value = decimal(text)
        return round(min(max(value, 0.0) * self.tpq / self.divisions, (LONGEST + 1.0) * self.tpq))

    def _ticks_between(self, element: Element) -> int:
        """How far an element's `offset` puts it off."""
        value = decimal(element.findtext("offset"))
        return round(max(min(value * self.tpq / self.divisions, LONGEST * self.tpq), -self.at))

    def _attributes(self, element: Element, number: int, only_divisions: bool = False) -> None:
        divisions = decimal(element.findtext("divisions"), self.divisions)
        self.divisions = divisions if divisions > 0 else self.divisions
        if only_divisions:
            return
        transpose = element.find("transpose")
        if transpose is not None:
            octaves = whole(transpose.findtext("octave-change"), -8, 8, 0)
            self.transposition = whole(transpose.findtext("chromatic"), -48, 48, 0) + 12 * octaves
        self.part.staves = max(self.part.staves, whole(element.findtext("staves"), 1, 16, 1))
        key = element.find("key")
        if key is not None and key.find("fifths") is not None:
            self.fifths = whole(key.findtext("fifths"), -7, 7, 0)
            self.found.key_part = self.found.key_part or self.part.number
            if self.found.key_part == self.part.number:
                sharps = (self.fifths + 7 * self.transposition + 5) % 12 - 5 if self.transposition else self.fifths
                self.found.keys.append((number, self.at, sharps, key.findtext("mode") == "minor"))
        time = element.find("time")
        if time is not None and self.at == 0:
            metre = _metre(time)
            if metre is not None:
                self.found.metres.setdefault(number, metre)

    def _direction(self, element: Element, number: int) -> None:
        staff = element.find("staff")
        of_staff = whole(staff.text, 1, 16, 1) if staff is not None else None
        away = self._ticks_between(element)
        sound = element.find("sound")
        told = self._sound(sound, number, of_staff, away) if sound is not None else set[str]()
        for kind in element.iterfind("direction-type"):
            marks = kind.find("dynamics")
            if marks is not None and "dynamics" not in told:
                for mark in marks:
                    if mark.tag in MARKS:
                        self._loudness(number, of_staff, away, MARKS[mark.tag])
            metronome = kind.find("metronome")
            if metronome is not None:
                unit = BEAT_UNITS.get((metronome.findtext("beat-unit") or "").strip(), 0.0)
                unit *= 2 - 0.5 ** len(metronome.findall("beat-unit-dot"))
                rate = unit * decimal(metronome.findtext("per-minute"))
                self._tempo(number, away, rate, metronome, unit, heard="tempo" not in told)

    def _sound(self, element: Element, number: int, staff: int | None, away: int) -> set[str]:
        """Tempo and loudness of playback; which of them it told."""
        told = {name for name in ("tempo", "dynamics") if element.get(name) is not None}
        if "tempo" in told:
            self._tempo(number, away, decimal(element.get("tempo")), element, 1.0)
        if "dynamics" in told:
            self._loudness(number, staff, away, round(PERCENT * min(decimal(element.get("dynamics")), 1000.0)))
        return told

    def _tempo(self, number: int, away: int, rate: float, mark: Element, unit: float, heard: bool = True) -> None:
        if SLOWEST <= rate <= FASTEST:
            place = number, max(self.at + away, 0), rate
            self.found.marks.append((*place, mark, unit))
            if heard:
                self.found.tempos.append(place)

    def _loudness(self, number: int, staff: int | None, away: int, velocity: int) -> None:
        row = (number, max(self.at + away, 0), min(max(velocity, 1), 127))
        self.part.loudness.setdefault(staff, []).append(row)

    def _note(self, element: Element, number: int) -> None:
        if element.find("grace") is not None:
            self.found.leave_out("grace notes")
            return
        length = self._ticks(element.findtext("duration"))
        in_chord = element.find("chord") is not None
        onset = self.last if in_chord else self.at
        if not in_chord:
            self.last, self.at = self.at, self.at + length
        if element.find("rest") is not None or element.find("cue") is not None or length <= 0:
            return
        pitch = self._pitch(element)
        if pitch is None:
            self.found.leave_out("notes without a pitch that MIDI has")
            return
        ties = {tie.get("type") for tie in [*element.iterfind("tie"), *element.iterfind("notations/tied")]}
        staff = whole(element.findtext("staff"), 1, 16, 1)
        self.part.staves = max(self.part.staves, staff)
        voice = (element.findtext("voice") or "1").strip()
        own = element.get("dynamics")
        loudness = None if own is None else min(max(round(PERCENT * decimal(own)), 1), 127)
        drum = element.find("unpitched") is not None
        back, on = "stop" in ties, "start" in ties
        note = WrittenNote(element, number, onset, length, pitch, staff, voice, back, on, loudness, drum)
        self.part.notes.append(note)

    def _pitch(self, element: Element) -> int | None:
        place = element.find("pitch")
        if place is None:
            if element.find("unpitched") is None:
                return None
            instrument = element.find("instrument")
            return self.part.unpitched.get(instrument.get("id", "") if instrument is not None else "", SNARE)
        step = STEPS.get((place.findtext("step") or "").strip())
        octave = whole(place.findtext("octave"), -2, 11, -9)
        if step is None or octave == -9:
            return None
        alter = min(max(decimal(place.findtext("alter")), -3.0), 3.0)
        pitch = 12 * (octave + 1) + step + round(alter) + self.transposition
        return pitch if 0 <= pitch <= 127 else None


def _metre(time: Element) -> tuple[int, int] | None:
    """Numerator and denominator of a time signature; a sum of several is one. None where there is none."""
    total, finest = 0.0, 1
    pairs = list(zip(time.findall("beats"), time.findall("beat-type"), strict=False))
    for beats, kind in pairs:
        unit = whole(kind.text, 1, 64, 0)
        count = sum(whole(part, 1, 255, 0) for part in (beats.text or "").split("+"))
        if unit not in (1, 2, 4, 8, 16, 32, 64) or count == 0:
            return None
        total, finest = total + count / unit, max(finest, unit)
    return (round(total * finest), finest) if pairs and total * finest <= 255 else None


def whole(text: str | None, low: int, high: int, otherwise: int) -> int:
    """A whole number of an element within its range, or what stands for one that is none."""
    try:
        value = int(float(text or ""))
    except (ValueError, OverflowError):
        return otherwise
    return value if low <= value <= high else otherwise


def decimal(text: str | None, otherwise: float = 0.0) -> float:
    """A finite number of an element, or what stands for one that is none."""
    try:
        value = float(text or "")
    except ValueError:
        return otherwise
    return value if math.isfinite(value) else otherwise
