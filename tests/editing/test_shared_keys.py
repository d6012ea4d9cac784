"""Notes of the other hand keep their keys when one hand moves to them."""

import numpy as np
import pytest
from midi_files import metre, save, track
from rule_rewriter import RuleRewriter

from fadernets.editing import file_edit
from fadernets.editing.edit_grids import placed_for
from fadernets.editing.note_draft import NoteDraft
from fadernets.editing.requests import Faders
from fadernets.editing.shared_keys import apart_from_others
from fadernets.music.document import Document

RIGHT = [(i, 0.5, 60 + (4, 7, 9, 12)[i % 4], 80) for i in range(16)]
LEFT = [(4 * i, 3.9, 40 + (0, 5, 7, 0)[i], 75) for i in range(4)]


@pytest.fixture
def document(tmp_path):
    return Document(save(tmp_path / "in.mid", track([*RIGHT, *LEFT], metre(4))))


def left_hand(document):
    return placed_for(RuleRewriter(), document.piece, [0], Faders.checked(only="left"))


def moved(piece, semitones):
    draft = NoteDraft.of(piece.piece.notes, piece.windows, piece.piece.tempo)
    return draft.with_columns(pitch=draft.notes["pitch"] + np.array(semitones))


def test_a_note_that_would_meet_one_of_the_other_hand_goes_back(document):
    piece = left_hand(document)
    assert piece.piece.notes["pitch"].tolist() == [40, 45, 47, 40]
    out = apart_from_others(moved(piece, [24, 12, 12, 32]), piece, document.piece)
    assert out.notes["pitch"].tolist() == [40, 57, 59, 40]


def test_a_piece_with_all_of_its_notes_has_no_others(document):
    piece = placed_for(RuleRewriter(), document.piece, [0])
    draft = moved(piece, [1] * 20)
    assert apart_from_others(draft, piece, document.piece) is draft


def test_notes_of_another_channel_may_sound_on_the_same_pitch(tmp_path):
    document = Document(save(tmp_path / "in.mid", track(LEFT, metre(4)), track(RIGHT, channel=1)))
    piece = placed_for(RuleRewriter(), document.piece, [0])
    draft = moved(piece, [24, 19, 17, 24])
    assert apart_from_others(draft, piece, document.piece) is draft


@pytest.mark.parametrize("move", [{"pitch": p} for p in range(14, 34, 2)] + [{"key": 4}, {"articulation": 0.3}])
def test_the_other_hand_keeps_every_note(document, move):
    faders = Faders.checked(move=move, only="left")
    (answer,) = file_edit.edit_document(RuleRewriter(), document, faders)
    after = Document(document.path, answer.data).piece.notes.tolist()
    kept = left_hand(document).left_out.tolist()
    assert kept
    assert all(note in after for note in kept)
