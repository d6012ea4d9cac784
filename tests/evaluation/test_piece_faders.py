"""The strict protocol on whole files, with a rule in the model's place."""

from __future__ import annotations

import numpy as np
import pytest
from markdown_tables import parse
from midi_files import metre, save, track
from rule_rewriter import RuleRewriter

from fadernets.errors import FadernetsError
from fadernets.evaluation import piece_faders
from fadernets.metrics.tables import spelled


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """Forty tunes of chords in quarters and eighths."""
    rng = np.random.default_rng(0)
    monkeypatch.setattr(piece_faders, "M", 8)
    for i in range(60):
        notes = []
        for bar in range(8):
            root, length = 48 + (0, 5, 7, 0)[bar % 4], (0.5, 1)[rng.integers(2)]
            notes += [(bar * 4 + t, length, root + p, 80) for t in np.arange(0, 4, length) for p in (0, 4, 7)]
        save(tmp_path / f"{i}.mid", track(notes, metre(4)))
    return {"folder": tmp_path}


def test_what_is_written_has_the_asked_values(corpus):
    engine, seen = RuleRewriter(), []
    found = piece_faders.evaluate(engine, corpus, runs=2, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (4, 4)
    rhythm = found["rhythm_density"]
    assert rhythm["spearman"]["mean"] > 0.9
    assert rhythm["error"]["mean"] < 0.05
    assert rhythm["failures"]["mean"] == 0
    heads, rows = parse(piece_faders.table(found))[f"{engine.name}, 2 runs"]
    assert heads == [spelled("rhythm_density"), spelled("note_density")]
    assert "linearity" in [name for name, _ in rows]


def test_straight_bars_leave_triplets_out(corpus):
    third = 1 / 3
    for name in range(60):
        notes = [(4 * bar + third * t, third, 60 + t % 5, 80) for bar in range(8) for t in range(12)]
        save(corpus["folder"] / f"{name}.mid", track(notes, metre(4)))
    with pytest.raises(FadernetsError, match="0 test pieces"):
        piece_faders.evaluate(RuleRewriter(), corpus, runs=1, straight=True)
    assert piece_faders.evaluate(RuleRewriter(), corpus, runs=1)["rhythm_density"]["failures"]["mean"] == 0


def test_too_few_pieces_are_refused(tmp_path):
    save(tmp_path / "a.mid", track([(0, 1, 60, 80)], metre(4)))
    with pytest.raises(FadernetsError, match="test pieces with four bars in a row"):
        piece_faders.evaluate(RuleRewriter(), {"folder": tmp_path})
