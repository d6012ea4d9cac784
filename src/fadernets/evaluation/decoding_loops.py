"""How a model folder answers an asked value: the three loops of the `strict` protocol.

`open` decodes the moved code once, as the paper does (ISMIR 2020, Section 4.2). `calibrated` decodes once, too, but
asks for the level at which decodes of validation segments measured the value. `closed` does what an edit does: it
samples candidates, lands them on the value and chooses one. S segments; values in the attribute's own unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fadernets.arrays import Cells, Floats
from fadernets.attributes.table import CODED
from fadernets.data.dataset import Dataset
from fadernets.decoding import candidate_choice, segment_decoding, segment_requests
from fadernets.decoding.segment_requests import EncodedSegments, SegmentRequest
from fadernets.engines.code_arithmetic import Calibration
from fadernets.engines.grid import Engine

LOOPS = ("open", "calibrated", "closed")
VALUES = 8  # asked values of a fader, T of Section 4.2
BATCH = 100  # segments decoded at once
CALIBRATION_SEGMENTS, CALIBRATION_LEVELS = 128, 16


@dataclass(frozen=True)
class DecodingLoop:
    """One of the LOOPS over an engine; of the closed one also what its requests hold beside the asked values."""

    engine: Engine
    name: str = "closed"
    curves: Mapping[str, Calibration] = field(default_factory=dict)  # of the calibrated loop, see `decode_curves`
    request: SegmentRequest = field(default_factory=SegmentRequest)

    def answer(self, source: EncodedSegments, asked: dict[str, Floats]) -> Cells:
        """[S, 16, 88] one output for each source segment; asked: attribute -> values [S]."""
        if self.name == "calibrated":
            asked = {name: self._level(name, values) for name, values in asked.items()}
        decode = candidate_choice.edit_encoded if self.name == "closed" else segment_decoding.free_decode
        return decode(self.engine, source, replace(self.request, asked=asked))

    def move(self, cells: Cells, name: str, asked: Floats) -> Cells:
        """Outputs [S, 16, 88] for cells [S, 16, 88] whose attribute `name` is asked to have the values [S]."""
        outputs = np.empty_like(cells)
        for a in range(0, len(cells), BATCH):
            part = slice(a, a + BATCH)
            source = segment_requests.encode_segments(self.engine, cells[part])
            outputs[part] = self.answer(source, {name: asked[part]})
        return outputs

    def slide(self, cells: Cells, name: str, values: Floats) -> Cells:
        """Outputs [M, T, 16, 88] for cells [M, 16, 88], each asked for every one of the values [T]."""
        outputs = np.empty((len(cells), len(values), *cells.shape[1:]), np.uint8)
        for a in range(0, len(cells), BATCH):
            source = segment_requests.encode_segments(self.engine, cells[a : a + BATCH])
            for t, value in enumerate(values):
                outputs[a : a + BATCH, t] = self.answer(source, {name: np.full(len(source.cells), value)})
        return outputs

    def _level(self, name: str, values: Floats) -> Floats:
        curve = self.curves[name]
        return np.asarray(np.clip(curve.to_value(values), curve.values[0], curve.values[-1]))


def decoding_loops(
    engine: Engine, data: Dataset, names: Sequence[str] = LOOPS, seed: int = 0
) -> dict[str, DecodingLoop]:
    """The named loops over an engine; the calibrated one with curves from the data set's validation segments."""
    curves = decode_curves(engine, data, seed) if "calibrated" in names else {}
    return {name: DecodingLoop(engine, name, curves if name == "calibrated" else {}) for name in names}


def decode_curves(engine: Engine, data: Dataset, seed: int) -> dict[str, Calibration]:
    """Attribute -> the monotone curve from the asked level to what free decodes of validation segments measure.

    The levels span the whole range of the attribute in the training data.
    """
    rows = np.concatenate([data.select(split="validation", corpus=c) for c in corpora_of(engine, data)[0]])
    rows = np.random.default_rng(seed).permutation(rows)[:CALIBRATION_SEGMENTS]
    source = segment_requests.encode_segments(engine, data.cells(rows))
    curves = {}
    for name, row in CODED.items():
        statistics = engine.info["statistics"][name]
        levels = np.linspace(statistics["min"], statistics["max"], CALIBRATION_LEVELS)
        requests = [SegmentRequest({name: np.full(len(rows), level)}) for level in levels]
        measured = [row.measure(segment_decoding.free_decode(engine, source, request)) for request in requests]
        curves[name] = Calibration.fit(np.repeat(levels, len(rows)), np.concatenate(measured))
    return curves


def corpora_of(engine: Engine, data: Dataset) -> tuple[list[str], list[str]]:
    """The data set's corpora that the model reconstructs, and those that it took labels from alone."""
    recipe, names = engine.info["recipe"], data.manifest["corpora"]
    labelled = [corpus for corpus in recipe["label_corpora"] if corpus in names]
    return [corpus for corpus in (recipe["corpora"] or names) if corpus not in labelled], labelled


# --- the values that a fader is asked for


def asked_values(engine: Engine, name: str) -> Floats:
    """[T] `values_to_ask` by the training data of the engine's model."""
    return values_to_ask(name, engine.info["statistics"][name])


def values_to_ask(name: str, statistics: Mapping[str, float]) -> Floats:
    """[T] evenly spaced values from the 5th to the 95th percentile of the training data, in the attribute's grain."""
    return in_grain(name, np.linspace(statistics["p5"], statistics["p95"], VALUES))


def in_grain(name: str, values: Floats) -> Floats:
    """The nearest values that the attribute can have."""
    grain = CODED[name].grain
    return np.round(values / grain) * grain if grain else values
