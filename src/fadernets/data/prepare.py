"""Prepares corpora: files -> segments -> codes and attributes -> a data set (Section 4.1 of the ISMIR paper).

Files are read in chunks, and rows written in shards, by every core or by the workers of a Dask cluster. What is done is
kept in `out/.parts`, so that a run that was cut off goes on where it stopped. A file that cannot be read, or that ends
the process that reads it, is listed in the manifest with its reason. No process holds more than a chunk's segments.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fadernets.codecs import base as codec_table
from fadernets.codecs.base import Codec
from fadernets.data import assembly, clusters, executors
from fadernets.data import chunks as file_chunks
from fadernets.data.chunks import Chunk, Part, mark_deadly, read_chunk, split_into_chunks
from fadernets.data.corpora import CORPORA, Source, check_known
from fadernets.data.dataset import PARTS, Dataset, check_target, complete, measured, write_manifest
from fadernets.data.executors import Executor
from fadernets.data.shards import SHARDS
from fadernets.data.sources import in_own_memory, list_sources
from fadernets.errors import FadernetsError
from fadernets.files import open_folder, sole_use

Progress = Callable[[int, int, int], None]  # files done, files in all, segments kept so far
CHUNK_ENDS = 2  # times that workers end on a chunk before it is halved
FILE_ENDS = 3  # times that workers end on one file before it is skipped


@dataclass(frozen=True)
class Workers:
    """Who reads: this machine's processes, or a Dask cluster (`clusters`)."""

    count: int | None = None  # of processes, or of the workers of a cluster that is started; None: one a core
    scheduler: str | None = None  # the address of a scheduler that runs
    cluster: str | None = None  # local[:N], slurm, ssh:HOST,HOST or kubernetes


def prepare(
    roots: Mapping[str, Path | str],
    out: str | Path,
    codec: str = "grid",
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    cluster: str | None = None,
    seed: int = 0,
    keep_all: bool = False,
    progress: Progress | None = None,
) -> Dataset:
    """Prepare corpora into the data set `out`, in place of one that is there.

    roots: corpus name -> its folder, or the folder that holds it; of the corpus `folder` also `@FILE`, which lists
    files, or a URL of fsspec. codec: a name of the table of codecs. workers: processes, by default one for each core.
    scheduler, cluster: a Dask cluster in their place, which must see `out` and the corpora by the same paths
    (`clusters`). seed: of the split into training, validation and test pieces, for corpora without an official one.
    keep_all: keep every segment that has a note. progress: called after each chunk. The data set is the same, byte for
    byte, whoever read the files. Raises FadernetsError for an unknown name, a folder without files of the corpus, a
    folder `out` that holds anything else, and where no segment is kept, a cluster cannot be reached, or another process
    prepares into `out`.

        prepare({"pop909": "corpora"}, "data/pop", progress=lambda done, total, kept: print(done, total, kept))
    """
    out, row = Path(out).absolute(), codec_table.find(codec)
    who = Workers(workers, scheduler, cluster)
    _check(roots, row, keep_all, who)
    check_target(out)
    listed = [(name, list_sources(name, root)) for name, root in roots.items()]
    parts = out / PARTS
    try:
        parts.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FadernetsError(f"{out}: cannot be written ({error.strerror or error})") from None
    with sole_use(parts, "another process is preparing a data set there"), _executor(who, listed) as executor:
        found = _read(listed, parts, row, keep_all, executor, progress)
        return _assemble(found, listed, out, row, seed, keep_all, executor)


def _check(roots: Mapping[str, Path | str], row: Codec, keep_all: bool, who: Workers) -> None:
    """Raises FadernetsError for what cannot be asked."""
    if not roots:
        raise FadernetsError(f"no corpus is named; allowed: {', '.join(CORPORA)}")
    if row.melodic:
        if keep_all:
            raise FadernetsError("keep-all: is for segments; of melodies every clip with an onset is kept")
        for name in roots:
            check_known(name)
        if without_melodies := [name for name in roots if CORPORA[name].melodies is None]:
            raise FadernetsError(f"corpus {', '.join(without_melodies)}: has no track that is known to be a melody")
    if who.count is not None and who.count < 1:
        raise FadernetsError(f"{who.count} workers; at least 1")
    clusters.check(who.scheduler, who.cluster, who.count)


