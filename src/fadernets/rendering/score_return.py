"""An edited piece given back as the MusicXML file that it came from: only measures whose notes changed are new.

Everything else of the file stays: title, composer, parts and their transposition, clefs, keys, lyrics, slurs,
dynamics in words, other measures. In a new measure notes that stayed keep their spelling, lyrics, articulations and
grace notes; texts and barlines stay at their places. What is new is written as `musicxml` writes it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property
from xml.etree import ElementTree as xml

import numpy as np

from fadernets.arrays import Array, Integers
from fadernets.music.document import Document
from fadernets.music.notes import Piece, note_order
from fadernets.music.part_reading import PLACED, decimal
from fadernets.music.score_midi import ReadScore, ScoreDocument, SoundingNote
from fadernets.music.written_score import WrittenPart
from fadernets.music.xml_files import packed_xml
from fadernets.rendering.divisions import rescale
from fadernets.rendering.musicxml import Score, with_upbeat, write_part
from fadernets.rendering.returned_measures import NewMeasure, percent, put, row_of
from fadernets.rendering.score_parts import ScorePart, Staff
from fadernets.rendering.score_spelling import STEPS, spell
from fadernets.rendering.score_time import Bar, ScoreTime
from fadernets.rendering.score_values import Metre

HARDLY = 32  # parts of a quarter by which a note may be early for a barline and be on it
SAME_TEMPO = 0.005  # share by which a tempo may differ and be the same
LETTERS = frozenset(STEPS)
Key = tuple[int, int, int, int]  # what a score shows of a note: onset, end, pitch, staff


@dataclass(frozen=True)
class GivenBack:
    """A score file, and what it says in fewer words than the source did."""

    data: bytes
    warnings: list[str]


def give_back(source: ScoreDocument, edited: bytes, packed: bool | None = None) -> GivenBack:
    """The score of `source` with the notes of an edit, the bytes of a MIDI file, as the bytes of a MusicXML file.

    packed: whether it is compressed (.mxl); None: as the source was.
    """
    packed = source.packed if packed is None else packed
    after = Document(source.path, edited)
    if edited == source.with_tracks({}) and packed == source.packed:
        return GivenBack(source.original, [])
    score = source.read()
    writer = _Return(score, source.piece, after.piece)
    for number in range(len(score.score.parts)):
        writer.part(number)
    writer.tempos()
    text = '<?xml version="1.0" encoding="UTF-8"?>\n' + score.file.doctype + "\n" * bool(score.file.doctype)
    data = (text + xml.tostring(score.file.root, encoding="unicode") + "\n").encode()
    lost = [f"syllables whose notes are gone: {writer.lost}"] if writer.lost else []
    return GivenBack(packed_xml(data) if packed else data, lost)


@dataclass
class _Return:
    """Puts an edit into a score."""

    read: ReadScore
    before: Piece
    after: Piece
    lost: int = 0  # syllables
    scales: dict[int, float] = field(default_factory=dict)  # part -> divisions of a quarter, where it was rescaled

    @cached_property
    def _starts(self) -> Integers:
        """The tick at which each measure begins."""
        return np.array([measure.start for measure in self.read.score.measures], np.int64)

    @cached_property
    def _time(self) -> tuple[ScoreTime, list[Bar], list[Metre]]:
        """The time of the edit, its bars and how each is divided."""
        time = ScoreTime.of(self.after, is_score=True)
        bars = with_upbeat(time.bars)
        return time, bars, [Metre.of(bar, i == 0 and bar.length < bar.full) for i, bar in enumerate(bars)]

    @cached_property
    def _sources(self) -> dict[int, dict[Key, SoundingNote]]:
        """Of each part (`id`) the notes of the source's file that sound, by what a score shows of them."""
        found: dict[int, dict[Key, SoundingNote]] = defaultdict(dict)
        for note in self.read.notes:
            lane = self.read.lanes[note.lane]
            found[id(lane.part)][note.onset, note.end, note.pitch, lane.staff] = note
        return found

    def part(self, number: int) -> None:
        """Write the measures of one part that changed, and the loudness of notes that are louder or softer."""
        part = self.read.score.parts[number]
        lanes = {i + 1: lane.staff for i, lane in enumerate(self.read.lanes) if lane.part is part}  # chunk -> staff
        old, new = (_of_chunks(piece, lanes) for piece in (self.before, self.after))
        source = self._sources.get(id(part), {})
        changed = self._changed(part, old, new)
        if not changed:
            self._loudness(new, source)
            return
        divisions = rescale(part)
        self.scales[number] = divisions
        rendered = self._rendered(part, new, source, new["onset"])
        late = self._before_barlines(part, new, rendered)
        if (late != new["onset"]).any():
            rendered = self._rendered(part, new, source, late)
        self._with_neighbours(changed, new, rendered)
        changed = {m for m in changed if m < len(part.measures)}
        matches = _matches(new, source)
        self._loudness(new, source)
        of_element = {id(note.element): note.measure for note in part.notes}
        for m in sorted(changed):
            made = rendered[m] if m < len(rendered) else None
            self.lost += NewMeasure(self.read.score.tpq, part, m, divisions, made, new, matches, of_element).write()

    def _changed(self, part: WrittenPart, old: Array, new: Array) -> set[int]:
        """The measures in which a note sounds that went, came, or has another length."""
        a, b = (Counter(map(_key, notes.tolist())) for notes in (old, new))
        found: set[int] = set()
        for onset, end, _, _ in [*(a - b), *(b - a)]:
            first, last = np.searchsorted(self._starts, [onset, max(end - 1, onset)], side="right") - 1
            found |= set(range(int(first), int(last) + 1))
        return {m for m in found if m < len(part.measures)}

    def _before_barlines(self, part: WrittenPart, notes: Array, rendered: list[list[xml.Element]]) -> Array:
        """The onsets of notes, those a step before a barline that rounding puts behind it.

        A note that is hardly early for the barline stays behind it, if the part goes on there.
        """
        starts = self._starts
        own = np.searchsorted(starts, notes["onset"], side="right") - 1
        onset = notes["onset"].copy()
        for i, measures in _shown(rendered).items():
            first, tpq = min(measures), self.read.score.tpq
            if first <= own[i]:
                continue
            barline = int(starts[own[i] + 1])
            if barline - int(onset[i]) > tpq // HARDLY or first >= len(part.measures):
                onset[i] = max(barline - tpq // 4, int(starts[own[i]]))
        return onset

    def _with_neighbours(self, changed: set[int], notes: Array, rendered: list[list[xml.Element]]) -> None:
        """Add measures that share a note with one that changed: those that rounding puts a note into or takes it from.

        Without them a note that no score can say exactly, and that lies next to a barline, would be there twice or not
        at all.
        """
        shown = _shown(rendered)
        starts = self._starts
        first = np.searchsorted(starts, notes["onset"], side="right") - 1
        last = np.searchsorted(starts, np.maximum(notes["end"] - 1, notes["onset"]), side="right") - 1
        sounding = [set(range(a, b + 1)) for a, b in zip(first.tolist(), last.tolist(), strict=True)]
        moved = [(each | shown[i]) for i, each in enumerate(sounding) if shown[i] != each]
        while more := [each for each in moved if each & changed and each - changed]:
            changed |= set().union(*more)

    def _rendered(
        self, part: WrittenPart, notes: Array, source: dict[Key, SoundingNote], onset: Array
    ) -> list[list[xml.Element]]:
        """The notes, backups and forwards of every measure of a part, as the writer writes them at these onsets."""
        of_note = np.searchsorted(self._starts, notes["onset"], side="right") - 1
        shift = np.array([measure.transposition for measure in part.measures] or [0])
        last = len(shift) - 1
        written = notes.copy()
        written["onset"] = onset
        if not part.is_drum:
            pitch = notes["pitch"].astype(np.int64) - shift[np.minimum(of_note, last)]
            written["pitch"] = np.maximum(pitch, 0)  # above 127 where a part is written higher than it sounds
        piece = replace(self.after, notes=written)
        time, bars, metres = self._time
        fifths = [(int(self._starts[m]), measure.fifths) for m, measure in enumerate(part.measures)]
        keys = [part.measures[min(i, last)].fifths for i in range(len(bars))]
        pitched = np.full(len(written), not part.is_drum)
        line = spell(piece, pitched, fifths, False) if len(written) else np.zeros(0, np.int64)
        for i, note in enumerate(notes.tolist()):
            own = source.get(_key(note))
            if own is not None and not part.is_drum:
                line[i] = _line(own.elements[0], int(written["pitch"][i]), int(line[i]))
        score = Score(piece, time, bars, metres, keys, line, None)
        staves = [
            Staff(np.flatnonzero(notes["track"] == staff), "percussion" if part.is_drum else "G")
            for staff in range(1, part.staves + 1)
        ]
        made = write_part(score, ScorePart(part.number, part.name, staves, part.program, part.is_drum))
        return [[child for child in measure if child.tag in PLACED] for measure in made]

    def _loudness(self, notes: Array, source: dict[Key, SoundingNote]) -> None:
        """State the velocity of notes that stayed and are louder or softer."""
        for note in notes.tolist():
            own = source.get(_key(note))
            if own is not None and own.velocity != note[3]:
                for element in own.elements:
                    element.set("dynamics", percent(note[3]))

    def tempos(self) -> None:
        """State the tempos of the edit where they are not the source's."""
        old, new = (
            dict(zip(p.tempo.ticks.tolist(), p.tempo.micros.tolist(), strict=True)) for p in (self.before, self.after)
        )
        if old == new:
            return
        tempo = self.after.tempo
        stated: set[int] = set()
        for mark in self.read.score.marks:
            i = max(int(np.searchsorted(tempo.ticks, mark.tick, side="right")) - 1, 0)
            rate = 6e7 / int(tempo.micros[i])
            stated.add(mark.tick)
            if abs(rate - mark.rate) <= SAME_TEMPO * rate:
                continue
            if mark.element.tag == "sound":
                mark.element.set("tempo", f"{rate:.2f}")
            else:
                shown = mark.element.find("per-minute")
                if shown is not None:
                    shown.text = f"{rate / mark.unit:.0f}"
        starts = self._starts
        first = self.read.score.parts[0]
        for tick, micros in new.items():
            if tick in stated or old.get(tick) == micros:
                continue
            m = int(np.searchsorted(starts, tick, side="right")) - 1
            if m < len(first.measures):
                divisions = self.scales.get(0, first.measures[m].divisions)
                at = round((tick - starts[m]) * divisions / self.read.score.tpq)
                put(first.measures[m].element, at, xml.Element("sound", tempo=f"{6e7 / micros:.2f}"))


def _of_chunks(piece: Piece, lanes: dict[int, int]) -> Array:
    """A piece's notes in some track chunks, their `track` the staff."""
    staff = np.array([lanes.get(track.chunk, 0) for track in piece.tracks] or [0])
    notes = piece.notes.copy()
    notes["track"] = staff[piece.notes["track"]] if len(notes) else 0
    notes = notes[notes["track"] > 0]
    return notes[note_order(notes)]


def _key(note: tuple[int, ...]) -> Key:
    """The Key of a row of NOTE whose track is the staff."""
    return note[0], note[1], note[2], note[4]


def _shown(rendered: list[list[xml.Element]]) -> dict[int, set[int]]:
    """The measures in which each row of the notes is written."""
    found: dict[int, set[int]] = defaultdict(set)
    for m, made in enumerate(rendered):
        for name in (child.get("id", "") for child in made):
            if name:
                found[row_of(name)].add(m)
    return found


def _matches(new: Array, source: dict[Key, SoundingNote]) -> dict[int, SoundingNote]:
    """The row of each note of the edit that stands for one of the source: at its onset and pitch, or in its place."""
    by_onset: dict[tuple[int, int], list[SoundingNote]] = defaultdict(list)
    for (onset, _, _, staff), note in source.items():
        by_onset[onset, staff].append(note)
    found: dict[int, SoundingNote] = {}
    rows = [(i, *note) for i, note in enumerate(new.tolist())]
    for same_pitch in (True, False):
        for i, onset, _, pitch, _, staff in rows:
            left = by_onset.get((onset, staff), [])
            if i in found or not left:
                continue
            nearest = min(left, key=lambda note: abs(note.pitch - pitch))
            if nearest.pitch == pitch or not same_pitch:
                found[i] = nearest
                left.remove(nearest)
    return found


def _line(element: xml.Element, pitch: int, otherwise: int) -> int:
    """Where a written note of a pitch stands on the line of fifths, if it is spelled with two signs at most."""
    step, alter = (element.findtext("pitch/step") or "").strip(), decimal(element.findtext("pitch/alter"))
    if step not in LETTERS or abs(alter) > 2:
        return otherwise
    line = STEPS.index(step) - 1 + 7 * round(alter)
    return line if (7 * line - pitch) % 12 == 0 else otherwise
