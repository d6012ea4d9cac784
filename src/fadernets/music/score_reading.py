"""MusicXML read as a `written_score`: each part from its first measure to its last, then what they say together."""

from __future__ import annotations

import math
from operator import itemgetter
from xml.etree.ElementTree import Element

from fadernets.music.part_reading import SNARE, Found, PartReader, decimal, whole
from fadernets.music.smf import MAX_BEATS, MAX_TICKS
from fadernets.music.written_score import (
    Measure,
    TempoMark,
    WrittenPart,
    WrittenScore,
)
from fadernets.music.xml_files import ScoreError

TPQ = 480  # ticks a quarter at least
MOST_TPQ = 32_767  # that a MIDI file can state
ROUNDED_TPQ = 10_080  # where the divisions of a score have no common multiple below that
MOST_PARTS = 500
FINEST = 16  # parts of a quarter: a measure is as long as sixty-fourths can say


def read_score(root: Element, name: str) -> WrittenScore:
    """A MusicXML tree as a score. Raises ScoreError for what is none.

    A score that is written measure by measure (score-timewise) is turned into one of parts, in place.
    """
    if root.tag == "score-timewise":
        _to_parts(root)
    if root.tag != "score-partwise":
        raise ScoreError(f"{name}: is no MusicXML score (its first element is {root.tag[:40]!r})")
    parts = _parts(root, name)
    tpq = _ticks_per_quarter(root)
    found = Found()
    for part in parts:
        PartReader(part, tpq, found, name).read()
    if not any(part.measures for part in parts):
        raise ScoreError(f"{name}: the score has no measures")
    measures = _measures(parts, found, tpq, name)
    starts = [measure.start for measure in measures]
    # By tick alone: of those at one tick the last written stays the last.
    tempos = sorted(((starts[m] + tick, rate) for m, tick, rate in found.tempos), key=itemgetter(0))
    keys = sorted(((starts[m] + tick, sharps, minor) for m, tick, sharps, minor in found.keys), key=itemgetter(0))
    warnings = [f"{what}: {count}, left out" for what, count in found.left_out.items()]
    marks = [TempoMark(starts[m] + tick, rate, element, unit) for m, tick, rate, element, unit in found.marks]
    return WrittenScore(_title(root), tpq, parts, measures, tempos, marks, keys, warnings)


def _title(root: Element) -> str:
    for path in ("work/work-title", "movement-title"):
        text = (root.findtext(path) or "").strip()
        if text:
            return " ".join(text.split())
    return ""


def _to_parts(root: Element) -> None:
    """Turn measures of parts into parts of measures."""
    root.tag = "score-partwise"
    parts: dict[str, Element] = {}
    for measure in root.findall("measure"):
        root.remove(measure)
        for old in measure.findall("part"):
            key = old.get("id", "")
            if key not in parts:
                parts[key] = Element("part", {"id": key})
                root.append(parts[key])
            new = Element("measure", dict(measure.attrib))
            new.extend(list(old))
            parts[key].append(new)


def _parts(root: Element, name: str) -> list[WrittenPart]:
    """The parts, by the list of them. Raises ScoreError."""
    about = {row.get("id", ""): row for row in root.iterfind("part-list/score-part")}
    elements = root.findall("part")
    if not elements:
        raise ScoreError(f"{name}: the score has no parts")
    if len(elements) > MOST_PARTS:
        raise ScoreError(f"{name}: {len(elements)} parts; at most {MOST_PARTS} are read")
    parts = []
    for number, element in enumerate(elements, 1):
        row = about.get(element.get("id", ""))
        title = " ".join((row.findtext("part-name") or "").split()) if row is not None else ""
        program, unpitched, channels = 0, dict[str, int](), set[int]()
        for midi in row.iterfind("midi-instrument") if row is not None else ():
            program = program or whole(midi.findtext("midi-program"), 1, 128, 1) - 1
            channels.add(whole(midi.findtext("midi-channel"), 1, 16, 1))
            if midi.find("midi-unpitched") is not None:
                unpitched[midi.get("id", "")] = whole(midi.findtext("midi-unpitched"), 1, 128, SNARE + 1) - 1
        part = WrittenPart(number, title or f"Part {number}", program, element, unpitched)
        part.is_drum = channels == {10}
        parts.append(part)
    return parts


def _ticks_per_quarter(root: Element) -> int:
    """The ticks that hold every division of a quarter, or many where none do."""
    common = 1
    for element in root.iter("divisions"):
        value = decimal(element.text)
        if value >= 1 and value == int(value):
            common = math.lcm(common, int(value))
        if common > MOST_TPQ:
            return ROUNDED_TPQ
    return common * -(-TPQ // common) if common < TPQ else common


def _measures(parts: list[WrittenPart], found: Found, tpq: int, name: str) -> list[Measure]:
    """The measures of the whole score, as long as the longest of their parts, or as their metre where all are empty."""
    measures: list[Measure] = []
    metre, start = (4, 4), 0
    grain = tpq / FINEST
    for number in range(max(len(part.measures) for part in parts)):
        metre = found.metres.get(number, metre)
        length = max((part.measures[number].length for part in parts if number < len(part.measures)), default=0)
        nominal = metre[0] * 4 * tpq / metre[1]
        if length == 0 or abs(length - nominal) < grain / 2:
            length, signature = round(nominal), metre
        else:
            parts_of_quarter = max(math.ceil(length / grain - 1e-6), 1)
            length, signature = round(parts_of_quarter * grain), _signature(parts_of_quarter)
        if signature[0] > 255:
            raise ScoreError(f"{name}: measure {number + 1} has a length that no bar of a MIDI file can have")
        measures.append(Measure(start, length, *signature))
        start += length
        if start > min(MAX_TICKS, MAX_BEATS * tpq):
            raise ScoreError(f"{name}: is longer than {MAX_BEATS} quarters; no more are read")
    return measures


def _signature(sixty_fourths: int) -> tuple[int, int]:
    """The metre of a measure that lasts so many sixty-fourths, in quarters where it can be."""
    denominator = 64
    while denominator > 4 and sixty_fourths % 2 == 0:
        sixty_fourths, denominator = sixty_fourths // 2, denominator // 2
    return sixty_fourths, denominator
