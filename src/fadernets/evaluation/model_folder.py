"""What a model folder does on held-out segments: reconstruction, faders, untouched notes, arousal.

The `strict` protocol: posterior means, M = 100 segments a run, T = 8 asked values over the attribute's 5th
to 95th percentile in the training data, consistency and restrictiveness (Eq. 3 and 4) in units of the
training standard deviation. `open` is one decode at the moved code, as the paper does it; `calibrated` is one
decode, asked for the level at which decodes of validation segments measured the value; `closed` is what an edit
does: candidates measured and chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes import table as attribute_table
from fadernets.attributes.table import CODED
from fadernets.codecs import grid
from fadernets.data.dataset import Dataset, label_of
from fadernets.editing import candidate_choice, segment_decoding, segment_requests
from fadernets.editing.segment_requests import EncodedSegments, SegmentRequest
from fadernets.engines import code_arithmetic
from fadernets.engines.code_arithmetic import Calibration
from fadernets.engines.grid import CODES, Engine
from fadernets.metrics import fader_scores, realism
from fadernets.music.notes import ROLL_NOTE
from fadernets.music.segments import STEPS_PER_BEAT

Cells = NDArray[np.uint8]
Floats = NDArray[np.float64]
Figures = fader_scores.Figures
LOOPS = ("open", "calibrated", "closed")
M, T = 100, 8
BATCH = 100
CALIBRATION_ROWS, CALIBRATION_LEVELS = 128, 16
MOVES = (-2, -1.5, -1, -0.5, -0.25, 0, 0.25, 0.5, 1, 1.5, 2)  # standard deviations, to count untouched notes at
UNTOUCHED = 500  # segments for these


def evaluate(
    engine: Engine,
    data: Dataset,
    *,
    loops: Sequence[str] = LOOPS,
    runs: int = 10,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Every figure of a model on the test split of its data set: labelled corpora too, whose test pieces gave no label.

    Keys: `reconstruction/CORPUS`, `ATTRIBUTE/LOOP` over all corpora, `ATTRIBUTE/LOOP/CORPUS` where there are several,
    rest, untouched, and of a model with clusters arousal (where test pieces have labels) and preset.
    """
    rebuilt, labelled = corpora_of(engine, data)
    rows_of = {corpus: data.select(split="test", corpus=corpus) for corpus in (*rebuilt, *labelled)}
    rows_of = {corpus: rows for corpus, rows in rows_of.items() if len(rows)}
    test = np.concatenate(list(rows_of.values()))
    jobs: list[tuple[str, Callable[[], Any]]] = []
    for corpus, rows in rows_of.items():
        jobs.append((f"reconstruction/{corpus}", lambda rows=rows: reconstruction(engine, data, rows)))  # type: ignore[misc]
    each = ways(engine, data, loops, seed)
    parts = {"": test} | ({f"/{corpus}": rows for corpus, rows in rows_of.items()} if len(rows_of) > 1 else {})
    for part, rows in parts.items():
        for name in CODED:
            for loop, way in each.items():
                jobs.append(
                    (f"{name}/{loop}{part}", lambda w=way, r=rows, n=name: strict(w, data, r, n, runs, seed))  # type: ignore[misc]
                )
    jobs.append(("rest", lambda: at_rest(engine, data, test, seed)))
    jobs.append(("untouched", lambda: untouched(engine, data, test, seed)))
    if engine.means and any(corpus in rows_of for corpus in labelled):
        rows = np.concatenate([rows_of[corpus] for corpus in labelled if corpus in rows_of])
        jobs.append(("arousal", lambda rows=rows: arousal(engine, data, rows)))  # type: ignore[misc]
    if engine.means:
        jobs.append(("preset", lambda: preset(engine, data, test, seed)))
    figures: dict[str, Any] = {"model": engine.name, "data": data.hash, "runs": runs, "seed": seed}
    for i, (name, job) in enumerate(jobs):
        figures[name] = job()
        if progress:
            progress(i + 1, len(jobs))
    return figures


def corpora_of(engine: Engine, data: Dataset) -> tuple[list[str], list[str]]:
    """The data set's corpora that the model rebuilds, and those that gave it labels alone."""
    recipe, names = engine.info["recipe"], data.manifest["corpora"]
    labelled = [corpus for corpus in recipe["label_corpora"] if corpus in names]
    return [corpus for corpus in (recipe["corpora"] or names) if corpus not in labelled], labelled


