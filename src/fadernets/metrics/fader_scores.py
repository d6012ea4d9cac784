"""Figures of outputs, from arrays alone (ISMIR 2020, Section 4.2, and the `strict` protocol).

S segments, M samples, T asked values; cells [..., 16, 88]; measured attributes [M, T]; attributes come in the order
of the attribute table, spreads are their standard deviations in the training data.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes import of_cells
from fadernets.attributes.table import CODED
from fadernets.codecs import grid
from fadernets.metrics.note_features import groove_similarity

Cells = NDArray[np.uint8]
Floats = NDArray[np.float64]
Figures = dict[str, float]


# --- an output beside its source


def note_hits(found: Cells, expected: Cells) -> NDArray[np.int64]:
    """[..., 3] onsets found, onsets expected, onsets at the right step and pitch."""
    a, b = found == grid.ONSET, expected == grid.ONSET
    return np.stack([np.broadcast_to(x.sum((-2, -1)), (a & b).shape[:-2]) for x in (a, b, a & b)], -1)


def note_f1(found: Cells, expected: Cells) -> Floats:
    """[...] F1 of onset step and pitch; 1 where neither has an onset."""
    hits = note_hits(found, expected)
    total = hits[..., 0] + hits[..., 1]
    return np.asarray(np.where(total > 0, 2 * hits[..., 2] / np.maximum(total, 1), 1.0))


def pooled_f1(hits: NDArray[np.integer]) -> Figures:
    """Precision, recall and F1 over all notes of hits [S, 3]."""
    found, expected, right = hits.reshape(-1, 3).sum(0).tolist()
    return {
        "note_f1": 2 * right / max(found + expected, 1),
        "precision": right / max(found, 1),
        "recall": right / max(expected, 1),
    }


def notes_kept(found: Cells, source: Cells) -> NDArray[np.int64]:
    """[..., 3] the source's onsets, those at the same step and pitch in what was found, those that also end there."""
    begins = source == grid.ONSET
    kept = begins & (found == grid.ONSET)
    whole = kept & (_ends(found) == _ends(source))
    return np.stack([np.broadcast_to(x.sum((-2, -1)), kept.shape[:-2]) for x in (begins, kept, whole)], -1)


def _ends(cells: Cells) -> NDArray[np.int64]:
    """[..., 16, 88] the step behind the last one of a note that begins at a cell."""
    steps = cells.shape[-2]
    ends = np.full(cells.shape, steps, np.int64)
    for t in reversed(range(steps - 1)):
        ends[..., t, :] = np.where(cells[..., t + 1, :] == grid.HOLD, ends[..., t + 1, :], t + 1)
    return ends


def chroma_similarity(found: Cells, source: Cells) -> Floats:
    """[...] cosine of the duration-weighted pitch classes; 1 where both are silent."""
    a, b = (of_cells.pitch_classes(c).astype(np.float64) for c in (found, source))
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    silent = (a.sum(-1) == 0) & (b.sum(-1) == 0)
    return np.asarray(np.where(silent, 1.0, (a * b).sum(-1) / np.maximum(norms, 1e-9)))


# --- a fader


