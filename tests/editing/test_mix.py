"""Two files to one: A's rhythm, B's notes. What is tested here must hold with any weights, unless it says otherwise."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from midi_files import BROKEN, ODDITIES, PIECES, TPQ, events, left, metre, notes, right, save, tempo, track

from fadernets.attributes import of_cells
from fadernets.codecs import grid
from fadernets.editing import file_edit, mix, roll_edit
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.engines.grid import Engine
from fadernets.errors import FadernetsError
from fadernets.music.document import Document
from fadernets.music.segments import STEPS, cut

SIZES = st.integers(1, 300)


@pytest.fixture(scope="module")
def engine():
    return Engine.open().load()


def mix_files(engine, a, b, out, options=None, progress=None):
    """Write B with A's rhythm; the report."""
    data, report = mix.mix_documents(engine, Document(a), Document(b), options, progress)
    out.write_bytes(data)
    return report


@pytest.fixture(params=["pop-lieder", "toy"])
def any_engine(request, engine, exported):
    return engine if request.param == "pop-lieder" else Engine.open(exported[True][0])


@pytest.fixture
def mixed(engine, tmp_path):
    """Build two pieces, mix them -> (A, B, OUT, report)."""

    def run(a, b, engine=engine, **options):
        sources = []
        for name, piece in (("a", a), ("b", b)):
            build = {**PIECES, **ODDITIES}.get(piece) if isinstance(piece, str) else None
            sources.append(build(tmp_path / f"{name}.mid") if build else piece)
        out = tmp_path / "out.mid"
        return *sources, out, mix_files(engine, *sources, out, mix.Options(**options))

    return run


def cells_of(path, wanted=None):
    """Cells [S, 16, 88] of a file's full segments, and where each starts in ticks."""
    piece = Document(path).piece
    score = PieceOnGrid.of(piece, file_edit.choose_tracks(piece, wanted), cut(piece))
    return score.cells(score.full), score.windows.start[score.full]


def count(path):
    return Counter(notes(path))


def rows_of(piece):
    """A piece's notes as (onset, end, pitch, velocity, chunk, channel)."""
    where = [(t.chunk, t.channel) for t in piece.tracks]
    return [(*row[:4], *where[row[4]]) for row in piece.notes.tolist()]


def onset_steps(cells):
    return (cells == grid.ONSET).any(-1)


def bars(*rhythms, pitch=60):
    """A bar for each list of onset beats; every note lasts up to the next one."""
    rows = []
    for i, rhythm in enumerate(rhythms):
        for onset, end in zip(rhythm, [*rhythm[1:], 4], strict=True):
            rows += [(4 * i + onset, end - onset, pitch + 4 * voice, 80) for voice in range(3)]
    return rows


# Which segment meets which


def test_bars_that_are_no_segments_when_they_come_again(mixed, tmp_path):
    """The metre changes in the last bar, where no note is left: played on, that bar is two short ones."""
    b = save(tmp_path / "b.mid", track([(0, 1, 60, 80), (1, 1, 64, 80)], metre(4), metre(3, tick=1200)))
    with pytest.raises(
        FadernetsError, match=r"b\.mid: its bars cannot be repeated, since the metre changes behind its"
    ):
        mixed("two_hands", b)
    assert mixed("two_hands", b, stretch=True)[-1].lengths["out"] == 1


def test_the_shorter_one_repeats_from_its_start():
    a, b = mix.pairs(3, 7)
    assert a.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert b.tolist() == [*range(7)]
    a, b = mix.pairs(5, 2)
    assert a.tolist() == [*range(5)]
    assert b.tolist() == [0, 1, 0, 1, 0]
    assert [x.tolist() for x in mix.pairs(2, 2)] == [[0, 1], [0, 1]]


