"""Timings on one core (make bench). Targets stand beside each; docs/results.md holds what was measured."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import mido
import numpy as np
import pytest

from fadernets import decoding, grid
from fadernets.decoding import Request
from fadernets.engine import Engine

pytestmark = pytest.mark.bench


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.open().load()


def segments(count: int) -> np.ndarray:
    """Cells of a busy two-hand texture: eighths in the left hand, a melody above."""
    random = np.random.default_rng(0)
    rows = []
    for _ in range(count):
        notes = [(t, t + 2, int(36 + random.integers(0, 20))) for t in range(0, 16, 2)]
        notes += [(t, t + 4, int(64 + random.integers(0, 20))) for t in range(0, 16, 4)]
        rows.append(grid.from_notes(np.array(notes)))
    return np.stack(rows)


def song(path: Path, bars: int) -> Path:
    """A MIDI file of that many bars of 4/4 in the same texture."""
    file = mido.MidiFile(ticks_per_beat=480)
    events = []
    for bar, cells in enumerate(segments(bars)):
        for onset, end, pitch in grid.decode(cells).tolist():
            events += [
                ((bar * 16 + onset) * 120, "note_on", pitch),
                ((bar * 16 + end) * 120 - 5, "note_off", pitch),
            ]
    track, now = mido.MidiTrack(), 0
    for tick, kind, pitch in sorted(events):
        track.append(mido.Message(kind, note=pitch, velocity=70 if kind == "note_on" else 0, time=tick - now))
        now = tick
    file.tracks.append(track)
    file.save(path)
    return path


@pytest.mark.parametrize("count", [1, 16], ids=["1-segment", "16-segments"])
def test_encode_and_free_decode(benchmark, engine, count):
    """Targets: 1 segment 10 ms, 16 segments 30 ms."""
    cells = segments(count)
    benchmark(lambda: decoding.free(engine, decoding.look(engine, cells), Request()))


@pytest.mark.parametrize("count", [1, 16], ids=["1-segment", "16-segments"])
def test_whole_edit(benchmark, engine, count):
    """Encode, search, measure. Targets: 1 segment 20 ms, 16 segments 120 ms."""
    cells = segments(count)
    request = Request({"rhythm_density": np.full(count, 0.75)})
    benchmark(lambda: decoding.edit(engine, cells, request))


def test_cold_apply_of_32_bars(benchmark, tmp_path):
    """A fresh process from start to written file. Target: 1.5 s."""
    source = song(tmp_path / "song.mid", 32)
    command = [sys.executable, "-m", "fadernets.cli", "apply", str(source), str(tmp_path / "out.mid")]
    command += ["--move", "rhythm-density=0.2", "--json"]
    benchmark.pedantic(lambda: subprocess.run(command, check=True, capture_output=True), rounds=5)


def test_prepare(benchmark, tmp_path):
    """Segments a second on the machine's cores. Target: 5,000 on two."""
    from fadernets.prepare import prepare

    for i in range(200):
        song(tmp_path / f"{i}.mid", 100)
    began = time.perf_counter()
    data = benchmark.pedantic(lambda: prepare({"folder": tmp_path}, tmp_path / "data"), rounds=1)
    benchmark.extra_info["segments_per_second"] = round(len(data) / (time.perf_counter() - began))
    print(f"\nprepare: {benchmark.extra_info['segments_per_second']} segments a second on {os.cpu_count()} cores")


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_training_step(benchmark, precision):
    """One step of the shipped recipe's model at batch 128, forward, backward and update."""
    import torch

    from fadernets import recipes
    from fadernets.batches import Sampler
    from fadernets.models import build

    recipe = recipes.load(Path(__file__).parents[1] / "recipes" / "music-fadernets.yaml")
    torch.set_num_threads(1)
    planes = torch.from_numpy(np.stack([segments(128) == 1, segments(128) == 2], 1).astype(np.float32))
    zeros = torch.zeros(128, dtype=torch.int64)
    batch = Sampler.finish(planes, planes, None, zeros, zeros, zeros - 1)
    model = build(recipe.name, recipe.model).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
            loss = model.loss(batch, 0, 100)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    benchmark.pedantic(step, rounds=10, warmup_rounds=2)
