"""What a model folder does on held-out segments: reconstruction, faders, arousal.

The `strict` protocol: posterior means, M = 100 segments a run, T = 8 asked values over the attribute's 5th
to 95th percentile in the training data, consistency and restrictiveness (Eq. 3 and 4) in units of the
training standard deviation. `open` is one decode at the moved code, as the paper does it; `closed` is
what an edit does: candidates measured and chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets import attributes, controls, decoding, grid, musicality, scores
from fadernets.attributes import CODED
from fadernets.dataset import Dataset, label_of
from fadernets.decoding import Request, Segments
from fadernets.engine import CODES, Engine
from fadernets.notes import ROLL_NOTE
from fadernets.segments import STEPS_PER_BEAT

Cells = NDArray[np.uint8]
Floats = NDArray[np.float64]
Figures = scores.Figures
M, T = 100, 8
BATCH = 100


def evaluate(
    engine: Engine,
    data: Dataset,
    *,
    runs: int = 10,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Every figure of a model on the test split of its data set."""
    recipe, names = engine.info["recipe"], data.manifest["corpora"]
    labelled = [c for c in recipe["label_corpora"] if c in names]
    corpora = [c for c in (recipe["corpora"] or names) if c not in labelled]
    jobs: list[tuple[str, Callable[[], Any]]] = []
    for corpus in corpora:
        rows = data.select(split="test", corpus=corpus)
        jobs.append((f"reconstruction/{corpus}", lambda rows=rows: reconstruction(engine, data, rows)))  # type: ignore[misc]
    test = np.concatenate([data.select(split="test", corpus=c) for c in corpora])
    for name in CODED:
        for loop in ("open", "closed"):
            jobs.append(
                (f"{name}/{loop}", lambda n=name, p=loop: strict(engine, data, test, n, p, runs, seed))  # type: ignore[misc]
            )
    jobs.append(("rest", lambda: at_rest(engine, data, test, seed)))
    if engine.means and labelled:
        rows = np.concatenate([data.select(split="test", corpus=c) for c in labelled])
        jobs.append(("arousal", lambda: arousal(engine, data, rows)))
    if engine.means:
        jobs.append(("preset", lambda: preset(engine, data, test, seed)))
    figures: dict[str, Any] = {"model": engine.name, "data": data.hash, "runs": runs, "seed": seed}
    for i, (name, job) in enumerate(jobs):
        figures[name] = job()
        if progress:
            progress(i + 1, len(jobs))
    return figures


# --- scores of single outputs


def reconstruction(engine: Engine, data: Dataset, rows: NDArray[np.int64]) -> Figures:
    """Note F1 of encode-decode from posterior means, free-running, pooled over all notes and mean a segment."""
    hits, f1 = [], []
    for a in range(0, len(rows), BATCH):
        cells = data.cells(rows[a : a + BATCH])
        out = decoding.free(engine, decoding.look(engine, cells), Request())
        hits.append(scores.note_hits(out, cells))
        f1.append(scores.note_f1(out, cells))
    pooled = scores.pooled_f1(np.concatenate(hits))
    return {"segments": len(rows), **pooled, "note_f1_mean": float(np.concatenate(f1).mean())}


def at_rest(engine: Engine, data: Dataset, rows: NDArray[np.int64], seed: int) -> Figures:
    """Note F1 of an edit that asks for each segment's own values: the whole path, resting."""
    rows = np.random.default_rng(seed).permutation(rows)[:1000]
    cells = data.cells(rows)
    source = decoding.look(engine, cells)
    out = decoding.answer(engine, source, Request(dict(source.before)))
    return {
        "segments": len(rows),
        "note_f1": float(scores.note_f1(out, cells).mean()),
        "equal": float((out == cells).mean()),
    }


# --- faders


def asked_values(engine: Engine, name: str) -> Floats:
    """T values from the 5th to the 95th percentile of the training data, in the attribute's own grain."""
    return values_to_ask(name, engine.info["statistics"][name])


def values_to_ask(name: str, statistics: dict[str, float]) -> Floats:
    """The same from an attribute's statistics."""
    values = np.linspace(statistics["p5"], statistics["p95"], T)
    grain = CODED[name].grain
    return np.round(values / grain) * grain if grain else values


