"""Parts of a long answer on the shipped model: the bars in sight, then bars as they are decided, then the whole."""

from itertools import pairwise

import pytest
from test_timings import song

from fadernets.editing import decided_bars
from fadernets.studio.edit_types import EditProgress, EditRequest

BARS = 200
MOVED = {"set": {"rhythm_density": 0.75}}
COLUMNS = ("onset", "end", "pitch", "velocity", "track")


@pytest.fixture(scope="module")
def long(studio, tmp_path_factory):
    return studio.add("long.mid", song(tmp_path_factory.mktemp("long") / "long.mid", BARS).read_bytes()).id


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(decided_bars, "SECONDS", 0.0)
    monkeypatch.setattr(decided_bars, "WORK", 0)


def edited(studio, piece, regions, view=(90, 97)):
    """What was told of an answer before it, without its progress, and the answer."""
    studio.uploads.get(piece).stages.clear()
    told = []
    answer = studio.edit(EditRequest(piece=piece, seq=7, regions=regions, view=view), tell=told.append)
    return [each for each in told if not isinstance(each, EditProgress)], answer


def rows(notes, ticks=(0, 2**62)):
    columns = (getattr(notes, name) for name in COLUMNS)
    return sorted(row for row in zip(*columns, strict=True) if ticks[0] <= row[0] < ticks[1])


def test_the_bars_in_sight_come_first_then_those_that_are_decided(studio, long):
    told, whole = edited(studio, long, [MOVED])
    kinds = [each.part.is_decided for each in told]
    assert kinds == sorted(kinds)
    assert told[0].part.bars == (90, 97)
    decided = [each for each in told if each.part.is_decided]
    assert len(decided) > 1
    assert decided[0].part.bars[0] == 1
    for one, other in pairwise(decided):
        assert other.part.bars[0] == one.part.bars[1] + 1
        assert other.part.ticks[0] == one.part.ticks[1]
    for each in decided:
        assert (each.seq, each.draft, each.segments, each.regions) == (7, False, [], [])
        assert rows(each.notes) == rows(whole.notes, each.part.ticks) != []
    assert whole.part is None


def test_bars_of_the_last_of_several_regions_come_before_the_whole(studio, long):
    first = {"set": {"rhythm_density": 0.4}, "bars": [[1, 3]]}
    told, whole = edited(studio, long, [first, {**MOVED, "bars": [[5, BARS]]}])
    decided = [each for each in told if each.part.is_decided]
    assert decided
    for each in decided:
        assert rows(each.notes) == rows(whole.notes, each.part.ticks)


@pytest.mark.parametrize(
    "regions",
    [
        [{**MOVED, "move": {"dynamics": 10}}],
        [{**MOVED, "variation": {"index": 0, "count": 2}}],
        [MOVED, {"bars": [[1, 1]], "notes": {"add": [[1, 0, 480, 60, 80]]}}],
    ],
    ids=["other faders come after the model", "answers that are still to be ordered", "notes over the faders"],
)
def test_nothing_is_decided_before_the_whole_is(studio, long, regions):
    told, _ = edited(studio, long, regions)
    assert not any(each.part.is_decided for each in told)


def test_a_short_piece_is_answered_at_once(studio, tmp_path):
    piece = studio.add("short.mid", song(tmp_path / "short.mid", 60).read_bytes()).id
    assert edited(studio, piece, [MOVED])[0] == []


def test_what_is_known_is_not_told_again(studio, long):
    edited(studio, long, [MOVED])
    told = []
    studio.edit(EditRequest(piece=long, regions=[MOVED], view=(1, 8)), tell=told.append)
    assert told == []
