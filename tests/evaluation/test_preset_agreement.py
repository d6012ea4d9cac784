"""Whether a classifier of other pieces agrees with a preset, on a made-up corpus in which quick is high."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from midi_files import left, metre, right, save, tempo, track
from rule_rewriter import RuleRewriter

from fadernets.codecs import grid
from fadernets.data.corpora import Labels, Source
from fadernets.engines.grid import Engine
from fadernets.errors import FadernetsError
from fadernets.evaluation import preset_agreement, roll_classifier
from fadernets.fitting import preset_data
from fadernets.music import reader


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Sixteen pieces of four bars; every fourth is for testing."""
    paths = []
    for i in range(16):
        hands = track(right(16, i), tempo(150 if i % 2 else 80), metre(4)), track(left(16, i), channel=1)
        paths.append(save(tmp_path / f"{i:02}.mid", *hands))

    def read(source):
        way = np.full(4, 0.5 if int(source.path.stem) % 2 else -0.5, np.float32)
        return SimpleNamespace(piece=reader.read(source.path), labels=Labels(way, -way))

    corpus = SimpleNamespace(sources=lambda root: [Source(path.stem, path.stem, path) for path in paths], read=read)
    for module in (preset_agreement, preset_data):
        monkeypatch.setattr(module, "CORPORA", {"toy": corpus})
        monkeypatch.setattr(module, "find_root", lambda name, root: root)
        monkeypatch.setattr(module, "split_of", lambda source, seed: 2 if int(source.path.stem) % 4 > 1 else 0)
    monkeypatch.setattr(preset_agreement, "SEGMENTS", 6)
    monkeypatch.setattr(preset_agreement, "EACH", 2)
    return tmp_path


def test_quick_is_high(toy):
    told, skipped = [], []
    (toy / "06.mid").write_bytes(b"no music")
    found = preset_agreement.evaluate(
        Engine.open(), toy, "arousal", "toy", progress=lambda *at: told.append(at), skip=skipped.append
    )
    assert [line.partition(":")[0] for line in skipped] == ["06"]
    assert found["classifier_balanced_accuracy"] > 0.7  # four pieces for half a hundred features
    assert found["classifier_pieces"] == 4
    assert "tempo x" in found["preset"]
    assert found["every fader"] == {"up": 1.0, "down": 1.0, "both": 1.0, "segments": 6.0}
    assert set(found) >= {"tempo held", "tempo and dynamics held", "the paper's two codes"}
    assert told[-1] == (4, 4)
    lines = preset_agreement.table(found).splitlines()
    assert lines[1].startswith("classifier of 4 other pieces: balanced accuracy 0.")
    assert "| every fader | 1.000 | 1.000 | 1.000 | 6 |" in lines


def test_classifiers_of_rolls_stand_beside(toy, monkeypatch):
    """Each view's accuracy is the mean over seeds, here .5 and .75 for the score, .25 and 1 for the performance."""
    pytest.importorskip("torch")
    told = iter([0.5, 0.75, 0.25, 1.0] * 2)
    monkeypatch.setattr(roll_classifier, "balanced_accuracy", lambda log_odds, truth: next(told))
    found = preset_agreement.evaluate(RuleRewriter(), toy, "arousal", "toy", segments=4, roll_seeds=(0, 1))
    assert found["model"] == "rule"
    assert "the paper's two codes" not in found
    assert set(found["roll classifiers"]) == {"score", "performance"}
    for rows in found["roll classifiers"].values():
        assert set(rows["every fader"]) == {"up", "down", "both", "segments", "deviation"}
        assert rows["tempo held"]["segments"] == 4
    score, performance = (found["roll classifiers"][view] for view in ("score", "performance"))
    assert (score["balanced_accuracy"], performance["balanced_accuracy"]) == (0.625, 0.625)
    assert (score["accuracy_deviation"], performance["accuracy_deviation"]) == (0.125, 0.375)
    assert score["every fader"] == score["tempo held"]  # it sees no tempo
    assert "classifier of rolls (performance): balanced accuracy" in preset_agreement.table(found)
    assert found == preset_agreement.evaluate(RuleRewriter(), toy, "arousal", "toy", segments=4, roll_seeds=(0, 1))


def test_other_labels(toy):
    """Valence is the other way round in the toy; tension is measured and needs no classifier."""
    found = preset_agreement.evaluate(Engine.open(), toy, "valence", "toy")
    assert "the paper's two codes" not in found
    assert found["every fader"]["both"] == 1
    measured = preset_agreement.evaluate(Engine.open(), toy, "tension", "toy")
    assert "classifier_pieces" not in measured


@pytest.mark.parametrize(("sign", "agreed"), [(1, 1.0), (-1, 0.0)])
def test_what_is_measured_decides(toy, monkeypatch, sign, agreed):
    """A preset for notes as high as can be: it goes as asked by that measure, and never by the opposite one."""

    def height(cells):
        sounding = cells != grid.OFF
        return (sounding * np.arange(88)).sum((-2, -1)) / np.maximum(sounding.sum((-2, -1)), 1)

    heights = SimpleNamespace(tension=height)
    monkeypatch.setattr(preset_agreement, "tension", heights)
    learned = preset_agreement._learned

    def then(pieces, label):
        preset = learned(pieces, label)
        heights.tension = lambda cells: sign * height(cells)
        return preset

    monkeypatch.setattr(preset_agreement, "_learned", then)
    found = preset_agreement.evaluate(Engine.open(), toy, "tension", "toy")["every fader"]
    assert found["both"] == agreed


def test_a_corpus_that_is_not_known(tmp_path):
    with pytest.raises(FadernetsError, match="corpus 'jazz' is not known"):
        preset_agreement.evaluate(Engine.open(), tmp_path, "arousal", "jazz")


def test_the_command(run_here, toy):
    options = ("--corpus", f"toy={toy}", "--json", "--segments", "2", "--roll-runs", "0")
    code, out, err = run_here("evaluate", "presets", "arousal", *options)
    assert code == 0
    found = json.loads(out)
    assert found["model"] == "rewriter"
    assert found["every fader"] == {"up": 1, "down": 1, "both": 1, "segments": 2}
    for arguments, message in (
        (["arousal"], "the following arguments are required: --corpus"),
        (["--corpus", "toy=x"], "the following arguments are required: LABEL"),
        (["joy", "--corpus", "toy=x"], "invalid choice: 'joy'"),
        (["arousal", "--corpus", "toy=x", "--corpus", "two=y"], "takes one corpus"),
        (["arousal", "--corpus", "toy=x", "--segments", "0"], "--segments 0: must be at least 1"),
        (["arousal", "--corpus", "toy=x", "--roll-runs", "-1"], "--roll-runs -1: must be at least 0"),
    ):
        code, _, err = run_here("evaluate", "presets", *arguments)
        assert code == 2
        assert message in err[-1]