@pytest.mark.parametrize(
    ("count_a", "count_b", "expected"),
    [
        (2, 4, [0, 0, 1, 1]),
        (4, 2, [0, 2]),
        (3, 4, [0, 0, 1, 2]),
        (4, 3, [0, 1, 2]),
        (1, 3, [0, 0, 0]),
        (3, 1, [0]),
        (3, 3, [0, 1, 2]),
    ],
)
def test_stretched_a_goes_once_over_b(count_a, count_b, expected):
    a, b = mix.pairs(count_a, count_b, stretch=True)
    assert a.tolist() == expected
    assert b.tolist() == [*range(count_b)]


@given(SIZES, SIZES, st.booleans())
def test_pairs_are_of_segments_that_are_there(count_a, count_b, stretch):
    a, b = mix.pairs(count_a, count_b, stretch)
    assert len(a) == len(b) == (count_b if stretch else max(count_a, count_b))
    assert (a[0], b[0]) == (0, 0)
    assert ((a >= 0) & (a < count_a)).all()
    assert set(b.tolist()) == set(range(count_b))
    if stretch:
        assert (np.diff(a) >= 0).all()
        assert np.abs(a / count_a - b / count_b).max() < 1 / count_a
    else:
        assert set(a.tolist()) == set(range(count_a))


# The code that is decoded


def test_transposed_moves_every_note_and_loses_what_leaves_the_keyboard():
    cells = grid.from_notes(np.array([(0, 4, 21), (4, 8, 60), (8, 16, 108)]))[None]
    assert grid.decode(mix.transposed(cells, 3)[0]).tolist() == [[0, 4, 24], [4, 8, 63]]
    assert grid.decode(mix.transposed(cells, -2)[0]).tolist() == [[4, 8, 58], [8, 16, 106]]
    assert (mix.transposed(cells, 0) == cells).all()


def test_the_part_of_a_code_is_its_mean_over_twelve_keys(engine, segments):
    found = mix.rhythm_part(engine, segments[:3])
    codes = [engine.encode(np.roll(segments[:3], k, axis=-1))["rhythm"] for k in range(-5, 7)]  # none reaches an edge
    np.testing.assert_allclose(found, np.mean(codes, axis=0), atol=1e-5)
    assert mix.rhythm_part(engine, segments[:0]).shape == (0, found.shape[1])


def test_parts_do_not_depend_on_the_batch(engine, segments, monkeypatch):
    whole = mix.rhythm_part(engine, segments[:7])
    monkeypatch.setattr(mix, "BATCH", 3)
    np.testing.assert_allclose(mix.rhythm_part(engine, segments[:7]), whole, atol=1e-5)


def test_the_part_says_more_of_the_rhythm_than_of_the_key(engine, segments):
    """With the shipped weights: another key changes it less than another segment does."""
    found = mix.rhythm_part(engine, segments)
    moved = mix.rhythm_part(engine, mix.transposed(segments, 2))
    apart = np.linalg.norm(found[:, None] - found[None], axis=-1)
    assert np.linalg.norm(found - moved, axis=-1).mean() < 0.5 * apart[apart > 0].mean()


def test_agreement_is_the_share_of_equal_steps():
    one, other = np.zeros((2, 1, STEPS, 88), np.uint8)
    one[0, [0, 4, 8], 40], other[0, [0, 4, 9], 50] = grid.ONSET, grid.ONSET
    assert mix.agreements(one, other).tolist() == [14 / 16]
    assert mix.agreements(one, one).tolist() == [1.0]


# At rest


@pytest.mark.parametrize("name", {**PIECES, **ODDITIES})
def test_a_piece_mixed_with_itself_comes_back(mixed, name):
    _, source, out, report = mixed(name, name)
    assert out.read_bytes() == source.read_bytes()
    assert {s.agreement["out"] for s in report.segments} <= {1.0}
    assert all(s.out == s.b for s in report.segments)


@pytest.mark.parametrize("name", ["two_hands", "tied", "waltz"])
def test_stretched_or_less_faithful_it_comes_back_as_well(mixed, name, any_engine):
    for options in ({"stretch": True}, {"faithfulness": 0.75}):
        _, source, out, _ = mixed(name, name, engine=any_engine, **options)
        assert out.read_bytes() == source.read_bytes()


