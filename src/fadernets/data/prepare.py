"""Prepares corpora: files -> segments -> codes and attributes -> a data set (Section 4.1 of the ISMIR paper).

Files are read in chunks, on every core. A finished chunk is a file in `out/.parts`, so that a run that was cut off
goes on where it stopped. A file that cannot be read is listed in the manifest with its reason.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from fadernets.arrays import Array, Integers32
from fadernets.codecs import base as codec_table
from fadernets.codecs.base import Codec
from fadernets.data import chunks as file_chunks
from fadernets.data.chunks import Chunk
from fadernets.data.corpora import CORPORA, Source, check_known, find_root, split_of
from fadernets.data.dataset import PARTS, SPLITS, TIMED, Dataset, check_target, measured, write_dataset
from fadernets.errors import FadernetsError
from fadernets.files import sole_use

Progress = Callable[[int, int, int], None]  # files done, files in all, segments kept so far


def prepare(
    roots: Mapping[str, Path | str],
    out: str | Path,
    codec: str = "grid",
    *,
    workers: int | None = None,
    seed: int = 0,
    keep_all: bool = False,
    progress: Progress | None = None,
) -> Dataset:
    """Prepare corpora into the data set `out`, in place of one that is there.

    roots: corpus name -> its folder, or the folder that holds it. codec: a name of the table of codecs. workers:
    processes, by default one for each core. seed: of the split into training, validation and test pieces, for corpora
    without an official one. keep_all: keep every segment that has a note. progress: called after each chunk.
    Raises FadernetsError for an unknown name, a folder without files of the corpus, a folder `out` that holds anything
    else, and where no segment is kept, or another process
    prepares into `out`.

        prepare({"pop909": "corpora"}, "data/pop", progress=lambda done, total, kept: print(done, total, kept))
    """
    out, row = Path(out), codec_table.find(codec)
    if not roots:
        raise FadernetsError(f"no corpus is named; allowed: {', '.join(CORPORA)}")
    if row.melodic:
        if keep_all:
            raise FadernetsError("keep-all: is for segments; of melodies every clip with an onset is kept")
        for name in roots:
            check_known(name)
        if without_melodies := [name for name in roots if CORPORA[name].melodies is None]:
            raise FadernetsError(f"corpus {', '.join(without_melodies)}: has no track that is known to be a melody")
    if workers is not None and workers < 1:
        raise FadernetsError(f"{workers} workers; at least 1")
    check_target(out)
    parts = out / PARTS
    listed: list[tuple[str, list[Source]]] = []
    for name, root in roots.items():
        folder = find_root(name, Path(root))
        sources = CORPORA[name].sources(folder)
        if not sources:
            raise FadernetsError(f"{folder}: no MIDI file of corpus {name!r} there")
        listed.append((name, sources))
    try:
        parts.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FadernetsError(f"{out}: cannot be written ({error.strerror or error})") from None
    with sole_use(parts, "another process is preparing a data set there"):
        chunks = _read(listed, parts, row, keep_all, workers or os.cpu_count() or 1, progress)
        return _assemble(chunks, list(roots), out, row, seed, keep_all)


def _read(
    listed: list[tuple[str, list[Source]]],
    parts: Path,
    codec: Codec,
    keep_all: bool,
    workers: int,
    progress: Progress | None,
) -> list[Chunk]:
    """Write the part of each chunk that has none yet; returns all chunks."""
    chunks = [
        chunk
        for name, sources in listed
        for chunk in file_chunks.split_into_chunks(name, sources, parts, codec, keep_all)
    ]
    unread: list[Chunk] = []
    done, kept, total = 0, 0, sum(len(chunk.sources) for chunk in chunks)
    for chunk in chunks:
        part = file_chunks.read_part(chunk.part)
        if part is None:
            unread.append(chunk)
        else:
            done, kept = done + len(chunk.sources), kept + len(part["key"])
    for files, segments in file_chunks.write_parts(unread, codec.name, keep_all, workers):
        done, kept = done + files, kept + segments
        if progress:
            progress(done, total, kept)
    return chunks


def _assemble(chunks: list[Chunk], names: list[str], out: Path, codec: Codec, seed: int, keep_all: bool) -> Dataset:
    """Join the parts, number the pieces, and write the data set."""
    columns: dict[str, list[Array]] = {}
    pieces: list[dict[str, str]] = []
    piece_of: list[Integers32] = []
    splits: list[int] = []
    skipped: list[dict[str, str]] = []
    counts: dict[str, Counter[str]] = {name: Counter() for name in names}
    dropped: dict[str, Counter[str]] = {name: Counter() for name in names}
    for chunk in chunks:
        part = file_chunks.read_part(chunk.part)
        if part is None:
            raise FadernetsError(f"{chunk.part}: cannot be read back; run again")
        for name in ("codes", "attributes", "key", "arousal", "valence", "index", *(TIMED if codec.timed else ())):
            columns.setdefault(name, []).append(part[name])
        for source, file in zip(chunk.sources, json.loads(str(part["files"])), strict=True):
            count = counts[chunk.corpus]
            count["files"] += 1
            if "skipped" in file:
                skipped.append({"id": source.piece_id, "corpus": chunk.corpus, "reason": file["skipped"]})
                continue
            dropped[chunk.corpus].update(file["dropped"])
            count["windows"] += file["segments"] + sum(file["dropped"].values())
            if not file["segments"]:
                continue
            split = split_of(source, seed)
            count["pieces"] += 1
            count["segments"] += file["segments"]
            count[SPLITS[split]] += file["segments"]
            piece_of.append(np.full(file["segments"], len(pieces), np.int32))
            splits.append(split)
            pieces.append(
                {
                    "id": source.piece_id,
                    "group": source.group,
                    "corpus": chunk.corpus,
                    "split": SPLITS[split],
                }
            )
    if not pieces:
        shutil.rmtree(out / PARTS, ignore_errors=True)
        reasons = Counter(entry["reason"] for entry in skipped).most_common(1)
        raise FadernetsError(f"no segment was kept{f' ({reasons[0][0]})' if reasons else ''}; nothing was written")
    arrays = {name: np.concatenate(parts) for name, parts in columns.items()}
    arrays["piece"] = np.concatenate(piece_of)
    arrays["split"] = np.array(splits, np.uint8)[arrays["piece"]]
    corpus_of = np.array([names.index(piece["corpus"]) for piece in pieces], np.uint8)
    arrays["corpus"] = corpus_of[arrays["piece"]]
    keys = ("files", "pieces", "windows", "segments", *SPLITS)
    manifest = {
        "codec": codec.name,
        "corpora": names,
        "seed": seed,
        "filter": codec.selection,
        "keep_all": keep_all,
        "attributes": list(measured(codec)),
        "sources": {
            name: {
                "licence": CORPORA[name].licence,
                "shippable": CORPORA[name].shippable,
                **{key: counts[name][key] for key in keys},
                "dropped": dict(dropped[name]),
            }
            for name in names
        },
        "skipped": skipped,
        "pieces": pieces,
    }
    return write_dataset(out, manifest, arrays)
