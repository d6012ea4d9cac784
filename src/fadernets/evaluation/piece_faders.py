"""The faders of a model that edits pieces on their own grid, on bars of pieces that it was not trained on.

The `strict` protocol of `model_folder` on whole files: a run draws M = 100 bars of 16 sixteenths, four in a row of a
piece, and asks each for T = 8 values, evenly spaced between the 5th and the 95th percentile of the attribute in the
training data. Each answer is a file, read again on sixteenths, so that what is written counts. Notes of beats that are
cut in threes or finer than in four fall between sixteenths: `straight` leaves such bars out, which is another figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import Cells, Floats, Indices
from fadernets.attributes.table import CODED
from fadernets.decoding.edit_models import EditModel
from fadernets.editing import file_edit
from fadernets.editing.requests import Faders
from fadernets.errors import FadernetsError
from fadernets.evaluation.decoding_loops import values_to_ask
from fadernets.evaluation.piece_passages import PassagePiece, read_pieces
from fadernets.metrics import fader_scores
from fadernets.metrics.fader_scores import Figures
from fadernets.metrics.passage_features import MOST_STEPS, SEGMENTS
from fadernets.metrics.tables import markdown_table, spelled
from fadernets.music.document import Document

M = 100  # bars of a run
RUNS = 3


def evaluate(
    engine: EditModel,
    roots: Mapping[str, Path],
    *,
    runs: int = RUNS,
    seed: int = 0,
    straight: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """ATTRIBUTE -> mean and standard deviation over runs of the figures of `fader_scores.strict`.

    roots: corpus -> its folder. straight: whether bars with beats cut in threes or finer than in four are left out.
    Raises FadernetsError where there are too few test pieces.
    """
    pieces = [
        piece
        for corpus, root in roots.items()
        for _, piece in read_pieces(corpus, root, ("test",))
        if len(_passages(piece, straight))
    ]
    if len(pieces) < M // SEGMENTS:
        raise FadernetsError(f"{', '.join(roots)}: {len(pieces)} test pieces with four bars in a row; {M // SEGMENTS}")
    statistics = engine.info["statistics"]
    spread = np.array([statistics[name]["std"] for name in CODED])
    figures: dict[str, Any] = {"model": engine.name, "runs": runs, "seed": seed, "straight": straight}
    done = 0
    for name in CODED:
        values = values_to_ask(name, statistics[name])
        each: list[Figures] = []
        for run in range(runs):
            rng = np.random.default_rng([seed, run])
            chosen = [pieces[i] for i in rng.permutation(len(pieces))[: M // SEGMENTS]]
            answers = [_answers(engine, piece, _passages(piece, straight), name, values, rng) for piece in chosen]
            source = np.concatenate([before for before, _ in answers])
            outputs = np.concatenate([after for _, after in answers])
            each.append(fader_scores.strict(outputs, source, name, values, spread))
            done += 1
            if progress:
                progress(done, runs * len(CODED))
        figures[name] = fader_scores.over_runs(each)
    return figures


def _passages(piece: PassagePiece, straight: bool) -> Indices:
    """[N] the first segments of the passages of 16 sixteenths a bar; those whose beats are cut in one, two or four."""
    whole = piece.kinds[0] == MOST_STEPS
    if not straight:
        return piece.first[whole]
    own = piece.grid.own
    other = np.bincount(own.beats.segment, ~np.isin(own.divisions, (1, 2, 4)), len(own.start)) > 0
    spans = piece.first[:, None] + np.arange(SEGMENTS)
    return piece.first[whole & ~other[spans].any(axis=1)]


def _answers(
    engine: EditModel, piece: PassagePiece, firsts: Indices, name: str, values: Floats, rng: np.random.Generator
) -> tuple[Cells, Cells]:
    """[4, 16, 88] the bars of a random passage of a piece, and [4, T, 16, 88] what became of them at each value."""
    first = int(rng.choice(firsts))
    rows = np.arange(first, first + SEGMENTS)
    own = piece.grid.own
    bars = [(int(own.bar[rows[0]]), int(own.last_bar[rows[-1]]))]
    after = []
    for value in values.tolist():
        faders = Faders.checked(set={name: value}, bars=bars)
        written = file_edit.edit_document(engine, piece.document, faders)[0].data
        roll = piece.reread(Document(piece.document.path, written))
        after.append(piece.grid.segments(roll, rows))
    return piece.grid.segments(piece.roll, rows), np.stack(after, axis=1)


def table(figures: dict[str, Any]) -> str:
    """The figures of `evaluate` as Markdown, a row for each figure."""
    faders: Sequence[str] = [name for name in CODED if name in figures]
    rows = [
        [spelled(key), *(f"{figures[name][key]['mean']:.3f} ± {figures[name][key]['std']:.3f}" for name in faders)]
        for key in figures[faders[0]]
    ]
    bars = ", straight bars" if figures["straight"] else ""
    return markdown_table([f"{figures['model']}, {figures['runs']} runs{bars}", *map(spelled, faders)], rows)
