"""Models are built from options of files: one that no machine could hold is refused before memory is taken for it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import torch

from fadernets.attributes.table import PAPER_FADERS
from fadernets.errors import FadernetsError, first_line
from fadernets.models import build

MOST_WEIGHTS = 10**9  # of a model: 4 GB, four times as much in training; those of the paper have less than ten million


def build_within(name: str, options: dict[str, Any], codec: str, attributes: Sequence[str] = PAPER_FADERS) -> Any:
    """As `models.build`, of at most MOST_WEIGHTS weights. Raises FadernetsError."""
    with suppress(NotImplementedError):  # a model of another package may not know how to be built without memory
        weights = _count(name, options, codec, attributes)
        if weights > MOST_WEIGHTS:
            raise FadernetsError(f"model {name} of these options has {weights} weights; at most {MOST_WEIGHTS}")
    return build(name, options, codec, attributes)


def _count(name: str, options: dict[str, Any], codec: str, attributes: Sequence[str]) -> int:
    """The number of weights, found without memory for them."""
    try:
        with torch.device("meta"):
            model = build(name, options, codec, attributes)
    except (FadernetsError, NotImplementedError):
        raise
    except (RuntimeError, OverflowError, TypeError, ValueError) as error:
        reason = first_line(error)
        raise FadernetsError(f"model {name} cannot be built of these options ({reason})") from None
    return sum(weight.numel() for weight in model.parameters())
