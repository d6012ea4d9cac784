"""Locks of an edit as hard constraints on a piece's steps and notes, and how often they were broken.

A kept note keeps its onset, end and pitch; dynamics and tempo may change. The melody is the top line as the melody
reader finds it, or the track named melody in segments where that sounds; where it is kept, nothing new sounds above
it, nor below a kept bass.
Harmony is the set of pitch classes that sound in each beat; for each of them one note is kept. Rhythm is the steps on
which notes begin. T steps, N notes, W segments, S edited ones, P = 88 pitches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fadernets.arrays import Array, Bools, Cells, Floats, Indices, Integers
from fadernets.attributes.of_cells import MAX_VOICES
from fadernets.attributes.table import ATTRIBUTES
from fadernets.codecs import grid
from fadernets.codecs.grid import HOLD, LOW, OFF, ONSET, PITCHES
from fadernets.codecs.melody_states import skyline
from fadernets.decoding.rewrite_task import Locks
from fadernets.editing.edit_plan import EditPlan
from fadernets.editing.lock_requests import Lock
from fadernets.editing.note_draft import PLACE
from fadernets.editing.piece_on_grid import PieceOnGrid, found_among
from fadernets.editing.requests import Faders
from fadernets.errors import FadernetsError
from fadernets.music.notes import Piece
from fadernets.music.track_names import is_melody_name

_CLASS = (np.arange(PITCHES) + LOW) % 12  # [88] the pitch class of each key of the piano


@dataclass(frozen=True)
class KeptParts:
    """What an edit of a piece must keep."""

    notes: Array  # [N] of NOTE: those that stay
    source: Cells  # [T, 88] of the piece
    must: Bools  # [T, 88] cells that stay: those of the kept notes, with the step behind each
    may_sound: Bools  # [T, 88] where something may newly sound
    must_onset: Bools  # [T] steps on which a note must begin
    never_onset: Bools  # [T] steps on which none may begin
    harmony: Bools  # [T] steps of beats that keep their pitch classes

    @classmethod
    def nothing(cls, piece: PieceOnGrid) -> KeptParts:
        """No lock at all."""
        cells, steps = piece.roll.shape, len(piece.roll)
        no = [np.zeros(steps, bool) for _ in range(3)]
        return cls(piece.piece.notes[:0], piece.roll, np.zeros(cells, bool), np.ones(cells, bool), *no)

    def for_rewriter(self) -> Locks:
        """The same as a rewriter takes it."""
        return Locks(self.must, self.may_sound | (self.source == ONSET), self.must_onset, self.never_onset)

    def trimmed(self, after: Cells) -> Cells:
        """The roll `after` [T, 88] without what newly sounds where nothing may; onsets there and all they hold go."""
        wrong = (after != OFF) & (self.source == OFF) & ~self.may_sound
        if not wrong.any():
            return after
        out = np.where(wrong, OFF, after).astype(np.uint8)
        for t in range(1, len(out)):
            out[t] = np.where((out[t] == HOLD) & (out[t - 1] == OFF) & (after[t - 1] != OFF), OFF, out[t])
        return out


def kept_parts(whole: Piece, piece: PieceOnGrid, locks: tuple[Lock, ...], where: str = "keep") -> KeptParts:
    """What locks keep of the edited notes of a `whole` piece. Raises FadernetsError for notes or bars that are not
    there, and for a piece in windows, where nothing can be kept."""
    kept = KeptParts.nothing(piece)
    if not locks:
        return kept
    if piece.is_in_windows:
        raise FadernetsError(f"{where}: needs a model that rewrites passages; one of windows keeps no parts")
    bars = _bar_lines(whole, piece)
    notes, may_sound = np.zeros(len(piece.piece.notes), bool), kept.may_sound.copy()
    must_onset, never_onset, harmony = kept.must_onset.copy(), kept.never_onset.copy(), kept.harmony.copy()
    for lock in locks:
        steps = _steps_of(lock, piece, bars, where)
        if lock.kind == "notes":
            notes |= _named_notes(lock, whole, piece, bars, where)
        elif lock.kind == "rhythm":
            struck = (piece.roll == ONSET).any(1)
            must_onset |= steps & struck
            never_onset |= steps & ~struck
        elif lock.kind == "harmony":
            harmony |= steps
            notes |= _bearers(piece, steps)
            may_sound &= ~steps[:, None] | _classes_of_beats(piece)
        else:
            line = _line(lock.kind, whole, piece)
            notes |= line.is_edited & steps[np.minimum(piece.placed.onset, len(steps) - 1)]
            may_sound &= ~steps[:, None] | line.inside
    must = np.zeros(piece.roll.shape, bool)
    for i in np.flatnonzero(notes & piece.placed.on_grid).tolist():
        must[piece.placed.onset[i] : piece.placed.end[i] + 1, piece.placed.pitch[i]] = True
    return KeptParts(piece.piece.notes[notes], piece.roll, must, may_sound, must_onset, never_onset, harmony)


def _bar_lines(whole: Piece, piece: PieceOnGrid) -> Integers:
    """The ticks with which bars begin: by the metre of the file, or by the times of beats that the grid was made of."""
    own = piece.metric_grid
    if own.beats.length is None:
        return whole.metre.bar_starts(max(whole.end, 1))
    return own.start[np.flatnonzero(np.diff(own.bar, prepend=0))]


def _steps_of(lock: Lock, piece: PieceOnGrid, bars: Integers, where: str) -> Bools:
    """[T] the steps of a lock's bars. Raises FadernetsError for bars that the piece does not have."""
    if lock.bars is None:
        return np.ones(len(piece.roll), bool)
    bar = np.maximum(np.searchsorted(bars, np.round(piece.metric_grid.step_start), side="right"), 1)
    for a, b in lock.bars:
        if a > len(bars):
            raise FadernetsError(f"{where} {lock.kind}:{a}-{b}: the piece has {len(bars)} bars")
    return np.asarray(np.any([(bar >= a) & (bar <= b) for a, b in lock.bars], axis=0))


