"""Types of the HTTP API of `fadernets serve`: an edit and its answer, stored pieces, models, health.

Bars count from 1, attributes are in their own units, bytes of MIDI files travel as base64.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from pydantic import BaseModel, Field

from fadernets.errors import FadernetsError
from fadernets.web.fader_requests import FadersRequest
from fadernets.web.piece_limits import MOST_BYTES
from fadernets.web.types import ModelInfo, Name

MOST_BASE64 = 4 * (MOST_BYTES // 3 + 1)  # characters of the largest file


class EditRequest(FadersRequest):
    """An edit of a piece that the request brings (`midi`), or that was stored before (`piece`)."""

    midi: str | None = Field(default=None, max_length=MOST_BASE64)  # base64 of a MIDI or MusicXML file
    piece: Name | None = None  # the id that POST /v1/pieces gave
    model: Name | None = None  # null: the one that `fadernets apply` takes

    def brought(self) -> bytes | None:
        """The bytes of `midi`; None for a stored piece. Raises FadernetsError unless there is one of the two."""
        if (self.midi is None) == (self.piece is None):
            raise FadernetsError("give one of midi (base64 of a file) and piece (the id of a stored one)")
        if self.midi is None:
            return None
        try:
            return base64.b64decode(self.midi, validate=True)
        except (binascii.Error, ValueError):
            raise FadernetsError("midi: is not base64 of a file") from None


class EditResponse(BaseModel):
    """An edited piece, with what was asked and what its notes measure."""

    model: str
    midi: str  # base64 of the MIDI file, the bytes that `fadernets apply` writes
    log_odds: float | None  # that the result is real music, by the model's critic where it has one
    report: dict[str, Any]  # as `fadernets apply --json` prints it


class StoredPiece(BaseModel):
    """A piece that is stored. Whoever has its id may edit and remove it."""

    piece: str  # the SHA-256 of its bytes
    bytes: int
    hours: float  # for which it is kept, unless the store needs the space before


class ModelsResponse(BaseModel):
    """The models that the server offers."""

    version: str
    default: str
    models: list[ModelInfo]


class Health(BaseModel):
    """Whether the server takes requests: `ok`, else `starting` or `stopping`."""

    status: str
    workers: int  # that are alive
    waiting: int  # requests that no worker has begun
