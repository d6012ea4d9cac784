"""The faders beyond the model, measured on pieces that no model was trained on (the `strict` protocol).

A run draws 100 segments of held-out pieces and asks each for 8 values, evenly spaced between the 5th and the 95th
percentile of the attribute in training pieces; for a key, of any of the 24. Standard deviations are those of the
training pieces' segments. M segments, T values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes.table import ATTRIBUTES, CODED
from fadernets.codecs.grid import OFF
from fadernets.data.corpora import CORPORA, Source, find_root, split_of
from fadernets.data.dataset import SPLITS
from fadernets.editing import note_faders
from fadernets.editing.beyond_model import FaderTargets, draft_of, draft_with_targets
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.errors import FadernetsError
from fadernets.metrics import fader_scores
from fadernets.music.segments import cut

Floats = NDArray[np.float64]
VALUES, SEGMENTS, EACH = 8, 100, 4  # of a run; segments of one piece
KNOWN = 240  # training pieces that percentiles are taken from
ADDED = tuple(name for name, row in ATTRIBUTES.items() if name not in CODED and not row.names)
EXEMPT = {("articulation", "note_density")}  # touch is where notes end


@dataclass(frozen=True)
class Known:
    """What training pieces say of each attribute."""

    percentiles: dict[str, tuple[float, float]]  # 5th, 95th
    spread: dict[str, float]


def listed(roots: dict[str, Path], seed: int = 0) -> dict[str, list[tuple[str, Source]]]:
    """The pieces of corpora by split, each with its corpus. Raises FadernetsError."""
    found: dict[str, list[tuple[str, Source]]] = {split: [] for split in SPLITS}
    for name, root in roots.items():
        for source in CORPORA[name].sources(find_root(name, root)) if name in CORPORA else _unknown(name):
            found[SPLITS[split_of(source, seed)]].append((name, source))
    return found


def _unknown(name: str) -> list[Source]:
    raise FadernetsError(f"corpus {name!r} is not known; allowed: {', '.join(CORPORA)}")


def _scores(
    pieces: Sequence[tuple[str, Source]], rng: np.random.Generator
) -> Iterator[tuple[PieceOnGrid, NDArray[np.int64]]]:
    """Pieces in an order of their own, each corpus in turn, with their full windows that have an onset."""
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
                score = PieceOnGrid.of(piece, list(range(len(piece.tracks))), cut(piece))
                struck = np.isin(score.full, score.performance.window)
                sounds = (score.cells(score.full) != OFF).any((1, 2))
                if (struck & sounds).any():
                    yield score, score.full[struck & sounds]


def know(pieces: Sequence[tuple[str, Source]], seed: int = 0) -> Known:
    """Percentiles and standard deviations over the segments of some training pieces."""
    found: dict[str, list[Floats]] = {name: [] for name in (*CODED, *ADDED)}
    for i, (score, windows) in enumerate(_scores(pieces, np.random.default_rng(seed))):
        if i == KNOWN:
            break
        for name, values in score.measure(windows).items():
            if name in found:
                found[name].append(values[np.isfinite(values)])
    every = {name: np.concatenate(values) for name, values in found.items()}
    low_high = {name: (float(np.percentile(v, 5)), float(np.percentile(v, 95))) for name, v in every.items()}
    return Known(low_high, {name: float(values.std()) or 1.0 for name, values in every.items()})


def evaluate(
    roots: dict[str, Path],
    runs: int = 10,
    seed: int = 0,
    names: Sequence[str] = (*ADDED, "key"),
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, dict[str, Any]]:
    """Figures of each added fader, mean over the runs. Raises FadernetsError."""
    pieces = listed(roots)
    if not pieces["test"] or not pieces["train"]:
        raise FadernetsError("the corpora have no pieces for a split: name whole corpora")
    known = know(pieces["train"], seed)
    found: dict[str, dict[str, Any]] = {}
    for i, name in enumerate(names):
        each = []
        for run in range(runs):
            rng = np.random.default_rng((seed, run))
            drawn = _draw(pieces["test"], rng)
            each.append(_keys(drawn, rng) if name == "key" else _fader(drawn, name, known))
            if progress:
                progress(i * runs + run + 1, len(names) * runs)
        found[name] = {key: float(np.mean([row[key] for row in each])) for key in each[0]}
    return found


def _draw(
    pieces: Sequence[tuple[str, Source]], rng: np.random.Generator
) -> list[tuple[PieceOnGrid, NDArray[np.int64]]]:
    """100 segments: four of a piece."""
    drawn, count = [], 0
    for score, windows in _scores(pieces, rng):
        chosen = np.sort(rng.permutation(windows)[: min(EACH, SEGMENTS - count)])
        drawn.append((score, chosen))
        count += len(chosen)
        if count == SEGMENTS:
            break
    return drawn


def levels(name: str, known: Known) -> Floats:
    """[T] the values that are asked."""
    row = ATTRIBUTES[name]
    values = np.linspace(*known.percentiles[name], VALUES)
    return np.asarray(np.round(values / row.grain) * row.grain if row.grain else values)


def _fader(drawn: list[tuple[PieceOnGrid, NDArray[np.int64]]], name: str, known: Known) -> dict[str, float]:
    values, spread = levels(name, known), known.spread
    every = (*CODED, *ADDED)
    measured: dict[str, list[Floats]] = {n: [] for n in every}  # each [T, m]
    own: dict[str, list[Floats]] = {n: [] for n in every}
    for score, windows in drawn:
        before = score.measure(windows)
        after = [_moved(score, windows, name, float(value), spread) for value in values]
        for n in every:
            own[n].append(before[n])
            measured[n].append(np.stack([a[n] for a in after]))
    found = {n: np.concatenate(measured[n], axis=1).T for n in every}  # [M, T]
    source = {n: np.concatenate(own[n]) for n in every}
    asked = np.broadcast_to(values, found[name].shape)
    others = [n for n in every if n != name and (name, n) not in EXEMPT]
    drift = {n: float(np.abs(found[n] - source[n][:, None]).mean() / spread[n]) for n in others}
    figures = {
        "spearman": fader_scores.rank_correlation(asked.ravel(), found[name].ravel()),
        "linearity": float(np.mean([fader_scores.linearity(values, row) for row in found[name]])),
        "consistency": fader_scores.consistency(found[name] / spread[name]),
        "error": float(np.abs(found[name] - asked).mean()),
        "error_sd": float(np.abs(found[name] - asked).mean() / spread[name]),
        "response_range": float(np.polyfit(asked.ravel(), found[name].ravel(), 1)[0]),
        "leakage": max(abs(fader_scores.rank_correlation(asked.ravel(), found[n].ravel())) for n in others),
        "others_move": max(drift.values()),
    }
    return figures | {f"moves_{n}": value for n, value in drift.items()}


def _moved(
    score: PieceOnGrid, windows: NDArray[np.int64], name: str, value: float, spread: dict[str, float]
) -> dict[str, Floats]:
    """Every attribute of these windows after one fader was set there."""
    if ATTRIBUTES[name].of == "cells":
        wishes = FaderTargets(cells={name: np.full(len(windows), value)})
    else:
        asked = np.full(len(score.windows.start), np.nan)
        asked[windows] = value
        wishes = FaderTargets(windows={name: asked})
    piece = draft_with_targets(score, windows, wishes, spread).piece(score.piece)
    return PieceOnGrid.of(piece, list(range(len(piece.tracks))), score.windows).measure(windows)


def _keys(drawn: list[tuple[PieceOnGrid, NDArray[np.int64]]], rng: np.random.Generator) -> dict[str, float]:
    """How often a segment by itself, put into any key, is estimated to be in it; how far its voices went."""
    hits, semitones = [], []
    for score, windows in drawn:
        inside = score.performance.window
        for w in windows.tolist():
            alone = score.piece.notes[inside == w]
            one = PieceOnGrid.of(replace(score.piece, notes=alone), list(range(len(score.piece.tracks))), score.windows)
            home = one.key(np.array([w]))
            for target in rng.permutation(24)[:VALUES].tolist():
                take = note_faders.change_key(draft_of(one), np.ones(len(alone), bool), home, target)
                after = PieceOnGrid.of(take.piece(one.piece), list(range(len(one.piece.tracks))), score.windows)
                hits.append(after.key(np.array([w])) == target)
                semitones.append(np.abs(take.notes["pitch"].astype(int) - alone["pitch"]).mean())
    return {"hit_rate": float(np.mean(hits)), "voices_move": float(np.mean(semitones))}


COLUMNS = ("spearman", "linearity", "consistency", "error", "response_range", "leakage")


def table(figures: dict[str, dict[str, Any]]) -> str:
    """Markdown: a row a fader; how far each other attribute moves, in its standard deviations."""
    others = (*CODED, *ADDED)
    lines = [
        f"| fader | {' | '.join(c.replace('_', ' ') for c in COLUMNS)} | {' | '.join(map(_short, others))} |",
        f"|---|{'---|' * (len(COLUMNS) + len(others))}",
    ]
    for name, row in figures.items():
        if name == "key":
            continue
        cells = [f"{row[c]:.3f}" for c in COLUMNS]
        moves = [f"{row[f'moves_{n}']:.3f}" if f"moves_{n}" in row else "-" for n in others]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells + moves)} |")
    if "key" in figures:
        key = figures["key"]
        lines += ["", f"key: hit rate {key['hit_rate']:.3f}; voices move by {key['voices_move']:.2f} semitones"]
    return "\n".join(lines)


def _short(name: str) -> str:
    return f"{name.replace('_', ' ')} moves"
