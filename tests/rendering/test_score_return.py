"""Edited scores given back: changed measures are new, all else is as it was, and what is read again is the edit."""

import random
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as xml

import numpy as np
import pytest
from made_scores import CORPUS, SONG, attributes, backup, note, packed, score

from fadernets.errors import FadernetsError
from fadernets.music.document import Document, Edit
from fadernets.music.notes import NOTE
from fadernets.music.opening import open_document
from fadernets.music.xml_files import read_xml
from fadernets.rendering.score_files import as_named
from fadernets.rendering.score_return import give_back

REAL = [
    "bach/bwv66.6.mxl",
    "schumann_clara/polonaise_op1n3.mxl",
    "mozart/k156/movement1.mxl",
    "bach/bwv248.42-4.mxl",
    "monteverdi/madrigal.3.9.mxl",
    "schoenberg/opus19/movement2.mxl",
]


def opened(data):
    return open_document(Path("it.musicxml"), data)


def edited(document, change):
    """The document with other values in some fields of its notes: row -> fields; None removes it."""
    rows = sorted(change)
    gone = np.array([i for i in rows if change[i] is None], int)
    kept = [i for i in rows if change[i] is not None]
    becomes = document.piece.notes[kept].copy()
    for k, i in enumerate(kept):
        for name, value in change[i].items():
            becomes[name][k] = value
    return document.edited(Edit(gone, np.array(kept, int), becomes, np.empty(0, NOTE)))


def row(document, onset, pitch):
    """The row of the note at an onset in quarters."""
    notes = document.piece.notes
    return int(np.flatnonzero((notes["onset"] == onset * document.piece.tpq) & (notes["pitch"] == pitch))[0])


def sounding(document, tpq):
    """Onset and end in ticks of `tpq`, pitch, and chunk of every note."""
    tracks, own = document.piece.tracks, document.piece.tpq
    return Counter(
        (round(a * tpq / own), round(b * tpq / own), pitch, tracks[track].chunk)
        for a, b, pitch, _, track in document.piece.notes.tolist()
    )


def measures(data, part=0):
    return read_xml(data, "it").root.findall("part")[part].findall("measure")


def text(element):
    return " ".join(xml.tostring(element, encoding="unicode").split())


def test_nothing_changed_gives_the_same_bytes():
    for data in (SONG, packed(SONG)):
        document = opened(data)
        assert give_back(document, document.with_tracks({})).data == data
    document = opened(packed(SONG))
    assert give_back(document, document.with_tracks({}), packed=False).data.startswith(b"<?xml")
    assert give_back(opened(SONG), document.with_tracks({}), packed=True).data[:2] == b"PK"


def test_one_note_changes_one_measure():
    document = opened(SONG)
    back = give_back(document, edited(document, {row(document, 1, 69): {"pitch": 71}}))
    assert back.warnings == []
    for part in (0, 1):
        before, after = measures(SONG, part), measures(back.data, part)
        for number in range(3):
            changed = (part, number) == (0, 0)
            pitches = [each.text for each in after[number].iter("step")]
            if not changed:
                assert pitches == [each.text for each in before[number].iter("step")]
    first = measures(back.data)[0]
    assert [each.text for each in first.iter("step")] == ["F", "B", "C"]
    assert [each.text for each in first.iter("text")] == ["one", "two", "three"][
        :2
    ]  # the moved note keeps its syllable
    assert first.find("note/notations/articulations/staccato") is not None
    assert [each.text for each in first.iter("words")] == ["dolce"]
    assert [each.text for each in first.iter("accidental")] == ["natural"]
    root = read_xml(back.data, "it").root
    assert root.findtext("identification/creator") == "Somebody"
    assert root.findtext("work/work-title") == "A song"
    assert back.data.decode().splitlines()[1].startswith("<!DOCTYPE score-partwise PUBLIC")
    assert measures(back.data)[2].find("barline/bar-style").text == "light-heavy"
    assert measures(back.data)[2].find("note/grace") is not None


def test_the_other_parts_are_not_touched():
    document = opened(SONG)
    back = give_back(document, edited(document, {row(document, 1, 69): {"pitch": 71}}))
    assert [text(m) for m in measures(back.data, 1)] == [text(m) for m in measures(SONG, 1)]


def test_a_transposing_part_is_written_as_it_was():
    document = opened(SONG)
    back = give_back(document, edited(document, {row(document, 4, 64): {"pitch": 61}}))
    second = measures(back.data, 1)[1]
    found = [(p.findtext("step"), p.findtext("alter")) for p in second.iter("pitch")]
    assert found == [("E", None), ("E", "-1"), ("G", None)]
    assert [each.text for each in second.iter("accidental")] == ["flat"]


