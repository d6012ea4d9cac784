"""A whole edit, file to file, with the bundled model. What is tested here must hold with any weights."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from midi_files import ODDITIES, PIECES, TPQ, events, left, metre, notes, right, save, tempo, track

from fadernets.attributes.table import ATTRIBUTES, CODED
from fadernets.codecs import grid
from fadernets.editing import file_edit, presets, roll_edit
from fadernets.editing.fader_curves import PerBar, Ramp
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.requests import Faders
from fadernets.engines.grid import Engine
from fadernets.engines.model_folder import DEFAULT_WINDOW_MODEL
from fadernets.errors import FadernetsError
from fadernets.music.document import Document
from fadernets.music.segments import cut

SPARSE = {"set": {"rhythm_density": 0.125}}
DENSE = {"set": {"rhythm_density": 0.75, "note_density": 4.0}}
FADERS = {
    "sparse": SPARSE,
    "dense": DENSE,
    "move": {"move": {"note_density": 1.0}},
    "arousal": {"arousal": 1.0},
    "free": {"arousal": -1.0, "set": {"note_density": 2.0}, "faithfulness": 0.0},
}


@pytest.fixture(scope="module")
def engine():
    return Engine.open().load()


@pytest.fixture
def apply(engine, tmp_path):
    """Build a piece, edit it -> (source, out, report)."""

    def run(piece, **faders):
        source = piece if isinstance(piece, Path) else {**PIECES, **ODDITIES}[piece](tmp_path / f"{piece}.mid")
        out = tmp_path / f"{source.stem}-out.mid"
        return source, out, file_edit.apply(engine, source, out, Faders(**faders))

    return run


def coded(values):
    """Of a segment's values those of the model's faders."""
    return {name: values[name] for name in CODED}


def known(values):
    """Of a segment's values those that there are."""
    return {name: value for name, value in values.items() if value is not None}


def alone(values):
    """Those that a segment has from itself: touch is measured to the next onset, which may lie behind it."""
    return {name: value for name, value in values.items() if name != "articulation"}


def difference(source, out):
    """Notes that went and notes that came."""
    a, b = Counter(notes(source)), Counter(notes(out))
    return list((a - b).elements()), list((b - a).elements())


# At rest


@pytest.mark.parametrize("name", {**PIECES, **ODDITIES})
def test_with_no_fader_moved_the_file_comes_back(apply, name):
    source, out, report = apply(name)
    assert out.read_bytes() == source.read_bytes()
    assert all(s.before == s.measured for s in report.segments)
    assert all(value is None for s in report.segments for value in s.asked.values())


@pytest.mark.parametrize("name", ["two_hands", "expressive", "tied", "waltz", "unison"])
def test_faders_at_the_segments_own_values_leave_all_as_it_is(apply, name):
    """Asked for what is there, the decoders give the source back: at rest by construction, not by a short cut."""
    source, out, report = apply(name, move={"rhythm_density": 0.0, "note_density": 0.0})
    assert out.read_bytes() == source.read_bytes()
    for s in report.segments:
        if s.asked["note_density"] is not None:
            assert known(s.asked) == coded(s.before)


def test_a_segment_may_ask_for_what_it_has(apply, engine, tmp_path):
    source = PIECES["repeated"](tmp_path / "in.mid")
    _, out, _ = apply(source, set={"rhythm_density": 1.0})
    assert out.read_bytes() == source.read_bytes()


# Only what is asked


@pytest.mark.parametrize("how", FADERS)
@pytest.mark.parametrize("name", PIECES)
def test_an_edit_leaves_all_else_as_it_was(apply, engine, name, how):
    """Other events, other tracks, short and empty segments; and the report is what a measurement of OUT says."""
    source, out, report = apply(name, **FADERS[how])
    assert events(out) == events(source)

    piece = Document(source).piece
    windows = cut(piece)
    chosen = file_edit.choose_tracks(piece)
    hands = {(piece.tracks[i].chunk, piece.tracks[i].channel) for i in chosen}
    gone, new = difference(source, out)
    assert {row[4:] for row in [*gone, *new]} <= hands
    assert gone or new or how == "arousal"  # where a segment is in the cluster already, it stays as it is
    assert {row[3] for row in new} <= set(range(1, 128))

    score = PieceOnGrid.of(piece, chosen)
    whole = np.array([w for w in score.full if (score.cells(np.array([w])) != grid.OFF).any()])
    for row in [*gone, *new]:
        w = np.searchsorted(windows.start, row[0], side="right") - 1
        assert w in whole  # nothing in a pick-up, in a short window, in an empty one

    again = {s["index"]: s for s in file_edit.measure(engine, out)["segments"]}
    first = {s["index"]: s for s in file_edit.measure(engine, source)["segments"]}
    assert [s.index for s in report.segments] == [*first]
    for s in report.segments:
        assert {k: first[s.index][k] for k in s.before} == s.before
        if s.index in again:
            assert {k: again[s.index][k] for k in s.measured} == s.measured
        else:  # nothing is left at the end of the piece
            assert coded(s.measured) == dict.fromkeys(CODED, 0.0)


@pytest.mark.parametrize("name", ODDITIES)
@pytest.mark.parametrize("how", ["sparse", "dense"])
def test_odd_files_are_edited_with_a_warning(apply, engine, name, how):
    _, out, report = apply(name, **FADERS[how])
    assert bool(report.warnings) or name == "idle_offs"
    again = {s["index"]: s for s in file_edit.measure(engine, out)["segments"]}
    for s in report.segments:
        assert {k: again[s.index][k] for k in s.measured} == s.measured


