"""Pieces of a corpus as the two-sample test takes them: documents with their own bar lines, and passages of four bars.

A passage is four consecutive segments of a piece's own grid (`music.metric_grid`) that are as long, 16 or 12
sixteenths, and of one metre. It is cut on sixteenths from the source and, at the same ticks, from what an edit wrote.
W segments, T sixteenths of the piece, N passages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fadernets.arrays import Bools, Cells, Floats, Indices, Integers
from fadernets.codecs import grid
from fadernets.codecs.grid import LOW, OFF
from fadernets.data.corpora import CORPORA, Source, find_root, split_of
from fadernets.data.dataset import SPLITS
from fadernets.data.passages import cells_of
from fadernets.editing.file_edit import choose_tracks
from fadernets.errors import FadernetsError
from fadernets.metrics.passage_features import MOST_STEPS, SEGMENTS
from fadernets.music.document import Document
from fadernets.music.metric_grid import MetricGrid
from fadernets.music.notes import MetreMap, Piece
from fadernets.music.smf import METRE, RankedEvent, in_order, meta_events

LENGTHS = (16, 12)  # sixteenths of the segments that passages are made of
METRES = ("4/4", "3/4", "6/8", "other")
SUBDIVISIONS = ("straight", "triplets")
SIMPLE_BEATS = (1.0, 0.5)  # quarters: beats that are halved, unless their notes are triplets


@dataclass(frozen=True)
class SixteenthGrid:
    """The T sixteenths of a piece, counted anew in each of the W segments of its own grid."""

    base: Indices  # [W] the first sixteenth of each segment
    steps: Integers  # [W] how many it has, 0 where they are not LENGTHS
    metre: Integers  # [W] index in METRES
    triplets: Bools  # [W] whether a beat is cut in threes
    own: MetricGrid  # the W segments with beats that are cut as their notes cut them
    ticks: Floats  # [T + 1] where sixteenths begin, and the end

    @classmethod
    def of(cls, piece: Piece) -> SixteenthGrid:
        """That of a whole piece, all of its pitched tracks."""
        own = MetricGrid.of(piece)
        quarter = piece.tpq
        sixteenths = (own.end - own.start) * 4 / quarter
        count = np.maximum(np.ceil(sixteenths - 1e-6), 1).astype(np.int64)
        base = np.concatenate([[0], np.cumsum(count)[:-1]])
        segment = np.repeat(np.arange(len(count)), count)
        ticks = own.start[segment] + (np.arange(len(segment)) - base[segment]) * quarter / 4 + own.late
        whole = np.isin(sixteenths, LENGTHS)
        signature = np.maximum(np.searchsorted(piece.metre.ticks, own.start, side="right") - 1, 0)
        names = [
            f"{numerator}/{denominator}"
            for numerator, denominator in zip(piece.metre.numerators, piece.metre.denominators, strict=True)
        ]
        known = np.array([METRES.index(name) if name in METRES else len(METRES) - 1 for name in names])
        in_threes = np.isin(own.beats.quarters, SIMPLE_BEATS) & (own.divisions % 3 == 0)
        triplets = np.bincount(own.beats.segment, in_threes, len(count)) > 0
        edges = np.append(ticks, float(own.end[-1]) + own.late)
        return cls(base, np.where(whole, count, 0), known[signature], triplets, own, edges)

    def roll(self, piece: Piece, tracks: list[int]) -> Cells:
        """[T, 88] the notes of some tracks; a note takes the sixteenths nearest to its onset and its end."""
        notes = piece.notes[np.isin(piece.notes["track"], tracks)]
        middles = (self.ticks[:-1] + self.ticks[1:]) / 2
        onset = np.searchsorted(middles, notes["onset"], side="right")
        end = np.maximum(np.searchsorted(middles, notes["end"], side="right"), onset + 1)
        return cells_of(np.stack([onset, end, notes["pitch"].astype(np.int64) - LOW], axis=1), len(middles))

    def segments(self, roll: Cells, rows: Indices) -> Cells:
        """[N, 16, 88] some segments of a roll; silent steps behind those of 12."""
        out = np.zeros((len(rows), MOST_STEPS, roll.shape[1]), np.uint8)
        for i, w in enumerate(rows.tolist()):
            out[i, : self.steps[w]] = roll[self.base[w] : self.base[w] + self.steps[w]]
        return out

    def notes_of(self, piece: Piece, tracks: list[int], rows: Indices) -> list[tuple[bytes, Cells]]:
        """How the beats of some segments are cut, and their cells on the piece's own grid, finer than sixteenths."""
        own = self.own
        cells = grid.roll(grid.place(piece.only(tracks), own), own.n_steps)
        spans = [slice(b, b + n) for b, n in zip(own.base[rows].tolist(), own.steps[rows].tolist(), strict=True)]
        return [(own.place[span].tobytes(), cells[span]) for span in spans]

    @property
    def classes(self) -> list[tuple[str, str]]:
        """[W] the metre and the subdivision of each segment."""
        return [(METRES[m], SUBDIVISIONS[t]) for m, t in zip(self.metre.tolist(), self.triplets.tolist(), strict=True)]

    def passages(self, roll: Cells) -> Indices:
        """[N] the first segments of the passages of a roll, which do not overlap; every segment of them sounds."""
        usable = self.steps > 0
        usable &= np.array([(roll[b : b + n] != OFF).any() for b, n in zip(self.base, self.steps, strict=True)], bool)
        first, w = [], 0
        while w + SEGMENTS <= len(usable):
            span = slice(w, w + SEGMENTS)
            if usable[span].all() and np.ptp(self.steps[span]) == 0 and np.ptp(self.metre[span]) == 0:
                first.append(w)
                w += SEGMENTS
            else:
                w += 1
        return np.array(first, np.int64)