def test_a_rhythm_in_other_keys_and_at_another_speed_is_the_same_rhythm(mixed, tmp_path):
    """B has A's onsets: no step is to move, and densities are those of B."""
    rhythms = [[0, 1, 2, 3], [0, 1.5, 2], [0, 0.5, 1, 2.75], [0, 2]]
    a = save(tmp_path / "a.mid", track(bars(*rhythms, pitch=55), tempo(200), metre(4)))
    b = save(tmp_path / "b.mid", track(bars(*rhythms, pitch=62), tempo(60), metre(4)))
    _, _, out, report = mixed(a, b)
    for s in report.segments:
        assert s.agreement == {"b": 1.0, "out": 1.0}
    assert (onset_steps(cells_of(out)[0]) == onset_steps(cells_of(b)[0])).all()


# A's rhythm


@pytest.mark.parametrize(
    ("a", "b"),
    [("two_hands", "repeated"), ("repeated", "two_hands"), ("tied", "two_hands"), ("two_hands", "expressive")],
)
def test_onsets_fall_where_those_of_a_do(mixed, any_engine, a, b):
    a, b, out, report = mixed(a, b, engine=any_engine)
    given_a, _ = cells_of(a)
    found, _ = cells_of(out)
    ours = [s for s in report.segments if s.mixed]
    assert len(ours) >= 6
    for i, s in enumerate(report.segments):
        if s.mixed and i < len(found) - 1:  # the last of `expressive` is its ring alone
            assert (onset_steps(found[i]) == onset_steps(given_a[i % len(given_a)])).all()
            assert s.out["rhythm_density"] == s.a["rhythm_density"]
    assert report.means["agreement"]["out"] > report.means["agreement"]["b"]


