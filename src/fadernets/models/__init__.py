"""The table of models: name -> class. A model owns its `loss(batch, step)`; the loop knows no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fadernets.errors import FadernetsError

if TYPE_CHECKING:
    from fadernets.models.music_fadernets import GridFaderNets

MODELS = ("music-fadernets",)


def build(name: str, options: dict[str, Any]) -> GridFaderNets:
    """A model of that name. Raises FadernetsError for an unknown name or an unknown option."""
    from dataclasses import fields

    from fadernets.models.music_fadernets import GridFaderNets, Options

    if name not in MODELS:
        raise FadernetsError(f"unknown model {name!r}; known: {', '.join(MODELS)}")
    unknown = set(options) - {field.name for field in fields(Options)}
    if unknown:
        known = ", ".join(field.name for field in fields(Options))
        raise FadernetsError(f"unknown model option {sorted(unknown)[0]!r}; known: {known}")
    return GridFaderNets(Options(**options))
