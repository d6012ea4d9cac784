"""One measure of a MusicXML part that an edit changed, written anew around what it keeps."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from xml.etree import ElementTree as xml

from fadernets.arrays import Array
from fadernets.music.part_reading import PLACED, decimal
from fadernets.music.score_midi import SoundingNote
from fadernets.music.written_score import PERCENT, WrittenPart
from fadernets.rendering.score_time import DIVISIONS

OWN_NOTATIONS = ("tied", "tuplet")  # that the writer writes itself


@dataclass
class NewMeasure:
    """One measure of a part that is written anew."""

    tpq: int
    part: WrittenPart
    number: int
    divisions: int
    made: list[xml.Element] | None
    notes: Array
    matches: dict[int, SoundingNote]
    of_element: dict[int, int]  # id of an element -> its measure
    lost: int = 0  # syllables whose notes are gone

    def write(self) -> int:
        """Replace the notes of the measure; what else it has stays at its place. How many syllables that lost."""
        own = self.part.measures[self.number]
        element, kept, right = own.element, list[tuple[int, xml.Element]](), list[xml.Element]()
        graces, waiting = dict[int, list[xml.Element]](), list[xml.Element]()
        old: list[xml.Element] = []
        at = 0
        for child in list(element):
            if child.tag == "note":
                old.append(child)
                if child.find("grace") is not None:
                    waiting.append(child)
                elif child.find("chord") is None:
                    graces[id(child)], waiting = waiting, []
            elif child.tag == "barline" and child.get("location", "right") == "right":
                right.append(child)
            elif child.tag not in PLACED:
                kept.append((at, child))
            at = max(at + _moves(child), 0)
        length = round(own.length * self.divisions / self.tpq)
        notes, pairs, taken = self._new_notes(graces, length)
        self._count_lost(old, taken)
        for source, note in pairs:
            _take_over(source, note)
        for child in list(element):
            element.remove(child)
        element.extend(child for place, child in kept if place == 0)
        element.extend(notes)
        now = sum(_moves(child) for child in notes)
        for place, child in [row for row in kept if row[0] > 0]:
            _go(element, place - now)
            element.append(child)
            now = place
        _go(element, length - now)
        element.extend(right)
        return self.lost

    def _new_notes(
        self, graces: dict[int, list[xml.Element]], length: int
    ) -> tuple[list[xml.Element], list[tuple[xml.Element, xml.Element]], set[int]]:
        """The notes of the measure, the pairs of an old and a new one that stands for it, and which old ones stay."""
        if self.made is None:
            note = xml.Element("note")
            xml.SubElement(note, "rest", measure="yes")
            xml.SubElement(note, "duration").text = str(length)
            return [note], [], set()
        found: list[xml.Element] = []
        pairs: list[tuple[xml.Element, xml.Element]] = []
        taken: set[int] = set()
        for child in self.made:
            for duration in child.iter("duration"):
                duration.text = str(int(duration.text or 0) * self.divisions // DIVISIONS)
            name = child.attrib.pop("id", "")
            if name:
                row = row_of(name)
                old = self._old(row, taken)
                if old is not None:
                    taken.add(id(old))
                    if child.find("chord") is None:
                        taken |= {id(grace) for grace in graces.get(id(old), ())}
                        found += graces.get(id(old), [])
                    pairs.append((old, child))
                source = self.matches.get(row)
                velocity = int(self.notes["velocity"][row])
                if source is None or source.velocity != velocity:
                    child.set("dynamics", percent(velocity))
                self._instrument(child, int(self.notes["pitch"][row]))
            found.append(child)
        return found, pairs, taken

    def _old(self, row: int, taken: set[int]) -> xml.Element | None:
        """The element of the source that a note of the edit stands for in this measure, if it was not used yet."""
        source = self.matches.get(row)
        if source is None:
            return None
        own = [each for each in source.elements if self.of_element.get(id(each)) == self.number]
        return next((each for each in own if id(each) not in taken), None)

    def _instrument(self, note: xml.Element, pitch: int) -> None:
        """Name the instrument of an unpitched note as the source's part does."""
        instrument = note.find("instrument")
        if instrument is None:
            return
        name = next((key for key, value in self.part.unpitched.items() if value == pitch), None)
        if name is None:
            note.remove(instrument)
        else:
            instrument.set("id", name)

    def _count_lost(self, old: list[xml.Element], taken: set[int]) -> None:
        """Count the syllables that no note has now, and end the slurs that lost one of their ends."""
        for note in old:
            if id(note) in taken:
                continue
            self.lost += note.find("lyric") is not None
            for slur in note.iterfind("notations/slur"):
                _end_slur(self.part, self.number, note, slur)


