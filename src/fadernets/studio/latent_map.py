"""A plane through a model's codes, to look at a corpus and to hear what lies between its segments.

Principal components are taken at once; t-SNE is worked out beforehand (`fadernets plot map`) and kept beside the data,
that of the bundled pieces beside the model.
N segments, Z the size of both codes together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes import table
from fadernets.codecs import grid
from fadernets.data.dataset import Dataset
from fadernets.editing import file_edit, segment_requests
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.engines.grid import Codes, Engine
from fadernets.errors import FadernetsError
from fadernets.files import write_atomic
from fadernets.melodies import augmentations
from fadernets.studio.uploads import Kept

MOST = 2000  # segments on a map
Cells = NDArray[np.uint8]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Plot:
    """Where segments come from."""

    cells: Cells  # [N, 16, 88]
    titles: list[str]  # [N] of their pieces
    bars: list[int]  # [N] where in them, from 1

    @property
    def digest(self) -> str:
        """Of the segments, in their order."""
        return hashlib.sha256(self.cells.tobytes()).hexdigest()


@dataclass(frozen=True)
class LatentMap:
    """Segments on the first two principal components of their codes."""

    plot: Plot
    codes: Floats  # [N, Z]
    axes: Floats  # [2, Z] orthonormal
    explained: list[float]  # share of the variance of each axis
    xy: Floats  # [N, 2]
    arousal: Floats  # [N] probability of the high cluster

    @classmethod
    def of(cls, engine: Engine, plot: Plot) -> LatentMap:
        """Raises FadernetsError for fewer than three segments."""
        if len(plot.cells) < 3:
            raise FadernetsError(f"{len(plot.cells)} segments; a map needs three at least")
        found = [engine.encode(plot.cells[a : a + 256]) for a in range(0, len(plot.cells), 256)]
        both = Codes(*(np.concatenate([getattr(each, name) for each in found]) for name in ("rhythm", "note")))
        codes = np.concatenate([both.rhythm, both.note], axis=-1).astype(np.float64)
        axes, variances = augmentations.principal(codes)
        xy = (codes - codes.mean(0)) @ axes[:2].T
        shares = (variances[:2] / max(variances.sum(), 1e-12)).tolist()
        return cls(plot, codes, axes[:2], shares, xy, engine.arousal(both))

    def decode(self, engine: Engine, index: int, x: float, y: float) -> Cells:
        """[16, 88] what the model makes of a segment's code moved to a place of the plane; the segment itself where
        it lies. Raises FadernetsError for a segment that is not on the map."""
        if not 0 <= index < len(self.codes):
            raise FadernetsError(f"segment {index}: the map has {len(self.codes)}")
        step = np.array([x, y]) - self.xy[index]
        own = self.plot.cells[index : index + 1]
        if np.abs(step).max() < 1e-3:
            return np.asarray(own[0])
        source = segment_requests.encode_segments(engine, own)
        moved = (self.codes[index] + step @ self.axes).astype(np.float32)[None]
        rhythm, note = np.split(moved, [source.codes.rhythm.shape[1]], axis=1)
        return np.asarray(engine.decode(Codes(rhythm, note), source.key, source.values, source.held).cells[0])


def check(data: Path) -> Dataset:
    """A data set that a map can be made of. Raises FadernetsError."""
    dataset = Dataset.open(data)
    if dataset.codec != "grid":
        raise FadernetsError(f"{data}: holds {dataset.codec}; the map reads segments of the grid")
    return dataset


def of_data(data: Path, seed: int = 0, most: int = MOST) -> Plot:
    """Segments drawn from a data set of the grid, its test pieces first. Raises FadernetsError."""
    dataset = check(data)
    random, rows = np.random.default_rng(seed), np.empty(0, np.int64)
    for split in ("test", "validation", "train"):
        rows = np.concatenate([rows, random.permutation(dataset.select(split=split))])[:most]
    rows = np.sort(rows)
    pieces = dataset.manifest["pieces"]
    titles = [str(pieces[number]["id"]) for number in dataset.piece[rows].tolist()]
    return Plot(dataset.cells(rows), titles, [int(i) + 1 for i in dataset.index[rows].tolist()])


def of_pieces(pieces: Iterable[Kept]) -> Plot:
    """The first segments of pieces that sound."""
    cells: list[Cells] = []
    titles: list[str] = []
    bars: list[int] = []
    for kept in pieces:
        score = PieceOnGrid.of(kept.document.piece, file_edit.choose_tracks(kept.document.piece))
        full = score.full
        some = score.cells(full)
        sounding = np.flatnonzero((some != grid.OFF).any((1, 2)))[: MOST - len(titles)]
        cells.append(some[sounding])
        titles += [kept.title] * len(sounding)
        bars += score.windows.bar[full[sounding]].tolist()
    return Plot(np.concatenate(cells), titles, bars)


def tsne_file(folder: Path, engine: Engine) -> Path:
    """Where the t-SNE of a map by a model is kept: in the data set's folder, or the model's."""
    return folder / f"map-{engine.info['sha256']['encoder.onnx'][:12]}.json"


def write_tsne(folder: Path, engine: Engine, plot: Plot, seed: int = 0) -> Path:
    """Work out the t-SNE of a map and keep it. Raises FadernetsError."""
    from fadernets.figures import plots

    xy = plots.tsne(LatentMap.of(engine, plot).codes, seed).round(3).tolist()
    path = tsne_file(folder, engine)
    write_atomic(path, (json.dumps({"seed": seed, "segments": plot.digest, "xy": xy}) + "\n").encode())
    return path


def read_tsne(folder: Path, engine: Engine, plot: Plot) -> Sequence[Sequence[float]] | None:
    """[N, 2] what `write_tsne` kept; None where it did not, or of other segments."""
    try:
        kept = json.loads(tsne_file(folder, engine).read_text(encoding="utf-8"))
        xy: list[list[float]] = kept["xy"]
        return xy if kept["segments"] == plot.digest else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def values_of(cells: Cells) -> dict[str, list[float]]:
    """The model's attributes of segments [N, 16, 88]."""
    return {name: row.measure(cells).round(4).tolist() for name, row in table.CODED.items()}
