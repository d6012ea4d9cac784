"""MusicXML files that break the grammar of MusicXML, or keep it and are absurd: a small score, then some mutations.

`mutated(rng)` draws one. A score is a tree while `TREES` change it, its bytes while those of `score_bytes` do. `rng` is
a random.Random.
"""

import random
from xml.etree.ElementTree import Element, SubElement

from torture import score_bytes

NUMBERS = ("0", "-1", "1.5", "1e400", "nan", "-inf", "9" * 5000, "1/3", "", " 4 ", "٣", "0x10", "255", "65536", "1e-9")
WORDS = ("", "\u202eabc", "Flöte 猫 🎹", "=1+1", "../../etc/passwd", "x" * 70_000, "a\nb\rc", "<&>\"'")
MOST_ELEMENTS = 200_000  # that a mutation makes by copying


def child(parent, tag, text=None, **attributes):
    """A new last child."""
    element = SubElement(parent, tag, {name.replace("_", "-"): str(value) for name, value in attributes.items()})
    if text is not None:
        element.text = str(text)
    return element


def note(pitch, duration, *, staff=1, voice=1, chord=False):
    """A note of a MIDI pitch, or a rest where it is None."""
    element = Element("note")
    if chord:
        child(element, "chord")
    if pitch is None:
        child(element, "rest")
    else:
        place, (step, alter) = child(element, "pitch"), [*zip("CCDDEFFGGAAB", (0, 1) * 6, strict=True)][pitch % 12]
        child(place, "step", step)
        alter = int(pitch % 12 in (1, 3, 6, 8, 10))
        if alter:
            child(place, "alter", alter)
        child(place, "octave", pitch // 12 - 1)
    child(element, "duration", duration)
    child(element, "voice", voice)
    child(element, "staff", staff)
    return element


def small_score(rng):
    """One to three parts of one or two staves, four to eight measures."""
    root = Element("score-partwise", version="4.0")
    child(child(root, "work"), "work-title", "A song")
    child(child(root, "identification"), "creator", "Somebody", type="composer")
    listed = child(root, "part-list")
    count, divisions = rng.randint(4, 8), rng.choice((1, 2, 4, 12, 480))
    beats, kind = rng.choice(((4, 4), (4, 4), (3, 4), (6, 8), (2, 2)))
    for number in range(1, rng.randint(1, 3) + 1):
        about = child(listed, "score-part", id=f"P{number}")
        child(about, "part-name", rng.choice(("Piano", "Voice", "Flute")))
        if rng.random() < 0.3:
            child(child(about, "midi-instrument", id=f"P{number}-I1"), "midi-program", rng.randint(1, 128))
        part, staves, tonic = child(root, "part", id=f"P{number}"), rng.randint(1, 2), rng.randint(55, 70)
        for bar in range(1, count + 1):
            measure = child(part, "measure", number=bar)
            if bar == 1:
                _attributes(rng, measure, divisions, beats, kind, staves)
            length = divisions * 4 * beats // kind
            for staff in range(1, staves + 1):
                if staff > 1:
                    child(child(measure, "backup"), "duration", length)
                _fill(rng, measure, length, tonic - 17 * (staff - 1), staff)
    return root


def _attributes(rng, measure, divisions, beats, kind, staves):
    about = child(measure, "attributes")
    child(about, "divisions", divisions)
    child(child(about, "key"), "fifths", rng.randint(-4, 4))
    time = child(about, "time")
    child(time, "beats", beats)
    child(time, "beat-type", kind)
    child(about, "staves", staves)
    if rng.random() < 0.2:
        child(child(about, "transpose"), "chromatic", rng.choice((-2, -9, 12)))
    if rng.random() < 0.6:
        direction = child(measure, "direction")
        metronome = child(child(direction, "direction-type"), "metronome")
        child(metronome, "beat-unit", "quarter")
        child(metronome, "per-minute", rng.randint(50, 150))
        child(child(direction, "direction-type"), "words", "dolce")
        child(direction, "sound", tempo=rng.randint(50, 150), dynamics=80)


def _fill(rng, measure, length, tonic, staff):
    at = 0
    while at < length:
        last = min(max(length // rng.choice((1, 2, 3, 4, 8)), 1), length - at)
        pitch = None if rng.random() < 0.15 else tonic + rng.choice((0, 2, 4, 5, 7, 9, 11, 12))
        element = note(pitch, last, staff=staff, voice=staff)
        measure.append(element)
        if pitch is not None and rng.random() < 0.2:
            measure.append(note(pitch - rng.choice((3, 4, 8)), last, staff=staff, voice=staff, chord=True))
        if pitch is not None and rng.random() < 0.2:
            child(child(element, "lyric"), "text", rng.choice(("la", "ah")))
        if pitch is not None and rng.random() < 0.1:
            child(child(element, "notations"), "slur", type=rng.choice(("start", "stop")), number=1)
        at += last


def some(rng, root, *tags):
    """Some element of these names, of any where none is given; the root where there is none."""
    found = [element for element in root.iter() if not tags or element.tag in tags]
    return rng.choice(found) if found else root


def wild_number(rng, root):
    some(
        rng,
        root,
        "duration",
        "divisions",
        "octave",
        "alter",
        "fifths",
        "beats",
        "beat-type",
        "staff",
        "staves",
        "chromatic",
    ).text = rng.choice(NUMBERS)


def wild_attribute(rng, root):
    element = some(rng, root)
    element.set(rng.choice(("id", "number", "tempo", "dynamics", "type", "xml:lang")), rng.choice((*NUMBERS, *WORDS)))


def wild_text(rng, root):
    some(rng, root).text = rng.choice(WORDS)


def without_an_element(rng, root):
    parent = some(rng, root)
    if len(parent):
        parent.remove(rng.choice(list(parent)))


def an_element_twice(rng, root):
    parent, element = some(rng, root), some(rng, root, "note", "measure", "attributes", "direction", "pitch", "part")
    parent.insert(rng.randint(0, len(parent)), _copy(element))


def moved(rng, root):
    parent = some(rng, root, "measure", "part", "note")
    children = list(parent)
    rng.shuffle(children)
    parent[:] = children


def renamed(rng, root):
    some(rng, root).tag = rng.choice(
        ("note", "measure", "part", "backup", "forward", "grace", "rest", "{urn:x}note", "x")
    )


def divisions_change(rng, root):
    """Divisions that change within a measure, and that have no common multiple."""
    for prime in rng.sample((7, 11, 13, 17, 9973, 32749), rng.randint(1, 5)):
        measure = some(rng, root, "measure")
        about = Element("attributes")
        child(about, "divisions", prime)
        measure.insert(rng.randint(0, len(measure)), about)


def metres(rng, root):
    for measure in list(root.iter("measure"))[:: rng.randint(1, 3)]:
        time = child(Element("attributes"), "time")
        child(time, "beats", rng.choice(("5", "3+2", "0", "255", "1", "-3", "7/8")))
        child(time, "beat-type", rng.choice(("4", "8", "3", "0", "64", "128")))
        about = Element("attributes")
        about.append(time)
        measure.insert(0, about)


def backward(rng, root):
    """A step back before the measure begins, or far on behind it."""
    measure = some(rng, root, "measure")
    step = Element(rng.choice(("backup", "forward")))
    child(step, "duration", rng.choice((*NUMBERS, "1000000000", "37")))
    measure.insert(rng.randint(0, len(measure)), step)


def ties(rng, root):
    for element in list(root.iter("note"))[:: rng.randint(1, 4)]:
        for kind in rng.sample(("start", "stop", "continue", "let-ring", "x"), rng.randint(1, 2)):
            child(element, "tie", type=kind)
            child(child(element, "notations"), "tied", type=kind)


def tuplets(rng, root):
    for element in list(root.iter("note"))[:: rng.randint(1, 4)]:
        change = child(element, "time-modification")
        child(change, "actual-notes", rng.choice(("3", "0", "-1", "7", "1e9")))
        child(change, "normal-notes", rng.choice(("2", "0", "x")))


def graces(rng, root):
    for element in list(root.iter("note"))[:: rng.randint(1, 4)]:
        element.insert(0, Element(rng.choice(("grace", "cue", "chord", "rest", "unpitched"))))


def dense(rng, root):
    """A measure of hundreds of notes, or a chord of all keys."""
    measure, length = some(rng, root, "measure"), rng.choice((1, 3, 0))
    for i in range(rng.choice((128, 600))):
        measure.append(note(i % 128, length, voice=1 + i % 40, staff=1 + i % 2, chord=rng.random() < 0.5))


def many_measures(rng, root):
    parts, size = root.findall("part"), sum(1 for _ in root.iter())
    for part in parts:
        measures = part.findall("measure")
        for _ in range(min(rng.choice((60, 60, 400)) // max(len(measures), 1), MOST_ELEMENTS // size)):
            part.extend([_copy(measure) for measure in measures])


def many_parts(rng, root):
    part = some(rng, root, "part")
    size = sum(1 for _ in part.iter())
    for number in range(min(rng.choice((3, 30, 501)), MOST_ELEMENTS // size)):
        root.append(_copy(part))
        root[-1].set("id", rng.choice(("P1", f"P{number}", "")))


def many_staves(rng, root):
    for element in list(root.iter("staff"))[::2]:
        element.text = str(rng.choice((1, 2, 3, 16, 17, 99)))


def unequal_parts(rng, root):
    part = some(rng, root, "part")
    for measure in part.findall("measure")[rng.randint(0, 4) :]:
        part.remove(measure)


def empty_measures(rng, root):
    for measure in list(root.iter("measure"))[rng.randint(0, 2) :: rng.randint(1, 3)]:
        for element in list(measure):
            if element.tag != "attributes":
                measure.remove(element)


def repeats(rng, root):
    for measure in list(root.iter("measure"))[:: rng.randint(1, 3)]:
        line = child(measure, "barline", location=rng.choice(("left", "right", "middle")))
        child(line, "repeat", direction=rng.choice(("forward", "backward")), times=rng.choice(("2", "1000000")))
        child(line, "ending", number="1", type="start")


def sounds(rng, root):
    for measure in list(root.iter("measure"))[:: rng.randint(1, 3)]:
        element = Element("sound", tempo=rng.choice(("1e-300", "0", "1999", "4", "60", *NUMBERS)))
        element.set("dynamics", rng.choice(("0", "1e300", "100", "-5")))
        child(element, "offset", rng.choice(("-1", "1000000", "nan", "1")))
        measure.insert(rng.randint(0, len(measure)), element)


def instruments(rng, root):
    for about in root.iter("score-part"):
        device = child(about, "midi-instrument", id=about.get("id", "") + "-I1")
        child(device, "midi-program", rng.choice(NUMBERS))
        child(device, "midi-channel", rng.choice(("10", "0", "17", "1")))
        child(device, "midi-unpitched", rng.choice(("36", "0", "129")))


def far_pitches(rng, root):
    for place in list(root.iter("pitch"))[:: rng.randint(1, 4)]:
        for element in place.iter("octave"):
            element.text = str(rng.choice((-2, 0, 9, 10, 11)))
        if rng.random() < 0.3:
            child(place, "alter", rng.choice(("2", "-2", "0.5", "99")))


def by_time(_, root):
    """Measures of parts in place of parts of measures."""
    parts = root.findall("part")
    if not parts or root.tag != "score-partwise":
        return
    root.tag = "score-timewise"
    for part in parts:
        root.remove(part)
    for number in range(max(len(part) for part in parts)):
        measure = child(root, "measure", number=number + 1)
        for part in parts:
            if number < len(part):
                inner = child(measure, "part", id=part.get("id", ""))
                inner.extend(list(part[number]))


def nested(rng, root):
    """An element in itself, some or many times."""
    element = _copy(some(rng, root, "note", "measure", "direction"))
    for _ in range(rng.choice((5, 50, 70, 5000))):
        outer = Element(element.tag)
        outer.append(element)
        element = outer
    some(rng, root, "measure", "part").append(element)


TREES = (
    *(wild_number,) * 4, *(wild_attribute,) * 2, wild_text, *(without_an_element,) * 2, *(an_element_twice,) * 2, moved,
    renamed, divisions_change, metres, backward, ties, tuplets, graces, dense, many_measures, many_parts, many_staves,
    unequal_parts, empty_measures, repeats, sounds, instruments, far_pitches, by_time, nested,
)  # fmt: skip


def _copy(element):
    """The same element in a tree of its own."""
    copy = Element(element.tag, dict(element.attrib))
    copy.text, copy.tail = element.text, element.tail
    stack = [(element, copy)]
    while stack:
        old, new = stack.pop()
        for inner in old:
            made = SubElement(new, inner.tag, dict(inner.attrib))
            made.text, made.tail = inner.text, inner.tail
            stack.append((inner, made))
    return copy


def written(root):
    """The bytes of a tree, without a recursion that a deep one would end."""
    parts, stack = [], [(root, False)]
    while stack:
        element, is_end = stack.pop()
        if is_end:
            parts.append(f"</{element.tag}>{_escaped(element.tail)}")
            continue
        inner = "".join(f' {name}="{_escaped(value)}"' for name, value in element.attrib.items())
        parts.append(f"<{element.tag}{inner}>{_escaped(element.text)}")
        stack.append((element, True))
        stack.extend((each, False) for each in reversed(element))
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + "".join(parts).encode(errors="replace")


def _escaped(text):
    for plain, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = (text or "").replace(plain, safe)
    return text


def mutated(rng: random.Random) -> tuple[bytes, list[str]]:
    """A file, and the names of what was done to it."""
    root = small_score(rng)
    done = []
    for mutation in rng.choices(TREES, k=rng.choice((0, 1, 1, 2, 3))):
        mutation(rng, root)
        done.append(mutation.__name__)
    data = written(root)
    if rng.random() < 0.25 or not done:
        mutation = rng.choice(score_bytes.TEXTS)
        data = mutation(rng, data)
        done.append(mutation.__name__)
    if rng.random() < 0.25:
        mutation = rng.choice(score_bytes.PACKINGS)
        data = mutation(rng, data)
        done.append(mutation.__name__)
    return data, done
