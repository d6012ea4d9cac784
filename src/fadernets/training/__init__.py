"""Recipes, the one training loop, checkpoints and their model cards."""
