"""Cells of the grid whose pitch classes come nearer to B's with every row: asked is measured, as with the knobs.

A decode weighs A's and B's pitch classes by row and then takes what it likes, so a lower row can fall back behind the
one above. Here notes of a decoded cell go to other pitches, where that costs the least, until its likeness to B is what
its row asks for. Onsets, holds and rests stay. R rows, K columns, C clips, N cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fadernets.codecs import melody_states
from fadernets.codecs.melody_states import ONSETS, States

Floats = NDArray[np.float64]

MISSED = 100.0  # nats that a likeness missed by 1 costs
OUTSIDE, BEYOND = 1e3, 1e5  # nats to lie outside of the bounds, and beyond them by 1
FAR = 0.3  # nats a semitone away from the decoded pitch
REACH = 6  # semitones a note goes at most
TURNS = 48  # notes moved in a cell at most


@dataclass(frozen=True)
class Likeness:
    """How like B cells shall be, [N] each: about `asked`, and from `least` to `most`."""

    asked: Floats
    least: Floats
    most: Floats

    def missed(self, measured: Floats) -> Floats:
        """[N, ...] nats, of likenesses [N, ...]."""
        asked, least, most = (v.reshape(-1, *[1] * (measured.ndim - 1)) for v in (self.asked, self.least, self.most))
        beyond = np.maximum(measured - most, 0) + np.maximum(least - measured, 0)
        return np.asarray(MISSED * np.abs(measured - asked) + np.where(beyond > 1e-9, OUTSIDE + BEYOND * beyond, 0))


def pitch_class_durations(clips: States) -> Floats:
    """[..., 12] for how many steps of clips [..., T] each pitch class sounds."""
    heard = melody_states.sounding(clips)
    return np.stack([((heard >= 0) & (heard % 12 == c)).sum(-1) for c in range(12)], -1).astype(float)


def likeness(one: Floats, other: Floats) -> Floats:
    """[...] cosine of [..., D] with [..., D]; 0 where either has nothing."""
    length = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return np.asarray((one * other).sum(-1) / np.maximum(length, 1e-9))


def land_rows(cells: States, scores: NDArray[np.floating], a: States, b: States) -> States:
    """[R, K, C, 32] cells that come nearer to b [C, 32] with every row, by as much as a mixture of a's and b's pitch
    classes does. scores [R, K, C, 32, 130] nats of each state. Top left is a, bottom right b."""
    rows, columns, clips = cells.shape[:3]
    found = cells.reshape(rows, -1, melody_states.STEPS)  # a row's columns of clips, one after the other
    found = found.copy()
    of_a, of_b = (_unit(pitch_class_durations(clip)) for clip in (a, b))
    target, known = np.tile(of_b, (columns, 1)), np.tile(of_a + of_b > 0, (columns, 1))
    least = np.zeros(len(target))
    least[:clips] = likeness(of_a, of_b)  # what stands under A is no less like B than A is
    below = np.full(len(target), np.inf)
    for row in reversed(range(rows)):
        share = row / max(rows - 1, 1)
        asked = Likeness(np.tile(likeness((1 - share) * of_a + share * of_b, of_b), columns), least, below)
        found[row] = land(found[row], scores[row].reshape(-1, *scores.shape[3:]), known, target, asked)
        if row == rows - 1:
            found[row, -clips:] = b
        if row == 0:
            found[row, :clips] = a
        below = likeness(pitch_class_durations(found[row]), target)
    return np.asarray(found.reshape(cells.shape))


def land(cells: States, scores: NDArray[np.floating], known: NDArray[np.bool_], b: Floats, asked: Likeness) -> States:
    """[N, 32] cells as like contents b [N, 12] as asked, or as near as moving notes comes.

    scores [N, 32, 130] nats, known [N, 12] pitch classes that notes may move to. One note of each cell at a time goes
    where what is missed and what it costs fall the most together.
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
    for _ in range(TURNS):
        now = np.take_along_axis(pitches, taken[..., None], -1)  # [N, 32, 1]
        other = now % 12 != pitches % 12
        less, more = (has[every[:, None, None], at % 12] for at in (now, pitches))
        square = (has**2).sum(-1)[:, None, None] + np.where(other, 2 * length * (length + more - less), 0)
        dot = (has * target).sum(-1)[:, None, None] + length * (along - np.take_along_axis(along, taken[..., None], -1))
        after = dot / np.sqrt(np.maximum(square, 1e-9))
        spent = np.take_along_axis(cost, taken[..., None], -1)
        change = np.where(allowed, cost - spent + asked.missed(after), np.inf).reshape(len(cells), -1)
        pick = change.argmin(-1)
        better = change[every, pick] < asked.missed(likeness(has, target)) - 1e-9
        if not better.any():
            break
        step, which = np.divmod(pick[better], len(reach))
        rows = every[better]
        lasts = length[rows, step, 0]
        has[rows, now[rows, step, 0] % 12] -= lasts
        has[rows, pitches[rows, step, which] % 12] += lasts
        taken[rows, step] = which
    return np.where(onset, np.take_along_axis(pitches, taken[..., None], -1)[..., 0], cells).astype(np.uint8)


def _unit(contents: Floats) -> Floats:
    return np.asarray(contents / np.maximum(np.linalg.norm(contents, axis=-1, keepdims=True), 1e-9))


def _lengths(cells: States) -> NDArray[np.int64]:
    """[N, 32] for how many steps each note sounds, at its onset; 0 elsewhere."""
    steps = np.arange(melody_states.STEPS)
    behind = np.where(cells != melody_states.HOLD, steps, melody_states.STEPS)
    following = np.minimum.accumulate(behind[:, ::-1], axis=-1)[:, ::-1]
    ends = np.concatenate([following[:, 1:], np.full((len(cells), 1), melody_states.STEPS)], -1)
    return np.asarray(np.where(cells < ONSETS, ends - steps, 0))