def row_of(name: str) -> int:
    """The row of the note that an element of this id was written for."""
    return int(name[1:].partition("-")[0])


def _moves(child: xml.Element) -> int:
    """How far an element moves the place in its measure, in divisions."""
    if child.tag not in PLACED or (
        child.tag == "note" and (child.find("chord") is not None or child.find("grace") is not None)
    ):
        return 0
    length = max(round(decimal(child.findtext("duration"))), 0)
    return -length if child.tag == "backup" else length


def _go(measure: xml.Element, by: int) -> None:
    """Move the place in a measure."""
    if by:
        xml.SubElement(xml.SubElement(measure, "forward" if by > 0 else "backup"), "duration").text = str(abs(by))


def put(measure: xml.Element, at: int, element: xml.Element) -> None:
    """Put an element at a place of a measure, in divisions."""
    if at == 0:
        first = next((i for i, child in enumerate(measure) if child.tag in PLACED), len(measure))
        measure.insert(first, element)
        return
    now = sum(_moves(child) for child in measure)
    end = [child for child in measure if child.tag == "barline" and child.get("location", "right") == "right"]
    for child in end:
        measure.remove(child)
    _go(measure, at - now)
    measure.append(element)
    _go(measure, now - at)
    measure.extend(end)


def _take_over(old: xml.Element, note: xml.Element) -> None:
    """Give a new note the lyrics and the notations of an old one."""
    if old.get("dynamics") is not None:
        note.set("dynamics", old.get("dynamics", ""))
    kept = [mark for notations in old.iterfind("notations") for mark in notations if mark.tag not in OWN_NOTATIONS]
    if kept:
        notations = note.find("notations")
        if notations is None:
            notations = xml.SubElement(note, "notations")
        notations.extend(copy.deepcopy(mark) for mark in kept)
    note.extend(copy.deepcopy(lyric) for lyric in old.iterfind("lyric"))


def _end_slur(part: WrittenPart, number: int, note: xml.Element, slur: xml.Element) -> None:
    """Remove the other end of a slur whose note is gone, if no other slur of its number begins or ends before it."""
    wanted = {"start": "stop", "stop": "start"}.get(slur.get("type", ""))
    if wanted is None:
        return
    forward = wanted == "stop"
    own = part.measures[number].element.findall("note")
    at = next(i for i, each in enumerate(own) if each is note)
    notes = own[at + 1 :] if forward else own[:at][::-1]
    for measure in part.measures[number + 1 :] if forward else part.measures[:number][::-1]:
        more = measure.element.findall("note")
        notes += more if forward else more[::-1]
    for each in notes:
        ends = [
            (notations, other)
            for notations in each.iterfind("notations")
            for other in notations.findall("slur")
            if other.get("number", "1") == slur.get("number", "1")
        ]
        for notations, other in ends:
            if other.get("type") == wanted:
                notations.remove(other)
                if not len(notations):
                    each.remove(notations)
                return
        if any(other.get("type") == slur.get("type") for _, other in ends):
            return


def percent(velocity: int) -> str:
    """A velocity as MusicXML's loudness."""
    return f"{velocity / PERCENT:.2f}"
