"""Passages drawn by a rewriter: step by step, and in each step note by note, under hard constraints.

B passages, K candidates of each, R = B * K rows, T steps, P = 88 pitches. A step is free, or it stays as the target has
it (`fixed`); single cells of free steps may stay as well (`pinned`); a segment may repeat what an earlier one of its
passage became (`copy_from`), transposed where its source is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fadernets.arrays import Array, Bools, Cells, Floats32, Integers
from fadernets.codecs import grid
from fadernets.codecs.grid import HOLD, OFF, ONSET, PITCHES
from fadernets.data.passage_batches import (
    CONTEXT,
    OPEN,
    SILENT,
    STRUCK,
    Densities,
    PassageBatch,
    Room,
    left,
    left_features,
)
from fadernets.data.passages import LENGTHS, MAX_VOICES, NO_LENGTH, SAME, length_classes, note_lengths
from fadernets.decoding.note_ends import is_joined, nearest_onset
from fadernets.decoding.passage_plan import shifted
from fadernets.decoding.rewrite_task import NEAR
from fadernets.engines.rewriter import RewriterEngine

END = PITCHES  # no further note
MOST_AT_ONCE = 14  # notes struck in one step
BARRED = np.float32(-1e4)  # added to the score of a note that must not be drawn
FULLER = 1.25  # times the asked voices, what may be left to place on average
NOISE_AHEAD = 256  # rows of noise that are made at once, at least
_LENGTHS = np.array([*LENGTHS, 0, 0])
_ONSET, _HOLD, _OFF = (np.uint8(cell) for cell in (ONSET, HOLD, OFF))


@dataclass(frozen=True)
class Constraints:
    """What drawing must keep, of B passages of T steps."""

    pinned: Bools  # [B, T, 88] cells that stay as the target has them
    allowed: Bools  # [B, T, 88] where a new note may begin
    must_onset: Bools  # [B, T] a note begins here
    never_onset: Bools  # [B, T] none does
    copy_from: Integers  # [B, T] the step whose notes this one repeats, -1 for none
    copy_shift: Integers  # [B, T] semitones

    @classmethod
    def none(cls, batch: PassageBatch) -> Constraints:
        """Those of a free draw."""
        shape = batch.source.shape
        no, nowhere = np.zeros(shape[:2], bool), np.full(shape[:2], -1)
        return cls(np.zeros(shape, bool), np.ones(shape, bool), no, no.copy(), nowhere, nowhere + 1)


@dataclass(frozen=True)
class Drawing:
    """How passages are drawn."""

    count: int = 1  # candidates of each
    seed: int = 0
    temperature: float = 1.0  # of which notes are struck
    end_temperature: float = 1.0  # of whether a chord has one more note
    length_temperature: float = 1.0
    # Nats by which notes that the source strikes are preferred; where onset steps are taken away the second number, and
    # where note density falls the third.
    keep: tuple[float, float, float] = (0.0, 0.0, 0.0)
    keep_top: float = 0.0  # more nats, where note density falls, for notes that are struck above all else that sounds
    told: bool = True  # whether the network is told which steps strike; early in its training it has not learned to be


@dataclass(frozen=True)
class Drawn:
    """K candidates of B passages."""

    cells: Cells  # [B, K, T, 88]


def draw(
    engine: RewriterEngine,
    batch: PassageBatch,
    onsets: Floats32,
    voices: Floats32,
    constraints: Constraints,
    drawing: Drawing,
) -> Drawn:
    """Candidates of passages with `onsets` [B, T] steps and about `voices` [B, T] in each step's segment.

    Where constraints leave open which steps strike, the model's odds decide, step by step.
    """
    fixed = batch.fixed | batch.padding
    free = np.flatnonzero((~fixed).any(0))
    passages, steps = batch.source.shape[:2]
    if not len(free):
        cells = np.repeat(batch.target[:, None], drawing.count, axis=1)
        return Drawn(cells)
    first, last = max(int(free[0]), CONTEXT), int(free[-1]) + 1
    if drawing.told:
        batch = batch.with_plan(_plan(batch, constraints))
    static = engine.encode(batch, onsets, voices)
    state = _State(engine, batch, onsets, voices, constraints, drawing)
    state.read(static, first)
    for t in range(first, last):
        state.draw_step(np.repeat(static[:, t : t + 1], drawing.count, axis=0), t)
    return Drawn(state.out[:, :steps].reshape(passages, drawing.count, steps, PITCHES))


def _plan(batch: PassageBatch, constraints: Constraints) -> Integers:
    """[B, T] what is known before of the onsets of the passages."""
    due = (constraints.pinned & (batch.target == ONSET)).any(-1)
    plan = np.where(constraints.must_onset | due, STRUCK, np.where(constraints.never_onset, SILENT, OPEN))
    return np.where(batch.fixed & ~batch.retrieved, batch.onsets_of_target, plan)


class _State:
    """What drawing knows of R rows while it goes through their steps."""

    def __init__(
        self,
        engine: RewriterEngine,
        batch: PassageBatch,
        onsets: Floats32,
        voices: Floats32,
        constraints: Constraints,
        drawing: Drawing,
    ) -> None:
        self.engine, self.batch, self.drawing = engine, batch, drawing
        self.memory = engine.memory(len(batch.source))
        self.noise = _Noise(drawing.seed)
        names = "temperature", "end_temperature", "length_temperature"
        self.temperatures = {name: np.array([getattr(drawing, name)], np.float32) for name in names}
        self._first_left = left(batch, onsets, voices)
        self.unread: list[tuple[Array, ...]] = []  # what the decoder gets of steps that it has not read yet
        k = drawing.count
        self.rows = np.repeat(np.arange(len(batch.source)), k)  # the passage of each row
        self.row = np.arange(len(self.rows))
        room = Room.of(batch)
        self.room = Room(*(np.repeat(x, k, axis=0) for x in vars(room).values()))
        self.onsets = np.repeat(onsets, k, axis=0)
        whole = room.sixteenths / np.maximum(room.share, 1e-6)
        self.voices = np.repeat(voices, k, axis=0)
        self.sound_asked = np.repeat(voices * whole, k, axis=0)
        given = batch.target
        fixed = batch.fixed | batch.padding
        pinned = constraints.pinned | fixed[..., None]
        self.given, self.source = given[self.rows], batch.source[self.rows]
        self.pinned = pinned[self.rows]
        self.fixed = fixed[self.rows]
        given_lengths, source_lengths = note_lengths(np.stack([given, batch.source]))
        self.given_lengths = given_lengths[self.rows]
        self.source_lengths = source_lengths[self.rows]
        classes: Integers = np.where(batch.source == ONSET, length_classes(source_lengths), NO_LENGTH)
        end = np.full((*classes.shape[:2], 1), NO_LENGTH)
        self.source_classes = np.concatenate([classes, end], axis=-1)[self.rows]
        allowed = constraints.allowed & ~(pinned & (given != ONSET)) | (pinned & (given == ONSET))
        self.barred = np.where(allowed, np.float32(0), BARRED)[self.rows]
        own = Densities(batch, batch.source)
        falls, thinner = own.onsets[self.rows] > self.onsets, own.voices[self.rows] > self.voices + NEAR
        keep = np.select([falls, thinner], drawing.keep[1:], drawing.keep[0]).astype(np.float32)
        self.barred += keep[..., None] * (self.source == ONSET)
        top = grid.struck_on_top(batch.source, batch.context)[self.rows]
        self.barred += np.float32(drawing.keep_top) * (top & thinner[..., None])
        self.must = (pinned & (given == ONSET))[self.rows]
        self.must_onset, self.never_onset = constraints.must_onset[self.rows], constraints.never_onset[self.rows]
        self.copy_from, self.copy_shift = constraints.copy_from[self.rows], constraints.copy_shift[self.rows]
        # With a silent step behind the last one, which is where what has no step one segment before finds it.
        self.out = np.pad(self.given, ((0, 0), (0, 1), (0, 0)))
        self.lengths = np.zeros(self.given.shape, np.int16)
        joined = np.array([is_joined(source[CONTEXT:]) for source in batch.source])
        closed = (batch.plan != OPEN) | batch.retrieved | batch.padding
        self.joined = (joined & closed.all(1))[self.rows]  # whether notes end where planned onsets are
        self.onset_near = nearest_onset(batch.plan == STRUCK)[self.rows]
        self.opens = batch.opens[self.rows]
        self.previous = batch.previous[self.rows]
        self.sixteenths = batch.steps.sixteenths[self.rows]
        self.time = batch.time[self.rows]

    def read(self, static: Floats32, first: int) -> None:
        """Read the steps before `first`, all of which are given, and find what sounds there."""
        batch = self.batch
        before = np.concatenate([np.zeros_like(batch.target[:, :1]), batch.target[:, : first - 1]], axis=1)
        opening = batch.target[:, CONTEXT]
        if first > CONTEXT:
            before[:, CONTEXT] = np.where(opening == HOLD, HOLD, OFF)
        ago = batch.previous[:, :first]
        written = np.take_along_axis(batch.target[:, :first], np.maximum(ago, 0)[..., None], axis=1)
        written = np.where((ago >= 0)[..., None], written, 0).astype(np.uint8)
        at = slice(0, first)
        self.engine.decode(self.memory, static[:, at], before, written, self._first_left[:, at], batch.time[:, at])
        self.memory = self.memory.repeated(self.drawing.count)
        self.lengths[:, :first] = self.given_lengths[:, :first] * (self.given[:, :first] == ONSET)
        held = self.given[:, first] == HOLD
        run = np.logical_and.accumulate(self.given[:, first:] == HOLD, axis=1).sum(1)
        self.remaining = np.where(held, run, 0)  # [R, 88] steps that each pitch still sounds
        if first > CONTEXT:
            self.before = self.given[:, first - 1]
        else:
            self.before = np.where(held, HOLD, OFF).astype(np.uint8)
        self.sounding = np.minimum((self.before != OFF).sum(-1), MAX_VOICES).astype(np.float32)
        # What the segment that is open at `first` has so far.
        opened = np.where(self.opens[:, : first + 1], np.arange(first + 1), 0).max(1)
        inside = np.arange(first) >= opened[:, None]
        notes = np.minimum((self.given[:, :first] != OFF).sum(-1), MAX_VOICES)
        struck = (self.given[:, :first] == ONSET).any(-1)
        self.placed_onsets = (struck & inside).sum(1).astype(np.float32)
        self.placed_sound = (notes * self.sixteenths[:, :first] * inside).sum(1).astype(np.float32)

    def draw_step(self, static: Floats32, t: int) -> None:
        """Draw, copy or keep the notes of step t in every row. static [R, 1, D]."""
        opens = self.opens[:, t]
        self.placed_onsets[opens], self.placed_sound[opens] = 0, 0
        onsets_left = self.onsets[:, t] - self.placed_onsets
        # No step makes up for much that was not placed: more than the asked voices' share was never left in real music.
        most = (FULLER * self.voices[:, t] + 1) * self.room.sixteenths[:, t]
        sound_left = np.minimum(self.sound_asked[:, t] - self.placed_sound, most)
        features = left_features(onsets_left, sound_left, self.sounding, self.room, t)
        written = self.out[self.row, self.previous[:, t]]
        self.unread.append((static, self.before[:, None], written[:, None], features[:, None], self.time[:, t : t + 1]))
        struck, lengths = self._copied(t)
        copies = self.copy_from[:, t] >= 0
        fixed = self.fixed[:, t]
        must = self.must_onset[:, t] | (onsets_left >= self.room.steps[:, t])
        never = self.never_onset[:, t] | ((onsets_left <= 0) & ~self.must_onset[:, t])
        active = np.flatnonzero(~(fixed | copies | (never & ~self.must[:, t].any(-1))))
        if len(active):
            self._draw_notes(self._hidden(), written, struck, lengths, active, must & ~never, t)
        pinned, due = self.pinned[:, t], self.must[:, t]
        struck = np.where(pinned, due, struck)
        lengths = np.where(due, self.given_lengths[:, t], lengths)
        cells = np.where(struck, _ONSET, np.where(self.remaining > 0, _HOLD, _OFF))
        cells = np.where(pinned, self.given[:, t], cells)
        remaining = np.where(struck, lengths, np.where(cells == HOLD, self.remaining, 0)) - 1
        self.remaining = np.maximum(remaining, 0)
        self.out[:, t], self.lengths[:, t] = cells, lengths * struck
        notes = np.minimum((cells != OFF).sum(-1), MAX_VOICES).astype(np.float32)
        self.placed_onsets += struck.any(-1)
        self.placed_sound += notes * self.sixteenths[:, t]
        self.before, self.sounding = cells, notes

    def _hidden(self) -> Floats32:
        """[R, 2C] what is known before this step. The decoder reads it with the steps before in which no row drew."""
        inputs = [np.concatenate(parts, axis=1) for parts in zip(*self.unread, strict=True)]
        self.unread.clear()
        return self.engine.decode(self.memory, *inputs)[:, -1]

    def _copied(self, t: int) -> tuple[Bools, Array]:
        """[R, 88] twice: notes that repeat those of an earlier step, and their lengths; none elsewhere."""
        struck, lengths = np.zeros(self.before.shape, bool), np.zeros(self.before.shape, np.int64)
        source = self.copy_from[:, t]
        rows = np.flatnonzero(source >= 0)
        if not len(rows):
            return struck, lengths
        for shift in np.unique(self.copy_shift[rows, t]).tolist():
            those = rows[self.copy_shift[rows, t] == shift]
            earlier = self.lengths[those, source[those]]
            moved = shifted(earlier, shift)
            struck[those], lengths[those] = moved > 0, moved
        return struck, lengths

    def _draw_notes(
        self,
        hidden: Floats32,
        written: Cells,
        struck: Bools,
        lengths: Array,
        active: Integers,
        must: Bools,
        t: int,
    ) -> None:
        """Fill in the notes that the rows `active` strike in step t."""
        drawn, length = self.engine.strike(
            {
                "hidden": hidden[active],
                "source": self.source[active, t],
                "before": self.before[active],
                "written_ago": written[active],
                "source_class": self.source_classes[active, t],
                "barred": self.barred[active, t],
                "no_note": np.where(must, BARRED, np.float32(0))[active, None],
                "next_due": _next_due(self.must[active, t]),
                "noise": self.noise.ahead(MOST_AT_ONCE, len(active)),
                **self.temperatures,
            }
        )
        self.noise.spend(drawn.size)
        order, of = np.nonzero(drawn < END)
        row, pitch, length = active[of], drawn[order, of], length[order, of]
        struck[row, pitch] = True
        lengths[row, pitch] = np.where(length == SAME, self.source_lengths[row, t, pitch], _LENGTHS[length])
        joined = self.joined[row]
        lengths[row[joined], pitch[joined]] = self._until_onsets(row[joined], t, lengths[row[joined], pitch[joined]])

    def _until_onsets(self, row: Integers, t: int, lengths: Array) -> Array:
        """Lengths [N] of notes that begin in step t, until the planned onset that is nearest to each one's end."""
        end = np.minimum(t + lengths, self.onset_near.shape[1] - 1)
        last, first = self.onset_near[row, end].T
        none = first >= self.onset_near.shape[1] - 1
        nearer = (last > t) & ((end - last < first - end) | none)
        return np.asarray(np.where(nearer, last, np.where(none, end, first)) - t)


def _next_due(due: Bools) -> Integers:
    """[M, 89] the lowest pitch above each that must be struck, END for none; behind them that above no note."""
    pitches = np.where(due, np.arange(PITCHES), END)
    from_each = np.minimum.accumulate(pitches[:, ::-1], axis=1)[:, ::-1]
    none = np.full((len(due), 1), END)
    return np.concatenate([from_each[:, 1:], none, from_each[:, :1]], axis=1)


class _Noise:
    """Gumbel noise in rows, each for one note of one row: the same whatever the blocks in which it is made."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._rows = np.zeros((0, PITCHES + SAME + 2), np.float32)

    def ahead(self, draws: int, rows: int) -> Floats32:
        """[draws, rows, 114] the noise that comes next."""
        missing = draws * rows - len(self._rows)
        if missing > 0:
            uniform = self._random.random((max(missing, NOISE_AHEAD), self._rows.shape[1]), np.float32)
            made = -np.log(-np.log(uniform + 1e-12) + 1e-12)
            self._rows = np.concatenate([self._rows, made])
        return self._rows[: draws * rows].reshape(draws, rows, -1)

    def spend(self, rows: int) -> None:
        """These many rows have been used."""
        self._rows = self._rows[rows:]
