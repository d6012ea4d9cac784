"""Writes tests/vectors/rewriter.json: what the bundled rewriter makes of a small made-up piece, for ports to meet.

    python scripts/rewriter_vectors.py

is to be run again whenever the bundled model is exported anew, or passages are drawn in another way;
tests/decoding/test_rewriter_vectors.py fails until then. docs/explanation/rewriter.md says what the file holds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from fadernets.codecs.grid import PITCHES
from fadernets.data.passage_batches import CONTEXT, PassageBatch, Row, joined
from fadernets.data.passages import Steps, cells_of, on_grid
from fadernets.decoding import passage_choice, passage_landing
from fadernets.decoding.passage_drawing import Constraints, draw
from fadernets.decoding.passage_plan import alike, classes_nearby, passages, register
from fadernets.decoding.piece_rewriting import rewrite
from fadernets.decoding.rewrite_task import Locks, RewriteTask
from fadernets.engines.rewriter import Memory, RewriterEngine
from fadernets.music.notes import MetreMap, Piece, TempoMap, Track, make_notes

OUT = Path(__file__).parents[1] / "tests" / "vectors" / "rewriter.json"
DIGITS = 5  # behind the point
TOLERANCE = 0.1  # of outputs of graphs: inputs changed by 1e-5 of their size, which turns bytes over, move them by 0.07
UNSTEADY = 0.05  # largest change of what the decoder says under which the chosen seeds draw the same notes
TRIALS = 6  # of such changes
MOST_SEEDS = 200
TPQ = 480
BAR = 3 * TPQ
EDITED = np.array([1, 2, 3, 4])  # bars
SHOWN = (0, 5, 17, 30)  # steps of a passage whose encoder output is written
SHOWN_DRAWS = 2  # the chain's call that is written is the first that takes more


# --- arrays as JSON


def stored(array: Any) -> dict[str, Any]:
    """An array as JSON: its values in order, or of cells and flags those that are not 0, as [*index, value]."""
    array = np.asarray(array)
    head = {"dtype": str(array.dtype), "shape": list(array.shape)}
    if array.dtype in (np.uint8, np.bool_):
        at = np.argwhere(array)
        return {**head, "cells": [[*index, int(array[tuple(index)])] for index in at.tolist()]}
    values = array.ravel()
    if array.dtype.kind == "f":
        values = np.round(values.astype(np.float64), DIGITS)
    return {**head, "values": [int(v) if float(v).is_integer() else v for v in values.tolist()]}


def restored(entry: dict[str, Any]) -> Any:
    """The array that `stored` wrote."""
    if "values" in entry:
        return np.array(entry["values"], entry["dtype"]).reshape(entry["shape"])
    array = np.zeros(entry["shape"], entry["dtype"])
    for *index, value in entry["cells"]:
        array[tuple(index)] = value
    return array


def stored_all(arrays: dict[str, Any]) -> dict[str, Any]:
    """Several arrays by name."""
    return {name: stored(array) for name, array in arrays.items()}


def restored_all(entries: dict[str, Any]) -> dict[str, Any]:
    """The arrays that `stored_all` wrote."""
    return {name: restored(entry) for name, entry in entries.items()}


# --- an engine that is watched


class WatchedEngine(RewriterEngine):
    """The rewriter, with the calls of its graphs written down; `noise` changes what its decoder says a little."""

    calls: dict[str, list[tuple[dict[str, Any], list[Any]]]]
    noise: np.random.Generator | None = None

    @classmethod
    def bundled(cls) -> Self:
        """The bundled model."""
        engine = cls.open(cls.default)
        engine.calls = {}
        return engine

    def session(self, name: str) -> Any:
        """A graph that writes down its calls."""
        return _WatchedGraph(super().session(name), self.calls.setdefault(name, []), self.noise)


@dataclass
class _WatchedGraph:
    graph: Any
    calls: list[tuple[dict[str, Any], list[Any]]]
    noise: np.random.Generator | None

    def run(self, outputs: Any, feed: dict[str, Any]) -> list[Any]:
        """As the graph."""
        found = list(self.graph.run(outputs, feed))
        if self.noise is not None and "static" in feed:  # the decoder
            found[0] = (found[0] + self.noise.uniform(-UNSTEADY, UNSTEADY, found[0].shape)).astype(np.float32)
        self.calls.append(({k: np.array(v) for k, v in feed.items()}, found))
        return found


# --- what is asked


def made_piece() -> Piece:
    """Six bars of 3/4 in two tracks: two different bars, the second with triplets, twice, the last time transposed."""
    first = [(0, 2, 48), (0, 2, 64), (2, 4, 55), (4, 6, 60), (4, 6, 64), (6, 10, 52), (6, 8, 67), (10, 12, 65)]
    second = [(0, 2, 53), (2, 4, 57), (4, 6, 60), (6, 12, 48), (6, 12, 55), (6, 12, 64)]
    rows = []
    for bar, shift in enumerate((0, 0, 0, 0, 5, 5)):
        notes, unit = (second, TPQ // 6) if bar % 2 else (first, TPQ // 4)
        for onset, end, pitch in notes:
            rows.append((bar * BAR + onset * unit, bar * BAR + end * unit, pitch + shift, 80, 1))
        if bar % 2:
            rows += [(bar * BAR + 2 * TPQ, (bar + 1) * BAR, pitch + shift, 80, 1) for pitch in (48, 60)]
        rows.append((bar * BAR, (bar + 1) * BAR, 72 + shift, 80, 0))
    tracks = [Track("MELODY", 0, 0), Track("PIANO", 1, 0)]
    return Piece(make_notes(rows), TPQ, TempoMap.of([], TPQ), MetreMap.of([(0, 3, 4)], TPQ), tracks)


def made_task() -> RewriteTask:
    """The piano of the made-up piece, its middle bars asked for two onset steps and half a voice more."""
    piece = on_grid(made_piece(), "made", "pop909", 0, ("melody", "piano"))
    length = len(piece.steps.segment)
    roll, context = (cells_of(piece.notes[piece.notes[:, 3] == track, :3], length) for track in (1, 0))
    task = RewriteTask(roll, context, piece.steps, EDITED, EDITED, EDITED, Locks.none(length))
    onsets, voices = task.measured()
    asked = np.minimum(onsets + 2, np.bincount(piece.steps.segment))
    return replace(task, onsets=asked[EDITED], voices=np.round(voices[EDITED] + 0.5, DIGITS))


def stored_task(task: RewriteTask) -> dict[str, Any]:
    """A task as JSON."""
    arrays = {"roll": task.roll, "context": task.context, "onsets": task.onsets, "voices": task.voices}
    return stored_all({**arrays, "edited": task.edited, **vars(task.steps)}) | {"seed": task.seed}


def restored_task(entry: dict[str, Any]) -> RewriteTask:
    """The task that `stored_task` wrote."""
    arrays = restored_all({name: value for name, value in entry.items() if name != "seed"})
    steps = Steps(*(arrays.pop(name) for name in Steps.__dataclass_fields__))
    return RewriteTask(steps=steps, locks=Locks.none(len(arrays["roll"])), seed=entry["seed"], **arrays)


# --- what comes out


def passage_of(engine: WatchedEngine, task: RewriteTask) -> dict[str, Any]:
    """The edited bars drawn as one passage that sees all bars and retrieves none, before and after it lands."""
    free = np.isin(task.steps.segment, task.edited)
    row = Row(task.roll, task.roll, task.context, task.steps, ~free, np.zeros(len(free), bool), 1.0)
    batch = joined([row], CONTEXT + len(free))
    onsets, voices = _levels(batch, task)
    drawn = draw(engine, batch, onsets, voices, Constraints.none(batch), passage_choice.settings(1, task.seed))
    cells, voices = drawn.cells[0, 0, CONTEXT:], voices[0, CONTEXT:]
    pinned = np.broadcast_to(~free[:, None], cells.shape)
    landed = passage_landing.land(cells, task.roll, pinned, task.steps, voices)
    return stored_all({"drawn": cells, "landed": landed}) | {"notes": _notes(engine)}


def _levels(batch: PassageBatch, task: RewriteTask) -> tuple[Any, Any]:
    """[1, T] onset steps and voices of each step's bar: those asked, or its own."""
    onsets, voices = (np.array(x, np.float64) for x in task.measured())
    onsets[task.edited], voices[task.edited] = task.onsets, task.voices
    out = np.zeros((2, 1, batch.source.shape[1]), np.float32)
    out[0, 0, CONTEXT:], out[1, 0, CONTEXT:] = onsets[task.steps.segment], voices[task.steps.segment]
    return out[0], out[1]


