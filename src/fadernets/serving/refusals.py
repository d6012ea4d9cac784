"""Why a request is not answered: each has an HTTP status, and those that may come again say when."""

from __future__ import annotations

from fadernets.errors import FadernetsError


class Refusal(FadernetsError):
    """A request that is not answered.

    status: of HTTP. retry_after: whole seconds after which the client may ask again; None where that would not help.
    """

    def __init__(self, status: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.retry_after = status, retry_after


class UnknownPiece(Refusal):
    """A piece that is not stored, or no longer."""

    def __init__(self) -> None:
        super().__init__(404, "piece: is not stored, or no longer; send it again to /v1/pieces")
