"""How far moved outputs are from real music of the level that was asked: distance, likelihood, plain counts.

A source moved by k standard deviations is set beside two real held-out segments of the same piece that have the asked
level by themselves (within a quarter of a standard deviation) and the source's level of every other attribute (within
a half). Songs, levels and other attributes are thus spread alike on both sides, and the two real sets, drawn from
disjoint halves of each piece, give the floor at the same number of segments. N segments, A attributes, F features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes.table import CODED
from fadernets.codecs.grid import ONSET
from fadernets.data.dataset import Dataset
from fadernets.metrics import fader_scores, note_features

Cells = NDArray[np.uint8]
Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Answer = Callable[[Cells, str, Floats], Cells]  # sources [N, 16, 88], attribute, asked values [N] -> outputs
Nats = Callable[[Cells], float]  # mean nats a segment

MOVES = (-2, -1, 1, 2)  # standard deviations
MOST = 1000  # segments a move
LEVEL, OTHERS = 0.25, 0.5  # standard deviations: how near real segments are to what is asked, and to the source


@dataclass(frozen=True)
class Matched:
    """N sources that can be moved, and the real segments to set beside their outputs."""

    source: Rows  # [N]
    asked: Floats  # [N]
    real: tuple[Rows, Rows]  # [N] each, of disjoint halves of the pieces


def match(data: Dataset, rows: Rows, attribute: str, move: float, spread: Floats, seed: int) -> Matched:
    """Up to MOST of the rows, by chance, for which both real segments exist.

    move: how far each source is to go from its own value, in standard deviations `spread` [A]; the asked value is
    rounded to the attribute's grain, and inside its range.
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(rows)
    half = rng.random(len(rows)) < 0.5
    values = np.asarray(data.attributes[rows], np.float64)
    a, row = list(CODED).index(attribute), CODED[attribute]
    asked = values[:, a] + move * spread[a]
    asked = np.round(asked / row.grain) * row.grain if row.grain else asked
    inside = (asked >= row.low) & (asked <= row.high)
    reach = np.full(len(CODED), OTHERS)
    reach[a] = LEVEL
    wanted = values.copy()
    wanted[:, a] = asked
    pieces = np.asarray(data.piece[rows])
    order = np.argsort(pieces, kind="stable")
    found: list[tuple[int, int, int]] = []  # source and both of its real segments
    for members in np.split(order, np.flatnonzero(np.diff(pieces[order])) + 1):
        near = np.abs(wanted[members][:, None] - values[members]) <= reach * spread + 1e-9  # n n A
        fits = near.all(-1) & inside[members, None]
        sides = [fits & half[members], fits & ~half[members]]
        for i in np.flatnonzero(sides[0].any(1) & sides[1].any(1)):
            first, second = (members[rng.choice(np.flatnonzero(side[i]))] for side in sides)
            found.append((int(members[i]), int(first), int(second)))
    found.sort()  # by place in the drawn order: which are kept is chance
    chosen = np.array(found[:MOST], np.int64).reshape(-1, 3)
    return Matched(rows[chosen[:, 0]], asked[chosen[:, 0]], (rows[chosen[:, 1]], rows[chosen[:, 2]]))