def _notes(engine: WatchedEngine) -> list[Any]:
    """For each call of the chain: its first random number, and of each draw the pitches of the chords and their length
    classes."""
    rows = []
    for feed, (pitch, length) in engine.calls["chain"]:
        rows.append([round(float(feed["noise"][0, 0, 0]), DIGITS), pitch.tolist(), length.tolist()])
    return rows


def piece_of(engine: WatchedEngine, task: RewriteTask) -> dict[str, Any]:
    """The plan of the task, and the roll that it comes to."""
    groups, inside, near = alike(task), register(task.roll), classes_nearby(task.roll, task.context)
    low, high = inside.argmax(1), PITCHES - 1 - inside[:, ::-1].argmax(1)
    plan = [[p.first, p.last, p.sees_first, p.sees_last] for p in passages(task)]
    roll = rewrite(engine, task)
    sources = [feed["source"] for feed, _ in engine.calls["encoder"]]
    out = stored_all(
        {"group": groups.group, "low": groups.low, "register_low": low, "register_high": high, "classes": near}
    )
    return (
        out
        | {"passages": plan, "sources": [stored(x) for x in sources], **stored_all({"roll": roll})}
        | {"notes": _notes(engine)}
    )


def random_of(seed: int | list[int]) -> dict[str, Any]:
    """What NumPy's default generator (PCG64, seeded through SeedSequence) begins with."""
    raw = np.random.PCG64(seed).random_raw(4)
    return {
        "seed": seed,
        "raw": [f"{x:016x}" for x in np.asarray(raw).tolist()],
        "float32": np.random.default_rng(seed).random(8, np.float32).astype(float).round(8).tolist(),
        "float64": np.random.default_rng(seed).random(3).round(12).tolist(),
        "normal": np.random.default_rng(seed).normal(0, 1, 3).round(12).tolist(),
    }


