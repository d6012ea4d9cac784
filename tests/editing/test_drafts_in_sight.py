"""Drafts of the bars in sight: nothing else changes, what is locked stays, and what is told of them is measured."""

from dataclasses import replace

import numpy as np
import pytest
from midi_files import PIECES, TPQ, left, metre, right, save, track
from rule_rewriter import RuleRewriter

from fadernets.attributes.table import ATTRIBUTES
from fadernets.editing.drawn_segments import MOST_AT_ONCE
from fadernets.editing.edit_grids import placed_for
from fadernets.editing.file_edit import choose_tracks
from fadernets.editing.region_edit import StageCache, draft_by_regions, edit_by_regions
from fadernets.editing.regions import Region
from fadernets.music.document import Document

BARS = 40
BUSIER = Region.checked(name="busier", move={"rhythm_density": 0.2}, seed=1)


@pytest.fixture
def document(tmp_path):
    tracks = track(right(4 * BARS), metre(4), name="r"), track(left(4 * BARS), name="l")
    return Document(save(tmp_path / "in.mid", *tracks))


def drafted(document, regions, view, stages=None, engine=None):
    """The draft when nothing waits in it any more."""
    stages, engine = stages or StageCache(), engine or RuleRewriter()
    for _ in range(BARS):
        draft, reports = draft_by_regions(engine, document, regions, view, stages)
        if not draft.is_behind:
            return draft, reports
    raise AssertionError("bars are behind for ever")


def rows(notes, ticks):
    first, behind = ticks
    chosen = notes[(notes["onset"] >= first) & (notes["onset"] < behind)]
    return sorted(chosen.tolist())


