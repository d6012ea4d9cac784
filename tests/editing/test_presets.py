"""Presets of all faders: learned, kept in files, and what they do to a piece."""

import json
import re

import numpy as np
import pytest
from midi_files import PIECES, left, metre, right, save, tempo, track

from fadernets.attributes.table import ATTRIBUTES, Attribute
from fadernets.editing import file_edit, presets
from fadernets.editing.presets import LabelledValues, Preset
from fadernets.editing.requests import Faders
from fadernets.engines.grid import Engine
from fadernets.errors import FadernetsError
from fadernets.fitting import preset_data


def rows(shift, pieces=12, each=20, seed=0, both=True):
    """Made-up segments: attributes in noise, high ones moved by `shift` (tempo by its factor)."""
    rng = np.random.default_rng(seed)
    n = pieces * each
    high = np.tile(np.arange(each) % 2 == 0, pieces)
    values = {name: rng.normal(10, 1, n) for name in presets.learnable()}
    values["tempo"] = np.exp(rng.normal(4.6, 0.05, n))
    for name, by in shift.items():
        values[name] = values[name] * np.where(high, by, 1) if name == "tempo" else values[name] + by * high
    piece = np.repeat(np.arange(pieces), each)
    major = rng.random(n) < np.where(high, 0.9, 0.2)
    return LabelledValues(values, major, high, ~high if both else high & ~high, piece)


def test_what_tells_high_from_low_is_learned():
    preset = presets.learn("mine", rows({"rhythm_density": 3.0, "pitch": -2.0, "tempo": 1.5}), "a test")
    assert preset.moves["rhythm_density"] == pytest.approx(3, abs=0.3)
    assert preset.moves["pitch"] == pytest.approx(-2, abs=0.3)
    assert np.exp(preset.moves["tempo"]) == pytest.approx(1.5, abs=0.05)
    assert abs(preset.moves["note_density"]) < 0.3
    assert preset.mode == pytest.approx(preset.evidence["unshrunk"]["mode"], abs=0.02)
    assert preset.mode > 0.4
    assert preset.evidence["pieces"] == 12
    assert preset.evidence["segments"] == 240
    assert preset == presets.learn("mine", rows({"rhythm_density": 3.0, "pitch": -2.0, "tempo": 1.5}), "a test")


def test_a_difference_that_one_piece_alone_has_is_none():
    table = rows({})
    table.values["dynamics"][(table.piece == 0) & table.high] += 30
    preset = presets.learn("mine", table)
    assert preset.evidence["unshrunk"]["dynamics"] > 1
    assert preset.evidence["standard_error"]["dynamics"] > 1
    assert preset.moves["dynamics"] < 0.75 * preset.evidence["unshrunk"]["dynamics"]


def test_too_slight_a_difference_is_none():
    preset = presets.learn("mine", rows({"pitch": 0.04}, pieces=1200))
    assert preset.evidence["unshrunk"]["pitch"] > 1.5 * preset.evidence["standard_error"]["pitch"]
    assert not any(preset.moves.values())


def test_one_side_alone_teaches_nothing():
    with pytest.raises(FadernetsError, match="both kinds"):
        presets.learn("mine", rows({}, both=False))


def test_labels_near_zero_are_left_out():
    label = np.array([-1, -0.05, 0.05, 1])
    found = presets.of_labels({}, np.array([0, 12, 3, 20]), label, np.zeros(4), 0.1)
    assert found.high.tolist() == [False, False, False, True]
    assert found.low.tolist() == [True, False, False, False]
    assert found.major.tolist() == [True, False, True, False]


def test_a_measure_is_high_against_its_own_piece():
    measured = np.array([1.0, 2, 3, 11, 12, 13, 5, 5, 5, 7])
    piece = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 3])
    found = presets.of_measure({}, np.zeros(10), measured, piece)
    assert found.high.tolist() == [False, False, True] * 2 + [False] * 4
    assert found.low.tolist() == [True, False, False] * 2 + [False] * 4


