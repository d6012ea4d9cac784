"""Melodies: knobs that turn them, blends of two, and the augmentations that knobs are found with (the NIME paper)."""
