"""Documents: what is read, and that an edit changes what it names alone. mido and pretty_midi are the oracles."""

import io
import os
from itertools import pairwise

import mido
import numpy as np
import pretty_midi
import pytest
from midi_files import (
    ODDITIES,
    PIECES,
    ROW,
    TPQ,
    Meta,
    events,
    metre,
    notes,
    piece_rows,
    raw,
    right,
    save,
    track,
)

from fadernets.errors import FadernetsError
from fadernets.music.document import Document, Edit
from fadernets.music.notes import NOTE, TempoMap, make_notes, note_order
from fadernets.music.smf import MidiError


def change(removed=(), moved=(), ends=(), added=(), of=None):
    """An edit; `moved` notes of the document `of` get other `ends`."""
    rows = np.array(moved, np.int64)
    becomes = of.piece.notes[rows] if of else make_notes([])
    becomes["end"] = ends
    return Edit(np.array(removed, np.int64), rows, becomes, make_notes(list(added)))


# Reading


def test_a_document_has_the_notes_that_mido_finds(piece_file):
    assert piece_rows(Document(piece_file).piece) == notes(piece_file)


@pytest.mark.parametrize("name", [name for name in PIECES if name != "tempi"])  # those are not in one track
def test_seconds_are_pretty_midi_s(name, tmp_path):
    path = PIECES[name](tmp_path / "in.mid")
    expected = sorted((n.start, n.end) for i in pretty_midi.PrettyMIDI(str(path)).instruments for n in i.notes)
    piece = Document(path).piece
    found = np.stack([piece.tempo.seconds(piece.notes[k]) for k in ("onset", "end")], axis=1)
    np.testing.assert_allclose(sorted(found.tolist()), expected, atol=1e-6)


def test_a_file_without_tempo_is_read_at_120_bpm(tmp_path):
    piece = Document(PIECES["bare"](tmp_path / "in.mid")).piece
    assert piece.tempo.seconds(2 * TPQ) == 1.0
    assert (piece.metre.numerators.tolist(), piece.metre.denominators.tolist()) == ([4], [4])


def test_a_tempo_of_0_is_the_tempo_before_it(tmp_path):
    piece = Document(ODDITIES["tempo_0"](tmp_path / "in.mid")).piece
    assert "tempo of 0" in piece.warnings[0]
    assert piece.tempo.micros.tolist() == [500_000]
    assert TempoMap.of([(0, 400_000), (10, 0)], 10).seconds(20) == pytest.approx(0.8)


def test_a_signature_or_key_that_cannot_be_does_no_harm(tmp_path):
    piece = Document(ODDITIES["odd_meta"](tmp_path / "in.mid")).piece
    assert piece.warnings == ["time signatures that no bar can have: 2, not heeded"]
    assert piece.metre.bar_lengths().tolist() == [4 * TPQ]
    assert len(piece.notes) == 48


def test_notes_are_ordered_by_onset_then_pitch(piece_file):
    found = Document(piece_file).piece.notes
    assert found.dtype == NOTE
    keys = list(zip(found["onset"].tolist(), found["pitch"].tolist(), strict=True))
    assert all(a <= b for a, b in pairwise(keys))


def test_a_metre_in_any_track_counts(tmp_path):
    path = save(
        tmp_path / "in.mid", track(right(8)), track(right(8), metre(3), (0, Meta("marker", text="x")), channel=1)
    )
    assert Document(path).piece.metre.numerators.tolist() == [3]


# Writing


def test_an_untouched_document_is_written_byte_for_byte(tmp_path):
    for name, build in {**PIECES, **ODDITIES}.items():
        path = build(tmp_path / f"{name}.mid")
        Document(path).write(tmp_path / "out.mid")
        assert (tmp_path / "out.mid").read_bytes() == path.read_bytes(), name


def test_an_edit_that_changes_nothing_writes_every_event_anew(piece_file):
    """Every note's end is set to where it is, so that all tracks are built again from their events."""
    document = Document(piece_file)
    everything = np.arange(len(document.piece.notes))
    data = document.edited(change(moved=everything, ends=document.piece.notes["end"], of=document))
    assert notes(data) == notes(piece_file)
    assert events(data) == events(piece_file)
    ends = [[sum(m.time for m in t) for t in mido.MidiFile(f).tracks] for f in (piece_file, _written(piece_file, data))]
    assert ends[0] == ends[1]


def _written(path, data):
    path.with_name("again.mid").write_bytes(data)
    return path.with_name("again.mid")


