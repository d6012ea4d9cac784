"""The optimiser and the learning rate of a recipe."""

from __future__ import annotations

import torch

from fadernets.models import schedules
from fadernets.training import recipes


def rate(recipe: recipes.Recipe, step: int) -> float:
    """The learning rate of a step."""
    if recipe.schedule == "constant":
        return recipe.learning_rate
    return schedules.learning_rate(step, recipe.steps, peak=recipe.learning_rate, warmup=recipe.warmup)


def build(recipe: recipes.Recipe, model: torch.nn.Module) -> torch.optim.Optimizer:
    """AdamW with betas .9 and .98, or Adam as it was published, whose decay is in the gradient."""
    weights, decay = model.parameters(), recipe.weight_decay
    if recipe.optimizer == "adam":
        return torch.optim.Adam(weights, lr=recipe.learning_rate, weight_decay=decay)
    return torch.optim.AdamW(weights, lr=recipe.learning_rate, weight_decay=decay, betas=(0.9, 0.98))
