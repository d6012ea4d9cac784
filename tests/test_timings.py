"""Timings on one core (make bench). Targets stand beside each; docs/results holds what was measured.

A timing fails where it takes SLACK times its target, which no machine explains, and where what was timed is not right.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import mido
import numpy as np
import pytest

from fadernets.attributes import of_cells
from fadernets.codecs import grid, melody_clips
from fadernets.decoding import candidate_choice, segment_decoding, segment_requests
from fadernets.decoding.edit_models import EditModel, open_edit_model
from fadernets.decoding.segment_requests import SegmentRequest
from fadernets.editing import file_edit as piece_edit
from fadernets.editing.beyond_model import FaderTargets, apply_targets
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.requests import Faders
from fadernets.engines.grid import Engine
from fadernets.engines.melody import MelodyEngine
from fadernets.evaluation import melody_paper_figures
from fadernets.melodies import blend, file_edit
from fadernets.melodies.knob_settings import Knobs
from fadernets.metrics import fader_scores
from fadernets.music.document import Document

# Processor time, so that other programs on the machine count little; by the clock where other processes do the work.
pytestmark = [pytest.mark.bench, pytest.mark.benchmark(timer=time.process_time)]
BY_THE_CLOCK = pytest.mark.benchmark(timer=time.perf_counter)
SLACK = 3  # times its target: machines differ, and other programs share its caches
# How many times as fast as the stand-in for the authors' code a training step over tokens is, at least: in bf16 on a
# core with AMX, and in 32 bit on one without.
FASTER_ON_AMX, FASTER_IN_32_BIT = 4.0, 1.2


def assert_within(benchmark, target: float) -> None:
    """The quickest round took no more than SLACK times the target in seconds."""
    assert benchmark.stats["min"] <= SLACK * target, f"{benchmark.stats['min']:.3f} s, target {target} s"


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
    out = benchmark(
        lambda: segment_decoding.free_decode(engine, segment_requests.encode_segments(engine, cells), SegmentRequest())
    )
    assert fader_scores.note_f1(out, cells).mean() > 0.8
    assert_within(benchmark, {1: 0.010, 16: 0.030}[count])


@pytest.mark.parametrize(
    "sampled", [segment_requests.SAMPLED_WHILE_DRAGGING, segment_requests.SAMPLED_FOR_EDIT], ids=["quick", "full"]
)
@pytest.mark.parametrize("count", [1, 16, 32], ids=["1-segment", "16-segments", "32-segments"])
def test_whole_edit(benchmark, engine, count, sampled):
    """By the paper's model: encode, search, measure. Targets, full or quick (while a fader is dragged): 1 segment 20
    ms, 16 segments 120 ms, 32 segments 160 ms."""
    cells = segments(count)
    request = SegmentRequest({"rhythm_density": np.full(count, 0.75)}, sampled=sampled)
    out = benchmark(lambda: candidate_choice.edit_segments(engine, cells, request))
    assert of_cells.rhythm_density(out).tolist() == [0.75] * count
    assert_within(benchmark, {1: 0.020, 16: 0.120, 32: 0.160}[count])


@pytest.fixture(scope="module")
def rewriter() -> EditModel:
    return open_edit_model("rewriter")


@pytest.mark.parametrize("quick", [False, True], ids=["full", "quick"])
@pytest.mark.parametrize("bars", [1, 8, 16, 32], ids=lambda bars: f"{bars}-bars")
def test_whole_edit_by_the_rewriter(benchmark, tmp_path, rewriter, bars, quick):
    """By the default model, from a piece in memory to the bytes of the file and its report: `fadernets apply` without
    the start of a process. Targets: 1 bar 20 ms, up to 32 bars 200 ms. While a fader is dragged (quick) 80 ms were
    asked, which 32 bars do not reach: the page edits those in sight first (`tests/studio/test_page_timings.py`)."""
    document = Document(song(tmp_path / "song.mid", bars))
    faders = Faders(move={"rhythm_density": 0.2})
    edited = benchmark(lambda: piece_edit.edit_document(rewriter, document, faders, quick=quick))[0]
    found = [segment.measured["rhythm_density"] for segment in edited.report.segments]
    np.testing.assert_allclose(found, 0.7, atol=1 / 16)  # from eighths, .5
    assert_within(benchmark, 0.020 if bars == 1 else 0.200)


@pytest.mark.parametrize("name", ["syncopation", "pitch", "dynamics", "articulation", "tempo"])
def test_a_fader_beyond_the_model(benchmark, tmp_path, name):
    """One fader over 32 bars of a piece in memory, to the bytes of the file. Target: 100 ms."""
    document = Document(song(tmp_path / "song.mid", 32))
    score = PieceOnGrid.of(document.piece, [0])
    by = {"syncopation": 2.0, "pitch": 2.0, "dynamics": 10.0, "articulation": -0.2, "tempo": 10.0}[name]
    values = score.measure(score.full)[name] + by
    wishes = FaderTargets(cells={name: values}) if name == "syncopation" else FaderTargets(windows={name: values})
    data = benchmark(lambda: apply_targets(document, score, score.full, wishes, {}))
    assert data != document.path.read_bytes()
    assert_within(benchmark, 0.1)


@pytest.fixture(scope="module")
def singer() -> MelodyEngine:
    return MelodyEngine.open().load()


@pytest.mark.parametrize("knob", ["pitch", "rhythm"])
def test_an_edit_of_the_theme(benchmark, singer, tmp_path, knob):
    """K. 265's theme, 24 bars of 2/4, from file to file. Target: 30 ms."""
    knobs = Knobs(pitch=3.0) if knob == "pitch" else Knobs(rhythm=1.0)
    benchmark(
        lambda: file_edit.edit_melody(singer, melody_paper_figures.asset("k265.mid"), tmp_path / "out.mid", knobs)
    )
    assert (tmp_path / "out.mid").read_bytes() != melody_paper_figures.asset("k265.mid").read_bytes()
    assert_within(benchmark, 0.030)


