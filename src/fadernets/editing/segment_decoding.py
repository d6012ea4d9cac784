"""One decode path for every edit of segments: codes moved, decoded, measured, chosen.

Two decoders run over the 16 steps: the resting code fed with the source, the moved code fed with its
own output. The score of a cell's class is p_moved + f * (source - p_rest) - 1/2 with f the
faithfulness: where nothing moves, the source comes back by construction; f = 0 is the paper's free
decode. Two small terms let structure go last: onsets fall where pairs of like bars have them (`habits`),
and the source's lowest and highest voice score a little more than its inner ones. Where onsets are added,
half of the sampled answers draw theirs jointly (`patterns`). Of the answers that come near what is asked,
the one is taken that a critic finds most like real music while it keeps the source's harmony and notes;
its note ends then land on the asked number of sounding cells. S segments, C candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Planes
from fadernets.attributes import of_cells, table
from fadernets.attributes.table import CODED
from fadernets.codecs import grid
from fadernets.codecs.grid import PITCHES
from fadernets.editing import candidates as candidate_rules
from fadernets.editing.candidates import CERTAIN
from fadernets.engines import code_arithmetic, onset_patterns
from fadernets.engines.grid import CODES, Codes, Engine, planes_of
from fadernets.engines.onset_patterns import OnsetPatterns
from fadernets.metrics import cell_counts
from fadernets.metrics.fader_scores import chroma_similarity, note_f1
from fadernets.music.segments import STEPS

Cells = NDArray[np.uint8]
Values = dict[str, NDArray[np.float64]]

RHYTHM = 0  # which code, and which attribute, is the rhythm's
OUTER = (
    0.55  # what a cell of an outer voice scores more, at full faithfulness: it goes when a target needs it, not before
)
SAMPLED_FOR_EDIT, SAMPLED_WHILE_DRAGGING = (
    16,
    0,
)  # sampled candidates beside the plain ones: of an edit, and while a fader is dragged
NEAR = 0.12  # standard deviations, summed over the targets, that the landing can still make up for
MISS, CHROMA, NOTES = 10.0, 30.0, 4.0  # weights beside the critic's log odds: of a miss, of chroma, of the notes kept
LONE, CLASH = 0.3, 0.8  # of a lone short note, and of a cell with a semitone beside it, new to the source
FIRST = 3.0  # of the source's first onset lost
OTHER = 12.0  # weight of the likeness to a variation that is there already
CLOSE = 0.985  # a chroma similarity beyond which more is no better
CACHED_BATCHES = 16  # batches of segments that `Looks` keeps: 8 MB of 32 each


@dataclass(frozen=True)
class Rhythm:
    """The rhythm of S other segments, to take the place of the segments' own (Section 5, analogies)."""

    shift: NDArray[np.float32]  # [S, Z] from each segment's own z_rhythm to that of the other one
    onsets: NDArray[np.bool_]  # [S, 16] the other one's onset steps


@dataclass(frozen=True)
class Request:
    """What is asked of S segments."""

    asked: Values = field(default_factory=dict)  # attribute -> [S] values; attributes not named are free to be held
    arousal: float = 0.0  # shift vectors toward high (above 0) or low arousal
    faithfulness: float = 1.0
    rhythm: Rhythm | None = None  # another rhythm: faders move from there
    sampled: int = SAMPLED_FOR_EDIT  # sampled candidates beside the plain ones; none with another rhythm
    seed: int = 0

    @property
    def at_rest(self) -> bool:
        return not self.asked and self.arousal == 0 and self.rhythm is None

    def take(self, rows: slice) -> Request:
        """What is asked of some of the segments."""
        rhythm = self.rhythm and Rhythm(self.rhythm.shift[rows], self.rhythm.onsets[rows])
        return replace(self, asked={name: values[rows] for name, values in self.asked.items()}, rhythm=rhythm)

    def levels(self, source: EncodedSegments) -> NDArray[np.float64]:
        """[S, 2] the values that nothing moved: the segments' own; with another rhythm, its density."""
        values = source.values
        if self.rhythm is not None:
            values[:, RHYTHM] = self.rhythm.onsets.mean(1)
        return values


