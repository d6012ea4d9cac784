"""What the studio's server takes and gives, as types: the page's own are generated from these.

Ticks are those of the piece (`tpq` to a quarter-beat), bars count from 1, attributes are in their own units.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Finite = Annotated[float, Field(allow_inf_nan=False)]
Name = Annotated[str, Field(max_length=200)]


class Asked(BaseModel):
    """What comes in: a field that nobody knows is refused."""

    model_config = ConfigDict(extra="forbid")


class Failed(BaseModel):
    """Why nothing came of it, in one line."""

    seq: int | None = None
    error: str
