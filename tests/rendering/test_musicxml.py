"""MusicXML: what is written, as music21 reads it, and by the rules of the format. Times in the tests are sixteenths."""

from collections import Counter, defaultdict
from pathlib import Path
from xml.etree import ElementTree as xml

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from midi_files import ODDITIES, PIECES, metre, save, track

from fadernets.music.document import Document
from fadernets.music.notes import MetreMap, Piece, TempoMap, Track, make_notes
from fadernets.rendering import musicxml
from fadernets.rendering.score_parts import parts_of
from fadernets.rendering.score_values import VALUES

TPQ = 480
SIXTEENTH = musicxml.DIVISIONS // 4
STEP = TPQ // 4
NOTE = ["chord", "rest", "pitch", "unpitched", "duration", "tie", "instrument", "voice", "type", "dot", "accidental"]
NOTE += ["time-modification", "stem", "notehead", "staff", "beam", "notations"]  # in the schema's order
LENGTHS = {value: length for length, value in VALUES.items()}
ATTRIBUTES = ["divisions", "key", "time", "staves", "clef"]


def piece(*tracks, metres=(), tempos=(), names=None, channels=None, tpq=TPQ):
    """A piece of notes (onset, end, pitch) in sixteenths, a list a track."""
    step = tpq // 4
    rows = [(a * step, b * step, pitch, 80, i) for i, each in enumerate(tracks) for a, b, pitch in each]
    made = [Track(names[i] if names else f"t{i}", i, channels[i] if channels else i) for i in range(len(tracks))]
    metre = MetreMap.of([(tick * step, above, below) for tick, above, below in metres], tpq)
    return Piece(make_notes(rows), tpq, TempoMap.of([(t * step, m) for t, m in tempos], tpq), metre, made)


def read(data):
    """Part -> notes (onset, end, pitch, staff, voice), those that are tied as one; checks the format on the way."""
    root = xml.fromstring(data)
    assert root.tag == "score-partwise"
    assert [child.tag for child in root] == ["work", "part-list", *["part"] * (len(root) - 2)]
    listed = [each.get("id") for each in root.iter("score-part")]
    assert listed == [part.get("id") for part in root.iter("part")]
    assert listed
    return {part.get("id"): _part(part) for part in root.iter("part")}


def _part(part):
    found, open_, start, full, staves = [], {}, 0, None, 1
    upbeat = part[0].get("implicit") == "yes"
    for number, measure in enumerate(part, not upbeat):
        assert (measure.tag, measure.get("number")) == ("measure", str(number))
        at, before, voices, ends, sounding = start, None, defaultdict(int), {}, []
        for child in measure:
            if child.tag == "attributes":
                _in_order(child, ATTRIBUTES)
                if child.find("time") is not None:
                    full = int(child.findtext("time/beats")) * 4 * musicxml.DIVISIONS
                    full //= int(child.findtext("time/beat-type"))
                staves = int(child.findtext("staves") or staves)
            elif child.tag in ("backup", "forward"):
                at += int(child.findtext("duration")) * (1 if child.tag == "forward" else -1)
                assert at >= start
            elif child.tag == "note":
                _in_order(child, NOTE)
                duration = int(child.findtext("duration"))
                is_rest = child.find("rest") is not None
                if is_rest and child.find("rest").get("measure"):
                    assert child.find("type") is None
                else:
                    assert _written(child) == duration
                ties = [each.get("type") for each in child.findall("tie")]
                assert ties == [each.get("type") for each in child.findall("notations/tied")]
                assert ties in ([], ["stop"], ["start"], ["stop", "start"])
                voice, staff = int(child.findtext("voice")), int(child.findtext("staff") or 1)
                assert (voice - 1) // 4 + 1 == staff <= staves
                assert (voice - 1) % 4 < 2
                if child.find("chord") is not None:
                    assert (duration, voice) == before[1:]
                    onset = before[0]
                else:
                    onset, at = at, at + duration
                    assert ends.get(voice, start) <= onset
                    ends[voice] = at
                    voices[voice] += duration
                    before = (onset, duration, voice)
                if is_rest or child.find("unpitched") is not None:
                    assert not (is_rest and ties)
                    continue
                sounding.append((onset, at, (_pitch(child.find("pitch")), staff), voice, ties))
        for onset, stop, key, voice, ties in sorted(sounding):
            begun = onset
            if "stop" in ties:
                begun, stopped = open_.pop(key)
                assert stopped == onset
            if "start" in ties:
                open_[key] = (begun, stop)
            else:
                found.append((begun / SIXTEENTH, stop / SIXTEENTH, *key, voice))
        length = max(ends.values()) - start
        for staff in range(staves):
            assert voices[4 * staff + 1] == length  # the first voice of a staff fills the measure
        assert length <= full  # a bar may be cut short by a new metre
        start += length
    assert not open_
    return sorted(found)


