"""Training of a model's `engines.critic`: real segments against what the model's own edits make of others.

Each edited segment is compared with a real one of the same piece, level and other attributes (`realism.match`). A
second round adds the edits that the first round's critic chooses, so that it learns what its own choices lack.
F features, N segments.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from fadernets.arrays import Cells, Floats, Indices
from fadernets.data.dataset import Dataset
from fadernets.decoding import candidate_choice, segment_decoding, segment_requests
from fadernets.decoding.segment_requests import SegmentRequest
from fadernets.engines.critic import Critic
from fadernets.engines.grid import Engine
from fadernets.metrics import frechet, note_features, realism
from fadernets.metrics.one_thread import one_thread
from fadernets.music.segments import STEPS

HIDDEN, DROPOUT = 48, 0.2
STEPS_OF_FIT, ROWS = 800, 256  # steps of the optimiser, segments of each kind a step
KEPT = 6  # candidates of a segment that the critic is shown
BATCH = 50  # segments edited at a time
ROUNDS = 2


def fit(engine: Engine, data: Dataset, rows: Indices, *, each: int = 400, seed: int = 0) -> Critic | None:
    """A critic from up to `each` segments of `rows` a move of `realism.MOVES`; None where none can be matched."""
    rng = np.random.default_rng(seed)
    spread = segment_requests.attribute_deviations(engine)
    moves = [(name, move) for name in engine.coded for move in realism.MOVES]
    matched = [(name, realism.match(data, rows, name, move, spread, seed)) for name, move in moves]
    matched = [(name, m) for name, m in matched if len(m.source)]
    if not matched:
        return None
    real = np.concatenate([note_features.features(data.cells(side[:each]))[0] for _, m in matched for side in m.real])
    shown: list[Floats] = []
    critic: Critic | None = None
    for _ in range(ROUNDS):
        engine.critic = critic
        for name, m in matched:
            shown += _answers(engine, data.cells(m.source[:each]), name, m.asked[:each], rng)
        critic = _learn(real, np.concatenate(shown), seed)
    return critic


def _answers(engine: Engine, cells: Cells, name: str, asked: Floats, rng: np.random.Generator) -> list[Floats]:
    """Features of some candidates of each edit; with a critic, of the chosen answers alone."""
    found = []
    for a in range(0, len(cells), BATCH):
        part = slice(a, a + BATCH)
        source = segment_requests.encode_segments(engine, cells[part])
        request = SegmentRequest({name: asked[part]}, seed=int(rng.integers(2**31)))
        if engine.critic is not None:
            found.append(note_features.features(candidate_choice.edit_encoded(engine, source, request))[0])
            continue
        some = segment_decoding.decode_candidates(
            engine, source, replace(request, sampled=segment_requests.SAMPLED_FOR_EDIT)
        ).cells
        pick = rng.permuted(np.tile(np.arange(some.shape[1]), (len(some), 1)), axis=1)[:, :KEPT]
        chosen = some[np.arange(len(some))[:, None], pick]
        found.append(note_features.features(chosen.reshape(-1, STEPS, chosen.shape[-1]))[0])
    return found


def _learn(real: Floats, made: Floats, seed: int) -> Critic:
    """Logistic regression with one hidden layer on features [N, F]; real and made segments weigh the same."""
    mean, deviation = frechet.scale_of(real)
    blank = Critic(mean, deviation, np.zeros((len(mean), 0)), np.zeros(0), np.zeros(0), 0.0)
    kinds = [torch.from_numpy(blank.standardised(x)).float() for x in (real, made)]
    with one_thread(seed):
        inner, outer = torch.nn.Linear(len(mean), HIDDEN), torch.nn.Linear(HIDDEN, 1)
        net = torch.nn.Sequential(inner, torch.nn.ReLU(), torch.nn.Dropout(DROPOUT), outer)
        optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.05)
        for _ in range(STEPS_OF_FIT):
            here, there = (net(x[torch.randint(len(x), (ROWS,))]) for x in kinds)
            loss = torch.nn.functional.softplus(-here).mean() + torch.nn.functional.softplus(there).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    w, b, v = (p.detach().numpy().astype(np.float64) for p in (inner.weight.T, inner.bias, outer.weight[0]))
    return Critic(mean, deviation, w, b, v, float(outer.bias.detach()))
