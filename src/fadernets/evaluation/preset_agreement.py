"""Do listeners' labels agree with a preset? A classifier that never saw the piece says which way an edit went.

The labelled training pieces of a corpus are halved: from one half a preset is learned, on the other a logistic
regression over note features, tempo and loudness. Segments of test pieces are then moved up and down by the whole
preset, and the classifier's probability of "high" should rise or fall with it. S segments, F features.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes import tension
from fadernets.data.corpora import CORPORA, Source, find_root, split_of
from fadernets.data.dataset import SPLITS
from fadernets.editing import file_edit, presets
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.presets import Preset, learnable
from fadernets.editing.requests import Faders
from fadernets.engines.grid import Engine
from fadernets.errors import FadernetsError
from fadernets.fitting import preset_data
from fadernets.fitting.preset_data import MARGIN, LabelledSegments
from fadernets.metrics import note_features
from fadernets.music.document import Document

Floats = NDArray[np.float64]
SEGMENTS, EACH = 200, 12  # test segments, at most so many of a piece
HELD = {"tempo held": {"tempo"}, "tempo and dynamics held": {"tempo", "dynamics"}}


def features(score: PieceOnGrid, windows: NDArray[np.int64]) -> Floats:
    """[S, F] what the classifier sees: every attribute, onsets a second, spread of velocity, the note features."""
    values, heard = score.measure(windows), score.performance
    velocity = heard.notes["velocity"].astype(np.float64)
    spread = np.sqrt(np.maximum(heard.mean(velocity**2) - heard.mean(velocity) ** 2, 0))[windows]
    count = np.bincount(heard.window, minlength=len(score.windows.start))[windows]
    seconds = 240 / values["tempo"]
    own = [*(values[name] for name in learnable()), values["key"] < 12, count / seconds, np.log(values["tempo"]), spread]
    notes = note_features.features(score.cells(windows))[0]
    return np.nan_to_num(np.column_stack([*own, notes]).astype(np.float64))


@dataclass(frozen=True)
class _Piece:
    source: Source
    found: LabelledSegments
    said: Floats  # [S] the label


def _pieces(root: Path, corpus: str, label: str, splits: tuple[str, ...]) -> list[_Piece]:
    found = []
    for source in CORPORA[corpus].sources(find_root(corpus, root)):
        if SPLITS[split_of(source, 0)] not in splits:
            continue
        try:
            one = preset_data.read(source, corpus)
        except FadernetsError:
            continue
        if len(one.windows):
            cells = one.score.cells(one.windows)
            said = tension.tension(cells) if label == "tension" else getattr(one, label)
            found.append(_Piece(source, one, said))
    return found


def evaluate(
    engine: Engine,
    root: Path,
    label: str = "arousal",
    corpus: str = "vgmidi",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Agreement of the preset, of the preset with faders held and, for arousal, of the paper's two codes.

    Each row: the share of segments whose probability went the asked way, up and down; for tension, whose measure did.
    Raises FadernetsError.
    """
    if corpus not in CORPORA:
        raise FadernetsError(f"corpus {corpus!r} is not known; allowed: {', '.join(CORPORA)}")
    known = _pieces(root, corpus, label, ("train", "validation"))
    order = np.random.default_rng(seed).permutation(len(known))
    half = len(known) // 2
    preset = _learned([known[i] for i in order[:half]], label)
    test = _pieces(root, corpus, label, ("test",))
    report: dict[str, Any] = {"label": label, "preset": presets.table(preset)}
    if label == "tension":
        judge: Callable[[PieceOnGrid, NDArray[np.int64]], Floats] = lambda s, w: tension.tension(s.cells(w))  # noqa: E731
    else:
        judge, accuracy = _classifier([known[i] for i in order[half:]], test)
        report |= {"classifier_pieces": len(known) - half, "classifier_balanced_accuracy": accuracy}
    ways: dict[str, dict[str, Any]] = {"every fader": {"preset": preset}}
    ways |= {name: {"preset": preset, "hold": frozenset(hold)} for name, hold in HELD.items()}
    if label == "arousal" and engine.means:
        ways["the paper's two codes"] = {}
    for i, (name, options) in enumerate(ways.items()):
        report[name] = _agreement(engine, test, judge, options, seed)
        if progress:
            progress(i + 1, len(ways))
    return report


