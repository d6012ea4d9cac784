"""Edits by a rewriter that is being trained: drawn by the graphs of its weights as they are now."""

from __future__ import annotations

import numpy as np
import torch
import toy_rewriter

from fadernets.data.passage_batches import Densities, joined
from fadernets.data.passage_sampler import PassageSampler, denoising_row
from fadernets.fitting.rewriter_export import edited
from fadernets.models.rewriter import Rewriter


def test_edits_have_the_asked_onset_steps_keep_what_is_fixed_and_follow_the_weights() -> None:
    sampler, rng = PassageSampler([toy_rewriter.made_grid_piece(bars=24)]), np.random.default_rng(0)
    batch = joined([denoising_row(sampler, rng) for _ in range(4)])
    network = toy_rewriter.toy_network()
    assert isinstance(network, Rewriter)
    own = Densities(batch, batch.target)

    out = edited(network, batch, own.onsets, own.voices, 1.0, seed=1)
    free = ~(batch.fixed | batch.padding)
    assert (Densities(batch, out).onsets[free] == own.onsets[free]).all()
    assert (out[batch.fixed] == batch.target[batch.fixed]).all()
    assert (out == edited(network, batch, own.onsets, own.voices, 1.0, seed=1)).all()

    with torch.no_grad():
        network.pitch.bias[:60] -= 50  # no low note any more
        network.copy.zero_()
    out = edited(network, batch, own.onsets, own.voices, 1.0, seed=1)
    struck = (out == 1) & free[..., None]
    assert struck.any()
    assert not struck[..., :60].any()