def test_factors_and_steps():
    preset = Preset("p", {"tempo": np.log(2), "pitch": 3.0}, 0.3)
    own = np.array([90.0, 100])
    assert preset.moved("tempo", own, 1).tolist() == pytest.approx([180, 200])
    assert preset.moved("tempo", own, -1).tolist() == pytest.approx([45, 50])
    assert preset.moved("pitch", own, 0.5).tolist() == [91.5, 101.5]
    assert preset.moved("dynamics", own, 1).tolist() == own.tolist()
    assert (preset.move_text("tempo", 1), preset.move_text("pitch", -1)) == ("x2.00", "-3")
    assert [preset.move_text("tempo", 1, own), preset.move_text("tempo", 1, own[:0])] == ["x2.00", "x2.00"]
    assert preset.move_text("tempo", 1, np.array([104.0, 208])) == "x1.50 (kept in 40..208)"
    assert [preset.key(home, amount) for home, amount in ((14, 1), (14, -1), (2, -1), (2, 0.3))] == [2, 14, 14, 2]


def test_an_attribute_that_is_registered_later(tmp_path, monkeypatch):
    """A preset's file may name it once it is registered, and not before."""
    path = tmp_path / "mine.json"
    Preset("mine", {"offbeats": 1.0}).save(path)
    with pytest.raises(FadernetsError, match="unknown fader or impossible move: offbeats"):
        presets.load(path)
    monkeypatch.setitem(
        ATTRIBUTES, "offbeats", Attribute("offbeats", lambda cells: cells[:, 0, 0] * 1.0, 0, 4, "notes")
    )
    assert presets.load(path).moves == {"offbeats": 1.0}
    assert "offbeats" in presets.learnable()


def test_a_file_comes_back(tmp_path):
    preset = presets.learn("mine", rows({"pitch": 2.0}))
    preset.save(tmp_path / "mine.json")
    assert presets.load(tmp_path / "mine.json") == preset


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 9}, "another format"),
        ({"moves": {"loudness": 1}}, "unknown fader"),
        ({"moves": {"tempo": "nan"}}, "impossible move"),
        ({"moves": {"tempo": 1000}}, "impossible move"),
        ({"moves": {"pitch": 1e10}}, "impossible move"),
        ({"mode": 2}, "impossible move"),
        ({"moves": [1]}, "is no preset"),
        ({"mode": None}, "is no preset"),
    ],
)
def test_files_that_are_no_presets(tmp_path, change, message):
    path = tmp_path / "p.json"
    Preset("p", {"tempo": 0.1}).save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(FadernetsError, match=message):
        presets.load(path)


def test_bundled_presets():
    assert set(presets.bundled()) == {"arousal", "valence", "tension"}
    arousal = presets.load("arousal")
    assert arousal.moves["tempo"] > 0.2
    assert arousal.moves["rhythm_density"] > 0.05
    assert arousal.moves["dynamics"] > 0
    assert presets.load("valence").mode > presets.LEAST_MODE
    with pytest.raises(FadernetsError, match="bundled: arousal, tension, valence, arousal-codes"):
        presets.load("joy")


# On a piece


@pytest.fixture(scope="module")
def engine():
    return Engine.open()


@pytest.fixture
def piece(tmp_path):
    hands = track(right(32), tempo(100), metre(4)), track(left(32), channel=1)
    return save(tmp_path / "in.mid", *hands)


def test_a_preset_moves_its_faders_and_says_so(engine, piece, tmp_path):
    preset = presets.load("arousal")
    report = file_edit.apply(engine, piece, tmp_path / "out.mid", Faders(preset=preset, amount=0.5))
    assert report.preset["name"] == "arousal"
    assert set(report.preset["moves"]) == {name for name, step in preset.moves.items() if step}
    for segment in report.segments:
        assert segment.measured["tempo"] == pytest.approx(100 * np.exp(0.5 * preset.moves["tempo"]), rel=1e-3)
        assert segment.asked["dynamics"] == pytest.approx(segment.before["dynamics"] + preset.moves["dynamics"] / 2)
        assert segment.measured["rhythm_density"] == pytest.approx(segment.asked["rhythm_density"], abs=1 / 16)