def test_odd_events_survive_an_edit(tmp_path):
    """Those that mido cannot write: compared as bytes."""
    path = ODDITIES["odd_meta"](tmp_path / "in.mid")
    data = Document(path).edited(change(removed=[0]))
    head = path.read_bytes()
    odd = head.index(b"\x00\xff\x59"), head.index(b"\x00\x90\x3c")
    assert head[odd[0] : odd[1]] in data
    assert data.startswith(head[:14] + b"XFIH\x00\x00\x00\x03abc")
    assert data.endswith(b"\x00\xff\x2f\x00\x00\x00tail")
    assert len(Document(path, data).piece.notes) == 47


def test_an_edit_changes_what_it_names_and_nothing_else(tmp_path):
    path = PIECES["dressed"](tmp_path / "in.mid")
    document = Document(path)
    before = document.piece.notes
    hand = next(i for i, t in enumerate(document.piece.tracks) if t.name == "links")
    left = np.flatnonzero(before["track"] == hand)
    removed, moved = left[[0, 5]], left[[2, 7]]
    ends = before["end"][moved] + [77, -33]
    added = [(1001, 1402, 33, 17, hand), (5000, 5003, 90, 127, hand)]
    document.write(tmp_path / "out.mid", change(removed, moved, ends, added, of=document))

    expected = before.copy()
    expected["end"][moved] = ends
    expected = np.delete(expected, removed)
    where = (document.piece.tracks[hand].chunk, 1)
    rest = [(*(int(n[k]) for k in ROW), *((1, 0) if n["track"] != hand else where)) for n in expected]
    assert notes(tmp_path / "out.mid") == sorted(rest + [(*row[:4], *where) for row in added])
    assert events(tmp_path / "out.mid") == events(path)
    chunks = [_chunks(p.read_bytes()) for p in (path, tmp_path / "out.mid")]
    assert [a == b for a, b in zip(*chunks, strict=True)] == [True, True, False]  # the other tracks: the same bytes


def _chunks(data):
    found, at = [], 14
    while at < len(data):
        size = 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        found.append(data[at : at + size])
        at += size
    return found


def test_on_one_tick_ends_come_before_onsets(tmp_path):
    """An added note may begin where another ends, and end where a kept one begins, on its own key."""
    path = save(tmp_path / "in.mid", track([(0, 1, 60, 80), (2, 1, 60, 70), (4, 1, 60, 60)]))
    data = (d := Document(path)).edited(change(moved=[1], ends=[1920], added=[(480, 960, 60, 50, 0)], of=d))
    assert [row[:4] for row in notes(data)] == [
        (0, 480, 60, 80),
        (480, 960, 60, 50),
        (960, 1920, 60, 70),
        (1920, 2400, 60, 60),
    ]
    track_ = mido.MidiFile(_written(path, data)).tracks[0]
    sounding = 0
    for message in track_:
        if message.type in ("note_on", "note_off"):
            sounding += 1 if message.type == "note_on" and message.velocity else -1
        assert 0 <= sounding <= 1


def test_the_end_of_a_track_waits_for_what_was_added(tmp_path):
    path = save(tmp_path / "in.mid", track([(0, 1, 60, 80)]))
    data = Document(path).edited(change(added=[(4800, 5000, 64, 80, 0)]))
    (only,) = mido.MidiFile(_written(path, data)).tracks
    assert only[-1].type == "end_of_track"
    assert sum(message.time for message in only) == 5000
    assert not any(message.type == "end_of_track" for message in only[:-1])


def test_a_stuck_note_is_left_alone_until_its_key_is_edited(tmp_path):
    on = mido.Message("note_on", note=60, velocity=70)
    path = save(tmp_path / "in.mid", track([(0, 1, 62, 80)], (960, on)))
    assert _ends(Document(path).edited(change(removed=[0]))) == []
    added = Document(path).edited(change(added=[(1920, 2400, 60, 50, 0)]))
    assert _ends(added) == [1440, 2400]
    assert Document(path, added).piece.warnings == []
    assert _ends((d := Document(path)).edited(change(moved=[1], ends=[1300], of=d))) == [1300]
    assert _ends(Document(path).edited(change(removed=[1]))) == []


def _ends(data):
    """The ends of the notes of key 60 that are released."""
    return [end for _, end, pitch, *_ in notes(data) if pitch == 60]


def test_an_idle_note_off_does_not_cut_a_new_note(tmp_path):
    off = mido.Message("note_off", note=60)
    path = save(tmp_path / "in.mid", track([(0, 1, 60, 80)], (720, off), (960, off), (1500, off)))
    assert len(_messages(path.read_bytes(), "note_off")) == 4
    data = Document(path).edited(change(added=[(600, 1500, 60, 50, 0)]))
    assert [row[:4] for row in notes(data)] == [(0, 480, 60, 80), (600, 1500, 60, 50)]
    assert len(_messages(data, "note_off")) == 3  # the one at the new note's own end stays
    data = (d := Document(path)).edited(change(moved=[0], ends=[900], of=d))
    assert [row[:4] for row in notes(data)] == [(0, 900, 60, 80)]


