"""The decode path of every edit of segments: move the codes, decode, and vary the decoding into candidates.

Two passes run over the 16 steps: the source's own codes, fed with the source (the resting pass), and the moved codes,
fed with their own output. The score of a cell's class is

    p_moved + f * (source - p_rest) - 1/2

with f the faithfulness; a class is set where its score is above 0. Where nothing moves, the source comes back by
construction; f = 0 is the paper's free decode. Two small terms keep a piece's structure longest: onsets fall where
pairs of like bars have them (`onset_odds`), and the source's lowest and highest voices score a little more than its
inner ones. Where onsets are added, half of the sampled candidates draw all their onset steps jointly
(`onset_patterns`). `candidate_choice` chooses among the candidates. S segments, C candidates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fadernets.arrays import Bools, Cells, Floats, Floats32, Integers, Planes
from fadernets.attributes.table import CODED, CodedAttribute
from fadernets.codecs import grid
from fadernets.codecs.grid import PITCHES
from fadernets.decoding import candidates as candidate_rules
from fadernets.decoding.candidates import CERTAIN
from fadernets.decoding.segment_requests import RHYTHM, EncodedSegments, SegmentRequest
from fadernets.engines import code_arithmetic, onset_patterns
from fadernets.engines.grid import Codes, Engine, planes_of
from fadernets.engines.onset_patterns import OnsetPatterns
from fadernets.music.segments import STEPS

NOTE = 1  # the position of note density among the coded attributes
OUTER_VOICE_BONUS = 0.55  # of a probability, at faithfulness 1: outer voices go when a target needs it (docs/lab.md)


@dataclass(frozen=True)
class Candidates:
    """Decoded answers to a request."""

    cells: Cells  # [S, C, 16, 88]
    targets: Floats  # [S, A] the values that the choice is made by, nan where an attribute is free
    scores: Planes  # [S, 16, 176] of the first pass
    coded: Mapping[str, CodedAttribute] = field(default_factory=lambda: CODED)  # the attributes of the targets

    def take(self, rows: slice) -> Candidates:
        """The answers to some of the segments."""
        return replace(self, cells=self.cells[rows], targets=self.targets[rows], scores=self.scores[rows])


def moved_codes(engine: Engine, source: EncodedSegments, request: SegmentRequest) -> tuple[Codes, Floats]:
    """The codes after the preset and the faders, and the attribute values [S, 2] that they stand for."""
    values = request.start_values(source)
    start = dict(source.codes)
    if request.rhythm is not None:
        start["rhythm"] = start["rhythm"] + request.rhythm.shift
    codes: dict[str, Any] = dict(start)
    if request.arousal and engine.means:
        codes = {
            c: code_arithmetic.shift(z, engine.means[c], request.arousal, request.toward, engine.vertices.get(c))
            for c, z in start.items()
        }
    for i, (name, row) in enumerate(engine.coded.items()):
        curve, d = engine.calibration[name], row.dimension
        if request.arousal and engine.means:
            step = codes[row.code][:, d] - start[row.code][:, d]
            implied = curve.to_value(curve.to_zd(values[:, i]) + step)
            values[:, i] = np.clip(implied, row.low, row.high)
        if name in request.asked:
            codes[row.code] = code_arithmetic.move(codes[row.code], curve, values[:, i], request.asked[name], d)
            values[:, i] = request.asked[name]
    return Codes({name: np.asarray(z, np.float32) for name, z in codes.items()}), values


def target_values(source: EncodedSegments, request: SegmentRequest) -> Floats:
    """[S, 2] the values that the choice is made by: what is asked and, of the other faders, what they have already.

    An arousal preset leaves the faders that are not asked for free: nan.
    """
    others = np.full_like(source.values, np.nan) if request.arousal else request.start_values(source)
    columns = [request.asked.get(name, others[:, i]) for i, name in enumerate(source.engine.coded)]
    return np.stack(columns, axis=1)


def decode_candidates(
    engine: Engine, source: EncodedSegments, request: SegmentRequest, pinned: Bools | None = None
) -> Candidates:
    """Decode the answers to a request: one resting pass, one first pass, then all candidates in one batch.

    pinned [S, 16, 88] marks cells that must stay as they are.
    """
    cells, rows = source.cells, len(source.cells)
    if request.at_rest:
        return Candidates(cells[:, None], source.values, planes_of(cells) - 0.5, engine.coded)
    codes, values = moved_codes(engine, source, request)
    rest, outer = rest_offset(source, request.faithfulness)
    if pinned is not None:
        pinned_planes = np.concatenate([pinned, pinned], axis=-1)
        rest = np.where(pinned_planes, CERTAIN * (2 * planes_of(cells) - 1), rest)
        outer = np.where(pinned_planes, 0, outer)
    offset = rest + OUTER_VOICE_BONUS * outer
    first = engine.decode(codes, source.key, values, source.held, offset=offset)
    targets = target_values(source, request)
    scores = first.probabilities + offset - 0.5  # [S, 16, 176]
    nothing_to_hit = bool(np.isnan(targets).all())  # an arousal preset alone
    sampled = request.sampled and request.rhythm is None
    if nothing_to_hit and not sampled:
        return Candidates(first.cells[:, None], targets, scores, engine.coded)
    pinned_steps = candidate_rules.pinned_onset_steps(cells, pinned)
    steps = candidate_rules.onset_steps(
        scores,
        targets[:, RHYTHM],
        pinned_steps,
        engine.onset_odds,
        (cells == grid.ONSET).any(-1) if request.rhythm is None else request.rhythm.onsets,
        pull=0.0 if request.rhythm is None else request.faithfulness,
    )
    bias = np.zeros((rows, 1))  # [S, C]
    if not nothing_to_hit:
        bias = candidate_rules.sounding_biases(scores, steps, source.held, targets[:, NOTE])
    offsets = np.broadcast_to(offset[:, None], (rows, bias.shape[1], *offset.shape[1:]))
    steps = np.broadcast_to(steps[:, None], (rows, bias.shape[1], STEPS))
    if sampled:
        more_offsets, more_steps = _sampled_variations(
            engine, source, request, first.probabilities, rest, outer, targets, pinned_steps
        )
        offsets = np.concatenate([offsets, more_offsets], 1)
        steps = np.concatenate([steps, more_steps], 1)
        bias = np.concatenate([bias, np.zeros((rows, more_offsets.shape[1]))], 1)
    count = bias.shape[1]
    decoded = engine.decode(
        codes,
        source.key,
        values,
        source.held,
        offset=offsets.reshape(-1, *offset.shape[1:]),
        bias=bias.reshape(-1),
        onset_step=steps.reshape(-1, STEPS),
        each=count,
    )
    return Candidates(decoded.cells.reshape(rows, count, STEPS, PITCHES), targets, scores, engine.coded)


def free_decode(engine: Engine, source: EncodedSegments, request: SegmentRequest) -> Cells:
    """[S, 16, 88] the paper's open loop: one decode of the moved codes, nothing kept of the source, nothing chosen."""
    codes, values = moved_codes(engine, source, request)
    return engine.decode(codes, source.key, values, source.held).cells


