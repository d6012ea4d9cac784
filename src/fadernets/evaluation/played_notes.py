"""How near new notes are played to what the player did: hidden notes of held-out performances.

`fadernets evaluate played-notes` runs it. Four ways to play the notes of a hole: as `editing.new_notes` copies them,
as the mean of the neighbours, by the model's middle, and by its draws. Errors are mean absolute ones over all hidden
notes, intervals are over pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import Bools, Floats, Floats32, Integers
from fadernets.codecs import grid
from fadernets.data.dataset import SPLITS
from fadernets.data.played_notes import MANNER
from fadernets.editing.new_notes import new_notes
from fadernets.engines.played_notes import HIGHEST, LOWEST, SPREAD, PlayedNotes
from fadernets.errors import FadernetsError
from fadernets.fitting.fit_played_notes import (
    FEWEST,
    HOLES,
    LARGEST,
    Asked,
    Performance,
    ask,
    hidden_notes,
    performances,
)
from fadernets.metrics.statistics import ratio_interval
from fadernets.metrics.tables import markdown_table
from fadernets.music.notes import Piece
from fadernets.music.segments import STEPS_PER_BEAT

WAYS = ("copy", "mean", "model", "drawn")
GAIN = "gain over the copy, 95 %"


@dataclass(frozen=True)
class Holes:
    """Notes that one piece hides, and how each way plays them; H hidden notes."""

    piece: str
    hole: str
    truth: Floats32  # [H, 3] velocity, offset, release
    counts: Bools  # [H, 3] where the truth can be predicted at all
    free: Bools  # [H] the offsets around are not all the same: the player is not quantised there
    milliseconds: Floats  # [H] of a sixteenth
    ways: dict[str, Floats32]  # a name of WAYS -> [H, 3]


def copied(performance: Performance, hidden: Bools) -> Floats32:
    """[H, 3] the hidden notes as an edit without a model plays them."""
    piece, placed, windows = performance.piece, performance.placed, performance.windows
    left = replace(piece, notes=piece.notes[~hidden])
    where = grid.Placed(*(column[~hidden] for column in vars(placed).values()))
    rows = np.column_stack([placed.onset, placed.end, placed.pitch])[hidden]
    new = new_notes(left, windows, where, rows)
    sixteenth = windows.tpq / STEPS_PER_BEAT
    late = (new["onset"] - windows.step_ticks(rows[:, 0])) / sixteenth
    release = (new["end"] - windows.step_ticks(rows[:, 1])) / sixteenth
    return np.column_stack([new["velocity"], late, release]).astype(np.float32)


def played(performance: Performance, hole: str, model: PlayedNotes, spread: float, seed: int) -> Holes | None:
    """The notes that a hole hides, played in every way; None where it hides nothing or everything."""
    hidden = hidden_notes(performance, hole, np.random.default_rng(seed))
    if not hidden.any() or hidden.all():
        return None
    asked: Asked = ask(performance, hidden)
    notes = performance.notes
    drawn = model.play(notes.take(~hidden), performance.played[~hidden], notes.take(hidden), spread=spread, seed=seed)
    ways = {
        "copy": copied(performance, hidden),
        "mean": asked.around.mean,
        "model": model.predict(asked.around).middle,
        "drawn": drawn,
    }
    limits = np.array([[LOWEST, -LARGEST, -LARGEST], [HIGHEST, LARGEST, LARGEST]], np.float32)
    ways = {name: np.clip(values, *limits) for name, values in ways.items()}
    return Holes(
        performance.name,
        hole,
        asked.truth,
        asked.counts,
        asked.around.deviation[:, 1] > 0,
        _milliseconds(performance.piece, performance.windows.step_ticks(performance.placed.onset[hidden])),
        ways,
    )


def _milliseconds(piece: Piece, ticks: Integers) -> Floats:
    sixteenth = piece.tpq / STEPS_PER_BEAT
    return 1e3 * (piece.tempo.seconds(ticks + sixteenth) - piece.tempo.seconds(ticks))


def figures(holes: list[Holes]) -> dict[str, Any]:
    """Every way's errors, how much of the players' deviation it has, and the model's gain over the copy."""
    sums: dict[tuple[str, str], list[float]] = {}
    for one in holes:
        error = {way: np.abs(values - one.truth) for way, values in one.ways.items()}
        for way in WAYS:
            for k, name in enumerate(MANNER):
                sums.setdefault((way, name), []).append(float(error[way][one.counts[:, k], k].sum()))
            late = error[way][:, 1][one.counts[:, 1] & one.free]
            sums.setdefault((way, "offset, not quantised"), []).append(float(late.sum()))
            milliseconds = (error[way][:, 1] * one.milliseconds)[one.counts[:, 1] & one.free]
            sums.setdefault((way, "milliseconds, not quantised"), []).append(float(milliseconds.sum()))
    counts = {name: np.array([int(one.counts[:, k].sum()) for one in holes]) for k, name in enumerate(MANNER)}
    for name in ("offset, not quantised", "milliseconds, not quantised"):
        counts[name] = np.array([int((one.counts[:, 1] & one.free).sum()) for one in holes])
    out: dict[str, Any] = {"pieces": len({one.piece for one in holes}), "notes": int(counts["velocity"].sum())}
    for name, count in counts.items():
        per_way = {way: np.array(sums[way, name]) for way in WAYS}
        row: dict[str, Any] = {way: round(float(s.sum() / max(count.sum(), 1)), 4) for way, s in per_way.items()}
        some = count > 0
        if some.sum() > 1:
            low, high = ratio_interval((per_way["copy"] - per_way["model"])[some], count[some].astype(float))
            row[GAIN] = [round(low, 4), round(high, 4)]
        out[name] = row
    out["deviation of velocity"] = _deviations(holes)
    return out


