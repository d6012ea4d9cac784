"""The trade of an edit: likeness to real music against likeness to the source, over faithfulness 0 to 1.

Likeness to real music that is bought by forgetting the source is no gain. Every model edits the same test pieces at
each faithfulness by the protocol of `passage_realism`; of each edit stand the AUC of the judge (`metrics.two_sample`,
trees) and the note F1 to the source. The rule, which has no faithfulness, is one point, and what the judge makes of
real passages that are as dense as its edits bar by bar (`two_sample.as_level`) is the line that none is asked to beat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fadernets.attributes.table import CODED
from fadernets.decoding.edit_models import EditModel
from fadernets.evaluation import editors, passage_figures
from fadernets.evaluation.editors import Editor
from fadernets.evaluation.passage_realism import PIECES, SEEDS, CutPassages, draw_pieces, edit_pieces, without_nan
from fadernets.figures.plots import TradePanel
from fadernets.metrics import two_sample
from fadernets.metrics.tables import markdown_table, spelled

FAITHFULNESS = (0.0, 0.25, 0.5, 0.75, 1.0)
MOVES = (-1, 1)  # standard deviations
JUDGE = "trees"


def evaluate(
    models: Sequence[EditModel],
    roots: Mapping[str, Path],
    deviations: Mapping[str, float],
    *,
    faithfulness: Sequence[float] | None = None,
    moves: Sequence[int] | None = None,
    pieces: int = PIECES,
    most: int = two_sample.MOST,
    judge: str = JUDGE,
    seeds: tuple[int, ...] = SEEDS[JUDGE],
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Under `moves`, `ATTRIBUTE/MOVE` -> `models`: a row for each faithfulness; `rule`: its row; `level`: real music.

    A row has the AUC (mean and deviation over seeds), the note F1 to the source, the most that it can be and the error
    of what was asked. roots: corpus -> its folder; deviations: attribute -> the standard deviation that a move counts
    in; pieces: drawn from each corpus; most: passages a side; faithfulness, moves: FAITHFULNESS and MOVES unless given.
    Raises FadernetsError where the corpora have no passage.
    """
    drawn, real = draw_pieces(roots, pieces, seed)
    source = CutPassages.joined([CutPassages.of(piece, piece.roll) for piece in drawn])
    jobs = [(attribute, move) for attribute in CODED if attribute in deviations for move in moves or MOVES]
    shares = FAITHFULNESS if faithfulness is None else faithfulness
    total, done = len(jobs) * (len(models) * len(shares) + 1), 0

    def row(editor: Editor, attribute: str, change: float) -> tuple[dict[str, Any], CutPassages]:
        nonlocal done
        edited, _, _, failed = edit_pieces(editor, drawn, {attribute: change}, seed)
        figures: dict[str, Any] = passage_figures.beside_source(source.passages, edited.passages, attribute, change)
        auc = two_sample.compare(edited.passages, real.passages, judge=judge, seeds=seeds, most=most)
        done += 1
        if progress:
            progress(done, total)
        return figures | {"failures": failed / len(drawn), "auc": asdict(auc)}, edited

    found: dict[str, Any] = {}
    for attribute, move in jobs:
        change = move * deviations[attribute]
        by_rule, edited = row(editors.rule(), attribute, change)
        level = two_sample.as_level(edited.passages, real.passages, judge=judge, seeds=seeds, most=most)
        lines = {
            model.name: [
                {"faithfulness": share} | row(editors.model(model, share), attribute, change)[0] for share in shares
            ]
            for model in models
        }
        found[f"{attribute}/{move:+d}"] = {"models": lines, "rule": by_rule, "level": asdict(level)}
    names = [piece.name for piece in drawn]
    cleaned: dict[str, Any] = without_nan({"seed": seed, "most": most, "judge": judge, "pieces": names, "moves": found})
    return cleaned


def panels(figures: Mapping[str, Any]) -> list[TradePanel]:
    """What `figures.plots.trade` draws of the figures: a panel for each move."""
    return [
        TradePanel(
            _title(move),
            {name: [_point(row) for row in rows] for name, rows in found["models"].items()},
            {name: [f"{row['faithfulness']:g}" for row in rows] for name, rows in found["models"].items()},
            {editors.RULE: _point(found["rule"])},
            found["level"]["mean"],
        )
        for move, found in figures["moves"].items()
    ]


def table(figures: Mapping[str, Any]) -> str:
    """The same as Markdown: a row for each move, editor and faithfulness."""
    head = ["moved by", "editor", "faithfulness", f"AUC, {figures['judge']}", "pairs", "note F1 (most)", "error"]
    rows = []
    for move, found in figures["moves"].items():
        level = found["level"]
        rows.append([_title(move), "real, as level", "-", _score(level), str(level["passages"]), "-", "-"])
        each = [(name, f"{row['faithfulness']:g}", row) for name, rows in found["models"].items() for row in rows]
        for name, share, row in [*each, (editors.RULE, "-", found["rule"])]:
            f1 = f"{row['note_f1']:.3f} ({row['note_f1_most']:.3f})"
            pairs = str(row["auc"]["passages"])
            rows.append([_title(move), name, share, _score(row["auc"]), pairs, f1, f"{row['error']:.3f}"])
    size = f"{len(figures['pieces'])} pieces, at most {figures['most']} passages a side, seed {figures['seed']}"
    return f"{size}\n\n{markdown_table(head, rows)}"


def _point(row: Mapping[str, Any]) -> tuple[float, float | None]:
    return row["note_f1"], row["auc"]["mean"]


def _score(score: Mapping[str, float | None]) -> str:
    return "-" if score["mean"] is None else f"{score['mean']:.3f} ± {score['deviation']:.3f}"


def _title(move: str) -> str:
    name, _, amount = move.partition("/")
    return f"{spelled(name)} {amount} sd"
