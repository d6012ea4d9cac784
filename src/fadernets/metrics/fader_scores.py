"""Scores of a fader's outputs, from arrays alone (ISMIR 2020, Section 4.2, and the `strict` protocol).

S segments, M samples, T asked values; cells [..., 16, 88]; measured attributes [M, T]. Attributes come in the order of
the attribute table; spreads are their standard deviations in the training data.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Bools, Cells, Floats, Integers
from fadernets.attributes import of_cells
from fadernets.attributes.table import CODED
from fadernets.codecs import grid
from fadernets.metrics import statistics
from fadernets.metrics.cell_counts import onset_steps

Figures = dict[str, float]


# --- an output beside its source


def note_hits(output: Cells, expected: Cells) -> Integers:
    """[..., 3] number of onsets of the output, of onsets expected, and of those at the right step and pitch."""
    a, b = output == grid.ONSET, expected == grid.ONSET
    return np.stack([np.broadcast_to(x.sum((-2, -1)), (a & b).shape[:-2]) for x in (a, b, a & b)], -1)


def note_f1(output: Cells, expected: Cells) -> Floats:
    """[...] F1 of onset step and pitch; 1 where neither has an onset."""
    hits = note_hits(output, expected)
    total = hits[..., 0] + hits[..., 1]
    return np.asarray(np.where(total > 0, 2 * hits[..., 2] / np.maximum(total, 1), 1.0))


def pooled_f1(hits: NDArray[np.integer]) -> Figures:
    """Precision, recall and F1 over all notes of hits [S, 3]."""
    struck, expected, right = hits.reshape(-1, 3).sum(0).tolist()
    return {
        "note_f1": 2 * right / max(struck + expected, 1),
        "precision": right / max(struck, 1),
        "recall": right / max(expected, 1),
    }


def notes_kept(output: Cells, source: Cells) -> Integers:
    """[..., 3] number of the source's onsets, of those at the same step and pitch in the output, and of those whose
    notes also end on the same step."""
    begins = source == grid.ONSET
    kept = begins & (output == grid.ONSET)
    whole = kept & (_ends(output) == _ends(source))
    return np.stack([np.broadcast_to(x.sum((-2, -1)), kept.shape[:-2]) for x in (begins, kept, whole)], -1)


def _ends(cells: Cells) -> Integers:
    """[..., 16, 88] the step after the last one of a note that begins at a cell."""
    steps = cells.shape[-2]
    ends = np.full(cells.shape, steps, np.int64)
    for t in reversed(range(steps - 1)):
        ends[..., t, :] = np.where(cells[..., t + 1, :] == grid.HOLD, ends[..., t + 1, :], t + 1)
    return ends


def chroma_similarity(output: Cells, source: Cells) -> Floats:
    """[...] cosine similarity of the duration-weighted pitch classes; 1 where both are silent."""
    a, b = (of_cells.pitch_classes(c).astype(np.float64) for c in (output, source))
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    silent = (a.sum(-1) == 0) & (b.sum(-1) == 0)
    return np.asarray(np.where(silent, 1.0, (a * b).sum(-1) / np.maximum(norms, 1e-9)))


def groove_similarity(output: Cells, source: Cells) -> Floats:
    """[...] share of the 16 steps in which both or neither strike a note; leading dimensions broadcast.

    Grooving pattern similarity of Wu and Yang, "The Jazz Transformer on the Front Line", ISMIR 2020, who compare two
    bars of a piece at 64 positions each.
    """
    return np.asarray(1 - (onset_steps(output) ^ onset_steps(source)).mean(axis=-1))


# --- a fader


def strict(outputs: Cells, source: Cells, name: str, values: Floats, spread: Floats) -> Figures:
    """The strict figures of one run of the fader `name`.

    outputs: [M, T, 16, 88] asked for `values` [T]; source: [M, 16, 88].
    spread: [A] standard deviations of the attributes in the training data. An empty output counts as a failure and as
    the attribute's worst value: the end of its range that is farther from the asked value.
    """
    measured = {n: row.measure(outputs) for n, row in CODED.items()}  # [M, T]
    empty = (outputs == grid.OFF).all((2, 3))
    others = [n for n in CODED if n != name]
    for n in others:
        measured[n] = np.where(empty, CODED[n].high, measured[n])
    row = CODED[name]
    farther = np.where(values - row.low > row.high - values, row.low, row.high)  # [T]
    moved = measured[name] = np.where(empty, farther, measured[name])
    units = dict(zip(CODED, spread, strict=True))
    asked = np.broadcast_to(values, moved.shape)
    slope = np.polyfit(asked.ravel(), moved.ravel(), 1)[0]
    return {
        "consistency": consistency(moved / units[name]),
        "restrictiveness": float(np.mean([restrictiveness(measured[n] / units[n]) for n in others])),
        "linearity": float(np.mean([linearity(values, row) for row in moved])),
        "pooled_r2": linearity(asked.ravel(), moved.ravel()),
        "spearman": rank_correlation(asked.ravel(), moved.ravel()),
        "leakage": max(abs(rank_correlation(asked.ravel(), measured[n].ravel())) for n in others),
        "error": float(np.abs(moved - asked).mean()),
        "response_range": float(slope),
        "chroma_similarity": float(chroma_similarity(outputs, source[:, None]).mean()),
        "groove_similarity": float(groove_similarity(outputs, source[:, None]).mean()),
        "note_f1": float(note_f1(outputs, source[:, None]).mean()),
        "failures": float(empty.mean()),
    }


def paper(outputs: Cells, name: str, positions: Floats, spread: Floats) -> Figures:
    """Section 4.2 for one run of the fader `name`.

    outputs: [M, T, 16, 88] at the `positions` [T] of the fader; spread: [A] as in `strict`.
    Linearity is the mean of each sample's R^2 as scikit-learn computes it, so that a constant output scores 1;
    `pooled_r2` is Eq. 5 over all M x T points.
    """
    measured = {n: row.measure(outputs) for n, row in CODED.items()}
    units = dict(zip(CODED, spread, strict=True))
    moved = measured[name]
    others = [n for n in CODED if n != name]
    constant = [np.ptp(row) < 1e-12 for row in moved]
    each = [1.0 if flat else linearity(positions, row) for flat, row in zip(constant, moved, strict=True)]
    return {
        "consistency": consistency(moved / units[name]),
        "restrictiveness": float(np.mean([restrictiveness(measured[n] / units[n]) for n in others])),
        "linearity": float(np.mean(each)),
        "pooled_r2": linearity(np.broadcast_to(positions, moved.shape).ravel(), moved.ravel()),
        "constant_share": float(np.mean(constant)),
    }


def consistency(measured: Floats) -> float:
    """Eq. 3 of the slid attribute, measured [M, T] in standard deviations."""
    return 1 - float(measured.std(0).mean())


def restrictiveness(measured: Floats) -> float:
    """Eq. 4 of another attribute, measured [M, T] in standard deviations."""
    return 1 - float(measured.std(1).mean())


def linearity(x: Floats, y: Floats) -> float:
    """R^2 of a line through (x, y); a constant output scores 0, not 1."""
    if np.ptp(y) < 1e-12 or np.ptp(x) < 1e-12:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1] ** 2)


def rank_correlation(x: Floats, y: Floats) -> float:
    """Spearman's rank correlation of x and y [N]; a constant side scores 0, as a fader does that moves nothing."""
    return float(np.nan_to_num(statistics.spearman(x, y)))


