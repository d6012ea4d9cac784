"""Does a preset go where listeners' labels say? A classifier that never saw the piece says which way an edit went.

Protocol: the labelled training pieces of a corpus are halved. A preset is learned from one half, and a logistic
regression over note features, tempo and loudness from the other. Segments of test pieces are then moved up and down by
the whole preset, and the classifier's probability of "high" should rise or fall with it. That classifier is given what
faders move; networks that learn from the same half and see piano rolls alone (`roll_classifier`) stand beside it, each
with its accuracy on the test pieces, since a witness that is often wrong can neither confirm nor deny. It does not show
what listeners hear in the edits. S segments, F features.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import Bools, Floats, Indices
from fadernets.attributes import tension
from fadernets.data.corpora import CORPORA, Source, find_root, split_of
from fadernets.data.dataset import SPLITS
from fadernets.decoding.edit_models import EditModel
from fadernets.editing import file_edit, presets
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.presets import Preset, learnable
from fadernets.editing.requests import Faders
from fadernets.engines.grid import Engine
from fadernets.errors import FadernetsError
from fadernets.evaluation import roll_classifier
from fadernets.fitting import preset_data
from fadernets.fitting.preset_data import MARGIN, LabelledSegments
from fadernets.metrics import note_features
from fadernets.metrics.tables import markdown_table
from fadernets.music.document import Document

Measure = Callable[[PieceOnGrid, Indices], Floats]  # a piece and S of its windows -> [S]
SEGMENTS, EACH = 200, 12  # test segments, and at most of one piece
FEATURES = "features"  # the witness that is given figures of notes
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


def _pieces(
    root: Path, corpus: str, label: str, splits: tuple[str, ...], skip: Callable[[str], object]
) -> list[_LabelledPiece]:
    pieces = []
    for source in CORPORA[corpus].sources(find_root(corpus, root)):
        if SPLITS[split_of(source, 0)] not in splits:
            continue
        try:
            one = preset_data.read(source, corpus)
        except FadernetsError as error:
            skip(source.unreadable(error))
            continue
        if len(one.windows):
            cells = one.score.cells(one.windows)
            values = tension.tension(cells) if label == "tension" else getattr(one, label)
            pieces.append(_LabelledPiece(source, one, values))
    return pieces


def evaluate(
    engine: EditModel,
    root: Path,
    label: str = "arousal",
    corpus: str = "vgmidi",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    *,
    segments: int | None = None,
    roll_seeds: Sequence[int] = (),
    skip: Callable[[str], object] = lambda line: None,
) -> dict[str, Any]:
    """Agreement of a preset, of the preset with faders held and, of a model with clusters of that label, of its codes.

    root: the folder of the labelled `corpus`; label: `arousal`, `valence` or `tension`. segments: how many are moved,
    SEGMENTS unless given. Each row holds the share of segments whose probability of "high" went the asked way, up and
    down; for tension, whose measured tension did. roll_seeds: of the classifiers that see rolls alone; their rows are
    under `roll classifiers`, means over seeds. skip: is told each file that cannot be read, and why. Raises
    FadernetsError.
    """
    if corpus not in CORPORA:
        raise FadernetsError(f"corpus {corpus!r} is not known; allowed: {', '.join(CORPORA)}")
    known = _pieces(root, corpus, label, ("train", "validation"), skip)
    order = np.random.default_rng(seed).permutation(len(known))
    half = len(known) // 2
    preset = _learned([known[i] for i in order[:half]], label)
    others = [known[i] for i in order[half:]]
    test = _pieces(root, corpus, label, ("test",), skip)
    report: dict[str, Any] = {"model": engine.name, "label": label, "preset": presets.table(preset)}
    witnesses: dict[str, list[Measure]] = {}
    if label == "tension":
        witnesses[FEATURES] = [lambda piece, windows: tension.tension(piece.cells(windows))]
    else:
        measure, accuracy = _classifier(others, test)
        witnesses[FEATURES] = [measure]
        report |= {"classifier_pieces": len(others), "classifier_balanced_accuracy": accuracy}
        of_rolls, report["roll classifiers"] = _roll_classifiers(others, test, roll_seeds)
        witnesses |= of_rolls
    ways: dict[str, dict[str, Any]] = {"every fader": {"preset": preset}}
    ways |= {name: {"preset": preset, "hold": frozenset(hold)} for name, hold in HELD.items()}
    if isinstance(engine, Engine) and engine.label is not None and engine.label.name == label:
        ways["the paper's two codes"] = {}
    for i, (name, options) in enumerate(ways.items()):
        shares = _agreement(engine, test, witnesses, options, seed, segments or SEGMENTS)
        report[name] = _mean(shares.pop(FEATURES))
        for view, each in shares.items():
            report["roll classifiers"][view][name] = _mean(each)
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

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.02, class_weight="balanced", max_iter=2000))
    model.fit(*_clear(pieces, features))
    x, high = _clear(test, features)
    accuracy = float(balanced_accuracy_score(high, model.predict(x)))
    return (lambda piece, windows: np.asarray(model.predict_proba(features(piece, windows))[:, 1])), accuracy


def _clear(pieces: list[_LabelledPiece], view: Callable[[PieceOnGrid, Indices], Any]) -> tuple[Any, Bools]:
    """What a classifier sees of the segments with a clear label, and which of them are high."""
    seen = np.concatenate([view(piece.segments.score, piece.segments.windows) for piece in pieces])
    labels = np.concatenate([piece.label for piece in pieces])
    clear = np.abs(labels) > MARGIN
    return seen[clear], labels[clear] > 0


def _roll_classifiers(
    pieces: list[_LabelledPiece], test: list[_LabelledPiece], seeds: Sequence[int]
) -> tuple[dict[str, list[Measure]], dict[str, dict[str, Any]]]:
    """The classifiers of each view of rolls, one a seed, and their balanced accuracy on the test pieces."""
    measures: dict[str, list[Measure]] = {}
    report: dict[str, dict[str, Any]] = {}
    for name, view in roll_classifier.VIEWS.items() if seeds else ():
        rolls, high = _clear(pieces, view)
        asked, truth = _clear(test, view)
        fitted = [roll_classifier.fit(view, rolls, high, seed) for seed in seeds]
        right = [roll_classifier.balanced_accuracy(each.log_odds(asked), truth) for each in fitted]
        measures[name] = list(fitted)
        report[name] = {"balanced_accuracy": float(np.mean(right)), "accuracy_deviation": float(np.std(right))}
    return measures, report


def _agreement(
    engine: EditModel,
    test: list[_LabelledPiece],
    witnesses: Mapping[str, list[Measure]],
    options: dict[str, Any],
    seed: int,
    segments: int,
) -> dict[str, list[dict[str, float]]]:
    """For each measure of each witness, the share of segments of test pieces that went the asked way.

    Each segment is moved up and down, with its whole piece.
    """
    rng = np.random.default_rng(seed)
    agreed = {name: [{"up": [], "down": []} for _ in each] for name, each in witnesses.items()}  # type: ignore[var-annotated]
    left = segments
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
            at_first = {name: [measure(before, chosen) for measure in each] for name, each in witnesses.items()}
            for name, amount in (("up", 1.0), ("down", -1.0)):
                faders = Faders(amount=amount, **options) if options else Faders(arousal=amount)
                file_edit.apply(engine, piece.source.path, out, faders)
                written = Document(out).piece
                after = PieceOnGrid.of(written, file_edit.choose_tracks(written), before.windows)
                for witness, each in witnesses.items():
                    for i, measure in enumerate(each):
                        rise = (measure(after, chosen) - at_first[witness][i]) * amount
                        agreed[witness][i][name].append(rise > 0)
    return {name: [_shares(each, segments - left) for each in of_seeds] for name, of_seeds in agreed.items()}


def _shares(agreed: Mapping[str, list[Bools]], count: int) -> dict[str, float]:
    share = {name: float(np.concatenate(each).mean()) for name, each in agreed.items()}
    return {**share, "both": (share["up"] + share["down"]) / 2, "segments": float(count)}


def _mean(each: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean over seeds, with the deviation of `both` where there are several."""
    mean = {name: float(np.mean([row[name] for row in each])) for name in each[0]}
    return mean if len(each) == 1 else mean | {"deviation": float(np.std([row["both"] for row in each]))}


