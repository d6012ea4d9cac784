"""Readers of the data sets, one row of `CORPORA` each: where the files lie, what is wrong with them, who may
use them.

A reader puts right what the files get wrong (the metre of POP909, the tracks that are no piano) and gives a
`Piece` to cut. Pieces that share a `group` share a split. Labels are one number per four quarter notes from
the file's start, in -1..1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fadernets import plugins, structured_text
from fadernets.arrays import Floats, Floats32
from fadernets.codecs.melody_clips import choose_track
from fadernets.data.dataset import SPLITS
from fadernets.errors import FadernetsError
from fadernets.music.notes import MetreMap, Piece
from fadernets.music.reader import read


@dataclass(frozen=True)
class Labels:
    """What listeners said of each four quarter notes, mean over the annotators who reached that far."""

    arousal: Floats32  # [L]
    valence: Floats32  # [L]


@dataclass(frozen=True)
class Source:
    """One file of a corpus, listed but not yet read."""

    piece_id: str
    group: str  # pieces of one group go into one split
    path: Path
    split: str | None = None  # the corpus's official split
    labels: Labels | None = None
    beside: tuple[Path, ...] = ()  # other files that the piece is read from
    url: str = ""  # where the file is to be fetched from before it is read, if it is no local one

    def unreadable(self, error: Exception) -> str:
        """What to tell of the file where it cannot be read: its id and why."""
        reason = str(error).removeprefix(f"{self.path}: ").removeprefix(f"{self.path.name}: ")
        return f"{self.piece_id}: {' '.join(reason.split())}"


@dataclass(frozen=True)
class Item:
    """One piece, ready to be cut."""

    source: Source
    piece: Piece

    @property
    def labels(self) -> Labels | None:
        """What listeners said of the piece, if they were asked."""
        return self.source.labels


@dataclass(frozen=True)
class Corpus:
    """A row of the table. To add a corpus: write its two functions, and add a row or name it as an entry point."""

    name: str
    marker: str  # a glob that matches below the corpus's own folder and nowhere else
    sources: Callable[[Path], list[Source]]  # from the corpus's own folder, in a fixed order
    read: Callable[[Source], Item]  # raises FadernetsError for a file that cannot serve
    licence: str
    shippable: bool  # a published model may be trained on it
    melodies: Callable[[Source], Item] | None = None  # the same piece with the tracks alone that are melodies


def split_of(source: Source, seed: int) -> int:
    """Index in SPLITS: the official split, or 80/10/10 by a hash of the group, the same on every machine."""
    if source.split is not None:
        return SPLITS.index(source.split)
    digest = hashlib.blake2b(f"{seed}:{source.group}".encode(), digest_size=8).digest()
    share = int.from_bytes(digest, "big") / 2**64
    return 0 if share < 0.8 else 1 if share < 0.9 else 2


def check_known(name: str) -> None:
    """Raise FadernetsError for a corpus that is not in the table."""
    if name not in CORPORA:
        raise FadernetsError(f"corpus {name!r} is not known; allowed: {', '.join(CORPORA)}")


def find_root(name: str, root: Path) -> Path:
    """The corpus's own folder: `root` itself or a folder in it. Raises FadernetsError."""
    check_known(name)
    if not root.is_dir():
        raise FadernetsError(f"{root}: no such folder; looked there for corpus {name!r}")
    marker = CORPORA[name].marker
    try:
        inside = sorted(folder for folder in root.iterdir() if folder.is_dir())
    except OSError as error:
        raise FadernetsError(f"{root}: cannot be read ({error.strerror or error})") from None
    for folder in [root] if name == "folder" else [root, *inside]:
        if next(folder.glob(marker), None) is not None:
            return folder
    raise FadernetsError(f"{root}: no corpus {name!r} here; looked for {marker} in it and in its folders")


# POP909: the signatures in the files are wrong, the beat annotation is right.

BEATS = "beat_midi.txt"


def _pop909_sources(root: Path) -> list[Source]:
    files = sorted((root / "POP909").glob("[0-9]*/[0-9]*.mid"))
    files = [file for file in files if file.stem == file.parent.name]
    names = [f"pop909-{file.stem}" for file in files]
    return [Source(name, name, file, beside=(file.with_name(BEATS),)) for name, file in zip(names, files, strict=True)]


def _pop909_read(source: Source) -> Item:
    piece = read(source.path)
    beats_file = source.path.with_name(BEATS)
    try:
        lines = beats_file.read_text(encoding="utf-8").splitlines()
        beats = np.array([line.split() for line in lines if line.strip()], np.float64)
    except (OSError, ValueError):
        raise FadernetsError(f"{beats_file}: cannot be read as rows of three numbers") from None
    if beats.ndim != 2 or beats.shape[1] != 3 or len(beats) < 2:
        raise FadernetsError(f"{beats_file}: shape {beats.shape}; expected at least two rows of three numbers")
    return Item(source, replace(piece, metre=beat_metre(beats, piece)))