@dataclass(frozen=True)
class EncodedSegments:
    """S segments with what every edit of them needs; encoded once, and decoded at rest once."""

    engine: Engine
    cells: Cells  # [S, 16, 88]
    codes: Codes
    key: NDArray[np.uint8]  # [S]
    before: Values

    @property
    def values(self) -> NDArray[np.float64]:
        """[S, 2] attribute values in the order of the table, as the decoder reads them."""
        return np.stack([self.before[name] for name in CODED], axis=1)

    @property
    def held(self) -> NDArray[np.bool_]:
        """[S, 88] what is held in from before."""
        return self.cells[:, 0] == grid.HOLD

    @cached_property
    def rest(self) -> Planes:
        """[S, 16, 176] probabilities of the resting code, decoded while it is fed the segments."""
        forced = CERTAIN * (2 * planes_of(self.cells) - 1)
        return self.engine.decode(self.codes, self.key, self.values, self.held, offset=forced).probabilities


@dataclass(frozen=True)
class Candidates:
    """Decoded answers to a request. `targets` are the values they are chosen by, nan where free."""

    cells: Cells  # [S, C, 16, 88]
    targets: NDArray[np.float64]  # [S, 2]
    scores: Planes  # [S, 16, 176] of the first pass

    def take(self, rows: slice) -> Candidates:
        """The answers to some of the segments."""
        return Candidates(self.cells[rows], self.targets[rows], self.scores[rows])


def encode_segments(engine: Engine, cells: Cells) -> EncodedSegments:
    """Encode and measure cells [S, 16, 88]."""
    return EncodedSegments(engine, cells, engine.encode(cells), of_cells.key(cells), table.measure(cells))


class EncodingCache:
    """`look` that keeps what it found last, by model and cells: edits of one piece share it. Safe to use from several
    threads."""

    def __init__(self) -> None:
        @lru_cache(CACHED_BATCHES)
        def found(engine: Engine, cells: bytes) -> EncodedSegments:
            return encode_segments(engine, np.frombuffer(cells, np.uint8).reshape(-1, STEPS, PITCHES))

        self._found = found

    def __call__(self, engine: Engine, cells: Cells) -> EncodedSegments:
        """Cells [S, 16, 88]."""
        return self._found(engine, cells.tobytes())

    def clear(self) -> None:
        self._found.cache_clear()


def moved_codes(engine: Engine, source: EncodedSegments, request: Request) -> tuple[Codes, NDArray[np.float64]]:
    """Codes after the preset and the faders, and the attribute values [S, 2] that they stand for."""
    values = request.levels(source)
    codes = []
    for i, (code, name) in enumerate(zip(CODES, CODED, strict=True)):
        z = getattr(source.codes, code)
        if i == RHYTHM and request.rhythm is not None:
            z = z + request.rhythm.shift
        curve = engine.calibration[name]
        if request.arousal and engine.means:
            shifted = code_arithmetic.shift(z, engine.means[code], request.arousal)
            step = shifted[:, code_arithmetic.REGULARISED] - z[:, code_arithmetic.REGULARISED]
            implied = curve.to_value(curve.to_zd(values[:, i]) + step)
            values[:, i] = np.clip(implied, CODED[name].low, CODED[name].high)
            z = shifted
        if name in request.asked:
            z = code_arithmetic.move(z, curve, values[:, i], request.asked[name])
            values[:, i] = request.asked[name]
        codes.append(np.asarray(z, np.float32))
    return Codes(*codes), values


def target_values(source: EncodedSegments, request: Request) -> NDArray[np.float64]:
    """[S, 2] what the answers are chosen by: asked values, the source's own (or the other rhythm's) for the
    other faders.

    A preset alone holds none: nan.
    """
    rest = np.full_like(source.values, np.nan) if request.arousal else request.levels(source)
    columns = [request.asked.get(name, rest[:, i]) for i, name in enumerate(CODED)]
    return np.stack(columns, axis=1)