@pytest.mark.parametrize("faithfulness", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("a", ["repeated", "syncopated"])
def test_the_shipped_model_brings_the_rhythm_and_keeps_the_notes(mixed, tmp_path, a, faithfulness):
    offbeat = bars(*[[0, 0.75, 1.5, 2.25, 3, 3.75]] * 8, pitch=50)
    source = a if a in PIECES else save(tmp_path / "other.mid", track(offbeat, metre(4)))
    _, b, out, report = mixed(source, "two_hands", faithfulness=faithfulness)
    assert report.means["agreement"]["out"] > report.means["agreement"]["b"]
    for s in report.segments:
        assert s.out["rhythm_density"] == pytest.approx(s.a["rhythm_density"], abs=1 / 16)
        assert s.out["note_density"] == pytest.approx(s.b["note_density"], abs=0.5)
    before, after = (of_cells.pitch_classes(cells_of(path)[0]).astype(float) for path in (b, out))
    cosine = (before * after).sum(-1) / np.linalg.norm(before, axis=-1) / np.linalg.norm(after, axis=-1)
    assert cosine.mean() > 0.8


def test_a_shorter_rhythm_goes_round(mixed, tmp_path):
    a = save(tmp_path / "a.mid", track(bars([0], [0, 1, 2, 3], [0, 2]), metre(4)))
    _, b, out, report = mixed(a, "two_hands")
    assert report.lengths == {"a": 3, "b": 8, "out": 8}
    assert [s.a["bar"] for s in report.segments] == [1, 2, 3, 1, 2, 3, 1, 2]
    assert [s.out["rhythm_density"] for s in report.segments] == [n / 16 for n in (1, 4, 2, 1, 4, 2, 1, 4)]
    assert events(out) == events(b)


def test_a_stretched_rhythm_goes_once(mixed, tmp_path):
    a = save(tmp_path / "a.mid", track(bars([0], [0, 1, 2, 3]), metre(4)))
    _, _, _, report = mixed(a, "two_hands", stretch=True)
    assert report.lengths == {"a": 2, "b": 8, "out": 8}
    assert [s.out["rhythm_density"] for s in report.segments] == [1 / 16] * 4 + [4 / 16] * 4
    longer = save(tmp_path / "longer.mid", track(bars(*[[0], [0, 1, 2, 3]] * 8), metre(4)))
    _, _, _out, report = mixed(longer, "two_hands", stretch=True)
    assert report.lengths == {"a": 16, "b": 8, "out": 8}
    assert [s.a["bar"] for s in report.segments] == [*range(1, 16, 2)]


# B's frame


@pytest.mark.parametrize("b", PIECES)
def test_all_but_the_notes_of_the_mixed_segments_is_b(mixed, engine, b):
    """Other events, other tracks, pick-ups, short and empty segments; and the report is what a measurement says."""
    _, b, out, report = mixed("repeated", b, stretch=True)
    assert events(out) == events(b)
    piece = Document(b).piece
    windows = cut(piece)
    hands = {(piece.tracks[i].chunk, piece.tracks[i].channel) for i in file_edit.choose_tracks(piece)}
    gone, new = (list((x - y).elements()) for x, y in ((count(b), count(out)), (count(out), count(b))))
    assert {row[4:] for row in [*gone, *new]} <= hands
    ours = {s.index for s in report.segments if s.mixed}
    for row in [*gone, *new]:
        assert int(np.searchsorted(windows.start, row[0], side="right")) - 1 in ours
    for s in report.segments:
        assert s.mixed == (s.b["note_density"] > 0)
        assert s.mixed or s.out == s.b
    again = {s["index"]: s for s in file_edit.measure(engine, out)["segments"]}
    first = {s["index"]: s for s in file_edit.measure(engine, b)["segments"]}
    for s in report.segments:
        for side, found in ((s.out, again), (s.b, first)):
            if s.index in found:
                assert {name: found[s.index][name] for name in side} == side
            else:
                assert side == {"rhythm_density": 0.0, "note_density": 0.0, "key": None}


def test_segments_of_a_in_which_no_note_begins_leave_b_alone(mixed, tmp_path):
    """A rest, a bar that is held through, and notes outside the keyboard."""
    held = [(8, 8, 60, 80), (16, 1, 10, 80), (20, 1, 60, 80)]
    a = save(tmp_path / "a.mid", track([*bars([0, 1]), *held, *[(24 + i, 1, 60, 80) for i in range(8)]], metre(4)))
    _, b, out, report = mixed(a, "two_hands")
    assert [s.mixed for s in report.segments] == [True, False, True, False, False, True, True, True]
    assert "segments that stay as B has them, since no note begins in A's: 3 of 8" in report.warnings
    for s in report.segments:
        first, last = s.start_beat * TPQ, (s.start_beat + 4) * TPQ
        if not s.mixed:
            same = [[row for row in notes(path) if first <= row[0] < last] for path in (b, out)]
            assert same[0] == same[1]


def test_nothing_to_mix_is_said(mixed, tmp_path):
    late = save(tmp_path / "a.mid", track([(4, 1, 60, 80)], metre(4)))
    early = save(tmp_path / "b.mid", track([(0, 1, 60, 80), (7, 0.1, 10, 80)], metre(4)))
    _, b, out, report = mixed(late, early)
    assert out.read_bytes() == b.read_bytes()
    assert "no segment in which a note of A begins meets one with notes of B: OUT is B" in report.warnings
    assert report.means["agreement"] == {"b": None, "out": None}
    assert report.means["out"]["key"] is not None


def test_tracks_of_both_can_be_named(mixed):
    _a, b, out, report = mixed("band", "two_hands", tracks_a=["bass"], tracks_b=["left hand"])
    assert {s.a["rhythm_density"] for s in report.segments} == {0.25}
    assert {row[4] for row in (count(b) - count(out)) + (count(out) - count(b))} == {2}
    for s in report.segments:
        assert s.out["rhythm_density"] == 0.25


# B is the shorter one


def test_bars_of_b_are_played_again(mixed, tmp_path):
    """A is B twice and a half: what is written is A, note for note."""
    once = [*right(16), *left(16)]
    again = [row for row in once if row[0] < 8]
    rows = [(row[0] + shift, *row[1:]) for shift, part in ((0, once), (16, once), (32, again)) for row in part]
    rows = [(onset, min(length, 40 - onset), *rest) for onset, length, *rest in rows]
    a = save(tmp_path / "a.mid", track(rows, metre(4)))
    b = save(tmp_path / "b.mid", track(once, metre(4)))
    _, _, out, report = mixed(a, b)
    assert report.lengths == {"a": 10, "b": 4, "out": 10}
    assert notes(out) == notes(a)


@pytest.mark.parametrize("b", {**PIECES, **ODDITIES})
def test_any_piece_can_be_played_on(tmp_path, b):
    path = {**PIECES, **ODDITIES}[b](tmp_path / "b.mid")
    document = Document(path)
    windows = cut(document.piece)
    full = int(windows.full.sum())
    for wanted in (full + 1, 2 * full, 3 * full + 1):
        longer, found = mix.play_on(document, windows, wanted)
        assert found.full.sum() == wanted
        assert longer.piece.tpq == document.piece.tpq
        whole = found.start < windows.end[-1]
        for name in ("start", "base", "bar"):
            ours = getattr(found, name)[whole][: len(windows.start)]
            assert ours.tolist()[:-1] == getattr(windows, name).tolist()[:-1]
        assert longer.piece.end <= found.end[-1]
        assert [t.name for t in longer.piece.tracks] == [t.name for t in document.piece.tracks]


@pytest.mark.parametrize("b", {**PIECES, **ODDITIES})
def test_a_repeated_frame_is_mixed_like_any_other(mixed, tmp_path, b):
    rng = random.Random(0)
    a = save(tmp_path / "a.mid", track(bars(*[sorted(rng.sample(range(4), 2)) for _ in range(17)]), metre(4)))
    _, b, out, report = mixed(a, b)
    assert report.lengths["out"] == len(report.segments) == 17
    ours = [s for s in report.segments if s.mixed]
    assert ours
    assert sum(s.agreement["out"] for s in ours) > sum(s.agreement["b"] for s in ours)
    assert all(s.out == s.b for s in report.segments if not s.mixed)
    pieces = [Document(path).piece for path in (b, out)]
    assert pieces[0].tpq == pieces[1].tpq
    edited = {(pieces[0].tracks[i].chunk, pieces[0].tracks[i].channel) for i in file_edit.choose_tracks(pieces[0])}
    found = [[row for row in rows_of(piece) if row[4:] not in edited] for piece in pieces]
    assert found[1][: len(found[0])] == found[0]


# The report


def test_the_report_as_json(mixed):
    _, _, _, report = mixed("two_hands", "gaps", seed=4)
    found = json.loads(json.dumps(report.as_dict()))
    assert list(found) == ["model", "seed", "control", "lengths", "segments", "means", "warnings"]
    assert (found["model"], found["seed"]) == ("pop-lieder", 4)
    assert found["lengths"] == {"a": 8, "b": 6, "out": 8}
    values = ["rhythm_density", "note_density", "key"]
    for s in found["segments"]:
        assert list(s) == ["index", "bar", "start_beat", "mixed", "a", "b", "out", "agreement"]
        assert list(s["a"]) == ["bar", *values]
        assert list(s["b"]) == list(s["out"]) == values
        assert list(s["agreement"]) == ["b", "out"]
    assert list(found["means"]) == ["a", "b", "out", "agreement"]
    assert all(list(found["means"][side]) == values for side in ("a", "b", "out"))
    heard = [s["out"] for s in found["segments"] if s["out"]["key"]]
    for name in values[:2]:
        assert found["means"]["out"][name] == pytest.approx(np.mean([s[name] for s in heard]), abs=2e-6)
    ours = [s["agreement"]["out"] for s in found["segments"] if s["mixed"]]
    assert 0 < len(ours) < 8
    assert found["means"]["agreement"]["out"] == pytest.approx(np.mean(ours), abs=2e-6)


def test_warnings_say_whose_file_they_are_about(mixed):
    _, _, _, report = mixed("stuck", "zero_length")
    assert any(w.startswith("A: notes that are never released") for w in report.warnings)
    assert any(w.startswith("B: notes of no length") for w in report.warnings)


def test_targets_that_were_missed_are_named(mixed, tmp_path):
    """An onset on the last step alone leaves no room for the notes of a bar of sixteenths in two voices."""
    a = save(tmp_path / "a.mid", track(bars([3.75]), metre(4)))
    b = save(
        tmp_path / "b.mid", track([(i / 4, 0.25, 30 + 3 * i + k, 80) for i in range(16) for k in (0, 5)], metre(4))
    )
    _, _, _, report = mixed(a, b)
    (only,) = report.segments
    assert only.out["rhythm_density"] == 1 / 16
    assert any(w.startswith("note-density: segments that ended more than 0.5") for w in report.warnings)


def test_segments_are_independent_of_how_they_are_batched(mixed, monkeypatch):
    _, _, out, _ = mixed("repeated", "two_hands")
    whole = notes(out)
    monkeypatch.setattr(roll_edit, "BATCH", 3)
    _, _, out, _ = mixed("repeated", "two_hands")
    assert notes(out) == whole


def test_bars_of_other_lengths_are_told(mixed):
    said = "A has bars of 3 quarter notes, B of 4: A's rhythm runs across bar lines"
    assert said in mixed("waltz", "two_hands")[-1].warnings
    for a in ("repeated", "pick_up"):
        assert not any("bar lines" in text for text in mixed(a, "two_hands")[-1].warnings)


def test_progress_is_told(engine, tmp_path):
    told = []
    a, b = (PIECES[name](tmp_path / f"{name}.mid") for name in ("repeated", "two_hands"))
    mix_files(engine, a, b, tmp_path / "out.mid", progress=lambda *at: told.append(at))
    assert told[-1] == (8, 8)


def test_out_may_be_either_source(mixed, engine, tmp_path):
    a, b, out, _ = mixed("repeated", "two_hands")
    whole = out.read_bytes()
    a2 = tmp_path / "a2.mid"
    a2.write_bytes(a.read_bytes())
    mix_files(engine, a2, b, a2)
    mix_files(engine, a, b, b)
    assert a2.read_bytes() == b.read_bytes() == whole


# The command


@pytest.fixture
def run(run_here):
    """Run `fadernets mix` here -> (exit code, standard output, lines of standard error)."""
    return partial(run_here, "mix")


@pytest.fixture
def refused(run, tmp_path):
    """Run a command that must fail: exit code 2, one line, OUT as it was. Returns the line."""

    def refused(*arguments):
        before = {p: p.read_bytes() if p.is_file() else None for p in tmp_path.rglob("*")}
        code, out, err = run(*arguments)
        assert (code, out, len(err)) == (2, "", 1)
        assert err[0].startswith("fadernets mix: error: ")
        assert {p: p.read_bytes() if p.is_file() else None for p in tmp_path.rglob("*")} == before
        return err[0]

    return refused


@pytest.fixture
def two(tmp_path):
    return PIECES["repeated"](tmp_path / "a.mid"), PIECES["two_hands"](tmp_path / "b.mid")


def test_the_command_prints_a_table(run, two, tmp_path):
    code, out, err = run(*two, tmp_path / "out.mid")
    assert (code, err) == (0, [])
    lines = out.splitlines()
    assert len(lines) == 2 + 8 + 1
    assert lines[0].split() == ["bar", "A", "bar", "rhythm", "density", "note", "density"]
    assert lines[1].split() == ["A", "B", "out"] * 2 + ["key", "(B,", "out)"]
    first = lines[2].split()
    assert first[:2] == ["1", "1"]
    assert first[2] == first[4] == "1.00"  # sixteenths
    assert [line.split()[1] for line in lines[2:10]] == ["1", "2", "3", "4", "1", "2", "3", "4"]
    assert lines[-1].split()[0] == "mean"


def test_the_command_prints_json_and_takes_every_option(run, two, tmp_path):
    options = "--stretch --faithfulness 0.5 --tracks left\thand --tracks-a 1 --model pop-lieder --seed 3 --json"
    code, out, err = run(*two, tmp_path / "out.mid", *(o.replace("\t", " ") for o in options.split(" ")))
    found = json.loads(out)
    assert code == 0
    assert err == [f"warning: {w}" for w in found["warnings"]]
    assert (found["seed"], found["lengths"]["out"]) == (3, 8)
    assert {row[4] for row in count(two[1]) - count(tmp_path / "out.mid")} == {2}


def test_the_help_says_what_is_repeated(run):
    code, out, _ = run("--help")
    text = " ".join(out.split())
    assert code == 0
    for part in ("The shorter piece repeats from its start", "--stretch", "--tracks-a LIST", "--faithfulness F"):
        assert part in text


@pytest.mark.parametrize("name", BROKEN)
def test_files_that_cannot_be_used(refused, two, tmp_path, name):
    out = tmp_path / "out.mid"
    out.write_bytes(b"as it was")
    bad = BROKEN[name](tmp_path / "bad.mid")
    assert "bad.mid: " in refused(bad, two[1], out)
    assert "bad.mid: " in refused(two[0], bad, out)


def test_files_that_are_not_there_or_too_short(refused, two, tmp_path):
    out = tmp_path / "out.mid"
    for place in (0, 1):
        sources = [*two]
        sources[place] = tmp_path / "none.mid"
        assert "none.mid: cannot be read (No such file or directory)" in refused(*sources, out)
        sources[place] = tmp_path
        assert "is a folder, not a MIDI file" in refused(*sources, out)
        sources[place] = save(tmp_path / "short.mid", track([(0, 1, 60, 80)], metre(3)))
        assert "short.mid: has no segment of four beats" in refused(*sources, out)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--faithfulness 1.5", "must lie in 0..1"),
        ("--faithfulness nan", "must lie in 0..1"),
        ("--tracks 3", "b.mid: --tracks 3: no such pitched track; the file has 1 'right hand', 2 'left hand'"),
        ("--tracks-a feet", "a.mid: --tracks-a feet: no such pitched track; the file has 1 'repeated'"),
        ("--tracks-a ,", "--tracks-a ,: expected numbers or names"),
        ("--tracks ,", "--tracks ,: expected numbers or names"),
        ("--model none", "is neither a bundled model nor a folder"),
    ],
)
def test_options_that_make_no_sense(refused, two, tmp_path, options, message):
    assert message in refused(*two, tmp_path / "out.mid", *options.split())