def test_held_and_set_faders_are_left_to_the_user(engine, piece, tmp_path):
    faders = Faders(
        set={"dynamics": 90.0}, preset=presets.load("arousal"), amount=1, hold=frozenset({"tempo", "rhythm_density"})
    )
    report = file_edit.apply(engine, piece, tmp_path / "out.mid", faders)
    assert report.preset["held"] == ["rhythm_density", "tempo"]
    assert not {"tempo", "rhythm_density", "dynamics"} & set(report.preset["moves"])
    for segment in report.segments:
        assert segment.measured["tempo"] == segment.before["tempo"]
        assert segment.measured["rhythm_density"] == segment.before["rhythm_density"]
        assert segment.measured["dynamics"] == pytest.approx(90, abs=0.01)


def test_valence_goes_to_the_other_mode_unless_key_is_held(engine, piece, tmp_path):
    preset = presets.load("valence")
    before = file_edit.measure(engine, piece)["means"]["key"]
    way = -1 if before.endswith("major") else 1
    turned = file_edit.apply(engine, piece, tmp_path / "a.mid", Faders(preset=preset, amount=way))
    assert turned.means["measured"]["key"].split()[0] == before.split()[0]
    assert turned.means["measured"]["key"] != before
    held = Faders(preset=preset, amount=way, hold=frozenset({"key"}))
    kept = file_edit.apply(engine, piece, tmp_path / "b.mid", held)
    assert all(segment.asked["key"] is None for segment in kept.segments)


@pytest.mark.parametrize("name", ["two_hands", "expressive", "waltz"])
def test_a_preset_times_zero_changes_nothing(engine, tmp_path, name):
    source = PIECES[name](tmp_path / "in.mid")
    file_edit.apply(engine, source, tmp_path / "out.mid", Faders(preset=presets.load("arousal"), amount=0))
    assert (tmp_path / "out.mid").read_bytes() == source.read_bytes()


def test_too_much_of_a_preset_is_clamped(engine, piece, tmp_path):
    faders = Faders(preset=Preset("p", {"dynamics": 1.0}), amount=1e300)
    report = file_edit.apply(engine, piece, tmp_path / "out.mid", faders)
    assert "preset p=1e+300: outside -4..4; clamped" in report.warnings


def test_the_command_prints_what_the_preset_did(run_here, piece, tmp_path):
    code, text, err = run_here("apply", piece, tmp_path / "out.mid", "--preset", "arousal=9")
    assert code == 0
    assert "warning: preset arousal=9: outside -4..4; clamped" in err
    said = text.splitlines()[0]
    assert said.startswith("preset arousal=4: rhythm-density +0.46")
    assert said.endswith("tempo x2.08 (kept in 40..208)")


# The command


@pytest.fixture
def mine(tmp_path):
    """A folder of the user's own: quick pieces are high, slow ones low."""
    for side, bpm in (("high", 150), ("low", 75)):
        (tmp_path / "mine" / side).mkdir(parents=True)
        for i in range(3):
            hands = track(right(16, i), tempo(bpm + i), metre(4)), track(left(16, i), channel=1)
            save(tmp_path / "mine" / side / f"{i}.mid", *hands)
    return tmp_path / "mine"


def test_learn_from_a_folder_and_use_it(run_here, mine, piece, tmp_path):
    out = tmp_path / "quick.json"
    code, text, _ = run_here("preset", "learn", out, mine)
    assert code == 0
    assert text.startswith("preset quick=1: ")
    assert np.exp(presets.load(out).moves["tempo"]) == pytest.approx(2, abs=0.1)
    code, text, _ = run_here("apply", piece, tmp_path / "out.mid", "--preset", f"{out}=0.5", "--hold", "note-density")
    assert code == 0
    assert text.startswith("preset quick=0.5: ")
    assert "tempo x1.4" in text.splitlines()[0]
    assert "held: note-density" in text.splitlines()[0]


