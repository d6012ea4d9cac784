"""Arousal transfer (ISMIR 2020, Section 5.2), and an independent regressor that says which way it went.

A segment moves by strength x (mu_target - mu_other) in every code that does not lie in the target's cluster yet.
The regressor knows nothing of the model: note features and arousal ratings of VGMIDI's training pieces.
Shapes: S segments, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes.table import CODED, measure
from fadernets.codecs.grid import ONSET
from fadernets.data.dataset import Dataset, label_of
from fadernets.engines import code_arithmetic
from fadernets.errors import FadernetsError
from fadernets.evaluation.checkpoint import Checkpoint, Looked, Outputs
from fadernets.metrics import fader_scores, note_features
from fadernets.metrics.fader_scores import Figures

Floats = NDArray[np.float64]
STRENGTHS = tuple(np.arange(0, 2.01, 0.25).round(2).tolist())
SEGMENTS = 20  # of the paper's listening test: half go up, half down
LEAF = 60  # labelled segments in a leaf of the regressor's trees, at least
MANY = 1000  # segments behind the shares, for an interval worth reading


def features(cells: NDArray[np.uint8], seconds: Floats) -> Floats:
    """[S, F] what the regressor hears: the table of note features, onset steps and notes a second."""
    table, _ = note_features.features(cells)
    struck = cells == ONSET
    rates = np.stack([struck.any(-1).sum(-1), struck.sum((-2, -1))], 1) / seconds[:, None]
    return np.concatenate([table, rates, seconds[:, None]], 1)


@dataclass(frozen=True)
class Regressor:
    """Predicts arousal, and how well it does so on pieces that it never saw."""

    model: Any
    figures: Figures

    @classmethod
    def fit(cls, data: Dataset, corpora: Sequence[str], seed: int = 0) -> Regressor:
        """Trees boosted on the training pieces of the labelled corpora; figures from their test pieces."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        names = [c for c in corpora if c in data.manifest["corpora"]]
        rows = {s: _labelled(data, names, s) for s in ("train", "test")}
        if len(rows["train"]) < 2 * LEAF or not len(rows["test"]):
            raise FadernetsError(
                f"{data.folder}: has {len(rows['train'])} arousal labels to learn from and {len(rows['test'])} to test "
                f"on; the regressor needs {2 * LEAF} and some: prepare it with vgmidi"
            )
        x = {s: features(data.cells(r), seconds_of(data, r)) for s, r in rows.items()}
        y = {s: np.asarray(data.arousal[r], np.float64) for s, r in rows.items()}
        model = HistGradientBoostingRegressor(
            max_iter=300, learning_rate=0.04, max_leaf_nodes=8, min_samples_leaf=LEAF, l2_regularization=5.0,
            random_state=seed,
        )  # fmt: skip
        model.fit(x["train"], y["train"])
        found = model.predict(x["test"])
        label = label_of(y["test"].astype(np.float32))
        clear = label >= 0
        middle = float(np.median(model.predict(x["train"])))
        accuracy = fader_scores.balanced_accuracy(
            found[clear] > middle, label[clear], np.asarray(data.piece[rows["test"]])[clear]
        )
        figures = {
            "segments": float(len(found)),
            "spearman": fader_scores.rank_correlation(found, y["test"]),
            "r2": 1 - float(((found - y["test"]) ** 2).mean() / y["test"].var()),
            **accuracy,
        }
        return cls(model, figures)

    def predict(self, cells: NDArray[np.uint8], seconds: Floats) -> Floats:
        return np.asarray(self.model.predict(features(cells, seconds)), np.float64)


def _labelled(data: Dataset, names: Sequence[str], split: str) -> NDArray[np.int64]:
    rows = np.concatenate([data.select(split=split, corpus=c, labelled=True) for c in names] or [np.empty(0, np.int64)])
    return np.sort(rows)


def seconds_of(data: Dataset, rows: NDArray[np.int64]) -> Floats:
    """[S] how long segments last; 2 s on the grid, which does not know."""
    return np.full(len(rows), 2.0) if data.seconds is None else np.asarray(data.seconds[rows], np.float64)


def shift(subject: Checkpoint, looked: Looked, strength: Floats) -> Outputs:
    """Segments [S] moved by their own strength [S], above 0 toward high arousal, and decoded once: [S, 1, ...]."""
    codes = {}
    for name, code in looked.codes.items():
        up, down = (code_arithmetic.shift(code, subject.means[name], sign) for sign in (1.0, -1.0))
        vector = np.where(strength[:, None] > 0, up, down) - code
        codes[name] = (code + np.abs(strength)[:, None] * vector).astype(np.float32)
    return subject.decode(looked, codes, looked.values)


