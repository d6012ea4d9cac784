"""Regions as layers: each on what the earlier ones left, nothing outside them, the same bytes again, stages kept."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from midi_files import PIECES, left, metre, save, tempo, track
from rule_rewriter import RuleRewriter

from fadernets.editing import file_edit
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.region_edit import StageCache, edit_by_regions, on_tracks_of, table
from fadernets.editing.regions import MOST_REGIONS, Region
from fadernets.editing.requests import Faders
from fadernets.errors import FadernetsError
from fadernets.music.beat_times import BeatTimes
from fadernets.music.document import Document

NOTE, END_OF_TRACK, TEMPO = (0x80, 0x90), 0x2F, 0x51
LEFT = Region.checked(name="busier", bars=[(2, 3)], only="left", move={"rhythm_density": 0.2}, seed=1)
RIGHT = Region.checked(bars=[(3, 5)], only="right", set={"dynamics": 100}, move={"note_density": 0.5}, seed=2)
ALL = Region.checked(name="up", bars=[(7, 7)], move={"pitch": 4})


def opened(path, name="two_hands"):
    return Document(PIECES[name](path / "in.mid"))


def outside(document, bars, tracks):
    """The notes that begin outside some bars or tracks (chunk, channel), and all else but tempo that the file holds."""
    piece = document.piece
    bar = np.searchsorted(piece.metre.bar_starts(max(piece.end, 1)), piece.notes["onset"], side="right")
    notes = Counter()
    for row, number in zip(piece.notes.tolist(), bar.tolist(), strict=True):
        own = piece.tracks[row[4]]
        if not (bars[0] <= number <= bars[1] and (own.chunk, own.channel) in tracks):
            notes[(*row[:4], own.chunk, own.channel)] += 1
    return notes, [
        [(tick, message) for tick, message in events if not _is_left_out(message)] for events in document.paired.events
    ]


def _is_left_out(message):
    return message[0] & 0xF0 in NOTE or (message[0] == 0xFF and message[1] in (END_OF_TRACK, TEMPO))


# layers


def test_each_region_meets_what_the_earlier_ones_left(tmp_path):
    document, engine = opened(tmp_path), RuleRewriter()
    found = edit_by_regions(engine, document, [LEFT, RIGHT, ALL])
    data = document.with_tracks({})
    for region in (LEFT, RIGHT, ALL):
        (answer,) = file_edit.edit_document(engine, Document(document.path, data), region.faders)
        data = answer.data
    assert found.data == data != document.with_tracks({})
    assert found.data == edit_by_regions(engine, document, [LEFT, RIGHT, ALL]).data
    assert found.data != edit_by_regions(engine, document, [LEFT, RIGHT]).data


def test_regions_that_are_left_out_do_nothing(tmp_path):
    document, engine = opened(tmp_path), RuleRewriter()
    off = replace(RIGHT, bypass=True)
    assert edit_by_regions(engine, document, [LEFT, off]).data == edit_by_regions(engine, document, [LEFT]).data
    nothing = edit_by_regions(engine, document, [off])
    assert nothing.data == document.path.read_bytes() == edit_by_regions(engine, document, []).data
    assert [row.report for row in nothing.report.regions] == [None]
    assert all(segment.before == segment.measured for segment in nothing.report.segments)
    assert table(nothing.report) == "region 1: left out"


def test_a_variation_is_one_of_several_answers(tmp_path):
    document, engine = opened(tmp_path), RuleRewriter()
    region = Region.checked(bars=[(2, 4)], move={"rhythm_density": 0.2}, seed=1)
    answers = file_edit.edit_document(engine, document, region.faders, 3)
    third = Region.checked(bars=[(2, 4)], move={"rhythm_density": 0.2}, seed=1, variation=(2, 3))
    assert edit_by_regions(engine, document, [third]).data == answers[2].data
    assert answers[2].data != answers[0].data


@pytest.mark.parametrize("name", ["two_hands", "band", "waltz", "six_eight", "metre_change", "expressive", "dressed"])
@pytest.mark.parametrize(
    "faders",
    [
        {"move": {"rhythm_density": 0.25}},
        {"move": {"note_density": 1, "pitch": 5}},
        {"move": {"rhythm_density": -0.2, "syncopation": 2}},
        {"set": {"dynamics": 100, "articulation": 0.3, "tempo": 150}},
        {"move": {"key": 2}, "preset": "arousal"},
    ],
)
def test_nothing_changes_outside_bars_and_tracks(tmp_path, name, faders):
    """By diff: every note that begins elsewhere, and every other event, is there as before and no other."""
    document = opened(tmp_path, name)
    number = file_edit.choose_tracks(document.piece)[0]
    own = document.piece.tracks[number]
    region = Region.checked(bars=[(2, 3)], tracks=[number + 1], seed=3, **faders)
    found = edit_by_regions(RuleRewriter(), document, [region])
    chosen = {(own.chunk, own.channel)}
    assert found.data != document.with_tracks({})
    assert outside(Document(document.path, found.data), (2, 3), chosen) == outside(document, (2, 3), chosen)


def test_tempo_moves_inside_the_bars_alone(tmp_path):
    document = opened(tmp_path)
    found = edit_by_regions(RuleRewriter(), document, [Region.checked(bars=[(2, 3)], set={"tempo": 150})])
    after, bar = Document(document.path, found.data).piece.tempo, 4 * document.piece.tpq
    assert after.ticks.tolist() == [0, bar, 3 * bar]
    assert after.micros.tolist() == [600_000, 400_000, 600_000]


def test_tracks_are_those_of_the_source(tmp_path):
    """A track that an earlier region silenced does not give its number to the next one."""
    source = opened(tmp_path).piece
    notes = track(left(32), name="left hand", channel=1, program=0)
    silenced = save(tmp_path / "silenced.mid", track((), tempo(100), metre(4)), track((), channel=0), notes)
    current = Document(silenced).piece
    assert len(current.tracks) == len(source.tracks) - 1
    assert on_tracks_of(source, current, Faders(tracks=["2"])).tracks == ["1"]
    assert on_tracks_of(source, current, Faders(only="left hand")).only == "1"
    for kept in (Faders(), Faders(only="left")):
        assert on_tracks_of(source, current, kept) is kept
    with pytest.raises(FadernetsError, match="tracks: the earlier regions left no note of track 'right hand'"):
        on_tracks_of(source, current, Faders(tracks=["right hand"]))


# reports


def test_each_region_says_what_was_asked_and_measured(tmp_path):
    document = opened(tmp_path)
    report = edit_by_regions(RuleRewriter(), document, [LEFT, RIGHT]).report
    assert [(row.number, row.name, row.bypass) for row in report.regions] == [(1, "busier", False), (2, "", False)]
    first, second = (row.report for row in report.regions)
    assert [s.bar for s in first.segments] == [2, 3]
    assert [s.bar for s in second.segments] == [3, 4, 5]
    for segment in first.segments:
        assert segment.measured["rhythm_density"] == pytest.approx(segment.asked["rhythm_density"], abs=1 / 16)
    assert all(segment.asked["dynamics"] == 100 for segment in second.segments)
    assert [s.bar for s in report.segments] == list(range(1, 9))
    assert {s.bar for s in report.segments if s.before != s.measured} <= {2, 3, 4, 5}
    plain = report.as_dict()
    assert plain["regions"][0]["report"]["segments"][0]["bar"] == 2
    lines = table(report).splitlines()
    assert lines[0] == "region 1 busier"
    assert "region 2" in lines


def test_warnings_name_their_region(tmp_path):
    quiet = Region.checked(name="loud", bars=[(2, 2)], set={"dynamics": 300})
    report = edit_by_regions(RuleRewriter(), opened(tmp_path), [LEFT, quiet]).report
    assert any(warning.startswith("region 2 (loud): dynamics: 1 of 1 segments") for warning in report.warnings)


@pytest.mark.parametrize(
    ("region", "message"),
    [
        (Region.checked(name="far", bars=[(40, 41)]), r"^region 2 \(far\): bars 40-41: the piece has 8 bars$"),
        (Region.checked(tracks=["9"]), r"^region 2: tracks 9: no such pitched track"),
        (Region.checked(only="choir"), r"^region 2: only choir: no such pitched track"),
        (Region.checked(keep=["melody:20-21"]), r"^region 2: keep melody:20-21: the piece has 8 bars$"),
    ],
)
def test_errors_name_their_region(tmp_path, region, message):
    with pytest.raises(FadernetsError, match=message):
        edit_by_regions(RuleRewriter(), opened(tmp_path), [LEFT, region])


def test_there_is_a_most_of_regions(tmp_path):
    with pytest.raises(FadernetsError, match=f"regions: {MOST_REGIONS + 1}; at most {MOST_REGIONS}"):
        edit_by_regions(RuleRewriter(), opened(tmp_path), [LEFT] * (MOST_REGIONS + 1))


def test_times_of_beats_hold_until_the_tempo_moves(tmp_path):
    document, engine = opened(tmp_path), RuleRewriter()
    beats = BeatTimes(np.arange(33) * 0.6, np.arange(33) % 4 == 0)
    faster = Region.checked(bars=[(2, 2)], set={"tempo": 150})
    assert edit_by_regions(engine, document, [LEFT, faster], beats=beats).data != document.with_tracks({})
    with pytest.raises(FadernetsError, match=r"region 2.*: beats: an earlier region moved the tempo"):
        edit_by_regions(engine, document, [faster, LEFT], beats=beats)


def test_progress_runs_over_all_regions(tmp_path):
    told = []
    edit_by_regions(RuleRewriter(), opened(tmp_path), [LEFT, ALL], progress=lambda at, of: told.append(at / of))
    assert told == sorted(told)
    assert told[-1] == 1.0


# stages


def test_the_last_region_changes_without_the_first_ones(tmp_path):
    document, engine, stages = opened(tmp_path), RuleRewriter(), StageCache()
    edit_by_regions(engine, document, [LEFT, RIGHT], stages=stages)
    tasks = len(engine.tasks)
    other = Region.checked(bars=[(3, 5)], only="right", move={"note_density": 1.0})
    found = edit_by_regions(engine, document, [LEFT, other], stages=stages)
    assert len(engine.tasks) == tasks + 1
    assert found.data == edit_by_regions(RuleRewriter(), document, [LEFT, other]).data
    renamed = [replace(LEFT, name="other"), RIGHT]
    tasks = len(engine.tasks)
    edit_by_regions(engine, document, renamed, stages=stages)
    edit_by_regions(engine, document, [*renamed, replace(ALL, bypass=True)], stages=stages)
    assert len(engine.tasks) == tasks
    edit_by_regions(engine, document, [replace(LEFT, bypass=True), RIGHT], stages=stages)
    assert len(engine.tasks) == tasks + 1


def test_a_draft_takes_what_is_known_in_full_and_is_never_taken_for_it(tmp_path):
    document, engine, stages = opened(tmp_path), RuleRewriter(), StageCache()
    full = edit_by_regions(engine, document, [LEFT, RIGHT], stages=stages)
    tasks = len(engine.tasks)
    assert edit_by_regions(engine, document, [LEFT, RIGHT], stages=stages, quick=True).data == full.data
    assert len(engine.tasks) == tasks
    other = replace(LEFT, faders=replace(LEFT.faders, move={"rhythm_density": 0.1}))
    edit_by_regions(engine, document, [other, RIGHT], stages=stages, quick=True)
    assert len(engine.tasks) == tasks + 2
    tasks = len(engine.tasks)
    edit_by_regions(engine, document, [other, RIGHT], stages=stages)
    assert len(engine.tasks) == tasks + 2


def test_stages_have_a_limit(tmp_path):
    document, engine = opened(tmp_path), RuleRewriter()
    stages = StageCache(most=1)
    edit_by_regions(engine, document, [LEFT, RIGHT], stages=stages)
    assert len(stages._stages) == 1
    tasks = len(engine.tasks)
    edit_by_regions(engine, document, [LEFT, RIGHT], stages=stages)
    assert len(engine.tasks) == tasks + 2


def test_the_source_is_measured_once(tmp_path, monkeypatch):
    document, engine, stages = opened(tmp_path), RuleRewriter(), StageCache()
    first = edit_by_regions(engine, document, [ALL], stages=stages)
    measured, measure = [], PieceOnGrid.measure
    monkeypatch.setattr(PieceOnGrid, "measure", lambda self, these: measured.append(self) or measure(self, these))
    again = edit_by_regions(engine, document, [ALL], stages=stages)
    assert again.report == first.report
    assert [piece.piece.notes.tolist() for piece in measured] == [again.document.piece.notes.tolist()]
    other = opened(tmp_path, "waltz")
    assert len(edit_by_regions(engine, other, [], stages=stages).report.segments) == 8
    assert stages.bytes_taken > 0
    stages.clear()
    assert stages.bytes_taken == 0
