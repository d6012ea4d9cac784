"""Faders that act on the notes themselves, without the model: pitch, key, dynamics, articulation, tempo.

Each takes a Take and the value that is asked of each window, [W], nan where none is, and gives the Take that has it as
nearly as notes can. A window that has already what is asked of it stays as it is. W windows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes import performed
from fadernets.attributes.keys import correlations
from fadernets.codecs.grid import LOW, PITCHES
from fadernets.editing.note_draft import NoteDraft
from fadernets.music.notes import TempoMap

Floats = NDArray[np.float64]
CLOSE = 1e-6
HIGH = LOW + PITCHES - 1
FEW = 3  # pitch classes: a beat with fewer says too little of its harmony
SCALAR, AROUND = 3, 2  # steps between pitch classes of a beat that make it a run; beats either side that it draws on
SHORTEST = 1 / 16  # of a quarter-beat: the shortest note that articulation leaves
ROUGH = 0.5  # semitones of a window's mean pitch: within them its melody moves as a whole
OCTAVE = 12


# --- pitch


def set_pitch(take: NoteDraft, asked: Floats) -> NoteDraft:
    """Move the mean pitch of each window up or down along the harmony that its beats already have.

    The rungs of a beat's ladder are all pitches of the classes that sound in it, so harmony and key stay, an octave is
    an octave and repeated bars are moved alike. All notes of a window climb as many rungs as the asked mean is sure to
    hold; then the melody of the piece climbs one more or does not, and inner voices and bass note by note, never onto a
    note that sounds nor across one, until the mean is as near as it gets.
    """
    notes, windows = take.notes, take.windows
    heard = take.performance
    own = performed.pitch(heard)
    moves = np.flatnonzero(np.abs(asked - own) > CLOSE)
    if not len(moves):
        return take
    heights = notes["pitch"].astype(np.int64)
    ladders = _Ladders(take)
    at = [ladders.at(tick) for tick in notes["onset"].tolist()]
    each = {w: np.flatnonzero(heard.window == w) for w in moves.tolist()}
    totals = {w: round(float(asked[w]) * len(inside)) for w, inside in each.items()}
    for w, inside in each.items():
        _lift(heights, inside, at, totals[w])
    around = {}
    for w, inside in each.items():
        until = max(int(notes["end"][inside].max()), int(windows.end[w]))
        near = np.flatnonzero((notes["onset"] < until) & (notes["end"] > windows.start[w]))
        around[w] = np.union1d(near, inside)

    def land(heights: NDArray[np.int64], climbs: bool | None) -> list[float]:
        return [
            _climb(heights, each[w], around[w], notes, at, totals[w], 1 if asked[w] > own[w] else -1, climbs)
            for w in each
        ]

    # One hand: what more of the windows would rather do all do, where that lands too.
    land(heights, sum(land(heights.copy(), None)) > 0)
    return take.changed(pitch=heights)


class _Ladders:
    """The pitches that the beats of a take may use."""

    def __init__(self, take: NoteDraft) -> None:
        self.tpq, notes = take.windows.tpq, take.notes
        beats = int(notes["end"].max(initial=0)) // self.tpq + 1
        first, last = notes["onset"] // self.tpq, np.maximum(notes["end"] - 1, notes["onset"]) // self.tpq
        edges = np.zeros((beats + 1, OCTAVE), np.int64)
        np.add.at(edges, (first, notes["pitch"] % OCTAVE), 1)
        np.add.at(edges, (last + 1, notes["pitch"] % OCTAVE), -1)
        self.sounds = np.cumsum(edges[:-1], axis=0) > 0
        self.seen: dict[int, NDArray[np.int64]] = {}  # by beat

    def at(self, tick: int) -> NDArray[np.int64]:
        """The ladder of the beat of a tick: its own pitch classes; those around it where they are few, or a scale."""
        beat = tick // self.tpq
        if beat in self.seen:
            return self.seen[beat]
        for reach in (0, 1, 2, 4, 8):
            classes = np.asarray(self.sounds[max(beat - reach, 0) : beat + reach + 1].any(0))
            if classes.sum() >= FEW:
                break
        if (classes & (np.roll(classes, 1) | np.roll(classes, 2))).sum() >= SCALAR:
            classes = np.asarray(self.sounds[max(beat - AROUND, 0) : beat + AROUND + 1].any(0)) | classes
        pitches = np.arange(LOW, HIGH + 1)
        self.seen[beat] = pitches[classes[pitches % OCTAVE]]
        return self.seen[beat]


def _lift(heights: NDArray[np.int64], inside: NDArray[np.int64], at: list[NDArray[np.int64]], total: int) -> None:
    """Move the notes `inside` a window as many rungs of their ladders as are sure to lie within the asked `total`."""
    lift = (total - heights[inside].sum()) / len(inside)
    for i in inside.tolist():
        rungs = int(abs(lift) * len(np.unique(at[i] % OCTAVE)) / OCTAVE + CLOSE)
        heights[i] = _rung(at[i], heights[i], rungs if lift > 0 else -rungs)


def _climb(
    heights: NDArray[np.int64],
    inside: NDArray[np.int64],
    near: NDArray[np.int64],
    notes: NDArray,
    at: list[NDArray[np.int64]],
    total: int,
    way: int,
    climbs: bool | None,
) -> float:
    """Move notes `inside` a window along their ladders, back from keys that sound already, then on until their
    pitches sum to `total`; changes `heights`. Returns by how many semitones of the mean it is nearer if the melody
    climbs.

    The melody climbs a rung as a whole or stays as a whole, as asked, or whichever lets inner voices and bass end
    nearer. Only where both end more than ROUGH semitones of the mean away does it split, from its first note on.
    """
    for i in inside.tolist():
        for _ in range(OCTAVE):
            if heights[i] == notes["pitch"][i] or not _taken(heights, i, int(heights[i]), near, notes):
                break
            heights[i] = _rung(at[i], heights[i], -way)
    voices = _voices(inside, notes, heights)
    climb = partial(_land, order=[*voices.inner, *voices.bass], inside=inside, near=near, notes=notes, at=at)
    still, moved = heights.copy(), heights.copy()
    for i in voices.melody:
        for rungs in (way, 2 * way):
            higher = _rung(at[i], moved[i], rungs)
            if (higher - moved[i]) * way > 0 and not _taken(moved, i, higher, near, notes):
                moved[i] = higher
                break
    climb(still, total=total)
    climb(moved, total=total)
    away = [abs(int(found[inside].sum()) - total) / len(inside) for found in (still, moved)]
    pick = int(away[1] < away[0]) if climbs is None or min(away) <= ROUGH < away[int(climbs)] else int(climbs)
    best = (still, moved)[pick]
    if away[pick] > ROUGH:
        best = still
        _land(best, voices.melody, inside, near, notes, at, total)
        climb(best, total=total)
    heights[:] = best
    return away[0] - away[1]


def _land(
    heights: NDArray[np.int64],
    order: list[int],
    inside: NDArray[np.int64],
    near: NDArray[np.int64],
    notes: NDArray,
    at: list[NDArray[np.int64]],
    total: int,
) -> None:
    """Move single notes in this `order` a rung at a time, none across another of its window, until the pitches of the
    window sum as nearly to `total` as they get; changes `heights`."""
    short = int(total - heights[inside].sum())
    for rungs in (1, 2):  # the next rung; where that sounds already, the one behind it
        moved = True
        while moved and short:
            moved = False
            for i in order:
                way = 1 if short > 0 else -1
                there = _rung(at[i], heights[i], way * rungs)
                step = there - int(heights[i])
                if not 0 < step * way <= 2 * abs(short) - 1 or _taken(heights, i, there, near, notes):
                    continue  # as near as it gets
                if _crosses(heights, i, there, inside, notes):
                    continue
                heights[i], short, moved = there, short - step, True


def _crosses(heights: NDArray[np.int64], note: int, height: int, inside: NDArray[np.int64], notes: NDArray) -> bool:
    """Whether a note at this `height` would change places with one that sounds with it."""
    with_it = inside[(notes["onset"][inside] < notes["end"][note]) & (notes["end"][inside] > notes["onset"][note])]
    before = np.sign(heights[with_it] - heights[note])
    return bool((before * (heights[with_it] - height) < 0).any())


def _taken(heights: NDArray[np.int64], note: int, height: int, near: NDArray[np.int64], notes: NDArray) -> bool:
    """Whether a note that had another pitch than this one sounds at this `height` while it does."""
    same = near[(heights[near] == height) & (notes["pitch"][near] != notes["pitch"][note])]
    return bool(((notes["onset"][same] < notes["end"][note]) & (notes["end"][same] > notes["onset"][note])).any())


def _rung(ladder: NDArray[np.int64], height: int, rungs: int) -> int:
    """The pitch so many rungs from `height`; the last whole octave within the keyboard where there is none."""
    if not rungs or not LOW <= height <= HIGH:
        return int(height)
    at = int(np.searchsorted(ladder, height)) + rungs
    octave = len(np.unique(ladder % OCTAVE))
    while not 0 <= at < len(ladder):
        at += octave if at < 0 else -octave
    return int(ladder[at])


class _Voices(NamedTuple):
    """Notes of a window by voice, each from the first onset on."""

    melody: list[int]  # nothing sounds above it
    inner: list[int]
    bass: list[int]


def _voices(inside: NDArray[np.int64], notes: NDArray, heights: NDArray[np.int64]) -> _Voices:
    """The voices of the notes `inside` a window."""
    inside = inside[np.argsort(notes["onset"][inside], kind="stable")]
    onset, end, height = notes["onset"][inside], notes["end"][inside], heights[inside]
    together = (onset[:, None] < end) & (end[:, None] > onset)
    melody = ~(together & (height > height[:, None])).any(1)
    bass = ~(together & (height < height[:, None])).any(1) & ~melody
    return _Voices(inside[melody].tolist(), inside[~melody & ~bass].tolist(), inside[bass].tolist())


# --- key


def tonic_interval(home: int, target: int) -> int:
    """Semitones from one tonic to another the nearest way, -5..6."""
    return (target - home + 5) % 12 - 5


# Semitones above the tonic of third, sixth and seventh, and how far they go to the other mode.
THIRD, SIXTH, SEVENTH = range(3)
TO_MINOR = {THIRD: (4, -1), SIXTH: (9, -1), SEVENTH: (11, -1)}
TO_MAJOR = {THIRD: (3, 1), SIXTH: (8, 1), SEVENTH: (10, 1)}
# Which of them change, the first choice first: minor keeps its leading note where it can.
CHANGES = ((THIRD, SIXTH), (THIRD, SIXTH, SEVENTH), (THIRD,), (THIRD, SEVENTH), (SIXTH,), (SEVENTH,), ())
SCALES = (np.array([0, 2, 4, 5, 7, 9, 11]), np.array([0, 2, 3, 5, 7, 8, 10, 11]))  # major; minor with both sevenths
MOST_BENDS = 4


def change_key(take: NoteDraft, chosen: NDArray[np.bool_], home: int, target: int) -> NoteDraft:
    """Put the `chosen` [N] notes, whose key is `home`, into the key `target` (classes 0..23): every voice by the
    nearest way to the new tonic and, to the other mode, third, sixth and seventh as far as the new key needs them.

    The first version whose estimated key is the target is taken; where none is, single pitch classes of the nearest go
    on to notes of the new scale a semitone or two away. Notes that would leave the keyboard go an octave back, those
    that would strike what a note that is not chosen sounds, an octave away.
    """
    if home == target or not chosen.any():
        return take
    heights = take.notes["pitch"].astype(np.int64)
    way = tonic_interval(home % 12, target % 12)
    degrees = (heights - home % 12) % OCTAVE
    length = np.bincount(degrees[chosen], performed.note_lengths(take.notes)[chosen], OCTAVE)  # above the tonic
    bends = _bends(np.asarray(length, np.float64), home, target)
    moved = np.asarray(heights + way + bends[degrees], np.int64)
    moved = np.where(moved > HIGH, moved - OCTAVE, np.where(moved < LOW, moved + OCTAVE, moved))
    heights = np.where(chosen & (heights >= LOW) & (heights <= HIGH), moved, heights)
    return take.changed(pitch=_aside(heights, take.notes, chosen))


def _aside(heights: NDArray[np.int64], notes: NDArray, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Heights [N] of which the `chosen` that moved onto what another note already sounds go an octave away."""
    out = heights.copy()
    span = notes["onset"][chosen].min(), notes["onset"][chosen].max()
    others = np.flatnonzero(~chosen & (notes["end"] > span[0]) & (notes["onset"] <= span[1]))
    for i in np.flatnonzero(chosen & np.isin(heights, notes["pitch"][others]) & (heights != notes["pitch"])).tolist():
        onset = notes["onset"][i]
        sounding = notes["pitch"][others[(notes["onset"][others] <= onset) & (notes["end"][others] > onset)]]
        free = [h for h in (out[i], out[i] + OCTAVE, out[i] - OCTAVE) if LOW <= h <= HIGH and h not in sounding]
        out[i] = free[0] if free else out[i]
    return out


