"""The commands `models`, `pull` and `push`: what models are here, and the way to the hub and back."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from fadernets.cli.console import Add


def register(add: Add) -> None:
    """Add the commands to the parser."""
    add("models", _models, "List the models inside the package, and those that were pulled.")
    pull = add("pull", _pull, "Fetch a model from Hugging Face's hub. --model OWNER/NAME takes it from then on.")
    pull.add_argument("model", metavar="OWNER/NAME", help="a model on the hub; OWNER/NAME@REVISION names a revision")
    pull.add_argument("--revision", metavar="NAME", help="a branch, tag or commit (main)")
    push = add("push", _push, "Put a model folder on Hugging Face's hub.")
    push.add_argument("folder", metavar="NAME_OR_FOLDER", help="a model folder, or a model of `fadernets models`")
    push.add_argument("model", metavar="OWNER/NAME", help="the model's name on the hub, made where there is none")
    push.add_argument("--private", action="store_true", help="for you, and those whom you let in, alone")
    push.add_argument("--message", default="", metavar="TEXT", help="what the commit says")
    push.add_argument("--revision", metavar="BRANCH", help="a branch, made where there is none (main)")


def _models(options: argparse.Namespace) -> None:
    from fadernets.engines import hub_cache
    from fadernets.engines.model_folder import DEFAULT_MODEL, bundled

    rows: list[dict[str, Any]] = []
    for name, folder in (bundled() | hub_cache.pulled()).items():
        size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
        rows.append({"name": name, "folder": str(folder), "bytes": size, "default": name == DEFAULT_MODEL})
    if options.json:
        print(json.dumps({"models": rows}))
        return
    for row in rows:
        print(f"{row['name']}{' (default)' if row['default'] else ''}: {row['bytes'] / 1e6:.1f} MB, {row['folder']}")


def _pull(options: argparse.Namespace) -> None:
    from fadernets.cli.console import warn
    from fadernets.engines import hub

    pulled = hub.pull(options.model, options.revision)
    if pulled.left:
        warn([f"{pulled.model}: left on the hub: {', '.join(pulled.left)}"])
    if options.json:
        print(json.dumps({**asdict(pulled), "folder": str(pulled.folder)}))
        return
    print(f"{pulled.model}: {sum(pulled.files.values()) / 1e6:.1f} MB, commit {pulled.commit[:12]}, {pulled.folder}")


def _push(options: argparse.Namespace) -> None:
    from fadernets.fitting import publishing

    pushed = publishing.push(
        options.folder,
        options.model,
        private=options.private,
        message=options.message,
        revision=options.revision,
    )
    if options.json:
        print(json.dumps(asdict(pushed)))
        return
    print(f"{pushed.model}: {sum(pushed.files.values()) / 1e6:.1f} MB, {pushed.url}")
