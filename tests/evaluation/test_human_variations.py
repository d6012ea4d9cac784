"""What variations keep of a theme, on a made-up one and its made-up variations."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from made_variations import write_variations
from markdown_tables import parse
from midi_files import metre, save, track

from fadernets.evaluation import editors, human_variations
from fadernets.music.document import Document


@pytest.fixture
def corpus(tmp_path):
    return write_variations(tmp_path / "k265")


def test_bars_hold_sixteenths_and_triplets(tmp_path):
    path = save(tmp_path / "a.mid", track([(2 + 1 / 3, 1 / 3, 60, 80), (2.75, 0.25, 60, 80)], metre(2, 4)))
    cells = human_variations.bars_of(Document(path).piece)
    assert np.argwhere(cells == 1).tolist() == [[1, 4, 39], [1, 9, 39]]
    assert (cells > 0).sum() == 7
    assert human_variations.bars_of(Document(path).piece, 1)[0, 4, 39] == 1


def test_what_variations_keep(corpus):
    found = human_variations.evaluate(corpus, [editors.rule()])
    assert found["theme"] == {"rhythm_density": 0.25, "note_density": 3.0}
    same, triplets, octaves = (found[f"variation {k}"] for k in (1, 2, 3))
    kept = {key: value for key, value in same["Mozart"].items() if key not in found["theme"]}
    assert set(kept.values()) == {1.0}
    assert same["rule"] == same["Mozart"]
    assert triplets["Mozart"]["rhythm_density"] == 0.75
    assert triplets["Mozart"]["onsets_kept"] == 1
    assert triplets["Mozart"]["notes_kept"] == pytest.approx(2 / 3)
    assert (triplets["Mozart"]["top_kept"], triplets["Mozart"]["bass_kept_class"]) == (1, 1)  # an octave above
    assert triplets["Mozart"]["bass_kept"] == 0
    assert triplets["rule"]["rhythm_density"] == 0.75
    assert triplets["rule"]["top_kept"] == 1
    assert (octaves["Mozart"]["top_kept"], octaves["Mozart"]["top_kept_class"]) == (0, 1)
    assert octaves["Mozart"]["chroma_similarity"] == pytest.approx(1)
    assert len(found) == 13


def test_the_table_has_a_row_for_each_hand(corpus):
    _, rows = parse(human_variations.table(human_variations.evaluate(corpus, [editors.rule()])))["bars"]
    assert len(rows) == 1 + 2 * 11 + 2
    assert rows[0][0] == "theme"
    assert rows[0][1][:3] == ["Mozart", "0.25", "3.00"]
    assert [(name, cells[0]) for name, cells in rows[-2:]] == [("mean", "Mozart"), ("mean", "rule")]


@pytest.mark.shared
def test_mozarts_variations():
    root = Path(os.environ["FADERNETS_DATA"]) / "tavern_k265"
    found = human_variations.evaluate(root, [])
    assert found["variation 1"]["Mozart"]["rhythm_density"] > 3 * found["theme"]["rhythm_density"]
    assert found["variation 1"]["Mozart"]["onsets_kept"] > 0.9
    assert found["variation 2"]["Mozart"]["top_kept"] > 0.9