def _named_notes(lock: Lock, whole: Piece, piece: PieceOnGrid, bars: Integers, where: str) -> Bools:
    """[N] the notes of a lock by number or place, of those that are edited. Raises FadernetsError."""
    chosen = np.zeros(len(whole.notes), bool)
    if lock.numbers:
        if not 1 <= min(lock.numbers) <= max(lock.numbers) <= len(whole.notes):
            raise FadernetsError(f"{where}: notes are numbered from 1 to {len(whole.notes)} here")
        chosen[np.array(lock.numbers) - 1] = True
    own = piece.metric_grid
    onset = whole.notes["onset"]
    beat = own.beats.start[own.beat_at(onset)]
    for bar, number, pitch in lock.places:
        if bar > len(bars):
            raise FadernetsError(f"{where} {bar}.{number}:{pitch}: the piece has {len(bars)} bars")
        stop = bars[bar] if bar < len(bars) else own.end[-1] + 1
        lines = own.beats.start[(own.beats.start >= bars[bar - 1]) & (own.beats.start < stop)]
        found = (beat == lines[number - 1]) & (whole.notes["pitch"] == pitch) if number <= len(lines) else chosen[:0]
        if not found.any():
            raise FadernetsError(f"{where} {bar}.{number}:{pitch}: no such note begins in that beat")
        chosen |= found
    return np.asarray(chosen[piece.rows])


@dataclass(frozen=True)
class _Line:
    """The melody or the bass."""

    is_edited: Bools  # [N] its notes among the edited ones
    inside: Bools  # [T, 88] pitches that are not beyond it


