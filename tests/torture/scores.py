"""Mutated MusicXML files through every command that reads one: an error of one line, or a right answer.

Right: what is written as MIDI is so as for MIDI files (`torture.files`); what is given back as a score has the edit's
notes, and measures in which no note changed as they were; and nothing of a file that an entity or a container names
comes out. The limits of time and memory are those of MIDI files.
"""

import json
import random
from collections import Counter
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

from torture import edited_files, files, isolated, score_bytes, score_mutator
from torture.isolated import Case
from torture.outcome import Outcome
from torture.random_edits import faders_of, random_options

CASES = 3_000
KINDS = {"measure": 1, "apply to MIDI": 3, "apply to a score": 4, "musicxml": 1, "at rest": 1}
NEAR = 1 / 8  # quarters by which a score may round the time of notes that lie beside others that it cannot say
USUAL_NOTES = 6  # a quarter
PLAIN = (6, 8)  # parts of a quarter that a score says whatever stands beside them
COUNTED = ("offset", "per-minute")  # whose text a score may count anew
MAY_CHANGE = frozenset(  # a tempo may be stated in it, and a slur may lose its other end
    ("attributes", "divisions", "sound", "backup", "forward", "duration", "notations", "slur")
)
STATED = ("tempo", "dynamics")  # attributes that an edit states anew


def run(cases: int = CASES, seed: int = 0, first: int = 0) -> Outcome:
    """All cases, from number `first` on, each in a process that can be ended."""
    return isolated.outcome_of("scores", "torture.scores:case", cases, seed, first)


def case(seed: int, number: int) -> Case:
    """One score through one command."""
    rng = random.Random(f"scores/{seed}/{number}")
    data, done = score_mutator.mutated(rng)
    kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
    isolated.doing(f"{kind} of {'+'.join(done)}", length_of(data))
    return isolated.tried(kind, lambda: ACTIONS[kind](rng, data), lambda text: secrets(text.encode()))


def opened(data):
    from fadernets.music.opening import open_document

    return open_document(Path("it.xml"), data)


def length_of(data):
    """How many quarters a score lasts, or would with so many notes in other ones; 0 where it cannot be read."""
    from fadernets.errors import FadernetsError

    try:
        piece = opened(data).piece
    except FadernetsError:
        return 0.0
    return max(piece.end / piece.tpq, len(piece.notes) / USUAL_NOTES)


def secrets(data):
    """Whether an answer holds what a file of the machine says."""
    lines = Path(score_bytes.SECRET).read_bytes().split()
    return ["it holds the content of another file"] if lines and lines[0] in data else []


def measure(rng, data):
    import fadernets

    with isolated.measured():
        found = fadernets.measure(opened(data), model=files.engine(rng.choice(files.MODELS)))
    return secrets(json.dumps(found, allow_nan=False).encode())


def edited(rng, data, check):
    """An edit of a score, and lines on what `check(model, source, answer, faders)` finds of it."""
    from fadernets.editing import file_edit

    name = rng.choice(files.MODELS)
    options = random_options(rng, name == "rewriter")
    if length_of(data) > 2 * isolated.LONG:
        options["bars"] = [(1, 4)]
    faders, model = faders_of(options), files.engine(name)
    with isolated.measured():
        source = opened(data)
        (answer,) = file_edit.edit_document(model, source, faders)
    lines = check(model, source, answer, faders)
    return [f"{line}; {options}" for line in lines] + secrets(answer.data)


def to_midi(rng, data):
    return edited(rng, data, edited_files.check_edit)


def to_score(rng, data):
    def check(model, source, answer, faders):
        return given_back(source, answer.data)

    return edited(rng, data, check)


def at_rest(rng, data):
    """A score whose edit asks for nothing comes back byte for byte."""
    source = opened(data)
    with isolated.measured():
        back = returned(source, source.with_tracks({}))
    return [] if back == data else ["a score that nothing changed has other bytes"]


def returned(source, data):
    from fadernets.music.score_midi import ScoreDocument
    from fadernets.rendering.score_return import give_back

    return give_back(source, data).data if isinstance(source, ScoreDocument) else data


def given_back(source, data):
    """Lines on a score that an edit, the bytes of a MIDI file, is given back as."""
    from fadernets.music.document import Document
    from fadernets.music.score_midi import ScoreDocument
    from fadernets.rendering.divisions import MOST_DIVISIONS, common_divisions

    if not isinstance(source, ScoreDocument):
        return []
    with isolated.measured():
        back = returned(source, data)
    edit = Document(source.path, data)
    if not len(edit.piece.notes):
        return []  # a score without notes is none, as it says when it is read
    again = opened(back)
    if any(common_divisions(part) > MOST_DIVISIONS for part in source.read().score.parts):
        return secrets(read_text(back))  # durations that no common division counts are rounded
    lines = secrets(read_text(back)) + same_notes(edit.piece, again.piece, [source.read().lanes, again.read().lanes])
    return lines + other_measures(source, edit, again.read().file.root)


