"""Labelled segments for presets: from a corpus with labels, from a measure, or from a folder of the user's own."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes import tension
from fadernets.codecs.grid import OFF, ONSET
from fadernets.data.corpora import CORPORA, Source, find_root, split_of
from fadernets.data.dataset import SPLITS
from fadernets.editing import presets
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.presets import LabelledValues, learnable
from fadernets.errors import FadernetsError
from fadernets.music.segments import BEATS, cut

Floats = NDArray[np.float64]
Progress = Callable[[int, int], None]
MARGIN = 0.1  # labels nearer to 0 say neither high nor low
ONSETS, PITCHES = 3, 2  # a segment counts with at least so many onsets and more pitches than this
MOST_PIECES = 400  # of a corpus whose labels are measured


class LabelledSegments(NamedTuple):
    """The segments of one piece. S segments."""

    score: PieceOnGrid
    windows: NDArray[np.int64]  # [S]
    arousal: Floats  # [S], nan without a label
    valence: Floats  # [S]


def read(source: Source, corpus: str) -> LabelledSegments:
    """A piece's full windows with enough notes. Raises FadernetsError."""
    item = CORPORA[corpus].read(source)
    piece = item.piece
    if not len(piece.notes):
        raise FadernetsError(f"{source.path}: has no notes")
    score = PieceOnGrid.of(piece, list(range(len(piece.tracks))), cut(piece))
    full = score.full
    cells = score.cells(full)
    busy = ((cells == ONSET).sum((1, 2)) >= ONSETS) & ((cells != OFF).any(1).sum(1) > PITCHES)
    busy &= np.isin(full, score.performance.window)
    windows = full[busy]
    index = np.rint(score.windows.start_beat()[windows] / BEATS).astype(np.int64)
    columns = []
    for name in ("arousal", "valence"):
        values = np.full(len(windows), np.nan)
        if item.labels is not None:
            own = getattr(item.labels, name)
            values[index < len(own)] = own[index[index < len(own)]]
        columns.append(values)
    return LabelledSegments(score, windows, *columns)


def of_corpora(
    roots: dict[str, Path], label: str, splits: Sequence[str] = ("train",), progress: Progress | None = None
) -> LabelledValues:
    """What labels say, or the spiral array (`tension`), in pieces of these splits. Raises FadernetsError."""
    sources = []
    for name, root in roots.items():
        folder = find_root(name, root)
        every = [s for s in CORPORA[name].sources(folder) if SPLITS[split_of(s, 0)] in splits]
        sources += [(name, source) for source in every]
    if label == "tension":
        sources = [sources[i] for i in np.random.default_rng(0).permutation(len(sources))[:MOST_PIECES]]
    values: dict[str, list[Floats]] = {name: [] for name in (*learnable(), "key")}
    said: list[Floats] = []
    piece: list[NDArray[np.int64]] = []
    for i, (name, source) in enumerate(sources):
        try:
            found = read(source, name)
        except FadernetsError:
            continue
        if not len(found.windows):
            continue
        for attribute, column in found.score.measure(found.windows).items():
            if attribute in values:
                values[attribute].append(column)
        cells = found.score.cells(found.windows)
        said.append(tension.tension(cells) if label == "tension" else getattr(found, label))
        piece.append(np.full(len(found.windows), i))
        if progress:
            progress(i + 1, len(sources))
    if not said or not np.isfinite(np.concatenate(said)).any():
        raise FadernetsError(f"no segment of {', '.join(roots)} has a label of {label}")
    table = {name: np.concatenate(columns) for name, columns in values.items()}
    key, labels, pieces = table.pop("key"), np.concatenate(said), np.concatenate(piece)
    if label == "tension":
        return presets.of_measure(table, key, labels, pieces)
    return presets.of_labels(table, key, labels, pieces, MARGIN)


def of_folder(folder: Path, progress: Progress | None = None) -> LabelledValues:
    """A user's files: in `high` and `low`, or named in labels.csv (file,label). Raises FadernetsError."""
    files = _files(folder)
    values: dict[str, list[Floats]] = {name: [] for name in (*learnable(), "key")}
    high: list[NDArray[np.bool_]] = []
    piece: list[NDArray[np.int64]] = []
    for i, (path, label) in enumerate(files):
        found = read(Source(path.name, path.name, path), "folder")
        for attribute, column in found.score.measure(found.windows).items():
            if attribute in values:
                values[attribute].append(column)
        high.append(np.full(len(found.windows), label > 0))
        piece.append(np.full(len(found.windows), i))
        if progress:
            progress(i + 1, len(files))
    table = {name: np.concatenate(columns) for name, columns in values.items()}
    key, up = table.pop("key"), np.concatenate(high)
    return LabelledValues(table, key < 12, up, ~up, np.concatenate(piece))


def _files(folder: Path) -> list[tuple[Path, float]]:
    """The labelled files of a folder: each with a number above or below 0."""
    if not folder.is_dir():
        raise FadernetsError(f"{folder}: no such folder")
    listed = folder / "labels.csv"
    found: list[tuple[Path, float]] = []
    if listed.exists():
        with listed.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                try:
                    found.append((folder / row["file"], float(row["label"])))
                except (KeyError, TypeError, ValueError):
                    raise FadernetsError(f"{listed}: each line needs file,label with a number; one is {row}") from None
    else:
        for side, label in (("high", 1.0), ("low", -1.0)):
            midi = [f for f in sorted((folder / side).glob("*")) if f.suffix.lower() in (".mid", ".midi")]
            found += [(file, label) for file in midi]
    if not any(label > 0 for _, label in found) or not any(label < 0 for _, label in found):
        raise FadernetsError(f"{folder}: needs files labelled high and low: folders `high` and `low`, or labels.csv")
    return [(file, label) for file, label in found if label]
