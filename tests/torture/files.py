"""Mutated MIDI files through every command that reads one: an error of one line, or a right answer.

Right: mido and symusic read what was written, all outside the edit is as it was, no time is negative, every onset is
released, and the report is what a new measurement says; in 5 seconds of the processor and 500 MB at the most, where a
piece has up to 500 bars, and in proportion where it has more.
"""

import json
import random
import tempfile
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from torture import edited_files, isolated, mutator
from torture.isolated import Case
from torture.outcome import Outcome
from torture.random_edits import faders_of, random_options

CASES = 10_000
MODELS = ("pop-lieder", "rewriter")
KINDS = {
    "measure": 2,
    "apply pop-lieder": 5,
    "apply rewriter": 3,
    "melody": 2,
    "mix": 1.5,
    "musicxml": 1,
    "render": 0.5,
}
MOST_RENDERED = 120.0  # seconds of a piece


def run(cases: int = CASES, seed: int = 0, first: int = 0) -> Outcome:
    """All cases, from number `first` on, each in a process that can be ended."""
    return isolated.outcome_of("files", "torture.files:case", cases, seed, first)


def case(seed: int, number: int) -> Case:
    """One file through one command."""
    rng = random.Random(f"{seed}/{number}")
    data, done = mutator.mutated(rng)
    kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
    isolated.doing(f"{kind} of {'+'.join(done)}", length_of(data))
    return isolated.tried(kind, lambda: ACTIONS[kind](rng, data))


def length_of(data):
    """How many quarters a file lasts; 0 where it cannot be read."""
    from fadernets.errors import FadernetsError
    from fadernets.music.document import Document

    try:
        piece = Document.of_bytes(data).piece
    except FadernetsError:
        return 0.0
    return piece.end / piece.tpq


@cache
def engine(name):
    from fadernets.decoding.edit_models import open_edit_model
    from fadernets.engines.grid import Engine

    found = open_edit_model(name)
    return found.load() if isinstance(found, Engine) else found


def measure(rng, data):
    import fadernets

    model = engine(rng.choice(MODELS))
    with isolated.measured():
        found = fadernets.measure(data, model=model)
    json.dumps(found, allow_nan=False)
    return []


def apply(name):
    def act(rng, data):
        from fadernets.editing import file_edit
        from fadernets.music.document import Document

        options = random_options(rng, name == "rewriter")
        if length_of(data) > 2 * isolated.LONG:  # an edit of all of it is as long as it is
            options["bars"] = [(1, 4)]
        faders, model = faders_of(options), engine(name)
        with isolated.measured():
            source = Document.of_bytes(data)
            (answer,) = file_edit.edit_document(model, source, faders)
        json.dumps(answer.report.as_dict(), allow_nan=False)
        lines = edited_files.check_edit(model, source, answer, faders)
        return [f"{line}; {options}" for line in lines]

    return act


def melody(rng, data):
    import fadernets
    from fadernets.music.document import Document

    source = Document.of_bytes(data)
    knobs = {
        "pitch": rng.choice((0.0, 2.0, -5.0, 30.0)),
        "rhythm": rng.choice((0.0, 1.0, -1.0)),
        "rest": rng.choice((0.0, 1.0)),
        "regrid": rng.random() < 0.8,
        "seed": rng.randrange(99),
    }
    with isolated.measured():
        turned = fadernets.turn(data, **knobs)
    json.dumps(turned.report.as_dict(), allow_nan=False)
    after = Document.of_bytes(turned.data)
    piece = source.piece
    hands = {(track.chunk, track.channel) for track in piece.tracks if not track.is_drum}
    changed = rows_apart(source, after)
    lines = edited_files.readers(data, turned.data) + edited_files.released(source, after)
    gave_way = any("gave way" in warning for warning in turned.report.warnings)
    if len({row[4:] for row in changed}) > 1 and not gave_way:
        lines.append("notes of more than one track changed")
    return lines + edited_files.surroundings(source, after, hands, {chunk for chunk, _ in hands}, False)


def rows_apart(source, after):
    old, new = edited_files.rows_of(source), edited_files.rows_of(after)
    return [*(old - new), *(new - old)]


def mix(rng, data):
    import fadernets
    from fadernets.music.document import Document

    if length_of(data) > 2 * isolated.LONG:  # as long as the longer of the two, segment by segment
        return measure(rng, data)
    other = mutator.written(mutator.small_piece(rng))
    a, b = (data, other) if rng.random() < 0.5 else (other, data)
    stretch, faithfulness, number = rng.random() < 0.5, rng.choice((1.0, 0.0)), rng.randrange(99)
    with isolated.measured():
        mixed = fadernets.mix(a, b, stretch=stretch, faithfulness=faithfulness, seed=number)
    json.dumps(mixed.report.as_dict(), allow_nan=False)
    after = Document.of_bytes(mixed.data)
    return edited_files.readers(b, mixed.data) + edited_files.released(Document.of_bytes(b), after)


def musicxml(rng, data):
    from fadernets.music.document import Document
    from fadernets.rendering import musicxml

    title = rng.choice(("a", "\0<&>\ud800", "x" * 5000))
    with isolated.measured():
        score = musicxml.write(Document.of_bytes(data).piece, title)
    return backward(ElementTree.fromstring(score))


def backward(root):
    """Where a score's time runs backward, or a note lasts no time."""
    lines = []
    for bar in (bar for part in root.iter("part") for bar in part.iter("measure")):
        at = 0
        for element in bar:
            duration = element.find("duration")
            if duration is None or element.find("chord") is not None:
                continue
            at += int(duration.text) * (-1 if element.tag == "backup" else 1)
            if at < 0 or int(duration.text) <= 0:
                lines.append(f"bar {bar.get('number')}: time runs backward")
    return lines[:1]


def render(rng, data):
    from fadernets.music.document import Document
    from fadernets.rendering import audio, loudness

    seconds = Document.of_bytes(data).piece.seconds()
    if seconds > MOST_RENDERED:
        return []
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.mid", Path(folder) / "out.wav"
        source.write_bytes(data)
        with isolated.measured():
            audio.render(source, target)
        level = loudness.level(target)
        if [path.name for path in Path(folder).iterdir() if path not in (source, target)]:
            return ["it left a file behind"]
    return [] if level.seconds >= 0 and level.peak <= 0 else [f"its sound is {level}"]


ACTIONS = {
    "measure": measure,
    **{f"apply {name}": apply(name) for name in MODELS},
    "melody": melody,
    "mix": mix,
    "musicxml": musicxml,
    "render": render,
}
