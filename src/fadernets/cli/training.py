"""The commands that make a model: `prepare`, `train`, `export`."""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fadernets.cli import options as shared
from fadernets.cli.console import Add, progress, say, warn
from fadernets.cli.reading import read_sources
from fadernets.errors import FadernetsError

if TYPE_CHECKING:
    from fadernets.training.recipes import Recipe

# Validation figures that a sweep prints; a model has some of them.
SWEEP_FIGURES = ("loss", "reconstruction", "accuracy", "note_f1", "states", "clips")


def register(add: Add) -> None:
    """Add the commands to the parser."""
    prepare = add("prepare", _prepare, "Make a data set from corpora.")
    prepare.add_argument("out", type=Path, metavar="FOLDER")
    shared.add_corpora(
        prepare,
        "a corpus and its folder; of the corpus `folder` also @FILE, a list of files, or a URL; repeatable",
        required=True,
    )
    prepare.add_argument(
        "--codec",
        default="grid",
        metavar="NAME",
        help="how a segment is coded: grid, tokens, melody, or a codec of an installed package (grid)",
    )
    prepare.add_argument(
        "--workers", type=int, metavar="N", help="number of processes, or of workers of --cluster (default: one a core)"
    )
    shared.add_cluster(prepare, "read")
    prepare.add_argument("--keep-all", action="store_true", help="keep the segments that the paper's filter drops")

    train = add("train", _train, "Train a recipe. A run that was stopped goes on where it was.")
    train.add_argument("recipe", type=Path, metavar="RECIPE")
    train.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a value of the recipe")
    train.add_argument("--size", metavar="NAME", help="take the sizes of sizes/NAME.yaml beside the recipe, as paper")
    train.add_argument(
        "--sweep",
        action="append",
        default=[],
        metavar="KEY=V,V",
        help="train every combination of these values and print their validation figures; repeatable",
    )
    shared.add_device(train)
    train.add_argument(
        "--devices", type=int, default=1, metavar="N", help="processes of a distributed run on each machine (1)"
    )
    train.add_argument("--nodes", type=int, default=1, metavar="N", help="machines of a distributed run (1)")
    shared.add_cluster(train, "train the runs of --sweep")
    train.add_argument("--workers", type=int, metavar="N", help="workers of --cluster (default: one a core)")
    shared.add_loggers(train)
    train.add_argument("--fresh", action="store_true", help="start anew even where the run could go on")

    export = add("export", _export, "Turn a trained run into a model folder.")
    export.add_argument("run_folder", type=Path, metavar="RUN")
    export.add_argument("folder", type=Path, metavar="FOLDER")
    export.add_argument("--name", help="the model's name (default: the folder's)")
    export.add_argument("--data", type=Path, metavar="DATA", help="where the run's data set is now")


def _prepare(options: argparse.Namespace) -> None:
    from fadernets.data import prepare

    roots = read_sources(options.corpus)
    _say_what_goes(options.out, options.codec, list(roots))
    report = progress("files")
    data = prepare.prepare(
        roots,
        options.out,
        options.codec,
        workers=options.workers,
        scheduler=options.scheduler,
        cluster=options.cluster,
        seed=options.seed,
        keep_all=options.keep_all,
        progress=lambda done, total, _: report(done, total),
    )
    skipped = data.manifest["skipped"]
    warn([f"{row['id']}: {row['reason'].removeprefix(Path(row['id']).name + ': ')}" for row in skipped])
    summary = {key: data.manifest[key] for key in ("segments", "splits", "sources", "statistics", "hash")}
    if options.json:
        print(json.dumps({**summary, "skipped": skipped}))
        return
    print(f"{options.out}: {len(data)} segments, {len(skipped)} files skipped, hash {data.hash[:12]}")
    for name, row in data.manifest["sources"].items():
        print(f"  {name}: {row['segments']} segments of {row['pieces']} pieces ({row['licence']})")
        if left := _left_out(name, row, skipped):
            print(f"    {left}")


