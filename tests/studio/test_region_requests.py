"""Regions in the studio: layers of one request, what each was asked and got, the sidecar, and how far faders go."""

import json

import pytest

from fadernets.attributes.table import ATTRIBUTES
from fadernets.editing import region_edit
from fadernets.editing.note_layers import MOST_ROWS
from fadernets.editing.regions import RegionList
from fadernets.editing.request_values import bar_ranges
from fadernets.errors import FadernetsError
from fadernets.music.document import Document
from fadernets.studio.edit_types import DescribeRequest, EditRequest, RenderRequest
from fadernets.studio.fader_requests import LOCKED
from fadernets.studio.service import StaleRequest
from fadernets.studio.sockets import MOST_MESSAGE

LEFT = {"name": "busier", "bars": [[2, 3]], "only": "left", "move": {"rhythm_density": 0.2}, "seed": 1}
RIGHT = {"bars": [[3, 5]], "only": "right", "set": {"dynamics": 100}, "keep": ["melody"], "locked": [4]}
OFF = {"name": "later", "bars": [[7, 8]], "move": {"pitch": 5}, "bypass": True}


@pytest.fixture(scope="module")
def hands(upload):
    """Eight bars for two hands."""
    return upload("two_hands")


def ask(piece, *regions, of=EditRequest, **more):
    return of.model_validate({"piece": piece, "regions": [*regions], **more})


def rows(notes):
    return sorted(zip(*(getattr(notes, name) for name in ("onset", "end", "pitch", "velocity", "track")), strict=True))


@pytest.fixture
def counted(monkeypatch):
    """The faders of every edit that is computed and not remembered."""
    asked, edit = [], region_edit.file_edit.edit_document

    def counting(engine, document, faders, *arguments, **options):
        asked.append(faders)
        return edit(engine, document, faders, *arguments, **options)

    monkeypatch.setattr(region_edit.file_edit, "edit_document", counting)
    return asked


# edits


def test_regions_answer_each_for_itself(studio, hands):
    answer = studio.edit(ask(hands, LEFT, RIGHT, OFF, seq=4))
    assert (answer.seq, answer.draft) == (4, False)
    assert [(row.name, row.bypass) for row in answer.regions] == [("busier", False), ("", False), ("later", True)]
    first, second, third = answer.regions
    assert [s.bar for s in first.segments] == [2, 3]
    assert first.means.measured["rhythm_density"] == pytest.approx(first.means.asked["rhythm_density"], abs=0.05)
    assert [s.bar for s in second.segments] == [3, 5]  # 4 is locked
    assert all(s.measured["dynamics"] == s.asked["dynamics"] == 100 for s in second.segments)
    assert (third.segments, third.means) == ([], None)
    source = studio.piece(hands)
    changed = {s.bar for s in answer.segments if s.before != s.measured}
    assert {2, 3, 5} == changed
    assert all(value is None for s in answer.segments for value in s.asked.values())
    for bar in (1, 4, 6, 7, 8):
        inside = range(source.bars[bar - 1], source.bars[bar])
        assert [r for r in rows(answer.notes) if r[0] in inside] == [r for r in rows(source.notes) if r[0] in inside]


def test_notes_are_a_layer(studio, hands):
    source = studio.piece(hands)
    onset, pitch = source.notes.onset[0], source.notes.pitch[0]
    number = source.notes.track[0] + 1
    drawn = {"name": "drawn", "notes": {"remove": [[number, onset, pitch]], "add": [[1, 480, 700, 104, 90]]}}
    answer = studio.edit(ask(hands, LEFT, drawn))
    before, after = rows(studio.edit(ask(hands, LEFT)).notes), rows(answer.notes)
    assert [row for row in before if row not in after] == [
        (onset, source.notes.end[0], pitch, source.notes.velocity[0], number - 1)
    ]
    assert [row for row in after if row not in before] == [(480, 700, 104, 90, 0)]
    assert [s.bar for s in answer.regions[1].segments] == [1]
    assert answer.regions[1].means.before != answer.regions[1].means.measured
    described = studio.describe_region(DescribeRequest(piece=hands, regions=ask(hands, LEFT, drawn).regions, index=1))
    assert described.faders == []
    report = json.loads(studio.render(ask(hands, LEFT, drawn, of=RenderRequest, format="json")).data)
    assert report["regions"]["regions"][1] == drawn
    assert RegionList.of_dict(report).regions[1].notes.add == ((1, 480, 700, 104, 90),)