def test_a_note_that_goes_takes_its_syllable_and_its_slur():
    document = opened(SONG)
    tied = row(document, 4, 70)
    back = give_back(document, edited(document, {tied: None, row(document, 3, 67): None}))
    assert back.warnings == ["syllables whose notes are gone: 1"]
    root = read_xml(back.data, "it").root
    assert list(root.iter("slur")) == []
    assert sum(tie.get("type") == "start" for tie in root.iter("tie")) == 0
    assert [rest.get("measure") for rest in measures(back.data)[1].iter("rest")] == ["yes"]


def slur(kind):
    return f'<notations><slur type="{kind}" number="1"/></notations>'


def test_a_slur_that_lost_an_end_is_not_ended_by_that_of_another():
    """A note goes whose slur never ended; the slurs of its number behind it and beside it stay whole."""
    first = attributes() + note("C4", more=slur("start")) + note("D4") + note("E4", more=slur("start"))
    data = score(
        [first + note("F4", more=slur("stop")), note("G4", 8, more=slur("start")) + note("A4", 8, more=slur("stop"))]
    )
    document = opened(data)
    back = give_back(document, edited(document, {row(document, 0, 60): None}))
    ends = [each.get("type") for each in read_xml(back.data, "it").root.iter("slur")]
    assert ends == ["start", "stop", "start", "stop"]
    back = give_back(document, edited(document, {row(document, 2, 64): None}))  # both ends lie in the measure
    assert [each.get("type") for each in measures(back.data)[0].iter("slur")] == ["start"]


def test_divisions_that_change_inside_a_measure():
    """Notes before the change count in the old ones, in what is read and in what is given back."""
    twice = "<attributes><divisions>8</divisions></attributes>"
    data = score([attributes(4) + note("C4", 8) + twice + note("D4", 16), note("E4", 32)])
    document = opened(data)
    assert [each[0] / document.piece.tpq for each in document.piece.notes.tolist()] == [0, 2, 4]
    plain = data.replace(b"<attributes><divisions>4</divisions>", b"<attributes>", 1)  # and none before the first note
    for source in (document, opened(plain.replace(b"<duration>8<", b"<duration>2<", 1))):
        back = opened(give_back(source, edited(source, {row(source, 4, 64): {"pitch": 67}})).data)
        assert [each[0] / back.piece.tpq for each in back.piece.notes.tolist()] == [0, 2, 4]


def test_notes_next_to_a_barline_are_neither_lost_nor_doubled():
    """What no note of a score says exactly is put a step before the barline, whichever of both measures is new."""
    data = score(
        [
            attributes(12, (3, 4)) + note("C4", 12) + note("D4", 12) + note("E4", 11) + note("F4", 1),
            note("G4", 12) + note("A4", 12) + note("B4", 11) + note("C5", 1),
        ]
    )
    document = opened(data)
    for onset, pitch in ((0, 60), (3, 67), (4, 69)):
        back = opened(give_back(document, edited(document, {row(document, onset, pitch): {"pitch": 90}})).data)
        new = sorted(note[2] for note in back.piece.notes.tolist())
        assert new == sorted([*({60, 62, 64, 65, 67, 69, 71, 72} - {pitch}), 90])
        starts = {note[2]: note[0] / back.piece.tpq for note in back.piece.notes.tolist()}
        assert 2.7 < starts[65] < 3
        assert 5.7 < starts[72] < 6


def test_a_part_that_is_written_higher_than_midi_goes():
    shift = "<transpose><chromatic>-9</chromatic></transpose>"
    data = score([attributes(more=shift) + note("C9") + note("A9") + note("E9") + note("C9"), note("A9", 16)])
    document = opened(data)
    assert max(note[2] for note in document.piece.notes.tolist()) == 120
    back = opened(give_back(document, edited(document, {row(document, 0, 111): {"pitch": 110}})).data)
    assert sorted(note[2] for note in back.piece.notes.tolist()) == [110, 111, 115, 120, 120]


def test_a_part_that_falls_silent_has_rests():
    document = opened(SONG)
    gone = {i: None for i, each in enumerate(document.piece.notes.tolist()) if each[4] == 0}
    back = give_back(document, edited(document, gone))
    assert all(m.find("note/rest") is not None for m in measures(back.data))
    assert {each[3] for each in sounding(opened(back.data), 480)} == {2}
    silent = give_back(document, edited(document, dict.fromkeys(range(len(document.piece.notes)))))
    assert read_xml(silent.data, "it").root.find("part/measure/note/pitch") is None


