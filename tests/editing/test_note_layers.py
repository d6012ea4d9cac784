"""Layers of notes from outside: what a file holds comes back, and what is wrong is one line."""

import json

import pytest

from fadernets.editing.note_layers import MOST_ROWS, NoteLayer
from fadernets.editing.regions import Region, RegionList
from fadernets.errors import FadernetsError

DRAWN = {"remove": [[1, 1920, 60], [2, 0, 36]], "add": [[1, 1920, 2400, 62, 80]]}


def listed(*rows):
    return {"version": 1, "regions": [*rows]}


def test_a_file_holds_notes(tmp_path):
    content = listed({"name": "drawn", "bars": [[5, 6]], "notes": DRAWN}, {"notes": {"remove": [], "add": []}})
    read = RegionList.of_dict(content)
    assert read.regions[0].notes == NoteLayer(((1, 1920, 60), (2, 0, 36)), ((1, 1920, 2400, 62, 80),))
    assert read.as_dict() == content
    read.save(tmp_path / "regions.json")
    assert RegionList.read(tmp_path / "regions.json").as_dict() == content
    text = (tmp_path / "regions.json").read_text()
    assert "[1, 1920, 2400, 62, 80]" in text  # a note a line
    assert Region.checked(notes=DRAWN, bars=[(5, 6)], name="drawn") == read.regions[0]
    assert Region.checked(notes=NoteLayer()).notes == NoteLayer.checked({})


def test_a_name_that_looks_like_numbers_is_left_alone(tmp_path):
    read = RegionList([Region.checked(name="[ 1,  2 ]", bars=[(1, 2)])])
    read.save(tmp_path / "regions.json")
    assert RegionList.read(tmp_path / "regions.json") == read


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        (3, 'notes: expected {"remove": [...], "add": [...]}, not 3'),
        ({"move": []}, "notes: unknown field 'move'; known: remove, add"),
        ({"add": 1}, "notes add: expected a list of notes, not 1"),
        ({"clear": [[5]]}, "notes clear 1: expected whole numbers [onset, end], not [5]"),
        ({"clear": [[5, 5]]}, "notes clear 1: ends at 5, and begins at 5; it must end later"),
        ({"add": "abc"}, "notes add: expected a list of notes, not 'abc'"),
        ({"add": [[1, 0, 60]]}, "notes add 1: expected whole numbers [track, onset, end, pitch, velocity], not"),
        ({"remove": [[1, 0, 60], 7]}, "notes remove 2: expected whole numbers [track, onset, pitch], not 7"),
        ({"remove": [[1, 0.0, 60]]}, "notes remove 1: expected whole numbers"),
        ({"remove": [[True, 0, 60]]}, "notes remove 1: expected whole numbers"),
        ({"remove": [[0, 0, 60]]}, "notes remove 1: track 0: must lie in 1.."),
        ({"remove": [[1, -1, 60]]}, "notes remove 1: onset -1: must lie in 0.."),
        ({"remove": [[1, 0, 128]]}, "notes remove 1: pitch 128: must lie in 0..127"),
        ({"add": [[1, 0, 2**28, 60, 80]]}, f"notes add 1: end {2**28}: must lie in 1..{2**28 - 1}"),
        ({"add": [[1, 0, 9, 60, 0]]}, "notes add 1: velocity 0: must lie in 1..127"),
        ({"add": [[1, 9, 9, 60, 80]]}, "notes add 1: ends at 9, and begins at 9; it must end later"),
        (
            {"remove": [[1, 0, 60]] * MOST_ROWS, "add": [[1, 0, 9, 60, 80]]},
            f"notes: {MOST_ROWS + 1} notes go and come; at most {MOST_ROWS} in one layer",
        ),
    ],
)
def test_what_is_wrong_is_one_line(notes, message):
    with pytest.raises(FadernetsError) as error:
        RegionList.of_dict(listed({"name": "x", "notes": notes}))
    assert str(error.value).startswith(f"region 1 (x): {message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("set", {"dynamics": 60}),
        ("move", {"pitch": 1}),
        ("per_bar", {"dynamics": {"5": 60}}),
        ("preset", {"name": "arousal", "amount": 1}),
        ("preset", {"name": "arousal-codes", "amount": 0}),
        ("keep", ["melody"]),
        ("tracks", [1]),
        ("only", "left"),
        ("faithfulness", 0.5),
        ("variation", {"index": 0, "count": 2}),
    ],
)
def test_a_region_of_notes_has_nothing_else(field, value):
    message = f"^region 1: {field}: a region of notes has none; leave out {field}, or notes$"
    with pytest.raises(FadernetsError, match=message):
        RegionList.of_dict(json.loads(json.dumps(listed({"notes": DRAWN, field: value}))))
