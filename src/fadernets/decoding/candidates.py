"""The parts from which candidates are made: where onsets fall, how much sounds, how sampled candidates differ, landing.

All are functions of arrays and know no model. Scores are those of `segment_decoding`: a cell's class is set where its
score is above 0. S segments, C candidates, N = S or S x C rows; offsets and scores are [N, 16, 176], onsets then holds.
The weights were decided on held-out pieces (docs/lab.md, "Decode path").
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fadernets.arrays import Array, Bools, Cells, Floats, Floats32, Integers, Planes
from fadernets.codecs import grid
from fadernets.codecs.grid import PITCHES
from fadernets.engines import onset_odds
from fadernets.music.segments import STEPS

CERTAIN = 10.0  # an offset that no probability outweighs
HIGHEST_SCORE = 2.0  # no score is higher or lower than this: biases stay within it
MARGIN = 1e-3  # a bias lies half of this below the last score that it lifts where no other score can be lifted
ODDS_WEIGHT = 0.15  # of a step's log odds: at most 0.45 either way, so that a step at rest (1/2) keeps its side
TIE_SHARE = 0.01  # what is left of the scores where a borrowed rhythm decides: they settle its ties

# What the plain candidates aim at, as shares of the asked number of sounding cells: a decoder that feeds on its own
# output drifts from what the first pass promised. Landing does the rest.
PLAIN_SOUNDING_FACTORS = (0.85, 1.0, 1.2)

# How sampled candidates differ.
CELL_NOISE = 0.25  # standard deviation of a cell's score, in units of the first pass's uncertainty, 2 sqrt(p (1 - p))
STEP_NOISE = 0.3  # scale of the Gumbel noise on the scores of onset steps
TEMPERATURE = 1.0  # of onset patterns that are drawn jointly
ONSET_FACTORS = (1.0, 0.85, 1.2, 1.4)  # on the number of notes that the first pass expects to begin
SOUNDING_FACTORS = (1.0, 0.85, 1.2, 0.95, 1.05)  # on the asked number of sounding cells
OUTER_VOICE_BONUSES = (0.55, 0.25)  # what a cell of an outer voice scores more

# What landing adds to scores when it ranks changes.
LAST_HOLD_COST = 1.5  # cutting a note of two steps to one comes later
WHOLE_NOTE_COST = 0.7  # removing a note of one step comes later
FIRST_HOLD_BONUS = 0.2  # holding a note of one step on comes sooner
MAX_SOUNDING = 256  # cells that can sound in a segment: 16 voices


def outer_voices(cells: Cells) -> Bools:
    """[S, 16, 88] cells of notes that are the lowest or highest sounding in at least half of their steps."""
    sounds = cells != grid.OFF
    extreme = (np.cumsum(sounds, axis=-1) == 1) | (np.cumsum(sounds[..., ::-1], axis=-1)[..., ::-1] == 1)
    extreme &= sounds
    begins = (cells == grid.ONSET) | (sounds & (np.arange(STEPS) == 0)[:, None])
    note = np.cumsum(begins, axis=1)  # which note of its pitch a cell belongs to, 1..16
    s, t, p = np.nonzero(sounds)
    index = (s, p, note[s, t, p])
    length, outer = np.zeros((2, len(cells), PITCHES, STEPS + 1))
    np.add.at(length, index, 1)
    np.add.at(outer, index, extreme[s, t, p])
    result = np.zeros(cells.shape, bool)
    result[s, t, p] = 2 * outer[index] >= length[index]
    return result


def pinned_onset_steps(cells: Cells, pinned: Bools | None) -> Bools:
    """[S, 16] the steps with an onset that must stay; pinned [S, 16, 88] marks the cells that must."""
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
) -> Integers:
    """[S, 16] of -1 (no onset) and 1 (an onset): the round(16 r) steps whose best onset scores highest.

    density [S] is the asked rhythm density r; where it is nan, every step is free (0). pinned [S, 16] steps have an
    onset in any case. odds [17, 2, 16] is the table of `onset_odds`. source [S, 16] marks the onset steps of the
    segment that the rhythm comes from, and `pull` is how much they weigh against the scores: with 1 they are taken as
    they are. noise [S, 16] is added to what is ranked.
    """
    wanted = _round_half_up(STEPS * np.nan_to_num(density))
    best = scores[..., :PITCHES].max(-1) + ODDS_WEIGHT * onset_odds.look_up(odds, source, wanted) + noise  # [S, 16]
    best = (1 - (1 - TIE_SHARE) * pull) * best + pull * (source - 0.5)
    best = np.where(pinned, CERTAIN, best)
    rank = np.argsort(np.argsort(-best, axis=1, kind="stable"), axis=1)
    chosen = np.where((rank < wanted[:, None]) | pinned, 1, -1)
    return np.where(np.isnan(density)[:, None], 0, chosen)


def sounding_biases(scores: Planes, steps: Integers, held: Bools, density: Floats) -> Floats:
    """[S, C] biases on all scores of a segment, by which about the asked number of cells sounds.

    They are read off the scores of the first pass [S, 16, 176], the onset steps [S, 16] and the pitches held [S, 88]
    from before. The first candidate has a bias of 0, each other one aims at a share of 16 x density [S] (see
    PLAIN_SOUNDING_FACTORS); where the density is nan, every bias is 0.
    """
    onset = np.where(steps[..., None] < 0, -np.inf, scores[..., :PITCHES])
    hold = scores[..., PITCHES:].copy()
    hold[:, 0] = np.where(held, hold[:, 0], -np.inf)
    ranked = -np.sort(-np.maximum(onset, hold).reshape(len(scores), -1), axis=1)  # [S, 16 * 88]
    aims = _round_half_up(STEPS * np.nan_to_num(density)[:, None] * np.array(PLAIN_SOUNDING_FACTORS))
    aims = np.clip(aims, 0, ranked.shape[1] - 2)
    padded = np.concatenate([np.full((len(scores), 1), HIGHEST_SCORE), ranked], axis=1)
    above = np.take_along_axis(padded, aims, 1)  # the last cell that should sound
    below = np.take_along_axis(padded, aims + 1, 1)
    threshold = (above + np.where(np.isfinite(below), below, above - MARGIN)) / 2
    bias = np.where(np.isnan(density)[:, None], 0.0, np.clip(-threshold, -HIGHEST_SCORE, HIGHEST_SCORE))
    return np.concatenate([np.zeros((len(scores), 1)), bias], axis=1)


def _round_half_up(counts: Floats) -> Integers:
    """Whole numbers nearest to `counts`."""
    return np.floor(counts + 0.5).astype(np.int64)


# --- sampled candidates


@dataclass(frozen=True)
class RandomVariations:
    """How C sampled candidates differ. The draws are shared by all segments, so that equal bars get equal answers."""

    cells: Floats32  # [C, 16, 176] standard normal; the holds of one pitch share one draw
    steps: Floats  # [C, 16] Gumbel, added to the scores of onset steps
    bits: Floats  # [C, 16] logistic, for onset patterns that are drawn jointly
    whole_pattern: Bools  # [C] half of them: draw all onset steps jointly where onsets are added
    outer: Floats32  # [C] what a cell of an outer voice scores more
    onset_factors: Floats  # [C] on the number of notes that begin
    sounding_factors: Floats  # [C] on the number of sounding cells

    @property
    def count(self) -> int:
        """C."""
        return len(self.onset_factors)


@lru_cache(maxsize=8)
def draw_variations(count: int, seed: int) -> RandomVariations:
    """The variations of `count` candidates; the same for the same seed."""
    rng = np.random.default_rng(seed)
    onset = rng.normal(size=(count, STEPS, PITCHES))
    hold = np.repeat(rng.normal(size=(count, 1, PITCHES)), STEPS, axis=1)
    turn = np.arange(count)
    cycle = turn // len(ONSET_FACTORS)
    return RandomVariations(
        cells=np.concatenate([onset, hold], -1).astype(np.float32),
        steps=rng.gumbel(0, STEP_NOISE, (count, STEPS)),
        bits=rng.logistic(0, TEMPERATURE, (count, STEPS)),
        whole_pattern=(turn + cycle) % 2 == 0,
        outer=np.array(OUTER_VOICE_BONUSES, np.float32)[cycle % len(OUTER_VOICE_BONUSES)],
        onset_factors=np.array(ONSET_FACTORS)[turn % len(ONSET_FACTORS)],
        sounding_factors=np.array(SOUNDING_FACTORS)[turn % len(SOUNDING_FACTORS)],
    )


def expected_onsets(scores: Planes, steps: Integers) -> Floats:
    """[N] how many notes the first pass expects to begin in the steps [N, 16] that may have an onset.

    scores [N, 16, 176] are without a bonus for outer voices: then they sum to what the source has plus what the decoder
    would change.
    """
    return np.asarray(((scores[..., :PITCHES] + 0.5) * (steps >= 0)[..., None]).sum((1, 2)), np.float64)


def onset_and_hold_biases(
    scores: Planes, steps: Integers, held: Bools, density: Floats, onsets: Floats, factors: Floats
) -> Floats:
    """[N, 2] biases on onsets and on holds, by which `onsets` [N] notes begin and `factors` [N] times the asked number
    of cells, 16 x density [N], sounds.

    scores [N, 16, 176], steps [N, 16] and held [N, 88] are as in `sounding_biases`. 0 where the density is nan.
    """
    onset = np.where(steps[..., None] < 0, -np.inf, scores[..., :PITCHES]).reshape(len(scores), -1)
    hold = scores[..., PITCHES:].copy()
    hold[:, 0] = np.where(held, hold[:, 0], -np.inf)
    hold = hold.reshape(len(scores), -1)
    on_onsets = _bias_for(onset, np.maximum(np.floor(onsets + 0.5), 1))
    begins = onset + on_onsets[:, None] > 0
    wanted = np.floor(STEPS * np.nan_to_num(density) * factors + 0.5) - begins.sum(1)
    on_holds = _bias_for(np.where(begins, -np.inf, hold), wanted)
    return np.where(np.isnan(density)[:, None], 0.0, np.stack([on_onsets, on_holds], 1))


def _bias_for(scores: Array, wanted: Floats) -> Floats:
    """[N] the bias that lifts the `wanted` [N] highest of scores [N, K] above 0, and no others."""
    ranked = -np.sort(np.partition(-scores, MAX_SOUNDING, axis=1)[:, : MAX_SOUNDING + 1], axis=1)
    count = np.clip(wanted, 0, MAX_SOUNDING - 1).astype(np.int64)[:, None]
    above = np.where(count > 0, np.take_along_axis(ranked, np.maximum(count - 1, 0), 1), HIGHEST_SCORE)[:, 0]
    below = np.take_along_axis(ranked, count, 1)[:, 0]
    below = np.where(np.isfinite(below), below, above - MARGIN)
    threshold = np.where(np.isfinite(above), (above + below) / 2, -HIGHEST_SCORE)
    return np.asarray(np.clip(-threshold, -HIGHEST_SCORE, HIGHEST_SCORE))


# --- landing


def land_on_density(cells: Cells, scores: Planes, density: Floats, pinned: Bools | None = None) -> Cells:
    """Cells [S, 16, 88] whose note ends are moved until the asked number of cells sounds, 16 x density [S] rounded.

    scores [S, 16, 176] rank the moves, which are made one at a time in every segment. Where too many cells sound, the
    last held step of a note goes, the lowest score first; a note of one step goes if others begin with it; the second
    step of a note of two steps goes last. Where too few sound, a note is held on into the free step of the highest
    score, if no semitone beside it sounds there. Onset steps stay, and so do pinned [S, 16, 88] cells and segments
    whose density is nan. A count that cannot be reached in this way is approached as far as it can be.
    """
    out = cells.copy()
    wanted = _round_half_up(STEPS * np.nan_to_num(density))
    free = np.ones(cells.shape, bool) if pinned is None else ~pinned
    onset, hold = scores[..., :PITCHES], scores[..., PITCHES:]
    rows = np.flatnonzero(~np.isnan(density))
    while len(rows):
        now = out[rows]
        sounds = now != grid.OFF
        surplus = sounds.sum((1, 2)) - wanted[rows]
        too_many = (surplus > 0)[:, None, None]
        following = np.pad(now[:, 1:], ((0, 0), (0, 1), (0, 0)))
        is_last_hold = (now == grid.HOLD) & (following != grid.HOLD)
        sounds_before = np.pad(sounds[:, :-1], ((0, 0), (1, 0), (0, 0)))
        beside = np.pad(sounds, ((0, 0), (0, 0), (1, 1)))
        can_hold = ~sounds & sounds_before & ~beside[..., 2:] & ~beside[..., :-2]
        begins = now == grid.ONSET
        is_one_step_note = begins & (following != grid.HOLD) & (begins.sum(-1, keepdims=True) > 1)
        allowed = np.where(too_many, is_last_hold | is_one_step_note, can_hold) & free[rows]
        is_second_step = np.pad(now[:, :-1] == grid.ONSET, ((0, 0), (1, 0), (0, 0)))
        removal = np.where(
            is_one_step_note, -onset[rows] - WHOLE_NOTE_COST, -hold[rows] - LAST_HOLD_COST * is_second_step
        )
        rank = np.where(too_many, removal, hold[rows] + FIRST_HOLD_BONUS * is_second_step)
        rank = np.where(allowed, rank, -np.inf).reshape(len(rows), -1)
        at = rank.argmax(1)
        moves = (surplus != 0) & np.isfinite(rank[np.arange(len(rows)), at])
        flat = out.reshape(len(out), -1)
        flat[rows[moves], at[moves]] = np.where(surplus[moves] > 0, grid.OFF, grid.HOLD)
        rows = rows[moves]
    return out
