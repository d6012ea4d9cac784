"""One column of a data set whose rows lie in several files (its shards), read as if it were one array.

Files are memory-mapped when they are first read and at most MOST_MAPPED of a column stay so: what a process holds does
not grow with the data set. S rows in all.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from fadernets.arrays import Array, Indices
from fadernets.errors import FadernetsError, first_line

MOST_MAPPED = 64  # files of a column at a time: each takes one of the file descriptors of the process


class Column(NDArrayOperatorsMixin):
    """A read-only array [S, ...] over files that each hold some of its rows, in order.

    Indexed by a number, a slice, a mask or numbers of rows, alone or with indices of the other axes, it gives an array
    of those rows in memory. Whatever else NumPy is asked to do with it is done on all rows in memory: right for columns
    of a few bytes a row, and not for codes.
    """

    def __init__(self, paths: list[Path], rows: list[int], dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        """`rows` says how many rows each file holds; `shape` is that of a row."""
        self.paths, self.dtype = paths, dtype
        self.first = np.concatenate([[0], np.cumsum(rows)]).astype(np.int64)  # row of each file, and the end
        self.shape = (int(self.first[-1]), *shape)
        self._mapped: dict[int, Array] = {}

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes of all rows."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def parts(self) -> Iterator[Array]:
        """The rows of each file in turn, memory-mapped."""
        for number in range(len(self.paths)):
            yield self._part(number)

    def __iter__(self) -> Iterator[Any]:
        for part in self.parts():
            yield from part

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, tuple):
            rows = self[index[0]]
            return rows[index[1:]] if np.ndim(index[0]) == 0 and not isinstance(index[0], slice) else _rest(rows, index)
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            number = int(np.searchsorted(self.first, start, side="right")) - 1
            if step == 1 and start < stop <= self.first[number + 1]:  # within one file: no copy
                return self._part(number)[start - self.first[number] : stop - self.first[number]]
            return self._rows(np.arange(start, stop, step))
        rows = np.asarray(index)
        if rows.dtype == bool:
            if rows.shape != self.shape[:1]:
                raise IndexError(f"a mask of shape {list(rows.shape)}; the column has {len(self)} rows")
            return self._rows(np.flatnonzero(rows))
        if not rows.size:
            rows = rows.astype(np.int64)
        if not np.issubdtype(rows.dtype, np.integer):
            raise IndexError(f"rows are named by whole numbers, a mask or a slice, not by {rows.dtype}")
        rows = rows.astype(np.int64)
        if rows.size and (rows.min() < -len(self) or rows.max() >= len(self)):
            raise IndexError(f"row {int(rows[(rows < -len(self)) | (rows >= len(self))].flat[0])} of {len(self)}")
        rows = np.where(rows < 0, rows + len(self), rows)
        return self._rows(rows) if rows.ndim else self._rows(rows[None])[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("a column over several files is an array only as a copy")
        whole = np.concatenate([np.asarray(part) for part in self.parts()])
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        arrays = (np.asarray(each) if isinstance(each, Column) else each for each in inputs)
        return getattr(ufunc, method)(*arrays, **kwargs)

    def _rows(self, rows: Indices) -> Array:
        """The rows of these numbers, 0 or more, each file read once."""
        found = np.empty((*rows.shape, *self.shape[1:]), self.dtype)
        files = np.searchsorted(self.first, rows, side="right") - 1
        for number in np.unique(files).tolist():
            here = files == number
            found[here] = self._part(number)[rows[here] - self.first[number]]
        return found

    def _part(self, number: int) -> Array:
        """The rows of one file, memory-mapped."""
        if number not in self._mapped:
            while len(self._mapped) >= MOST_MAPPED:
                self._mapped.pop(next(iter(self._mapped)))
            self._mapped[number] = mapped(self.paths[number])
        return self._mapped[number]


def _rest(rows: Array, index: tuple[Any, ...]) -> Any:
    """Rows that are taken already, indexed by the rest of an index: pairwise where both name numbers."""
    if any(np.ndim(each) for each in index[1:]) and not isinstance(index[0], slice):
        return rows[(np.arange(len(rows)), *index[1:])]
    return rows[(slice(None), *index[1:])]


def mapped(path: Path) -> Array:
    """A file's array, memory-mapped and read-only. Raises FadernetsError."""
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except FileNotFoundError:
        raise FadernetsError(f"{path}: is missing. Prepare the data set again") from None
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        reason = first_line(error)
        raise FadernetsError(f"{path}: is damaged ({reason}). Prepare the data set again") from None


def parts_of(column: Array | Column) -> Iterator[Array]:
    """The rows of a column, file by file; of an array at once."""
    if isinstance(column, Column):
        yield from column.parts()
    else:
        yield column