def _deviations(holes: list[Holes]) -> dict[str, float]:
    """Deviation of velocity within a piece, of every way, as a share of the player's; the mean over pieces' squares.

    Empty where the player's does not vary.
    """
    large = [one for one in holes if len(one.truth) > 1]
    real = np.array([one.truth[:, 0].var() * len(one.truth) for one in large]).sum()
    shares = {way: np.array([one.ways[way][:, 0].var() * len(one.truth) for one in large]).sum() for way in WAYS}
    return {way: round(float(np.sqrt(share / real)), 3) for way, share in shares.items() if real > 0}


def measure(
    name: str, root: Path, model: PlayedNotes, *, split: str = SPLITS[2], every: int = 1, spread: float = SPREAD
) -> dict[str, Any]:
    """The figures of a corpus's held-out pieces: of every kind of hole, and of all together.

    Of a corpus with melodies, all tracks together and the piano by itself are told apart. Raises FadernetsError.
    """
    found = [
        one
        for i, performance in enumerate(performances(name, root, split, every))
        for hole in HOLES
        if (one := played(performance, hole, model, spread, seed=i)) is not None
    ]
    if not found:
        raise FadernetsError(f"{root}: no {split} piece of corpus {name!r} has {FEWEST} notes or more")
    return {label: figures(part) for label, part in _parts(found)}


def _parts(holes: list[Holes]) -> Iterator[tuple[str, list[Holes]]]:
    piano = [one for one in holes if one.piece.endswith(" piano")]
    whole = [one for one in holes if not one.piece.endswith(" piano")]
    for label, part in (("all tracks", whole), ("piano", piano)):
        if part:
            yield label, part
            yield from ((f"{label}, {hole}", [one for one in part if one.hole == hole]) for hole in HOLES)


def table(found: dict[str, dict[str, Any]]) -> str:
    """A Markdown table of what `measure` found, by corpus: mean absolute errors of each way."""
    rows = []
    for corpus, parts in found.items():
        for label, one in parts.items():
            for name, row in one.items():
                if name not in ("pieces", "notes", "deviation of velocity"):
                    gain = " to ".join(map(str, row.get(GAIN, "-")))
                    rows.append([corpus, label, str(one["notes"]), name, *(str(row[way]) for way in WAYS), gain])
    return markdown_table(["corpus", "holes", "notes", "error of", *WAYS, GAIN], rows)
