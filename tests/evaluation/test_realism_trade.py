"""The trade over faithfulness on made-up pieces: its rows, its table and what is drawn of it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from markdown_tables import parse
from midi_files import metre, save, track
from rule_rewriter import RuleRewriter, folder_of_rule

from fadernets.evaluation import passage_realism, realism_trade
from fadernets.figures import plots
from fadernets.metrics import two_sample

pytest.importorskip("sklearn")

DEVIATIONS = {"rhythm_density": 0.2, "note_density": 0.8}


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """Ninety tunes of chords in quarters and eighths."""
    rng = np.random.default_rng(0)
    monkeypatch.setattr(two_sample, "FARTHEST", 9.0)
    for i in range(90):
        notes = []
        for bar in range(16):
            root, length = 48 + (0, 5, 7, 0)[bar % 4], (0.5, 1)[rng.integers(2)]
            at = np.arange(0, 4, length).tolist()
            notes += [(bar * 4 + t, length, root + p, 80) for t in at for p in (0, 4, 7, 12)]
        save(tmp_path / f"{i}.mid", track(notes, metre(4)))
    return {"folder": tmp_path}


def test_a_model_is_asked_at_each_faithfulness(corpus, tmp_path):
    model, told = RuleRewriter(), []
    found = realism_trade.evaluate(
        [model],
        corpus,
        DEVIATIONS,
        faithfulness=(0.0, 1.0),
        moves=(1,),
        pieces=2,
        seeds=(0,),
        progress=lambda *at: told.append(at),
    )
    assert told[-1] == (6, 6)
    assert found == json.loads(json.dumps(found))
    assert {task.faithfulness for task in model.tasks} == {0.0, 1.0}
    assert list(found["moves"]) == ["rhythm_density/+1", "note_density/+1"]
    move = found["moves"]["rhythm_density/+1"]
    first, last = move["models"]["rule"]
    assert (first["faithfulness"], last["faithfulness"]) == (0.0, 1.0)
    assert first["note_f1"] == last["note_f1"]  # this model does not heed it
    assert move["rule"]["note_f1"] == move["rule"]["note_f1_most"]
    _, rows = parse(realism_trade.table(found).partition("\n\n")[2])["moved by"]
    assert [cells[:2] for _, cells in rows[:4]] == [
        ["real, as level", "-"],
        ["rule", "0"],
        ["rule", "1"],
        ["rule", "-"],
    ]
    panels = realism_trade.panels(found)
    assert [panel.title for panel in panels] == ["rhythm density +1 sd", "note density +1 sd"]
    assert panels[0].lines["rule"][1] == (last["note_f1"], last["auc"]["mean"])
    assert panels[0].labels["rule"] == ["0", "1"]
    for name in ("a.png", "b.png"):
        plots.trade(panels, [tmp_path / name], title="t", setting="faithfulness")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_the_command_draws_and_prints(run_here, corpus, tmp_path, monkeypatch):
    folder, out = folder_of_rule(tmp_path / "model", monkeypatch), tmp_path / "trade.png"
    monkeypatch.setattr(realism_trade, "FAITHFULNESS", (1.0,))
    monkeypatch.setattr(passage_realism, "SEEDS", {"trees": (0,)})
    options = ("--two-sample", "--corpus", f"folder={corpus['folder']}", "--pieces", "1", "--moves=1", "--trade", out)
    code, table, err = run_here("evaluate", "realism", folder, *options)
    assert (code, err) == (0, [])
    assert table.splitlines()[2].startswith("| moved by | editor | faithfulness | AUC, trees |")
    assert out.stat().st_size > 0
    assert "+1 sd" in table
    assert "-1 sd" not in table
    for wrong in ("0", "a", "1,"):
        code, _, err = run_here("evaluate", "realism", folder, "--two-sample", f"--moves={wrong}")
        assert code == 2
        assert "expected whole numbers other than 0" in err[0]
    code, _, err = run_here("evaluate", "realism", folder, "--trade", out)
    assert code == 2
    assert "--trade is of --two-sample, which was not given" in err[0]
