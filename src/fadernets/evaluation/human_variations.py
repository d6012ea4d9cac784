"""What a composer keeps of a theme: Mozart's variations K. 265 bar for bar beside it, and editors asked for as much.

The theme and its first eleven variations have 24 bars of 2/4 each; the twelfth is in 3/4, so that its steps have no
counterpart. A bar has 24 steps, twelve a quarter, which hold sixteenths and triplets alike. B bars, cells [B, 24, 88].
Densities are onset steps and mean sounding notes as the paper has them: the former a sixteenth's time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import Bools, Cells, Floats
from fadernets.codecs.grid import LOW, OFF, ONSET
from fadernets.data.corpora import CORPORA, find_root
from fadernets.data.passages import cells_of
from fadernets.evaluation.editors import Editor
from fadernets.metrics.cell_counts import highest_sounding, lowest_sounding, onset_steps
from fadernets.metrics.fader_scores import chroma_similarity, note_f1
from fadernets.metrics.tables import markdown_table
from fadernets.music.document import Document
from fadernets.music.notes import Piece

CORPUS = "tavern_k265"
BARS, QUARTERS = 24, 2  # of the theme and of each variation; quarters of a bar
VARIATIONS = 11
FINE = 12  # steps a quarter
STEPS = QUARTERS * FINE
SIXTEENTHS = 4 * QUARTERS  # of a bar

Figures = dict[str, float]


def bars_of(piece: Piece, first: int = 0) -> Cells:
    """[24, 24, 88] the cells of 24 bars of a piece in 2/4 from bar `first` (from 0) on."""
    step = piece.tpq / FINE
    at = first * QUARTERS * piece.tpq
    onset = np.floor((piece.notes["onset"] - at) / step + 0.5).astype(np.int64)
    end = np.maximum(np.floor((piece.notes["end"] - at) / step + 0.5).astype(np.int64), onset + 1)
    rows = np.stack([onset, end, piece.notes["pitch"].astype(np.int64) - LOW], axis=1)
    return cells_of(rows, BARS * STEPS).reshape(BARS, STEPS, -1)


def densities(cells: Cells) -> dict[str, float]:
    """Mean rhythm density and mean note density of bars."""
    onsets = onset_steps(cells).sum(axis=1) / SIXTEENTHS
    return {"rhythm_density": float(onsets.mean()), "note_density": float((cells != OFF).sum(axis=2).mean())}


def kept(cells: Cells, theme: Cells) -> Figures:
    """What bars keep of the theme's, means over bars or over all of the theme's onsets or beats.

    onsets_kept: of the theme's onset steps, those that strike a note; notes_kept: of its notes, those struck at their
    step and pitch; top_kept and bass_kept: of its beats, those on which the highest (lowest) note that sounds is the
    same; the ending _class: the same but for octaves.
    """
    struck = onset_steps(theme)
    notes = theme == ONSET
    figures = densities(cells) | {
        "onsets_kept": float(onset_steps(cells)[struck].mean()),
        "notes_kept": float((cells == ONSET)[notes].mean()),
        "note_f1": float(note_f1(cells, theme).mean()),
        "chroma_similarity": float(chroma_similarity(cells, theme).mean()),
    }
    now, before = cells[:, ::FINE], theme[:, ::FINE]  # B 2 88: the steps on the beat
    audible = (before != OFF).any(axis=2)
    for name, voice in (("top", highest_sounding), ("bass", lowest_sounding)):
        a, b = voice(now), voice(before)
        sounds = (now != OFF).any(axis=2)
        figures |= {
            f"{name}_kept": _share((a == b) & sounds, audible),
            f"{name}_kept_class": _share((a % 12 == b % 12) & sounds, audible),
        }
    return figures


def _share(right: Bools, of: Bools) -> float:
    return float(right[of].mean()) if of.any() else 1.0


def evaluate(root: Path, editors: Sequence[Editor], *, seed: int = 0) -> dict[str, Any]:
    """`theme` -> its densities, `variation N` -> {who: the figures of `kept`}: Mozart, and each editor that moves the
    theme by the difference of the mean densities. Raises FadernetsError where the corpus is not in the folder `root`.
    """
    corpus = CORPORA[CORPUS]
    (source,) = corpus.sources(find_root(CORPUS, root))
    piece = corpus.read(source).piece
    theme = bars_of(piece)
    document = _theme(piece)
    here = densities(theme)
    figures: dict[str, Any] = {"seed": seed, "theme": here}
    for k in range(1, VARIATIONS + 1):
        cells = bars_of(piece, k * BARS)
        row = {"Mozart": kept(cells, theme)}
        move = {name: value - here[name] for name, value in densities(cells).items()}
        for editor in editors:
            row[editor.name] = kept(bars_of(editor.edit(document, move, seed).piece), theme)
        figures[f"variation {k}"] = row
    return figures


def _theme(piece: Piece) -> Document:
    """The theme as a file of its own, both hands."""
    notes = piece.notes[piece.notes["onset"] < BARS * QUARTERS * piece.tpq]
    columns: list[Floats] = [notes["onset"] / piece.tpq, notes["end"] / piece.tpq]
    columns += [notes[name].astype(np.float64) for name in ("pitch", "velocity", "track")]
    return Document.of_notes(np.stack(columns, axis=1), metre=(QUARTERS, 4), name="theme.mid")


COLUMNS = {
    "rhythm_density": "rhythm density",
    "note_density": "note density",
    "onsets_kept": "onset steps kept",
    "notes_kept": "notes kept",
    "note_f1": "note F1",
    "chroma_similarity": "chroma",
    "top_kept": "top kept",
    "top_kept_class": "top, any octave",
    "bass_kept": "bass kept",
    "bass_kept_class": "bass, any octave",
}


def table(figures: dict[str, Any]) -> str:
    """A Markdown table: the theme, each variation by each hand, and the means over variations."""
    variations = {name: row for name, row in figures.items() if name.startswith("variation")}
    theme = [f"{figures['theme'][key]:.2f}" if key in figures["theme"] else "-" for key in COLUMNS]
    rows = [["theme", "Mozart", *theme]]
    for name, row in variations.items():
        rows += [[name, who, *(f"{found[key]:.2f}" for key in COLUMNS)] for who, found in row.items()]
    for who in next(iter(variations.values())):
        means = [float(np.mean([row[who][key] for row in variations.values()])) for key in COLUMNS]
        rows.append(["mean", who, *(f"{value:.2f}" for value in means)])
    return markdown_table(["bars", "by", *COLUMNS.values()], rows)
