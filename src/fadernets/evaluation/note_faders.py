"""The faders beyond the model, which move notes, on pieces that no model was trained on (the `strict` protocol).

Protocol: a run draws 100 segments of held-out pieces, four of a piece, and asks each for 8 values, evenly spaced
between the 5th and the 95th percentile of the attribute in training pieces; for a key, for 8 random ones of the 24.
Standard deviations are those of the training pieces' segments. M segments, T values. It does not show how the edits
sound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import Floats, Indices
from fadernets.attributes.table import ATTRIBUTES, CODED, is_movable
from fadernets.codecs.grid import OFF
from fadernets.data.corpora import CORPORA, Source, find_root, split_of
from fadernets.data.dataset import SPLITS
from fadernets.editing import key_fader
from fadernets.editing.beyond_model import FaderTargets, draft_of, draft_with_targets
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.errors import FadernetsError
from fadernets.metrics import fader_scores
from fadernets.metrics.tables import markdown_table, spelled
from fadernets.music.segments import cut

VALUES, SEGMENTS, EACH = 8, 100, 4  # of a run: values, segments, and segments of one piece
TRAINING_PIECES = 240  # that percentiles are taken from
EXEMPT = {("articulation", "note_density")}  # fader and attribute: where notes end decides both


@dataclass(frozen=True)
class TrainingStatistics:
    """Statistics of each attribute over the segments of training pieces."""

    percentiles: dict[str, tuple[float, float]]  # 5th, 95th
    deviations: dict[str, float]


def note_fader_names() -> tuple[str, ...]:
    """The faders beyond the model whose values are numbers, those of the user among them."""
    rows = ATTRIBUTES.items()
    return tuple(name for name, row in rows if name not in CODED and not row.names and is_movable(row))


def pieces_by_split(roots: dict[str, Path], seed: int = 0) -> dict[str, list[tuple[str, Source]]]:
    """Split -> the pieces of all corpora, each with the name of its corpus. Raises FadernetsError."""
    pieces: dict[str, list[tuple[str, Source]]] = {split: [] for split in SPLITS}
    for name, root in roots.items():
        for source in CORPORA[name].sources(find_root(name, root)) if name in CORPORA else _unknown(name):
            pieces[SPLITS[split_of(source, seed)]].append((name, source))
    return pieces


def _unknown(name: str) -> list[Source]:
    raise FadernetsError(f"corpus {name!r} is not known; allowed: {', '.join(CORPORA)}")


def _read_in_turn(
    pieces: Sequence[tuple[str, Source]], rng: np.random.Generator
) -> Iterator[tuple[PieceOnGrid, Indices]]:
    """Pieces in random order, one of each corpus in turn, with their full windows that have an onset.

    Files that cannot be read, and pieces without notes, are passed over.
    """
    by_corpus: dict[str, list[Source]] = {}
    for name, source in pieces:
        by_corpus.setdefault(name, []).append(source)
    queues = {name: [sources[i] for i in rng.permutation(len(sources))] for name, sources in by_corpus.items()}
    while any(queues.values()):
        for name, queue in queues.items():
            if not queue:
                continue
            try:
                piece = CORPORA[name].read(queue.pop()).piece
            except FadernetsError:
                continue
            if len(piece.notes):
                on_grid = PieceOnGrid.of(piece, list(range(len(piece.tracks))), cut(piece))
                struck = np.isin(on_grid.full, on_grid.performance.window)
                sounds = (on_grid.cells(on_grid.full) != OFF).any((1, 2))
                if (struck & sounds).any():
                    yield on_grid, on_grid.full[struck & sounds]


def training_statistics(pieces: Sequence[tuple[str, Source]], seed: int = 0) -> TrainingStatistics:
    """Percentiles and standard deviations over the segments of up to TRAINING_PIECES random pieces."""
    measured: dict[str, list[Floats]] = {name: [] for name in (*CODED, *note_fader_names())}
    for i, (piece, windows) in enumerate(_read_in_turn(pieces, np.random.default_rng(seed))):
        if i == TRAINING_PIECES:
            break
        for name, values in piece.measure(windows).items():
            if name in measured:
                measured[name].append(values[np.isfinite(values)])
    every = {name: np.concatenate(values) for name, values in measured.items()}
    percentiles = {name: (float(np.percentile(v, 5)), float(np.percentile(v, 95))) for name, v in every.items()}
    return TrainingStatistics(percentiles, {name: float(values.std()) or 1.0 for name, values in every.items()})


def evaluate(
    roots: dict[str, Path],
    runs: int = 10,
    seed: int = 0,
    names: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, dict[str, Any]]:
    """Name of a note fader -> its figures, means over the runs.

    roots: name of a corpus -> its folder; names: which faders, `key` among them; None: all. Raises FadernetsError.
    """
    names = (*note_fader_names(), "key") if names is None else names
    pieces = pieces_by_split(roots)
    if not pieces["test"] or not pieces["train"]:
        raise FadernetsError("the corpora have no pieces for a split: name whole corpora")
    training = training_statistics(pieces["train"], seed)
    figures: dict[str, dict[str, Any]] = {}
    for i, name in enumerate(names):
        of_runs = []
        for run in range(runs):
            rng = np.random.default_rng((seed, run))
            drawn = _draw(pieces["test"], rng)
            of_runs.append(_key_figures(drawn, rng) if name == "key" else _fader_figures(drawn, name, training))
            if progress:
                progress(i * runs + run + 1, len(names) * runs)
        figures[name] = {key: float(np.mean([row[key] for row in of_runs])) for key in of_runs[0]}
    return figures


def _draw(pieces: Sequence[tuple[str, Source]], rng: np.random.Generator) -> list[tuple[PieceOnGrid, Indices]]:
    """SEGMENTS windows of random pieces, at most EACH of a piece."""
    drawn, count = [], 0
    for piece, windows in _read_in_turn(pieces, rng):
        chosen = np.sort(rng.permutation(windows)[: min(EACH, SEGMENTS - count)])
        drawn.append((piece, chosen))
        count += len(chosen)
        if count == SEGMENTS:
            break
    return drawn


def asked_values(name: str, training: TrainingStatistics) -> Floats:
    """[T] evenly spaced values between the percentiles of the training pieces, in the attribute's grain."""
    row = ATTRIBUTES[name]
    values = np.linspace(*training.percentiles[name], VALUES)
    return np.asarray(np.round(values / row.grain) * row.grain if row.grain else values)