def _written(note):
    """The duration that a note's value, dots and tuplet say."""
    length = LENGTHS[note.findtext("type"), len(note.findall("dot"))]
    change = note.find("time-modification")
    if change is not None:
        length = length * int(change.findtext("normal-notes")) / int(change.findtext("actual-notes"))
    return length


def _in_order(element, allowed):
    tags = [child.tag for child in element]
    assert tags == sorted(tags, key=allowed.index)


def _pitch(element):
    steps = dict(zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11), strict=True))
    tags = [child.tag for child in element]
    assert tags in (["step", "octave"], ["step", "alter", "octave"])
    alter = int(element.findtext("alter") or 0)
    return steps[element.findtext("step")] + alter + 12 * (int(element.findtext("octave")) + 1)


def plain(notes):
    return [(a, b, pitch) for a, b, pitch, _, _ in notes]


def measures(data, part=0):
    """The length of each measure of a part, in sixteenths."""
    found = []
    for measure in list(xml.fromstring(data).iter("part"))[part]:
        own = [n for n in measure.iter("note") if n.find("chord") is None and n.findtext("voice") == "1"]
        found.append(sum(int(n.findtext("duration")) for n in own) / SIXTEENTH)
    return found


def lines(own):
    """The bar lines of a piece in sixteenths."""
    return musicxml.bar_lines(own) / SIXTEENTH


# as music21 reads it


@pytest.mark.parametrize("name", [*PIECES, "coarse"])
def test_music21_reads_the_notes_of_the_piece(tmp_path, name):
    import music21

    own = Document((PIECES | ODDITIES)[name](tmp_path / "in.mid")).piece
    data = musicxml.write(own, name)
    score = music21.converter.parseData(data, format="musicxml")
    assert score.metadata.title == name
    lengths, read_parts = np.diff(lines(own)).tolist(), iter(score.parts)
    for part in (each for each in parts_of(own) if not each.is_drum):
        rows = np.concatenate([staff.rows for staff in part.staves])
        wanted = list(zip(own.notes["onset"][rows] * 4 / own.tpq, own.notes["pitch"][rows].tolist(), strict=True))
        staves = [next(read_parts) for _ in part.staves]
        for staff in staves:
            bars = list(staff.getElementsByClass(music21.stream.Measure))
            assert [4 * bar.duration.quarterLength for bar in bars] == lengths
        heard = [(4 * n.getOffsetInHierarchy(s), one) for s in staves for n in s.recurse().notes for one in _each(n)]
        found = [(float(at), n.pitch.midi) for at, n in heard if n.tie is None or n.tie.type == "start"]
        assert len(found) <= len(wanted)
        for these, those in ((wanted, found), (found, wanted)):  # each within a sixteenth, and none lost
            assert all(any(p == q and abs(a - b) <= 1 for b, q in those) for a, p in these)


def _each(note):
    """A chord's notes, or the note itself."""
    return note.notes if note.isChord else [note]


