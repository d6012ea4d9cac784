"""Model folders from Hugging Face's hub into huggingface_hub's cache: what the command `pull` does.

What comes is model.json, the files that it names by their hashes, config.json and the card; no other file is asked for,
so that no pickle can come. Only `pull` and `push` (`fitting.publishing`) go out to another machine.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fadernets import __version__
from fadernets.engines.hub_cache import MAIN, HubName, refuse_pickles
from fadernets.engines.model_folder import CARD, check_files, files_of
from fadernets.engines.onnx_graphs import ModelError
from fadernets.errors import FadernetsError, in_megabytes

OWN_FILE = ".gitattributes"  # of every repository
MOST_BYTES = 2**30  # of a model; those of the package have some 5 MB
MOST_JSON = 16 * 2**20  # bytes of model.json, which is read whole; those of the package have up to 90 kB


@dataclass(frozen=True)
class Pulled:
    """A model that lies in the cache now."""

    model: str  # as --model takes it
    commit: str
    folder: Path
    files: dict[str, int]  # name -> bytes
    left: list[str]  # files of the repository that were not asked for


def pull(model: str, revision: str | None = None) -> Pulled:
    """Fetch a model, OWNER/NAME or OWNER/NAME@REVISION.

    Each file is checked against the hashes of the hub and of model.json. revision: a branch, tag or commit, in place of
    @REVISION. Raises FadernetsError, with one line.
    """
    name = hub_name(model, revision)
    with translated(str(name)):
        api = client()
        info = api.model_info(name.repo, revision=name.revision, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
        if "model.json" not in sizes:
            raise ModelError(f"{name}: has no model.json, so it is no model of fadernets")
        if (size := sizes["model.json"]) > MOST_JSON:
            raise ModelError(
                f"{name}: model.json has {in_megabytes(size)}; at most {in_megabytes(MOST_JSON)} are taken"
            )
        folder = _fetch(name, ["model.json"])
        wanted = [file for file in (*files_of(folder), CARD) if file in sizes]
        if sum(sizes[file] for file in wanted) > MOST_BYTES:
            raise ModelError(f"{name}: has more than {MOST_BYTES / 1e9:.1f} GB; models of fadernets are smaller")
        folder = _fetch(name, ["model.json", *wanted])
        if _changed(api, name, folder):  # a file that was damaged in the cache
            folder = _fetch(name, ["model.json", *wanted], force_download=True)
        changed = _changed(api, name, folder)
        if changed:
            raise ModelError(f"{name}: {changed[0]} is not what the hub says that it is; try again later")
    check_files(folder)
    refuse_pickles(folder, str(name))
    files = {file: (folder / file).stat().st_size for file in sorted({"model.json", *wanted})}
    return Pulled(str(name), folder.name, folder, files, sorted(set(sizes) - {*files, OWN_FILE}))


def _fetch(name: HubName, files: list[str], **options: Any) -> Path:
    from huggingface_hub import snapshot_download

    fetched = snapshot_download(
        name.repo,
        revision=name.revision,
        allow_patterns=files,
        library_name="fadernets",
        library_version=__version__,
        **options,
    )
    return Path(fetched)


def _changed(api: Any, name: HubName, folder: Path) -> list[str]:
    """The files in the cache that are not those of the hub."""
    found = api.verify_repo_checksums(name.repo, revision=folder.name)
    return [row["path"] for row in found.mismatches]


def hub_name(model: str, revision: str | None = None) -> HubName:
    """The name of a model on the hub. Raises FadernetsError for what is none."""
    name = HubName.of(model)
    if name is None:
        raise FadernetsError(f"{model}: is no name on the hub; write OWNER/NAME, as on huggingface.co")
    if revision is None:
        return name
    if name.revision != MAIN:
        raise FadernetsError(f"{model}: names a revision, and so does --revision; leave one out")
    both = HubName.of(f"{model}@{revision}")
    if both is None:
        raise FadernetsError(f"--revision {revision}: is no name of a branch, tag or commit")
    return both


def client() -> Any:
    """huggingface_hub's API, which finds the endpoint (HF_ENDPOINT) and the token (HF_TOKEN, `hf auth login`) itself.

    Raises ModuleNotFoundError where huggingface_hub is not installed.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # these are read when it is first imported
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from huggingface_hub import HfApi

    return HfApi(library_name="fadernets", library_version=__version__)


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Inside the `with` block, what the hub's library raises becomes a FadernetsError of one line."""
    try:
        yield
    except FadernetsError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        raise FadernetsError(f"{name}: {_reason(error)}") from None
    except Exception as error:
        from huggingface_hub.errors import HTTPError

        if not isinstance(error, HTTPError):
            raise
        raise FadernetsError(f"{name}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """What to say of an error of the hub's library."""
    from huggingface_hub import constants, errors

    login = "log in with `hf auth login`, or set HF_TOKEN"
    causes = [error, *([error.__cause__] if error.__cause__ else [])]
    said = "; ".join(" ".join(str(one).split())[:200] or type(one).__name__ for one in causes)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, so nothing goes out; unset it"
    if isinstance(error, errors.LocalTokenNotFoundError):
        return f"the hub wants to know who you are: {login}"
    if isinstance(error, errors.GatedRepoError):
        return f"is gated: accept its terms at {constants.ENDPOINT}, and {login}"
    if isinstance(error, errors.RevisionNotFoundError):
        return "the hub has no such revision"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"the hub has no such model, or it is private: {login}"
    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code if error.response is not None else 0
        return f"the hub refused: {login}" if status in (401, 403) else f"the hub answered: {said}"
    if isinstance(error, errors.HTTPError | ConnectionError):
        return f"{constants.ENDPOINT} cannot be reached ({said})"
    return said