def over_runs(each: Sequence[Figures]) -> dict[str, Figures]:
    """Mean and standard deviation of every figure over runs."""
    return {
        key: {"mean": float(np.mean([e[key] for e in each])), "std": float(np.std([e[key] for e in each]))}
        for key in each[0]
    }


# --- arousal


def balanced_accuracy(guess: Bools | Integers, label: Integers, pieces: NDArray[np.integer]) -> Figures:
    """Balanced accuracy of guesses [S] at labels [S] of 0, 1, ..., with its 95 % bootstrap interval over whole pieces.

    guess: the label, or true for label 1. pieces: [S] the piece of each segment. A draw without one of the labels
    counts the others alone.
    """
    names = np.unique(pieces)
    # [pieces, 2 K]: right and all of label 0, right and all of label 1, and so on
    kinds = range(max(int(label.max(initial=0)) + 1, 2))
    masks = [m for c in kinds for m in ((label == c) & (guess == c), label == c)]
    counts = np.array([[m[pieces == p].sum() for m in masks] for p in names], np.float64)
    low, high = statistics.bootstrap(lambda drawn: _balanced(counts[drawn].sum(1)), len(names))
    return {"balanced_accuracy": float(_balanced(counts.sum(0)[None])[0]), "low": low, "high": high}


def _balanced(counts: Floats) -> Floats:
    """[N] mean recall of the labels, from counts [N, 2 K]: right and all of label 0, right and all of label 1, ..."""
    right, all_of = counts[:, ::2], counts[:, 1::2]  # [N, K] each
    recalls = np.divide(right, all_of, out=np.zeros_like(right), where=all_of > 0)
    return np.asarray(recalls.sum(1) / np.maximum((all_of > 0).sum(1), 1))