def test_outputs_that_cannot_be_written(refused, two, tmp_path):
    assert "its folder" in refused(*two, tmp_path / "none" / "out.mid")
    assert "is a folder; name a file" in refused(*two, tmp_path)


def test_a_process_of_its_own_imports_nothing_heavy_and_gives_the_same_bytes(engine, two, tmp_path):
    program = (
        "import sys\nfrom fadernets.cli.main import main\ncode = main(sys.argv[1:])\n"
        "print(sorted({'torch', 'symusic', 'mido', 'matplotlib'} & set(sys.modules)), file=sys.stderr)\nsys.exit(code)"
    )
    found = []
    for i in ("1", "2"):
        out = tmp_path / f"out-{i}.mid"
        command = [sys.executable, "-c", program, "mix", *map(str, two), str(out)]
        environment = {**os.environ, "PYTHONHASHSEED": i}
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300, env=environment)
        assert done.stderr.strip() == "[]"
        found.append(out.read_bytes())
    mix_files(engine, *two, tmp_path / "out.mid")
    assert found == [(tmp_path / "out.mid").read_bytes()] * 2


def test_errors_are_those_of_the_package(engine, tmp_path):
    with pytest.raises(FadernetsError, match=r"none\.mid: cannot be read"):
        mix_files(engine, tmp_path / "none.mid", tmp_path / "none.mid", tmp_path / "out.mid")
    assert not list(tmp_path.iterdir())


