"""A small autoregressive model of segments: a global decoder that is given nothing.

Independent of every model of Table 1, it says how likely their outputs are beside real segments.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from fadernets.models import base


class LanguageModel(base.Model):
    """No encoder and no codes: only the decoder, under a condition of zeros."""

    CODES: ClassVar[dict[str, int]] = {}

    def condition(self, codes: dict[str, Tensor], key: Tensor, asked: Tensor) -> Tensor:
        """[B, 24] of zeros."""
        return key.new_zeros(key.shape)