def evaluate(
    subject: Checkpoint,
    regressor: Regressor,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Section 5.2 from outside: held-out segments of the low cluster go up, as many of the high one go down.

    Keys: regressor (its own accuracy), sweep (a row a strength: agreement of direction with its 95 % interval,
    mean changes, chroma similarity), drawn (the 20 segments), pieces (whole files). A segment agrees where the
    regressor's prediction for the output lies on the asked side of that for the plain decode: reconstruction alone
    moves it, too, and is not counted as transfer.
    """
    test = subject.corpus_rows("test")
    rows, sign = draw(subject, test, seed)
    few = np.arange(min(SEGMENTS, len(rows)))
    looked = subject.look(rows)
    plain = subject.decode(looked, looked.codes, looked.values).cells[:, 0]
    sweep = []
    for i, strength in enumerate(STRENGTHS):
        out = shift(subject, looked, sign * strength).cells[:, 0]
        sweep.append({"strength": strength, **_figures(out, plain, looked, sign, regressor, subject, seed)})
        if progress:
            progress(i + 1, len(STRENGTHS) + 1)
    first = next(row for row in sweep if row["strength"] == 1.0)
    found = {
        "regressor": regressor.figures,
        "sweep": sweep,
        "drawn": drawn(subject, looked.take(few), sign[few], regressor),
        "pieces": whole_pieces(subject, regressor, test, seed=seed),
        "agreement": first["agreement"],
    }
    if progress:
        progress(len(STRENGTHS) + 1, len(STRENGTHS) + 1)
    return found


def draw(subject: Checkpoint, rows: NDArray[np.int64], seed: int) -> tuple[NDArray[np.int64], Floats]:
    """Up to MANY of the rows, by chance and in turn one of the low cluster, to go up (1), and one of the high cluster,
    to go down (-1). Raises FadernetsError where one cluster has none."""
    pool = np.random.default_rng(seed).permutation(rows)[: 4 * MANY]
    high = subject.arousal(subject.encode(pool)) >= 0.5
    n = min(MANY // 2, int(high.sum()), int((~high).sum()))
    if not n:
        raise FadernetsError(
            f"{subject.folder}: all of {len(pool)} held-out segments lie in one arousal cluster; train it longer"
        )
    return np.stack([pool[~high][:n], pool[high][:n]], 1).reshape(-1), np.tile([1.0, -1.0], n)


def _figures(
    out: NDArray[np.uint8],
    plain: NDArray[np.uint8],
    looked: Looked,
    sign: Floats,
    regressor: Regressor,
    subject: Checkpoint,
    seed: int,
) -> dict[str, Any]:
    moved = regressor.predict(out, looked.seconds) - regressor.predict(plain, looked.seconds)
    agree = np.sign(moved) == sign
    before, after = measure(plain), measure(out)
    low, high = _interval(agree, np.asarray(subject.data.piece[looked.rows]), seed)
    changed = (out != plain).any((1, 2))  # a segment whose codes all lie in the target's cluster does not move
    figures: dict[str, Any] = {
        "agreement": float(agree.mean()),
        "low": low,
        "high": high,
        "agreement_up": float(agree[sign > 0].mean()),
        "agreement_down": float(agree[sign < 0].mean()),
        "changed": float(changed.mean()),
        "agreement_of_changed": float(agree[changed].mean()) if changed.any() else 0.0,
        "chroma_similarity": float(fader_scores.chroma_similarity(out, looked.cells).mean()),
        "note_f1": float(fader_scores.note_f1(out, looked.cells).mean()),
    }
    for side, mask in (("up", sign > 0), ("down", sign < 0)):
        figures[f"predicted_{side}"] = float(moved[mask].mean())
        for name in CODED:
            figures[f"{name}_{side}"] = float((after[name] - before[name])[mask].mean())
    return figures


def _interval(agree: NDArray[np.bool_], pieces: NDArray[np.integer], seed: int) -> tuple[float, float]:
    """95 % interval of a share, by 2,000 resamplings of whole pieces."""
    names, at = np.unique(pieces, return_inverse=True)
    right, count = np.bincount(at, agree), np.bincount(at)
    draws = np.random.default_rng(seed).integers(0, len(names), (2000, len(names)))
    low, high = np.percentile(right[draws].sum(1) / count[draws].sum(1), [2.5, 97.5])
    return float(low), float(high)


def drawn(subject: Checkpoint, looked: Looked, sign: Floats, regressor: Regressor) -> list[dict[str, Any]]:
    """The paper's 20 segments, one by one: attributes and predicted arousal before and after one shift."""
    out = shift(subject, looked, sign).cells[:, 0]
    plain = subject.decode(looked, looked.codes, looked.values).cells[:, 0]
    predicted = [regressor.predict(cells, looked.seconds) for cells in (plain, out)]
    before, after = measure(plain), measure(out)
    return [
        {
            "row": int(looked.rows[i]),
            "direction": "up" if sign[i] > 0 else "down",
            "before": {name: float(before[name][i]) for name in CODED},
            "after": {name: float(after[name][i]) for name in CODED},
            "predicted": [float(p[i]) for p in predicted],
        }
        for i in range(len(sign))
    ]


def whole_pieces(
    subject: Checkpoint, regressor: Regressor, test: NDArray[np.int64], most: int = 20, seed: int = 0
) -> Figures:
    """All kept segments of held-out pieces, drawn by chance, moved as one, up and down: the share of pieces whose mean
    prediction went the asked way, and the mean change of each attribute."""
    pieces = np.asarray(subject.data.piece[test])
    figures: dict[str, list[float]] = {}
    for piece in np.random.default_rng(seed).permutation(np.unique(pieces))[:most]:
        looked = subject.look(test[pieces == piece])
        plain = subject.decode(looked, looked.codes, looked.values).cells[:, 0]
        before, predicted = measure(plain), regressor.predict(plain, looked.seconds).mean()
        for side, sign in (("up", 1.0), ("down", -1.0)):
            out = shift(subject, looked, np.full(len(looked.rows), sign)).cells[:, 0]
            moved = regressor.predict(out, looked.seconds).mean() - predicted
            figures.setdefault(f"agreement_{side}", []).append(float(moved * sign > 0))
            figures.setdefault(f"predicted_{side}", []).append(float(moved))
            for name, after in measure(out).items():
                figures.setdefault(f"{name}_{side}", []).append(float((after - before[name]).mean()))
    return {"pieces": float(len(figures["agreement_up"])), **{k: float(np.mean(v)) for k, v in figures.items()}}
