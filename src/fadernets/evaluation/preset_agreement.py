"""Does a preset go where listeners' labels say? A classifier that never saw the piece says which way an edit went.

Protocol: the labelled training pieces of a corpus are halved. A preset is learned from one half, and a logistic
regression over note features, tempo and loudness from the other. Segments of test pieces are then moved up and down by
the whole preset, and the classifier's probability of "high" should rise or fall with it. It does not show what
listeners hear in the edits. S segments, F features.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import Bools, Floats, Indices
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
from fadernets.metrics.tables import markdown_table
from fadernets.music.document import Document

Measure = Callable[[PieceOnGrid, Indices], Floats]  # a piece and S of its windows -> [S]
SEGMENTS, EACH = 200, 12  # test segments, and at most of one piece
HELD = {"tempo held": {"tempo"}, "tempo and dynamics held": {"tempo", "dynamics"}}


def features(piece: PieceOnGrid, windows: Indices) -> Floats:
    """[S, F] what the classifier sees: every attribute, notes a second, deviation of velocity, the note features."""
    values, performance = piece.measure(windows), piece.performance
    velocity = performance.notes["velocity"].astype(np.float64)
    variance = performance.mean(velocity**2) - performance.mean(velocity) ** 2
    deviation = np.sqrt(np.maximum(variance, 0))[windows]
    count = np.bincount(performance.window, minlength=len(piece.windows.start))[windows]
    seconds = 240 / values["tempo"]
    columns = [
        *(values[name] for name in learnable()),
        values["key"] < 12,
        count / seconds,
        np.log(values["tempo"]),
        deviation,
    ]
    notes = note_features.features(piece.cells(windows))[0]
    return np.nan_to_num(np.column_stack([*columns, notes]).astype(np.float64))


@dataclass(frozen=True)
class _LabelledPiece:
    source: Source
    segments: LabelledSegments
    label: Floats  # [S]


def _pieces(root: Path, corpus: str, label: str, splits: tuple[str, ...]) -> list[_LabelledPiece]:
    pieces = []
    for source in CORPORA[corpus].sources(find_root(corpus, root)):
        if SPLITS[split_of(source, 0)] not in splits:
            continue
        try:
            one = preset_data.read(source, corpus)
        except FadernetsError:
            continue
        if len(one.windows):
            cells = one.score.cells(one.windows)
            values = tension.tension(cells) if label == "tension" else getattr(one, label)
            pieces.append(_LabelledPiece(source, one, values))
    return pieces


def evaluate(
    engine: Engine,
    root: Path,
    label: str = "arousal",
    corpus: str = "vgmidi",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Agreement of a preset, of the preset with faders held and, for arousal, of the paper's two codes.

    root: the folder of the labelled `corpus`; label: `arousal`, `valence` or `tension`. Each row holds the share of
    segments whose probability of "high" went the asked way, up and down; for tension, whose measured tension did.
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
        measure: Measure = lambda piece, windows: tension.tension(piece.cells(windows))  # noqa: E731
    else:
        measure, accuracy = _classifier([known[i] for i in order[half:]], test)
        report |= {"classifier_pieces": len(known) - half, "classifier_balanced_accuracy": accuracy}
    ways: dict[str, dict[str, Any]] = {"every fader": {"preset": preset}}
    ways |= {name: {"preset": preset, "hold": frozenset(hold)} for name, hold in HELD.items()}
    if label == "arousal" and engine.means:
        ways["the paper's two codes"] = {}
    for i, (name, options) in enumerate(ways.items()):
        report[name] = _agreement(engine, test, measure, options, seed)
        if progress:
            progress(i + 1, len(ways))
    return report


def _learned(pieces: list[_LabelledPiece], label: str) -> Preset:
    tables = [piece.segments.score.measure(piece.segments.windows) for piece in pieces]
    values = {name: np.concatenate([table[name] for table in tables]) for name in (*learnable(), "key")}
    labels = np.concatenate([piece.label for piece in pieces])
    piece_of = np.repeat(np.arange(len(pieces)), [len(piece.label) for piece in pieces])
    key = values.pop("key")
    if label == "tension":
        return presets.learn(label, presets.of_measure(values, key, labels, piece_of))
    return presets.learn(label, presets.of_labels(values, key, labels, piece_of, MARGIN))


def _classifier(pieces: list[_LabelledPiece], test: list[_LabelledPiece]) -> tuple[Measure, float]:
    """Probability of "high" from a logistic regression, and its balanced accuracy on the test pieces."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def rows(pieces: list[_LabelledPiece]) -> tuple[Floats, Bools]:
        x = np.concatenate([features(piece.segments.score, piece.segments.windows) for piece in pieces])
        labels = np.concatenate([piece.label for piece in pieces])
        clear = np.abs(labels) > MARGIN
        return x[clear], labels[clear] > 0

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.02, class_weight="balanced", max_iter=2000))
    model.fit(*rows(pieces))
    x, high = rows(test)
    accuracy = float(balanced_accuracy_score(high, model.predict(x)))
    return (lambda piece, windows: np.asarray(model.predict_proba(features(piece, windows))[:, 1])), accuracy


def _agreement(
    engine: Engine,
    test: list[_LabelledPiece],
    measure: Measure,
    options: dict[str, Any],
    seed: int,
) -> dict[str, float]:
    """The share of SEGMENTS segments of test pieces that went the asked way, each moved up and down."""
    rng = np.random.default_rng(seed)
    agreed: dict[str, list[Bools]] = {"up": [], "down": []}
    left = SEGMENTS
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.mid"
        for piece in test:
            document = Document(piece.source.path)
            before = PieceOnGrid.of(document.piece, file_edit.choose_tracks(document.piece))
            full = before.full[np.isin(before.full, before.performance.window)]
            chosen = np.sort(rng.permutation(full)[: min(EACH, left)])
            left -= len(chosen)
            if not len(chosen):
                continue
            at_first = measure(before, chosen)
            for name, amount in (("up", 1.0), ("down", -1.0)):
                faders = Faders(amount=amount, **options) if options else Faders(arousal=amount)
                file_edit.apply(engine, piece.source.path, out, faders)
                written = Document(out).piece
                after = PieceOnGrid.of(written, file_edit.choose_tracks(written), before.windows)
                agreed[name].append((measure(after, chosen) - at_first) * amount > 0)
    share = {name: float(np.concatenate(each).mean()) for name, each in agreed.items()}
    return {**share, "both": (share["up"] + share["down"]) / 2, "segments": float(SEGMENTS - left)}


def table(report: dict[str, Any]) -> str:
    """The report of `evaluate`: the preset, the classifier, and a Markdown table with a row per way of moving."""
    head = [str(report["preset"])]
    if "classifier_pieces" in report:
        accuracy = report["classifier_balanced_accuracy"]
        head.append(f"classifier of {report['classifier_pieces']} other pieces: balanced accuracy {accuracy:.3f}")
    rows = [
        [name, *(f"{row[key]:.3f}" for key in ("up", "down", "both")), f"{row['segments']:.0f}"]
        for name, row in report.items()
        if isinstance(row, dict)
    ]
    return "\n".join([*head, "", markdown_table(["moved", "up", "down", "both", "n"], rows)])
