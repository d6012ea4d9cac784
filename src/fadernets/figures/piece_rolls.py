"""Files as piano rolls: a piece, or a piece before and after an edit, with the values of its bars under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import Array
from fadernets.decoding.edit_models import open_edit_model
from fadernets.editing import file_edit
from fadernets.errors import FadernetsError
from fadernets.figures import rolls
from fadernets.music.document import Document
from fadernets.music.notes import in_beats
from fadernets.music.opening import open_document

BAR = 50  # pixels of a bar, where there are many
NARROWEST, WIDEST = 1600, 12_000  # pixels of a picture
HEIGHTS = {1: 700, 2: 1000}  # pixels, by rolls
NOT_PLOTTED = ("index", "bar", "last_bar", "start_beat", "key", "arousal")  # of what is measured of a bar


@dataclass(frozen=True)
class Picture:
    """What a picture shows."""

    out: Path
    size: tuple[int, int]  # pixels
    bars: int
    notes: list[int]  # of each file, in these bars, of the tracks that are not grey
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self), "out": str(self.out), "size": list(self.size)}


def draw(
    files: Sequence[Path], out: Path, *, bars: tuple[int, int] | None = None, tracks: list[str] | None = None
) -> Picture:
    """Draw one file, or two as before and after, as a PNG file.

    bars: first and last to show; None: all. tracks: numbers or names, as an edit takes them; the other pitched ones are
    grey. Raises FadernetsError.
    """
    engine, warnings = open_edit_model(), list[str]()
    documents = [open_document(path) for path in files]
    measured = [file_edit.measure_document(engine, document, tracks)["segments"] for document in documents]
    rows = _bars(measured, warnings)
    shown = rows if bars is None else [row for row in rows if bars[0] <= row["bar"] <= bars[1]]
    if not shown:
        raise FadernetsError(
            f"--bars {bars[0]}-{bars[1]}: {files[0]} has none of them" if bars else f"{files[0]}: no bar"
        )
    start = -np.inf if shown[0] is rows[0] else shown[0]["start_beat"]
    end = np.inf if shown[-1] is rows[-1] else rows[rows.index(shown[-1]) + 1]["start_beat"]
    notes, others = [], []
    for document in documents:
        edited, other = _notes(document, tracks, start, end)
        notes.append(edited)
        others.append(other)
    size = (int(np.clip(len(shown) * BAR, NARROWEST, WIDEST)), HEIGHTS[len(files)])
    if len(files) == 1:
        rolls.draw_piece(notes[0], shown, out, title=files[0].name, others=others[0], size=size)
    else:
        title = f"{files[0].name}, {files[1].name}"
        rolls.draw_pair(notes[0], notes[1], shown, out, title=title, others=(others[0], others[1]), size=size)
    return Picture(out, size, len(shown), [len(part) for part in notes], warnings)


def _bars(measured: list[list[dict[str, Any]]], warnings: list[str]) -> list[dict[str, Any]]:
    """The bars of the first file as pictures take them; measured: of each file. Adds to the warnings."""
    before, after = measured[0], measured[-1]
    values = [[{k: v for k, v in row.items() if k not in NOT_PLOTTED} for row in rows] for rows in (before, after)]
    if [row["start_beat"] for row in before] != [row["start_beat"] for row in after]:
        warnings.append("the two files' bars begin at other places: bar lines are the first one's, values are left out")
        values = [[{}] * len(before)] * 2
    was = values[0] if len(measured) > 1 else [{}] * len(before)
    return [
        {
            "index": row["index"],
            "bar": row["bar"],
            "start_beat": row["start_beat"],
            "before": b,
            "asked": {},
            "measured": a,
        }
        for row, b, a in zip(before, was, values[1], strict=True)
    ]


def _notes(document: Document, tracks: list[str] | None, start: float, end: float) -> tuple[Array, Array]:
    """The notes between two quarter notes, cut there: those of the tracks, and those of the other pitched ones."""
    piece = document.piece
    notes = in_beats(piece.notes, piece.tpq)
    chosen = np.isin(piece.notes["track"], file_edit.choose_tracks(piece, tracks))
    drums = np.isin(piece.notes["track"], [i for i, track in enumerate(piece.tracks) if track.is_drum])
    inside = (notes["onset"] < end) & (notes["end"] > start)
    notes["onset"], notes["end"] = np.maximum(notes["onset"], start), np.minimum(notes["end"], end)
    return notes[inside & chosen], notes[inside & ~chosen & ~drums]
