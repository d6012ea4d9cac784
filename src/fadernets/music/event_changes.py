"""What an edit of notes does to the events of a file's track chunks: which of them go, and which come.

An event is new at a tick and a rank within it. The events of a chunk have their own index as rank, so that a new event
may take an old one's place; a tempo comes before all others, an end of a note before an onset.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from fadernets.arrays import Array, Indices
from fadernets.music.note_events import PairedEvents
from fadernets.music.notes import NOTE, TempoMap
from fadernets.music.smf import (
    TEMPO,
    Event,
    MidiError,
    RankedEvent,
    channel_and_pitch,
    in_order,
    release_of,
    tempo_events,
)

TEMPO_RANK, END_RANK = -2, -1  # before the events of the file at the same tick


@dataclass(frozen=True)
class Edit:
    """What to change in a document's notes. Indices point into `Document.piece.notes`."""

    removed: Indices
    changed: Indices
    becomes: Array  # of NOTE, one for each changed note: what it changes to; it stays in its track
    added: Array  # of NOTE
    tempo: TempoMap | None = None  # in place of the document's own

    @classmethod
    def nothing(cls) -> Edit:
        """The edit that changes nothing."""
        return cls(*(np.empty(0, np.int64),) * 2, *(np.empty(0, NOTE),) * 2)

    def among(self, rows: Indices) -> Edit:
        """The same edit, its indices into a selection replaced by the numbers `rows` of the selected notes."""
        return replace(self, removed=rows[self.removed], changed=rows[self.changed])


