"""What a model folder does to held-out segments: reconstruction, faders, untouched notes, arousal.

The `strict` protocol asks for attribute values: posterior means, M = 100 segments a run, T = 8 values from the 5th to
the 95th percentile of the attribute in the training data, consistency and restrictiveness (ISMIR 2020, Section 4.2,
Eq. 3 and 4) in units of the training data's standard deviation, in the loops of `decoding_loops`. It shows how a fader
moves what is measured, not how its outputs sound: see `model_realism` and the listening studies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fadernets.arrays import Indices
from fadernets.attributes import table as attribute_table
from fadernets.attributes.table import CODED
from fadernets.data.dataset import Dataset
from fadernets.data.labels import classes_of
from fadernets.decoding import candidate_choice, segment_decoding, segment_requests
from fadernets.decoding.segment_requests import SegmentRequest
from fadernets.engines import code_arithmetic
from fadernets.engines.grid import AROUSAL, Engine
from fadernets.evaluation.decoding_loops import (
    BATCH,
    LOOPS,
    DecodingLoop,
    asked_values,
    corpora_of,
    decoding_loops,
    in_grain,
)
from fadernets.metrics import fader_scores
from fadernets.metrics.fader_scores import Figures
from fadernets.metrics.tables import markdown_table, spelled

M = 100  # segments of a run (Section 4.2)
MOVES = (-2, -1.5, -1, -0.5, -0.25, 0, 0.25, 0.5, 1, 1.5, 2)  # standard deviations, to count untouched notes at
UNTOUCHED = 500  # segments for these
SEGMENTS = 1000  # segments at rest, and under the preset
OF_CODE = "balanced_accuracy_"  # beginning of a key, before the name of the code


def evaluate(
    engine: Engine,
    data: Dataset,
    *,
    loops: Sequence[str] = LOOPS,
    runs: int = 10,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Every figure of a model folder on the test split of a data set, labelled corpora included.

    loops: which of LOOPS; runs: of M segments each; seed: draws the segments. progress: called with the number of parts
    done and of all parts. Keys: `reconstruction/CORPUS`, `ATTRIBUTE/LOOP` over all corpora, `ATTRIBUTE/LOOP/CORPUS`
    where there are several, rest, untouched and, of a model with clusters, arousal (where test pieces have labels) and
    preset. Test pieces of a labelled corpus gave the model no label.
    """
    reconstructed, labelled = corpora_of(engine, data)
    rows_of = {corpus: data.select(split="test", corpus=corpus) for corpus in (*reconstructed, *labelled)}
    rows_of = {corpus: rows for corpus, rows in rows_of.items() if len(rows)}
    test = np.concatenate(list(rows_of.values()))
    jobs: list[tuple[str, Callable[[], Any]]] = []
    for corpus, rows in rows_of.items():
        jobs.append((f"reconstruction/{corpus}", lambda rows=rows: reconstruction(engine, data, rows)))  # type: ignore[misc]
    chosen_loops = decoding_loops(engine, data, loops, seed)
    parts = {"": test} | ({f"/{corpus}": rows for corpus, rows in rows_of.items()} if len(rows_of) > 1 else {})
    for part, rows in parts.items():
        for name in CODED:
            for loop in chosen_loops.values():
                jobs.append(
                    (f"{name}/{loop.name}{part}", lambda w=loop, r=rows, n=name: strict(w, data, r, n, runs, seed))  # type: ignore[misc]
                )
    jobs.append(("rest", lambda: at_rest(engine, data, test, seed)))
    jobs.append(("untouched", lambda: untouched(engine, data, test, seed)))
    if engine.label == AROUSAL and any(corpus in rows_of for corpus in labelled):
        rows = np.concatenate([rows_of[corpus] for corpus in labelled if corpus in rows_of])
        jobs.append(("arousal", lambda rows=rows: arousal(engine, data, rows)))  # type: ignore[misc]
    if engine.means:
        jobs.append(("preset", lambda: preset(engine, data, test, seed)))
    figures: dict[str, Any] = {"model": engine.name, "data": data.hash, "runs": runs, "seed": seed}
    if engine.label is not None:
        figures["label"] = engine.label.name
    for i, (name, job) in enumerate(jobs):
        figures[name] = job()
        if progress:
            progress(i + 1, len(jobs))
    return figures


# --- outputs beside their sources


def reconstruction(engine: Engine, data: Dataset, rows: Indices) -> Figures:
    """Note F1 of free decodes from posterior means: pooled over all notes, and as the mean over the segments `rows`."""
    hits, f1 = [], []
    for a in range(0, len(rows), BATCH):
        cells = data.cells(rows[a : a + BATCH])
        out = segment_decoding.free_decode(engine, segment_requests.encode_segments(engine, cells), SegmentRequest())
        hits.append(fader_scores.note_hits(out, cells))
        f1.append(fader_scores.note_f1(out, cells))
    pooled = fader_scores.pooled_f1(np.concatenate(hits))
    return {"segments": len(rows), **pooled, "note_f1_mean": float(np.concatenate(f1).mean())}