def _left_out(corpus: str, row: dict[str, Any], skipped: list[dict[str, str]]) -> str:
    """How many windows of a corpus were left out, and why; empty where none was."""
    reasons = [f"{count:,} ({reason})" for reason, count in row["dropped"].items() if count]
    silent = row["files"] - row["pieces"] - sum(file["corpus"] == corpus for file in skipped)
    pieces = f"; {silent:,} pieces kept no segment" if silent else ""
    kept = f"{row['segments']:,} of {row['windows']:,} windows"
    return f"{kept}; left out: {', '.join(reasons)}{pieces}" if reasons else ""


def _say_what_goes(out: Path, codec: str, corpora: list[str]) -> None:
    """Say where a data set of another codec or of other corpora is to be replaced."""
    from fadernets.data.dataset import Dataset

    try:
        before = Dataset.open(out).manifest
    except FadernetsError:
        return
    if (before["codec"], before["corpora"]) != (codec, corpora):
        say(f"{out}: the data set of {before['codec']} of {', '.join(before['corpora'])} that is there is replaced")


def _train(options: argparse.Namespace) -> None:
    from fadernets.training import recipes

    overrides = [*options.set, *([f"seed={options.seed}"] if options.seed else [])]
    chosen = [  # all are read before the first is trained: a mistake in the last costs nothing
        (values, recipes.load(options.recipe, [*overrides, *values], options.size))
        for values in recipes.sweep(options.sweep)
    ]
    from dataclasses import replace

    from fadernets.training import loggers
    from fadernets.training import loop as training_loop
    from fadernets.training.processes import is_first

    chosen = [
        (values, replace(recipe, out="-".join([recipe.out, *values])) if values else recipe)
        for values, recipe in chosen
    ]
    rows: list[dict[str, Any]] = []
    if options.scheduler or options.cluster:
        found = _train_on_cluster([recipe for _, recipe in chosen], options)
        rows = [{"grid": values, **row} for (values, _), row in zip(chosen, found, strict=True)]
    for values, recipe in chosen if not rows else ():
        best = training_loop.train(
            recipe,
            device=options.device,
            devices=options.devices,
            nodes=options.nodes,
            resume=not options.fresh,
            logs=options.logger or loggers.DEFAULT,
            progress=progress("steps"),
        )
        rows.append({"best": str(best), **({"grid": values, **training_loop.figures_of(best)} if values else {})})
    if not is_first():
        return
    if options.json:
        print(json.dumps(rows if options.sweep else rows[0]))
    elif not options.sweep:
        print(f"best checkpoint: {rows[0]['best']}")
    else:
        for row in rows:
            shown = ", ".join(f"{name} {row[name]:.4f}" for name in SWEEP_FIGURES if name in row)
            print(f"{' '.join(row['grid'])}: {shown} ({row['best']})")


def _train_on_cluster(chosen: list[Recipe], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Train the runs of a sweep as tasks of a Dask cluster."""
    if not options.sweep:
        raise FadernetsError("--scheduler and --cluster train the runs of a --sweep; give one, or leave them out")
    if options.devices * options.nodes > 1:
        raise FadernetsError("--devices and --nodes: on a cluster each run of a sweep has one process")
    from fadernets.data import clusters
    from fadernets.training import cluster_runs, loggers

    with clusters.connect(options.scheduler, options.cluster, options.workers) as client:
        how = (options.device, not options.fresh, options.logger or loggers.DEFAULT)
        jobs = {
            Path(recipe.out).name: partial(cluster_runs.train, cluster_runs.with_absolute_paths(recipe), *how)
            for recipe in chosen
        }
        return list(cluster_runs.run_all(client, jobs, say).values())


def _export(options: argparse.Namespace) -> None:
    from fadernets.fitting import export

    folder = export.export(options.run_folder, options.folder, name=options.name, data=options.data)
    print(json.dumps({"folder": str(folder)}) if options.json else f"model folder: {folder}")