def run(engine: RewriterEngine, graph: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """The outputs of a graph by number."""
    return {str(i): x for i, x in enumerate(engine.session(graph).run(None, inputs))}


def graph_calls(engine: WatchedEngine) -> list[dict[str, Any]]:
    """One call of the encoder, two of the decoder and one of the chain, of those of a passage."""
    feed, _ = engine.calls["encoder"][0]
    calls: list[dict[str, Any]] = [
        {"graph": "encoder", "inputs": stored_all(feed), "steps": [CONTEXT + t for t in SHOWN]}
    ]
    feed = engine.calls["decoder"][0][0]
    heads, size = engine.size["heads"], engine.size["width"] // engine.size["heads"]
    layers = [f"{kind}_{i}" for i in range(engine.size["decoder"]) for kind in ("keys", "values")]
    memory = {name: np.zeros((1, 1, size), np.float32) for name in layers}
    at = slice(CONTEXT, CONTEXT + 2)
    two = {name: feed[name][:, at] for name in ("static", "before", "written_ago", "left", "time")}
    mask = Memory.empty(1, 1, size).read_by(2, heads)
    calls.append({"graph": "decoder", "inputs": stored_all({**two, **memory, "mask": mask})})
    new = run(engine, "decoder", restored_all(calls[-1]["inputs"]))["1"]
    memory = dict(zip(layers, np.split(new, len(layers), axis=-1), strict=True))
    one = {name: x[:, :1] for name, x in two.items()} | {"time": two["time"][:, 1:] + 1}
    calls.append({"graph": "decoder", "inputs": stored_all({**one, **memory, "mask": np.zeros((1, 3), np.float32)})})
    feed, draws = next((feed, len(drawn)) for feed, (drawn, _) in engine.calls["chain"] if len(drawn) > SHOWN_DRAWS)
    calls.append({"graph": "chain", "inputs": stored_all({**feed, "noise": feed["noise"][:draws]})})
    for call in calls:
        call["outputs"] = stored_all(outputs_of(engine, call))
    return calls


def outputs_of(engine: RewriterEngine, call: dict[str, Any]) -> dict[str, Any]:
    """What a graph makes of the inputs of one of `graph_calls`; of the encoder, at the steps that it names."""
    outputs = run(engine, call["graph"], restored_all(call["inputs"]))
    return {name: x[:, call["steps"]] if "steps" in call else x for name, x in outputs.items()}


def steady(make: Any, task: RewriteTask) -> RewriteTask:
    """The task with the first seed for which small changes of the decoder's answers change no note."""
    for seed in range(MOST_SEEDS):
        asked, found = replace(task, seed=seed), []
        for trial in range(TRIALS):
            engine = WatchedEngine.bundled()
            engine.noise = np.random.default_rng(trial) if trial else None
            found.append(make(engine, asked))
            if found[-1] != found[0]:
                break
        else:
            return asked
    raise SystemExit(f"no seed of {MOST_SEEDS} draws the same notes under changes of {UNSTEADY}")


def vectors() -> dict[str, Any]:
    """All of the file."""
    made = restored_task(stored_task(made_task()))  # to the digits that are written
    passage, piece = steady(passage_of, made), steady(piece_of, made)
    watched = WatchedEngine.bundled()
    drawn = passage_of(watched, passage)
    return {
        "about": {"model": watched.name, "sha256": watched.info["sha256"], "digits": DIGITS, "tolerance": TOLERANCE},
        "random": [random_of(seed) for seed in (passage.seed, [piece.seed, int(EDITED[0])])],
        "graphs": graph_calls(watched),
        "passage": {"task": stored_task(passage), "outputs": drawn},
        "piece": {"task": stored_task(piece), "outputs": piece_of(WatchedEngine.bundled(), piece)},
    }


def main() -> None:
    """Write the file."""
    OUT.write_text(json.dumps(vectors(), separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{OUT.name}: {OUT.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