def test_loudness_and_tempo_come_back():
    document = opened(SONG)
    louder = edited(document, {row(document, 0, 65): {"velocity": 111}})
    back = give_back(document, louder)
    again = opened(back.data)
    assert again.piece.notes["velocity"][row(again, 0, 65)] == 111
    assert [text(m) for m in measures(back.data)[1:]] == [text(m) for m in measures(SONG)[1:]]
    tempo = document.piece.tempo
    ticks = np.array([0, 3 * tempo.tpq, int(4.5 * tempo.tpq)])
    faster = type(tempo)(ticks, np.array([500_000, 400_000, 300_000]), tempo.tpq)
    moved = give_back(document, document.edited(Edit(*(np.empty(0, int),) * 2, *(np.empty(0, NOTE),) * 2, faster)))
    found = opened(moved.data).piece.tempo
    assert (found.ticks / found.tpq).tolist() == [0, 3, 4.5]
    assert found.micros.tolist() == pytest.approx([500_000, 400_000, 300_000], rel=1e-3)
    assert sounding(opened(moved.data), 480) == sounding(document, 480)


def test_a_metronome_mark_follows_the_tempo():
    mark = (
        "<direction><direction-type><metronome><beat-unit>half</beat-unit><per-minute>60</per-minute>"
        "</metronome></direction-type></direction>"
    )
    document = opened(score([attributes(1) + mark + note("C4", 4)]))
    tempo = document.piece.tempo
    slower = type(tempo)(tempo.ticks, np.array([1_000_000]), tempo.tpq)
    back = give_back(document, document.edited(Edit(*(np.empty(0, int),) * 2, *(np.empty(0, NOTE),) * 2, slower)))
    assert measures(back.data)[0].find("direction/direction-type/metronome/per-minute").text == "30"


def test_what_stands_inside_a_measure_keeps_its_place():
    words = "<direction><direction-type><words>here</words></direction-type></direction>"
    clef = "<attributes><clef number='1'><sign>F</sign><line>4</line></clef></attributes>"
    bar = (
        attributes(2, (4, 4), 0, "<staves>2</staves>")
        + note("C5", 4, staff=1)
        + words
        + note("D5", 4, staff=1)
        + backup(8)
        + note("C3", 2, staff=2, voice=5)
        + clef
        + note("D3", 6, staff=2, voice=5)
    )
    document = opened(score([bar, note("E5", 8, staff=1)]))
    back = give_back(document, edited(document, {row(document, 2, 74): {"pitch": 76}}))
    at, found = 0, {}
    for child in measures(back.data)[0]:
        duration = int(child.findtext("duration") or 0)
        if child.tag == "direction" or (child.tag == "attributes" and child.find("clef") is not None):
            found[child.tag] = at / 48
        at += 0 if child.find("chord") is not None else -duration if child.tag == "backup" else duration
    assert found == {"direction": 2, "attributes": 1}
    assert at == 4 * 48
    assert sounding(opened(back.data), 480) == sounding(
        Document(Path("x"), edited(document, {row(document, 2, 74): {"pitch": 76}})), 480
    )


def test_drums_name_the_instruments_of_their_part():
    listed = {
        1: '<score-instrument id="P1-A"><instrument-name>Kick</instrument-name></score-instrument>'
        '<midi-instrument id="P1-A"><midi-channel>10</midi-channel>'
        "<midi-unpitched>37</midi-unpitched></midi-instrument>"
    }
    bar = attributes(1) + note("x", 2, more='<instrument id="P1-A"/>') + note("x", 2)
    document = opened(score([bar], [attributes(1) + note("C4", 4)], listed=listed))
    back = give_back(document, edited(document, {row(document, 2, 38): {"pitch": 36}}))
    assert [each.get("id") for each in measures(back.data)[0].iter("instrument")] == ["P1-A", "P1-A"]
    assert sorted(opened(back.data).piece.notes["pitch"].tolist()) == [36, 36, 60]
    other = give_back(document, edited(document, {row(document, 2, 38): {"pitch": 42}}))
    assert [each.get("id") for each in measures(other.data)[0].iter("instrument")] == ["P1-A"]  # 42 has none


