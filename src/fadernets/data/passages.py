"""Passages of whole pieces on their own grid: what the rewriter trains on and is judged by.

A piece keeps all of its pitched tracks, so that one of them can be the target and the others its context. A passage is
a run of segments with at most `LENGTH` steps. T steps, N notes, W segments, P = 88 pitches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Cells, Floats32, Indices, Integers
from fadernets.codecs.grid import HOLD, LOW, OFF, ONSET, PITCHES
from fadernets.data.corpora import CORPORA, find_root, split_of
from fadernets.errors import FadernetsError, of_archive
from fadernets.files import open_atomic
from fadernets.music.metric_grid import DIVISIONS, MetricGrid
from fadernets.music.notes import Piece
from fadernets.music.reader import read

LENGTH = 128  # steps of a passage
BEAT_LENGTHS = (1.0, 1.5, 0.5, 0.75, 0.25)  # quarters; others count as the first
MOST_BEATS = 12  # that a model tells apart in a segment
READ_FIELDS = ("place", "division", "beat_length", "beat", "beats")  # of Steps, in the order in which models read them
MAX_VOICES = 15  # notes that sound in a step, as the paper counts them

LENGTHS = (*range(1, 17), 18, 20, 24, 28, 32, 40, 48, 64)  # steps that a new note can last
SAME = len(LENGTHS)  # the length class of a note that ends where the source's note that is struck there ends
NO_LENGTH = SAME + 1  # the class of a note that is not there
LONGEST = 255  # steps: longer notes count as this
_nearest = np.array([int(np.argmin([abs(max(i, 1) - d) for d in LENGTHS])) for i in range(LONGEST + 1)])


@dataclass(frozen=True)
class Steps:
    """What a model reads of T steps of the grid."""

    segment: Integers  # [T] of the piece
    place: Integers  # [T] 0..23, twenty-fourths of the beat
    division: Integers  # [T] index in DIVISIONS
    beat_length: Integers  # [T] index in BEAT_LENGTHS
    beat: Integers  # [T] number in the segment, below MOST_BEATS
    beats: Integers  # [T] how many the segment has, less one, below MOST_BEATS
    sixteenths: Floats32  # [T] length

    @classmethod
    def of(cls, grid: MetricGrid) -> Steps:
        """Those of a whole piece."""
        beats = grid.beats
        count = np.bincount(beats.segment, minlength=len(grid.start))
        lengths = [BEAT_LENGTHS.index(float(q)) if float(q) in BEAT_LENGTHS else 0 for q in beats.quarters]
        beat = grid.beat
        return cls(
            beats.segment[beat],
            grid.place,
            np.array([DIVISIONS.index(int(d)) for d in grid.divisions], np.int64)[beat],
            np.array(lengths, np.int64)[beat],
            np.minimum(beats.number[beat], MOST_BEATS - 1),
            np.minimum(count[beats.segment[beat]], MOST_BEATS) - 1,
            grid.sixteenths.astype(np.float32),
        )

    def take(self, rows: Indices | slice) -> Steps:
        """Some of the steps."""
        return Steps(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def are_cut_as(self, other: Steps) -> bool:
        """Whether these are the same places of the metre as other steps."""
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in READ_FIELDS)

    @property
    def starts(self) -> Indices:
        """[W] where segments begin."""
        return np.flatnonzero(np.diff(self.segment, prepend=-1))

    @property
    def time(self) -> Floats32:
        """[T] sixteenths from the first of these steps on."""
        return np.asarray(np.cumsum(self.sixteenths) - self.sixteenths, np.float32)


@dataclass(frozen=True)
class GridPiece:
    """A piece as the rewriter reads it: its steps, and the notes of every pitched track on them."""

    name: str
    corpus: str
    split: int  # index in dataset.SPLITS
    steps: Steps
    notes: Integers  # [N, 4] onset step, end step, pitch 0..87, track
    roles: tuple[str, ...]  # of the tracks: melody, bridge, piano, voice

    def roll(self, tracks: Sequence[int], first: int, last: int, transpose: int = 0) -> Cells:
        """[T, 88] cells of these tracks in the steps first..last. What a transposition takes off the keys is gone."""
        rows = self.notes[np.isin(self.notes[:, 3], tracks)]
        rows = rows[(rows[:, 1] > first) & (rows[:, 0] < last)]
        return cells_of(rows[:, :3] + np.array([-first, -first, transpose]), last - first)


def cells_of(notes: Integers, length: int) -> Cells:
    """[T, 88] cells of notes [N, 3]: onset step, end step, pitch 0..87. The later onset of a pitch cuts the earlier."""
    notes = notes[(notes[:, 2] >= 0) & (notes[:, 2] < PITCHES) & (notes[:, 1] > 0) & (notes[:, 0] < length)]
    edges = np.zeros((length + 1, PITCHES), np.int16)
    np.add.at(edges, (np.maximum(notes[:, 0], 0), notes[:, 2]), 1)
    np.add.at(edges, (np.minimum(notes[:, 1], length), notes[:, 2]), -1)
    cells = np.where(np.cumsum(edges[:-1], axis=0) > 0, HOLD, OFF).astype(np.uint8)
    struck = notes[notes[:, 0] >= 0]
    cells[struck[:, 0], struck[:, 2]] = ONSET
    return cells


def note_lengths(cells: Cells) -> NDArray[np.int16]:
    """[..., T, 88] how many steps a note that is struck in each cell sounds."""
    out = np.zeros(cells.shape, np.int16)
    run = np.zeros((*cells.shape[:-2], PITCHES), np.int16)
    for t in range(cells.shape[-2] - 1, -1, -1):
        out[..., t, :] = run + 1
        run = np.where(cells[..., t, :] == HOLD, run + 1, 0)
    return out


def length_classes(lengths: NDArray[np.integer]) -> Integers:
    """The nearest of LENGTHS."""
    return np.asarray(_nearest[np.minimum(lengths, LONGEST)])


def on_grid(piece: Piece, name: str, corpus: str, split: int, roles: Sequence[str]) -> GridPiece:
    """A piece on its own grid; `roles` of its tracks, "" for one that is left out."""
    grid = MetricGrid.of(piece)
    notes = piece.notes
    onset = grid.nearest_step(notes["onset"])
    end = np.maximum(grid.nearest_step(notes["end"]), onset + 1)
    kept = np.array([bool(role) for role in roles])[notes["track"]] & (onset < grid.n_steps)
    pitch = notes["pitch"].astype(np.int64) - LOW
    kept &= (pitch >= 0) & (pitch < PITCHES)
    rows = np.stack([onset, np.minimum(end, grid.n_steps), pitch, notes["track"]], 1)[kept]
    return GridPiece(name, corpus, split, Steps.of(grid), rows.astype(np.int32), tuple(roles))


def read_corpus(
    name: str, root: Path, seed: int = 0, skip: Callable[[str], object] = lambda line: None
) -> Iterator[GridPiece]:
    """Every usable piece of a corpus with all of its pitched tracks. `skip` is told each file that is not, and why."""
    corpus = CORPORA[name]
    for source in corpus.sources(find_root(name, root)):
        try:
            piece = read(source.path)
            read_piece = corpus.read(source).piece
            if not len(piece.notes):
                raise FadernetsError("has no notes")
        except FadernetsError as error:
            skip(source.unreadable(error))
            continue
        kept = set(np.unique(read_piece.notes["track"]).tolist())
        roles = [_role(name, i, track, kept) for i, track in enumerate(piece.tracks)]
        piece = Piece(piece.notes, piece.tpq, piece.tempo, read_piece.metre, piece.tracks)
        yield on_grid(piece, source.piece_id, name, split_of(source, seed), roles)


def _role(corpus: str, i: int, track: Any, kept: set[int]) -> str:
    if track.is_drum:
        return ""
    if corpus == "pop909":
        return str(track.name.strip().lower() or "piano")
    return "piano" if i in kept else "voice"


def save(path: Path, pieces: Sequence[GridPiece]) -> None:
    """Write pieces into one file, whole or not at all. Raises FadernetsError, for no pieces too."""
    if not pieces:
        raise FadernetsError(f"{path}: is not written, since there is no piece; name a corpus with usable ones")
    columns: dict[str, Any] = {}
    for key in Steps.__dataclass_fields__:
        dtype = np.float32 if key == "sixteenths" else np.int16
        columns[f"steps_{key}"] = np.concatenate([getattr(p.steps, key) for p in pieces]).astype(dtype)
    columns["notes"] = np.concatenate([p.notes for p in pieces]).astype(np.int32)
    columns["step_count"] = np.array([len(p.steps.segment) for p in pieces])
    columns["note_count"] = np.array([len(p.notes) for p in pieces])
    columns["name"] = np.array([p.name for p in pieces])
    columns["corpus"] = np.array([p.corpus for p in pieces])
    columns["split"] = np.array([p.split for p in pieces])
    columns["roles"] = np.array(["\t".join(p.roles) for p in pieces])
    with open_atomic(path) as file:
        np.savez_compressed(file, **columns)


def load(path: Path) -> list[GridPiece]:
    """The pieces that `save` wrote. Raises FadernetsError for a file that is missing, damaged or another."""
    try:
        with path.open("rb") as stream, np.load(stream) as file:
            return _pieces_of(dict(file))
    except OSError as error:
        raise FadernetsError(f"{path}: cannot be read ({error.strerror or error})") from None
    except Exception as error:  # zipfile, zlib and NumPy raise many kinds for a damaged file
        reason = of_archive(error)
        raise FadernetsError(f"{path}: is no file of passages ({reason}); `rewriter prepare` makes one") from None


def _pieces_of(data: Mapping[str, Any]) -> list[GridPiece]:
    steps_at = np.concatenate([[0], np.cumsum(data["step_count"])])
    notes_at = np.concatenate([[0], np.cumsum(data["note_count"])])
    whole = Steps(
        *(
            data[f"steps_{key}"].astype(np.float32 if key == "sixteenths" else np.int64)
            for key in Steps.__dataclass_fields__
        )
    )
    return [
        GridPiece(
            str(data["name"][i]),
            str(data["corpus"][i]),
            int(data["split"][i]),
            whole.take(slice(steps_at[i], steps_at[i + 1])),
            data["notes"][notes_at[i] : notes_at[i + 1]].astype(np.int64),
            tuple(str(data["roles"][i]).split("\t")),
        )
        for i in range(len(data["name"]))
    ]


def segment_ends(steps: Steps) -> Indices:
    """[W + 1] the first step of each segment and the end of the last."""
    return np.append(steps.starts, len(steps.segment))


def densities(cells: Cells, starts: Indices, sixteenths: Floats32) -> tuple[Floats32, Floats32]:
    """[W] onset steps of each segment and [W] its mean number of sounding notes, of cells [T, 88]."""
    onsets = (cells == ONSET).any(-1).astype(np.float32)
    voices = np.minimum((cells != OFF).sum(-1), MAX_VOICES) * sixteenths
    whole = np.maximum(np.add.reduceat(sixteenths, starts), 1e-6)
    return np.add.reduceat(onsets, starts), (np.add.reduceat(voices, starts) / whole).astype(np.float32)


def previous_bar(steps: Steps) -> Indices:
    """[T] the step of the segment before that lies at the same beat and place, -1 where there is none."""
    seen: dict[tuple[int, int, int], int] = {}
    out = np.full(len(steps.segment), -1)
    for t, key in enumerate(zip(steps.segment.tolist(), steps.beat.tolist(), steps.place.tolist(), strict=True)):
        out[t] = seen.get((key[0] - 1, key[1], key[2]), -1)
        seen[key] = t
    return out
