"""MIDI in and out. mido and pretty_midi are the oracles; the package reads event by event on its own."""

import io
import os
from itertools import pairwise

import mido
import numpy as np
import pretty_midi
import pytest
from midi_files import BROKEN, ODDITIES, PIECES, TPQ, Meta, events, metre, notes, raw, riff, right, save, tempo, track

from fadernets import files
from fadernets.errors import FadernetsError
from fadernets.music import reader, smf
from fadernets.music.document import Document, Edit
from fadernets.music.notes import NOTE, MetreMap, TempoMap, make_notes
from fadernets.music.smf import MidiError

ROW = ["onset", "end", "pitch", "velocity"]


@pytest.fixture(params=PIECES)
def piece_file(request, tmp_path):
    return PIECES[request.param](tmp_path / "in.mid")


def rows(piece):
    """Sorted (onset, end, pitch, velocity, chunk, channel), as `notes` gives them."""
    where = [(t.chunk, t.channel) for t in piece.tracks]
    return sorted((*(int(n[k]) for k in ROW), *where[n["track"]]) for n in piece.notes)


def change(removed=(), moved=(), ends=(), added=(), of=None):
    """An edit; `moved` notes of the document `of` get other `ends`."""
    rows = np.array(moved, np.int64)
    becomes = of.piece.notes[rows] if of else make_notes([])
    becomes["end"] = ends
    return Edit(np.array(removed, np.int64), rows, becomes, make_notes(list(added)))


# Reading


def test_a_document_has_the_notes_that_mido_finds(piece_file):
    assert rows(Document(piece_file).piece) == notes(piece_file)


def test_read_and_document_agree(piece_file):
    fast, full = reader.read(piece_file), Document(piece_file).piece
    assert fast.tpq == full.tpq
    assert sorted(fast.notes[ROW].tolist()) == sorted(full.notes[ROW].tolist())
    for name in ("tempo", "metre"):
        one, other = vars(getattr(fast, name)), vars(getattr(full, name))
        assert {k: np.asarray(v).tolist() for k, v in one.items()} == {
            k: np.asarray(v).tolist() for k, v in other.items()
        }
    np.testing.assert_allclose(fast.seconds(), full.seconds())


def seconds(path):
    """When mido plays the notes of a file, sorted."""
    now, found = 0.0, []
    for message in mido.MidiFile(path):  # times in seconds, the tracks merged
        now += message.time
        if message.type == "note_on" and message.velocity:
            found.append(now)
    return found


def test_seconds_are_mido_s_where_tempos_share_a_tick(tmp_path):
    path = PIECES["tempi"](tmp_path / "in.mid")
    for piece in (reader.read(path), Document(path).piece):
        np.testing.assert_allclose(sorted(piece.tempo.seconds(piece.notes["onset"])), seconds(path), atol=1e-9)
        assert piece.tempo.ticks.tolist() == [0, 480, 1921, 3840, 5760]
        assert (60e6 / piece.tempo.micros).round().tolist() == [60, 140, 150, 70, 200]