def test_a_draft_has_the_bars_in_sight_and_ticks_of_the_piece(document):
    draft, (report,) = drafted(document, [BUSIER], (17, 20))
    assert draft.bars == (17, 20)
    assert draft.ticks == (16 * 4 * TPQ - TPQ // 8, 20 * 4 * TPQ - TPQ // 8)
    before = rows(document.piece.notes, draft.ticks)
    after = sorted(draft.notes.tolist())
    assert before != after
    assert all(draft.ticks[0] <= note[0] < draft.ticks[1] for note in after)
    assert {note[4] for note in after} <= {0, 1}
    assert [segment.bar for segment in draft.segments] == [17, 18, 19, 20] == [s.bar for s in report.report.segments]
    assert draft.tempo == [(16 * 4 * TPQ, 500_000)]


def test_what_is_told_is_measured_in_the_notes_that_are_shown(document, tmp_path):
    draft, (report,) = drafted(document, [BUSIER], (17, 20))
    whole = document.piece.notes
    outside = (whole["onset"] < draft.ticks[0]) | (whole["onset"] >= draft.ticks[1])
    shown = np.sort(np.concatenate([whole[outside], draft.notes]), order=["onset", "pitch"])
    piece = replace(document.piece, notes=shown)
    placed = placed_for(RuleRewriter(), piece, choose_tracks(piece))
    for told in (draft.segments, report.report.segments):
        for segment in told:
            for name in ("rhythm_density", "note_density", "pitch"):
                assert segment.measured[name] == pytest.approx(placed.measured[name][segment.index], abs=1e-6)
    source = placed_for(RuleRewriter(), document.piece, choose_tracks(document.piece))
    for segment in draft.segments:
        assert segment.before["rhythm_density"] == pytest.approx(
            source.measured["rhythm_density"][segment.index], abs=1e-6
        )
    assert set(draft.segments[0].before) == set(ATTRIBUTES)


def test_lanes_and_locks_hold_in_a_draft(document):
    hand = Region.checked(only="l", move={"rhythm_density": 0.2}, keep=["rhythm:30-31"])
    draft, _ = drafted(document, [hand], (28, 31))
    before = document.piece.notes[document.piece.notes["track"] == 0]
    assert rows(draft.notes[draft.notes["track"] == 0], draft.ticks) == rows(before, draft.ticks)
    onsets = {note[0] for note in draft.notes.tolist() if note[0] >= 29 * 4 * TPQ}
    assert onsets == {note[0] for note in rows(document.piece.notes, (29 * 4 * TPQ, 31 * 4 * TPQ))}


def test_a_region_elsewhere_is_drafted_at_its_own_bars(document):
    draft, _ = drafted(document, [Region.checked(bars=[(5, 8)], move={"rhythm_density": 0.2})], (30, 33))
    assert draft.bars == (5, 8)
    draft, _ = drafted(document, [Region.checked(bars=[(5, 32)], move={"rhythm_density": 0.2})], (30, 33))
    assert draft.bars == (30, 32)


def test_long_views_are_drafted_around_their_middle(document):
    draft, _ = drafted(document, [BUSIER], (1, BARS))
    assert draft.bars == (13, 28)


def test_a_draft_draws_a_few_bars_at_a_time_and_none_twice(document):
    class Counting(RuleRewriter):
        drawn = ()

        def rewrite(self, task):
            self.drawn = (*self.drawn, *task.edited.tolist())
            return super().rewrite(task)

    engine, stages = Counting(), StageCache()
    draft, _ = draft_by_regions(engine, document, [BUSIER], (10, 19), stages)
    assert draft.is_behind
    assert 0 < len(set(engine.drawn)) <= MOST_AT_ONCE
    drafted(document, [BUSIER], (10, 19), stages, engine)
    drawn = engine.drawn
    drafted(document, [BUSIER], (10, 19), stages, engine)
    assert engine.drawn == drawn
    assert stages.bytes_taken > 0
    stages.clear()
    drafted(document, [BUSIER], (10, 19), stages, engine)
    assert engine.drawn != drawn


def test_a_draft_lies_over_what_is_known_of_the_regions_below(document):
    stages, engine = StageCache(), RuleRewriter()
    lower = Region.checked(bars=[(10, 20)], move={"pitch": 12})
    done = edit_by_regions(engine, document, [lower], stages=stages)
    draft, (first, _) = drafted(document, [lower, BUSIER], (12, 15), stages)
    pitches = [note["pitch"].mean() for note in (draft.notes, document.piece.notes)]
    assert pitches[0] > pitches[1] + 6
    assert [s.bar for s in first.report.segments] == [12, 13, 14, 15]
    held = {tuple(note) for note in rows(done.document.piece.notes, draft.ticks)}
    kept = held & {tuple(note) for note in draft.notes.tolist()}
    assert len(kept) > len(held) / 3
    fresh, _ = drafted(document, [lower, BUSIER], (12, 15))
    assert fresh.notes["pitch"].mean() > pitches[1] + 6


def test_frozen_bars_lie_over_a_draft(document):
    notes = {"clear": [[16 * 4 * TPQ, 17 * 4 * TPQ]], "add": [[1, 16 * 4 * TPQ, 16 * 4 * TPQ + 100, 60, 80]]}
    frozen = Region.checked(bars=[(17, 17)], notes=notes)
    draft, _ = drafted(document, [BUSIER, frozen], (17, 18))
    assert rows(draft.notes, (16 * 4 * TPQ, 17 * 4 * TPQ)) == [(16 * 4 * TPQ, 16 * 4 * TPQ + 100, 60, 80, 0)]
    assert [segment.bar for segment in draft.segments] == [18]


@pytest.mark.parametrize("name", ["waltz", "metre_change", "six_eight", "pick_up", "expressive", "band", "march"])
def test_every_kind_of_piece(tmp_path, name):
    document = Document(PIECES[name](tmp_path / "in.mid"))
    bars = len(document.piece.metre.bar_starts(document.piece.end))
    draft, _ = drafted(document, [Region.checked(move={"rhythm_density": 0.15})], (2, max(bars - 1, 2)))
    placed = placed_for(RuleRewriter(), document.piece, choose_tracks(document.piece))
    assert all(placed.windows.bar[segment.index] == segment.bar for segment in draft.segments)
    assert draft.segments


@pytest.mark.parametrize(
    "region",
    [
        Region.checked(set={"rhythm_density": (0.2, 0.8)}),
        Region.checked(move={"rhythm_density": 0.2}, keep=["12"]),
        Region.checked(notes={"remove": [[1, 0, 60]]}),
    ],
)
def test_what_means_something_in_the_whole_alone_is_drafted_as_a_whole(document, region):
    assert draft_by_regions(RuleRewriter(), document, [region], (1, 4), StageCache()) is None
    assert draft_by_regions(RuleRewriter(), document, [], (1, 4), StageCache()) is None


def test_a_key_is_that_of_the_whole(document):
    region = Region.checked(move={"key": 2})
    draft, _ = drafted(document, [region], (20, 22))
    whole = edit_by_regions(RuleRewriter(), document, [region]).document.piece.notes
    assert rows(draft.notes, draft.ticks) == rows(whole, draft.ticks)


def test_drafts_by_another_model_are_its_own(document):
    """Two models of one name, told apart by the hash of their weights, draft one piece: none shows the other's bars."""

    class Halving(RuleRewriter):
        def __init__(self):
            super().__init__()
            self.info["sha256"] = "another"

        def rewrite(self, task):
            return super().rewrite(replace(task, onsets=np.maximum(task.onsets // 2, 1)))

    stages = StageCache()
    own = [
        drafted(document, [BUSIER], (17, 20), engine=engine)[0].notes.tolist() for engine in (RuleRewriter(), Halving())
    ]
    shared = [
        drafted(document, [BUSIER], (17, 20), stages, engine)[0].notes.tolist()
        for engine in (RuleRewriter(), Halving())
    ]
    assert own[0] != own[1]
    assert shared == own
