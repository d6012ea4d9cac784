"""Cells for tests: of notes by hand, and by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fadernets.codecs import grid

if TYPE_CHECKING:
    from torch import Tensor

EMPTY = np.zeros((16, 88), np.uint8)


def made(*notes: tuple[int, int, int]) -> np.ndarray:
    """[1, 16, 88] cells of notes (onset step, end step, pitch)."""
    return grid.from_notes(np.array(notes))[None]


def random_cells(n: int, seed: int = 0) -> np.ndarray:
    """[n, 16, 88] from nearly silent to nearly full, holds that continue nothing included; the first is empty."""
    rng = np.random.default_rng(seed)
    symbols = np.where(rng.random((n, 16, 88)) < 0.2, grid.ONSET, grid.HOLD)
    return (symbols * (rng.random((n, 16, 88)) < np.linspace(0, 1, n)[:, None, None] ** 3)).astype(np.uint8)


def planes_of(cells: np.ndarray) -> Tensor:
    """[B, 2, 16, 88] of cells [B, 16, 88]: where a note begins, and where one is held."""
    import torch

    return torch.from_numpy(np.stack([cells == grid.ONSET, cells == grid.HOLD], 1)).float()


# A G held in, a C chord over a long C, then four single notes, the last of them after a rest.
CELLS = made(
    (-1, 2, 43), (0, 8, 48), (0, 2, 64), (0, 2, 67), (4, 5, 72), (6, 8, 65), (7, 8, 66), (12, 13, 57)
)  # fmt: skip
