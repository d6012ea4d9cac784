"""The segmenters of the codecs: one piece -> its segments, encoded and filtered.

Section 4.1 of the ISMIR paper has windows of four beats of at most 100 tokens; the other rules of the filter are those
of its authors' published code, and the paper does not print them.

A codec's row names its segmenter. Shapes: W full windows of a piece, S segments that pass the filter, 16 steps,
88 pitches, A attributes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fadernets.arrays import Array, Bools, Bytes, Cells, Floats32, Indices, Integers32, Tokens
from fadernets.attributes.keys import estimate
from fadernets.attributes.of_cells import key
from fadernets.attributes.table import coded, measure
from fadernets.codecs import base as codec_table
from fadernets.codecs import grid, melody_clips, melody_states, performance_tokens
from fadernets.codecs.base import Codec
from fadernets.data.corpora import Item
from fadernets.errors import FadernetsError
from fadernets.music.notes import Piece
from fadernets.music.segments import Windows, cut
from fadernets.music.smf import MAX_BEATS

MIN_PITCHES = 3  # distinct pitches of a segment, as in the authors' code
MIN_SOUNDING = 12  # steps of 16 on which something sounds, as in the authors' code


@dataclass(frozen=True)
class PreparedSegments:
    """The segments of one piece that passed the filter. S segments."""

    codes: Array  # [S, columns of the codec]
    attributes: Floats32  # [S, A]
    key: Bytes  # [S] 0..23
    arousal: Floats32  # [S] -1..1, NaN without a label
    valence: Floats32  # [S]
    index: Integers32  # [S] number of the window in its piece, from 0; of a melody its first bar, from 1
    seconds: Floats32  # [S] how long each lasts; 0 on the grid, which holds no tempo
    dropped: Counter[str]  # reason -> windows


def grid_token_count(cells: Cells) -> Indices:
    """[W] an estimate of the performance tokens that cells [W, 16, 88] take, by the rule of `SEGMENT_SELECTION`."""
    onset, sounding = cells == grid.ONSET, cells != grid.OFF
    notes = onset.sum(axis=(1, 2)) + (cells[:, 0] == grid.HOLD).sum(axis=1)
    # A time shift stands between two steps that differ, and behind the last step where something sounds there.
    changes = onset[:, 1:] | (sounding[:, 1:] != sounding[:, :-1])
    shifts = changes.any(axis=2).sum(axis=1) + sounding[:, -1].any(axis=1)
    return 2 * notes + shifts + 1


def failures(
    cells: Cells,
    sounding: Cells,
    token_count: Indices,
    labelled: Bools,
    keep_all: bool,
) -> dict[str, Bools]:
    """Reason -> [W] the windows that fail for it, in the order in which the rules are checked.

    cells [W, 16, 88]: what the codes hold. sounding [W, 16, 88]: what sounds in the windows; with tokens, which hold
    only the notes that begin in a window, notes held over from the window before sound as well. A performance has no
    beat that an onset could fall on, so with tokens a first step that sounds is enough. labelled [W]: windows with a
    label, which only need their pitches and tokens. keep_all: only a window without a note fails.
    """
    steps = (sounding != grid.OFF).any(axis=2)
    first = (sounding[:, 0] == grid.ONSET).any(axis=1) if sounding is cells else steps[:, 0]
    pitches = (cells != grid.OFF).any(axis=1).sum(axis=1)
    strict = ~labelled & (not keep_all)
    return {
        "no note": ~(cells != grid.OFF).any(axis=(1, 2)),
        "2 pitches or fewer": (pitches < MIN_PITCHES) & (not keep_all),
        "under 75 % sounding": (steps.sum(axis=1) < MIN_SOUNDING) & strict,
        "no onset on the first step": ~first & strict,
        "more than 100 tokens": (token_count > performance_tokens.MAX_TOKENS) & (not keep_all),
    }


def segments(item: Item, codec: str | Codec = "grid", keep_all: bool = False) -> PreparedSegments:
    """The segments of a piece in a codec: those of its full windows that pass the filter.

    keep_all keeps every window that has a note. Raises FadernetsError for a piece longer than MAX_BEATS.
    """
    piece = item.piece
    if piece.end > MAX_BEATS * piece.tpq:
        raise FadernetsError(f"{piece.end // piece.tpq} beats long; at most {MAX_BEATS} are read")
    prepared: PreparedSegments = codec_table.find(codec).segments(item, keep_all)
    return prepared


def grid_segments(item: Item, keep_all: bool) -> PreparedSegments:
    """The segments of a piece on the sixteenth grid."""
    windows = cut(item.piece)
    cells = grid.encode(item.piece, windows)
    arousal, valence = _labels(item, windows)
    failed = failures(cells, cells, grid_token_count(cells), np.isfinite(arousal), keep_all)
    return _kept(grid.pack(cells), cells, windows, arousal, valence, np.zeros(len(cells), np.float32), failed)


def token_segments(item: Item, keep_all: bool) -> PreparedSegments:
    """The segments of a piece as performance tokens."""
    windows = cut(item.piece)
    codes, token_count, seconds = window_tokens(item.piece, windows)
    cells, sounding = performance_tokens.cells(codes, seconds), grid.encode(item.piece, windows)
    arousal, valence = _labels(item, windows)
    failed = failures(cells, sounding, token_count, np.isfinite(arousal), keep_all)
    failed["more than 100 tokens"] = (
        token_count > performance_tokens.MAX_TOKENS
    )  # even with keep_all: a row has no room for more
    return _kept(codes, cells, windows, arousal, valence, seconds, failed)


def _kept(
    codes: Array,
    cells: Cells,
    windows: Windows,
    arousal: Floats32,
    valence: Floats32,
    seconds: Floats32,
    failed: Mapping[str, Bools],
) -> PreparedSegments:
    """The windows that pass every rule; each other window counts as dropped for the first rule that it fails."""
    keep = np.ones(len(cells), bool)
    dropped: Counter[str] = Counter()
    for reason, fails in failed.items():
        dropped[reason] += int((keep & fails).sum())
        keep &= ~fails
    values = measure(cells[keep])
    return PreparedSegments(
        codes[keep],
        np.stack([values[name] for name in coded()], axis=1).astype(np.float32),
        key(cells[keep]),
        arousal[keep],
        valence[keep],
        np.flatnonzero(windows.full)[keep].astype(np.int32),
        seconds[keep],
        dropped,
    )


def melody_segments(item: Item, keep_all: bool = False) -> PreparedSegments:
    """The clips of a piece: two bars from every bar on, of every track, so that clips overlap by a bar.

    `index` is the number of a clip's first bar. The key is estimated from the whole line, since two bars are too short
    for that.
    """
    piece, dropped = item.piece, Counter[str]()
    bars = len(piece.metre.bar_starts(max(piece.end, 1)))
    states = [np.empty((0, melody_states.STEPS), np.uint8)]
    index, keys = [np.empty(0, np.int64)], [np.empty(0, np.uint8)]
    for track in np.unique(piece.notes["track"]).tolist():
        melody = melody_clips.read(piece, track, regrid=True, windows=cut(piece))
        steps, bar = melody_clips.bar_steps(piece, melody.windows)
        clips = melody_states.tidy(melody.states[steps], held=True)
        keep = melody_states.onsets(clips) > 0
        dropped["not two bars of 4/4"] += bars - len(clips)
        dropped["no note"] += int((~keep).sum())
        sounding_steps = melody.placed.end - melody.placed.onset
        weights = np.bincount(melody.piece.notes["pitch"] % 12, sounding_steps, 12)
        states.append(clips[keep])
        index.append(bar[keep])
        keys.append(np.full(keep.sum(), int(estimate(weights[None])[0]), np.uint8))
    codes = np.concatenate(states)
    unlabelled = np.full(len(codes), np.nan, np.float32)
    return PreparedSegments(
        codes,
        np.column_stack([melody_states.mean_pitch(codes), melody_states.onsets(codes)]).astype(np.float32),
        np.concatenate(keys),
        unlabelled,
        unlabelled,
        np.concatenate(index).astype(np.int32),
        np.zeros(len(codes), np.float32),
        dropped,
    )


def _labels(item: Item, windows: Windows) -> tuple[Floats32, Floats32]:
    """[W] arousal and valence of the full windows, NaN without a label."""
    labels, index = item.labels, np.flatnonzero(windows.full)
    arousal, valence = np.full((2, len(index)), np.nan, np.float32)
    if labels is not None:
        labelled = index < min(len(labels.arousal), len(labels.valence))
        arousal[labelled], valence[labelled] = labels.arousal[index[labelled]], labels.valence[index[labelled]]
    return arousal, valence


def window_tokens(piece: Piece, windows: Windows) -> tuple[Tokens, Indices, Floats32]:
    """Tokens [W, 100] of every full window, padded with PAD; how many each takes, EOS counted [W]; seconds [W].

    A window holds the notes that begin in it, by their exact onset. A note that lasts longer than its window ends with
    it, and the next window does not hold it.
    """
    playable = (piece.notes["pitch"] >= performance_tokens.LOWEST_PITCH) & (
        piece.notes["pitch"] <= performance_tokens.HIGHEST_PITCH
    )
    playable &= (piece.notes["velocity"] > 0) & (piece.notes["end"] >= piece.notes["onset"])
    notes = piece.notes[playable]
    timed = np.empty(len(notes), performance_tokens.SECONDS_NOTE)
    timed["onset"], timed["end"] = piece.tempo.seconds(notes["onset"]), piece.tempo.seconds(notes["end"])
    timed["pitch"], timed["velocity"] = notes["pitch"], notes["velocity"]
    full = windows.full
    start, stop = windows.start[full], windows.end[full]
    first, last = np.searchsorted(notes["onset"], start), np.searchsorted(notes["onset"], stop)
    begins, ends = piece.tempo.seconds(start), piece.tempo.seconds(stop)
    rows = np.full((len(start), performance_tokens.MAX_TOKENS), performance_tokens.PAD, np.uint16)
    counts = np.zeros(len(start), np.int64)
    for i in range(len(start)):
        code = performance_tokens.encode(timed[first[i] : last[i]], start=float(begins[i]), end=float(ends[i]))
        counts[i] = len(code)
        rows[i, : min(len(code), performance_tokens.MAX_TOKENS)] = code[: performance_tokens.MAX_TOKENS]
    return rows, counts, (ends - begins).astype(np.float32)