def _fader_figures(
    drawn: list[tuple[PieceOnGrid, Indices]], name: str, training: TrainingStatistics
) -> dict[str, float]:
    values, deviations = asked_values(name, training), training.deviations
    every = (*CODED, *note_fader_names())
    outputs: dict[str, list[Floats]] = {n: [] for n in every}  # of each piece [T, segments]
    sources: dict[str, list[Floats]] = {n: [] for n in every}  # of each piece [segments]
    for piece, windows in drawn:
        before = piece.measure(windows)
        after = [_moved(piece, windows, name, float(value), deviations) for value in values]
        for n in every:
            sources[n].append(before[n])
            outputs[n].append(np.stack([a[n] for a in after]))
    measured = {n: np.concatenate(outputs[n], axis=1).T for n in every}  # [M, T]
    source = {n: np.concatenate(sources[n]) for n in every}  # [M]
    moved, deviation = measured[name], deviations[name]
    asked = np.broadcast_to(values, moved.shape)
    others = [n for n in every if n != name and (name, n) not in EXEMPT]
    drift = {n: float(np.abs(measured[n] - source[n][:, None]).mean() / deviations[n]) for n in others}
    figures = {
        "spearman": fader_scores.rank_correlation(asked.ravel(), moved.ravel()),
        "linearity": float(np.mean([fader_scores.linearity(values, row) for row in moved])),
        "consistency": fader_scores.consistency(moved / deviation),
        "error": float(np.abs(moved - asked).mean()),
        "error_sd": float(np.abs(moved - asked).mean() / deviation),
        "response_range": float(np.polyfit(asked.ravel(), moved.ravel(), 1)[0]) if np.ptp(values) > 0 else 0.0,
        "leakage": max(abs(fader_scores.rank_correlation(asked.ravel(), measured[n].ravel())) for n in others),
        "others_move": max(drift.values()),
    }
    return figures | {f"moves_{n}": value for n, value in drift.items()}


def _moved(
    piece: PieceOnGrid, windows: Indices, name: str, value: float, deviations: dict[str, float]
) -> dict[str, Floats]:
    """Every attribute of these windows once one fader is set to a value there."""
    if ATTRIBUTES[name].of == "cells":
        targets = FaderTargets(cells={name: np.full(len(windows), value)})
    else:
        asked = np.full(len(piece.windows.start), np.nan)
        asked[windows] = value
        targets = FaderTargets(windows={name: asked})
    edited = draft_with_targets(piece, windows, targets, deviations).piece(piece.piece)
    return PieceOnGrid.of(edited, list(range(len(edited.tracks))), piece.windows).measure(windows)


def _key_figures(drawn: list[tuple[PieceOnGrid, Indices]], rng: np.random.Generator) -> dict[str, float]:
    """How often a single segment, moved to a random key, is estimated to be in it, and how far its voices move."""
    hits, semitones = [], []
    for piece, windows in drawn:
        window_of = piece.performance.window
        for w in windows.tolist():
            notes = piece.piece.notes[window_of == w]
            segment = PieceOnGrid.of(
                replace(piece.piece, notes=notes), list(range(len(piece.piece.tracks))), piece.windows
            )
            home = segment.key(np.array([w]))
            for target in rng.permutation(24)[:VALUES].tolist():
                draft = key_fader.change_key(draft_of(segment), np.ones(len(notes), bool), home, target)
                after = PieceOnGrid.of(
                    draft.piece(segment.piece), list(range(len(segment.piece.tracks))), piece.windows
                )
                hits.append(after.key(np.array([w])) == target)
                semitones.append(np.abs(draft.notes["pitch"].astype(int) - notes["pitch"]).mean())
    return {"hit_rate": float(np.mean(hits)), "voices_move": float(np.mean(semitones))}


COLUMNS = ("spearman", "linearity", "consistency", "error", "response_range", "leakage")


def table(figures: dict[str, dict[str, Any]]) -> str:
    """A Markdown table with a row per fader; how far each other attribute moves is in its standard deviations."""
    others = (*CODED, *note_fader_names())
    rows = []
    for name, row in figures.items():
        if name != "key":
            moves = [f"{row[f'moves_{n}']:.3f}" if f"moves_{n}" in row else "-" for n in others]
            rows.append([spelled(name), *(f"{row[column]:.3f}" for column in COLUMNS), *moves])
    text = markdown_table(["fader", *map(spelled, COLUMNS), *(f"{spelled(name)} moves" for name in others)], rows)
    if "key" in figures:
        key = figures["key"]
        text += f"\n\nkey: hit rate {key['hit_rate']:.3f}; voices move by {key['voices_move']:.2f} semitones"
    return text
