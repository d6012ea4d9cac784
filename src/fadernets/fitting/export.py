"""From a checkpoint to a model folder: two ONNX graphs, mixture means, curves, onset odds and patterns, critic.

The checkpoint's own config.json and model.safetensors lie beside them, so that the folder trains on and Hugging Face's
hub knows it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import Indices
from fadernets.codecs.grid import ONSET
from fadernets.data import labels
from fadernets.data.dataset import Dataset, attribute_statistics
from fadernets.data.pairs import find_pairs
from fadernets.engines import onset_odds
from fadernets.engines.code_arithmetic import Calibration
from fadernets.engines.grid import Engine
from fadernets.engines.model_folder import FORMAT
from fadernets.errors import FadernetsError
from fadernets.files import open_folder, recover_folder
from fadernets.fitting import fit_critic, fit_patterns, melody_export, onnx_grid
from fadernets.fitting.onnx_builder import save, weights_of
from fadernets.training import checkpoints
from fadernets.training.model_cards import card

CALIBRATION_ROWS = 4096  # validation segments that the curves are fitted on


def export(run: Path, folder: Path, *, name: str | None = None, data: Path | None = None) -> Path:
    """Write a model folder from a checkpoint (or a run: its best one is taken).

    The curves are fitted on the validation split of the data set that the run was trained on.
    A model folder that is there is replaced once the new one is whole. Raises FadernetsError where that data set is
    gone or is another one, and for a folder that cannot be written.
    """
    checkpoint = run / "best" if checkpoints.exists(run / "best") else run
    model, config = checkpoints.load(checkpoint)
    recipe = config["recipe"]
    fill = FILLERS.get((recipe["name"], config["codec"]))
    if fill is None:
        raise FadernetsError(
            f"{checkpoint}: {recipe['name']} over {config['codec']}; model folders are made of music-fadernets "
            "over the grid and of music-vae. `fadernets evaluate checkpoint` takes the run itself"
        )
    dataset = Dataset.open(data or Path(recipe["data"]))
    if dataset.hash != config["data"]["hash"]:
        raise FadernetsError(
            f"{dataset.folder}: data set {dataset.hash[:12]}; {checkpoint} was trained on "
            f"{config['data']['hash'][:12]}. Name the right one with --data"
        )
    recover_folder(folder)
    if not (folder / "model.json").exists() and (folder.is_file() or any(folder.glob("*"))):
        raise FadernetsError(f"{folder}: is there and is no model folder; name another")
    with open_folder(folder) as new:
        info = fill(new, model, config, dataset, name or folder.name)
        info["checkpoint"] = checkpoints.write_weights(new, model.state_dict(), config)
        (new / "model.json").write_text(json.dumps(info) + "\n", encoding="utf-8")
        (new / "README.md").write_text(card(info), encoding="utf-8")
    return folder


def _fill(new: Path, model: Any, config: dict[str, Any], dataset: Dataset, name: str) -> dict[str, Any]:
    """Write the graphs of a model of the grid into `new` and return the content of model.json."""
    recipe, options = config["recipe"], model.options
    weights = weights_of(model)
    graphs = {
        "encoder": onnx_grid.encoder(weights, options.z, options.encoder, list(model.sizes)),
        "decoder": onnx_grid.decoder(
            weights,
            options.z,
            options.decoder,
            options.plan,
            list(model.sizes),
            model.coded,
            attributes=options.attributes,
        ),
    }
    hashes = save(graphs, new)
    # Of clusters that no labelled row guided nobody knows what they are of.
    clustered = options.clusters and config["segments"]["labelled"] > 0
    means = {n: weights[f"means.{n}"].tolist() for n in model.sizes} if clustered else {}
    corners = {n: f"encoders.{n}.head.vertices" for n in model.sizes}  # of a constrained posterior
    vertices = {n: weights[key].tolist() for n, key in corners.items() if key in weights}
    info = {
        "format": FORMAT,
        "name": name,
        "codec": config["codec"],
        "recipe": recipe,
        "data": config["data"],
        "step": config["step"],
        "segments": config["segments"],
        "figures": config["figures"],
        "means": means,
        **({"label": label_of(recipe, options.clusters)} if means else {}),
        **({"vertices": vertices} if vertices else {}),
        "statistics": statistics(dataset, recipe),
        "habits": onset_odds_of(dataset, recipe),
        "sha256": hashes,
        "calibration": {a: {"values": [0.0, 1.0], "zd": [0.0, 1.0]} for a in model.coded},
    }
    engine = Engine(new, info)
    info["calibration"] = calibrate(engine, dataset)
    rows = np.sort(_rows(dataset, recipe, "train"))
    patterns = fit_patterns.fit(dataset, rows)
    info["patterns"] = patterns and patterns.as_dict()
    critic = fit_critic.fit(Engine(new, info), dataset, rows)  # on candidates with those patterns
    info["critic"] = critic and critic.as_dict()
    return info


FILLERS: dict[tuple[str, str], Callable[..., dict[str, Any]]] = {  # model and codec -> what fills its model folder
    ("music-fadernets", "grid"): _fill,
    ("music-vae", "melody"): melody_export.fill,
}


def _rows(data: Dataset, recipe: dict[str, Any], split: str) -> Indices:
    """The segments of a split that the recipe reconstructs, as training chooses them.

    Ranges and curves of a model folder are over all of these, labelled corpora too where they are reconstructed, since
    users edit music of each kind; Table 1 leaves those out (`Checkpoint.measured_rows`).
    """
    names = recipe["corpora"] or data.manifest["corpora"]
    left_out = () if recipe.get("reconstruct_labelled") else recipe["label_corpora"]
    return np.concatenate([data.select(split=split, corpus=c) for c in names if c not in left_out])


def label_of(recipe: dict[str, Any], clusters: int) -> dict[str, Any]:
    """What model.json says of the clusters: the label that they are of, its classes, and the edges between them."""
    name = labels.name_of(recipe.get("label", "arousal"))
    edges = list(recipe.get("label_edges", labels.PAPER_EDGES))
    return {"name": name, "classes": list(labels.class_names(clusters)), "edges": edges}


def statistics(data: Dataset, recipe: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Mean, standard deviation and percentiles of each attribute over the training split."""
    rows = _rows(data, recipe, "train")
    return attribute_statistics(data.attributes[rows], data.manifest["attributes"])


def onset_odds_of(data: Dataset, recipe: dict[str, Any]) -> list[Any]:
    """The table of `onset_odds` [17, 2, 16] over pairs of like bars in the training split, as nested lists."""
    rows = np.sort(_rows(data, recipe, "train"))
    partners, first = find_pairs(data, rows)
    blocks = [(data.cells(rows[a : a + 4096]) == ONSET).any(-1) for a in range(0, len(rows), 4096)]
    onsets = np.concatenate(blocks)
    table: list[Any] = (
        onset_odds.learn(onsets[np.repeat(np.arange(len(rows)), np.diff(first))], onsets[partners]).round(4).tolist()
    )
    return table


def calibrate(engine: Engine, data: Dataset) -> dict[str, dict[str, list[float]]]:
    """The curve of each attribute over its regularised dimension, on validation segments."""
    rows = _rows(data, engine.info["recipe"], "validation")
    rows = np.random.default_rng(0).permutation(rows)[:CALIBRATION_ROWS]
    cells = data.cells(rows)
    codes = engine.encode(cells)
    curves = {}
    for name, row in engine.coded.items():
        curve = Calibration.fit(row.measure(cells), codes[row.code][:, row.dimension])
        curves[name] = {"values": curve.values.round(6).tolist(), "zd": curve.zd.round(6).tolist()}
    return curves
