"""Arousal transfer (ISMIR 2020, Section 5.2), and an independent regressor that says which way it went.

Protocol: a segment moves by strength x (mu_target - mu_own) in every code that does not lie in the target's cluster
yet, and is decoded once; codes of a constrained posterior stay on their simplex. The regressor knows nothing of the
model: it learns from note features and arousal ratings of VGMIDI's training pieces. It does not show what listeners
hear: see the listening studies. A model of another label, or of more than two classes of it, is measured in the same
way between its lowest class and its highest. S segments, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Bools, Cells, Floats, Floats32, Indices
from fadernets.attributes.table import CODED, measure
from fadernets.codecs.grid import ONSET
from fadernets.data import labels
from fadernets.data.dataset import Dataset
from fadernets.engines import code_arithmetic
from fadernets.errors import FadernetsError
from fadernets.evaluation.checkpoint import Checkpoint, HeldOutSegments, Outputs
from fadernets.metrics import fader_scores, note_features, statistics
from fadernets.metrics.fader_scores import Figures
from fadernets.metrics.statistics import Interval

STRENGTHS = tuple(np.arange(0, 2.01, 0.25).round(2).tolist())
SEGMENTS = 20  # of the paper's listening test: half of them move up, half down
LEAF = 60  # least number of labelled segments in a leaf of the regressor's trees
MANY = 1000  # segments that the shares are measured on


def features(cells: Cells, seconds: Floats) -> Floats:
    """[S, F] what the regressor sees of cells: note features, onset steps a second, notes a second, seconds."""
    table, _ = note_features.features(cells)
    struck = cells == ONSET
    rates = np.stack([struck.any(-1).sum(-1), struck.sum((-2, -1))], 1) / seconds[:, None]
    return np.concatenate([table, rates, seconds[:, None]], 1)


@dataclass(frozen=True)
class Regressor:
    """A regressor of arousal, or of another label, and how well it predicts it on pieces that it never saw."""

    model: Any
    figures: Figures

    @classmethod
    def fit(
        cls,
        data: Dataset,
        corpora: Sequence[str],
        seed: int = 0,
        label: str = "arousal",
        edges: Sequence[float] = labels.PAPER_EDGES,
    ) -> Regressor:
        """Boosted trees from the training pieces of the labelled corpora; `figures` are of their test pieces.

        label, edges: as a recipe names them; accuracy is between the lowest class and the highest. Raises
        FadernetsError where there are too few labels.
        """
        from sklearn.ensemble import HistGradientBoostingRegressor

        names = [c for c in corpora if c in data.manifest["corpora"]]
        known = labels.values(data, label)
        rows = {s: _labelled(data, names, s, known) for s in ("train", "test")}
        if len(rows["train"]) < 2 * LEAF or not len(rows["test"]):
            raise FadernetsError(
                f"{data.folder}: has {len(rows['train'])} {labels.name_of(label)} labels to learn from and "
                f"{len(rows['test'])} to test on; the regressor needs {2 * LEAF} and some: prepare it with vgmidi"
            )
        x = {s: features(data.cells(r), seconds_of(data, r)) for s, r in rows.items()}
        y = {s: np.asarray(known[r], np.float64) for s, r in rows.items()}
        model = HistGradientBoostingRegressor(
            max_iter=300, learning_rate=0.04, max_leaf_nodes=8, min_samples_leaf=LEAF, l2_regularization=5.0,
            random_state=seed,
        )  # fmt: skip
        model.fit(x["train"], y["train"])
        predicted = model.predict(x["test"])
        found = labels.classes_of(y["test"].astype(np.float32), edges)
        highest = labels.count(edges) - 1
        clear = (found == 0) | (found == highest)
        middle = float(np.median(model.predict(x["train"])))
        accuracy = fader_scores.balanced_accuracy(
            predicted[clear] > middle,
            (found[clear] == highest).astype(np.int64),
            np.asarray(data.piece[rows["test"]])[clear],
        )
        figures = {
            "segments": float(len(predicted)),
            "spearman": fader_scores.rank_correlation(predicted, y["test"]),
            "r2": 1 - float(((predicted - y["test"]) ** 2).mean() / y["test"].var()),
            **accuracy,
        }
        return cls(model, figures)

    def predict(self, cells: Cells, seconds: Floats) -> Floats:
        """[S] the label of segments: cells [S, 16, 88] and how long they last [S]."""
        return np.asarray(self.model.predict(features(cells, seconds)), np.float64)


def _labelled(data: Dataset, names: Sequence[str], split: str, known: Floats32) -> Indices:
    rows = np.concatenate([data.select(split=split, corpus=c) for c in names] or [np.empty(0, np.int64)])
    return np.sort(rows[np.isfinite(known[rows])])


def seconds_of(data: Dataset, rows: Indices) -> Floats:
    """[S] how long segments last in seconds; on the grid, which has no time, 2 s."""
    return np.full(len(rows), 2.0) if data.seconds is None else np.asarray(data.seconds[rows], np.float64)


def shift(checkpoint: Checkpoint, segments: HeldOutSegments, strength: Floats) -> Outputs:
    """Segments moved by strengths of their own [S], above 0 toward high arousal, and decoded once: [S, 1, ...]."""
    codes = {}
    for name, code in segments.codes.items():
        up, down = (code_arithmetic.shift(code, checkpoint.means[name], sign) for sign in (1.0, -1.0))
        vector = np.where(strength[:, None] > 0, up, down) - code
        moved = (code + np.abs(strength)[:, None] * vector).astype(np.float32)
        if name in checkpoint.vertices:
            is_moved = (moved != code).any(-1, keepdims=True)
            moved = np.where(is_moved, code_arithmetic.onto_simplex(moved, checkpoint.vertices[name]), code)
        codes[name] = moved
    return checkpoint.decode(segments, codes, segments.values)


def evaluate(
    checkpoint: Checkpoint,
    regressor: Regressor,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Section 5.2 by an outside measure: held-out segments of the low cluster move up, as many of the high one down.

    Keys: regressor (its own accuracy), sweep (a row per strength: agreement of direction with its 95 % interval, mean
    changes, chroma similarity), drawn (the 20 segments), pieces (whole files). A segment agrees where the regressor's
    prediction for the output lies on the asked side of that for the plain decode: reconstruction alone moves the
    prediction, too, and is not counted as transfer. Raises FadernetsError.
    """
    test = checkpoint.corpus_rows("test")
    rows, sign = draw(checkpoint, test, seed)
    first_segments = np.arange(min(SEGMENTS, len(rows)))
    segments = checkpoint.segments(rows)
    by_strength = _sweep(checkpoint, segments, sign, regressor, seed, progress)
    first = next(row for row in by_strength if row["strength"] == 1.0)
    figures = {
        "regressor": regressor.figures,
        "sweep": by_strength,
        "drawn": drawn(checkpoint, segments.take(first_segments), sign[first_segments], regressor),
        "pieces": whole_pieces(checkpoint, regressor, test, seed=seed),
        "agreement": first["agreement"],
    }
    if progress:
        progress(len(STRENGTHS) + 1, len(STRENGTHS) + 1)
    return figures