# --- from asked values to answers


@dataclass(frozen=True)
class Way:
    """How asked values are answered: a loop and, of the closed one, what a request changes beside the values."""

    engine: Engine
    loop: str = "closed"
    curves: Mapping[str, Calibration] = field(default_factory=dict)  # of the calibrated loop, see `decode_curves`
    request: SegmentRequest = field(default_factory=SegmentRequest)

    def answer(self, source: EncodedSegments, asked: dict[str, Floats]) -> Cells:
        """One answer a segment, [S, 16, 88]; asked: attribute -> [S]."""
        if self.loop == "calibrated":
            asked = {name: self._level(name, values) for name, values in asked.items()}
        found = candidate_choice.edit_encoded if self.loop == "closed" else segment_decoding.free_decode
        return found(self.engine, source, replace(self.request, asked=asked))

    def move(self, cells: Cells, name: str, asked: Floats) -> Cells:
        """Cells [N, 16, 88] with one attribute asked for [N], a batch at a time."""
        out = np.empty_like(cells)
        for a in range(0, len(cells), BATCH):
            part = slice(a, a + BATCH)
            out[part] = self.answer(segment_requests.encode_segments(self.engine, cells[part]), {name: asked[part]})
        return out

    def _level(self, name: str, values: Floats) -> Floats:
        curve = self.curves[name]
        return np.asarray(np.clip(curve.to_value(values), curve.values[0], curve.values[-1]))


def ways(engine: Engine, data: Dataset, loops: Sequence[str] = LOOPS, seed: int = 0) -> dict[str, Way]:
    """Loop -> how it answers."""
    curves = decode_curves(engine, data, seed) if "calibrated" in loops else {}
    return {loop: Way(engine, loop, curves if loop == "calibrated" else {}) for loop in loops}


def decode_curves(engine: Engine, data: Dataset, seed: int) -> dict[str, Calibration]:
    """Attribute -> the monotone curve from the level that is asked, over the training data's whole range, to what free
    decodes of validation segments measure."""
    rows = np.concatenate([data.select(split="validation", corpus=c) for c in corpora_of(engine, data)[0]])
    rows = np.random.default_rng(seed).permutation(rows)[:CALIBRATION_ROWS]
    source = segment_requests.encode_segments(engine, data.cells(rows))
    curves = {}
    for name, row in CODED.items():
        statistics = engine.info["statistics"][name]
        levels = np.linspace(statistics["min"], statistics["max"], CALIBRATION_LEVELS)
        asked = [SegmentRequest({name: np.full(len(rows), level)}) for level in levels]
        measured = [row.measure(segment_decoding.free_decode(engine, source, request)) for request in asked]
        curves[name] = Calibration.fit(np.repeat(levels, len(rows)), np.concatenate(measured))
    return curves


# --- scores of single outputs


def reconstruction(engine: Engine, data: Dataset, rows: NDArray[np.int64]) -> Figures:
    """Note F1 of encode-decode from posterior means, free-running, pooled over all notes and mean a segment."""
    hits, f1 = [], []
    for a in range(0, len(rows), BATCH):
        cells = data.cells(rows[a : a + BATCH])
        out = segment_decoding.free_decode(engine, segment_requests.encode_segments(engine, cells), SegmentRequest())
        hits.append(fader_scores.note_hits(out, cells))
        f1.append(fader_scores.note_f1(out, cells))
    pooled = fader_scores.pooled_f1(np.concatenate(hits))
    return {"segments": len(rows), **pooled, "note_f1_mean": float(np.concatenate(f1).mean())}


def at_rest(engine: Engine, data: Dataset, rows: NDArray[np.int64], seed: int) -> Figures:
    """Note F1 of an edit that asks for each segment's own values: the whole path, resting."""
    rows = np.random.default_rng(seed).permutation(rows)[:1000]
    cells = data.cells(rows)
    source = segment_requests.encode_segments(engine, cells)
    out = candidate_choice.edit_encoded(engine, source, SegmentRequest(dict(source.before)))
    return {
        "segments": len(rows),
        "note_f1": float(fader_scores.note_f1(out, cells).mean()),
        "equal": float((out == cells).mean()),
    }


# --- faders


def asked_values(engine: Engine, name: str) -> Floats:
    """T values from the 5th to the 95th percentile of the training data, in the attribute's own grain."""
    return values_to_ask(name, engine.info["statistics"][name])


