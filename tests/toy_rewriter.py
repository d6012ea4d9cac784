"""A tiny rewriter with random weights, exported, and made-up pieces on their grid."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from fadernets.arrays import Cells, Floats, Integers
from fadernets.data.passages import GridPiece, Steps, cells_of, on_grid, segment_ends
from fadernets.decoding.rewrite_task import Locks, RewriteTask
from fadernets.engines.model_folder import FORMAT
from fadernets.engines.rewriter import RewriterEngine
from fadernets.music.notes import MetreMap, Piece, TempoMap, Track, make_notes

TPQ = 480


def folder_of(model: object, folder: Path) -> Path:
    """Write a model folder with the graphs of a network."""
    from fadernets.fitting import onnx_builder, onnx_rewriter

    folder.mkdir(parents=True, exist_ok=True)
    graphs = onnx_rewriter.graphs(onnx_builder.weights_of(model), model.size)  # type: ignore[attr-defined]
    hashes = onnx_builder.save(graphs, folder)
    info = {"format": FORMAT, "name": "toy", "codec": "grid", "kind": "rewriter", "size": model.size.as_dict()}  # type: ignore[attr-defined]
    (folder / "model.json").write_text(json.dumps({**info, "sha256": hashes}))
    return folder


def toy_network(seed: int = 0) -> object:
    """A small network."""
    import torch

    from fadernets.models.rewriter import Rewriter, RewriterSize

    torch.manual_seed(seed)
    return Rewriter(RewriterSize(width=32, heads=2, inner=48, encoder=1, decoder=2, chain=32)).eval()


def toy_engine(folder: Path) -> RewriterEngine:
    """The same, exported."""
    folder = folder_of(toy_network(), folder)
    return RewriterEngine(folder, json.loads((folder / "model.json").read_text()))


def made_piece(metre: tuple[int, int] = (4, 4), bars: int = 12, seed: int = 0, triplets: bool = False) -> Piece:
    """Chords and a melody in two tracks, the second four bars as the first, the third a fourth higher."""
    rng = np.random.default_rng(seed)
    beats = metre[0] * 4 // metre[1] if metre[1] == 4 else metre[0] * 2 // 4
    length = metre[0] * 4 * TPQ // metre[1]
    unit = TPQ // 3 if triplets else TPQ // 4
    bar_notes = []
    for _ in range(4):
        notes = []
        for onset in sorted(rng.choice(length // unit, size=beats + 2, replace=False).tolist()):
            for pitch in rng.choice(np.arange(40, 65), size=rng.integers(1, 4), replace=False).tolist():
                notes.append((onset * unit, min(onset * unit + unit * int(rng.integers(1, 5)), length), pitch, 1))
        notes += [(k * TPQ, (k + 1) * TPQ, int(rng.integers(70, 80)), 0) for k in range(length // TPQ)]
        bar_notes.append(notes)
    rows = [
        (bar * length + a, bar * length + b, pitch + (5 if 8 <= bar < 12 else 0), 80, track)
        for bar in range(bars)
        for a, b, pitch, track in bar_notes[bar % 4]
    ]
    tracks = [Track("MELODY", 0, 0), Track("PIANO", 1, 0)]
    return Piece(make_notes(rows), TPQ, TempoMap.of([], TPQ), MetreMap.of([(0, *metre)], TPQ), tracks)


def made_grid_piece(
    metre: tuple[int, int] = (4, 4), bars: int = 12, seed: int = 0, triplets: bool = False
) -> GridPiece:
    """The same on its grid."""
    return on_grid(made_piece(metre, bars, seed, triplets), "made", "pop909", 0, ("melody", "piano"))


def task_of(
    piece: GridPiece,
    onsets: int = 0,
    voices: float = 0.0,
    locks: Locks | None = None,
    tracks: tuple[int, ...] = (0, 1),
    **options: object,
) -> RewriteTask:
    """Every segment of a piece moved by so many onset steps and voices, as far as there is room."""
    ends = segment_ends(piece.steps)
    steps = int(ends[-1])
    roll = piece.roll(tracks, 0, steps)
    others = [t for t in range(len(piece.roles)) if t not in tracks]
    context = piece.roll(others, 0, steps) if others else np.zeros_like(roll)
    edited = np.flatnonzero(np.add.reduceat((roll == 1).any(-1), ends[:-1]) > 0)
    locks = locks or Locks.none(steps)
    task = RewriteTask(roll, context, piece.steps, edited, edited, edited, locks, **options)  # type: ignore[arg-type]
    own_onsets, own_voices = task.measured()
    asked = np.clip(own_onsets + onsets, 1, np.diff(ends))[edited]
    asked_voices = np.clip(own_voices + voices, own_onsets / np.diff(ends), 12)[edited]
    return RewriteTask(roll, context, piece.steps, edited, asked, asked_voices, locks, **options)  # type: ignore[arg-type]


def levels(task: RewriteTask, roll: Cells) -> tuple[Integers, Floats]:
    """Onset steps and voices of the edited segments of a roll."""
    new = RewriteTask(roll, task.context, task.steps, task.edited, task.onsets, task.voices, task.locks)
    onsets, voices = new.measured()
    return onsets[task.edited], voices[task.edited]


__all__ = [
    "Steps",
    "cells_of",
    "folder_of",
    "levels",
    "made_grid_piece",
    "made_piece",
    "task_of",
    "toy_engine",
    "toy_network",
]
