"""Corpus -> segments -> codes and attributes -> a data set (Section 4.1 of the ISMIR paper).

Files are worked on in chunks, on every core. A finished chunk is a file in `out/.parts`, so that a run that
was cut off goes on where it stopped. A file that cannot be read is listed in the manifest with its reason.

Shapes: W windows of a piece, 16 steps, 88 pitches.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets import __version__
from fadernets.arrays import Array, Bools, Bytes, Cells, Floats32, Indices, Tokens
from fadernets.attributes.keys import estimate
from fadernets.attributes.of_cells import key
from fadernets.attributes.table import coded, measure
from fadernets.codecs import base as codec_table
from fadernets.codecs import grid, melody_clips, melody_states, performance_tokens
from fadernets.codecs.base import Codec
from fadernets.data.corpora import CORPORA, Item, Source, find_root, split_of
from fadernets.data.dataset import (
    FORMAT,
    PARTS,
    SPLITS,
    TIMED,
    Dataset,
    check_target,
    measured,
    write_dataset,
)
from fadernets.errors import FadernetsError
from fadernets.files import open_atomic
from fadernets.music.notes import Piece
from fadernets.music.segments import Windows, cut
from fadernets.music.smf import MAX_BEATS

CHUNK = 16  # files
MIN_PITCHES = 3
MIN_SOUNDING = 12  # steps of 16

Progress = Callable[[int, int, int], None]  # files done, files in all, segments kept so far


@dataclass(frozen=True)
class PreparedSegments:
    """The segments of one piece that passed the filter. S segments."""

    codes: Array
    attributes: Floats32  # [S, A]
    key: Bytes  # [S] 0..23
    arousal: Floats32
    valence: Floats32
    index: NDArray[np.int32]
    seconds: Floats32  # 0 on the grid, which does not know them
    dropped: Counter[str]  # reason -> windows


def grid_token_count(cells: Cells) -> Indices:
    """[W] about how many performance tokens cells [W, 16, 88] would take, as `SEGMENT_SELECTION` of codecs counts."""
    onset, sounds = cells == grid.ONSET, cells != grid.OFF
    notes = onset.sum(axis=(1, 2)) + (cells[:, 0] == grid.HOLD).sum(axis=1)
    # What follows each step: the next one, and silence behind the last.
    changes = onset[:, 1:] | (sounds[:, 1:] != sounds[:, :-1])
    shifts = changes.any(axis=2).sum(axis=1) + sounds[:, -1].any(axis=1)
    return 2 * notes + shifts + 1


def failures(
    cells: Cells,
    sounding: Cells,
    token_count: Indices,
    labelled: Bools,
    keep_all: bool,
) -> dict[str, Bools]:
    """Reason -> [W] windows that fail it, in the order in which a window is asked.

    cells [W, 16, 88] is what the codes hold. sounding [W, 16, 88] is what sounds there: tokens hold the notes that
    begin in a window, so notes held in from before sound as well. A performance has no beat for an onset to fall on:
    there, a first step that sounds is enough.
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
    """Cut a piece, encode its full windows and keep those that pass the filter. Raises FadernetsError."""
    piece = item.piece
    if piece.end > MAX_BEATS * piece.tpq:
        raise FadernetsError(f"{piece.end // piece.tpq} beats long; at most {MAX_BEATS} are read")
    found: PreparedSegments = codec_table.find(codec).segments(item, keep_all)
    return found


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
    failed["more than 100 tokens"] = token_count > performance_tokens.MAX_TOKENS  # keep_all cannot store them either
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
    """The windows that fail nothing; each other one counts as dropped for the first reason."""
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
    """Two bars from every bar of every track of a piece: the segments of a melody, which overlap.

    Index counts the bars; the key is that of the whole line, since two bars of it say too little.
    """
    piece, dropped = item.piece, Counter[str]()
    bars = len(piece.metre.bar_starts(max(piece.end, 1)))
    found, index, keys = (
        [np.empty((0, melody_states.STEPS), np.uint8)],
        [np.empty(0, np.int64)],
        [np.empty(0, np.uint8)],
    )
    for track in np.unique(piece.notes["track"]).tolist():
        tune = melody_clips.read(piece, track, regrid=True, windows=cut(piece))
        at, bar = melody_clips.bar_steps(piece, tune.windows)
        clips = tune.states[at]
        clips = melody_states.tidy(clips, held=True)
        keep = melody_states.onsets(clips) > 0
        dropped["not two bars of 4/4"] += bars - len(clips)
        dropped["no note"] += int((~keep).sum())
        weights = np.bincount(tune.piece.notes["pitch"] % 12, tune.placed.end - tune.placed.onset, 12)
        found.append(clips[keep])
        index.append(bar[keep])
        keys.append(np.full(keep.sum(), int(estimate(weights[None])[0]), np.uint8))
    codes = np.concatenate(found)
    nothing = np.full(len(codes), np.nan, np.float32)
    return PreparedSegments(
        codes,
        np.column_stack([melody_states.mean_pitch(codes), melody_states.onsets(codes)]).astype(np.float32),
        np.concatenate(keys),
        nothing,
        nothing,
        np.concatenate(index).astype(np.int32),
        np.zeros(len(codes), np.float32),
        dropped,
    )