@pytest.mark.parametrize("name", REAL)
def test_real_scores_come_back_with_the_edit_in_them(name):
    path = CORPUS / name
    document, rng = open_document(path), random.Random(name)
    assert give_back(document, document.with_tracks({})).data == path.read_bytes()
    notes = document.piece.notes
    change = dict.fromkeys(rng.sample(range(len(notes)), 2))
    for i in rng.sample(sorted(set(range(len(notes))) - change.keys()), 4):
        meets = (notes["track"] == notes["track"][i]) & (notes["onset"] < notes["end"][i])
        taken = set(notes["pitch"][meets & (notes["end"] > notes["onset"][i])].tolist())
        change[i] = {"pitch": next(p for p in range(int(notes["pitch"][i]) + 3, 128) if p not in taken)}
    data = edited(document, change)
    back = give_back(document, data)
    again, tpq = open_document(path, back.data), document.piece.tpq
    assert sounding(again, tpq) == sounding(Document(path, data), tpq)
    lengths = [[m.length / own.tpq for m in own.measures] for own in (document.read().score, again.read().score)]
    assert lengths[0] == lengths[1]
    before, after = (read_xml(each, "it").root for each in (path.read_bytes(), back.data))
    assert [part.get("id") for part in before.iter("score-part")] == [
        part.get("id") for part in after.iter("score-part")
    ]
    assert len(list(after.iter("words"))) == len(list(before.iter("words")))
    assert sum(s.get("type") == "start" for s in after.iter("slur")) == sum(
        s.get("type") == "stop" for s in after.iter("slur")
    )


def test_music21_reads_what_is_given_back():
    import music21

    path = CORPUS / "schumann_clara/polonaise_op1n3.mxl"
    document = open_document(path)
    data = edited(document, {i: {"pitch": int(document.piece.notes["pitch"][i]) + 2} for i in (40, 41, 90)})
    read = music21.converter.parseData(give_back(document, data, packed=False).data, format="musicxml")
    source = music21.converter.parse(path)
    assert [len(p.getElementsByClass("Measure")) for p in read.parts] == [
        len(p.getElementsByClass("Measure")) for p in source.parts
    ]
    assert read.metadata.composer == source.metadata.composer


def test_names_say_what_a_file_is(tmp_path):
    document = opened(SONG)
    data = document.with_tracks({})
    assert as_named(document, data, tmp_path / "a.mid") == (data, [])
    assert as_named(document, data, tmp_path / "a.MusicXML") == (SONG, [])
    assert as_named(document, data, tmp_path / "a.mxl")[0][:2] == b"PK"
    with pytest.raises(FadernetsError, match=r"a\.PDF: an edit is written as MIDI \(\.mid\) or as a score"):
        as_named(document, data, tmp_path / "a.PDF")
    plain = Document(Path("it.mid"), data)
    for name in ("b.xml", "b.mxl"):
        made, warnings = as_named(plain, data, tmp_path / name)
        assert sounding(opened(made), 480) == sounding(plain, 480)
        assert warnings == []


TEXTS = ["", "x", "-1", "0", "1", "7", "1e9", "nan", "inf", "99999999999999999999", "2.5", "C", "10080", "128"]
TAGS = ["note", "backup", "chord", "grace", "rest", "attributes", "measure", "divisions", "tie", "staff"]


@pytest.mark.parametrize("seed", range(12))
def test_broken_scores_end_in_a_file_or_are_refused(seed):
    """Whatever elements are lost, doubled, renamed or hold something else."""
    rng = random.Random(seed)
    root = read_xml((CORPUS / "schumann_clara/polonaise_op1n3.mxl").read_bytes(), "it").root
    for part in root.findall("part"):
        for measure in part.findall("measure")[8:]:
            part.remove(measure)
    for _ in range(8):
        broken = xml.fromstring(xml.tostring(root))
        pairs = [(parent, child) for parent in broken.iter() for child in parent]
        for _ in range(rng.choice([1, 3, 10, 30])):
            parent, child = rng.choice(pairs)
            kind = rng.random()
            if kind < 0.3 and child in list(parent):
                parent.remove(child)
            elif kind < 0.7:
                child.text = rng.choice(TEXTS)
            elif kind < 0.8:
                parent.insert(0, child)
            else:
                child.tag = rng.choice(TAGS)
        try:
            document = opened(xml.tostring(broken))
        except FadernetsError:
            continue
        assert not document.paired.unreleased
        pitches = document.piece.notes["pitch"]
        change = {
            i: {"pitch": max(int(pitches[i]) - 1, 0)} for i in rng.sample(range(len(pitches)), min(4, len(pitches)))
        }
        opened(give_back(document, edited(document, change)).data)
