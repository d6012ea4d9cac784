"""Pairs of like bars: segments of one piece with like harmony and unlike density, one the target of the other."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from fadernets.arrays import Bools, Cells, Floats32, Indices, Integers32
from fadernets.attributes import of_cells
from fadernets.codecs import grid
from fadernets.codecs.grid import PITCHES
from fadernets.data.dataset import Dataset
from fadernets.errors import FadernetsError

ALIKE = 0.8  # cosine of the chroma by beat from which two segments of a piece make a pair
UNLIKE_RHYTHM, UNLIKE_NOTES = 1 / 16, 0.5  # differences of density beyond which one of them is worth a pair


def find_pairs(data: Dataset, rows: Indices, on_disk: bool = False) -> tuple[Indices, Indices]:
    """For each row its partners: same piece, chroma by beat alike (cosine of at least ALIKE), density unlike.

    Unlike: by more than UNLIKE_RHYTHM or UNLIKE_NOTES. Returns (partners, first): the partners of row i (positions in
    `rows`) are partners[first[i]:first[i + 1]]. on_disk: both are memory-mapped files without a name, which are gone
    with the arrays; rows must then be in the order of their pieces, as those of `Dataset.select` are.
    """
    pieces = np.asarray(data.piece[rows])
    if on_disk:
        if (np.diff(pieces) < 0).any():
            raise FadernetsError(f"{data.folder}: rows are to be in the order of their pieces, where they stay on disk")
        return _pairs_on_disk(data, rows, pieces)
    lists: list[Indices | None] = [None] * len(rows)
    for members, found in _pairs_by_piece(data, rows, pieces):
        for i, row in zip(members, found, strict=True):
            lists[i] = members[row]
    partners = [x for x in lists if x is not None]
    first = np.concatenate([[0], np.cumsum([len(x) for x in partners])]).astype(np.int64)
    return (np.concatenate(partners) if partners else np.empty(0, np.int64)), first


def _pairs_on_disk(data: Dataset, rows: Indices, pieces: Integers32) -> tuple[Indices, Indices]:
    """`find_pairs` of rows in the order of their pieces, into two temporary files."""
    with tempfile.TemporaryFile() as partners, tempfile.TemporaryFile() as first:
        first.write(np.zeros(1, np.int64).tobytes())
        total = 0
        for members, found in _pairs_by_piece(data, rows, pieces):
            partners.write(members[np.nonzero(found)[1]].astype(np.int64).tobytes())
            ends = total + np.cumsum(found.sum(1))
            total = int(ends[-1])
            first.write(ends.astype(np.int64).tobytes())
        partners.write(np.zeros(1, np.int64).tobytes())  # an empty file cannot be mapped
        for file in (partners, first):
            file.flush()
        mapped = (np.memmap(file, np.int64, mode="r+") for file in (partners, first))
        pair = tuple(np.asarray(each) for each in mapped)
    return pair[0][:total], pair[1]


def _pairs_by_piece(data: Dataset, rows: Indices, pieces: Integers32) -> Iterator[tuple[Indices, Bools]]:
    """Of each piece the positions [n] of its rows, and which of them are partners of which [n, n]."""
    order = np.argsort(pieces, kind="stable")
    edges = np.flatnonzero(np.diff(pieces[order], prepend=-1, append=-1))
    for a, b in pairwise(edges.tolist()):
        members = order[a:b]
        cells = grid.unpack(np.asarray(data.codes[rows[members]]))
        chroma = beat_chroma(cells)  # [n, 48]
        like = chroma @ chroma.T >= ALIKE
        rhythm, note = of_cells.rhythm_density(cells), of_cells.note_density(cells)
        unlike = np.abs(rhythm[:, None] - rhythm) > UNLIKE_RHYTHM + 1e-6  # rounding is no difference
        unlike |= np.abs(note[:, None] - note) > UNLIKE_NOTES
        yield members, like & unlike


def beat_chroma(cells: Cells) -> Floats32:
    """[S, 48] unit-length pitch-class weights of each of the four beats, of cells [S, 16, 88]."""
    beats = cells.reshape(-1, 4, PITCHES)
    chroma = of_cells.pitch_classes(beats).reshape(len(cells), -1).astype(np.float32)
    return chroma / np.maximum(np.linalg.norm(chroma, axis=1, keepdims=True), 1e-6)