def test_a_blend_of_the_theme(benchmark, singer):
    """5 x 5 cells between the theme and the melody of K. 545, all of the theme's clips. Target: 300 ms."""
    sides = []
    for name in ("k265.mid", "k545.mid"):
        piece = Document(melody_paper_figures.asset(name)).piece
        sides.append(melody_clips.read(piece, melody_clips.choose_track(piece)).clips[:6])
    cells = benchmark(lambda: blend.interpolate(singer, sides[0], sides[1], 5, 5))
    assert len(np.unique(cells.reshape(25, -1), axis=0)) == 25
    assert_within(benchmark, 0.300)


@BY_THE_CLOCK
def test_cold_apply_of_32_bars(benchmark, tmp_path):
    """A fresh process from start to written file. Target: 1.5 s."""
    source = song(tmp_path / "song.mid", 32)
    command = [sys.executable, "-m", "fadernets.cli", "apply", str(source), str(tmp_path / "out.mid")]
    command += ["--move", "rhythm-density=0.2", "--json"]
    benchmark.pedantic(lambda: subprocess.run(command, check=True, capture_output=True), rounds=5)
    assert (tmp_path / "out.mid").read_bytes() != source.read_bytes()
    assert_within(benchmark, 1.5)


@BY_THE_CLOCK
def test_prepare(benchmark, tmp_path):
    """Segments a second on the machine's cores. Target: 5,000 on two."""
    from fadernets.data.prepare import prepare

    for i in range(200):
        song(tmp_path / f"{i}.mid", 100)
    began = time.perf_counter()
    data = benchmark.pedantic(lambda: prepare({"folder": tmp_path}, tmp_path / "data"), rounds=1)
    assert len(data) == 200 * 100
    benchmark.extra_info["segments_per_second"] = round(len(data) / (time.perf_counter() - began))
    assert_within(benchmark, 20_000 / 5_000)
    print(f"\nprepare: {benchmark.extra_info['segments_per_second']} segments a second on {os.cpu_count()} cores")


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_training_step(benchmark, precision):
    """One step of the shipped recipe's model at batch 128, forward, backward and update. The loss falls."""
    import torch

    from fadernets.data.batches import grid_batch
    from fadernets.models import build
    from fadernets.training import recipes

    recipe = recipes.load(Path(__file__).parents[1] / "recipes" / "music-fadernets.yaml")
    torch.set_num_threads(1)
    planes = torch.from_numpy(np.stack([segments(128) == 1, segments(128) == 2], 1).astype(np.float32))
    zeros = torch.zeros(128, dtype=torch.int64)
    batch = grid_batch(planes, planes, None, zeros, zeros, zeros - 1)
    model = build(recipe.name, recipe.model).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
            loss = model.loss(batch, 0, 100)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    losses: list[float] = []
    benchmark.pedantic(step, rounds=10, warmup_rounds=2)
    assert losses[-1] < losses[0]


