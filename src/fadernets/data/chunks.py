"""Chunks of a corpus's files, each read, segmented and kept as one file (a part): the unit of work of `prepare`.

The name of a part holds a hash of everything that its content depends on, the bytes of the files among it, so that a
run that was cut off goes on where it stopped, and a changed file or setting is read again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fadernets import __version__
from fadernets.arrays import Array
from fadernets.codecs import base as codec_table
from fadernets.codecs.base import Codec
from fadernets.data.corpora import CORPORA, Item, Source
from fadernets.data.dataset import FORMAT, measured
from fadernets.data.segmenters import PreparedSegments, segments
from fadernets.data.sources import content_of, fetched
from fadernets.errors import FadernetsError, first_line
from fadernets.files import open_atomic

CHUNK = 64  # files of a chunk: songs take a process half a second, against 3 ms that Dask takes for a unit of work
DEADLY = "deadly"  # the folder beside the parts that names files which end the process that reads them
DEADLY_REASON = "ends the process that reads it"


@dataclass(frozen=True)
class Chunk:
    """Up to CHUNK files of a corpus in a row, and how they are to be read. It can be sent to another process."""

    corpus: str
    first: int  # place of its first file among all files of the preparation
    sources: tuple[Source, ...]
    parts: Path  # the folder of the parts, the same for every process
    codec: str
    keep_all: bool

    @property
    def halves(self) -> list[Chunk]:
        """The chunk's files as two chunks."""
        middle = len(self.sources) // 2
        second = replace(self, sources=self.sources[middle:], first=self.first + middle)
        return [replace(self, sources=self.sources[:middle]), second]


@dataclass(frozen=True)
class Part:
    """What came of a chunk: the file that holds its segments."""

    first: int  # place of its first file among all files of the preparation
    name: str  # in the folder of the parts
    files: int
    segments: int


def split_into_chunks(
    name: str, sources: list[Source], first: int, parts: Path, codec: str, keep_all: bool
) -> Iterator[Chunk]:
    """The chunks of a corpus's files, the first of which is number `first` of all."""
    for start in range(0, len(sources), CHUNK):
        yield Chunk(name, first + start, tuple(sources[start : start + CHUNK]), parts, codec, keep_all)


def read_chunk(chunk: Chunk) -> Part:
    """Write the part of a chunk, where it is not there yet. Raises FadernetsError where it cannot be written."""
    codec = codec_table.find(chunk.codec)
    digest = hashlib.blake2b(digest_size=12)
    digest.update(
        repr((FORMAT, __version__, codec.selection, measured(codec), chunk.corpus, codec.name, chunk.keep_all)).encode()
    )
    with fetched(list(chunk.sources)) as sources:
        contents = [content_of(source) for source in sources]
        deadly = {i for i, content in enumerate(contents) if (chunk.parts / DEADLY / content).exists()}
        for i, (source, content) in enumerate(zip(sources, contents, strict=True)):
            digest.update(repr((source.piece_id, content, i in deadly)).encode())
        part = chunk.parts / f"{chunk.corpus}-{digest.hexdigest()}.npz"
        files = read_files(part)
        if files is None:
            files = write_part(part, chunk, sources, deadly)
    return Part(chunk.first, part.name, len(files), sum(file.get("segments", 0) for file in files))


def mark_deadly(chunk: Chunk) -> None:
    """Let the only file of a chunk be skipped from now on: it ended the process that read it, again and again."""
    with fetched(list(chunk.sources)) as sources:
        content = content_of(sources[0])
    (chunk.parts / DEADLY).mkdir(exist_ok=True)
    (chunk.parts / DEADLY / content).touch()


def _read(corpus: str, source: Source, codec: Codec) -> Item:
    """A piece of a corpus with the tracks that the codec takes."""
    row = CORPORA[corpus]
    if not codec.melodic:
        return row.read(source)
    if row.melodies is None:
        raise FadernetsError(f"corpus {corpus!r} has no track that is known to be a melody")
    return row.melodies(source)


def write_part(part: Path, chunk: Chunk, sources: list[Source], deadly: set[int]) -> list[dict[str, Any]]:
    """Read a chunk's files, which are `sources` on this machine, and write its part, but for the files `deadly`.

    Returns of each file its segments and the windows that were dropped, or why it was skipped.
    """
    codec = codec_table.find(chunk.codec)
    prepared: list[PreparedSegments] = []
    files: list[dict[str, Any]] = []
    for i, source in enumerate(sources):
        if i in deadly:
            files.append({"skipped": DEADLY_REASON})
            continue
        try:
            of_file = segments(_read(chunk.corpus, source, codec), codec, chunk.keep_all)
        except Exception as error:  # a damaged file must not end a run of hours
            reason, kind = first_line(error), type(error).__name__
            if not isinstance(error, FadernetsError) and reason != kind:
                reason = f"{kind}: {reason}"
            files.append({"skipped": reason.replace(f"{source.path.parent}{os.sep}", "")})
            continue
        prepared.append(of_file)
        files.append({"segments": len(of_file.key), "dropped": dict(of_file.dropped)})
    types: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {
        "codes": (codec.dtype, (0, codec.columns)),
        "attributes": (np.dtype(np.float32), (0, len(measured(codec)))),
        "key": (np.dtype(np.uint8), (0,)),
        "arousal": (np.dtype(np.float32), (0,)),
        "valence": (np.dtype(np.float32), (0,)),
        "index": (np.dtype(np.int32), (0,)),
        "seconds": (np.dtype(np.float32), (0,)),
    }
    arrays: dict[str, Any] = {
        name: np.concatenate([np.empty(shape, dtype), *(getattr(of_file, name) for of_file in prepared)])
        for name, (dtype, shape) in types.items()
    }
    with open_atomic(part) as stream:
        np.savez(stream, files=np.array(json.dumps(files)), **arrays)
    return files


def read_files(part: Path) -> list[dict[str, Any]] | None:
    """What a part says of each of its files; None where it is missing or incomplete."""
    try:
        with part.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return list(json.loads(str(stored["files"])))
    except Exception:  # zipfile and NumPy raise many kinds of errors for a truncated file
        return None


def read_part(part: Path) -> dict[str, Array] | None:
    """The arrays of a part; None if the file is missing or damaged, which is removed."""
    try:
        with part.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except Exception:
        part.unlink(missing_ok=True)
        return None