def test_the_largest_layer_is_no_longer_than_a_message(hands):
    rows = [[10, 1_000_000 + i, 1_000_100 + i, 100, 100] for i in range(MOST_ROWS)]
    assert len(ask(hands, {"notes": {"add": rows}}).model_dump_json()) < MOST_MESSAGE


def test_a_region_whose_bars_are_all_locked_says_so(studio, hands):
    (region,) = studio.edit(ask(hands, {"bars": [[2, 3]], "locked": [2, 3], "move": {"pitch": 5}})).regions
    assert region.warnings == [LOCKED]
    assert all(segment.before == segment.measured for segment in region.segments)


def test_regions_that_are_all_left_out_leave_the_source(studio, hands):
    assert rows(studio.edit(ask(hands, OFF)).notes) == rows(studio.piece(hands).notes)


def test_the_last_region_changes_without_the_first_ones(studio, hands, counted):
    studio.edit(ask(hands, LEFT, RIGHT))
    counted.clear()
    for dynamics in (90, 95):
        studio.edit(ask(hands, LEFT, RIGHT | {"set": {"dynamics": dynamics}}, draft=True))
    assert [faders.set for faders in counted] == [{"dynamics": 90.0}, {"dynamics": 95.0}]
    counted.clear()
    studio.edit(ask(hands, LEFT | {"name": "renamed"}, RIGHT, OFF))
    studio.render(ask(hands, LEFT, RIGHT, of=RenderRequest))
    assert not counted


def test_variations_are_of_the_last_region(studio, hands, counted):
    thicker = {"bars": [[5, 7]], "move": {"note_density": 1}, "seed": 2}
    answers = studio.variations(ask(hands, LEFT, thicker, OFF), 3)
    assert len(counted) <= 2  # one of LEFT, if it is not known, and one of all answers
    assert len({tuple(rows(answer.notes)) for answer in answers}) == 3
    for index, answer in enumerate(answers):
        chosen = thicker | {"variation": {"index": index, "count": 3}}
        assert rows(studio.edit(ask(hands, LEFT, chosen, OFF)).notes) == rows(answer.notes)
    with pytest.raises(FadernetsError, match=r"^variations: all regions are left out$"):
        studio.variations(ask(hands, OFF), 2)


@pytest.mark.parametrize(
    ("regions", "more", "message"),
    [
        ([LEFT, RIGHT], {"faders": {"move": {"pitch": 1}}}, "^regions: each has faders of its own"),
        ([LEFT, {"name": "x", "set": {"no": 1}}], {}, r"^region 2 \(x\): set: unknown fader 'no'"),
        ([{"bars": [[40, 41]], "move": {"pitch": 1}}], {}, "^region 1: bars 40-41: the piece has 8 bars"),
        ([{"name": "a\nb"}], {}, "^region 1: name: one line"),
        ([{"preset": {"name": "/etc/passwd", "amount": 1}}], {}, "^region 1: preset /etc/passwd: is not known"),
        ([LEFT, {"notes": {}, "locked": [3]}], {}, "^region 2: locked: a region of notes has none"),
        ([{"notes": {}, "move": {"pitch": 1}}], {}, "^region 1: move: a region of notes has none"),
        ([{"notes": {"add": [[1, 5, 5, 60, 80]]}}], {}, "^region 1: notes add 1: ends at 5, and begins at 5"),
        ([{"variation": {"index": 3, "count": 2}}], {}, "^region 1: variation 3 of 2"),
    ],
)
def test_what_cannot_be_asked(studio, hands, regions, more, message):
    with pytest.raises(FadernetsError, match=message):
        studio.edit(ask(hands, *regions, **more))


