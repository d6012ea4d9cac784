"""Layers of notes applied: what they name goes and comes, all else stays to the byte, every onset is released."""

import io
from collections import Counter

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from midi_files import PIECES, metre, save, tempo, track
from rule_rewriter import RuleRewriter

from fadernets.editing.note_layer_edit import FARTHEST
from fadernets.editing.region_edit import StageCache, edit_by_regions, variations_of_last
from fadernets.editing.regions import Region
from fadernets.errors import FadernetsError
from fadernets.music.document import Document

END_OF_TRACK = 0x2F


def opened(path, name="two_hands"):
    return Document(PIECES[name](path / "in.mid"))


def layer(remove=(), add=(), **more):
    return Region.checked(notes={"remove": [*remove], "add": [*add]}, **more)


def applied(document, *regions, **more):
    return edit_by_regions(RuleRewriter(), document, [*regions], **more)


def notes(document):
    """Each note with the chunk and channel of its track."""
    tracks = document.piece.tracks
    return Counter((*row[:4], tracks[row[4]].chunk, tracks[row[4]].channel) for row in document.piece.notes.tolist())


def others(document):
    """Every event that is neither of a note nor the end of a track."""
    return [
        [(tick, m) for tick, m in events if m[0] & 0xF0 not in (0x80, 0x90) and m[:2] != bytes((0xFF, END_OF_TRACK))]
        for events in document.paired.events
    ]


def warnings(found):
    (row,) = found.report.regions
    return row.report.warnings


@pytest.mark.parametrize("name", ["two_hands", "band", "waltz", "six_eight", "metre_change", "expressive", "dressed"])
def test_what_is_named_goes_and_comes_and_nothing_else(tmp_path, name):
    document = opened(tmp_path, name)
    piece = document.piece
    first, last = piece.notes[3], piece.notes[-1]
    own = piece.tracks[first["track"]]
    onset, pitch = int(first["onset"]), int(first["pitch"])
    new = (int(last["onset"]) + 7, int(last["end"]) + 300, 101, 77)
    number = int(first["track"]) + 1
    found = applied(document, layer([[number, onset, pitch]], [[number, *new]]))
    gone = Counter({(*first.tolist()[:4], own.chunk, own.channel): 1})
    assert notes(found.document) == notes(document) - gone + Counter({(*new, own.chunk, own.channel): 1})
    assert others(found.document) == others(document)
    assert not found.document.paired.unreleased
    for chunk in set(range(len(document.paired.events))) - {own.chunk}:
        assert found.document.paired.events[chunk] == document.paired.events[chunk]
    mido.MidiFile(file=io.BytesIO(found.data))


def test_an_empty_layer_and_one_that_undoes_itself_leave_the_bytes(tmp_path):
    document = opened(tmp_path)
    assert applied(document, layer()).data == document.path.read_bytes()
    row = document.piece.notes[5]
    onset, end, pitch, velocity = row.tolist()[:4]
    number = int(row["track"]) + 1
    same = layer([[number, onset, pitch]], [[number, onset, end, pitch, velocity]])
    assert applied(document, same).data == document.path.read_bytes()


def test_a_note_of_another_length_keeps_its_place_among_the_events(tmp_path):
    document = opened(tmp_path)
    row = document.piece.notes[5]
    onset, end, pitch, _ = row.tolist()[:4]
    number, chunk = int(row["track"]) + 1, document.piece.tracks[row["track"]].chunk
    found = applied(document, layer([[number, onset, pitch]], [[number, onset, end, pitch, 33]]))
    before, after = (each.paired.events[chunk] for each in (document, found.document))
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert [(a[1][2], b[1][2]) for a, b in changed] == [(int(row["velocity"]), 33)]


def test_notes_that_are_not_there_are_counted(tmp_path):
    document = opened(tmp_path)
    found = applied(document, layer([[1, 1, 60], [1, 1, 61], [2, 3, 30]]))
    assert found.data == document.path.read_bytes()
    assert warnings(found) == ["notes to remove that are not there: 3"]
    assert found.report.warnings == ["region 1: notes to remove that are not there: 3"]


def test_a_note_is_removed_once_a_row(tmp_path):
    path = save(tmp_path / "in.mid", track([(0, 1, 60, 80), (0, 2, 60, 70), (4, 1, 60, 70)], metre(4)))
    found = applied(Document(path), layer([[1, 0, 60]]))
    assert found.document.piece.notes[["onset", "end"]].tolist() == [(0, 960), (1920, 2400)]
    assert len(applied(Document(path), layer([[1, 0, 60]] * 3)).document.piece.notes) == 1


