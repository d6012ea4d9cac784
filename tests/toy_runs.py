"""Checkpoints of every model with random weights, over a made-up data set: what evaluation can be tried on."""

from __future__ import annotations

from functools import cache

import torch
from conftest import save_run

from fadernets.evaluation.checkpoint import Checkpoint
from fadernets.models import build
from fadernets.training import checkpoints

SIZES = {"z": 4, "encoder": 8, "decoder": 16, "embedding": 6, "plan": 6}
TOYS = {  # name -> model, options
    "vanilla": ("music-fadernets", {"sub_decoder": 5, "clusters": 0, "attributes": False}),
    "mixture": ("music-fadernets", {"sub_decoder": 5, "clusters": 2, "attributes": False}),
    "told": ("music-fadernets", {"sub_decoder": 5, "clusters": 2, "attributes": True}),
    "pati": ("pati", {}),
    "glsr-vae": ("glsr-vae", {"sub_decoder": 5}),
    "cvae": ("cvae", {}),
    "fader-networks": ("fader-networks", {"adversary": 6}),
    "gm-vae": ("gm-vae", {}),
    "language-model": ("language-model", {}),
}
BY_CODE = ("vanilla", "mixture", "pati", "glsr-vae")  # whose faders are dimensions and nothing else
GIVEN = ("cvae", "fader-networks")


def write_toy(folder, name, data, seed=0, **recipe):
    """The folder of a checkpoint whose decodes are full of notes and move with what the decoder is given."""
    model, options = TOYS[name]
    torch.manual_seed(seed)
    built = build(model, SIZES | options, data.codec.name)
    with torch.no_grad():
        for part, weight in built.named_parameters():
            if weight.ndim > 1 and not part.startswith("means"):
                weight.mul_(6 if data.codec.timed else 3)
        if data.codec.timed:
            built.decoder.head.bias[0] = -50.0  # no model has learned to emit padding
        else:
            built.decoder.head.bias.copy_(torch.tensor([-2.0, -1.0]).repeat_interleave(88))
    return save_run(folder, built, data, name=model, batch=16, **recipe)


def toy(folder, name, data, **changes):
    return Checkpoint(write_toy(folder, name, data, **changes), data)


def made_once(root, data):
    """A name of TOYS -> its checkpoint over the data set, made when first asked for."""
    return cache(lambda name: toy(root / name, name, data))


def change_weights(checkpoint):
    """Another first weight in this checkpoint, all else as it is."""
    model, config = checkpoints.load(checkpoint)
    with torch.no_grad():
        next(model.parameters()).flatten()[0] += 0.5
    checkpoints.save(checkpoint, model, config)