def sweep(checkpoint: Checkpoint, regressor: Regressor, *, seed: int = 0) -> list[dict[str, Any]]:
    """The rows of `evaluate` by strength alone. Raises FadernetsError."""
    rows, sign = draw(checkpoint, checkpoint.corpus_rows("test"), seed)
    return _sweep(checkpoint, checkpoint.segments(rows), sign, regressor, seed)


def _sweep(
    checkpoint: Checkpoint,
    segments: HeldOutSegments,
    sign: Floats,
    regressor: Regressor,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    plain = checkpoint.decode(segments, segments.codes, segments.values).cells[:, 0]
    rows = []
    for i, strength in enumerate(STRENGTHS):
        out = shift(checkpoint, segments, sign * strength).cells[:, 0]
        rows.append({"strength": strength, **_figures(out, plain, segments, sign, regressor, checkpoint, seed)})
        if progress:
            progress(i + 1, len(STRENGTHS) + 1)
    return rows


def draw(checkpoint: Checkpoint, rows: Indices, seed: int) -> tuple[Indices, Floats]:
    """Up to MANY random rows, alternately of the low cluster, to move up (1), and of the high one, to move down (-1).

    Of more than two clusters these are the lowest and the highest. Raises FadernetsError where one of them has none.
    """
    pool = np.random.default_rng(seed).permutation(rows)[: 4 * MANY]
    shares = checkpoint.class_probabilities(checkpoint.encode(pool), checkpoint.means)
    own = shares.shape[1] - 1 - shares[:, ::-1].argmax(-1)  # of classes that are as likely, the higher one
    low, high = own == 0, own == shares.shape[1] - 1
    n = min(MANY // 2, int(high.sum()), int(low.sum()))
    if not n:
        where = "in one" if shares.shape[1] == 2 else "outside the lowest or the highest"
        raise FadernetsError(
            f"{checkpoint.folder}: all of {len(pool)} held-out segments lie {where} "
            f"{labels.name_of(checkpoint.recipe.label)} cluster; train it longer"
        )
    return np.stack([pool[low][:n], pool[high][:n]], 1).reshape(-1), np.tile([1.0, -1.0], n)


def _figures(
    out: Cells,
    plain: Cells,
    segments: HeldOutSegments,
    sign: Floats,
    regressor: Regressor,
    checkpoint: Checkpoint,
    seed: int,
) -> dict[str, Any]:
    moved = regressor.predict(out, segments.seconds) - regressor.predict(plain, segments.seconds)
    agree = np.sign(moved) == sign
    before, after = measure(plain), measure(out)
    low, high = _interval(agree, np.asarray(checkpoint.data.piece[segments.rows]), seed)
    changed = (out != plain).any((1, 2))  # a segment whose codes all lie in the target's cluster stays
    figures: dict[str, Any] = {
        "agreement": float(agree.mean()),
        "low": low,
        "high": high,
        "agreement_up": float(agree[sign > 0].mean()),
        "agreement_down": float(agree[sign < 0].mean()),
        "changed": float(changed.mean()),
        "agreement_of_changed": float(agree[changed].mean()) if changed.any() else 0.0,
        "chroma_similarity": float(fader_scores.chroma_similarity(out, segments.cells).mean()),
        "note_f1": float(fader_scores.note_f1(out, segments.cells).mean()),
    }
    for side, mask in (("up", sign > 0), ("down", sign < 0)):
        figures[f"predicted_{side}"] = float(moved[mask].mean())
        for name in CODED:
            figures[f"{name}_{side}"] = float((after[name] - before[name])[mask].mean())
    return figures


def _interval(agree: Bools, pieces: NDArray[np.integer], seed: int) -> Interval:
    """The 95 % interval of a share, by drawing whole pieces anew."""
    _, piece_of = np.unique(pieces, return_inverse=True)
    agreeing, counts = (np.bincount(piece_of, weights).astype(np.float64) for weights in (agree, None))
    return statistics.ratio_interval(agreeing, counts, seed=seed)


def drawn(
    checkpoint: Checkpoint, segments: HeldOutSegments, sign: Floats, regressor: Regressor
) -> list[dict[str, Any]]:
    """The paper's 20 segments, one by one: attributes and predicted arousal before and after one shift."""
    out = shift(checkpoint, segments, sign).cells[:, 0]
    plain = checkpoint.decode(segments, segments.codes, segments.values).cells[:, 0]
    predicted = [regressor.predict(cells, segments.seconds) for cells in (plain, out)]
    before, after = measure(plain), measure(out)
    return [
        {
            "row": int(segments.rows[i]),
            "direction": "up" if sign[i] > 0 else "down",
            "before": {name: float(before[name][i]) for name in CODED},
            "after": {name: float(after[name][i]) for name in CODED},
            "predicted": [float(p[i]) for p in predicted],
        }
        for i in range(len(sign))
    ]


def whole_pieces(checkpoint: Checkpoint, regressor: Regressor, test: Indices, most: int = 20, seed: int = 0) -> Figures:
    """Up to `most` random held-out pieces, all segments of each moved together, up and down.

    The share of pieces whose mean prediction went the asked way, and the mean change of each attribute.
    """
    pieces = np.asarray(checkpoint.data.piece[test])
    figures: dict[str, list[float]] = {}
    for piece in np.random.default_rng(seed).permutation(np.unique(pieces))[:most]:
        segments = checkpoint.segments(test[pieces == piece])
        plain = checkpoint.decode(segments, segments.codes, segments.values).cells[:, 0]
        before, predicted = measure(plain), regressor.predict(plain, segments.seconds).mean()
        for side, sign in (("up", 1.0), ("down", -1.0)):
            out = shift(checkpoint, segments, np.full(len(segments.rows), sign)).cells[:, 0]
            moved = regressor.predict(out, segments.seconds).mean() - predicted
            figures.setdefault(f"agreement_{side}", []).append(float(moved * sign > 0))
            figures.setdefault(f"predicted_{side}", []).append(float(moved))
            for name, after in measure(out).items():
                figures.setdefault(f"{name}_{side}", []).append(float((after - before[name]).mean()))
    return {"pieces": float(len(figures["agreement_up"])), **{k: float(np.mean(v)) for k, v in figures.items()}}