def _learned(pieces: list[_Piece], label: str) -> Preset:
    tables = [one.found.score.measure(one.found.windows) for one in pieces]
    values = {name: np.concatenate([table[name] for table in tables]) for name in (*learnable(), "key")}
    said = np.concatenate([one.said for one in pieces])
    piece = np.repeat(np.arange(len(pieces)), [len(one.said) for one in pieces])
    key = values.pop("key")
    if label == "tension":
        return presets.learn(label, presets.of_measure(values, key, said, piece))
    return presets.learn(label, presets.of_labels(values, key, said, piece, MARGIN))


def _classifier(
    pieces: list[_Piece], test: list[_Piece]
) -> tuple[Callable[[PieceOnGrid, NDArray[np.int64]], Floats], float]:
    """Probability of "high" from a logistic regression, and its balanced accuracy on the test pieces."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def rows(some: list[_Piece]) -> tuple[Floats, NDArray[np.bool_]]:
        x = np.concatenate([features(one.found.score, one.found.windows) for one in some])
        said = np.concatenate([one.said for one in some])
        clear = np.abs(said) > MARGIN
        return x[clear], said[clear] > 0

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.02, class_weight="balanced", max_iter=2000))
    model.fit(*rows(pieces))
    x, high = rows(test)
    accuracy = float(balanced_accuracy_score(high, model.predict(x)))
    return (lambda score, windows: np.asarray(model.predict_proba(features(score, windows))[:, 1])), accuracy


def _agreement(
    engine: Engine,
    test: list[_Piece],
    judge: Callable[[PieceOnGrid, NDArray[np.int64]], Floats],
    options: dict[str, Any],
    seed: int,
) -> dict[str, float]:
    """The share of 200 segments of test pieces that went the asked way, each moved up and down."""
    rng = np.random.default_rng(seed)
    went: dict[str, list[NDArray[np.bool_]]] = {"up": [], "down": []}
    left = SEGMENTS
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.mid"
        for one in test:
            document = Document(one.source.path)
            before = PieceOnGrid.of(document.piece, file_edit.choose_tracks(document.piece))
            full = before.full[np.isin(before.full, before.performance.window)]
            chosen = np.sort(rng.permutation(full)[: min(EACH, left)])
            left -= len(chosen)
            if not len(chosen):
                continue
            first = judge(before, chosen)
            for name, amount in (("up", 1.0), ("down", -1.0)):
                moved = Faders(amount=amount, **options) if options else Faders(arousal=amount)
                file_edit.apply(engine, one.source.path, out, moved)
                written = Document(out).piece
                after = PieceOnGrid.of(written, file_edit.choose_tracks(written), before.windows)
                went[name].append((judge(after, chosen) - first) * amount > 0)
    share = {name: float(np.concatenate(each).mean()) for name, each in went.items()}
    return {**share, "both": (share["up"] + share["down"]) / 2, "segments": float(SEGMENTS - left)}


def table(report: dict[str, Any]) -> str:
    """Markdown: a row a way of moving."""
    head = [str(report["preset"])]
    if "classifier_pieces" in report:
        accuracy = report["classifier_balanced_accuracy"]
        head.append(f"classifier of {report['classifier_pieces']} other pieces: balanced accuracy {accuracy:.3f}")
    rows = [(name, row) for name, row in report.items() if isinstance(row, dict)]
    lines = ["| moved | up | down | both | n |", "|---|---|---|---|---|"]
    lines += [f"| {n} | {r['up']:.3f} | {r['down']:.3f} | {r['both']:.3f} | {r['segments']:.0f} |" for n, r in rows]
    return "\n".join([*head, "", *lines])
