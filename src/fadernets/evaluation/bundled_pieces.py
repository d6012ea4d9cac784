"""Section 5 of the ISMIR paper on the two bundled pieces of Mozart, which everybody may see: analogies and Figure 5.

The theme of K. 265 and the sonata K. 545 are in the public domain. Both are cut into windows of four beats, of the
grid; the shipped model reads no performance tokens. It is an example, and no figure of how good a model is. S windows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import Array, Cells
from fadernets.attributes import of_cells
from fadernets.codecs.grid import ONSET, PITCHES
from fadernets.decoding import candidate_choice, segment_decoding
from fadernets.decoding.segment_requests import SegmentRequest, encode_segments
from fadernets.editing import file_edit
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.engines import code_arithmetic
from fadernets.engines.grid import Engine
from fadernets.errors import FadernetsError
from fadernets.evaluation import analogies
from fadernets.evaluation.model_realism import in_beats
from fadernets.figures import rolls
from fadernets.files import write_atomic
from fadernets.metrics.fader_scores import chroma_similarity
from fadernets.metrics.tables import markdown_table
from fadernets.music.document import Document
from fadernets.music.segments import cut
from fadernets.provenance import provenance

PIECES = {"K. 265": "k265.mid", "K. 545": "k545.mid"}
DRAWN = 6  # windows of each piece that a figure shows
ROLL = (800, 200)  # pixels of a roll
WAYS = {"up": 1.0, "down": -1.0}  # shift vectors


def windows_of(name: str) -> Cells:
    """[S, 16, 88] the windows of a bundled piece in which notes begin."""
    document = Document(Path(str(resources.files("fadernets") / "assets" / PIECES[name])))
    piece = PieceOnGrid.of(document.piece, file_edit.choose_tracks(document.piece), cut(document.piece))
    cells = piece.cells(piece.full)
    return cells[(cells == ONSET).any((1, 2))]


def analogy(engine: Engine, out: Path) -> dict[str, Any]:
    """Each piece's notes and key with the rhythm of the other one, by both controls of `mix`.

    Window by window, as many as the shorter piece has. Writes analogy.png and analogy.json; `rows` has a row for B
    before, both controls and A itself: the means of `analogies.scores`. Raises FadernetsError.
    """
    first, second = PIECES
    rows, columns = [], []
    for giver, frame in ((first, second), (second, first)):
        a, b = windows_of(giver), windows_of(frame)
        count = min(len(a), len(b))
        a, b = a[:count], b[:count]
        titles = {
            "a": f"A, the rhythm: {giver}",
            "before": f"B, the notes: {frame}",
            "paper": "paper: one decode",
            "closed": "closed: lands on A's onsets",
        }
        made, column = analogies.analogies(engine, a, b), []
        scores = {
            name: {key: float(values.mean()) for key, values in analogies.scores(cells, a, b).items()}
            for name, cells in made.items()
        }
        for name, means in scores.items():
            rows.append({"rhythm": giver, "notes": frame, "control": name, "windows": count, **means})
        for name, title in titles.items():
            means = scores[name]
            said = f"onset F1 with A {means['onset_f1']:.2f}, chroma with B {means['chroma']:.2f}"
            column.append((f"{title}; {said}, {means['note_density']:.2f} voices from B", made[name]))
        columns.append(column)
    return _write(out, "analogy", columns, {"model": engine.name, "rows": rows}, analogy_table)


def analogy_table(figures: dict[str, Any]) -> str:
    """A Markdown table of the rows of `analogy`."""
    rows = [
        [
            row["rhythm"],
            row["notes"],
            analogies.TITLES[row["control"]],
            *(f"{row[key]:.3f}" for key in analogies.COLUMNS),
        ]
        for row in figures["rows"]
    ]
    return markdown_table(["A: rhythm", "B: notes", "control", *analogies.COLUMNS.values()], rows)


def transfer(engine: Engine, out: Path) -> dict[str, Any]:
    """Figure 5: each piece shifted up and down by one shift vector of its codes, one decode of each window.

    Beside it the figures of what `apply --preset arousal-codes` makes of it, which keeps what it can of the source.
    Writes arousal.png and arousal.json; `rows` has a row for each piece, way and control: windows that moved, and
    the means of all windows before and after. Before is the decode of the unmoved codes for the free decode, and the
    source for the edit. Raises FadernetsError for a model without clusters.
    """
    if not engine.means:
        raise FadernetsError(f"model {engine.name} has no clusters to shift codes between")
    rows, columns = [], []
    for name in PIECES:
        source = encode_segments(engine, windows_of(name))
        plain = engine.decode(source.codes, source.key, source.values, source.held).cells
        column = [(f"{name}: source; {_said(engine, source.cells)}", source.cells)]
        column.append((f"one decode, unmoved; {_said(engine, plain)}", plain))
        for way, amount in WAYS.items():
            moved = np.any(
                [(code_arithmetic.shift(z, engine.means[c], amount) != z).any(-1) for c, z in source.codes.items()], 0
            )
            free = SegmentRequest(arousal=amount, faithfulness=0.0, sampled=0)
            decoded = segment_decoding.decode_candidates(engine, source, free).cells[:, 0]
            edited = candidate_choice.edit_encoded(engine, source, SegmentRequest(arousal=amount))
            column.append((f"one decode, {way}; {_said(engine, decoded)}", decoded))
            for control, before, after in (("decode", plain, decoded), ("edit", source.cells, edited)):
                rows.append(
                    {
                        "piece": name,
                        "way": way,
                        "control": control,
                        "windows": len(after),
                        "moved": int(moved.sum()),
                        "before": _means(engine, before),
                        "after": _means(engine, after),
                        "chroma": float(chroma_similarity(after, source.cells).mean()),
                    }
                )
        columns.append(column)
    return _write(out, "arousal", columns, {"model": engine.name, "rows": rows}, transfer_table)


def transfer_table(figures: dict[str, Any]) -> str:
    """A Markdown table of the rows of `transfer`."""
    titles = {"decode": "one decode", "edit": "edit"}
    rows = [
        [
            row["piece"],
            row["way"],
            titles[row["control"]],
            f"{row['moved']} of {row['windows']}",
            *(f"{row['before'][key]:.3f} to {row['after'][key]:.3f}" for key in row["before"]),
            f"{row['chroma']:.3f}",
        ]
        for row in figures["rows"]
    ]
    columns = ["rhythm density", "note density", "p(high)", "chroma similarity to the source"]
    return markdown_table(["piece", "way", "control", "windows outside of the target", *columns], rows)


def _means(engine: Engine, cells: Cells) -> dict[str, float]:
    """Means over windows: both densities, and the probability of the high cluster."""
    high = [code_arithmetic.cluster_probability(z, engine.means[name]) for name, z in engine.encode(cells).items()]
    return {
        "rhythm_density": float(of_cells.rhythm_density(cells).mean()),
        "note_density": float(of_cells.note_density(cells).mean()),
        "high": float(np.mean(high)),
    }


def _said(engine: Engine, cells: Cells) -> str:
    means = _means(engine, cells)
    return f"rhythm density {means['rhythm_density']:.2f}, note density {means['note_density']:.2f}"


def _write(
    out: Path,
    name: str,
    columns: list[list[tuple[str, Cells]]],
    figures: dict[str, Any],
    table: Callable[[dict[str, Any]], str],
) -> dict[str, Any]:
    """Draw a column of rolls for each piece and write the figures beside them; returns these, with the files."""
    out.mkdir(parents=True, exist_ok=True)
    drawn: list[tuple[str, Array]] = [
        (title, in_beats(cells[:DRAWN].reshape(-1, PITCHES)))
        for row in zip(*columns, strict=True)
        for title, cells in row
    ]
    picture, numbers = out / f"{name}.png", out / f"{name}.json"
    rolls.draw_cells(drawn, picture, columns=len(columns), cell=ROLL)
    write_atomic(numbers, (json.dumps({**figures, **provenance()}, indent=1) + "\n").encode())
    return {"files": [str(picture), str(numbers)], **figures, "table": table(figures)}
