"""Types of the listening test's HTTP API; the page's types are generated from these.

No answer of the server says in which direction a trial was edited.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from fadernets.listening.store import MOST_PLAYED
from fadernets.web.types import RequestModel

Change = Literal["down", "none", "up"]
Rating = Annotated[int, Field(ge=1, le=5, strict=True)]
Times = Annotated[int, Field(ge=0, le=int(MOST_PLAYED), strict=True)]


class Ratings(BaseModel):
    """Ratings from 1 to 5; null where none was given yet."""

    rhythm: Rating | None = None
    melody: Rating | None = None
    harmony: Rating | None = None
    naturalness: Rating | None = None


class RatingsRequest(RequestModel, Ratings):
    """New ratings; those that are null stay as they were."""


class PlayedRequest(RequestModel):
    """How often and how long a trial was listened to in total; of several requests, the largest number counts."""

    original: Times = 0  # times played to the end
    transformed: Times = 0
    seconds: float = Field(
        default=0.0, ge=0, le=MOST_PLAYED, allow_inf_nan=False, strict=True
    )  # that the trial was visible


class AnswerRequest(RequestModel):
    """A part of an answer to a trial; what is not given stays as it was."""

    trial: str = Field(max_length=64)
    changed: Change | None = None
    ratings: RatingsRequest = Field(default_factory=RatingsRequest)
    played: PlayedRequest = Field(default_factory=PlayedRequest)


class PlayedInfo(BaseModel):
    """How often each sound was played to the end, and seconds that the trial was visible."""

    original: int
    transformed: int
    seconds: float


class AnswerInfo(BaseModel):
    """The stored answer to a trial."""

    changed: Change | None
    ratings: Ratings
    played: PlayedInfo
    complete: bool


class TrialInfo(BaseModel):
    """A trial as its subject sees it."""

    id: str
    original: str  # the sound /api/sound/ID; so is `transformed`
    transformed: str
    answer: AnswerInfo | None


class StateInfo(BaseModel):
    """A subject's progress: consent, the trials in their order, and the stored answers."""

    subject: int  # from 1
    consent: bool
    consent_text: str
    practice: TrialInfo
    trials: list[TrialInfo]  # in this subject's order
    answered: int  # complete answers, without that to the practice trial
    total: int
    next: str | None  # the first trial without a complete answer
    finished: bool
