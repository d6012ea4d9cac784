"""Model folders to Hugging Face's hub: what the command `push` does.

What goes out is model.json, the files that it names by their hashes, config.json and the card, and no path of the
machine that trained the model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from fadernets import structured_text
from fadernets.engines import hub
from fadernets.engines.hub_cache import MAIN
from fadernets.engines.model_folder import CARD, FILE, check_files, model_info
from fadernets.engines.onnx_graphs import ModelError
from fadernets.errors import FadernetsError
from fadernets.training.model_cards import OPENING, front_matter, is_shippable

CONFIG = "config.json"
DESCRIBED = ("kind", "name", "codec", "size", "recipe", "data", "segments", "step", "figures")  # of a made config.json
PLACES = ("data", "out")  # keys of a recipe that are paths


@dataclass(frozen=True)
class Pushed:
    """A model on the hub."""

    model: str  # as `fadernets pull` takes it
    commit: str
    url: str  # of the commit
    files: dict[str, int]  # name -> bytes


def push(
    model: str | Path, name: str, *, private: bool = False, message: str = "", revision: str | None = None
) -> Pushed:
    """Put a model folder, or a bundled model, on the hub as OWNER/NAME, in one commit.

    private: make the model private; one that is public there already is refused. revision: a branch, made where there
    is none. Graphs and weights that the model no longer has are removed. Raises FadernetsError, with one line: also for
    a model of music that may not be passed on, unless it is private.
    """
    target = hub.hub_name(name, revision)
    files = files_to_push(model)
    with model_info(model) as (_, info):
        if not private and not is_shippable(info):
            raise ModelError(f"{model}: learned from music that may not be passed on; push it with --private")
    with hub.translated(str(target)):
        api = hub.client()
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        api.create_repo(target.repo, private=True if private else None, exist_ok=True)
        if private and not api.model_info(target.repo).private:
            raise FadernetsError(f"{target.repo}: is public on the hub already; make it private there, or name another")
        if target.revision != MAIN:
            api.create_branch(target.repo, branch=target.revision, exist_ok=True)
        old = api.list_repo_files(target.repo, revision=target.revision)
        operations = [
            *(CommitOperationAdd(path_in_repo=file, path_or_fileobj=content) for file, content in files.items()),
            *(CommitOperationDelete(path_in_repo=file) for file in old if FILE.fullmatch(file) and file not in files),
        ]
        made = api.create_commit(
            target.repo,
            operations,
            commit_message=message or f"fadernets push: {info['name']}",
            revision=target.revision,
        )
    sizes = {file: len(content) for file, content in files.items()}
    return Pushed(str(target), str(made.oid), str(made.commit_url), sizes)


def files_to_push(model: str | Path) -> dict[str, bytes]:
    """Name -> content of what goes to the hub. Raises ModelError for a folder that is not as its model.json says.

    A card of before gets its front matter, and a folder without config.json one that holds no weights.
    """
    hashes = check_files(model)
    with model_info(model) as (folder, info):
        files = {name: (folder / name).read_bytes() for name in hashes if name != CONFIG}
        config = structured_text.read_json(folder / CONFIG) if CONFIG in hashes else _described(info)
        files[CONFIG] = (json.dumps(_without_paths(config), indent=1, sort_keys=True) + "\n").encode()
        named = {CONFIG: hashlib.sha256(files[CONFIG]).hexdigest()}
        info = {**_without_paths(info), "checkpoint": {**info.get("checkpoint", {}), **named}}
        files["model.json"] = f"{json.dumps(info)}\n".encode()
        try:
            card = structured_text.read_text(folder / CARD)
        except FileNotFoundError:
            raise ModelError(f"{folder}: has no {CARD}, the model's card; export it again") from None
        files[CARD] = (card if card.startswith(OPENING) else f"{front_matter(info)}\n{card}").encode()
    return files


def _described(info: Mapping[str, Any]) -> dict[str, Any]:
    return {key: info[key] for key in DESCRIBED if key in info}


def _without_paths(info: Mapping[str, Any]) -> dict[str, Any]:
    """The same, with the last names of paths in place of those that say where they lie on a machine."""
    recipe = dict(info["recipe"])
    for key in PLACES:
        path = PureWindowsPath(str(recipe.get(key, "")))  # which knows the separators of both systems
        if path.root or path.drive or ".." in path.parts:
            recipe[key] = path.name
    return {**info, "recipe": recipe}
