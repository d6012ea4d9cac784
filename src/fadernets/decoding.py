"""One decode path for every edit of segments: codes moved, decoded, measured, chosen.

Two decoders run over the 16 steps: the resting code fed with the source, the moved code fed with its
own output. The score of a cell's class is p_moved + f * (source - p_rest) - 1/2 with f the
faithfulness: where nothing moves, the source comes back by construction; f = 0 is the paper's free
decode. Two small terms let structure go last: onsets fall where pairs of like bars have them (`habits`),
and the source's lowest and highest voice score a little more than its inner ones. S segments, C candidates.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fadernets import attributes, controls, grid, habits
from fadernets.attributes import ATTRIBUTES
from fadernets.engine import CODES, Codes, Engine, Planes, planes_of
from fadernets.grid import PITCHES
from fadernets.segments import STEPS

Cells = NDArray[np.uint8]
Values = dict[str, NDArray[np.float64]]

RHYTHM = 0  # which code, and which attribute, is the rhythm's
CERTAIN = 10.0  # an offset that no probability outweighs
HABIT = 0.15  # weight of a step's log odds: at most 0.45 either way, so that a step at rest (1/2) keeps its side
OUTER = (
    0.55  # what a cell of an outer voice scores more, at full faithfulness: it goes when a target needs it, not before
)
# Candidates aim at these shares of the asked count of sounding cells, since a decoder that feeds on
# its own output drifts from what the first pass promised.
AIMS = (0.7, 0.85, 0.95, 1.0, 1.05, 1.15, 1.35)


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

    @property
    def at_rest(self) -> bool:
        return not self.asked and self.arousal == 0 and self.rhythm is None

    def take(self, rows: slice) -> Request:
        """What is asked of some of the segments."""
        rhythm = self.rhythm and Rhythm(self.rhythm.shift[rows], self.rhythm.onsets[rows])
        return replace(self, asked={name: values[rows] for name, values in self.asked.items()}, rhythm=rhythm)

    def levels(self, source: Segments) -> NDArray[np.float64]:
        """[S, 2] the values that nothing moved: the segments' own; with another rhythm, its density."""
        values = source.values
        if self.rhythm is not None:
            values[:, RHYTHM] = self.rhythm.onsets.mean(1)
        return values


@dataclass(frozen=True)
class Segments:
    """S segments with what every edit of them needs; encoded once."""

    cells: Cells  # [S, 16, 88]
    codes: Codes
    key: NDArray[np.uint8]  # [S]
    before: Values

    @property
    def values(self) -> NDArray[np.float64]:
        """[S, 2] attribute values in the order of the table, as the decoder reads them."""
        return np.stack([self.before[name] for name in ATTRIBUTES], axis=1)

    @property
    def held(self) -> NDArray[np.bool_]:
        """[S, 88] what is held in from before."""
        return self.cells[:, 0] == grid.HOLD


@dataclass(frozen=True)
class Candidates:
    """Decoded answers to a request. `targets` are the values they are chosen by, nan where free."""

    cells: Cells  # [S, C, 16, 88]
    targets: NDArray[np.float64]  # [S, 2]


def look(engine: Engine, cells: Cells) -> Segments:
    """Encode and measure cells [S, 16, 88]."""
    return Segments(cells, engine.encode(cells), attributes.key(cells), attributes.measure(cells))


def moved_codes(engine: Engine, source: Segments, request: Request) -> tuple[Codes, NDArray[np.float64]]:
    """Codes after the preset and the faders, and the attribute values [S, 2] that they stand for."""
    values = request.levels(source)
    codes = []
    for i, (code, name) in enumerate(zip(CODES, ATTRIBUTES, strict=True)):
        z = getattr(source.codes, code)
        if i == RHYTHM and request.rhythm is not None:
            z = z + request.rhythm.shift
        curve = engine.calibration[name]
        if request.arousal and engine.means:
            shifted = controls.shift(z, engine.means[code], request.arousal)
            step = shifted[:, controls.REGULARISED] - z[:, controls.REGULARISED]
            implied = curve.to_value(curve.to_zd(values[:, i]) + step)
            values[:, i] = np.clip(implied, ATTRIBUTES[name].low, ATTRIBUTES[name].high)
            z = shifted
        if name in request.asked:
            z = controls.move(z, curve, values[:, i], request.asked[name])
            values[:, i] = request.asked[name]
        codes.append(np.asarray(z, np.float32))
    return Codes(*codes), values


