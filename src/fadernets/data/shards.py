"""Shards: the folders that hold the rows of a data set, about SHARD_BYTES each, a .npy file a column.

A shard's name is a hash of what it holds, so that equal shards have equal names wherever they were written. S rows.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from fadernets.arrays import Array
from fadernets.data.columns import Column, mapped
from fadernets.errors import FadernetsError

SHARDS = "shards"  # the folder of a data set that holds them
SHARD_BYTES = 256 * 2**20  # few enough files for years of music, and each small enough to copy and to check at once
NAME_DIGITS = 16  # hexadecimal digits of a shard's name
Types = Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]]  # column -> type and the shape of a row


def rows_of_a_shard(types: Types) -> int:
    """How many rows take SHARD_BYTES together, at least one."""
    row = sum(dtype.itemsize * int(np.prod(shape, dtype=np.int64)) for dtype, shape in types.values())
    return max(SHARD_BYTES // row, 1)


class ShardWriter:
    """Writes one shard of a known number of rows, some rows at a time: what it holds in memory is the rows in hand."""

    def __init__(self, folder: Path, types: Types, rows: int) -> None:
        """`folder` must not exist; `close` says what the shard is to be called."""
        self.folder, self.types, self.rows = folder, types, rows
        self.files: dict[str, tuple[BinaryIO, Any]] = {}  # column -> its file, and the hash of what is in it
        self.written = 0

    def __enter__(self) -> ShardWriter:
        self.folder.mkdir(parents=True)
        for name, (dtype, shape) in self.types.items():
            header = BytesIO()
            about = {"descr": dtype.str, "fortran_order": False, "shape": (self.rows, *shape)}
            np.lib.format.write_array_header_1_0(header, about)
            self.files[name] = (self.folder / f"{name}.npy").open("wb"), hashlib.sha256()
            self._write(name, header.getbuffer())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for file, _ in self.files.values():
            file.close()
        if kind is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def add(self, arrays: Mapping[str, Array]) -> None:
        """Write rows behind those that are written: every column, all of one length."""
        rows = len(next(iter(arrays.values())))
        for name, (dtype, shape) in self.types.items():
            array = np.ascontiguousarray(arrays[name])
            if array.dtype != dtype or array.shape != (rows, *shape):
                raise FadernetsError(f"{name}: {array.dtype} {list(array.shape)}; expected {dtype} {[rows, *shape]}")
            self._write(name, array.data if array.size else b"")
        self.written += rows

    def _write(self, name: str, data: Any) -> None:
        file, digest = self.files[name]
        file.write(data)
        digest.update(data)

    def finish(self) -> dict[str, Any]:
        """Put all on the disk; the shard's entry in a manifest: name, rows, and the sha256 of each file."""
        if self.written != self.rows:
            raise FadernetsError(f"{self.folder}: {self.written} rows; expected {self.rows}")
        hashes = {}
        for name, (file, digest) in self.files.items():
            file.flush()
            os.fsync(file.fileno())
            hashes[name] = digest.hexdigest()
        return {"name": name_of(hashes), "rows": self.rows, "files": hashes}


def name_of(hashes: Mapping[str, str]) -> str:
    """The name of a shard whose files hash to these."""
    text = "".join(f"{name} {digest}\n" for name, digest in hashes.items())
    return hashlib.sha256(text.encode()).hexdigest()[:NAME_DIGITS]


def write_shards(place: Path, types: Types, arrays: Mapping[str, Array]) -> list[dict[str, Any]]:
    """Write whole columns [S, ...] as shards in the folder `place`; returns their entries."""
    entries, count, step = [], len(next(iter(arrays.values()))), rows_of_a_shard(types)
    for start in range(0, max(count, 1), step):  # no rows at all are one shard of none
        part = {name: arrays[name][start : start + step] for name in types}
        with ShardWriter(place / "new", types, len(part[next(iter(types))])) as writer:
            writer.add(part)
            entry = writer.finish()
        settle(place / "new", place / entry["name"])
        entries.append(entry)
    return entries


def settle(new: Path, target: Path) -> None:
    """Give a finished folder its name; where another process has done so it holds the same, and this one goes."""
    try:
        os.replace(new, target)
    except OSError:
        if not target.is_dir():
            raise
        shutil.rmtree(new)


def open_columns(place: Path, types: Types, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Column -> its rows in the shards of the folder `place`: memory-mapped, one shard as an array, more as a `Column`.

    Raises FadernetsError for a file that is missing or not what the manifest says.
    """
    columns: dict[str, Any] = {}
    for name, (dtype, shape) in types.items():
        paths, rows = [place / e["name"] / f"{name}.npy" for e in entries], [int(e["rows"]) for e in entries]
        for path, count in zip(paths, rows, strict=True):
            check(path, mapped(path), dtype, (count, *shape))
        columns[name] = mapped(paths[0]) if len(paths) == 1 else Column(paths, rows, dtype, shape)
    return columns


def check(path: Path, found: Array, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Raises FadernetsError where a file's array is not what the manifest says."""
    if found.dtype != dtype or found.shape != shape:
        raise FadernetsError(
            f"{path}: {found.dtype} {list(found.shape)}; the manifest says "
            f"{dtype} {list(shape)}. Prepare the data set again"
        )


def damaged(place: Path, entries: list[dict[str, Any]]) -> Iterator[Path]:
    """The files of shards that do not hash to what their entries say."""
    for entry in entries:
        for name, expected in entry["files"].items():
            path = place / entry["name"] / f"{name}.npy"
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                    yield path
