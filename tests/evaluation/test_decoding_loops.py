"""Which values a fader is asked for, and by which path each loop answers."""

from __future__ import annotations

import numpy as np
import pytest

from fadernets.attributes.table import CODED
from fadernets.codecs import grid
from fadernets.decoding import candidate_choice, segment_decoding, segment_requests
from fadernets.decoding.segment_requests import SegmentRequest
from fadernets.engines.code_arithmetic import Calibration
from fadernets.engines.grid import Engine
from fadernets.evaluation import decoding_loops
from fadernets.evaluation.decoding_loops import VALUES, DecodingLoop, values_to_ask


@pytest.fixture(scope="module")
def engine(exported):
    return Engine.open(exported[True][0])


def test_values_to_ask_lie_evenly_between_the_5th_and_the_95th_percentile():
    statistics = {"p5": 1.3, "p95": 4.1}
    assert values_to_ask("note_density", statistics) == pytest.approx(np.linspace(1.3, 4.1, VALUES))


def test_rhythm_is_asked_for_in_sixteenths():
    values = values_to_ask("rhythm_density", {"p5": 0.1875, "p95": 0.8125})
    assert (values * 16).tolist() == [3, 4, 6, 7, 9, 10, 12, 13]


# The three loops


def test_each_loop_answers_by_its_own_path(engine, segments):
    source = segment_requests.encode_segments(engine, segments[:6])
    asked = {"rhythm_density": np.array([0.25, 0.5, 0.75, 1.0, 0.125, 0.5])}
    opened = DecodingLoop(engine, "open").answer(source, asked)
    np.testing.assert_array_equal(opened, segment_decoding.free_decode(engine, source, SegmentRequest(asked)))
    closed = DecodingLoop(engine, "closed").answer(source, asked)
    np.testing.assert_array_equal(closed, candidate_choice.edit_encoded(engine, source, SegmentRequest(asked)))
    plain = DecodingLoop(engine, request=SegmentRequest(sampled=0, faithfulness=0.5)).answer(source, asked)
    np.testing.assert_array_equal(
        plain, candidate_choice.edit_encoded(engine, source, SegmentRequest(asked, sampled=0, faithfulness=0.5))
    )
    # Decodes measured 0.4 where 0.25 was asked, and 0.6 at 0.75: nothing beyond is tried.
    curve = Calibration(np.array([0.25, 0.75]), np.array([0.4, 0.6]))
    found = DecodingLoop(engine, "calibrated", {"rhythm_density": curve}).answer(source, asked)
    levels = {"rhythm_density": np.array([0.25, 0.5, 0.75, 0.75, 0.25, 0.5])}
    np.testing.assert_array_equal(found, segment_decoding.free_decode(engine, source, SegmentRequest(levels)))


def test_a_loop_moves_cells_in_batches(engine, segments, monkeypatch):
    asked = np.linspace(0.2, 0.9, 7)
    whole = DecodingLoop(engine, "open").move(segments[:7], "rhythm_density", asked)
    monkeypatch.setattr(decoding_loops, "BATCH", 3)
    np.testing.assert_array_equal(DecodingLoop(engine, "open").move(segments[:7], "rhythm_density", asked), whole)
    assert DecodingLoop(engine).move(segments[:0], "rhythm_density", asked[:0]).shape == (0, 16, 88)


def test_curves_come_from_decodes_of_validation_segments(engine, songs, monkeypatch):
    """Decodes that measure half of what is asked: the curve asks for twice the value."""
    seen = []

    def free(_, source, request):
        seen.append(source.cells)
        out = np.zeros_like(source.cells)
        for name, values in request.asked.items():
            count = round(float(values[0]) * 8)
            at = (
                (np.arange(count), 40)
                if name == "rhythm_density"
                else (np.arange(count) % 16, 40 + np.arange(count) // 16)
            )
            out[:, *at] = grid.ONSET
        return out

    monkeypatch.setattr(segment_decoding, "free_decode", free)
    curves = decoding_loops.decode_curves(engine, songs, 0)
    for name in CODED:
        low, high = (engine.info["statistics"][name][end] for end in ("min", "max"))
        assert (curves[name].values[0], curves[name].values[-1]) == pytest.approx((low, high))
        middle = (low + high) / 4
        assert curves[name].to_value(middle) == pytest.approx(2 * middle, abs=(high - low) / 15 + 1 / 8)
    rows = songs.select(split="validation", corpus="songs")
    validation = {cells.tobytes() for cells in songs.cells(rows)}
    assert all({cells.tobytes() for cells in batch} == validation for batch in seen)


def test_curves_are_made_for_the_calibrated_loop_alone(engine, songs, monkeypatch):
    assert set(decoding_loops.decoding_loops(engine, songs)["calibrated"].curves) == set(CODED)
    monkeypatch.setattr(decoding_loops, "decode_curves", lambda *_: pytest.fail("decodes"))
    assert set(decoding_loops.decoding_loops(engine, songs, ["open", "closed"])) == {"open", "closed"}
