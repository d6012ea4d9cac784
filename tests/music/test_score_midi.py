"""MusicXML in: what sounds, where the bars are, what is left out; made scores, and music21's as an oracle."""

from collections import Counter
from pathlib import Path

import pytest
from made_scores import CORPUS, SONG, attributes, backup, note, packed, score

from fadernets.errors import FadernetsError
from fadernets.music.document import Document
from fadernets.music.opening import open_document
from fadernets.music.score_midi import ScoreDocument
from fadernets.music.smf import KEY, NAME, meta_events

REAL = [
    "bach/bwv66.6.mxl",  # an upbeat
    "schumann_clara/polonaise_op1n3.mxl",  # two staves, voices, grace notes, tuplets
    "mozart/k156/movement1.mxl",
    "haydn/opus74no1/movement4.mxl",
    "bach/bwv248.42-4.mxl",  # transposing instruments
    "monteverdi/madrigal.3.9.mxl",
]


def opened(data, name="it.musicxml"):
    return open_document(Path(name), data)


def rows(document, quarter=None):
    """Onset, end, pitch and track, in quarters."""
    tpq = quarter or document.piece.tpq
    return [(n[0] / tpq, n[1] / tpq, n[2], n[4]) for n in document.piece.notes.tolist()]


def refused(data):
    with pytest.raises(FadernetsError) as error:
        opened(data)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_song():
    document = opened(SONG)
    piece = document.piece
    assert [row for row in rows(document) if row[3] == 0] == [
        (0, 1, 65, 0),
        (1, 2, 69, 0),
        (2, 3, 72, 0),
        (3, 4, 67, 0),
        (4, 7, 70, 0),
        (7, 9, 72, 0),
    ]
    assert [row[2] for row in rows(document) if row[3] == 1] == [53, 62, 64, 65, 60, 62]  # a tone lower than written
    assert [(t.name, t.chunk, t.channel, t.program) for t in piece.tracks] == [
        ("Part 1", 1, 0, 73),
        ("Part 2", 2, 1, 0),
    ]
    assert (piece.metre.numerators.tolist(), piece.metre.denominators.tolist()) == ([3], [4])
    assert piece.tempo.micros.tolist() == [round(6e7 / 90)]
    events = document.paired.events[0]
    assert [content for _, content in meta_events(events, KEY)] == [bytes((0xFF, 0))]
    assert [content for _, content in meta_events(events, NAME)] == [b"A song"]
    assert piece.warnings == ["grace notes: 1, left out"]
    assert not document.paired.unreleased


def test_files_are_known_by_their_bytes(tmp_path):
    plain, small = tmp_path / "a.mid", tmp_path / "b.bin"
    plain.write_bytes(SONG)
    small.write_bytes(packed(SONG))
    assert rows(open_document(plain)) == rows(open_document(small)) == rows(opened(SONG))
    midi = tmp_path / "c.musicxml"
    midi.write_bytes(opened(SONG).with_tracks({}))
    assert type(open_document(midi)) is Document
    assert isinstance(open_document(plain), ScoreDocument)
    for name, message in (("no.musicxml", "cannot be read"), (".", "is a folder")):
        with pytest.raises(FadernetsError, match=message):
            open_document(tmp_path / name)


def test_chords_voices_and_staves():
    piano = [
        attributes(2, (2, 4), 0, "<staves>2</staves>")
        + note("C5", 2, staff=1)
        + note("E5", 2, staff=1, chord=True)
        + note("G5", 2, staff=1)
        + backup(4)
        + note("C5", 4, staff=1, voice=2)
        + backup(4)
        + note("C3", 4, staff=2, voice=5)
    ]
    document = opened(score(piano, listed={1: "<part-name-display/>"}))
    assert [t.name for t in document.piece.tracks] == ["Part 1, right hand", "Part 1, left hand"]
    assert rows(document) == [(0, 2, 48, 1), (0, 2, 72, 0), (0, 1, 76, 0), (1, 2, 79, 0)]  # one key, one note


def test_one_key_is_struck_again_where_voices_meet():
    bar = attributes(1) + note("C5", 4) + backup(4) + note(None, 2, voice=2) + note("C5", 2, voice=2)
    assert rows(opened(score([bar]))) == [(0, 2, 72, 0), (2, 4, 72, 0)]


