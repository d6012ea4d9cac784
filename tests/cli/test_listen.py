"""The command `listen`: what it prints, what it refuses in one line, and what it leaves behind."""

import json

import numpy as np
import pytest
from listeners import panel, write_study
from midi_files import PIECES, metre, save, track

import fadernets
from fadernets.editing.presets import Preset
from fadernets.listening import make, study_files
from fadernets.listening.store import Study
from fadernets.rendering import audio, wav_files


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    wav = wav_files.wav_bytes(np.full((2, 3200), 0.1, np.float32), study_files.RATE)
    monkeypatch.setattr(audio, "render", lambda _, path, **__: path.write_bytes(wav))


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for name in ("two_hands", "bare"):
        PIECES[name](folder / f"{name}.mid")
    return folder


def test_make(run_here, files, tmp_path):
    out = tmp_path / "study"
    code, said, err = run_here("listen", "make", out, "--from", files, "--segments", 3, "--subjects", 4, "--bars", 2)
    assert (code, err) == (0, [])
    assert said.splitlines()[0].startswith(f"{out}: 3 trials (")
    manifest = study_files.read(out)
    assert (len(manifest.trials), len(manifest.orders), manifest.about.seed) == (3, 4, 0)
    assert (out / "consent.txt").read_text() == study_files.CONSENT_TEXT


def test_make_as_json(run_here, files, tmp_path):
    (tmp_path / "consent.txt").write_text("Is that all right?\n")
    Preset("mine", {"tempo": 0.3}).save(tmp_path / "mine.json")
    given = ("--segments", 2, "--subjects", 1, "--preset", f"{tmp_path}/mine.json=0.5", "--seed", 9, "--json")
    more = ("--consent", tmp_path / "consent.txt", "--model", "pop-lieder")
    code, said, err = run_here("listen", "make", tmp_path / "study", "--from", files, *given, *more)
    assert code == 0
    assert all("without tempo and loudness" in line for line in err)  # the preset moves the tempo alone
    assert len(err) == 2
    found = json.loads(said)
    assert found["about"]["seed"] == 9
    assert (found["about"]["preset"], found["about"]["amount"]) == ("mine", 0.5)
    assert found["about"]["moves"] == {"tempo": 0.3}
    assert str(tmp_path) not in (tmp_path / "study" / "study.json").read_text()
    ratios = {t["direction"]: t["after"]["tempo"] / t["before"]["tempo"] for t in found["trials"]}
    assert ratios == pytest.approx({"up": np.exp(0.15), "down": np.exp(-0.15)}, rel=1e-3)
    assert (tmp_path / "study" / "consent.txt").read_text() == "Is that all right?\n"


def test_the_papers_shift_and_a_preset_on_the_same_excerpts(run_here, files, tmp_path):
    """Section 5.2: with one seed and one model, two studies differ in nothing but the edit."""
    studies = {}
    for preset in ("arousal-codes", "arousal"):
        given = ("--from", files, "--segments", 4, "--subjects", 2, "--bars", 2, "--seed", 5, "--model", "pop-lieder")
        code, said, _ = run_here("listen", "make", tmp_path / preset, *given, "--preset", f"{preset}=1")
        assert code == 0
        assert f"preset {preset} by 1, model pop-lieder, seed 5" in said
        studies[preset] = study_files.read(tmp_path / preset)
    paper, faders = (
        {t.title: (t.direction, t.before) for t in studies[preset].trials} for preset in ("arousal-codes", "arousal")
    )
    assert paper == faders
    assert sorted(way for way, _ in paper.values()) == ["down", "down", "up", "up"]
    moved = {preset: {t.title: t.after for t in study.trials} for preset, study in studies.items()}
    assert moved["arousal-codes"] != moved["arousal"]
    assert not studies["arousal-codes"].about.moves  # codes move, no faders
    assert all(t.before["tempo"] == t.after["tempo"] for t in studies["arousal-codes"].trials)