@pytest.mark.parametrize("how", ["sparse", "dense", "free"])
@pytest.mark.parametrize("name", ["two_hands", "expressive", "tied", "waltz", "six_eight", "metre_change", "pick_up"])
def test_what_lies_outside_the_bars_is_untouched(apply, name, how):
    source, out, report = apply(name, bars=[(2, 3)], **FADERS[how])
    piece = Document(source).piece
    lines = [*piece.metre.bar_starts(piece.end).tolist(), 10**9]
    low, high = lines[1], lines[3]
    outside = [row for row in notes(source) if not low <= row[0] < high or row[1] - piece.tpq / 8 >= high]
    assert not Counter(outside) - Counter(notes(out))
    assert [row for row in notes(out) if not low <= row[0] < high] == [
        row for row in notes(source) if not low <= row[0] < high
    ]
    edited = [s for s in report.segments if s.asked["note_density"] is not None]
    inside = [s for s in report.segments if low <= s.start_beat * piece.tpq <= high - 4 * piece.tpq]
    assert edited == inside
    for s in report.segments:
        if s not in edited:
            assert alone(s.before) == alone(s.measured)


@pytest.mark.parametrize("how", FADERS)
def test_notes_held_over_the_border_of_the_bars_stay(apply, how, tmp_path):
    """Into the edited bar, out of it, and through it."""
    held = [(3, 2, 60, 70), (7, 2, 64, 71), (2, 8, 48, 72)]
    near = [(3.99, 0.5, 67, 73), (7.98, 1, 69, 74)]  # just ahead of the bar lines: of the bar that they lie in
    inside = [(4 + i / 2, 0.4, 72 + i % 3, 60) for i in range(8)]
    source = save(tmp_path / "in.mid", track([*right(4), *held, *near, *inside, *right(4, 3, start=8)], metre(4)))
    _, out, _ = apply(source, bars=[(2, 2)], **FADERS[how])
    gone, new = difference(source, out)
    assert all(4 * TPQ <= row[0] < 8 * TPQ for row in [*gone, *new])
    assert gone or new or how == "arousal"
    for onset, length, pitch, velocity in held:
        row = (round(onset * TPQ), round((onset + length) * TPQ), pitch, velocity, 0, 0)
        assert row in notes(out)
    assert (round(3.99 * TPQ), round(4.49 * TPQ), 67, 73, 0, 0) in notes(out)
    assert not any(row[1] > 8 * TPQ for row in new)


def test_a_note_that_survives_keeps_its_onset_velocity_and_hand(apply):
    source, out, _ = apply("expressive", **DENSE)
    gone, new = difference(source, out)
    steps = {(round(row[0] / 24), row[2]): row for row in gone}
    kept = [row for row in new if (round(row[0] / 24), row[2]) in steps]
    for row in kept:  # the same cell: only its end may differ
        old = steps[round(row[0] / 24), row[2]]
        assert row[:1] + row[2:] == old[:1] + old[2:]
    assert len(new) > len(kept)


def test_new_notes_lie_near_the_grid_and_take_their_velocity_from_around(apply):
    source, out, _ = apply("expressive", **DENSE)
    _, new = difference(source, out)
    loud = [row[3] for row in notes(source)]
    for onset, _, _, velocity, *_ in new:
        assert abs(onset / 24 - round(onset / 24)) <= 0.5
        assert min(loud) <= velocity <= max(loud)