def test_ties_over_barlines_and_in_chords():
    first = attributes(1) + note("C4", 2) + note("E4", 2, ties=["start"]) + note("G4", 2, chord=True, ties=["start"])
    second = note("E4", 4, ties=["stop", "start"]) + note("G4", 4, chord=True, ties=["stop"])
    third = note("E4", 1, ties=["stop"]) + note("E4", 1) + note("G4", 2, ties=["stop"])  # nothing was tied to it
    assert rows(opened(score([first, second, third]))) == [
        (0, 2, 60, 0),
        (2, 9, 64, 0),
        (2, 8, 67, 0),
        (9, 10, 64, 0),
        (10, 12, 67, 0),
    ]


def test_tuplets_and_divisions_that_change():
    first = attributes(3, (2, 4)) + note("C4", 1) + note("D4", 1) + note("E4", 1) + note("F4", 3)
    second = "<attributes><divisions>8</divisions></attributes>" + note("G4", 5) + note("A4", 11)
    document = opened(score([first, second]))
    assert document.piece.tpq % 24 == 0
    assert rows(document)[1][0] == pytest.approx(1 / 3, abs=1e-9)
    assert rows(document)[-1][:2] == (2.625, 4)


def test_measures_are_bars_also_where_they_are_short():
    upbeat = attributes(4, (3, 4)) + note("C4", 4)
    long = note("C4", 12) + note("D4", 2)
    empty = "<barline/>"
    document = opened(score([upbeat, note("E4", 12), long, empty, note("F4", 7), note("G4", 12)]))
    starts = document.piece.metre.bar_starts(document.piece.end)
    assert (starts / document.piece.tpq).tolist() == [0, 1, 4, 7.5, 10.5, 12.25]
    assert (document.piece.metre.numerators[0], document.piece.metre.denominators[0]) == (1, 4)
    assert 7 in document.piece.metre.numerators


@pytest.mark.parametrize(
    ("time", "metre"),
    [
        ("<beats>3+2</beats><beat-type>8</beat-type>", (5, 8)),
        ("<beats>2</beats><beat-type>4</beat-type><beats>3</beats><beat-type>8</beat-type>", (7, 8)),
        ("<senza-misura/>", (4, 4)),
        ("<beats>x</beats><beat-type>4</beat-type>", (4, 4)),
        ("<beats>3</beats><beat-type>5</beat-type>", (4, 4)),
    ],
)
def test_signatures(time, metre):
    own = f"<attributes><divisions>2</divisions><time>{time}</time></attributes>"
    whole = 2 * 4 * metre[0] // metre[1]
    piece = opened(score([own + note("C4", whole), note("D4", whole)])).piece
    assert (piece.metre.numerators.tolist(), piece.metre.denominators.tolist()) == ([metre[0]], [metre[1]])


def test_tempo_and_loudness():
    mark = (
        "<direction><direction-type><metronome><beat-unit>quarter</beat-unit><beat-unit-dot/>"
        "<per-minute>60</per-minute></metronome></direction-type></direction>"
    )
    loud = "<direction><direction-type><dynamics><ff/></dynamics></direction-type></direction>"
    soft = '<direction><direction-type><dynamics><p/></dynamics></direction-type><sound dynamics="50"/></direction>'
    first = attributes(1) + mark + loud + note("C4", 2) + note("D4", 2, attributes=' dynamics="100"')
    second = '<sound tempo="200"/>' + soft + note("E4", 2) + '<sound tempo="1e999"/><sound tempo="-5"/>' + note("F4", 2)
    piece = opened(score([first, second])).piece
    assert piece.notes["velocity"].tolist() == [112, 90, 45, 45]
    assert (6e7 / piece.tempo.micros).tolist() == pytest.approx([90, 200], rel=1e-4)
    assert opened(score([attributes(1) + note("C4", 4)])).piece.notes["velocity"].tolist() == [80]


def test_of_two_at_one_tick_the_last_written_holds():
    tempos = '<sound tempo="120"/><sound tempo="90"/>' + note("C4", 4)
    keys = (
        "<attributes><key><fifths>3</fifths></key></attributes><attributes><key><fifths>-2</fifths></key></attributes>"
    )
    document = opened(score([attributes(1) + tempos, keys + note("C4", 4)]))
    assert (6e7 / document.piece.tempo.micros).tolist() == pytest.approx([90])
    assert [content for _, content in meta_events(document.paired.events[0], KEY)] == [bytes((0, 0)), bytes((0xFE, 0))]


