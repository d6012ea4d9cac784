"""Editors of one shape: the rule lands on what is asked in whole files, models are asked with faders."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from midi_files import PIECES, metre, save, track
from rule_rewriter import RuleRewriter

from fadernets.evaluation import editors
from fadernets.evaluation.piece_passages import PassagePiece
from fadernets.music.document import Document, Edit


def waltz(path):
    notes = [(bar * 3 + beat, 1, pitch, 80) for bar in range(8) for beat in range(3) for pitch in (60, 64, 67, 72)]
    return Document(save(path / "waltz.mid", track(notes, metre(3, 4))))


@pytest.mark.parametrize(("attribute", "move", "onsets", "voices"), [
    ("rhythm_density", 0.25, 6, None), ("rhythm_density", -0.17, 1, None),
    ("note_density", 1.0, 3, 5), ("note_density", -1.0, 3, 3),
])  # fmt: skip
def test_the_rule_lands_in_every_bar(tmp_path, attribute, move, onsets, voices):
    document = waltz(tmp_path)
    piece = PassagePiece.of(document, "waltz")
    edited = piece.cells(piece.reread(editors.rule().edit(document, {attribute: move}, 0)))[:, :, :12]
    assert ((edited == 1).any(-1).sum(-1) == onsets).all()
    if voices:
        np.testing.assert_allclose((edited > 0).sum(-1).mean(-1), voices, atol=1 / 12)


def test_the_rule_at_rest_writes_the_same_bytes(tmp_path):
    document = Document(PIECES["two_hands"](tmp_path / "a.mid"))
    same = editors.rule().edit(document, {"rhythm_density": 0.0}, 3)
    assert same.piece.notes.tolist() == document.piece.notes.tolist()


def test_the_rule_knows_two_attributes(tmp_path):
    with pytest.raises(ValueError, match="no rule for 'pitch'; known: rhythm_density, note_density"):
        editors.rule().edit(waltz(tmp_path), {"pitch": 1.0}, 0)


def test_a_function_of_faders_is_an_editor(tmp_path):
    document, asked = waltz(tmp_path), []

    def edit(given, faders):
        asked.append((given, faders.move, faders.seed))
        return [SimpleNamespace(data=given.edited(Edit.nothing()))]

    editor = editors.by_faders("mine", edit)
    assert editor.name == "mine"
    edited = editor.edit(document, {"note_density": 0.5}, 7)
    assert asked == [(document, {"note_density": 0.5}, 7)]
    assert edited.piece.notes.tolist() == document.piece.notes.tolist()


def test_a_model_of_passages_is_an_editor(tmp_path):
    document = waltz(tmp_path)
    editor = editors.model(RuleRewriter())
    assert editor.name == "rule"
    assert len(editor.edit(document, {"rhythm_density": 0.25}, 0).piece.notes) > len(document.piece.notes)