def test_the_papers_one_decode_of_the_shift(run_here, files, tmp_path):
    make = ("listen", "make", tmp_path / "study", "--from", files, "--segments", 2, "--subjects", 1, "--bars", 1)
    code, said, _ = run_here(*make, "--preset", "arousal-codes=1", "--control", "paper")
    assert code == 0
    assert "preset arousal-codes by 1, control paper, model pop-lieder" in said
    study = study_files.read(tmp_path / "study")
    assert study.about.control == "paper"
    for trial in study.trials:
        original, transformed = (
            tmp_path / "study" / study_files.MEDIA / f"{sound}.mid" for sound in (trial.original, trial.transformed)
        )
        amount = 1 if trial.direction == "up" else -1
        decoded = fadernets.edit(original, preset="arousal-codes", amount=amount, control="paper")
        assert decoded.data == transformed.read_bytes()
    code, _, err = run_here(*make[:2], tmp_path / "other", *make[3:], "--control", "paper")
    assert (code, len(err)) == (2, 1)
    assert "control paper: is one decode of shifted codes" in err[0]
    assert not (tmp_path / "other").exists()


def test_the_options_may_stand_before_the_action(run_here, files, tmp_path):
    given = ("--from", files, "--segments", 2, "--subjects", 1)
    _, said, _ = run_here("listen", "--json", "--seed", 5, "make", tmp_path / "study", *given)
    assert json.loads(said)["about"]["seed"] == 5


def test_own_pairs_and_warnings(run_here, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    for name in ("a", "b"):
        for part in make.PARTS:
            save(folder / f"{name}-{part}.mid", track([(i, 1, 60, 80) for i in range(8)], metre(4)))
        (folder / f"{name}.json").write_text('{"direction": "up"}')
    code, said, err = run_here("listen", "make", tmp_path / "study", "--own", folder)
    assert code == 0
    assert err == [f"warning: {n}: the edit changed nothing; no answer to this trial can be right" for n in "ab"]
    assert "pairs of your own" in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "listen make needs --from FOLDER or --own FOLDER, one of the two"),
        (("--from", "{files}", "--own", "{files}"), "one of the two"),
        (("--from", "{files}/none"), "none: no such folder"),
        (("--from", "{files}", "--segments", 0), "segments 0: must lie in 2..200"),
        (("--from", "{files}", "--preset", "arousal"), "--preset arousal: expected NAME=AMOUNT"),
        (("--from", "{files}", "--preset", "arousal=-1"), "preset amount -1: must lie above 0"),
        (("--from", "{files}", "--consent", "{files}/no.txt"), "no.txt: cannot be read (No such file or directory)"),
        (("--from", "{files}", "--consent", "{files}/bare.mid"), "bare.mid: cannot be read (it is not UTF-8)"),
    ],
)
def test_make_refuses(refused, files, tmp_path, given, said):
    data = bytes([0xFF, 0xFE])
    (files / "bare.mid").write_bytes((files / "bare.mid").read_bytes() + data)
    arguments = [str(a).format(files=files) for a in given]
    assert said in refused("listen", "make", tmp_path / "study", *arguments)


def test_report(run_here, tmp_path):
    folder = write_study(tmp_path / "study", ["up", "down"], subjects=3)
    code, said, err = run_here("listen", "report", folder)
    assert (code, err) == (0, [])
    assert said.splitlines()[-1] == "no answers yet"
    with Study.open(folder) as study:
        panel(study)
    before = {f: f.read_bytes() for f in folder.iterdir() if f.is_file()}
    code, said, err = run_here("listen", "report", folder, "--out", tmp_path / "out")
    assert (code, err) == (0, [])
    files = ("answers.csv", "report.json", "figure6.png", "trials.png")
    assert said.splitlines()[-4:] == [str(tmp_path / "out" / name) for name in files]
    assert {f: f.read_bytes() for f in before} == before
    code, said, _ = run_here("listen", "report", folder, "--json")
    found = json.loads(said)
    assert found["files"] == []
    assert found["answers"] == 6
    assert {k: v for k, v in found.items() if k != "files"} == json.loads((tmp_path / "out/report.json").read_text())


def test_report_warns(run_here, tmp_path):
    folder = write_study(tmp_path / "study", ["up", "down"], subjects=1)
    with Study.open(folder) as study:
        panel(study)
    _, _, err = run_here("listen", "report", folder)
    assert err == ["warning: one subject alone: no bootstrap and no agreement between raters"]


def test_report_refuses(refused, tmp_path):
    assert "is no study: study.json cannot be read" in refused("listen", "report", tmp_path)
    folder = write_study(tmp_path / "study", ["up", "down"])
    (tmp_path / "file").write_text("")
    assert "file: is a file; name a folder" in refused("listen", "report", folder, "--out", tmp_path / "file")


def test_an_action_is_needed(run_here):
    code, out, err = run_here("listen")
    assert (code, out) == (2, "")
    assert err == [
        "fadernets listen: error: the following arguments are required: ACTION (see fadernets listen --help)"
    ]
