"""What a rewriter's weights are moved by: Muon for the matrices inside its blocks and its chain, AdamW for the rest.

Muon (Jordan et al., 2024) takes the direction of a matrix's momentum with all its singular values made one; here its
steps are as large as AdamW's would be (`match_rms_adamw`), times the recipe's `muon`.
"""

from __future__ import annotations

from typing import Any

import torch

from fadernets.errors import FadernetsError
from fadernets.models.rewriter import Rewriter
from fadernets.training.rewriter_recipes import RewriterRecipe

BETAS = (0.9, 0.98)
MOMENTUM = 0.95


class Optimisers:
    """Both optimisers as one."""

    def __init__(self, model: Rewriter, recipe: RewriterRecipe) -> None:
        inner = [p for block in (*model.encoder, *model.decoder) for p in block.parameters() if p.ndim == 2]
        inner += [part.weight for part in (model.from_hidden, model.chain, model.length_hidden, model.length_inner)]
        chosen = {id(p) for p in inner} if recipe.muon else set()
        rest = [p for p in model.parameters() if id(p) not in chosen]
        adamw = torch.optim.AdamW(rest, recipe.rate, betas=BETAS, weight_decay=recipe.decay)
        self.parts: list[tuple[float, torch.optim.Optimizer]] = [(1.0, adamw)]
        if chosen:
            muon = torch.optim.Muon(
                inner,
                recipe.rate,
                weight_decay=recipe.decay,
                momentum=MOMENTUM,
                adjust_lr_fn="match_rms_adamw",
            )
            self.parts.append((recipe.muon, muon))

    def step(self, rate: float) -> None:
        """One step at a learning rate."""
        for scale, optimiser in self.parts:
            for group in optimiser.param_groups:
                group["lr"] = rate * scale
            optimiser.step()

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for _, optimiser in self.parts:
            optimiser.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` takes."""
        return {"parts": [optimiser.state_dict() for _, optimiser in self.parts]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state of the same recipe. Raises FadernetsError for another's."""
        if len(state.get("parts", ())) != len(self.parts):
            raise FadernetsError("the run was trained by other optimisers; keep the recipe's `muon`")
        for (_, optimiser), part in zip(self.parts, state["parts"], strict=True):
            optimiser.load_state_dict(part)
