"""How far moved outputs are from real music at the asked level of an attribute: distance, likelihood, plain counts.

Protocol: a source segment moved by k standard deviations is compared with two real held-out segments of the same piece
that have the asked level of the attribute by themselves (within a quarter of a standard deviation) and the source's
level of every other attribute (within a half). Pieces, levels and other attributes are thus distributed alike on both
sides, and the two real sets, drawn from disjoint halves of each piece, give the floor at the same number of segments.
It does not show whether a listener would take an output for real music. N segments, A attributes, F features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Cells, Floats, Indices
from fadernets.attributes.table import CODED
from fadernets.codecs.grid import ONSET
from fadernets.data.dataset import Dataset
from fadernets.metrics import cell_counts, fader_scores, frechet, note_features
from fadernets.metrics.tables import markdown_table, spelled

Move = Callable[[Cells, str, Floats], Cells]  # sources [N, 16, 88], attribute, asked values [N] -> outputs
Nats = Callable[[Cells], float]  # mean nats per segment

MOVES = (-2, -1, 1, 2)  # standard deviations
MOST = 1000  # segments of a move
LEVEL, OTHERS = 0.25, 0.5  # standard deviations: how near real segments are to the asked value, and to the source


@dataclass(frozen=True)
class Matched:
    """N source segments that can be moved, and the real segments to compare their outputs with."""

    source: Indices  # [N]
    asked: Floats  # [N]
    real: tuple[Indices, Indices]  # [N] each, of disjoint halves of the pieces


def match(data: Dataset, rows: Indices, attribute: str, move: float, spread: Floats, seed: int) -> Matched:
    """Up to MOST random rows of the data set for which both real segments exist.

    move: how far each source is to go from its own value, in standard deviations `spread` [A]; the asked value is
    rounded to the attribute's grain and lies inside its range.
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
    matches: list[tuple[int, int, int]] = []  # source and both of its real segments
    for members in np.split(order, np.flatnonzero(np.diff(pieces[order])) + 1):
        near = np.abs(wanted[members][:, None] - values[members]) <= reach * spread + 1e-9  # n n A
        fits = near.all(-1) & inside[members, None]
        sides = [fits & half[members], fits & ~half[members]]
        for i in np.flatnonzero(sides[0].any(1) & sides[1].any(1)):
            first, second = (members[rng.choice(np.flatnonzero(side[i]))] for side in sides)
            matches.append((int(members[i]), int(first), int(second)))
    matches.sort()  # by place in the drawn order: which are kept is chance
    chosen = np.array(matches[:MOST], np.int64).reshape(-1, 3)
    return Matched(rows[chosen[:, 0]], asked[chosen[:, 0]], (rows[chosen[:, 1]], rows[chosen[:, 2]]))