def evaluate(
    answer: Answer,
    data: Dataset,
    rows: Rows,
    spread: Floats,
    *,
    seed: int = 0,
    nats: Nats | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """`ATTRIBUTE/MOVE` -> the figures of `compare`; moves for which fewer segments than features exist are left out."""
    scale = note_features.scale_of(note_features.features(data.cells(rows))[0])
    jobs = [(name, move) for name in CODED for move in MOVES]
    found: dict[str, Any] = {"features": list(note_features.FEATURES)}
    for i, (name, move) in enumerate(jobs):
        matched = match(data, rows, name, move, spread, seed)
        if len(matched.source) > len(note_features.FEATURES):
            found[f"{name}/{move:+d}"] = compare(answer, data, name, matched, scale, nats)
        if progress:
            progress(i + 1, len(jobs))
    return found


def compare(
    answer: Answer,
    data: Dataset,
    attribute: str,
    matched: Matched,
    scale: note_features.Scale,
    nats: Nats | None = None,
) -> dict[str, float]:
    """Outputs and real segments of one move: every figure for `moved` and for `real`.

    frechet: between the features of outputs and of real segments (mean of both sets); frechet_real: between the two
    real sets. Counts of real segments are means of both sets, and what they `keep` is what a real segment of that
    level shares with the source.
    """
    source = data.cells(matched.source)
    out = answer(source, attribute, matched.asked)
    real = [data.cells(rows) for rows in matched.real]
    found, first, second = (note_features.features(cells)[0] for cells in (out, *real))
    figures = {
        "n": float(len(source)),
        "frechet": (note_features.frechet(found, first, scale) + note_features.frechet(found, second, scale)) / 2,
        "frechet_real": note_features.frechet(first, second, scale),
        "error": float(np.abs(CODED[attribute].measure(out) - matched.asked).mean()),
        "chroma_similarity": float(fader_scores.chroma_similarity(out, source).mean()),
        "note_f1": float(fader_scores.note_f1(out, source).mean()),
        "positions": (position_distance(out, real[0]) + position_distance(out, real[1])) / 2,
        "positions_real": position_distance(*real),
        "repeats_alike": repeats_alike(source, out, matched.asked, np.asarray(data.piece[matched.source])),
    }
    for name, row in CODED.items():
        if name != attribute:
            figures[f"{name}_error"] = float(np.abs(row.measure(out) - row.measure(source)).mean())
    moved = counts(out, source)
    kept = [counts(cells, source) for cells in real]
    for name, value in moved.items():
        figures |= {name: value, f"{name}_real": float(np.mean([k[name] for k in kept]))}
    if nats is not None:
        figures |= {"nats": nats(out), "nats_real": float(np.mean([nats(cells) for cells in real]))}
    return figures


def counts(cells: Cells, source: Cells) -> dict[str, float]:
    """Plain counts beside the source; blip_share: of the struck notes, those that the source does not have, of one
    step, with nothing struck in the step before or behind."""
    new = (cells == ONSET) & (source != ONSET)
    blips = int((new & note_features.lone(cells)).sum())
    return {**note_features.counts(cells, source), "blip_share": blips / max(int((cells == ONSET).sum()), 1)}


def position_distance(one: Cells, other: Cells) -> float:
    """Half the sum of differences between the two sets' shares of onset steps at the 16 positions: 0..1."""
    shares = []
    for cells in (one, other):
        at = note_features.onset_steps(cells).sum(0)
        shares.append(at / max(at.sum(), 1))
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def repeats_alike(source: Cells, out: Cells, asked: Floats, pieces: NDArray[np.integer]) -> float:
    """Of the segments that repeat an earlier one of their piece and are asked for the same value, the share whose
    output repeats that one's; 1 where none repeats."""
    seen: dict[tuple[int, float, bytes], bytes] = {}
    alike = []
    for cells, found, value, piece in zip(source, out, asked.tolist(), pieces.tolist(), strict=True):
        key = (piece, value, cells.tobytes())
        if key in seen:
            alike.append(seen[key] == found.tobytes())
        else:
            seen[key] = found.tobytes()
    return float(np.mean(alike)) if alike else 1.0


TABLE = (  # figure, its name in the table, whether real segments have it
    ("n", "n", False),
    ("frechet", "Frechet", True),
    ("nats", "nats", True),
    ("error", "error", False),
    ("chroma_similarity", "chroma", False),
    ("note_f1", "note F1", False),
    ("positions", "positions", True),
    ("clash_share", "clashes", True),
    ("isolated_share", "isolated", True),
    ("blip_share", "blips", True),
    ("first_onset_kept", "first onset", True),
    ("lowest_kept", "lowest", True),
    ("highest_kept", "highest", True),
    ("length_mean", "length", True),
    ("repeats_alike", "repeats", False),
)


def table(found: dict[str, Any]) -> str:
    """Markdown: a row a move; where a cell holds two figures, the second is that of real segments."""
    moves = [key for key in found if "/" in key]
    columns = [(key, title, real) for key, title, real in TABLE if moves and key in found[moves[0]]]
    lines = [f"| moved by | {' | '.join(title for _, title, _ in columns)} |", "|---" * (len(columns) + 1) + "|"]
    for move in moves:
        figures = found[move]
        cells = []
        for key, _, real in columns:
            text = f"{figures[key]:.0f}" if key == "n" else f"{figures[key]:.3f}"
            cells.append(f"{text} / {figures[f'{key}_real']:.3f}" if real else text)
        name, _, amount = move.partition("/")
        lines.append(f"| {name.replace('_', ' ')} {amount} sd | {' | '.join(cells)} |")
    return "\n".join(lines)