@pytest.mark.parametrize("how", FADERS)
@pytest.mark.parametrize("name", ["two_hands", "expressive", "unison", "repeated", "staccato"])
def test_no_key_is_struck_while_it_sounds_unless_it_was_before(apply, name, how):
    source, out, _ = apply(name, **FADERS[how])
    assert overlapping(out) <= overlapping(source)
    shortest = min(end - onset for onset, end, *_ in notes(source))
    tpq = Document(source).piece.tpq
    assert min(end - onset for onset, end, *_ in notes(out)) >= min(shortest, tpq // 16)


def overlapping(path):
    """Pairs of notes of one key and channel that sound together, by their onsets."""
    found, open_ = set(), {}
    for onset, end, pitch, _, _, channel in notes(path):
        sounding = [(a, b) for a, b in open_.get((channel, pitch), []) if b > onset]
        found |= {(channel, pitch, a, onset) for a, _ in sounding}
        open_[channel, pitch] = [*sounding, (onset, end)]
    return found


def test_one_hand_alone_does_not_strike_the_other_s_keys(apply, tmp_path):
    """Both hands on one channel, of which only one is edited."""
    hands = track(right(16), metre(4), name="right"), track(left(16), name="left")
    source = save(tmp_path / "in.mid", *hands)
    _, out, _ = apply(source, tracks=["left"], **DENSE)
    gone, new = difference(source, out)
    assert {row[4] for row in [*gone, *new]} == {1}
    assert overlapping(out) <= overlapping(source)


# Segments


def test_three_four_has_windows_of_four_beats(apply):
    _, _, report = apply("waltz", **SPARSE)
    assert [(s.bar, s.start_beat) for s in report.segments] == [(1, 0), (2, 4), (3, 8), (5, 12), (6, 16), (7, 20)]
    _, _, report = apply("waltz", bars=[(2, 4)], **SPARSE)
    assert [s.start_beat for s in report.segments if s.asked["note_density"] is not None] == [4, 8]


def test_two_four_has_two_bars_a_window_and_the_odd_one_passes_through(apply):
    source, out, report = apply("march", **DENSE)
    assert [(s.bar, s.start_beat) for s in report.segments] == [(1, 0), (3, 4), (5, 8), (7, 12)]
    late = [[row for row in notes(p) if row[0] >= 16 * TPQ] for p in (source, out)]
    assert late[0] == late[1]
    assert late[0]


def test_a_pick_up_is_segment_0_and_passes_through(apply):
    source, out, report = apply("pick_up", **SPARSE)
    assert [(s.index, s.bar, s.start_beat) for s in report.segments] == [(1, 2, 1), (2, 3, 5), (3, 4, 9), (4, 5, 13)]
    first = [[row for row in notes(p) if row[0] < TPQ] for p in (source, out)]
    assert first[0] == first[1]
    assert len(first[0]) == 2


def test_a_metre_change_starts_a_window(apply):
    _, _, report = apply("metre_change", **SPARSE)
    assert [s.start_beat for s in report.segments] == [0, 4, 8, 12, 17, 21, 25]
    assert [s.index for s in report.segments] == [0, 1, 2, 3, 5, 6, 7]


def test_empty_segments_stay_empty(apply):
    source, out, report = apply("gaps", **DENSE)
    empty = [s for s in report.segments if not any(coded(s.before).values())]
    assert [s.bar for s in empty] == [2, 3, 5, 6]
    for s in empty:
        assert known(s.measured) == {"rhythm_density": 0, "note_density": 0, "syncopation": 0, "tempo": 100}
        assert set(s.asked.values()) == {None}
        start = s.start_beat * TPQ
        assert not any(start <= row[0] < start + 4 * TPQ for row in notes(out) if row[5] != 9)
    _, new = difference(source, out)
    assert max(row[1] for row in new if row[0] < 4 * TPQ) <= 4 * TPQ


def test_a_piece_shorter_than_a_segment_passes_through(apply, tmp_path):
    source = save(tmp_path / "in.mid", track([(0, 1, 60, 80)], metre(3)))
    _, out, report = apply(source, **DENSE)
    assert out.read_bytes() == source.read_bytes()
    assert report.segments == []
    assert "nothing was edited" in report.warnings[0]


# What is asked


def test_asked_is_the_set_value_and_the_source_s_own_for_the_others(apply):
    _, _, report = apply("two_hands", set={"rhythm_density": 0.25})
    for s in report.segments:
        assert known(s.asked) == {"rhythm_density": 0.25, "note_density": s.before["note_density"]}
    _, _, report = apply("two_hands", move={"note_density": 0.5})
    for s in report.segments:
        assert s.asked["rhythm_density"] == s.before["rhythm_density"]
        assert s.asked["note_density"] == pytest.approx(s.before["note_density"] + 0.5, abs=1e-6)


def test_a_preset_holds_nothing(apply):
    _, _, report = apply("two_hands", arousal=1.0)
    assert not any(known(s.asked) for s in report.segments)
    _, _, report = apply("two_hands", arousal=1.0, set={"rhythm_density": 0.5})
    assert all(known(s.asked) == {"rhythm_density": 0.5} for s in report.segments)


@pytest.mark.parametrize("value", [0.0, 0.125, 0.3125, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("name", ["two_hands", "expressive", "staccato"])
def test_an_asked_rhythm_density_is_met(apply, name, value):
    _, _, report = apply(name, set={"rhythm_density": value})
    for s in report.segments:
        if s.asked["rhythm_density"] is not None and s.bar < 9:  # the last of `expressive` is its ring alone
            assert abs(s.measured["rhythm_density"] - value) <= 1 / 32


def test_values_outside_their_range_are_clamped_with_a_warning(apply):
    _, _, report = apply("two_hands", set={"rhythm_density": 1.5})
    assert {s.asked["rhythm_density"] for s in report.segments} == {1.0}
    assert (
        report.warnings[0]
        == "rhythm-density: 8 of 8 segments were asked for values outside 0..1 (onset steps a sixteenth); clamped"
    )
    _, _, report = apply("two_hands", set={"note_density": -100.0})
    assert {s.asked["note_density"] for s in report.segments} == {0.0}
    assert "outside 0..15" in report.warnings[0]


@pytest.mark.parametrize(("name", "value"), [("note_density", -100.0), ("rhythm_density", -100.0)])
def test_no_segment_is_emptied_by_how_far_a_density_is_to_move(apply, name, value):
    """Rhythm density keeps one onset, and note density what the onsets, which nobody touched, let sound."""
    _, _, report = apply("two_hands", move={name: value})
    for s in report.segments:
        onsets = s.before["rhythm_density"] if name == "note_density" else 1 / 16
        assert s.asked["rhythm_density"] == pytest.approx(onsets)
        assert s.asked["note_density"] >= onsets - 1e-9
        assert s.measured["rhythm_density"] >= 1 / 16
    assert any("keep one onset" in w or "since a step with an onset sounds" in w for w in report.warnings)
    _, out, report = apply("two_hands", arousal=1e300)
    assert report.warnings[0] == "preset arousal-codes=1e+300: outside -4..4; clamped"
    assert out.read_bytes() == apply("two_hands", arousal=4.0)[1].read_bytes()


def test_values_that_cannot_be_reached_are_named(apply, tmp_path):
    """One note alone has its own pitch class to climb: an octave or nothing."""
    source = save(tmp_path / "in.mid", track([(0, 1, 60, 80)], metre(4)))
    _, out, report = apply(source, move={"pitch": 5.0})
    assert out.read_bytes() == source.read_bytes()
    assert report.warnings == ["pitch: segments that ended more than 0.5 from the asked value: 1 (bars 1)"]


def test_densities_that_contradict_each_other_become_the_nearest_pair(apply):
    """A step with an onset has a note that sounds: one of them must give, and both do."""
    _, _, report = apply("two_hands", set={"rhythm_density": 1.0, "note_density": 0.0})
    assert report.warnings[0].startswith(
        "rhythm-density 1.00 and note-density 0.00 (means of 8 segments) contradict each other, since a step with an "
        "onset sounds: both are brought to "
    )
    for s in report.segments:
        assert 0 < s.asked["rhythm_density"] == s.asked["note_density"] < 1
        assert s.measured["rhythm_density"] == pytest.approx(s.asked["rhythm_density"], abs=1 / 16)
        assert s.measured["note_density"] == pytest.approx(s.asked["note_density"], abs=0.5)


@pytest.mark.parametrize(("name", "value"), [("rhythm_density", 1.0), ("note_density", 0.125)])
def test_of_contradicting_densities_the_one_that_was_asked_holds(apply, tmp_path, name, value):
    source = save(tmp_path / "in.mid", track([(i, 0.5, 60, 80) for i in range(16)], metre(4)))  # 4 struck, 8 sounding
    _, _, report = apply(source, set={name: value})
    assert "contradict each other" in report.warnings[0]
    assert f"the one not asked for is brought to {value:.2f} there" in report.warnings[0]
    for s in report.segments:
        assert coded(s.asked) == dict.fromkeys(CODED, value)


def test_densities_that_agree_are_not_warned_of(apply):
    _, _, report = apply("two_hands", set={"rhythm_density": 0.5, "note_density": 0.5})
    assert not any("contradict" in warning for warning in report.warnings)


def test_nothing_but_rests_can_be_asked_for(apply):
    _, out, report = apply("two_hands", set={"rhythm_density": 0.0, "note_density": 0.0})
    assert notes(out) == []
    assert all(coded(s.measured) == dict.fromkeys(CODED, 0.0) for s in report.segments)
    assert report.warnings == []


# Tracks


@pytest.mark.parametrize(
    ("piece", "wanted", "found"),
    [
        ("two_hands", None, ["right hand", "left hand"]),
        ("band", None, ["Piano"]),
        ("quartet", None, ["Violin", "Viola", "Cello"]),
        ("band", ["2"], ["bass"]),
        ("band", ["strings", "bass"], ["bass", "strings"]),
        ("band", ["PIANO", "4"], ["Piano"]),
        ("format_0", None, ["all in one"]),
    ],
)
def test_tracks_are_chosen(tmp_path, piece, wanted, found):
    whole = Document(PIECES[piece](tmp_path / "in.mid")).piece
    assert [whole.tracks[i].name for i in file_edit.choose_tracks(whole, wanted)] == found


@pytest.mark.parametrize("wanted", ["1", "drums", "9", "0", "-1", "²", "organ", "9" * 5000])
def test_a_track_that_is_none_is_refused(tmp_path, wanted):
    whole = Document(PIECES["band"](tmp_path / "in.mid")).piece
    with pytest.raises(FadernetsError, match=r"no such pitched track; the file has 2 'bass', 3 'strings', 4 'Piano'"):
        file_edit.choose_tracks(whole, [wanted])


def test_a_named_track_alone_is_edited(apply):
    source, out, report = apply("band", tracks=["bass"], **SPARSE)
    gone, new = difference(source, out)
    assert {row[5] for row in [*gone, *new]} == {1}
    assert {s.before["note_density"] for s in report.segments} == {0.9375 + 0.0625}


# Bars


@pytest.mark.parametrize(
    ("bars", "edited"),
    [([(1, 1)], [1]), ([(2, 3), (5, 5)], [2, 3, 5]), ([(7, 99)], [7, 8]), ([(1, 8)], [*range(1, 9)])],
)
def test_bars_are_counted_from_1(apply, bars, edited):
    _, _, report = apply("two_hands", bars=bars, **SPARSE)
    assert [s.bar for s in report.segments if s.asked["note_density"] is not None] == edited


def test_bars_behind_the_piece_are_refused(apply):
    with pytest.raises(FadernetsError, match=r"^bars 9-12: the piece has 8 bars"):
        apply("two_hands", bars=[(9, 12)])


def test_bars_too_short_for_a_segment_are_said_to_be(apply):
    source, out, report = apply("march", bars=[(1, 1)], **SPARSE)
    assert out.read_bytes() == source.read_bytes()
    assert report.warnings == ["no segment of four beats with notes lies in the chosen bars: nothing was edited"]


# The report and the file


def test_the_report_as_json(apply):
    _, _, report = apply("two_hands", **SPARSE)
    found = json.loads(json.dumps(report.as_dict()))
    assert list(found) == ["model", "seed", "preset", "segments", "means", "warnings"]
    assert list(found["segments"][0]) == ["index", "bar", "start_beat", "before", "asked", "measured"]
    for part in ("before", "asked", "measured"):
        assert list(found["segments"][0][part]) == list(ATTRIBUTES)
    assert {part: list(values) for part, values in found["means"].items()} == {
        "before": list(ATTRIBUTES),
        "measured": list(ATTRIBUTES),
    }


def test_an_edit_may_overwrite_its_source(apply, engine, tmp_path):
    source, out, _ = apply("two_hands", **DENSE)
    file_edit.apply(engine, source, source, Faders(**DENSE))
    assert source.read_bytes() == out.read_bytes()


def test_out_is_left_as_it_was_where_the_input_cannot_be_used(engine, tmp_path):
    (tmp_path / "in.mid").write_bytes(b"MThd")
    (tmp_path / "out.mid").write_bytes(b"as it was")
    with pytest.raises(FadernetsError):
        file_edit.apply(engine, tmp_path / "in.mid", tmp_path / "out.mid", Faders())
    assert (tmp_path / "out.mid").read_bytes() == b"as it was"
    assert len(list(tmp_path.iterdir())) == 2


def test_segments_are_independent_of_how_they_are_batched(apply, monkeypatch):
    """The first bars come out the same, whatever is decoded beside them."""
    _, out, _ = apply("two_hands", **DENSE)
    whole = notes(out)
    monkeypatch.setattr(roll_edit, "BATCH", 3)
    _, out, _ = apply("two_hands", **DENSE)
    assert notes(out) == whole


def test_the_same_seed_file_and_model_give_the_same_bytes(apply):
    """In processes of their own, of which hashing is seeded differently."""
    source, out, _ = apply("expressive", **DENSE, seed=5)
    found = []
    for i in ("1", "2"):
        again = source.with_name(f"again-{i}.mid")
        command = [sys.executable, "-m", "fadernets.cli", "apply", str(source), str(again), "--seed", "5"]
        command += ["--set", "rhythm-density=0.75", "--set", "note-density=4", "--model", DEFAULT_WINDOW_MODEL]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": i})
        found.append(again.read_bytes())
    assert found == [out.read_bytes()] * 2


def test_a_ramp_runs_from_the_first_edited_segment_to_the_last(apply):
    _, _, report = apply("two_hands", set={"rhythm_density": Ramp(0.25, 0.75)}, bars=[(2, 6)])
    edited = [s for s in report.segments if s.asked["rhythm_density"] is not None]
    assert [s.bar for s in edited] == [2, 3, 4, 5, 6]
    assert [s.asked["rhythm_density"] for s in edited] == pytest.approx([0.25, 0.375, 0.5, 0.625, 0.75])
    assert [s.measured["rhythm_density"] for s in edited] == pytest.approx([0.25, 0.375, 0.5, 0.625, 0.75])


def test_a_ramp_of_moves_starts_from_each_segments_own(apply):
    _, _, report = apply("two_hands", move={"note_density": Ramp(0.0, 1.0)})
    for i, s in enumerate(report.segments):
        assert s.asked["note_density"] == pytest.approx(s.before["note_density"] + i / (len(report.segments) - 1))


def test_values_by_bar(apply):
    """Bars without a value stay note for note; a fader without one is held."""
    per_bar = PerBar(Path("values.csv"), {"rhythm_density": {2: 0.75, 5: 0.25}, "note_density": {5: 3.0}}, {})
    _, _, report = apply("two_hands", per_bar=per_bar)
    for s in report.segments:
        if s.bar in (2, 5):
            wanted = {2: (0.75, s.before["note_density"]), 5: (0.25, 3.0)}[s.bar]
            assert (s.asked["rhythm_density"], s.asked["note_density"]) == pytest.approx(wanted)
            assert s.measured["rhythm_density"] == pytest.approx(wanted[0])
        else:
            assert not known(s.asked)
            assert alone(s.measured) == alone(s.before)
    with pytest.raises(FadernetsError, match=r"values\.csv: bar 99; the piece has bars 1 to 8"):
        apply("two_hands", per_bar=PerBar(Path("values.csv"), {"note_density": {99: 3.0}}, {}))


def test_a_value_of_a_bar_stays_under_a_preset(apply):
    """The preset moves the fader where no value was given, and all others everywhere."""
    per_bar = PerBar(Path("values.csv"), {"dynamics": {2: 90.0}}, {})
    _, _, report = apply("two_hands", per_bar=per_bar, preset=presets.load("arousal"), amount=1.0)
    for s in report.segments:
        assert s.asked["dynamics"] == pytest.approx(90.0 if s.bar == 2 else s.before["dynamics"] + 4.72, abs=0.01)


def test_variations_land_and_differ(engine, tmp_path):
    source = PIECES["expressive"](tmp_path / "in.mid")
    outs = [tmp_path / f"out-{i}.mid" for i in range(3)]
    told = []
    made = file_edit.write_variations(engine, source, outs, Faders(**DENSE), lambda *at: told.append(at))
    assert made.outs == outs
    assert len({out.read_bytes() for out in outs}) == 3
    assert made.log_odds == sorted(made.log_odds, reverse=True)
    for report in made.reports:
        edited = [s for s in report.segments if s.asked["rhythm_density"] is not None]
        assert all(coded(s.measured) == coded(s.asked) for s in edited)
    for i, row in enumerate(made.difference):
        assert row[i] == 0
        assert row == [other[i] for other in made.difference]
        assert all(0.2 < d <= 1 for j, d in enumerate(row) if j != i)
    assert told[-1] == (told[-1][1], told[-1][1])
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    again = file_edit.write_variations(engine, source, outs, Faders(**DENSE))
    assert again.as_dict() == made.as_dict()
    text = file_edit.table_of(made)
    assert [line.rsplit("  ", 1)[-1] for line in text.splitlines()[1:]] == [str(out) for out in outs]


def test_one_variation_is_the_edit(apply, engine, tmp_path):
    source, out, report = apply("two_hands", **DENSE)
    made = file_edit.write_variations(engine, source, [tmp_path / "one.mid"], Faders(**DENSE))
    assert (tmp_path / "one.mid").read_bytes() == out.read_bytes()
    assert made.reports == [report]


def test_variations_without_a_critic_and_at_rest(engine, tmp_path, monkeypatch):
    source = PIECES["two_hands"](tmp_path / "in.mid")
    outs = [tmp_path / f"out-{i}.mid" for i in range(2)]
    monkeypatch.setattr(engine, "critic", None)
    made = file_edit.write_variations(engine, source, outs, Faders(**DENSE))
    assert made.log_odds == [None, None]
    assert made.difference[0][1] > 0
    assert file_edit.write_variations(engine, source, outs, Faders()).difference == [[0, 0], [0, 0]]
    assert [notes(out) for out in outs] == [notes(source)] * 2


def test_another_seed_may_answer_otherwise_and_lands_too(apply):
    found = []
    for seed in range(4):
        _, out, report = apply("expressive", **DENSE, seed=seed)
        found.append(out.read_bytes())
        edited = [s for s in report.segments if s.asked["rhythm_density"] is not None]
        assert all(coded(s.measured) == coded(s.asked) == DENSE["set"] for s in edited)
    assert len(set(found)) > 1


def test_progress_is_told(engine, tmp_path):
    told = []
    source = PIECES["two_hands"](tmp_path / "in.mid")
    file_edit.apply(engine, source, tmp_path / "out.mid", Faders(**DENSE), lambda *at: told.append(at))
    assert told[-1] == (8, 8)


def test_a_long_piece_is_edited_with_a_warning(apply, tmp_path):
    source = save(tmp_path / "in.mid", track(right(260), tempo(4), metre(4)))
    _, _, report = apply(source, **SPARSE)
    assert report.warnings[0] == "the piece lasts 1.1 hours, 65 segments: this takes a while"


def test_a_model_without_clusters_has_no_preset(apply, engine, monkeypatch):
    monkeypatch.setattr(engine, "label", None)
    with pytest.raises(FadernetsError, match="no arousal clusters"):
        apply("two_hands", arousal=1.0)


# The faders beyond the model

ADDED = {
    "syncopation": {"set": {"syncopation": 3.0}},
    "pitch": {"move": {"pitch": 5.0}},
    "dynamics": {"set": {"dynamics": 101.0}},
    "articulation": {"set": {"articulation": 0.35}},
    "tempo": {"set": {"tempo": 77.0}},
    "key": {"move": {"key": 2.0}},
}
OWN = {"pitch": 2, "dynamics": 3, "articulation": 1, "key": 2}  # the place of what it changes in a row of `notes`


def all_notes(path):
    """Rows as `notes` gives them, with those that are never released, of files that mido cannot read too."""
    piece = Document(path).piece
    where = [(t.chunk, t.channel) for t in piece.tracks]
    names = ("onset", "end", "pitch", "velocity")
    return sorted((*(int(n[k]) for k in names), *where[n["track"]]) for n in piece.notes)


def other_events(path, but=None):
    """All events but notes and ends of tracks, and those of the type `but`, in quarter notes."""
    document = Document(path)
    left_out = (b"\xff\x2f", but)
    return [
        [(tick / document.piece.tpq, m) for tick, m in track if m[0] >> 4 not in (8, 9) and m[:2] not in left_out]
        for track in document.paired.events
    ]


@pytest.mark.parametrize("fader", ADDED)
@pytest.mark.parametrize("name", {**PIECES, **ODDITIES})
def test_an_added_fader_at_rest_changes_no_byte(apply, name, fader):
    source, out, report = apply(name, move={fader: 0.0})
    assert out.read_bytes() == source.read_bytes()
    assert not any("from the asked value" in warning for warning in report.warnings)
    assert any(s.asked[fader] is not None for s in report.segments)


@pytest.mark.parametrize("fader", ADDED)
@pytest.mark.parametrize("name", {**PIECES, **ODDITIES})
def test_an_added_fader_moves_its_own_in_the_asked_bars_alone(apply, engine, name, fader):
    """And the report is what a measurement of OUT says."""
    bars = (2, 3) if name != "odd_meta" else (1, 2)
    source, out, report = apply(name, bars=[bars], **ADDED[fader])
    piece = Document(source).piece
    assert other_events(out, b"\xff\x51") == other_events(source, b"\xff\x51")
    a, b = Counter(all_notes(source)), Counter(all_notes(out))
    scale = 12 if name == "coarse" and out.read_bytes() != source.read_bytes() else 1
    assert scale == 1 or Document(out).piece.tpq == piece.tpq
    gone, new = list((a - b).elements()), list((b - a).elements())
    windows = cut(piece.only(file_edit.choose_tracks(piece)))
    inside = [w for w in range(len(windows.start)) if windows.bar[w] >= bars[0] and windows.last_bar[w] <= bars[1]]
    for row in [*gone, *new]:
        assert any(windows.start[w] <= row[0] < windows.end[w] for w in inside)
    if fader in OWN and name != "unison":

        def rest(rows):
            return sorted(row[: OWN[fader]] + row[OWN[fader] + 1 :] for row in rows)

        if fader != "key" or name not in ("stuck", "expressive"):  # there two come to share a key
            assert rest(gone) == rest(new)
    if fader == "tempo":
        assert not gone
        assert not new
    else:
        assert other_events(out) == other_events(source)
    again = {s["index"]: s for s in file_edit.measure(engine, out)["segments"]}
    for s in report.segments:
        assert {k: again[s.index][k] for k in s.measured} == s.measured
        heard = s.before["key"] is not None and s.before[fader] is not None
        assert s.asked[fader] is None or (s.index in inside and heard)
        assert s.asked[fader] is not None or not (s.index in inside and heard)


@pytest.mark.parametrize("name", ["two_hands", "expressive", "waltz", "pick_up", "metre_change", "format_0"])
@pytest.mark.parametrize("fader", [name for name in ADDED if name != "key"])
def test_an_added_fader_lands(apply, name, fader):
    _, _, report = apply(name, **ADDED[fader])
    away = [
        abs(s.asked[fader] - s.measured[fader])
        for s in report.segments
        if s.asked[fader] is not None and s.before["rhythm_density"]  # a ring alone has nothing to move
    ]
    assert away
    assert max(away) <= ATTRIBUTES[fader].near + 1e-6


@pytest.mark.parametrize("fader", ["tempo", "dynamics", "pitch", "rhythm_density"])
def test_a_ramp_of_any_fader_runs_over_the_asked_bars(apply, fader):
    low, high = {"tempo": (60, 120), "dynamics": (50, 90), "pitch": (58, 66), "rhythm_density": (0.25, 0.75)}[fader]
    _, _, report = apply("two_hands", set={fader: Ramp(low, high)}, bars=[(2, 6)])
    asked = [s.asked[fader] for s in report.segments]
    assert asked[1:6] == pytest.approx(np.linspace(low, high, 5).tolist())
    assert asked[0] is asked[6] is asked[7] is None
    _, _, report = apply("pick_up", set={fader: Ramp(low, high)})  # the pick-up goes along, level
    asked = [s.asked[fader] for s in report.segments]
    assert asked == pytest.approx(np.linspace(low, high, 4).tolist())


def test_faders_together_land_together(apply):
    asked = {"rhythm_density": 0.5, "note_density": 3.0, "pitch": 62.0, "dynamics": 90.0, "tempo": 88.0, "key": 21}
    _, _, report = apply("two_hands", set=asked)
    for s in report.segments:
        for name, value in asked.items():
            if name != "key":
                assert s.asked[name] == value
                assert abs(s.measured[name] - value) <= ATTRIBUTES[name].near + 1e-6
    assert report.means["measured"]["key"] == "A minor"


def test_a_new_key_reaches_every_pitched_track_unless_tracks_are_named(apply):
    source, out, report = apply("band", move={"key": 2.0})
    assert report.means["before"]["key"] != report.means["measured"]["key"]
    assert [(*row[:2], row[2] + 2 * (row[5] != 9), *row[3:]) for row in notes(source)] == sorted(
        notes(out), key=lambda row: (row[0], row[1], row[2] - 2 * (row[5] != 9), *row[3:])
    )
    source, out, _ = apply("band", move={"key": 2.0}, tracks=["strings"])
    gone, new = difference(source, out)
    assert {row[5] for row in [*gone, *new]} == {2}


def test_a_new_key_reaches_bars_in_which_the_keyboard_rests(apply, tmp_path):
    strings = [(i, 1, 60 + (0, 4, 7, 5)[i % 4], 60) for i in range(12)]
    source = save(
        tmp_path / "in.mid",
        track([], tempo(100), metre(4)),
        track(right(4, start=4), name="piano", program=0),
        track(strings, channel=1, name="strings", program=48),
    )
    _, out, _ = apply(source, move={"key": 1.0})
    assert sorted(row[2] for row in notes(out)) == sorted(row[2] + 1 for row in notes(source))
    _, out, _ = apply(source, move={"key": 1.0}, bars=[(1, 2)])
    moved = [row for row in notes(out) if row not in notes(source)]
    assert {row[0] // (4 * TPQ) for row in moved} == {0, 1}
    assert {row[5] for row in moved if row[0] < 4 * TPQ} == {1}


def test_tempo_goes_on_behind_the_last_edited_note(apply, tmp_path):
    """Drums after the piano's end do not fall back."""
    beat = [(i, 0.1, 36, 90) for i in range(16)]
    source = save(tmp_path / "in.mid", track(right(8), tempo(100), metre(4), program=0), track(beat, channel=9))
    _, out, _ = apply(source, set={"tempo": 50.0})
    assert (60e6 / Document(out).piece.tempo.micros).tolist() == [50]
    last = [max(tick for tick, _ in Document(file).paired.events[0]) for file in (out, source)]
    assert last[0] == last[1]
    _, out, _ = apply(source, set={"tempo": 50.0}, bars=[(1, 1)])
    tempi = Document(out).piece.tempo
    assert (tempi.ticks.tolist(), (60e6 / tempi.micros).tolist()) == ([0, 4 * TPQ], [50, 100])


def test_what_lies_beyond_a_range_may_stay_there(apply, tmp_path):
    source = save(tmp_path / "in.mid", track(right(8), tempo(350), metre(4)))
    _, out, report = apply(source, set={"tempo": 349.999})
    assert not report.warnings
    assert Document(out).piece.seconds() == pytest.approx(Document(source).piece.seconds(), rel=1e-4)
    _, _, report = apply(source, set={"tempo": 400.0}, bars=[(2, 2)])
    limits = "outside 20..300 (quarter notes a minute)"
    assert report.warnings[0] == f"tempo: 1 of 1 segments were asked for values {limits}; clamped"


def test_faders_on_bars_without_a_segment_are_said_to_do_nothing(apply):
    for fader in ADDED.values():
        source, out, report = apply("march", bars=[(1, 1)], **fader)
        assert out.read_bytes() == source.read_bytes()
        assert "nothing was edited" in report.warnings[0]


@pytest.mark.parametrize("fader", ADDED)
@pytest.mark.parametrize(
    "rows", [[(0, 1, 60, 80)], [(0, 1, p, 127) for p in (48, 60, 64)], [(1, 0, 60, 1), (2, 1, 60, 1)]]
)
def test_a_few_notes_are_enough(apply, tmp_path, rows, fader):
    source = save(tmp_path / "in.mid", track(rows, metre(4)))
    _, out, report = apply(source, **ADDED[fader])
    assert len(Document(out).piece.notes) >= 1
    s = report.segments[0]
    assert s.asked[fader] is not None
    missed = s.measured[fader] != s.asked[fader] if fader == "key" else abs(s.asked[fader] - s.measured[fader]) > 1
    assert not missed or report.warnings


@pytest.mark.parametrize("tpq", [24, 25, 97, 1024])
def test_added_faders_count_any_ticks(apply, tmp_path, tpq):
    hands = [track(rows, metre(4), channel=c, tpq=tpq) for c, rows in enumerate((right(16), left(16)))]
    source = save(tmp_path / "in.mid", *hands, tpq=tpq)
    asked = {"syncopation": 2.0, "pitch": 64.0, "dynamics": 90.0, "articulation": 0.5, "tempo": 90.0}
    _, _, report = apply(source, set=asked)
    for s in report.segments:
        for name, value in asked.items():
            assert abs(s.measured[name] - value) <= ATTRIBUTES[name].near + 1e-6


# Measuring


def test_measure_names_every_segment_and_the_means(engine, tmp_path):
    found = file_edit.measure(engine, PIECES["gaps"](tmp_path / "in.mid"))
    assert list(found) == ["model", "tracks", "segments", "means", "warnings"]
    assert [list(s) for s in found["segments"]] == [
        ["index", "bar", "start_beat", *(name for name in ATTRIBUTES if name != "key"), "key", "arousal"]
    ] * 6
    heard = [s for s in found["segments"] if s["note_density"]]
    assert [s["bar"] for s in heard] == [1, 4]
    for s in found["segments"]:
        assert (s["key"] is None) == (s not in heard)
        assert (s["arousal"] is None) == (s not in heard)
    assert all(0 <= s["arousal"] <= 1 for s in heard)
    for name in ("rhythm_density", "note_density", "arousal"):
        assert found["means"][name] == pytest.approx(np.mean([s[name] for s in heard]), abs=2e-6)
    assert [t["edited"] for t in found["tracks"]] == [True, False]


def test_measure_by_hand(engine, tmp_path):
    """C major: a chord of three for two beats, then a scale of eighths in one voice."""
    chord = [(0, 2, pitch, 80) for pitch in (60, 64, 67)]
    scale = [(2 + i / 2, 0.5, pitch, 80) for i, pitch in enumerate((72, 74, 76, 77))]
    found = file_edit.measure(engine, save(tmp_path / "in.mid", track(chord + scale, metre(4))))
    (only,) = found["segments"]
    assert only["rhythm_density"] == 5 / 16
    assert only["note_density"] == (3 * 8 + 8) / 16
    assert only["key"] == found["means"]["key"] == "C major"


# Real files


def real_files():
    """Six game pieces, six pop songs, six Lieder, Mozart's variations and one performance."""
    folder = Path(os.environ["FADERNETS_DATA"])
    found = []
    for pattern in ("vgmidi/labelled/midi/*.mid", "pop909/POP909/*/*.mid", "openscore_lieder/midi/**/*.mid"):
        files = sorted(folder.glob(pattern))
        found += files[:: len(files) // 6][:6]
    found += sorted(folder.glob("tavern_k265/**/*.mid"))[:1]
    return found + sorted(folder.glob("maestro-v2.0.0-subset/2018/*.midi"))[:1]


@pytest.mark.shared
@pytest.mark.parametrize("number", range(20))
def test_real_files(apply, engine, number):
    """Exact outside the bars, measured as a measurement of OUT says, and nothing struck twice."""
    source = real_files()[number]
    rng = random.Random(number)
    windows = cut(Document(source).piece)
    first = rng.randint(1, max(int(windows.last_bar.max()) - 8, 1))
    how = rng.choice([*FADERS.values(), {}])
    _, out, report = apply(source, bars=[(first, first + 8)], **how)

    assert events(out) == events(source)
    gone, new = difference(source, out)
    lines = [w for w in range(len(windows.bar)) if windows.bar[w] >= first and windows.last_bar[w] <= first + 8]
    ticks = [(windows.start[w], windows.end[w]) for w in lines]
    assert all(any(a <= row[0] < b for a, b in ticks) for row in [*gone, *new])
    assert overlapping(out) <= overlapping(source)
    again = {s["index"]: s for s in file_edit.measure(engine, out)["segments"]}
    for s in report.segments:
        if s.index in again:
            assert {k: again[s.index][k] for k in s.measured} == s.measured
    if not how:
        assert out.read_bytes() == source.read_bytes()
