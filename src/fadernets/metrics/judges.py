"""Judges of the two-sample test: boosted trees on features of a passage, and a small network on its roll.

A judge takes the cells [N, 4, n, 88] of all passages once and gives a function that learns from some of them and
scores others: (rows to learn from, their labels, rows to score, seed) -> a score for each of the latter, higher where
the passage is more likely of label 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fadernets.arrays import Array, Cells, Floats, Indices, Integers
from fadernets.codecs.grid import OFF, ONSET, PITCHES
from fadernets.metrics import passage_features

Fit = Callable[[Indices, Integers, Indices, int], Floats]

TREES, LEAVES = 200, 15
CHANNELS = (16, 24, 32)  # of the network's layers
EPOCHS, BATCH, RATE = 12, 32, 3e-3
TRANSPOSITIONS = (-5, 6)  # semitones, drawn for each passage of a batch
DROPPED = 0.3  # share of the last layer's values that are dropped in training


def trees(cells: Cells) -> Fit:
    """Gradient-boosted trees on `passage_features`."""
    return trees_on(passage_features.features(cells)[0])


def trees_on(features: Floats) -> Fit:
    """Gradient-boosted trees on features [N, F]."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    def fit(learned: Indices, label: Integers, scored: Indices, seed: int) -> Floats:
        model = HistGradientBoostingClassifier(
            max_iter=TREES, max_leaf_nodes=LEAVES, early_stopping=False, random_state=seed
        )
        model.fit(features[learned], label)
        return np.asarray(model.decision_function(features[scored]))

    return fit


def network(cells: Cells) -> Fit:
    """A small convolution over the roll of a passage, in one thread."""
    import torch

    planes = np.stack([cells == ONSET, cells != OFF], axis=1)  # N 2 4 n 88
    rolls = torch.from_numpy(planes.reshape(len(cells), 2, -1, PITCHES))  # N 2 4n 88

    def fit(learned: Indices, label: Integers, scored: Indices, seed: int) -> Floats:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                return _fit_network(rolls, learned, label, scored, seed)
        finally:
            torch.set_num_threads(threads)

    return fit


def _fit_network(rolls: Any, learned: Indices, label: Integers, scored: Indices, seed: int) -> Floats:
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    rng = np.random.default_rng(seed)
    model = _layers()
    steps = EPOCHS * -(-len(learned) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    model.train()
    for _ in range(EPOCHS):
        order = rng.permutation(len(learned))
        for a in range(0, len(order), BATCH):
            rows = order[a : a + BATCH]
            logits = model(_transposed(rolls[learned[rows]], rng)).squeeze(1)
            loss = binary_cross_entropy_with_logits(logits, torch.from_numpy(label[rows]).float())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        parts = [model(rolls[scored[a : a + 256]].float()).squeeze(1) for a in range(0, len(scored), 256)]
    return np.asarray(torch.cat(parts).double().numpy()) if parts else np.zeros(0)


def _layers() -> Any:
    """Patterns of a beat and an octave, then of a segment, then what is there on average and at most."""
    from torch import nn

    a, b, c = CHANNELS
    return nn.Sequential(
        nn.Conv2d(2, a, (4, 13), stride=(1, 3), padding=(2, 6)),
        nn.BatchNorm2d(a),
        nn.ReLU(),
        nn.Conv2d(a, b, (4, 5), stride=(2, 2), padding=(1, 2)),
        nn.BatchNorm2d(b),
        nn.ReLU(),
        nn.Conv2d(b, c, (8, 5), stride=(4, 2), padding=(2, 2)),
        nn.BatchNorm2d(c),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d((4, 2)),
        nn.Flatten(),
        nn.Dropout(DROPPED),
        nn.Linear(c * 8, 1),
    )


def _transposed(batch: Any, rng: np.random.Generator) -> Any:
    """[B, 2, 4n, 88] as floats, each passage moved by a drawn number of semitones; what leaves the keys is gone."""
    import torch

    shifts = torch.from_numpy(rng.integers(TRANSPOSITIONS[0], TRANSPOSITIONS[1] + 1, len(batch)))
    low, high = -TRANSPOSITIONS[0], TRANSPOSITIONS[1]
    wide = torch.nn.functional.pad(batch.float(), (high, low))
    at = torch.arange(PITCHES) + high - shifts[:, None]  # B 88
    return wide.gather(3, at[:, None, None, :].expand(-1, *batch.shape[1:3], -1))


JUDGES: dict[str, Callable[[Array], Fit]] = {"trees": trees, "network": network}
