"""The two-sample test: can a judge that learns from them tell edited passages from real ones of the same level?

Each edited passage stands beside a real one of another piece that is as dense as itself in both attributes. A judge
learns to tell the two sides apart on four fifths of the pieces and ranks the passages of the others; the area under its
curve (AUC) is .5 where it cannot and 1 where it always can. `judges` holds the two kinds of judge. N edited passages,
M real ones of the pool.

More passages give a judge more to learn from: figures are compared at equal numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fadernets.arrays import Array, Cells, Floats, Indices, Integers
from fadernets.metrics import judges
from fadernets.metrics.passage_features import SEGMENTS, Passages
from fadernets.metrics.statistics import ranks

FOLDS = 5  # by piece
SEEDS = (0, 1, 2)
MOST = 600  # passages a side
FARTHEST = 0.5  # standard deviations: a real passage farther off in the two densities does not match


@dataclass(frozen=True)
class Scores:
    """The AUC of a judge over seeds, and what it was measured on."""

    mean: float
    deviation: float
    passages: int  # a side
    gap: float  # standard deviations between the two passages of a pair in both densities, mean


def match(edited: Passages, real: Passages, each: bool = False) -> tuple[Indices, Indices, Floats]:
    """Pairs of an edited passage and a real one of another piece and the same kind, each real one used once.

    Gives indices of both and how far apart they are in their two densities, in the standard deviations of the real
    ones. The pairs are those whose squared distances have the least sum; none is farther apart than FARTHEST.

    each: match the densities of every segment (the root of the mean square over segments), not those of the passage.
    """
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]
    from scipy.spatial.distance import cdist  # type: ignore[import-untyped]

    if not len(edited.steps) or not len(real.steps):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    spread = np.maximum(real.densities().std(axis=0), 1e-9)
    if each:
        ours, theirs = (x.segment_densities() / (spread * SEGMENTS**0.5) for x in (edited, real))
    else:
        ours, theirs = (x.densities() / spread for x in (edited, real))
    distance = cdist(ours.reshape(len(ours), -1), theirs.reshape(len(theirs), -1))
    barred = (distance > FARTHEST) | (edited.piece[:, None] == real.piece) | (edited.kind[:, None] != real.kind)
    barred |= edited.steps[:, None] != real.steps
    # A barred pair costs more than every other choice, so that as many passages as can be find a match.
    rows, columns = linear_sum_assignment(np.where(barred, len(distance) * FARTHEST**2 + 1, distance**2))
    kept = ~barred[rows, columns]
    rows, columns = rows[kept], columns[kept]
    return rows, columns, distance[rows, columns]


def folds(pieces: Array, seed: int, count: int = FOLDS) -> Integers:
    """[N] the fold of each passage: all of a piece's are in one, and folds have about as many passages each."""
    names, which, sizes = np.unique(pieces, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    fold, filled = np.zeros(len(names), np.int64), np.zeros(count, np.int64)
    for piece in order.tolist():
        fold[piece] = filled.argmin()
        filled[fold[piece]] += sizes[piece]
    return fold[which]


def area_under_curve(scores: Floats, label: Integers) -> float:
    """The share of pairs of a passage of label 1 and one of label 0 in which the first scores higher; a tie is half."""
    positive = int((label == 1).sum())
    pairs = positive * (len(label) - positive)
    if not pairs:
        return 0.5
    return float((ranks(scores)[label == 1].sum() - positive * (positive - 1) / 2) / pairs)


def judged(passages: Passages, label: Integers, judge: str, seed: int) -> float:
    """The AUC of a judge on the pieces that it did not learn from: the mean over folds, each weighing as its passages.

    Ranks are compared within a fold: the judges of two folds have learned from different shares of the two sides.
    """
    fit = judges.JUDGES[judge](passages)
    fold = folds(passages.piece, seed)
    areas, weights = [], []
    for k in range(FOLDS):
        held = fold == k
        if len(np.unique(label[held])) < 2 or len(np.unique(label[~held])) < 2:
            continue
        scores = fit(np.flatnonzero(~held), label[~held], np.flatnonzero(held), seed)
        areas.append(area_under_curve(scores, label[held]))
        weights.append(int(held.sum()))
    return float(np.average(areas, weights=weights)) if areas else float("nan")


def pairs_of(edited: Passages, real: Passages, most: int = MOST, seed: int = 0) -> tuple[Indices, Indices, float]:
    """Up to `most` matched pairs: indices of the edited and of the real passages, and the mean gap.

    Edited passages are drawn at random, and twice as many as are wanted are matched, since some find no real one.
    """
    rng = np.random.default_rng(seed)
    drawn = np.sort(rng.permutation(len(edited.steps))[: 2 * most])
    rows, columns, distance = match(edited.take(drawn), real)
    kept = np.sort(rng.permutation(len(rows))[:most])
    return drawn[rows[kept]], columns[kept], float(distance[kept].mean()) if len(kept) else float("nan")


def compare(
    edited: Passages,
    real: Passages,
    *,
    judge: str = "trees",
    seeds: tuple[int, ...] = SEEDS,
    most: int = MOST,
) -> Scores:
    """The two-sample test of N edited passages against a pool of M real ones; pieces have the same names on both sides.

    judge: one of `judges.JUDGES`. A seed draws the passages, the folds and the judge's own chances.
    """
    areas, sizes, gaps = [], [], []
    for seed in seeds:
        ours, theirs, gap = pairs_of(edited, real, most, seed)
        both = edited.take(ours).and_(real.take(theirs))
        areas.append(judged(both, np.repeat([1, 0], [len(ours), len(theirs)]), judge, seed))
        sizes.append(len(ours))
        gaps.append(gap)
    return Scores(float(np.mean(areas)), float(np.std(areas)), round(float(np.mean(sizes))), float(np.mean(gaps)))


def as_level(
    edited: Passages, real: Passages, *, judge: str = "trees", seeds: tuple[int, ...] = SEEDS, most: int = MOST
) -> Scores:
    """The test of real passages that are as dense as edited ones segment by segment, against other real ones.

    What it gives above the floor is owed to what was asked, not to how the edit was made: a fader that moves all
    segments by as much leaves their levels as even as they were, and real music of another level may be less even.
    """
    scores = []
    for seed in seeds:
        drawn = np.sort(np.random.default_rng(seed).permutation(len(edited.steps))[:most])
        chosen = np.sort(match(edited.take(drawn), real, each=True)[1])
        rest = np.setdiff1d(np.arange(len(real.steps)), chosen)
        scores.append(compare(real.take(chosen), real.take(rest), judge=judge, seeds=(seed,), most=most))
    return _mean(scores)


def auc(
    edited_cells: Cells,
    edited_piece: Array,
    real_cells: Cells,
    real_piece: Array,
    judge: str = "trees",
    seed: int = 0,
    most: int = MOST,
) -> float:
    """The AUC of one judge and one seed, matching included.

    >>> auc(edited, edited_piece, real, real_piece, judge="network", seed=1)  # cells [N, 4, n, 88], pieces [N]
    """
    edited, real = Passages.of(edited_cells, edited_piece), Passages.of(real_cells, real_piece)
    return compare(edited, real, judge=judge, seeds=(seed,), most=most).mean


def floor(real: Passages, *, judge: str = "trees", seeds: tuple[int, ...] = SEEDS, most: int = MOST) -> Scores:
    """The same test of real passages against others: what it gives where there is nothing to tell.

    Up to `most` passages, and at most a third of the pool, stand for the edited ones.
    """
    each = []
    for seed in seeds:
        order = np.random.default_rng([seed, 1]).permutation(len(real.steps))
        cut = min(most, len(order) // 3)
        ours, pool = real.take(np.sort(order[:cut])), real.take(np.sort(order[cut:]))
        each.append(compare(ours, pool, judge=judge, seeds=(seed,), most=most))
    return _mean(each)


def _mean(each: list[Scores]) -> Scores:
    """Those of several seeds as one."""
    areas, gaps = [scores.mean for scores in each], [scores.gap for scores in each]
    passages = round(float(np.mean([scores.passages for scores in each])))
    return Scores(float(np.mean(areas)), float(np.std(areas)), passages, float(np.mean(gaps)))