def test_music21_reads_metre_key_and_tempo(tmp_path):
    import music21

    own = Document(PIECES["metre_change"](tmp_path / "in.mid")).piece
    score = music21.converter.parseData(musicxml.write(own), format="musicxml")
    metres = score.parts[0].recurse().getElementsByClass(music21.meter.TimeSignature)
    assert [(each.measureNumber, each.ratioString) for each in metres] == [(1, "4/4"), (3, "3/4"), (6, "4/4")]
    marks = score.parts[0].recurse().getElementsByClass(music21.tempo.MetronomeMark)
    assert {mark.numberSounding or mark.number for mark in marks} == {100}
    assert score.metadata.title == "untitled"


# by the rules of the format


@pytest.mark.parametrize("name", PIECES)
def test_measures_are_as_long_as_the_bars(tmp_path, name):
    own = Document(PIECES[name](tmp_path / "in.mid")).piece
    data = musicxml.write(own, name)
    parts = read(data)
    assert len(parts) == len(parts_of(own))
    for i in range(len(parts)):
        assert measures(data, i) == np.diff(lines(own)).tolist()


def test_the_head_of_the_file():
    data = musicxml.write(piece([(0, 4, 60)]), "A & <B>")
    head = data.decode().splitlines()
    assert head[0] == '<?xml version="1.0" encoding="UTF-8"?>'
    assert head[1].startswith('<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN"')
    assert head[2] == '<score-partwise version="4.0">'
    assert xml.fromstring(data).findtext("work/work-title") == "A & <B>"


def test_durations_are_note_values_and_ties():
    data = musicxml.write(piece([(0, 7, 60), (10, 37, 64)]))
    assert plain(read(data)["P1"]) == [(0, 7, 60), (10, 37, 64)]
    notes = list(xml.fromstring(data).iter("note"))
    each = [(int(n.findtext("duration")) / SIXTEENTH, n.find("pitch") is not None) for n in notes]
    bars = [[(4, 1), (3, 1), (1, 0), (2, 0), (6, 1)], [(16, 1)], [(4, 1), (1, 1), (1, 0), (2, 0), (8, 0)]]
    assert each == [row for bar in bars for row in bar]
    ties = Counter(each.get("type") for each in xml.fromstring(data).iter("tie"))
    assert ties == {"start": 4, "stop": 4}


def test_notes_have_the_rows_of_the_piece_as_ids_and_their_colours():
    own = piece([(0, 4, 60), (4, 8, 64), (10, 37, 67)])
    root = xml.fromstring(musicxml.write(own, colours=[None, "#c04000", "#0040c0"]))
    notes = [n for n in root.iter("note") if n.find("pitch") is not None]
    assert [(n.get("id"), n.get("color")) for n in notes] == [
        ("n0", None),
        ("n1", "#c04000"),
        *[("n2" + end, "#0040c0") for end in ("", "-1", "-2", "-3")],
    ]


def test_a_wide_track_has_two_staves_and_a_narrow_one_its_clef():
    wide, low, high = [(0, 4, 40), (4, 8, 59), (4, 8, 60), (8, 12, 72)], [(0, 4, 40)], [(0, 4, 72)]
    data = musicxml.write(piece(wide, low, high))
    parts = read(data)
    assert [(p, s) for _, _, p, s, _ in parts["P1"]] == [(40, 2), (59, 1), (60, 1), (72, 1)]
    clefs = [[c.findtext("sign") for c in part.iter("clef")] for part in xml.fromstring(data).iter("part")]
    assert clefs == [["G", "F"], ["F"], ["G"]]
    assert [c.findtext("line") for c in xml.fromstring(data).iter("clef")] == ["2", "4", "4", "2"]


def test_lines_that_overlap_are_voices():
    notes = [(0, 16, 60), (0, 8, 64), (8, 16, 65), (0, 8, 69)]
    found = read(musicxml.write(piece(notes)))["P1"]
    assert plain(found) == sorted(notes)
    assert {voice: {p for *_, p, _, v in found if v == voice} for voice in (1, 2)} == {1: {64, 65, 69}, 2: {60}}