def targets_of(source: Segments, request: Request) -> NDArray[np.float64]:
    """[S, 2] what the answers are chosen by: asked values, the source's own (or the other rhythm's) for the
    other faders.

    A preset alone holds none: nan.
    """
    rest = np.full_like(source.values, np.nan) if request.arousal else request.levels(source)
    columns = [request.asked.get(name, rest[:, i]) for i, name in enumerate(ATTRIBUTES)]
    return np.stack(columns, axis=1)


def candidates(
    engine: Engine, source: Segments, request: Request, pinned: NDArray[np.bool_] | None = None
) -> Candidates:
    """Decode the answers to a request, all in one batch behind one resting and one first pass.

    pinned [S, 16, 88] marks cells that must stay as they are.
    """
    cells, rows = source.cells, len(source.cells)
    if request.at_rest:
        return Candidates(cells[:, None], source.values)
    codes, values = moved_codes(engine, source, request)
    offset = rest_offset(engine, source, request.faithfulness)
    if pinned is not None:
        offset = np.where(np.concatenate([pinned, pinned], axis=-1), CERTAIN * (2 * planes_of(cells) - 1), offset)
    first = engine.decode(codes, source.key, values, source.held, offset=offset)
    targets = targets_of(source, request)
    if np.isnan(targets).all():
        return Candidates(first.cells[:, None], targets)
    scores = first.probabilities + offset - 0.5  # [S, 16, 176]
    other, own = request.rhythm, (cells == grid.ONSET).any(-1)
    steps = onset_steps(
        scores,
        targets[:, RHYTHM],
        pinned_steps(cells, pinned),
        engine.habits,
        own if other is None else other.onsets,
        pull=0.0 if other is None else request.faithfulness,
    )
    bias = biases(scores, steps, source.held, targets[:, 1])  # [S, C]
    count = bias.shape[1]
    repeat = np.repeat(np.arange(rows), count)
    decoded = engine.decode(
        codes.take(repeat),
        source.key[repeat],
        values[repeat],
        source.held[repeat],
        offset=offset[repeat],
        bias=bias.reshape(-1),
        onset_step=steps[repeat],
    )
    return Candidates(decoded.cells.reshape(rows, count, STEPS, PITCHES), targets)


def rest_offset(engine: Engine, source: Segments, faithfulness: float) -> Planes:
    """f * (source - p_rest), [S, 16, 176]: the resting code is decoded while it is fed the source."""
    planes = planes_of(source.cells)
    if faithfulness == 0:
        return np.zeros_like(planes)
    forced = CERTAIN * (2 * planes - 1)
    rest = engine.decode(source.codes, source.key, source.values, source.held, offset=forced)
    outer = np.concatenate([outer_voices(source.cells)] * 2, axis=-1) * planes
    return np.asarray(faithfulness * (planes - rest.probabilities + OUTER * outer), np.float32)


def outer_voices(cells: Cells) -> NDArray[np.bool_]:
    """[S, 16, 88] cells of notes that are the lowest or highest sounding in at least half of their steps."""
    sounds = cells != grid.OFF
    ends = (np.cumsum(sounds, axis=-1) == 1) | (np.cumsum(sounds[..., ::-1], axis=-1)[..., ::-1] == 1)
    ends &= sounds
    begins = (cells == grid.ONSET) | (sounds & (np.arange(STEPS) == 0)[:, None])
    note = np.cumsum(begins, axis=1)  # which note of its pitch a cell belongs to, 1..16
    s, t, p = np.nonzero(sounds)
    index = (s, p, note[s, t, p])
    length, outer = np.zeros((2, len(cells), PITCHES, STEPS + 1))
    np.add.at(length, index, 1)
    np.add.at(outer, index, ends[s, t, p])
    found = np.zeros(cells.shape, bool)
    found[s, t, p] = 2 * outer[index] >= length[index]
    return found