@dataclass(frozen=True)
class PassagePiece:
    """A piece with its passages, of the tracks that an edit moves unless others are named."""

    name: str
    corpus: str
    document: Document  # with the corpus's time signatures
    tracks: list[int]
    grid: SixteenthGrid
    roll: Cells  # [T, 88] of those tracks
    first: Indices  # [N] first segment of each passage

    @classmethod
    def of(cls, document: Document, name: str, corpus: str = "") -> PassagePiece:
        """The piece of a document. Raises FadernetsError where no track can be edited."""
        tracks = choose_tracks(document.piece)
        sixteenths = SixteenthGrid.of(document.piece)
        roll = sixteenths.roll(document.piece, tracks)
        return cls(name, corpus, document, tracks, sixteenths, roll, sixteenths.passages(roll))

    def cells(self, roll: Cells) -> Cells:
        """[N, 4, 16, 88] the passages, of the piece's own roll or of one of an edit."""
        rows = (self.first[:, None] + np.arange(SEGMENTS)).ravel()
        return self.grid.segments(roll, rows).reshape(len(self.first), SEGMENTS, MOST_STEPS, roll.shape[1])

    def reread(self, edited: Document) -> Cells:
        """[T, 88] the same tracks of a file that an editor wrote, on the grid of the source."""
        return self.grid.roll(edited.piece, self.tracks_in(edited))

    def tracks_in(self, edited: Document) -> list[int]:
        """The same tracks of a file that an editor wrote: one that lost all its notes may be missing there."""
        own = self.document.piece.tracks
        chosen = {(own[i].chunk, own[i].channel) for i in self.tracks}
        return [i for i, track in enumerate(edited.piece.tracks) if (track.chunk, track.channel) in chosen]

    @property
    def kinds(self) -> tuple[Integers, Integers, Integers]:
        """[N] sixteenths of a segment, [N] index in METRES, [N] index in SUBDIVISIONS of the passages."""
        spans = self.first[:, None] + np.arange(SEGMENTS)
        triplets = self.grid.triplets[spans].any(axis=1) if len(spans) else np.zeros(0, bool)
        return self.grid.steps[self.first], self.grid.metre[self.first], triplets.astype(np.int64)


def read_pieces(corpus: str, root: Path, splits: tuple[str, ...], seed: int = 0) -> Iterator[tuple[str, PassagePiece]]:
    """The split and the piece of every file of a corpus that lies in one of these splits and has a passage."""
    for source in CORPORA[corpus].sources(find_root(corpus, root)):
        split = SPLITS[split_of(source, seed)]
        if split not in splits:
            continue
        piece = read_piece(corpus, source)
        if piece is not None:
            yield split, piece


def read_piece(corpus: str, source: Source) -> PassagePiece | None:
    """The piece of a file of a corpus; None where it cannot be edited or has no passage."""
    try:
        document = with_metre(Document(source.path), CORPORA[corpus].read(source).piece.metre)
        piece = PassagePiece.of(document, source.piece_id, corpus)
    except FadernetsError:
        return None
    return piece if len(piece.first) else None


def with_metre(document: Document, metre: MetreMap) -> Document:
    """The document with other time signatures in place of its own; those of `metre` count in its ticks."""
    now = document.piece.metre
    if all(
        np.array_equal(getattr(now, name), getattr(metre, name)) for name in ("ticks", "numerators", "denominators")
    ):
        return document
    events = document.paired.events
    tracks: dict[int, list[RankedEvent]] = {}
    for chunk, old in enumerate(events):
        metres = {i for i, event in enumerate(old) if any(True for _ in meta_events([event], METRE))}
        tracks[chunk] = [(tick, i, message) for i, (tick, message) in enumerate(old) if i not in metres]
    for tick, numerator, denominator in zip(
        *(getattr(metre, name).tolist() for name in ("ticks", "numerators", "denominators")), strict=True
    ):
        content = bytes((numerator, denominator.bit_length() - 1, 24, 8))
        tracks[0].append((tick, -1, bytes((0xFF, METRE, len(content))) + content))
    return Document(document.path, document.with_tracks({chunk: in_order(rows) for chunk, rows in tracks.items()}))
