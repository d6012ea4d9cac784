"""From parts to shards: pieces are numbered, splits decided, and rows laid into shards, each by one worker.

Parts are read one at a time in the order of the corpora's files, so that the data set is the same whoever read them.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fadernets import structured_text
from fadernets.arrays import Array
from fadernets.data.chunks import Part, read_files, read_part
from fadernets.data.corpora import CORPORA, Source, split_of
from fadernets.data.dataset import SPLITS, row_types
from fadernets.data.shards import ShardWriter, rows_of_a_shard, settle
from fadernets.errors import FadernetsError

ENTRY = "entry.json"  # what a finished shard says of itself until it is part of a data set
SHARD_RETRIES = 5  # times that a shard is begun anew where its worker ended


@dataclass(frozen=True)
class PartRows:
    """Rows of one part that go into one shard."""

    name: str
    first: int  # row of the part
    last: int  # and the one behind the last
    piece: int  # number of the part's first piece that has segments
    splits: bytes  # of those pieces, as indices in SPLITS
    corpus: int  # number of the corpus


@dataclass(frozen=True)
class ShardPlan:
    """All that a worker needs to write a shard."""

    parts: Path
    place: Path  # where finished shards lie
    codec: str
    attributes: tuple[str, ...]
    rows: tuple[PartRows, ...]

    @property
    def digest(self) -> str:
        """A hash of what the shard will hold: parts are named by their content."""
        return hashlib.sha256(repr((self.codec, self.attributes, self.rows)).encode()).hexdigest()[:24]


@dataclass
class Contents:
    """What a manifest says of the pieces of a preparation, gathered part by part."""

    names: list[str]  # of the corpora
    seed: int
    pieces: list[dict[str, str]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    dropped: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, corpus: str, sources: list[Source], files: list[dict[str, Any]]) -> bytes:
        """Take in the files of a part; the splits of those that have segments."""
        count, dropped = self.counts.setdefault(corpus, Counter()), self.dropped.setdefault(corpus, Counter())
        splits = []
        for source, file in zip(sources, files, strict=True):
            count["files"] += 1
            if "skipped" in file:
                self.skipped.append({"id": source.piece_id, "corpus": corpus, "reason": file["skipped"]})
                continue
            dropped.update(file["dropped"])
            count["windows"] += file["segments"] + sum(file["dropped"].values())
            if not file["segments"]:
                continue
            split = split_of(source, self.seed)
            count["pieces"] += 1
            count["segments"] += file["segments"]
            count[SPLITS[split]] += file["segments"]
            splits.append(split)
            self.pieces.append({"id": source.piece_id, "group": source.group, "corpus": corpus, "split": SPLITS[split]})
        return bytes(splits)

    def manifest(self) -> dict[str, Any]:
        """The entries of a manifest on sources, pieces, and files that were skipped."""
        keys = ("files", "pieces", "windows", "segments", *SPLITS)
        sources = {
            name: {
                "licence": CORPORA[name].licence,
                "shippable": CORPORA[name].shippable,
                **{key: self.counts[name][key] for key in keys},
                "dropped": dict(self.dropped[name]),
            }
            for name in self.names
        }
        return {"sources": sources, "skipped": self.skipped, "pieces": self.pieces}


def plan_shards(
    parts: list[Part],
    listed: list[tuple[str, list[Source]]],
    contents: Contents,
    folder: Path,
    place: Path,
    about: Mapping[str, Any],
) -> Iterator[ShardPlan]:
    """The plans of all shards, from the parts in the folder `folder`; `contents` is complete at the end.

    `about`: the manifest's codec and attributes. Raises FadernetsError for a part that cannot be read.
    """
    step = free = rows_of_a_shard(row_types(about))
    rows: list[PartRows] = []
    ends = np.cumsum([len(sources) for _, sources in listed])

    def plan() -> ShardPlan:
        return ShardPlan(folder, place, about["codec"], tuple(about["attributes"]), tuple(rows))

    for part in parts:
        files = read_files(folder / part.name)
        if files is None:
            raise FadernetsError(f"{folder / part.name}: cannot be read back; run again")
        number = int(np.searchsorted(ends, part.first, side="right"))
        corpus, sources = listed[number]
        start = part.first - (int(ends[number]) - len(sources))
        piece = len(contents.pieces)
        splits = contents.add(corpus, sources[start : start + part.files], files)
        taken = 0
        while taken < part.segments:
            last = min(part.segments, taken + free)
            rows.append(PartRows(part.name, taken, last, piece, splits, contents.names.index(corpus)))
            free -= last - taken
            taken = last
            if not free:
                yield plan()
                rows, free = [], step
    if rows:
        yield plan()


def write_shard(plan: ShardPlan) -> dict[str, Any]:
    """Write a shard, where it is not there yet; its entry, with the name of its folder. Raises FadernetsError."""
    target = plan.place / plan.digest
    try:
        entry = structured_text.read_json(target / ENTRY)
        if isinstance(entry, dict):
            return {**entry, "folder": target.name}
    except (OSError, ValueError):
        shutil.rmtree(target, ignore_errors=True)
    about = {"codec": plan.codec, "attributes": list(plan.attributes)}
    count, new = sum(row.last - row.first for row in plan.rows), plan.place / f"{plan.digest}-{secrets.token_hex(4)}"
    try:
        with ShardWriter(new, row_types(about), count) as writer:
            for row in plan.rows:
                writer.add(_columns(plan.parts, row))
            entry = writer.finish()
            (new / ENTRY).write_text(json.dumps(entry), encoding="utf-8")
        settle(new, target)
    except OSError as error:
        raise FadernetsError(f"{plan.place}: cannot be written ({error.strerror or error})") from None
    return {**entry, "folder": target.name}


def _columns(parts: Path, row: PartRows) -> dict[str, Array]:
    """All columns of some rows of a part."""
    part = read_part(parts / row.name)
    if part is None:
        raise FadernetsError(f"{parts / row.name}: cannot be read back; run again")
    segments = [n for n in (file.get("segments", 0) for file in json.loads(str(part.pop("files")))) if n]
    of_piece = np.repeat(np.arange(len(segments)), segments)[row.first : row.last]
    columns = {name: array[row.first : row.last] for name, array in part.items()}
    columns["piece"] = (of_piece + row.piece).astype(np.int32)
    columns["split"] = np.frombuffer(row.splits, np.uint8)[of_piece]
    columns["corpus"] = np.full(len(of_piece), row.corpus, np.uint8)
    return columns