def _messages(data, kind):
    return [m for t in mido.MidiFile(file=io.BytesIO(data)).tracks for m in t if m.type == kind]


def test_a_coarse_file_gets_finer_ticks_when_it_is_edited(tmp_path):
    """In all its tracks."""
    hands = [track([(i / 2, 0.5, 60 + i % 5, 80) for i in range(16)], channel=c, tpq=2) for c in (0, 1)]
    path = save(tmp_path / "in.mid", *hands, tpq=2)
    document = Document(path)
    assert document.piece.tpq == 24
    assert "2 ticks a quarter" in document.piece.warnings[0]
    data = document.edited(change(removed=[3]))
    again = Document(path, data).piece
    assert again.tpq == 24
    np.testing.assert_array_equal(again.notes, np.delete(document.piece.notes, 3))
    assert again.seconds() == Document(path).piece.seconds()


def test_bytes_beyond_seven_bits_do_not_break_a_rewrite(tmp_path):
    """A damaged controller value is written back as it came, and running status does not swallow it."""
    path = raw(
        tmp_path / "in.mid", b"\x00\xb0\x07\x40\x00\xb0\xf6\x40\x00\x90\x3c\x40\x60\x3c\x00\x00\x3e\x40\x60\x3e\x00"
    )
    data = Document(path).edited(change(removed=[0]))
    assert b"\x00\xb0\xf6\x40" in data
    assert len(Document(path, data).piece.notes) == 1


