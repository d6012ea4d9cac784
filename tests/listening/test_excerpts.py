"""Excerpts: the music that a data set or a file has at that place, and nothing else."""

from dataclasses import replace

import mido
import numpy as np
import pytest
from conftest import write_performances, write_songs
from midi_files import PIECES, TPQ, events, metre, notes, save, tempo, track

from fadernets.codecs import grid, performance_tokens
from fadernets.editing import file_edit
from fadernets.errors import FadernetsError
from fadernets.listening import excerpts
from fadernets.listening.excerpts import cut, of_dataset, of_folder
from fadernets.music.document import Document


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Songs of which six are for testing."""
    return write_songs(tmp_path_factory.mktemp("data") / "many", labelled=(2,) * 5, bars=6)


def place(excerpt):
    """(piece, first, last) as the title has it."""
    name, where = excerpt.title.split(", ")
    numbers = where.split()[1].split("-")
    return name, int(numbers[0]), int(numbers[-1])


def seconds(data):
    """Sorted (onset, end, pitch, velocity) in seconds, by mido alone."""
    import io

    found, sounding, now = [], {}, 0.0
    for message in mido.MidiFile(file=io.BytesIO(data)):
        now += message.time
        if message.type == "note_on" and message.velocity:
            sounding.setdefault(message.note, []).append((now, message.velocity))
        elif message.type in ("note_on", "note_off"):
            onset, velocity = sounding[message.note].pop(0)
            found.append((onset, now, message.note, velocity))
    assert not any(sounding.values())
    return sorted(found)


# of a data set


def test_each_piece_gives_one_excerpt_before_any_gives_two(many):
    found = [place(excerpt) for excerpt in of_dataset(many, 8, 2)]
    assert len({name for name, *_ in found[:6]}) == 6
    assert len({name for name, *_ in found[6:]}) == 2
    assert {many.manifest["pieces"][int(n[1:])]["split"] for n, *_ in found} == {"test"}
    spans = [(name, i) for name, first, last in found for i in range(first, last + 1)]
    assert len(set(spans)) == len(spans) == 16


def test_the_notes_are_those_of_the_segments(many):
    for excerpt in of_dataset(many, 6, 4, seed=1):
        name, first, last = place(excerpt)
        rows = np.flatnonzero(many.piece == int(name[1:]))[first - 1 : last]
        cells = many.cells(rows).reshape(-1, grid.PITCHES)
        cells[0][cells[0] == grid.HOLD] = grid.ONSET
        wanted = [(on * TPQ // 4, off * TPQ // 4, p + grid.LOW, 80, 0, 0) for on, off, p in grid.runs(cells).tolist()]
        assert [row[:4] for row in notes(excerpt.data)] == [row[:4] for row in sorted(wanted)]
        assert seconds(excerpt.data)[-1][1] <= 8.0


def test_the_seed_draws(many):
    assert of_dataset(many, 6, 4, seed=3) == of_dataset(many, 6, 4, seed=3)
    assert of_dataset(many, 6, 4, seed=3) != of_dataset(many, 6, 4, seed=4)


def test_a_gap_ends_a_run_and_longer_runs_come_first(many):
    index = many.index.copy()
    for p in np.unique(many.piece)[:-1]:
        index[many.piece == p] *= 2  # no segment follows another but in the last piece
    found = [place(e) for e in of_dataset(replace(many, index=index), 6, 4)]
    assert [last - first + 1 for _, first, last in found] == [4, 1, 1, 1, 1, 1]
    assert found[0][0] == f"p{many.piece[-1]}"
    assert of_dataset(replace(many, index=index), 6, 4)[1].title.split(",")[1].startswith(" segment ")


def test_too_few_segments(many):
    assert len(of_dataset(many, 36, 1)) == 36
    with pytest.raises(FadernetsError, match="its test split gives 36 excerpts, 37 are wanted; ask for fewer"):
        of_dataset(many, 37, 1)


def test_melodies_have_no_segments(melodies):
    with pytest.raises(FadernetsError, match="holds melodies"):
        of_dataset(melodies, 2)


def test_tokens_keep_what_was_played(tmp_path):
    data = write_performances(tmp_path / "data", bars=4, splits=(0, 2), labelled=0)
    rows, lengths = np.flatnonzero(data.split == 2), np.array([2.0, 1.5, 1.5, 3.0])
    data = replace(data, seconds=np.where(data.split == 2, np.resize(lengths, len(data)), data.seconds).astype("f4"))
    (excerpt,) = of_dataset(data, 1, 4)
    wanted, start = [], 0.0
    for row, length in zip(rows, data.seconds[rows].tolist(), strict=True):
        for note in performance_tokens.decode(data.codes[row]):
            if note["onset"] < length:
                end = min(note["end"], length)
                wanted.append((start + note["onset"], start + end, int(note["pitch"]), int(note["velocity"])))
        start += length
    found = sorted(seconds(excerpt.data), key=lambda n: (round(n[0], 1), n[2], n[1]))
    assert len(found) == len(wanted)
    assert np.allclose(found, sorted(wanted, key=lambda n: (round(n[0], 1), n[2], n[1])), atol=0.005)


# of files


def of_file(path, first, last):
    document = Document(path)
    return document, cut(document, file_edit.choose_tracks(document.piece), first, last)


def test_bars_of_a_file(tmp_path):
    path = PIECES["two_hands"](tmp_path / "in.mid")
    _, data = of_file(path, 2, 3)
    bar = 4 * TPQ
    wanted = [
        (on - 2 * bar, min(off, 4 * bar) - 2 * bar, *row) for on, off, *row in notes(path) if 2 * bar <= on < 4 * bar
    ]
    assert [row[:4] for row in notes(data)] == [row[:4] for row in wanted]
    assert [m.tempo for _, m in events(data)[0] if m.type == "set_tempo"] == [600_000]
    assert [row[5] for row in notes(data)] == [row[5] for row in wanted]  # two channels


def test_played_timing_stays(tmp_path):
    path = PIECES["expressive"](tmp_path / "in.mid")
    document, data = of_file(path, 1, 4)
    start, stop, early = 4 * 96, 20 * 96, 96 // 8
    own = document.piece.notes
    own = own[(own["onset"] >= start - early) & (own["onset"] < stop - early)]
    rows = [(max(n["onset"] - start, 0), min(n["end"], stop) - start, n["pitch"], n["velocity"]) for n in own]
    found = Document(path, data).piece.notes
    assert sorted(map(tuple, found[["onset", "end", "pitch", "velocity"]].tolist())) == sorted(rows)
    assert len({onset % (96 // 4) for onset, *_ in rows}) > 8  # nothing was put on a grid
    assert Document(path, data).piece.end <= stop - start


def test_tempo_changes_come_along(tmp_path):
    path = PIECES["tempi"](tmp_path / "in.mid")
    document, data = of_file(path, 1, 2)
    cut_out = Document(path, data).piece
    ticks = np.arange(0, 8 * TPQ, 7)
    own = document.piece.tempo.seconds(ticks + 4 * TPQ) - document.piece.tempo.seconds(4 * TPQ)
    assert np.allclose(cut_out.tempo.seconds(ticks), own)


def test_what_was_set_before_holds_at_the_start(tmp_path):
    path = PIECES["dressed"](tmp_path / "in.mid")
    _, data = of_file(path, 1, 2)
    found = [(tick, m.control, m.value) for tick, m in events(data)[1] if m.type == "control_change"]
    assert found == [(0, 64, 127)]  # the pedal, pressed anew on the bar line
    assert [(t, m.pitch) for t, m in events(data)[1] if m.type == "pitchwheel"] == [(0, -500)]
    assert [(t, m.program) for t, m in events(data)[1] if m.type == "program_change"] == [(0, 0), (1920, 4)]


def test_only_the_tracks_that_an_edit_takes_are_heard(tmp_path):
    path = PIECES["band"](tmp_path / "in.mid")
    _, data = of_file(path, 0, 3)
    assert {row[5] for row in notes(data)} == {0}


@pytest.mark.parametrize(
    "name", ["waltz", "march", "six_eight", "pick_up", "metre_change", "format_0", "gaps", "coarse"]
)
def test_bars_of_every_metre(tmp_path, name):
    from midi_files import ODDITIES

    (PIECES | ODDITIES)[name](tmp_path / "in.mid")
    (found,), warnings = of_folder(tmp_path, 1, 4)
    assert warnings == []
    document = Document(tmp_path / "in.mid", found.data)
    piece = document.piece
    assert piece.notes["onset"].min() < piece.metre.bar_lengths()[0]
    assert len(piece.metre.ticks) == 1
    own = Document(tmp_path / "in.mid").piece
    assert set(piece.notes["pitch"].tolist()) <= set(own.notes["pitch"].tolist())


def test_bars_are_whole_and_sound(tmp_path):
    """Silent bars, and bars next to a change of metre, are in no excerpt."""
    PIECES["metre_change"](tmp_path / "in.mid")
    titles = {of_folder(tmp_path, 1, 2, seed)[0][0].title for seed in range(40)}
    assert titles == {f"in.mid, bars {bars}" for bars in ("1-2", "3-4", "4-5", "6-7")}
    PIECES["gaps"](tmp_path / "in.mid")
    assert {of_folder(tmp_path, 1, 2, seed)[0][0].title for seed in range(20)} == {"in.mid, bar 1", "in.mid, bar 4"}


@pytest.mark.parametrize(("numerator", "bars"), [(4, 2), (3, 2), (2, 4), (1, 8), (6, 2)])
def test_short_bars_count_by_twos_and_fours(tmp_path, numerator, bars):
    save(tmp_path / "in.mid", track([(i, 1, 60 + i % 3, 80) for i in range(24)], metre(numerator)))
    (found,), _ = of_folder(tmp_path, 1, 2)
    first, last = map(int, found.title.split()[-1].split("-"))
    assert last - first + 1 == bars
    assert len(notes(found.data)) == bars * numerator


def test_a_folder_goes_round_its_files(tmp_path):
    (tmp_path / "deep").mkdir()
    for i in range(3):
        PIECES["two_hands"](tmp_path / ("deep" if i else ".") / f"{i}.mid")
    found, _ = of_folder(tmp_path, 6, 4)
    titles = [excerpt.title for excerpt in found]
    assert {title.split(",")[0] for title in titles[:3]} == {"0.mid", "deep/1.mid", "deep/2.mid"}
    assert len(set(titles)) == 6
    assert [e.title for e in of_folder(tmp_path, 6, 4)[0]] == titles
    # A second excerpt of a file takes none of the first one's bars.
    bars = [(t.split(",")[0], *map(int, t.split()[-1].split("-"))) for t in titles]
    heard = [(name, bar) for name, first, last in bars for bar in range(first, last + 1)]
    assert len(heard) == len(set(heard))


def test_files_that_cannot_serve_are_named(tmp_path):
    from midi_files import BROKEN

    PIECES["two_hands"](tmp_path / "good.mid")
    for name in ("text", "no_notes", "only_drums", "truncated"):
        BROKEN[name](tmp_path / f"{name}.mid")
    with pytest.raises(FadernetsError, match=r"its 5 MIDI files give 8 excerpts, 9 are wanted; ask for fewer"):
        of_folder(tmp_path, 9, 1)
    found, warnings = of_folder(tmp_path, 2, 4)
    assert [e.title.split(",")[0] for e in found] == ["good.mid", "good.mid"]
    assert len(warnings) == 4
    assert "no_notes.mid: left out (the file has no notes)" in warnings
    assert all(str(tmp_path) not in warning for warning in warnings)


def test_a_folder_without_midi(tmp_path):
    with pytest.raises(FadernetsError, match="is neither a prepared data set nor a folder with MIDI files"):
        of_folder(tmp_path, 1)


def test_bars_that_last_too_long_are_no_excerpt(tmp_path):
    slow = [(i, 1, 60 + i % 3, 80) for i in range(16)]
    save(tmp_path / "in.mid", track(slow, tempo(10), metre(4)))
    (found,), _ = of_folder(tmp_path, 1, 4)
    assert found.title.startswith("in.mid, bars ")
    assert seconds(found.data)[-1][1] <= excerpts.SECONDS[1]
