"""The faders beyond the model measured on made-up corpora."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from midi_files import left, metre, save, tempo, track

from fadernets.attributes import performed, table
from fadernets.attributes.table import ATTRIBUTES, Attribute
from fadernets.data.corpora import Source
from fadernets.errors import FadernetsError
from fadernets.evaluation import note_faders
from fadernets.music import reader


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Twelve pieces as a corpus; every fourth is for testing, one of the others cannot be read."""
    paths = []
    for i in range(12):
        off = [(4 * bar + beat, 0.2, 81, 90) for bar in range(4) for beat in (0.25, 1.5, 2.75)[: (i + bar) % 4]]
        lower = [row for row in left(16, i) if row[0] % 1 == 0]
        hands = track(off, tempo(80 + 5 * i), metre(4)), track(lower, channel=1)
        paths.append(save(tmp_path / f"{i:02}.mid", *hands))
    (tmp_path / "01.mid").write_bytes(b"no music")
    corpus = SimpleNamespace(
        sources=lambda root: [Source(path.stem, path.stem, path) for path in sorted(root.glob("*.mid"))],
        read=lambda source: SimpleNamespace(piece=reader.read(source.path)),
    )
    monkeypatch.setattr(note_faders, "CORPORA", {"toy": corpus})
    monkeypatch.setattr(note_faders, "find_root", lambda name, root: root)
    monkeypatch.setattr(note_faders, "split_of", lambda source, seed: 2 if int(source.path.stem) % 4 == 0 else 0)
    monkeypatch.setattr(note_faders, "SEGMENTS", 6)
    monkeypatch.setattr(note_faders, "VALUES", 4)
    return {"toy": tmp_path}


def test_figures_of_faders_that_land(toy):
    told = []
    names = ("dynamics", "tempo", "pitch", "syncopation")
    found = note_faders.evaluate(toy, runs=1, names=names, progress=lambda *at: told.append(at))
    assert list(found) == list(names)
    assert told == [(i, 4) for i in range(1, 5)]
    for name in ("dynamics", "tempo"):
        figures = found[name]
        assert figures["spearman"] > 0.95
        assert figures["linearity"] > 0.95
        assert figures["response_range"] == pytest.approx(1, abs=0.02)
        assert figures["error"] < ATTRIBUTES[name].near
        assert figures["others_move"] == 0
        assert {key for key in figures if key.startswith("moves_")} == {
            f"moves_{n}" for n in (*note_faders.CODED, *note_faders.note_fader_names()) if n != name
        }
    assert found["pitch"]["spearman"] > 0.9
    assert found["syncopation"]["spearman"] > 0.9
    assert note_faders.evaluate(toy, runs=1, names=("tempo",)) == {"tempo": found["tempo"]}  # no chance but the seed's


def test_faders_of_the_users_are_measured_too(toy, monkeypatch):
    monkeypatch.setattr(table, "USER_DEFINED", set())
    loud = Attribute("loud", performed.dynamics, 1.0, 127.0, "velocity", of="performance", change=_as_loud)
    struck = Attribute("struck", lambda cells: (cells == 1).sum((1, 2)), 0.0, 64.0, "onsets")
    still = Attribute("still", performed.dynamics, 1.0, 127.0, "velocity", of="performance")
    try:
        for row in (loud, struck, still):
            table.register(row)
        assert {"loud", "struck"} <= set(note_faders.note_fader_names())
        assert "still" not in note_faders.note_fader_names()
        found = note_faders.evaluate(toy, runs=1, names=("loud", "struck"))
        assert found["loud"]["spearman"] > 0.95
        assert np.isfinite(list(found["struck"].values())).all()
        assert "moves_struck" in found["loud"]
        assert "| loud |" in note_faders.table(found)
    finally:
        for name in ("loud", "struck", "still"):
            ATTRIBUTES.pop(name, None)


def _as_loud(performance, asked):
    notes = performance.notes.copy()
    moved = np.isfinite(asked)[performance.window]
    notes["velocity"][moved] = np.round(asked[performance.window][moved])
    return replace(performance, notes=notes)


def test_pieces_that_are_all_alike_have_figures_without_a_warning(toy, monkeypatch):
    learned = note_faders.training_statistics

    def alike(*given, **options):
        found = learned(*given, **options)
        same = {name: (low, low) for name, (low, _) in found.percentiles.items()}
        return replace(found, percentiles=same)

    monkeypatch.setattr(note_faders, "training_statistics", alike)
    assert note_faders.evaluate(toy, runs=1, names=("dynamics",))["dynamics"]["response_range"] == 0


def test_keys_are_hit(toy):
    figures = note_faders.evaluate(toy, runs=1, names=("key",))["key"]
    assert figures["hit_rate"] > 0.7
    assert 0 < figures["voices_move"] < 6


def test_values_run_between_percentiles_on_the_grain():
    known = note_faders.TrainingStatistics({"syncopation": (0.0, 5.2), "tempo": (60.0, 130.0)}, {})
    assert note_faders.asked_values("syncopation", known).tolist() == np.round(np.linspace(0, 5.2, 8)).tolist()
    assert note_faders.asked_values("tempo", known).tolist() == pytest.approx(np.linspace(60, 130, 8))


def test_what_training_pieces_say(toy, monkeypatch):
    pieces = note_faders.pieces_by_split(toy)
    assert [len(pieces[split]) for split in ("train", "test")] == [9, 3]
    known = note_faders.training_statistics(pieces["train"])
    low, high = known.percentiles["tempo"]
    assert 85 <= low < high <= 136
    assert known.deviations["tempo"] > 10
    assert set(known.deviations) == {*note_faders.CODED, *note_faders.note_fader_names()}


def test_a_corpus_that_is_none(toy, monkeypatch):
    with pytest.raises(FadernetsError, match="corpus 'songs' is not known; allowed: toy"):
        note_faders.evaluate({"songs": Path()})
    monkeypatch.setattr(note_faders, "split_of", lambda source, seed: 0)
    with pytest.raises(FadernetsError, match="no pieces for a split"):
        note_faders.evaluate(toy)
