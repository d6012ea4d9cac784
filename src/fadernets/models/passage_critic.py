"""Tells passages that a rewriter drew from real ones; it ranks candidates while a piece is edited.

Causal self-attention over the steps of a passage, with a score where a segment ends, so that it can judge a passage
that is not yet whole. It reads what is struck and held, and how the metre cuts the steps; it knows neither the source
nor the levels that were asked, nor the features of the judges (`metrics.passage_features`).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from fadernets.models.rewriter import Block, P, RewriterSize, StepEmbedding, rotary


@dataclass(frozen=True)
class CriticSize:
    """How large a critic is."""

    width: int = 128
    heads: int = 4
    inner: int = 256
    layers: int = 3

    def as_rewriter(self) -> RewriterSize:
        """The size of its blocks."""
        return RewriterSize(self.width, self.heads, self.inner, 0, self.layers, 0)


class PassageCritic(nn.Module):
    """Log odds, at every step, that the passage up to there is real."""

    def __init__(self, size: CriticSize | None = None) -> None:
        super().__init__()
        self.size = size = size or CriticSize()
        blocks = size.as_rewriter()
        self.read = nn.Linear(2 * P, size.width)
        self.grid = StepEmbedding(size.width)
        self.blocks = nn.ModuleList(Block(blocks, causal=True) for _ in range(size.layers))
        self.norm = nn.LayerNorm(size.width)
        self.score = nn.Linear(size.width, 1)
        self.dropout = nn.Dropout(0.15)

    def forward(self, cells: Tensor, fields: dict[str, Tensor], time: Tensor) -> Tensor:
        """[B, T] from planes [B, T, 2P], fields and times [B, T]."""
        cos, sin = rotary(time, self.size.width // self.size.heads)
        x = self.dropout(self.read(cells) + self.grid(fields))
        for block in self.blocks:
            x = self.dropout(block(x, cos, sin))
        return self.score(self.norm(x))[..., 0].float()
