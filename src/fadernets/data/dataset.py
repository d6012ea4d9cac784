"""A prepared data set on disk: shards of memory-mapped arrays and a manifest that says what they are.

S segments, A attributes (the order of `manifest["attributes"]`). Everything that training and evaluation need
is here: opening it takes NumPy and no MIDI library. Folders of format 1, one file a column and no shards, open too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets import structured_text
from fadernets.arrays import Array, Floats32, Indices, Integers32
from fadernets.attributes.table import CodedAttribute, coded
from fadernets.codecs import base as codec_table
from fadernets.codecs.base import Codec
from fadernets.data import shards
from fadernets.data.columns import Column, mapped, parts_of
from fadernets.data.shards import NAME_DIGITS, SHARDS
from fadernets.data.statistics import Counts
from fadernets.errors import FadernetsError
from fadernets.files import open_folder, recover_folder

FORMAT = 2
WITHOUT_SHARDS = 1  # the format in which every column is one file beside the manifest
MANIFEST = "manifest.json"
PARTS = ".parts"  # where an unfinished preparation keeps what it has
SPLITS = ("train", "validation", "test")
NEEDED = {  # what a manifest must hold
    "codec": str,
    "segments": int,
    "attributes": list,
    "corpora": list,
    "pieces": list,
    "splits": dict,
    "statistics": dict,
    "hash": str,
}

ARRAYS: dict[str, np.dtype[Any]] = {
    "codes": np.dtype(np.uint8),  # [S, columns], in the type of the codec
    "attributes": np.dtype(np.float32),  # [S, A]
    "key": np.dtype(np.uint8),  # [S] 0..23
    "arousal": np.dtype(np.float32),  # [S] -1..1, NaN where nobody labelled
    "valence": np.dtype(np.float32),  # [S]
    "piece": np.dtype(np.int32),  # [S] index in manifest["pieces"]
    "index": np.dtype(np.int32),  # [S] number of the window in its piece, from 0; of a melody its first bar, from 1
    "split": np.dtype(np.uint8),  # [S] index in SPLITS
    "corpus": np.dtype(np.uint8),  # [S] index in manifest["corpora"]
}

TIMED: dict[str, np.dtype[Any]] = {"seconds": np.dtype(np.float32)}  # [S] how long each segment lasts: timed codecs


def array_types(codec: str | Codec) -> dict[str, np.dtype[Any]]:
    """Name -> type of every array that a data set of this codec holds."""
    return ARRAYS | (TIMED if codec_table.find(codec).timed else {})


def measured(codec: str | Codec) -> tuple[str, ...]:
    """The attributes that data sets of this codec hold, in the order of their columns."""
    named = codec_table.find(codec).attributes
    return tuple(coded()) if named is None else named


@dataclass(frozen=True, repr=False)
class Dataset:
    """An open data set. The arrays are read-only and stay on disk until they are used.

    Over more than one shard they are `Column`s, which give arrays when they are indexed.
    """

    folder: Path
    manifest: dict[str, Any]
    codes: Array
    attributes: Floats32
    key: NDArray[np.uint8]
    arousal: Floats32
    valence: Floats32
    piece: Integers32
    index: Integers32
    split: NDArray[np.uint8]
    corpus: NDArray[np.uint8]
    seconds: Floats32 | None = None  # of timed codecs alone

    def __repr__(self) -> str:
        return f"<Dataset {self.folder}: {len(self)} segments of {self.manifest['codec']}>"

    @classmethod
    def open(cls, folder: str | Path) -> Dataset:
        """Open a folder that `write_dataset` wrote. Raises FadernetsError."""
        folder = Path(folder)
        manifest = _manifest(folder)
        types, segments = row_types(manifest), manifest["segments"]
        if manifest["format"] == WITHOUT_SHARDS:
            arrays = {name: mapped(folder / f"{name}.npy") for name in types}
            for name, (dtype, shape) in types.items():
                shards.check(folder / f"{name}.npy", arrays[name], dtype, (segments, *shape))
        else:
            arrays = shards.open_columns(folder / SHARDS, types, manifest["shards"])
        return cls(folder, manifest, **arrays)

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def codec(self) -> Codec:
        """The row of its codec."""
        return codec_table.find(self.manifest["codec"])

    @property
    def coded(self) -> dict[str, CodedAttribute]:
        """The rows of its attributes in the order of the columns: the faders that a model of it can move.

        Raises FadernetsError where one of them lives in no code, as those of melodies.
        """
        return coded(self.manifest["attributes"])

    @property
    def hash(self) -> str:
        """The sha256 of the arrays, as it was when they were written."""
        return str(self.manifest["hash"])

    def cells(self, indices: Indices) -> NDArray[np.uint8]:
        """[n, 16, 88] the grids of these segments; of tokens, what they say at the segment's own tempo.

        Raises FadernetsError where the codec has no grid.
        """
        rows, unpack = np.asarray(indices), self.codec.unpack
        if unpack is None:
            what = "melodies" if self.codec.melodic else f"codes of {self.codec}"
            raise FadernetsError(f"{self.folder}: holds {what}, which have no grid of 88 pitches")
        return unpack(self.codes[rows], None if self.seconds is None else self.seconds[rows])

    def lengths(self, indices: Indices) -> Indices:
        """[n] how many steps or tokens these segments take: 16 on the grid; tokens up to EOS."""
        return self.codec.lengths(self.codes[np.asarray(indices)])

    def select(self, split: str | None = None, corpus: str | None = None, labelled: bool | None = None) -> Indices:
        """The indices of the segments of this split and corpus, with or without a label; in order."""
        wanted = np.ones(len(self), bool)
        if split is not None:
            if split not in SPLITS:
                raise FadernetsError(f"split {split!r} is not known; allowed: {', '.join(SPLITS)}")
            wanted &= self.split == SPLITS.index(split)
        if corpus is not None:
            names = self.manifest["corpora"]
            if corpus not in names:
                raise FadernetsError(f"corpus {corpus!r} is not in {self.folder}; it has {', '.join(names)}")
            wanted &= self.corpus == names.index(corpus)
        if labelled is not None:
            wanted &= np.isfinite(self.arousal) == labelled
        return np.flatnonzero(wanted)

    def statistics(self, attribute: str) -> dict[str, float]:
        """mean, std, p5, p95, min and max of an attribute in the training split."""
        known = self.manifest["statistics"]
        if attribute not in known:
            raise FadernetsError(f"attribute {attribute!r} is not in {self.folder}; it has {', '.join(known)}")
        return dict(known[attribute])

    def verify(self) -> None:
        """Read everything and compare with the hash. Raises FadernetsError, which names the first damaged file."""
        for path in shards.damaged(self.folder / SHARDS, self.manifest.get("shards", [])):
            raise FadernetsError(f"{path}: is damaged (it does not have its hash). Prepare the data set again")
        found = array_hash({name: getattr(self, name) for name in array_types(self.codec)})
        if found != self.hash:
            raise FadernetsError(
                f"{self.folder}: is damaged (its arrays hash to {found[:12]}, the manifest says "
                f"{self.hash[:12]}). Prepare the data set again"
            )


def array_hash(arrays: Mapping[str, Array | Column]) -> str:
    """sha256 over name, type, shape and bytes of every array, in the order of ARRAYS and TIMED, wherever shards end."""
    digest = hashlib.sha256()
    for name in (n for n in (*ARRAYS, *TIMED) if n in arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        for part in parts_of(array):
            digest.update(np.ascontiguousarray(part).data if part.size else b"")
    return digest.hexdigest()


def attribute_statistics(values: Floats32, names: list[str]) -> dict[str, dict[str, float]]:
    """Name -> statistics of each column of [S, A]; empty where there is no segment."""
    if not len(values):
        return {name: {} for name in names}
    columns = values.astype(np.float64).T
    return {
        name: {
            "mean": float(column.mean()),
            "std": float(column.std()),
            "p5": float(np.percentile(column, 5)),
            "p95": float(np.percentile(column, 95)),
            "min": float(column.min()),
            "max": float(column.max()),
        }
        for name, column in zip(names, columns, strict=True)
    }


def write_dataset(folder: str | Path, manifest: Mapping[str, Any], arrays: Mapping[str, Array]) -> Dataset:
    """Write a data set whole or not at all, in place of one that is there. Raises FadernetsError.

    `manifest` names codec, corpora, attributes and pieces, and anything else worth keeping; format, shards, counts,
    statistics and hash are added here.
    """
    folder, types, segments = Path(folder), row_types(manifest), len(arrays["split"])
    for name, (dtype, shape) in types.items():
        if arrays[name].dtype != dtype or arrays[name].shape != (segments, *shape):
            raise FadernetsError(
                f"{name}: {arrays[name].dtype} {list(arrays[name].shape)}; expected {dtype} {[segments, *shape]}"
            )
    check_target(folder)
    with open_folder(folder) as new:
        entries = shards.write_shards(new / SHARDS, types, arrays)
        write_manifest(new, complete(manifest, new / SHARDS, entries))
    return Dataset.open(folder)


def complete(manifest: Mapping[str, Any], place: Path, entries: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A manifest with what can be read from its shards, which lie in the folder `place`: one of them at a time."""
    entries, types, names = list(entries), row_types(manifest), list(manifest["attributes"])
    columns = shards.open_columns(place, types, entries)
    splits, counts = np.zeros(len(SPLITS), np.int64), Counts(names)
    for split, values in zip(parts_of(columns["split"]), parts_of(columns["attributes"]), strict=True):
        splits += np.bincount(split, minlength=len(SPLITS))
        counts.add(values[split == 0])
    return {
        "format": FORMAT,
        **manifest,
        "segments": sum(entry["rows"] for entry in entries),
        "splits": dict(zip(SPLITS, splits.tolist(), strict=True)),
        "statistics": counts.statistics(),
        "hash": array_hash(columns),
        "shards": entries,
    }


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write a complete manifest beside its shards."""
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def check_target(folder: Path) -> None:
    """Raise FadernetsError where writing a data set would take something else away."""
    recover_folder(folder)
    if folder.is_dir():
        ours = {MANIFEST, PARTS, SHARDS, *(f"{name}.npy" for name in (*ARRAYS, *TIMED))}
        others = sorted(entry.name for entry in folder.iterdir() if entry.name not in ours)
        if others:
            raise FadernetsError(f"{folder}: holds {others[0]!r}, which is no part of a data set; name another")
    elif folder.exists():
        raise FadernetsError(f"{folder}: is a file; name a folder")


def row_types(manifest: Mapping[str, Any]) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    """Column -> type and shape of a row, as the manifest's codec and attributes have it."""
    codec = codec_table.find(manifest["codec"])
    types: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {
        name: (dtype, ()) for name, dtype in array_types(codec).items()
    }
    types["codes"] = (codec.dtype, (codec.columns,))
    types["attributes"] = (ARRAYS["attributes"], (len(manifest["attributes"]),))
    return types


