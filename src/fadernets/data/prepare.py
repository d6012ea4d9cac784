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
from fadernets.attributes.keys import estimate
from fadernets.attributes.of_cells import key
from fadernets.attributes.table import CODED, measure
from fadernets.codecs import grid, melody_states, performance_tokens
from fadernets.codecs import melody_clips as clip_codec
from fadernets.data.corpora import CORPORA, Item, Source, find_root, split_of
from fadernets.data.dataset import (
    CODECS,
    FORMAT,
    MEASURED,
    OF_CODEC,
    PARTS,
    SPLITS,
    Dataset,
    check_target,
    write_dataset,
)
from fadernets.errors import FadernetsError
from fadernets.music.notes import Piece
from fadernets.music.segments import Windows, cut
from fadernets.music.smf import MAX_BEATS

CHUNK = 16  # files
MIN_PITCHES = 3
MIN_SOUNDING = 12  # steps of 16

FILTER = (
    "A segment has a note, more than 2 distinct pitches, sound on at least 12 of 16 steps, an onset on the "
    "first step and at most 100 tokens, EOS counted; a labelled one needs the pitches and the tokens alone. "
    "With keep_all a note is enough (and 100 tokens where tokens are stored). On the grid a segment counts 2 "
    "tokens a note (one held in is a note), one a step boundary at which something changes, and EOS. With tokens "
    "a note held into the first step counts as sounding there and as its onset."
)

MELODY_FILTER = "Two bars of 4/4, or four of 2/4, from every bar on, in which a note begins: clips overlap."


def filter_of(codec: str) -> str:
    """What a segment has to have."""
    return MELODY_FILTER if codec == "melody" else FILTER


Progress = Callable[[int, int, int], None]  # files done, files in all, segments kept so far


@dataclass(frozen=True)
class PreparedSegments:
    """The segments of one piece that passed the filter. S segments."""

    codes: NDArray[Any]
    attributes: NDArray[np.float32]  # [S, A]
    key: NDArray[np.uint8]
    arousal: NDArray[np.float32]
    valence: NDArray[np.float32]
    index: NDArray[np.int32]
    seconds: NDArray[np.float32]  # 0 on the grid, which does not know them
    dropped: Counter[str]  # reason -> windows


def grid_token_count(cells: NDArray[np.uint8]) -> NDArray[np.int64]:
    """[W] about how many performance tokens cells [W, 16, 88] would take; see FILTER for what is counted."""
    onset, sounds = cells == grid.ONSET, cells != grid.OFF
    notes = onset.sum(axis=(1, 2)) + (cells[:, 0] == grid.HOLD).sum(axis=1)
    # What follows each step: the next one, and silence behind the last.
    changes = onset[:, 1:] | (sounds[:, 1:] != sounds[:, :-1])
    shifts = changes.any(axis=2).sum(axis=1) + sounds[:, -1].any(axis=1)
    return 2 * notes + shifts + 1


def failures(
    cells: NDArray[np.uint8],
    heard: NDArray[np.uint8],
    token_count: NDArray[np.int64],
    labelled: NDArray[np.bool_],
    keep_all: bool,
) -> dict[str, NDArray[np.bool_]]:
    """Reason -> [W] windows that fail it, in the order in which a window is asked.

    cells [W, 16, 88] is what the codes hold, heard what sounds there: with tokens, which hold the notes that
    begin in a window, notes held in as well. A performance has no beat for an onset to fall on, so that there
    a first step that sounds is enough.
    """
    steps = (heard != grid.OFF).any(axis=2)
    first = (heard[:, 0] == grid.ONSET).any(axis=1) if heard is cells else steps[:, 0]
    pitches = (cells != grid.OFF).any(axis=1).sum(axis=1)
    strict = ~labelled & (not keep_all)
    return {
        "no note": ~(cells != grid.OFF).any(axis=(1, 2)),
        "2 pitches or fewer": (pitches < MIN_PITCHES) & (not keep_all),
        "under 75 % sounding": (steps.sum(axis=1) < MIN_SOUNDING) & strict,
        "no onset on the first step": ~first & strict,
        "more than 100 tokens": (token_count > performance_tokens.MAX_TOKENS) & (not keep_all),
    }


def segments(item: Item, codec: str = "grid", keep_all: bool = False) -> PreparedSegments:
    """Cut a piece, encode its full windows and keep those that pass the filter."""
    piece = item.piece
    if piece.end > MAX_BEATS * piece.tpq:
        raise FadernetsError(f"{piece.end // piece.tpq} beats long; at most {MAX_BEATS} are read")
    windows = cut(piece)
    index = np.flatnonzero(windows.full)
    if codec == "melody":
        return melody_clips(item)
    if codec == "tokens":
        codes, token_count, seconds = window_tokens(piece, windows)
        cells, heard = performance_tokens.cells(codes, seconds), grid.encode(piece, windows)
    else:
        cells = heard = grid.encode(piece, windows)
        token_count, seconds = grid_token_count(cells), np.zeros(len(cells), np.float32)
        codes = np.empty((len(cells), 0), np.uint8)
    arousal, valence = _labels(item, index)
    failed = failures(cells, heard, token_count, np.isfinite(arousal), keep_all)
    if codec == "tokens":
        failed["more than 100 tokens"] = token_count > performance_tokens.MAX_TOKENS
    keep = np.ones(len(cells), bool)
    dropped: Counter[str] = Counter()
    for reason, fails in failed.items():
        dropped[reason] += int((keep & fails).sum())
        keep &= ~fails
    kept = cells[keep]
    values = measure(kept)
    return PreparedSegments(
        codes[keep] if codec == "tokens" else grid.pack(kept),
        np.stack([values[name] for name in CODED], axis=1).astype(np.float32),
        key(kept),
        arousal[keep],
        valence[keep],
        index[keep].astype(np.int32),
        seconds[keep],
        dropped,
    )


