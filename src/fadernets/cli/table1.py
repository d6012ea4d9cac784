"""The command `table1`: Table 1 of the paper (ISMIR 2020), from corpora to tables."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from fadernets.cli import options as shared
from fadernets.cli.console import Add, progress, say
from fadernets.cli.reading import check_runs, read_corpora
from fadernets.errors import FadernetsError


def register(add: Add) -> None:
    """Add the command to the parser."""
    table1 = add(
        "table1",
        _table1,
        "Table 1: prepare the data, train what is missing, evaluate all models and print the tables.",
    )
    table1.add_argument("--size", default="small", metavar="NAME", help="sizes and steps: small, tiny or paper (small)")
    table1.add_argument(
        "--codec", choices=("tokens", "grid"), default="tokens", help="how a segment is coded (tokens, as in the paper)"
    )
    table1.add_argument("--data", type=Path, metavar="DATA", help="default data/performances or data/performances-grid")
    shared.add_corpora(table1, "a corpus to prepare DATA from; repeatable")
    table1.add_argument("--recipes", type=Path, default=Path("recipes"), metavar="FOLDER", help="default recipes")
    table1.add_argument("--out", type=Path, default=Path("runs"), metavar="FOLDER", help="where runs are kept (runs)")
    table1.add_argument("--only", action="append", default=[], metavar="RECIPE", help="only this model; repeatable")
    table1.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a value of every recipe"
    )
    table1.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="runs of each model, trained with seeds 0 to N-1 (1)"
    )
    shared.add_runs(table1)
    shared.add_device(table1)
    shared.add_cluster(table1, "train and evaluate, a run each")
    table1.add_argument("--workers", type=int, metavar="N", help="workers of --cluster (default: one a core)")
    table1.add_argument("--no-train", action="store_true", help="evaluate what is trained already")
    table1.add_argument(
        "--unfinished",
        action="store_true",
        help="with --no-train: also runs that were stopped before their end; the tables say after how many steps",
    )


def _table1(options: argparse.Namespace) -> None:
    check_runs(options.runs)
    if options.unfinished and not options.no_train:
        raise FadernetsError("--unfinished: only with --no-train; without it each run is trained to its end")
    if options.seeds < 1:
        raise FadernetsError(f"--seeds {options.seeds}: must be at least 1")
    with ExitStack() as held:
        client = None
        if options.scheduler or options.cluster:
            from fadernets.data import clusters

            client = held.enter_context(clusters.connect(options.scheduler, options.cluster, options.workers))
        text = _run(options, client)
    print(json.dumps({"tables": text}) if options.json else text)


def _run(options: argparse.Namespace, client: Any) -> str:
    from fadernets.evaluation import run_table1

    return run_table1.run(
        size=options.size,
        data=options.data or run_table1.DATA[options.codec],
        roots=read_corpora(options.corpus),
        codec=options.codec,
        recipes_folder=options.recipes,
        out=options.out,
        only=options.only,
        overrides=options.set,
        runs=options.runs,
        seed=options.seed,
        seeds=range(options.seeds),
        device=options.device,
        train=not options.no_train,
        take_unfinished=options.unfinished,
        report=say,
        progress=progress,
        client=client,
    )