def test_a_long_gap_is_still_a_valid_number(tmp_path):
    """Where what lay between is removed, the time between two events grows: four bytes must do."""
    path = save(
        tmp_path / "in.mid", track([(0, 1, 60, 80), (1000, 1, 60, 80), (9000, 1, 60, 80)], tpq=32767), tpq=32767
    )
    with pytest.raises(MidiError, match="quarter notes long"):
        Document(path)
    path = save(tmp_path / "in.mid", track([(i * 1000, 1, 60, 80) for i in range(9)], tpq=32767), tpq=32767)
    data = Document(path).edited(change(removed=range(1, 8)))
    assert [row[0] // 32767 for row in notes(data)] == [0, 8000]


def test_writing_is_all_or_nothing(tmp_path, monkeypatch):
    document = Document(PIECES["two_hands"](tmp_path / "in.mid"))
    out = tmp_path / "out" / "x.mid"
    with pytest.raises(FadernetsError, match="cannot be written"):
        document.write(out)
    out.parent.mkdir()
    out.write_bytes(b"as it was")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(FadernetsError, match=r"x\.mid: cannot be written .No space left"):
        document.write(out)
    assert [p.name for p in out.parent.iterdir()] == ["x.mid"]
    assert out.read_bytes() == b"as it was"


# Changed notes


def becoming(document, which, **columns):
    """An edit that changes columns of some notes."""
    rows = np.array(which, np.int64)
    becomes = document.piece.notes[rows]
    for name, values in columns.items():
        becomes[name] = values
    return Edit(np.array([], np.int64), rows, becomes, make_notes([]))


@pytest.mark.parametrize("name", {**PIECES, **ODDITIES})
def test_any_column_of_any_note_may_change(tmp_path, name):
    """Read back: the notes as they became, and every other event as it was."""
    document = Document({**PIECES, **ODDITIES}[name](tmp_path / "in.mid"))
    which = np.arange(0, len(document.piece.notes), 2)
    rng = np.random.default_rng(1)
    velocity = rng.integers(1, 128, len(which))
    edit = becoming(document, which, velocity=velocity)
    again = Document(document.path, document.edited(edit)).piece
    expected = document.piece.notes.copy()
    expected["velocity"][which] = velocity
    if name != "unison":  # of two on one tick and key each may have the other's
        assert again.notes[[*ROW, "track"]].tolist() == expected[note_order(expected)][[*ROW, "track"]].tolist()
    assert sorted(again.notes["velocity"]) == sorted(expected["velocity"])
    kept = [_others(d.paired.events, d._file.tpq) for d in (document, Document(document.path, document.edited(edit)))]
    assert kept[0] == kept[1] or name == "coarse"


def _others(tracks, tpq):
    return [[(t / tpq, m) for t, m in events if m[0] >> 4 not in (8, 9) and m[:2] != b"\xff\x2f"] for events in tracks]


@pytest.mark.parametrize("column", ["onset", "end", "pitch"])
def test_a_changed_note_is_what_mido_finds(tmp_path, column):
    path = PIECES["dressed"](tmp_path / "in.mid")
    document = Document(path)
    i = 7
    value = {"onset": 333, "end": int(document.piece.notes["end"][i]) + 50, "pitch": 99}[column]
    data = document.edited(becoming(document, [i], **{column: value}))
    expected = piece_rows(document.piece)
    old = document.piece.notes[i]
    track_of = document.piece.tracks[old["track"]]
    row = [*(int(old[k]) for k in ROW), track_of.chunk, track_of.channel]
    expected.remove(tuple(row))
    row[ROW.index(column)] = value
    assert notes(data) == sorted([*expected, tuple(row)])
    assert events(data) == events(path)
    assert [a == b for a, b in zip(_chunks(path.read_bytes()), _chunks(data), strict=True)].count(False) == 1


def test_a_note_that_becomes_itself_changes_no_byte(piece_file):
    document = Document(piece_file)
    assert document.edited(becoming(document, range(len(document.piece.notes)))) == piece_file.read_bytes()


def test_a_key_is_released_before_it_is_struck_again(tmp_path):
    """On one tick the file strikes E and only then releases D: with both on D, that order would silence the second."""
    on = mido.Message("note_on", note=64, velocity=70)
    play = [(TPQ, on), (2 * TPQ, mido.Message("note_off", note=64))]
    path = save(tmp_path / "in.mid", track([(0, 1, 62, 80)], *play))
    messages = mido.MidiFile(path).tracks[0]
    first = next(m for m in messages if m.type == "note_off")
    messages.remove(first)  # behind the note-on of its tick
    struck = next(i for i, m in enumerate(messages) if m.note == 64)
    messages[struck].time, first.time = TPQ, 0
    messages.insert(struck + 1, first)
    save(path, messages)
    document = Document(path)
    data = document.edited(becoming(document, [1], pitch=62))
    kinds = [(m.type, m.note) for m in mido.MidiFile(file=io.BytesIO(data)).tracks[0] if not m.is_meta]
    assert kinds == [("note_on", 62), ("note_off", 62), ("note_on", 62), ("note_off", 62)]
    assert [row[:3] for row in notes(data)] == [(0, TPQ, 62), (TPQ, 2 * TPQ, 62)]
    data = document.edited(becoming(document, [0], pitch=64))
    assert [row[:3] for row in notes(data)] == [(0, TPQ, 64), (TPQ, 2 * TPQ, 64)]


# Tempo maps


def played(data):
    """(tick, microseconds a quarter) that mido finds, the last of a tick."""
    found = {}
    for messages in mido.MidiFile(file=io.BytesIO(data)).tracks:
        now = 0
        for message in messages:
            now += message.time
            if message.type == "set_tempo":
                found[now] = message.tempo
    return dict(sorted(found.items()))


def retimed(document, *tempos):
    nothing = Edit.nothing()
    other = TempoMap.of(list(tempos), document.piece.tpq)
    return document.edited(Edit(nothing.removed, nothing.changed, nothing.becomes, nothing.added, other))


@pytest.mark.parametrize("name", ["two_hands", "tempi", "bare", "dressed", "format_0", "band"])
def test_another_tempo_map_is_what_mido_plays(tmp_path, name):
    path = PIECES[name](tmp_path / "in.mid")
    document = Document(path)
    wanted = {0: 400_000, 777: 650_000, 1920: 300_000}
    data = retimed(document, *wanted.items())
    assert played(data) == wanted
    assert notes(data) == notes(path)

    def others(source):
        return [[event for event in rows if event[1].type != "set_tempo"] for rows in events(source)]

    assert others(data) == others(path)
    again = Document(path, data).piece.tempo
    assert dict(zip(again.ticks.tolist(), again.micros.tolist(), strict=True)) == wanted


def test_tempo_events_that_say_what_is_wanted_stay(tmp_path):
    path = PIECES["tempi"](tmp_path / "in.mid")
    document = Document(path)
    own = list(zip(document.piece.tempo.ticks.tolist(), document.piece.tempo.micros.tolist(), strict=True))
    assert retimed(document, *own) == path.read_bytes()
    data = retimed(document, *[(t, 123_456 if t == 5760 else m) for t, m in own])
    assert _chunks(data)[1] == _chunks(path.read_bytes())[1]  # the track that has none of it
    assert played(data)[5760] == 123_456


def test_events_that_are_no_tempo_stay_where_the_map_changes(tmp_path):
    path = ODDITIES["tempo_0"](tmp_path / "in.mid")
    data = retimed(Document(path), (0, 400_000), (480, 450_000))
    assert played(data) == {0: 400_000, 480: 450_000, 960: 0}
    assert Document(path, data).piece.tempo.micros.tolist() == [400_000, 450_000]
