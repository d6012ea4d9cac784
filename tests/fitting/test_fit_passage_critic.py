"""Fitting the critic of passages."""

import numpy as np
import pytest
import toy_rewriter

torch = pytest.importorskip("torch")

from learning_alone import learning_alone  # noqa: E402

from fadernets.data.passage_batches import joined  # noqa: E402
from fadernets.data.passage_sampler import PassageSampler, denoising_row  # noqa: E402
from fadernets.data.passages import READ_FIELDS  # noqa: E402
from fadernets.fitting import fit_passage_critic  # noqa: E402


def test_it_comes_to_the_same_critic_and_leaves_pytorch_as_it_was(monkeypatch):
    monkeypatch.setattr(fit_passage_critic, "BATCH", 4)
    sampler, random = PassageSampler([toy_rewriter.made_grid_piece(bars=24)]), np.random.default_rng(0)
    batch = joined([denoising_row(sampler, random) for _ in range(16)])
    fields = {name: getattr(batch.steps, name) for name in (*READ_FIELDS, "segment", "sixteenths")}
    data = {"real": batch.target, "edited": batch.source, **fields}
    with learning_alone():
        critic, _ = fit_passage_critic.fit(data, seed=1, epochs=1)
    torch.manual_seed(7)
    again, _ = fit_passage_critic.fit(data, seed=1, epochs=1)
    assert all(torch.equal(a, b) for a, b in zip(critic.parameters(), again.parameters(), strict=True))
