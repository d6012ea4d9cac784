"""Small networks in one file of arrays with a card, run by NumPy alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fadernets.arrays import Floats32
from fadernets.errors import FadernetsError, of_archive
from fadernets.files import open_atomic

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Arrays = dict[str, Floats32]


def bundled(name: str) -> Path:
    """Where a file of the package's folder of models lies."""
    return Path(str(resources.files("fadernets"))) / "bundled" / name


def read_arrays(
    path: Path, model: type[DataclassInstance], what: str, features: object, fits: Callable[[Arrays], bool]
) -> Arrays:
    """The arrays that are the fields of the dataclass `model`, by name.

    Raises FadernetsError for a file that is no model of `what`, whose card names other `features`, or whose shapes do
    not fit.
    """
    try:
        with path.open("rb") as stream, np.load(stream) as file:
            arrays = {field.name: file[field.name].astype(np.float32) for field in fields(model)}
            card = json.loads(str(file["card"]))
        if card["features"] != features:
            raise ValueError("it was trained on other features than this version has")
        if not fits(arrays):
            raise ValueError("its arrays have other shapes than this version's")
    except OSError as error:
        raise FadernetsError(f"{path}: cannot be read ({error.strerror or error})") from None
    except Exception as error:  # zipfile, zlib and NumPy raise many kinds for a damaged file
        raise FadernetsError(f"{path}: is no model of {what} ({of_archive(error)})") from None
    return arrays


def write_arrays(path: Path, model: DataclassInstance, card: Mapping[str, object]) -> None:
    """Write the fields of a dataclass with its card."""
    arrays = {field.name: getattr(model, field.name).astype(np.float32) for field in fields(model)}
    with open_atomic(path) as file:
        np.savez_compressed(file, card=np.array(json.dumps(card)), **arrays)