def read_text(data):
    """The text of a score that may be packed."""
    from fadernets.music.xml_files import read_xml

    return ElementTree.tostring(read_xml(data, "it").root, encoding="utf-8")


def same_notes(edit, again, lanes):
    """The notes of the edit and of the score that is read again: as many of each pitch, at the same times.

    lanes: of the source and of the score, whose notes lie in other tracks where a staff fell silent.
    """
    lines = []
    for number in {lane.part.number for each in lanes for lane in each}:
        old, new = (_times(piece, each, number) for piece, each in zip((edit, again), lanes, strict=True))
        own = [lane.part for lane in lanes[0] if lane.part.number == number]
        shift = max((each.transposition for part in own for each in part.measures), default=0)
        for pitch in {each for each in old.keys() | new.keys() if each > shift}:  # the others have no written pitch
            one, other = old.get(pitch, []), new.get(pitch, [])
            if any(b - a <= 2 * NEAR for a, b in pairwise(one)):
                continue  # rounded, they may be one note
            if len(one) != len(other):
                lines.append(f"part {number}, pitch {pitch}: {len(one)} notes of the edit are {len(other)}")
            elif any(abs(a - b) > NEAR + 1e-6 for a, b in zip(one, other, strict=True) if is_plain(a)):
                lines.append(f"part {number}, pitch {pitch}: a note begins at another time in the score")
    return lines[:1]


def is_plain(quarters):
    """Whether a time lies on a part of a quarter that every score can say."""
    return any(abs(quarters * parts - round(quarters * parts)) < 1e-3 for parts in PLAIN)


def _times(piece, lanes, number):
    """pitch -> onsets in quarters of the notes of a part that is not of drums."""
    chunks = {i + 1 for i, lane in enumerate(lanes) if lane.part.number == number and not lane.part.is_drum}
    found = {}
    for note in piece.notes:
        if piece.tracks[note["track"]].chunk in chunks:
            found.setdefault(int(note["pitch"]), []).append(int(note["onset"]) / piece.tpq)
    return {pitch: sorted(times) for pitch, times in found.items()}


def other_measures(source, edit, new):
    """Measures in which no note of their part went or came, and that are not what they were."""
    read = source.read()
    starts = [measure.start for measure in read.score.measures] + [2**40]
    before, after = (_rows(piece) for piece in (source.piece, edit.piece))
    touched = {(row[0], m) for row in [*(before - after), *(after - before)] for m in _measures_of(starts, row)}
    rounded = _rounded(starts, edit.piece)
    number = 0
    for part, other in zip(read.score.parts, new.findall("part"), strict=True):
        lanes = range(number, number + part.staves)
        number += part.staves
        pairs = zip(part.element.findall("measure"), other.findall("measure"), strict=True)
        for m, (a, b) in enumerate(pairs):
            mine = any((lane + 1, m) in touched for lane in lanes)
            if not mine and not (rounded[m] if m < len(rounded) else False) and _shape(a) != _shape(b):
                return [f"measure {m + 1} of part {part.number} changed and none of its notes did"]
    return []


def _rows(piece):
    """Counted (chunk, onset, end, pitch) of a piece's notes."""
    return Counter(
        (piece.tracks[n["track"]].chunk, int(n["onset"]), int(n["end"]), int(n["pitch"])) for n in piece.notes
    )


def _rounded(starts, piece):
    """Whether each measure holds a note whose time no notation says, so that it may be put beside a barline."""
    found = [False] * len(starts)
    for note in piece.notes:
        row = (0, int(note["onset"]), int(note["end"]))
        if not all(is_plain(tick / piece.tpq) for tick in row[1:]):
            for m in _measures_of(starts, row):
                found[max(m - 1, 0)] = found[m] = found[m + 1] = True
    return found


def _measures_of(starts, row):
    """The numbers of the measures in which a note sounds."""
    return [m for m in range(len(starts) - 1) if starts[m] < max(row[2], row[1] + 1) and row[1] < starts[m + 1]]


def _shape(measure):
    """A measure without what may be counted or stated anew."""
    return [
        (
            element.tag,
            {name: value for name, value in element.attrib.items() if name not in STATED},
            None if element.tag in COUNTED else (element.text or "").strip(),
        )
        for element in measure.iter()
        if element.tag not in MAY_CHANGE
    ]


def musicxml(rng, data):
    """A score of a score's MIDI file."""
    from fadernets.rendering import musicxml as writer

    with isolated.measured():
        score = writer.write_document(opened(data), rng.choice(("a", "\0<&>\ud800", "x" * 5000)))
    return files.backward(ElementTree.fromstring(score)) + secrets(score)


ACTIONS = {
    "measure": measure,
    "apply to MIDI": to_midi,
    "apply to a score": to_score,
    "musicxml": musicxml,
    "at rest": at_rest,
}