def rest_offset(source: EncodedSegments, faithfulness: float) -> tuple[Planes, Planes]:
    """f * (source - p_rest), and f in the cells of the source's outer voices; [S, 16, 176] each."""
    planes = planes_of(source.cells)
    if faithfulness == 0:
        return np.zeros_like(planes), np.zeros_like(planes)
    outer = np.concatenate([candidate_rules.outer_voices(source.cells)] * 2, axis=-1) * planes
    return np.float32(faithfulness) * (planes - source.rest), np.float32(faithfulness) * outer


def _sampled_variations(
    engine: Engine,
    source: EncodedSegments,
    request: SegmentRequest,
    p: Planes,
    rest: Planes,
    outer: Planes,
    targets: Floats,
    pinned_steps: Bools,
) -> tuple[Floats32, Integers]:
    """Offsets [S, C, 16, 176] and onset steps [S, C, 16] of the sampled candidates.

    p [S, 16, 176] are the probabilities of the first pass, rest and outer what `rest_offset` gives, pinned_steps
    [S, 16] the steps with an onset that must stay.
    """
    drawn = candidate_rules.draw_variations(request.sampled, request.seed)
    rows, count = len(p), drawn.count
    uncertainty = 2 * np.sqrt(np.clip(p * (1 - p), 0, None))
    without_bonus = p + rest - 0.5
    offsets = (
        rest[:, None]
        + drawn.outer[:, None, None] * outer[:, None]
        + candidate_rules.CELL_NOISE * drawn.cells * uncertainty[:, None]
    )
    scores = (p[:, None] + offsets - 0.5).reshape(rows * count, *p.shape[1:])
    segment = np.repeat(np.arange(rows), count)  # [S * C]
    density = targets[segment]
    steps = candidate_rules.onset_steps(
        scores,
        density[:, RHYTHM],
        pinned_steps[segment],
        engine.onset_odds,
        (source.cells == grid.ONSET).any(-1)[segment],
        noise=np.tile(drawn.steps, (rows, 1)),
    )
    if engine.onset_patterns is not None:
        patterns, used = _draw_patterns(engine.onset_patterns, source, targets, pinned_steps, drawn)
        steps = np.where(used.reshape(-1, 1), patterns.reshape(-1, STEPS), steps)
    onsets = candidate_rules.expected_onsets(without_bonus[segment], steps) * np.tile(drawn.onset_factors, rows)
    bias = candidate_rules.onset_and_hold_biases(
        scores, steps, source.held[segment], density[:, NOTE], onsets, np.tile(drawn.sounding_factors, rows)
    )
    offsets = offsets + np.repeat(bias, PITCHES, axis=1).reshape(rows, count, 1, -1)
    return np.asarray(offsets, np.float32), steps.reshape(rows, count, STEPS)


def _draw_patterns(
    net: OnsetPatterns,
    source: EncodedSegments,
    targets: Floats,
    pinned_steps: Bools,
    drawn: candidate_rules.RandomVariations,
) -> tuple[Integers, Bools]:
    """Onset steps [S, C, 16] drawn jointly, and for which candidates [S, C] to use them: where onsets are added.

    Where onsets are removed, the decoder's own scores know better which ones to give up.
    """
    onsets = (source.cells == grid.ONSET).sum(-1)  # [S, 16] notes that begin at each step
    asked = np.where(np.isnan(targets), source.values, targets)
    wanted = np.floor(STEPS * asked[:, RHYTHM] + 0.5).astype(np.int64)  # [S] onset steps
    rows, count = len(wanted), drawn.count
    segment = np.repeat(np.arange(rows), count)
    given = onset_patterns.conditions(onsets, source.values, asked)
    bits = net.draw(given[segment], wanted[segment], np.tile(drawn.bits, (rows, 1)), pinned_steps[segment])
    adds_onsets = wanted > (onsets > 0).sum(1)
    return np.where(bits, 1, -1).reshape(rows, count, STEPS), adds_onsets[:, None] & drawn.whole_pattern
