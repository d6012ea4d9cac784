"""Both optimisers as one: who moves what, and how a run goes on."""

from __future__ import annotations

import copy

import pytest
import toy_rewriter

torch = pytest.importorskip("torch")

from fadernets.errors import FadernetsError  # noqa: E402
from fadernets.training.rewriter_optimisers import Optimisers  # noqa: E402
from fadernets.training.rewriter_recipes import RewriterRecipe  # noqa: E402


def moved(model, optimisers, seed):
    """The model after a step on made-up gradients."""
    noise = torch.Generator().manual_seed(seed)
    for p in model.parameters():
        p.grad = torch.randn(p.shape, generator=noise)
    optimisers.step(1e-2)
    optimisers.zero_grad()
    return model


def test_every_weight_is_moved_by_one_of_them():
    model = toy_rewriter.toy_network()
    optimisers = Optimisers(model, RewriterRecipe())
    held = [id(p) for _, part in optimisers.parts for group in part.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())
    muon = optimisers.parts[1][1].param_groups[0]["params"]
    assert all(p.ndim == 2 for p in muon)
    assert not any(p is model.pitch.weight or p is model.write.weight for p in muon)


def test_a_run_goes_on_as_if_it_had_not_stopped():
    one = toy_rewriter.toy_network()
    optimisers = Optimisers(one, RewriterRecipe())
    moved(one, optimisers, 0)
    other = copy.deepcopy(one)
    resumed = Optimisers(other, RewriterRecipe())
    resumed.load_state_dict(copy.deepcopy(optimisers.state_dict()))
    moved(one, optimisers, 1)
    moved(other, resumed, 1)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_a_run_of_another_optimiser_is_refused():
    model = toy_rewriter.toy_network()
    state = Optimisers(model, RewriterRecipe(muon=0.0)).state_dict()
    with pytest.raises(FadernetsError, match="keep the recipe's `muon`"):
        Optimisers(model, RewriterRecipe()).load_state_dict(state)
