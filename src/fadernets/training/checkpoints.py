"""Checkpoint folders: config + safetensors + codec + data hash + model card, written whole or not at all.

config.json        recipe, model options, codec, data hash, step, validation figures
model.safetensors  the weights
README.md          the model card
state.pt           optimiser and random states, where a run can resume
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fadernets.attributes.table import PAPER_FADERS
from fadernets.codecs.base import CODECS
from fadernets.errors import FadernetsError
from fadernets.models import build
from fadernets.training.model_cards import card

FORMAT = 1


class CheckpointError(FadernetsError):
    """A checkpoint folder that cannot be used."""


def save(folder: Path, model: nn.Module, config: dict[str, Any], state: dict[str, Any] | None = None) -> None:
    """Write a checkpoint folder; the folder that was there is replaced in one step."""
    from safetensors.torch import save_file

    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, new / "model.safetensors")
    config = {"format": FORMAT, **config}
    (new / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    (new / "README.md").write_text(card(config))
    if state is not None:
        torch.save(state, new / "state.pt")
    _recover(folder)
    old = _old(folder)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(new, folder)
    shutil.rmtree(old, ignore_errors=True)


def _old(folder: Path) -> Path:
    """Where `save` keeps the checkpoint before until the new one is in place."""
    return folder.with_name(f".{folder.name}.old")


def _recover(folder: Path) -> None:
    """Put back the checkpoint of a process that was stopped between the two renames of `save`."""
    if not folder.exists() and _old(folder).exists():
        os.replace(_old(folder), folder)


def exists(folder: Path) -> bool:
    """Whether the folder holds a checkpoint."""
    _recover(folder)
    return (folder / "config.json").exists()


def read_config(folder: Path) -> dict[str, Any]:
    """The config of a checkpoint folder. Raises CheckpointError."""
    _recover(folder)
    try:
        config = json.loads((folder / "config.json").read_text())
    except FileNotFoundError:
        raise CheckpointError(f"{folder}: is no checkpoint (it has no config.json)") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder}/config.json: cannot be read ({error})") from None
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise CheckpointError(f"{folder}: is no checkpoint of format {FORMAT}")
    if config.get("codec") not in CODECS:
        raise CheckpointError(f"{folder}: codec {config.get('codec')!r}; this version reads {', '.join(CODECS)}")
    missing = [name for name in ("recipe", "data", "step", "segments", "figures") if name not in config]
    if missing:
        raise CheckpointError(f"{folder}/config.json: lacks {', '.join(missing)}")
    return config


def load(folder: Path, device: str = "cpu") -> tuple[nn.Module, dict[str, Any]]:
    """The model of a checkpoint folder in evaluation mode, and its config. Raises CheckpointError."""
    from safetensors.torch import load_file

    config = read_config(folder)
    try:
        recipe, attributes = config["recipe"], config.get("attributes", PAPER_FADERS)
        model = build(recipe["name"], recipe["model"], config["codec"], attributes)
    except (FadernetsError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder}/config.json: its model cannot be built ({error})") from None
    try:
        weights = load_file(folder / "model.safetensors", device=device)
        model.load_state_dict(weights)
    except Exception as error:  # safetensors and torch raise several kinds on damaged or foreign files
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{folder}/model.safetensors: does not fit its config ({reason})") from None
    return model.to(device).eval(), config


def load_state(folder: Path) -> dict[str, Any] | None:
    """What a run needs to resume; None where the folder holds none."""
    path = folder / "state.pt"
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises several kinds
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{path}: cannot be read ({reason}); remove the run or start it anew") from None
    return state
