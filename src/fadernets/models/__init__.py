"""The table of models: name -> class. A model owns its `loss(batch, step)`; the loop knows no more."""

from __future__ import annotations

from contextlib import suppress
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
    values = {name: typed(f"model option {name}", v, getattr(Options, name)) for name, v in options.items()}
    return GridFaderNets(Options(**values))


def typed(name: str, value: Any, default: Any) -> Any:
    """The value as the type of its default. Raises FadernetsError where it is of another."""
    kind = type(default)
    if kind is float and isinstance(value, (int, str)) and not isinstance(value, bool):
        with suppress(ValueError):  # YAML 1.1 reads 1e-3 as a string
            return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise FadernetsError(f"{name}: {value!r} is not of type {kind.__name__}")
    return value
