"""Checkpoint folders: config + safetensors + codec + data hash + model card, written whole or not at all.

config.json        recipe, model options, codec, data hash, step, validation figures
model.safetensors  the weights
README.md          the model card
state.pt           optimiser and random states, where a run can resume
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fadernets import structured_text
from fadernets.attributes.table import PAPER_FADERS
from fadernets.codecs.base import CODECS
from fadernets.errors import FadernetsError, first_line
from fadernets.files import open_folder, recover_folder
from fadernets.training import recipes
from fadernets.training.model_cards import card
from fadernets.training.model_sizes import build_within

FORMAT = 1
CONFIG, WEIGHTS = "config.json", "model.safetensors"
NEEDED = {"data": dict, "step": int, "segments": dict, "figures": dict}  # in a config, beside its recipe


class CheckpointError(FadernetsError):
    """A checkpoint folder that cannot be used."""


def save(folder: Path, model: nn.Module, config: dict[str, Any], state: dict[str, Any] | None = None) -> None:
    """Write a checkpoint folder whole or not at all, in place of the one that was there. Raises FadernetsError."""
    with open_folder(folder) as new:
        try:
            write_weights(new, model.state_dict(), config)
            (new / "README.md").write_text(card(config), encoding="utf-8")
            if state is not None:
                torch.save(state, new / "state.pt")
        except OSError:
            raise
        except Exception as error:  # on a full disk, safetensors and torch raise kinds of their own
            raise CheckpointError(f"{folder}: cannot be written ({first_line(error)})") from None


def write_weights(folder: Path, weights: Mapping[str, Tensor], config: dict[str, Any]) -> dict[str, str]:
    """Write config.json and model.safetensors into a folder that is there; gives the SHA-256 of each.

    Raises what safetensors raises where the disk is full.
    """
    from safetensors.torch import save_file

    text = json.dumps({"format": FORMAT, **config}, indent=1, sort_keys=True) + "\n"
    (folder / CONFIG).write_text(text, encoding="utf-8")
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, folder / WEIGHTS)
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (CONFIG, WEIGHTS)}


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
    _check_hashes(folder)
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
        raise CheckpointError(f"{folder}/model.safetensors: does not fit its config ({first_line(error)})") from None
    return model.to(device).eval(), config


def _check_hashes(folder: Path) -> None:
    """Raises CheckpointError where a model folder's model.json names other weights than those that are there."""
    try:
        hashes = structured_text.read_json(folder / "model.json")["checkpoint"]
        found = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (CONFIG, WEIGHTS)}
        changed = [name for name in found if found[name] != hashes[name]]
    except FileNotFoundError:  # a checkpoint of a run
        return
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder}: its weights cannot be checked ({error}); export it again") from None
    if changed:
        raise CheckpointError(f"{folder}/{changed[0]}: is damaged (its hash is not the one in model.json)")


def load_state(folder: Path) -> dict[str, Any] | None:
    """What a run needs to resume; None where the folder holds none."""
    path = folder / "state.pt"
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises several kinds
        raise CheckpointError(
            f"{path}: cannot be read ({first_line(error)}); remove the run or start it anew"
        ) from None
    return state