def test_a_note_is_cut_where_another_of_its_pitch_begins(tmp_path):
    path = save(tmp_path / "in.mid", track([(0, 4, 60, 80), (8, 4, 60, 80)], metre(4)))
    found = applied(Document(path), layer(add=[[1, 960, 4800, 60, 90]]))
    assert found.document.piece.notes[["onset", "end"]].tolist() == [(0, 960), (960, 3840), (3840, 5760)]
    assert warnings(found) == ["notes that were cut where another one of their pitch sounds: 2"]


def test_a_note_that_begins_with_another_of_its_pitch_does_not_come(tmp_path):
    path = save(tmp_path / "in.mid", track([(0, 1, 60, 80), (2, 1, 62, 80)], metre(4)))
    found = applied(Document(path), layer(add=[[1, 0, 300, 60, 90], [1, 1440, 1500, 65, 90], [1, 1440, 1600, 65, 90]]))
    assert found.document.piece.notes["pitch"].tolist() == [60, 62, 65]
    assert warnings(found) == ["notes that begin with another one of their track and pitch: 2, left out"]


def test_a_track_that_was_emptied_takes_notes_on_its_channel(tmp_path):
    """Tracks are the source's, also where an earlier layer left one without notes."""
    high, low = track([(0, 1, 70, 80)], tempo(100), metre(4), channel=3), track([(0, 1, 40, 80)], channel=5)
    document = Document(save(tmp_path / "in.mid", high, low))
    back = layer(add=[[1, 480, 960, 72, 60], [2, 480, 960, 43, 61]])
    found = applied(document, layer([[1, 0, 70]]), back)
    assert notes(found.document) == Counter(
        {(0, 480, 40, 80, 1, 5): 1, (480, 960, 72, 60, 0, 3): 1} | {(480, 960, 43, 61, 1, 5): 1}
    )
    silent = applied(document, layer([[1, 0, 70], [2, 0, 40]]))
    assert not len(silent.document.piece.notes)
    assert others(silent.document) == others(document)
    assert len(applied(document, layer([[1, 0, 70], [2, 0, 40]]), back).document.piece.notes) == 2


@pytest.mark.parametrize(
    ("remove", "add", "message"),
    [
        ([[3, 0, 60]], [], "region 1: notes remove: track 3: the piece has 2 tracks with notes"),
        ([], [[9, 0, 5, 60, 80]], "region 1: notes add: track 9: the piece has 2 tracks with notes"),
        (
            [],
            [[1, 0, 10**8, 60, 80]],
            "region 1: notes add: a note ends at tick 100000000; in this piece notes may end",
        ),
    ],
)
def test_what_the_piece_does_not_have_is_refused(tmp_path, remove, add, message):
    with pytest.raises(FadernetsError, match=f"^{message}"):
        applied(opened(tmp_path), layer(remove, add))


def test_notes_may_come_behind_the_end(tmp_path):
    document = opened(tmp_path)
    last = document.piece.end + FARTHEST * document.piece.tpq
    found = applied(document, layer(add=[[1, last - 480, last, 60, 80]]))
    assert found.document.piece.end == last
    (segment,) = found.report.regions[0].report.segments
    assert (segment.before["rhythm_density"], segment.measured["rhythm_density"] > 0) == (0, True)
    assert len(found.report.segments) == 8  # the source's bars


def test_a_layer_is_measured_in_its_bars_or_where_its_notes_are(tmp_path):
    document = opened(tmp_path)
    bar = 4 * document.piece.tpq
    rows = [[1, 2 * bar + 60 * i, 2 * bar + 60 * i + 30, 100, 120] for i in range(8)]
    found = applied(document, layer(add=rows))
    report = found.report.regions[0].report
    assert [s.bar for s in report.segments] == [3]
    assert report.means["measured"]["dynamics"] > report.means["before"]["dynamics"]
    assert all(value is None for s in report.segments for value in s.asked.values())
    named = applied(document, layer(add=rows, bars=[(2, 4)])).report.regions[0].report
    assert [s.bar for s in named.segments] == [2, 3, 4]
    assert found.data == applied(document, layer(add=rows, bars=[(2, 4)])).data
    assert found.log_odds is None


def test_layers_of_notes_and_of_faders_stack(tmp_path):
    """A later region of faders meets the drawn notes, and a later layer of notes meets what a fader made."""
    document = opened(tmp_path)
    bar = 4 * document.piece.tpq
    drawn = layer(add=[[1, bar + 17, bar + 400, 103, 120]])
    louder = Region.checked(bars=[(2, 2)], set={"dynamics": 40})
    found = applied(document, drawn, louder)
    (note,) = found.document.piece.notes[found.document.piece.notes["pitch"] == 103]
    assert note["velocity"] < 120
    back = applied(document, drawn, louder, layer([[1, bar + 17, 103]]))
    assert not (back.document.piece.notes["pitch"] == 103).any()
    assert not back.report.regions[2].report.warnings


