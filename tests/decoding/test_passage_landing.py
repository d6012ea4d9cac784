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
