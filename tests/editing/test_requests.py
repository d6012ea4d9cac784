"""The one place where what a caller asks of an edit is checked, spelled as the command line and as fields."""

import numpy as np
import pytest

from fadernets.attributes import table
from fadernets.attributes.table import ATTRIBUTES, Attribute
from fadernets.editing import presets, requests
from fadernets.editing.fader_curves import Ramp
from fadernets.editing.presets import Preset
from fadernets.editing.requests import COMMAND_LINE, FIELDS, MOST_VARIATIONS, Faders
from fadernets.errors import FadernetsError


def test_values_ramps_keys_and_bars():
    faders = Faders.checked(
        set={"rhythm_density": 0.5, "note_density": (1, 3), "key": "a-minor"},
        move={"pitch": Ramp(0, 7), "tempo": -10},
        per_bar={"dynamics": {1: 40, 3: 90.5}},
        bars=[(1, 4), (7, 7)],
        tracks=[1, "left hand"],
        seed=3,
    )
    assert faders.set == {"rhythm_density": 0.5, "note_density": Ramp(1.0, 3.0), "key": 21.0}
    assert faders.move == {"pitch": Ramp(0.0, 7.0), "tempo": -10.0}
    assert faders.per_bar.values == {"dynamics": {1: 40, 3: 90.5}}
    assert (faders.bars, faders.tracks, faders.seed) == ([(1, 4), (7, 7)], ["1", "left hand"], 3)
    assert (faders.preset, faders.amount, faders.arousal, faders.faithfulness) == (None, 0, 0, 1)
    assert Faders.checked() == Faders() == Faders.checked(amount=0)


def test_names_with_dashes_arrays_and_bars_as_text():
    faders = Faders.checked(
        set={"note-density": 2, "tempo": np.array([90, 120])},
        per_bar={"dynamics": {"5": 60}},
        preset="arousal",
        hold="rhythm-density, pitch",
    )
    assert faders.set == {"note_density": 2.0, "tempo": Ramp(90.0, 120.0)}
    assert (faders.per_bar.values, faders.hold) == ({"dynamics": {5: 60.0}}, {"rhythm_density", "pitch"})


def test_values_by_bar_of_a_file(tmp_path):
    (tmp_path / "values.csv").write_text("bar,dynamics\n5,60\n")
    for given in (tmp_path / "values.csv", str(tmp_path / "values.csv")):
        assert Faders.checked(per_bar=given).per_bar.values == {"dynamics": {5: 60}}


def test_faders_that_were_not_checked_are_those_that_were():
    """`Faders` is public: what its constructor is given is read as by `checked`."""
    faders = Faders(
        move={"rhythm-density": 0.2}, set={"tempo": (90, 120)}, bars=(5, 12), tracks="Piano", seed=np.int64(3)
    )
    assert faders == Faders.checked(
        move={"rhythm_density": 0.2}, set={"tempo": Ramp(90.0, 120.0)}, bars=[(5, 12)], tracks=["Piano"], seed=3
    )
    assert type(faders.seed) is int
    for given, message in (
        ({"move": {"foo": 0.2}}, "^move: unknown fader 'foo'"),
        ({"hold": frozenset({"foo"})}, "^hold: unknown fader 'foo'"),
        ({"preset": "arousal"}, "^preset: give a Preset, or use Faders.checked, not 'arousal'"),
        ({"per_bar": {"tempo": {1: 2}}}, "^per_bar: give a PerBar, or use Faders.checked"),
        ({"faithfulness": 2}, "^faithfulness 2: must lie"),
        ({"bars": [(0, 1)]}, "^bars 0-1: bars count from 1"),
    ):
        with pytest.raises(FadernetsError, match=message):
            Faders(**given)


def test_presets_by_name_by_file_and_of_the_paper(tmp_path):
    mine = Preset("mine", {"dynamics": 10.0})
    mine.save(tmp_path / "mine.json")
    for given in (mine, tmp_path / "mine.json", str(tmp_path / "mine.json")):
        faders = Faders.checked(preset=given, amount=-0.5, hold=["tempo"])
        assert (faders.preset, faders.amount, faders.arousal, faders.hold) == (mine, -0.5, 0.0, {"tempo"})
    assert Faders.checked(preset="arousal").preset == presets.load("arousal")
    paper = Faders.checked(preset=presets.PAPER_PRESET, amount=2.0)
    assert (paper.preset, paper.amount, paper.arousal) == (None, 0.0, 2.0)