def test_stages_keep_notes_in_drafts_too(tmp_path, monkeypatch):
    document, stages = opened(tmp_path), StageCache()
    drawn, later = layer(add=[[1, 17, 400, 103, 120]]), Region.checked(bars=[(2, 2)], set={"dynamics": 40})
    full = applied(document, drawn, stages=stages)
    draft = applied(document, drawn, later, quick=True, stages=stages)
    monkeypatch.setattr("fadernets.editing.note_layer_edit.apply_notes", None)
    assert applied(document, drawn, stages=stages).data == full.data
    assert applied(document, drawn, later, quick=True, stages=stages).data == draft.data


def test_notes_have_no_variations(tmp_path):
    with pytest.raises(FadernetsError, match=r"^variations: region 2 \(x\) has notes in place of faders"):
        variations_of_last(RuleRewriter(), opened(tmp_path), [Region.checked(), layer(name="x")], 2)


ROW = st.tuples(st.integers(1, 2), st.integers(0, 40), st.integers(1, 12), st.integers(60, 63), st.integers(1, 127))


@settings(max_examples=60)
@given(st.lists(ROW, max_size=25), st.lists(ROW, max_size=25), st.data())
def test_any_notes_leave_a_sound_file(tmp_path_factory, source, added, data):
    """Whatever goes and comes: every onset is released, no new overlap of one pitch, the other events as they were."""
    path = tmp_path_factory.mktemp("notes") / "in.mid"
    rows = [[(0, 1, 50, 80)], [(0, 1, 50, 80)]]
    for number, onset, length, pitch, velocity in source:
        rows[number - 1].append((onset / 4, length / 4, pitch, velocity))
    document = Document(save(path, track(rows[0], tempo(90), metre(3)), track(rows[1], channel=1, program=4)))
    there = [[int(n["track"]) + 1, int(n["onset"]), int(n["pitch"])] for n in document.piece.notes]
    remove = data.draw(st.lists(st.sampled_from(there), max_size=10))
    add = [[n, 120 * onset, 120 * (onset + length), pitch, velocity] for n, onset, length, pitch, velocity in added]
    found = applied(document, layer(remove, add)).document
    assert others(found) == others(document)
    assert not found.paired.unreleased
    assert not found.paired.unmatched
    now = notes(found)
    touched = {(n - 1, pitch) for n, *_, pitch, _ in add} | {(n - 1, pitch) for n, _, pitch in remove}
    for place in {(key[4], key[2]) for key in notes(document)} - touched:
        assert [k for k in sorted(now) if (k[4], k[2]) == place] == [
            k for k in sorted(notes(document)) if (k[4], k[2]) == place
        ]
    wanted = {(n - 1, onset, pitch) for n, onset, _, pitch, _ in add}
    onsets = {(key[4], key[0], key[2]) for key in now}
    late = {(chunk, onset + shift, pitch) for chunk, onset, pitch in wanted for shift in range(0, 121, 120)}
    assert all(any((chunk, onset + shift, pitch) in onsets for shift in (0, 120)) for chunk, onset, pitch in wanted)
    assert onsets <= {(key[4], key[0], key[2]) for key in notes(document)} | late
    assert np.all(found.piece.notes["end"] >= found.piece.notes["onset"])


def test_a_cleared_bar_holds_what_is_added_whatever_lay_there(tmp_path):
    document = opened(tmp_path)
    piece = document.piece
    lines = piece.metre.bar_starts(piece.end)
    first, end = int(lines[2]), int(lines[3])
    inside = (piece.notes["onset"] >= first) & (piece.notes["onset"] < end)
    rows = [[n["track"] + 1, n["onset"], n["end"], n["pitch"], n["velocity"]] for n in piece.notes[inside]]
    rows = [[int(value) for value in row] for row in rows]
    frozen = Region.checked(name="frozen", notes={"add": rows, "clear": [[first, end]]})
    assert applied(document, frozen).data == document.with_tracks({})
    busier = Region.checked(bars=[(2, 5)], move={"rhythm_density": 0.3})
    alone, both = applied(document, busier).document.piece.notes, applied(document, busier, frozen).document.piece.notes
    begins = (both["onset"] >= first) & (both["onset"] < end)
    assert both[begins].tolist() == piece.notes[inside].tolist()
    assert alone[(alone["onset"] >= first) & (alone["onset"] < end)].tolist() != both[begins].tolist()
    out_of_it = (alone["onset"] < first) | (alone["onset"] >= end)
    assert both[~begins][["onset", "pitch"]].tolist() == alone[out_of_it][["onset", "pitch"]].tolist()
    empty = applied(document, Region.checked(notes={"clear": [[first, end]]}))
    assert len(empty.document.piece.notes) == len(piece.notes) - len(rows)
    assert not warnings(empty)
