"""Labelled segments for presets: from a corpus with labels, from a measure, or from a user's folder.

S segments: the full windows of a piece that hold enough notes. Labels lie in -1..1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fadernets import structured_text
from fadernets.arrays import Bools, Floats, Indices
from fadernets.attributes import tension
from fadernets.codecs.grid import OFF, ONSET
from fadernets.data.corpora import CORPORA, Source, find_root, split_of
from fadernets.data.dataset import SPLITS
from fadernets.editing import presets
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.presets import LabelledValues, learnable
from fadernets.errors import FadernetsError
from fadernets.music.segments import BEATS, cut

Progress = Callable[[int, int], None]  # how many are done, of how many
MARGIN = 0.1  # a label nearer to 0 counts as neither high nor low
ONSETS, PITCHES = 3, 2  # enough notes: at least so many onsets, and more pitches than this
MOST_PIECES = 400  # of a corpus whose labels are measured


class LabelledSegments(NamedTuple):
    """The segments of one piece. S segments."""

    score: PieceOnGrid
    windows: Indices  # [S]
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
            labels = getattr(item.labels, name)
            values[index < len(labels)] = labels[index[index < len(labels)]]
        columns.append(values)
    return LabelledSegments(score, windows, *columns)


def of_corpora(
    roots: dict[str, Path],
    label: str,
    splits: Sequence[str] = ("train",),
    progress: Progress | None = None,
    skip: Callable[[str], object] = lambda line: None,
) -> LabelledValues:
    """Attribute values and a label, of a corpus or from a measure, of the pieces in these splits.

    roots: name of a corpus -> its folder. label: `arousal`, `valence`, or `tension`, which the spiral array measures.
    skip: is told each file that cannot be read, and why. Raises FadernetsError where no segment has the label.
    """
    sources = []
    for name, root in roots.items():
        folder = find_root(name, root)
        every = [s for s in CORPORA[name].sources(folder) if SPLITS[split_of(s, 0)] in splits]
        sources += [(name, source) for source in every]
    if label == "tension":
        sources = [sources[i] for i in np.random.default_rng(0).permutation(len(sources))[:MOST_PIECES]]
    values: dict[str, list[Floats]] = {name: [] for name in (*learnable(), "key")}
    labels: list[Floats] = []
    piece: list[Indices] = []
    for i, (name, source) in enumerate(sources):
        try:
            segments = read(source, name)
        except FadernetsError as error:
            skip(source.unreadable(error))
            continue
        if not len(segments.windows):
            continue
        for attribute, column in segments.score.measure(segments.windows).items():
            if attribute in values:
                values[attribute].append(column)
        cells = segments.score.cells(segments.windows)
        labels.append(tension.tension(cells) if label == "tension" else getattr(segments, label))
        piece.append(np.full(len(segments.windows), i))
        if progress:
            progress(i + 1, len(sources))
    if not labels or not np.isfinite(np.concatenate(labels)).any():
        raise FadernetsError(f"no segment of {', '.join(roots)} has a label of {label}")
    table = {name: np.concatenate(columns) for name, columns in values.items()}
    key, each, pieces = table.pop("key"), np.concatenate(labels), np.concatenate(piece)
    if label == "tension":
        return presets.of_measure(table, key, each, pieces)
    return presets.of_labels(table, key, each, pieces, MARGIN)


def of_folder(folder: Path, progress: Progress | None = None) -> LabelledValues:
    """Attribute values of a user's files, which lie in `high` and `low` or stand in labels.csv (file,label).

    Raises FadernetsError.
    """
    files = _files(folder)
    values: dict[str, list[Floats]] = {name: [] for name in (*learnable(), "key")}
    high: list[Bools] = []
    piece: list[Indices] = []
    for i, (path, label) in enumerate(files):
        segments = read(Source(path.name, path.name, path), "folder")
        for attribute, column in segments.score.measure(segments.windows).items():
            if attribute in values:
                values[attribute].append(column)
        high.append(np.full(len(segments.windows), label > 0))
        piece.append(np.full(len(segments.windows), i))
        if progress:
            progress(i + 1, len(files))
    table = {name: np.concatenate(columns) for name, columns in values.items()}
    key, up = table.pop("key"), np.concatenate(high)
    return LabelledValues(table, key < 12, up, ~up, np.concatenate(piece))


def _files(folder: Path) -> list[tuple[Path, float]]:
    """The labelled files of a folder, each with a number above or below 0."""
    if not folder.is_dir():
        raise FadernetsError(f"{folder}: no such folder")
    listed = folder / "labels.csv"
    files: list[tuple[Path, float]] = []
    if listed.exists():
        try:
            rows = structured_text.read_csv(listed, "utf-8-sig")
        except ValueError as error:
            raise FadernetsError(f"{listed}: cannot be read as CSV ({error})") from None
        for row in rows:
            try:
                files.append((folder / row["file"], float(row["label"])))
            except (KeyError, TypeError, ValueError):
                raise FadernetsError(f"{listed}: each line needs file,label with a number; one is {row}") from None
    else:
        for side, label in (("high", 1.0), ("low", -1.0)):
            midi = [f for f in sorted((folder / side).glob("*")) if f.suffix.lower() in (".mid", ".midi")]
            files += [(file, label) for file in midi]
    above, below = (sum(sign * label > 0 for _, label in files) for sign in (1, -1))
    if not above or not below:
        if listed.exists():
            raise FadernetsError(
                f"{listed}: {above} labels lie above 0 and {below} below; labels lie around 0, high ones above and low "
                "ones below, and both are needed"
            )
        raise FadernetsError(
            f"{folder}: {above} MIDI files in the folder `high` and {below} in `low`; both are needed, or labels.csv"
        )
    return [(file, label) for file, label in files if label]