@pytest.mark.parametrize(
    ("faders", "fields", "options"),
    [
        ({"set": {"swing": 1}}, "set: unknown fader 'swing'; known: rhythm_density, ", "--set: unknown fader 'swing'"),
        ({"hold": ["my_own"]}, "hold: unknown fader 'my_own'; known", "--hold: unknown fader 'my-own'; known"),
        (
            {"set": {"note_density": 1}, "move": {"note_density": 1}},
            "set and move both name note_density; give one of them",
            "--set and --move both name note-density; give one of them",
        ),
        (
            {"set": {"tempo": 1}, "per_bar": {"tempo": {1: 1}}},
            "set and per_bar both name tempo",
            "--set and --values both name tempo",
        ),
        ({"faithfulness": 1.5}, "faithfulness 1.5: must lie in 0..1", "--faithfulness 1.5: must lie in 0..1"),
        ({"faithfulness": float("nan")}, "faithfulness nan: must", "--faithfulness nan: must"),
        ({"seed": -1}, "seed -1: must lie in 0..4294967295", "--seed -1"),
        ({"bars": [(0, 4)]}, "bars 0-4: bars count from 1", "--bars 0-4: bars count from 1"),
        ({"bars": [(1, 2), (5, 4)]}, "bars 5-4: bars count from 1, the first not behind the last", "--bars 5-4"),
        ({"preset": "joy"}, "preset joy: cannot be read", "--preset joy: cannot be read"),
        ({"preset": "arousal", "amount": float("inf")}, "preset amount: inf is not a finite number", "--preset amount"),
        ({"set": {"tempo": float("nan")}}, "tempo: nan is not a finite number", "--set tempo: nan"),
        ({"set": {"tempo": True}}, "tempo: True is not a finite number", "--set tempo: True"),
        ({"set": {"tempo": (1, float("inf"))}}, "tempo: inf is not", "--set tempo: inf"),
        ({"set": {"tempo": (1, 2, 3)}}, "a ramp has a first and a last value", "a ramp has"),
        ({"per_bar": {"tempo": {1: None}}}, "per_bar tempo: None is not", "--values tempo: None"),
        ({"set": {"tempo": "fast"}}, "tempo fast: takes a number", "--set tempo=fast: takes a number"),
        ({"set": {"key": "H"}}, "key: 'H' is not a key", "--set key=H: 'H' is not a key"),
        ({"move": {"key": "Am"}}, "key Am: takes a number", "--move key=Am: takes a number"),
        ({"set": {"key": 24}}, "key 24: must lie in 0..23", "--set key=24: must lie in 0..23"),
        (
            {"move": {"key": 0.5}},
            "key 0.5: a key moves by whole semitones; set key=a-minor names one",
            "--move key=0.5: a key moves by whole semitones; --set key=a-minor names one",
        ),
        ({"set": {"key": (0, 4)}}, "key: takes one value for all bars", "key: takes one value for all bars"),
        ({"per_bar": {"key": {1: 4}}}, "key: takes one value for all bars", "key: takes one value for all bars"),
        (
            {"hold": ["note_density"]},
            "hold note_density: holds faders that a preset moves; name one with preset",
            "--hold note-density: holds faders that a preset moves; name one with --preset",
        ),
        ({"amount": 0.5}, "amount 0.5: is how many times a preset is applied", "name one with --preset"),
        ({"per_bar": {"dynamics": {"x": 1}}}, "per_bar dynamics: give numbers of bars, not 'x'", "--values dynamics"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_for(faders, fields, options):
    for spelling, message in ((FIELDS, fields), (COMMAND_LINE, options)):
        with pytest.raises(FadernetsError) as error:
            Faders.checked(**faders, spelling=spelling)
        assert message in str(error.value)
        assert len(str(error.value).splitlines()) == 1


def test_presets_by_name_alone():
    """As the studio asks for them: nobody names a file of the server's."""
    with pytest.raises(FadernetsError, match=r"^preset \.\./x: is not known; allowed: arousal, .*, arousal-codes$"):
        Faders.checked(preset="../x", preset_files=False)
    assert Faders.checked(preset="arousal", preset_files=False).preset.name == "arousal"


def test_numbers_of_variations():
    requests.check_variations(1)
    requests.check_variations(MOST_VARIATIONS)
    for count in (0, MOST_VARIATIONS + 1):
        with pytest.raises(FadernetsError, match=rf"^--variations {count}: must lie in 1\.\.16$"):
            requests.check_variations(count, spelling=COMMAND_LINE)


def test_what_is_measured_alone_cannot_be_moved(monkeypatch):
    monkeypatch.setattr(table, "USER_DEFINED", set())
    table.register(Attribute("count", lambda p: p.mean(np.ones(len(p.notes))), 0, 1, "notes", of="performance"))
    try:
        for faders in ({"set": {"count": 1}}, {"move": {"count": 1}}, {"per_bar": {"count": {1: 1}}}):
            with pytest.raises(FadernetsError, match="count: can be measured and not moved"):
                Faders.checked(**faders)
        assert "count" not in presets.learnable()
    finally:
        del ATTRIBUTES["count"]
