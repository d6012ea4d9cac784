"""Chunks of a corpus's files, each read, segmented and kept as one file (a part), on several processes at once.

The name of a part holds a hash of everything that its content depends on, so that a run that was cut off goes on where
it stopped, and a changed file or setting is read again.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
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
from fadernets.errors import FadernetsError
from fadernets.files import open_atomic

CHUNK = 16  # files of a chunk: a stop loses little work, and a chunk keeps a process busy for a second or more


@dataclass(frozen=True)
class Chunk:
    """Up to CHUNK files of a corpus, and the file that their segments are written to."""

    corpus: str
    sources: list[Source]
    part: Path


def split_into_chunks(name: str, sources: list[Source], parts: Path, codec: Codec, keep_all: bool) -> Iterator[Chunk]:
    """The chunks of a corpus's files, whose parts lie in the folder `parts`."""
    for start in range(0, len(sources), CHUNK):
        files = sources[start : start + CHUNK]
        digest = hashlib.blake2b(digest_size=12)
        digest.update(
            repr((FORMAT, __version__, codec.selection, measured(codec), name, codec.name, keep_all)).encode()
        )
        for source in files:
            try:
                stat = source.path.stat()
                digest.update(repr((source.piece_id, stat.st_size, stat.st_mtime_ns)).encode())
            except OSError:
                digest.update(repr((source.piece_id, None)).encode())
            if source.labels is not None:
                digest.update(source.labels.arousal.tobytes() + source.labels.valence.tobytes())
        yield Chunk(name, files, parts / f"{name}-{start // CHUNK:05d}-{digest.hexdigest()}.npz")


def _read(corpus: str, source: Source, codec: Codec) -> Item:
    """A piece of a corpus with the tracks that the codec takes."""
    row = CORPORA[corpus]
    if not codec.melodic:
        return row.read(source)
    if row.melodies is None:
        raise FadernetsError(f"corpus {corpus!r} has no track that is known to be a melody")
    return row.melodies(source)


def write_part(chunk: Chunk, codec_name: str, keep_all: bool) -> tuple[int, int]:
    """Read a chunk's files and write its part. Returns the numbers of files and of segments.

    A file that cannot be read is listed in the part with its reason. The codec is given by name, since a row of the
    table cannot be sent to another process.
    """
    codec = codec_table.find(codec_name)
    prepared: list[PreparedSegments] = []
    files: list[dict[str, Any]] = []  # of each file the number of segments and the drops, or why it was skipped
    for source in chunk.sources:
        try:
            of_file = segments(_read(chunk.corpus, source, codec), codec, keep_all)
        except Exception as error:  # a damaged file must not end a run of hours
            reason = (str(error).strip().splitlines() or [""])[0]
            if not isinstance(error, FadernetsError):
                reason = f"{type(error).__name__}: {reason}"
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
    arrays = {
        name: np.concatenate([np.empty(shape, dtype), *(getattr(of_file, name) for of_file in prepared)])
        for name, (dtype, shape) in types.items()
    }
    with open_atomic(chunk.part) as stream:
        np.savez(stream, allow_pickle=False, files=np.array(json.dumps(files)), **arrays)
    return len(chunk.sources), len(arrays["key"])


def read_part(part: Path) -> dict[str, Array] | None:
    """The arrays of a part; None if the file is missing or incomplete."""
    try:
        with part.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except Exception:  # zipfile and NumPy raise many kinds of errors for a truncated file
        return None


def _begin_worker() -> None:
    """Set a worker process up: it leaves interrupts to its parent, and ends when its parent has ended.

    After an interrupt, the workers finish the chunks that they have begun.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # also where it was killed
        os._exit(1)


def write_parts(chunks: list[Chunk], codec_name: str, keep_all: bool, workers: int) -> Iterator[tuple[int, int]]:
    """Write the parts of the chunks, in this process or in several; yields (files, segments) of each as it is done.

    Raises FadernetsError if a worker process was killed.
    """
    if workers == 1 or len(chunks) <= 1:
        for chunk in chunks:
            yield write_part(chunk, codec_name, keep_all)
        return
    context = multiprocessing.get_context("spawn")  # safe with threads, and the same on every system
    with ProcessPoolExecutor(min(workers, len(chunks)), context, _begin_worker) as pool:
        waiting = {pool.submit(write_part, chunk, codec_name, keep_all) for chunk in chunks}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BrokenProcessPool:
            raise FadernetsError(
                "a worker was ended from outside (out of memory?); run again to go on, with fewer workers"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