def test_labels_in_a_table(mine, tmp_path):
    table = "file,label\n" + "".join(
        f"{side}/{i}.mid,{v}\n" for side, v in (("high", -2), ("low", 3)) for i in range(3)
    )
    (mine / "labels.csv").write_text(table)
    assert np.exp(presets.learn("slow", preset_data.of_folder(mine)).moves["tempo"]) == pytest.approx(0.5, abs=0.05)


def test_presets_are_listed(run_here):
    code, text, _ = run_here("preset", "list")
    assert code == 0
    assert [line.split("=")[0].split(":")[0] for line in text.splitlines()] == [
        "preset arousal", "preset tension", "preset valence", "preset arousal-codes"
    ]  # fmt: skip
    found = json.loads(run_here("preset", "list", "--json")[1])["presets"]
    assert [preset["name"] for preset in found] == ["arousal", "tension", "valence"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["learn"], "OUT.json"),
        (["learn", "{}/p.json"], "OUT.json"),
        (["learn", "{}/p.json", "{}/none"], "no such folder"),
        (["learn", "{}/p.json", "{}/high"], "0 MIDI files in the folder `high` and 0 in `low`; both are needed"),
        (["learn", "{}/p.json", "--corpus", "jazz={}"], "corpus 'jazz' is not known"),
        (["learn", "{}/p.json", "--corpus", "folder={}"], "no segment of folder has a label of arousal"),
    ],
)
def test_presets_that_cannot_be_learned(run_here, mine, arguments, message):
    code, _, err = run_here("preset", *[argument.replace("{}", str(mine)) for argument in arguments])
    assert code == 2
    assert len(err) == 1
    assert message in err[0]
    assert not (mine / "p.json").exists()


def test_files_that_cannot_be_read_are_told(run_here, mine):
    for i in range(20):  # of which some fall into the split that is learned from
        (mine / f"bad{i}.mid").write_bytes(b"no music")
    _, _, err = run_here("preset", "learn", mine / "p.json", "--corpus", f"folder={mine}", "--label", "tension")
    told = [line for line in err if line.startswith("warning: ")]
    assert 10 < len(told) < 20
    assert all(re.fullmatch(r"warning: bad\d+\.mid: is not a MIDI file .*", line) for line in told)


def test_a_table_of_labels_without_numbers(mine):
    (mine / "labels.csv").write_text("file,label\nhigh/0.mid,loud\n")
    with pytest.raises(FadernetsError, match="file,label with a number"):
        preset_data.of_folder(mine)


def test_labels_on_one_side_of_0_alone(mine):
    (mine / "labels.csv").write_text("file,label\nhigh/0.mid,5\nlow/0.mid,1\n")
    with pytest.raises(FadernetsError, match=r"labels\.csv: 2 labels lie above 0 and 0 below; labels lie around 0"):
        preset_data.of_folder(mine)


def test_tension_is_measured_on_any_corpus(mine):
    found = preset_data.of_corpora({"folder": mine}, "tension", ("train", "validation", "test"))
    assert len(found.high) == len(found.values["tempo"]) > 0
    assert not (found.high & found.low).any()


def test_no_preset_takes_the_tempo_out_of_a_metronomes_range():
    preset = Preset("fast", {"tempo": 1.0})
    assert preset.moved("tempo", np.array([60.0, 120.0, 240.0]), 1.0).tolist() == [pytest.approx(163.097), 208, 240]
    assert preset.moved("tempo", np.array([60.0, 30.0, 240.0]), -1.0).tolist() == [40, 30, pytest.approx(88.291)]