def _line(kind: str, whole: Piece, piece: PieceOnGrid) -> _Line:
    """The top line of the edited notes, or the lowest for a bass. A track named melody is the melody; in segments where
    it rests throughout, the top line is."""
    line = _outermost(kind, piece.rows, piece.piece, piece)
    named = [i for i, track in enumerate(whole.tracks) if is_melody_name(track.name) and not track.is_drum]
    rows = np.flatnonzero(np.isin(whole.notes["track"], named))
    if kind != "melody" or not len(rows):
        return line
    notes, segment = replace(whole, notes=whole.notes[rows]), piece.metric_grid.segment
    own = _outermost(kind, rows, notes, piece)
    sounds = np.bincount(segment, (grid.roll(grid.place(notes, piece.windows), len(segment)) != OFF).any(1)) > 0
    rests = ~sounds[segment]  # [T]
    begins = rests[np.minimum(piece.placed.onset, len(rests) - 1)]
    return _Line(np.where(begins, line.is_edited, own.is_edited), np.where(rests[:, None], line.inside, own.inside))


def _outermost(kind: str, rows: Indices, notes: Piece, piece: PieceOnGrid) -> _Line:
    """The top or the lowest line of some notes, which are these `rows` of the whole piece."""
    placed = grid.place(notes, piece.windows)
    sign = 1 if kind == "melody" else -1
    table = np.column_stack([placed.onset, placed.end, sign * placed.pitch])
    line = np.zeros(len(rows), bool)
    line[placed.on_grid] = skyline(table[placed.on_grid])
    limit = np.full(len(piece.roll), -1)
    for onset, end, pitch in table[line][np.argsort(table[line][:, 0], kind="stable")].tolist():
        limit[onset:end] = sign * pitch
    limit = _over_rests(limit, low=kind == "melody")
    keyboard = np.arange(PITCHES)
    inside = keyboard <= limit[:, None] if kind == "melody" else keyboard >= limit[:, None]
    return _Line(np.isin(piece.rows, rows[line]), inside | (limit < 0)[:, None])


def _over_rests(limit: Integers, low: bool) -> Integers:
    """[T] a line's pitches with that of its neighbour in each rest: the lower of the two, or (not `low`) the higher."""
    known = np.flatnonzero(limit >= 0)
    if not len(known):
        return limit
    at = np.arange(len(limit))
    after = known[np.minimum(np.searchsorted(known, at), len(known) - 1)]
    before = known[np.maximum(np.searchsorted(known, at, side="right") - 1, 0)]
    both = (np.minimum if low else np.maximum)(limit[before], limit[after])
    return np.where(limit >= 0, limit, both)


def _classes_of_beats(piece: PieceOnGrid, roll: Cells | None = None) -> Bools:
    """[T, 88] the pitches whose class sounds in the beat of each step."""
    own, roll = piece.metric_grid, piece.roll if roll is None else roll
    return beat_classes(roll, own.beat, len(own.divisions))[own.beat][:, _CLASS]


def beat_classes(roll: Cells, beat: Indices, count: int) -> Bools:
    """[B, 12] which pitch classes sound in each of `count` beats of a roll [T, 88], whose steps lie in `beat` [T]."""
    out = np.zeros((count, 12), bool)
    steps, pitches = np.nonzero(roll != OFF)
    out[beat[steps], _CLASS[pitches]] = True
    return out


def _bearers(piece: PieceOnGrid, steps: Bools) -> Bools:
    """[N] notes that together sound every pitch class of every beat in these steps, as few and as long as may be."""
    own, placed = piece.metric_grid, piece.placed
    missing = beat_classes(np.where(steps[:, None], piece.roll, OFF).astype(np.uint8), own.beat, len(own.divisions))
    chosen = np.zeros(len(piece.piece.notes), bool)
    on_grid = np.flatnonzero(placed.on_grid)
    for i in on_grid[np.argsort(-(placed.end - placed.onset)[on_grid], kind="stable")].tolist():
        heard = np.arange(placed.onset[i], placed.end[i])
        heard = heard[piece.roll[heard, placed.pitch[i]] != OFF]
        beats, pitch_class = own.beat[heard], _CLASS[placed.pitch[i]]
        if missing[beats, pitch_class].any():
            chosen[i] = True
            missing[beats, pitch_class] = False
    return chosen


