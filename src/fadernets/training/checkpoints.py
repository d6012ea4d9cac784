"""Checkpoint folders: config + safetensors + codec + data hash + model card, written whole or not at all.

config.json        recipe, model options, codec, data hash, step, validation figures
model.safetensors  the weights
README.md          the model card
state.pt           optimiser and random states, where a run can resume
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fadernets import structured_text
from fadernets.attributes.table import PAPER_FADERS
from fadernets.codecs.base import CODECS
from fadernets.errors import FadernetsError
from fadernets.files import open_folder, recover_folder
from fadernets.training import recipes
from fadernets.training.model_cards import card
from fadernets.training.model_sizes import build_within

FORMAT = 1
NEEDED = {"data": dict, "step": int, "segments": dict, "figures": dict}  # in a config, beside its recipe


class CheckpointError(FadernetsError):
    """A checkpoint folder that cannot be used."""


def save(folder: Path, model: nn.Module, config: dict[str, Any], state: dict[str, Any] | None = None) -> None:
    """Write a checkpoint folder whole or not at all, in place of the one that was there. Raises FadernetsError."""
    from safetensors.torch import save_file

    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    config = {"format": FORMAT, **config}
    with open_folder(folder) as new:
        (new / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        (new / "README.md").write_text(card(config), encoding="utf-8")
        try:
            save_file(weights, new / "model.safetensors")
            if state is not None:
                torch.save(state, new / "state.pt")
        except OSError:
            raise
        except Exception as error:  # on a full disk, safetensors and torch raise kinds of their own
            raise CheckpointError(f"{folder}: cannot be written ({_first_line(error)})") from None


def _first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def exists(folder: Path) -> bool:
    """Whether the folder holds a checkpoint."""
    recover_folder(folder)
    return (folder / "config.json").exists()


def read_config(folder: Path) -> dict[str, Any]:
    """The config of a checkpoint folder. Raises CheckpointError."""
    recover_folder(folder)
    try:
        config = structured_text.read_json(folder / "config.json")
    except FileNotFoundError:
        raise CheckpointError(f"{folder}: is no checkpoint (it has no config.json)") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder}/config.json: cannot be read ({error})") from None
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise CheckpointError(f"{folder}: is no checkpoint of format {FORMAT}")
    if str(config.get("codec")) not in CODECS:
        raise CheckpointError(f"{folder}: codec {config.get('codec')!r}; this version reads {', '.join(CODECS)}")
    missing = [name for name in ("recipe", *NEEDED) if name not in config]
    if missing:
        raise CheckpointError(f"{folder}/config.json: lacks {', '.join(missing)}")
    wrong = next((name for name, kind in NEEDED.items() if type(config[name]) is not kind), None)
    if wrong or not isinstance(config["data"].get("hash"), str) or not _are_names(config.get("attributes", [])):
        raise CheckpointError(f"{folder}/config.json: its {wrong or 'data or attributes'} cannot be used")
    return config


def _are_names(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def load(folder: Path, device: str = "cpu") -> tuple[nn.Module, dict[str, Any]]:
    """The model of a checkpoint folder in evaluation mode, and its config. Raises CheckpointError."""
    from safetensors.torch import load_file

    config = read_config(folder)
    try:
        recipe, attributes = config["recipe"], config.get("attributes", PAPER_FADERS)
        model = build_within(recipe["name"], recipe["model"], config["codec"], attributes)
        recipes.check({name: value for name, value in recipe.items() if name in recipes.KEYS})
    except (FadernetsError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{folder}/config.json: its model cannot be built ({error})") from None
    try:
        weights = load_file(folder / "model.safetensors", device=device)
        model.load_state_dict(weights)
    except Exception as error:  # safetensors and torch raise several kinds on damaged or foreign files
        raise CheckpointError(f"{folder}/model.safetensors: does not fit its config ({_first_line(error)})") from None
    return model.to(device).eval(), config


def load_state(folder: Path) -> dict[str, Any] | None:
    """What a run needs to resume; None where the folder holds none."""
    path = folder / "state.pt"
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises several kinds
        raise CheckpointError(
            f"{path}: cannot be read ({_first_line(error)}); remove the run or start it anew"
        ) from None
    return state