def values_to_ask(name: str, statistics: dict[str, float]) -> Floats:
    """The same from an attribute's statistics."""
    return in_grain(name, np.linspace(statistics["p5"], statistics["p95"], T))


def in_grain(name: str, values: Floats) -> Floats:
    """The nearest values that the attribute can have."""
    grain = CODED[name].grain
    return np.round(values / grain) * grain if grain else values


def strict(way: Way, data: Dataset, rows: NDArray[np.int64], name: str, runs: int, seed: int) -> dict[str, Any]:
    """The strict protocol for one fader: mean and standard deviation over runs of M new segments each."""
    values = asked_values(way.engine, name)
    each = []
    for run in range(runs):
        chosen = np.random.default_rng([seed, run]).permutation(rows)[:M]
        cells = data.cells(chosen)
        outputs = slide(way, cells, name, values)
        each.append(
            fader_scores.strict(outputs, cells, name, values, segment_requests.attribute_deviations(way.engine))
        )
    return fader_scores.over_runs(each)


def slide(way: Way, cells: Cells, name: str, values: Floats) -> Cells:
    """[M, T, 16, 88] what comes out of each segment at each asked value."""
    out = np.empty((len(cells), len(values), *cells.shape[1:]), np.uint8)
    for a in range(0, len(cells), BATCH):
        part = segment_requests.encode_segments(way.engine, cells[a : a + BATCH])
        for t, value in enumerate(values):
            out[a : a + BATCH, t] = way.answer(part, {name: np.full(len(part.cells), value)})
    return out


# --- what a move leaves alone


def untouched(engine: Engine, data: Dataset, rows: NDArray[np.int64], seed: int) -> dict[str, dict[str, Figures]]:
    """Attribute -> move in standard deviations -> the share of the sources' notes that an edit keeps, by onset step
    and pitch (`onsets`) and with the same end (`notes`).

    Up to UNTOUCHED of the rows, by chance; of these a move takes the `segments` whose asked value lies within the
    values that `strict` asks for.
    """
    cells = data.cells(np.random.default_rng(seed).permutation(rows)[:UNTOUCHED])
    way, spread = Way(engine), dict(zip(CODED, segment_requests.attribute_deviations(engine), strict=True))
    found: dict[str, dict[str, Figures]] = {}
    for name, row in CODED.items():
        own, values = row.measure(cells), asked_values(engine, name)
        for move in MOVES:
            asked = in_grain(name, own + move * spread[name])
            inside = (asked >= values[0] - 1e-9) & (asked <= values[-1] + 1e-9)
            source = cells[inside]
            kept = fader_scores.notes_kept(way.move(source, name, asked[inside]), source).sum(0)
            found.setdefault(name, {})[f"{move:+g}"] = {
                "segments": int(inside.sum()),
                "onsets": float(kept[1] / max(kept[0], 1)),
                "notes": float(kept[2] / max(kept[0], 1)),
            }
    return found


def untouched_lines(engine: Engine, data: Dataset, seed: int) -> dict[str, list[float]]:
    """`untouched` of the corpora that the model rebuilds (those may be drawn), as lines over MOVES."""
    rows = np.concatenate([data.select(split="test", corpus=corpus) for corpus in corpora_of(engine, data)[0]])
    return {
        f"{_spelled(name)}: {title}": [figures[kind] for figures in moves.values()]
        for name, moves in untouched(engine, data, rows, seed).items()
        for kind, title in (("onsets", "onset and pitch kept"), ("notes", "end kept too"))
    }


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
    overall = fader_scores.balanced_accuracy(guess, label, pieces)
    each = {}
    for n in CODES:
        high = (
            np.concatenate([code_arithmetic.cluster_probability(getattr(c, n), engine.means[n]) for c in codes]) >= 0.5
        )
        each[f"balanced_accuracy_{n}"] = fader_scores.balanced_accuracy(high, label, pieces)["balanced_accuracy"]
    return {"segments": len(rows), "pieces": len(np.unique(pieces)), **overall, **each}


