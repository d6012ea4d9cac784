"""The pitch fader: moves the mean pitch of each window along the harmony that its beats already have.

Each beat has a ladder: all pitches of the keyboard whose pitch class sounds in it. Notes climb rungs of the ladder of
the beat in which they begin, so harmony and key stay, an octave is an octave, and equal bars move alike. A worked
example is in `set_pitch`. Pitches are MIDI numbers, ticks are absolute; N notes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fadernets.arrays import Array, Floats, Indices, Integers
from fadernets.attributes import performed
from fadernets.attributes.table import CLOSE
from fadernets.codecs.grid import LOW, PITCHES
from fadernets.editing.note_draft import NoteDraft

HIGH = LOW + PITCHES - 1  # the highest pitch of the keyboard
OCTAVE = 12  # semitones
FEWEST_CLASSES = 3  # a beat with fewer pitch classes says too little of its harmony
REACHES = (0, 1, 2, 4, 8)  # beats on either side whose classes are added, in turn, until there are enough
RUN_CLASSES = 3  # so many classes of a beat that have a neighbour below within a tone make it a run
RUN_REACH = 2  # beats on either side from which a run takes the rest of its scale
MELODY_TOLERANCE = 0.5  # semitones of a window's mean pitch: within them the melody moves as a whole


def set_pitch(draft: NoteDraft, asked: Floats) -> NoteDraft:
    """Move the mean pitch of each window to what is `asked` [W], nan where it stays, as nearly as the ladders allow.

    First, all notes of a window climb as many rungs as surely lie within the asked change. Then the melody climbs one
    rung more or stays, whichever most windows of the piece prefer; inner voices and bass follow note by note, never
    onto a pitch that sounds already nor across another note, until the mean is as near as it gets.

    Example: a C major chord, C3 E3 G3 C4, mean 53.75, is asked for 57.75. Its ladder is every C, E and G: 48, 52, 55,
    60, 64, 67, ... The change of 4 semitones holds one rung of an octave's three (12 / 3 = 4), so each note climbs one:
    E3 G3 C4 E4, mean 57.75. Asked for 55.75, no rung surely lies within 2 semitones and the notes move one by one: the
    melody climbs from C4 to E4 and one inner voice from G3 to C4, which leaves the mean at 56.0, as near as it gets.

    >>> from fadernets.music.notes import MetreMap, Piece, TempoMap, Track, make_notes
    >>> from fadernets.music.segments import cut
    >>> chord = make_notes([(0, 480, pitch, 64, 0) for pitch in (48, 52, 55, 60)])  # onset, end, pitch, velocity, track
    >>> tempo = TempoMap.of([], 480)
    >>> windows = cut(Piece(chord, 480, tempo, MetreMap.of([], 480), [Track("", 0, 0)]))
    >>> draft = NoteDraft.of(chord, windows, tempo)
    >>> set_pitch(draft, np.array([57.75])).notes["pitch"].tolist()
    [52, 55, 60, 64]
    >>> set_pitch(draft, np.array([55.75])).notes["pitch"].tolist()
    [48, 52, 60, 64]
    """
    notes, windows, performance = draft.notes, draft.windows, draft.performance
    source_pitch = performed.pitch(performance)
    moving = np.flatnonzero(np.abs(asked - source_pitch) > CLOSE)
    if not len(moving):
        return draft
    beat_ladders = _BeatLadders(draft)
    ladders = [beat_ladders.at(tick) for tick in notes["onset"].tolist()]
    moves = []
    for w in moving.tolist():
        inside = np.flatnonzero(performance.window == w)
        until = max(int(notes["end"][inside].max()), int(windows.end[w]))
        around = np.flatnonzero((notes["onset"] < until) & (notes["end"] > windows.start[w]))
        total = round(float(asked[w]) * len(inside))
        direction = 1 if asked[w] > source_pitch[w] else -1
        moves.append(_WindowMove(notes, ladders, inside, np.union1d(around, inside), total, direction))
    pitches = notes["pitch"].astype(np.int64)
    for move in moves:
        move.lift(pitches)
    # The melodies of all windows climb or stay together: the direction that most of them prefer, where it lands too.
    trial = pitches.copy()
    preference = sum(move.land(trial, None) for move in moves)
    for move in moves:
        move.land(pitches, preference > 0)
    return draft.with_columns(pitch=pitches)


class _BeatLadders:
    """The pitches that each beat of a draft may use."""

    def __init__(self, draft: NoteDraft) -> None:
        notes, self._beat_at = draft.notes, draft.windows.beat_at
        beats = int(self._beat_at(notes["end"].max(initial=0))) + 1
        first, last = self._beat_at(notes["onset"]), self._beat_at(np.maximum(notes["end"] - 1, notes["onset"]))
        edges = np.zeros((beats + 1, OCTAVE), np.int64)
        np.add.at(edges, (first, notes["pitch"] % OCTAVE), 1)
        np.add.at(edges, (last + 1, notes["pitch"] % OCTAVE), -1)
        self._sounding = np.cumsum(edges[:-1], axis=0) > 0  # [beats, 12] which pitch classes sound
        self._ladders: dict[int, Integers] = {}  # by beat

    def at(self, tick: int) -> Integers:
        """The ladder of the beat of a tick, ascending.

        Its classes are those that sound in the beat; where they are few, those of the beats around it too; where they
        are a run, the scale that the beats around it complete.
        """
        beat = int(self._beat_at(np.asarray(tick)))
        if beat not in self._ladders:
            for reach in REACHES:
                classes = self._classes_around(beat, reach)
                if classes.sum() >= FEWEST_CLASSES:
                    break
            if (classes & (np.roll(classes, 1) | np.roll(classes, 2))).sum() >= RUN_CLASSES:
                classes = self._classes_around(beat, RUN_REACH) | classes
            keyboard = np.arange(LOW, HIGH + 1)
            self._ladders[beat] = keyboard[classes[keyboard % OCTAVE]]
        return self._ladders[beat]

    def _classes_around(self, beat: int, reach: int) -> Array:
        """[12] which pitch classes sound within `reach` beats."""
        return np.asarray(self._sounding[max(beat - reach, 0) : beat + reach + 1].any(0))


def _rung(ladder: Integers, pitch: int, rungs: int) -> int:
    """The pitch so many rungs above (or, negative, below) another one.

    Where the keyboard ends before, it is brought back by whole octaves. A pitch outside the keyboard stays.
    """
    if not rungs or not LOW <= pitch <= HIGH:
        return int(pitch)
    at = int(np.searchsorted(ladder, pitch)) + rungs
    octave = len(np.unique(ladder % OCTAVE))
    while not 0 <= at < len(ladder):
        at += octave if at < 0 else -octave
    return int(ladder[at])


class _Voices(NamedTuple):
    """The notes of a window by voice, each in order of onset."""

    melody: list[int]  # nothing sounds above them
    inner: list[int]
    bass: list[int]  # nothing sounds below them


@dataclass(frozen=True)
class _WindowMove:
    """How the notes of one window move. The pitches [N] of all notes are handed in and changed in place."""

    notes: Array  # [N] all notes of the draft
    ladders: list[Integers]  # [N] the ladder of each note's beat
    inside: Indices  # the notes that begin in the window
    around: Indices  # the notes that may sound with them, themselves included
    total: int  # what the pitches inside shall sum to
    direction: int  # 1 up, -1 down

    def lift(self, pitches: Integers) -> None:
        """Move all notes as many rungs as surely lie within the asked change."""
        change = (self.total - pitches[self.inside].sum()) / len(self.inside)
        for i in self.inside.tolist():
            rungs = int(abs(change) * len(np.unique(self.ladders[i] % OCTAVE)) / OCTAVE + CLOSE)
            pitches[i] = _rung(self.ladders[i], pitches[i], rungs if change > 0 else -rungs)

    def land(self, pitches: Integers, melody_climbs: bool | None) -> float:
        """Move notes on until the pitches of the window sum to the total, or as near as they get.

        The melody climbs a rung as a whole or stays as a whole, as asked; with None, as lets inner voices and bass end
        nearer. Only where both ways end more than MELODY_TOLERANCE semitones of the mean away does it move note by
        note. Returns by how many semitones of the mean a climbing melody ends nearer than one that stays.
        """
        self._step_back(pitches)
        voices = self._voices(pitches)
        accompaniment = [*voices.inner, *voices.bass]
        stays, climbs = pitches.copy(), pitches.copy()
        self._climb_melody(climbs, voices.melody)
        for version in (stays, climbs):
            self._approach(version, accompaniment)
        misses = [abs(int(version[self.inside].sum()) - self.total) / len(self.inside) for version in (stays, climbs)]
        if melody_climbs is None or min(misses) <= MELODY_TOLERANCE < misses[int(melody_climbs)]:
            melody_climbs = misses[1] < misses[0]
        best = climbs if melody_climbs else stays
        if misses[int(melody_climbs)] > MELODY_TOLERANCE:
            best = stays
            self._approach(best, voices.melody)
            self._approach(best, accompaniment)
        pitches[:] = best
        return misses[0] - misses[1]

    def _step_back(self, pitches: Integers) -> None:
        """Move notes back from pitches that sound already."""
        for i in self.inside.tolist():
            for _ in range(OCTAVE):
                if pitches[i] == self.notes["pitch"][i] or not self._is_taken(pitches, i, int(pitches[i])):
                    break
                pitches[i] = _rung(self.ladders[i], pitches[i], -self.direction)

    def _climb_melody(self, pitches: Integers, melody: list[int]) -> None:
        """Move each note of the melody one rung on, or two where the first sounds already."""
        for i in melody:
            for rungs in (self.direction, 2 * self.direction):
                target = _rung(self.ladders[i], pitches[i], rungs)
                if (target - pitches[i]) * self.direction > 0 and not self._is_taken(pitches, i, target):
                    pitches[i] = target
                    break

    def _approach(self, pitches: Integers, order: list[int]) -> None:
        """Move single notes in this `order` a rung at a time, none across another, as long as the sum gets nearer."""
        missing = int(self.total - pitches[self.inside].sum())
        for rungs in (1, 2):  # the next rung; where that sounds already, the one behind it
            moved = True
            while moved and missing:
                moved = False
                for i in order:
                    direction = 1 if missing > 0 else -1
                    target = _rung(self.ladders[i], pitches[i], direction * rungs)
                    step = target - int(pitches[i])
                    gets_nearer = 0 < step * direction <= 2 * abs(missing) - 1
                    if not gets_nearer or self._is_taken(pitches, i, target) or self._crosses(pitches, i, target):
                        continue
                    pitches[i], missing, moved = target, missing - step, True

    def _crosses(self, pitches: Integers, note: int, target: int) -> bool:
        """Whether a note at this pitch would change places with one that sounds with it."""
        notes, inside = self.notes, self.inside
        together = inside[(notes["onset"][inside] < notes["end"][note]) & (notes["end"][inside] > notes["onset"][note])]
        side = np.sign(pitches[together] - pitches[note])
        return bool((side * (pitches[together] - target) < 0).any())

    def _is_taken(self, pitches: Integers, note: int, target: int) -> bool:
        """Whether a note sounds at this pitch at the same time. Notes that shared a pitch in the source may still."""
        notes, around = self.notes, self.around
        same = around[(pitches[around] == target) & (notes["pitch"][around] != notes["pitch"][note])]
        return bool(((notes["onset"][same] < notes["end"][note]) & (notes["end"][same] > notes["onset"][note])).any())

    def _voices(self, pitches: Integers) -> _Voices:
        """The voices of the window's notes."""
        inside = self.inside[np.argsort(self.notes["onset"][self.inside], kind="stable")]
        onset, end, pitch = self.notes["onset"][inside], self.notes["end"][inside], pitches[inside]
        together = (onset[:, None] < end) & (end[:, None] > onset)
        melody = ~(together & (pitch > pitch[:, None])).any(1)
        bass = ~(together & (pitch < pitch[:, None])).any(1) & ~melody
        return _Voices(inside[melody].tolist(), inside[~melody & ~bass].tolist(), inside[bass].tolist())
