"""Choose among the decoded candidates of a request: near what was asked, then like real music and like the source.

The choice is by a sum of terms in the critic's log odds. S segments, C candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fadernets.arrays import Bools, Cells, Floats, Indices
from fadernets.codecs import grid
from fadernets.codecs.grid import PITCHES
from fadernets.decoding.candidates import land_on_density
from fadernets.decoding.segment_decoding import Candidates, decode_candidates
from fadernets.decoding.segment_requests import EncodedSegments, SegmentRequest, attribute_deviations, encode_segments
from fadernets.engines.grid import Engine
from fadernets.metrics import cell_counts
from fadernets.metrics.fader_scores import chroma_similarity, note_f1
from fadernets.music.segments import STEPS

AT_TARGET = 1e-6  # standard deviations: a miss up to this is rounding


@dataclass(frozen=True)
class ChoiceWeights:
    """Weights of the terms, in log odds of the critic; decided on held-out pieces (docs/lab.md)."""

    chroma: float = 30.0  # of the chroma similarity to the source, 0..1
    enough_chroma: float = 0.985  # a similarity above this counts no more
    notes: float = 4.0  # of the share of the source's notes kept, note F1
    lost_first_onset: float = 3.0  # the source has an onset in its first step and the candidate has none
    new_isolated_note: float = 0.3  # each short note without neighbours more than the source has
    new_clash: float = 0.8  # each sounding cell with a semitone beside it more than the source has
    like_another: float = 12.0  # of the note F1 with the most similar variation that was given before
    miss: float = 10.0  # each standard deviation that landing cannot make up for
    landing_reach: float = 0.12  # standard deviations, summed over the targets, that landing can make up for
    near_tie: float = 1e-3  # each standard deviation missed and the share of changed cells: decides between near ties


WEIGHTS = ChoiceWeights()


def rate_candidates(
    engine: Engine, candidates: Candidates, source: Cells, faithfulness: float = 1.0, others: Sequence[Cells] = ()
) -> Floats:
    """[S, C] how good candidates are as music, higher is better.

    The rating is the critic's log odds, less a charge for isolated notes and clashes that the source [S, 16, 88] does
    not have, plus `faithfulness` times what is kept of the source's harmony, notes and first onset. Each of `others` is
    an answer [S, 16, 88] that was given before; a candidate is charged for its similarity to the nearest of them.
    """
    rows, count = candidates.cells.shape[:2]
    if count == 1:
        return np.zeros((rows, 1))
    flat = candidates.cells.reshape(-1, STEPS, PITCHES)
    first_onset, source_first_onset = (
        (cells[..., 0, :] == grid.ONSET).any(-1) for cells in (candidates.cells, source[:, None])
    )
    chroma = np.minimum(chroma_similarity(candidates.cells, source[:, None]), WEIGHTS.enough_chroma)
    kept = WEIGHTS.chroma * chroma + WEIGHTS.notes * note_f1(candidates.cells, source[:, None])
    rating = faithfulness * (kept - WEIGHTS.lost_first_onset * (source_first_onset & ~first_onset))
    if engine.critic is not None:
        rating += engine.critic.rate(flat).reshape(rows, count)
    for weight, fault in (
        (WEIGHTS.new_isolated_note, cell_counts.isolated),
        (WEIGHTS.new_clash, cell_counts.clashes),
    ):
        rating -= weight * np.maximum(fault(flat).reshape(rows, count) - fault(source)[:, None], 0)
    if others:
        rating -= WEIGHTS.like_another * np.max([note_f1(candidates.cells, cells[:, None]) for cells in others], axis=0)
    return np.asarray(rating)


def choose_candidates(
    candidates: Candidates, source: Cells, deviations: Floats, rating: Floats, cells: Cells | None = None
) -> Indices:
    """[S] the position of the best candidate of each segment.

    A candidate that is the source [S, 16, 88] and measures what is asked comes before all others. Of the rest the best
    is the highest `rating` [S, C] less a charge for missing the targets, in `deviations` [A], the attributes' standard
    deviations. `cells` [S, C, 16, 88] are measured in place of the candidates' own.
    """
    cells = candidates.cells if cells is None else cells
    values = np.stack([row.measure(cells) for row in candidates.coded.values()], axis=-1)  # [S, C, A]
    miss = np.nan_to_num(np.abs(values - candidates.targets[:, None]) / deviations).sum(-1)  # [S, C]
    changed = (cells != source[:, None]).mean((2, 3))  # [S, C] share of the cells
    targeted = ~np.isnan(candidates.targets).any(-1, keepdims=True)  # [S, 1]
    return best_candidates(rating, miss, changed, (changed == 0) & (miss < AT_TARGET) & targeted)


def best_candidates(rating: Floats, miss: Floats, changed: Floats, at_rest: Bools) -> Indices:
    """[S] the best of C candidates, given what was measured of each, [S, C]; of equals the first.

    In order: those that are the source `at_rest` before all others; then `rating`, less the charge for a `miss` in
    standard deviations beyond what landing can make up for; between near ties the smaller miss and share `changed`.
    """
    score = rating - WEIGHTS.miss * np.maximum(miss - WEIGHTS.landing_reach, 0) - WEIGHTS.near_tie * (miss + changed)
    eligible = at_rest | ~at_rest.any(1, keepdims=True)
    return np.asarray(np.argmax(np.where(eligible, score, -np.inf), axis=1))


def edit_segments(engine: Engine, cells: Cells, request: SegmentRequest) -> Cells:
    """[S, 16, 88] the chosen answer for each of S separate segments `cells` [S, 16, 88]."""
    return edit_encoded(engine, encode_segments(engine, cells), request)


def edit_encoded(engine: Engine, source: EncodedSegments, request: SegmentRequest) -> Cells:
    """[S, 16, 88] the chosen answer for each of S separate segments that are encoded already."""
    candidates = decode_candidates(engine, source, request)
    rating = rate_candidates(engine, candidates, source.cells, request.faithfulness)
    best = choose_candidates(candidates, source.cells, attribute_deviations(engine), rating)
    chosen = candidates.cells[np.arange(len(best)), best]
    return land_on_density(chosen, candidates.scores, candidates.targets[:, 1])
