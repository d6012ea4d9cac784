"""What a MusicXML part counts its durations in: one number of divisions a quarter for all of its measures."""

from __future__ import annotations

import math
from xml.etree import ElementTree as xml

from fadernets.music.part_reading import PLACED, decimal
from fadernets.music.written_score import WrittenPart
from fadernets.rendering.score_time import DIVISIONS

LONGEST_MOVE = 2**40  # divisions
MOST_DIVISIONS = 2**20  # of a quarter, in a part with new measures


def common_divisions(part: WrittenPart) -> int:
    """Parts of a quarter that say what the writer writes and all that the part has, also inside its measures."""
    stated = [decimal(each.text) for measure in part.measures for each in measure.element.iter("divisions")]
    known = [round(each) for each in [*(measure.divisions for measure in part.measures), *stated]]
    return math.lcm(DIVISIONS, *(max(each, 1) for each in known))


def rescale(part: WrittenPart) -> int:
    """Count a part in divisions that the writer's divide: those of a quarter."""
    divisions = common_divisions(part)
    if divisions > MOST_DIVISIONS:
        divisions = DIVISIONS
    now = 1.0
    for measure in part.measures:
        for child in measure.element:
            stated = child.find("divisions") if child.tag == "attributes" else None
            if stated is not None:
                own = decimal(stated.text)
                now = own if own > 0 else now
                stated.text = str(divisions)
                continue
            for element in child.iter():
                if element.tag in ("duration", "offset") and element.text:
                    length = decimal(element.text) * divisions / now
                    element.text = str(round(min(max(length, -LONGEST_MOVE), LONGEST_MOVE)))
    first = part.measures[0].element if part.measures else xml.Element("measure")
    attributes = next((child for child in first if child.tag in ("attributes", *PLACED)), None)
    if attributes is None or attributes.tag != "attributes" or attributes.find("divisions") is None:
        if attributes is None or attributes.tag != "attributes":
            attributes = xml.Element("attributes")
            first.insert(0, attributes)
        stated = xml.Element("divisions")
        stated.text = str(divisions)
        attributes.insert(0, stated)
    return divisions