def strict(
    engine: Engine, data: Dataset, rows: NDArray[np.int64], name: str, loop: str, runs: int, seed: int
) -> dict[str, Any]:
    """The strict protocol for one fader: mean and standard deviation over runs of M new segments each."""
    values = asked_values(engine, name)
    each = []
    for run in range(runs):
        chosen = np.random.default_rng([seed, run]).permutation(rows)[:M]
        cells = data.cells(chosen)
        outputs = slide(engine, cells, name, values, loop)
        each.append(scores.strict(outputs, cells, name, values, decoding.spread_of(engine)))
    return scores.over_runs(each)


def slide(engine: Engine, cells: Cells, name: str, values: Floats, loop: str) -> Cells:
    """[M, T, 16, 88] what comes out of each segment at each asked value."""
    out = np.empty((len(cells), len(values), *cells.shape[1:]), np.uint8)
    for a in range(0, len(cells), BATCH):
        part = decoding.look(engine, cells[a : a + BATCH])
        for t, value in enumerate(values):
            out[a : a + BATCH, t] = answer(engine, part, {name: np.full(len(part.cells), value)}, loop)
    return out


def answer(engine: Engine, source: Segments, asked: dict[str, Floats], loop: str) -> Cells:
    """One answer a segment: by one decode (`open`) or by the edit's own path (`closed`)."""
    if loop == "open":
        return decoding.free(engine, source, Request(asked))
    return decoding.answer(engine, source, Request(asked))


# --- arousal


def arousal(engine: Engine, data: Dataset, rows: NDArray[np.int64]) -> Figures:
    """Balanced accuracy of the arousal cluster on labelled segments outside -0.1..0.1.

    The 95 % interval comes from 2,000 resamplings of whole pieces.
    """
    label = label_of(np.asarray(data.arousal[rows], np.float32))
    rows, label = rows[label >= 0], label[label >= 0]
    codes = [engine.encode(data.cells(rows[a : a + BATCH])) for a in range(0, len(rows), BATCH)]
    guess = np.concatenate([engine.arousal(c) for c in codes]) >= 0.5
    pieces = np.asarray(data.piece[rows])
    overall = scores.balanced_accuracy(guess, label, pieces)
    each = {}
    for n in CODES:
        high = np.concatenate([controls.cluster_probability(getattr(c, n), engine.means[n]) for c in codes]) >= 0.5
        each[f"balanced_accuracy_{n}"] = scores.balanced_accuracy(high, label, pieces)["balanced_accuracy"]
    return {"segments": len(rows), "pieces": len(np.unique(pieces)), **overall, **each}


def preset(engine: Engine, data: Dataset, rows: NDArray[np.int64], seed: int) -> dict[str, Figures]:
    """Mean change of each attribute, of the arousal probability, and chroma similarity at amounts 1 and -1."""
    rows = np.random.default_rng(seed).permutation(rows)[:1000]
    out: dict[str, Figures] = {}
    for amount in (1.0, -1.0):
        before, after, chroma, probability = [], [], [], []
        for a in range(0, len(rows), BATCH):
            source = decoding.look(engine, data.cells(rows[a : a + BATCH]))
            cells = decoding.answer(engine, source, Request(arousal=amount))
            before.append(source.values)
            after.append(np.stack(list(attributes.measure(cells).values()), 1))
            chroma.append(scores.chroma_similarity(cells, source.cells))
            probability.append(engine.arousal(engine.encode(cells)) - engine.arousal(source.codes))
        change = np.concatenate(after) - np.concatenate(before)
        figures = {f"{name}_change": float(change[:, i].mean()) for i, name in enumerate(CODED)}
        moved = np.abs(change).max(1) > 1e-9
        figures["changed_share"] = float(moved.mean())
        figures["probability_change"] = float(np.concatenate(probability).mean())
        figures["chroma_similarity"] = float(np.concatenate(chroma).mean())
        out[f"{amount:+g}"] = figures
    return out


# --- beside real music


