"""The commands that make a rewriter and the small models beside it: `rewriter prepare`, `train`, `rhythm` and more."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from fadernets.cli import options as shared
from fadernets.cli.console import Add, add_group, check_output, progress, warned
from fadernets.cli.reading import read_corpora


def register(add: Add) -> None:
    """Add the group to the parser."""
    sub = add_group(
        add,
        "rewriter",
        "Train the model that rewrites passages, and the small models of onsets and of played notes beside it.",
        "`fadernets rewriter train --help` lists the options of train; the same holds for the others.",
    )
    prepare = sub("prepare", _prepare, "Put corpora on their own grids, in one file.")
    prepare.add_argument("out", type=Path, metavar="FILE.npz")
    shared.add_corpora(prepare, "a corpus and its folder; repeatable", required=True)
    train = sub("train", _train, "Train a recipe. A run that was stopped goes on where it was.")
    train.add_argument("recipe", type=Path, metavar="RECIPE")
    train.add_argument("passages", type=Path, metavar="FILE.npz")
    train.add_argument("run_folder", type=Path, metavar="RUN")
    train.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a value of the recipe")
    shared.add_loggers(train)
    critic = sub(
        "critic", _critic, "Fit what ranks a run's candidates, on validation pieces; then export the run anew."
    )
    critic.add_argument("run_folder", type=Path, metavar="RUN")
    critic.add_argument("passages", type=Path, metavar="FILE.npz")
    critic.add_argument("model", type=Path, metavar="FOLDER", help="the run, exported")
    critic.add_argument("--count", type=int, default=2400, metavar="N", help="passages a side (2400)")
    export = sub("export", _export, "Turn a run into a model folder.")
    export.add_argument("run_folder", type=Path, metavar="RUN")
    export.add_argument("passages", type=Path, metavar="FILE.npz")
    export.add_argument("folder", type=Path, metavar="FOLDER")
    export.add_argument("--name", default="", help="the model's name (default: the folder's)")
    rhythm = sub("rhythm", _rhythm, "Fit the model of onset patterns, by which edits plan where onsets fall.")
    rhythm.add_argument("passages", type=Path, metavar="FILE.npz")
    rhythm.add_argument("out", type=Path, metavar="OUT.npz")
    played = sub("played-notes", _played_notes, "Fit the model of how notes are played, by which new notes are.")
    played.add_argument("out", type=Path, metavar="OUT.npz")
    shared.add_corpora(played, "performances and their folder; repeatable", required=True)


def _prepare(options: argparse.Namespace) -> None:
    from fadernets.data import passages

    with warned() as skip:
        roots = read_corpora(options.corpus)
        pieces = [piece for name, root in roots.items() for piece in passages.read_corpus(name, root, skip=skip)]
    passages.save(options.out, pieces)
    segments = sum(len(piece.steps.starts) for piece in pieces)
    print(
        json.dumps({"pieces": len(pieces), "segments": segments})
        if options.json
        else f"{options.out}: {len(pieces)} pieces, {segments} segments"
    )


def _train(options: argparse.Namespace) -> None:
    from fadernets.data import passages
    from fadernets.fitting import rewriter_export
    from fadernets.training import loggers, rewriter_loop, rewriter_recipes

    overrides = [*options.set, *([f"seed={options.seed}"] if options.seed else [])]
    recipe = rewriter_recipes.load(options.recipe, overrides)
    logs = options.logger or loggers.DEFAULT
    loggers.check(logs)
    pieces = passages.load(options.passages)
    state = rewriter_loop.train(pieces, options.run_folder, recipe, rewriter_export.edited, logs)
    print(json.dumps({"state": str(state)}) if options.json else f"trained: {state}")


def _critic(options: argparse.Namespace) -> None:
    from fadernets.data import passages
    from fadernets.engines.rewriter import RewriterEngine
    from fadernets.fitting import fit_passage_critic

    engine = RewriterEngine.open(options.model)
    data = fit_passage_critic.collect(
        engine, passages.load(options.passages), options.count, options.seed, progress("passages")
    )
    critic, auc = fit_passage_critic.fit(data, options.seed)
    fit_passage_critic.save(critic, options.run_folder, auc)
    print(json.dumps({"auc": auc}) if options.json else f"critic: AUC {auc:.3f} on passages that it did not learn from")


def _export(options: argparse.Namespace) -> None:
    from fadernets.data import passages
    from fadernets.fitting import rewriter_export

    folder = rewriter_export.export(options.run_folder, passages.load(options.passages), options.folder, options.name)
    print(json.dumps({"folder": str(folder)}) if options.json else f"model folder: {folder}")


def _rhythm(options: argparse.Namespace) -> None:
    from fadernets.data import passages
    from fadernets.fitting import fit_rhythm

    check_output(options.out)
    model, card = fit_rhythm.fit_pieces(passages.load(options.passages), options.seed)
    fit_rhythm.save(options.out, model, card)
    said = f"{options.out}: {card['steps']} steps of training pieces, {card['loss']} nats a step of validation pieces"
    print(json.dumps(card) if options.json else said)


def _played_notes(options: argparse.Namespace) -> None:
    from fadernets.fitting import fit_played_notes

    check_output(options.out)
    model, card = fit_played_notes.fit_corpora(read_corpora(options.corpus), options.seed)
    fit_played_notes.save(options.out, model, card)
    said = f"{options.out}: {card['notes']} hidden notes of training pieces, loss {card['loss']} on validation pieces"
    print(json.dumps(card) if options.json else said)
