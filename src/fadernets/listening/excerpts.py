"""Short excerpts for a listening test, as MIDI files: consecutive segments of a data set, or bars of a piece.

A segment is four quarter notes long, and lasts two seconds in a data set without tempo (the grid). Times are ticks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import Indices, Integers32
from fadernets.codecs import grid, performance_tokens
from fadernets.data.corpora import CORPORA
from fadernets.data.dataset import Dataset
from fadernets.editing import file_edit
from fadernets.errors import FadernetsError
from fadernets.music.document import Document
from fadernets.music.excerpt import excerpt
from fadernets.music.notes import DEFAULT_TEMPO, Piece
from fadernets.music.segments import BEATS, STEPS_PER_BEAT

TPQ = 480  # ticks to a quarter note of a file made from a data set
VELOCITY = 80  # of its notes, where the data set holds none
SECONDS = (1.0, 60.0)  # the shortest and the longest excerpt of a piece
SHORT_BAR = 3  # quarter notes: shorter bars count by twos or fours, as a listener would group them
SIZES = range(1, 33)  # bars, or segments


@dataclass(frozen=True)
class Excerpt:
    """A few bars of a piece."""

    title: str  # the piece and the place in it
    data: bytes  # a MIDI file


# --- of a data set


def of_dataset(data: Dataset, count: int, size: int = 4, seed: int = 0, split: str = "test") -> list[Excerpt]:
    """`count` excerpts of up to `size` consecutive segments, drawn by `seed` from as many pieces as possible.

    Pieces with longer runs come first, and no segment is in two excerpts. Performance tokens keep their timing and
    velocities. Raises FadernetsError for a data set of melodies or with too few segments.
    """
    if data.codec.melodic:
        raise FadernetsError(f"{data.folder}: holds melodies; excerpts come from segments (codec grid or tokens)")
    rng = np.random.default_rng(seed)
    rows = data.select(split)
    rows = rows[np.lexsort((data.index[rows], data.piece[rows]))]
    free = {int(p): rows[data.piece[rows] == p] for p in np.unique(data.piece[rows])}
    order = rng.permutation(sorted(free)).tolist()
    chosen: list[Indices] = []
    while len(chosen) < count:
        runs = [_run(free[p], np.asarray(data.index[free[p]]), size, rng) for p in order]
        runs = sorted((run for run in runs if len(run)), key=lambda run: -len(run))
        if not runs:
            raise FadernetsError(
                f"{data.folder}: its {split} split gives {len(chosen)} excerpts, {count} are wanted; ask for fewer"
            )
        for run in runs[: count - len(chosen)]:
            chosen.append(run)
            piece = int(data.piece[run[0]])
            free[piece] = np.setdiff1d(free[piece], run, assume_unique=True)
    return [Excerpt(_title_of(data, run), _file_of(data, run)) for run in chosen]


def _run(rows: Indices, index: Integers32, size: int, rng: np.random.Generator) -> Indices:
    """One of the longest runs of at most `size` rows that follow each other in their piece; [] without any."""
    for length in range(min(size, len(rows)), 0, -1):
        starts = np.flatnonzero(index[length - 1 :] - index[: len(index) - length + 1] == length - 1)
        if len(starts):
            at = int(rng.choice(starts))
            return rows[at : at + length]
    return rows[:0]


def _title_of(data: Dataset, run: Indices) -> str:
    first, last = int(data.index[run[0]]) + 1, int(data.index[run[-1]]) + 1
    name = str(data.manifest["pieces"][int(data.piece[run[0]])]["id"])
    return f"{name}, segment{f's {first}-{last}' if last > first else f' {first}'}"


def _file_of(data: Dataset, run: Indices) -> bytes:
    """A MIDI file of consecutive segments."""
    size = BEATS * TPQ
    if data.seconds is None:
        roll = data.cells(run).reshape(-1, grid.PITCHES)  # [T, 88]
        roll[0] = np.where(roll[0] == grid.HOLD, grid.ONSET, roll[0])  # a note held into the excerpt begins with it
        step = TPQ // STEPS_PER_BEAT
        notes = [(on * step, off * step, pitch + grid.LOW, VELOCITY) for on, off, pitch in grid.runs(roll).tolist()]
        return _midi_of(notes, [(0, DEFAULT_TEMPO)])
    notes, tempos = [], []
    for i, row in enumerate(run.tolist()):
        seconds = float(data.seconds[row])
        tempos.append((i * size, round(seconds / BEATS * 1e6)))
        for note in performance_tokens.decode(data.codes[row]):
            onset, end = (i * size + min(round(float(note[t]) / seconds * size), size) for t in ("onset", "end"))
            if end > onset:
                notes.append((onset, end, int(note["pitch"]), int(note["velocity"])))
    return _midi_of(notes, tempos)


def _midi_of(notes: Iterable[tuple[int, int, int, int]], tempos: list[tuple[int, int]]) -> bytes:
    """A MIDI file of one piano track, from (onset, end, pitch, velocity) of its notes and (tick, microseconds)."""
    import symusic

    score: Any = symusic.Score(TPQ)
    changes = [row for last, row in zip([None, *tempos], tempos, strict=False) if last is None or last[1] != row[1]]
    score.tempos.extend([symusic.Tempo(tick, mspq=micros) for tick, micros in changes])
    score.time_signatures.append(symusic.TimeSignature(0, 4, 4))
    track: Any = symusic.Track("Piano", 0, False)
    for onset, end, pitch, velocity in sorted(notes):
        track.notes.append(symusic.Note(onset, end - onset, pitch, velocity))
    score.tracks.append(track)
    return bytes(score.dumps_midi())


# --- of MIDI files


def of_folder(folder: Path, count: int, size: int = 4, seed: int = 0) -> tuple[list[Excerpt], list[str]]:
    """`count` excerpts of up to `size` bars, drawn by `seed` from the MIDI files of a folder; and warnings.

    Every file gives one excerpt before any file gives a second. A file that cannot be read is left out with a warning.
    Raises FadernetsError where the folder gives too few excerpts.
    """
    rng = np.random.default_rng(seed)
    sources = CORPORA["folder"].sources(folder)
    if not sources:
        raise FadernetsError(f"{folder}: is neither a prepared data set nor a folder with MIDI files")
    waiting = deque((sources[i], set[int]()) for i in rng.permutation(len(sources)).tolist())
    drawn: list[Excerpt] = []
    warnings: list[str] = []
    while waiting and len(drawn) < count:
        source, taken = waiting.popleft()
        try:
            document = Document(source.path)
            chosen = file_edit.choose_tracks(document.piece)
        except FadernetsError as error:
            warnings.append(f"{source.piece_id}: left out ({str(error).removeprefix(f'{source.path}: ')})")
            continue
        bars = _bars(document.piece.only(chosen), size, taken, rng)
        if bars is None:
            continue
        taken |= set(range(bars[0], bars[1] + 1))
        waiting.append((source, taken))
        place = f"bars {bars[0] + 1}-{bars[1] + 1}" if bars[1] > bars[0] else f"bar {bars[0] + 1}"
        drawn.append(Excerpt(f"{source.piece_id}, {place}", cut(document, chosen, *bars)))
    if len(drawn) < count:
        raise FadernetsError(
            f"{folder}: its {len(sources)} MIDI files give {len(drawn)} excerpts, {count} are wanted; ask for fewer"
        )
    return drawn, warnings


def _bars(piece: Piece, size: int, taken: set[int], rng: np.random.Generator) -> tuple[int, int] | None:
    """The first and the last of a run of bars, drawn among the longest runs of up to `size` bars; None without any.

    The bars of a run have one length, each has an onset and is not in `taken`, and together they are at least four
    quarter notes long. Bars shorter than SHORT_BAR count by twos or fours.
    """
    starts = piece.metre.bar_starts(piece.end)
    signature = np.searchsorted(piece.metre.ticks, starts, side="right") - 1
    lengths = piece.metre.bar_lengths()[np.maximum(signature, 0)]
    has_onset = np.histogram(piece.notes["onset"] + piece.tpq // 8, np.append(starts, starts[-1] + lengths[-1]))[0] > 0
    whole = np.append(np.diff(starts) == lengths[:-1], True)
    usable = has_onset & whole & ~np.isin(np.arange(len(starts)), sorted(taken))
    factors = 2 ** np.ceil(np.log2(np.maximum(SHORT_BAR * piece.tpq / lengths, 1))).astype(np.int64)
    windows = np.lib.stride_tricks.sliding_window_view
    for bars in range(size, 0, -1):
        runs: list[tuple[int, int]] = []
        for factor in np.unique(factors).tolist():
            n = bars * factor
            if n > len(starts):
                continue
            first = np.flatnonzero(windows(usable, n).all(1) & (np.ptp(windows(lengths, n), axis=1) == 0))
            first = first[(factors[first] == factor) & (n * lengths[first] >= BEATS * piece.tpq)]
            ends = starts[first] + n * lengths[first]
            seconds = piece.tempo.seconds(ends) - piece.tempo.seconds(starts[first])
            fits = (seconds >= SECONDS[0]) & (seconds <= SECONDS[1])
            runs += [(at, at + n - 1) for at in first[fits].tolist()]
        if runs:
            return runs[int(rng.integers(len(runs)))]
    return None


def cut(document: Document, tracks: list[int], first: int, last: int) -> bytes:
    """Bars `first`..`last` (from 0) of some tracks as a MIDI file of their own, as `music.excerpt` cuts it."""
    piece = document.piece
    bars = piece.metre.bar_starts(piece.end)
    signature = int(np.searchsorted(piece.metre.ticks, bars[first], side="right")) - 1
    start, stop = int(bars[first]), int(bars[last] + piece.metre.bar_lengths()[signature])
    return excerpt(document, tracks, start, stop)
