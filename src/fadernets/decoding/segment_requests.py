"""What an edit asks of segments, and the segments encoded: the input of `segment_decoding` and `candidate_choice`.

A request names attribute values in the attributes' own units, the paper's arousal preset in shift vectors (Section 5.2)
or another segment's rhythm (Section 5). S segments, Z latent size.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from fadernets.arrays import Bools, Bytes, Cells, Floats, Floats32, Planes
from fadernets.attributes import of_cells, table
from fadernets.codecs import grid
from fadernets.codecs.grid import PITCHES
from fadernets.decoding.candidates import CERTAIN
from fadernets.engines.grid import Codes, Engine, planes_of
from fadernets.music.segments import STEPS

Values = dict[str, Floats]  # attribute -> [S]

RHYTHM = 0  # the position of rhythm density among the coded attributes, and of z_rhythm among the codes
SAMPLED_FOR_EDIT = 16  # sampled candidates of each segment, besides the plain ones (docs/lab.md)
SAMPLED_WHILE_DRAGGING = 0  # as above, while a fader is dragged and an answer must come at once
CACHED_BATCHES = 16  # batches that an EncodingCache keeps; a batch of 32 segments takes 8 MB
LEAST_DEVIATION = 1e-6  # of an attribute that a handful of training segments all have alike: nothing divides by less


@dataclass(frozen=True)
class BorrowedRhythm:
    """The rhythm of S other segments, which replaces the segments' own (Section 5, analogies)."""

    shift: Floats32  # [S, Z] from each segment's own z_rhythm to that of the other segment
    onsets: Bools  # [S, 16] the onset steps of the other segment


@dataclass(frozen=True)
class SegmentRequest:
    """What is asked of S segments."""

    asked: Values = field(default_factory=dict)  # attribute -> [S] values; the attributes not named keep theirs
    arousal: float = 0.0  # shift vectors towards high (above 0) or low (below 0) arousal, or the model's other label
    faithfulness: float = 1.0  # pull towards the source: 1 keeps it where nothing moves, 0 is the paper's free decode
    rhythm: BorrowedRhythm | None = None  # where faders move from, in place of the segments' own rhythm
    sampled: int = SAMPLED_FOR_EDIT  # sampled candidates besides the plain ones; none with a borrowed rhythm
    seed: int = 0
    toward: int | None = None  # the class that the shift vectors go towards; None: the highest or the lowest one

    @property
    def at_rest(self) -> bool:
        """Whether nothing is asked, so that the source is the answer."""
        return not self.asked and self.arousal == 0 and self.rhythm is None

    def take(self, rows: slice) -> SegmentRequest:
        """What is asked of some of the segments."""
        rhythm = self.rhythm and BorrowedRhythm(self.rhythm.shift[rows], self.rhythm.onsets[rows])
        return replace(self, asked={name: values[rows] for name, values in self.asked.items()}, rhythm=rhythm)

    def start_values(self, source: EncodedSegments) -> Floats:
        """[S, 2] the coded attributes before any fader moves: the segments' own, or the borrowed rhythm's density."""
        values = source.values
        if self.rhythm is not None:
            values[:, RHYTHM] = self.rhythm.onsets.mean(1)
        return values


@dataclass(frozen=True)
class EncodedSegments:
    """S segments with their codes and measures, which every edit of them needs."""

    engine: Engine
    cells: Cells  # [S, 16, 88]
    codes: Codes
    key: Bytes  # [S] 0..23
    before: Values  # the coded attributes as measured

    @property
    def values(self) -> Floats:
        """[S, 2] the coded attributes as a new array, in the order in which the decoder reads them."""
        return np.stack([self.before[name] for name in self.engine.coded], axis=1)

    @property
    def held(self) -> Bools:
        """[S, 88] the pitches that sound on from the segment before."""
        return np.asarray(self.cells[:, 0] == grid.HOLD)

    @cached_property
    def rest(self) -> Planes:
        """[S, 16, 176] probabilities of the codes as encoded, decoded while every step is fed with the source."""
        forced = CERTAIN * (2 * planes_of(self.cells) - 1)
        return self.engine.decode(self.codes, self.key, self.values, self.held, offset=forced).probabilities

    @property
    def nbytes(self) -> int:
        """How many bytes its arrays take."""
        arrays = [self.cells, self.key, *self.codes.values(), *self.before.values()]
        arrays += [self.rest] if "rest" in vars(self) else []
        return sum(np.asarray(array).nbytes for array in arrays)


def encode_segments(engine: Engine, cells: Cells) -> EncodedSegments:
    """Encode and measure cells [S, 16, 88]."""
    return EncodedSegments(engine, cells, engine.encode(cells), of_cells.key(cells), table.measure(cells))


class EncodingCache:
    """`encode_segments` with a memory of the last CACHED_BATCHES calls, by engine and cells.

    Edits of one piece share it, so that a piece is encoded, and decoded at rest, once. Several threads may use it.
    """

    def __init__(self) -> None:
        self._batches: OrderedDict[tuple[int, bytes], EncodedSegments] = OrderedDict()  # the last used one last
        self._lock = threading.Lock()

    def __call__(self, engine: Engine, cells: Cells) -> EncodedSegments:
        """The encoded form of cells [S, 16, 88]."""
        key = id(engine), cells.tobytes()
        with self._lock:
            if key in self._batches:
                self._batches.move_to_end(key)
                return self._batches[key]
        batch = encode_segments(engine, np.frombuffer(key[1], np.uint8).reshape(-1, STEPS, PITCHES))
        with self._lock:
            self._batches[key] = batch
            while len(self._batches) > CACHED_BATCHES:
                self._batches.popitem(last=False)
        return batch

    @property
    def bytes_taken(self) -> int:
        """About how many bytes all batches take."""
        with self._lock:
            return sum(len(cells) + batch.nbytes for (_, cells), batch in self._batches.items())

    def clear(self) -> None:
        """Forget every batch."""
        with self._lock:
            self._batches.clear()


def attribute_deviations(engine: Engine) -> Floats:
    """[2] the standard deviations of the coded attributes in the model's training data, none below LEAST_DEVIATION."""
    return np.maximum([engine.info["statistics"][name]["std"] for name in engine.coded], LEAST_DEVIATION)
