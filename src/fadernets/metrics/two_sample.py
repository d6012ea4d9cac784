"""The two-sample test: can a judge that learns from them tell edited passages from real ones of the same level?

Each edited passage stands beside a real one of another piece that is as dense as itself in both attributes. A judge
learns to tell the two sides apart on four fifths of the pieces and ranks the passages of the others; the area under its
curve (AUC) is .5 where it cannot and 1 where it always can. `judges` holds the two kinds of judge. N edited passages,
M real ones of the pool, cells [N, 4, n, 88]; mean densities are in onset steps a step and sounding notes a step.

More passages give a judge more to learn from: figures are compared at equal numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fadernets.arrays import Array, Cells, Floats, Indices, Integers
from fadernets.attributes import of_cells
from fadernets.metrics import judges
from fadernets.metrics.cell_counts import onset_steps
from fadernets.metrics.passage_features import MOST_STEPS, check_passages
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


def densities(cells: Cells) -> Floats:
    """[N, 2] mean rhythm density and note density of passages [N, 4, n, 88]."""
    rhythm = onset_steps(cells).mean(axis=(1, 2))
    return np.stack([rhythm, of_cells.note_symbols(cells).mean(axis=(1, 2))], axis=1)


def match(edited: Floats, edited_piece: Array, real: Floats, real_piece: Array) -> tuple[Indices, Indices, Floats]:
    """Pairs of an edited passage and a real one of another piece, each real one used once: indices of both, distances.

    edited: [N, 2], real: [M, 2] densities in standard deviations. The pairs are those whose squared distances have the
    least sum; a pair farther apart than FARTHEST is left out.
    """
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

    if not len(edited) or not len(real):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    distance = np.linalg.norm(edited[:, None] - real, axis=-1)
    barred = (distance > FARTHEST) | (np.asarray(edited_piece)[:, None] == np.asarray(real_piece))
    # A barred pair costs more than every other choice, so that as many passages as can be find a match.
    rows, columns = linear_sum_assignment(np.where(barred, len(edited) * FARTHEST**2 + 1, distance**2))
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


def judged(cells: Cells, label: Integers, pieces: Array, judge: str, seed: int) -> float:
    """The AUC of a judge on the pieces that it did not learn from: the mean over folds, each weighing as its passages.

    Ranks are compared within a fold: the judges of two folds have learned from different shares of the two sides.
    """
    fit = judges.JUDGES[judge](cells)
    fold = folds(pieces, seed)
    areas, weights = [], []
    for k in range(FOLDS):
        held = fold == k
        if len(np.unique(label[held])) < 2 or len(np.unique(label[~held])) < 2:
            continue
        scores = fit(np.flatnonzero(~held), label[~held], np.flatnonzero(held), seed)
        areas.append(area_under_curve(scores, label[held]))
        weights.append(int(held.sum()))
    return float(np.average(areas, weights=weights)) if areas else float("nan")


def pairs_of(
    edited: Cells, edited_piece: Array, real: Cells, real_piece: Array, most: int = MOST, seed: int = 0
) -> tuple[Indices, Indices, float]:
    """Up to `most` matched pairs, drawn at random: indices of the edited and of the real passages, and the mean gap.

    Standard deviations are those of the pool.
    """
    rng = np.random.default_rng(seed)
    pool = densities(real)
    deviation = np.maximum(pool.std(axis=0), 1e-9) if len(pool) else np.ones(2)
    drawn = np.sort(rng.permutation(len(edited))[:most])
    levels = densities(edited[drawn])
    rows, columns, distance = match(
        levels / deviation, np.asarray(edited_piece)[drawn], pool / deviation, np.asarray(real_piece)
    )
    return drawn[rows], columns, float(distance.mean()) if len(rows) else float("nan")


def compare(
    edited: Cells,
    edited_piece: Array,
    real: Cells,
    real_piece: Array,
    *,
    judge: str = "trees",
    seeds: tuple[int, ...] = SEEDS,
    most: int = MOST,
) -> Scores:
    """The two-sample test of edited passages against a pool of real ones.

    edited: [N, 4, n, 88] with pieces [N]; real: [M, 4, n, 88] with pieces [M]; pieces are numbers or names that both
    sides share. judge: one of `judges.JUDGES`. A seed draws the passages, the folds and the judge's own chances.
    """
    areas, sizes, gaps = [], [], []
    for seed in seeds:
        ours, theirs, gap = pairs_of(edited, edited_piece, real, real_piece, most, seed)
        cells = np.concatenate([edited[ours], real[theirs]])
        label = np.repeat([1, 0], [len(ours), len(theirs)])
        pieces = np.concatenate([np.asarray(edited_piece)[ours], np.asarray(real_piece)[theirs]])
        areas.append(judged(cells, label, pieces, judge, seed))
        sizes.append(len(ours))
        gaps.append(gap)
    return Scores(float(np.mean(areas)), float(np.std(areas)), round(float(np.mean(sizes))), float(np.mean(gaps)))


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
    for cells in (edited_cells, real_cells):
        check_passages(cells)
    scores = compare(edited_cells, edited_piece, real_cells, real_piece, judge=judge, seeds=(seed,), most=most)
    return scores.mean


def floor(
    real: Cells,
    piece: Array,
    *,
    judge: str = "trees",
    seeds: tuple[int, ...] = SEEDS,
    most: int = MOST,
) -> Scores:
    """The same test of real passages against others: what it gives where there is nothing to tell.

    Up to `most` passages, and at most a third of the pool, stand for the edited ones.
    """
    each = []
    for seed in seeds:
        order = np.random.default_rng([seed, 1]).permutation(len(real))
        cut = min(most, len(real) // 3)
        ours, pool = np.sort(order[:cut]), np.sort(order[cut:])
        each.append(compare(real[ours], piece[ours], real[pool], piece[pool], judge=judge, seeds=(seed,), most=most))
    areas = [scores.mean for scores in each]
    return Scores(
        float(np.mean(areas)),
        float(np.std(areas)),
        round(float(np.mean([s.passages for s in each]))),
        float(np.mean([s.gap for s in each])),
    )


def padded(cells: Cells) -> Cells:
    """[N, 4, 16, 88] passages of shorter segments with silent steps behind each."""
    return np.pad(cells, ((0, 0), (0, 0), (0, MOST_STEPS - cells.shape[2]), (0, 0)))