def test_where_no_voice_is_left_notes_end_early_and_none_is_lost():
    notes = [(i, 16, 60 + i) for i in range(8)]
    found = plain(read(musicxml.write(piece(notes)))["P1"])
    assert [(a, p) for a, _, p in found] == [(i, 60 + i) for i in range(8)]
    together = [(0, 4 + i, 60 + i) for i in range(8)]
    found = plain(read(musicxml.write(piece(together)))["P1"])
    assert {(a, p) for a, _, p in found} == {(0, 60 + i) for i in range(8)}


def test_notes_of_one_pitch():
    """One that is struck again ends there; of two at once the longer one counts."""
    found = plain(read(musicxml.write(piece([(0, 8, 60), (4, 12, 60), (0, 2, 64), (0, 6, 64), (0, 6, 64)])))["P1"])
    assert found == [(0, 4, 60), (0, 6, 64), (4, 12, 60)]


def test_a_performance_has_no_stray_rests():
    """A tune that is played beside the beat, each note a little short."""
    off = piece([])
    shift = [7, -9, 0, 12, -5, 3, 10, -11]
    rows = [(480 * i + 15 + shift[i % 8], 480 * i + 410 + shift[i % 8] // 2, 60 + i % 5, 80, 0) for i in range(32)]
    off.notes = make_notes(rows)
    assert plain(read(musicxml.write(off))["P1"]) == [(4 * i, 4 * i + 4, 60 + i % 5) for i in range(32)]


@pytest.mark.parametrize(
    ("metres", "end", "lengths"),
    [
        ([(0, 3, 4)], 40, [12] * 4),
        ([(0, 6, 8)], 40, [12] * 4),
        ([(0, 5, 4)], 40, [20] * 2),
        ([(0, 7, 8)], 28, [14] * 2),
        ([(0, 2, 2)], 17, [16] * 2),
        ([(0, 12, 8)], 25, [24] * 2),
        ([(0, 3, 16)], 9, [3] * 3),
        ([(0, 1, 4), (4, 4, 4)], 36, [4, 16, 16]),
        ([(0, 4, 4), (16, 3, 4), (40, 6, 8), (52, 5, 4)], 72, [16, 12, 12, 12, 20]),
        ([(0, 4, 4), (8, 3, 4)], 20, [8, 12]),  # a bar that is cut short
    ],
)
def test_metres(metres, end, lengths):
    notes = [(i, min(i + 7, end), 60 + i // 5) for i in range(0, end, 5)]
    data = musicxml.write(piece(notes, metres=metres))
    assert plain(read(data)["P1"]) == sorted(notes)
    assert measures(data) == lengths
    times = [f"{t.findtext('beats')}/{t.findtext('beat-type')}" for t in xml.fromstring(data).iter("time")]
    if lengths[0] < lengths[1]:  # an upbeat is written in the metre of the bar behind it
        metres = metres[1:]
    assert times == [f"{above}/{below}" for _, above, below in metres]


def test_tempos_stand_where_they_change():
    data = musicxml.write(piece([(0, 64, 60)], tempos=[(0, 600_000), (16, 500_000), (22, 400_000), (48, 1_000_000)]))
    found = []
    for i, measure in enumerate(xml.fromstring(data).iter("measure")):
        for sound in measure.iter("sound"):
            where = next((d for d in measure.iter("direction") if sound in list(d)), sound)
            found.append((16 * i + int(where.findtext("offset") or 0) / SIXTEENTH, float(sound.get("tempo"))))
    assert found == [(0, 100), (16, 120), (22, 150), (48, 60)]


@pytest.mark.parametrize(
    ("tonic", "mode", "fifths"),
    [(0, "major", 0), (7, "major", 1), (5, "major", -1), (3, "major", -3), (9, "minor", 0), (4, "minor", 1)],
)
def test_key_signatures(tonic, mode, fifths):
    scale = (0, 2, 4, 5, 7, 9, 11, 12) if mode == "major" else (0, 2, 3, 5, 7, 8, 10, 12)
    notes = [(2 * i, 2 * i + 2, 48 + tonic + step) for i, step in enumerate(scale)]
    notes += [(16, 32, 48 + tonic + step) for step in (0, scale[2], 7)]
    data = musicxml.write(piece(notes))
    assert {f.text for f in xml.fromstring(data).iter("fifths")} == {str(fifths)}
    alters = {a.text for a in xml.fromstring(data).iter("alter")}
    assert alters == ({"1"} if fifths > 0 else {"-1"} if fifths < 0 else set())


@pytest.mark.parametrize(("name", "fifths"), [("k545", 0), ("k265", 0)])
def test_the_key_of_a_piece_is_that_of_its_opening(name, fifths):
    """K. 545 goes to G major and stays there longer than it was in C."""
    own = Document(Path(musicxml.__file__).parents[1] / "assets" / f"{name}.mid").piece
    assert {f.text for f in xml.fromstring(musicxml.write(own)).iter("fifths")} == {str(fifths)}


def test_drums_have_no_key():
    tune = [(2 * i, 2 * i + 2, 60 + step) for i, step in enumerate((0, 2, 4, 5, 7, 9, 11, 12))]
    beat = [(i, i + 1, 42 + 12 * (i % 2)) for i in range(400)]
    data = musicxml.write(piece(tune, beat, channels=[0, 9]))
    assert {f.text for f in xml.fromstring(data).iter("fifths")} == {"0"}


def test_drums_come_last_and_tracks_without_notes_are_left_out():
    data = musicxml.write(piece([(0, 4, 36), (4, 8, 42)], [], [(0, 4, 60)], channels=[9, 0, 1]))
    assert {name: plain(notes) for name, notes in read(data).items()} == {"P3": [(0, 4, 60)], "P1": []}
    drums = xml.fromstring(data).findall("part")[1]
    assert drums.findtext(".//sign") == "percussion"
    shown = [(n.findtext("unpitched/display-step"), n.findtext("notehead")) for n in drums.iter("note")]
    assert [each for each in shown if each[0]] == [("G", "x"), ("F", None)]


def test_a_piece_without_a_part_has_one_of_rests():
    data = musicxml.write(piece([], channels=[9]))
    assert list(read(data).values()) == [[]]
    assert measures(data) == [16]


def test_names_hold_what_xml_can_hold():
    data = musicxml.write(piece([(0, 4, 60)], names=["a\x01\x1b<b>\ufffe\ud800"]), "t\0\x08\ud800")
    root = xml.fromstring(data)
    assert root.findtext("part-list/score-part/part-name") == "a<b>"
    assert root.findtext("work/work-title") == "t"
    root = xml.fromstring(musicxml.write(piece([(0, 4, 60)], names=["\x01"]), "\x01"))
    assert (root.findtext("part-list/score-part/part-name"), root.findtext("work/work-title")) == (
        "Track 1",
        "untitled",
    )


def test_a_file_is_always_the_same(tmp_path):
    source = save(tmp_path / "in.mid", track([(i / 3, 0.4, 50 + i, 80) for i in range(30)], metre(3)))
    assert musicxml.write(Document(source).piece, "t") == musicxml.write(Document(source).piece, "t")


# any notes at all

rows = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 24), st.integers(45, 75)), min_size=1, max_size=24)
signatures = st.sampled_from([(4, 4), (3, 4), (6, 8), (5, 4), (7, 8), (2, 4)])


@settings(max_examples=60, derandomize=True)
@given(rows, signatures)
def test_any_notes(each, signature):
    own = piece([(at, at + length, pitch) for at, length, pitch in each], metres=[(0, *signature)])
    data = musicxml.write(own)
    found = read(data)["P1"]
    struck = {(at, pitch) for at, _, pitch in each}
    assert sorted((a, p) for a, _, p, _, _ in found) == sorted(struck)
    assert set(measures(data)) == {signature[0] * 16 // signature[1]}
    wanted = set()
    for at, length, pitch in each:
        again = min((b for b, p in struck if p == pitch and b > at), default=10**6)
        wanted |= {(pitch, step) for step in range(at, min(at + length, again))}
    sounding = {(p, step) for a, b, p, _, _ in found for step in range(int(a), int(b))}
    assert sounding <= wanted