def melody_clips(item: Item) -> PreparedSegments:
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
        tune = clip_codec.read(piece, track, regrid=True, windows=cut(piece))
        at, bar = clip_codec.bar_steps(piece, tune.windows)
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


def _labels(item: Item, index: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """[W] arousal and valence of these windows, NaN without a label."""
    labels = item.labels
    arousal, valence = np.full((2, len(index)), np.nan, np.float32)
    if labels is not None:
        has = index < min(len(labels.arousal), len(labels.valence))
        arousal[has], valence[has] = labels.arousal[index[has]], labels.valence[index[has]]
    return arousal, valence


# The tokens codec: a window holds the notes that begin in it, by their exact onset. A note held over ends
# with its window and is left out of the next.


def window_tokens(piece: Piece, windows: Windows) -> tuple[NDArray[np.uint16], NDArray[np.int64], NDArray[np.float32]]:
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


def _chunks(name: str, sources: list[Source], parts: Path, codec: str, keep_all: bool) -> Iterator[_Chunk]:
    """The part's name holds a hash of all that its content depends on."""
    for start in range(0, len(sources), CHUNK):
        some = sources[start : start + CHUNK]
        digest = hashlib.blake2b(digest_size=12)
        digest.update(repr((FORMAT, __version__, filter_of(codec), MEASURED[codec], name, codec, keep_all)).encode())
        for source in some:
            try:
                stat = source.path.stat()
                digest.update(repr((source.piece_id, stat.st_size, stat.st_mtime_ns)).encode())
            except OSError:
                digest.update(repr((source.piece_id, None)).encode())
            if source.labels is not None:
                digest.update(source.labels.arousal.tobytes() + source.labels.valence.tobytes())
        yield _Chunk(name, some, parts / f"{name}-{start // CHUNK:05d}-{digest.hexdigest()}.npz")


def _read(corpus: str, source: Source, codec: str) -> Item:
    row = CORPORA[corpus]
    if codec != "melody":
        return row.read(source)
    if row.melodies is None:
        raise FadernetsError(f"corpus {corpus!r} has no track that is known to be a melody")
    return row.melodies(source)


def _work(chunk: _Chunk, codec: str, keep_all: bool) -> tuple[int, int]:
    """Read a chunk's files and write its part. Returns (files, segments)."""
    dtype, columns = CODECS[codec]
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
        "codes": (dtype, (0, columns)),
        "attributes": (np.dtype(np.float32), (0, len(MEASURED[codec]))),
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
    temporary = chunk.part.with_name(f"{chunk.part.stem}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            np.savez(stream, allow_pickle=False, files=np.array(json.dumps(files)), **arrays)
        os.replace(temporary, chunk.part)
    except OSError as error:
        raise FadernetsError(f"{chunk.part}: cannot be written ({error.strerror or error})") from None
    return len(chunk.sources), len(arrays["key"])


def _load(part: Path) -> dict[str, NDArray[Any]] | None:
    """A part's arrays; None where it is not there or not whole."""
    try:
        with part.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except Exception:  # zipfile and NumPy raise half a dozen kinds on a file cut short
        return None


def _run(chunks: list[_Chunk], codec: str, keep_all: bool, workers: int) -> Iterator[tuple[int, int]]:
    """Work on the chunks, on this process or on several; yields each one's (files, segments)."""
    if workers == 1 or len(chunks) <= 1:
        for chunk in chunks:
            yield _work(chunk, codec, keep_all)
        return
    context = multiprocessing.get_context("spawn")  # safe beside threads, the same on every system
    # An interrupt is for this process to handle: the workers finish the chunk they are at.
    ignore = (signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(min(workers, len(chunks)), context, signal.signal, ignore) as pool:
        waiting = {pool.submit(_work, chunk, codec, keep_all) for chunk in chunks}
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
    out = Path(out)
    if codec not in CODECS:
        raise FadernetsError(f"codec {codec!r} is not known; allowed: {', '.join(CODECS)}")
    if not roots:
        raise FadernetsError(f"no corpus is named; allowed: {', '.join(CORPORA)}")
    if codec == "melody":
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
    chunks = [c for name, sources in listed for c in _chunks(name, sources, parts, codec, keep_all)]
    todo: list[_Chunk] = []
    done, kept, total = 0, 0, sum(len(chunk.sources) for chunk in chunks)
    for chunk in chunks:
        part = _load(chunk.part)
        if part is None:
            todo.append(chunk)
        else:
            done, kept = done + len(chunk.sources), kept + len(part["key"])
    for files, more in _run(todo, codec, keep_all, workers or os.cpu_count() or 1):
        done, kept = done + files, kept + more
        if progress:
            progress(done, total, kept)
    return _assemble(chunks, list(roots), out, codec, seed, keep_all)


def _assemble(chunks: list[_Chunk], names: list[str], out: Path, codec: str, seed: int, keep_all: bool) -> Dataset:
    """Put the parts together, number the pieces, write the data set."""
    columns: dict[str, list[NDArray[Any]]] = {}
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
        for name in ("codes", "attributes", "key", "arousal", "valence", "index", *OF_CODEC[codec]):
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
        "codec": codec,
        "corpora": names,
        "seed": seed,
        "filter": filter_of(codec),
        "keep_all": keep_all,
        "attributes": list(MEASURED[codec]),
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
