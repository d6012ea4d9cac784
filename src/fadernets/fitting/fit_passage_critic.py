"""The critic of a rewriter: fitted on real passages of validation pieces and the rewriter's edits of them.

Both sides are weighted to the same levels of both densities, so that it learns how music of a level goes and not which
level edits have. It reads cells and metre; the judges of `metrics.two_sample` read other figures (trees) or other cells
(a convolution over four segments), of test pieces, and never choose.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from fadernets.arrays import Bools, Cells, Floats, Floats32, Integers
from fadernets.codecs.grid import OFF, ONSET
from fadernets.data.dataset import SPLITS
from fadernets.data.passage_batches import CONTEXT, PassageBatch, joined
from fadernets.data.passage_sampler import PassageSampler, row_of
from fadernets.data.passages import MAX_VOICES, READ_FIELDS, GridPiece, Steps
from fadernets.decoding import passage_choice, passage_landing
from fadernets.decoding.passage_drawing import Constraints, draw
from fadernets.engines.rewriter import RewriterEngine
from fadernets.metrics.one_thread import one_thread
from fadernets.models.passage_critic import CriticSize, PassageCritic
from fadernets.models.rewriter import planes
from fadernets.training.rewriter_loop import random_levels

PASSAGES = 2400
AT_ONCE = 96  # passages
EPOCHS, BATCH, RATE = 8, 32, 1e-3
RHYTHM_UNIT, VOICES_UNIT = 0.23, 1.05  # standard deviations of the densities, for the weights of levels
Progress = Callable[[int, int], None]


def collect(
    engine: RewriterEngine,
    pieces: Sequence[GridPiece],
    count: int = PASSAGES,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Real passages of validation pieces and edits of them: cells [N, T, 88] and the fields [N, T] of their steps.

    The edits are drawn as an edit of a piece draws them, and land on note density as it does.
    """
    sampler = PassageSampler([p for p in pieces if p.split == SPLITS.index("validation")])
    rng = np.random.default_rng(seed)
    real: list[Cells] = []
    edited: list[Cells] = []
    steps: list[Steps] = []
    while len(real) * AT_ONCE < count:
        rows = []
        for _ in range(AT_ONCE):
            drawn = sampler.draw(rng)
            rows.append(row_of(drawn, drawn.target, np.zeros(len(drawn.steps.starts), bool), 1.0))
        batch = joined(rows)
        onsets, voices = random_levels(batch, rng)
        how = passage_choice.settings(1, int(rng.integers(2**31)))
        cells = draw(engine, batch, onsets, voices, Constraints.none(batch), how).cells[:, 0]
        at = batch.steps.take((slice(None), slice(CONTEXT, None)))  # type: ignore[arg-type]
        real.append(batch.target[:, CONTEXT:])
        edited.append(np.stack([_landed(cells[i], batch, voices, i) for i in range(AT_ONCE)]))
        steps.append(at)
        if progress:
            progress(min(len(real) * AT_ONCE, count), count)
    fields = {k: np.concatenate([getattr(s, k) for s in steps]) for k in (*READ_FIELDS, "segment", "sixteenths")}
    return {"real": np.concatenate(real), "edited": np.concatenate(edited), **fields}


def _landed(cells: Cells, batch: PassageBatch, voices: Floats32, row: int) -> Cells:
    """[T, 88] a drawn passage with its note density landed on."""
    heard = np.flatnonzero(~batch.retrieved[row] & ~batch.padding[row])
    steps = Steps(*(getattr(batch.steps, k)[row, heard] for k in Steps.__dataclass_fields__))
    out = cells[CONTEXT:].copy()
    pinned = np.zeros((len(heard), cells.shape[1]), bool)
    out[heard - CONTEXT] = passage_landing.land(
        cells[heard], batch.source[row, heard], pinned, steps, voices[row, heard].astype(np.float64)
    )
    return out


