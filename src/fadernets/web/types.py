"""Types that the studio's server and the listening test's share; each page's types are generated from its server's."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Finite = Annotated[float, Field(allow_inf_nan=False)]
Name = Annotated[str, Field(max_length=200)]


class RequestModel(BaseModel):
    """The base of every request: an unknown field is refused."""

    model_config = ConfigDict(extra="forbid")


class ErrorResponse(BaseModel):
    """Why a request failed, in one line."""

    seq: int | None = None  # the number of the failed request, where requests are numbered
    error: str