# --- Table 1's models over tokens


def performances(rows: int) -> tuple[object, object]:
    """Token rows of made-up performances and their lengths, spread as MAESTRO's two-second segments are (mean 61)."""
    import torch

    random = torch.Generator().manual_seed(0)
    lengths = torch.randint(21, 101, (rows,), generator=random)
    tokens = torch.randint(2, 342, (rows, 100), generator=random)
    place = torch.arange(100)
    tokens[place == lengths[:, None] - 1] = 1
    tokens[place >= lengths[:, None]] = 0
    return tokens, lengths


def has_amx() -> bool:
    """Whether the core multiplies matrices of bf16 in hardware."""
    flags = Path("/proc/cpuinfo")
    return flags.is_file() and "amx_bf16" in flags.read_text()


def our_step(size: str):
    """One step of fadernets-gmvae at that size as `fadernets train` takes it: batch 128, bf16 on AMX, else 32 bit.

    Without AMX bf16 is slower than 32 bit, also on a core with avx512_bf16: there, `--set precision=32-true`.
    """
    import torch

    from fadernets.data.batches import Batch
    from fadernets.models import build
    from fadernets.training import recipes

    recipe = recipes.load(Path(__file__).parents[1] / "recipes" / "fadernets-gmvae.yaml", size=size)
    tokens, lengths = performances(128)
    random = torch.Generator().manual_seed(1)
    batch = Batch(
        inputs=tokens,
        lengths=lengths,
        targets=tokens,
        paired=None,
        key=torch.eye(24)[torch.randint(24, (128,), generator=random)],
        label=torch.full((128,), -1),
        symbols={
            "rhythm_density": torch.randint(3, (128, 16), generator=random),
            "note_density": torch.randint(16, (128, 16), generator=random),
        },
        values=torch.rand(128, 2, generator=random),
        target_values=torch.rand(128, 2, generator=random),
    )
    model = build(recipe.name, recipe.model, "tokens").train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    fast = has_amx()

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=fast):
            loss = model.loss(batch, 50, 100)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def authors_step():
    """A stand-in for the authors' step at hidden 512: one-hot inputs padded to 100, GRU cells called token by token
    in a loop for every decoder, 32 bit. Same layers, same batch; nothing of theirs is copied."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    hidden, z, words = 512, 128, 342
    tokens, _ = performances(128)
    one_hot = F.one_hot(tokens, words).float()
    sizes = {"rhythm": 3, "note": 16}
    symbols = {n: torch.randint(c, (128, 16), generator=torch.Generator().manual_seed(0)) for n, c in sizes.items()}
    key = torch.eye(24)[torch.arange(128) % 24]
    parts = nn.ModuleDict()
    for name, classes in sizes.items():
        parts[f"{name}_encoder"] = nn.GRU(words, hidden, bidirectional=True, batch_first=True)
        parts[f"{name}_mean"], parts[f"{name}_spread"] = nn.Linear(2 * hidden, z), nn.Linear(2 * hidden, z)
        parts[f"{name}_start"] = nn.Linear(z, hidden)
        parts[f"{name}_cell"] = nn.GRUCell(z + classes, hidden)
        parts[f"{name}_out"] = nn.Linear(hidden, classes)
    parts["start"] = nn.Linear(2 * z + 24, hidden)
    parts["cell1"], parts["cell2"] = nn.GRUCell(words + 2 * z + 24, hidden), nn.GRUCell(hidden, hidden)
    parts["out"] = nn.Linear(hidden, words)
    optimizer = torch.optim.Adam(parts.parameters(), lr=1e-3)

    def step() -> None:
        codes, loss = [], torch.zeros(())
        for name, classes in sizes.items():
            _, last = parts[f"{name}_encoder"](one_hot)
            last = torch.cat([last[0], last[1]], -1)
            mean, spread = parts[f"{name}_mean"](last), parts[f"{name}_spread"](last).exp()
            code = mean + spread * torch.randn_like(mean)
            codes.append(code)
            state, target = torch.tanh(parts[f"{name}_start"](code)), F.one_hot(symbols[name], classes).float()
            for t in range(16):
                state = parts[f"{name}_cell"](torch.cat([code, target[:, t]], -1), state)
                loss = loss + F.cross_entropy(parts[f"{name}_out"](state), symbols[name][:, t])
            loss = loss + 0.5 * (mean**2 + spread**2 - 2 * spread.log() - 1).mean()
            loss = loss + F.mse_loss(torch.tanh(code[:, 0] - code[:, :1]), torch.zeros(128, 128))
        given = torch.cat([*codes, key], -1)
        one = two = torch.tanh(parts["start"](given))
        before = torch.zeros(128, words)
        for t in range(100):
            one = parts["cell1"](torch.cat([before, given], -1), one)
            two = parts["cell2"](one, two)
            loss = loss + F.cross_entropy(parts["out"](two), tokens[:, t])
            before = one_hot[:, t]
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parts.parameters(), 1)
        optimizer.step()

    return step


def quickest(step, rounds: int = 3) -> float:
    """Seconds of processor time of the quickest of some calls, after one that does not count."""
    step()
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        step()
        seconds.append(time.process_time() - start)
    return min(seconds)


def test_token_training_step(benchmark):
    """Batch 128, hidden 512 on one core beside the stand-in for the authors' step, both timed here.

    Target: FASTER_ON_AMX times as fast on a core with AMX, else FASTER_IN_32_BIT times.
    """
    import torch

    torch.set_num_threads(1)
    authors = quickest(authors_step())
    benchmark.pedantic(our_step("paper"), rounds=3, warmup_rounds=1)
    target = FASTER_ON_AMX if has_amx() else FASTER_IN_32_BIT
    found = authors / benchmark.stats["min"]
    print(f"\nthe stand-in takes {authors:.2f} s: {found:.1f} times as long; target {target}")
    assert found >= target


def test_a_small_token_training_step(benchmark):
    """Batch 128, hidden 256. Target: 1.3 s."""
    import torch

    torch.set_num_threads(1)
    benchmark.pedantic(our_step("small"), rounds=3, warmup_rounds=1)
    assert_within(benchmark, 1.3)


def test_one_fader_of_table_1(benchmark):
    """100 segments x 8 levels x 10 runs, decoded and measured, at the small size. Target: 30 s."""
    import torch

    from fadernets.attributes.table import measure
    from fadernets.models import build
    from fadernets.models.codings import TOKENS
    from fadernets.training import recipes

    torch.set_num_threads(1)
    recipe = recipes.load(Path(__file__).parents[1] / "recipes" / "fadernets-gmvae.yaml")
    torch.manual_seed(0)
    model = build(recipe.name, recipe.model, "tokens").eval()
    codes = {name: torch.randn(800, size) for name, size in model.sizes.items()}
    key, asked = torch.eye(24)[torch.arange(800) % 24], torch.zeros(800, 2)

    def fader() -> None:
        for _ in range(10):
            measure(TOKENS.cells(model.decode(codes, key, asked), 2.0))

    benchmark.pedantic(fader, rounds=1)
    assert_within(benchmark, 30)
