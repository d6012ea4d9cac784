"""What the listening test's server takes and gives, as types: the page's own are generated from these.

Nothing that is given says in which direction a trial was edited.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from fadernets.listening.store import MOST_PLAYED
from fadernets.web.types import Asked

Change = Literal["down", "none", "up"]
Rating = Annotated[int, Field(ge=1, le=5, strict=True)]
Times = Annotated[int, Field(ge=0, le=int(MOST_PLAYED), strict=True)]


class Ratings(BaseModel):
    """1..5; null: not yet given."""

    rhythm: Rating | None = None
    melody: Rating | None = None
    harmony: Rating | None = None
    naturalness: Rating | None = None


class RatingsAsked(Asked, Ratings):
    """Those that are not given stay as they were."""


class PlayedAsked(Asked):
    """How a trial was listened to, in all: the most ever said counts."""

    original: Times = 0  # played through, times
    transformed: Times = 0
    seconds: float = Field(default=0.0, ge=0, le=MOST_PLAYED, allow_inf_nan=False, strict=True)  # in sight


class AnswerAsked(Asked):
    """What is said of a trial; what is not given stays as it was."""

    trial: str = Field(max_length=64)
    changed: Change | None = None
    ratings: RatingsAsked = Field(default_factory=RatingsAsked)
    played: PlayedAsked = Field(default_factory=PlayedAsked)


class PlayedInfo(BaseModel):
    original: int
    transformed: int
    seconds: float


class AnswerInfo(BaseModel):
    changed: Change | None
    ratings: Ratings
    played: PlayedInfo
    complete: bool


class TrialInfo(BaseModel):
    id: str
    original: str  # sounds: /api/sound/ID
    transformed: str
    answer: AnswerInfo | None


class StateInfo(BaseModel):
    """Where a subject stands."""

    subject: int  # from 1
    consent: bool
    consent_text: str
    practice: TrialInfo
    trials: list[TrialInfo]  # in this subject's order
    answered: int  # complete answers, practice not counted
    total: int
    next: str | None  # the first trial without a complete answer
    finished: bool