@contextmanager
def _executor(who: Workers, listed: list[tuple[str, list[Source]]]) -> Iterator[Executor]:
    """The workers, for the time of the block."""
    own_memory = any(in_own_memory(sources) for _, sources in listed)
    if who.scheduler or who.cluster:
        if own_memory:
            raise FadernetsError("memory:// is in this process alone: a cluster cannot read it")
        with (
            clusters.connect(who.scheduler, who.cluster, who.count) as client,
            executors.DaskWorkers(client) as executor,
        ):
            yield executor
        return
    count, files = who.count or os.cpu_count() or 1, sum(len(sources) for _, sources in listed)
    one = count == 1 or files <= file_chunks.CHUNK or own_memory
    with executors.ThisProcess() if one else executors.Processes(count) as executor:
        yield executor


def _read(
    listed: list[tuple[str, list[Source]]],
    parts: Path,
    codec: Codec,
    keep_all: bool,
    executor: Executor,
    progress: Progress | None,
) -> list[Part]:
    """The parts of all files in their order, those that were there among them."""

    def chunks() -> Iterator[Chunk]:
        first = 0
        for name, sources in listed:
            yield from split_into_chunks(name, sources, first, parts, codec.name, keep_all)
            first += len(sources)

    found: list[Part] = []
    done, kept, total = 0, 0, sum(len(sources) for _, sources in listed)
    for part in executors.run(executor, read_chunk, chunks(), Bisection().after):
        if not (parts / part.name).exists():
            raise FadernetsError(f"{parts / part.name}: a worker wrote it and it is not here; share the folder")
        found.append(part)
        done, kept = done + part.files, kept + part.segments
        if progress:
            progress(done, total, kept)
    return sorted(found, key=lambda part: part.first)


class Bisection:
    """Finds the file that ends the process which reads it: its chunk is halved until it is alone, then skipped."""

    def __init__(self) -> None:
        self._ends: Counter[tuple[int, int]] = Counter()  # first file and number of files -> times

    def after(self, chunk: Chunk) -> list[Chunk]:
        """What to read now that a worker ended on this chunk."""
        key = chunk.first, len(chunk.sources)
        self._ends[key] += 1
        if len(chunk.sources) > 1:
            return [chunk] if self._ends[key] < CHUNK_ENDS else chunk.halves
        if self._ends[key] == FILE_ENDS:
            mark_deadly(chunk)
        return [chunk]


def _assemble(
    found: list[Part],
    listed: list[tuple[str, list[Source]]],
    out: Path,
    codec: Codec,
    seed: int,
    keep_all: bool,
    executor: Executor,
) -> Dataset:
    """Number the pieces, write the shards, and put the data set in its place."""
    names, parts = [name for name, _ in listed], out / PARTS
    contents = assembly.Contents(names, seed)
    about = {
        "codec": codec.name,
        "corpora": names,
        "seed": seed,
        "filter": codec.selection,
        "keep_all": keep_all,
        "attributes": list(measured(codec)),
    }
    place = parts / SHARDS
    place.mkdir(exist_ok=True)
    order: list[str] = []  # digests of the plans
    ends: Counter[str] = Counter()

    def plans() -> Iterator[assembly.ShardPlan]:
        for plan in assembly.plan_shards(found, listed, contents, parts, place, about):
            order.append(plan.digest)
            yield plan

    def again(plan: assembly.ShardPlan) -> list[assembly.ShardPlan]:
        ends[plan.digest] += 1
        if ends[plan.digest] > assembly.SHARD_RETRIES:
            raise FadernetsError("workers that write a shard end again and again (out of memory?); run again to go on")
        return [plan]

    written: dict[str, dict[str, Any]] = {
        str(entry.pop("folder")): entry for entry in executors.run(executor, assembly.write_shard, plans(), again)
    }
    if not contents.pieces:
        shutil.rmtree(parts, ignore_errors=True)
        reasons = Counter(entry["reason"] for entry in contents.skipped).most_common(1)
        raise FadernetsError(f"no segment was kept{f' ({reasons[0][0]})' if reasons else ''}; nothing was written")
    entries = [written[digest] for digest in order]
    return _publish(out, {**about, **contents.manifest()}, place, order, entries)


def _publish(
    out: Path, manifest: dict[str, Any], place: Path, order: list[str], entries: list[dict[str, Any]]
) -> Dataset:
    """Name the shards by what they hold, and put them with their manifest in the place of `out`."""
    full = complete(manifest, place, [{**entry, "name": digest} for digest, entry in zip(order, entries, strict=True)])
    full["shards"] = entries
    with open_folder(out) as new:
        (new / SHARDS).mkdir()
        for digest, entry in zip(order, entries, strict=True):
            target = new / SHARDS / entry["name"]
            os.replace(place / digest, target)
            (target / assembly.ENTRY).unlink()
        write_manifest(new, full)
    return Dataset.open(out)
