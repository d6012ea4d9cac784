"""The pitch fader: moves the mean pitch of each window along the harmony that its beats already have.

Each beat has a ladder: all pitches of the keyboard whose pitch class sounds in it. Notes climb rungs of the ladder of
the beat in which they begin, so harmony and key stay, an octave is an octave, and equal bars move alike. The bass keeps
its pitch classes, so that chords stay in their position: it moves by octaves, or not at all. A worked example is in
`set_pitch`. Pitches are MIDI numbers, ticks are absolute; N notes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from fadernets.arrays import Array, Floats, Indices, Integers
from fadernets.attributes import performed
from fadernets.attributes.table import CLOSE
from fadernets.codecs.grid import LOW
from fadernets.editing import bass_notes
from fadernets.editing.bass_notes import HIGH, NO_FLOOR, OCTAVE
from fadernets.editing.note_draft import NoteDraft
from fadernets.editing.sounding_notes import SoundingNotes

FEWEST_CLASSES = 3  # a beat with fewer pitch classes says too little of its harmony
REACHES = (0, 1, 2, 4, 8)  # beats on either side whose classes are added, in turn, until there are enough
RUN_CLASSES = 3  # so many classes of a beat that have a neighbour below within a tone make it a run
RUN_REACH = 2  # beats on either side from which a run takes the rest of its scale
MELODY_TOLERANCE = 0.5  # semitones of a window's mean pitch: within them the melody moves as a whole
MOST_BASS = 0.5  # of a window's notes: where more are a bass, it is what moves


def set_pitch(draft: NoteDraft, asked: Floats) -> NoteDraft:
    """Move the mean pitch of each window to what is `asked` [W], nan where it stays, as nearly as the ladders allow.

    First, all notes of a window but the bass climb as many rungs as surely lie within the asked change; the bass moves
    to the nearest octave, where that leaves it the lowest; and the others climb on by what it left to them. Then the
    melody climbs one rung more or stays, whichever most windows of the piece prefer; inner voices follow note by note,
    never onto a pitch that sounds already nor across another note or the bass, until the mean is as near as it gets.

    Example: a C major chord, C3 E3 G3 C4, mean 53.75, is asked for 57.75. Its ladder is every C, E and G: 48, 52, 55,
    60, 64, 67, ... The change of 4 semitones holds one rung of an octave's three (12 / 3 = 4), so E3, G3 and C4 climb
    one. C3, the bass, stays, since 4 semitones are nearer to no octave than to one: C3 G3 C4 E4, mean 56.75. Four
    semitones are missing, and the melody climbs once more, to G4: mean 57.5, as near as it gets. Asked for 55.75, no
    rung surely lies within the 8 / 3 semitones that each of three notes should move, and they move one by one: the
    melody climbs from C4 to E4 and one inner voice from G3 to C4, which leaves the mean at 56.0, as near as it gets.

    >>> from fadernets.music.notes import MetreMap, Piece, TempoMap, Track, make_notes
    >>> from fadernets.music.segments import cut
    >>> chord = make_notes([(0, 480, pitch, 64, 0) for pitch in (48, 52, 55, 60)])  # onset, end, pitch, velocity, track
    >>> tempo = TempoMap.of([], 480)
    >>> windows = cut(Piece(chord, 480, tempo, MetreMap.of([], 480), [Track("", 0, 0)]))
    >>> draft = NoteDraft.of(chord, windows, tempo)
    >>> set_pitch(draft, np.array([57.75])).notes["pitch"].tolist()
    [48, 55, 60, 67]
    >>> set_pitch(draft, np.array([55.75])).notes["pitch"].tolist()
    [48, 52, 60, 64]
    """
    performance = draft.performance
    source_pitch = performed.pitch(performance)
    moving = np.flatnonzero(np.abs(asked - source_pitch) > CLOSE)
    if not len(moving):
        return draft
    ladders, basses = _BeatLadders(draft).of_notes, bass_notes.basses(draft)
    sounding = SoundingNotes(draft.notes, performance.window)
    by_window = np.argsort(performance.window, kind="stable")
    edges = np.searchsorted(performance.window[by_window], [moving, moving + 1])
    moves = []
    for w, first, behind in zip(moving.tolist(), *edges.tolist(), strict=True):
        inside = by_window[first:behind]
        total = round(float(asked[w]) * len(inside))
        direction = 1 if asked[w] > source_pitch[w] else -1
        own = inside[basses[inside]]
        own = own[:0] if len(own) > MOST_BASS * len(inside) else own
        moves.append(_WindowMove(draft.notes, sounding, ladders, inside, own, total, direction))
    bass = np.concatenate([move.bass for move in moves])
    bass_makes_room = bass_notes.makes_room(draft, bass)
    for move in moves:
        move.lift(bass_makes_room)
        draft.poll()
    floors = bass_notes.floors(draft, bass, np.array(sounding.pitch))
    for move in moves:
        move.floors = floors
    # The melodies of all windows climb or stay together: the direction that most of them prefer, where it lands too.
    lifted, preference = sounding.moment(), 0.0
    for move in moves:
        preference += move.land(None)
        draft.poll()
    sounding.back_to(lifted)
    for move in moves:
        move.land(preference > 0)
        draft.poll()
    return draft.with_columns(pitch=np.array(sounding.pitch))


class _Ladder:
    """The pitches that a note may use, and how it climbs among them."""

    def __init__(self, pitches: Integers) -> None:
        self._pitches: list[int] = pitches.tolist()  # ascending
        self.octave = len(np.unique(pitches % OCTAVE))  # rungs

    def rung(self, pitch: int, rungs: int) -> int:
        """The pitch so many rungs above (or, negative, below) another one.

        Where the keyboard ends before, it is brought back by whole octaves. A pitch outside the keyboard stays.
        """
        if not rungs or not LOW <= pitch <= HIGH:
            return pitch
        at = bisect_left(self._pitches, pitch) + rungs
        while not 0 <= at < len(self._pitches):
            at += self.octave if at < 0 else -self.octave
        return self._pitches[at]


class _BeatLadders:
    """The pitches that each beat of a draft may use."""

    def __init__(self, draft: NoteDraft) -> None:
        notes, self._beat_at = draft.notes, draft.windows.beat_at
        beats = int(self._beat_at(notes["end"].max(initial=0))) + 1
        first, last = bass_notes.beats_of(draft)
        edges = np.zeros((beats + 1, OCTAVE), np.int64)
        np.add.at(edges, (first, notes["pitch"] % OCTAVE), 1)
        np.add.at(edges, (last + 1, notes["pitch"] % OCTAVE), -1)
        self._sounding = np.cumsum(edges[:-1], axis=0) > 0  # [beats, 12] which pitch classes sound
        ladders = {beat: self._of_beat(beat) for beat in np.unique(first).tolist()}
        self.of_notes = [ladders[beat] for beat in first.tolist()]  # [N] that of the beat in which a note begins

    def _of_beat(self, beat: int) -> _Ladder:
        """The ladder of a beat.

        Its classes are those that sound in the beat; where they are few, those of the beats around it too; where they
        are a run, the scale that the beats around it complete.
        """
        for reach in REACHES:
            classes = self._classes_around(beat, reach)
            if classes.sum() >= FEWEST_CLASSES:
                break
        if (classes & (np.roll(classes, 1) | np.roll(classes, 2))).sum() >= RUN_CLASSES:
            classes = self._classes_around(beat, RUN_REACH) | classes
        keyboard = np.arange(LOW, HIGH + 1)
        return _Ladder(keyboard[classes[keyboard % OCTAVE]])

    def _classes_around(self, beat: int, reach: int) -> Array:
        """[12] which pitch classes sound within `reach` beats."""
        return np.asarray(self._sounding[max(beat - reach, 0) : beat + reach + 1].any(0))


class _Waiting:
    """Notes whose next pitch sounds already: there is no need to ask again before another note leaves it."""

    def __init__(self, sounding: SoundingNotes) -> None:
        self.notes: set[int] = set()
        self._sounding = sounding
        self._at: dict[int, list[int]] = defaultdict(list)  # pitch -> the notes that wait for it

    def add(self, note: int, pitch: int) -> None:
        """Let a note wait for a pitch."""
        self.notes.add(note)
        self._at[pitch].append(note)

    def freed(self, note: int, pitch: int, turned: bool) -> None:
        """A note left a pitch, which ends the wait of those that sound with it; or of all, if the way has `turned`."""
        if turned:
            self.notes.clear()
            self._at.clear()
            return
        still = []
        for other in self._at.pop(pitch, ()):
            if self._sounding.are_together(note, other):
                self.notes.discard(other)
            else:
                still.append(other)
        if still:
            self._at[pitch] = still


class _Voices(NamedTuple):
    """The notes of a window but the bass by voice, each in order of onset."""

    melody: list[int]  # nothing sounds above them
    inner: list[int]
    lowest: list[int]  # nothing sounds below them


@dataclass
class _WindowMove:
    """How the notes of one window move."""

    notes: Array  # [N] all notes of the draft
    sounding: SoundingNotes  # their pitches so far, changed as this window's notes move
    ladders: list[_Ladder]  # [N]
    inside: Indices  # the notes that begin in the window
    bass: Indices  # those of them that keep their pitch class
    total: int  # what the pitches inside shall sum to
    direction: int  # 1 up, -1 down
    floors: list[int] = field(default_factory=list)  # [N] the pitch of the bass under each note

    def __post_init__(self) -> None:
        self._free: list[int] = np.setdiff1d(self.inside, self.bass, assume_unique=True).tolist()

    def lift(self, bass_makes_room: bool = False) -> None:
        """Move the bass by octaves and all other notes as many rungs as surely lie within what that leaves to them.

        Downward the bass may make room: it goes an octave down where the others then need not go up. Upward it follows.
        """
        missing = self._missing()
        octaves = round(missing / len(self.inside) / OCTAVE)
        if missing < 0:
            self._move_bass(octaves or -int(bass_makes_room and OCTAVE * len(self.bass) <= -missing))
        else:
            self._climb(missing / len(self.inside))
            self._move_bass(octaves)
        self._climb(self._missing() / len(self._free))

    def _climb(self, change: float) -> None:
        """Move all notes but the bass as many rungs as surely lie within a change of each."""
        for i in self._free:
            rungs = int(abs(change) * self.ladders[i].octave / OCTAVE + CLOSE)
            self.sounding.move(i, self._rung(i, rungs if change > 0 else -rungs))

    def _move_bass(self, octaves: int) -> None:
        """Move the bass so many octaves, if all of it stays on the keyboard and below what sounds with it."""
        if not octaves:
            return
        pitch, free = self.sounding.pitch, self.notes[self._free]
        others = np.array([pitch[i] for i in self._free])
        targets = [(i, pitch[i] + octaves * OCTAVE) for i in self.bass.tolist()]
        for i, target in targets:
            together = (free["onset"] < self.notes["end"][i]) & (free["end"] > self.notes["onset"][i])
            if not LOW <= target <= HIGH or (others[together] <= target).any():
                return
        for i, target in targets:
            self.sounding.move(i, target)

    def land(self, melody_climbs: bool | None) -> float:
        """Move notes on until the pitches of the window sum to the total, or as near as they get.

        The melody climbs a rung as a whole or stays as a whole, as asked; with None, as lets inner voices end nearer.
        Only where both ways end more than MELODY_TOLERANCE semitones of the mean away does it move note by note, and
        where that is so even then, the bass as the other notes do. Returns by how many semitones of the mean a climbing
        melody ends nearer than one that stays, 0 where only one of them was tried since it lands.
        """
        self._step_back()
        voices, decided = self._voices(), melody_climbs is not None
        accompaniment = [*voices.inner, *voices.lowest]
        start = self.sounding.moment()
        misses, changes = dict[bool, float](), dict[bool, list[tuple[int, int]]]()  # of a melody that climbs or stays
        for climbs in (False, True) if melody_climbs is None else (melody_climbs, not melody_climbs):
            if climbs:
                self._climb_melody(voices.melody)
            self._approach(accompaniment)
            misses[climbs] = abs(self._missing()) / len(self.inside)
            changes[climbs] = self.sounding.back_to(start)
            if climbs == melody_climbs and misses[climbs] <= MELODY_TOLERANCE:
                break
        if melody_climbs is None or min(misses.values()) <= MELODY_TOLERANCE < misses[melody_climbs]:
            melody_climbs = misses[True] < misses[False]
        lands = misses[melody_climbs] <= MELODY_TOLERANCE
        for i, pitch in changes[melody_climbs and lands]:
            self.sounding.move(i, pitch)
        if not lands:
            self._approach(voices.melody)
            self._approach(accompaniment)
            if decided and len(self.bass) and abs(self._missing()) > MELODY_TOLERANCE * len(self.inside):
                self._free_bass()
                self.lift()
                return self.land(melody_climbs)
        return misses[False] - misses[True] if len(misses) > 1 else 0.0

    def _free_bass(self) -> None:
        """Put all notes back, and let the bass move as the others do from here on."""
        for i in self.inside.tolist():
            self.sounding.move(i, self.sounding.source[i])
        self.bass, self._free, self.floors = self.bass[:0], self.inside.tolist(), []

    def _floor(self, note: int) -> int:
        """The pitch that a note stays above."""
        return self.floors[note] if self.floors else NO_FLOOR

    def _missing(self) -> int:
        """By how many semitones the pitches of the window fall short of the total."""
        pitch = self.sounding.pitch
        missing: int = self.total - sum(pitch[i] for i in self.inside.tolist())
        return missing

    def _rung(self, note: int, rungs: int) -> int:
        """The pitch so many rungs above where a note is now."""
        return self.ladders[note].rung(self.sounding.pitch[note], rungs)

    def _step_back(self) -> None:
        """Move notes back from pitches that sound already."""
        for i in self.inside.tolist():
            pitch, own = self.sounding.pitch[i], self.sounding.source[i]
            for _ in range(OCTAVE):
                if pitch == own or not (self.sounding.is_taken(i, pitch) or pitch <= self._floor(i)):
                    break
                pitch = self.ladders[i].rung(pitch, -self.direction)
            self.sounding.move(i, pitch)

    def _climb_melody(self, melody: list[int]) -> None:
        """Move each note of the melody one rung on, or two where the first sounds already."""
        for i in melody:
            for rungs in (self.direction, 2 * self.direction):
                target = self._rung(i, rungs)
                climbs = (target - self.sounding.pitch[i]) * self.direction > 0
                if climbs and target > self._floor(i) and not self.sounding.is_taken(i, target):
                    self.sounding.move(i, target)
                    break

    def _approach(self, order: list[int]) -> None:
        """Move single notes in this `order` a rung at a time, none across another, as long as the sum gets nearer."""
        missing, sounding = self._missing(), self.sounding
        for rungs in (1, 2):  # the next rung; where that sounds already, the one behind it
            waiting, moved = _Waiting(sounding), True
            while moved and missing:
                moved = False
                for i in order:
                    if i in waiting.notes:
                        continue
                    direction = 1 if missing > 0 else -1
                    target = self._rung(i, direction * rungs)
                    step = target - sounding.pitch[i]
                    if not 0 < step * direction <= 2 * abs(missing) - 1:  # gets no nearer
                        continue
                    if target <= self._floor(i) or (target - sounding.source[i]) * self.direction < 0:
                        continue
                    if sounding.is_taken(i, target):
                        waiting.add(i, target)
                    elif not sounding.crosses(i, target):
                        left = sounding.pitch[i]
                        sounding.move(i, target)
                        missing, moved = missing - step, True
                        waiting.freed(i, left, turned=missing * direction < 0)

    def _voices(self) -> _Voices:
        """The voices of the window's notes."""
        free = np.array(self._free, np.int64)
        inside = free[np.argsort(self.notes["onset"][free], kind="stable")]
        onset, end = self.notes["onset"][inside], self.notes["end"][inside]
        pitch = np.array([self.sounding.pitch[i] for i in inside.tolist()])
        melody = ~bass_notes.has_beyond(onset, end, pitch)
        lowest = ~bass_notes.has_beyond(onset, end, -pitch) & ~melody
        return _Voices(inside[melody].tolist(), inside[~melody & ~lowest].tolist(), inside[lowest].tolist())
