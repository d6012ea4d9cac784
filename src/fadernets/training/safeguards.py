"""What keeps a run whole, whichever loop trains: one process has its folder, and no damaged state takes a good one's
place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from fadernets.errors import FadernetsError
from fadernets.files import open_atomic, sole_use


class TrainingError(FadernetsError):
    """A run that cannot go on."""


@contextmanager
def taken(out: Path) -> Iterator[None]:
    """Make a run's folder and keep it to this process. Raises FadernetsError where another process trains there."""
    out.mkdir(parents=True, exist_ok=True)
    with sole_use(out, "another `train` is writing this run"):
        yield


@contextmanager
def writing(out: Path | str) -> Iterator[None]:
    """Raise TrainingError, in one line, for what cannot be written of the run in the block."""
    try:
        yield
    except OSError as error:
        raise TrainingError(f"{out}: cannot be written ({error.strerror or error})") from None


def refuse_other_recipe(state: Path, mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    """Raise TrainingError where the run that left `state` has another recipe, with the keys that differ."""
    changed = sorted(key for key in mine if mine[key] != theirs.get(key))
    if changed:
        raise TrainingError(
            f"{state}: belongs to another recipe ({', '.join(changed)} differ); give another folder or remove the run"
        )


def refuse_nan(step: int, terms: Mapping[str, torch.Tensor | float], last: Path) -> None:
    """Raise TrainingError where `loss` or `gradient` of the terms is no finite number, with the first term that is not.

    last: where the last good state of the run lies, once there is one.
    """
    if math.isfinite(terms["loss"] + terms.get("gradient", 0.0)):
        return
    bad = [name for name, value in terms.items() if name != "loss" and not math.isfinite(value)]
    kept = f"the last good checkpoint is {last}" if last.exists() else "there is no good checkpoint yet"
    raise TrainingError(f"step {step}: the loss is not a number (first in {bad[0] if bad else 'loss'}); {kept}")


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state that `torch.load` reads, whole or not at all. Raises FadernetsError."""
    with open_atomic(path) as file:
        try:
            torch.save(state, file)
        except OSError:
            raise
        except Exception as error:  # on a full disk, torch raises kinds of its own
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise TrainingError(f"{path}: cannot be written ({reason})") from None
