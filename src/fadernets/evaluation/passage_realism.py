"""Whether passages of edited pieces can be told from real ones, by pieces that are edited whole and read as written.

Protocol: test pieces are drawn from each corpus; each editor moves each density of a whole piece by each of MOVES, in
standard deviations of the training data, on the tracks that `fadernets apply` edits. Passages of four segments of the
source's own grid are cut from the source and the edited file (`piece_passages`), drawn at random over all edited
pieces, and judged beside real passages of test and validation pieces (`metrics.two_sample`): of the same corpus, metre
and length, another piece, and as dense. What an editor is asked for is the source's value and the move, within what
the segment can hold. Beside each row stands what the first judge makes of real passages that are as dense as the edited
ones segment by segment (`two_sample.as_level`). It does not show whether a listener would take an edit for real music.
N passages.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import Bools, Cells, Integers
from fadernets.attributes.table import CODED
from fadernets.errors import FadernetsError
from fadernets.evaluation import passage_figures
from fadernets.evaluation.editors import Editor
from fadernets.evaluation.passage_figures import Alike, NewNotes
from fadernets.evaluation.piece_passages import METRES, SUBDIVISIONS, PassagePiece, read_pieces
from fadernets.metrics import two_sample
from fadernets.metrics.passage_features import Passages
from fadernets.music.document import Document

MOVES = (-2, -1, 1, 2)  # standard deviations
PIECES = 24  # drawn from each corpus
FEWEST = 60  # pairs: a class with fewer has no figure
# How often each judge is asked. A network takes as long as many trees: it is asked once unless seeds are given.
SEEDS: dict[str, tuple[int, ...]] = {"trees": (0, 1, 2), "network": (0,)}


@dataclass(frozen=True)
class CutPassages:
    """Passages of one piece or of many, with the classes that figures are given by."""

    passages: Passages
    metre: Integers  # [N] index in METRES
    subdivision: Integers  # [N] index in SUBDIVISIONS

    @classmethod
    def of(cls, piece: PassagePiece, roll: Cells) -> CutPassages:
        """Those of a roll of a piece; the kind is its corpus, metre and length."""
        steps, metre, subdivision = piece.kinds
        kind = np.array([f"{piece.corpus}/{METRES[m]}/{n}" for m, n in zip(metre, steps, strict=True)])
        return cls(Passages(piece.cells(roll), steps, np.full(len(steps), piece.name), kind), metre, subdivision)

    @classmethod
    def joined(cls, parts: Sequence[CutPassages]) -> CutPassages:
        """Those of many pieces."""
        columns = {
            name: np.concatenate([getattr(part.passages, name) for part in parts])
            for name in Passages.__dataclass_fields__
        }
        classes = (np.concatenate([getattr(part, name) for part in parts]) for name in ("metre", "subdivision"))
        return cls(Passages(**columns), *classes)

    def classes(self) -> dict[str, Bools]:
        """[N] which passages are of each metre, and of each subdivision."""
        metres = {name: self.metre == i for i, name in enumerate(METRES)}
        return metres | {name: self.subdivision == i for i, name in enumerate(SUBDIVISIONS)}


def evaluate(
    editors: Sequence[Editor],
    roots: Mapping[str, Path],
    deviations: Mapping[str, float],
    *,
    moves: Sequence[int] = MOVES,
    pieces: int = PIECES,
    most: int = two_sample.MOST,
    judges: Mapping[str, tuple[int, ...]] = SEEDS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """The protocol: `floor`, and for each editor `ATTRIBUTE/MOVE` -> its figures.

    roots: corpus -> its folder. deviations: attribute -> the standard deviation that a move counts in. pieces: how
    many are drawn from each corpus. most: passages a side. judges: the judges to ask and the seeds of each. Raises
    FadernetsError where the corpora have no passage in their test pieces.
    """
    drawn, real = draw_pieces(roots, pieces, seed)
    jobs = [(attribute, move) for attribute in CODED if attribute in deviations for move in moves]
    total, done = len(editors) * len(jobs) + 1, 1
    figures: dict[str, Any] = {
        "seed": seed,
        "most": most,
        "pieces": [piece.name for piece in drawn],
        "pool": len(real.metre),
        "floor": {
            judge: asdict(two_sample.floor(real.passages, judge=judge, seeds=seeds, most=most))
            for judge, seeds in judges.items()
        },
        "editors": {editor.name: {} for editor in editors},
    }
    if progress:
        progress(done, total)
    source = CutPassages.joined([CutPassages.of(piece, piece.roll) for piece in drawn])
    for attribute, move in jobs:
        change = {attribute: move * deviations[attribute]}
        for editor in editors:
            edited, alike, new, failed = edit_pieces(editor, drawn, change, seed)
            sides = source.passages, edited.passages, real.passages
            row = _row(*sides, attribute, change[attribute], judges, most) | alike.figures() | new.figures()
            row |= {"failures": failed / len(drawn), "classes": {}}
            for name, ours in edited.classes().items():
                theirs = real.classes()[name]
                if not ours.any():
                    continue
                sides = _of(source, ours), _of(edited, ours), _of(real, theirs)
                first = dict(list(judges.items())[:1]) if _can_be_judged(*sides[1:], most) else {}
                row["classes"][name] = _row(*sides, attribute, change[attribute], first, most)
                row["classes"][name] |= alike.figures(name) | new.figures(name)
            figures["editors"][editor.name][f"{attribute}/{move:+d}"] = row
            done += 1
            if progress:
                progress(done, total)
    cleaned: dict[str, Any] = without_nan(figures)
    return cleaned


def without_nan(value: Any) -> Any:
    """The same figures with None where there was nothing to measure, as JSON has it."""
    if isinstance(value, dict):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, list):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def draw_pieces(roots: Mapping[str, Path], pieces: int, seed: int) -> tuple[list[PassagePiece], CutPassages]:
    """The test pieces that are drawn, and the real passages of all test and validation pieces."""
    drawn: list[PassagePiece] = []
    real: list[CutPassages] = []
    for corpus, root in roots.items():
        test: list[PassagePiece] = []
        for split, piece in read_pieces(corpus, root, ("validation", "test")):
            real.append(CutPassages.of(piece, piece.roll))
            if split == "test":
                test.append(piece)
        chosen = np.sort(np.random.default_rng(seed).permutation(len(test))[:pieces])
        drawn += [test[i] for i in chosen.tolist()]
    if not drawn:
        raise FadernetsError(f"no test piece of {', '.join(roots)} has four bars in a row of 12 or 16 sixteenths")
    return drawn, CutPassages.joined(real)


def edit_pieces(
    editor: Editor, pieces: Sequence[PassagePiece], change: Mapping[str, float], seed: int
) -> tuple[CutPassages, Alike, NewNotes, int]:
    """The passages of every piece as an editor wrote it, how alike its repeats are, where its new notes begin, and how
    many pieces failed.

    A piece that cannot be edited stays as it is.
    """
    parts, alike, new, failed = [], Alike(), NewNotes(), 0
    for piece in pieces:
        try:
            written: Document = editor.edit(piece.document, change, seed)
        except FadernetsError:
            written, failed = piece.document, failed + 1
        roll = piece.reread(written)
        parts.append(CutPassages.of(piece, roll))
        rows = np.flatnonzero(piece.grid.steps > 0)
        source, classes = piece.grid.notes_of(piece.document.piece, piece.tracks, rows), piece.grid.classes
        alike.add(source, piece.grid.segments(roll, rows), [classes[row] for row in rows.tolist()])
        new.add(
            piece.grid.own,
            piece.document.piece.only(piece.tracks).notes,
            written.piece.only(piece.tracks_in(written)).notes,
            classes,
        )
    return CutPassages.joined(parts), alike, new, failed


def _of(cut: CutPassages, which: Bools) -> Passages:
    return cut.passages.take(np.flatnonzero(which))


def _can_be_judged(edited: Passages, real: Passages, most: int) -> bool:
    return min(len(edited.steps), len(real.steps), len(two_sample.pairs_of(edited, real, most)[0])) >= FEWEST


def _row(
    source: Passages,
    edited: Passages,
    real: Passages,
    attribute: str,
    change: float,
    judges: Mapping[str, tuple[int, ...]],
    most: int,
) -> dict[str, Any]:
    """The figures of some passages: what stays, the AUC of every judge, how far they are from real ones and how unlike
    neighbouring bars are."""
    row: dict[str, Any] = dict(passage_figures.beside_source(source, edited, attribute, change))
    for judge, seeds in judges.items():
        row[judge] = asdict(two_sample.compare(edited, real, judge=judge, seeds=seeds, most=most))
    ours, theirs, _ = two_sample.pairs_of(edited, real, most)
    row["pairs"] = len(ours)
    row["neighbours"] = passage_figures.neighbours(edited.take(ours))
    row["neighbours_real"] = passage_figures.neighbours(real.take(theirs))
    rest = real.take(np.setdiff1d(np.arange(len(real.steps)), theirs))
    matched = edited.take(ours)
    mine, others, _ = two_sample.pairs_of(matched, rest, most)
    row |= passage_figures.distances(matched.take(mine), real.take(theirs[mine]), rest.take(others))
    first = next(iter(judges), None)
    if first is not None:
        row["as_level"] = asdict(two_sample.as_level(edited, real, judge=first, seeds=judges[first], most=most))
    return row
