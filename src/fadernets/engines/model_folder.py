"""What the model folders of both codecs share: where they lie, model.json, the two graphs and their hashes.

A model folder holds model.json (what the engine must know besides the weights, and the SHA-256 of each file that holds
some), encoder.onnx, decoder.onnx and README.md (the card). ONNX Runtime alone runs it, on one thread. What training
reads may lie beside them, config.json and model.safetensors.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from fadernets import structured_text
from fadernets.arrays import Floats
from fadernets.engines import hub_cache
from fadernets.engines.onnx_graphs import Graph, ModelError
from fadernets.files import recover_folder

FORMAT = 2  # of model.json; raised when a folder of before can no longer be read
DEFAULT_WINDOW_MODEL = "pop-lieder"  # the bundled model of windows, the paper's
DEFAULT_MODEL = "rewriter"  # the bundled model that edits run on
LARGEST = float(np.finfo(np.float32).max)
MOST_SAID = 200  # characters of an error's text, which may quote the file
DEFAULT_MELODY_MODEL = "melody"  # the bundled model of melodies
CARD = "README.md"
FILE = re.compile(r"\w[\w-]*\.onnx|config\.json|model\.safetensors", re.ASCII)  # names of files that hold weights


class ModelFolder:
    """A model of one codec, ready to encode and decode on one core; each graph opens when it is first needed."""

    default: ClassVar[str]  # the bundled model that `open` takes where none is named

    def __init__(self, folder: Path, info: dict[str, Any]) -> None:
        """`info` is what model.json says; raises ValueError, KeyError or TypeError where it is not usable."""
        self.folder, self.info = folder, info
        self.name = str(info["name"])
        _ = info["sha256"].keys()

    @classmethod
    def open(cls, model: str | Path | None = None) -> Self:
        """A bundled model by name, or a folder that `fadernets export` wrote. Raises ModelError."""
        model = cls.default if model is None else model
        with model_info(model) as (folder, info):
            cls._check(model, folder, info)
            return cls(folder, info)

    @classmethod
    def _check(cls, model: str | Path, folder: Path, info: dict[str, Any]) -> None:
        """Raise ModelError, ValueError, KeyError or TypeError for a model.json that this engine cannot use."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {self.folder}>"

    def load(self) -> Self:
        """Open both graphs now. Raises ModelError."""
        _ = self._encoder, self._decoder
        return self

    @cached_property
    def _encoder(self) -> Graph:
        return open_session(self.folder, "encoder", self.info["sha256"])

    @cached_property
    def _decoder(self) -> Graph:
        return open_session(self.folder, "decoder", self.info["sha256"])


def open_session(folder: Path, name: str, hashes: dict[str, str]) -> Graph:
    """A graph of a model folder. Raises ModelError where it is not the one that model.json names, or cannot be run."""
    return Graph(folder / f"{name}.onnx", hashes.get(f"{name}.onnx"))


def finite(values: Any, what: str = "a number") -> Floats:
    """The numbers as an array. Raises ValueError where one is missing or not finite in the 32 bits of the graphs."""
    array = np.asarray(values, np.float64)
    if not (np.abs(array) <= LARGEST).all():
        raise ValueError(f"{what} is missing or not finite")
    return array


def bundled() -> dict[str, Path]:
    """The models inside the package: name -> folder."""
    root = Path(str(resources.files("fadernets"))) / "bundled"
    return {f.name: f for f in sorted(root.glob("*")) if (f / "model.json").exists()}


def find_folder(model: str | Path) -> Path:
    """The folder of a bundled model's name, of a path, or of a model that was pulled from the hub. Raises ModelError.

    A folder that is there comes before a model of the hub that has the same name.
    """
    known = bundled()
    if str(model) in known:
        return known[str(model)]
    folder = Path(model)
    recover_folder(folder)
    if (folder / "model.json").exists():
        return folder
    if folder.is_dir():
        reason = "has no model.json"
    else:
        pulled = hub_cache.find(str(model))
        if pulled is not None:
            return pulled
        reason = "is neither a bundled model nor a folder"
        if hub_cache.HubName.of(str(model)):
            reason += f", and was not pulled from the hub (fadernets pull {model})"
    raise ModelError(f"model {model}: {reason}; bundled: {', '.join(known) or 'none'}")


def is_model(model: str | Path) -> bool:
    """Whether this names a bundled model, a model folder or a model that was pulled. Raises ModelError as `find`."""
    folder = Path(model)
    return str(model) in bundled() or (folder / "model.json").exists() or hub_cache.find(str(model)) is not None


def name_of(model: str | Path, folder: Path) -> str:
    """What a model in this folder is called beside others: its folder's name, or the hub's name of it."""
    return str(model) if hub_cache.is_pulled(folder) else folder.resolve().name


def folders_by_name(models: Iterable[str | Path], check: Callable[[Path, dict[str, Any]], object]) -> dict[str, Path]:
    """The folders of models by what a server calls them.

    check: opens a folder with what its model.json says, or raises. Raises ModelError for a model that is none, and for
    two of the same name.
    """
    folders: dict[str, Path] = {}
    for model in models:
        with model_info(model) as (folder, info):
            check(folder, info)
        name, folder = name_of(model, folder), folder.resolve()
        if folders.setdefault(name, folder) != folder:
            raise ModelError(f"--model {model}: another model is called {name} too; rename one of the folders")
    return folders


def refuse_pulled(folder: Path, what: str) -> None:
    """Raises ModelError for a folder of the hub's cache, into which `what` would be written."""
    if hub_cache.is_pulled(folder):
        raise ModelError(f"{folder}: is the hub's copy, and {what} is not written into it; copy the folder first")


def files_of(model: str | Path) -> dict[str, str]:
    """The files beside model.json that hold weights: name -> SHA-256. Raises ModelError."""
    with model_info(model) as (_, info):
        hashes = {**info["sha256"], **info.get("checkpoint", {})}
        for name, digest in hashes.items():
            if not FILE.fullmatch(name) or not isinstance(digest, str):
                raise ValueError(f"{name!r} is no name of a file of weights")
        return hashes


def check_files(model: str | Path) -> dict[str, str]:
    """As `files_of`, once all are there and have these hashes. Raises ModelError."""
    folder, hashes = find_folder(model), files_of(model)
    for name, digest in hashes.items():
        try:
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(f"{folder / name}: cannot be read ({error.strerror})") from None
        if found != digest:
            raise ModelError(f"{folder / name}: is damaged (its hash is not the one in model.json); export it again")
    return hashes


@contextmanager
def model_info(model: str | Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A model's folder and what its model.json says.

    Inside the `with` block, a missing key or a value of the wrong kind becomes a ModelError of one line.
    """
    folder = find_folder(model)
    try:
        info = structured_text.read_json(folder / "model.json")
        if info["format"] != FORMAT:
            raise ModelError(f"{folder}: format {info['format']}; this version reads {FORMAT}: export it again")
        yield folder, info
    except OSError as error:
        raise ModelError(f"{folder}/model.json: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:  # int(inf) is the last one
        if isinstance(error, ModelError):
            raise
        said = " ".join(str(error).split())[:MOST_SAID]
        raise ModelError(f"{folder}/model.json: is damaged ({said}); export the model again") from None


def codec_of(model: str | Path) -> str:
    """The codec of a model folder, such as `grid` or `melody`. Raises ModelError."""
    with model_info(model) as (_, info):
        return str(info["codec"])
