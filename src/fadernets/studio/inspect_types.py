"""Types of the inspection room: what augmentations change in a model's codes, and a map of segments."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from fadernets.engines.model_folder import DEFAULT_WINDOW_MODEL
from fadernets.studio.types import Notes
from fadernets.web.types import Finite, Name, RequestModel


class AugmentationInfo(BaseModel):
    """How the codes change under one augmentation."""

    name: str
    unit: str
    amounts: list[float]
    change: list[list[float]]  # [amounts][dimensions] mean change of z
    dimensions: list[int]  # the significant ones
    threshold: float
    linearity: float | None
    clips: int


class InspectResponse(BaseModel):
    """A model's codes and what each augmentation changes in them."""

    model: str
    clips: str  # the name of the clips that were looked at: always the same ones, so that figures repeat
    codes: list[tuple[str, int]]  # name and size of each code, in the order of the dimensions
    groups: list[AugmentationInfo]


class MapPoint(BaseModel):
    """A segment on the map."""

    title: str
    bar: int
    x: float
    y: float
    own: bool  # of a piece that this browser uploaded
    values: dict[str, float | None]


class MapInfo(BaseModel):
    """Segments' codes on a plane, by principal components or by t-SNE."""

    method: Literal["pca", "tsne"]
    methods: list[Literal["pca", "tsne"]]  # those that can be shown
    explained: list[float]  # share of the variance that each axis explains; empty for t-SNE
    points: list[MapPoint]


class DecodeRequest(RequestModel):
    """A place on the plane of principal components, and the segment whose code is moved there."""

    model: Name = DEFAULT_WINDOW_MODEL
    index: int = Field(ge=0)
    x: Finite
    y: Finite


class DecodeResponse(BaseModel):
    """Four quarter notes of music, `tpq` ticks each."""

    tpq: int
    notes: Notes
    values: dict[str, float | None]
