"""Curves of a fader over a piece: ramps, and files of values by bar."""

import doctest
import json

import numpy as np
import pytest

from fadernets.editing import fader_curves
from fadernets.editing.fader_curves import Ramp
from fadernets.errors import FadernetsError


@pytest.fixture
def write(tmp_path):
    def writer(content, name="values.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return writer


def test_one_value_and_a_ramp_over_beats():
    beats = np.array([4.0, 8.0, 12.0, 20.0])
    assert fader_curves.values_at(0.5, beats).tolist() == [0.5] * 4
    assert fader_curves.values_at(Ramp(0.2, 1.0), beats).tolist() == pytest.approx([0.2, 0.4, 0.6, 1.0])
    assert fader_curves.values_at(Ramp(0.2, 1.0), beats[:1]).tolist() == [0.2]
    assert fader_curves.values_at(Ramp(0.2, 1.0), beats[:0]).tolist() == []


def test_a_ramp_over_other_beats_is_level_before_and_behind_them():
    beats = np.array([0.0, 4.0, 8.0, 12.0, 16.0])
    assert fader_curves.values_at(Ramp(60, 120), beats, beats[1:4]).tolist() == [60, 60, 90, 120, 120]
    assert fader_curves.values_at(Ramp(60, 120), beats, beats[2:3]).tolist() == [60] * 5
    assert fader_curves.values_at(Ramp(60, 120), beats, beats[:0]).tolist() == [60, 75, 90, 105, 120]


def test_a_list_for_every_bar(write):
    found = fader_curves.read(write({"rhythm-density": [0.25, None, 0.75], "note_density": [1, 2, 3]}))
    found.check(3)
    np.testing.assert_array_equal(found.at("rhythm_density", [3, 1, 2]), [0.75, 0.25, np.nan])
    np.testing.assert_array_equal(found.at("note_density", [1, 1]), [1, 1])
    for bars in (2, 4):
        with pytest.raises(FadernetsError, match=rf"values\.json: \S+ has 3 values; the piece has {bars} bars"):
            found.check(bars)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_bars_by_number(write, kind):
    if kind == "csv":
        path = write("bar,rhythm-density,note-density\n2,0.5,\n7,,3\n\n", "values.csv")
    else:
        path = write([{"bar": 2, "rhythm-density": 0.5}, {"bar": 7, "note-density": 3}])
    found = fader_curves.read(path)
    found.check(7)
    np.testing.assert_array_equal(found.at("rhythm_density", [1, 2, 7]), [np.nan, 0.5, np.nan])
    np.testing.assert_array_equal(found.at("note_density", [1, 2, 7]), [np.nan, np.nan, 3])
    with pytest.raises(FadernetsError, match="bar 7; the piece has bars 1 to 6"):
        found.check(6)


def test_a_fader_that_is_not_named_has_no_values(write):
    found = fader_curves.read(write({"rhythm-density": [0.5]}))
    assert np.isnan(found.at("note_density", [1])).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON that can be read .*64 deep"),
        ('{"tempo": [' + "9" * 5000 + "]}", "has 5000 digits"),
        ('[{"bar": 1234567890123, "tempo": 1}]', "a whole number from 1; one has 1234567890123"),
        ("3", r"expected \{"),
        ({"rhythm-density": 0.5}, r"expected \{"),
        ({"loudness": [1]}, "unknown fader 'loudness'; known: rhythm-density, note-density"),
        ({"rhythm-density": ["many"]}, "'many' is not a number"),
        ({"rhythm-density": [True]}, "True is not a number"),
        ('{"rhythm-density": [NaN]}', "nan is not a number"),
        ({"rhythm-density": []}, "has no values"),
        ({}, "has no values"),
        ([], "has no values"),
        ([{"rhythm-density": 0.5}], "each line needs its bar, a whole number from 1; one has None"),
        ([{"bar": "x", "rhythm-density": 0.5}], "one has 'x'"),
        ([{"bar": 1, "note-density": 1}, {"bar": 1, "note-density": 2}], "bar 1 is there twice"),
    ],
)
def test_files_that_cannot_be_used(write, content, message):
    with pytest.raises(FadernetsError, match=message) as error:
        fader_curves.read(write(content))
    assert "\n" not in str(error.value)
    assert "values.json" in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("bar,rhythm\n1,0.5\n", "unknown fader 'rhythm'"),
        ("bar,temop\n1,90\n", r"unknown fader 'temop' \(did you mean 'tempo'\?\); known: rhythm-density"),
        ("bar;tempo\n1;90,5\n", r"is not CSV that can be read \(separate by commas, not by semicolons\)"),
        ("rhythm-density\n0.5\n", "each line needs its bar"),
        ("bar,rhythm-density\n1,0.5,9\n", "unknown fader None|is not a number"),
        ("bar,rhythm-density\n1,fast\n", "'fast' is not a number"),
        ("", "has no values"),
    ],
)
def test_tables_that_cannot_be_used(write, content, message):
    with pytest.raises(FadernetsError, match=message):
        fader_curves.read(write(content, "values.csv"))


def test_what_is_no_file_of_values(tmp_path, monkeypatch):
    with pytest.raises(FadernetsError, match="cannot be read"):
        fader_curves.read(tmp_path / "none.json")
    with pytest.raises(FadernetsError, match="cannot be read"):
        fader_curves.read(tmp_path)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(FadernetsError, match=r"is not CSV that can be read \(it is not UTF-8\)"):
        fader_curves.read(tmp_path / "binary.csv")
    monkeypatch.setattr(fader_curves, "MAX_FILE_BYTES", 3)
    with pytest.raises(FadernetsError, match="it is longer than 3 bytes"):
        fader_curves.read(tmp_path / "binary.csv")


def test_the_example_of_a_ramp_is_true():
    failed, tried = doctest.testmod(fader_curves)
    assert failed == 0
    assert tried
