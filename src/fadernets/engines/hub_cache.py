"""Models that `fadernets pull` fetched from Hugging Face's hub: how they are named, and where they lie.

A name is OWNER/NAME, or OWNER/NAME@REVISION for a branch, tag or commit other than `main`. Nothing here goes out to
another machine: a model that is not in the cache of huggingface_hub is not found.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from fadernets.engines.onnx_graphs import ModelError

NAME = re.compile(r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[A-Za-z0-9][\w./-]*))?", re.ASCII)
PICKLES = frozenset(  # endings of files that can hold Python's pickles, which run code where they are opened
    (".bin", ".ckpt", ".dill", ".joblib", ".npy", ".npz", ".pickle", ".pkl", ".pt", ".pth")
)
MAIN = "main"  # the revision where none is named


@dataclass(frozen=True)
class HubName:
    """A model on the hub."""

    repo: str  # OWNER/NAME
    revision: str = MAIN

    @classmethod
    def of(cls, text: str) -> Self | None:
        """The name in a text; None where it is none."""
        match = NAME.fullmatch(text)
        if match is None or ".." in text or "--" in match["repo"]:
            return None
        return cls(match["repo"], match["revision"] or MAIN)

    def __str__(self) -> str:
        return self.repo if self.revision == MAIN else f"{self.repo}@{self.revision}"


def find(model: str) -> Path | None:
    """The folder of a pulled model; None for one that was not pulled, and for what is no name.

    Raises ModelError for a folder in which a file could run code.
    """
    name = HubName.of(model)
    if name is None or find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    try:
        found = try_to_load_from_cache(name.repo, "model.json", revision=name.revision)
    except ValueError:  # names that the hub does not have, such as NAME.git
        return None
    if not isinstance(found, str):
        return None
    folder = Path(found).parent
    refuse_pickles(folder, model)
    return folder


def refuse_pickles(folder: Path, model: str) -> None:
    """Raises ModelError where a file of the folder could hold a pickle; `fadernets pull` fetches none."""
    bad = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix.lower() in PICKLES)
    if bad:
        raise ModelError(
            f"model {model}: {folder} holds {bad[0]}, which may run code where it is opened; remove it, and take "
            "models by `fadernets pull` alone"
        )


def pulled() -> dict[str, Path]:
    """The models in the cache: name -> folder."""
    if find_spec("huggingface_hub") is None:
        return {}
    from huggingface_hub import CacheNotFound, constants, scan_cache_dir

    try:
        repositories = scan_cache_dir(constants.HF_HUB_CACHE).repos
    except CacheNotFound:
        return {}
    return {
        str(HubName(repository.repo_id, reference)): revision.snapshot_path
        for repository in sorted(repositories, key=lambda repository: repository.repo_id)
        for revision in sorted(repository.revisions, key=lambda revision: revision.commit_hash)
        for reference in sorted(revision.refs) or [revision.commit_hash]
        if repository.repo_type == "model" and (revision.snapshot_path / "model.json").exists()
    }


def is_pulled(folder: Path) -> bool:
    """Whether a folder lies in the hub's cache, whose files are not to be changed."""
    return folder.parent.name == "snapshots" and folder.parent.parent.name.startswith("models--")