def test_many_tempos_on_a_tick_keep_their_order(tmp_path):
    """symusic sorts them unstably from some twenty on."""
    one = [tempo(60 + i, TPQ * (i // 2)) for i in range(20)]
    other = [tempo(200 + i, TPQ * i) for i in range(11)]
    path = save(tmp_path / "in.mid", track((), *one), track((), *other), track(right(16)))
    for piece in (reader.read(path), Document(path).piece):
        np.testing.assert_allclose(sorted(piece.tempo.seconds(piece.notes["onset"])), seconds(path), atol=1e-9)
        assert (60e6 / piece.tempo.micros).round().tolist() == [*range(200, 211)]


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


def test_a_stuck_note_is_one_beat_long(tmp_path):
    save(path := tmp_path / "in.mid", track([(0, 1, 60, 80)], (960, mido.Message("note_on", note=64, velocity=70))))
    piece = Document(path).piece
    assert rows(piece) == [(0, 480, 60, 80, 0, 0), (960, 1440, 64, 70, 0, 0)]
    assert piece.warnings == ["notes that are never released: 1, read as one beat long"]


def test_a_stuck_note_does_not_end_before_an_earlier_note_of_its_key(tmp_path):
    save(path := tmp_path / "in.mid", track([(0, 8, 60, 80)], (480, mido.Message("note_on", note=60, velocity=70))))
    assert rows(Document(path).piece) == [(0, 3840, 60, 80, 0, 0), (480, 3840, 60, 70, 0, 0)]


def test_notes_of_no_length_are_read_with_a_warning(tmp_path):
    piece = Document(ODDITIES["zero_length"](tmp_path / "in.mid")).piece
    assert piece.warnings == ["notes of no length: 2, read as one step long"]
    assert (2400, 2400, 81, 70, 0, 0) in rows(piece)


def test_overlapping_notes_of_a_key_pair_first_in_first_out(tmp_path):
    save(path := tmp_path / "in.mid", track([(0, 2, 60, 80), (1, 3, 60, 70)]))
    assert rows(Document(path).piece) == [(0, 960, 60, 80, 0, 0), (480, 1920, 60, 70, 0, 0)]


def test_tracks_have_names_channels_and_programs(tmp_path):
    tracks = Document(PIECES["band"](tmp_path / "in.mid")).piece.tracks
    assert [(t.name, t.channel, t.program, t.is_drum, t.is_keyboard) for t in tracks] == [
        ("drums", 9, 0, True, False),
        ("bass", 1, 33, False, False),
        ("strings", 2, 48, False, False),
        ("Piano", 0, 0, False, True),
    ]


def test_a_channel_s_program_may_stand_in_another_chunk(tmp_path):
    setup = track((), (0, mido.Message("program_change", channel=3, program=41)))
    save(path := tmp_path / "in.mid", setup, track(right(4), channel=3), track(right(4), channel=4))
    assert [t.program for t in Document(path).piece.tracks] == [41, 0]


@pytest.mark.parametrize(("name", "encoding"), [("Flöte", "utf-8"), ("Flöte", "latin-1"), ("a\n b", "ascii")])
def test_names_are_read_in_either_encoding_on_one_line(tmp_path, name, encoding):
    data = name.encode(encoding)
    chunk = b"\x00\xff\x03" + bytes([len(data)]) + data + b"\x00\x90\x3c\x40\x60\x3c\x00"
    assert Document(raw(tmp_path / "in.mid", chunk)).piece.tracks[0].name == " ".join(name.split())


def test_a_signature_or_key_that_cannot_be_does_no_harm(tmp_path):
    piece = Document(ODDITIES["odd_meta"](tmp_path / "in.mid")).piece
    assert piece.warnings == ["time signatures that no bar can have: 2, not heeded"]
    assert piece.metre.bar_lengths().tolist() == [4 * TPQ]
    assert len(piece.notes) == 48


def test_an_riff_wrapper_is_taken_off(tmp_path):
    wrapped, plain = riff(tmp_path / "in.rmi"), PIECES["two_hands"](tmp_path / "in.mid")
    assert rows(Document(wrapped).piece) == rows(Document(plain).piece)
    Document(wrapped).write(tmp_path / "out.mid")
    assert (tmp_path / "out.mid").read_bytes() == plain.read_bytes()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty", "is empty"),
        ("text", "is not a MIDI file"),
        ("truncated", "it ends in track 3 of 3"),
        ("noise", "is not a MIDI file"),
        ("noise_with_header", "is damaged"),
        ("smpte", "SMPTE frames"),
        ("no_division", "0 ticks"),
        ("format_2", "format 2"),
        ("endless", "60001 quarter notes long; at most 50000"),
    ],
)
def test_what_cannot_be_read_is_refused_by_both_readers(tmp_path, name, message):
    path = BROKEN[name](tmp_path / "in.mid")
    with pytest.raises(MidiError, match=message) as error:
        Document(path)
    assert str(path) in str(error.value)
    if name != "endless":  # a corpus has a limit of its own
        with pytest.raises(MidiError):
            reader.read(path)


def test_files_that_are_no_files_are_refused(tmp_path):
    with pytest.raises(MidiError, match="is a folder"):
        Document(tmp_path)
    with pytest.raises(MidiError, match="cannot be read"):
        Document(tmp_path / "none.mid")
    with pytest.raises(MidiError, match="is of format 7"):
        Document(raw(tmp_path / "in.mid", b"", kind=7))


@pytest.mark.parametrize(
    ("chunk", "message"),
    [
        (b"\x00\x3c\x40", "has no status"),
        (b"\x00\xf4\x40", "starts no event"),
        (b"\x81\x82\x83\x84\x05\x90\x3c\x40", "more than four bytes"),
        (b"\x00\x90\x3c", "ends too early"),
        (b"\x00\xff\x01\x09abc", "ends too early"),
        (b"\x00", "ends too early"),
    ],
)
def test_broken_events_are_named(tmp_path, chunk, message):
    with pytest.raises(MidiError, match=message):
        Document(raw(tmp_path / "in.mid", chunk))
    with pytest.raises(MidiError, match="ends in track 2 of 2"):
        Document(raw(tmp_path / "in.mid", b"\x00\xff\x2f\x00", count=2))


def test_every_cut_of_a_file_is_refused_or_read(tmp_path):
    data = PIECES["pick_up"](tmp_path / "in.mid").read_bytes()
    for size in range(len(data)):
        (tmp_path / "cut.mid").write_bytes(data[:size])
        with pytest.raises(MidiError):
            Document(tmp_path / "cut.mid")


# Bars


def bars(end, *signatures):
    return MetreMap.of(list(signatures), 10).bar_starts(end).tolist()


def test_bar_lines():
    assert bars(100) == [0, 40, 80]
    assert bars(80) == [0, 40]
    assert bars(100, (0, 3, 4)) == [0, 30, 60, 90]
    assert bars(100, (0, 6, 8)) == [0, 30, 60, 90]
    assert bars(100, (0, 1, 4), (10, 4, 4)) == [0, 10, 50, 90]
    assert bars(100, (20, 3, 4)) == [0, 20, 50, 80]  # 4/4 until the first signature
    assert bars(100, (0, 4, 4), (50, 2, 4)) == [0, 40, 50, 70, 90]  # a change starts a bar
    assert bars(100, (0, 3, 4), (0, 4, 4)) == [0, 40, 80]  # the last on a tick holds


def test_a_signature_said_again_on_a_bar_line_is_no_change():
    assert MetreMap.of([(0, 3, 4), (60, 3, 4), (90, 3, 4)], 10).ticks.tolist() == [0]
    assert MetreMap.of([(0, 3, 4), (50, 3, 4)], 10).ticks.tolist() == [0, 50]
    assert MetreMap.of([(40, 4, 4), (80, 4, 4)], 10).ticks.tolist() == [0]
    assert MetreMap.of([(0, 3, 4), (30, 4, 4), (70, 3, 4)], 10).ticks.tolist() == [0, 30, 70]


def test_impossible_signatures_make_no_endless_bars():
    assert len(MetreMap.of([(0, 0, 2**200)], 480).bar_starts(480)) == 16


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


def test_a_long_name_can_be_written(tmp_path):
    out = tmp_path / ("x" * 251 + ".mid")
    files.write_atomic(out, b"abc")
    assert out.read_bytes() == b"abc"


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


# Played on


def played_on(path, start, stop, end):
    """What `repeated` must give, by brute force on the notes that mido finds."""
    found = notes(path)
    for shift in range(stop - start, end - start, stop - start):
        for onset, last, *rest in notes(path):
            if start <= onset and onset + shift < end:
                found.append((onset + shift, min(last + shift, end), *rest))
    return sorted(found)


@pytest.mark.parametrize("passes", [0.25, 1, 2.5])
def test_bars_are_repeated_note_for_note(piece_file, passes):
    document = Document(piece_file)
    bar = 4 * document.piece.tpq
    start, stop = bar, -(-document.piece.end // bar) * bar
    end = stop + int(passes * (stop - start))
    data = document.repeated(start, stop, end)
    assert notes(data) == played_on(piece_file, start, stop, end)
    assert Document(piece_file, data).piece.tpq == document.piece.tpq
    assert [t for t, _ in mido_names(data)] == [t for t, _ in mido_names(piece_file.read_bytes())]


def mido_names(data):
    return [(tick, message) for chunk in events(data) for tick, message in chunk if message.type == "track_name"]


def test_a_repeat_has_the_tempo_and_the_bars_of_the_first_time(tmp_path):
    for name in ("tempi", "metre_change", "pick_up"):
        path = PIECES[name](tmp_path / f"{name}.mid")
        piece = Document(path).piece
        start = int(piece.metre.bar_starts(piece.end)[1])
        lines = piece.metre.bar_starts(piece.end)
        stop = int(lines[-1] + piece.metre.bar_lengths()[-1])
        longer = Document(path, Document(path).repeated(start, stop, 3 * stop - 2 * start)).piece
        ticks = np.arange(start, stop, 60)
        for shift in (0, stop - start, 2 * (stop - start)):
            times = longer.tempo.seconds(ticks + shift) - longer.tempo.seconds(start + shift)
            np.testing.assert_allclose(times, piece.tempo.seconds(ticks) - piece.tempo.seconds(start))
        wanted = sorted({int(t) + k * (stop - start) for t in lines if t >= start for k in range(3)})
        assert [int(t) for t in longer.metre.bar_starts(longer.end) if t >= start] == wanted


def test_controllers_begin_a_repeat_as_they_began_the_first_time(tmp_path):
    control, bend = mido.Message("control_change", control=64, value=127), mido.Message("pitchwheel", pitch=900)
    volume = [mido.Message("control_change", control=7, value=value) for value in (90, 40)]
    program = [mido.Message("program_change", program=value) for value in (3, 5)]
    extra = [(0, volume[0]), (0, program[0]), (2000, control), (2400, bend), (2400, volume[1]), (2400, program[1])]
    extra += [(2500, Meta("lyrics", text="la")), (4000, Meta("text", text="the end"))]
    path = save(tmp_path / "in.mid", track([(i, 1, 60, 80) for i in range(8)], metre(4), *extra))
    data = Document(path).repeated(4 * TPQ, 8 * TPQ, 14 * TPQ)
    (found,) = events(data)
    anew = [(tick, m) for tick, m in found if tick in (8 * TPQ, 12 * TPQ, 14 * TPQ)]
    rest = [control.copy(value=0), bend.copy(pitch=0), volume[0], program[0]]
    for tick in (8 * TPQ, 12 * TPQ, 14 * TPQ):
        assert sorted(map(str, (m for t, m in anew if t == tick))) == sorted(map(str, rest))
    assert [tick for tick, m in found if m == control] == [2000, 2000 + 4 * TPQ, 2000 + 8 * TPQ]
    assert [tick for tick, m in found if m.type == "lyrics"] == [2500, 2500 + 4 * TPQ, 2500 + 8 * TPQ]
    assert [tick for tick, m in found if m.type == "text"] == [4000 + 6 * TPQ]


def test_a_note_held_into_the_repeated_bars_and_one_never_released(tmp_path):
    """The first sounds once. The second gets an end, so that no later one is cut by it."""
    body = b"\x00\x90\x3c\x50\x8f\x00\x80\x3c\x00"  # C for 1920 ticks; E, then G after 480 ticks and for 480
    body += b"\x00\x90\x40\x50\x83\x60\x90\x43\x50\x83\x60\x80\x43\x00"
    path = raw(tmp_path / "in.mid", body + b"\x00\xff\x2f\x00")
    piece = Document(path).piece
    assert piece.notes["end"].tolist() == [1920, 2400, 2880]
    document = Document(path, Document(path).repeated(960, 2880, 2880 + 2 * 1920))
    assert document.piece.warnings == []
    first = [[0, 1920, 60], [1920, 2400, 64], [2400, 2880, 67]]
    again = [[a + shift, b + shift, p] for shift in (1920, 3840) for a, b, p in first[1:]]
    assert [[int(n["onset"]), int(n["end"]), int(n["pitch"])] for n in document.piece.notes] == first + again


@pytest.mark.parametrize("name", ODDITIES)
def test_odd_files_can_be_played_on(tmp_path, name):
    path = ODDITIES[name](tmp_path / "in.mid")
    piece = Document(path).piece
    stop = -(-piece.end // (4 * piece.tpq)) * 4 * piece.tpq
    longer = Document(path, Document(path).repeated(0, stop, 2 * stop)).piece
    once = rows(piece)
    assert rows(longer) == sorted(once + [(a + stop, b + stop, *rest) for a, b, *rest in once])


def test_only_what_belongs_to_a_place_is_repeated(tmp_path):
    """Words and signatures come again; names, rights, other systems' messages do not."""
    path = PIECES["dressed"](tmp_path / "in.mid")
    data = Document(path).repeated(0, 16 * TPQ, 32 * TPQ)
    twice = {"lyrics", "marker", "cue_marker", "set_tempo", "time_signature", "key_signature", "polytouch"}
    for chunk, longer in zip(events(path), events(data), strict=True):
        for kind in {message.type for _, message in chunk} - {"control_change", "pitchwheel", "aftertouch"}:
            once, found = ([t for t, m in part if m.type == kind] for part in (chunk, longer))
            if kind == "text":  # behind the last note
                assert (once, found) == ([9000], [9000 + 16 * TPQ])
            elif kind in twice:
                assert found == once + [tick + 16 * TPQ for tick in once], kind
            else:
                assert kind == "program_change" or found == once, kind
    idle = ODDITIES["idle_offs"](tmp_path / "idle.mid")
    files = io.BytesIO(idle.read_bytes()), io.BytesIO(Document(idle).repeated(0, 16 * TPQ, 32 * TPQ))
    offs = [sum(m.type == "note_off" for m in mido.MidiFile(file=file).tracks[0]) for file in files]
    assert offs[0] > offs[1] - offs[0] == len(notes(idle))


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
        assert again.notes[[*ROW, "track"]].tolist() == expected[smf.note_order(expected)][[*ROW, "track"]].tolist()
    assert sorted(again.notes["velocity"]) == sorted(expected["velocity"])
    kept = [_others(d._events, d._file.tpq) for d in (document, Document(document.path, document.edited(edit)))]
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
    expected = rows(document.piece)
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
