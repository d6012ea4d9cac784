"""Training of `engines.rhythm`: every step of real segments, with the patterns around it.

`fadernets rewriter rhythm` runs it on what `fadernets rewriter prepare` wrote. A piece is read with the tracks that
an edit takes by default. N steps, F features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Bools
from fadernets.codecs.grid import ONSET
from fadernets.data.corpora import CORPORA
from fadernets.data.dataset import SPLITS
from fadernets.data.passage_sampler import default_tracks
from fadernets.data.passages import GridPiece, segment_ends
from fadernets.engines.array_file import write_arrays
from fadernets.engines.rhythm import BEFORE, FEATURES, MEMORY, Rhythm, step_features
from fadernets.errors import FadernetsError
from fadernets.metrics.one_thread import one_thread
from fadernets.provenance import commit

Halves = NDArray[np.float16]

HIDDEN = 48  # units of each layer
ROWS, STEPS_OF_FIT = 4096, 6000  # steps of music in a step of the optimiser, steps of the optimiser
RATE = 3e-3
LONGEST = 48  # steps of a segment that is learned from


def segments(piece: GridPiece, tracks: Sequence[int]) -> Iterator[tuple[Halves, Bools]]:
    """Features [n, F + 4] and onsets [n] of every segment that has any."""
    ends = segment_ends(piece.steps)
    struck = (piece.roll(tracks, 0, int(ends[-1])) == ONSET).any(-1)
    steps = [piece.steps.take(slice(a, b)) for a, b in pairwise(ends.tolist())]
    patterns = [struck[a:b] for a, b in pairwise(ends.tolist())]
    for s, pattern in enumerate(patterns):
        if not pattern.any() or len(pattern) > LONGEST:
            continue
        before = [patterns[s - k] if s >= k and steps[s].are_cut_as(steps[s - k]) else None for k in (1, 2)]
        wide = np.concatenate([np.zeros(MEMORY, bool), pattern])
        last = np.stack([wide[MEMORY - 1 - k : -1 - k] for k in range(MEMORY)], axis=1)
        features = step_features(steps[s], int(pattern.sum()), before[:BEFORE])
        yield np.concatenate([features, last], axis=1).astype(np.float16), pattern  # exact but for two features


def fit(train: tuple[Halves, Bools], valid: tuple[Halves, Bools], seed: int = 0) -> tuple[Rhythm, float]:
    """A model of steps [N, F + 4] and whether each is struck [N], and its nats a step on `valid`."""
    import torch
    from torch.nn import functional

    with one_thread(seed):
        net = torch.nn.Sequential(
            torch.nn.Linear(FEATURES + MEMORY, HIDDEN),
            torch.nn.ReLU(),
            torch.nn.Linear(HIDDEN, HIDDEN),
            torch.nn.ReLU(),
            torch.nn.Linear(HIDDEN, 1),
        )
        optimiser = torch.optim.Adam(net.parameters(), RATE)
        schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, STEPS_OF_FIT)
        rng = np.random.default_rng(seed)

        def loss(features: Halves, struck: Bools) -> torch.Tensor:
            x, y = torch.from_numpy(features.astype(np.float32)), torch.from_numpy(struck.astype(np.float32))
            return functional.binary_cross_entropy_with_logits(net(x)[:, 0], y)

        for _ in range(STEPS_OF_FIT):
            rows = rng.integers(len(train[1]), size=ROWS)
            value = loss(train[0][rows], train[1][rows])
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
            schedule.step()
        with torch.no_grad():
            found = float(loss(*valid))
            weights = [p.detach().numpy().copy() for p in net.parameters()]
    return Rhythm(*(w.T if w.ndim == 2 else w for w in weights)), found


def save(path: Path, model: Rhythm, card: dict[str, object]) -> None:
    """Write the model with its card: features, corpora, licences, commit."""
    write_arrays(path, model, {"features": FEATURES, "commit": commit(), **card})


def fit_pieces(pieces: Sequence[GridPiece], seed: int = 0) -> tuple[Rhythm, dict[str, object]]:
    """A model of the training pieces, and its card: licences by corpus, steps, nats a step of validation pieces.

    Raises FadernetsError without pieces of either.
    """
    by_split = {split: [piece for piece in pieces if SPLITS[piece.split] == split] for split in SPLITS[:2]}
    for split, some in by_split.items():
        if not some:
            raise FadernetsError(f"no {split} pieces among {len(pieces)}")
    train, valid = map(_joined, by_split.values())
    model, loss = fit(train, valid, seed)
    licences = {name: CORPORA[name].licence for name in sorted({p.corpus for p in pieces})}
    return model, {"corpora": licences, "steps": len(train[1]), "loss": round(loss, 4)}


def _joined(pieces: Sequence[GridPiece]) -> tuple[Halves, Bools]:
    rows = [row for piece in pieces for row in segments(piece, default_tracks(piece)[0])]
    return np.concatenate([features for features, _ in rows]), np.concatenate([struck for _, struck in rows])