def quality(
    engine: Engine,
    data: Dataset,
    *,
    loop: str = "closed",
    seed: int = 0,
    nats: musicality.Nats | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """`musicality.evaluate` on test segments of every corpus of the data set, labelled ones too.

    nats: how likely an independent model finds cells, in mean nats a segment (`protocols.judge_of`).
    """

    def moved(cells: Cells, name: str, asked: Floats) -> Cells:
        out = np.empty_like(cells)
        for a in range(0, len(cells), BATCH):
            part = slice(a, a + BATCH)
            out[part] = answer(engine, decoding.look(engine, cells[part]), {name: asked[part]}, loop)
        return out

    rows = data.select(split="test")
    spread = decoding.spread_of(engine)
    found = musicality.evaluate(moved, data, rows, spread, seed=seed, nats=nats, progress=progress)
    return {"model": engine.name, "data": data.hash, "loop": loop, "seed": seed, **found}


def pairs(
    engine: Engine, data: Dataset, *, each: int = 3, seed: int = 0
) -> list[tuple[str, NDArray[Any], NDArray[Any]]]:
    """Test segments before and after every move of `musicality.MOVES`, `each` a move, chosen by seed: title and notes
    (in beats) as `rolls.draw_sheet` takes them. Of the corpora that the model rebuilds: those may be shown."""
    recipe, spread = engine.info["recipe"], decoding.spread_of(engine)
    names = [c for c in (recipe["corpora"] or data.manifest["corpora"]) if c not in recipe["label_corpora"]]
    test = np.sort(np.concatenate([data.select(split="test", corpus=c) for c in names]))
    found = []
    for name in CODED:
        for move in musicality.MOVES:
            matched = musicality.match(data, test, name, move, spread, seed)
            cells, asked = data.cells(matched.source[:each]), matched.asked[:each]
            out = answer(engine, decoding.look(engine, cells), {name: asked}, "closed")
            title = f"{name.replace('_', ' ')} {move:+d} sd"
            found += [(title, _in_beats(a), _in_beats(b)) for a, b in zip(cells, out, strict=True)]
    return found


def _in_beats(cells: NDArray[np.uint8]) -> NDArray[Any]:
    rows = grid.decode(cells)
    notes = np.zeros(len(rows), ROLL_NOTE)
    notes["onset"], notes["end"] = np.maximum(rows[:, 0], 0) / STEPS_PER_BEAT, rows[:, 1] / STEPS_PER_BEAT
    notes["pitch"], notes["velocity"] = rows[:, 2], 80
    return notes


def table(figures: dict[str, Any]) -> str:
    """The figures as markdown tables."""
    lines = ["| reconstruction | segments | note F1 | precision | recall |", "|---|---|---|---|---|"]
    for key, row in figures.items():
        kind, _, corpus = key.partition("/")
        if kind == "reconstruction":
            values = " | ".join(f"{row[name]:.4f}" for name in ("note_f1", "precision", "recall"))
            lines.append(f"| {corpus} | {row['segments']} | {values} |")
    faders = [key for key in figures if key.partition("/")[0] in CODED]
    heads = [key.replace("_", " ").replace("/", ", ") for key in faders]
    lines += ["", f"| fader, loop | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name in figures[faders[0]]:
        cells = [f"{figures[key][name]['mean']:.3f} ± {figures[key][name]['std']:.3f}" for key in faders]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
    rest = figures["rest"]
    lines += ["", f"At rest: note F1 {rest['note_f1']:.6f} over {rest['segments']} segments."]
    if "arousal" in figures:
        row = figures["arousal"]
        codes = ", ".join(f"{code} code {row[f'balanced_accuracy_{code}']:.3f}" for code in CODES)
        lines.append(
            f"Arousal cluster: balanced accuracy {row['balanced_accuracy']:.3f} [{row['low']:.3f}, {row['high']:.3f}] "
            f"over {row['segments']} labelled segments of {row['pieces']} pieces ({codes})."
        )
    if "preset" not in figures:
        return "\n".join(lines)
    amounts = figures["preset"]
    lines += [
        "",
        f"| preset | {' | '.join(f'arousal {amount}' for amount in amounts)} |",
        "|---" * (len(amounts) + 1) + "|",
    ]
    for name in next(iter(amounts.values())):
        cells = [f"{change[name]:+.3f}" for change in amounts.values()]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join(lines)
