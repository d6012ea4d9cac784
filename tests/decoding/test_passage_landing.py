"""Note density landed on by ends of notes: which ends may not move."""

from __future__ import annotations

import numpy as np
import toy_rewriter

from fadernets.codecs.grid import HOLD, LOW, OFF, ONSET
from fadernets.decoding.passage_landing import land

C, E, G, D, F_SHARP, A = (pitch - LOW for pitch in (60, 64, 67, 62, 66, 69))


def two_bars(*pitches: tuple[int, ...]) -> np.ndarray:
    """[32, 88] a chord on the first beat of each of two bars in four, a step long."""
    cells = np.full((32, 88), OFF, np.uint8)
    for bar, chord in enumerate(pitches):
        cells[16 * bar, list(chord)] = ONSET
        cells[16 * bar + 1 : 16 * bar + 12, list(chord)] = HOLD
    return cells


def landed(source: np.ndarray, voices: float) -> np.ndarray:
    steps = toy_rewriter.made_grid_piece(bars=2).steps.take(slice(0, 32))
    return land(source, source, np.zeros(source.shape, bool), steps, np.full(32, voices))


def test_no_note_is_held_over_a_bar_line_into_a_chord_that_does_not_have_it() -> None:
    out = landed(two_bars((C, E, G), (D, F_SHARP, A)), 6.0)  # more than ends of notes can bring
    assert (out[12:16, [C, E, G]] == HOLD).all()
    assert (out[16:, [C, E, G]] == OFF).all()
    assert (out[28:, [D, F_SHARP, A]] == HOLD).all()


def test_a_note_of_the_next_chord_may_be_held_into_it() -> None:
    out = landed(two_bars((C, E, G), (E, G + 12)), 6.0)
    assert (out[16:, C] == OFF).all()
    assert (out[16, G] == HOLD).all()


def rested(source: np.ndarray, others: np.ndarray | None) -> np.ndarray:
    """[32] whether nothing sounds, where fewer voices are asked than one a step."""
    steps = toy_rewriter.made_grid_piece(bars=2).steps.take(slice(0, 32))
    out = land(source, source, np.zeros(source.shape, bool), steps, np.full(32, 0.25), others=others)
    return (out == OFF).all(1)


def test_a_track_rests_only_where_another_one_sounds() -> None:
    source = np.full((32, 88), OFF, np.uint8)
    source[:, C] = HOLD
    source[[0, 16], C] = ONSET
    others = np.zeros(32, bool)
    others[8:16] = True
    assert not rested(source, None).any()
    rests = rested(source, others)
    assert rests[8:16].any()
    assert not rests[~others].any()
    assert rested(source, ~np.zeros(32, bool)).sum() == 24  # as few voices as asked