# --- what can be reached, and what was broken


def reachable(plan: EditPlan, piece: PieceOnGrid, kept: KeptParts, faders: Faders, warnings: list[str]) -> EditPlan:
    """The plan with the nearest densities that the locks allow. Adds to `warnings` where they differ from the asked."""
    if plan.targets.key is not None and any(lock.kind != "rhythm" for lock in faders.keep):
        if faders.touches("key"):
            raise FadernetsError("key: cannot change while notes are kept; a kept rhythm allows it")
        warnings.append("key: stays, since notes are kept")
        plan = replace(plan, targets=replace(plan.targets, key=None))
        plan = replace(plan, asked={name: values for name, values in plan.asked.items() if name != "key"})
    if not plan.coded:
        return plan
    least, most = density_bounds(piece, kept)
    coded, asked = dict(plan.coded), dict(plan.asked)
    names = ", ".join(dict.fromkeys(lock.kind for lock in faders.keep))
    for name, values in plan.coded.items():
        low, high = least[name][plan.edited], most[name][plan.edited]
        nearest = np.clip(values, low, high)
        beyond = np.abs(nearest - values) > ATTRIBUTES[name].near / 2
        if beyond.any():
            warnings.append(
                f"{ATTRIBUTES[name].option}: {int(beyond.sum())} of {len(values)} segments cannot have what is asked "
                f"while {names} stays: asked {values[beyond].mean():.2f} in the mean there, the nearest is "
                f"{nearest[beyond].mean():.2f}"
            )
        coded[name] = asked[name] = nearest
    return replace(plan, coded=coded, asked=asked)


def density_bounds(piece: PieceOnGrid, kept: KeptParts) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """[W] the lowest and the highest densities that the locks allow."""
    own, length = piece.metric_grid, piece.sixteenths()

    def total(values: Array) -> Floats:
        return np.bincount(own.segment, np.asarray(values, np.float64), len(own.start)) / length

    struck = ((piece.roll == ONSET) & kept.must).any(1)
    can = ~kept.never_onset & ((kept.may_sound & ~kept.must).any(1) | (piece.roll == ONSET).any(1)) | struck
    stays = ((piece.roll != OFF) & kept.must).sum(1)
    may = (kept.may_sound & ~kept.must | (piece.roll != OFF)).sum(1)
    voices = [np.minimum(count, MAX_VOICES) * own.sixteenths for count in (stays, may)]
    least = {"rhythm_density": total(struck | kept.must_onset), "note_density": total(voices[0])}
    return least, {"rhythm_density": total(can), "note_density": total(voices[1])}


def violations(before: PieceOnGrid, after: PieceOnGrid, kept: KeptParts) -> int:
    """How often locks were broken, from the pieces before and after an edit on one grid.

    Counted are kept notes that are not there any more, cells that newly sound where nothing may, steps of a kept rhythm
    that differ, and pitch classes that came into a beat of a kept harmony or left it.
    """
    lost = len(kept.notes) - int(found_among(after.piece.notes, kept.notes, PLACE).sum())
    new = int(((after.roll != OFF) & (before.roll == OFF) & ~kept.may_sound).sum())
    struck = (after.roll == ONSET).any(1)
    rhythm = int((struck & kept.never_onset).sum() + (~struck & kept.must_onset).sum())
    classes = _classes_of_beats(before) != _classes_of_beats(after)
    own = before.metric_grid
    first = np.flatnonzero(np.diff(own.beat, prepend=-1))
    harmony = int(classes[first[kept.harmony[first]], :12].sum())  # the first twelve keys are of all classes
    return lost + new + rhythm + harmony