def strict(outputs: Cells, source: Cells, name: str, values: Floats, spread: Floats) -> Figures:
    """The strict figures of one run: outputs [M, T, 16, 88] asked for `values` [T], source [M, 16, 88].

    An empty output counts as a failure and as the attribute's worst value: the end of its range that is farther from
    what was asked.
    """
    measured = {n: row.measure(outputs) for n, row in CODED.items()}  # [M, T]
    empty = (outputs == grid.OFF).all((2, 3))
    own, others = measured[name], [n for n in CODED if n != name]
    for n in others:
        measured[n] = np.where(empty, CODED[n].high, measured[n])
    row = CODED[name]
    farther = np.where(values - row.low > row.high - values, row.low, row.high)  # [T]
    own = measured[name] = np.where(empty, farther, own)
    units = dict(zip(CODED, spread, strict=True))
    asked = np.broadcast_to(values, own.shape)
    slope = np.polyfit(asked.ravel(), own.ravel(), 1)[0]
    return {
        "consistency": consistency(own / units[name]),
        "restrictiveness": float(np.mean([restrictiveness(measured[n] / units[n]) for n in others])),
        "linearity": float(np.mean([linearity(values, row) for row in own])),
        "pooled_r2": linearity(asked.ravel(), own.ravel()),
        "spearman": spearman(asked.ravel(), own.ravel()),
        "leakage": max(abs(spearman(asked.ravel(), measured[n].ravel())) for n in others),
        "error": float(np.abs(own - asked).mean()),
        "response_range": float(slope),
        "chroma_similarity": float(chroma_similarity(outputs, source[:, None]).mean()),
        "groove_similarity": float(groove_similarity(outputs, source[:, None]).mean()),
        "note_f1": float(note_f1(outputs, source[:, None]).mean()),
        "failures": float(empty.mean()),
    }


def paper(outputs: Cells, name: str, positions: Floats, spread: Floats) -> Figures:
    """Section 4.2 to the letter for one run: outputs [M, T, 16, 88] at the slid values `positions` [T].

    Linearity is the mean of each sample's own R^2 as scikit-learn has it, so that a constant output scores 1;
    `pooled_r2` is Eq. 5 over all M x T points.
    """
    measured = {n: row.measure(outputs) for n, row in CODED.items()}
    units = dict(zip(CODED, spread, strict=True))
    own = measured[name]
    others = [n for n in CODED if n != name]
    constant = [np.ptp(row) < 1e-12 for row in own]
    each = [1.0 if flat else linearity(positions, row) for flat, row in zip(constant, own, strict=True)]
    return {
        "consistency": consistency(own / units[name]),
        "restrictiveness": float(np.mean([restrictiveness(measured[n] / units[n]) for n in others])),
        "linearity": float(np.mean(each)),
        "pooled_r2": linearity(np.broadcast_to(positions, own.shape).ravel(), own.ravel()),
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


def spearman(x: Floats, y: Floats) -> float:
    """Rank correlation with mean ranks for ties; 0 where either is constant."""
    a, b = ranks(x), ranks(y)
    if np.ptp(a) < 1e-12 or np.ptp(b) < 1e-12:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def ranks(x: Floats) -> Floats:
    """Ranks from 0, equal values sharing their mean rank."""
    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts + 1) / 2)[inverse])


def over_runs(each: Sequence[Figures]) -> dict[str, Figures]:
    """Mean and standard deviation of every figure over runs."""
    return {
        key: {"mean": float(np.mean([e[key] for e in each])), "std": float(np.std([e[key] for e in each]))}
        for key in each[0]
    }


# --- arousal


def balanced_accuracy(guess: NDArray[np.bool_], label: NDArray[np.int64], pieces: NDArray[np.integer]) -> Figures:
    """Of a guess [S] at labels of 0 and 1, with the 95 % interval of 2,000 resamplings of whole pieces.

    A resampling without one of the labels counts the other alone.
    """
    names = np.unique(pieces)
    # [pieces, 4]: right and all of the low, right and all of the high
    masks = [m for c in (0, 1) for m in ((label == c) & (guess == c), label == c)]
    counts = np.array([[m[pieces == p].sum() for m in masks] for p in names], np.float64)
    draws = np.random.default_rng(0).integers(0, len(names), (2000, len(names)))
    spread = _balanced(counts[draws].sum(1))
    low, high = np.percentile(spread, [2.5, 97.5])
    return {"balanced_accuracy": float(_balanced(counts.sum(0)[None])[0]), "low": float(low), "high": float(high)}


def _balanced(counts: Floats) -> Floats:
    right, all_of = counts[:, ::2], counts[:, 1::2]  # [N, 2] each
    recalls = np.divide(right, all_of, out=np.zeros_like(right), where=all_of > 0)
    return np.asarray(recalls.sum(1) / np.maximum((all_of > 0).sum(1), 1))