def decode_candidates(
    engine: Engine, source: EncodedSegments, request: Request, pinned: NDArray[np.bool_] | None = None
) -> Candidates:
    """Decode the answers to a request, all in one batch behind one resting and one first pass.

    pinned [S, 16, 88] marks cells that must stay as they are.
    """
    cells, rows = source.cells, len(source.cells)
    if request.at_rest:
        return Candidates(cells[:, None], source.values, planes_of(cells) - 0.5)
    codes, values = moved_codes(engine, source, request)
    rest, outer = rest_offset(source, request.faithfulness)
    if pinned is not None:
        hard = np.concatenate([pinned, pinned], axis=-1)
        rest = np.where(hard, CERTAIN * (2 * planes_of(cells) - 1), rest)
        outer = np.where(hard, 0, outer)
    offset = rest + OUTER * outer
    first = engine.decode(codes, source.key, values, source.held, offset=offset)
    targets = target_values(source, request)
    scores = first.probabilities + offset - 0.5  # [S, 16, 176]
    free = bool(np.isnan(targets).all())  # a preset alone: nothing to land on
    sampled = request.sampled and request.rhythm is None
    if free and not sampled:
        return Candidates(first.cells[:, None], targets, scores)
    other, own = request.rhythm, (cells == grid.ONSET).any(-1)
    struck = candidate_rules.pinned_onset_steps(cells, pinned)
    steps = candidate_rules.onset_steps(
        scores,
        targets[:, RHYTHM],
        struck,
        engine.onset_odds,
        own if other is None else other.onsets,
        pull=0.0 if other is None else request.faithfulness,
    )
    bias = (
        np.zeros((rows, 1)) if free else candidate_rules.sounding_biases(scores, steps, source.held, targets[:, 1])
    )  # [S, C]
    offsets = np.broadcast_to(offset[:, None], (rows, bias.shape[1], *offset.shape[1:]))
    steps = np.broadcast_to(steps[:, None], (rows, bias.shape[1], STEPS))
    if sampled:
        more, where = _sampled_variations(engine, source, request, first.probabilities, rest, outer, targets, struck)
        offsets, steps = np.concatenate([offsets, more], 1), np.concatenate([steps, where], 1)
        bias = np.concatenate([bias, np.zeros((rows, more.shape[1]))], 1)
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
    return Candidates(decoded.cells.reshape(rows, count, STEPS, PITCHES), targets, scores)


def _sampled_variations(
    engine: Engine,
    source: EncodedSegments,
    request: Request,
    p: Planes,
    rest: Planes,
    outer: Planes,
    targets: NDArray[np.float64],
    struck: NDArray[np.bool_],
) -> tuple[Planes, NDArray[np.int64]]:
    """Offsets [S, C, 16, 176] and onset steps [S, C, 16] of the sampled candidates. p is the first pass's."""
    drawn = candidate_rules.draw_variations(request.sampled, request.seed)
    rows, count = len(p), drawn.count
    doubt = 2 * np.sqrt(np.clip(p * (1 - p), 0, None))
    plain = p + rest - 0.5
    offsets = (
        rest[:, None]
        + drawn.outer[:, None, None] * outer[:, None]
        + candidate_rules.NOISE * drawn.cells * doubt[:, None]
    )
    flat = (p[:, None] + offsets - 0.5).reshape(rows * count, *p.shape[1:])
    repeat = np.repeat(np.arange(rows), count)
    own = (source.cells == grid.ONSET).any(-1)
    density = targets[repeat]
    noise = np.tile(drawn.steps, (rows, 1))
    steps = candidate_rules.onset_steps(
        flat, density[:, RHYTHM], struck[repeat], engine.onset_odds, own[repeat], noise=noise
    )
    if engine.onset_patterns is not None:
        whole, used = _draw_patterns(engine.onset_patterns, source, targets, struck, drawn)
        steps = np.where(used.reshape(-1, 1), whole.reshape(-1, STEPS), steps)
    strikes = candidate_rules.expected_onsets(plain[repeat], steps) * np.tile(drawn.strikes, rows)
    bias = candidate_rules.onset_and_hold_biases(
        flat, steps, source.held[repeat], density[:, 1], strikes, np.tile(drawn.aims, rows)
    )
    offsets = offsets + np.repeat(bias, PITCHES, axis=1).reshape(rows, count, 1, -1)
    return np.asarray(offsets, np.float32), steps.reshape(rows, count, STEPS)


