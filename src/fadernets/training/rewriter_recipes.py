"""How a rewriter is trained: one small YAML file, `recipes/rewriter/pop-lieder.yaml`."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass

from fadernets import structured_text
from fadernets.errors import FadernetsError
from fadernets.models.rewriter import RewriterSize
from fadernets.training.recipes import Count, NotNegative, Positive, PositiveInt, Share


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))
class RewriterRecipe:
    """What a rewriter's training needs to know; each field is a key of the file."""

    hours: Positive = 8.0  # of CPU time
    batch: PositiveInt = 24  # passages
    rate: Positive = 1e-3
    muon: NotNegative = 2.0  # times `rate`, the rate of Muon; 0: AdamW for all weights
    warmup: PositiveInt = 300  # steps
    constant: Share = 0.5  # of the budget, after which the rate falls, linearly, to `last` of it
    last: Share = 0.03
    decay: NotNegative = 0.01
    clip: Positive = 1.0
    denoising: Share = 0.3  # of the budget, after which back-translation begins
    translated: Share = 0.5  # of a batch, from then on
    planned: Share = 0.0  # of the budget, after which the onset steps of most passages are told before their notes
    pool: PositiveInt = 512  # own edits that are kept to draw from
    fresh: PositiveInt = 48  # own edits made at a time
    every: PositiveInt = 12  # steps
    retrieval: bool = True  # whether segments from elsewhere in the piece are seen
    context: bool = True  # whether the other tracks are seen
    seed: Count = 0
    size: RewriterSize = RewriterSize()


def load(path: Path, overrides: list[str] | None = None) -> RewriterRecipe:
    """A recipe file with `key=value` overrides. Raises FadernetsError for an unknown key or an impossible value."""
    try:
        values = structured_text.read_yaml(path) or {}
    except (OSError, ValueError) as error:
        raise FadernetsError(f"{path}: is not a recipe that can be read ({error})") from None
    if not isinstance(values, dict):
        raise FadernetsError(f"{path}: a recipe is a list of `key: value` lines")
    for item in overrides or []:
        name, equals, text = item.partition("=")
        if not equals:
            raise FadernetsError(f"--set {item!r}: expected key=value, such as hours=2")
        values[name.strip()] = structured_text.parse_yaml(text)
    return check(values)


def check(values: dict[str, Any]) -> RewriterRecipe:
    """A recipe of these values. Raises FadernetsError with one line."""
    known = [f.name for f in fields(RewriterRecipe)]
    for name in values:
        if name not in known:
            raise FadernetsError(f"unknown recipe key {name!r}; known: {', '.join(known)}")
    try:
        size = RewriterSize(**values.get("size", {}))
        return RewriterRecipe(**{**values, "size": size})
    except (TypeError, ValidationError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": ("size",), "msg": str(error)}
        raise FadernetsError(f"recipe key {first['loc'][0]}: {first['msg']}") from None


def as_dict(recipe: RewriterRecipe) -> dict[str, Any]:
    """Plain values; `check` reads them back."""
    return asdict(recipe)