class EventChanges:
    """The events that an edit drops and adds, per track chunk."""

    def __init__(self, source: PairedEvents, tempo: TempoMap, edit: Edit) -> None:
        """`tempo` is the document's own map."""
        self.dropped: dict[int, set[int]] = defaultdict(set)  # chunk -> indices of its events
        self.new: dict[int, list[RankedEvent]] = defaultdict(list)  # chunk -> its new events
        self._source, self._events = source, source.events
        # (chunk, channel, pitch) that the edit touches -> onset and end of the notes that it writes there
        self._written: dict[tuple[int, int, int], list[tuple[int, int]]] = defaultdict(list)
        for i in edit.removed.tolist():
            self._remove(i)
        for i, note in zip(edit.changed.tolist(), edit.becomes, strict=True):
            self._change(i, note)
        for note in edit.added:
            self._add(note)
        self._drop_unmatched()
        self._release({*edit.removed.tolist(), *edit.changed.tolist()})
        if edit.tempo is not None:
            self._retime(tempo, edit.tempo)

    @property
    def chunks(self) -> set[int]:
        """The track chunks that change."""
        return {*self.dropped, *self.new}

    def track(self, chunk: int) -> list[Event]:
        """The events of a track chunk after the edit, in order.

        Raises MidiError where a note of a key that the edit touches would have no end: such a file is not written.
        """
        dropped = self.dropped.get(chunk, ())
        kept = [(tick, i, message) for i, (tick, message) in enumerate(self._events[chunk]) if i not in dropped]
        events = in_order(kept + self.new.get(chunk, []))
        sounding = dict.fromkeys((key[1:] for key in self._written if key[0] == chunk), 0)
        for _, message in events:
            if message[0] >> 4 in (0x8, 0x9) and (key := channel_and_pitch(message)) in sounding:
                is_onset = message[0] >> 4 == 0x9 and message[2] > 0
                sounding[key] = sounding[key] + 1 if is_onset else max(sounding[key] - 1, 0)
        if stuck := sum(sounding.values()):
            raise MidiError(f"track chunk {chunk + 1}: the edit would leave {stuck} notes without an end")
        return events

    def _touch(self, chunk: int, channel: int, pitch: int, *spans: tuple[int, int]) -> None:
        self._written[chunk, channel, pitch] += spans

    def _remove(self, i: int) -> None:
        chunk, on, off = self._source.note_events[i]
        self.dropped[chunk] |= {on, off}
        self._touch(chunk, *channel_and_pitch(self._events[chunk][on][1]))

    def _change(self, i: int, note: np.void) -> None:
        """Write a note anew.

        An event that keeps its tick keeps its place among the others there, unless its new key sounds until then: a key
        is released before it is struck again.
        """
        chunk, on, off = self._source.note_events[i]
        events = self._events[chunk]
        onset, end, pitch, velocity = (int(note[name]) for name in ("onset", "end", "pitch", "velocity"))
        old_onset, old_on = events[on]
        new_on = bytes((old_on[0], pitch, velocity))
        if (old_onset, old_on) != (onset, new_on):
            self.dropped[chunk].add(on)
            stays = onset == old_onset and not (
                new_on[1] != old_on[1] and _is_released_after(events, on, channel_and_pitch(new_on))
            )
            on_rank = on if stays else len(events)
            self.new[chunk].append((onset, on_rank, new_on))
        else:
            on_rank = on
        old_end, old_off = events[off] if off >= 0 else (-1, release_of(old_on))
        new_off = bytes((old_off[0], pitch, old_off[2]))
        if (old_end, old_off) != (end, new_off):
            self.dropped[chunk].add(off)
            stays = end == old_end and (new_off[1] == old_off[1] or end == onset)
            self.new[chunk].append((end, _end_rank(off if stays else END_RANK, onset, end, on_rank), new_off))
        channel, old_pitch = channel_and_pitch(old_on)
        self._touch(chunk, channel, pitch, (onset, end))
        self._touch(chunk, channel, old_pitch)

    def _add(self, note: np.void) -> None:
        track = self._source.tracks[int(note["track"])]
        onset, end, pitch, velocity = (int(note[name]) for name in ("onset", "end", "pitch", "velocity"))
        last = len(self._events[track.chunk])  # the rank after all events of the file at the tick
        self.new[track.chunk].append((onset, last, bytes((0x90 | track.channel, pitch, velocity))))
        rank = _end_rank(END_RANK, onset, end, last)
        self.new[track.chunk].append((end, rank, bytes((0x80 | track.channel, pitch, 0))))
        self._touch(track.chunk, track.channel, pitch, (onset, end))

    def _drop_unmatched(self) -> None:
        """Drop the note-offs that released nothing so far and would now cut a note."""
        for key, spans in self._written.items():
            events = self._events[key[0]]
            for i in self._source.unmatched.get(key, ()):
                if any(onset < events[i][0] < end for onset, end in spans):
                    self.dropped[key[0]].add(i)

    def _release(self, gone: set[int]) -> None:
        """Release the notes that never were, where the edit touches their key and leaves them (not `gone`).

        Such a note would take the note-off of a new one, and the length that it was read with depends on the notes
        before it.
        """
        for i in self._source.unreleased:
            chunk, on, _ = self._source.note_events[i]
            channel, pitch = channel_and_pitch(self._events[chunk][on][1])
            if i not in gone and (chunk, channel, pitch) in self._written:
                end = int(self._source.notes["end"][i])
                self.new[chunk].append((end, END_RANK, bytes((0x80 | channel, pitch, 0))))

    def _retime(self, before: TempoMap, after: TempoMap) -> None:
        """Another tempo map. Events on which both maps agree stay as they are; the others go, new ones come first."""
        wanted, present = (
            dict(zip(tempo.ticks.tolist(), tempo.micros.tolist(), strict=True)) for tempo in (after, before)
        )
        same = {tick for tick in present if wanted.get(tick) == present[tick]}
        for chunk, events in enumerate(self._events):
            for i, event in enumerate(events):
                if event[0] not in same and any(micros for _, micros in tempo_events([[event]])):
                    self.dropped[chunk].add(i)
        for tick in sorted(set(wanted) - same):
            message = bytes((0xFF, TEMPO, 3)) + wanted[tick].to_bytes(3, "big")
            self.new[0].append((tick, TEMPO_RANK, message))


def _end_rank(rank: int, onset: int, end: int, on_rank: int) -> int:
    """The rank of a note's end, behind its onset where both fall on one tick. Equal ranks keep the order of writing."""
    return max(rank, on_rank) if end == onset else rank


def _is_released_after(events: list[Event], at: int, key: tuple[int, int]) -> bool:
    """Whether a key (channel, pitch) is released or struck after event `at` on the same tick."""
    for i in range(at + 1, len(events)):
        tick, message = events[i]
        if tick > events[at][0]:
            break
        if message[0] >> 4 in (0x8, 0x9) and channel_and_pitch(message) == key:
            return True
    return False