def _draw_patterns(
    net: OnsetPatterns,
    source: EncodedSegments,
    targets: NDArray[np.float64],
    struck: NDArray[np.bool_],
    drawn: candidate_rules.RandomVariations,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Onset steps [S, C, 16] drawn as whole patterns, and which of them [S, C] are to be used: where onsets are added.

    Which ones to give up is what the decoder's own scores know better.
    """
    strikes = (source.cells == grid.ONSET).sum(-1)  # [S, 16]
    asked = np.where(np.isnan(targets), source.values, targets)
    wanted = np.floor(STEPS * asked[:, RHYTHM] + 0.5).astype(np.int64)
    rows, count = len(wanted), drawn.count
    repeat = np.repeat(np.arange(rows), count)
    given = onset_patterns.conditions(strikes, source.values, asked)
    bits = net.draw(given[repeat], wanted[repeat], np.tile(drawn.bits, (rows, 1)), struck[repeat])
    more = wanted > (strikes > 0).sum(1)
    return np.where(bits, 1, -1).reshape(rows, count, STEPS), more[:, None] & drawn.whole


def rest_offset(source: EncodedSegments, faithfulness: float) -> tuple[Planes, Planes]:
    """f * (source - p_rest), and f in the cells of the source's outer voices; [S, 16, 176] each."""
    planes = planes_of(source.cells)
    if faithfulness == 0:
        return np.zeros_like(planes), np.zeros_like(planes)
    outer = np.concatenate([candidate_rules.outer_voices(source.cells)] * 2, axis=-1) * planes
    return np.float32(faithfulness) * (planes - source.rest), np.float32(faithfulness) * outer


def rate_candidates(
    engine: Engine, found: Candidates, source: Cells, faithfulness: float = 1.0, others: Sequence[Cells] = ()
) -> NDArray[np.float64]:
    """[S, C] how good candidates are as music: the critic's log odds, new lone notes and clashes, and first onset,
    harmony and notes of the source kept as much as `faithfulness` asks for.

    others: answers [S, 16, 88] each that were given before; a candidate pays for being like the most similar one.
    """
    rows, count = found.cells.shape[:2]
    if count == 1:
        return np.zeros((rows, 1))
    rated = CHROMA * np.minimum(chroma_similarity(found.cells, source[:, None]), CLOSE)
    now, before = ((cells[..., 0, :] == grid.ONSET).any(-1) for cells in (found.cells, source[:, None]))
    rated = faithfulness * (rated + NOTES * note_f1(found.cells, source[:, None]) - FIRST * (before & ~now))
    flat = found.cells.reshape(-1, STEPS, PITCHES)
    if engine.critic is not None:
        rated += engine.critic.rate(flat).reshape(rows, count)
    for weight, fault in ((LONE, cell_counts.isolated), (CLASH, cell_counts.clashes)):
        rated -= weight * np.maximum(fault(flat).reshape(rows, count) - fault(source)[:, None], 0)
    if others:
        rated -= OTHER * np.max([note_f1(found.cells, cells[:, None]) for cells in others], axis=0)
    return np.asarray(rated)


def choose_candidates(
    found: Candidates,
    source: Cells,
    spread: NDArray[np.float64],
    rated: NDArray[np.float64],
    cells: Cells | None = None,
) -> NDArray[np.int64]:
    """[S] which candidate is best: of those that measure near the targets the best `rated` [S, C], else the nearest.
    A candidate that is the source and measures what is asked is always best.

    spread [2] is each attribute's standard deviation; `cells` replaces the candidates' own cells.
    """
    cells = found.cells if cells is None else cells
    values = np.stack([row.measure(cells) for row in CODED.values()], axis=-1)  # [S, C, 2]
    miss = np.nan_to_num(np.abs(values - found.targets[:, None]) / spread).sum(-1)
    changed = (cells != source[:, None]).mean((2, 3))
    at_rest = (changed == 0) & (miss < 1e-6) & ~np.isnan(found.targets).any(-1, keepdims=True)
    beyond = np.maximum(miss - NEAR, 0)
    return np.asarray(np.argmax(rated - MISS * beyond - 1e-3 * (miss + changed) + 1e6 * at_rest, axis=1))


def attribute_deviations(engine: Engine) -> NDArray[np.float64]:
    """[2] the attributes' standard deviations in the training data."""
    return np.array([engine.info["statistics"][name]["std"] for name in CODED])


def edit_segments(engine: Engine, cells: Cells, request: Request) -> Cells:
    """The chosen answer for each of S separate segments, [S, 16, 88]."""
    return edit_encoded(engine, encode_segments(engine, cells), request)


def edit_encoded(engine: Engine, source: EncodedSegments, request: Request) -> Cells:
    """As `edit`, for segments that are encoded already."""
    found = decode_candidates(engine, source, request)
    best = choose_candidates(
        found,
        source.cells,
        attribute_deviations(engine),
        rate_candidates(engine, found, source.cells, request.faithfulness),
    )
    chosen = found.cells[np.arange(len(best)), best]
    return candidate_rules.land_on_density(chosen, found.scores, found.targets[:, 1])


def free_decode(engine: Engine, source: EncodedSegments, request: Request) -> Cells:
    """The paper's open loop: one decode of the moved codes, nothing held, nothing chosen."""
    codes, values = moved_codes(engine, source, request)
    return engine.decode(codes, source.key, values, source.held).cells
