"""Judges of the two-sample test: boosted trees on features of a passage, and a small network on its roll.

A judge takes all N passages once and gives a function that learns from some of them and scores others: (rows to learn
from, their labels, rows to score, seed) -> a score for each of the latter, higher where it is more likely of label 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fadernets.arrays import Floats, Indices, Integers
from fadernets.codecs.grid import OFF, ONSET, PITCHES
from fadernets.metrics.one_thread import one_thread
from fadernets.metrics.passage_features import MOST_STEPS, SEGMENTS, Passages

Fit = Callable[[Indices, Integers, Indices, int], Floats]

TREES, LEAVES, BINS = 200, 15, 64  # a quarter of the usual bins: as good here, in two fifths of the time
CHANNELS, EMBEDDED = (16, 32), 48  # of the network's two layers, and of what it says of a segment
EPOCHS, BATCH, RATE = 10, 32, 3e-3
TRANSPOSITIONS = (-5, 6)  # semitones, drawn for each passage of a batch
DROPPED = 0.3  # share of the last layer's values that are dropped in training


def trees(passages: Passages) -> Fit:
    """Gradient-boosted trees on `passage_features`."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    features = passages.features()

    def fit(learned: Indices, label: Integers, scored: Indices, seed: int) -> Floats:
        model = HistGradientBoostingClassifier(
            max_iter=TREES, max_leaf_nodes=LEAVES, max_bins=BINS, early_stopping=False, random_state=seed
        )
        model.fit(features[learned], label)
        return np.asarray(model.decision_function(features[scored]))

    return fit


def network(passages: Passages) -> Fit:
    """A small convolution over the roll of a passage, in one thread."""
    import torch

    cells = passages.cells
    planes = np.stack([cells == ONSET, cells != OFF], axis=1)  # N 2 4 16 88
    rolls = torch.from_numpy(planes.reshape(len(cells), 2, SEGMENTS * MOST_STEPS, PITCHES))  # N 2 64 88

    def fit(learned: Indices, label: Integers, scored: Indices, seed: int) -> Floats:
        with one_thread(seed):
            return _fit_network(rolls, learned, label, scored, seed)

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
    """A network of two convolutions over each segment; the passage is the mean over its segments, their spread, and the
    difference between neighbours."""
    import torch
    from torch import Tensor, nn

    a, b = CHANNELS

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.roll = nn.Sequential(
                nn.Conv2d(2, a, (1, 13), stride=(1, 4), padding=(0, 6)),  # an octave
                nn.BatchNorm2d(a),
                nn.ReLU(),
                nn.Conv2d(a, b, (4, 4), stride=(2, 4), padding=(1, 1)),  # a beat, of two octaves
                nn.BatchNorm2d(b),
                nn.ReLU(),
            )
            self.segment = nn.Sequential(
                nn.Linear(2 * b * MOST_STEPS // 2, EMBEDDED), nn.BatchNorm1d(EMBEDDED), nn.ReLU()
            )
            self.passage = nn.Sequential(nn.Dropout(DROPPED), nn.Linear(3 * EMBEDDED, 1))

        def forward(self, rolls: Tensor) -> Tensor:
            count = len(rolls)
            each = rolls.reshape(count, 2, SEGMENTS, MOST_STEPS, PITCHES).transpose(1, 2).flatten(0, 1)
            found = self.roll(each)  # 4B b 8 6
            found = torch.cat([found.mean(3), found.amax(3)], 1).flatten(1)  # whatever the register
            said = self.segment(found).reshape(count, SEGMENTS, EMBEDDED)
            steps = (said[:, 1:] - said[:, :-1]).abs().mean(1)
            logits: Tensor = self.passage(torch.cat([said.mean(1), said.std(1, correction=0), steps], 1))
            return logits

    return Network()


def _transposed(batch: Any, rng: np.random.Generator) -> Any:
    """[B, 2, 64, 88] as floats, each passage moved by a drawn number of semitones; what leaves the keys is gone."""
    import torch

    shifts = torch.from_numpy(rng.integers(TRANSPOSITIONS[0], TRANSPOSITIONS[1] + 1, len(batch)))
    low, high = -TRANSPOSITIONS[0], TRANSPOSITIONS[1]
    wide = torch.nn.functional.pad(batch.float(), (high, low))
    at = torch.arange(PITCHES) + high - shifts[:, None]  # B 88
    return wide.gather(3, at[:, None, None, :].expand(-1, *batch.shape[1:3], -1))


JUDGES: dict[str, Callable[[Passages], Fit]] = {"trees": trees, "network": network}