def beat_metre(beats: Floats, piece: Piece) -> MetreMap:
    """The metre that annotated beats [B, 3] (seconds, downbeat of a 2 or 3, downbeat of two of those) give.

    Beats are one quarter apart in ticks, counted from the first. Songs in four take their bars from the last
    column, songs in three from the middle one. A bar of another length changes the metre and back.
    """
    tpq, tempo = piece.tpq, piece.tempo
    starts = tempo.seconds(tempo.ticks)
    i = max(int(np.searchsorted(starts, beats[0, 0], side="right")) - 1, 0)
    offset = round(tempo.ticks[i] + (beats[0, 0] - starts[i]) * 1e6 * tpq / tempo.micros[i])
    half = np.diff(np.flatnonzero(beats[:, 1]))  # in beats
    in_three = len(half) > 0 and int(np.bincount(half).argmax()) == 3
    downbeats = np.flatnonzero(beats[:, 1 if in_three else 2])
    if not len(downbeats):
        raise FadernetsError("the beat annotation marks no downbeat")
    lengths = np.append(np.diff(downbeats), 3 if in_three else 4)  # the last bar's is not annotated
    changes = np.flatnonzero(np.diff(lengths, prepend=0))
    ticks = np.asarray(offset + downbeats[changes] * tpq, np.int64)
    return MetreMap(ticks, lengths[changes].astype(np.int64), np.full(len(changes), 4, np.int64), tpq)


def _pop909_melodies(source: Source) -> Item:
    item = _pop909_read(source)
    return replace(item, piece=item.piece.only(_tracks(source, item.piece, lambda name, _: name == "melody", "MELODY")))


def _pop909_cl_sources(root: Path) -> list[Source]:
    files = sorted((root / "POP909_processed").glob("*.mid"))
    names = [file.stem.strip() for file in files]  # one has a space before its suffix
    return [Source(f"pop909_cl-{n}", f"pop909-{n}", file) for n, file in sorted(zip(names, files, strict=True))]


def _pop909_cl_read(source: Source) -> Item:
    return _keep(source, lambda name, _: name not in ("chords", "midi 01"), "apart from chords and MIDI 01")


# Scores


def _lieder_sources(root: Path) -> list[Source]:
    return [Source(f"lieder-{f.stem}", f"lieder-{f.stem}", f) for f in sorted((root / "midi").glob("*.mid"))]


def _lieder_read(source: Source) -> Item:
    return _keep(source, lambda name, _: _is_piano(name), "named piano")


def _lieder_melodies(source: Source) -> Item:
    return _keep(source, lambda name, drum: not (drum or _is_piano(name)), "beside the piano's")


def _is_piano(name: str) -> bool:
    return name.startswith(("pian", "klav")) or "piano" in name


def _nottingham_sources(root: Path) -> list[Source]:
    files = sorted((root / "MIDI" / "melody").glob("*.mid"))
    return [Source(f"nottingham-{file.stem}", f"nottingham-{file.stem}", file) for file in files]


def _nottingham_melodies(source: Source) -> Item:
    piece = read(source.path)  # the tune, then its chords
    return Item(source, piece.only([0]))


def _tavern_sources(root: Path) -> list[Source]:
    return [Source("tavern_k265", "tavern_k265", root / "Mozart/K265/Krn/K265.mid")]


# Performances


def _maestro_sources(root: Path) -> list[Source]:
    table = min(root.glob("maestro-v*.csv"))
    try:
        rows = [(row["midi_filename"], row["split"]) for row in structured_text.read_csv(table)]
    except (KeyError, ValueError):
        raise FadernetsError(f"{table}: expected a CSV with columns midi_filename and split") from None
    unknown = {split for _, split in rows} - set(SPLITS)
    if unknown:
        raise FadernetsError(f"{table}: split {min(map(str, unknown))!r}; allowed: {', '.join(SPLITS)}")
    names = [(f"maestro-{name.rsplit('.', 1)[0]}", name, split) for name, split in rows]
    return [Source(piece_id, piece_id, root / name, split) for piece_id, name, split in sorted(names)]


def _maestro_read(source: Source) -> Item:
    # The tempo and the signature of a performance are dummies (120 bpm, 4/4): a segment is two seconds.
    return Item(source, _from_start(read(source.path)))


# VGMIDI: a label per four quarter notes from the start of the file, whatever the signature.


