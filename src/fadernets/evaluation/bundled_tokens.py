"""Figure 5 of the ISMIR paper on the two bundled pieces of Mozart, by a trained run over performance tokens.

`bundled_pieces` draws the same of models on the sixteenth grid. The pieces are written scores, in which all notes fall
exactly on the beat, and not the performances that such a run learned from. It is an example, and no figure of how good
a model is. S windows, T tokens, Z latent size.
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import Array, Cells
from fadernets.attributes.table import CODED, measure
from fadernets.codecs import performance_tokens
from fadernets.data.corpora import Item, Source
from fadernets.data.dataset import SPLITS, Dataset, measured
from fadernets.data.segmenters import token_segments
from fadernets.engines import code_arithmetic
from fadernets.errors import FadernetsError
from fadernets.evaluation import arousal_transfer
from fadernets.evaluation.bundled_pieces import DRAWN, PIECES, ROLL, WAYS
from fadernets.evaluation.checkpoint import Checkpoint, HeldOutSegments, Outputs
from fadernets.figures import rolls
from fadernets.files import write_atomic
from fadernets.metrics.fader_scores import chroma_similarity, note_f1
from fadernets.metrics.tables import markdown_table
from fadernets.music.document import Document
from fadernets.music.notes import ROLL_NOTE
from fadernets.provenance import provenance
from fadernets.training import checkpoints

CODEC = "tokens"
BEATS = 4  # of a window
TITLES = {"source": "source", "plain": "one decode, unmoved", "up": "one decode, up", "down": "one decode, down"}


def windows_of(name: str) -> Dataset:
    """A bundled piece as a data set in memory: the windows that `prepare` would keep of it as performance tokens."""
    path = Path(str(resources.files("fadernets") / "assets" / PIECES[name]))
    windows = token_segments(Item(Source(name, name, path), Document(path).piece), keep_all=False)
    rows = len(windows.codes)
    return Dataset(
        path,
        {"codec": CODEC, "attributes": list(measured(CODEC)), "corpora": [name], "hash": ""},
        windows.codes,
        windows.attributes,
        windows.key,
        windows.arousal,
        windows.valence,
        piece=np.zeros(rows, np.int32),
        index=windows.index,
        split=np.full(rows, SPLITS.index("test"), np.uint8),
        corpus=np.zeros(rows, np.uint8),
        seconds=windows.seconds,
    )


def transfer(run: Path, out: Path, device: str = "cpu") -> dict[str, Any]:
    """Figure 5: each piece shifted up and down by one shift vector of its codes, one decode of each window.

    Writes arousal-tokens.png and arousal-tokens.json; `rows` has a row for each piece and decode, and one for the
    source: how many windows the shift moves, the means of both densities, and note F1 and chroma similarity to the
    source. Raises FadernetsError for a run that has no clusters or reads no performance tokens.
    """
    codec = checkpoints.read_config(run / "best" if checkpoints.exists(run / "best") else run)["codec"]
    if codec != CODEC:
        raise FadernetsError(f"{run}: a model of {codec}, not of {CODEC}; export it and plot its model folder")
    rows, columns = [], []
    for name in PIECES:
        checkpoint = Checkpoint(run, windows_of(name), device, other_data=True)
        if not checkpoint.means:
            raise FadernetsError(f"{run}: {checkpoint.recipe.name} has no clusters to shift codes between")
        segments = checkpoint.segments(np.arange(len(checkpoint.data)))
        column = []
        for decode, outputs in _decodes(checkpoint, segments).items():
            means = _means(outputs.cells[:, 0], segments.cells)
            moved = _outside(checkpoint, segments, WAYS[decode]) if decode in WAYS else 0
            rows.append({"piece": name, "decode": decode, "windows": len(segments.rows), "moved": moved, **means})
            said = f"rhythm density {means['rhythm_density']:.2f}, note density {means['note_density']:.2f}"
            if decode == "source":
                title = f"{name}: {TITLES[decode]}; {said}"
            else:
                title = f"{TITLES[decode]}; {said}, note F1 {means['note_f1']:.2f}"
            column.append((title, in_beats(outputs.raw[:DRAWN, 0], segments.seconds[:DRAWN])))
        columns.append(column)
    out.mkdir(parents=True, exist_ok=True)
    picture, numbers = out / "arousal-tokens.png", out / "arousal-tokens.json"
    drawn = [roll for line in zip(*columns, strict=True) for roll in line]
    rolls.draw_cells(drawn, picture, columns=len(columns), cell=ROLL)
    figures = {"run": run.name, "rows": rows}
    write_atomic(numbers, (json.dumps({**figures, **provenance()}, indent=1) + "\n").encode())
    return {"files": [str(picture), str(numbers)], **figures, "table": table(figures)}


def _decodes(checkpoint: Checkpoint, segments: HeldOutSegments) -> dict[str, Outputs]:
    """Name of TITLES -> outputs [S, 1, ...]: the segments themselves, their codes as they are, up and down."""
    source = Outputs(np.asarray(checkpoint.data.codes)[:, None], segments.cells[:, None])
    plain = checkpoint.decode(segments, segments.codes, segments.values)
    strengths = {way: np.full(len(segments.rows), amount) for way, amount in WAYS.items()}
    shifted = {way: arousal_transfer.shift(checkpoint, segments, amounts) for way, amounts in strengths.items()}
    return {"source": source, "plain": plain, **shifted}


def _outside(checkpoint: Checkpoint, segments: HeldOutSegments, amount: float) -> int:
    """How many segments have a code outside of the target's cluster, which a shift then moves."""
    codes = segments.codes.items()
    moved = [(code_arithmetic.shift(z, checkpoint.means[c], amount) != z).any(-1) for c, z in codes]
    return int(np.any(moved, 0).sum())


def in_beats(tokens: Array, seconds: Array) -> Array:
    """The notes of windows [S, T] one after another, in quarter notes from the first one's start, as rolls draw them.

    What a decode writes behind the end of its window, or holds there, is left out.
    """
    parts = [np.empty(0, ROLL_NOTE)]
    for i, (row, length) in enumerate(zip(tokens, seconds, strict=True)):
        notes = performance_tokens.decode(row).astype(ROLL_NOTE)
        notes = notes[notes["onset"] < length]
        for edge in ("onset", "end"):
            notes[edge] = BEATS * (i + np.minimum(notes[edge], length) / length)
        parts.append(notes)
    return np.concatenate(parts)


def table(figures: dict[str, Any]) -> str:
    """A Markdown table of the rows of `transfer`."""
    rows = [
        [
            row["piece"],
            TITLES[row["decode"]],
            f"{row['moved']} of {row['windows']}" if row["decode"] in WAYS else "",
            *(f"{row[key]:.3f}" for key in (*CODED, "note_f1", "chroma")),
        ]
        for row in figures["rows"]
    ]
    columns = ["rhythm density", "note density", "note F1 to the source", "chroma similarity to the source"]
    return markdown_table(["piece", "", "windows outside of the target", *columns], rows)


def _means(cells: Cells, source: Cells) -> dict[str, float]:
    """Means over windows: both densities, and how much of the source is left."""
    return {
        **{name: float(values.mean()) for name, values in measure(cells).items()},
        "note_f1": float(note_f1(cells, source).mean()),
        "chroma": float(chroma_similarity(cells, source).mean()),
    }
