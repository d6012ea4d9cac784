"""Scores of real files: bars full, two voices, beams that close; music21 reads bars and notes; how long it takes."""

import os
import random
import time
from pathlib import Path
from xml.etree import ElementTree as xml

import numpy as np
import pytest

from fadernets.music.document import Document
from fadernets.rendering import musicxml
from fadernets.rendering.score_parts import parts_of
from fadernets.rendering.score_values import FLAGS

pytestmark = [pytest.mark.shared, pytest.mark.slow]
PATTERNS = {
    "POP909": "pop909/POP909/*/*.mid",
    "Lieder": "openscore_lieder/midi/*.mid",
    "Nottingham": "nottingham/MIDI/*.mid",
    "VGMIDI": "vgmidi/labelled/phrases/*.mid",
    "TAVERN": "tavern_k265/**/*.mid",
    "MAESTRO": "maestro*/2014/*.midi",
}
SECONDS = 1.0  # of processor time for 32 bars


def some(corpus, count):
    """A few files of a corpus, always the same."""
    folder = os.environ.get("FADERNETS_DATA")
    found = sorted(Path(folder).glob(PATTERNS[corpus])) if folder else []
    if not found:
        pytest.skip("needs the corpora: set FADERNETS_DATA")
    return random.Random(1).sample(found, min(count, len(found)))


def excerpt(path, quarters):
    """The piece of a file without the notes that begin later, and its key signatures."""
    own = Document(path).piece
    own.notes = own.notes[own.notes["onset"] < quarters * own.tpq]
    return own


@pytest.mark.parametrize("corpus", PATTERNS)
def test_beams_are_closed_and_of_as_many_levels_as_the_value_has(corpus):
    for path in some(corpus, 2):
        for measure in xml.fromstring(musicxml.write(excerpt(path, 64))).iter("measure"):
            open_: dict[tuple[str, str], str] = {}
            for note in measure.iter("note"):
                beams = note.findall("beam")
                assert len(beams) in (0, FLAGS.get(note.findtext("type"), 0))
                for beam in beams:
                    key = (note.findtext("voice"), beam.get("number"))
                    assert (key in open_) == (beam.text in ("continue", "end"))
                    if beam.text == "begin":
                        open_[key] = "begin"
                    elif beam.text == "end":
                        del open_[key]
            assert not open_


@pytest.mark.parametrize("corpus", PATTERNS)
def test_music21_reads_the_bars_and_the_notes(corpus):
    import music21

    for path in some(corpus, 2):
        own = excerpt(path, 64)
        score = music21.converter.parseData(musicxml.write(own), format="musicxml")
        lengths = np.diff(musicxml.bar_lines(own)) / musicxml.DIVISIONS
        staves = sum(len(part.staves) for part in parts_of(own))
        assert len(score.parts) == staves
        for staff in score.parts:
            bars = list(staff.getElementsByClass(music21.stream.Measure))
            assert [float(bar.duration.quarterLength) for bar in bars] == lengths.tolist()
            assert all(len(bar.voices) <= 2 for bar in bars)
        struck = [p.midi for n in score.recurse().notes for p in _struck(n)]
        pitched = [i for i, track in enumerate(own.tracks) if not track.is_drum]
        wanted = own.notes["pitch"][np.isin(own.notes["track"], pitched)]
        assert set(struck) == set(wanted.tolist())
        assert len(struck) >= 0.9 * len(wanted)  # trills of a performance may fall on one place


def _struck(note):
    """The pitches of a note or chord, without those that are tied to one before."""
    notes = note.notes if note.isChord else [note]
    return [n.pitch for n in notes if hasattr(n, "pitch") and (n.tie is None or n.tie.type == "start")]


@pytest.mark.parametrize("corpus", PATTERNS)
def test_32_bars_are_written_in_time(corpus):
    for path in some(corpus, 1):
        own = excerpt(path, 128)
        start = time.process_time()
        musicxml.write(own)
        assert time.process_time() - start <= SECONDS
