"""Ways to answer a request, as arrays: where onsets fall, how much sounds, and how sampled answers differ.

Scores are those of the decode path: a cell's class stands where its score is above 0. S segments, C candidates,
N = S or S x C rows; offsets and scores are [N, 16, 176], onset then hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Planes
from fadernets.codecs import grid
from fadernets.codecs.grid import PITCHES
from fadernets.engines import onset_odds
from fadernets.music.segments import STEPS

Cells = NDArray[np.uint8]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CERTAIN = 10.0  # an offset that no probability outweighs
HABIT = 0.15  # weight of a step's log odds: at most 0.45 either way, so that a step at rest (1/2) keeps its side
# Plain candidates aim at these shares of the asked count of sounding cells, since a decoder that feeds on
# its own output drifts from what the first pass promised; landing does the rest.
AIMS = (0.85, 1.0, 1.2)
NOISE = 0.25  # of a cell, in units of the first pass's own uncertainty, 2 sqrt(p (1 - p))
STEP_NOISE = 0.3  # scale of the Gumbel noise on the steps of onsets
TEMPERATURE = 1.0  # of whole patterns
STRIKES = (1.0, 0.85, 1.2, 1.4)  # factors on the number of struck notes that the first pass expects
SAMPLED_AIMS = (1.0, 0.85, 1.2, 0.95, 1.05)
OUTERS = (0.55, 0.25)  # what a cell of an outer voice scores more
# In landing: how much later a note of two steps is cut and one of one step goes, how much sooner one of one is held on.
LAST, SMALL, FIRST = 1.5, 0.7, 0.2
MOST = 256  # sounding cells that an answer can have: 16 voices


def outer_voices(cells: Cells) -> Bools:
    """[S, 16, 88] cells of notes that are the lowest or highest sounding in at least half of their steps."""
    sounds = cells != grid.OFF
    ends = (np.cumsum(sounds, axis=-1) == 1) | (np.cumsum(sounds[..., ::-1], axis=-1)[..., ::-1] == 1)
    ends &= sounds
    begins = (cells == grid.ONSET) | (sounds & (np.arange(STEPS) == 0)[:, None])
    note = np.cumsum(begins, axis=1)  # which note of its pitch a cell belongs to, 1..16
    s, t, p = np.nonzero(sounds)
    index = (s, p, note[s, t, p])
    length, outer = np.zeros((2, len(cells), PITCHES, STEPS + 1))
    np.add.at(length, index, 1)
    np.add.at(outer, index, ends[s, t, p])
    found = np.zeros(cells.shape, bool)
    found[s, t, p] = 2 * outer[index] >= length[index]
    return found


def pinned_onset_steps(cells: Cells, pinned: Bools | None) -> Bools:
    """[S, 16] steps that have a pinned onset."""
    if pinned is None:
        return np.zeros(cells.shape[:2], bool)
    return np.asarray((pinned & (cells == grid.ONSET)).any(-1))


def onset_steps(
    scores: Planes,
    density: Floats,
    pinned: Bools,
    odds: Floats,
    source: Bools,
    pull: float = 0.0,
    noise: Floats | float = 0.0,
) -> NDArray[np.int64]:
    """[S, 16] of -1 (no onset) and 1 (an onset): the round(16 r) steps whose best onset scores highest.

    odds [17, 2, 16] is the table of `habits`, source [S, 16] the onset steps of where the rhythm comes from, `pull`
    how much they weigh beside the scores: 1 takes them as they are. noise [S, 16] is added to what is ranked. 0
    everywhere (free) where density [S] is nan.
    """
    wanted = np.floor(STEPS * np.nan_to_num(density) + 0.5).astype(np.int64)
    best = scores[..., :PITCHES].max(-1) + HABIT * onset_odds.look_up(odds, source, wanted) + noise  # [S, 16]
    best = (1 - 0.99 * pull) * best + pull * (source - 0.5)  # what is left of the scores settles ties
    best = np.where(pinned, CERTAIN, best)
    rank = np.argsort(np.argsort(-best, axis=1, kind="stable"), axis=1)
    chosen = np.where((rank < wanted[:, None]) | pinned, 1, -1)
    return np.where(np.isnan(density)[:, None], 0, chosen)


def sounding_biases(scores: Planes, steps: NDArray[np.int64], held: Bools, density: Floats) -> Floats:
    """[S, C] biases on both scores, read off the first pass so as to sound about the asked number of cells.

    0 alone where density [S] is nan.
    """
    onset = np.where(steps[..., None] < 0, -np.inf, scores[..., :PITCHES])
    hold = scores[..., PITCHES:].copy()
    hold[:, 0] = np.where(held, hold[:, 0], -np.inf)
    ranked = -np.sort(-np.maximum(onset, hold).reshape(len(scores), -1), axis=1)  # [S, 16 * 88]
    aims = np.floor(STEPS * np.nan_to_num(density)[:, None] * np.array(AIMS) + 0.5).astype(np.int64)
    aims = np.clip(aims, 0, ranked.shape[1] - 2)
    padded = np.concatenate([np.full((len(scores), 1), 2.0), ranked], axis=1)
    above = np.take_along_axis(padded, aims, 1)  # the last cell that should sound
    below = np.take_along_axis(padded, aims + 1, 1)
    threshold = (above + np.where(np.isfinite(below), below, above - 1e-3)) / 2
    found = np.where(np.isnan(density)[:, None], 0.0, np.clip(-threshold, -2.0, 2.0))
    return np.concatenate([np.zeros((len(scores), 1)), found], axis=1)


# --- sampled answers


@dataclass(frozen=True)
class RandomVariations:
    """How C sampled candidates differ: alike for every segment, so that a bar that comes again is answered again."""

    cells: Planes  # [C, 16, 176] standard normal; a hold's is its pitch's
    steps: Floats  # [C, 16] Gumbel, for steps that are ranked
    bits: Floats  # [C, 16] logistic, for whole patterns
    whole: Bools  # [C] half of them: whose onsets are a whole pattern where more are asked for than there are
    outer: NDArray[np.float32]  # [C]
    strikes: Floats  # [C]
    aims: Floats  # [C]

    @property
    def count(self) -> int:
        return len(self.strikes)


@lru_cache(maxsize=8)
def draw_variations(count: int, seed: int) -> RandomVariations:
    rng = np.random.default_rng(seed)
    onset = rng.normal(size=(count, STEPS, PITCHES))
    hold = np.repeat(rng.normal(size=(count, 1, PITCHES)), STEPS, axis=1)
    turn = np.arange(count)
    return RandomVariations(
        np.concatenate([onset, hold], -1).astype(np.float32),
        rng.gumbel(0, STEP_NOISE, (count, STEPS)),
        rng.logistic(0, TEMPERATURE, (count, STEPS)),
        (turn + turn // len(STRIKES)) % 2 == 0,
        np.array(OUTERS, np.float32)[turn // len(STRIKES) % len(OUTERS)],
        np.array(STRIKES)[turn % len(STRIKES)],
        np.array(SAMPLED_AIMS)[turn % len(SAMPLED_AIMS)],
    )


def expected_onsets(scores: Planes, steps: NDArray[np.int64]) -> Floats:
    """[N] notes that the first pass expects to be struck in the steps that may have an onset: without a bonus for
    outer voices, scores sum to what the source has plus what the decoder would change."""
    return np.asarray(((scores[..., :PITCHES] + 0.5) * (steps >= 0)[..., None]).sum((1, 2)), np.float64)


def onset_and_hold_biases(
    scores: Planes, steps: NDArray[np.int64], held: Bools, density: Floats, strikes: Floats, aim: Floats
) -> Floats:
    """[N, 2] biases on onsets and on holds: as many struck notes as `strikes` [N], and `aim` [N] times the asked
    number of sounding cells. 0 where density [N] is nan."""
    onset = np.where(steps[..., None] < 0, -np.inf, scores[..., :PITCHES]).reshape(len(scores), -1)
    hold = scores[..., PITCHES:].copy()
    hold[:, 0] = np.where(held, hold[:, 0], -np.inf)
    hold = hold.reshape(len(scores), -1)
    first = _between(onset, np.maximum(np.floor(strikes + 0.5), 1))
    struck = onset + first[:, None] > 0
    wanted = np.floor(STEPS * np.nan_to_num(density) * aim + 0.5) - struck.sum(1)
    second = _between(np.where(struck, -np.inf, hold), wanted)
    return np.where(np.isnan(density)[:, None], 0.0, np.stack([first, second], 1))


def _between(scores: Planes, wanted: Floats) -> Floats:
    """[N] the bias that lifts the `wanted` [N] best of scores [N, K] above 0, and no others."""
    ranked = -np.sort(np.partition(-scores, MOST, axis=1)[:, : MOST + 1], axis=1)
    count = np.clip(wanted, 0, MOST - 1).astype(np.int64)[:, None]
    above = np.where(count > 0, np.take_along_axis(ranked, np.maximum(count - 1, 0), 1), 2.0)[:, 0]
    below = np.take_along_axis(ranked, count, 1)[:, 0]
    below = np.where(np.isfinite(below), below, above - 1e-3)
    threshold = np.where(np.isfinite(above), (above + below) / 2, -2.0)
    return np.asarray(np.clip(-threshold, -2.0, 2.0))


# --- landing


def land_on_density(cells: Cells, scores: Planes, density: Floats, pinned: Bools | None = None) -> Cells:
    """Cells [S, 16, 88] whose note ends are moved until the asked number of cells sounds, 16 x density [S] rounded.

    Where too much sounds, the last held step of the note whose hold scores least goes, then a note of one step that is
    struck with others, last the second step of a note that has two; where too little, a note is held on into the free
    step that scores most, if no semitone beside it sounds there. Onset steps stay, and so do pinned cells and segments
    whose density is nan. What cannot be reached so is not reached.
    """
    out = cells.copy()
    wanted = np.floor(STEPS * np.nan_to_num(density) + 0.5).astype(np.int64)
    free = np.ones(cells.shape, bool) if pinned is None else ~pinned
    onset, hold = scores[..., :PITCHES], scores[..., PITCHES:]
    rows = np.flatnonzero(~np.isnan(density))
    while len(rows):
        now = out[rows]
        sounds = now != grid.OFF
        surplus = sounds.sum((1, 2)) - wanted[rows]
        behind = np.pad(now[:, 1:], ((0, 0), (0, 1), (0, 0)))
        ends = (now == grid.HOLD) & (behind != grid.HOLD)
        before = np.pad(sounds[:, :-1], ((0, 0), (1, 0), (0, 0)))
        beside = np.pad(sounds, ((0, 0), (0, 0), (1, 1)))
        opens = ~sounds & before & ~beside[..., 2:] & ~beside[..., :-2]
        struck = now == grid.ONSET
        small = struck & (behind != grid.HOLD) & (struck.sum(-1, keepdims=True) > 1)
        may = np.where((surplus > 0)[:, None, None], ends | small, opens) & free[rows]
        shortest = np.pad(now[:, :-1] == grid.ONSET, ((0, 0), (1, 0), (0, 0)))  # one step would be left of the note
        less = np.where(small, -onset[rows] - SMALL, -hold[rows] - LAST * shortest)
        rank = np.where((surplus > 0)[:, None, None], less, hold[rows] + FIRST * shortest)
        rank = np.where(may, rank, -np.inf)
        rank = rank.reshape(len(rows), -1)
        at = rank.argmax(1)
        moves = (surplus != 0) & np.isfinite(rank[np.arange(len(rows)), at])
        flat = out.reshape(len(out), -1)
        flat[rows[moves], at[moves]] = np.where(surplus[moves] > 0, grid.OFF, grid.HOLD)
        rows = rows[moves]
    return out