def at_rest(engine: Engine, data: Dataset, rows: Indices, seed: int) -> Figures:
    """Note F1 of edits that ask for each segment's own values: an edit at rest should change nothing."""
    rows = np.random.default_rng(seed).permutation(rows)[:SEGMENTS]
    cells = data.cells(rows)
    source = segment_requests.encode_segments(engine, cells)
    out = candidate_choice.edit_encoded(engine, source, SegmentRequest(dict(source.before)))
    return {
        "segments": len(rows),
        "note_f1": float(fader_scores.note_f1(out, cells).mean()),
        "equal": float((out == cells).mean()),
    }


# --- faders


def strict(loop: DecodingLoop, data: Dataset, rows: Indices, name: str, runs: int, seed: int) -> dict[str, Any]:
    """The strict protocol for the fader `name`: mean and standard deviation of each figure over the runs.

    rows: the held-out segments of the data set; a run draws M of them.
    """
    values = asked_values(loop.engine, name)
    deviations = segment_requests.attribute_deviations(loop.engine)
    figures = []
    for run in range(runs):
        chosen = np.random.default_rng([seed, run]).permutation(rows)[:M]
        cells = data.cells(chosen)
        figures.append(fader_scores.strict(loop.slide(cells, name, values), cells, name, values, deviations))
    return fader_scores.over_runs(figures)


# --- what a move leaves alone


def untouched(engine: Engine, data: Dataset, rows: Indices, seed: int) -> dict[str, dict[str, Figures]]:
    """Attribute -> move in standard deviations -> the share of the sources' notes that an edit keeps.

    onsets: notes of the same onset step and pitch; notes: those that also end on the same step. Up to UNTOUCHED random
    rows; of these a move takes the `segments` whose asked value lies within the values that `strict` asks for.
    """
    cells = data.cells(np.random.default_rng(seed).permutation(rows)[:UNTOUCHED])
    loop, deviations = (
        DecodingLoop(engine),
        dict(zip(CODED, segment_requests.attribute_deviations(engine), strict=True)),
    )
    shares: dict[str, dict[str, Figures]] = {}
    for name, row in CODED.items():
        source_values, values = row.measure(cells), asked_values(engine, name)
        for move in MOVES:
            asked = in_grain(name, source_values + move * deviations[name])
            inside = (asked >= values[0] - 1e-9) & (asked <= values[-1] + 1e-9)
            source = cells[inside]
            kept = fader_scores.notes_kept(loop.move(source, name, asked[inside]), source).sum(0)
            shares.setdefault(name, {})[f"{move:+g}"] = {
                "segments": int(inside.sum()),
                "onsets": float(kept[1] / max(kept[0], 1)),
                "notes": float(kept[2] / max(kept[0], 1)),
            }
    return shares


def untouched_lines(engine: Engine, data: Dataset, seed: int) -> dict[str, list[float]]:
    """`untouched` as lines over MOVES, of the corpora that the model reconstructs: these may be published."""
    rows = np.concatenate([data.select(split="test", corpus=corpus) for corpus in corpora_of(engine, data)[0]])
    return {
        f"{spelled(name)}: {title}": [figures[kind] for figures in moves.values()]
        for name, moves in untouched(engine, data, rows, seed).items()
        for kind, title in (("onsets", "onset and pitch kept"), ("notes", "end kept too"))
    }


# --- arousal


def arousal(engine: Engine, data: Dataset, rows: Indices) -> Figures:
    """Balanced accuracy of the arousal cluster on labelled segments whose label lies outside -0.1..0.1.

    The 95 % interval is a bootstrap over whole pieces.
    """
    label = classes_of(np.asarray(data.arousal[rows], np.float32))
    rows, label = rows[label >= 0], label[label >= 0]
    codes = [engine.encode(data.cells(rows[a : a + BATCH])) for a in range(0, len(rows), BATCH)]
    guess = np.concatenate([engine.arousal(c) for c in codes]) >= 0.5
    pieces = np.asarray(data.piece[rows])
    overall = fader_scores.balanced_accuracy(guess, label, pieces)
    by_code = {}
    for n in engine.code_names:
        probability = [code_arithmetic.cluster_probability(c[n], engine.means[n]) for c in codes]
        high = np.concatenate(probability) >= 0.5
        by_code[f"{OF_CODE}{n}"] = fader_scores.balanced_accuracy(high, label, pieces)["balanced_accuracy"]
    return {"segments": len(rows), "pieces": len(np.unique(pieces)), **overall, **by_code}