def test_an_edit_that_nobody_waits_for_stops(studio, hands):
    with pytest.raises(StaleRequest):
        studio.edit(ask(hands, LEFT | {"seed": 99}), lambda: True)


# files


def test_the_sidecar_replays_to_the_same_music(studio, hands, tmp_path):
    sidecar = studio.render(ask(hands, LEFT, RIGHT, OFF, of=RenderRequest, format="json"))
    record = json.loads(sidecar.data)
    assert record["regions"]["model"] == "rewriter"
    assert [row.get("bypass", False) for row in record["regions"]["regions"]] == [False, False, True]
    assert record["regions"]["regions"][1]["bars"] == [[3, 3], [5, 5]]
    assert [row["number"] for row in record["report"]["regions"]] == [1, 2, 3]
    assert "faders" not in record
    path = tmp_path / "regions.json"
    path.write_bytes(sidecar.data)
    stored = studio.uploads.get(hands)
    again = region_edit.edit_by_regions(studio.models.engine(), stored.document, RegionList.read(path).regions)
    midi = studio.render(ask(hands, LEFT, RIGHT, OFF, of=RenderRequest)).data
    assert Document.of_bytes(midi).piece.notes.tolist() == Document.of_bytes(again.data).piece.notes.tolist()
    assert b'"regions":{"version":1' in midi


def test_what_regions_left_goes_with_the_piece(studio, upload):
    piece = upload("waltz")
    stored = studio.uploads.get(piece)
    before = stored.held
    studio.edit(ask(piece, {"bars": [[1, 2]], "move": {"dynamics": 5}}))
    assert stored.held > before
    stored.forget()
    assert stored.held == before


# descriptions


def test_a_description_says_how_far_faders_go(studio, hands):
    found = studio.describe(hands, tracks="1", bars="2-3")
    assert [row.name for row in found.faders] == list(ATTRIBUTES)
    rows = {row.name: row for row in found.faders}
    density = rows["rhythm_density"]
    assert (density.unit, density.lowest, density.tried) == ("onset steps a sixteenth", 0.0, False)
    assert density.highest == density.high == 2.0
    assert density.why_highest == "every step is taken, each beat cut as fine as it can be"
    assert rows["tempo"].value == pytest.approx(100)
    assert rows["key"].choices == list(ATTRIBUTES["key"].names)
    for row in found.faders:
        if row.name != "key":
            assert row.lowest <= row.value <= row.highest
            assert row.low <= row.lowest
            assert row.highest <= row.high
    locked = {row.name: row for row in studio.describe(hands, bars="2-3", keep=["melody"]).faders}
    assert locked["rhythm_density"].lowest > 0
    assert locked["rhythm_density"].why_lowest == locked["pitch"].why_highest == "a lock keeps the melody"
    assert locked["key"].choices == [locked["key"].value]


def test_a_region_is_described_on_what_the_earlier_ones_left(studio, hands):
    regions = [{"bars": [[2, 3]], "only": "left", "set": {"dynamics": 100}}, {"bars": [[2, 3]], "only": "left"}, OFF]
    for index, expected in ((0, None), (1, 100.0)):
        request = DescribeRequest.model_validate({"piece": hands, "regions": regions, "index": index})
        found = {row.name: row for row in studio.describe_region(request).faders}
        if expected is None:
            alone = studio.describe(hands, bars="2-3", only="left")
            assert [*found.values()] == alone.faders
            assert found["dynamics"].value < 100
        else:
            assert found["dynamics"].value == expected
    with pytest.raises(StaleRequest):
        studio.describe_region(request, lambda: True)
    with pytest.raises(FadernetsError, match=r"^index 5: there are 3 regions, the first is 0$"):
        studio.describe_region(request.model_copy(update={"index": 5}))


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "1,,2", "1.5"])
def test_what_is_no_range_of_bars(text):
    with pytest.raises(FadernetsError, match=r"^bars .*expected bar numbers such as 5-12"):
        bar_ranges(text, "bars")
    assert bar_ranges("5-12, 14", "bars") == [(5, 12), (14, 14)]
