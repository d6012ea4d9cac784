"""The landing of a blend: the pitch classes of its cells come nearer to B's with every row, by as much as is asked.

A decode weighs A's and B's pitch classes by row, but its choice may be less like B than that of the row above. Here
notes of a decoded cell move to other pitches, where that costs the least, until its likeness to B is what its row asks
for. Onsets, holds and rests stay. R rows, K columns, C clips, N cells of a row (K columns of C clips).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Bools, Floats, Integers, States
from fadernets.codecs import melody_states
from fadernets.codecs.melody_states import ONSETS

MISSED = 100.0  # nats that a likeness missed by 1 costs
OUTSIDE, BEYOND = 1e3, 1e5  # nats for a likeness out of its bounds, and for each 1 that it lies beyond them
EQUAL = 1e-9  # likenesses, and costs in nats, that differ by less count as equal
FAR = 0.3  # nats a semitone away from the decoded pitch
REACH = 6  # semitones that a note moves at most
MOVES = 48  # of notes in a cell, at most


@dataclass(frozen=True)
class Likeness:
    """How like B the cells of a row are to be: about `asked`, and from `least` to `most`."""

    asked: Floats  # [N] cosines
    least: Floats  # [N]
    most: Floats  # [N]

    def missed(self, measured: Floats) -> Floats:
        """[N, ...] the cost of measured likenesses [N, ...], in nats."""
        asked, least, most = (v.reshape(-1, *[1] * (measured.ndim - 1)) for v in (self.asked, self.least, self.most))
        beyond = np.maximum(measured - most, 0) + np.maximum(least - measured, 0)
        return np.asarray(MISSED * np.abs(measured - asked) + np.where(beyond > EQUAL, OUTSIDE + BEYOND * beyond, 0))


def pitch_class_durations(clips: States) -> Floats:
    """[..., 12] for how many steps of clips [..., T] each pitch class sounds."""
    sounding = melody_states.sounding(clips)
    return np.stack([((sounding >= 0) & (sounding % 12 == c)).sum(-1) for c in range(12)], -1).astype(float)


def likeness(one: Floats, other: Floats) -> Floats:
    """[...] the cosine between [..., D] and [..., D]; 0 where one of them is 0."""
    length = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return np.asarray((one * other).sum(-1) / np.maximum(length, 1e-9))


def land_rows(cells: States, scores: NDArray[np.floating], a: States, b: States) -> States:
    """[R, K, C, 32] cells that come nearer to b [C, 32] with every row, as mixtures of a's and b's pitch classes do.

    scores [R, K, C, 32, 130]: nats of each state. The cell at the top left is a, the one at the bottom right b.
    """
    rows, columns, clips = cells.shape[:3]
    landed = cells.reshape(rows, -1, melody_states.STEPS).copy()  # [R, N, 32]
    of_a, of_b = (_unit(pitch_class_durations(clip)) for clip in (a, b))
    target, known = np.tile(of_b, (columns, 1)), np.tile(of_a + of_b > 0, (columns, 1))
    least = np.zeros(len(target))
    least[:clips] = likeness(of_a, of_b)  # the first column, below A, is no less like B than A is
    below = np.full(len(target), np.inf)
    for row in reversed(range(rows)):
        share = row / max(rows - 1, 1)
        asked = Likeness(np.tile(likeness((1 - share) * of_a + share * of_b, of_b), columns), least, below)
        landed[row] = land(landed[row], scores[row].reshape(-1, *scores.shape[3:]), known, target, asked)
        if row == rows - 1:
            landed[row, -clips:] = b
        if row == 0:
            landed[row, :clips] = a
        below = likeness(pitch_class_durations(landed[row]), target)
    return np.asarray(landed.reshape(cells.shape))


def land(cells: States, scores: NDArray[np.floating], known: Bools, b: Floats, asked: Likeness) -> States:
    """[N, 32] cells whose likeness to the durations b [N, 12] of pitch classes is as asked, or as near as moves come.

    scores [N, 32, 130]: nats; known [N, 12]: the pitch classes that notes may move to. One note of each cell at a time
    goes where the cost of the miss and of the moves together falls the most.
    """
    reach = np.arange(-REACH, REACH + 1)
    every = np.arange(len(cells))
    onset = cells < ONSETS
    pitches = cells[..., None].astype(np.int64) + reach  # [N, 32, P]
    allowed = onset[..., None] & (pitches >= 0) & (pitches < ONSETS)
    pitches = np.clip(pitches, 0, ONSETS - 1)
    allowed &= known[every[:, None, None], pitches % 12] | (reach == 0)
    score = np.take_along_axis(scores, pitches, -1).astype(np.float64)
    cost = np.maximum(score[..., REACH, None] - score, 0) + FAR * np.abs(reach)
    length = _lengths(cells)[..., None]  # [N, 32, 1]
    target = _unit(b)
    along = target[every[:, None, None], pitches % 12]
    taken = np.full(cells.shape, REACH)
    has = pitch_class_durations(cells)
    for _ in range(MOVES):
        # The likeness after every possible move, from the change in the length of the vector and in its dot product.
        now = np.take_along_axis(pitches, taken[..., None], -1)  # [N, 32, 1]
        other = now % 12 != pitches % 12
        less, more = (has[every[:, None, None], at % 12] for at in (now, pitches))
        square = (has**2).sum(-1)[:, None, None] + np.where(other, 2 * length * (length + more - less), 0)
        dot = (has * target).sum(-1)[:, None, None] + length * (along - np.take_along_axis(along, taken[..., None], -1))
        after = dot / np.sqrt(np.maximum(square, 1e-9))
        spent = np.take_along_axis(cost, taken[..., None], -1)
        change = np.where(allowed, cost - spent + asked.missed(after), np.inf).reshape(len(cells), -1)
        pick = change.argmin(-1)
        better = change[every, pick] < asked.missed(likeness(has, target)) - EQUAL
        if not better.any():
            break
        step, which = np.divmod(pick[better], len(reach))
        rows = every[better]
        lasts = length[rows, step, 0]
        has[rows, now[rows, step, 0] % 12] -= lasts
        has[rows, pitches[rows, step, which] % 12] += lasts
        taken[rows, step] = which
    return np.where(onset, np.take_along_axis(pitches, taken[..., None], -1)[..., 0], cells).astype(np.uint8)


def _unit(vectors: Floats) -> Floats:
    """[..., D] vectors of length 1; 0 stays."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))


def _lengths(cells: States) -> Integers:
    """[N, 32] for how many steps each note sounds, at its onset; 0 elsewhere."""
    steps = np.arange(melody_states.STEPS)
    behind = np.where(cells != melody_states.HOLD, steps, melody_states.STEPS)
    following = np.minimum.accumulate(behind[:, ::-1], axis=-1)[:, ::-1]
    ends = np.concatenate([following[:, 1:], np.full((len(cells), 1), melody_states.STEPS)], -1)
    return np.asarray(np.where(cells < ONSETS, ends - steps, 0))