def test_drums():
    drums = {
        1: '<midi-instrument id="P1-I37"><midi-channel>10</midi-channel>'
        "<midi-unpitched>37</midi-unpitched></midi-instrument>"
    }
    bar = attributes(1) + note("x", 2, more='<instrument id="P1-I37"/>') + note("x", 2)
    piece = opened(score([bar], [attributes(1) + note("C4", 3) + note("x", 1)], listed=drums)).piece
    assert piece.tracks[0].is_drum
    assert piece.notes["pitch"][piece.notes["track"] == 0].tolist() == [36, 38]
    assert "unpitched notes of parts with pitches: 1, left out" in piece.warnings


def test_measures_of_parts_are_read_too():
    text = SONG.decode()
    turned = text[: text.index("<part id=")].replace("score-partwise", "score-timewise") + "".join(
        f'<measure number="{k}"><part id="P1">{note("C4", 4)}</part><part id="P2">{note("E4", 4)}</part></measure>'
        for k in (1, 2)
    )
    document = opened((turned + "</score-timewise>").encode())
    assert [row[2] for row in rows(document)] == [60, 64, 60, 64]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<html/>", "it.musicxml: is no MusicXML score (its first element is 'html')"),
        (b"<score-partwise/>", "it.musicxml: the score has no parts"),
        (score([]), "it.musicxml: the score has no measures"),
        (score([attributes() + note(None)]), "it.musicxml: the score has no notes"),
        (score([attributes(1) + note("C4", 1000)]), "it.musicxml: measure 1 lasts more than 255 quarters"),
    ],
)
def test_what_is_no_score(data, message):
    assert refused(data).startswith(message)


def test_odd_numbers_do_no_harm():
    odd = [
        attributes(1).replace("<divisions>1<", "<divisions>nan<") + note("C4", "x") + note("C4", "-4") + note("C4", 2),
        backup(99) + note("D4", "1e400") + note("E4", "inf") + note("F4", 1),
        "<attributes><divisions>0</divisions><staves>99</staves></attributes>"
        + note("G4", 1).replace("<octave>4", "<octave>99"),
        note("A4", 1).replace("<step>A", "<step>H") + note("B4", 1, staff=77, voice="x"),
    ]
    document = opened(score(odd))
    assert document.piece.notes["pitch"].tolist() == [60, 65, 71]
    assert document.piece.warnings == ["notes without a pitch that MIDI has: 2, left out"]


@pytest.mark.slow
def test_all_of_music21_s_scores_are_read():
    files = [path for path in sorted(CORPUS.rglob("*")) if path.suffix in (".mxl", ".xml", ".musicxml")]
    assert len(files) > 600
    for path in files:
        document = open_document(path)
        starts = [measure.start for measure in document.read().score.measures]
        assert document.piece.metre.bar_starts(starts[-1] + 1).tolist() == starts, path
        assert not document.paired.unreleased, path


@pytest.mark.parametrize("name", REAL)
def test_real_scores_sound_as_music21_reads_them(name):
    import music21

    document = open_document(CORPUS / name)
    read = document.read()
    starts = [measure.start for measure in read.score.measures]
    ours: Counter = Counter()
    for sounding in read.notes:
        measure = max(i for i, start in enumerate(starts) if start <= sounding.onset)
        place = round((sounding.onset - starts[measure]) * 24 / read.score.tpq)
        ours[read.lanes[sounding.lane].part.number, measure, place, sounding.pitch] = 1
    theirs: Counter = Counter()
    number, last = 0, None
    for part in music21.converter.parse(CORPUS / name).toSoundingPitch().parts:
        own = str(part.id).split("-Staff")[0]
        number, last = number + (own != last), own
        for measure, bar in enumerate(part.getElementsByClass("Measure")):
            for element in bar.recurse().notes:
                if element.duration.isGrace or isinstance(element, music21.harmony.ChordSymbol):
                    continue
                for each in element.notes if element.isChord else [element]:
                    if each.tie is None or each.tie.type == "start":
                        at = round(float(element.getOffsetInHierarchy(bar)) * 24)
                        theirs[number, measure, at, each.pitch.midi] = 1
    assert ours == theirs
    assert document.piece.metre.bar_starts(starts[-1] + 1).tolist() == starts
    assert not document.paired.unreleased
