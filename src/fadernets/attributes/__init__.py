"""Musical attributes of a segment: what the grid holds and what a performance holds, and the table that lists them.

A file of a user's attributes, as `--attributes` takes it, needs no more than

    from fadernets.attributes import Attribute, register
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fadernets.attributes.table import Attribute, register
    from fadernets.attributes.table import register as add

__all__ = ["Attribute", "add", "register"]

_FROM_TABLE = {"Attribute": "Attribute", "register": "register", "add": "register"}


def __dir__() -> list[str]:
    """The public names, for completion, without the one that goes."""
    return [name for name in __all__ if name != "add"]


def __getattr__(name: str) -> Any:
    """What the table offers to users, imported when it is first asked for. Raises AttributeError."""
    if name not in _FROM_TABLE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "add":
        message = "fadernets.attributes.add is named register since 0.2; the old name goes in 0.3"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
    return getattr(import_module("fadernets.attributes.table"), _FROM_TABLE[name])