def _vgmidi_sources(root: Path) -> list[Source]:
    labels: dict[str, Labels] = {}
    for file in sorted((root / "labelled" / "annotations").glob("vgmidi_raw_*.json")):
        try:
            labels |= _vgmidi_labels(structured_text.read_json(file))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise FadernetsError(f"{file}: is damaged; expected pieces and annotations in JSON") from None
    files = sorted((root / "labelled" / "midi").glob("*.mid"))
    return [Source(f"vgmidi-{file.stem}", f"vgmidi-{file.stem}", file, None, labels.get(file.name)) for file in files]


def _vgmidi_labels(entry: dict[str, Any]) -> dict[str, Labels]:
    """File name -> labels. Annotation "piece7_3" is the third listener's of "piece7"."""
    lists: dict[str, list[dict[str, Any]]] = {}
    for key, annotation in entry["annotations"].items():
        lists.setdefault(key.rsplit("_", 1)[0], []).append(annotation)
    return {
        Path(piece["midi"]).name: Labels(
            step_means([a["arousal"] for a in lists[key]]), step_means([a["valence"] for a in lists[key]])
        )
        for key, piece in entry["pieces"].items()
        if key in lists
    }


def step_means(rows: list[list[float]]) -> Floats32:
    """The mean of each step over the rows that have it; rows may differ in length."""
    values = np.full((len(rows), max(map(len, rows), default=0)), np.nan)
    for i, row in enumerate(rows):
        values[i, : len(row)] = row
    return np.nanmean(values, axis=0).astype(np.float32)


def _vgmidi_read(source: Source) -> Item:
    if source.labels is None:
        raise FadernetsError(f"{source.path.name}: the annotations do not name this file")
    item = _keep(source, lambda _, drum: not drum, "that is not drums")
    return Item(source, _from_start(item.piece))


# A folder of the user's own

MIDI_SUFFIXES = (".mid", ".midi")


def _folder_sources(root: Path) -> list[Source]:
    files = sorted(f for f in root.rglob("*") if f.suffix.lower() in MIDI_SUFFIXES and f.is_file())
    ids = [file.relative_to(root).as_posix() for file in files]
    return [Source(piece_id, piece_id, file) for piece_id, file in zip(ids, files, strict=True)]


def _folder_read(source: Source) -> Item:
    return _keep(source, lambda _, drum: not drum, "that is not drums")


def _folder_melodies(source: Source) -> Item:
    piece = read(source.path)
    return Item(source, piece.only([choose_track(piece)]))


def _read(source: Source) -> Item:
    return Item(source, read(source.path))


def _keep(source: Source, wanted: Callable[[str, bool], bool], what: str) -> Item:
    """The notes of the tracks for which `wanted(name in small letters, is it drums)`."""
    piece = read(source.path)
    return Item(source, piece.only(_tracks(source, piece, wanted, what)))


def _tracks(source: Source, piece: Piece, wanted: Callable[[str, bool], bool], what: str) -> list[int]:
    names = [" ".join(track.name.split()) for track in piece.tracks]
    chosen = [i for i, t in enumerate(piece.tracks) if wanted(names[i].lower(), t.is_drum)]
    if not chosen:
        raise FadernetsError(f"{source.path.name}: no track {what}; its tracks: {', '.join(names) or 'none'}")
    return chosen


def _from_start(piece: Piece) -> Piece:
    return replace(piece, metre=MetreMap.of([], piece.tpq))


_ROWS = {
    row.name: row
    for row in (
        Corpus("pop909", "POP909/[0-9]*/beat_midi.txt", _pop909_sources, _pop909_read, "MIT", True, _pop909_melodies),
        Corpus("pop909_cl", "POP909_processed/*.mid", _pop909_cl_sources, _pop909_cl_read, "MIT", True),
        Corpus("lieder", "midi/lc*.mid", _lieder_sources, _lieder_read, "CC0-1.0", True, _lieder_melodies),
        Corpus(
            "nottingham",
            "MIDI/melody/*.mid",
            _nottingham_sources,
            _read,
            "GPL-3.0",
            False,
            _nottingham_melodies,
        ),
        Corpus("maestro", "maestro-v*.csv", _maestro_sources, _maestro_read, "CC-BY-NC-SA-4.0", False),
        Corpus(
            "vgmidi",
            "labelled/annotations/vgmidi_raw_*.json",
            _vgmidi_sources,
            _vgmidi_read,
            "none stated: research use",
            False,
        ),
        Corpus("tavern_k265", "Mozart/K265/Krn/K265.mid", _tavern_sources, _read, "CC-BY-SA-4.0", False),
        Corpus("folder", "**/*", _folder_sources, _folder_read, "the user's own", False, _folder_melodies),
    )
}
CORPORA = plugins.Table(plugins.CORPORA, Corpus, _ROWS)  # those of installed packages behind them