def evaluate(
    move_fader: Move,
    data: Dataset,
    rows: Indices,
    spread: Floats,
    *,
    seed: int = 0,
    nats: Nats | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """The protocol over every attribute and move: `ATTRIBUTE/MOVE` -> the figures of `compare`.

    move_fader: what is measured, such as `DecodingLoop.move` of a model folder. rows: [N] held-out segments of the
    data set. spread: [A] standard deviations of the attributes in the training data. nats: mean nats per segment under
    an independent language model. Moves for which there are fewer matched segments than features are left out.
    """
    scale = frechet.scale_of(note_features.features(data.cells(rows))[0])
    jobs = [(name, move) for name in CODED for move in MOVES]
    figures: dict[str, Any] = {"features": list(note_features.FEATURES)}
    for i, (name, move) in enumerate(jobs):
        matched = match(data, rows, name, move, spread, seed)
        if len(matched.source) > len(note_features.FEATURES):
            figures[f"{name}/{move:+d}"] = compare(move_fader, data, name, matched, scale, nats)
        if progress:
            progress(i + 1, len(jobs))
    return figures


def compare(
    move_fader: Move,
    data: Dataset,
    attribute: str,
    matched: Matched,
    scale: frechet.Scale,
    nats: Nats | None = None,
) -> dict[str, float]:
    """Every figure of the outputs of one move, and with the ending `_real` those of the matched real segments.

    frechet: between the features of outputs and of real segments (mean of both sets); frechet_real: between the two
    real sets. Counts of real segments are means of both sets, and what they "keep" is what a real segment of that
    level has in common with the source.
    """
    source = data.cells(matched.source)
    output = move_fader(source, attribute, matched.asked)
    real = [data.cells(rows) for rows in matched.real]
    moved, first, second = (note_features.features(cells)[0] for cells in (output, *real))
    figures = {
        "n": float(len(source)),
        "frechet": (frechet.distance(moved, first, scale) + frechet.distance(moved, second, scale)) / 2,
        "frechet_real": frechet.distance(first, second, scale),
        "error": float(np.abs(CODED[attribute].measure(output) - matched.asked).mean()),
        "chroma_similarity": float(fader_scores.chroma_similarity(output, source).mean()),
        "note_f1": float(fader_scores.note_f1(output, source).mean()),
        "positions": (position_distance(output, real[0]) + position_distance(output, real[1])) / 2,
        "positions_real": position_distance(*real),
        "repeats_alike": repeats_alike(source, output, matched.asked, np.asarray(data.piece[matched.source])),
    }
    for name, row in CODED.items():
        if name != attribute:
            figures[f"{name}_error"] = float(np.abs(row.measure(output) - row.measure(source)).mean())
    counted = counts(output, source)
    counted_real = [counts(cells, source) for cells in real]
    for name, value in counted.items():
        figures |= {name: value, f"{name}_real": float(np.mean([real_counts[name] for real_counts in counted_real]))}
    if nats is not None:
        figures |= {"nats": nats(output), "nats_real": float(np.mean([nats(cells) for cells in real]))}
    return figures


def counts(cells: Cells, source: Cells) -> dict[str, float]:
    """Plain counts of outputs beside their sources.

    blip_share: of the struck notes, those that the source does not have and that last one step with nothing
    struck in the step before or after.
    """
    new = (cells == ONSET) & (source != ONSET)
    blips = int((new & cell_counts.isolated_onsets(cells)).sum())
    return {**cell_counts.counts(cells, source), "blip_share": blips / max(int((cells == ONSET).sum()), 1)}


def position_distance(one: Cells, other: Cells) -> float:
    """Half the sum of differences between the two sets' shares of onset steps at the 16 positions: 0..1."""
    shares = []
    for cells in (one, other):
        at = cell_counts.onset_steps(cells).sum(0)
        shares.append(at / max(at.sum(), 1))
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def repeats_alike(source: Cells, output: Cells, asked: Floats, pieces: NDArray[np.integer]) -> float:
    """Share of the repeated source segments whose output repeats, too.

    A source repeats an earlier one of its piece when the cells and the asked value are the same. 1 where none repeats.
    """
    seen: dict[tuple[int, float, bytes], bytes] = {}
    alike = []
    for cells, answer, value, piece in zip(source, output, asked.tolist(), pieces.tolist(), strict=True):
        key = (piece, value, cells.tobytes())
        if key in seen:
            alike.append(seen[key] == answer.tobytes())
        else:
            seen[key] = answer.tobytes()
    return float(np.mean(alike)) if alike else 1.0


COLUMNS = (  # figure, its heading in the table, whether real segments have it
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


def table(figures: dict[str, Any]) -> str:
    """A Markdown table with a row per move; where a cell holds two figures, the second is that of real segments."""
    moves = [key for key in figures if "/" in key]
    columns = [(key, title, real) for key, title, real in COLUMNS if moves and key in figures[moves[0]]]
    rows = []
    for move in moves:
        moved = figures[move]
        cells = []
        for key, _, real in columns:
            text = f"{moved[key]:.0f}" if key == "n" else f"{moved[key]:.3f}"
            cells.append(f"{text} / {moved[f'{key}_real']:.3f}" if real else text)
        name, _, amount = move.partition("/")
        rows.append([f"{spelled(name)} {amount} sd", *cells])
    return markdown_table(["moved by", *([title for _, title, _ in columns] or [""])], rows)