# Real files


def real_pairs():
    """Twelve pairs of game pieces, Lieder and pop songs on a score's bar lines."""
    folder = Path(os.environ["FADERNETS_DATA"])
    kinds = []
    for pattern in ("vgmidi/labelled/midi/*.mid", "pop909_cl/POP909_processed/*.mid", "openscore_lieder/midi/*.mid"):
        files = sorted(folder.glob(pattern))
        kinds.append(files[7 :: len(files) // 8])
    rng = random.Random(0)
    found = [(rng.choice(a), rng.choice(b)) for a in kinds for b in kinds for _ in range(3)]
    return [(a, b) for a, b in found if a != b][:24:2]


@pytest.mark.shared
@pytest.mark.parametrize("number", range(12))
def test_real_pairs(mixed, number):
    """The rhythm comes nearer to A's, the harmony stays B's."""
    a, b = real_pairs()[number]
    _, _, out, report = mixed(a, b)
    agreement = report.means["agreement"]
    assert agreement["out"] > 0.97 >= agreement["b"]
    for s in report.segments:
        assert s.mixed or s.out == s.b
    ours = [s for s in report.segments if s.mixed]
    assert np.mean([abs(s.out["rhythm_density"] - s.a["rhythm_density"]) for s in ours]) < 0.01
    assert mido.MidiFile(out).length > 0


# The paper's control


def test_an_analogy_is_one_decode_of_a_s_rhythm_with_b_s_notes_and_key(engine, segments, monkeypatch):
    """Section 5: z_rhythm of A, z_note and key of B; the decoder of the shipped model is told A's and B's densities."""
    a, b = segments[:4], segments[4:8]
    decoded, decode = [], Engine.decode
    monkeypatch.setattr(
        Engine, "decode", lambda self, *given, **more: decoded.append((given, more)) or decode(self, *given)
    )
    found = mix.analogy(engine, a, b)
    ((codes, key, values, held), more) = decoded[0]
    assert len(decoded) == 1
    assert more == {}
    assert (codes["rhythm"] == engine.encode(a)["rhythm"]).all()
    assert (codes["note"] == engine.encode(b)["note"]).all()
    assert (key == of_cells.key(b)).all()
    told = dict(zip(engine.coded, values.T, strict=True))
    assert (told["rhythm_density"] == of_cells.rhythm_density(a)).all()
    assert (told["note_density"] == of_cells.note_density(b)).all()
    assert (held == (b[:, 0] == grid.HOLD)).all()
    assert (found == decode(engine, *decoded[0][0]).cells).all()


def test_what_the_paper_s_control_writes_is_what_is_decoded(mixed, any_engine):
    """No landing, no choice: every segment reads as its decode, but for holds of nothing."""
    a, b, out, report = mixed("two_hands", "tied", engine=any_engine, control="paper")
    assert report.as_dict()["control"] == "paper"
    cells_a, cells_b, cells = (cells_of(path)[0] for path in (a, b, out))
    from_a, from_b = mix.pairs(len(cells_a), len(cells_b))
    expected = mix.analogy(any_engine, cells_a[from_a], cells_b[from_b])
    onsets = [one == grid.ONSET for one in (expected, cells)]
    assert np.array_equal(*onsets)
    assert onsets[0].any()
    assert not (cells == cells_b[from_b]).all()


def test_the_paper_s_control_does_not_rest(mixed):
    """A piece with itself is a free decode of its own codes, which is not the piece."""
    _, source, out, _ = mixed("two_hands", "two_hands", control="paper")
    assert out.read_bytes() != source.read_bytes()


def test_models_without_the_codes_say_so(segments):
    class Whole:
        name = "whole"

        def encode(self, cells):
            return {"z": np.zeros((len(cells), 4))}

    with pytest.raises(FadernetsError, match="whole: has no codes of rhythm and notes"):
        mix.analogy(Whole(), segments[:1], segments[1:2])
    with pytest.raises(FadernetsError, match="control 'open'; allowed: closed, paper"):
        mix.Options(control="open")
    with pytest.raises(FadernetsError, match=r"rewriter: rewrites passages; this needs a model of the paper's windows"):
        Engine.open("rewriter")