def fit(data: dict[str, Any], seed: int = 0, epochs: int = EPOCHS) -> tuple[PassageCritic, float]:
    """A critic, and its AUC on an eighth of the passages that it did not learn from."""
    with one_thread(seed):
        rng = np.random.default_rng(seed)
        cells = np.concatenate([data["real"], data["edited"]])
        count = len(data["real"])
        label = np.repeat([1.0, 0.0], count)
        weight = level_weights(
            _levels(cells, np.tile(data["segment"], (2, 1)), np.tile(data["sixteenths"], (2, 1))), label
        )
        held = np.tile(np.arange(count) >= count - count // 8, 2)
        critic = PassageCritic()
        optimiser = torch.optim.AdamW(critic.parameters(), RATE, weight_decay=0.05)
        learned = np.flatnonzero(~held)
        total, done = epochs * (len(learned) // BATCH), 0
        for _ in range(epochs):
            critic.train()
            order = rng.permutation(learned)
            for a in range(0, len(order) - BATCH + 1, BATCH):
                chosen = order[a : a + BATCH]
                for group in optimiser.param_groups:
                    group["lr"] = RATE * min(1.0, (done + 1) / 100) * (1 - done / total)
                odds, ends = _scores(critic, data, cells[chosen], chosen % count, rng.integers(-4, 5, len(chosen)))
                truth = torch.from_numpy(label[chosen].astype(np.float32))[:, None].expand_as(odds)
                weights = torch.from_numpy(weight[chosen])[:, None] * ends
                each = functional.binary_cross_entropy_with_logits(odds, truth, reduction="none")
                loss = (each * weights).sum() / weights.sum()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                done += 1
        return critic.eval(), held_out_auc(critic, data, cells, label, np.flatnonzero(held))


@torch.no_grad()
def held_out_auc(critic: PassageCritic, data: dict[str, Any], cells: Cells, label: Floats, held: Integers) -> float:
    """The area under the critic's curve on passages that it did not learn from."""
    from fadernets.metrics.two_sample import area_under_curve

    scores = []
    for a in range(0, len(held), 64):
        chosen = held[a : a + 64]
        odds, ends = _scores(critic.eval(), data, cells[chosen], chosen % len(data["real"]), np.zeros(len(chosen), int))
        scores.append(((odds * ends).sum(1) / ends.sum(1)).numpy())
    return area_under_curve(np.concatenate(scores), label[held].astype(np.int64))


def _scores(critic: PassageCritic, data: dict[str, Any], cells: Cells, rows: Integers, shifts: Integers) -> Any:
    """[B, T] log odds, and where segments end, the first left out."""
    moved = np.stack([np.roll(c, s, axis=1) for c, s in zip(cells, shifts.tolist(), strict=True)])
    fields = {k: torch.from_numpy(data[k][rows].astype(np.int64)) for k in READ_FIELDS}
    length = data["sixteenths"][rows]
    time = torch.from_numpy((np.cumsum(length, 1) - length).astype(np.float32))
    segment = data["segment"][rows]
    ends = np.concatenate([segment[:, 1:] != segment[:, :-1], np.ones((len(rows), 1), bool)], axis=1)
    ends &= segment > segment[:, :1]
    with torch.autocast("cpu", torch.bfloat16):
        odds = critic(planes(torch.from_numpy(moved)), fields, time)
    return odds.float(), torch.from_numpy(ends)


def _levels(cells: Cells, segment: Integers, sixteenths: Floats) -> Floats:
    """[N, 2] both densities of whole passages, in standard deviations."""
    heard: Bools = segment >= 0
    length = heard * sixteenths
    whole = length.sum(1)
    onsets = ((cells == ONSET).any(-1) & heard).sum(1) / whole
    voices = (np.minimum((cells != OFF).sum(-1), MAX_VOICES) * length).sum(1) / whole
    return np.stack([onsets / RHYTHM_UNIT, voices / VOICES_UNIT], axis=1)


def level_weights(levels: Floats, label: Floats) -> np.ndarray:
    """[N] weights under which both labels have the same levels [N, 2], by a classifier that sees the levels alone."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=7, random_state=0).fit(levels, label)
    share = np.clip(model.predict_proba(levels)[:, 1], 0.05, 0.95)
    weight = np.sqrt(np.where(label == 1, (1 - share) / share, share / (1 - share)))
    for side in (0, 1):
        weight[label == side] /= weight[label == side].mean()
    return weight.astype(np.float32)


def save(critic: PassageCritic, run: Path, auc: float) -> None:
    """Keep a critic with its run."""
    torch.save(critic.state_dict(), run / "critic.pt")
    (run / "critic.json").write_text(json.dumps({"size": asdict(critic.size), "auc": auc}) + "\n")


def load(run: Path) -> PassageCritic | None:
    """The critic of a run, None where none was fitted."""
    if not (run / "critic.pt").exists():
        return None
    size = json.loads((run / "critic.json").read_text())["size"]
    critic = PassageCritic(CriticSize(**size))
    critic.load_state_dict(torch.load(run / "critic.pt", weights_only=True))
    return critic.eval()