def preset(engine: Engine, data: Dataset, rows: Indices, seed: int) -> dict[str, Figures]:
    """The preset of codes at amounts 1 and -1: mean change of each attribute and of the probability of the highest
    class, chroma similarity, and the share of segments that changed."""
    rows = np.random.default_rng(seed).permutation(rows)[:SEGMENTS]
    out: dict[str, Figures] = {}
    for amount in (1.0, -1.0):
        before, after, chroma, probability = [], [], [], []
        for a in range(0, len(rows), BATCH):
            source = segment_requests.encode_segments(engine, data.cells(rows[a : a + BATCH]))
            cells = candidate_choice.edit_encoded(engine, source, SegmentRequest(arousal=amount))
            before.append(source.values)
            after.append(np.stack(list(attribute_table.measure(cells).values()), 1))
            chroma.append(fader_scores.chroma_similarity(cells, source.cells))
            probability.append(engine.highest_class(engine.encode(cells)) - engine.highest_class(source.codes))
        change = np.concatenate(after) - np.concatenate(before)
        figures = {f"{name}_change": float(change[:, i].mean()) for i, name in enumerate(CODED)}
        moved = np.abs(change).max(1) > 1e-9
        figures["changed_share"] = float(moved.mean())
        figures["probability_change"] = float(np.concatenate(probability).mean())
        figures["chroma_similarity"] = float(np.concatenate(chroma).mean())
        out[f"{amount:+g}"] = figures
    return out


# --- tables

SHORT = (  # figure, its heading in narrow tables
    ("consistency", "consistency"),
    ("restrictiveness", "restrictiveness"),
    ("linearity", "linearity"),
    ("spearman", "Spearman"),
    ("error", "error"),
    ("leakage", "leakage"),
    ("chroma_similarity", "chroma"),
    ("note_f1", "note F1"),
)


def table(figures: dict[str, Any]) -> str:
    """The figures of `evaluate` as Markdown tables."""
    reconstructed = [
        [corpus, str(row["segments"]), *(f"{row[name]:.4f}" for name in ("note_f1", "precision", "recall"))]
        for (kind, _, corpus), row in ((key.partition("/"), row) for key, row in figures.items())
        if kind == "reconstruction"
    ]
    blocks = [markdown_table(["reconstruction", "segments", "note F1", "precision", "recall"], reconstructed)]
    faders = [key for key in figures if key.partition("/")[0] in CODED]
    pooled, single = ([key for key in faders if key.count("/") == n] for n in (1, 2))
    rows = [
        [spelled(name), *(f"{figures[key][name]['mean']:.3f} ± {figures[key][name]['std']:.3f}" for key in pooled)]
        for name in figures[pooled[0]]
    ]
    blocks.append(markdown_table(["fader, loop", *map(spelled, pooled)], rows))
    if single:
        rows = [[spelled(key), *(f"{figures[key][name]['mean']:.3f}" for name, _ in SHORT)] for key in single]
        blocks.append(markdown_table(["fader, loop, corpus", *(title for _, title in SHORT)], rows))
    blocks.append(_untouched_table(figures["untouched"]))
    rest = figures["rest"]
    lines = [f"At rest: note F1 {rest['note_f1']:.6f} over {rest['segments']} segments."]
    if "arousal" in figures:
        row = figures["arousal"]
        of_code = {key.removeprefix(OF_CODE): value for key, value in row.items() if key.startswith(OF_CODE)}
        codes = ", ".join(f"{code} code {value:.3f}" for code, value in of_code.items())
        lines.append(
            f"Arousal cluster: balanced accuracy {row['balanced_accuracy']:.3f} [{row['low']:.3f}, {row['high']:.3f}] "
            f"over {row['segments']} labelled segments of {row['pieces']} pieces ({codes})."
        )
    blocks.append("\n".join(lines))
    if "preset" in figures:
        amounts = figures["preset"]
        rows = [
            [spelled(name), *(f"{change[name]:+.3f}" for change in amounts.values())]
            for name in next(iter(amounts.values()))
        ]
        blocks.append(
            markdown_table(["preset", *(f"{figures.get('label', AROUSAL.name)} {amount}" for amount in amounts)], rows)
        )
    return "\n\n".join(blocks)


def _untouched_table(untouched: dict[str, dict[str, Figures]]) -> str:
    moves = list(next(iter(untouched.values())))
    rows = []
    for name, shares in untouched.items():
        for kind, title in (("onsets", "onset and pitch"), ("notes", "end too")):
            rows.append([f"{spelled(name)}, {title}", *(f"{shares[move][kind]:.3f}" for move in moves)])
        rows.append([f"{spelled(name)}, segments", *(str(shares[move]["segments"]) for move in moves)])
    return markdown_table(["notes left alone by a move of", *(f"{move} sd" for move in moves)], rows)
