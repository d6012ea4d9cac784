"""A map of segments: their codes on a plane, to see a corpus and to hear what lies between its segments.

Principal components are computed when the map is made. t-SNE takes longer: `fadernets plot map` computes it in advance
and writes it into the data set's folder, or into the model's folder for the bundled pieces.
N segments, Z the size of both codes together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fadernets import structured_text
from fadernets.arrays import Cells, Floats
from fadernets.attributes import table
from fadernets.codecs import grid
from fadernets.codecs.base import imported
from fadernets.data.dataset import Dataset
from fadernets.decoding import segment_requests
from fadernets.editing import file_edit
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.engines.grid import Codes, Engine
from fadernets.errors import FadernetsError
from fadernets.files import write_atomic
from fadernets.melodies import inspection
from fadernets.studio.uploads import BUNDLED, StoredPiece

MOST_SEGMENTS = 2000  # on a map
BATCH = 256  # segments encoded at a time
AT_ITS_PLACE = 1e-3  # a segment that was moved less than this on the plane is where it lies


@dataclass(frozen=True)
class Plot:
    """The segments of a map, with the piece and the place that each comes from."""

    cells: Cells  # [N, 16, 88]
    titles: list[str]  # [N] of their pieces
    bars: list[int]  # [N] their bars in it, from 1; of a data set, their places among its segments
    uploaded: list[bool] = field(default_factory=list)  # [N] whether somebody uploaded them; empty for a data set

    @property
    def digest(self) -> str:
        """The SHA-256 of the segments' cells, in their order."""
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
        """The map of some segments by a model. Raises FadernetsError for fewer than three segments."""
        if len(plot.cells) < 3:
            raise FadernetsError(f"{len(plot.cells)} segments; a map needs three at least")
        batches = [engine.encode(plot.cells[a : a + BATCH]) for a in range(0, len(plot.cells), BATCH)]
        encoded = Codes({name: np.concatenate([batch[name] for batch in batches]) for name in engine.code_names})
        codes = encoded.side_by_side().astype(np.float64)
        axes, variances = inspection.principal(codes)
        xy = (codes - codes.mean(0)) @ axes[:2].T
        shares = (variances[:2] / max(variances.sum(), 1e-12)).tolist()
        return cls(plot, codes, axes[:2], shares, xy, engine.arousal(encoded))

    def decode(self, engine: Engine, index: int, x: float, y: float) -> Cells:
        """[16, 88] what the model decodes from a segment's code, moved to a place on the plane; at its own place, the
        segment itself. Raises FadernetsError for a segment that is not on the map."""
        if not 0 <= index < len(self.codes):
            raise FadernetsError(f"segment {index}: the map has {len(self.codes)}")
        step = np.array([x, y]) - self.xy[index]
        segment = self.plot.cells[index : index + 1]
        if np.abs(step).max() < AT_ITS_PLACE:
            return np.asarray(segment[0])
        source = segment_requests.encode_segments(engine, segment)
        moved = (self.codes[index] + step @ self.axes).astype(np.float32)[None]
        codes = source.codes.split(moved)
        return np.asarray(engine.decode(codes, source.key, source.values, source.held).cells[0])


def check(data: Path) -> Dataset:
    """Open a data set of which a map can be made. Raises FadernetsError for any other."""
    dataset = Dataset.open(data)
    if imported(dataset.codec.engine) is not Engine:
        raise FadernetsError(f"{data}: holds {dataset.codec}; the map reads segments of the grid")
    return dataset


def of_data(data: Path, seed: int = 0, most: int = MOST_SEGMENTS) -> Plot:
    """Segments drawn at random from a data set of the grid, those of its test split first. Raises FadernetsError."""
    dataset = check(data)
    random, rows = np.random.default_rng(seed), np.empty(0, np.int64)
    for split in ("test", "validation", "train"):
        rows = np.concatenate([rows, random.permutation(dataset.select(split=split))])[:most]
    rows = np.sort(rows)
    pieces = dataset.manifest["pieces"]
    titles = [str(pieces[number]["id"]) for number in dataset.piece[rows].tolist()]
    return Plot(dataset.cells(rows), titles, [int(i) + 1 for i in dataset.index[rows].tolist()])


def of_pieces(pieces: Iterable[StoredPiece]) -> Plot:
    """The segments of pieces that have a note, in their order, up to MOST_SEGMENTS."""
    cells: list[Cells] = []
    titles: list[str] = []
    bars: list[int] = []
    uploaded: list[bool] = []
    for stored in pieces:
        piece = stored.document.piece
        on_grid = PieceOnGrid.of(piece, file_edit.choose_tracks(piece))
        segments = on_grid.cells(on_grid.full)
        sounding = np.flatnonzero((segments != grid.OFF).any((1, 2)))[: MOST_SEGMENTS - len(titles)]
        cells.append(segments[sounding])
        titles += [stored.title] * len(sounding)
        uploaded += [stored.id not in BUNDLED] * len(sounding)
        bars += on_grid.windows.bar[on_grid.full[sounding]].tolist()
    return Plot(np.concatenate(cells), titles, bars, uploaded)


def tsne_file(folder: Path, engine: Engine) -> Path:
    """The file with the t-SNE of a map by a model, in the data set's folder or the model's."""
    return folder / f"map-{engine.info['sha256']['encoder.onnx'][:12]}.json"


def write_tsne(folder: Path, engine: Engine, plot: Plot, seed: int = 0) -> Path:
    """Compute the t-SNE of a map and write it to its file, whose path is returned. Raises FadernetsError."""
    from fadernets.figures import plots

    xy = plots.tsne(LatentMap.of(engine, plot).codes, seed).round(3).tolist()
    path = tsne_file(folder, engine)
    write_atomic(path, (json.dumps({"seed": seed, "segments": plot.digest, "xy": xy}) + "\n").encode())
    return path


def read_tsne(folder: Path, engine: Engine, plot: Plot) -> Sequence[Sequence[float]] | None:
    """[N, 2] the coordinates that `write_tsne` wrote; None without a file, or where it is of other segments."""
    try:
        stored = structured_text.read_json(tsne_file(folder, engine))
        xy: list[list[float]] = stored["xy"]
        return xy if stored["segments"] == plot.digest else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def values_of(cells: Cells) -> dict[str, list[float]]:
    """The attributes that the model codes, of segments [N, 16, 88]."""
    return {name: row.measure(cells).round(4).tolist() for name, row in table.CODED.items()}