def preset(engine: Engine, data: Dataset, rows: NDArray[np.int64], seed: int) -> dict[str, Figures]:
    """Mean change of each attribute, of the arousal probability, and chroma similarity at amounts 1 and -1."""
    rows = np.random.default_rng(seed).permutation(rows)[:1000]
    out: dict[str, Figures] = {}
    for amount in (1.0, -1.0):
        before, after, chroma, probability = [], [], [], []
        for a in range(0, len(rows), BATCH):
            source = segment_requests.encode_segments(engine, data.cells(rows[a : a + BATCH]))
            cells = candidate_choice.edit_encoded(engine, source, SegmentRequest(arousal=amount))
            before.append(source.values)
            after.append(np.stack(list(attribute_table.measure(cells).values()), 1))
            chroma.append(fader_scores.chroma_similarity(cells, source.cells))
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
    nats: realism.Nats | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """`musicality.evaluate` on test segments of every corpus of the data set, labelled ones too.

    nats: how likely an independent model finds cells, in mean nats a segment (`protocols.judge_of`).
    """

    way = ways(engine, data, [loop], seed)[loop]
    rows = data.select(split="test")
    spread = segment_requests.attribute_deviations(engine)
    found = realism.evaluate(way.move, data, rows, spread, seed=seed, nats=nats, progress=progress)
    return {"model": engine.name, "data": data.hash, "loop": loop, "seed": seed, **found}


def pairs(
    engine: Engine, data: Dataset, *, each: int = 3, seed: int = 0
) -> list[tuple[str, NDArray[Any], NDArray[Any]]]:
    """Test segments before and after every move of `musicality.MOVES`, `each` a move, chosen by seed: title and notes
    (in beats) as `rolls.draw_sheet` takes them. Of the corpora that the model rebuilds: those may be shown."""
    spread = segment_requests.attribute_deviations(engine)
    test = np.sort(np.concatenate([data.select(split="test", corpus=c) for c in corpora_of(engine, data)[0]]))
    found = []
    for name in CODED:
        for move in realism.MOVES:
            matched = realism.match(data, test, name, move, spread, seed)
            cells, asked = data.cells(matched.source[:each]), matched.asked[:each]
            out = Way(engine).move(cells, name, asked)
            title = f"{name.replace('_', ' ')} {move:+d} sd"
            found += [(title, _in_beats(a), _in_beats(b)) for a, b in zip(cells, out, strict=True)]
    return found


def _in_beats(cells: NDArray[np.uint8]) -> NDArray[Any]:
    rows = grid.decode(cells)
    notes = np.zeros(len(rows), ROLL_NOTE)
    notes["onset"], notes["end"] = np.maximum(rows[:, 0], 0) / STEPS_PER_BEAT, rows[:, 1] / STEPS_PER_BEAT
    notes["pitch"], notes["velocity"] = rows[:, 2], 80
    return notes


SHORT = (  # figure, its name in narrow tables
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
    """The figures as markdown tables."""
    lines = ["| reconstruction | segments | note F1 | precision | recall |", "|---|---|---|---|---|"]
    for key, row in figures.items():
        kind, _, corpus = key.partition("/")
        if kind == "reconstruction":
            values = " | ".join(f"{row[name]:.4f}" for name in ("note_f1", "precision", "recall"))
            lines.append(f"| {corpus} | {row['segments']} | {values} |")
    faders = [key for key in figures if key.partition("/")[0] in CODED]
    pooled, single = ([key for key in faders if key.count("/") == n] for n in (1, 2))
    heads = [_spelled(key) for key in pooled]
    lines += ["", f"| fader, loop | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name in figures[pooled[0]]:
        cells = [f"{figures[key][name]['mean']:.3f} ± {figures[key][name]['std']:.3f}" for key in pooled]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
    if single:
        lines += ["", f"| fader, loop, corpus | {' | '.join(title for _, title in SHORT)} |"]
        lines.append("|---" * (len(SHORT) + 1) + "|")
    for key in single:
        cells = [f"{figures[key][name]['mean']:.3f}" for name, _ in SHORT]
        lines.append(f"| {_spelled(key)} | {' | '.join(cells)} |")
    moves = list(next(iter(figures["untouched"].values())))
    lines += ["", f"| notes left alone by a move of | {' | '.join(f'{m} sd' for m in moves)} |"]
    lines.append("|---" * (len(moves) + 1) + "|")
    for name, found in figures["untouched"].items():
        for kind, title in (("onsets", "onset and pitch"), ("notes", "end too")):
            cells = [f"{found[move][kind]:.3f}" for move in moves]
            lines.append(f"| {_spelled(name)}, {title} | {' | '.join(cells)} |")
        lines.append(f"| {_spelled(name)}, segments | {' | '.join(str(found[m]['segments']) for m in moves)} |")
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


def _spelled(key: str) -> str:
    return key.replace("_", " ").replace("/", ", ")
