"""The table of codecs: all that data sets, models, engines and model cards must know of how music is written as codes.

A codec is one row, and everything else asks the row, never its name. What lies in higher layers, or needs PyTorch, is
named in the row as "module:name" and imported on first use. S segments; a clip of a melody is a segment too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from fadernets import plugins
from fadernets.arrays import Array, Cells, Indices
from fadernets.codecs import grid, melody_states, performance_tokens
from fadernets.errors import FadernetsError

Unpack = Callable[[Array, Array | None], Cells]  # codes [S, ...] and their seconds [S], if stored -> cells [S, 16, 88]
Segmenter = Callable[[Any, bool], Any]  # a corpus's Item, keep_all -> data.segmenters.PreparedSegments


@dataclass(frozen=True)
class CardText:
    """What a model card says of a codec; each is markdown."""

    place: str  # completes "a model ...": "on the sixteenth grid"
    form: str  # what the codes are
    selection: str  # how pieces are split and which segments are taken
    limits: str  # what the codec cannot hold, a list
    music: str  # which music the model has seen, such as "keyboard music"


@dataclass(frozen=True)
class Codec:
    """A row of the table: one way to write segments of music as arrays of numbers."""

    name: str
    dtype: np.dtype[Any]  # of the codes on disk
    columns: int  # of the codes on disk: they are [S, columns]
    segmenter: Segmenter | str  # how `prepare` cuts and encodes a piece
    selection: str  # the manifest's sentence on which segments `prepare` keeps
    lengths: Callable[[Array], Indices]  # codes [S, columns] -> how many steps or tokens each segment takes, [S]
    card: CardText
    unpack: Unpack | None = None  # None: its codes have no grid of 88 pitches
    melodic: bool = False  # its segments are clips of one voice, which models and engines of melodies read
    pairs: bool = False  # like bars of a song can be paired in training
    timed: bool = False  # data sets also store the seconds that each segment lasts
    end: int | None = None  # the code that ends a segment, where segments differ in length
    attributes: tuple[str, ...] | None = None  # that data sets measure; None: the coded ones of attributes.table
    batches: str | None = None  # a class as data.batches.GridRows; None with melodies: data.melody_batches makes theirs
    coding: str | None = None  # a models.codings.Coding; None with melodies: their model encodes and decodes them
    engine: str | None = None  # the class that runs exported models; None: there is none

    def __str__(self) -> str:
        return self.name

    def segments(self, item: Any, keep_all: bool) -> Any:
        """The `PreparedSegments` of one piece, by the codec's segmenter."""
        return imported(self.segmenter)(item, keep_all)


def imported(thing: Any) -> Any:
    """What "module:name" stands for; anything else is returned as it is."""
    if not isinstance(thing, str):
        return thing
    module, _, name = thing.partition(":")
    return getattr(import_module(module), name)


def _same_length(steps: int) -> Callable[[Array], Indices]:
    """Every segment takes this many steps."""
    return lambda codes: np.full(len(codes), steps, np.int64)


def _token_lengths(codes: Array) -> Indices:
    """The tokens of each row up to its end, EOS counted."""
    return np.asarray((codes != performance_tokens.PAD).sum(axis=1), np.int64)


def _grid_cells(codes: Array, _: Array | None) -> Cells:
    return grid.unpack(codes)


def _token_cells(codes: Array, seconds: Array | None) -> Cells:
    if seconds is None:
        raise ValueError("tokens become cells at their own tempo alone: the seconds of each segment are needed")
    return performance_tokens.cells(codes, seconds)


SEGMENT_SELECTION = (
    "A segment has a note, more than 2 distinct pitches, sound on at least 12 of 16 steps, an onset on the "
    "first step and at most 100 tokens, EOS counted; a labelled one needs the pitches and the tokens alone. "
    "With keep_all a note is enough (and 100 tokens where tokens are stored). On the grid a segment counts 2 "
    "tokens a note (one held in is a note), one a step boundary at which something changes, and EOS. With tokens "
    "a note held into the first step counts as sounding there and as its onset."
)
MELODY_SELECTION = "Two bars of 4/4, or four of 2/4, from every bar on, in which a note begins: clips overlap."

_ROWS = (
    Codec(
        "grid",
        np.dtype(np.uint8),
        grid.PACKED,
        segmenter="fadernets.data.segmenters:grid_segments",
        selection=SEGMENT_SELECTION,
        lengths=_same_length(grid.STEPS),
        unpack=_grid_cells,
        pairs=True,
        batches="fadernets.data.batches:GridRows",
        coding="fadernets.models.codings:GRID",
        engine="fadernets.engines.grid:Engine",
        card=CardText(
            "on the sixteenth grid",
            "16 steps x 88 pitches of off, onset, hold",
            "Pieces are split 80/10/10 as wholes; segments pass the paper's filter (a note, more than two pitches,\n"
            "three quarters of the steps sounding, an onset on the first step).",
            "- Sixteenth notes in four-beat segments: triplets and ornaments are read at the nearest step, and keep\n"
            "  their own timing where they survive.",
            "keyboard music",
        ),
    ),
    Codec(
        "tokens",
        np.dtype(np.uint16),
        performance_tokens.MAX_TOKENS,
        segmenter="fadernets.data.segmenters:token_segments",
        selection=SEGMENT_SELECTION,
        lengths=_token_lengths,
        unpack=_token_cells,
        timed=True,
        end=performance_tokens.EOS,
        batches="fadernets.data.batches:TokenRows",
        coding="fadernets.models.codings:TOKENS",
        card=CardText(
            "over performance tokens",
            "342 tokens of 10 ms, at most 100 a segment",
            "Whole pieces are split, by the corpus's own split where it has one, else 80/10/10. Segments pass the\n"
            "paper's filter as it is heard: a note, more than two pitches, three quarters of the steps and the first "
            "one\nsounding, notes held in from before counted; and at most 100 tokens.",
            "- Segments of at most 100 tokens, notes held in from before left out: dense passages are not known.",
            "keyboard music",
        ),
    ),
    Codec(
        "melody",
        np.dtype(np.uint8),
        melody_states.STEPS,
        segmenter="fadernets.data.segmenters:melody_segments",
        selection=MELODY_SELECTION,
        lengths=_same_length(melody_states.STEPS),
        melodic=True,
        engine="fadernets.engines.melody:MelodyEngine",
        attributes=("pitch", "onsets"),  # mean MIDI number; notes that begin in a clip
        card=CardText(
            "on the sixteenth grid",
            "32 steps of 130 states: onset of a pitch, hold, rest",
            "Pieces are split 80/10/10 as wholes; clips are two bars of 4/4, or four of 2/4, from every bar on:\n"
            "they overlap.",
            "- Melodies of one voice in 4/4 on sixteenths: triplets and ornaments are read at the nearest step.",
            "melodies",
        ),
    ),
)
CODECS = plugins.Table(plugins.CODECS, Codec, {row.name: row for row in _ROWS})  # then those of installed packages


def register(row: Codec) -> None:
    """Add a codec to the table. Raises ValueError where its name is taken, TypeError for anything but a row."""
    CODECS.accept(row.name, row)


def find(name: str | Codec) -> Codec:
    """The row of a codec by its name. Raises FadernetsError for an unknown one."""
    if isinstance(name, Codec):
        return name
    if name not in CODECS:
        raise FadernetsError(f"codec {name!r} is not known; allowed: {', '.join(CODECS)}")
    return CODECS[name]


def is_melodic(name: object) -> bool:
    """Whether this is the name of a codec of melodies; False for whatever else a damaged file may hold."""
    return isinstance(name, str) and name in CODECS and CODECS[name].melodic