def _labels(item: Item, windows: Windows) -> tuple[Floats32, Floats32]:
    """[W] arousal and valence of the full windows, NaN without a label."""
    labels, index = item.labels, np.flatnonzero(windows.full)
    arousal, valence = np.full((2, len(index)), np.nan, np.float32)
    if labels is not None:
        has = index < min(len(labels.arousal), len(labels.valence))
        arousal[has], valence[has] = labels.arousal[index[has]], labels.valence[index[has]]
    return arousal, valence


# The tokens codec: a window holds the notes that begin in it, by their exact onset. A note held over ends
# with its window and is left out of the next.


def window_tokens(piece: Piece, windows: Windows) -> tuple[Tokens, Indices, Floats32]:
    """Tokens [W, 100] of every full window, padded with PAD; how many each takes, EOS counted [W]; seconds [W]."""
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


# Chunks of files


@dataclass(frozen=True)
class _Chunk:
    corpus: str
    sources: list[Source]
    part: Path


def _chunks(name: str, sources: list[Source], parts: Path, codec: Codec, keep_all: bool) -> Iterator[_Chunk]:
    """The part's name holds a hash of all that its content depends on."""
    for start in range(0, len(sources), CHUNK):
        some = sources[start : start + CHUNK]
        digest = hashlib.blake2b(digest_size=12)
        digest.update(
            repr((FORMAT, __version__, codec.selection, measured(codec), name, codec.name, keep_all)).encode()
        )
        for source in some:
            try:
                stat = source.path.stat()
                digest.update(repr((source.piece_id, stat.st_size, stat.st_mtime_ns)).encode())
            except OSError:
                digest.update(repr((source.piece_id, None)).encode())
            if source.labels is not None:
                digest.update(source.labels.arousal.tobytes() + source.labels.valence.tobytes())
        yield _Chunk(name, some, parts / f"{name}-{start // CHUNK:05d}-{digest.hexdigest()}.npz")


def _read(corpus: str, source: Source, codec: Codec) -> Item:
    row = CORPORA[corpus]
    if not codec.melodic:
        return row.read(source)
    if row.melodies is None:
        raise FadernetsError(f"corpus {corpus!r} has no track that is known to be a melody")
    return row.melodies(source)


def _work(chunk: _Chunk, codec_name: str, keep_all: bool) -> tuple[int, int]:
    """Read a chunk's files and write its part. Returns (files, segments). A worker process finds the codec itself."""
    codec = codec_table.find(codec_name)
    found: list[PreparedSegments] = []
    files: list[dict[str, Any]] = []  # one a file: how many segments, what was dropped, or why it was skipped
    for source in chunk.sources:
        try:
            some = segments(_read(chunk.corpus, source, codec), codec, keep_all)
        except Exception as error:  # a damaged file must not end a run of hours
            reason = (str(error).strip().splitlines() or [""])[0]
            if not isinstance(error, FadernetsError):
                reason = f"{type(error).__name__}: {reason}"
            files.append({"skipped": reason.replace(f"{source.path.parent}{os.sep}", "")})
            continue
        found.append(some)
        files.append({"segments": len(some.key), "dropped": dict(some.dropped)})
    columns_of: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {
        "codes": (codec.dtype, (0, codec.columns)),
        "attributes": (np.dtype(np.float32), (0, len(measured(codec)))),
        "key": (np.dtype(np.uint8), (0,)),
        "arousal": (np.dtype(np.float32), (0,)),
        "valence": (np.dtype(np.float32), (0,)),
        "index": (np.dtype(np.int32), (0,)),
        "seconds": (np.dtype(np.float32), (0,)),
    }
    arrays = {
        name: np.concatenate([np.empty(shape, kind), *(getattr(some, name) for some in found)])
        for name, (kind, shape) in columns_of.items()
    }
    with open_atomic(chunk.part) as stream:
        np.savez(stream, allow_pickle=False, files=np.array(json.dumps(files)), **arrays)
    return len(chunk.sources), len(arrays["key"])


