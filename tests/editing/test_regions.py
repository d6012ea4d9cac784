"""Regions and the file of them: what is written is read again, and what is wrong is one line that names the place."""

import json

import pytest

from fadernets.editing.presets import PAPER_PRESET
from fadernets.editing.regions import MOST_REGIONS, Region, RegionList, Variation
from fadernets.errors import FadernetsError

FULL = {
    "name": "busier",
    "bypass": True,
    "bars": [[5, 8], [12, 12]],
    "tracks": ["2", "Piano"],
    "set": {"tempo": [90.0, 120.0], "key": "A minor"},
    "move": {"rhythm_density": 0.2},
    "per_bar": {"dynamics": {"5": 60.0, "7": 80.0}},
    "preset": {"name": "valence", "amount": 0.5, "hold": ["tempo"]},
    "keep": ["melody:5-6", "bass", "12,15,5.1:60"],
    "faithfulness": 0.0,
    "seed": 7,
    "variation": {"index": 2, "count": 4},
}


def listed(*rows, **more):
    return {"version": 1, "regions": [*rows], **more}


def refused(content):
    with pytest.raises(FadernetsError) as error:
        RegionList.of_dict(content)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_file_holds_every_field(tmp_path):
    path = tmp_path / "regions.json"
    path.write_text(json.dumps(listed(FULL, {}, {"only": "left"}, model="rewriter")))
    read = RegionList.read(path)
    assert (read.model, len(read.regions)) == ("rewriter", 3)
    assert read.as_dict() == listed(FULL, {}, {"only": "left"}, model="rewriter")
    first = read.regions[0]
    assert (first.name, first.bypass, first.variation) == ("busier", True, Variation(2, 4))
    assert (first.faders.bars, first.faders.seed) == ([(5, 8), (12, 12)], 7)
    assert first.faders.preset.name == "valence"
    read.save(tmp_path / "again.json")
    assert RegionList.read(tmp_path / "again.json").as_dict() == read.as_dict()


def test_numbers_of_tracks_dashes_and_null_are_taken():
    region = RegionList.of_dict(listed({"tracks": [2], "move": {"note-density": 1}, "only": None})).regions[0]
    assert (region.faders.tracks, region.faders.move, region.faders.only) == (["2"], {"note_density": 1.0}, None)
    assert RegionList.of_dict(listed({"only": 2})).regions[0].faders.only == "2"


def test_a_report_of_the_studio_holds_regions_too():
    assert len(RegionList.of_dict({"report": {}, "regions": listed({}, {})}).regions) == 2


def test_the_paper_s_preset_moves_codes():
    region = Region.checked(preset=PAPER_PRESET, amount=-1.0)
    assert region.as_dict() == {"preset": {"name": PAPER_PRESET, "amount": -1.0}}
    assert RegionList([region]).moves_codes
    assert not RegionList([Region.checked(preset=PAPER_PRESET, bypass=True), Region.checked()]).moves_codes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], 'expected {"version": 1, "regions": [...]}'),
        ({"version": 1}, 'expected {"version": 1, "regions": [...]}'),
        ({"regions": []}, 'the file has no version; add "version": 1'),
        ({"version": 2, "regions": []}, "version 2: this program reads version 1"),
        ({"version": True, "regions": []}, "version True: this program reads version 1"),
        (listed(layers=[]), "unknown field 'layers'; known: version, model, regions"),
        (listed(model=3), "model: expected a text"),
        (listed(*[{}] * (MOST_REGIONS + 1)), f"{MOST_REGIONS + 1} regions; at most {MOST_REGIONS}"),
        (listed(3), "region 1: expected an object with fields, not 3"),
        (listed({}, {"name": "x", "fader": 1}), "region 2 (x): unknown field 'fader'; known: name, bypass, bars"),
        (listed({"name": 3}), "region 1: name: expected a text"),
        (listed({"name": "a\nb"}), "region 1: name: one line of at most 200 characters"),
        (listed({"bypass": 1}), "region 1: bypass: expected true or false, not 1"),
        (listed({"bars": [5, 8]}), "region 1: bars: expected ranges of bars such as [[5, 8]], not [5, 8]"),
        (listed({"bars": []}), "region 1: bars: expected ranges"),
        (listed({"bars": [[5, True]]}), "region 1: bars: expected ranges"),
        (listed({"bars": [[8, 5]]}), "region 1: bars 8-5: bars count from 1, the first not behind the last"),
        (listed({"tracks": "1"}), "region 1: tracks: expected a list of numbers or names of tracks"),
        (listed({"set": [1]}), "region 1: set: expected values by fader"),
        (listed({"set": {"volume": 1}}), "region 1: set: unknown fader 'volume'; known: rhythm_density"),
        (listed({"set": {"tempo": True}}), "region 1: set tempo: expected a number, not true"),
        (listed({"set": {"tempo": [1, 2, 3]}}), "region 1: tempo (1, 2, 3): a ramp has a first and a last value"),
        (listed({"move": {"key": "x"}}), "region 1: key x: takes a number"),
        (listed({"per_bar": {"tempo": 3}}), "region 1: per_bar: expected values by fader and bar"),
        (listed({"per_bar": {"tempo": {"-1": 3}}}), "region 1: per_bar tempo: expected numbers of bars"),
        (listed({"preset": "arousal"}), "region 1: preset: expected a preset such as"),
        (listed({"preset": {"name": "no", "amount": 1}}), "region 1: preset no: cannot be read"),
        (listed({"preset": {"name": "arousal", "amount": 1, "by": 2}}), "region 1: preset: unknown field 'by'"),
        (listed({"keep": ["soprano"]}), "region 1: keep soprano: expected melody, bass"),
        (listed({"faithfulness": 2}), "region 1: faithfulness 2: must lie in 0..1"),
        (listed({"seed": -1}), "region 1: seed -1: must lie in 0..4294967295"),
        (listed({"seed": 1.5}), "region 1: seed: expected a whole number, not 1.5"),
        (listed({"variation": {"index": 4, "count": 4}}), "region 1: variation 4 of 4"),
        (listed({"variation": {"index": 4}}), "region 1: variation: expected a variation such as"),
        (listed({"set": {"tempo": 1}, "move": {"tempo": 1}}), "region 1: set and move both name tempo"),
    ],
)
def test_what_is_wrong_is_one_line(content, message):
    assert refused(content).startswith(message)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(FadernetsError, match=r"no\.json: cannot be read"):
        RegionList.read(tmp_path / "no.json")
    path = tmp_path / "regions.json"
    path.write_text("{")
    with pytest.raises(FadernetsError, match=r"regions\.json: is not JSON that can be read"):
        RegionList.read(path)
    path.write_text('{"version": 1, "regions": [{"seed": "x"}]}')
    with pytest.raises(FadernetsError, match=r"regions\.json: region 1: seed: expected a whole number"):
        RegionList.read(path)


def test_a_model_that_is_not_bundled_must_be_named():
    assert RegionList([], "rewriter").bundled_model() == "rewriter"
    assert RegionList([]).bundled_model() is None
    with pytest.raises(FadernetsError, match=r"^model mine: the regions were made with it"):
        RegionList([], "mine").bundled_model()