def _bends(length: Floats, home: int, target: int) -> NDArray[np.int64]:
    """[12] semitones that each degree above the tonic moves beside the new tonic, of a piece in which they last
    `length` [12]."""
    mode = 12 * (target // 12)  # the target on C
    if home // 12 == target // 12:
        return np.zeros(OCTAVE, np.int64)
    options = []
    for change in CHANGES:
        bends = np.zeros(OCTAVE, np.int64)
        for degree in change:
            place, by = (TO_MINOR if mode else TO_MAJOR)[degree]
            bends[place] = by
        options.append(bends)
    lead = np.array([_lead(length, bends, mode) for bends in options])
    if (lead > 0).any():
        return options[int(np.argmax(lead > 0))]
    best, ahead = options[int(lead.argmax())], float(lead.max())
    for _ in range(MOST_BENDS):
        further = []
        for degree in np.flatnonzero(length).tolist():
            for by in (-2, -1, 1, 2):
                if (degree + by) % OCTAVE in SCALES[mode // 12]:
                    bends = best.copy()
                    bends[degree] = by
                    further.append((_lead(length, bends, mode), bends))
        if not further or max(lead for lead, _ in further) <= ahead:
            break
        ahead, best = max(further, key=lambda pair: pair[0])
        if ahead > 0:
            break
    return best


def _lead(length: Floats, bends: NDArray[np.int64], target: int) -> float:
    """By how much the target's correlation beats every other key's, above 0 where it is the estimate."""
    bent = np.bincount((np.arange(OCTAVE) + bends) % OCTAVE, length, OCTAVE)
    fit = correlations(bent[None])[0]
    others = np.delete(fit, target)
    return float(fit[target] - others.max())


# --- touch


def set_dynamics(take: NoteDraft, asked: Floats) -> NoteDraft:
    """Make the notes of each window louder or softer by as much each, so that phrasing stays, within 1..127."""
    heard = take.performance
    own = performed.dynamics(heard)
    velocity = take.notes["velocity"].astype(np.int64)
    for w in np.flatnonzero(np.abs(asked - own) > CLOSE).tolist():
        inside = np.flatnonzero(heard.window == w)
        velocity[inside] = _louder(velocity[inside], round(float(np.clip(asked[w], 1, 127)) * len(inside)))
    return take.changed(velocity=velocity)


def _louder(velocity: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Velocities moved alike until they sum to `total`; what does not divide goes to the loudest."""
    low, high = -127, 127  # total of the shift `low` is at most what is asked, of `high` above it
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if np.clip(velocity + middle, 1, 127).sum() <= total else (low, middle)
    out = np.clip(velocity + low, 1, 127)
    may = np.flatnonzero(out < 127)
    loudest = may[np.argsort(-velocity[may], kind="stable")]
    out[loudest[: int(total - out.sum())]] += 1
    return out


def set_articulation(take: NoteDraft, asked: Floats) -> NoteDraft:
    """Shorten the notes of each window by one factor, or fill what is left of the time to the next onset by one."""
    heard = take.performance
    own = performed.articulation(heard)
    notes, tpq = take.notes, take.windows.tpq
    gaps, sounded = performed.gaps_to_next_onset(notes, tpq), performed.note_lengths(notes)
    share = np.minimum(sounded / gaps, 1.0)
    lengths = sounded.copy()
    least = np.maximum(np.minimum(sounded, SHORTEST * tpq), 1)
    for w in np.flatnonzero(np.abs(asked - own) > CLOSE).tolist():
        inside = np.flatnonzero(heard.window == w)
        wanted = float(np.clip(asked[w], 0, 1))
        low, high = 0.0, 1.0
        for _ in range(30):
            middle = (low + high) / 2
            if wanted < own[w]:
                tried = np.maximum(sounded[inside] * middle, least[inside])
            else:
                tried = np.where(
                    share[inside] < 1, (1 - (1 - share[inside]) * (1 - middle)) * gaps[inside], sounded[inside]
                )
            value = np.minimum(tried / gaps[inside], 1.0).mean()
            low, high = (middle, high) if value < wanted else (low, middle)
        lengths[inside] = np.maximum(np.round(tried), 1)
    return take.changed(end=np.where(lengths != sounded, notes["onset"] + lengths.astype(np.int64), notes["end"]))


# --- tempo


def set_tempo(take: NoteDraft, asked: Floats) -> NoteDraft:
    """Speed the tempo map up or down by one factor a window: what is slower or faster inside it stays so. What lies
    behind the last window, where other tracks may go on, goes with it."""
    own = performed.tempo(take.performance)
    factor = np.where(np.isnan(asked), 1.0, asked / own)
    factor = np.where(np.abs(factor - 1) < CLOSE, 1.0, factor)
    if (factor == 1).all():
        return take
    old, windows = take.tempo, take.windows
    ticks = np.union1d(old.ticks, windows.start[np.diff(factor, prepend=1.0) != 0])  # where the factor changes
    at = np.searchsorted(old.ticks, ticks, side="right") - 1
    window = np.searchsorted(windows.start, ticks, side="right") - 1
    speed = np.where(window >= 0, factor[np.maximum(window, 0)], 1.0)
    micros = np.clip(np.round(old.micros[at] / speed), 1, 2**24 - 1).astype(np.int64)
    kept = np.append(True, np.diff(micros) != 0) | np.isin(ticks, old.ticks)
    return replace(take, tempo=TempoMap(ticks[kept], micros[kept], old.tpq))


WINDOW_FADERS: dict[str, Callable[[NoteDraft, Floats], NoteDraft]] = {
    "pitch": set_pitch,
    "dynamics": set_dynamics,
    "articulation": set_articulation,
    "tempo": set_tempo,
}