def _load(part: Path) -> dict[str, Array] | None:
    """A part's arrays; None where it is not there or not whole."""
    try:
        with part.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except Exception:  # zipfile and NumPy raise half a dozen kinds on a file cut short
        return None


def _run(chunks: list[_Chunk], codec_name: str, keep_all: bool, workers: int) -> Iterator[tuple[int, int]]:
    """Work on the chunks, on this process or on several; yields each one's (files, segments)."""
    if workers == 1 or len(chunks) <= 1:
        for chunk in chunks:
            yield _work(chunk, codec_name, keep_all)
        return
    context = multiprocessing.get_context("spawn")  # safe beside threads, the same on every system
    # An interrupt is for this process to handle: the workers finish the chunk they are at.
    ignore = (signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(min(workers, len(chunks)), context, signal.signal, ignore) as pool:
        waiting = {pool.submit(_work, chunk, codec_name, keep_all) for chunk in chunks}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BrokenProcessPool:
            raise FadernetsError(
                "a worker was ended from outside (out of memory?); run again to go on, with fewer workers"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


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
    """Prepare corpora into the data set `out`. Raises FadernetsError.

    roots: corpus name -> its folder or the folder that holds it. workers: processes, all cores by default.
    """
    out, row = Path(out), codec_table.find(codec)
    if not roots:
        raise FadernetsError(f"no corpus is named; allowed: {', '.join(CORPORA)}")
    if row.melodic:
        if keep_all:
            raise FadernetsError("keep-all: is for segments; of melodies every clip with an onset is kept")
        if none := [name for name in roots if CORPORA[name].melodies is None]:
            raise FadernetsError(f"corpus {', '.join(none)}: has no track that is known to be a melody")
    if workers is not None and workers < 1:
        raise FadernetsError(f"{workers} workers; at least 1")
    check_target(out)
    parts = out / PARTS
    listed: list[tuple[str, list[Source]]] = []
    for name, root in roots.items():
        own = find_root(name, Path(root))
        sources = CORPORA[name].sources(own)
        if not sources:
            raise FadernetsError(f"{own}: no MIDI file of corpus {name!r} there")
        listed.append((name, sources))
    try:
        parts.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FadernetsError(f"{out}: cannot be written ({error.strerror or error})") from None
    chunks = [c for name, sources in listed for c in _chunks(name, sources, parts, row, keep_all)]
    todo: list[_Chunk] = []
    done, kept, total = 0, 0, sum(len(chunk.sources) for chunk in chunks)
    for chunk in chunks:
        part = _load(chunk.part)
        if part is None:
            todo.append(chunk)
        else:
            done, kept = done + len(chunk.sources), kept + len(part["key"])
    for files, more in _run(todo, row.name, keep_all, workers or os.cpu_count() or 1):
        done, kept = done + files, kept + more
        if progress:
            progress(done, total, kept)
    return _assemble(chunks, list(roots), out, row, seed, keep_all)


def _assemble(chunks: list[_Chunk], names: list[str], out: Path, codec: Codec, seed: int, keep_all: bool) -> Dataset:
    """Put the parts together, number the pieces, write the data set."""
    columns: dict[str, list[Array]] = {}
    pieces: list[dict[str, str]] = []
    piece_of: list[NDArray[np.int32]] = []
    splits: list[int] = []
    skipped: list[dict[str, str]] = []
    counts: dict[str, Counter[str]] = {name: Counter() for name in names}
    dropped: dict[str, Counter[str]] = {name: Counter() for name in names}
    for chunk in chunks:
        part = _load(chunk.part)
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
        why = Counter(entry["reason"] for entry in skipped).most_common(1)
        raise FadernetsError(f"no segment was kept{f' ({why[0][0]})' if why else ''}; nothing was written")
    arrays = {name: np.concatenate(some) for name, some in columns.items()}
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
