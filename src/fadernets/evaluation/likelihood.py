"""How likely an independent language model finds segments: the checkpoint of the recipe `language-model`, in nats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from fadernets.arrays import Array, Cells
from fadernets.attributes.table import CODED
from fadernets.codecs import grid
from fadernets.evaluation.checkpoint import Checkpoint
from fadernets.metrics.fader_scores import Figures

BATCH = 512  # segments at once


@torch.no_grad()
def likelihood(language_model: Checkpoint, raw: Array) -> Figures:
    """Mean nats per segment and per token (or step) of segments [N, ...] in the codec's own form."""
    nats, length = 0.0, 0
    counts = language_model.coding.lengths(raw)
    order = np.argsort(counts, kind="stable")
    for a in range(0, len(raw), BATCH):
        part = order[a : a + BATCH]
        lengths = torch.from_numpy(counts[part]).to(language_model.device)
        rows = language_model.coding.decodes(raw[part], int(counts[part].max())).to(language_model.device)
        key = torch.zeros(len(part), 24, device=language_model.device)
        asked = torch.zeros(len(part), len(CODED), device=language_model.device)
        loss = language_model.model.decoder.loss(language_model.model.condition({}, key, asked), asked, rows, lengths)
        nats += float(loss) * len(part)
        length += int(lengths.sum())
    return {"nats": nats / len(raw), "nats_a_token": nats / max(length, 1)}


def nats_of_cells(language_model: Checkpoint) -> Callable[[Cells], float]:
    """The function from cells [N, 16, 88] to their mean nats per segment under a language model of the grid."""

    def nats(cells: Cells) -> float:
        planes = np.stack([cells == grid.ONSET, cells == grid.HOLD], 1)
        return likelihood(language_model, planes)["nats"]

    return nats
