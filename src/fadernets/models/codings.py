"""Encoders and global decoders over each codec: the only part of a model that knows what its codes look like.

The grid: one step per sixteenth, cells of off, onset or hold. Tokens: the paper's own (Section 4.1), a two-layer
GRU given the token before and the condition at every step. B batch, T steps or tokens, P = 88, C condition, V = 342.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from fadernets.models.grid_coding import GridDecoder, GridEncoder, grid_cells
from fadernets.models.options import Options
from fadernets.models.token_coding import TokenDecoder, TokenEncoder, token_cells

# --- the table


@dataclass(frozen=True)
class Coding:
    """A row of the table: how a codec is encoded, decoded, and read as grid cells."""

    encoder: Callable[[Options, int, int], nn.Module]
    decoder: Callable[[Options, int], nn.Module]
    cells: Callable[[Tensor, np.ndarray | float], np.ndarray]  # generated codes and their seconds -> cells [B, 16, 88]


CODINGS = {
    "grid": Coding(GridEncoder, GridDecoder, grid_cells),
    "tokens": Coding(TokenEncoder, TokenDecoder, token_cells),
}
