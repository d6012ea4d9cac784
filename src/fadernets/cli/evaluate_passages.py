"""What `evaluate` measures on passages of whole edited pieces: the two-sample test, the trade, the page of passages."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from fadernets.cli import options as shared
from fadernets.cli.console import Add, Parser, check_output, check_output_folder, progress, warn
from fadernets.cli.reading import read_corpora
from fadernets.errors import FadernetsError

if TYPE_CHECKING:
    from fadernets.decoding.edit_models import EditModel

JUDGES = ("trees", "network")  # of the two-sample test
OF_TWO_SAMPLE = ("corpus", "beside", "pieces", "most", "judge", "judge_runs", "moves", "trade")


def add_two_sample(command: Parser) -> None:
    """Add the options of the two-sample test to `evaluate realism`."""
    command.add_argument("--two-sample", action="store_true", help="judge passages of edited pieces of --corpus")
    shared.add_corpora(command, "for --two-sample: a corpus and its folder; repeatable")
    command.add_argument("--beside", action="append", metavar="MODEL", help="for --two-sample: one more model")
    command.add_argument("--pieces", type=int, metavar="N", help="for --two-sample: pieces of each corpus (24)")
    command.add_argument("--most", type=int, metavar="N", help="for --two-sample: passages a side (600)")
    command.add_argument("--judge", choices=JUDGES, help="for --two-sample: ask this judge alone (default: both)")
    command.add_argument(
        "--judge-runs", type=int, metavar="N", help="for --two-sample: seeds of every judge (trees 3, network 1)"
    )
    command.add_argument(
        "--moves",
        type=_read_moves,
        metavar="LIST",
        help="for --two-sample: moves in standard deviations, such as --moves=-1,1 (-2,-1,1,2; of --trade -1,1)",
    )
    command.add_argument(
        "--trade",
        type=Path,
        metavar="OUT.png",
        help="for --two-sample: draw the AUC of one judge (trees) against note F1 to the source over faithfulness "
        "0..1, and print these figures alone",
    )


def _read_moves(text: str) -> tuple[int, ...]:
    try:
        moves = tuple(int(part) for part in text.split(","))
    except ValueError:
        moves = ()
    if not moves or 0 in moves:
        raise argparse.ArgumentTypeError(f"{text!r}: expected whole numbers other than 0, such as --moves=-1,1")
    return moves


def register_page(action: Add) -> None:
    """Add `evaluate page`."""
    page = action(
        "page",
        _page,
        "A page of edited passages of test pieces, as rolls and as sound: before, after, and a plain rule.",
        epilog="Pieces are drawn by --seed: two of each corpus for each density, one deviation up and down. The page "
        "holds the corpora's music and is to stay outside any repository; remarks.yaml beside it has a line to fill "
        "for each passage, and --remarks takes the filled one.",
    )
    page.add_argument("out", type=Path, metavar="FOLDER", help="where index.html, sound and MIDI files are written")
    shared.add_model(page)
    shared.add_corpora(page, "a corpus and its folder; repeatable", required=True)
    page.add_argument("--remarks", type=Path, metavar="FILE.yaml", help="remarks by the name of a passage")


def check_none(options: argparse.Namespace) -> None:
    """Raises FadernetsError where an option of the two-sample test was given without it."""
    for name in OF_TWO_SAMPLE:
        if getattr(options, name):
            raise FadernetsError(f"--{name.replace('_', '-')} is of --two-sample, which was not given")


def two_sample(options: argparse.Namespace) -> None:
    """Run the two-sample test, or with --trade draw what faithfulness does to it."""
    from fadernets.decoding.edit_models import open_edit_model
    from fadernets.evaluation import editors, passage_realism, passage_table
    from fadernets.metrics import two_sample as test

    roots = read_corpora(options.corpus)
    if not roots:
        raise FadernetsError("--two-sample edits test pieces of corpora: name one, such as --corpus lieder=PATH")
    if any((options.rolls, options.language_model)):
        raise FadernetsError("--rolls and --language-model are of segments; --two-sample takes neither")
    counts = {name: getattr(options, name) for name in ("pieces", "most", "judge_runs")}
    for name, value in counts.items():
        if value is not None and value < 1:
            raise FadernetsError(f"--{name.replace('_', '-')} {value}: must be at least 1")
    models = [open_edit_model(name) for name in (options.model, *(options.beside or ()))]
    unit = _deviations()
    if options.trade:
        check_output(options.trade)
        _trade(options, models, roots, unit)
        return
    runs = {judge: seeds for judge, seeds in passage_realism.SEEDS.items() if options.judge in (None, judge)}
    if options.judge_runs:
        runs = dict.fromkeys(runs, tuple(range(options.judge_runs)))
    figures = passage_realism.evaluate(
        [*map(editors.model, models), editors.rule()],
        roots,
        unit,
        moves=options.moves or passage_realism.MOVES,
        pieces=options.pieces or passage_realism.PIECES,
        most=options.most or test.MOST,
        judges=runs,
        seed=options.seed,
        progress=progress("moves"),
    )
    print(json.dumps(figures) if options.json else passage_table.table(figures))


def _deviations() -> dict[str, float]:
    """What moves count in: the deviations of the paper's model, so that every model is moved alike."""
    from fadernets.decoding.edit_models import open_edit_model
    from fadernets.engines.model_folder import DEFAULT_WINDOW_MODEL

    statistics = open_edit_model(DEFAULT_WINDOW_MODEL).info["statistics"]
    return {name: float(row["std"]) for name, row in statistics.items()}


def _trade(
    options: argparse.Namespace, models: list[EditModel], roots: dict[str, Path], unit: dict[str, float]
) -> None:
    from fadernets.evaluation import passage_realism, realism_trade
    from fadernets.figures import plots
    from fadernets.metrics import two_sample as test

    judge = options.judge or realism_trade.JUDGE
    figures = realism_trade.evaluate(
        models,
        roots,
        unit,
        moves=options.moves,
        pieces=options.pieces or passage_realism.PIECES,
        most=options.most or test.MOST,
        judge=judge,
        seeds=tuple(range(options.judge_runs)) if options.judge_runs else passage_realism.SEEDS[judge],
        seed=options.seed,
        progress=progress("edits"),
    )
    plots.trade(
        realism_trade.panels(figures),
        [options.trade],
        title="Likeness to real music against likeness to the source",
        setting="faithfulness",
    )
    print(json.dumps(figures) if options.json else realism_trade.table(figures))


def _page(options: argparse.Namespace) -> None:
    from fadernets.decoding.edit_models import open_edit_model
    from fadernets.evaluation import editors, passage_page

    check_output_folder(options.out)
    roots = read_corpora(options.corpus)
    remarks = passage_page.read_remarks(options.remarks) if options.remarks else {}
    editor = editors.model(open_edit_model(options.model))
    total, report = len(roots) * len(passage_page.MOVES) * passage_page.EACH, progress("passages")
    names = passage_page.write(
        passage_page.draw(editor, roots, _deviations(), options.seed),
        options.out,
        f"Edited passages: {editor.name} beside a plain rule, seed {options.seed}",
        remarks,
        lambda done: report(done, total),
    )
    warn([f"{options.remarks}: no passage of this page is {name!r}" for name in remarks if name not in names])
    made = {"page": str(options.out / passage_page.PAGE), "passages": names}
    print(json.dumps(made) if options.json else made["page"])
