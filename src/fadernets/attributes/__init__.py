"""Musical attributes of a segment: what the grid holds and what a performance holds, and the table that lists them.

`from fadernets.attributes import Attribute, register` is what a file given by --attributes needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_FROM_TABLE = {"Attribute": "Attribute", "register": "register", "add": "register"}  # `add`: its name before 0.2


def __getattr__(name: str) -> Any:
    """What the table offers to users, imported when it is asked for."""
    if name not in _FROM_TABLE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("fadernets.attributes.table"), _FROM_TABLE[name])
