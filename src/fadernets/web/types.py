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


class ModelInfo(BaseModel):
    """A model that the server offers."""

    name: str
    codec: str
    hash: str  # the first 12 digits of the decoder's SHA-256
    codes: bool  # whether it has codes, to inspect and for the preset that moves them
    high: dict[str, float]  # the ends of faders that go higher with it than their attributes say
