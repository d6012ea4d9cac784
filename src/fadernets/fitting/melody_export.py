"""The model folder of a MusicVAE: its graphs, its knobs by augmentation, the spread of its codes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import States
from fadernets.data.dataset import Dataset, attribute_statistics
from fadernets.engines.melody import MelodyEngine
from fadernets.engines.model_folder import FORMAT
from fadernets.fitting import onnx_melody
from fadernets.fitting.onnx_builder import save, weights_of
from fadernets.melodies import augmentations, inspection
from fadernets.melodies.augmentations import AUGMENTATIONS

REAL_CLIPS = 10_000  # of the training split, as in Section 3.3
BOTH_WAYS = {  # amounts for the regression on real clips; below 0 and below 1 too, as a knob turns both ways
    "pitch": (-12.0, -7.0, -4.0, -1.0, 1.0, 4.0, 7.0, 12.0),
    "rhythm": (0.25, 0.5, 2.0, 4.0),
}


def fill(folder: Path, model: Any, config: dict[str, Any], data: Dataset, name: str) -> dict[str, Any]:
    """Write the graphs of a model into `folder` and return the content of model.json."""
    options = model.options
    weights = weights_of(model)
    graphs = {
        "encoder": onnx_melody.encoder(weights, options.z, options.encoder),
        "decoder": onnx_melody.decoder(weights, options.z, options.decoder),
    }
    hashes = save(graphs, folder)
    rows = data.select(split="train")
    info = {
        "format": FORMAT,
        "name": name,
        "codec": "melody",
        **{key: config[key] for key in ("recipe", "data", "step", "segments", "figures")},
        "z": options.z,
        "statistics": attribute_statistics(data.attributes[rows], data.manifest["attributes"]),
        "sha256": hashes,
        "knobs": {},
    }
    engine = MelodyEngine(folder, info)
    clips = np.asarray(data.codes)[np.sort(np.random.default_rng(0).permutation(rows)[:REAL_CLIPS])]
    codes = inspection.encode_in_batches(engine.encode, clips)
    info["spread"] = np.std(codes, axis=0).round(5).tolist()
    if options.axes:  # the halves that training kept apart
        info["groups"] = {"pitch": [0, options.z // 2], "rhythm": [options.z // 2, options.z]}
    info["knobs"] = {knob: knob_of(engine, clips, knob) for knob in AUGMENTATIONS["melody"]}
    return info


def knob_of(engine: MelodyEngine, clips: States, knob: str) -> dict[str, Any]:
    """What model.json says of a knob, for both controls.

    The paper's moves a few dimensions by their mean change for one unit, measured for pitch on real `clips` [C, 32]
    (Section 3.3), for rhythm on two whole notes in the range of the data (Section 3.4). The other moves along
    `direction`, the regression of delta z on real clips.
    """
    row = AUGMENTATIONS["melody"][knob]
    changed = clips if knob == "pitch" else augmentations.whole_notes_for(knob, engine.pitches)
    group = inspection.inspect(engine.encode, changed, row)
    slope = group.scale @ group.mean[:, group.dimensions] / np.square(group.scale).sum()
    real = inspection.inspect(engine.encode, clips, replace(row, amounts=BOTH_WAYS[knob]))
    return {
        "dimensions": group.dimensions.tolist(),
        "change": slope.round(6).tolist(),
        "threshold": group.threshold,
        "direction": real.direction.round(6).tolist(),
    }
