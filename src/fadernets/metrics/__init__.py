"""Measurements of arrays alone: features of cells, scores of faders, disentanglement, realism, statistics."""
