"""Figures of edited passages by hand-counted cases."""

from __future__ import annotations

import numpy as np
import pytest
from midi_files import metre, save, track

from fadernets.codecs.grid import HOLD, ONSET
from fadernets.evaluation import passage_figures
from fadernets.metrics.passage_features import Passages
from fadernets.music.document import Document
from fadernets.music.metric_grid import MetricGrid
from fadernets.music.notes import make_notes


def segment(*notes, steps=16):
    cells = np.zeros((16, 88), np.uint8)
    for onset, end, pitch in notes:
        cells[onset, pitch] = ONSET
        cells[onset + 1 : end, pitch] = HOLD
    return cells


CHORDS = segment((0, 4, 40), (0, 4, 44), (0, 4, 47), (4, 6, 40), (8, 12, 40), (8, 12, 47))  # 6 notes in 3 onset steps


def most(attribute, value, cells=CHORDS, steps=16):
    found = passage_figures.most_f1(cells[None], np.array([steps]), attribute, np.array([value]))
    return found[0]


def test_what_is_asked_lies_within_what_a_segment_can_hold():
    steps = np.array([16, 16, 12, 16])
    source = np.array([4 / 16, 15 / 16, 3 / 12, 0])
    found = passage_figures.asked(source, steps, "rhythm_density", 0.23)
    np.testing.assert_allclose(found, [8 / 16, 1, 6 / 12, 4 / 16])
    np.testing.assert_allclose(
        passage_figures.asked(source, steps, "rhythm_density", -0.5), [1 / 16, 7 / 16, 1 / 12, 0]
    )
    np.testing.assert_allclose(passage_figures.asked(source, steps, "note_density", -0.5), [0, 7 / 16, 0, 0])


def test_the_most_f1_of_rhythm_adds_or_drops_what_it_must():
    assert most("rhythm_density", 3 / 16) == 1
    assert most("rhythm_density", 5 / 16) == pytest.approx(2 * 6 / (6 + 8))
    assert most("rhythm_density", 2 / 16) == pytest.approx(2 * 5 / (6 + 5))  # the single note goes
    assert most("rhythm_density", 1 / 16) == pytest.approx(2 * 3 / (6 + 3))
    assert most("rhythm_density", 0) == 0


def test_the_most_f1_of_notes_changes_lengths_first():
    assert most("note_density", 22 / 16) == 1
    assert most("note_density", 40 / 16) == 1  # all lengthened up to the end: 48 cells
    assert most("note_density", 6 / 16) == 1
    assert most("note_density", 4 / 16) == pytest.approx(2 * 4 / (6 + 4))
    assert most("note_density", 60 / 16) == pytest.approx(2 * 6 / (6 + 7))
    assert most("note_density", 3.0, segment(), 12) == 0  # nothing was there, notes must come
    assert most("rhythm_density", 0.0, segment()) == 1


def test_figures_beside_the_source():
    cells = np.stack([CHORDS] * 8).reshape(2, 4, 16, 88)
    edited = cells.copy()
    edited[:, :, 12, 40] = ONSET
    source, moved = (Passages.of(c, np.arange(2)) for c in (cells, edited))
    found = passage_figures.beside_source(source, moved, "rhythm_density", 2 / 16)
    assert found["n"] == 2
    assert found["note_f1"] == pytest.approx(12 / 13)
    assert found["note_f1_most"] == pytest.approx(12 / 14)
    assert found["error"] == pytest.approx(1 / 16)
    assert found["other_error"] == pytest.approx(1 / 16)
    assert found["neighbours_source"] == 0


def test_repeats_are_alike_exactly_or_transposed():
    other = segment((0, 3, 50))
    up = np.roll(CHORDS, 5, axis=1)
    source = [(b"4", cells) for cells in (CHORDS, CHORDS, up, up, other, segment())] + [(b"3", CHORDS)]
    edit = CHORDS.copy()
    edit[12, 40] = ONSET
    alike = passage_figures.Alike()
    # The transposed one is edited alike; its own repeat is not.
    edited = [edit, edit, np.roll(edit, 5, axis=1), up, other, segment(), CHORDS]
    alike.add(source, np.stack(edited), [("4/4",)] * 3 + [("3/4",)] * 4)
    assert alike.figures() == {"repeats_alike": 0.5, "repeats": 2, "transposed_alike": 1, "transposed": 1}
    assert alike.figures("4/4") == {"repeats_alike": 1, "repeats": 1, "transposed_alike": 1, "transposed": 1}
    assert alike.figures("3/4")["repeats_alike"] == alike.figures("3/4")["transposed"] == 0
    assert np.isnan(passage_figures.Alike().figures()["repeats_alike"])


def test_new_notes_on_and_off_the_steps_of_their_beats(tmp_path):
    straight, thirds = [(t / 4, 0.25, 60, 80) for t in range(8)], [(2 + t / 3, 1 / 3, 60, 80) for t in range(6)]
    source = Document(save(tmp_path / "a.mid", track([*straight, *thirds], metre(4)))).piece
    at = np.array([0.25, 0.5, 2 + 1 / 3, 2.25, 0.125, 2 + 1 / 6, 2.1])  # the first three on own steps, then finer, off
    new = make_notes([(round(x * source.tpq), round(x * source.tpq) + 20, 72, 80, 0) for x in at])
    seen = passage_figures.NewNotes()
    seen.add(MetricGrid.of(source), source.notes, np.concatenate([source.notes[2:], new]), [("4/4", "triplets")])
    assert seen.figures() == {"on_steps": 3 / 7, "on_finer_steps": 5 / 7, "new_notes": 7}
    assert seen.figures("triplets") == seen.figures()
    assert seen.figures("3/4")["new_notes"] == 0
    assert np.isnan(passage_figures.NewNotes().figures()["on_steps"])