def table(report: dict[str, Any]) -> str:
    """The report of `evaluate`: the preset, the classifiers, and a Markdown table of each with a row per way."""
    head = [str(report["preset"])]
    if "classifier_pieces" in report:
        accuracy = report["classifier_balanced_accuracy"]
        head.append(f"classifier of {report['classifier_pieces']} other pieces: balanced accuracy {accuracy:.3f}")
    views = report.get("roll classifiers", {})
    ways = {name: row for name, row in report.items() if isinstance(row, dict) and "both" in row}
    lines = [*head, "", markdown_table(["moved", "up", "down", "both", "n"], _rows(ways))]
    for view, rows in views.items():
        accuracy, spread = rows["balanced_accuracy"], rows["accuracy_deviation"]
        said = f"classifier of rolls ({view}): balanced accuracy {accuracy:.3f} ± {spread:.3f}"
        of_ways = {name: row for name, row in rows.items() if isinstance(row, dict)}
        lines += ["", said, "", markdown_table(["moved", "up", "down", "both", "n"], _rows(of_ways))]
    return "\n".join(lines)


def _rows(ways: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    rows = []
    for name, row in ways.items():
        both = f"{row['both']:.3f}" + (f" ± {row['deviation']:.3f}" if "deviation" in row else "")
        rows.append([name, f"{row['up']:.3f}", f"{row['down']:.3f}", both, f"{row['segments']:.0f}"])
    return rows
