"""Random passages of a set of pieces, with their context, corrupted or not, as the rewriter trains on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fadernets.arrays import Bools, Cells, Floats, Integers
from fadernets.codecs.grid import HOLD, OFF, ONSET, PITCHES, without_orphans
from fadernets.data import passage_corruptions
from fadernets.data.passage_batches import CONTEXT, UNKNOWN, Row
from fadernets.data.passages import LENGTH, GridPiece, Steps, densities, segment_ends

FEWEST_ONSETS = 8  # of a passage
FEWEST_SEGMENTS = 4
TRANSPOSITIONS = (-5, 6)  # semitones
TARGETS = {  # role -> how often it alone is rewritten; otherwise all that belong to the default edit
    "piano": 0.6,
    "melody": 0.12,
    "bridge": 0.06,
    "voice": 0.12,
}
WITH_CONTEXT = 0.6  # how often the other tracks are seen
WITH_RETRIEVED = 0.7  # how often segments from elsewhere in the piece are seen


@dataclass(frozen=True)
class Drawn:
    """A passage of a piece: what is real of it."""

    target: Cells  # [L, 88]
    context: Cells  # [L, 88]
    steps: Steps  # [L]
    elsewhere: list[tuple[Cells, Cells, Steps]]  # target, context and steps of retrieved segments


class PassageSampler:
    """Draws passages from pieces; each segment is as likely as any other."""

    def __init__(self, pieces: Sequence[GridPiece]) -> None:
        self.pieces = [p for p in pieces if len(p.steps.starts) >= FEWEST_SEGMENTS and len(p.notes)]
        self.ends = [segment_ends(p.steps) for p in self.pieces]
        weight = np.array([len(ends) - 1 for ends in self.ends], np.float64)
        self.chance = weight / weight.sum()
        self.profiles: dict[tuple[int, tuple[int, ...]], Floats] = {}

    def draw(self, rng: np.random.Generator) -> Drawn:
        """One passage."""
        while True:
            i = int(rng.choice(len(self.pieces), p=self.chance))
            piece, ends = self.pieces[i], self.ends[i]
            tracks, others = _roles(piece, rng)
            if not tracks:
                continue
            first = int(rng.integers(len(ends) - FEWEST_SEGMENTS))
            last = int(np.searchsorted(ends, ends[first] + LENGTH, side="right")) - 1
            if last - first < FEWEST_SEGMENTS:
                continue
            a, b = int(ends[first]), int(ends[last])
            shift = int(rng.integers(TRANSPOSITIONS[0], TRANSPOSITIONS[1] + 1))
            target = piece.roll(tracks, a, b, shift)
            if int((target == ONSET).any(-1).sum()) < FEWEST_ONSETS:
                continue
            context = piece.roll(others, a, b, shift) if others else np.zeros_like(target)
            elsewhere = []
            if rng.random() < WITH_RETRIEVED:
                for s in self._retrieved(i, tracks, first, last, rng):
                    c, d = int(ends[s]), int(ends[s + 1])
                    there = piece.roll(others, c, d, shift) if others else np.zeros((d - c, PITCHES), np.uint8)
                    elsewhere.append((piece.roll(tracks, c, d, shift), there, piece.steps.take(slice(c, d))))
            return Drawn(target, context, piece.steps.take(slice(a, b)), elsewhere)

    def _retrieved(self, i: int, tracks: list[int], first: int, last: int, rng: np.random.Generator) -> list[int]:
        """Segments outside a passage that are like it in classes and densities, of random weights, that fit CONTEXT."""
        key = (i, tuple(tracks))
        if key not in self.profiles:
            piece, ends = self.pieces[i], self.ends[i]
            roll = piece.roll(tracks, 0, int(ends[-1]))
            self.profiles[key] = segment_profiles(roll, piece.steps, ends)
        return retrieve(self.profiles[key], self.ends[i], first, last, rng)


def segment_profiles(roll: Cells, steps: Steps, ends: Integers) -> Floats:
    """[W, 14] shares of the twelve classes, onset steps a sixteenth and a quarter of the voices of every segment."""
    starts = ends[:-1]
    onsets, voices = densities(roll, starts, steps.sixteenths)
    whole = np.add.reduceat(steps.sixteenths, starts)
    sounding = np.add.reduceat((roll != OFF).astype(np.float32) * steps.sixteenths[:, None], starts, axis=0)
    classes = np.stack([sounding[:, c::12].sum(1) for c in range(12)], axis=1)
    classes = classes / np.maximum(np.linalg.norm(classes, axis=1, keepdims=True), 1e-6)
    return np.concatenate([classes, (onsets / whole)[:, None], voices[:, None] / 4], axis=1)


def retrieve(
    profiles: Floats,
    ends: Integers,
    first: int,
    last: int,
    rng: np.random.Generator,
    asked: tuple[float, float] | None = None,
) -> list[int]:
    """Up to CONTEXT steps of segments outside first..last, in order.

    asked: onset steps a sixteenth and voices that they should have, those of the passage unless given.
    """
    passage = profiles[first:last].mean(0)
    wanted = passage[12:] if asked is None else np.array([asked[0], asked[1] / 4])
    likeness = profiles[:, :12] @ passage[:12]
    far = 4 * np.abs(profiles[:, 12] - wanted[0]) + 2 * np.abs(profiles[:, 13] - wanted[1])
    score = likeness * rng.uniform(0, 1) - far * rng.uniform(0, 2) + rng.normal(0, 0.1, len(likeness))
    score[first:last] = -np.inf
    score[profiles[:, 12] == 0] = -np.inf
    chosen: list[int] = []
    room = CONTEXT
    for s in np.argsort(-score).tolist():
        size = int(ends[s + 1] - ends[s])
        if not np.isfinite(score[s]) or room < 6:
            break
        if size <= room:
            chosen.append(s)
            room -= size
    return sorted(chosen)


def _roles(piece: GridPiece, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """The tracks to rewrite and those that are context."""
    present = sorted(set(np.unique(piece.notes[:, 3]).tolist()))
    draw, role = rng.random(), ""
    for name, share in TARGETS.items():
        if draw < share:
            role = name
            break
        draw -= share
    chosen = [t for t in present if piece.roles[t] == role]
    chosen = chosen or default_tracks(piece)[0]
    others = [t for t in present if t not in chosen]
    return chosen, others if rng.random() < WITH_CONTEXT else []


def default_tracks(piece: GridPiece) -> tuple[list[int], list[int]]:
    """The tracks that an edit takes by default, keyboards, and the other pitched ones."""
    present = sorted(set(np.unique(piece.notes[:, 3]).tolist()))
    wanted = ("piano", "melody", "bridge") if piece.corpus == "pop909" else ("piano",)
    chosen = [t for t in present if piece.roles[t] in wanted] or present
    return chosen, [t for t in present if t not in chosen]


def fixed_segments(count: int, rng: np.random.Generator) -> Bools:
    """[W] which segments of a passage stay: neighbours on both sides, or any, or none."""
    fixed = np.zeros(count, bool)
    draw = rng.random()
    if draw < 0.6:
        fixed[: rng.integers(0, 3)] = True
        behind = int(rng.integers(0, 3))
        if behind:
            fixed[-behind:] = True
    elif draw < 0.7:
        fixed = rng.random(count) < 0.5
    return np.zeros(count, bool) if fixed.all() else fixed


def row_of(drawn: Drawn, source: Cells, fixed: Bools, kept: float) -> Row:
    """A passage with its source [L, 88] and what was retrieved, as batches take it. fixed [W]."""
    segment = drawn.steps.segment - drawn.steps.segment[0]
    stays = fixed[segment]
    source = np.where(stays[:, None], drawn.target, source)
    source = without_orphans(source, drawn.target[0] == HOLD)
    parts = [*drawn.elsewhere, (drawn.target, drawn.context, drawn.steps)]
    steps = Steps(*(np.concatenate([getattr(p[2], k) for p in parts]) for k in Steps.__dataclass_fields__))
    numbers = np.concatenate([np.full(len(p[2].segment), 10**6 * i) + p[2].segment for i, p in enumerate(parts)])
    steps = Steps(numbers, *(getattr(steps, k) for k in list(Steps.__dataclass_fields__)[1:]))
    ahead = len(steps.segment) - len(segment)
    before = [p[0] for p in drawn.elsewhere]
    return Row(
        np.concatenate([*before, source]),
        np.concatenate([p[0] for p in parts]),
        np.concatenate([p[1] for p in parts]),
        steps,
        np.concatenate([np.ones(ahead, bool), stays]),
        np.arange(len(steps.segment)) < ahead,
        kept,
    )


def kept_share(source: Cells, target: Cells, free: Bools) -> float:
    """Notes that source and target [L, 88] share in the `free` [L] steps, of the most that they could."""
    a, b = (source[free] == ONSET), (target[free] == ONSET)
    return float((a & b).sum() / max(min(a.sum(), b.sum()), 1))


def denoising_row(sampler: PassageSampler, rng: np.random.Generator) -> Row:
    """A passage whose source is a corruption of it."""
    drawn, other = sampler.draw(rng), sampler.draw(rng)
    state = int(rng.integers(2**62))
    source = drawn.target
    elsewhere = drawn.elsewhere
    if rng.random() < 0.95:
        source = passage_corruptions.corrupted(drawn.target, other.target, drawn.steps, np.random.default_rng(state))
        if rng.random() < 0.5:  # as where a whole piece is at the source's level
            elsewhere = [
                (
                    without_orphans(
                        passage_corruptions.corrupted(t, other.target, s, np.random.default_rng(state)), t[0] == HOLD
                    ),
                    c,
                    s,
                )
                for t, c, s in elsewhere
            ]
    drawn = Drawn(drawn.target, drawn.context, drawn.steps, elsewhere)
    fixed = fixed_segments(len(drawn.steps.starts), rng)
    free = ~fixed[drawn.steps.segment - drawn.steps.segment[0]]
    kept = kept_share(source, drawn.target, free) if rng.random() < 0.85 else UNKNOWN
    return row_of(drawn, source, fixed, kept)
