"""The protocol end to end on made-up pieces: what is drawn, judged and printed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from markdown_tables import parse
from midi_files import metre, save, track

from fadernets.editing.cells_to_notes import edit_between_rolls
from fadernets.editing.file_edit import choose_tracks
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.errors import FadernetsError
from fadernets.evaluation import editors, passage_realism, passage_table
from fadernets.evaluation.editors import Editor
from fadernets.metrics import two_sample
from fadernets.music.document import Document
from fadernets.music.metric_grid import MetricGrid

pytest.importorskip("sklearn")

DEVIATIONS = {"rhythm_density": 0.2, "note_density": 0.8}


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """Ninety tunes of chords in quarters and eighths, each with bars that repeat; half of them in three."""
    rng = np.random.default_rng(0)
    monkeypatch.setattr(passage_realism, "FEWEST", 4)
    monkeypatch.setattr(two_sample, "FARTHEST", 9.0)
    for i in range(90):
        quarters = 3 + i % 2
        notes = []
        for bar in range(16):
            root, length = 48 + (0, 5, 7, 0)[bar % 4], (0.5, 1)[rng.integers(2)]
            at = np.arange(0, quarters, length).tolist()
            notes += [(bar * quarters + t, length, root + p, 80) for t in at for p in (0, 4, 7, 12)]
        save(tmp_path / f"{i}.mid", track(notes, metre(quarters, 4)))
    return {"folder": tmp_path}


def evaluate(corpus, compared, **more):
    asked = {"moves": (1,), "pieces": 3, "judges": {"trees": (0,)}} | more
    return passage_realism.evaluate(compared, corpus, DEVIATIONS, **asked)


def test_the_protocol_and_its_table(corpus):
    seen = []
    found = evaluate(corpus, [editors.rule()], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert len(found["pieces"]) == 3
    assert found == json.loads(json.dumps(found))
    row = found["editors"]["rule"]["rhythm_density/+1"]
    assert row["error"] < 0.02
    assert row["repeats_alike"] == row["transposed_alike"] == 1
    assert row["failures"] == 0
    assert row["note_f1"] <= row["note_f1_most"] < 1
    classes = row["classes"]
    assert set(classes) == {"4/4", "3/4", "straight"}
    assert classes["straight"]["note_f1"] == row["note_f1"]
    assert classes["3/4"]["n"] + classes["4/4"]["n"] == row["n"]
    assert classes["3/4"]["repeats"] + classes["4/4"]["repeats"] == row["repeats"]
    assert classes["3/4"]["new_notes"] + classes["4/4"]["new_notes"] == row["new_notes"]
    _, whole, by_class = passage_table.table(found).split("\n\n")
    heads, rows = parse(whole)["moved by"]
    assert [name for name, _ in rows] == ["at rest", "rhythm density +1 sd", "note density +1 sd"]
    assert heads[:2] == ["editor", "AUC, trees"]
    heads, rows = parse(by_class)["moved by"]
    assert heads[:3] == ["editor", "bars", "AUC, trees"]
    assert len(rows) == 6


def test_the_judge_tells_broken_edits_and_no_others(corpus):
    """What nobody changed cannot be told from real music; the same music with its keys in another order can."""

    def mixed_up(document, moves, seed):
        grid = MetricGrid.of(document.piece)
        piece = PieceOnGrid.of(document.piece, choose_tracks(document.piece), grid)
        roll = piece.roll[:, np.random.default_rng(seed).permutation(piece.roll.shape[1])]
        change = edit_between_rolls(piece.piece, grid, piece.placed, piece.roll, roll)
        return Document(document.path, document.edited(change.among(piece.rows)))

    unchanged = Editor("unchanged", lambda document, moves, seed: document)
    found = evaluate(corpus, [unchanged, Editor("mixed up", mixed_up)], pieces=24)["editors"]
    trees = {name: rows["rhythm_density/+1"]["trees"] for name, rows in found.items()}
    assert min(row["passages"] for row in trees.values()) > 20
    assert trees["unchanged"]["mean"] == pytest.approx(0.5, abs=0.15)
    assert trees["mixed up"]["mean"] > 0.9


def test_the_same_seed_gives_the_same_figures(corpus):
    again, other = (evaluate(corpus, [editors.rule()], seed=seed) for seed in (0, 1))
    assert again == evaluate(corpus, [editors.rule()])
    assert other["pieces"] != again["pieces"]


def test_what_cannot_be_edited_stays_and_is_counted(corpus):
    def refuse(document, moves, seed):
        raise FadernetsError("no")

    row = evaluate(corpus, [Editor("none", refuse)], judges={})["editors"]["none"]["note_density/+1"]
    assert row["failures"] == 1
    assert row["note_f1"] == 1
    assert row["classes"]["straight"]["pairs"] == row["pairs"]
    assert "trees" not in row["classes"]["straight"]
    assert row["error"] == pytest.approx(0.8, abs=0.05)


def test_a_corpus_without_passages_is_refused(tmp_path):
    save(tmp_path / "a.mid", track([(0, 1, 60, 80)]))
    with pytest.raises(FadernetsError, match="no test piece of folder has four bars in a row"):
        evaluate({"folder": tmp_path}, [editors.rule()])