def _manifest(folder: Path) -> dict[str, Any]:
    recover_folder(folder)
    path = folder / MANIFEST
    if not path.is_file():
        unfinished = (folder / PARTS).is_dir()
        reason = "its preparation was not finished: run it again" if unfinished else f"it has no {MANIFEST}"
        how = f"make it with `fadernets prepare {folder} --corpus NAME=PATH`"
        raise FadernetsError(f"{folder}: is not a prepared data set ({reason}); {how}")
    try:
        manifest = structured_text.read_json(path)
        version = manifest["format"]
    except (OSError, ValueError, KeyError, TypeError):
        raise FadernetsError(f"{path}: is damaged. Prepare the data set again") from None
    if version not in (WITHOUT_SHARDS, FORMAT):
        raise FadernetsError(
            f"{path}: format {version}; this version reads {WITHOUT_SHARDS} and {FORMAT}. Prepare it again"
        )
    missing = [name for name in NEEDED if name not in manifest]
    wrong = f"lacks {', '.join(missing)}" if missing else _wrong_value(manifest)
    if wrong:
        raise FadernetsError(f"{path}: {wrong}. Prepare the data set again")
    return dict(manifest)


def _wrong_value(manifest: dict[str, Any]) -> str:
    """What a manifest holds that cannot be; empty for one that fits."""
    for name, kind in NEEDED.items():
        if type(manifest[name]) is not kind:
            return f"its {name} are of type {type(manifest[name]).__name__}, not {kind.__name__}"
    if manifest["codec"] not in codec_table.CODECS:
        return f"names codec {manifest['codec']!r}"
    if not all(isinstance(name, str) for name in (*manifest["attributes"], *manifest["corpora"])):
        return "an attribute or a corpus has no name"
    if not manifest["corpora"]:
        return "has no corpus"
    fits = all(isinstance(piece, dict) for piece in manifest["pieces"]) and 0 <= manifest["segments"] < 2**48
    if not fits:
        return "its pieces or segments cannot be"
    return "" if manifest["format"] == WITHOUT_SHARDS or _are_shards(manifest) else "its shards cannot be"


def _are_shards(manifest: dict[str, Any]) -> bool:
    """Whether a manifest's shards are such that their files can be looked for, and have all segments together."""
    entries = manifest.get("shards")
    if not isinstance(entries, list) or not entries:
        return False
    names = set(array_types(manifest["codec"]))
    for entry in entries:
        if not isinstance(entry, dict) or type(entry.get("rows")) is not int or entry["rows"] < 0:
            return False
        if not re.fullmatch(rf"[0-9a-f]{{{NAME_DIGITS}}}", str(entry.get("name"))):
            return False
        files = entry.get("files")
        if not isinstance(files, dict) or set(files) != names:
            return False
    return sum(entry["rows"] for entry in entries) == manifest["segments"]
