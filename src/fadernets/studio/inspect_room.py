"""The inspection room: what a change of the music moves in a model's codes, and a map of segments."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np

from fadernets.arrays import Cells, Latents
from fadernets.codecs import grid
from fadernets.editing.edit_report import number
from fadernets.engines.model_folder import DEFAULT_WINDOW_MODEL
from fadernets.errors import FadernetsError
from fadernets.melodies import augmentations, inspection
from fadernets.studio import latent_map
from fadernets.studio.inspect_types import (
    AugmentationInfo,
    DecodeRequest,
    DecodeResponse,
    InspectResponse,
    MapInfo,
    MapPoint,
)
from fadernets.studio.latent_map import LatentMap
from fadernets.studio.types import Notes
from fadernets.studio.uploads import BUNDLED, Uploads
from fadernets.web.models import Models

WHOLE_NOTES = (55, 79)  # the range of pitches of the whole notes by which melody models are inspected
MOST_INSPECTED = 256  # segments of the map by which other models are inspected
TPQ = 480  # ticks to a quarter note of decoded segments
VELOCITY = 80  # of their notes
MOST_MAPS = 8  # maps, and inspections, that are kept
K = TypeVar("K")
T = TypeVar("T")


class InspectRoom:
    """What the inspection room can do; raises FadernetsError for what cannot be done.

    data: a data set whose segments the map shows; without one, it shows the segments of the bundled pieces and of those
    of the `owner` that asks (see `Uploads`). What augmentations change is looked at on clips that stay the same: those
    of the data set, of the bundled pieces, or whole notes. The last MOST_MAPS maps are kept.
    """

    def __init__(self, models: Models, uploads: Uploads, data: Path | None = None) -> None:
        self._models, self._uploads, self._data = models, uploads, data
        self._maps: dict[tuple[str, ...], LatentMap] = {}  # by model and pieces
        self._inspected: dict[str, InspectResponse] = {}

    def inspect(self, model: str) -> InspectResponse:
        """What augmentations change in a model's codes: on whole notes of two octaves for a model of melodies (Section
        3.4 of the NIME paper, for rhythm), for others on segments of the data set or of the bundled pieces."""
        if model not in self._inspected:
            look = self._inspect_melodies if self._models.is_melody(model) else self._inspect_segments
            _keep(self._inspected, model, look(model))
        return self._inspected[model]

    def _inspect_melodies(self, model: str) -> InspectResponse:
        engine = self._models.melody_engine(model)
        groups = [
            inspection.inspect(engine.encode, augmentations.whole_notes_for(name, WHOLE_NOTES), row)
            for name, row in augmentations.AUGMENTATIONS["melody"].items()
        ]
        clips = "two whole notes, every pair from G3 to G5"
        return InspectResponse(model=model, clips=clips, codes=[("z", engine.z)], groups=_groups("melody", groups))

    def _inspect_segments(self, model: str) -> InspectResponse:
        engine, plot = self._models.window_engine(model), self._plot(BUNDLED)
        cells = plot.cells[:MOST_INSPECTED]

        def encode(cells: Cells) -> Latents:
            return engine.encode(cells).side_by_side()

        groups = [inspection.inspect(encode, cells, row) for row in augmentations.AUGMENTATIONS["grid"].values()]
        size = groups[0].mean.shape[1] // len(engine.code_names)
        codes = [(f"z_{name}", size) for name in engine.code_names]
        clips = (
            f"segments of {self._data.name}" if self._data else f"segments of {'; '.join(dict.fromkeys(plot.titles))}"
        )
        return InspectResponse(model=model, clips=clips, codes=codes, groups=_groups("grid", groups))

    def map(self, model: str = DEFAULT_WINDOW_MODEL, method: str = "pca", owner: str = "") -> MapInfo:
        """Segments' codes on a plane, by `pca` or `tsne`; t-SNE only where `fadernets plot map` has computed it."""
        latents, engine = self._map(model, owner), self._models.window_engine(model)
        tsne = latent_map.read_tsne(self._data or engine.folder, engine, latents.plot)
        if method == "tsne" and tsne is None:
            raise FadernetsError(
                "there is no t-SNE of this map: `fadernets plot map` works it out for a data set and the bundled pieces"
            )
        xy = tsne if method == "tsne" and tsne is not None else latents.xy.round(4).tolist()
        values = latent_map.values_of(latents.plot.cells)
        points = [
            MapPoint(
                title=title,
                bar=bar,
                x=float(xy[i][0]),
                y=float(xy[i][1]),
                own=bool(latents.plot.uploaded) and latents.plot.uploaded[i],
                values={**{name: row[i] for name, row in values.items()}, "arousal": _or_none(latents.arousal[i])},
            )
            for i, (title, bar) in enumerate(zip(latents.plot.titles, latents.plot.bars, strict=True))
        ]
        return MapInfo(
            method="tsne" if method == "tsne" else "pca",
            methods=["pca", "tsne"] if tsne is not None else ["pca"],
            explained=[] if method == "tsne" else [round(share, 4) for share in latents.explained],
            points=points,
        )

    def decode(self, request: DecodeRequest, owner: str = "") -> DecodeResponse:
        """A segment of the map, or what its code becomes at another place of the plane."""
        engine = self._models.window_engine(request.model)
        cells = self._map(request.model, owner).decode(engine, request.index, request.x, request.y)
        rows = grid.decode(cells)
        step = TPQ // 4
        notes = Notes(
            onset=np.maximum(rows[:, 0] * step, 0).tolist(),
            end=np.maximum(rows[:, 1] * step, 0).tolist(),
            pitch=np.maximum(rows[:, 2], 0).tolist(),
            velocity=[VELOCITY] * len(rows),
            track=[0] * len(rows),
        )
        values: dict[str, float | None] = {
            name: float(row[0]) for name, row in latent_map.values_of(cells[None]).items()
        }
        return DecodeResponse(tpq=TPQ, notes=notes, values=values)

    def _map(self, model: str, owner: str) -> LatentMap:
        """The map by a model, made anew once there are other pieces."""
        engine = self._models.window_engine(model)
        pieces = self._piece_ids(owner)
        key = (model, *pieces)
        if key not in self._maps:
            _keep(self._maps, key, LatentMap.of(engine, self._plot(pieces)))
        return self._maps[key]

    def _plot(self, pieces: Iterable[str]) -> latent_map.Plot:
        """The segments of the data set, or without one those of some pieces."""
        return latent_map.of_data(self._data) if self._data else latent_map.of_pieces(map(self._uploads.get, pieces))

    def _piece_ids(self, owner: str) -> tuple[str, ...]:
        """The pieces whose segments the map shows; none where it shows a data set."""
        return () if self._data else tuple(self._uploads.ids(owner))


def _keep(kept: dict[K, T], key: K, value: T) -> None:
    """Keep a value under its key, and let go of the oldest where there are too many."""
    kept[key] = value
    while len(kept) > MOST_MAPS:
        del kept[next(iter(kept))]


def _groups(codec: str, groups: list[inspection.DimensionGroup]) -> list[AugmentationInfo]:
    return [
        AugmentationInfo(
            name=name,
            unit=group.unit,
            amounts=list(group.amounts),
            change=group.mean.round(4).tolist(),
            dimensions=group.dimensions.tolist(),
            threshold=float(group.threshold),
            linearity=number(group.linearity) if np.isfinite(group.linearity) else None,
            clips=group.clips,
        )
        for name, group in zip(augmentations.AUGMENTATIONS[codec], groups, strict=True)
    ]


def _or_none(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