def pinned_steps(cells: Cells, pinned: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """[S, 16] steps that have a pinned onset."""
    if pinned is None:
        return np.zeros(cells.shape[:2], bool)
    return np.asarray((pinned & (cells == grid.ONSET)).any(-1))


def onset_steps(
    scores: Planes,
    density: NDArray[np.float64],
    pinned: NDArray[np.bool_],
    odds: NDArray[np.float64],
    source: NDArray[np.bool_],
    pull: float = 0.0,
) -> NDArray[np.int64]:
    """[S, 16] of -1 (no onset) and 1 (an onset): the round(16 r) steps whose best onset scores highest.

    odds [17, 2, 16] is the table of `habits`, source [S, 16] the onset steps of where the rhythm comes from, `pull`
    how much they weigh beside the scores: 1 takes them as they are. 0 everywhere (free) where density [S] is nan.
    """
    wanted = np.floor(STEPS * np.nan_to_num(density) + 0.5).astype(np.int64)
    best = scores[..., :PITCHES].max(-1) + HABIT * habits.look_up(odds, source, wanted)  # [S, 16]
    best = (1 - 0.99 * pull) * best + pull * (source - 0.5)  # what is left of the scores settles ties
    best = np.where(pinned, CERTAIN, best)
    rank = np.argsort(np.argsort(-best, axis=1, kind="stable"), axis=1)
    chosen = np.where((rank < wanted[:, None]) | pinned, 1, -1)
    return np.where(np.isnan(density)[:, None], 0, chosen)


def biases(
    scores: Planes, steps: NDArray[np.int64], held: NDArray[np.bool_], density: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[S, C] biases on both scores, read off the first pass so as to sound about the asked number of cells.

    0 alone where density [S] is nan.
    """
    onset = np.where(steps[..., None] < 0, -np.inf, scores[..., :PITCHES])
    hold = scores[..., PITCHES:].copy()
    hold[:, 0] = np.where(held, hold[:, 0], -np.inf)
    ranked = -np.sort(-np.maximum(onset, hold).reshape(len(scores), -1), axis=1)  # [S, 16 * 88]
    aims = np.floor(STEPS * np.nan_to_num(density)[:, None] * np.array(AIMS) + 0.5).astype(np.int64)
    aims = np.clip(aims, 0, ranked.shape[1] - 2)
    padded = np.concatenate([np.full((len(scores), 1), 2.0), ranked], axis=1)
    above = np.take_along_axis(padded, aims, 1)  # the last cell that should sound
    below = np.take_along_axis(padded, aims + 1, 1)
    threshold = (above + np.where(np.isfinite(below), below, above - 1e-3)) / 2
    found = np.where(np.isnan(density)[:, None], 0.0, np.clip(-threshold, -2.0, 2.0))
    return np.concatenate([np.zeros((len(scores), 1)), found], axis=1)


def choose(
    found: Candidates, source: Cells, spread: NDArray[np.float64], cells: Cells | None = None
) -> NDArray[np.int64]:
    """[S] which candidate measures nearest to the targets; of equals, the one nearest to the source.

    spread [2] is each attribute's standard deviation; `cells` replaces the candidates' own cells.
    """
    cells = found.cells if cells is None else cells
    values = np.stack([row.measure(cells) for row in ATTRIBUTES.values()], axis=-1)  # [S, C, 2]
    miss = np.nan_to_num(np.abs(values - found.targets[:, None]) / spread).sum(-1)
    changed = (cells != source[:, None]).mean((2, 3))
    return np.asarray(np.argmin(miss + 1e-3 * changed, axis=1))


def spread_of(engine: Engine) -> NDArray[np.float64]:
    """[2] the attributes' standard deviations in the training data."""
    return np.array([engine.info["statistics"][name]["std"] for name in ATTRIBUTES])


def edit(engine: Engine, cells: Cells, request: Request) -> Cells:
    """The chosen answer for each of S separate segments, [S, 16, 88]."""
    return answer(engine, look(engine, cells), request)


def answer(engine: Engine, source: Segments, request: Request) -> Cells:
    """As `edit`, for segments that are encoded already."""
    found = candidates(engine, source, request)
    best = choose(found, source.cells, spread_of(engine))
    return found.cells[np.arange(len(best)), best]


def free(engine: Engine, source: Segments, request: Request) -> Cells:
    """The paper's open loop: one decode of the moved codes, nothing held, nothing chosen."""
    codes, values = moved_codes(engine, source, request)
    return engine.decode(codes, source.key, values, source.held).cells
