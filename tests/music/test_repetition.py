"""Sections played again, note for note and with the state that they began with. mido is the oracle."""

import io

import mido
import numpy as np
import pytest
from midi_files import (
    ODDITIES,
    PIECES,
    TPQ,
    Meta,
    events,
    metre,
    notes,
    piece_rows,
    raw,
    save,
    track,
)

from fadernets.music.document import Document
from fadernets.music.repetition import repeat_section


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
    data = repeat_section(document, start, stop, end)
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
        longer = Document(path, repeat_section(Document(path), start, stop, 3 * stop - 2 * start)).piece
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
    data = repeat_section(Document(path), 4 * TPQ, 8 * TPQ, 14 * TPQ)
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
    document = Document(path, repeat_section(Document(path), 960, 2880, 2880 + 2 * 1920))
    assert document.piece.warnings == []
    first = [[0, 1920, 60], [1920, 2400, 64], [2400, 2880, 67]]
    again = [[a + shift, b + shift, p] for shift in (1920, 3840) for a, b, p in first[1:]]
    assert [[int(n["onset"]), int(n["end"]), int(n["pitch"])] for n in document.piece.notes] == first + again


@pytest.mark.parametrize("name", ODDITIES)
def test_odd_files_can_be_played_on(tmp_path, name):
    path = ODDITIES[name](tmp_path / "in.mid")
    piece = Document(path).piece
    stop = -(-piece.end // (4 * piece.tpq)) * 4 * piece.tpq
    longer = Document(path, repeat_section(Document(path), 0, stop, 2 * stop)).piece
    once = piece_rows(piece)
    assert piece_rows(longer) == sorted(once + [(a + stop, b + stop, *rest) for a, b, *rest in once])


def test_only_what_belongs_to_a_place_is_repeated(tmp_path):
    """Words and signatures come again; names, rights, other systems' messages do not."""
    path = PIECES["dressed"](tmp_path / "in.mid")
    data = repeat_section(Document(path), 0, 16 * TPQ, 32 * TPQ)
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
    files = io.BytesIO(idle.read_bytes()), io.BytesIO(repeat_section(Document(idle), 0, 16 * TPQ, 32 * TPQ))
    offs = [sum(m.type == "note_off" for m in mido.MidiFile(file=file).tracks[0]) for file in files]
    assert offs[0] > offs[1] - offs[0] == len(notes(idle))
