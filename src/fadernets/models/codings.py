"""Encoders and global decoders over each codec: the only part of a model that knows what its codes look like.

One row a codec of segments, named by `codecs.base.Codec.coding`. The grid: one step per sixteenth, cells of off, onset
or hold. Tokens: the paper's own (Section 4.1), a two-layer GRU given the token before and the condition at every step.
N rows, B batch, T steps or tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from fadernets.arrays import Array, Cells, Floats, Indices
from fadernets.codecs import performance_tokens
from fadernets.codecs.base import CODECS, Codec, find, imported
from fadernets.data.batches import Coded, unpack
from fadernets.errors import FadernetsError
from fadernets.models.grid_coding import GridDecoder, GridEncoder, grid_cells, held_in
from fadernets.models.options import Options
from fadernets.models.token_coding import TokenDecoder, TokenEncoder, token_cells
from fadernets.music.segments import STEPS


@dataclass(frozen=True)
class Coding:
    """How a codec is encoded, decoded, and read as grid cells."""

    encoder: Callable[[Options, int, int], nn.Module]  # size of the code; of what is given beside the inputs
    decoder: Callable[[Options, int, Coded], nn.Module]  # size of the condition; the faders that it may count
    cells: Callable[[Tensor, Floats | float], Cells]  # decodes and their seconds -> cells [B, 16, 88]
    inputs: Callable[[Array, int], Tensor]  # codes as stored and the longest one's length -> as encoders take them
    decodes: Callable[[Array, int], Tensor]  # decodes kept as an array and the longest one's length -> as a target
    lengths: Callable[[Array], Indices]  # decodes kept as an array -> how many steps or tokens each takes, [N]
    dimensions: int  # of one decode kept as an array
    held: Callable[[Tensor], Tensor | None]  # inputs -> what sounds before the first step, where the codec knows it


def _tokens(rows: Array, longest: int) -> Tensor:
    """[N, T] rows padded with PAD, cut to the longest."""
    return torch.from_numpy(rows.astype(np.int64)[:, :longest])


GRID = Coding(
    encoder=GridEncoder,
    decoder=GridDecoder,
    cells=grid_cells,
    inputs=lambda codes, longest: unpack(torch.from_numpy(codes)),
    decodes=lambda planes, longest: torch.from_numpy(planes.astype(np.float32)),
    lengths=lambda planes: np.full(len(planes), STEPS, np.int64),
    dimensions=3,  # planes [2, 16, 88]
    held=held_in,
)
TOKENS = Coding(
    encoder=TokenEncoder,
    decoder=TokenDecoder,
    cells=token_cells,
    inputs=_tokens,
    decodes=_tokens,
    lengths=lambda rows: np.maximum((rows != performance_tokens.PAD).sum(-1), 1),
    dimensions=1,
    held=lambda rows: None,
)


def coding(codec: str | Codec) -> Coding:
    """The row of a codec. Raises FadernetsError for one that no model of segments reads."""
    row = find(codec)
    if row.coding is None:
        readable = " and ".join(name for name, other in CODECS.items() if other.coding is not None)
        raise FadernetsError(f"models of segments read {readable}, not {row}")
    found: Coding = imported(row.coding)
    return found
